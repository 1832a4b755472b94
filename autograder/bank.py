"""The bank of an exercise: wrong and right answers to each function, and what tests make of them.

`tests/exercises/STEM.py` holds an answer in each cell, as the complete source of an exercise cell:

    # %% forgets the last step tags=["wrong", "id:rnn-step"]
    # %% written with einsum tags=["right", "id:rnn-step"]

Answers run in this process and without nbgrader: they are the course's own, and they are many.
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
from typing import Any

from autograder.source import Cell, Source

FOLDER = Path("tests/exercises")  # below the course's root
KINDS = {"wrong": 3, "right": 1}  # how many answers of each kind a function needs
SECONDS = 20  # of computing for one answer, however busy the machine; a right one takes under two

Raised = dict[str, BaseException | None]  # what each test raised, by its id


class TooSlow(BaseException):
    """An answer did not return; not an Exception, so that the answer cannot swallow it."""


@dataclass(frozen=True)
class Answer:
    """One entry of a bank: the complete source of an exercise cell, and what it shows."""

    stem: str
    id: str
    kind: str  # wrong or right
    title: str
    source: str
    line: int = 1  # of its header

    @property
    def last(self) -> int:
        return self.line + self.source.count("\n") + 1


def read_bank(path: Path) -> tuple[Answer, ...]:
    """Return the answers in a bank file; none when there is no such file."""
    import jupytext

    if not path.is_file():
        return ()
    text = path.read_text("utf8")
    heads = [
        n for n, line in enumerate(text.split("\n"), 1) if "tags=[" in line and line[:4] == "# %%"
    ]
    cells = [c for c in jupytext.reads(text, fmt="py:percent").cells if c["metadata"].get("tags")]
    return tuple(_answer(path.stem, cell, line) for cell, line in zip(cells, heads, strict=True))


def _answer(stem: str, cell: dict[str, Any], line: int) -> Answer:
    tags = cell["metadata"]["tags"]
    id_ = next((tag[3:] for tag in tags if tag.startswith("id:")), "")
    kind = next((tag for tag in tags if tag in KINDS), "")
    return Answer(stem, id_, kind, cell["metadata"].get("title", ""), cell["source"], line)


def failures(source: Source, exercise: str, answer: str) -> Raised:
    """Return, for each test of ``exercise``, what it raised with ``answer`` in place, or None.

    All other exercise cells are the reference solutions; every run has a namespace of its own.

    Raises:
        TooSlow: the answer and its tests took more than ``SECONDS``.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    with limit(SECONDS), redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wrong answer may well divide by zero
        for cell in source.cells:
            if cell.kind in ("setup", "exercise"):
                text = answer if cell.grade_id == exercise else cell.source
                exec(_compiled(text, _where(source, cell.grade_id)), names)
        return {c.grade_id: _outcome(source, c, names) for c in source.tests_of(exercise)}


@dataclass(frozen=True)
class Judged:
    """What its tests make of an answer: which of them fail, and what is wrong with that, if any."""

    failed: frozenset[str]
    complaint: str = ""


def judge(source: Source, answer: Answer) -> Judged:
    """Run an answer and say whether its tests treat it as they should.

    A right answer passes. A wrong one fails a test of its own function or never returns, and the
    error is one that a student can read: a check's message, or an error of the student's own code.
    """
    tests = frozenset(test.grade_id for test in source.tests_of(answer.id))
    try:
        errors = {k: e for k, e in failures(source, answer.id, answer.source).items() if e}
    except TooSlow as error:
        return Judged(tests, "" if answer.kind == "wrong" else str(error))
    except Exception as error:
        return Judged(tests, f"its cell does not run: {error!r}")
    failed = frozenset(errors)
    if answer.kind == "right":
        return Judged(failed, "; ".join(f"{test} fails: {e!r}" for test, e in errors.items()))
    if not errors:
        return Judged(failed, "no test of its function fails")
    unfair = (_unfair(source, answer, test, error) for test, error in errors.items())
    return Judged(failed, next(filter(None, unfair), ""))


def _unfair(source: Source, answer: Answer, test: str, error: BaseException) -> str:
    """Return why a student could not learn from how a test failed, or ""."""
    if isinstance(error, NotImplementedError | NameError | SyntaxError):
        return f"it is not an answer ({test}: {error!r})"
    if isinstance(error, AssertionError):
        return "" if str(error) else f"{test} fails without a message"
    return "" if came_from(error, source, answer.id) else f"{test} stumbles over it: {error!r}"


def came_from(error: BaseException, source: Source, exercise: str) -> bool:
    """Return whether the answer's own code was running when ``error`` was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.filename == _where(source, exercise) for frame in frames)


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise ``TooSlow`` in the block when it computes for longer."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise TooSlow(f"the answer and its tests computed for more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _outcome(source: Source, cell: Cell, names: dict[str, Any]) -> BaseException | None:
    """Run a test cell on a copy of the namespace; return what it raised, or None."""
    try:
        exec(_compiled(cell.source, _where(source, cell.grade_id)), dict(names))
    except Exception as error:
        return error
    return None


def _where(source: Source, grade_id: str) -> str:
    """Return what a traceback shows as the cell's file name."""
    return f"<{source.stem} cell {grade_id}>"


@cache
def _compiled(text: str, where: str) -> CodeType:
    return compile(text, where, "exec", dont_inherit=True)
