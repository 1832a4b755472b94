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
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade

from autograder import sandbox, submitted_files
from autograder.assignment import Assignment, load
from autograder.course import Course, find_course
from autograder.errors import AutograderError
from autograder.handin import read_submission
from autograder.late import Policies
from autograder.limits import limits_for
from autograder.marks import MAXIMUM
from autograder.rebuild import rebuild
from autograder.results import NOTE, Result, Store, as_notebook, grade_submission, key_of, note_on

submitted_files.install()


def store(course: Course) -> Store:
    """Return the stored results of a course."""
    return Store(course.classroom / "cache")


def assignment(stem: str) -> Assignment:
    """Return an assignment of the course that nbgrader works in."""
    course = find_course()
    course.require_built(stem)
    return load(stem, course.source_notebook(stem), course.release_notebook(stem))


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
            data, note = read_submission(path.parent, assignment(path.stem))
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
        task = assignment(names["assignment"])
        folder = course.folder("submitted", names["assignment"], names["student"])
        data, note = read_submission(folder, task)
        if hashlib.sha256(data).hexdigest() != nb.metadata[NOTE]["submission"]:
            raise NbGraderException("the submission changed while it was graded; grade it again")
        result = examined(course, task, data)
        graded = as_notebook(result)
        graded.metadata[NOTE] = note_on(result, note, folder)
        for cell in graded.cells:
            if is_grade(cell) and cell.cell_type == "code" and not cell.outputs:
                raise NbGraderException("a test has no verdict; nothing was recorded")
        return graded, resources


def examined(course: Course, task: Assignment, data: bytes) -> Result:
    """Return the result of a submission, graded now unless it is known."""
    limits = limits_for(course, task.stem)
    key = key_of(task, data, limits)
    result = store(course).get(key)
    if result is None:
        try:
            sandbox.require()
        except AutograderError as error:
            raise NbGraderException(str(error)) from None
        result = grade_submission(task, data, limits)
        store(course).put(result)
    if not result.trusted:
        raise NbGraderException("the grader failed; no mark was recorded: see the log")
    return result


class LatePlugin(LateSubmissionPlugin):
    """What nbgrader asks for a late penalty; without a policy of the course it decides itself."""

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """Return the points to take off, or None."""
        course = getattr(self.parent, "course", None) or find_course()
        stem = self.parent.assignment_id
        (out_of,) = course.query(MAXIMUM, stem)[0]
        found = Policies(course).penalty(stem, student_id, score, out_of, total_seconds_late)
        if found is not None:
            return found
        decided: float | None = super().late_submission_penalty(
            student_id, score, total_seconds_late
        )
        return decided
