"""Copy memory: symbols, a long wait, and the same symbols again."""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

BLANK = 0  # symbols are 1, ..., alphabet; alphabet + 1 is the marker that asks for the answer


def copy_memory(
    B: int,
    wait: int,
    generator: torch.Generator,
    symbols: int = 10,
    alphabet: int = 8,
    device: torch.device | str = "cpu",
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """Return token sequences of ``wait + 2 * symbols`` steps and the answer at every step.

    Source: Bai et al. (2018), after Hochreiter and Schmidhuber (1997); the defaults are theirs,
    with wait = 1000. A sequence is ``symbols`` random symbols, wait - 1 blanks and symbols + 1
    markers. The answer is blank up to the first marker; at the last ``symbols`` steps it is the
    symbols, in order. Both are int64 on ``device``, drawn on the CPU: one seed, one set of data.

    Raises:
        ValueError: wait, symbols or alphabet is less than 1.
    """
    if min(wait, symbols, alphabet) < 1:
        raise ValueError(
            "copy_memory: expected wait, symbols and alphabet of at least 1, "
            f"got {wait}, {symbols} and {alphabet}."
        )
    drawn = torch.randint(1, alphabet + 1, (B, symbols), generator=generator)
    tokens = torch.full((B, wait + 2 * symbols), BLANK)
    answers = tokens.clone()
    tokens[:, :symbols] = drawn
    tokens[:, -(symbols + 1) :] = alphabet + 1
    answers[:, -symbols:] = drawn
    return tokens.to(device), answers.to(device)


def copy_baseline(wait: int, symbols: int = 10, alphabet: int = 8) -> float:
    """Return the cross-entropy a step, in nats, of the best answer without any memory.

    Source: Arjovsky et al. (2016). Blanks are free, as their places are known; each of the
    symbols costs log(alphabet), and the mean is over all steps.
    """
    return symbols * math.log(alphabet) / (wait + 2 * symbols)
