# %% [markdown]
# # 15 · From equations to kernels
#
# In this exercise you rewrite three things that you know so that a machine likes them better, and lose nothing on the way.
# You first learn to count and to compare honestly, then put the four gates of an LSTM into one product, write a softmax that reads every number once, and compute attention and its gradients without ever holding the matrix of weights.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `arithmetic_intensity` | easy | 10 min | 6 |
# | 2 | `attainable` | easy | 5 min | 4 |
# | 3 | `speedup` | easy | 15 min | 8 |
# | 4 | `stack_gates` | easy | 15 min | 6 |
# | 5 | `fused_lstm_step` | easy | 15 min | 12 |
# | 6 | `online_softmax` | medium | 30 min | 14 |
# | 7 | `tiled_attention` | hard | 45 min | 20 |
# | 8 | `tiled_attention_backward` | hard | 50 min | 20 |
# | 9 | two written answers | medium | 20 min | 10 |
# | 10 | optional: `triton_softmax` | medium | 30 min | 0 |
# | 11 | optional: `triton_attention` | hard | 60 min | 0 |
#
# Before you start, read chapter 15 of the book: it derives every equation used here, for a single sequence and without masks.
#
# **Rules**
#
# * No ready-made attention: neither `scaled_dot_product_attention` nor `torch.nn.MultiheadAttention`, and no ready-made LSTM.
# * Dtype and device of new tensors come from the inputs (`q.new_zeros(...)`, `torch.arange(..., device=q.device)`), so that your code runs on a GPU as it stands.
# * No function changes the tensors that it is given.
# * Loops run over tiles or blocks, never over the batch or over single numbers.
# * Each part may call the functions of the parts before it.
#
# No test looks at a clock.
# Some of the visible tests watch the operations of your function and say if a tensor is too large or a product too many; others use lengths at which the matrix that you should not build would not fit into memory.
# The cell below each part tests it and says what is wrong, where, and what to look at; when your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# | tensor | shape | |
# |---|---|---|
# | `x` | (B, D) | input of one step |
# | `h_prev`, `c_prev` | (B, H) | state and memory before the step |
# | `q` | (B, T, K) | queries |
# | `k`, `v` | (B, S, K) | keys and values |
#
# `d_o` stands for $\partial \mathcal{L} / \partial o$ and has the shape of `o`; so for every tensor.
# The numbers of equations are those of this notebook.
#
# `Watch` sees every operation that PyTorch performs inside `with Watch() as watch:`; afterwards `watch.largest` is the number of entries of the largest result, and `watch.products` the number of matrix products.
# It is used by the visible tests, and you may use it yourself.

# %% tags=["setup"]
import math
import os
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from unrolled.checks import check_close, check_raises, check_shape, check_unchanged
from unrolled.device import device

torch.set_num_threads(1)
DEVICE = device()
if DEVICE.type == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read once, when something imports Triton (part 10)
Params = dict[str, Tensor]
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot")


class Watch(TorchDispatchMode):
    """Notes the size of the largest result of an operation, and counts matrix products."""

    def __init__(self):
        super().__init__()
        self.largest, self.products = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.products += func.overloadpacket.__name__ in PRODUCTS
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.largest = max(self.largest, leaf.numel())
        return result


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return standard normal numbers, the same on every machine."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=torch.float64).to(DEVICE, dtype)


def numbers(values: list) -> Tensor:
    """Return a float64 tensor."""
    return torch.tensor(values, dtype=torch.float64, device=DEVICE)


