"""`autograder report`: one page about an assignment, for the person who teaches it."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from jinja2 import Environment, PackageLoader, select_autoescape

from autograder.course import Course, find_course, write_atomically
from autograder.story import ClassStory, StudentStory, gather

BINS = 10


def histogram(shares: Sequence[float], bins: int = BINS) -> list[int]:
    """Return how many of some shares (0 to 1) lie in each of ``bins`` equal parts."""
    counts = Counter(min(bins - 1, int(share * bins + 1e-9)) for share in shares)
    return [counts[i] for i in range(bins)]


def hide_names(story: ClassStory) -> None:
    """Call the students by numbers that stay the same from report to report and say nothing."""

    def disguise(student: StudentStory) -> str:
        return hashlib.sha256(f"{story.stem} {student.mark.student}".encode()).hexdigest()

    for number, student in enumerate(sorted(story.students, key=disguise), start=1):
        student.shown = f"no. {number}"


def summary(story: ClassStory) -> dict[str, Any]:
    """Return the numbers at the head of the page."""
    shares = [student.share for student in story.students]
    return {
        "assignment": story.stem,
        "submissions": len(story.students),
        "missing": story.missing,
        "median": round(100 * statistics.median(shares), 1) if shares else None,
        "to_review": sum(s.mark.status == "to review" for s in story.students),
        "flagged": sum(bool(s.flags) for s in story.students),
        "late": sum(s.mark.late_seconds > 0 for s in story.students),
        "compute_seconds": round(sum(s.seconds for s in story.students), 1),
    }


def lateness(seconds: float) -> str:
    """Return how late something was, in words."""
    if seconds <= 0:
        return ""
    days, hours = divmod(round(seconds / 3600, 1), 24)
    return f"{days:.0f} d {hours:.0f} h" if days else f"{hours:g} h"


def write_report(course: Course, stem: str, names: bool = False) -> Path:
    """Write the report page of an assignment and return its path."""
    story = gather(course, stem)
    if not names:
        hide_names(story)
    environment = Environment(
        loader=PackageLoader("autograder", "templates"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    counts = histogram([student.share for student in story.students])
    page = environment.get_template("report.html").render(
        story=story,
        numbers=summary(story),
        counts=counts,
        most=max([*counts, 1]),
        lateness=lateness,
        median=statistics.median,
    )
    path = course.classroom / "reports" / f"{stem}.html"
    write_atomically(path, page, mode=0o600)
    return path


@click.command("report")
@click.argument("stem", metavar="ASSIGNMENT")
@click.option("--names", is_flag=True, help="Name the students; without it they are numbered.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@click.pass_context
def report_command(ctx: click.Context, stem: str, names: bool, as_json: bool) -> None:
    """Write a page about an assignment: marks, hard items, common errors, flags, late work.

    The page is one file that opens from disk and asks for nothing from anywhere.

    \b
    Example:
        autograder report ch05_bptt
    """
    course = find_course(ctx.obj)
    course.require_built(stem)
    path = write_report(course, stem, names)
    if as_json:
        click.echo(json.dumps(summary(gather(course, stem)) | {"file": str(path)}))
    else:
        click.echo(course.shown(path))
