"""Chapter 15's rewritten equations beside the plain ones: time as ratios, memory as counts.

Both sides of a row take turns on the same numbers; a ratio is that of the medians, with the range
that its quartiles allow. Memory is the largest tensor that an operation makes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks.solutions import solution
from unrolled.device import device

ROUNDS = 9
LENGTHS = (256, 1024, 4096)
WIDTHS = (16, 64, 256)
B, K, TILE = 2, 32, 128


def take_turns(*actions: Callable[[], Any]) -> list[list[float]]:
    """Return the seconds of each action over the rounds, after one round of warm-up."""
    on_gpu = device().type == "cuda"
    clock = time.perf_counter if on_gpu else time.thread_time
    taken: list[list[float]] = [[] for _ in actions]
    for number in range(ROUNDS + 1):
        for action, times in zip(actions, taken, strict=True):
            start = clock()
            action()
            if on_gpu:
                torch.cuda.synchronize()
            if number:
                times.append(clock() - start)
    return taken


def attention(names: dict[str, Any]) -> None:
    """Print tiled attention beside the plain one, forward and backward."""
    print(
        f"\nattention, B={B} K={K} tile={TILE}, float32: plain / tiled (above 1: tiled is faster)"
    )
    print(
        f"{'T':>6}{'forward':>9}{'range':>15}{'and back':>10}{'SDPA':>8}{'matrix':>10}{'tiled':>10}"
    )
    plain = names["plain_attention"]
    for T in LENGTHS:
        q, k, v, d_o = (torch.randn(B, T, K, device=device()) for _ in range(4))
        leaves = [x.clone().requires_grad_() for x in (q, k, v)]

        def both(q=q, k=k, v=v, d_o=d_o) -> None:
            o, L = names["tiled_attention"](q, k, v, TILE)
            names["tiled_attention_backward"](d_o, q, k, v, o, L, TILE)

        slow, tiled, slow_back, tiled_back, fused = take_turns(
            lambda q=q, k=k, v=v: plain(q, k, v),
            lambda q=q, k=k, v=v: names["tiled_attention"](q, k, v, TILE),
            lambda leaves=leaves, d_o=d_o: torch.autograd.grad(plain(*leaves)[0], leaves, d_o),
            both,
            lambda q=q, k=k, v=v: F.scaled_dot_product_attention(q, k, v),
        )
        ratio, low, high = names["speedup"](slow, tiled, 0)
        back = statistics.median(slow_back) / statistics.median(tiled_back)
        with names["Watch"]() as watch:
            both()
        sizes = (4 * B * T * T / 2**20, 4 * watch.largest / 2**20)
        print(
            f"{T:6}{ratio:8.2f}x{low:7.2f} to{high:5.2f}{back:9.2f}x"
            f"{statistics.median(slow) / statistics.median(fused):7.2f}x"
            f"{sizes[0]:6.1f} MiB{sizes[1]:6.1f} MiB"
        )


def gates(names: dict[str, Any]) -> None:
    """Print one product for the four gates beside four."""
    print("\nLSTM step: four products / one")
    print(f"{'H':>6}{'B=1':>9}{'range':>15}{'B=64':>9}{'range':>15}")
    for H in WIDTHS:
        line = f"{H:6}"
        for batch in (1, 64):
            x, h, c = (torch.randn(batch, H, device=device()) for _ in range(3))
            W, b = torch.randn(2 * H, 4 * H, device=device()), torch.randn(4 * H, device=device())
            parts = [
                (part.contiguous(), bias)
                for part, bias in zip(W.chunk(4, 1), b.chunk(4), strict=True)
            ]

            def apart(x=x, h=h, c=c, parts=parts) -> torch.Tensor:
                u = torch.cat([x, h], dim=1)
                i, f, new, o = (u @ W_q + b_q for W_q, b_q in parts)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(new)
                return torch.sigmoid(o) * torch.tanh(c)

            def fused(x=x, h=h, c=c, W=W, b=b) -> torch.Tensor:
                return names["fused_lstm_step"](x, h, c, W, b)[0]

            four, one = take_turns(*(lambda f=f: [f() for _ in range(50)] for f in (apart, fused)))
            ratio, low, high = names["speedup"](four, one, 0)
            line += f"{ratio:8.2f}x{low:7.2f} to{high:5.2f}"
        print(line)


def main() -> None:
    """Measure and print both comparisons."""
    torch.set_num_threads(1)
    names = solution("ch15_kernels")
    print(f"on {device()}, one thread; medians of {ROUNDS} in turns, range from the quartiles")
    attention(names)
    gates(names)
