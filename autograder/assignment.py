"""An assignment as the grader knows it: every released cell, and the hidden tests of each."""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.errors import AutograderError


class UnreadableAssignmentError(AutograderError):
    """The source or release of an assignment is missing or is not a notebook."""

    @property
    def next_step(self) -> str:
        """One line: what the person can do about it."""
        return "run `autograder build` to make it again"


@dataclass(frozen=True)
class Item:
    """One cell: what students got (``released``) and what the examiner runs (``source``).

    ``role`` is one of prose, setup, exercise, test, manual, demo.
    """

    grade_id: str
    role: str
    cell_type: str
    source: str
    released: str
    metadata: dict[str, Any]
    points: float = 0.0

    @property
    def by_student(self) -> bool:
        """Whether students write this cell."""
        return self.role in ("exercise", "manual")


@dataclass(frozen=True)
class Assignment:
    """The cells of one assignment's notebook, in order."""

    stem: str
    items: tuple[Item, ...]

    @property
    def digest(self) -> str:
        """Return a hash of everything that can change a verdict."""
        parts = [[i.grade_id, i.role, i.source, i.released, i.points] for i in self.items]
        return hashlib.sha256(json.dumps([self.stem, parts]).encode()).hexdigest()

    @property
    def tests(self) -> tuple[Item, ...]:
        """Return the test cells."""
        return tuple(item for item in self.items if item.role == "test")

    def names(self, item: Item) -> tuple[list[str], list[str]]:
        """Return the functions and the other names that an exercise cell defines."""
        return needed_names(item.source)


def load(stem: str, source: Path, release: Path) -> Assignment:
    """Return the assignment whose source and release notebooks are given."""
    full, given = _cells(source), _cells(release)
    if [c["id"] for c in full] != [c["id"] for c in given]:
        raise UnreadableAssignmentError(f"{release} was not made from {source}")
    return Assignment(stem, tuple(_item(a, b) for a, b in zip(full, given, strict=True)))


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableAssignmentError(f"{path} cannot be read: {error}") from None
    for cell in cells:
        cell["source"] = "".join(cell["source"])
        cell["id"] = cell["metadata"]["nbgrader"]["grade_id"]
    return cells


def _item(full: dict[str, Any], given: dict[str, Any]) -> Item:
    metadata = given["metadata"]["nbgrader"]
    return Item(
        grade_id=full["id"],
        role=_role(full["cell_type"], full["metadata"]["nbgrader"]),
        cell_type=full["cell_type"],
        source=full["source"],
        released=given["source"],
        metadata=metadata,
        points=float(metadata.get("points", 0)),
    )


def _role(cell_type: str, metadata: dict[str, Any]) -> str:
    if metadata["grade"]:
        return "manual" if metadata["solution"] else "test"
    if metadata["solution"]:
        return "exercise"
    if cell_type != "code":
        return "prose"
    return "setup" if metadata["grade_id"].startswith("setup") else "demo"


def needed_names(source: str) -> tuple[list[str], list[str]]:
    """Return the functions and classes, and the other names, that a solution cell defines."""
    functions, values = [], []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            functions.append(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values += [target.id for target in targets if isinstance(target, ast.Name)]
    return functions, values
