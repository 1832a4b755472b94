"""What two programs have in common beyond names and layout, by winnowing.

A program becomes a row of tokens of its syntax tree: names, annotations, docstrings, comments and
layout are gone. Every ``GRAM`` tokens in a row have a hash, and of every ``WINDOW`` hashes in a row
the smallest is kept: the program's fingerprints (Schleimer, Wilkerson and Aiken, 2003). A common
passage of ``GRAM + WINDOW - 1`` tokens, about two lines, always leaves one.
"""

from __future__ import annotations

import ast
import builtins
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple
from zlib import crc32

from autograder.source import parse_code

GRAM, WINDOW = 12, 4
COMMON = 0.1  # of a class: what more than this share writes (or MANY students) is nobody's own
MANY = 10
# What two students must share to be named: rare fingerprints (30 are left by about 75 tokens) and
# what part of the one's who has fewer. In invented classes of twenty to a thousand no honest pair
# had that part, and every copy of a whole work, renamed, reordered and changed here and there, had
# over a half. Copies of a few functions, and large groups in small classes, can stay below it.
SHARED, ALIKE = 30.0, 0.4
LEFT_OUT = (ast.Import, ast.ImportFrom, ast.expr_context, ast.TypeIgnore)
ANNOTATIONS = {"annotation", "returns", "type_comment"}
KNOWN = frozenset(vars(builtins))


class Token(NamedTuple):
    """A token as a number, and where it stands: which cell, which line of it."""

    value: int
    cell: int
    line: int


@dataclass(frozen=True)
class Pair:
    """Two programs alike: the weight of what is rare and in both, and its share of the smaller."""

    a: str
    b: str
    shared: float
    share: float


def tokens(cells: Sequence[str]) -> list[Token]:
    """Return the tokens of a program's cells; a cell that is not Python has none."""
    found: list[Token] = []
    for number, cell in enumerate(cells):
        words: list[tuple[str, int]] = []
        try:
            _spell(parse_code(cell), 1, words)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        found += [Token(crc32(text.encode()), number, line) for text, line in words]
    return found


def _spell(node: ast.AST, line: int, words: list[tuple[str, int]]) -> None:
    """Add the words for a node and what is in it, each with its line."""
    line = getattr(node, "lineno", line)
    if isinstance(node, LEFT_OUT) or _is_docstring(node):
        return
    if isinstance(node, ast.Name | ast.arg):
        name = node.id if isinstance(node, ast.Name) else ""
        words.append((name if name in KNOWN else "name", line))
        return
    if isinstance(node, ast.Constant):
        words.append(("text" if isinstance(node.value, str) else repr(node.value), line))
        return
    words.append(("Assign" if isinstance(node, ast.AnnAssign) else type(node).__name__, line))
    for field, value in ast.iter_fields(node):
        if field in ("attr", "arg") and isinstance(value, str):
            words.append((value, line))  # a library's name: students do not choose it
        elif field not in ANNOTATIONS:
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.AST):
                    _spell(part, line, words)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def grams(row: Sequence[Token]) -> list[int]:
    """Return the hash of every ``GRAM`` tokens in a row."""
    values = [token.value for token in row]
    return [hash(tuple(values[i : i + GRAM])) for i in range(len(values) - GRAM + 1)]


def winnow(hashes: Sequence[int]) -> set[int]:
    """Return the fingerprints among the hashes of a program."""
    return {min(hashes[i : i + WINDOW]) for i in range(max(1, len(hashes) - WINDOW + 1)) if hashes}


def alike(programs: Mapping[str, Collection[int]], released: Collection[int]) -> list[Pair]:
    """Return the pairs of programs that share much that is rare, the most alike first.

    ``programs`` maps students to fingerprints; what is in ``released`` counts for nobody. A
    fingerprint weighs the less, the more students have it. Only students who share something rare
    are ever compared, so the work grows with what is shared and not with the pairs there are.
    """
    known = set(released)
    own = {student: set(prints) - known for student, prints in programs.items()}
    owners = defaultdict(list)
    for student in sorted(own):
        for fingerprint in own[student]:
            owners[fingerprint].append(student)
    most = max(MANY, int(COMMON * len(own)))
    rare = {f: group for f, group in owners.items() if len(group) <= most}
    weight = {f: rarity(len(group), len(own)) for f, group in rare.items()}
    totals = {s: sum(weight.get(f, 0.0) for f in prints) for s, prints in own.items()}
    shared: Counter[tuple[str, str]] = Counter()
    for group, size in Counter((tuple(g), weight[f]) for f, g in rare.items()).items():
        for pair in combinations(group[0], 2):
            shared[pair] += size * group[1]  # type: ignore[assignment]
    found = []
    for (a, b), amount in shared.items():
        share = amount / max(min(totals[a], totals[b]), 1e-9)
        if amount >= SHARED and share >= ALIKE:
            found.append(Pair(a, b, float(amount), share))
    return sorted(found, key=lambda pair: (-pair.shared * pair.share, pair.a, pair.b))


def rarity(owners: int, students: int) -> float:
    """Return what a fingerprint weighs: 1 if one or two have it, 0 if all have."""
    if owners <= 2 or students <= 2:
        return 1.0
    return math.log(students / owners) / math.log(students / 2)
