# %% [markdown]
# # 8 · Convolutions for sequences
#
# In this exercise you build a temporal convolutional network from shifted matrix products, and train it to remember.
# You start with one sliding window, keep it from looking ahead, spread it out, compute what it can see and how deep it must be, and then stack it into the network of Bai, Kolter and Koltun.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `conv1d` | easy | 25 min | 14 |
# | 2 | `causal_conv1d` | medium | 30 min | 16 |
# | 3 | `dilated_receptive_field` | easy | 10 min | 10 |
# | 4 | `layers_needed` | medium | 20 min | 12 |
# | 5 | `wavenet_gate` | easy | 15 min | 12 |
# | 6 | `tcn_block` | medium | 25 min | 14 |
# | 7 | `tcn_forward` | easy | 15 min | 12 |
# | 8 | two written answers | medium | 20 min | 10 |
# | 9 | optional: `causal_conv1d_backward` | hard | 30 min | 0 |
#
# Before you start, read chapter 8 of the book.
#
# **Rules**
#
# * torch tensors, and no ready-made convolution: neither `torch.nn` nor `conv1d` of `torch.nn.functional`. Products, sums, shifts and padding are all you need.
# * No loop over the batch, and none over the steps: loop over the few taps of the window, and let matrix products do the rest.
# * New tensors take dtype and device from the inputs. The same code then runs on a GPU.
# * No function changes the tensors that it is given, and gradients flow through all of them (no `detach`, no numpy).
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# | tensor | shape | |
# |---|---|---|
# | `x` | (B, T, D) | input, batch first, then time |
# | `W` | (k, D, H) | a matrix for each tap of the window, the *oldest* input's first |
# | `b` | (H,) | bias |
# | result | (B, T, H) | or (B, T-k+1, H) in part 1 |
#
# `W[-1]` belongs to the newest input of the window, as in PyTorch, whose `nn.Conv1d` holds the same numbers as (H, D, k).
# Papers often count taps from the present backwards, $F_i$ for the input $i$ steps ago; then $F_i = W_{k-1-i}$.
#
# Equations count steps from 1, tensors from 0. The numbers of equations are those of this notebook.

# %% tags=["setup"]
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unrolled.checks import check_close, check_raises, check_shape, check_unchanged
from unrolled.device import device

DEVICE = device()
Params = dict[str, Tensor]


def random_tensors(*shapes: tuple[int, ...], seed: int) -> list[Tensor]:
    """Return float64 tensors of standard normal numbers, the same on every machine."""
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(s, generator=g, dtype=torch.float64).to(DEVICE) for s in shapes]


def column(*numbers: float) -> Tensor:
    """Return a batch of one sequence with one number a step, (1, T, 1)."""
    return torch.tensor(numbers, dtype=torch.float64, device=DEVICE)[None, :, None]


def taps(*numbers: float) -> Tensor:
    """Return a window with one number a tap, (k, 1, 1)."""
    return torch.tensor(numbers, dtype=torch.float64, device=DEVICE)[:, None, None]


def copies(*tensors: Tensor) -> list[Tensor]:
    """Return copies, to see later whether a function changed the originals."""
    return [t.clone() for t in tensors]


# %% [markdown]
# ## 1 · A window that slides
#
# *Easy, 25 minutes, about 6 lines, 14 points.*
#
# Put a window of $k$ steps on the sequence, at every place where it fits, and take the same weighted sum each time:
#
# $$y_t = b + \sum_{j=0}^{k-1} x_{t+j}\, W_j, \qquad t = 1, \dots, T-k+1 \tag{8.1}$$
#
# (A mathematician would call this a cross-correlation. Every deep-learning library calls it a convolution.)
#
# Read eq. 8.1 the other way round and the loop over $t$ disappears: tap $j$ multiplies *all* steps $1+j, \dots, T-k+1+j$ by the same matrix.
# So the result is a sum of $k$ products, each of a slice of `x` with one `W[j]`.
#
# *Shapes.* `x` (B, T, D), `W` (k, D, H), `b` (H,), result (B, T-k+1, H).
# If the window does not fit anywhere, $T < k$, raise `ValueError`.
#
# *Worked number.* $x = (1, 2, 3, 4)$ with $W = (1, 10)$ and $b = 0.5$: the first window gives $1 \cdot 1 + 10 \cdot 2 + 0.5 = 21.5$, and all are $(21.5, 32.5, 43.5)$.

# %% tags=["exercise", "id:conv1d"]
def conv1d(
    x: Float[Tensor, "B T D"], W: Float[Tensor, "k D H"], b: Float[Tensor, " H"]
) -> Float[Tensor, "B T-k+1 H"]:
    """Return the weighted sum of every window of k steps.

    Source: eq. 8.1. dtype and device follow ``x``. Inputs are not modified.

    Raises:
        ValueError: the sequence is shorter than the window.
    """
    ### BEGIN SOLUTION
    k, places = W.shape[0], x.shape[1] - W.shape[0] + 1
    if places < 1:
        raise ValueError(f"conv1d: a window of {k} steps does not fit into {x.shape[1]}")
    return sum(x[:, j : j + places] @ W[j] for j in range(k)) + b
    ### END SOLUTION


# %% tags=["test", "id:conv1d-test", "points:14"]
half = torch.tensor([0.5], dtype=torch.float64, device=DEVICE)
y = conv1d(column(1, 2, 3, 4), taps(1, 10), half)
check_close(
    y,
    column(21.5, 32.5, 43.5),
    "conv1d, worked number",
    hints={
        "The taps are in reverse order: W[0] belongs to the oldest input.": column(12.5, 23.5, 34.5),
        "The bias is missing.": column(21, 32, 43),
        "The bias is added once for each tap; eq. 8.1 has it once.": column(22, 33, 44),
        "Only the last tap is there: add up all of them.": column(20.5, 30.5, 40.5),
        "Only the first tap is there: add up all of them.": column(1.5, 2.5, 3.5),
    },
    axes="B T H",
)
x, W, b = random_tensors((2, 7, 3), (4, 3, 5), (5,), seed=1)
given, before = [x, W, b], copies(x, W, b)
y = conv1d(x, W, b)
check_unchanged(before, given, "conv1d")
check_shape(y, (2, 4, 5), "conv1d, T = 7, k = 4", axes="B T H")
slow, reverse = torch.zeros_like(y), torch.zeros_like(y)
for t in range(4):  # a loop over the places, for comparison
    for j in range(4):
        slow[:, t] += x[:, t + j] @ W[j]
        reverse[:, t] += x[:, t + j] @ W[3 - j]
