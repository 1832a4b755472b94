"""Pen movements draw the digit that they are said to be."""

import numpy as np
import torch

from unrolled.data.strokes import DRAW, END, LIFT, SKELETONS, drawing, pen_strokes, written

X, LENGTHS, LABELS = pen_strokes(300, 0)


def test_every_digit_ends_once_and_then_there_is_padding():
    """The last movement says END, no earlier one does, and zeros follow."""
    for x, length in zip(X, LENGTHS, strict=True):
        assert x[length - 1, 2] == END and (x[: length - 1, 2] != END).all()
        assert (x[length:] == 0).all()


def test_number_of_lines_is_that_of_a_way_to_write_the_digit():
    """Four, five and seven are written with one stroke or two, the others with one."""
    seen = {digit: set() for digit in SKELETONS}
    for x, length, label in zip(X, LENGTHS, LABELS, strict=True):
        seen[label.item()].add(len(drawing(x[:length].numpy())))
    assert seen == {digit: {len(way) for way in ways} for digit, ways in SKELETONS.items()}


def test_drawing_starts_where_the_pen_is_put_and_follows_the_movements():
    """Lines are sums of movements; a lift leaves a gap that is not drawn."""
    moves = np.array([[1, 0, DRAW], [0, 1, LIFT], [5, 5, DRAW], [1, 0, END], [9, 9, DRAW]])
    lines = drawing(moves.astype(float))
    ends = (
        [line[0] / lines[0][1, 0] for line in lines],
        [line[-1] / lines[0][1, 0] for line in lines],
    )
    assert len(lines) == 2
    assert np.allclose(ends[0], [[0, 0], [6, 6]]) and np.allclose(ends[1], [[1, 1], [7, 6]])


def test_offsets_are_of_order_one():
    """Networks are fed numbers near 1, and a digit is about 1 high."""
    real = torch.cat([x[:n] for x, n in zip(X, LENGTHS, strict=True)])
    assert 0.5 < real[:, :2].std() < 1.5
    tall = [
        np.ptp(np.vstack(drawing(written(d, np.random.default_rng(1))))[:, 1]) for d in range(10)
    ]
    assert min(tall) > 0.7 and max(tall) < 1.4


def test_zero_is_begun_to_the_left_and_to_the_right():
    """At its start the pen has two ways to go, and nothing in between."""
    starts = torch.stack([x[1] for x, label in zip(X, LABELS, strict=True) if label == 0])[:, 0]
    assert (starts < -0.3).any() and (starts > 0.3).any() and (starts.abs() > 0.05).all()


def test_the_seed_decides():
    """The same seed gives the same hands, another seed others."""
    assert torch.equal(pen_strokes(5, 3)[0], pen_strokes(5, 3)[0])
    assert not torch.equal(pen_strokes(50, 3)[2], pen_strokes(50, 4)[2])
