"""Run an exercise's tests against one answer, in this process and without nbgrader.

The same cells are graded for real by ``autograder``; here they only have to be quick, because every
wrong and every right answer of every bank passes through.
"""

from __future__ import annotations

import signal
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from types import CodeType, FrameType

import jupytext

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = sorted((ROOT / "solutions").glob("ch*.py"))
BANKS = Path(__file__).parent
SECONDS = 20  # for one answer; a right one takes well under two
STUB = "raise NotImplementedError"


class TooSlow(BaseException):
    """An answer did not return; not an Exception, so that the answer cannot swallow it."""


@dataclass(frozen=True)
class Cell:
    """A code or markdown cell of an exercise source, with its tags taken apart."""

    source: str
    role: str  # setup, exercise, test, manual, or "" for prose and other code
    id: str
    points: float
    where: str  # what a traceback shows as the file name


@dataclass(frozen=True)
class Answer:
    """One entry of a bank: the complete source of an exercise cell, and what it shows."""

    stem: str
    id: str
    kind: str  # wrong or right
    title: str
    source: str


@cache
def cells(stem: str) -> tuple[Cell, ...]:
    """Return the cells of ``solutions/<stem>.py``."""
    notebook = jupytext.read(ROOT / "solutions" / f"{stem}.py", fmt="py:percent")
    return tuple(_cell(cell, stem, n) for n, cell in enumerate(notebook.cells))


def _cell(cell: dict, stem: str, number: int) -> Cell:
    tags = cell["metadata"].get("tags", [])
    values = dict(tag.split(":", 1) for tag in tags if ":" in tag)
    role = next((tag for tag in tags if tag in ("setup", "exercise", "test", "manual")), "")
    id_ = values.get("id", "")
    where = f"<{stem} cell {number}{': ' + id_ if id_ else ''}>"
    return Cell(cell["source"], role, id_, float(values.get("points", 0)), where)


def exercises(stem: str) -> list[str]:
    """Return the ids of the exercise cells."""
    return [cell.id for cell in cells(stem) if cell.role == "exercise"]


def own_tests(stem: str, exercise: str) -> list[Cell]:
    """Return the test cells of one exercise: ``<id>-test``, ``<id>-test-2``, and so on."""
    first = f"{exercise}-test"
    own = [c for c in cells(stem) if c.role == "test"]
    return [c for c in own if c.id == first or c.id.startswith(first + "-")]


def solution(stem: str, exercise: str) -> str:
    """Return the reference source of one exercise cell."""
    return next(c.source for c in cells(stem) if c.role == "exercise" and c.id == exercise)


def stub(stem: str, exercise: str) -> str:
    """Return what a student starts from: the reference without what is between the markers."""
    kept, inside = [], False
    for line in solution(stem, exercise).splitlines():
        if "### BEGIN SOLUTION" in line:
            kept.append(line[: len(line) - len(line.lstrip())] + STUB)
            inside = True
        elif "### END SOLUTION" in line:
            inside = False
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


@cache
def bank(stem: str) -> tuple[Answer, ...]:
    """Return the wrong and right answers in ``tests/exercises/<stem>.py``."""
    path = BANKS / f"{stem}.py"
    if not path.exists():
        return ()
    answers = []
    for cell in jupytext.read(path, fmt="py:percent").cells:
        tags = cell["metadata"].get("tags", [])
        id_ = next((tag[3:] for tag in tags if tag.startswith("id:")), "")
        kind = next((tag for tag in tags if tag in ("wrong", "right")), "")
        if tags:
            title = cell["metadata"].get("title", "")
            answers.append(Answer(stem, id_, kind, title, cell["source"]))
    return tuple(answers)


def failures(stem: str, exercise: str, answer: str) -> dict[str, BaseException | None]:
    """Return, for each test of ``exercise``, what it raised with ``answer`` in place, or None.

    All other exercise cells are the reference solutions; every run has a namespace of its own.
    """
    names: dict = {"__name__": "__main__"}
    with limit(SECONDS), redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wrong answer may well divide by zero
        for cell in cells(stem):
            if cell.role == "setup":
                run(cell.source, cell.where, names)
            elif cell.role == "exercise":
                replaced = cell.id == exercise
                run(answer if replaced else cell.source, cell.where, names)
        return {cell.id: outcome(cell, names) for cell in own_tests(stem, exercise)}


def outcome(cell: Cell, names: dict) -> BaseException | None:
    """Run a test cell on a copy of the namespace; return what it raised, or None."""
    try:
        run(cell.source, cell.where, dict(names))
    except Exception as error:
        return error
    return None


def run(source: str, where: str, names: dict) -> None:
    """Execute one cell."""
    exec(compiled(source, where), names)


def came_from(error: BaseException, stem: str, exercise: str) -> bool:
    """Return whether the answer's own code was running when ``error`` was raised."""
    where = next(c.where for c in cells(stem) if c.role == "exercise" and c.id == exercise)
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.filename == where for frame in frames)


@cache
def compiled(source: str, where: str) -> CodeType:
    return compile(source, where, "exec", dont_inherit=True)


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise ``TooSlow`` in the block when it takes longer."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise TooSlow(f"the answer and its tests took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
