"""`autograder grade`: examine a class in parallel, then record each submission through nbgrader."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograder.course import Course, find_course, require_disk
from autograder.errors import AutograderError
from autograder.show import show_table, with_progress

if TYPE_CHECKING:
    from autograder.pool import Job
    from autograder.record import Recorder, Row
    from autograder.results import Result


DISK = 50 * 2**20  # bytes free before grading starts: a submission's results take about 0.3 MB


class NoSubmissionsError(AutograderError):
    """Nobody handed the assignment in."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return (
            "collect it with `nbgrader collect`, or put each student's notebook into "
            "classroom/submitted/STUDENT/ASSIGNMENT/"
        )


def submissions(course: Course, stem: str, students: tuple[str, ...]) -> list[str]:
    """Return the students who handed the assignment in.

    Raises:
        NoSubmissionsError: nobody did, or one of ``students`` did not.
    """
    found = sorted(
        path.parent.name
        for path in (course.classroom / "submitted").glob(f"*/{stem}")
        if path.is_dir() and not path.is_symlink() and not path.parent.is_symlink()
    )
    for student in students:
        if student not in found:
            raise NoSubmissionsError(f"{student} has not handed in {stem}")
    if not found:
        raise NoSubmissionsError(f"no submission of {stem}")
    return list(students) or found


def grade_class(
    course: Course,
    stem: str,
    students: list[str],
    force: bool = False,
    workers: int = 0,
    scheduler: str = "",
) -> Iterator[Row]:
    """Yield a row for each student as soon as it is recorded.

    Raises:
        BusyError: another grader is at work on this gradebook.
    """
    from autograder.record import only_grader

    with only_grader(course):
        work = Grading(course, stem, force)
        try:
            yield from work.known(students)
            yield from work.unknown(workers, scheduler)
        finally:
            work.close()


class Grading:
    """One run over a class: first what is known already, then what has to be examined."""

    def __init__(self, course: Course, stem: str, force: bool = False) -> None:
        from autograder.assignment import load
        from autograder.limits import limits_for
        from autograder.results import Store

        self.course, self.stem, self.force = course, stem, force
        self.task = load(stem, course.source_notebook(stem), course.release_notebook(stem))
        self.limits = limits_for(course, stem)
        self.store = Store(course.classroom / "cache")
        self.left: list[str] = []
        self._recorder: Recorder | None = None

    def recorder(self) -> Recorder:
        """Return the writer of the gradebook, which is opened when it is first needed."""
        from autograder.record import Recorder

        if self._recorder is None:
            self._recorder = Recorder(self.course, self.stem)
        return self._recorder

    def close(self) -> None:
        """Close the gradebook."""
        if self._recorder is not None:
            self._recorder.close()

    def _job(self, student: str) -> Job:
        from autograder.handin import read_submission
        from autograder.pool import Job
        from autograder.results import key_of

        folder = self.course.folder("submitted", self.stem, student)
        data, note = read_submission(folder, self.task)
        key = key_of(self.task, data, self.limits)
        return Job(student, self.task, data, note, key, self.limits)

    def stands(self, job: Job) -> bool:
        """Return whether the result of just this file, assignment and environment is recorded."""
        from autograder.handin import read_timestamp
        from autograder.record import standing

        note = standing(self.course, self.stem, job.student)
        time = read_timestamp(self.course.folder("submitted", self.stem, job.student), [])
        now = {"key": job.key, "file": job.note, "handed_in": str(time or "")}
        return all(note.get(name) == value for name, value in now.items())

    def changed(self, students: list[str]) -> list[str]:
        """Return those students whose submission is new or stands recorded otherwise."""
        return [student for student in students if not self.stands(self._job(student))]

    def known(self, students: list[str]) -> Iterator[Row]:
        """Yield the rows of students whose result is recorded or stored; remember the others."""
        from autograder.record import Row

        for student in students:
            job = self._job(student)
            if self.force:
                self.left.append(student)
            elif self.stands(job):
                yield self.recorder().row(student, Row(student, status="unchanged"))
            elif (result := self.store.get(job.key)) is not None:
                yield self._recorded(job, result)
            else:
                self.left.append(student)

    def unknown(self, workers: int, scheduler: str) -> Iterator[Row]:
        """Yield the rows of the others as their results come in."""
        from autograder import sandbox
        from autograder.pool import Failure, run
        from autograder.record import Row

        if not self.left:
            return
        sandbox.require()
        for job, result in run(map(self._job, self.left), workers, scheduler):
            if isinstance(result, Failure) or not result.trusted:
                why = result.reason if isinstance(result, Failure) else "the examiner failed"
                yield Row(job.student, status="failed", flags=[f"grader-error: {why}"])
                continue
            self.store.put(result)
            yield self._recorded(job, result)

    def _recorded(self, job: Job, result: Result) -> Row:
        from autograder.record import Row

        row = Row(job.student, seconds=round(result.seconds, 2))
        row = self.recorder().record(job.student, result, row, job.note)
        log_row(self.course, self.stem, row, result)
        return row