check_close(
    y,
    slow + b,
    "conv1d, T = 7, k = 4",
    rtol=1e-10,
    hints={"The taps are in reverse order.": reverse + b, "The bias is missing.": slow},
    axes="B T H",
)
check_close(conv1d(x[:, :4], W, b), y[:, :1], "conv1d: a window that fits exactly once", rtol=1e-10)
check_raises(ValueError, conv1d, x[:, :3], W, b, when="the window is longer than the sequence")
### BEGIN HIDDEN TESTS
for seed, (B, T, D, H, k) in enumerate([(3, 11, 2, 4, 5), (1, 6, 5, 3, 1), (4, 3, 1, 2, 3)]):
    x, W, b = random_tensors((B, T, D), (k, D, H), (H,), seed=801 + seed)
    given, before = [x, W, b], copies(x, W, b)
    label = f"conv1d, another size{', a window of one step' * (k == 1)}"
    expected = torch.nn.functional.conv1d(x.mT, W.permute(2, 1, 0), b).mT
    flipped = torch.nn.functional.conv1d(x.mT, W.flip(0).permute(2, 1, 0), b).mT
    hints = {"The taps are in reverse order.": flipped} if k > 1 else {}
    check_close(conv1d(x, W, b), expected, label, 1e-10, 1e-12, hints, axes="B T H")
    check_unchanged(before, given, "conv1d")
single = conv1d(x.float(), W.float(), b.float())
check_close(single, expected.float(), "conv1d in float32: dtype follows x", 1e-4, 1e-5)
leaves = [v.clone().requires_grad_() for v in (x, W, b)]
conv1d(*leaves).square().sum().backward()
wanted = [v.clone().requires_grad_() for v in (x, W, b)]
out = torch.nn.functional.conv1d(wanted[0].mT, wanted[1].permute(2, 1, 0), wanted[2])
out.square().sum().backward()
for name, mine, theirs in zip(("x", "W", "b"), leaves, wanted, strict=True):
    assert mine.grad is not None, f"conv1d: no gradient reaches {name}; was it detached?"
    check_close(mine.grad, theirs.grad, f"conv1d: gradient of {name}", 1e-9, 1e-11)
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · Only the past, and further back
#
# *Medium, 30 minutes, about 6 lines, 16 points.*
#
# For a network that predicts, two things must change: the output must be as long as the input, and $y_t$ may depend on $x_1, \dots, x_t$ only.
# And to see further without more weights, let the taps stand $d$ steps apart (*dilation*):
#
# $$y_t = b + \sum_{i=0}^{k-1} x_{t - i d}\, F_i, \qquad F_i = W_{k-1-i}, \qquad x_s = 0 \text{ for } s \le 0 \tag{8.2}$$
#
# So the present meets `W[-1]`, the input $d$ steps ago meets `W[-2]`, and before the sequence began there is silence.
# Put zeros in front, as many as the oldest tap needs, and eq. 8.2 is again a sum of $k$ products of slices.
#
# *Shapes.* `x` (B, T, D), `W` (k, D, H), `b` (H,), result (B, T, H).
# The sequence may be shorter than the window; the zeros make up for it.
#
# *Worked number.* $x = (1, 2, 3, 4)$, $W = (10, 1)$, $b = 0$.
# With $d = 1$: $(1,\; 2 + 10,\; 3 + 20,\; 4 + 30) = (1, 12, 23, 34)$.
# With $d = 2$: $(1,\; 2,\; 3 + 10,\; 4 + 20) = (1, 2, 13, 24)$.

# %% tags=["exercise", "id:causal-conv1d"]
def causal_conv1d(
    x: Float[Tensor, "B T D"],
    W: Float[Tensor, "k D H"],
    b: Float[Tensor, " H"],
    dilation: int = 1,
) -> Float[Tensor, "B T H"]:
    """Return a convolution whose output at step t reads x at t, t - d, ..., t - (k - 1) d.

    Source: van den Oord et al. (2016); Bai et al. (2018); eq. 8.2. Zeros stand before the
    sequence. dtype and device follow ``x``. Inputs are not modified.

    Raises:
        ValueError: ``dilation`` is less than 1.
    """
    ### BEGIN SOLUTION
    if dilation < 1:
        raise ValueError(f"causal_conv1d: expected a dilation of at least 1, got {dilation}")
    B, T, D = x.shape
    k = W.shape[0]
    padded = torch.cat([x.new_zeros(B, (k - 1) * dilation, D), x], dim=1)
    return sum(padded[:, j * dilation : j * dilation + T] @ W[j] for j in range(k)) + b
    ### END SOLUTION


# %% tags=["test", "id:causal-conv1d-test", "points:16"]
none = torch.zeros(1, dtype=torch.float64, device=DEVICE)
x = column(1, 2, 3, 4)
y = causal_conv1d(x, taps(10, 1), none)
check_close(
    y,
    column(1, 12, 23, 34),
    "causal_conv1d, worked number, d = 1",
    hints={
        "It looks ahead: the zeros belong in front of the sequence, none behind.": (
            column(12, 23, 34, 40)
        ),
        "The taps are in reverse order: the present meets W[-1].": column(10, 21, 32, 43),
        "The sequence is repeated before its start, where eq. 8.2 has zeros.": (
            column(11, 12, 23, 34)
        ),
        "The end of the sequence stands before its start: torch.roll goes round.": (
            column(41, 12, 23, 34)
        ),
    },
    axes="B T H",
)
check_close(
    causal_conv1d(x, taps(10, 1), none, 2),
    column(1, 2, 13, 24),
    "causal_conv1d, worked number, d = 2",
    hints={
        "The dilation is not used.": column(1, 12, 23, 34),
        "It looks ahead.": column(13, 24, 30, 40),
        "Half of the zeros are behind the sequence; all belong in front.": column(2, 13, 24, 30),
    },
    axes="B T H",
)
x, W, b = random_tensors((2, 9, 3), (3, 3, 4), (4,), seed=2)
given, before = [x, W, b], copies(x, W, b)
for d in (1, 2, 4, 6):
    y = causal_conv1d(x, W, b, d)
    check_unchanged(before, given, "causal_conv1d")
    check_shape(y, (2, 9, 4), f"causal_conv1d, d = {d}", axes="B T H")
    slow, forward = torch.zeros_like(y) + b, torch.zeros_like(y) + b
    for t in range(9):
        for i in range(3):
            if t - i * d >= 0:
                slow[:, t] += x[:, t - i * d] @ W[2 - i]
                forward[:, t] += x[:, t - i * d] @ W[i]
    hints = {"The taps are in reverse order: the present meets W[-1].": forward}
    check_close(y, slow, f"causal_conv1d, d = {d}", 1e-10, 1e-12, hints, axes="B T H")
