"""The one writer: puts results into nbgrader's gradebook, a submission at a time.

A submission's marks are one transaction, and the graded notebook is written after it. Its note
says which result stands recorded, so a run that was cut off goes on where it stopped. Marks and
comments that a person gave are never touched.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry, SubmittedNotebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import compute_checksum, determine_grade

from autograder.course import Course, write_atomically
from autograder.errors import AutograderError
from autograder.handin import read_timestamp
from autograder.results import NOTE, Result, as_notebook, note_on


class BusyError(AutograderError):
    """Another grader is at work on the same gradebook."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "wait until it is done, or stop it; what it has recorded stays recorded"


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


@contextmanager
def only_grader(course: Course) -> Iterator[None]:
    """Keep other graders off a course's gradebook while this one works.

    Raises:
        BusyError: another one is at work.
    """
    course.classroom.mkdir(parents=True, exist_ok=True)
    with open(course.classroom / ".grading", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            who = file.read(40) or "another process"
            raise BusyError(f"{course.gradebook} is being graded by {who}") from None
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        yield


def graded_path(course: Course, stem: str, student: str) -> Path:
    """Return where a student's graded notebook lies."""
    return course.folder("autograded", stem, student) / f"{stem}.ipynb"


def standing(course: Course, stem: str, student: str) -> dict[str, Any]:
    """Return the grader's note on the result that stands recorded; {} when there is none."""
    try:
        notebook = json.loads(graded_path(course, stem, student).read_text(encoding="utf-8"))
        return dict(notebook["metadata"][NOTE])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


class Recorder:
    """Writes one assignment's results into the gradebook."""

    def __init__(self, course: Course, stem: str) -> None:
        config = course.config()
        config.Application.log_level = "ERROR"
        self.course, self.stem = course, stem
        self.late = AssignLatePenalties(parent=None, config=config)
        self.late.assignment_id, self.late.course = stem, course  # what a late policy asks for
        self.late.init_plugin()
        self.gradebook = Gradebook(course.db_url, CourseDirectory(config=config).course_id)

    def close(self) -> None:
        """Close the gradebook."""
        self.gradebook.close()

    def record(self, student: str, result: Result, row: Row, note: str = "") -> Row:
        """Record a student's result and return the row with the marks."""
        submitted = self.course.folder("submitted", self.stem, student)
        timestamp = read_timestamp(submitted, [])
        notebook = as_notebook(result)
        book = self.gradebook
        book.update_or_create_student(student)
        submission = book.update_or_create_submission(self.stem, student, timestamp=timestamp)
        for graded in submission.notebooks:
            if graded.name == self.stem:
                self._enter(graded, notebook, student, submission.total_seconds_late)
        book.db.commit()
        notebook.metadata[NOTE] = note_on(result, note, submitted)
        row.flags = notebook.metadata[NOTE]["flags"]
        graded_notebook = graded_path(self.course, self.stem, student)
        write_atomically(graded_notebook, nbformat.writes(notebook) + "\n")
        return self.row(student, row)

    def _enter(self, graded: SubmittedNotebook, notebook: Any, student: str, late: float) -> None:
        """Enter the marks of one notebook, as nbgrader's own steps would."""
        cells = {
            c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata
        }
        for grade in graded.grades:
            grade.auto_score, _ = determine_grade(cells[grade.name])
            by_hand = grade.manual_score is not None or grade.auto_score is None
            grade.needs_manual_grade = by_hand
        for comment in graded.comments:
            cell = cells[comment.name]
            blank = cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
            comment.auto_comment = "No response." if blank else None
        graded.late_submission_penalty = None
        if late > 0:
            self.gradebook.db.flush()
            penalty = self.late.plugin_inst.late_submission_penalty(student, graded.score, late)
            if penalty is not None:
                penalty = self.late._check_late_penalty(graded, penalty)
                graded.late_submission_penalty = penalty

    def row(self, student: str, row: Row) -> Row:
        """Return the row completed with what the gradebook says."""
        try:
            submission = self.gradebook.find_submission(self.stem, student)
        except MissingEntry:
            return row
        row.score, row.out_of = submission.score, submission.max_score
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        row.to_review = sum(grade.needs_manual_grade for grade in grades)
        row.flags = row.flags or list(standing(self.course, self.stem, student).get("flags", []))
        self.gradebook.db.expunge_all()  # a class of thousands stays on disk
        return row
