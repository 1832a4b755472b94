"""`autograder explain`: one student's assignment, item by item, ready for office hours."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

import click

from autograder.course import Course, find_course
from autograder.errors import AutograderError
from autograder.report import lateness
from autograder.story import StudentStory, gather

MARKS = {"passed": "✓", "timeout": "⏱", "grader-error": "?"}
SHOWN_LINES = 12  # of a message or a traceback


class NobodyThere(AutograderError):  # noqa: N818 (its name says what is wrong)
    """There is no graded submission of that student."""

    def __init__(self, student: str, stem: str, known: Sequence[str]) -> None:
        super().__init__(student, stem, tuple(known))

    @property
    def what(self) -> str:
        """One line: what failed, and where."""
        return f"{self.args[0]}: has nothing graded for {self.args[1]}"

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        student, stem, known = self.args
        close = difflib.get_close_matches(student, known, n=3, cutoff=0.5)
        return f"perhaps it is {' or '.join(close)}" if close else f"run: autograder grade {stem}"


def story_of(course: Course, student: str, stem: str) -> StudentStory:
    """Return what is known about one student's submission. Raises NobodyThere."""
    students = {s.mark.student: s for s in gather(course, stem).students}
    if student not in students:
        raise NobodyThere(student, stem, sorted(students))
    return students[student]


def as_data(story: StudentStory) -> dict[str, Any]:
    """Return a story as plain data, an entry for every item."""
    mark = story.mark
    items = [
        {
            "item": item.name,
            "points": item.points,
            "out_of": item.out_of,
            "by_hand": item.by_hand,
            "to_review": item.to_review,
            "comment": item.comment,
            **story.verdicts.get(item.name, {}),
        }
        for item in _in_order(story)
    ]
    return {
        "student": mark.student,
        "name": mark.name,
        "points": mark.points,
        "penalty": mark.penalty,
        "score": mark.score,
        "out_of": mark.out_of,
        "handed_in": str(mark.handed_in or ""),
        "late_seconds": mark.late_seconds,
        "status": mark.status,
        "flags": story.flags,
        "gradings": story.gradings,
        "submission": story.submission,
        "versions": story.versions,
        "items": items,
    }


def _in_order(story: StudentStory) -> list:
    """Return the items in the order of the notebook: as tested, then the written ones."""
    order = {name: number for number, name in enumerate(story.verdicts)}
    return sorted(story.mark.items, key=lambda item: (order.get(item.name, len(order)), item.name))


def as_text(story: StudentStory, stem: str) -> str:
    """Return a story to be read aloud: the marks, what was irregular, and every item."""
    mark = story.mark
    lines = [f"{mark.name} ({mark.student}), {stem}: {mark.points:g} of {mark.out_of:g} points"]
    if mark.penalty:
        lines.append(f"  less {mark.penalty:g} for being late makes {mark.score:g}")
    if mark.handed_in:
        late = f", {lateness(mark.late_seconds)} late" if mark.late_seconds else ""
        lines.append(f"  handed in {mark.handed_in:%Y-%m-%d %H:%M} UTC{late}")
    lines += [f"  flag: {flag}" for flag in story.flags]
    if story.gradings > 1:
        lines.append(f"  graded {story.gradings} times; all of them stand in the log")
    for item in _in_order(story):
        lines += ["", *_item_lines(item, story.verdicts.get(item.name, {}))]
    if story.submission:
        lines += ["", f"submitted file: sha256 {story.submission}"]
        lines.append("graded with: " + ", ".join(f"{k} {v}" for k, v in story.versions.items()))
    lines.append(f"to read again: the chapter of the same name, book/{stem}.md")
    return "\n".join(lines)


def _item_lines(item: Any, verdict: dict[str, Any]) -> list[str]:
    status = str(verdict.get("status", "to be marked" if item.to_review else ""))
    sign = MARKS.get(status, "✗" if verdict else "·")
    got = "–" if item.points is None else f"{item.points:g}"
    head = f"{sign} {item.name}: {got} of {item.out_of:g}"
    about = [status] if status not in ("passed", "") else []
    about += ["points given by a person"] if item.by_hand else []
    about += [f"{verdict['seconds']:.2f} s"] if verdict.get("seconds") else []
    lines = [f"{head}  ({', '.join(about)})" if about else head]
    if verdict.get("hidden"):
        lines.append("    a hidden test said no; the student sees this message and not the test")
    for key in ("message", "student_traceback", "printed"):
        text = str(verdict.get(key) or "").strip().splitlines()
        lines += [f"    {key.replace('student_', '')}:"] if text and key != "message" else []
        lines += [f"    {line}" for line in text[:SHOWN_LINES]]
        lines += [f"    … {len(text) - SHOWN_LINES} more lines"] if len(text) > SHOWN_LINES else []
    return [*lines, *([f"    comment: {item.comment}"] if item.comment else [])]


@click.command("explain")
@click.argument("student")
@click.argument("stem", metavar="ASSIGNMENT")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known as JSON.")
@click.pass_context
def explain_command(ctx: click.Context, student: str, stem: str, as_json: bool) -> None:
    """Tell one student's story of an assignment, item by item.

    \b
    Example:
        autograder explain ada ch05_bptt
    """
    course = find_course(ctx.obj)
    course.require_built(stem)
    story = story_of(course, student, stem)
    click.echo(json.dumps(as_data(story)) if as_json else as_text(story, stem))