other = x.clone()
other[:, 5:] += 1.0
change = (causal_conv1d(other, W, b, 2) - causal_conv1d(x, W, b, 2)).abs().amax(dim=(0, 2))
assert not change[:5].any(), "causal_conv1d: a change of x from step 5 on changes y before step 5."
assert change[5:].all(), "causal_conv1d: a change of x at every step from 5 on must be seen."
check_raises(ValueError, causal_conv1d, x, W, b, 0, when="the dilation is 0")
### BEGIN HIDDEN TESTS
pad, conv = torch.nn.functional.pad, torch.nn.functional.conv1d
sizes = [(3, 12, 2, 5, 2, 3), (1, 10, 4, 3, 5, 2), (2, 3, 3, 2, 4, 5), (4, 1, 2, 3, 3, 1)]
for seed, (B, T, D, H, k, d) in enumerate([*sizes, (2, 8, 3, 4, 1, 7)]):
    x, W, b = random_tensors((B, T, D), (k, D, H), (H,), seed=811 + seed)
    given, before = [x, W, b], copies(x, W, b)
    kernel, reach = W.permute(2, 1, 0), (k - 1) * d
    expected = conv(pad(x.mT, (reach, 0)), kernel, b, dilation=d).mT
    hints = {}
    if k > 1 and T > 1:
        hints["It looks ahead."] = conv(pad(x.mT, (0, reach)), kernel, b, dilation=d).mT
        flipped = conv(pad(x.mT, (reach, 0)), kernel.flip(2), b, dilation=d).mT
        hints["The taps are in reverse order."] = flipped
    short = ", a sequence shorter than the window" * (reach >= T > 1)
    label = f"causal_conv1d, another size{short}{', one step' * (T == 1)}{', one tap' * (k == 1)}"
    check_close(causal_conv1d(x, W, b, d), expected, label, 1e-10, 1e-12, hints, axes="B T H")
    check_unchanged(before, given, "causal_conv1d")
x, W, b = random_tensors((2, 6, 3), (2, 3, 4), (4,), seed=817)
y = causal_conv1d(x.float(), W.float(), b.float(), 2)
assert y.dtype == torch.float32, "causal_conv1d: float32 in, float32 out. Where are zeros made?"
leaves = [v.clone().requires_grad_() for v in (x, W, b)]
causal_conv1d(*leaves, 2).square().sum().backward()
wanted = [v.clone().requires_grad_() for v in (x, W, b)]
out = conv(pad(wanted[0].mT, (2, 0)), wanted[1].permute(2, 1, 0), wanted[2], dilation=2)
out.square().sum().backward()
for name, mine, theirs in zip(("x", "W", "b"), leaves, wanted, strict=True):
    assert mine.grad is not None, f"causal_conv1d: no gradient reaches {name}; was it detached?"
    check_close(mine.grad, theirs.grad, f"causal_conv1d: gradient of {name}", 1e-9, 1e-11)
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · How much does it see?
#
# *Easy, 10 minutes, about 3 lines, 10 points.*
#
# Stack causal convolutions with dilations $d_1, \dots, d_L$, all with windows of $k$.
# The *receptive field* $R$ is the number of inputs from the oldest that can change the last output up to the present, both included.
# One layer reaches back $(k-1) d_\ell$ steps, and the layers' reaches add up:
#
# $$R = 1 + \sum_{\ell=1}^{L} (k-1)\, d_\ell \tag{8.3}$$
#
# The dilations come in any order and may repeat; without layers the output *is* the present input, and $R = 1$.
#
# *Worked number.* $k = 2$ with dilations 1, 2, 4, 8 sees $1 + 15 = 16$ steps.
# A TCN with three levels and $k = 3$ has two convolutions a level, dilations 1, 1, 2, 2, 4, 4, and sees $1 + 2 \cdot 14 = 29$.

# %% tags=["exercise", "id:dilated-receptive-field"]
def dilated_receptive_field(k: int, dilations: Sequence[int]) -> int:
    """Return how many steps, the present included, a stack of causal convolutions can see.

    Source: eq. 8.3. One convolution with a window of ``k`` for each of ``dilations``.

    Raises:
        ValueError: ``k`` or a dilation is less than 1.
    """
    ### BEGIN SOLUTION
    if k < 1 or any(d < 1 for d in dilations):
        raise ValueError(f"expected k and dilations of at least 1, got {k} and {dilations}")
    return 1 + (k - 1) * sum(dilations)
    ### END SOLUTION


# %% tags=["test", "id:dilated-receptive-field-test", "points:10"]
check_close(
    dilated_receptive_field(2, [1, 2, 4, 8]),
    16,
    "dilated_receptive_field, worked number, k = 2",
    hints={
        "That is the history; the present step counts too.": 15,
        "That is k times the dilations: between k taps are k - 1 gaps.": 31,
        "That is what the last layer sees by itself.": 9,
        "That is a stack without dilation.": 5,
        "The present is counted in every layer; it counts once.": 19,
    },
)
check_close(
    dilated_receptive_field(3, [1, 1, 2, 2, 4, 4]),
    29,
    "dilated_receptive_field, worked number, a TCN",
    hints={
        "Equal dilations count as often as they occur.": 15,
        "The formula 1 + (k-1)(2^L - 1) is for dilations 1, 2, 4, ... only.": 127,
        "The factor 2 is already in the list: each entry is one convolution.": 57,
    },
)
check_close(dilated_receptive_field(5, []), 1, "dilated_receptive_field: no layers")
check_close(dilated_receptive_field(1, [1, 2, 4]), 1, "dilated_receptive_field: windows of one step")
check_raises(ValueError, dilated_receptive_field, 0, [1], when="k = 0")
check_raises(ValueError, dilated_receptive_field, 2, [1, 0], when="a dilation is 0")
### BEGIN HIDDEN TESTS
for k, dilations in [(2, (1, 3, 9)), (4, (5,)), (3, (8, 1, 1, 2)), (7, (1, 2, 4, 8, 16, 16))]:
    x = torch.zeros(1, 1, 700, dtype=torch.float64)
    x[0, 0, 0] = 1.0
    for d in dilations:  # follow one input and see how far it gets
        one = torch.ones(1, 1, k, dtype=torch.float64)
        x = torch.nn.functional.conv1d(
            torch.nn.functional.pad(x, ((k - 1) * d, 0)), one, dilation=d
        )
    expected = int(x[0, 0].nonzero().max()) + 1
    check_close(
        dilated_receptive_field(k, dilations), expected, "dilated_receptive_field, another stack"
    )
before = [4, 1, 2]
dilated_receptive_field(3, before)
assert before == [4, 1, 2], "dilated_receptive_field: the list of dilations was changed."
### END HIDDEN TESTS