def plain_attention(
    q: Tensor, k: Tensor, v: Tensor, causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Return attention's output and the logarithm of each row's normaliser, by the whole matrix."""
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[2])
    if causal:
        future = torch.ones(scores.shape[1:], dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(future, -math.inf)
    return torch.softmax(scores, dim=2) @ v, torch.logsumexp(scores, dim=2)


# %% [markdown]
# ## 1 · Operations for every byte
#
# *Easy, 10 minutes, about 3 lines, 6 points.*
#
# A product of a matrix of $a$ rows and $b$ columns with one of $b$ rows and $c$ columns has $ac$ results, each of which takes $b$ multiplications and $b$ additions.
# If each of the three matrices crosses the border to memory exactly once, and a number takes $w$ bytes,
#
# $$I = \frac{2abc}{w\,(ab + bc + ac)} \quad \text{operations per byte} \tag{15.1}$$
#
# *Worked number.* A row times a matrix of side 1000 in float32: $2 \cdot 10^6$ operations, $4 \cdot 1{,}002{,}000$ bytes, $I \approx 0.499$.

# %% tags=["exercise", "id:arithmetic-intensity"]
def arithmetic_intensity(rows: int, inner: int, columns: int, width: int = 4) -> float:
    """Return the operations per byte of a product of (rows, inner) with (inner, columns).

    Source: eq. 15.1. ``width`` is the number of bytes of a number, 4 for float32.
    """
    ### BEGIN SOLUTION
    operations = 2 * rows * inner * columns
    moved = width * (rows * inner + inner * columns + rows * columns)
    return operations / moved
    ### END SOLUTION


# %% tags=["test", "id:arithmetic-intensity-test", "points:6"]
check_close(
    arithmetic_intensity(1, 1000, 1000),
    2e6 / (4 * 1_002_000),
    "arithmetic_intensity, worked number",
    hints={
        "An addition and a multiplication are two operations.": 1e6 / (4 * 1_002_000),
        "The result has to be written as well.": 2e6 / (4 * 1_001_000),
        "It counts numbers, not bytes.": 2e6 / 1_002_000,
        "It is bytes per operation, upside down.": 4 * 1_002_000 / 2e6,
    },
)
check_close(arithmetic_intensity(600, 600, 600), 100.0, "arithmetic_intensity: a square of side 600")
check_close(
    arithmetic_intensity(600, 600, 600, 2), 200.0, "arithmetic_intensity: numbers of two bytes"
)
### BEGIN HIDDEN TESTS
for a, b, c, w in [(3, 50, 7, 4), (50, 3, 7, 2), (7, 50, 3, 8), (1, 1, 1, 1), (4096, 512, 2048, 2)]:
    expected = 2 / w / (1 / a + 1 / b + 1 / c)
    check_close(arithmetic_intensity(a, b, c, w), expected, "arithmetic_intensity: other sizes")
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · Under the roof
#
# *Easy, 5 minutes, about 1 line, 4 points.*
#
# With a peak of $p$ operations a second and a bandwidth of $\beta$ bytes a second, a kernel of intensity $I$ can do at most
#
# $$\min(p,\; I \beta) \quad \text{operations a second.} \tag{15.2}$$
#
# *Worked number.* $p = 100$, $\beta = 20$: an intensity of 2 allows 40, an intensity of 8 allows 100. The ridge is at 5.
#
# `intensity` may be a number or an array of many; then the result is one, too.

# %% tags=["exercise", "id:attainable"]
def attainable(
    intensity: float | Float[np.ndarray, "..."], peak: float, bandwidth: float
) -> float | Float[np.ndarray, "..."]:
    """Return the most operations a second that the roofline allows; a number or an array.

    Source: Williams et al. (2009); eq. 15.2. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    return np.minimum(peak, intensity * bandwidth)
    ### END SOLUTION


# %% tags=["test", "id:attainable-test", "points:4"]
several = np.array([0.5, 2.0, 5.0, 8.0])
check_close(attainable(2.0, 100.0, 20.0), 40.0, "attainable: on the slope")
check_close(attainable(8.0, 100.0, 20.0), 100.0, "attainable: on the roof")
check_close(
    attainable(several, 100.0, 20.0),
    np.array([10.0, 40.0, 100.0, 100.0]),
    "attainable: an array",
    hints={
        "It takes the larger of the two.": np.array([100.0, 100.0, 100.0, 160.0]),
        "It is the slope alone, without the roof.": 20 * several,
    },
)
check_close(several, np.array([0.5, 2.0, 5.0, 8.0]), "attainable: the array it was given")
### BEGIN HIDDEN TESTS
grid = np.geomspace(0.01, 1000, 12).reshape(3, 4)
expected = np.where(grid < 7e11 / 3e10, grid * 3e10, 7e11)
check_close(attainable(grid, 7e11, 3e10), expected, "attainable: an array with two axes")
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · How many times as fast?
#
# *Easy, 15 minutes, about 7 lines, 8 points.*
#
# Two programs were timed, `before` and `after` somebody improved them; both are lists of seconds.
# The first `warm_up` times of *each* are thrown away.
# What is left is compared by medians, with a cautious range from the quartiles $Q_1$ and $Q_3$ (a quarter of the times lies below $Q_1$, a quarter above $Q_3$):
#
# $$\text{ratio} = \frac{\operatorname{median}(\text{before})}{\operatorname{median}(\text{after})}, \qquad
# \text{low} = \frac{Q_1(\text{before})}{Q_3(\text{after})}, \qquad
# \text{high} = \frac{Q_3(\text{before})}{Q_1(\text{after})} \tag{15.3}$$
#
# If the range contains 1, the measurement does not show that anything was gained.
# Quartiles between two times are interpolated linearly, as `np.quantile` does.
#
# *Worked number.* `before` = 50, 4, 6, 8, 6 and `after` = 7, 2, 3, 4, 3 with one time of warm-up: medians 6 and 3, so the ratio is 2; the quartiles are 5.5 and 6.5 against 2.75 and 3.25, so low is $5.5/3.25 \approx 1.69$ and high $6.5/2.75 \approx 2.36$.

# %% tags=["exercise", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    """Return how many times as fast ``after`` is, and a low and a high estimate of it.

    Source: eq. 15.3. The lists may have different lengths. Inputs are not modified.

    Raises:
        ValueError: after the warm-up no time is left in one of them, or a time is not positive.
    """
    ### BEGIN SOLUTION
    quartiles = []
    for times in (before, after):
        kept = np.asarray(times, dtype=np.float64)[warm_up:]
        if kept.size == 0 or not (kept > 0).all():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        quartiles.append(np.quantile(kept, [0.25, 0.5, 0.75]))
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(b2 / a2), float(b1 / a3), float(b3 / a1)
    ### END SOLUTION


# %% tags=["test", "id:speedup-test", "points:8"]
before, after = [50.0, 4.0, 6.0, 8.0, 6.0], [7.0, 2.0, 3.0, 4.0, 3.0]
got = speedup(before, after, 1)
check_unchanged(np.array([50.0, 4.0, 6.0, 8.0, 6.0]), np.array(before), "speedup: before")
assert type(got) is tuple and len(got) == 3, "speedup: return the ratio, low and high."
check_close(
    got[0],
    2.0,
    "speedup, worked number: the ratio",
    hints={
        "It is upside down: the time before stands above.": 0.5,
        "Those are means: one interruption moves them.": 6.0 / 3.0 + 1e-3,
        "The means of all times, with the warm-up.": 14.8 / 3.8,
    },
)
check_close(
    got[1:],
    (5.5 / 3.25, 6.5 / 2.75),
    "speedup, worked number: low and high",
    hints={
        "Low and high have changed places.": (6.5 / 2.75, 5.5 / 3.25),
        "Like is divided by like; the cautious range crosses the quartiles.": (2.0, 2.0),
    },
)
jumpy = speedup([9.0, 2.0, 2.0, 2.0, 500.0], [9.0, 1.0, 1.0, 1.0, 1.0], 1)
check_close(jumpy[0], 2.0, "speedup: one time of 500 among times of 2 (medians, not means)")
whole = speedup([9.0, 2.0, 2.0], [9.0, 1.0, 1.0], 0)
check_close(whole[0], 2.0, "speedup: no warm-up, medians 2 and 1 of three times each")
check_raises(ValueError, speedup, [1.0, 2.0], [1.0], 1, when="no time is left after the warm-up")
check_raises(ValueError, speedup, [1.0, 0.0], [1.0, 2.0], 1, when="a time is 0")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1503)
for lengths, warm_up in [((9, 14), 2), ((8, 5), 3), ((7, 6), 0), ((4, 4), 3)]:
    before, after = (rng.lognormal(size=n) for n in lengths)
    before[0], after[0] = 40.0, 90.0
    kept = [sorted(times[warm_up:].tolist()) for times in (before, after)]

    def at(times, share):
        """The value at a share of the way through sorted times, interpolated."""
        place = share * (len(times) - 1)
        low = min(int(place), len(times) - 2) if len(times) > 1 else 0
        high = min(low + 1, len(times) - 1)
        return times[low] + (place - low) * (times[high] - times[low])

    expected = (
        at(kept[0], 0.5) / at(kept[1], 0.5),
        at(kept[0], 0.25) / at(kept[1], 0.75),
        at(kept[0], 0.75) / at(kept[1], 0.25),
    )
    check_close(speedup(before, after, warm_up), expected, f"speedup: a warm-up of {warm_up}")
check_raises(ValueError, speedup, [], [1.0], 0, when="a list is empty")
check_raises(ValueError, speedup, [1.0, 2.0], [1.0, -2.0], 1, when="a time is negative")
check_raises(
    ValueError, speedup, [1.0, float("nan"), 2.0], [1.0, 2.0], 1, when="a time is not a number"
)
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · Side by side
#
# *Easy, 15 minutes, about 5 lines, 6 points.*
#
# An LSTM that was written gate by gate has twelve parameters: for each $g$ of $i, f, c, o$ a matrix `W_xg` (D, H), a matrix `W_hg` (H, H) and a bias `b_g` (H,).
# ($c$ is the proposal for the memory.)
# All gates read the same $x_t$ and $h_{t-1}$.
# Put the inputs' weights on top of the states' and the gates side by side, in the order $i, f, c, o$:
#
# $$W = \begin{bmatrix} W_{xi} & W_{xf} & W_{xc} & W_{xo} \\ W_{hi} & W_{hf} & W_{hc} & W_{ho} \end{bmatrix}, \qquad b = [\, b_i, b_f, b_c, b_o \,] \tag{15.4}$$
#
# *Shapes.* `W` (D+H, 4H), `b` (4H,).
#
# *Worked number.* With $D = H = 1$, `W_xg` = 1, 2, 3, 4 and `W_hg` = 5, 6, 7, 8 for $i, f, c, o$: $W$ has the rows $(1, 2, 3, 4)$ and $(5, 6, 7, 8)$.

# %% tags=["exercise", "id:stack-gates"]
def stack_gates(params: Params) -> tuple[Float[Tensor, "DH G"], Float[Tensor, " G"]]:
    """Return all weights of an LSTM as one matrix (D+H, 4H), and all biases as one row (4H,).

    Source: eq. 15.4. ``params`` has the keys W_xi, W_hi, b_i, W_xf, ...; their order in the dict
    means nothing. dtype and device follow the parameters. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    columns = [torch.cat([params[f"W_x{g}"], params[f"W_h{g}"]], dim=0) for g in "ifco"]
    return torch.cat(columns, dim=1), torch.cat([params[f"b_{g}"] for g in "ifco"])
    ### END SOLUTION


# %% tags=["test", "id:stack-gates-test", "points:6"]
one = {f"W_x{g}": numbers([[n + 1.0]]) for n, g in enumerate("ifco")}
one |= {f"W_h{g}": numbers([[n + 5.0]]) for n, g in enumerate("ifco")}
one |= {f"b_{g}": numbers([n + 9.0]) for n, g in enumerate("ifco")}
one = dict(sorted(one.items()))
before = {key: value.clone() for key, value in one.items()}
got = stack_gates(one)
check_unchanged(before, one, "stack_gates")
assert type(got) is tuple and len(got) == 2, "stack_gates: return the matrix and the biases."
check_close(
    got[0],
    numbers([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]),
    "stack_gates, worked number: W",
    hints={
        "The states' weights stand on top; the inputs' come first.": (
            numbers([[5.0, 6.0, 7.0, 8.0], [1.0, 2.0, 3.0, 4.0]])
        ),
        "The order is i, f, c, o, whatever the dict's is.": (
            numbers([[3.0, 2.0, 1.0, 4.0], [7.0, 6.0, 5.0, 8.0]])
        ),
        "The proposal comes third, the output gate last.": (
            numbers([[1.0, 2.0, 4.0, 3.0], [5.0, 6.0, 8.0, 7.0]])
        ),
    },
)
check_close(got[1], numbers([9.0, 10.0, 11.0, 12.0]), "stack_gates, worked number: b")
### BEGIN HIDDEN TESTS
for D, H, dtype in [(3, 4, torch.float64), (5, 2, torch.float32)]:
    gates = {}
    for n, g in enumerate("ocfi"):
        gates[f"b_{g}"] = normal(H, seed=40 + n, dtype=dtype)
        gates[f"W_h{g}"] = normal(H, H, seed=50 + n, dtype=dtype)
        gates[f"W_x{g}"] = normal(D, H, seed=60 + n, dtype=dtype)
    W, b = stack_gates(gates)
    check_shape(W, (D + H, 4 * H), "stack_gates: W")
    check_shape(b, (4 * H,), "stack_gates: b")
    for n, g in enumerate("ifco"):
        block = slice(n * H, (n + 1) * H)
        check_close(W[:D, block], gates[f"W_x{g}"], f"stack_gates: the block of W_x{g}")
        check_close(W[D:, block], gates[f"W_h{g}"], f"stack_gates: the block of W_h{g}")
        check_close(b[block], gates[f"b_{g}"], f"stack_gates: the block of b_{g}")
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · One product for a step
#
# *Easy, 15 minutes, about 6 lines, 12 points.*
#
# With the stacked weights one product gives all pre-activations, in four blocks of $H$ columns:
#
# $$[\, a^i, a^f, a^c, a^o \,] = [\, x, h_{\text{prev}} \,]\, W + b \tag{15.5}$$
#
# $$c = \sigma(a^f) \odot c_{\text{prev}} + \sigma(a^i) \odot \tanh(a^c), \qquad h = \sigma(a^o) \odot \tanh(c) \tag{15.6}$$
#
# with the logistic function $\sigma$, `torch.sigmoid`.
# The result must be differentiable: autograd will go through it.
#
# *Shapes.* `x` (B, D), `h_prev`, `c_prev` (B, H), `W` (D+H, 4H), `b` (4H,); results `h`, `c` (B, H).
#
# *Worked number.* With all weights and biases zero every gate is ½ and the proposal is 0, so $c = c_{\text{prev}}/2$, and from $c_{\text{prev}} = 2$ follows $h = \tfrac12 \tanh 1 \approx 0.3808$.

# %% tags=["exercise", "id:fused-lstm-step"]
def fused_lstm_step(
    x: Float[Tensor, "B D"],
    h_prev: Float[Tensor, "B H"],
    c_prev: Float[Tensor, "B H"],
    W: Float[Tensor, "DH G"],
    b: Float[Tensor, " G"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    """Return the next state and memory of an LSTM, with a single matrix product.

    Source: eqs. 15.5 and 15.6; ``W`` and ``b`` are what ``stack_gates`` returns. Differentiable.
    dtype and device follow ``x``. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    together = torch.cat([x, h_prev], dim=1) @ W + b  # (B D+H) (D+H 4H) -> (B 4H)
    a_i, a_f, a_c, a_o = together.chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c_prev + torch.sigmoid(a_i) * torch.tanh(a_c)
    return torch.sigmoid(a_o) * torch.tanh(c), c
    ### END SOLUTION


# %% tags=["test", "id:fused-lstm-step-test", "points:12"]
zero = torch.zeros(1, 1, dtype=torch.float64, device=DEVICE)
got = fused_lstm_step(zero, zero, zero + 2, zero.expand(2, 4), zero[0].expand(4))
assert type(got) is tuple and len(got) == 2, "fused_lstm_step: return h and c."
check_close(got[1], zero + 1, "fused_lstm_step, worked number: c")
check_close(
    got[0],
    zero + 0.5 * math.tanh(1),
    "fused_lstm_step, worked number: h",
    hints={
        "The tanh of the memory is missing in h.": zero + 0.5,
        "h reads the new memory, not the old one.": zero + 0.5 * math.tanh(2),
        "h and c have changed places.": zero + 1,
    },
)
biases = numbers([1.0, 2.0, 3.0, 4.0])
h, c = fused_lstm_step(zero, zero, zero + 1, zero.expand(2, 4), biases)
s_1, s_2, s_4 = (1 / (1 + math.exp(-value)) for value in (1, 2, 4))
check_close(
    c,
    zero + s_2 + s_1 * math.tanh(3),
    "fused_lstm_step, all weights 0, b = (1, 2, 3, 4), c_prev = 1: c",
    hints={
        "The input gate and the forget gate have changed places.": zero + s_1 + s_2 * math.tanh(3),
        "The blocks are i, f, c, o: the third is the proposal.": zero + s_2 + s_1 * math.tanh(4),
        "The proposal is squashed by tanh, not by the logistic function.": (
            zero + s_2 + s_1 / (1 + math.exp(-3))
        ),
    },
)
given = {"x": normal(3, 2, seed=1), "h_prev": normal(3, 4, seed=2), "c_prev": normal(3, 4, seed=3)}
given |= {"W": normal(6, 16, seed=4), "b": normal(16, seed=5)}
before = {key: value.clone() for key, value in given.items()}
with Watch() as watch:
    h, c = fused_lstm_step(*given.values())
check_unchanged(before, given, "fused_lstm_step")
check_shape(h, (3, 4), "fused_lstm_step: h", axes="B H")
assert watch.products <= 1, (
    f"fused_lstm_step: {watch.products} matrix products. Put x and h_prev side by side, "
    "multiply once by all of W, and split the result."
)
### BEGIN HIDDEN TESTS
for B, D, H, dtype in [(3, 2, 4, torch.float64), (1, 5, 3, torch.float64), (2, 3, 6, torch.float32)]:
    x, h_prev, c_prev, W, b, w_h, w_c = (
        normal(*shape, seed=150 + n, dtype=dtype)
        for n, shape in enumerate(
            [(B, D), (B, H), (B, H), (D + H, 4 * H), (4 * H,), (B, H), (B, H)]
        )
    )
    cell = torch.nn.LSTMCell(D, H).to(DEVICE, dtype)
    with torch.no_grad():
        cell.weight_ih.copy_(W[:D].T)
        cell.weight_hh.copy_(W[D:].T)
        cell.bias_ih.copy_(b)
        cell.bias_hh.zero_()
    mine, theirs = ([t.clone().requires_grad_() for t in (x, h_prev, c_prev)] for _ in range(2))
    W_leaf = W.clone().requires_grad_()
    expected = cell(theirs[0], (theirs[1], theirs[2]))
    got = fused_lstm_step(*mine, W_leaf, b)
    close = {"rtol": 1e-9, "atol": 1e-12} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    label = f"fused_lstm_step, a batch of {B}: "
    for name, a, e in zip("hc", got, expected, strict=True):
        check_close(a.detach(), e.detach(), label + name, axes="B H", **close)
    (w_h * expected[0] + w_c * expected[1]).sum().backward()
    (w_h * got[0] + w_c * got[1]).sum().backward()
    stacked = torch.cat([cell.weight_ih.grad.T, cell.weight_hh.grad.T])
    check_close(W_leaf.grad, stacked, label + "the gradient of W through it", **close)
    for name, a, e in zip(("x", "h_prev", "c_prev"), mine, theirs, strict=True):
        check_close(a.grad, e.grad, label + f"the gradient of {name} through it", **close)
### END HIDDEN TESTS


# %% [markdown]
# ## 6 · A softmax that reads once
#
# *Medium, 30 minutes, about 10 lines, 14 points.*
#
# The scores of a batch of rows arrive in blocks, and none can be asked for twice.
# `read(n)` returns block `n`, a tensor (B, width); the widths of the blocks may differ, and there are `count` of them.
# Carry for every row the largest score so far and the sum of exponentials with that score subtracted.
# A block with the scores $s_1, \dots, s_c$ changes them to
#
# $$m' = \max(m, s_1, \dots, s_c), \qquad \ell' = \ell\, e^{m - m'} + \sum_{i} e^{s_i - m'} \tag{15.7}$$
#
# Start from $m = -\infty$ and $\ell = 0$.
# At the end $\ell = \sum_j e^{s_j - m}$ over the whole row, and any softmax weight is $e^{s_j - m} / \ell$.
#
# **Masked scores** are $-\infty$ and count nothing.
# A whole block may be masked, even the first one: then $m = m' = -\infty$, and $e^{-\infty - (-\infty)}$ is not a number.
# As long as $m'$ is $-\infty$ nothing has been seen and $\ell' = 0$; a row that is masked to its end has $m = -\infty$ and $\ell = 0$.
#
# *Worked number.* The blocks $(0, \log 2)$ and $(\log 4)$: after the first $m = \log 2$ and $\ell = \tfrac12 + 1$; after the second $m = \log 4$ and $\ell = 1.5 \cdot \tfrac12 + 1 = 1.75$.

# %% tags=["exercise", "id:online-softmax"]
def online_softmax(
    read: Callable[[int], Float[Tensor, "B C"]], count: int
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """Return each row's largest score m and its sum of exp(score - m), reading each block once.

    Source: Milakov and Gimelshein (2018); eq. 15.7. ``read(n)`` gives block n = 0, ...,
    ``count - 1``; ``count`` is at least 1. No tensor is larger than a block. A row of nothing but
    -inf has m = -inf and a sum of 0. dtype and device follow the blocks, which are not modified.
    """
    ### BEGIN SOLUTION
    m = total = None
    for n in range(count):
        scores = read(n)
        if m is None:
            m, total = scores.new_full(scores.shape[:1], -math.inf), scores.new_zeros(len(scores))
        highest = torch.maximum(m, scores.amax(dim=1))
        reference = torch.where(highest == -math.inf, 0.0, highest)
        total = total * torch.exp(m - reference)
        total = total + torch.exp(scores - reference[:, None]).sum(dim=1)
        m = highest
    return m, total
    ### END SOLUTION


# %% tags=["test", "id:online-softmax-test", "points:14"]
asked = []


def read_worked(n):
    asked.append(n)
    return [numbers([[0.0, math.log(2)]]), numbers([[math.log(4)]])][n]


got = online_softmax(read_worked, 2)
assert type(got) is tuple and len(got) == 2, "online_softmax: return m and the sum."
check_close(got[0], numbers([math.log(4)]), "online_softmax, worked number: m")
check_close(
    got[1],
    numbers([1.75]),
    "online_softmax, worked number: the sum",
    hints={
        "The sum so far is not rescaled when the maximum rises, eq. 15.7.": numbers([2.5]),
        "The factor is upside down: exp(old maximum - new maximum) is at most 1.": numbers([4.0]),
        "Nothing is subtracted: the exponentials will overflow.": numbers([7.0]),
        "Only the last block is summed.": numbers([1.0]),
    },
)
assert sorted(asked) == [0, 1], f"online_softmax: blocks asked for: {asked}; each exactly once."

table = 3 * normal(3, 12, seed=61)
table[0, :5], table[1, 5:9], table[2] = -math.inf, 800.0, -900.0
blocks = [table[:, :5], table[:, 5:6], table[:, 6:12]]
before = [block.clone() for block in blocks]
with Watch() as watch:
    m, total = online_softmax(lambda n: blocks[n], 3)
check_unchanged(before, blocks, "online_softmax: the blocks")
check_close(m, table.amax(1), "online_softmax: m (large, small and masked scores)", axes="B")
check_close(
    total,
    torch.exp(table - table.amax(1, keepdim=True)).sum(1),
    "online_softmax: the sum (row 0 begins with a masked block, rows 1 and 2 have huge scores)",
    axes="B",
)
assert watch.largest <= 18, (
    "online_softmax: it makes a tensor larger than the largest block. Keep one number a row."
)
m, total = online_softmax(lambda n: numbers([[-math.inf, -math.inf], [1.0, 1.0]]), 2)
check_close(m, numbers([-math.inf, 1.0]), "online_softmax: m, a row that is masked to its end")
check_close(total, numbers([0.0, 4.0]), "online_softmax: the sum, a row that is masked to its end")
### BEGIN HIDDEN TESTS
for B, widths, scale, dtype in [
    (2, (4, 1, 7, 3), 1.0, torch.float64),
    (5, (1,) * 9, 60.0, torch.float64),
    (1, (6,), 5.0, torch.float32),
    (3, (2, 8), 400.0, torch.float32),
]:
    table = scale * normal(B, sum(widths), seed=1506 + B, dtype=dtype)
    if B > 1:
        table[1, : sum(widths[:2]) - 1] = -math.inf
    blocks, asked = list(table.split(widths, dim=1)), []

    def read(n, blocks=blocks, asked=asked):
        asked.append(n)
        return blocks[n]

    m, total = online_softmax(read, len(widths))
    case = f"{len(widths)} block{'s' * (len(widths) > 1)}, {str(dtype)[6:]}"
    assert sorted(asked) == list(range(len(widths))), (
        f"online_softmax, {case}: a block was read twice or not at all."
    )
    tolerance = 1e-9 if dtype == torch.float64 else 1e-5
    check_close(m, table.amax(1), f"online_softmax, {case}: m", tolerance, axes="B")
    expected = torch.exp(table - table.amax(1, keepdim=True)).sum(1)
    check_close(total, expected, f"online_softmax, {case}: the sum", tolerance, axes="B")
### END HIDDEN TESTS


# %% [markdown]
# ## 7 · Attention without its matrix
#
# *Hard, 45 minutes, about 20 lines, 20 points.*
#
# Attention scores every query against every key, and returns weighted means of the values:
#
# $$s_{tj} = \frac{q_t \cdot k_j}{\sqrt K}, \qquad o_t = \sum_j \frac{e^{s_{tj}}}{\sum_{j'} e^{s_{tj'}}}\, v_j \tag{15.8}$$
#
# Do it in tiles of `tile` keys (the last may be smaller), and carry a third quantity beside $m$ and $\ell$: the sum of the values with the same weights,
#
# $$a' = a\, e^{m - m'} + \sum_{i} e^{s_i - m'}\, v_i, \qquad o = \frac{a}{\ell}, \qquad L = m + \log \ell \tag{15.9}$$
#
# with $o$ and $L$ after the last tile. $L_t$, the logarithm of the row's normaliser, is all that the way back will need besides.
#
# With `causal=True` (then $T = S$) query $t$ may use the keys up to place $t$ only: the others have the score $-\infty$.
# The places of a tile's keys in the whole sequence are `start, start + 1, ...`, those of the queries `0, ..., T - 1`.
# (Place 0 is in the first tile and every query may use it, so after the first tile every $m$ is finite.)
#
# *Memory.* No tensor may have more entries than the inputs or than $B \cdot \max(T, S) \cdot$ `tile`, whichever is larger.
# In particular neither the scores nor the mask may be a $T \times S$ matrix.
#
# *Shapes.* `q` (B, T, K), `k`, `v` (B, S, K); results `o` (B, T, K), `L` (B, T).
#
# *Worked number.* One query $q = 1$ with $K = 1$, keys $0$ and $\log 3$, values $8$ and $4$: the weights are ¼ and ¾, $o = 5$, $L = \log 4$.

# %% tags=["exercise", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    """Return attention's output and the logarithm of each row's normaliser, without the matrix.

    Source: Dao et al. (2022); eqs. 15.8 and 15.9. ``tile`` is the number of keys at a time. With
    ``causal`` query t uses the keys 0 to t; then T = S. dtype and device follow ``q``. Inputs are
    not modified.
    """
    ### BEGIN SOLUTION
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, stop, device=q.device) > places, -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, (m + torch.log(total)).squeeze(2)
    ### END SOLUTION


# %% tags=["test", "id:tiled-attention-test", "points:14"]
q, k, v = numbers([[[1.0]]]), numbers([[[0.0], [math.log(3)]]]), numbers([[[8.0], [4.0]]])
for tile in (1, 2, 5):
    got = tiled_attention(q, k, v, tile)
    assert type(got) is tuple and len(got) == 2, "tiled_attention: return o and L."
    check_close(
        got[0],
        numbers([[[5.0]]]),
        f"tiled_attention, worked number, tile = {tile}: o",
        hints={
            "The division by the normaliser is missing.": numbers([[[20.0 / 3]]]),
            "The values so far are not rescaled when the maximum rises.": numbers([[[9.0]]]),
            "Each tile has a softmax of its own: divide once, at the end.": numbers([[[12.0]]]),
            "Only the last tile counts.": numbers([[[4.0]]]),
        },
    )
    check_close(got[1], numbers([[math.log(4)]]), f"tiled_attention, worked number, tile = {tile}: L")

q, k, v = normal(2, 5, 3, seed=71), normal(2, 7, 3, seed=72), normal(2, 7, 3, seed=73)
given = {"q": q, "k": k, "v": v}
before = {key: value.clone() for key, value in given.items()}
for tile in (1, 3, 7, 20):
    o, L = tiled_attention(q, k, v, tile)
    check_unchanged(before, given, "tiled_attention")
    expected, L_expected = plain_attention(q, k, v)
    hints = {
        "The scores are not divided by the root of K.": plain_attention(q * math.sqrt(3), k, v)[0],
        "They are divided by K, not by its root.": plain_attention(q / math.sqrt(3), k, v)[0],
        "The last, smaller tile is missing.": (
            plain_attention(q, k[:, : max(1, 7 // tile) * tile], v[:, : max(1, 7 // tile) * tile])[0]
        ),
    }
    check_close(o, expected, f"tiled_attention, S = 7, tile = {tile}: o", hints=hints, axes="B T K")
    check_close(L, L_expected, f"tiled_attention, S = 7, tile = {tile}: L", axes="B T")
q = normal(2, 7, 3, seed=74)
for tile in (1, 3, 7):
    o, L = tiled_attention(q, k, v, tile, causal=True)
    expected, L_expected = plain_attention(q, k, v, causal=True)
    hints = {"Every query sees every key: nothing is masked.": plain_attention(q, k, v)[0]}
    check_close(
        o, expected, f"tiled_attention, causal, tile = {tile}: o", hints=hints, axes="B T K"
    )
    check_close(L, L_expected, f"tiled_attention, causal, tile = {tile}: L", axes="B T")
### BEGIN HIDDEN TESTS
for B, T, S, K, tile, scale, dtype in [
    (3, 4, 11, 5, 4, 1.0, torch.float64),
    (1, 9, 6, 2, 5, 30.0, torch.float64),
    (2, 1, 8, 3, 3, 1.0, torch.float64),
    (2, 6, 1, 4, 2, 1.0, torch.float64),
    (2, 40, 50, 8, 16, 2.0, torch.float32),
]:
    q, k, v = (normal(B, n, K, seed=1507 + i, dtype=dtype) for i, n in enumerate((T, S, S)))
    q = scale * q
    close = {"rtol": 1e-9, "atol": 1e-11} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    case = "large scores" if scale > 10 else str(dtype)[6:]
    o, L = tiled_attention(q, k, v, tile)
    expected, L_expected = plain_attention(q, k, v)
    check_close(o, expected, f"tiled_attention, {case}: o", axes="B T K", **close)
    check_close(L, L_expected, f"tiled_attention, {case}: L", axes="B T", **close)
    q = scale * normal(B, S, K, seed=1510, dtype=dtype)
    o, L = tiled_attention(q, k, v, tile, True)
    expected, L_expected = plain_attention(q, k, v, True)
    check_close(o, expected, f"tiled_attention, causal, {case}: o", axes="B T K", **close)
    check_close(L, L_expected, f"tiled_attention, causal, {case}: L", axes="B T", **close)
    moved_k, moved_v = k.clone(), v.clone()
    moved_k[:, -1], moved_v[:, -1] = 50.0, -70.0
    later = tiled_attention(q, moved_k, moved_v, tile, True)[0]
    check_close(later[:, :-1], o[:, :-1], "tiled_attention, causal: the past when the future changes")
### END HIDDEN TESTS


# %% [markdown]
# The next test looks at memory: first at the tensors that your function makes at a moderate length, then, when your work is graded, at a length at which the $T \times S$ scores and weights together take more than the 2 GiB that a submission may use.

# %% tags=["test", "id:tiled-attention-test-2", "points:6"]
q, k, v = (normal(1, 300, 4, seed=75 + n) for n in range(3))
for causal in (False, True):
    with Watch() as watch:
        o, _ = tiled_attention(q, k, v, 10, causal)
    check_close(o, plain_attention(q, k, v, causal)[0], "tiled_attention, T = 300", axes="B T K")
    assert watch.largest <= 300 * 10, (
        f"tiled_attention, causal={causal}, T = S = 300, tile = 10: it makes a tensor of "
        f"{watch.largest} entries; 300 x 10 are enough. The whole matrix would have 90000: "
        "which line makes a T x S tensor (scores, weights, or the mask)?"
    )
### BEGIN HIDDEN TESTS
T = 11_776  # T x T scores and as many weights in float64: 2.07 GiB
g = torch.Generator().manual_seed(1511)
q, k, v = (torch.randn(1, T, 2, generator=g, dtype=torch.float64) for _ in range(3))
o, L = tiled_attention(q, k, v, 64)
check_shape(o, (1, T, 2), "tiled_attention, a long sequence: o", axes="B T K")
chosen = torch.tensor([0, 1, 7_777, T - 1])
expected, L_expected = plain_attention(q[:, chosen], k, v)
check_close(o[:, chosen], expected, "tiled_attention, a long sequence: o", 1e-8)
check_close(L[:, chosen], L_expected, "tiled_attention, a long sequence: L", 1e-8)
### END HIDDEN TESTS


# %% [markdown]
# ## 8 · The way back, in tiles
#
# *Hard, 50 minutes, about 20 lines, 20 points.*
#
# Given $\bar o = \partial\mathcal{L}/\partial o$, the gradients are, with the weights $p_{tj} = e^{s_{tj} - L_t}$ made again from the scores and the stored $L$,
#
# $$D_t = \bar o_t \cdot o_t, \qquad \bar p_{tj} = \bar o_t \cdot v_j, \qquad \bar s_{tj} = p_{tj}\, (\bar p_{tj} - D_t) \tag{15.10}$$
#
# $$\bar v_j = \sum_t p_{tj}\, \bar o_t, \qquad \bar q_t = \frac{1}{\sqrt K} \sum_j \bar s_{tj}\, k_j, \qquad \bar k_j = \frac{1}{\sqrt K} \sum_t \bar s_{tj}\, q_t \tag{15.11}$$
#
# Go over the tiles of keys: $\bar q$ collects something in every tile, $\bar k_j$ and $\bar v_j$ are finished within the tile of their key.
# Masked weights are 0, and so are the gradients of masked scores.
# The limit on memory is that of part 7.
#
# *Shapes.* `d_o`, `q`, `o` (B, T, K); `k`, `v` (B, S, K); `L` (B, T). Results `d_q`, `d_k`, `d_v`, shaped like `q`, `k`, `v`.
#
# *Worked number.* The example of part 7 ($p = ¼, ¾$; $v = 8, 4$; $o = 5$) with $\bar o = 1$: $D = 5$, $\bar s = \tfrac14 (8 - 5), \tfrac34 (4 - 5) = \tfrac34, -\tfrac34$. So $\bar v = ¼, ¾$, and with $q = 1$ and keys $0, \log 3$: $\bar k = \tfrac34, -\tfrac34$ and $\bar q = -\tfrac34 \log 3$.

# %% tags=["exercise", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    """Return the gradients of q, k and v, without a T x S matrix.

    Source: Dao et al. (2022); eqs. 15.10 and 15.11. ``o`` and ``L`` are what ``tiled_attention``
    returned for the same inputs. dtype and device follow ``q``. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, o)
    d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - L[:, :, None])
        d_s = p * (torch.einsum("btk,bsk->bts", d_o, v[:, here]) - delta[:, :, None])
        d_q += torch.einsum("bts,bsk->btk", d_s, k[:, here]) / math.sqrt(K)
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q) / math.sqrt(K)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_k, d_v
    ### END SOLUTION


