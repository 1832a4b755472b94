"""An exercise source as data: cells with their kind, id and points, and the notebook made of them.

`autograder.markers` reads `solutions/chNN_topic.py` into these classes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

# The words nbgrader itself looks for (c.ClearSolutions, c.ClearHiddenTests, c.ClearMarkScheme).
SOLUTION, HIDDEN, SCHEME = "SOLUTION", "HIDDEN TESTS", "MARK SCHEME"
CODE_STUB = "raise NotImplementedError"
TEXT_STUB = "*Your answer here.*"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}

MARKDOWN_KINDS = ("prose", "manual")
GRADED_KINDS = ("test", "manual")
# nbgrader's metadata, schema 3: (grade, solution, locked) for each kind of cell.
_FLAGS = {
    "exercise": (False, True, False),
    "test": (True, False, True),
    "manual": (True, True, False),
}


@dataclass(frozen=True)
class Problem:
    """One thing wrong in an exercise source: where, what, and the mend."""

    path: Path
    line: int
    cell: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: cell {self.cell}: {self.what}. {self.mend}."


@dataclass(frozen=True)
class Cell:
    """A cell of an exercise source.

    ``kind`` is one of prose, setup, exercise, test, manual, demo; ``line`` is that of its header.
    """

    kind: str
    grade_id: str
    source: str
    line: int
    points: int | None = None

    @property
    def cell_type(self) -> str:
        return "markdown" if self.kind in MARKDOWN_KINDS else "code"

    @property
    def label(self) -> str:
        """The id, or the first line where the author gave none."""
        first = next((line.strip() for line in self.source.splitlines() if line.strip()), "")
        return self.grade_id or repr(first[:50])

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the cell binds at top level by def, class or assignment."""
        return tuple(_bound_names(self.source)) if self.cell_type == "code" else ()

    @property
    def released(self) -> str:
        """What students get of the cell, as nbgrader makes it."""
        if self.kind == "manual":
            return TEXT_STUB
        return cleared(cleared(self.source, SOLUTION, CODE_STUB), HIDDEN)

    def metadata(self) -> dict[str, object]:
        """Return the cell's notebook metadata: nbgrader's schema 3, and the kind as a tag."""
        grade, solution, locked = _FLAGS.get(self.kind, (False, False, True))
        nbgrader: dict[str, object] = {
            "cell_type": self.cell_type,
            "grade": grade,
            "grade_id": self.grade_id,
            "locked": locked,
            "schema_version": 3,
            "solution": solution,
            "task": False,
        }
        if grade:
            nbgrader["points"] = self.points
        tags = {} if self.kind in ("prose", "demo") else {"tags": [self.kind]}
        return {"nbgrader": nbgrader, **tags}


@dataclass(frozen=True)
class Source:
    """One exercise source, complete and free of problems when `read_source` returned it."""

    path: Path
    cells: tuple[Cell, ...]

    @property
    def stem(self) -> str:
        return self.path.stem

    @property
    def points(self) -> int:
        return sum(cell.points or 0 for cell in self.cells)

    def of_kind(self, kind: str) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.kind == kind)

    def tests_of(self, exercise_id: str) -> tuple[Cell, ...]:
        return tuple(c for c in self.of_kind("test") if exercise_of(c.grade_id) == exercise_id)

    def cell(self, grade_id: str) -> Cell:
        """Return the cell of that id. Raises KeyError."""
        for cell in self.cells:
            if cell.grade_id == grade_id:
                return cell
        raise KeyError(grade_id)

    def notebook(self) -> NotebookNode:
        """Return nbgrader's source notebook: solutions and hidden tests in it, no outputs."""
        from nbformat import from_dict, validate

        cells = [_notebook_cell(cell) for cell in self.cells]
        metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
        notebook = from_dict(
            {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        )
        validate(notebook)
        return notebook


def exercise_of(test_id: str) -> str | None:
    """Return the exercise that a test id names (rnn-step-test-2: rnn-step), or None."""
    match = re.fullmatch(r"(.+?)-test(-[0-9]+)?", test_id)
    return match[1] if match else None


def cleared(source: str, word: str, stub: str | None = None) -> str:
    """Return ``source`` without its BEGIN/END ``word`` regions, each replaced by ``stub``.

    The same line rule as nbgrader's own clearing preprocessors.
    """
    kept, inside = [], False
    for line in source.split("\n"):
        if f"BEGIN {word}" in line:
            inside = True
            if stub is not None:
                kept.append(line[: len(line) - len(line.lstrip())] + stub)
        elif f"END {word}" in line:
            inside = False
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def _notebook_cell(cell: Cell) -> dict[str, object]:
    node: dict[str, object] = {
        "cell_type": cell.cell_type,
        "id": cell.grade_id,
        "metadata": cell.metadata(),
        "source": cell.source,
    }
    return node | ({"execution_count": None, "outputs": []} if cell.cell_type == "code" else {})


def _bound_names(source: str) -> Iterator[str]:
    for node in parse_code(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


def parse_code(source: str) -> ast.Module:
    """Return the syntax tree of a cell; lines of IPython magics count as comments."""
    return ast.parse(re.sub(r"^(?=[%!])", "# ", source, flags=re.MULTILINE))
