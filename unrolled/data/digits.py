"""Handwritten digits read as sequences: row by row, or pixel by pixel."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

SIDE = 8  # pixels along each side of an image
TEST = 360  # images held out, a fifth

Labelled = tuple[Float[Tensor, "B T D"], Int[Tensor, " B"]]


def digit_sequences(
    by: str = "row",
    seed: int = 0,
    permuted: bool = False,
    device: torch.device | str = "cpu",
) -> tuple[Labelled, Labelled]:
    """Return training and test sequences of real digits, each with the digit that they show.

    Source: the 1,797 images of 8 x 8 pixels in scikit-learn, from UCI's test set. By "row" a
    sequence has 8 steps of 8 pixels, by "pixel" 64 steps of one; pixels lie between 0 and 1.
    ``seed`` decides which 360 images are held out and, if ``permuted``, one order of the pixels
    for all images, as in Le et al. (2015). The same people wrote both parts, so the error on
    new people would be larger. float32 and int64 on ``device``.

    Raises:
        ValueError: ``by`` is neither "row" nor "pixel", or rows are to be permuted.
    """
    if by not in ("row", "pixel"):
        raise ValueError(f'digit_sequences: expected by="row" or by="pixel", got {by!r}.')
    if permuted and by == "row":
        raise ValueError('digit_sequences: permuted=True reorders pixels, so use by="pixel".')
    from sklearn.datasets import load_digits  # here, not above: a light import for the rest

    data = load_digits()
    x = torch.tensor(data.data / 16, dtype=torch.float32)
    y = torch.tensor(data.target, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    if permuted:
        x = x[:, torch.randperm(SIDE * SIDE, generator=generator)]
    x = x.reshape(len(x), -1, SIDE if by == "row" else 1)
    x, y = x[order].to(device), y[order].to(device)
    return (x[TEST:], y[TEST:]), (x[:TEST], y[:TEST])
