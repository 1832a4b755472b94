"""The seam to nbgrader: its own `autograde` calls these where stock would run the student's tests.

`nbgrader_config.py` names them. nbgrader then reads the marks from the outputs as ever, so its
gradebook, formgrader, feedback, late policy and export stay as they are.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade

from autograder import sandbox
from autograder.assignment import Assignment, load
from autograder.course import find_course
from autograder.errors import AutograderError
from autograder.limits import limits_for
from autograder.rebuild import rebuild
from autograder.results import Result, Store, as_notebook, grade_submission, key_of

NOTE = "autograder"  # the key of our note in a graded notebook's metadata

_store: Store | None = None


def store() -> Store:
    """Return the results of this process's course."""
    global _store
    folder = find_course().classroom / "cache"
    if _store is None or _store.folder != folder:
        _store = Store(folder)
    return _store


def assignment(stem: str) -> Assignment:
    """Return an assignment of this process's course."""
    course = find_course()
    course.require_built(stem)
    return load(stem, course.source_notebook(stem), course.release_notebook(stem))


def submitted_file(folder: Path, stem: str) -> tuple[Path | None, str]:
    """Return the notebook a student meant, and a note when it does not have the right name.

    Only ordinary files count: no link, pipe or device.
    """
    wanted = folder / f"{stem}.ipynb"
    if _ordinary(wanted):
        return wanted, ""
    others = sorted(p for p in folder.glob("*.ipynb*") if _ordinary(p))
    if wanted.is_symlink() or (wanted.exists() and not _ordinary(wanted)):
        return None, f"{wanted.name} is not an ordinary file; refused"
    if not others:
        return None, "no notebook was handed in"
    best = max(others, key=lambda p: (_known_ids(p, stem), p.stat().st_mtime))
    return best, f"taken from {best.name!r}; confirm that it is the right file"


def _ordinary(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _known_ids(path: Path, stem: str) -> int:
    from autograder.rebuild import MAX_BYTES, read_cells

    known = {item.grade_id for item in assignment(stem).items}
    with path.open("rb") as file:
        cells = read_cells(file.read(MAX_BYTES + 1), known, [])
    return len({cell.grade_id for cell in cells if cell.grade_id})


def read_submission(folder: Path, stem: str) -> tuple[bytes, str]:
    """Return the bytes of a student's notebook and a note on where they were found."""
    from autograder.rebuild import MAX_BYTES

    path, note = submitted_file(folder, stem)
    if path is None:
        return b"", note
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1), note


def find_misnamed(assignment: str, student: str, notebooks: list[str]) -> None:
    """Before nbgrader converts a submission: name the notebook as it should have been named."""
    folder = Path(notebooks[0]).parent
    notebooks[:] = [str(folder / f"{folder.name}.ipynb")]


class SubmissionExporter(NotebookExporter):
    """Reads a submitted notebook however damaged it is; the rebuild decides what it is worth."""

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> Any:
        """Convert the notebook at ``filename``, or an empty one when it cannot be read."""
        path = Path(filename)
        resources = {} if resources is None else resources
        if path.parent.parent.parent.name == "submitted":
            data, note = read_submission(path.parent, path.stem)
            resources[NOTE] = {"data": data, "note": note}
            notebook = nbformat.v4.new_notebook()
            return self.from_notebook_node(notebook, resources, **kwargs)
        return super().from_filename(filename, resources, **kwargs)


class Rebuild(NbGraderPreprocessor):
    """Puts the rebuilt notebook in the place of the submitted one."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the rebuilt notebook."""
        found = resources[NOTE]
        rebuilt = rebuild(assignment(resources["nbgrader"]["assignment"]), found["data"])
        digest = hashlib.sha256(found["data"]).hexdigest()
        rebuilt.notebook.metadata[NOTE] = {"submission": digest, "note": found["note"]}
        return rebuilt.notebook, resources


class Examine(NbGraderPreprocessor):
    """Gives every test cell its verdict, from this run's results or by grading now."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the graded notebook."""
        names = resources["nbgrader"]
        course = find_course()
        folder = course.folder("submitted", names["assignment"], names["student"])
        data, note = read_submission(folder, names["assignment"])
        if hashlib.sha256(data).hexdigest() != nb.metadata[NOTE]["submission"]:
            raise NbGraderException("the submission changed while it was graded; grade it again")
        result = examined(assignment(names["assignment"]), data, note)
        graded = as_notebook(result)
        graded.metadata[NOTE] = {**nb.metadata[NOTE], "key": result.key, "flags": result.flags}
        for cell in graded.cells:
            if is_grade(cell) and cell.cell_type == "code" and not cell.outputs:
                raise NbGraderException("a test has no verdict; nothing was recorded")
        return graded, resources


def examined(task: Assignment, data: bytes, note: str) -> Result:
    """Return the result of a submission, graded now unless it is known."""
    key = key_of(task, data)
    result = store().get(key)
    if result is None:
        try:
            sandbox.require()
        except AutograderError as error:
            raise NbGraderException(str(error)) from None
        result = grade_submission(task, data, limits_for(find_course(), task.stem), note)
        store().put(result)
    if not result.trusted:
        raise NbGraderException("the grader failed; no mark was recorded: see the log")
    return result
