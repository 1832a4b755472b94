"""`autograder report`: one page about an assignment, for the person who teaches it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click
from jinja2 import Environment, PackageLoader, select_autoescape

from autograder.course import Course, find_course, write_atomically


@dataclass
class ItemStory:
    """How a class did on one test: how many passed, and what went wrong most often."""

    grade_id: str
    points: float
    passed: int = 0
    graded: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Return the share that passed, from 0 to 1."""
        return self.passed / self.graded if self.graded else 0.0


@dataclass
class StudentStory:
    """One student's marks and what was irregular about the submission."""

    student: str
    score: float
    out_of: float
    to_review: int
    flags: list[str]


def gather(course: Course, stem: str) -> tuple[list[ItemStory], list[StudentStory]]:
    """Return the stories of an assignment's tests and students, from gradebook and notebooks."""
    from nbgrader.api import Gradebook

    items: dict[str, ItemStory] = {}
    students: list[StudentStory] = []
    with Gradebook(course.db_url) as gradebook:
        for submission in gradebook.assignment_submissions(stem):
            student = submission.student.id
            path = course.folder("autograded", stem, student) / f"{stem}.ipynb"
            if not path.is_file():
                continue
            note = _read_note(path, items)
            students.append(
                StudentStory(
                    student,
                    submission.score,
                    submission.max_score,
                    sum(g.needs_manual_grade for n in submission.notebooks for g in n.grades),
                    list(note.get("flags", [])),
                )
            )
    return list(items.values()), sorted(students, key=lambda s: s.student)


def _read_note(path: Path, items: dict[str, ItemStory]) -> dict:
    """Count a graded notebook's verdicts into ``items`` and return the grader's note in it."""
    import json

    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        mark = cell["metadata"].get("nbgrader", {})
        if not mark.get("grade") or mark.get("solution"):
            continue
        story = items.setdefault(
            mark["grade_id"], ItemStory(mark["grade_id"], float(mark["points"]))
        )
        story.graded += 1
        errors = [o for o in cell["outputs"] if o["output_type"] == "error"]
        if errors:
            message = errors[0]["evalue"].splitlines()
            story.reasons[message[0] if message else errors[0]["ename"]] += 1
        else:
            story.passed += 1
    return notebook["metadata"].get("autograder", {})


def histogram(students: list[StudentStory], bins: int = 10) -> list[int]:
    """Return how many students reached each tenth of the points."""
    counts = [0] * bins
    for student in students:
        share = student.score / student.out_of if student.out_of else 0.0
        counts[min(bins - 1, int(share * bins))] += 1
    return counts


def write_report(course: Course, stem: str) -> Path:
    """Write the report page of an assignment and return its path."""
    items, students = gather(course, stem)
    environment = Environment(
        loader=PackageLoader("autograder", "templates"), autoescape=select_autoescape(default=True)
    )
    counts = histogram(students)
    page = environment.get_template("report.html").render(
        stem=stem, items=items, students=students, counts=counts, most=max([*counts, 1])
    )
    path = course.classroom / "reports" / f"{stem}.html"
    write_atomically(path, page)
    return path


@click.command("report")
@click.argument("stem", metavar="ASSIGNMENT")
@click.pass_context
def report_command(ctx: click.Context, stem: str) -> None:
    """Write a page about an assignment: marks, hard items, common errors, flags.

    \b
    Example:
        autograder report ch05_bptt
    """
    course = find_course(ctx.obj)
    course.require_built(stem)
    click.echo(course.shown(write_report(course, stem)))
