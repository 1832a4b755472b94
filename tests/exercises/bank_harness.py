"""The exercises of this course and their banks, by stem; `autograder.bank` runs them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from autograder import bank as banks
from autograder.bank import Answer, TooSlow, limit
from autograder.markers import inspect_source
from autograder.source import CODE_STUB, SOLUTION, Cell, Source, cleared

__all__ = ["BANKS", "SOLUTIONS", "Answer", "TooSlow", "limit"]  # and what is defined here

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = sorted((ROOT / "solutions").glob("ch*.py"))
BANKS = ROOT / banks.FOLDER


@cache
def source(stem: str) -> Source:
    """Return ``solutions/<stem>.py``, whatever else is wrong in it."""
    path = ROOT / "solutions" / f"{stem}.py"
    return inspect_source(path.read_text("utf8"), path.relative_to(ROOT))[0]


def cells(stem: str) -> tuple[Cell, ...]:
    """Return the cells of an exercise source."""
    return source(stem).cells


def exercises(stem: str) -> list[str]:
    """Return the ids of the exercise cells."""
    return [cell.grade_id for cell in source(stem).of_kind("exercise")]


def own_tests(stem: str, exercise: str) -> tuple[Cell, ...]:
    """Return the test cells of one exercise: ``<id>-test``, ``<id>-test-2``, and so on."""
    return source(stem).tests_of(exercise)


def solution(stem: str, exercise: str) -> str:
    """Return the reference source of one exercise cell."""
    return source(stem).cell(exercise).source


def stub(stem: str, exercise: str) -> str:
    """Return what a student starts from: the reference without what is between the markers."""
    return cleared(solution(stem, exercise), SOLUTION, CODE_STUB)


@cache
def bank(stem: str) -> tuple[Answer, ...]:
    """Return the wrong and right answers in ``tests/exercises/<stem>.py``."""
    return banks.read_bank(BANKS / f"{stem}.py")


def failures(stem: str, exercise: str, answer: str) -> banks.Raised:
    """Return, for each test of ``exercise``, what it raised with ``answer`` in place, or None."""
    return banks.failures(source(stem), exercise, answer)


def complaint(answer: Answer) -> str:
    """Return what is wrong with an answer's results, or ""."""
    return banks.judge(source(answer.stem), answer).complaint
