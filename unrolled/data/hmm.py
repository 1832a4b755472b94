"""A source with a hidden state that rarely changes: long memory, and a known best predictor."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

STATES, SYMBOLS, STAY = 6, 12, 0.97


class Source(NamedTuple):
    """A hidden Markov model over H states and V symbols; every row is a distribution."""

    start: Float[Tensor, " H"]  # of the state at the first step
    move: Float[Tensor, "H H"]  # from the state of one step to the state of the next
    emit: Float[Tensor, "H V"]  # from the state of a step to the symbol of that step


def sticky_source(
    generator: torch.Generator,
    states: int = STATES,
    symbols: int = SYMBOLS,
    stay: float = STAY,
    sharpness: float = 1.0,
) -> Source:
    """Return a random source that stays in its state with probability ``stay``.

    It leaves for each other state equally often, so all states are equally likely at any time.
    What a state emits is the softmax of ``sharpness`` times normal numbers: every symbol is
    possible in every state, so one symbol says little and many together say which state it is.
    float64, on the CPU.

    Raises:
        ValueError: fewer than two states, or ``stay`` is not a probability.
    """
    if states < 2 or not 0 <= stay <= 1:
        raise ValueError(
            f"sticky_source: expected states >= 2 and 0 <= stay <= 1, got {states} and {stay}."
        )
    leave = (1 - stay) / (states - 1)
    move = torch.full((states, states), leave, dtype=torch.float64)
    move.fill_diagonal_(stay)
    scores = torch.randn(states, symbols, generator=generator, dtype=torch.float64)
    start = torch.full((states,), 1 / states, dtype=torch.float64)
    return Source(start, move, torch.softmax(sharpness * scores, dim=-1))


def sample(
    source: Source, B: int, T: int, generator: torch.Generator
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """Return ``B`` sequences of ``T`` symbols and the hidden states that emitted them.

    int64, on the CPU; one seed gives the same sequences everywhere.
    """
    state = torch.multinomial(source.start, B, replacement=True, generator=generator)
    states = [state]
    for _ in range(T - 1):
        state = torch.multinomial(source.move[state], 1, generator=generator)[:, 0]
        states.append(state)
    path = torch.stack(states, dim=1)
    drawn = torch.multinomial(source.emit[path.flatten()], 1, generator=generator)
    return drawn.view(B, T), path
