"""Remote calls: a function in another process behaves as if it were here, but is never believed."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from autograder.examiner import ExaminerEndpoint
from autograder.remote import Endpoint, RemoteObject
from autograder.remote_errors import RemoteError, rebuilt
from autograder.wire import Channel, WireError


class Model(torch.nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(n, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.w


class OwnError(KeyError):
    pass


def raises(kind: str) -> None:
    raise {"value": ValueError("bad value"), "own": OwnError("own")}[kind]


def in_place(x: Any) -> None:
    x[...] = 0


STUDENT: dict[str, Any] = {
    "double": lambda x: 2 * x,
    "apply": lambda f, x: f(f(x)),
    "adder": lambda n: lambda x: x + n,
    "raises": raises,
    "in_place": in_place,
    "count": lambda: iter(range(10**9)),
    "draw": lambda rng: rng.random(),
    "Model": Model,
    "nothing": lambda *a, **k: None,
}


@pytest.fixture
def student() -> Iterator[Any]:
    """Returns a proxy for one of the student's names, as a test cell sees it."""
    ours, theirs = socket.socketpair()
    examiner = ExaminerEndpoint(Channel(ours))
    candidate = Endpoint(Channel(theirs), dict(STUDENT))
    thread = threading.Thread(target=candidate.serve, daemon=True)
    thread.start()
    yield lambda name: RemoteObject(examiner, name, "function", name)
    ours.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    ours.close()
    theirs.close()


def test_a_call_returns_data(student: Any) -> None:
    np.testing.assert_array_equal(student("double")(np.arange(3)), [0, 2, 4])


def test_a_callback_runs_where_it_was_born(student: Any) -> None:
    seen = []

    def grow(x: int) -> int:
        seen.append(threading.current_thread())
        return x + 1

    assert student("apply")(grow, 1) == 3
    assert seen == [threading.current_thread()] * 2


def test_a_students_function_can_be_passed_back(student: Any) -> None:
    assert student("apply")(student("double"), 3) == 12


def test_a_returned_function_is_callable(student: Any) -> None:
    assert student("adder")(5)(1) == 6


def test_builtin_exceptions_keep_their_type_and_others_their_nearest(student: Any) -> None:
    with pytest.raises(ValueError, match="bad value"):
        student("raises")("value")
    with pytest.raises(KeyError):
        student("raises")("own")


def test_a_name_that_is_not_there_is_a_name_error(student: Any) -> None:
    with pytest.raises(NameError, match="absent"):
        student("absent")(1)


def test_gradients_flow_through_a_call(student: Any) -> None:
    x = torch.arange(4.0, dtype=torch.float64, requires_grad=True)
    (student("double")(x * x)).sum().backward()
    assert torch.equal(x.grad, 4 * x.detach())


def test_gradients_reach_a_models_parameters(student: Any) -> None:
    model = student("Model")(3)
    x = torch.ones(2, 3, dtype=torch.float64)
    model(x).sum().backward()
    assert torch.equal(model.w.grad, torch.full((3,), 2.0, dtype=torch.float64))
    assert set(model.state_dict()) == {"w"}
    model.load_state_dict({"w": torch.zeros(3, dtype=torch.float64)})
    assert not model(x).any()


def test_no_graph_is_kept_without_grad(student: Any) -> None:
    x = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        assert not student("double")(x).requires_grad


def test_an_infinite_iterator_is_read_lazily(student: Any) -> None:
    iterator = iter(student("count")())
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    "value",
    [np.ones(4), np.arange(4), np.array([True]), torch.ones(3), torch.arange(3)],
    ids=["floats", "integers", "booleans", "tensor", "integer tensor"],
)
def test_a_change_in_place_is_seen_but_its_content_is_not_believed(
    student: Any, value: Any
) -> None:
    before = value.clone() if isinstance(value, torch.Tensor) else value.copy()
    student("in_place")(value)
    assert not (value == before).all()
    if value.dtype in (np.float64, np.int64, torch.float32, torch.int64):
        assert not (value == 0).all()


def test_an_unchanged_argument_stays_as_it_was(student: Any) -> None:
    x = np.random.default_rng(0).normal(size=3)
    before = x.copy()
    student("double")(x)
    np.testing.assert_array_equal(x, before)


def test_a_generator_moves_on_when_it_was_drawn_from(student: Any) -> None:
    ours, same = np.random.default_rng(1), np.random.default_rng(1)
    assert student("draw")(ours) == same.random()
    assert ours.random() != np.random.default_rng(1).random()


def test_the_candidate_may_call_only_what_it_was_given() -> None:
    ours, theirs = socket.socketpair()
    examiner = ExaminerEndpoint(Channel(ours))
    for verb in ("getattr", "fetch", "len", "getitem", "iter", "next"):
        with pytest.raises(WireError):
            examiner._answer(verb, 1, "x")
    with pytest.raises((WireError, NameError)):
        examiner._answer("call", "eval", ["1"], {})
    with pytest.raises(WireError):
        examiner._answer("call", 1234, ["1"], {})
    ours.close()
    theirs.close()


def test_an_object_is_neither_true_nor_a_number(student: Any) -> None:
    model = student("Model")(2)
    with pytest.raises(TypeError):
        bool(model)
    with pytest.raises(TypeError):
        np.testing.assert_allclose(model, 1.0)
    assert model != 1


def test_what_is_not_data_cannot_be_sent_to_the_student(student: Any) -> None:
    with pytest.raises(WireError, match="is not data"):
        student("nothing")(object())


def test_unknown_exceptions_arrive_as_remote_errors() -> None:
    error = rebuilt({"types": ["BaseException"], "name": "Odd", "message": "m"})
    assert isinstance(error, RemoteError) and "Odd" in str(error)
    with pytest.raises(WireError):
        rebuilt({"types": None})
