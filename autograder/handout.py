"""What leaves the gradebook: marks as a table, and each student's feedback page."""

from __future__ import annotations

from pathlib import Path

from autograder.course import Course, write_atomically
from autograder.errors import AutograderError


class HandoutError(AutograderError):
    """nbgrader could not make the feedback or the export."""


def write_marks(course: Course, stem: str) -> Path:
    """Write an assignment's marks as `autograder export` does and return the file's path."""
    from autograder.export import as_csv
    from autograder.marks import read_marks

    path = course.classroom / "marks" / f"{stem}.csv"
    write_atomically(path, as_csv({stem: read_marks(course, stem)}), mode=0o600)
    return path


def write_feedback(course: Course, stem: str) -> Path:
    """Write every student's feedback page with nbgrader and return their common folder."""
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    config = course.config()
    config.Application.log_level = "ERROR"
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    answer = api.generate_feedback(stem, force=True)
    if not answer["success"]:
        raise HandoutError(str(answer.get("error") or answer.get("log"))[-300:])
    return course.classroom / "feedback"
