"""What makes an exercise source sound; each rule yields the problems it finds."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator

from autograder.source import (
    GRADED_KINDS,
    HIDDEN,
    SCHEME,
    SOLUTION,
    TEXT_STUB,
    Cell,
    Problem,
    Source,
    cleared,
    exercise_of,
    parse_code,
)

TOTAL_POINTS = 100
_HOME = {SOLUTION: "exercise", HIDDEN: "test", SCHEME: "manual"}
Finding = tuple[Cell | None, str, str]  # the cell (None: the file), what is wrong, the mend


def check_source(source: Source) -> list[Problem]:
    """Return every problem of the cells and of the whole, in no particular order."""
    findings = [finding for cell in source.cells for finding in _check_cell(cell)]
    for rule in (_setup_exists, _ids_are_unique, _tests_match, _exercises_tested, _points_add_up):
        findings += rule(source)
    return [
        Problem(source.path, cell.line if cell else 1, cell.label if cell else "-", what, mend)
        for cell, what, mend in findings
    ]


def _check_cell(cell: Cell) -> Iterator[Finding]:
    regions = list(_check_regions(cell))
    yield from regions
    if not cell.source.strip():
        yield cell, "the cell is empty", "Fill it or remove its header"
    elif cell.kind == "manual":
        yield from _check_manual(cell)
    elif cell.cell_type == "code":
        error = _syntax_error(cell.source)
        if error:
            line = cell.line + (error.lineno or 1)
            yield cell, f"line {line} is not valid Python ({error.msg})", "Mend the code"
        elif not regions:
            yield from _check_release(cell)


def _check_regions(cell: Cell) -> Iterator[Finding]:
    """Markers pair up, stand alone on their line, hold something, and are in the right cell."""
    for word, home in _HOME.items():
        begin, end = f"### BEGIN {word}", f"### END {word}"
        opened, lines = 0, cell.source.split("\n")
        marked = [n for n, line in enumerate(lines) if begin[4:] in line or end[4:] in line]
        if marked and cell.kind != home:
            yield cell, f"{begin} in a {cell.kind} cell", f"It belongs in {home} cells only"
            continue
        for number in marked:
            line, at = lines[number].strip(), f"line {cell.line + 1 + number}"
            if line not in (begin, end):
                mend = f"Write {begin} and {end}, each alone on its line"
                yield cell, f"{at} is almost a marker: {line}", mend
            elif (line == begin) == bool(opened):
                what = f"{at}: {line} {'inside a region' if opened else 'without its BEGIN'}"
                yield cell, what, f"Pair each {begin} with one {end}"
            elif opened:
                if not _holds_something(lines[opened:number]):
                    yield cell, f"{at}: the {word} region is empty", "Fill it or remove it"
                opened = 0
            else:
                opened = number + 1
        if opened:
            yield cell, f"{begin} without its END", f"Close the region with {end}"


def _holds_something(lines: list[str]) -> bool:
    return any(line.strip() and not line.strip().startswith("# ") for line in lines)


def _check_manual(cell: Cell) -> Iterator[Finding]:
    outside = cleared(cell.source, SCHEME).strip()
    if outside not in ("", TEXT_STUB):
        yield (
            cell,
            "text outside the mark scheme would be lost (students get only the answer prompt)",
            f"Put the question into a prose cell above, and here only {TEXT_STUB}",
        )


def _check_release(cell: Cell) -> Iterator[Finding]:
    """What is left for students is valid Python, and an exercise still defines its names."""
    if cell.kind == "exercise" and f"BEGIN {SOLUTION}" not in cell.source:
        mend = "Put the answer between ### BEGIN SOLUTION and ### END SOLUTION"
        yield cell, "the exercise has no solution region", mend
    error = _syntax_error(cell.released)
    if error:
        what = f"without its marked regions the cell is not valid Python ({error.msg})"
        yield cell, what, "Let whole statements stand between the markers"
    elif cell.kind == "exercise" and not cell.names:
        mend = "Define the graded function or class in this cell"
        yield cell, "the exercise defines no top-level name", mend
    elif cell.kind == "exercise" and not _defines(cell.released):
        mend = "Put the markers inside the function's body, below def and docstring"
        yield cell, "the solution region takes the def line away from students", mend


def _defines(code: str) -> bool:
    body = parse_code(code).body
    return any(not isinstance(n, ast.Import | ast.ImportFrom | ast.Expr | ast.Raise) for n in body)


def is_python(cell: Cell) -> bool:
    """Return whether a cell's code, if it has any, can be read."""
    return cell.cell_type != "code" or _syntax_error(cell.source) is None


def _syntax_error(code: str) -> SyntaxError | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            compile(parse_code(code), "<cell>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return error
    except ValueError as error:  # NUL bytes
        return SyntaxError(str(error))
    return None


def _setup_exists(source: Source) -> Iterator[Finding]:
    if not source.of_kind("setup"):
        mend = 'Add one with the imports: # %% tags=["setup"]'
        yield None, "there is no setup cell", mend
    if not source.of_kind("exercise"):
        yield None, "there is no exercise", 'Add one: # %% tags=["exercise", "id:rnn-step"]'


def _ids_are_unique(source: Source) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for cell in source.cells:
        if cell.grade_id and first.setdefault(cell.grade_id, cell.line) != cell.line:
            what = f"the id is taken already by the cell in line {first[cell.grade_id]}"
            yield cell, what, "Give the cell an id of its own"
    names = Counter(name for cell in source.of_kind("exercise") for name in _names(cell))
    for cell in source.of_kind("exercise"):
        for name in _names(cell):
            if names[name] > 1:
                mend = "Name the functions differently: the last one would replace the others"
                yield cell, f"{name} is defined in more than one exercise", mend


def _names(cell: Cell) -> tuple[str, ...]:
    return () if _syntax_error(cell.source) else cell.names


def _tests_match(source: Source) -> Iterator[Finding]:
    place = {cell.grade_id: number for number, cell in enumerate(source.cells)}
    exercises = {cell.grade_id for cell in source.of_kind("exercise")}
    for number, cell in enumerate(source.cells):
        if cell.kind != "test" or not cell.grade_id:
            continue
        exercise = exercise_of(cell.grade_id)
        if exercise not in exercises:
            mend = "Call it EXERCISE-test or EXERCISE-test-2, after an exercise of this file"
            yield cell, "the test belongs to no exercise", mend
        elif place[exercise] > number:
            yield cell, "the test comes before its exercise", "Move it below"


def _exercises_tested(source: Source) -> Iterator[Finding]:
    for cell in source.of_kind("exercise"):
        tests = source.tests_of(cell.grade_id)
        if cell.grade_id and not tests:
            mend = f'Add # %% tags=["test", "id:{cell.grade_id}-test", "points:N"]'
            yield cell, "the exercise has no test", mend
        elif any(test.points != 0 for test in tests) and not any(
            f"BEGIN {HIDDEN}" in test.source for test in tests
        ):
            mend = f"Add ### BEGIN HIDDEN TESTS ... ### END HIDDEN TESTS to {tests[0].grade_id}"
            yield cell, "the exercise has no hidden test", mend


def _points_add_up(source: Source) -> Iterator[Finding]:
    graded = [cell for cell in source.cells if cell.kind in GRADED_KINDS]
    if graded and all(cell.points is not None for cell in graded) and source.points != TOTAL_POINTS:
        more = TOTAL_POINTS - source.points
        mend = f"{'Add' if more > 0 else 'Take away'} {abs(more)} in the test and manual cells"
        yield None, f"the points add up to {source.points}, not {TOTAL_POINTS}", mend
