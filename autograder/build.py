"""`autograder build`: from one source to the released notebook.

solutions/STEM.py -> classroom/source/STEM/STEM.ipynb -> nbgrader generate_assignment ->
classroom/release/STEM/STEM.ipynb -> exercises/STEM/STEM.ipynb
"""

from __future__ import annotations

import difflib
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograder.course import (
    CONFIG_NAME,
    Course,
    find_course,
    load_config,
    read_notebook,
    require_disk,
    restored_on_failure,
    write_atomically,
)
from autograder.errors import BuildRefused, MarkerProblems, NbgraderFailed, UnreadableNotebook
from autograder.markers import read_source

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from traitlets.config import Config

    from autograder.source import Problem, Source

DISK_NEEDED = 32 * 1024**2  # notebooks and gradebook stay below; sqlite needs room for its journal
DIFF_LINES = 40  # enough to recognise the change; the file has the rest


@dataclass(frozen=True)
class Built:
    """What one build made; paths are relative to the course's root."""

    assignment: str
    cells: int
    exercises: int
    points: int
    exercise: str
    changed: bool

    def __str__(self) -> str:
        state = "updated" if self.changed else "unchanged"
        return (
            f"{self.assignment}: {self.cells} cells, {self.exercises} exercises, "
            f"{self.points} points -> {self.exercise} ({state})"
        )


@dataclass(frozen=True)
class Checked:
    """Whether a committed exercise is what its source makes, and where it is not."""

    assignment: str
    same: bool
    difference: str = ""


def read_sources(course: Course, stems: Sequence[str]) -> list[Source]:
    """Return the sources of ``stems``. Raises UnknownAssignment, MarkerProblems (of all files)."""
    paths = [course.require_assignment(stem) for stem in stems]
    sources: list[Source] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            sources.append(read_source(path, course.shown(path)))
        except MarkerProblems as error:
            problems += error.problems
    if problems:
        raise MarkerProblems(problems)
    return sources


def build_assignment(course: Course, source: Source) -> Built:
    """Write the source notebook, let nbgrader release and register it, write the exercise.

    When it fails, the assignment is left as it was, in the folders and in the gradebook.

    Raises:
        BuildRefused: submissions are recorded and the set of cells changed.
        NbgraderFailed, BadGradebook, DiskFull, CannotWrite.
    """
    stem = source.stem
    require_disk(course.classroom, DISK_NEEDED)
    if course.gradebook.exists():
        course.require_gradebook()
    (course.classroom / "exchange").mkdir(parents=True, exist_ok=True)
    with restored_on_failure(course.folder("source", stem), course.folder("release", stem)):
        _write_source(course, source)
        _copy_extras(course.exercises / stem, course.folder("source", stem))
        _generate(course, stem, course.config())
        text = _released_text(course, stem)
    exercise = course.exercise_notebook(stem)
    return Built(
        assignment=stem,
        cells=len(source.cells),
        exercises=len(source.of_kind("exercise")),
        points=source.points,
        exercise=str(course.shown(exercise)),
        changed=write_atomically(exercise, text),
    )


def check_assignment(course: Course, source: Source) -> Checked:
    """Return whether exercises/ holds what ``source`` makes; nothing of the course is touched."""
    made = released_text(course, source)
    path = course.exercise_notebook(source.stem)
    if path.is_file() and path.read_bytes() == made.encode("utf-8"):
        return Checked(source.stem, same=True)
    return Checked(source.stem, same=False, difference=_difference(course, path, made))


def released_text(course: Course, source: Source) -> str:
    """Return the released notebook as text, made in a temporary course without a gradebook."""
    with tempfile.TemporaryDirectory(prefix="autograder-") as folder:
        elsewhere = Course(Path(folder).resolve())
        _write_source(elsewhere, source)
        config = load_config(course.root / CONFIG_NAME, elsewhere)
        _generate(elsewhere, source.stem, config, register=False)
        return _released_text(elsewhere, source.stem)


def solved(released: NotebookNode, source: Source) -> NotebookNode:
    """Return a copy of the released notebook with every solution filled in: a perfect submission.

    Written answers hold their mark scheme.
    """
    import copy

    notebook = copy.deepcopy(released)
    for cell in notebook.cells:
        if cell.metadata.nbgrader.solution:
            lines = source.cell(cell.metadata.nbgrader.grade_id).source.splitlines()
            kept = [ln for ln in lines if not ln.strip().startswith(("### BEGIN ", "### END "))]
            cell.source = "\n".join(kept)
    return notebook


def _write_source(course: Course, source: Source) -> None:
    write_atomically(course.source_notebook(source.stem), _notebook_text(source.notebook()))


def _copy_extras(exercise: Path, target: Path) -> None:
    """Copy data files that lie beside the exercise; nbgrader hands them on to release and grading.

    Notebooks are left out (nbgrader would take each as part of the assignment), and hidden files.
    """
    for path in sorted(exercise.rglob("*")) if exercise.is_dir() else []:
        inside = path.relative_to(exercise)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if path.is_file() and not path.is_symlink() and path.suffix != ".ipynb" and not hidden:
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / inside)


