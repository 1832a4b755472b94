"""What lint reads of setup, exercise and test cells: their parts, the names used, the checks."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from autograder.flow import Flow, called
from autograder.source import HIDDEN, Cell, Source, parse_code


def hidden_lines(cell: Cell) -> range:
    """Return the lines of a cell (from 1) between its hidden tests' markers."""
    marked = [n for n, line in enumerate(cell.source.split("\n"), 1) if HIDDEN in line]
    return range(marked[0], marked[-1]) if marked else range(0)


def parts(cell: Cell) -> dict[str, list[ast.stmt]]:
    """Return the statements of a test that students see, and those that they do not."""
    hidden = hidden_lines(cell)
    found: dict[str, list[ast.stmt]] = {"visible": [], "hidden": []}
    for statement in parse_code(cell.source).body:
        found["hidden" if statement.lineno in hidden else "visible"].append(statement)
    return found


def walk(source: Source, flow: Flow) -> Iterator[tuple[Cell, ast.stmt]]:
    """Yield the statements of setup and test cells as ``flow`` follows them; tests are separate."""
    for cell in source.of_kind("setup"):
        yield from ((cell, statement) for statement in flow.follow(parse_code(cell.source).body))
    setup = set(flow.names)
    for cell in source.of_kind("test"):
        flow.names = set(setup)
        yield from ((cell, statement) for statement in flow.follow(parse_code(cell.source).body))


def helpers_of(source: Source, cell: Cell) -> dict[str, ast.stmt]:
    """Return the functions and classes that setup cells and a test define for the test's use."""
    bodies = [parse_code(each.source).body for each in (*source.of_kind("setup"), cell)]
    defined = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for body in bodies for node in body if isinstance(node, defined)}


def names_used(statements: Sequence[ast.stmt], helpers: dict[str, ast.stmt]) -> set[str]:
    """Return the names that statements use, also through the helpers that they call."""
    waiting, used = list(statements), set()
    while waiting:
        for node in ast.walk(waiting.pop()):
            if isinstance(node, ast.Name) and node.id not in used:
                used.add(node.id)
                waiting += [helpers[node.id]] if node.id in helpers else []
    return used


def is_check(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assert | ast.Raise):
        return True
    if not isinstance(statement, ast.Expr):
        return False
    return called(statement.value).rpartition(".")[2].startswith(("check_", "assert_"))


def functions(cell: Cell) -> Iterator[ast.stmt]:
    """Yield what an exercise defines for others to call."""
    for node in parse_code(cell.source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
