"""The checks accept what is right, and say what, where and what next when it is wrong."""

import re

import numpy as np
import pytest
import torch

from unrolled.checks import (
    check_close,
    check_gradient,
    check_raises,
    check_shape,
    check_unchanged,
)

RIGHT = np.arange(1.0, 25.0).reshape(2, 3, 4) ** 1.5


def message(*args, check=check_close, **kwargs):
    """Return what a check says about a wrong value; fail when it says nothing."""
    with pytest.raises(AssertionError) as caught:
        check(*args, **kwargs)
    return str(caught.value)


class Liar(np.ndarray):
    """An array that claims to equal everything."""

    def __eq__(self, other):
        return np.ones(self.shape, bool)

    def __sub__(self, other):
        return np.zeros(self.shape)


class LyingFloat(np.float64):
    """A number that claims to equal everything."""

    def __eq__(self, other):
        return True


class LyingTensor(torch.Tensor):
    """A tensor of another type."""


class Object:
    """Something with a shape and a dtype that is no array."""

    shape, dtype = (2, 3, 4), np.dtype(float)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (RIGHT.copy(), RIGHT),
        (RIGHT * (1 + 1e-9), RIGHT),
        (1.5, 1.5),
        (2, 2.0),
        (np.float32(0.5), 0.5),
        (np.array(1.5), 1.5),
        (1.5, np.array(1.5)),
        (np.float64(1.5), np.array(1.5)),
        (torch.tensor(1.5), 1.5),
        (torch.tensor(RIGHT), torch.tensor(RIGHT)),
        (torch.nn.Parameter(torch.tensor(RIGHT)), torch.tensor(RIGHT)),
        (torch.tensor([1.0, 2.0]).bfloat16(), torch.tensor([1.0, 2.0]).bfloat16()),
        (np.array([1, 2]), np.array([1, 2])),
        (np.array([True, False]), np.array([True, False])),
        (True, True),
        (np.bool_(False), False),
        (np.array([np.nan, np.inf, -np.inf]), np.array([np.nan, np.inf, -np.inf])),
        ({"a": RIGHT, "b": (1, [2.0])}, {"b": (1, [2.0]), "a": RIGHT}),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_right_value_is_accepted(actual, expected):
    """Numbers, arrays, tensors and nested dicts, lists and tuples of them may be right."""
    check_close(actual, expected, "f")


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        (None, RIGHT, "f: expected a numpy array, got None. Is the return statement missing?"),
        ((RIGHT, 1), RIGHT, "f: expected a numpy array, got tuple of length 2. See how many"),
        (RIGHT.tolist(), RIGHT, "f: expected a numpy array, got list of length 2."),
        (RIGHT.view(Liar), RIGHT, "f: expected a numpy array, got Liar of shape (2, 3, 4)"),
        (Object(), RIGHT, "f: expected a numpy array, got Object"),
        (np.ma.masked_array(RIGHT), RIGHT, "f: expected a numpy array, got MaskedArray"),
        (torch.tensor(RIGHT), RIGHT, "f: expected a numpy array, got Tensor"),
        (RIGHT, torch.tensor(RIGHT), "f: expected a torch tensor, got ndarray"),
        (torch.ones(2).as_subclass(LyingTensor), torch.ones(2), "a torch tensor, got LyingTensor"),
        (LyingFloat(3), 1.5, "f: expected a number, got LyingFloat"),
        (np.ones(3), 1.5, "f: expected a number, got ndarray of shape (3,)"),
        (np.ones(1), 1.5, "Which axes are still to be summed or averaged?"),
        (True, 1.0, "f: expected a number, got bool"),
        ("1.5", 1.5, "f: expected a number, got str"),
        (1, True, "f: expected True or False, got int"),
        (print, 1.5, "Is the call missing its parentheses?"),
        (1j, 1.5, "f: expected a number, got complex"),
        (np.complex128(1), 1.5, "f: expected real numbers, got dtype complex128"),
        (RIGHT.astype(complex), RIGHT, "f: expected dtype float64, got complex128"),
        (RIGHT.astype(object), RIGHT, "f: expected dtype float64, got object"),
        (RIGHT.astype(np.float32), RIGHT, "f: expected dtype float64, got float32"),
        (np.array([1, 2]), np.array([1.0, 2.0]), "f: expected dtype float64, got int64"),
        (np.array([1, 0]), np.array([True, False]), "f: expected dtype bool, got int64"),
        (torch.ones(2), torch.ones(2).double(), "f: expected dtype torch.float64, got torch.float"),
        (torch.ones(2, device="meta"), torch.ones(2), "f: expected it on cpu, got meta"),
        ([RIGHT], (RIGHT,), "f: expected a tuple, got list of length 1"),
        ((RIGHT,), (RIGHT, RIGHT), "f: expected 2 results, got 1"),
        ({"b": 1}, {"a": 1}, "f: the keys ['a'] are missing. It has ['b']."),
        ({}, {"a": 1}, "f: the keys ['a'] are missing. It is empty."),
        ({"a": 1, "b": 1}, {"a": 1}, "f: the keys ['b'] do not belong here."),
        (
            {"a": (1, RIGHT[0])},
            {"a": (1, RIGHT)},
            "f['a'][1]: expected shape (2, 3, 4), got (3, 4)",
        ),
    ],
)
def test_wrong_kind_is_described(actual, expected, said):
    """Type, number of results, keys, shape, dtype and device come before values."""
    assert said in message(actual, expected, "f")