# %% tags=["test", "id:tiled-attention-backward-test", "points:16"]
q, k, v = numbers([[[1.0]]]), numbers([[[0.0], [math.log(3)]]]), numbers([[[8.0], [4.0]]])
o, L, d_o = numbers([[[5.0]]]), numbers([[math.log(4)]]), numbers([[[1.0]]])
for tile in (1, 2):
    got = tiled_attention_backward(d_o, q, k, v, o, L, tile)
    name = f"tiled_attention_backward, worked number, tile = {tile}: "
    assert type(got) is tuple and len(got) == 3, name + "return d_q, d_k and d_v."
    check_close(
        got[2],
        numbers([[[0.25], [0.75]]]),
        name + "d_v",
        hints={
            "The weights are not normalised: subtract L, not a maximum.": numbers([[[1.0], [3.0]]]),
            "d_k and d_v have changed places.": numbers([[[0.75], [-0.75]]]),
        },
    )
    check_close(
        got[1],
        numbers([[[0.75], [-0.75]]]),
        name + "d_k",
        hints={
            "D is missing in eq. 15.10: the softmax couples the scores of a row.": (
                numbers([[[2.0], [3.0]]])
            ),
            "The factor p is missing in eq. 15.10.": numbers([[[3.0], [-1.0]]]),
        },
    )
    check_close(
        got[0],
        numbers([[[-0.75 * math.log(3)]]]),
        name + "d_q",
        hints={"Only one tile counts: d_q collects from all of them.": numbers([[[0.0]]])},
    )

