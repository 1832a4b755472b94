"""What makes an exercise bad although it builds; each rule reads a source and runs nothing.

`autograder.rules` holds what makes an exercise unusable: it is refused there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autograder.flow import Flow, Node, called, dotted
from autograder.lint_cells import (
    functions,
    helpers_of,
    hidden_lines,
    is_check,
    names_used,
    parts,
    walk,
)
from autograder.source import Cell, Source, parse_code

WHY = {
    "source": "the exercise cannot be built like this",
    "uncovered": "whoever sees the visible tests can write a function that knows their answers",
    "visible": "a student would hand in without knowing whether it works",
    "no-check": "a test that cannot fail gives points for anything",
    "golden": "another version of the generator's library draws other numbers, and everyone fails",
    "clock": "a busy machine fails good work, a fast one passes bad work",
    "leak": "messages of hidden tests reach students, and hidden inputs with them",
    "bank": "known answers are the only evidence that the tests judge as they should",
    "unfailed": "nothing shows that this test can tell a wrong answer from a right one",
}
CLOCKS = {"perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "process_time"}
CLOCKS |= {"process_time_ns", "thread_time", "timeit", "default_timer"}
SEEDS = {"np.random.seed", "numpy.random.seed", "random.seed", "torch.manual_seed"}
DRAWS = ("np.random.", "numpy.random.", "random.", "torch.rand", "torch.normal", "torch.bernoulli")
GENERATORS = {"default_rng", "RandomState", "manual_seed", "multinomial"}
# Calls that look at their argument as it is, so that a number in there is compared as it stands.
LOOKS = {"array", "asarray", "tensor", "abs", "allclose", "isclose", "approx", "all", "any", "max"}
SAFE_ATTRIBUTES = {"shape", "ndim", "dtype", "size", "device", "__name__"}
SAFE_CALLS = {"len", "type", "isinstance"}
EXACT = 1024  # a multiple of 1/1024 was worked out by hand, not drawn


@dataclass(frozen=True)
class Finding:
    """One thing to look at: which rule, where (``line`` to ``last``), what it is, and the mend."""

    rule: str
    path: Path
    line: int
    cell: str
    what: str
    mend: str
    last: int = field(default=0, compare=False)

    @property
    def why(self) -> str:
        return WHY[self.rule]

    def __str__(self) -> str:
        head = f"{self.path}:{self.line}: cell {self.cell}: {self.what} [{self.rule}]"
        return f"{head}\n    why: {self.why}.\n    mend: {self.mend}."


def check_exercise(source: Source) -> list[Finding]:
    """Return everything that the rules find in a source whose cells are valid Python."""
    found = [finding for rule in RULES for finding in rule(source)]
    return sorted(set(found), key=lambda finding: (finding.line, finding.rule))


def about(rule: str, source: Source, cell: Cell, what: str, mend: str) -> Finding:
    """Return a finding about a whole cell."""
    last = cell.line + cell.source.count("\n") + 1
    return Finding(rule, source.path, cell.line, cell.label, what, mend, last)


def _at(
    rule: str, source: Source, cell: Cell, statement: ast.stmt, what: str, mend: str
) -> Finding:
    first = cell.line + statement.lineno
    last = cell.line + (statement.end_lineno or statement.lineno)
    return Finding(rule, source.path, first, cell.label, what, mend, last)


def uncovered(source: Source) -> Iterator[Finding]:
    """Every function that earns points is called by a hidden test."""
    used = {"visible": set[str](), "hidden": set[str]()}
    for test in source.of_kind("test"):
        for part, statements in parts(test).items():
            used[part] |= names_used(statements, helpers_of(source, test))
    for cell in source.of_kind("exercise"):
        tests = source.tests_of(cell.grade_id)
        graded = any(test.points for test in tests)
        for node in functions(cell) if tests else ():
            name = node.name  # type: ignore[attr-defined]
            if graded and name not in used["hidden"]:
                mend = f"Call it between ### BEGIN HIDDEN TESTS and ### END of {tests[0].label}"
                yield _at("uncovered", source, cell, node, f"no hidden test calls {name}", mend)
            if name not in used["visible"]:
                mend = f"Show one worked number of it at the top of {tests[0].label}"
                yield _at("visible", source, cell, node, f"no visible test calls {name}", mend)


def no_check(source: Source) -> Iterator[Finding]:
    """Every part of a test checks something, and no assertion is true whatever happens."""
    for test in source.of_kind("test"):
        helpers = helpers_of(source, test)
        checking = {n for n, node in helpers.items() if any(map(is_check, _all(node)))}
        for part, statements in parts(test).items():
            direct = any(is_check(s) for statement in statements for s in _all(statement))
            if statements and not direct and not names_used(statements, helpers) & checking:
                what = f"the {part} part checks nothing"
                mend = "Compare what the function returns, with check_close for instance"
                yield _at("no-check", source, test, statements[0], what, mend)
            for statement in (s for each in statements for s in _all(each)):
                if isinstance(statement, ast.Assert) and _always_true(statement.test):
                    what, mend = "this assertion is always true", "Assert what could be false"
                    yield _at("no-check", source, test, statement, what, mend)


def _all(node: Node) -> Iterator[ast.stmt]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.stmt))


def _always_true(test: ast.expr) -> bool:
    if isinstance(test, ast.Tuple):
        return bool(test.elts)
    return isinstance(test, ast.Constant) and bool(test.value)


class Randomness:
    """Recognises what comes from a generator; after a global seed, that may be any call."""

    def __init__(self) -> None:
        self.seeded = False

    def notice(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Expr) and called(statement.value) in SEEDS:
            self.seeded = True

    def __call__(self, node: Node) -> bool:
        if not isinstance(node, ast.Call):
            return False
        return self.seeded or called(node).startswith(DRAWS) or _last(node) in GENERATORS


def _last(call: ast.Call) -> str:
    """Return the last part of a called name, also of a method of any expression."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)