# %% [markdown]
# The formula and the convolution must agree: change one input and see which outputs move.

# %%
x, W, b = random_tensors((1, 60, 1), (3, 1, 1), (1,), seed=3)
y, moved = x, x.clone()
moved[:, 0] += 1.0
z = moved
for d in (1, 2, 4, 8):
    y, z = causal_conv1d(y, W, b, d), causal_conv1d(z, W, b, d)
seen = int((y - z).abs()[0, :, 0].nonzero().max()) + 1
print(f"measured {seen}, formula {dilated_receptive_field(3, [1, 2, 4, 8])}")

# %% [markdown]
# ## 4 · How deep must it be?
#
# *Medium, 20 minutes, about 8 lines, 12 points.*
#
# Now the other way round.
# Level $\ell = 0, 1, 2, \dots$ has the dilation $\text{base}^\ell$ and `convs` convolutions (two in a TCN, one in WaveNet).
# What is the smallest number of levels whose receptive field is at least $T$?
#
# $$R(L) = 1 + \text{convs} \cdot (k-1) \sum_{\ell=0}^{L-1} \text{base}^\ell, \qquad \text{find the smallest } L \text{ with } R(L) \ge T \tag{8.4}$$
#
# There is a closed form with a logarithm, and it is a trap: `math.log(125, 5)` is 3.0000000000000004, and rounding that up adds a level for nothing.
# Add levels until it is enough, in whole numbers.
#
# *Worked number.* $k = 3$ and two convolutions a level: $R(0), R(1), \dots = 1, 5, 13, 29, 61, 125$.
# So $T = 50$ needs 4 levels, $T = 61$ still 4, and $T = 62$ needs 5.
#
# A window of one step never sees more than the present, however many levels there are.

# %% tags=["exercise", "id:layers-needed"]
def layers_needed(T: int, k: int, base: int = 2, convs: int = 2) -> int:
    """Return the smallest number of levels that can see ``T`` steps, the present included.

    Source: eq. 8.4. Level 0 has dilation 1, each next one ``base`` times as much; every level has
    ``convs`` convolutions with windows of ``k``.

    Raises:
        ValueError: an argument is less than 1, or no number of levels is enough.
    """
    ### BEGIN SOLUTION
    if min(T, k, base, convs) < 1 or (k == 1 and T > 1):
        raise ValueError(f"layers_needed: no depth sees T={T} with k={k}, base={base}, {convs=}")
    levels, field, dilation = 0, 1, 1
    while field < T:
        field += convs * (k - 1) * dilation
        dilation *= base
        levels += 1
    return levels
    ### END SOLUTION


# %% tags=["test", "id:layers-needed-test", "points:12"]
check_close(
    layers_needed(50, 3),
    4,
    "layers_needed, worked number, T = 50",
    hints={
        "One convolution a level: convs is 2 by default.": 5,
        "That is the deepest that does not see all of T; round up, not down.": 3,
        "Dilations do not grow; level l has base ** l.": 13,
        "That is a number of convolutions; count levels.": 8,
    },
)
for T, levels in [(1, 0), (2, 1), (5, 1), (6, 2), (61, 4), (62, 5), (125, 5), (126, 6)]:
    hints = {
        "One level too many: a field of exactly T is enough.": levels + 1,
        "One level too few.": levels - 1,
    }
    check_close(layers_needed(T, 3), levels, f"layers_needed, k = 3, T = {T}", hints=hints)
check_close(layers_needed(1024, 2, convs=1), 10, "layers_needed: WaveNet, T = 1024, k = 2")
check_close(layers_needed(11, 3, base=1, convs=1), 5, "layers_needed: base = 1, no dilation")
check_close(layers_needed(1, 1), 0, "layers_needed: the present needs no level, even with k = 1")
check_raises(ValueError, layers_needed, 2, 1, when="k = 1 and T > 1: no depth is enough")
check_raises(ValueError, layers_needed, 0, 3, when="T = 0")
### BEGIN HIDDEN TESTS
for k, base, convs in [(2, 2, 2), (3, 3, 1), (6, 5, 1), (4, 10, 3), (2, 1, 2), (5, 7, 4)]:
    for levels in (1, 2, 3, 6):
        field = 1 + convs * (k - 1) * sum(base**level for level in range(levels))
        case = f"layers_needed, base = {base}, convs = {convs}: "
        check_close(layers_needed(field, k, base, convs), levels, case + "a field of exactly T")
        check_close(
            layers_needed(field + 1, k, base, convs), levels + 1, case + "one step more than that"
        )
big = 1 + 2 * (2**60 - 1)
check_close(layers_needed(big, 2), 60, "layers_needed: a huge T, exactly (no logarithms)")
check_close(layers_needed(big + 1, 2), 61, "layers_needed: a huge T and one more")
check_raises(ValueError, layers_needed, 5, 0, when="k = 0")
check_raises(ValueError, layers_needed, 5, 3, 2, 0, when="convs = 0")
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · WaveNet's gate
#
# *Easy, 15 minutes, about 4 lines, 12 points.*
#
# WaveNet multiplies two causal convolutions of the same input: one says what, the other how much of it.
#
# $$z = \tanh\bigl(\mathrm{conv}_d(x; W_f, b_f)\bigr) \odot \sigma\bigl(\mathrm{conv}_d(x; W_g, b_g)\bigr) \tag{8.5}$$
#
# *Shapes.* `x` (B, T, D); `params` has `W_f`, `W_g` of (k, D, H) and `b_f`, `b_g` of (H,); result (B, T, H).
#
# *Worked number.* One step, one tap: $x = 2$, $W_f = 0.5$, $W_g = -0.5$, no biases.
# $z = \tanh(1) \cdot \sigma(-1) = 0.7616 \cdot 0.2689 = 0.2048$.
#
# *Watch out.* $1/(1 + e^{-c})$, typed as it stands, has the right value for $c = -1000$ and the gradient NaN, because $e^{1000}$ is infinite.
# `torch.sigmoid` knows better.

