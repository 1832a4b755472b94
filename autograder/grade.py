"""`autograder grade`: examine a class in parallel, then record each submission through nbgrader."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from autograder.course import Course, find_course
from autograder.errors import AutograderError


class NoSubmissionsError(AutograderError):
    """Nobody handed the assignment in."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return (
            "collect it with `nbgrader collect`, or put each student's notebook into "
            "classroom/submitted/STUDENT/ASSIGNMENT/"
        )


@dataclass
class Row:
    """One line of the table at the end: a student, the marks, and what was irregular."""

    student: str
    status: str = "graded"  # graded, unchanged, or failed (by us: nothing was recorded)
    score: float | None = None
    out_of: float | None = None
    to_review: int = 0  # written answers that wait for a person
    flags: list[str] = field(default_factory=list)
    seconds: float = 0.0


def submissions(course: Course, stem: str, students: tuple[str, ...]) -> list[str]:
    """Return the students who handed the assignment in.

    Raises:
        NoSubmissionsError: nobody did, or one of ``students`` did not.
    """
    found = sorted(
        path.parent.name
        for path in (course.classroom / "submitted").glob(f"*/{stem}")
        if path.is_dir() and not path.is_symlink()
    )
    for student in students:
        if student not in found:
            raise NoSubmissionsError(f"{student} has not handed in {stem}")
    if not found:
        raise NoSubmissionsError(f"no submission of {stem}")
    return list(students) or found


def grade_class(
    course: Course, stem: str, students: list[str], force: bool = False, workers: int = 0
) -> Iterator[Row]:
    """Yield a row for each student as soon as it is recorded."""
    from autograder import preprocessors, sandbox
    from autograder.assignment import load
    from autograder.limits import limits_for
    from autograder.pool import Failure, Job, run
    from autograder.results import key_of

    task = load(stem, course.source_notebook(stem), course.release_notebook(stem))
    limits = limits_for(course, stem)
    store = preprocessors.store()
    recorder = Recorder(course, stem)
    jobs = []
    for student in students:
        data, note = preprocessors.read_submission(course.folder("submitted", stem, student), stem)
        key = key_of(task, data)
        if not force and recorder.recorded_key(student) == key:
            yield recorder.row(student, Row(student, status="unchanged"))
        elif not force and store.get(key) is not None:
            yield recorder.record(student, Row(student))
        else:
            jobs.append(Job(student, task, data, note, key, limits))
    if jobs:
        sandbox.require()
    for job, result in run(jobs, workers):
        row = Row(job.student)
        if isinstance(result, Failure) or not result.trusted:
            reason = result.reason if isinstance(result, Failure) else "the examiner failed"
            row.status, row.flags = "failed", [f"grader-error: {reason}"]
            yield row
            continue
        store.put(result)
        row.flags, row.seconds = list(result.flags), round(result.seconds, 2)
        yield recorder.record(job.student, row)


class Recorder:
    """The one writer: records results in nbgrader's gradebook, a submission at a time."""

    def __init__(self, course: Course, stem: str) -> None:
        from nbgrader.apps.api import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory

        config = course.config()
        config.Application.log_level = "ERROR"
        self.course, self.stem = course, stem
        self.api = NbGraderAPI(CourseDirectory(config=config), config=config)

    def recorded_key(self, student: str) -> str:
        """Return the key of the result that stands recorded for a student, or ''."""
        path = self.course.folder("autograded", self.stem, student) / f"{self.stem}.ipynb"
        try:
            return json.loads(path.read_text(encoding="utf-8"))["metadata"]["autograder"]["key"]
        except (OSError, ValueError, KeyError):
            return ""

    def record(self, student: str, row: Row) -> Row:
        """Have nbgrader record a student's result and return the row with the marks."""
        answer = self.api.autograde(self.stem, student, force=True, create=True)
        if not answer["success"]:
            reason = str(answer.get("error") or answer.get("log") or "").strip().splitlines()
            row.status = "failed"
            row.flags.append(f"grader-error: {reason[-1] if reason else 'nbgrader refused'}")
            return row
        return self.row(student, row)

    def row(self, student: str, row: Row) -> Row:
        """Return the row completed with what the gradebook says."""
        from nbgrader.api import Gradebook, MissingEntry

        with Gradebook(self.course.db_url) as gradebook:
            try:
                submission = gradebook.find_submission(self.stem, student)
            except MissingEntry:
                return row
            row.score, row.out_of = submission.score, submission.max_score
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            row.to_review = sum(grade.needs_manual_grade for grade in grades)
        if not row.flags:
            path = self.course.folder("autograded", self.stem, student) / f"{self.stem}.ipynb"
            note = json.loads(path.read_text(encoding="utf-8"))["metadata"]["autograder"]
            row.flags = list(note.get("flags", []))
        return row


