"""The adding problem: two marked numbers in a long sequence, and their sum at the end."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

BASELINE = 1 / 6  # mean squared error of always answering 1: the variance of the sum


def adding_problem(
    B: int, T: int, generator: torch.Generator, device: torch.device | str = "cpu"
) -> tuple[Float[Tensor, "B T 2"], Float[Tensor, " B"]]:
    """Return sequences of (number, mark) and the sum of the two marked numbers of each.

    Source: Hochreiter and Schmidhuber (1997), in the form of Le et al. (2015): numbers uniform in
    [0, 1), one mark in the first half of the steps and one in the second, all other marks 0.
    Both are float32 on ``device``, drawn on the CPU: one seed gives the same data everywhere.

    Raises:
        ValueError: T < 2, which leaves no room for two marks.
    """
    if T < 2:
        raise ValueError(f"adding_problem: expected T >= 2 for two marks, got T={T}.")
    numbers = torch.rand(B, T, generator=generator, dtype=torch.float32)
    half = T // 2
    first = torch.randint(half, (B,), generator=generator)
    second = torch.randint(half, T, (B,), generator=generator)
    marks = torch.zeros(B, T, dtype=torch.float32)
    rows = torch.arange(B)
    marks[rows, first] = marks[rows, second] = 1.0
    x = torch.stack([numbers, marks], dim=-1)
    return x.to(device), (numbers * marks).sum(dim=1).to(device)