# %% tags=["exercise", "id:wavenet-gate"]
def wavenet_gate(
    x: Float[Tensor, "B T D"], params: Params, dilation: int = 1
) -> Float[Tensor, "B T H"]:
    """Return the gated unit of WaveNet, tanh of one causal convolution times sigmoid of another.

    Source: van den Oord et al. (2016), eq. 2; here eq. 8.5. ``params`` has W_f, b_f for the
    filter and W_g, b_g for the gate, and may hold further keys. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    content = causal_conv1d(x, params["W_f"], params["b_f"], dilation)
    gate = causal_conv1d(x, params["W_g"], params["b_g"], dilation)
    return torch.tanh(content) * torch.sigmoid(gate)
    ### END SOLUTION


# %% tags=["test", "id:wavenet-gate-test", "points:12"]
none = torch.zeros(1, dtype=torch.float64, device=DEVICE)
one = {"W_f": taps(0.5), "b_f": none, "W_g": taps(-0.5), "b_g": none}
f, g = torch.tanh(column(1)), torch.sigmoid(column(-1))
check_close(
    wavenet_gate(column(2), one),
    f * g,
    "wavenet_gate, worked number",
    hints={
        "Filter and gate have changed places: tanh belongs to W_f.": (
            torch.tanh(column(-1)) * torch.sigmoid(column(1))
        ),
        "They are added; eq. 8.5 multiplies.": f + g,
        "The gate has the filter's weights.": f * torch.sigmoid(column(1)),
        "Both have a tanh; the gate needs a sigmoid.": f * torch.tanh(column(-1)),
        "The gate has no sigmoid.": f * column(-1),
        "The filter has no tanh.": column(1) * g,
        "Both have a sigmoid; the filter needs a tanh.": torch.sigmoid(column(1)) * g,
        "That is a mixture of filter and input, as in a GRU; eq. 8.5 is a product.": (
            f * g + (1 - g) * column(2)
        ),
    },
    axes="B T H",
)
x, W_f, b_f, W_g, b_g = random_tensors((2, 8, 3), (2, 3, 4), (4,), (2, 3, 4), (4,), seed=5)
params = {"W_f": W_f, "b_f": b_f, "W_g": W_g, "b_g": b_g, "other": b_f}
given, before = [x, *params.values()], copies(x, *params.values())
z = wavenet_gate(x, params, 3)
check_unchanged(before, given, "wavenet_gate")
check_shape(z, (2, 8, 4), "wavenet_gate", axes="B T H")
shifted = torch.cat([torch.zeros_like(x[:, :3]), x[:, :-3]], dim=1)
f, g = (shifted @ W[0] + x @ W[1] + b for W, b in ((W_f, b_f), (W_g, b_g)))
undilated = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], dim=1)
f_1, g_1 = (undilated @ W[0] + x @ W[1] + b for W, b in ((W_f, b_f), (W_g, b_g)))
check_close(
    z,
    torch.tanh(f) * torch.sigmoid(g),
    "wavenet_gate, k = 2, d = 3",
    rtol=1e-10,
    hints={
        "The dilation is not used.": torch.tanh(f_1) * torch.sigmoid(g_1),
        "The gate is not dilated.": torch.tanh(f) * torch.sigmoid(g_1),
        "The filter is not dilated.": torch.tanh(f_1) * torch.sigmoid(g),
    },
    axes="B T H",
)
closed = wavenet_gate(x, params | {"b_g": b_g - 500.0}, 3)
check_close(closed, torch.zeros_like(z), "wavenet_gate: a gate that is closed lets nothing through")
### BEGIN HIDDEN TESTS
for seed, (B, T, D, H, k, d) in enumerate([(3, 7, 2, 5, 3, 2), (1, 4, 4, 2, 1, 1)]):
    shapes = [(B, T, D), (k, D, H), (H,), (k, D, H), (H,)]
    x, W_f, b_f, W_g, b_g = random_tensors(*shapes, seed=851 + seed)
    params = {"W_f": W_f, "b_f": b_f, "W_g": W_g, "b_g": b_g}
    leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
    z = wavenet_gate(x, leaves, d)
    padded = torch.nn.functional.pad(x.mT, ((k - 1) * d, 0))
    wanted = {key: value.clone().requires_grad_() for key, value in params.items()}
    f, g = (
        torch.nn.functional.conv1d(
            padded, wanted["W_" + n].permute(2, 1, 0), wanted["b_" + n], dilation=d
        ).mT
        for n in "fg"
    )
    expected = torch.tanh(f) * torch.sigmoid(g)
    check_close(z.detach(), expected.detach(), "wavenet_gate, another size", 1e-10, 1e-12)
    z.square().sum().backward()
    expected.square().sum().backward()
    for key, leaf in leaves.items():
        assert leaf.grad is not None, f"wavenet_gate: no gradient reaches {key}; was it detached?"
        check_close(leaf.grad, wanted[key].grad, f"wavenet_gate: gradient of {key}", 1e-8, 1e-10)
far = {key: value.clone() for key, value in params.items()}
far["b_g"] = (far["b_g"] - 2000.0).requires_grad_()
wavenet_gate(x, far, d).sum().backward()
assert far["b_g"].grad is not None, "wavenet_gate: no gradient reaches b_g."
finite = bool(torch.isfinite(far["b_g"].grad).all())
assert finite, "wavenet_gate: the gradient of a tightly closed gate is not finite. torch.sigmoid?"
### END HIDDEN TESTS


# %% [markdown]
# ## 6 · A residual block
#
# *Medium, 25 minutes, about 6 lines, 14 points.*
#
# The block of Bai, Kolter and Koltun has two causal convolutions with the *same* dilation, a ReLU after each, and a path around both.
# (They also normalise weights and use dropout; we leave that out.)
#
# $$u = \mathrm{relu}(\mathrm{conv}_d(x; W_1, b_1)), \qquad v = \mathrm{relu}(\mathrm{conv}_d(u; W_2, b_2)), \qquad y = \mathrm{relu}(s + v) \tag{8.6}$$
#
# The short cut is $s = x$ if the widths agree.
# If they do not, `params` has the keys `W_s` (D, H) and `b_s` (H,), and $s = x W_s + b_s$, the same at every step.
# (It may have them even if $D = H$; then use them.)
#
# *Shapes.* `x` (B, T, D), `W_1` (k, D, H), `W_2` (k, H, H), `b_1` and `b_2` (H,), result (B, T, H).
#
# *Worked number.* $x = (1, -3, 2)$, $W_1 = (1, 1)$, $W_2 = (1, -2)$, no biases, $d = 1$.
# First convolution $(1, -2, -1)$, so $u = (1, 0, 0)$; second $(-2, 1, 0)$, so $v = (0, 1, 0)$; and $y = \mathrm{relu}(1, -2, 2) = (1, 0, 2)$.

# %% tags=["exercise", "id:tcn-block"]
def tcn_block(x: Float[Tensor, "B T D"], params: Params, dilation: int) -> Float[Tensor, "B T H"]:
    """Return the output of a residual block of two causal dilated convolutions.

    Source: Bai et al. (2018), section 3.4, without weight normalisation and dropout; eq. 8.6.
    ``params`` has W_1, b_1, W_2, b_2 and, where the short cut is a linear map, W_s and b_s.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    u = torch.relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation))
    v = torch.relu(causal_conv1d(u, params["W_2"], params["b_2"], dilation))
    s = x @ params["W_s"] + params["b_s"] if "W_s" in params else x
    return torch.relu(s + v)
    ### END SOLUTION


