"""The examiner believes values that it compares itself, and nothing that it is told."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from autograder.examiner import Examiner
from autograder.remote import Endpoint
from autograder.verdicts import Verdict
from autograder.wire import Channel

Run = Callable[..., Verdict]


class Liar(Endpoint):
    """A student's side that says of every call that it changed every argument."""

    def _prints(self, args: list, kwargs: dict) -> dict:
        return {key: object() for key in [*range(len(args)), *kwargs]}


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs a test cell against student's functions: run(source, liar, name=function)."""
    sockets: list[socket.socket] = []

    def start(source: str, liar: bool = False, **names: Any) -> Verdict:
        ours, theirs = socket.socketpair()
        sockets.extend((ours, theirs))
        side = (Liar if liar else Endpoint)(Channel(theirs), names)
        threading.Thread(target=side.serve, daemon=True).start()
        examiner = Examiner(ours)
        examiner.setup("import numpy as np")
        examiner.bind(list(names), [])
        return examiner.test("x-test", source)

    yield start
    for each in sockets:
        each.close()


COUNTS = "words = ['a', 'b', 'c']\nn = count(words)\nassert n == len(words), 'count: wrong'"
MASK = "m = np.ones(3, bool)\nn = count(m)\nassert n == m.sum(), 'count: wrong'"


@pytest.mark.parametrize(("source", "guess"), [(COUNTS, 1), (MASK, 0)])
def test_a_lie_about_a_change_in_place_gains_nothing(run: Run, source: str, guess: int) -> None:
    # the expectation is made after the call, from an argument that the lie would have changed
    verdict = run(source, liar=True, count=lambda words: guess)
    assert (verdict.status, verdict.message) == ("failed", "count: wrong")
    assert run(source, count=lambda values: int(sum(map(bool, values)))).status == "passed"


def test_a_true_change_in_place_is_seen_where_a_test_looks_for_it(run: Run) -> None:
    source = (
        "x = np.ones(3)\nbefore = x.copy()\ntotal = add(x)\n"
        "assert total == 6\nassert (x == before).all(), 'add: changed its argument'"
    )

    def in_place(x: Any) -> float:
        x += 1
        return float(x.sum())

    assert run(source, add=in_place).message == "add: changed its argument"
    assert run(source, add=lambda x: float((x + 1).sum())).status == "passed"


def test_the_end_of_the_other_side_is_no_exception_a_test_could_expect(run: Run) -> None:
    source = "try:\n    f()\nexcept Exception:\n    pass\nassert True"

    def leave() -> None:
        raise Leaving

    class Leaving(BaseException):
        pass

    assert run(source, f=lambda: 1 / 0).status == "passed"
    assert run(source, f=leave).status == "passed"  # it did raise, whatever it was
    source = source.replace("f()", "f(lambda: 0)")
    verdict = run(source, f=lambda g: g._endpoint.channel.stream.close())
    assert verdict.status == "killed"


def test_a_students_connection_error_is_theirs_and_not_the_grader_s(run: Run) -> None:
    def fail() -> None:
        raise EOFError("EOF when reading a line")

    verdict = run("f()", f=fail)
    assert (verdict.status, verdict.error) == ("error", "EOFError")


def test_a_failing_callback_tells_its_author_s_words_and_nothing_else(run: Run) -> None:
    told = []

    def ask(f: Any) -> int:
        for argument in (1, "text"):
            try:
                f(argument)
            except Exception as error:
                told.append((type(error), str(error), error.student_traceback))  # type: ignore[attr-defined]
        return 0

    source = (
        "def f(x):\n    assert x != 1, 'f: not 1'\n    return {'secret': 2}[x]\nassert ask(f) == 0"
    )
    assert run(source, ask=ask).status == "passed"
    assert told == [(AssertionError, "f: not 1", ""), (KeyError, "''", "")]


def test_a_tensor_takes_no_gathered_gradient_along(run: Run) -> None:
    source = (
        "import torch\nx = torch.ones(2, requires_grad=True)\n(3 * x).sum().backward()\n"
        "assert look(x) == 'none', 'look: saw the gradient'"
    )
    look = lambda x: "none" if x.grad is None else "some"  # noqa: E731
    assert run(source, look=look).status == "passed"


def test_a_test_that_asks_for_nothing_earns_nothing(run: Run) -> None:
    verdict = run("assert True", f=len)
    assert (verdict.status, verdict.earned) == ("passed", False)
