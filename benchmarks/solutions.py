"""The hand-written solutions beside torch.nn, and beside a loop over the examples of the batch.

Every row runs the same numbers through all three in turn, in float64 on one thread, and prints
medians and their ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autograder.markers import read_source

ROUNDS = 5
SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"
B, T, D, H = 64, 50, 32, 64


@dataclass(frozen=True)
class Case:
    """One comparison: whole batch by hand, torch.nn, and one example after the other by hand."""

    name: str
    by_hand: Callable[[], Any]
    torch_nn: Callable[[], Any]
    per_example: Callable[[], Any]


def solution(stem: str) -> dict[str, Any]:
    """Return the names that a solution's setup and exercise cells define."""
    names: dict[str, Any] = {}
    for cell in read_source(SOLUTIONS / f"{stem}.py").cells:
        if cell.kind in ("setup", "exercise"):
            exec(compile(cell.source, f"{stem}:{cell.grade_id}", "exec"), names)
    return names


def _torch_layer(kind: type[torch.nn.Module], x: np.ndarray, backward: bool) -> Callable[[], None]:
    layer = kind(D, H, batch_first=True).double()
    inputs = torch.tensor(x, requires_grad=backward)

    def run() -> None:
        with torch.set_grad_enabled(backward):
            states, _ = layer(inputs)
            if backward:
                states.sum().backward()

    return run


def rnn_case(rng: np.random.Generator) -> Case:
    """Return the comparison for ch05: a recurrent layer forward and backward."""
    names = solution("ch05_bptt")
    params = names["init_params"](2, D, H, rng)
    x, h0 = rng.normal(size=(B, T, D)), np.zeros((B, H))

    def both(x: np.ndarray, h0: np.ndarray) -> None:
        h = names["rnn_forward"](x, h0, params)
        names["rnn_backward"](np.ones_like(h), x, h0, h, params)

    return Case(
        "ch05 RNN, forward and backward",
        lambda: both(x, h0),
        _torch_layer(torch.nn.RNN, x, backward=True),
        lambda: [both(x[b : b + 1], h0[b : b + 1]) for b in range(B)],
    )


def lstm_case(rng: np.random.Generator) -> Case:
    """Return the comparison for ch07: an LSTM forward and backward."""
    names = solution("ch07_gates")
    params = names["init_params"](D, H, 4, rng)
    x, h0, c0 = rng.normal(size=(B, T, D)), np.zeros((B, H)), np.zeros((B, H))

    def both(x: np.ndarray, h0: np.ndarray, c0: np.ndarray) -> None:
        h, c, gates = names["lstm_forward"](x, h0, c0, params)
        names["lstm_backward"](np.ones_like(h), x, h0, c0, h, c, gates, params)

    return Case(
        "ch07 LSTM, forward and backward",
        lambda: both(x, h0, c0),
        _torch_layer(torch.nn.LSTM, x, backward=True),
        lambda: [both(x[b : b + 1], h0[b : b + 1], c0[b : b + 1]) for b in range(B)],
    )


def gru_case(rng: np.random.Generator) -> Case:
    """Return the comparison for ch07: a GRU forward, in PyTorch's convention."""
    names = solution("ch07_gates")
    params = names["init_gru"](D, H, rng)
    x, h0 = rng.normal(size=(B, T, D)), np.zeros((B, H))

    def forward(x: np.ndarray, h0: np.ndarray) -> None:
        names["gru_forward"](x, h0, params, "after", "kept")

    return Case(
        "ch07 GRU, forward",
        lambda: forward(x, h0),
        _torch_layer(torch.nn.GRU, x, backward=False),
        lambda: [forward(x[b : b + 1], h0[b : b + 1]) for b in range(B)],
    )


CASES = (rnn_case, lstm_case, gru_case)


def median_seconds(actions: list[Callable[[], Any]]) -> list[float]:
    """Return each action's median seconds; the actions take turns, after one round of warm-up."""
    times: list[list[float]] = [[] for _ in actions]
    for round_number in range(ROUNDS + 1):
        for action, taken in zip(actions, times, strict=True):
            started = time.perf_counter()
            action()
            if round_number:
                taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]


def main() -> None:
    """Measure and print every case."""
    torch.set_num_threads(1)
    print(f"B={B} T={T} D={D} H={H}, float64, one thread; median of {ROUNDS}")
    print(
        f"{'':34}{'by hand':>9}{'torch.nn':>10}{'by example':>12}{'hand/nn':>9}{'example/hand':>14}"
    )
    for make in CASES:
        case = make(np.random.default_rng(0))
        hand, nn, loop = median_seconds([case.by_hand, case.torch_nn, case.per_example])
        times = "".join(f"{1e3 * seconds:10.1f} ms" for seconds in (hand, nn, loop))
        print(f"{case.name:34}{times}{hand / nn:12.1f}x{loop / hand:12.1f}x")