# %% tags=["test", "id:tcn-block-test", "points:14"]
none = torch.zeros(1, dtype=torch.float64, device=DEVICE)
one = {"W_1": taps(1, 1), "b_1": none, "W_2": taps(1, -2), "b_2": none}
check_close(
    tcn_block(column(1, -3, 2), one, 1),
    column(1, 0, 2),
    "tcn_block, worked number",
    hints={
        "The short cut is missing.": column(0, 1, 0),
        "The ReLU after the sum is missing.": column(1, -2, 2),
        "The ReLU after the second convolution is missing.": column(0, 0, 2),
        "The ReLU after the first convolution is missing.": column(1, 2, 2),
        "The second convolution reads x; it must read u.": column(1, 4, 2),
        "Only one convolution is there.": column(2, 0, 2),
    },
    axes="B T H",
)


def block(x, p, d_1, d_2):
    """Return the block's output, slowly, with a dilation of each convolution's own."""
    def conv(x, W, b, d):
        k, total = len(W), b
        for i in range(k):
            steps = torch.arange(x.shape[1], device=x.device) - i * d
            total = total + (x[:, steps.clamp(min=0)] * (steps >= 0)[:, None]) @ W[k - 1 - i]
        return total

    u = conv(x, p["W_1"], p["b_1"], d_1).clamp(min=0)
    v = conv(u, p["W_2"], p["b_2"], d_2).clamp(min=0)
    return ((x @ p["W_s"] + p["b_s"] if "W_s" in p else x) + v).clamp(min=0)


x, W_1, b_1, W_2, b_2, W_s, b_s = random_tensors(
    (2, 9, 3), (2, 3, 5), (5,), (2, 5, 5), (5,), (3, 5), (5,), seed=6
)
params = {"W_1": W_1, "b_1": b_1, "W_2": W_2, "b_2": b_2, "W_s": W_s, "b_s": b_s}
given, before = [x, *params.values()], copies(x, *params.values())
y = tcn_block(x, params, 2)
check_unchanged(before, given, "tcn_block")
check_shape(y, (2, 9, 5), "tcn_block", axes="B T H")
hints = {
    "The second convolution is not dilated; both are, equally.": block(x, params, 2, 1),
    "The dilation is not used.": block(x, params, 1, 1),
    "The second convolution has twice the dilation; both have the same.": block(x, params, 2, 4),
    "The bias of the short cut is missing.": block(x, params | {"b_s": 0 * b_s}, 2, 2),
}
check_close(y, block(x, params, 2, 2), "tcn_block, D = 3, H = 5", 1e-10, hints=hints, axes="B T H")
square = {"W_1": W_2, "b_1": b_1, "W_2": W_2.flip(0), "b_2": b_2}
x = random_tensors((2, 9, 5), seed=7)[0]
check_close(
    tcn_block(x, square, 3), block(x, square, 3, 3), "tcn_block, D = H, no W_s", 1e-10, axes="B T H"
)
### BEGIN HIDDEN TESTS
for seed, (B, T, D, H, k, d) in enumerate([(3, 12, 2, 4, 3, 2), (1, 5, 6, 3, 2, 4), (2, 8, 4, 4, 2, 1)]):
    shapes = [(B, T, D), (k, D, H), (H,), (k, H, H), (H,), (D, H), (H,)]
    x, *values = random_tensors(*shapes, seed=861 + seed)
    keys = ("W_1", "b_1", "W_2", "b_2", "W_s", "b_s")
    params = dict(zip(keys, values, strict=True))
    leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
    wanted = {key: value.clone().requires_grad_() for key, value in params.items()}
    got, expected = tcn_block(x, leaves, d), block(x, wanted, d, d)
    label = "tcn_block, a short cut with W_s though D = H" if D == H else "tcn_block, another size"
    check_close(got.detach(), expected.detach(), label, 1e-10, 1e-12, axes="B T H")
    got.square().sum().backward()
    expected.square().sum().backward()
    for key, leaf in leaves.items():
        assert leaf.grad is not None, f"tcn_block: no gradient reaches {key}; was it detached?"
        check_close(leaf.grad, wanted[key].grad, f"tcn_block: gradient of {key}", 1e-8, 1e-10)
silent = {key: torch.zeros_like(params[key]) for key in ("W_1", "b_1", "W_2", "b_2")}
x = x.abs()
check_close(tcn_block(x, silent, 2), x, "tcn_block: with weights of zero, x > 0 passes unchanged")
### END HIDDEN TESTS


# %% [markdown]
# ## 7 · The network
#
# *Easy, 15 minutes, about 5 lines, 12 points.*
#
# Stack the blocks, with dilations $1, 2, 4, \dots$, and read scores off every step:
#
# $$h^{(0)} = x, \qquad h^{(\ell+1)} = \mathrm{block}_{2^\ell}\bigl(h^{(\ell)}\bigr), \qquad o = h^{(L)} W_{hy} + b_y \tag{8.7}$$
#
# `params["blocks"]` is a list of the blocks' parameters, the first level first; `params["W_hy"]` (H, V) and `params["b_y"]` (V,) belong to the output layer.
# There may be no blocks at all; then the output layer reads $x$.
#
# *Shapes.* `x` (B, T, D), result (B, T, V).
#
# *Worked number.* With $k = 2$ and three levels the field is $1 + 2 \cdot 7 = 15$: the output at the last of 20 steps changes with each of the last 15 inputs, and with none before.

# %% tags=["exercise", "id:tcn-forward"]
def tcn_forward(x: Float[Tensor, "B T D"], params: dict) -> Float[Tensor, "B T V"]:
    """Return the scores of a temporal convolutional network at every step.

    Source: Bai et al. (2018); eq. 8.7. Block l has dilation 2**l. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    h = x
    for level, block in enumerate(params["blocks"]):
        h = tcn_block(h, block, 2**level)
    return h @ params["W_hy"] + params["b_y"]
    ### END SOLUTION


# %% [markdown]
# The next cell makes parameters for it, with weights of the size that ReLU needs (He et al., 2015).

# %% tags=["setup"]
def init_tcn(
    D: int, H: int, V: int, k: int, L: int, seed: int, bias: float = 0.0, **options
) -> dict:
    """Return random parameters of a TCN; ``options`` (dtype) go to the tensors."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float) -> Tensor:
        return (scale * torch.randn(shape, generator=g, **options)).to(DEVICE)

    def block(D: int) -> Params:
        p = {"W_1": normal(k, D, H, scale=(2 / (k * D)) ** 0.5), "b_1": normal(H, scale=bias)}
        p |= {"W_2": normal(k, H, H, scale=(2 / (k * H)) ** 0.5), "b_2": normal(H, scale=bias)}
        if D != H:
            p |= {"W_s": normal(D, H, scale=D**-0.5), "b_s": normal(H, scale=bias)}
        return p

    blocks = [block(H if level else D) for level in range(L)]
    width = H if L else D
    return {"blocks": blocks, "W_hy": normal(width, V, scale=width**-0.5), "b_y": normal(V, scale=bias)}