for T, causal in ((5, False), (7, True)):
    q, d_o = normal(2, T, 3, seed=81), normal(2, T, 3, seed=82)
    k, v = normal(2, 7, 3, seed=83), normal(2, 7, 3, seed=84)
    leaves = [t.clone().requires_grad_() for t in (q, k, v)]
    o, L = plain_attention(*leaves, causal)
    expected = torch.autograd.grad(o, leaves, d_o)
    o, L = o.detach(), L.detach()
    given = {"d_o": d_o, "q": q, "k": k, "v": v, "o": o, "L": L}
    before = {key: value.clone() for key, value in given.items()}
    for tile in (1, 3, 20):
        got = tiled_attention_backward(d_o, q, k, v, o, L, tile, causal)
        check_unchanged(before, given, "tiled_attention_backward")
        for name, a, e in zip(("d_q", "d_k", "d_v"), got, expected, strict=True):
            hints = {
                "The factor 1 / root of K is missing, eq. 15.11.": e * math.sqrt(3),
                "The factor 1 / root of K stands there twice.": e / math.sqrt(3),
            }
            label = f"tiled_attention_backward, causal={causal}, tile = {tile}: {name}"
            check_close(a, e, label, hints=hints, axes="B T K" if name == "d_q" else "B S K")
### BEGIN HIDDEN TESTS
for B, T, S, K, tile, causal, dtype in [
    (3, 4, 11, 5, 4, False, torch.float64),
    (1, 9, 6, 2, 5, False, torch.float64),
    (2, 10, 10, 4, 3, True, torch.float64),
    (4, 1, 8, 3, 8, False, torch.float64),
    (2, 33, 33, 8, 16, True, torch.float32),
]:
    q, d_o = (normal(B, T, K, seed=1520 + i, dtype=dtype) for i in range(2))
    k, v = (normal(B, S, K, seed=1522 + i, dtype=dtype) for i in range(2))
    leaves = [t.clone().requires_grad_() for t in (3 * q, k, v)]
    o, L = plain_attention(*leaves, causal)
    expected = torch.autograd.grad(o, leaves, d_o)
    got = tiled_attention_backward(d_o, 3 * q, k, v, o.detach(), L.detach(), tile, causal)
    close = {"rtol": 1e-9, "atol": 1e-11} if dtype == torch.float64 else {"rtol": 1e-3, "atol": 1e-4}
    label = f"tiled_attention_backward, causal={causal}, {str(dtype)[6:]}: "
    assert type(got) is tuple and len(got) == 3, label + "return d_q, d_k and d_v."
    for name, a, e in zip(("d_q", "d_k", "d_v"), got, expected, strict=True):
        check_close(a, e, label + name, axes="B T K" if name == "d_q" else "B S K", **close)