@pytest.mark.parametrize("wrong", [RIGHT.view(Liar) * 0, torch.tensor([np.nan]), LyingFloat(2)])
def test_lying_equality_is_never_asked(wrong):
    """A value whose own operators lie is refused whatever it is compared with."""
    for expected in (RIGHT, 1.5, torch.ones(1).double()):
        assert message(wrong, expected, "f")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (-RIGHT, "The sign is flipped everywhere"),
        (6 * RIGHT, "It is 6 times too large everywhere: sum or mean"),
        (RIGHT / 3, "It is 3 times too small everywhere"),
        (-2 * RIGHT, "2 times too large everywhere and its sign is flipped"),
        (np.zeros_like(RIGHT), "It is zero everywhere"),
        (np.flip(RIGHT, 1), "The order along axis T is reversed"),
        (RIGHT.astype(np.float32).astype(float), "It is nearly right: float32 somewhere"),
        (RIGHT + (np.arange(3) < 2)[:, None], "Along axis T it is right at 2 and wrong at 0-1."),
        (RIGHT + np.array([0, 1, 0, 1]), "Along axis H it is right at 0, 2 and wrong at 1, 3."),
        (RIGHT + np.random.default_rng(0).normal(size=(2, 3, 4)), "one factor at a time"),
    ],
)
def test_familiar_mistakes_are_recognised(wrong, said):
    """What was done to the right answer is said, where it can be told from the values."""
    text = message(wrong, RIGHT, "f", axes="B T H", rtol=1e-9)
    assert said in text
    assert "off by up to" in text


def test_transpose_of_a_square_matrix_is_recognised():
    """A square transpose has the right shape; the message names it."""
    assert "It is the transpose" in message(RIGHT[0, :, :3].T, RIGHT[0, :, :3], "f")


def test_first_worst_entry_is_located_by_axis_names():
    """The place of the largest error is given in the letters of the axes."""
    wrong = RIGHT.copy()
    wrong[1, 0, 2] += 0.5
    text = message(wrong, RIGHT, "f", axes="B T H")
    assert text.startswith("f: 1 of 24 entries is wrong, off by up to 0.5 at [b=1, t=0, h=2].")
    assert "at [1, 0, 2]" in message(wrong, RIGHT, "f")


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (np.inf, "infinite")])
def test_not_finite_is_reported_before_sizes(value, kind):
    """NaN and infinity are named, counted and located."""
    wrong = RIGHT.copy()
    wrong[0, 1, :2] = value
    said = f"f: 2 of 24 entries are {kind}, the first at [b=0, t=1, h=0]. Look for exp"
    assert message(wrong, RIGHT, "f", axes="B T H").startswith(said)


def test_missing_infinity_is_wrong():
    """A large number does not pass for a masked minus infinity."""
    assert message(np.array([0.0, -1e30]), np.array([0.0, -np.inf]), "f")


def test_boolean_mistakes_are_counted():
    """Wrong entries of a mask are counted and located."""
    text = message(np.array([True, True]), np.array([True, False]), "f", axes="T")
    assert text == "f: 1 of 2 entries is wrong, the first at [t=1]."


def test_author_hint_comes_first():
    """A hint whose wrong value matches replaces the automatic ones; others are silent."""
    hints = {"No.": 3 * RIGHT, "The output is negated.": -RIGHT}
    text = message(-RIGHT, RIGHT, "f", hints=hints)
    assert text.endswith("The output is negated.")
    assert "sign" not in text


def test_hints_reach_into_dicts():
    """A hint for one entry of a dict explains that entry and no other."""
    right, hints = {"W": RIGHT, "b": RIGHT[0]}, {"= instead of +=": {"b": 5 * RIGHT[0] + 1}}
    wrong = right | {"b": 5 * RIGHT[0] + 1}
    assert message(wrong, right, "grads", hints=hints).endswith("= instead of +=")
    assert message(right | {"W": 1 - RIGHT}, right, "grads", hints=hints).startswith("grads['W']")


def test_expected_values_are_never_printed():
    """No message contains an expected value, at any precision that would give it away."""
    expected = np.array([[0.7361, -12.4823], [83.5127, 4.0699]])
    digits = [f"{abs(v):.2f}"[:4] for v in expected.ravel()]
    wrongs = [expected + 1e3, -expected, expected.T, 2 * expected, 0 * expected, expected * np.nan]
    for wrong in [*wrongs, expected[0], expected.astype(np.float32), None, [expected]]:
        text = message(wrong, expected, "f", axes="B H")
        assert not any(d in text for d in digits), text