def leaves_of(params: dict) -> list[Tensor]:
    """Return all tensors of ``params`` in a fixed order."""
    inner = [block[key] for block in params["blocks"] for key in sorted(block)]
    return [*inner, params["W_hy"], params["b_y"]]


# %% tags=["test", "id:tcn-forward-test", "points:12"]
def reach_of(params, T, D):
    """Return which lags of the input change the last output, measured."""
    x = random_tensors((6, T, D), seed=8)[0]
    base, seen = tcn_forward(x, params)[:, -1], []
    for lag in range(T):
        moved = x.clone()
        moved[:, T - 1 - lag] += 1.0
        seen.append(bool((tcn_forward(moved, params)[:, -1] - base).abs().max() > 1e-12))
    return seen


params = init_tcn(D=2, H=6, V=4, k=2, L=3, seed=9, bias=0.3, dtype=torch.float64)
seen = reach_of(params, T=20, D=2)
field = max(lag for lag in range(20) if seen[lag]) + 1
check_close(
    field,
    15,
    "tcn_forward, worked number: the receptive field",
    hints={
        "All blocks have dilation 1; block l has 2 ** l.": 7,
        "The dilations are 1, 2, 3; they double.": 13,
        "The last block is missing, or its dilation is wrong.": 7,
        "It sees the whole sequence: are the dilations too large?": 20,
    },
)
assert all(seen[:15]), f"tcn_forward: of the last 15 inputs those at lags " \
    f"{[lag for lag in range(15) if not seen[lag]]} change nothing."
x = random_tensors((2, 11, 3), seed=10)[0]
params = init_tcn(D=3, H=5, V=4, k=3, L=2, seed=11, bias=0.3, dtype=torch.float64)
given, before = [x, *leaves_of(params)], copies(x, *leaves_of(params))
o = tcn_forward(x, params)
check_unchanged(before, given, "tcn_forward")
check_shape(o, (2, 11, 4), "tcn_forward", axes="B T V")
other = x.clone()
other[:, 6:] += 1.0
past = (tcn_forward(other, params) - o)[:, :6].abs().max().item()
assert past < 1e-12, "tcn_forward: a change of x from step 6 on changes the output before step 6."
bare = {"blocks": [], "W_hy": params["W_hy"][:3], "b_y": params["b_y"]}
check_close(
    tcn_forward(x, bare), x @ bare["W_hy"] + bare["b_y"], "tcn_forward: without blocks", 1e-10
)
### BEGIN HIDDEN TESTS
def oracle(x, params, dilations):
    conv, pad, h = torch.nn.functional.conv1d, torch.nn.functional.pad, x.mT
    for p, d in zip(params["blocks"], dilations, strict=True):
        v = h
        for n in "12":
            W = p["W_" + n].permute(2, 1, 0)
            v = conv(pad(v, ((W.shape[2] - 1) * d, 0)), W, p["b_" + n], dilation=d).relu()
        if "W_s" in p:
            h = (h.mT @ p["W_s"] + p["b_s"]).mT
        h = (h + v).relu()
    return h.mT @ params["W_hy"] + params["b_y"]


for seed, (B, T, D, H, V, k, L) in enumerate([(2, 30, 3, 4, 5, 3, 4), (3, 9, 4, 4, 2, 2, 3)]):
    x = random_tensors((B, T, D), seed=871 + seed)[0]
    params = init_tcn(D, H, V, k, L, seed=881 + seed, bias=0.3, dtype=torch.float64)
    ladder = list(range(L))
    expected = oracle(x, params, [2**n for n in ladder])
    hints = {
        "All blocks have the same dilation.": oracle(x, params, [1] * L),
        "The dilations are 1, 2, 3, ...; they double.": oracle(x, params, [n + 1 for n in ladder]),
        "The dilations start at 2; the first is 1.": oracle(x, params, [2 ** (n + 1) for n in ladder]),
        "The dilations shrink from level to level.": oracle(x, params, [2**n for n in ladder[::-1]]),
    }
    check_close(tcn_forward(x, params), expected, "tcn_forward, another size", 1e-9, 1e-11, hints)
    mine, wanted = leaves_of(params), []
    for leaf in mine:
        leaf.requires_grad_()
    wanted = torch.autograd.grad(oracle(x, params, [2**n for n in ladder]).square().sum(), mine)
    found = torch.autograd.grad(tcn_forward(x, params).square().sum(), mine, allow_unused=True)
    for got, want in zip(found, wanted, strict=True):
        assert got is not None, "tcn_forward: some parameter gets no gradient."
        check_close(got, want, "tcn_forward: a parameter's gradient", 1e-8, 1e-9)
### END HIDDEN TESTS


# %% [markdown]
# ### Let it remember
#
# Copy memory: three symbols out of four are shown, ten steps later a marker asks for them.
# The chance level is the loss of knowing everything but the symbols; a plain RNN stays there for a long time.
# The network runs on the GPU if there is one.

# %%
from unrolled.data.copying import copy_baseline, copy_memory


def copy_batch(B, generator):
    tokens, answers = copy_memory(B, 10, generator, symbols=3, alphabet=4, device=DEVICE)
    return torch.nn.functional.one_hot(tokens, 6).float(), answers


L = layers_needed(16, 3)
params = init_tcn(D=6, H=16, V=6, k=3, L=L, seed=0, dtype=torch.float32)
weights = [leaf.requires_grad_() for leaf in leaves_of(params)]
optimiser, generator = torch.optim.Adam(weights, lr=0.01), torch.Generator().manual_seed(1)
print(f"{L} levels, field {dilated_receptive_field(3, [2**n for n in range(L) for _ in '12'])}, ", end="")
print(f"chance {copy_baseline(10, 3, 4):.3f}")
for update in range(151):
    x, y = copy_batch(32, generator)
    loss = torch.nn.functional.cross_entropy(tcn_forward(x, params).flatten(0, 1), y.flatten())
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if update % 50 == 0:
        print(f"update {update:3d}  loss {loss.item():.4f}")
