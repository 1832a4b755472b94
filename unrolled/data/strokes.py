"""Digits written with a pen, as the pen moves: handwriting from a generator.

Each digit has a skeleton of curves. A hand is drawn at random (slant, width, height, tremor, speed,
and for some digits one of two ways of writing them), so that at many a point the pen may go one of
several ways and never the way in between.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

SCALE = 0.12  # offsets are divided by this, which makes them of order 1
STEP = 0.2  # mean distance between two points, where a digit is 1 high
DRAW, LIFT, END = 0, 1, 2  # what the pen does after a movement

Curve = list[tuple[float, float]]
UPPER_LOOP = ((0.5, 0.52), (0.15, 0.75), (0.5, 1.0), (0.85, 0.75))
LOWER_LOOP = ((0.12, 0.25), (0.5, 0.0), (0.88, 0.25), (0.5, 0.52))
# Control points (x to the right, y up) of one or two ways to write each digit, stroke by stroke.
SKELETONS: dict[int, list[list[Curve]]] = {
    0: [
        [[(0.5, 1.0), (0.1, 0.8), (0.1, 0.2), (0.5, 0.0), (0.9, 0.2), (0.9, 0.8), (0.5, 1.0)]],
        [[(0.5, 1.0), (0.9, 0.8), (0.9, 0.2), (0.5, 0.0), (0.1, 0.2), (0.1, 0.8), (0.5, 1.0)]],
    ],
    1: [[[(0.3, 0.7), (0.6, 1.0), (0.6, 0.0)]], [[(0.5, 1.0), (0.5, 0.0)]]],
    2: [[[(0.15, 0.8), (0.5, 1.0), (0.85, 0.75), (0.5, 0.35), (0.1, 0.0), (0.9, 0.0)]]],
    3: [[[(0.15, 0.9), (0.6, 1.0), (0.8, 0.75), (0.4, 0.55), (0.85, 0.3), (0.6, 0.0), (0.1, 0.1)]]],
    4: [
        [[(0.4, 1.0), (0.1, 0.4), (0.9, 0.4)], [(0.7, 0.75), (0.65, 0.0)]],
        [[(0.65, 0.0), (0.65, 1.0), (0.1, 0.4), (0.9, 0.4)]],
    ],
    5: [
        [
            [(0.25, 1.0), (0.2, 0.55), (0.7, 0.6), (0.85, 0.25), (0.5, 0.0), (0.1, 0.1)],
            [(0.25, 1.0), (0.85, 1.0)],
        ],
        [[(0.85, 1.0), (0.25, 1.0), (0.2, 0.55), (0.7, 0.6), (0.85, 0.25), (0.5, 0.0), (0.1, 0.1)]],
    ],
    6: [[[(0.7, 1.0), (0.25, 0.6), (0.15, 0.2), (0.5, 0.0), (0.8, 0.25), (0.5, 0.5), (0.2, 0.3)]]],
    7: [
        [[(0.1, 1.0), (0.9, 1.0), (0.4, 0.0)]],
        [[(0.1, 1.0), (0.9, 1.0), (0.4, 0.0)], [(0.3, 0.5), (0.85, 0.5)]],
    ],
    8: [[[*UPPER_LOOP, (0.5, 0.52), *LOWER_LOOP]]],
    9: [[[(0.8, 0.8), (0.5, 1.0), (0.2, 0.75), (0.5, 0.5), (0.8, 0.8), (0.75, 0.4), (0.6, 0.0)]]],
}
CORNERS = {1, 2, 4, 7}  # digits whose strokes bend sharply; the others are smooth


def pen_strokes(
    count: int, seed: int, device: torch.device | str = "cpu"
) -> tuple[Float[Tensor, "B T 3"], Int[Tensor, " B"], Int[Tensor, " B"]]:
    """Return pen movements, how many each digit has, and which digit it is.

    ``x[b, t]`` is (dx, dy, pen): the pen moves by SCALE (dx, dy); after that it stays on the paper
    (DRAW), leaves it so that the next movement draws no line (LIFT), or has finished (END). What
    follows the end is padding (0). float32 and int64 on ``device``.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(10, size=count)
    rows = [torch.tensor(written(int(label), rng), dtype=torch.float32) for label in labels]
    return (
        torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device),
        torch.tensor([len(row) for row in rows], device=device),
        torch.tensor(labels, device=device),
    )


def written(digit: int, rng: np.random.Generator) -> Float[np.ndarray, "T 3"]:
    """Return one digit as pen movements, written by a random hand from a random starting point."""
    ways = SKELETONS[digit]
    curves = ways[int(rng.integers(len(ways)))]
    slant, width, tall = rng.normal(0.1, 0.15), rng.uniform(0.55, 0.9), rng.uniform(0.9, 1.1)
    hand = np.array([[width, 0.0], [slant, tall]])
    points, pens = [], []
    for curve in curves:
        control = np.array(curve) + rng.normal(0, 0.025, (len(curve), 2))
        drawn = _resampled(_smooth(control, digit not in CORNERS), STEP * rng.uniform(0.85, 1.15))
        points.append(drawn @ hand + rng.normal(0, 0.006, drawn.shape))
        pens += [DRAW] * (len(drawn) - 1) + [LIFT]
    moves = np.diff(np.concatenate(points), axis=0) / SCALE
    return np.column_stack([moves, [*pens[1:-1], END]])


def drawing(moves: Float[np.ndarray, "T 3"]) -> list[Float[np.ndarray, "n 2"]]:
    """Return the lines that pen movements draw up to the first END, an array of points each."""
    over = np.flatnonzero(moves[:, 2] == END)
    moves = moves[: over[0] + 1] if len(over) else moves
    path = SCALE * np.cumsum(np.vstack([np.zeros(2), moves[:, :2]]), axis=0)
    lines = np.split(path, np.flatnonzero(moves[:, 2] == LIFT) + 2)
    return [line for line in lines if len(line) > 1]


def _smooth(control: Float[np.ndarray, "n 2"], smooth: bool) -> Float[np.ndarray, "m 2"]:
    """Return many points along a curve through the control points (Catmull-Rom), or a polygon."""
    if not smooth or len(control) < 3:
        return control
    ends = np.vstack([2 * control[0] - control[1], control, 2 * control[-1] - control[-2]])
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        bend = (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        pieces.append(0.5 * (2 * b + (c - a) * t + bend))
    return np.vstack([*pieces, control[-1:]])


def _resampled(line: Float[np.ndarray, "n 2"], step: float) -> Float[np.ndarray, "m 2"]:
    """Return points about ``step`` apart along a line, its ends included."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, along[-1], max(2, round(along[-1] / step) + 1))
    return np.column_stack([np.interp(at, along, line[:, i]) for i in (0, 1)])
