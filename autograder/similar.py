"""`autograder similar`: submissions that have more in common than chance, for a person to look at.

The library copydetect fits the task, but it compares every two submissions (half an hour for a
thousand) and weighs an idiom like a rarity; `autograder.fingerprints` only ever looks at pairs that
share something rare.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from autograder.assignment import Assignment, load
from autograder.bank import FOLDER, read_bank
from autograder.course import Course, find_course, write_atomically
from autograder.errors import AutograderError
from autograder.fingerprints import Pair, Token, alike, grams, tokens, winnow

MOST_PAIRS, MOST_PASSAGES = 50, 12  # on one page: more nobody reads


class TooFew(AutograderError):  # noqa: N818 (its name says what is wrong)
    """There are not two submissions to compare."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "collect the submissions first, with: autograder collect"


@dataclass(frozen=True)
class Work:
    """What one student wrote: the code of each cell, with a label, and its tokens."""

    student: str
    labels: tuple[str, ...]
    cells: tuple[str, ...]
    row: tuple[Token, ...]

    def lines(self, passage: Sequence[Token]) -> tuple[str, int, int]:
        """Return the cell's label and the first and last line of a passage."""
        cell = passage[0].cell
        numbers = [token.line for token in passage]
        return self.labels[cell], min(numbers), max(numbers)

    def text(self, label: str, first: int, last: int) -> str:
        """Return some lines of a cell."""
        return "\n".join(self.cells[self.labels.index(label)].splitlines()[first - 1 : last])


@dataclass(frozen=True)
class Passage:
    """The same code in two submissions."""

    where: tuple[str, str]
    text: tuple[str, str]


@dataclass(frozen=True)
class Found:
    """A pair as the page shows it."""

    students: tuple[str, str]
    shared: float
    share: float
    passages: tuple[Passage, ...]


def read_work(course: Course, assignment: Assignment, student: str) -> Work:
    """Return the code that a student handed in; nothing when there is no readable notebook."""
    from autograder.handin import read_submission
    from autograder.rebuild import read_cells

    items = {item.grade_id: item for item in assignment.items}
    folder = course.folder("submitted", assignment.stem, student)
    data, _ = read_submission(folder, assignment)
    labels, cells = [], []
    for number, cell in enumerate(read_cells(data, set(items), []) if data else [], 1):
        item = items.get(cell.grade_id or "")
        if cell.cell_type == "code" and (item is None or item.role == "exercise"):
            labels.append(f"{cell.grade_id or 'own cell'} (cell {number})")
            cells.append(cell.source)
    return Work(student, tuple(labels), tuple(cells), tuple(tokens(cells)))


