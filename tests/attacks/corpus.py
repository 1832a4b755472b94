"""The corpus: every case of the threat model as a small submission with its expected outcome.

Sections B to G are cells, in corpus/*.txt, each under a line such as

    # %% 29 equal to everything [at:double] [double-test:failed]

which says the case's number and name, where the cell goes (``at:`` an exercise, or ``start`` for
a cell of its own before all others), and the statuses a test may get, if not the usual ones.
Section A changes the notebook's structure, by functions in structure.py.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from autograder.assignment import Assignment, Item
from autograder.markers import parse_source

HERE = Path(__file__).parent
WRONG = "def double(x):\n    return 0"
TESTS = ("double-test", "apply-test", "softmax-test")
# An attacker's double is wrong, and the rest is honest work that must keep its marks.
USUAL = {
    "double-test": frozenset({"failed"}),
    "apply-test": frozenset({"passed"}),
    "softmax-test": frozenset({"passed"}),
}
TAG = re.compile(r"\[([^\]:]+)(?::([^\]]+))?\]")


@dataclass(frozen=True)
class Case:
    """One submission: what is in it, and what the grader must make of it."""

    number: int
    name: str
    data: bytes
    expected: dict[str, frozenset[str]] = field(default_factory=lambda: dict(USUAL))
    flag: str = ""  # part of what the report must say
    marks: frozenset[str] = frozenset()  # slow; patient; ours and harmful: not run in stock

    @property
    def id(self) -> str:
        """Return the case as one name."""
        return f"{self.number:02d} {self.name}"


@cache
def assignment() -> Assignment:
    """Return the miniature assignment."""
    text = (HERE / "mini.txt").read_text(encoding="utf-8")
    return Assignment("mini", tuple(_item(c) for c in parse_source(text, HERE / "mini.txt").cells))


def _item(cell: Any) -> Item:
    graded, written = cell.kind in ("test", "manual"), cell.kind in ("exercise", "manual")
    metadata = {"grade": graded, "solution": written, "locked": not written, "task": False}
    metadata |= {"grade_id": cell.grade_id, "schema_version": 3, "cell_type": cell.cell_type}
    metadata |= {"points": cell.points} if graded else {}
    ids = (cell.grade_id, cell.kind, cell.cell_type)
    return Item(*ids, cell.source, cell.released, metadata, float(cell.points or 0))


def notebook(**answers: str) -> dict[str, Any]:
    """Return a submission in which the other exercises are solved; ``start`` is a cell before."""
    cells = []
    for item in assignment().items:
        source = item.source if item.role == "exercise" else item.released
        source = answers.get(item.grade_id, source)
        cells.append(code_cell(source, copy.deepcopy(item.metadata), item.cell_type))
    if "start" in answers:
        cells.insert(0, code_cell(answers["start"]))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def code_cell(source: str, mark: dict | None = None, kind: str = "code") -> dict[str, Any]:
    """Return one cell of a notebook."""
    cell: dict[str, Any] = {"cell_type": kind, "source": source}
    cell["metadata"] = {"nbgrader": mark} if mark else {}
    cell["id"] = f"c{abs(hash((source, str(mark)))) % 10**8}"
    if kind == "code":
        cell |= {"outputs": [], "execution_count": None}
    return cell


def data_of(content: dict[str, Any]) -> bytes:
    """Return the file of a notebook."""
    return json.dumps(content, ensure_ascii=False).encode()


def cell_cases() -> list[Case]:
    """Return the cases of sections B to G."""
    cases = []
    for path in sorted((HERE / "corpus").glob("*.txt")):
        for part in re.split(r"^# %% ", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            head, _, source = part.partition("\n")
            cases.append(_cell_case(head, source.rstrip("\n")))
    return cases


def _cell_case(head: str, source: str) -> Case:
    tags = dict(TAG.findall(head))
    number, name = TAG.sub("", head).strip().split(" ", 1)
    place = tags.pop("at")
    flag = tags.pop("flag", "")
    expected = dict(USUAL)
    honest = tags.get("double-test") == "passed"
    if place in ("apply", "softmax") and f"{place}-test" not in tags:
        expected |= {f"{place}-test": frozenset({"passed"})}
    expected |= {t: frozenset(tags.pop(t).split("|")) for t in TESTS if t in tags}
    answers = {} if honest or place == "double" else {"double": WRONG}
    data = data_of(notebook(**(answers | {place: source})))
    return Case(int(number), name, data, expected, flag, frozenset(tags))


def all_cases() -> list[Case]:
    """Return every case, by number."""
    from tests.attacks.structure import structure_cases

    return sorted([*structure_cases(), *cell_cases()], key=lambda case: case.id)


Change = Callable[[dict[str, Any]], dict[str, Any] | bytes | None]