def _generate(course: Course, stem: str, config: Config, register: bool = True) -> None:
    """Run nbgrader's own generate_assignment; its messages are shown only when it fails."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import SaveCells
    from nbgrader.utils import capture_log

    coursedir = CourseDirectory(config=config, assignment_id=stem)
    converter = GenerateAssignment(coursedir=coursedir, config=config, force=True)
    if not register:
        converter.no_database = True
        converter.preprocessors = [
            step for step in converter.preprocessors if step is not SaveCells
        ]
    result = capture_log(converter)
    if result["success"]:
        return
    log = result.get("log", "") + result.get("error", "")
    if "submissions associated with it" in log:
        raise BuildRefused(stem, *_changed_cells(course, stem))
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reasons = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    raise NbgraderFailed(stem, (reasons or lines[-1:] or ["no message"])[0])


def _changed_cells(course: Course, stem: str) -> tuple[list[str], list[str]]:
    """Return the ids that the new source notebook adds to the gradebook's, and those it removes."""
    from nbgrader.api import Gradebook

    notebook = read_notebook(course.source_notebook(stem))
    new = [cell.metadata.nbgrader.grade_id for cell in notebook.cells]
    with Gradebook(course.db_url) as gradebook:
        old = [cell.name for cell in gradebook.find_notebook(stem, stem).source_cells]
    return [name for name in new if name not in old], [name for name in old if name not in new]


def _released_text(course: Course, stem: str) -> str:
    return _notebook_text(read_notebook(course.release_notebook(stem)))


def _notebook_text(notebook: NotebookNode) -> str:
    """Return a notebook's text, the same on every machine: sorted keys and a newline at the end."""
    import nbformat

    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def _difference(course: Course, path: Path, made: str) -> str:
    """Return a short unified diff of what people read; of the raw files where that is the same."""
    import nbformat

    shown = str(course.shown(path))
    if not path.is_file():
        return f"{shown} is missing"
    try:
        old = _readable(read_notebook(path, course.shown(path)))
    except UnreadableNotebook as error:
        return error.what
    new = _readable(nbformat.reads(made, as_version=4))
    if old == new:
        old, new = path.read_text(encoding="utf-8").splitlines(), made.splitlines()
    lines = list(difflib.unified_diff(old, new, shown, "made from the source", n=2, lineterm=""))
    more = len(lines) - DIFF_LINES
    return "\n".join(lines[:DIFF_LINES] + ([f"... {more} more lines"] if more > 0 else []))


def _readable(notebook: NotebookNode) -> list[str]:
    lines = []
    for cell in notebook.cells:
        mine = cell.metadata.get("nbgrader", {})
        points = f", {mine['points']} points" if "points" in mine else ""
        lines += [f"[{mine.get('grade_id', 'no id')}: {cell.cell_type}{points}]"]
        lines += [*cell.source.splitlines(), ""]
    return lines


def _strays(course: Course) -> list[Checked]:
    """Exercises whose source is gone."""
    stems = course.stems()
    found = sorted(p.parent.name for p in course.exercises.glob("*/*.ipynb"))
    return [
        Checked(name, same=False, difference=f"exercises/{name} has no solutions/{name}.py")
        for name in dict.fromkeys(found)
        if name not in stems
    ]


@click.command("build")
@click.argument("stems", nargs=-1, metavar="[ASSIGNMENT]...")
@click.option("--check", is_flag=True, help="Change nothing; fail if exercises/ is out of date.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def build_command(ctx: click.Context, stems: tuple[str, ...], check: bool, as_json: bool) -> None:
    """Make the released notebooks of ASSIGNMENTs (default: all) from solutions/.

    nbgrader's own generate_assignment does it, and registers them in the gradebook.
    Marks of submissions already graded stay.

    \b
    Example:
        autograder build ch05_bptt
    """
    course = find_course(ctx.obj)
    sources = read_sources(course, stems or course.stems())
    results: list[Built] | list[Checked]
    if check:
        results = [check_assignment(course, source) for source in sources]
        results += [] if stems else _strays(course)
        _print_checked(results, as_json)
        ctx.exit(0 if all(result.same for result in results) else 1)
    results = [build_assignment(course, source) for source in sources]
    if as_json:
        click.echo(json.dumps({"assignments": [asdict(result) for result in results]}, indent=1))
    else:
        click.echo("\n".join(map(str, results)) or "there is no solutions/*.py to build")


def _print_checked(results: list[Checked], as_json: bool) -> None:
    different = [result for result in results if not result.same]
    if as_json:
        click.echo(json.dumps({"assignments": [asdict(result) for result in results]}, indent=1))
    else:
        for result in different:
            click.echo(result.difference)
        if not different:
            click.echo(f"exercises/ is what solutions/ makes ({len(results)} checked)")
    if different:
        names = ", ".join(result.assignment for result in different)
        click.echo(f"autograder build: out of date: {names}. Next: make exercises.", err=True)