### END HIDDEN TESTS


# %% tags=["test", "id:tiled-attention-backward-test-2", "points:4"]
q, k, v, d_o = (normal(1, 300, 4, seed=85 + n) for n in range(4))
for causal in (False, True):
    leaves = [t.clone().requires_grad_() for t in (q, k, v)]
    o, L = plain_attention(*leaves, causal)
    expected = torch.autograd.grad(o, leaves, d_o)
    with Watch() as watch:
        got = tiled_attention_backward(d_o, q, k, v, o.detach(), L.detach(), 10, causal)
    for name, a, e in zip(("d_q", "d_k", "d_v"), got, expected, strict=True):
        check_close(a, e, f"tiled_attention_backward, T = 300: {name}")
    assert watch.largest <= 300 * 10, (
        f"tiled_attention_backward, causal={causal}, T = S = 300, tile = 10: it makes a tensor of "
        f"{watch.largest} entries; 300 x 10 are enough. Which line makes a T x S tensor?"
    )
### BEGIN HIDDEN TESTS
T = 11_776  # T x T weights and their gradients in float64: 2.07 GiB
g = torch.Generator().manual_seed(1531)
k, v, d_o = (torch.randn(1, T, 2, generator=g, dtype=torch.float64) for _ in range(3))
q = torch.zeros_like(k)  # all scores 0: every weight is 1 / T, and the output is the mean of v
o = v.mean(1, keepdim=True).expand(1, T, 2).contiguous()
L = torch.full((1, T), math.log(T), dtype=torch.float64)
d_q, d_k, d_v = tiled_attention_backward(d_o, q, k, v, o, L, 64)
name = "tiled_attention_backward, a long sequence: "
covariance = (v - v.mean(1, keepdim=True))[0].T @ k[0] / T
check_close(d_q[0], d_o[0] @ covariance / math.sqrt(2), name + "d_q", 1e-6, 1e-9)
check_close(d_k, torch.zeros_like(k), name + "d_k, all queries 0")
check_close(d_v, d_o.mean(1, keepdim=True).expand(1, T, 2), name + "d_v", 1e-6, 1e-9)
### END HIDDEN TESTS


