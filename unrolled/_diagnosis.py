"""What ``unrolled.checks`` says about a wrong value: where it is wrong and what it looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

MAX_FACTOR = 10_000  # beyond this a constant ratio is more likely chance than a forgotten mean


def plain(value: Any, name: str) -> np.ndarray:
    """Return ``value`` as a float64 array (bool stays bool); refuse object and complex dtypes."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.double().numpy() if value.is_floating_point() else value.numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise AssertionError(
            f"{name}: expected real numbers, got dtype {array.dtype}. "
            "Ragged lists give object arrays; the square root of a negative may give complex ones."
        )
    return array if array.dtype.kind in "biu" else array.astype(np.float64)


def is_close(actual: np.ndarray, expected: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """Return, entry by entry, whether the two agree; NaN agrees with NaN, inf with the same inf."""
    with np.errstate(all="ignore"):
        near = np.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=True)
    return np.asarray(near)


def diagnose(
    actual: np.ndarray,
    expected: np.ndarray,
    rtol: float,
    atol: float,
    hints: Mapping[str, np.ndarray],
    axes: str = "",
) -> str:
    """Return what is wrong with ``actual`` and what to look at, without any expected value."""
    wrong: np.ndarray = np.logical_not(is_close(actual, expected, rtol, atol))
    if np.isnan(actual[wrong]).any() or np.isinf(actual[wrong]).any():
        return _not_finite(actual, wrong, axes)
    if actual.dtype.kind == "b":
        return f"{count(wrong)} wrong{first(wrong, axes)}."
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    with np.errstate(all="ignore"):
        error = np.where(wrong, np.abs(actual - expected), 0)
    worst = np.unravel_index(int(np.argmax(error)), error.shape)
    parts = [_headline(wrong, error[worst], place(worst, axes))]

    def matches(candidate: np.ndarray) -> bool:
        same = candidate.shape == actual.shape
        return same and bool(is_close(actual, candidate, rtol, atol).all())

    found = next((text for text, value in hints.items() if matches(value)), None)
    found = found or next(_likenesses(actual, expected, matches, axes), None)
    found = found or _where_right(wrong, axes) or "Check the equation one factor at a time."
    return " ".join([*parts, found])


def _headline(wrong: np.ndarray, error: float, where: str) -> str:
    if wrong.size == 1:
        return f"the value is off by about {error:.1g}."
    return f"{count(wrong)} wrong, off by up to {error:.1g}{where}."


def _not_finite(actual: np.ndarray, wrong: np.ndarray, axes: str) -> str:
    bad = wrong & ~np.isfinite(actual)
    kind = "NaN" if np.isnan(actual[bad]).any() else "infinite"
    return (
        f"{count(bad)} {kind}{first(bad, axes)}. "
        "Look for exp of a large number, log of 0, or a division by 0."
    )


def _likenesses(
    actual: np.ndarray, expected: np.ndarray, matches: Callable[[np.ndarray], bool], axes: str
) -> Iterator[str]:
    """Yield what ``actual`` is, where it is the right answer changed in a familiar way."""
    if not actual.any():
        yield "It is zero everywhere: is it filled in, or returned too early?"
    if matches(-expected):
        yield "The sign is flipped everywhere: which difference is the other way round?"
    factor = _factor(actual, expected)
    if factor and matches(expected * factor):
        yield _about_factor(factor)
    if actual.ndim == 2 and matches(expected.T):
        yield "It is the transpose of the right answer: which factor should come first?"
    for axis in range(actual.ndim):
        if matches(np.flip(expected, axis)):
            yield f"The order along {axis_name(axis, actual.ndim, axes)} is reversed."
    scale = np.linalg.norm(expected)
    if np.linalg.norm(actual - expected) < 1e-3 * scale:
        yield "It is nearly right: float32 somewhere, a finite difference, or a stray epsilon?"


def _factor(actual: np.ndarray, expected: np.ndarray) -> float:
    """Return the number that best scales ``expected`` to ``actual``; 0 when there is none."""
    if actual.size < 2:
        return 0.0  # any two numbers have a ratio
    square = float(np.sum(expected * expected))
    factor = float(np.sum(actual * expected)) / square if square > 0 else 0.0
    return factor if 1 / MAX_FACTOR < abs(factor) < MAX_FACTOR else 0.0


def _about_factor(factor: float) -> str:
    size = abs(factor)
    times = f"{size:.4g} times too large" if size > 1 else f"{1 / size:.4g} times too small"
    sign = " and its sign is flipped" if factor < 0 else ""
    return f"It is {times} everywhere{sign}: sum or mean, and over which axes?"


def _where_right(wrong: np.ndarray, axes: str) -> str:
    """Return along which axis the right and the wrong entries separate, or nothing."""
    for axis in range(wrong.ndim if wrong.ndim > 1 else 0):
        others = tuple(i for i in range(wrong.ndim) if i != axis)
        right = np.logical_not(np.any(wrong, axis=others))
        if right.any() and np.all(wrong, axis=others)[~right].all():
            name = axis_name(axis, wrong.ndim, axes)
            good, bad = np.flatnonzero(right), np.flatnonzero(~right)
            return f"Along {name} it is right at {spans(good)} and wrong at {spans(bad)}."
    return ""


def axis_name(axis: int, ndim: int, axes: str) -> str:
    names = axes.split()
    return f"axis {names[axis]}" if len(names) == ndim else f"axis {axis}"


def place(index: Any, axes: str) -> str:
    """Return an index in words: `` at [b=1, t=0]``, or nothing for a single number."""
    numbers = [int(i) for i in index]
    names = axes.split()
    if not numbers:
        return ""
    if len(names) == len(numbers):
        pairs = [f"{n.lower()}={i}" for n, i in zip(names, numbers, strict=True)]
        return f" at [{', '.join(pairs)}]"
    return f" at {numbers}"


def spans(indices: np.ndarray) -> str:
    """Return indices in short: ``0, 2-5``."""
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)


def named_shape(shape: tuple[int, ...], axes: str) -> str:
    """Return ``(B=2, H=4)`` when the axes have names, else the plain tuple."""
    names = axes.split()
    if len(names) != len(shape) or not names:
        return str(shape)
    return f"({', '.join(f'{n}={s}' for n, s in zip(names, shape, strict=True))})"


def count(marked: np.ndarray) -> str:
    """Return how many entries are marked, as the beginning of a sentence."""
    n = int(marked.sum())
    if marked.size == 1:
        return "the value is"
    if n == marked.size:
        return "every entry is"
    return f"{n} of {marked.size} entries {'is' if n == 1 else 'are'}"


def first(marked: np.ndarray, axes: str) -> str:
    """Return where the first marked entry is; nothing for a single value."""
    return f", the first{place(np.argwhere(marked)[0], axes)}" if marked.size > 1 else ""


def measure_gradient(
    loss: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-3
) -> np.ndarray:
    """Return the gradient of ``loss`` at ``x`` from four values an entry; the error is O(step⁴)."""
    base = np.array(x, dtype=np.float64)
    gradient = np.empty_like(base)
    for index in np.ndindex(base.shape):

        def along(shift: float, index: tuple = index) -> float:
            moved = base.copy()
            moved[index] += shift * step
            return float(loss(moved))

        near, far = along(1) - along(-1), along(2) - along(-2)
        gradient[index] = (8 * near - far) / (12 * step)
    return gradient