def test_numbers_are_compared_with_tolerance():
    """rtol and atol mean what they mean in numpy."""
    check_close(1.0 + 1e-4, 1.0, "f", rtol=1e-3)
    check_close(1e-4, 0.0, "f", atol=1e-3)
    assert message(1.0 + 1e-4, 1.0, "f") == (
        "f: the value is off by about 0.0001. It is nearly right: float32 somewhere, "
        "a finite difference, or a stray epsilon?"
    )


def test_uncomparable_expectation_is_the_authors_mistake():
    """An expected value of another kind is a TypeError, not a student's failure."""
    with pytest.raises(TypeError, match="cannot compare"):
        check_close("a", "a", "f")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((4, 2), "f: expected shape (B=2, H=4), got (4, 2). The same sizes in another order"),
        ((2, 1, 4), "They differ by an axis of size 1"),
        ((3, 2, 4), "One axis too many"),
        ((4,), "One axis too few"),
        ((2, 5), "Write its shape beside every factor"),
    ],
)
def test_wrong_shape_says_what_may_have_happened(shape, said):
    """The message names the axes and the likely reason, for arrays and tensors alike."""
    for value in (np.zeros(shape), torch.zeros(shape)):
        assert said in message(value, (2, 4), "f", check=check_shape, axes="B H")


def test_right_shape_is_accepted():
    """check_shape looks at nothing but the shape."""
    check_shape(np.zeros((2, 4), dtype=int), (2, 4), "f")
    check_shape(torch.zeros(2, 4), (2, 4), "f", axes="B H")
    assert "expected an array, got float" in message(1.0, (2, 4), "f", check=check_shape)


def test_unchanged_compares_to_the_last_bit():
    """NaN equals NaN; the smallest change is a change, and a dict names the argument."""
    x = np.array([1.0, np.nan])
    check_unchanged(x.copy(), x, "f: x")
    check_unchanged(torch.ones(3), torch.ones(3), "f: x")
    y = x.copy()
    y[0] = np.nextafter(1.0, 2.0)
    assert message(x, y, "f", check=check_unchanged).startswith("f was modified, and the caller")
    nested = {"params": {"W": x}}, {"params": {"W": y}}
    assert message(*nested, "f", check=check_unchanged).startswith("f: params['W'] was modified")


def raises_value_error(x):
    raise ValueError("no")


def test_raises_accepts_the_exception_and_its_subclasses():
    """The function's exception may be of a subclass."""
    check_raises(ValueError, raises_value_error, 1)
    check_raises(LookupError, {}.__getitem__, 1)


def test_raises_says_what_happened_instead():
    """Returning and raising something else are told apart, and the case is named."""
    text = message(ValueError, abs, 1, check=check_raises, when="x is odd")
    assert text.startswith("abs: expected ValueError when x is odd, but it returned.")
    text = message(KeyError, raises_value_error, 1, check=check_raises)
    assert text.startswith("raises_value_error: expected KeyError, got ValueError.")


def test_missing_answer_is_not_a_wrong_exception():
    """A stub's NotImplementedError passes through, so that it reads as not done yet."""

    def stub():
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        check_raises(ValueError, stub)


W = np.random.default_rng(1).normal(size=(3, 4))


def loss(w):
    """A loss with curvature in every direction and coupled entries."""
    return (np.tanh(w @ w.T)).sum() + np.exp(0.1 * w).sum()


def gradient(w):
    slope = 1 - np.tanh(w @ w.T) ** 2
    return (slope + slope.T) @ w + 0.1 * np.exp(0.1 * w)


def test_gradient_is_measured_precisely():
    """The measured gradient agrees with the exact one to far below the tolerance."""
    check_gradient(gradient(W), loss, W, "f", rtol=1e-9, atol=1e-10)


def test_wrong_gradient_is_diagnosed():
    """A wrong gradient gets the automatic diagnosis, and x is left alone."""
    before = W.copy()
    assert "sign is flipped" in message(-gradient(W), loss, W, "f", check=check_gradient)
    check_unchanged(before, W, "W")


def test_gradient_hint_is_the_loss_one_differentiated():
    """A hint is a loss; it is measured only when the gradient is wrong."""
    measured = []

    def without_tanh(w):
        measured.append(1)
        return (w @ w.T).sum() + np.exp(0.1 * w).sum()

    hints = {"The tanh is missing.": without_tanh}
    check_gradient(gradient(W), loss, W, "f", hints=hints)
    assert not measured
    wrong = 2 * np.ones((3, 3)) @ W + 0.1 * np.exp(0.1 * W)
    text = message(wrong, loss, W, "f", check=check_gradient, hints=hints)
    assert text.endswith("The tanh is missing.")


@pytest.mark.parametrize("wrong", [gradient(W).T, gradient(W).astype(np.float32), None])
def test_gradient_has_shape_and_dtype_of_x(wrong):
    """Shape, dtype and type are checked before the values."""
    assert re.search(
        "expected (shape|dtype|a numpy array)", message(wrong, loss, W, "f", check=check_gradient)
    )