# %% [markdown]
# ### What you have gained
#
# The bytes that the matrix of weights would take for one head, beside the largest tensor that your function makes with tiles of 64.

# %%
print("     T    matrix (MiB)    largest tensor (MiB)")
for T in (256, 512, 1024, 2048):
    q, k, v = (normal(1, T, 16, seed=n, dtype=torch.float32) for n in range(3))
    with Watch() as watch:
        tiled_attention(q, k, v, 64, causal=True)
    print(f"{T:6d} {4 * T * T / 2**20:15.2f} {4 * watch.largest / 2**20:23.2f}")

# %% [markdown]
# ## 9 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** A colleague writes: "My fused kernel is 40 times as fast. I ran the old version once and the new version once on our GPU, with `time.time()` before and after the call, on a batch of 1."
# Name what is wrong with the measurement, say for each point in which direction it may have moved the number, and describe the measurement that you would believe.
# Answer in five to eight sentences.

# %% [markdown] tags=["manual", "id:honest-timing", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. No warm-up: the first call pays for loading, compilation and cold caches; whichever ran first looks slower (here the old version, so the number is too large).
# 2. No synchronisation: a GPU call returns before the work is done, so the clock measures the launch; either side may look far too fast.
# 3. One run each: no median and no spread, interference by others cannot be told from the effect; the direction is open.
# 4. A batch of 1 is the case in which calls dominate; the gain of fusing is largest there and says little about the size that is used. (Or: a coarse clock for a short call.)
# 5. A believable measurement: warm-up, synchronise, many repetitions in turns, median and quartiles, sizes that matter, machine and threads named, and the results of both versions compared for equality. At least four of these.
# ### END MARK SCHEME

