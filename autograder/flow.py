"""Where values go in a test: which names hold something that came from a random generator, say.

Statements are followed in their order; branches are both taken, loops twice. Nothing is run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

Node = ast.AST
LOOPS = (ast.For, ast.AsyncFor, ast.While)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


def dotted(node: Node) -> str:
    """Return the name that a node spells, like "np.random.seed", or "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def called(node: Node) -> str:
    """Return the dotted name that a call calls, or "" for anything else."""
    return dotted(node.func) if isinstance(node, ast.Call) else ""


class Flow:
    """The names that carry something, where ``begins`` says which nodes it comes from.

    What ``ends`` names carries nothing, whatever is inside: the length of a secret is no secret.
    """

    def __init__(
        self,
        begins: Callable[[Node], bool],
        ends: Callable[[Node], bool] = lambda node: False,
    ) -> None:
        self.begins, self.ends = begins, ends
        self.names: set[str] = set()

    def carries(self, node: Node | None) -> bool:
        """Return whether an expression holds something of it."""
        if node is None or self.ends(node):
            return False
        if self.begins(node) or (isinstance(node, ast.Name) and node.id in self.names):
            return True
        if isinstance(node, ast.IfExp):
            return self.carries(node.body) or self.carries(node.orelse)
        if isinstance(node, COMPREHENSIONS):
            return self._comprehension(node)
        return any(self.carries(child) for child in ast.iter_child_nodes(node))

    def follow(self, body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        """Yield each statement, the inner ones too, before what it binds is noted."""
        for statement in body:
            yield statement
            self._note(statement)
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from self._inside(statement)
                continue
            for _ in range(2 if isinstance(statement, LOOPS) else 1):
                for field in ("body", "orelse", "handlers", "finalbody"):
                    yield from self.follow(_statements(getattr(statement, field, [])))

    def _inside(self, definition: ast.stmt) -> Iterator[ast.stmt]:
        """Follow a function's body; the names bound there stay there."""
        outside = set(self.names)
        yield from self.follow(definition.body)  # type: ignore[attr-defined]
        self.names = outside

    def _comprehension(self, node: Node) -> bool:
        outside = set(self.names)
        for loop in node.generators:  # type: ignore[attr-defined]
            self._loop(loop.target, loop.iter, node)
        result = self.carries(getattr(node, "elt", None) or node.value)  # type: ignore[attr-defined]
        self.names = outside
        return result

    def _note(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            fresh = not isinstance(statement, ast.AugAssign)
            for target in targets:
                self._bind(target, self.carries(statement.value), fresh)
        elif isinstance(statement, ast.For | ast.AsyncFor):
            self._loop(statement.target, statement.iter, statement)
        elif isinstance(statement, ast.With | ast.AsyncWith):
            for item in statement.items:
                if item.optional_vars is not None:
                    self._bind(item.optional_vars, self.carries(item.context_expr), True)
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if any(self.carries(inner) for inner in statement.body):
                self.names.add(statement.name)  # what it returns may carry it
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            changes = self.carries(statement.value.func)  # rng.shuffle(x) changes x
            for argument in statement.value.args if changes else ():
                self._bind(argument, True, False)

    def _loop(self, target: Node, over: Node, loop: Node) -> None:
        """Note what a loop binds: of each part of the target, whether what it runs over carries.

        What is used as a key, as in ``grads[name]``, is a name and not a value.
        """
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        sources = _columns(over, len(parts)) if isinstance(target, ast.Tuple) else [[over]]
        for part, column in zip(parts, sources, strict=True):
            key = isinstance(part, ast.Name) and _is_key(part.id, loop)
            self._bind(part, not key and any(self.carries(each) for each in column), True)

    def _bind(self, target: Node, carries: bool, fresh: bool) -> None:
        """Note that a target carries; one that is bound afresh and does not, is forgotten."""
        if isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                self._bind(element, carries, fresh)
        elif isinstance(target, ast.Starred | ast.Subscript | ast.Attribute):
            self._bind(target.value, carries, isinstance(target, ast.Starred) and fresh)
        elif isinstance(target, ast.Name) and carries:
            self.names.add(target.id)
        elif isinstance(target, ast.Name) and fresh:
            self.names.discard(target.id)


def _columns(over: Node, width: int) -> list[list[Node]]:
    """Return what each of the ``width`` values comes from that a loop over ``over`` binds."""
    if isinstance(over, ast.Tuple | ast.List) and over.elts:
        rows = [row.elts for row in over.elts if isinstance(row, ast.Tuple | ast.List)]
        if len(rows) == len(over.elts) and all(len(row) == width for row in rows):
            return [list(column) for column in zip(*rows, strict=True)]
    if isinstance(over, ast.Call) and called(over) == "zip" and len(over.args) == width:
        return [[argument] for argument in over.args]
    if isinstance(over, ast.Call) and called(over) == "enumerate" and width == 2:
        return [[], list(over.args)]
    items = isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute)
    if items and over.func.attr == "items" and width == 2:  # type: ignore[attr-defined]
        return [[], [over]]
    return [[over]] * width


def _is_key(name: str, loop: Node) -> bool:
    slices = (node.slice for node in ast.walk(loop) if isinstance(node, ast.Subscript))
    return any(isinstance(each, ast.Name) and each.id == name for each in slices)


def _statements(nodes: Sequence[Node]) -> list[ast.stmt]:
    """Return the statements of a block; of exception handlers, their bodies' statements."""
    found: list[ast.stmt] = []
    for node in nodes:
        found += node.body if isinstance(node, ast.ExceptHandler) else []
        found += [node] if isinstance(node, ast.stmt) else []
    return found
