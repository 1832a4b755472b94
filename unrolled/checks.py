"""Checks that say what is wrong, where, and what to look at next.

A failed check raises ``AssertionError``. Its message never contains an expected value, so the same
helpers serve the tests that a student sees and those that a student does not see.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from unrolled._diagnosis import diagnose, is_close, measure_gradient, named_shape, plain

NUMBER = (int, float, np.integer, np.floating)
EXACT_NUMBERS = {int, float, *np.sctypeDict.values()} - {np.bool_}


def check_close(
    actual: Any,
    expected: Any,
    name: str,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    hints: Mapping[str, Any] | None = None,
    axes: str = "",
) -> None:
    """Check that ``actual`` equals ``expected``: type, shape, dtype, then values.

    Numbers, numpy arrays, torch tensors, and dicts, lists and tuples of these are compared.
    ``hints`` maps an explanation to the wrong value that it explains; a hint for a dict or a tuple
    may leave parts out. ``axes`` names the axes of an array, as in "B T H".
    """
    __tracebackhide__ = True
    for label, got, want, path in _leaves(actual, expected, name):
        _check_kind(got, want, label)
        if isinstance(want, np.ndarray) and type(got) in (int, float):
            got = np.asarray(got, dtype=want.dtype)  # a number where an array has no axes
        if not isinstance(want, (*NUMBER, np.bool_)):
            check_shape(got, tuple(want.shape), label, axes)
            _check_dtype(got, want, label)
        got, want = plain(got, label), plain(want, label)
        if not is_close(got, want, rtol, atol).all():
            picked = {text: _pick(value, path) for text, value in (hints or {}).items()}
            wrongs = {text: plain(v, text) for text, v in picked.items() if v is not None}
            raise AssertionError(f"{label}: {diagnose(got, want, rtol, atol, wrongs, axes)}")


def check_gradient(
    actual: Any,
    loss: Callable[[np.ndarray], float],
    x: np.ndarray,
    name: str,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    hints: Mapping[str, Callable[[np.ndarray], float]] | None = None,
    axes: str = "",
) -> None:
    """Check that ``actual`` is the gradient of ``loss`` at ``x``, by measuring slopes of ``loss``.

    ``loss`` takes a float64 array like ``x`` and returns a number. ``hints`` maps an explanation to
    the loss whose gradient one gets by that mistake; these are measured only after a mismatch.
    """
    __tracebackhide__ = True
    expected = measure_gradient(loss, x)
    try:
        check_close(actual, expected, name, rtol, atol, axes=axes)
    except AssertionError:
        wrongs = {text: measure_gradient(wrong, x) for text, wrong in (hints or {}).items()}
        check_close(actual, expected, name, rtol, atol, wrongs, axes)


def check_shape(actual: Any, shape: tuple[int, ...], name: str, axes: str = "") -> None:
    """Check the shape of an array or a tensor; ``axes`` names its axes, as in "B T H"."""
    __tracebackhide__ = True
    if not hasattr(actual, "shape"):
        raise AssertionError(f"{name}: expected an array, got {_describe(actual)}.")
    got, want = tuple(actual.shape), tuple(shape)
    if got == want:
        return
    if sorted(got) == sorted(want):
        next_step = "The same sizes in another order: are axes swapped?"
    elif [n for n in got if n != 1] == [n for n in want if n != 1]:
        next_step = "They differ by an axis of size 1: is a sum over it missing, or one too many?"
    elif len(got) > len(want):
        next_step = "One axis too many: is a sum or an index over it missing?"
    elif len(got) < len(want):
        next_step = "One axis too few: which sum or index took it away?"
    else:
        next_step = "Write its shape beside every factor and see where the size comes from."
    wanted = named_shape(want, axes)
    raise AssertionError(f"{name}: expected shape {wanted}, got {got}. {next_step}")


def check_unchanged(before: Any, after: Any, name: str) -> None:
    """Check that ``after`` still equals ``before``, a copy made earlier, to the last bit.

    Of a dict, the message says which entry: a dict of all arguments needs one call.
    """
    __tracebackhide__ = True
    for label, now, was, path in _leaves(after, before, name):
        now, was = plain(now, label), plain(was, label)
        same = now.shape == was.shape and now.dtype == was.dtype
        if not (same and np.array_equal(now, was, equal_nan=now.dtype.kind == "f")):
            inner = "".join(f"[{key!r}]" for key in path[1:])
            which = f"{name}: {path[0]}{inner}" if path else name
            raise AssertionError(
                f"{which} was modified, and the caller still needs it. "
                "Work on a copy: `a = a + b` makes a new array, `a += b` changes the old one."
            )


def check_raises(
    exception: type[BaseException],
    function: Callable[..., Any],
    *args: Any,
    when: str = "",
    **kwargs: Any,
) -> None:
    """Check that ``function(*args, **kwargs)`` raises ``exception``; ``when`` names the case."""
    __tracebackhide__ = True
    name = getattr(function, "__name__", "the function")
    wanted = f"{name}: expected {exception.__name__}{' when ' + when if when else ''}"
    try:
        function(*args, **kwargs)
    except exception:
        return
    except NotImplementedError:
        raise
    except Exception as error:
        got = type(error).__name__
        raise AssertionError(f"{wanted}, got {got}. Test for the case before all else.") from error
    raise AssertionError(f"{wanted}, but it returned. Test for the case first, then `raise`.")


def _leaves(
    actual: Any, expected: Any, name: str, path: tuple = ()
) -> Iterator[tuple[str, Any, Any, tuple]]:
    """Yield label, actual, expected and path of every number, array and tensor in ``expected``."""
    if type(expected) not in (dict, list, tuple):
        yield name, actual, expected, path
        return
    if type(actual) is not type(expected):
        want, got = type(expected).__name__, _describe(actual)
        raise AssertionError(f"{name}: expected a {want}, got {got}. See what the docstring says.")
    if isinstance(expected, dict):
        _check_keys(actual, expected, name)
    elif len(actual) != len(expected):
        counts = f"{len(expected)} results, got {len(actual)}"
        raise AssertionError(f"{name}: expected {counts}. See what the docstring lists.")
    keys: Any = expected if isinstance(expected, dict) else range(len(expected))
    for key in keys:
        yield from _leaves(actual[key], expected[key], f"{name}[{key!r}]", (*path, key))


def _check_keys(actual: dict, expected: dict, name: str) -> None:
    missing = [key for key in expected if key not in actual]
    extra = [key for key in actual if key not in expected]
    if missing:
        has = f"It has {sorted(actual, key=str)}." if actual else "It is empty."
        raise AssertionError(f"{name}: the keys {missing} are missing. {has}")
    if extra:
        raise AssertionError(f"{name}: the keys {extra} do not belong here. Leave them out.")


def _check_kind(actual: Any, expected: Any, name: str) -> None:
    """Refuse all but the exact types: a subclass may have its own idea of equality."""
    torch = sys.modules.get("torch")  # no tensor can be here when torch was never imported
    kind, scalar = type(actual), getattr(actual, "shape", None) == ()
    tensors = (torch.Tensor, torch.nn.Parameter) if torch else ()
    if isinstance(expected, (bool, np.bool_)):
        good, wanted = kind in (bool, np.bool_), "True or False"
    elif isinstance(expected, NUMBER):
        whole = kind in (np.ndarray, *tensors) and scalar
        good, wanted = kind in EXACT_NUMBERS or whole, "a number"
    elif tensors and isinstance(expected, tensors):
        good, wanted = kind in tensors, "a torch tensor"
    elif isinstance(expected, np.ndarray):
        number = kind in EXACT_NUMBERS and expected.shape == ()
        good, wanted = kind is np.ndarray or number, "a numpy array"
    else:
        raise TypeError(f"{name}: check_close cannot compare with {_describe(expected)}")
    if not good:
        raise AssertionError(
            f"{name}: expected {wanted}, got {_describe(actual)}. {_next_step(actual, wanted)}"
        )


def _next_step(actual: Any, wanted: str) -> str:
    if actual is None:
        return "Is the return statement missing?"
    if type(actual) is tuple:
        return "See how many results the docstring lists."
    if wanted == "a number" and hasattr(actual, "shape"):
        return "Which axes are still to be summed or averaged?"
    if callable(actual):
        return "Is the call missing its parentheses?"
    return f"Return {wanted}."


def _check_dtype(actual: Any, expected: Any, name: str) -> None:
    """Compare dtype and, of tensors, the kind of device."""
    got, want = str(actual.dtype), str(expected.dtype)
    if got != want:
        raise AssertionError(
            f"{name}: expected dtype {want}, got {got}. "
            "Look at where the array is made (zeros, ones, a cast): which dtype has it there?"
        )
    if str(getattr(actual, "device", "")) != str(getattr(expected, "device", "")):
        raise AssertionError(
            f"{name}: expected it on {expected.device}, got {actual.device}. "
            "Take the device from the inputs."
        )


def _pick(value: Any, path: tuple) -> Any:
    """Return the part of a hint that belongs to one leaf, or None when it has none."""
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, (list, tuple)):
            value = value[key] if key < len(value) else None
    return value


def _describe(value: Any) -> str:
    """Return what a value is, never what is in it."""
    if value is None:
        return "None"
    kind = type(value).__name__
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{kind} of shape {tuple(value.shape)} and dtype {value.dtype}"
    return f"{kind} of length {len(value)}" if type(value) in (tuple, list) else kind
