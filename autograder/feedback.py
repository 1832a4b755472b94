"""`autograder feedback`: a page for every student, made where nbgrader's own feedback would lie.

A page shows the answers, every verdict with the author's message, and a person's comments. It is
one file that opens from disk and asks for nothing from anywhere. No test is in it: it is made from
the student's own cells and the verdicts, and what the student's code printed is shown as text.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from jinja2 import Environment, PackageLoader, select_autoescape

from autograder.course import Course, find_course, write_atomically
from autograder.marks import Item
from autograder.report import lateness
from autograder.story import StudentStory, gather

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
PICTURES = ("image/png", "image/jpeg")


@dataclass
class Shown:
    """One output of a cell, as text or as a picture that is one."""

    text: str = ""
    picture: str = ""  # a data address


@dataclass
class Part:
    """What a page says about one answer: the student's cell and the tests that belong to it."""

    name: str
    answer: str
    outputs: list[Shown] = field(default_factory=list)
    items: list[tuple[Item, dict[str, Any]]] = field(default_factory=list)

    @property
    def points(self) -> float:
        """Return the points earned so far."""
        return sum(item.points or 0.0 for item, _ in self.items)

    @property
    def out_of(self) -> float:
        """Return the points that there are."""
        return sum(item.out_of for item, _ in self.items)


def parts_of(notebook: dict[str, Any], story: StudentStory) -> Iterator[Part]:
    """Yield the parts of a graded notebook in its order."""
    items = {item.name: item for item in story.mark.items}
    part: Part | None = None
    for cell in notebook.get("cells", []):
        about = cell.get("metadata", {}).get("nbgrader", {})
        name = str(about.get("grade_id", ""))
        if about.get("solution"):
            if part:
                yield part
            answer = "".join(cell.get("source", ""))
            part = Part(name, answer, list(_outputs(cell)))
        if about.get("grade") and name in items:
            part = part or Part(name, "")
            part.items.append((items[name], story.verdicts.get(name, {})))
    if part:
        yield part


def _outputs(cell: dict[str, Any]) -> Iterator[Shown]:
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        picture = next((kind for kind in PICTURES if kind in data), None)
        if picture and (coded := _checked("".join(data[picture]))):
            yield Shown(picture=f"data:{picture};base64,{coded}")
            continue
        text = output.get("text") or data.get("text/plain") or output.get("traceback") or ""
        plain = ANSI.sub("", "\n".join(text) if "traceback" in output else "".join(text))
        if plain.strip():
            yield Shown(text=plain)


def _checked(coded: str) -> str:
    """Return base64 as we write it ourselves, or "" when it is none."""
    try:
        return base64.b64encode(base64.b64decode(coded, validate=False)).decode()
    except (binascii.Error, ValueError):
        return ""


def write_feedback(course: Course, stem: str, students: tuple[str, ...] = ()) -> list[Path]:
    """Write a page for every graded student (or those named) and return their paths."""
    environment = Environment(
        loader=PackageLoader("autograder", "templates"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("feedback.html")
    written = []
    for story in gather(course, stem).students:
        if students and story.mark.student not in students:
            continue
        graded = course.folder("autograded", stem, story.mark.student) / f"{stem}.ipynb"
        try:
            notebook = json.loads(graded.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        parts = list(parts_of(notebook, story))
        page = template.render(stem=stem, story=story, mark=story.mark, parts=parts, late=lateness)
        path = course.folder("feedback", stem, story.mark.student) / f"{stem}.html"
        write_atomically(path, page)
        written.append(path)
    return written


@click.command("feedback")
@click.argument("stem", metavar="ASSIGNMENT")
@click.option("--student", "students", multiple=True, help="Only this student; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the pages' paths as JSON.")
@click.pass_context
def feedback_command(
    ctx: click.Context, stem: str, students: tuple[str, ...], as_json: bool
) -> None:
    """Write every student's feedback page, ready for `nbgrader release_feedback`.

    \b
    Example:
        autograder feedback ch05_bptt
    """
    from autograder.late import refresh

    course = find_course(ctx.obj)
    course.require_built(stem)
    refresh(course, stem)
    paths = write_feedback(course, stem, students)
    if as_json:
        click.echo(json.dumps([str(path) for path in paths]))
    else:
        click.echo(f"{len(paths)} pages in {course.shown(course.classroom / 'feedback')}")