# %% [markdown]
# **b.** The cell below prints the arithmetic intensity of three products in attention for one head: the whole $q k^\top$ in float32, one tile of it whose operands come from memory and whose result goes there, and one query against all keys, as when a model generates.
# Which of them wait for memory on a processor with a ridge of 10 operations a byte?
# Why can tiled attention be faster on a GPU although it does more arithmetic, and why does your Python loop not have that advantage by itself?
# Answer in four to six sentences.

# %%
print(f"whole q k^T, T = S = 4096:     {arithmetic_intensity(4096, 64, 4096):6.2f}")
print(f"a tile of 128 keys:            {arithmetic_intensity(4096, 64, 128):6.2f}")
print(f"one query against 4096 keys:   {arithmetic_intensity(1, 64, 4096):6.2f}")

# %% [markdown] tags=["manual", "id:why-tiles", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. The query against all keys (about 0.5) waits for memory; the whole product (about 15.5) and the tile (about 10.6) lie right of the ridge by themselves, the tile only just.
# 2. The softmax between the products has a very low intensity: it reads and writes the matrix and does a few operations a number; the plain form moves the T x S matrix several times.
# 3. In a fused kernel the tile of scores is made, exponentiated, multiplied by the values and forgotten in the fast memory; only q, k, v, o and L cross the border, so the traffic falls by much more than the arithmetic grows.
# 4. The extra arithmetic (seven products instead of six, forward and backward) costs nothing where the time goes to traffic.
# 5. The Python loop consists of separate calls: each writes its tile to memory and the next reads it again (unless a cache happens to hold it), and each call has a fixed cost.
# ### END MARK SCHEME

