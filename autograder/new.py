"""`autograder new`: a small exercise, its known answers and its chapter, to be rewritten."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from autograder.bank import FOLDER
from autograder.course import Course, find_course, write_atomically
from autograder.errors import AutograderError

NAME = re.compile(r"ch(?P<number>\d\d)_(?P<topic>[a-z0-9]+(_[a-z0-9]+)*)")


class BadName(AutograderError):  # noqa: N818 (its name says what is wrong)
    """The name of a new exercise does not say its chapter's number and topic."""

    @property
    def what(self) -> str:
        """One line: what failed, and where."""
        return f"{self.args[0]}: not a name for a chapter and its exercise"

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "call it chNN_topic, in small letters: ch16_state_space"


class AlreadyThere(AutograderError):  # noqa: N818 (its name says what is wrong)
    """A file that would be written exists."""

    @property
    def what(self) -> str:
        """One line: what failed, and where."""
        return f"{self.args[0]}: exists already, and nothing was written"

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "choose another name, or move that file away"


def files(course: Course, stem: str) -> dict[str, Path]:
    """Return where the three files of an exercise lie, by the name of their template."""
    return {
        "new_solution.py.j2": course.solution_file(stem),
        "new_bank.py.j2": course.root / FOLDER / f"{stem}.py",
        "new_chapter.md.j2": course.root / "book" / f"{stem}.md",
    }


def write_new(course: Course, stem: str, title: str) -> list[Path]:
    """Write the three files of a new exercise and return their paths.

    Raises:
        BadName, AlreadyThere: nothing was written.
    """
    from jinja2 import Environment, PackageLoader

    name = NAME.fullmatch(stem)
    if not name:
        raise BadName(stem)
    places = files(course, stem)
    for path in (*places.values(), course.exercises / stem):
        if path.exists():
            raise AlreadyThere(str(course.shown(path)))
    words = {
        "stem": stem,
        "number": int(name["number"]),
        "slug": name["topic"].replace("_", "-"),
        "title": title,
    }
    templates = Environment(  # these are Python and Markdown, not HTML
        loader=PackageLoader("autograder", "templates"), keep_trailing_newline=True
    )
    for template, path in places.items():
        write_atomically(path, templates.get_template(template).render(words))
    return list(places.values())


def title_of(stem: str) -> str:
    """Return the title that a name suggests: "State space" for ch16_state_space."""
    return stem.partition("_")[2].replace("_", " ").capitalize()


def next_steps(stem: str, title: str) -> str:
    """Return what the person does now, each step with its place."""
    title = f"{int(stem[2:4])} {title}"
    notebook = f"exercises/{stem}/{stem}.ipynb"
    return f"""
Next:
  autograder lint {stem} --bank   # nothing to find yet; again after every change
  autograder build {stem}
  in book/_toc.yml:   - file: {stem}
  in README.md:       | [{title}](book/{stem}.md) | what they will build | [{stem}]({notebook}) |
book/authoring.md says how to go on from here."""


@click.command("new")
@click.argument("stem", metavar="NAME")
@click.option("--title", default="", help="The chapter's title (default: made from NAME).")
@click.option("--json", "as_json", is_flag=True, help="Print the files as JSON.")
@click.pass_context
def new_command(ctx: click.Context, stem: str, title: str, as_json: bool) -> None:
    """Write a small exercise that works, its known answers and its chapter, to be rewritten.

    NAME is chNN_topic, the stem of all three files. Nothing that exists is overwritten.

    \b
    Example:
        autograder new ch16_state_space --title "State space models"
    """
    course = find_course(ctx.obj)
    title = title.strip() or title_of(stem)
    paths = [str(course.shown(path)) for path in write_new(course, stem, title)]
    if as_json:
        click.echo(json.dumps({"assignment": stem, "files": paths}))
    else:
        click.echo("\n".join(paths))
        click.echo(next_steps(stem, title), err=True)