def golden(source: Source) -> Iterator[Finding]:
    """No check compares something drawn with numbers that somebody printed and pasted."""
    randomness = Randomness()
    flow, pasted, here = Flow(randomness), set[str](), ""
    for cell, statement in walk(source, flow):
        if cell.grade_id != here:
            here, randomness.seeded, pasted = cell.grade_id, False, set()
        randomness.notice(statement)
        if isinstance(statement, ast.Assign) and _pasted(statement.value, pasted):
            pasted |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
        subject = statement.test if isinstance(statement, ast.Assert) else statement
        if is_check(statement) and flow.carries(subject) and _pasted(subject, pasted):
            what = "numbers drawn from a generator are compared with numbers written down"
            mend = "Compute the expected values in the test, from the equation or with torch"
            yield _at("golden", source, cell, statement, what, mend)


def _pasted(node: Node, names: set[str]) -> bool:
    """Return whether an expression shows numbers nobody would work out by hand, as they are."""
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, float) or (node.value * EXACT).is_integer():
            return False
        digits = f"{node.value:.12e}".split("e")[0].replace(".", "").rstrip("0")
        return len(digits) >= 4
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Call):
        checks = is_check(ast.Expr(node))
        inner = node.args if checks or _last(node) in LOOKS else []
        return any(_pasted(argument, names) for argument in inner)
    return any(_pasted(child, names) for child in ast.iter_child_nodes(node))


def clock(source: Source) -> Iterator[Finding]:
    """No check depends on how long something took."""

    def ticks(node: Node) -> bool:
        if not isinstance(node, ast.Call):
            return False
        return _last(node) in CLOCKS or called(node).endswith(("time.time", "datetime.now"))

    flow = Flow(ticks)
    for cell, statement in walk(source, flow):
        subject = statement.test if isinstance(statement, ast.Assert) else statement
        if is_check(statement) and flow.carries(subject):
            mend = "Count operations or calls instead, or compare results; the time limit stops"
            what = "this check depends on the time that something took"
            yield _at("clock", source, cell, statement, what, f"{mend} what is far too slow")


def leak(source: Source) -> Iterator[Finding]:
    """No message of a hidden test holds an array, a drawn value, or what was computed of them."""
    graded = {name for cell in source.of_kind("exercise") for name in cell.names}
    randomness = Randomness()

    def secret(node: Node) -> bool:
        made = called(node).startswith(("np.", "torch.", "numpy."))
        return made or randomness(node)

    def safe(node: Node) -> bool:
        if isinstance(node, ast.Attribute):
            return node.attr in SAFE_ATTRIBUTES
        if isinstance(node, ast.Compare):
            return True
        if isinstance(node, ast.Name):
            return node.id in sizes
        name = called(node)  # what the student's function returns is the student's to see
        return name in SAFE_CALLS or name.split(".")[0] in graded

    sizes = {name for cell in source.of_kind("test") for name in _sizes(parse_code(cell.source))}
    flow = Flow(secret, safe)
    for cell, statement in walk(source, flow):
        if cell.kind != "test" or statement.lineno not in hidden_lines(cell):
            continue
        if any(flow.carries(message) for message in _messages(statement)):
            mend = "Say what is wrong and in which case, with shapes and not with values"
            what = "the message of a hidden test shows values"
            yield _at("leak", source, cell, statement, what, mend)


def _sizes(tree: Node) -> Iterator[str]:
    """Yield the names that say how many of something there are."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            sizes = [k.value for k in node.keywords if k.arg in ("size", "shape")]
            sizes += node.args if called(node) == "range" else []
            yield from (each.id for each in sizes if isinstance(each, ast.Name))


def _messages(statement: ast.stmt) -> Iterator[Node]:
    """Yield what students would read of a statement: messages, names in checks, prints."""
    if isinstance(statement, ast.Assert) and statement.msg is not None:
        yield statement.msg
    elif isinstance(statement, ast.Raise) and isinstance(statement.exc, ast.Call):
        yield from statement.exc.args
    elif isinstance(statement, ast.Expr) and called(statement.value) == "print":
        yield from statement.value.args  # type: ignore[attr-defined]
    elif is_check(statement):
        for node in ast.walk(statement):
            formats = isinstance(node, ast.Call) and _last(node) == "format"
            if isinstance(node, ast.JoinedStr) or formats:
                yield node


RULES = (uncovered, no_check, golden, clock, leak)
