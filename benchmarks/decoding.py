"""Beam search with all hypotheses as rows of one tensor, beside one hypothesis after the other.

Both are the solutions of chapter 10 and find the same hypotheses; the network is a GRU decoder with
random weights. The ratio of their times is what counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.solutions import ROUNDS, median_seconds, solution

V, H, T = 100, 128, 20
CASES = ((1, 5), (8, 5), (32, 1), (32, 5), (32, 10))  # sentences B, beam width k


def decoder(seed: int) -> Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Return a step function for rows, of a GRU with random weights; symbol V is the start."""
    torch.manual_seed(seed)
    embedding, cell = torch.nn.Embedding(V + 1, H), torch.nn.GRUCell(H, H)
    output = torch.nn.Linear(H, V)

    @torch.no_grad()
    def step(symbols: torch.Tensor, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states = cell(embedding(symbols), states)
        return torch.log_softmax(8 * output(states), dim=-1), states

    return step


def one_by_one(step: Callable[..., Any]) -> Callable[[int, torch.Tensor], tuple[Any, Any]]:
    """Return the step function for a single hypothesis."""

    def single(symbol: int, state: torch.Tensor) -> tuple[Any, Any]:
        log_probs, states = step(torch.tensor([symbol]), state[None])
        return log_probs[0], states[0]

    return single


def main() -> None:
    """Measure and print every case; both must find the same."""
    torch.set_num_threads(1)
    names, step = solution("ch10_decoding"), decoder(0)
    alone, together = names["beam_search"], names["batched_beam_search"]
    print(f"V={V} H={H} T={T}, float32, one thread; median of {ROUNDS}")
    print(f"{'':26}{'one by one':>13}{'batched':>13}{'ratio':>9}")
    for B, k in CASES:
        states = torch.randn(B, H)

        def loop(states: torch.Tensor = states, k: int = k) -> list[Any]:
            return [alone(one_by_one(step), state, V, 0, k, T) for state in states]

        def batch(states: torch.Tensor = states, k: int = k) -> list[Any]:
            return together(step, states, V, 0, k, T)

        same = [a[0][0] == b[0][0] for a, b in zip(loop(), batch(), strict=True)]
        slow, fast = median_seconds([loop, batch])
        shown = "".join(f"{1e3 * seconds:10.1f} ms" for seconds in (slow, fast))
        print(f"{B:3} sentences, beam of {k:2}   {shown}{slow / fast:8.1f}x", flush=True)
        if sum(same) < 0.9 * B:  # single rounding differences may turn a near-tie
            raise AssertionError(f"only {sum(same)} of {B} sentences agree")