def log_rows(course: Course, stem: str, rows: list[Row]) -> Path:
    """Append the rows to the assignment's log, a JSON line each, and return its path."""
    path = course.classroom / "logs" / f"{stem}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    with path.open("a", encoding="utf-8") as file:
        for row in rows:
            evidence = _evidence(course, stem, row.student)
            line = {"time": stamp, "assignment": stem, **asdict(row), **evidence}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path


def _evidence(course: Course, stem: str, student: str) -> dict[str, Any]:
    """Return what an appeal needs: the verdicts, versions and hashes behind a row."""
    from autograder import preprocessors

    autograded = course.folder("autograded", stem, student) / f"{stem}.ipynb"
    data, _ = preprocessors.read_submission(course.folder("submitted", stem, student), stem)
    evidence: dict[str, Any] = {"submission": hashlib.sha256(data).hexdigest()}
    try:
        note = json.loads(autograded.read_text(encoding="utf-8"))["metadata"]["autograder"]
    except (OSError, ValueError, KeyError):
        return evidence
    result = preprocessors.store().get(note["key"])
    if result is not None:
        evidence |= {"verdicts": result.verdicts, "versions": result.versions}
    return evidence


def show_table(rows: list[Row], stem: str) -> None:
    """Print the table of a class on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{stem}: {len(rows)} submissions", title_justify="left")
    for name in ("student", "score", "status", "to review", "seconds", "flags"):
        table.add_column(name, justify="right" if name in ("score", "seconds") else "left")
    for row in sorted(rows, key=lambda r: r.student):
        score = "" if row.score is None else f"{row.score:g} / {row.out_of:g}"
        review = str(row.to_review) if row.to_review else ""
        seconds = f"{row.seconds:.1f}" if row.seconds else ""
        table.add_row(row.student, score, row.status, review, seconds, "\n".join(row.flags))
    Console(width=None, soft_wrap=False).print(table)


def allow_missing(layers: tuple[str, ...]) -> None:
    """Note the layers of the sandbox that grading may go on without, for every process of ours."""
    from autograder import sandbox

    if layers:
        os.environ[sandbox.WITHOUT] = " ".join([*sandbox.dispensable(), *layers])
        sandbox.dispensable()  # says so when one has no such name


@click.command("grade")
@click.argument("stem", metavar="ASSIGNMENT")
@click.option("--student", "students", multiple=True, help="Only this student; may be repeated.")
@click.option("--force", is_flag=True, help="Grade again also what did not change.")
@click.option("--jobs", default=0, help="How many processes (default: one a core).")
@click.option("--dry-run", is_flag=True, help="Only say which submissions would be graded.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@click.option(
    "--without-sandbox-layer",
    "without",
    multiple=True,
    metavar="NAME",
    help="Go on although this layer of the sandbox is missing; may be repeated.",
)
@click.pass_context
def grade_command(
    ctx: click.Context,
    stem: str,
    students: tuple[str, ...],
    force: bool,
    jobs: int,
    dry_run: bool,
    as_json: bool,
    without: tuple[str, ...],
) -> None:
    """Grade all submissions of an assignment, in parallel and in the sandbox.

    What did not change since it was last graded is left alone. Marks go into nbgrader's
    gradebook; written answers wait there for a person.

    \b
    Example:
        autograder grade ch05_bptt
    """
    course = find_course(ctx.obj)
    course.require_built(stem)
    chosen = submissions(course, stem, students)
    if dry_run:
        click.echo(json.dumps(chosen) if as_json else "\n".join(chosen))
        return
    allow_missing(without)
    rows = list(with_progress(grade_class(course, stem, chosen, force, jobs), len(chosen)))
    path = log_rows(course, stem, rows)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2))
    else:
        show_table(rows, stem)
        click.echo(f"log: {course.shown(path)}", err=True)
    ctx.exit(1 if any(row.status == "failed" for row in rows) else 0)


def with_progress(rows: Iterator[Row], total: int) -> Iterator[Row]:
    """Yield the rows while a bar on stderr shows rate and time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        for row in rows:
            progress.advance(task)
            yield row
