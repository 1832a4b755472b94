"""`autograder publish`: the course as students and readers may see it, in a folder of its own.

Only what is named here is copied. Lines of shared files that only instructors need stand between
``[instructors`` and ``instructors]`` and are left out. Before anything is written, every text is
searched for hidden tests, mark schemes and answers.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click

from autograder.course import Course, find_course, write_atomically
from autograder.errors import AutograderError
from autograder.markers import read_source
from autograder.source import HIDDEN, SCHEME, SOLUTION

FOLDERS = ("book", "exercises", "unrolled")
FILES = (
    ".gitignore",
    "LICENSE",
    "LICENSE-text",
    "Makefile",
    "_config.yml",
    "constraints.txt",
    "pyproject.toml",
    "references.bib",
    "requirements-optional.txt",
    "requirements.txt",
)
MANIFEST = ".published"  # the files that were written, so that the next time can remove them
ONE_LINE = re.compile(r".*# \[instructors\]\s*")
BEGIN, END = re.compile(r"\s*# \[instructors\s*"), re.compile(r"\s*# instructors\]\s*")
SECTIONS = ("Reading", "Doing the exercises")  # of README.md, which the published one repeats
SHORTEST = 60  # characters of two lines that do not stand elsewhere by chance


class NotOurFolder(AutograderError):  # noqa: N818 (its name says what is wrong)
    """The target holds something that was not published from here."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "name an empty folder, or one that was published to before"


class SecretFound(AutograderError):  # noqa: N818
    """A file to be published contains something that students must not see."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "take it out of that file (or build the exercise again); nothing was published"


def for_students(text: str) -> str:
    """Return a shared file's text without the lines that only instructors need."""
    kept, hidden = [], False
    for line in text.splitlines(keepends=True):
        if BEGIN.fullmatch(line.rstrip("\n")):
            hidden = True
        elif END.fullmatch(line.rstrip("\n")):
            hidden = False
        elif not hidden and not ONE_LINE.fullmatch(line):
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "".join(kept))


def readme(text: str) -> str:
    """Return the README of the published course, made from the course's own."""
    template = Path(__file__).parent / "templates" / "published_readme.md"
    table = re.search(r"\|[^\n]*\n\|-.*?<!-- /chapters -->", text, re.S)
    parts = [re.search(rf"^## {name}\n.*?(?=^## |\Z)", text, re.S | re.M) for name in SECTIONS]
    sections = "".join(found.group() for found in parts if found)
    page = template.read_text(encoding="utf-8")
    return page.format(table=table.group() if table else "", sections=sections.rstrip())


def published(course: Course) -> dict[str, bytes]:
    """Return every file of the published course by its path, as bytes."""
    found = {path: (course.root / path).read_bytes() for path in sorted(_wanted(course))}
    for name in (*FILES, "README.md"):
        path = course.root / name
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            found[name] = (readme(text) if name == "README.md" else for_students(text)).encode()
    return found


def _wanted(course: Course) -> Iterator[str]:
    """Yield the paths of all files in the published folders that belong to the course."""
    command = ["git", "-C", str(course.root), "ls-files", "-z", "--", *FOLDERS]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        yield from (p for p in listed.stdout.split("\0") if p and (course.root / p).is_file())
        return
    for folder in FOLDERS:
        for path in (course.root / folder).rglob("*"):
            inside = path.relative_to(course.root)
            hidden = any(part.startswith((".", "__pycache__")) for part in inside.parts)
            if path.is_file() and not hidden:
                yield inside.as_posix()


def secrets(course: Course) -> Iterator[tuple[str, str]]:
    """Yield what must not be published, without indentation, and the cell it is from.

    That is every two lines of hidden tests and mark schemes in a row, if they are long enough to
    mean something and students see them nowhere in an exercise, and every answer as a whole.
    """
    exercises = {stem: read_source(course.solution_file(stem)).cells for stem in course.stems()}
    cells = [(stem, cell) for stem, group in exercises.items() for cell in group]
    shown = "\n".join(_flat(_visible(cell.source)) for _, cell in cells)
    for stem, cell in cells:
        where = f"{stem}, cell {cell.grade_id}"
        for words in (HIDDEN, SCHEME):
            for region in _regions(cell.source, words):
                lines = _flat(region).splitlines()
                pairs = ("\n".join(pair) for pair in pairwise(lines))
                yield from ((p, where) for p in pairs if len(p) >= SHORTEST and p not in shown)
        for region in _regions(cell.source, SOLUTION):
            if _flat(region).count("\n"):  # a single line may stand anywhere by chance
                yield _flat(region), where


def _flat(text: str) -> str:
    """Return ``text`` without indentation and empty lines."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _visible(source: str) -> str:
    return re.sub(r"### BEGIN .*?### END [A-Z ]+", "", source, flags=re.S)


def _regions(source: str, words: str) -> list[str]:
    return re.findall(rf"### BEGIN {words}\n(.*?)### END {words}", source, re.S)


def search(course: Course, files: dict[str, bytes]) -> None:
    """Check that no file gives anything away.

    Raises:
        SecretFound: naming the file, and the cell that the secret is from.
    """
    texts = [(path, _flat(text)) for path, text in _texts(files)]
    for secret, where in secrets(course):
        for path, text in texts:
            if secret in text:
                raise SecretFound(f"{path}: contains what is hidden in {where}: {secret[:60]!r}")


def _texts(files: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """Yield text files; of a notebook, the sources of its cells."""
    for path, data in files.items():
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if path.endswith(".ipynb"):
            cells = json.loads(text)["cells"]
            text = "\n".join("".join(cell["source"]) for cell in cells)
        yield path, text


def publish(course: Course, target: Path) -> int:
    """Write the published course into ``target`` and return how many files it has.

    What an earlier call wrote and is not there any more is removed; anything else in the folder
    (a `.git`, say) stays.

    Raises:
        NotOurFolder: the folder holds other files, and was never published to.
        SecretFound: a file would give something away.
    """
    manifest = target / MANIFEST
    before = manifest.read_text(encoding="utf-8").splitlines() if manifest.is_file() else []
    if not before and target.exists() and any(p.name != ".git" for p in target.iterdir()):
        raise NotOurFolder(f"{target}: holds files that were not published from here")
    if target.resolve().is_relative_to(course.root.resolve()):
        raise NotOurFolder(f"{target}: lies inside the course itself")
    files = published(course)
    search(course, files)
    for path, data in files.items():
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file() or place.read_bytes() != data:
            place.write_bytes(data)
    for path in set(before) - set(files):
        (target / path).unlink(missing_ok=True)
    for folder in sorted({(target / path).parent for path in before}, reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            shutil.rmtree(folder)
    write_atomically(manifest, "\n".join(files) + "\n")
    return len(files)


@click.command("publish")
@click.argument("target", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def publish_command(ctx: click.Context, target: Path, as_json: bool) -> None:
    """Write the course without solutions, hidden tests and the grader into DIR.

    DIR may be empty, a clone of a public repository, or a folder that was published to before:
    then files that are gone here are removed there, and nothing else is touched.

    \b
    Example:
        autograder publish ../sequence-models
    """
    course = find_course(ctx.obj)
    count = publish(course, target)
    said = f"{target}: {count} files, without solutions, hidden tests, marks and the grader"
    click.echo(json.dumps({"folder": str(target), "files": count}) if as_json else said)
