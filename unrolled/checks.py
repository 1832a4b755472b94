"""Checks that say what is wrong, where, and what to look at next.

A failed check raises ``AssertionError``. Its message never contains an expected value, so the same
helpers serve the tests a student sees and the tests a student does not see.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from unrolled._diagnosis import diagnose, is_close, measure_gradient, named_shape, plain

NUMBER = (int, float, np.integer, np.floating)
EXACT_NUMBERS = {int, float, *np.sctypeDict.values()}


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
    ``hints`` maps an explanation to the wrong value it explains; ``axes`` names the axes, "B T H".
    """
    __tracebackhide__ = True
    for label, got, want, path in _leaves(actual, expected, name):
        _check_kind(got, want, label)
        if not isinstance(want, NUMBER):
            check_shape(got, np.shape(want), label, axes)
            _check_dtype(got, want, label)
        got, want = plain(got, label), plain(want, label)
        if not is_close(got, want, rtol, atol).all():
            found = [(text, _pick(value, path)) for text, value in (hints or {}).items()]
            wrongs = {text: plain(value, text) for text, value in found if value is not None}
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

    ``loss`` takes an array like ``x`` (float64) and returns a number; it must not modify it.
    ``hints`` maps an explanation to the loss whose gradient one gets by that mistake.
    """
    __tracebackhide__ = True
    wrongs = {text: measure_gradient(wrong, x) for text, wrong in (hints or {}).items()}
    check_close(actual, measure_gradient(loss, x), name, rtol, atol, wrongs, axes)


def check_shape(actual: Any, shape: tuple[int, ...], name: str, axes: str = "") -> None:
    """Check the shape of an array or a tensor; ``axes`` names its axes, "B T H"."""
    __tracebackhide__ = True
    got = tuple(np.shape(actual))
    want = tuple(shape)
    if got == want:
        return
    message = f"{name}: expected shape {named_shape(want, axes)}, got {got}."
    if sorted(got) == sorted(want):
        message += " The sizes are right but in another order: are axes swapped?"
    elif [n for n in got if n != 1] == [n for n in want if n != 1]:
        message += " They differ by an axis of size 1: squeeze it, or keep it with keepdims=True."
    elif len(got) > len(want):
        message += " There are too many axes: is a sum over one of them missing?"
    elif len(got) < len(want):
        message += " There are too few axes: is one summed over, or indexed, that should stay?"
    else:
        message += " Write the shape of every factor beside it and see which one differs."
    raise AssertionError(message)


def check_unchanged(before: Any, after: Any, name: str) -> None:
    """Check that ``after`` still equals the copy ``before``, to the last bit."""
    __tracebackhide__ = True
    for label, now, was, _ in _leaves(after, before, name):
        now, was = plain(now, label), plain(was, label)
        if now.shape != was.shape or not np.array_equal(now, was, equal_nan=True):
            raise AssertionError(
                f"{label} was modified. The caller still needs it: work on a copy, "
                "or use `a = a + b` where the code says `a += b`."
            )


def check_raises(
    exception: type[BaseException],
    function: Callable[..., Any],
    *args: Any,
    when: str = "",
    **kwargs: Any,
) -> None:
    """Check that ``function(*args, **kwargs)`` raises ``exception``; ``when`` says in which case."""
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
        raise AssertionError(
            f"{wanted}, got {type(error).__name__}: {error}. "
            "Test for the case before computing anything."
        ) from error
    raise AssertionError(
        f"{wanted}, but it returned normally. Test for the case first and raise {exception.__name__}."
    )


def _leaves(
    actual: Any, expected: Any, name: str, path: tuple = ()
) -> Iterator[tuple[str, Any, Any, tuple]]:
    """Yield (label, actual, expected, path) for every number, array or tensor in ``expected``."""
    if not isinstance(expected, (dict, list, tuple)):
        yield name, actual, expected, path
        return
    if type(actual) is not type(expected):
        want, got = type(expected).__name__, _describe(actual)
        raise AssertionError(f"{name}: expected a {want}, got {got}. What does it return?")
    if isinstance(expected, dict):
        _check_keys(actual, expected, name)
        keys: Any = expected.keys()
    else:
        if len(actual) != len(expected):
            raise AssertionError(
                f"{name}: expected {len(expected)} results, got {len(actual)}. "
                "Compare with the docstring's list of results."
            )
        keys = range(len(expected))
    for key in keys:
        yield from _leaves(actual[key], expected[key], f"{name}[{key!r}]", (*path, key))


def _check_keys(actual: dict, expected: dict, name: str) -> None:
    missing = [key for key in expected if key not in actual]
    extra = [key for key in actual if key not in expected]
    if missing:
        raise AssertionError(f"{name}: missing {missing}. It has {sorted(actual, key=str)}.")
    if extra:
        raise AssertionError(f"{name}: unexpected {extra}. Only {sorted(expected, key=str)} belong.")


def _check_kind(actual: Any, expected: Any, name: str) -> None:
    """Refuse anything but the exact type: a subclass may redefine what equality means."""
    torch = sys.modules.get("torch")
    zero_d = not isinstance(expected, bool) and np.shape(expected) == ()
    allowed: tuple[type, ...]
    if isinstance(expected, (bool, np.bool_)):
        allowed, wanted = (bool, np.bool_), "True or False"
    elif isinstance(expected, NUMBER):
        allowed, wanted = (np.ndarray,), "a number"
    elif torch is not None and isinstance(expected, torch.Tensor):
        allowed, wanted = (torch.Tensor, torch.nn.Parameter), "a torch tensor"
    else:
        allowed, wanted = (np.ndarray,), "a numpy array"
    number = zero_d and _is_number(actual)
    single = not isinstance(expected, NUMBER) or np.shape(actual) == ()
    tensor = torch is not None and type(actual) is torch.Tensor and isinstance(expected, NUMBER)
    if not (number or ((type(actual) in allowed or tensor) and single)):
        next_step = _next_step(actual, wanted)
        raise AssertionError(f"{name}: expected {wanted}, got {_describe(actual)}. {next_step}")


def _is_number(value: Any) -> bool:
    return type(value) in EXACT_NUMBERS and isinstance(value, NUMBER)


def _next_step(actual: Any, wanted: str) -> str:
    if actual is None:
        return "Is the return statement missing?"
    if isinstance(actual, tuple):
        return "Does the docstring ask for one result here?"
    if wanted == "a number" and hasattr(actual, "shape"):
        return "Which axes are still to be summed or averaged?"
    return f"Return {wanted}; convert at the end if you must."


def _check_dtype(actual: Any, expected: Any, name: str) -> None:
    got, want = str(actual.dtype), str(expected.dtype)
    if got != want:
        raise AssertionError(
            f"{name}: expected dtype {want}, got {got}. "
            "Look at where the array is created (np.zeros, torch.zeros, a cast)."
        )
    where = [str(getattr(value, "device", "")) for value in (actual, expected)]
    if where[0] != where[1]:
        raise AssertionError(
            f"{name}: expected it on {where[1]}, got {where[0]}. Take the device from the inputs."
        )


def _pick(value: Any, path: tuple) -> Any:
    """Return the part of a hint that belongs to this leaf, or None when it has none."""
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, (list, tuple)):
            value = value[key] if key < len(value) else None
    return value


def _describe(value: Any) -> str:
    """Return what a value is, in words, never its content."""
    if value is None:
        return "None"
    kind = type(value)
    name = kind.__name__ if kind.__module__ in ("builtins", "numpy") else f"{kind.__module__}.{kind.__name__}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{name} of shape {tuple(value.shape)} and dtype {value.dtype}"
    if isinstance(value, (tuple, list)):
        return f"a {name} of {len(value)}"
    return f"{name}"