# %% [markdown]
# ## 10 · Optional challenge: a softmax in Triton
#
# *Medium, 30 minutes, about 12 lines, no points.*
#
# The next cell imports Triton if it is installed; where there is no GPU, its interpreter runs your kernel (the first cell of the notebook chose it).
# `jit` is `triton.jit`; where Triton is absent it does nothing.
#
# Write a kernel in which one program handles one row: load it, subtract its maximum, exponentiate, divide by the sum, store.
# The row fits into one tile, whose size must be a power of two, so a mask keeps the program inside the row; masked places must not count in the maximum and in the sum (`other=-float("inf")`).
#
# **Where Triton is absent** (`triton is None`) the function returns `torch.softmax(x, dim=1)` instead, as real code with a fallback does; the test then says that your kernel was not tested.
# If you leave the challenge out, its test fails and costs nothing.

# %% tags=["setup"]
from types import SimpleNamespace

try:
    import triton
    import triton.language as tl

    jit = triton.jit
except ImportError:
    triton, tl = None, SimpleNamespace(constexpr=int)

    def jit(kernel: Callable) -> Callable:
        """Return the kernel as it is: there is no Triton to compile it."""
        return kernel


ABSENT = "Triton is not installed here: the fallback was tested, your kernel was not."


# %% tags=["exercise", "id:triton-softmax"]
def triton_softmax(x: Float[Tensor, "R C"]) -> Float[Tensor, "R C"]:
    """Return the softmax of every row, computed by a Triton kernel; one program a row.

    ``x`` is float32 and contiguous. Where Triton is absent, PyTorch's softmax is returned. dtype
    and device follow ``x``, which is not modified.
    """
    ### BEGIN SOLUTION
    if triton is None:
        return torch.softmax(x, dim=1)
    rows, columns = x.shape
    result = torch.empty_like(x)
    _softmax_row[(rows,)](x, result, columns, TILE=triton.next_power_of_2(columns))
    return result


@jit
def _softmax_row(x, result, columns, TILE: tl.constexpr):
    j = tl.arange(0, TILE)
    at = tl.program_id(0) * columns + j
    scores = tl.load(x + at, mask=j < columns, other=-float("inf"))
    weights = tl.exp(scores - tl.max(scores, axis=0))
    tl.store(result + at, weights / tl.sum(weights, axis=0), mask=j < columns)
    ### END SOLUTION


# %% tags=["test", "id:triton-softmax-test", "points:0"]
for rows, columns, scale in [(3, 8, 1.0), (5, 13, 1.0), (4, 11, 100.0), (2, 1, 1.0)]:
    x = scale * normal(rows, columns, seed=101, dtype=torch.float32)
    x_before = x.clone()
    got = triton_softmax(x)
    check_unchanged(x_before, x, "triton_softmax: x")
    check_close(
        got,
        torch.softmax(x, dim=1),
        f"triton_softmax, rows of {columns}",
        rtol=1e-4,
        atol=1e-6,
        axes="R C",
    )
if triton is None:
    print(ABSENT)

# %% [markdown]
# ## 11 · Optional challenge: attention in Triton
#
# *Hard, 60 minutes, about 30 lines, no points.*
#
# Now part 7 as one kernel, without the mask.
# One program takes a band of 16 queries of one sequence, walks over the keys in tiles of 16, and keeps $m$, $\ell$ and $a$ for its band.
# The two products of a tile are `tl.dot(..., input_precision="ieee")`, which wants sizes of at least 16 that are powers of two; `K` is one in the tests, but neither $T$ nor $S$ need be a multiple of 16, so both need masks.
# Let the grid have two axes, `tl.program_id(0)` for the band and `tl.program_id(1)` for the sequence, and make $S$ a `tl.constexpr`, because it bounds a loop.

# %% tags=["exercise", "id:triton-attention"]
def triton_attention(
    q: Float[Tensor, "B T K"], k: Float[Tensor, "B S K"], v: Float[Tensor, "B S K"]
) -> Float[Tensor, "B T K"]:
    """Return attention's output, computed by one Triton kernel that never holds the matrix.

    Source: eqs. 15.8 and 15.9. Inputs are float32 and contiguous; K is a power of two, at least 16.
    Where Triton is absent, the output of ``tiled_attention`` is returned. dtype and device follow
    ``q``. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    if triton is None:
        return tiled_attention(q, k, v, 16)[0]
    B, T, K = q.shape
    o = torch.empty_like(q)
    grid = (triton.cdiv(T, 16), B)
    _attention_band[grid](q, k, v, o, K**-0.5, T, S=k.shape[1], K=K, TILE=16)
    return o


@jit
def _attention_band(q, k, v, o, scale, T, S: tl.constexpr, K: tl.constexpr, TILE: tl.constexpr):
    t = tl.program_id(0) * TILE + tl.arange(0, TILE)
    b = tl.program_id(1)
    width = tl.arange(0, K)
    at_q = (b * T + t)[:, None] * K + width[None, :]
    queries = tl.load(q + at_q, mask=t[:, None] < T, other=0.0)
    m = tl.full([TILE], -float("inf"), tl.float32)
    total = tl.zeros([TILE], tl.float32)
    acc = tl.zeros([TILE, K], tl.float32)
    for start in range(0, S, TILE):
        j = start + tl.arange(0, TILE)
        at_k = (b * S + j)[:, None] * K + width[None, :]
        keys = tl.load(k + at_k, mask=j[:, None] < S, other=0.0)
        values = tl.load(v + at_k, mask=j[:, None] < S, other=0.0)
        s = tl.dot(queries, tl.trans(keys), input_precision="ieee") * scale
        s = tl.where(j[None, :] < S, s, -float("inf"))
        highest = tl.maximum(m, tl.max(s, axis=1))
        e = tl.exp(s - highest[:, None])
        repair = tl.exp(m - highest)
        total = total * repair + tl.sum(e, axis=1)
        acc = acc * repair[:, None] + tl.dot(e, values, input_precision="ieee")
        m = highest
    tl.store(o + at_q, acc / total[:, None], mask=t[:, None] < T)
    ### END SOLUTION


# %% tags=["test", "id:triton-attention-test", "points:0"]
for B, T, S, K in [(2, 16, 16, 16), (2, 21, 37, 16), (1, 3, 5, 32)]:
    q, k, v = (normal(B, n, K, seed=111 + i, dtype=torch.float32) for i, n in enumerate((T, S, S)))
    given = {"q": q, "k": k, "v": v}
    before = {key: value.clone() for key, value in given.items()}
    got = triton_attention(q, k, v)
    check_unchanged(before, given, "triton_attention")
    check_close(
        got,
        plain_attention(q, k, v)[0],
        f"triton_attention, T = {T}, S = {S}, K = {K}",
        rtol=1e-3,
        atol=1e-4,
        axes="B T K",
    )
if triton is None:
    print(ABSENT)

# %% [markdown]
# ## Sources
#
# * S. Williams, A. Waterman and D. Patterson (2009), *Roofline: an insightful visual performance model for multicore architectures*, Communications of the ACM 52(4).
# * M. Milakov and N. Gimelshein (2018), *Online normalizer calculation for softmax*, arXiv:1805.02867.
# * M. Rabe and C. Staats (2021), *Self-attention does not need O(n²) memory*, arXiv:2112.05682.
# * T. Dao, D. Fu, S. Ermon, A. Rudra and C. Ré (2022), *FlashAttention: fast and memory-efficient exact attention with IO-awareness*, NeurIPS.
# * P. Tillet, H. Kung and D. Cox (2019), *Triton: an intermediate language and compiler for tiled neural network computations*, MAPL.