with torch.no_grad():
    x, y = copy_batch(200, generator)
    right = (tcn_forward(x, params).argmax(-1) == y)[:, -3:].float().mean()
print(f"symbols right in new sequences: {right:.0%}")

# %% [markdown]
# Two things to try: take away a level, so that the field ends before the symbols, and watch the loss stop at chance; and give the same task to `torch.nn.GRU`.

# %% [markdown]
# ## 8 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** A TCN with $k = 3$ is to warn of faults in a machine from a sensor with 100 readings a second.
# The signs of a fault may lie up to 40 seconds back.
# How many levels does it need (you may use your functions)?
# It runs on a small device that gets one reading at a time: what must be kept between two readings, how much compared with a GRU of the same width $H$, and why does training on recorded data not have this problem?
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:field-and-memory", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. 40 s are 4,000 steps back, so T is about 4,001 (4,000 accepted): 10 levels (R = 1 + 4 * 1023 = 4093; 9 levels give 2045).
# 2. Each convolution needs its own last (k-1)d inputs: queues, or else the whole field is computed again for each reading.
# 3. The amount: about R numbers a unit of width, R * H in order of magnitude (about 4,092 rows, the first with D columns), where a GRU keeps H numbers.
# 4. Work a reading with queues is constant, 2 L convolution steps; or: without queues it is in proportion to the field. Either, with the comparison to the GRU's one step.
# 5. In training the whole sequence is there: all steps of a layer are computed side by side, and only the layers wait for each other (activations of all steps are kept for the backward pass anyhow, in both kinds of network).
# ### END MARK SCHEME

# %% [markdown]
# **b.** A table says about copy memory ($T = 1000$; ten symbols out of eight; cross-entropy in nats, mean over $T + 20$ steps): LSTM 0.0204, GRU 0.0197, RNN 0.0202, TCN 0.000035.
# A reader concludes: "The GRU is the best of the recurrent networks, and the TCN is about 560 times better than the GRU."
# What is wrong with each half of the sentence?
# What else would you want to know, or measure, before you choose a network for a task of your own?
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:reading-a-table", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. The loss without memory is 10 log 8 / 1020 = 0.0204 (stated or computed).
# 2. So LSTM, RNN and GRU are at or hardly below chance; the order among them says next to nothing (one run, small differences; seeds are missing).
# 3. The ratio of two losses is no measure of "how much better" here: one has solved the task and the other has not (or hardly) begun; the ratio depends on how long the solver is trained on.
# 4. A condition of the experiment that matters: budget of updates or time, equal parameters, tuning of each network, initialisation, length T against the field.
# 5. A sensible measurement for a task of one's own: several seeds, equal time as well as equal size, longer training of the recurrent networks, accuracy of the symbols, other lengths, memory at generation. Any two of such.
# ### END MARK SCHEME

# %% [markdown]
# ## 9 · Optional challenge: the way back by hand
#
# *Hard, 30 minutes, about 10 lines, no points.*
#
# Write the gradients of `causal_conv1d` without autograd.
# Tap $i$ is used at every step, so its gradient is a sum over batch and steps; and $x_s$ is read by $y_{s + i d}$ with $F_i$:
#
# $$\frac{\partial \mathcal{L}}{\partial F_i} = \sum_{t} x_{t - i d}^\top \frac{\partial \mathcal{L}}{\partial y_t}, \qquad \frac{\partial \mathcal{L}}{\partial x_s} = \sum_{i} \frac{\partial \mathcal{L}}{\partial y_{s + i d}} F_i^\top, \qquad \frac{\partial \mathcal{L}}{\partial b} = \sum_t \frac{\partial \mathcal{L}}{\partial y_t} \tag{8.8}$$
#
# The way back is a convolution that looks *ahead* only.
# If you leave this out, the test below fails and costs nothing.

# %% tags=["exercise", "id:causal-conv1d-backward"]
def causal_conv1d_backward(
    d_y: Float[Tensor, "B T H"],
    x: Float[Tensor, "B T D"],
    W: Float[Tensor, "k D H"],
    dilation: int = 1,
) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "k D H"], Float[Tensor, " H"]]:
    """Return the gradients of ``causal_conv1d``: of x, of W and of b, without autograd.

    Source: eq. 8.8. Gradients of W and b are summed over the batch. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    k, T = W.shape[0], x.shape[1]
    d_x, d_W = torch.zeros_like(x), torch.zeros_like(W)
    for i in range(k):
        lag = i * dilation
        if lag >= T:
            break
        late, early = d_y[:, lag:], x[:, : T - lag]
        d_W[k - 1 - i] = torch.einsum("btd,bth->dh", early, late)
        d_x[:, : T - lag] += late @ W[k - 1 - i].T
    return d_x, d_W, d_y.sum(dim=(0, 1))
    ### END SOLUTION


# %% tags=["test", "id:causal-conv1d-backward-test", "points:0"]
for T, k, d in [(8, 3, 2), (3, 4, 2), (5, 1, 3)]:
    x, W, b, d_y = random_tensors((2, T, 3), (k, 3, 4), (4,), (2, T, 4), seed=12)
    given, before = [d_y, x, W], copies(d_y, x, W)
    got = causal_conv1d_backward(d_y, x, W, d)
    check_unchanged(before, given, "causal_conv1d_backward")
    leaves = [v.clone().requires_grad_() for v in (x, W, b)]
    padded = torch.nn.functional.pad(leaves[0].mT, ((k - 1) * d, 0))
    y = torch.nn.functional.conv1d(padded, leaves[1].permute(2, 1, 0), leaves[2], dilation=d)
    wanted = torch.autograd.grad(y.mT, leaves, d_y)
    label = f"causal_conv1d_backward, T = {T}, k = {k}, d = {d}: "
    assert type(got) is tuple and len(got) == 3, "causal_conv1d_backward: return d_x, d_W, d_b."
    for name, mine, theirs in zip(("d_x", "d_W", "d_b"), got, wanted, strict=True):
        check_close(mine, theirs, label + name, 1e-9, 1e-11)

# %% [markdown]
# ## Sources
#
# * Bischl, *Deep Learning* (LMU), CNNs or RNNs?; Peeters, *Recurrent Neural Network* (Télécom Paris), 1D convolution; Mikolajczyk, *EE3-25 Deep Learning* (Imperial College London), other sequence modelling networks.
# * S. Bai, J. Z. Kolter and V. Koltun (2018), *An empirical evaluation of generic convolutional and recurrent networks for sequence modeling*, arXiv:1803.01271.
# * A. van den Oord et al. (2016), *WaveNet: a generative model for raw audio*, arXiv:1609.03499.
# * K. He, X. Zhang, S. Ren and J. Sun (2015), *Delving deep into rectifiers*, ICCV.
