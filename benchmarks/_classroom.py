"""Throw-away courses for measuring and for comparing with stock nbgrader."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from autograder.build import build_assignment, read_sources
from autograder.course import Course
from autograder.demo import STEM, Submission, write_class

REPOSITORY = Path(__file__).resolve().parents[1]
# nbgrader's own settings: where things are, and nothing else.
STOCK_CONFIG = """\
from pathlib import Path
c = get_config()
c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.CourseDirectory.course_id = "stock"
c.CourseDirectory.db_url = f"sqlite:///{Path(__file__).resolve().parent}/classroom/gradebook.db"
c.CourseDirectory.source_directory = "classroom/source"
c.CourseDirectory.release_directory = "classroom/release"
c.CourseDirectory.submitted_directory = "classroom/submitted"
c.CourseDirectory.autograded_directory = "classroom/autograded"
c.CourseDirectory.feedback_directory = "classroom/feedback"
"""


def make_course(root: Path, students: list[str]) -> Course:
    """Return a new course with ch05 built and handed in, complete, by each student."""
    (root / "solutions").mkdir(parents=True)
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    shutil.copy(REPOSITORY / "solutions" / f"{STEM}.py", root / "solutions")
    course = Course(root)
    for source in read_sources(course, [STEM]):
        build_assignment(course, source)
    write_class(course, tuple(Submission(student, "complete", 90) for student in students))
    return course


def make_stock_course(root: Path, course: Course) -> Course:
    """Return a copy of a course, before grading, that stock nbgrader grades."""
    ignore = shutil.ignore_patterns("autograded", "cache", "feedback", "exchange")
    shutil.copytree(course.root, root, ignore=ignore)
    (root / "nbgrader_config.py").write_text(STOCK_CONFIG)
    return Course(root)


def run_stock(course: Course, student: str) -> str:
    """Grade one student's submission with stock nbgrader; return what it printed."""
    command = [sys.executable, "-m", "nbgrader", "autograde", STEM, "--student", student, "--force"]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"stock nbgrader failed: {done.stderr[-2000:]}")
    return done.stdout + done.stderr