def log_path(course: Course, stem: str) -> Path:
    """Return the path of an assignment's log."""
    return course.classroom / "logs" / f"{stem}.jsonl"


def log_row(course: Course, stem: str, row: Row, result: Result) -> None:
    """Append to the log, as one JSON line, what an appeal needs to know."""
    path = log_path(course, stem)
    path.parent.mkdir(parents=True, exist_ok=True)
    evidence = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "assignment": stem,
        **asdict(row),
        "submission": result.submission,
        "key": result.key,
        "verdicts": result.verdicts,
        "computing": result.computing,
        "memory_mib": result.memory_mib,
        "limits": result.limits,
        "versions": result.versions,
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(evidence, ensure_ascii=False) + "\n")


def allow_missing(layers: tuple[str, ...]) -> None:
    """Note the layers of the sandbox that grading may go on without, for every process of ours."""
    from autograder import sandbox

    if layers:
        os.environ[sandbox.WITHOUT] = " ".join([*sandbox.dispensable(), *layers])
        sandbox.dispensable()  # says so when one has no such name


@click.command("grade")
@click.argument("stem", metavar="ASSIGNMENT")
@click.option("--student", "students", multiple=True, help="Only this student; may be repeated.")
@click.option("--changed", is_flag=True, help="Only who is new or changed since it was recorded.")
@click.option("--force", is_flag=True, help="Grade anew, whatever was recorded or remembered.")
@click.option("--jobs", default=0, help="How many processes (default: one a core).")
@click.option("--scheduler", default="", help="Work on the Dask cluster at this tcp:// address.")
@click.option("--dry-run", is_flag=True, help="Only say whose submissions would be graded.")
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
    changed: bool,
    force: bool,
    jobs: int,
    scheduler: str,
    dry_run: bool,
    as_json: bool,
    without: tuple[str, ...],
) -> None:
    """Grade all submissions of an assignment, in parallel and in the sandbox.

    What did not change since it was last graded is left alone: the submitted file and its time,
    the released assignment, the versions and limits. --changed leaves it out of the table, too.
    Marks go into nbgrader's gradebook; written answers wait there for a person.

    \b
    Example:
        autograder grade ch05_bptt --changed
    """
    course = find_course(ctx.obj)
    course.require_built(stem)
    require_disk(course.classroom, DISK)
    chosen = submissions(course, stem, students)
    if changed or (dry_run and not force):
        chosen = Grading(course, stem).changed(chosen)
    if dry_run:
        click.echo(json.dumps(chosen) if as_json else "\n".join(chosen))
        return
    allow_missing(without)
    graded = grade_class(course, stem, chosen, force, jobs, scheduler)
    rows = list(with_progress(graded, len(chosen))) if chosen else []
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2))
    else:
        show_table(rows, stem)
        if not rows:
            click.echo("nothing changed since it was recorded", err=True)
        click.echo(f"log: {course.shown(log_path(course, stem))}", err=True)
    ctx.exit(1 if any(row.status == "failed" for row in rows) else 0)