def released(course: Course, assignment: Assignment) -> set[int]:
    """Return the hashes of what students may have in common.

    That is what they were given, the chapter's code, and the known answers: who writes what the
    reference or a bank's answer says may have had the same idea.
    """
    given = [item.released for item in assignment.items if item.cell_type == "code"]
    given += [item.source for item in assignment.items if item.role == "exercise"]
    given += [a.source for a in read_bank(course.root / FOLDER / f"{assignment.stem}.py")]
    chapter = course.root / "book" / f"{assignment.stem}.md"
    if chapter.is_file():
        text = chapter.read_text(encoding="utf-8")
        fences = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```", text, re.S | re.M)
        given += [re.sub(r"\A---\n.*?^---\n", "", fence, flags=re.S | re.M) for fence in fences]
    return {value for code in given for value in grams(tokens([code]))}


def compare(works: Sequence[Work], common: set[int]) -> list[Pair]:
    """Return the pairs of submissions that are alike beyond what all were given."""
    return alike({work.student: winnow(grams(work.row)) for work in works}, common)


def passages(
    a: Sequence[Token], b: Sequence[Token], released: Collection[int]
) -> Iterator[tuple[Sequence[Token], Sequence[Token]]]:
    """Yield the passages that two programs share and that were not given, in the order of ``b``."""
    places = defaultdict(list)
    for place, value in enumerate(grams(a)):
        if value not in released:
            places[value].append(place)
    hashes, j = grams(b), 0
    while j < len(hashes):
        lengths = [(_run(a, i, b, j), -i) for i in places.get(hashes[j], ())]
        if not lengths:
            j += 1
            continue
        length, start = max(lengths)
        yield a[-start : -start + length], b[j : j + length]
        j += length


def _run(a: Sequence[Token], i: int, b: Sequence[Token], j: int) -> int:
    """Return for how many tokens two programs agree from these places on, within one cell each."""
    length, most = 0, min(len(a) - i, len(b) - j)
    while length < most and a[i + length].value == b[j + length].value:
        if a[i + length].cell != a[i].cell or b[j + length].cell != b[j].cell:
            break
        length += 1
    return length


def common_passages(a: Work, b: Work, common: set[int]) -> tuple[Passage, ...]:
    """Return the passages that two submissions share, the longest first."""
    spans: dict[tuple[tuple[str, int, int], tuple[str, int, int]], int] = {}
    for left, right in passages(a.row, b.row, common):
        key = a.lines(left), b.lines(right)
        spans[key] = max(len(left), spans.get(key, 0))
    longest = sorted(spans, key=lambda key: -spans[key])[:MOST_PASSAGES]
    return tuple(
        Passage(
            tuple(f"{label}, lines {first}–{last}" for label, first, last in key),  # type: ignore[arg-type]
            (a.text(*key[0]), b.text(*key[1])),
        )
        for key in longest
    )


class Names:
    """What students are called on the page: a number that says nothing, unless names are wanted."""

    def __init__(self, course: Course, stem: str, students: Sequence[str], shown: bool) -> None:
        def disguise(student: str) -> str:
            return hashlib.sha256(f"{stem} {student}".encode()).hexdigest()

        numbers = {s: f"no. {n}" for n, s in enumerate(sorted(students, key=disguise), 1)}
        self.shown = {s: s for s in students} if shown else numbers
        self.hidden: dict[str, re.Pattern[str]] = {}
        rows = course.query("select id, first_name, last_name from student") if not shown else []
        for student, *names in [(s,) for s in students] + rows if not shown else []:
            words = [re.escape(word) for word in (student, *names) if word and len(word) > 2]
            if words:
                self.hidden[student] = re.compile(rf"\b({'|'.join(words)})\b", re.I)

    def clean(self, student: str, text: str) -> str:
        """Return code in which the student who wrote it is not named."""
        pattern = self.hidden.get(student)
        return pattern.sub("…", text) if pattern else text


def find(course: Course, stem: str, names: bool = False) -> tuple[int, list[Found]]:
    """Return how many submissions were compared, and the pairs that a person should look at.

    Raises:
        TooFew: fewer than two were handed in.
    """
    from rich.console import Console
    from rich.progress import track

    from autograder.grade import submissions

    students = submissions(course, stem, ())
    if len(students) < 2:
        raise TooFew(f"{stem}: one submission only")
    assignment = load(stem, course.source_notebook(stem), course.release_notebook(stem))
    steps = track(students, "reading", console=Console(stderr=True), transient=True)
    works = {student: read_work(course, assignment, student) for student in steps}
    common = released(course, assignment)
    called = Names(course, stem, students, names)
    found = []
    for pair in compare(list(works.values()), common)[:MOST_PAIRS]:
        shared = common_passages(works[pair.a], works[pair.b], common)
        clean = tuple(
            Passage(p.where, (called.clean(pair.a, p.text[0]), called.clean(pair.b, p.text[1])))
            for p in shared
        )
        who = called.shown[pair.a], called.shown[pair.b]
        found.append(Found(who, round(pair.shared, 1), min(1.0, round(pair.share, 3)), clean))
    return len(students), found


def write_page(course: Course, stem: str, compared: int, found: list[Found]) -> Path:
    """Write the page and return its path; only its owner may read it."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(
        loader=PackageLoader("autograder", "templates"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("similar.html").render(
        stem=stem, compared=compared, found=found, most=MOST_PAIRS
    )
    path = course.classroom / "reports" / f"{stem}-similar.html"
    write_atomically(path, page, mode=0o600)
    return path


@click.command("similar")
@click.argument("stem", metavar="ASSIGNMENT")
@click.option("--names", is_flag=True, help="Name the students; without it they are numbered.")
@click.option("--json", "as_json", is_flag=True, help="Print the pairs as JSON.")
@click.pass_context
def similar_command(ctx: click.Context, stem: str, names: bool, as_json: bool) -> None:
    """Find submissions that are alike beyond the released code, after renaming.

    Writes one page with the common passages side by side. It is a hint to look, not a verdict:
    two students may have worked together as they were allowed to.

    \b
    Example:
        autograder similar ch05_bptt
    """
    course = find_course(ctx.obj)
    course.require_built(stem)
    compared, found = find(course, stem, names)
    path = write_page(course, stem, compared, found)
    if as_json:
        pairs = [{"students": f.students, "shared": f.shared, "share": f.share} for f in found]
        click.echo(json.dumps({"file": str(path), "compared": compared, "pairs": pairs}))
    else:
        click.echo(course.shown(path))
        click.echo(
            f"{len(found)} pair{'s' * (len(found) != 1)} to look at among {compared} submissions",
            err=True,
        )
