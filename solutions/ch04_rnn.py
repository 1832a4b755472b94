# %% [markdown]
# # 4 · Recurrent networks
#
# In this exercise you write a recurrent network from one step upwards and put it to use.
# All sequences of a batch have lengths of their own, as they do in life, and every function has to treat the padding as if it were not there.
# You build an acceptor that judges film reviews by the order of their words, a language model that learns to spell, a network that hears its own last answer, one that reads in both directions, one that is deep, and one that writes.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `rnn_step` | easy | 15 min | 8 |
# | 2 | `compact_weights` | easy | 10 min | 6 |
# | 3 | `rnn_forward` | medium | 20 min | 12 |
# | 4 | `classify_last_state` | easy | 15 min | 10 |
# | 5 | `lm_loss` | medium | 30 min | 14 |
# | 6 | `output_recurrent_forward` | medium | 25 min | 12 |
# | 7 | `bidirectional_forward` | medium | 30 min | 12 |
# | 8 | `deep_rnn_forward` | easy | 15 min | 8 |
# | 9 | `sample` | medium | 25 min | 8 |
# | 10 | two written answers | medium | 20 min | 10 |
# | 11 | optional: `parity_weights` | hard | 30 min | 0 |
#
# Before you start, read chapter 4 of the book: it derives every equation used here.
#
# **Rules**
#
# * torch tensors, but no ready-made recurrent layer: neither `torch.nn.RNN` nor its relatives, and no packing. `torch.nn.functional` is allowed.
# * Everything is differentiable: no `.item()`, `.detach()` or numpy on the way from parameters to result, because autograd has to find its way back.
# * Dtype and device of new tensors come from the inputs (`x.new_zeros(...)`, `torch.arange(..., device=x.device)`), so that your code runs on a GPU as it stands.
# * No function changes the tensors that it is given.
# * Loops run over time (or layers), never over the batch.
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **The step** of every network here is Elman's (1990), with rows as vectors:
#
# $$h_t = \tanh(x_t W_{xh} + h_{t-1} W_{hh} + b_h), \qquad o_t = h_t W_{hy} + b_y \tag{4.1}$$
#
# **Shapes.**
#
# | tensor | shape | | tensor | shape | |
# |---|---|---|---|---|---|
# | `tokens` | (B, T) | integers, padded on the right | `E` | (V, D) | embedding table |
# | `lengths` | (B,) | integers, how much of each row is real | `W_xh` | (D, H) | input to hidden |
# | `x` | (B, T, D) | inputs | `W_hh` | (H, H) | hidden to hidden |
# | `h` | (B, T, H) | `h[:, t]` is the state after reading `x[:, t]` | `b_h` | (H,) | hidden bias |
# | `h0` | (B, H) | the state before the first step | `W_hy`, `b_y` | (H, V), (V,) | output layer |
#
# Equations count steps from 1, tensors from 0: $h_1$ is `h[:, 0]`, and the state before it is `h0`.
# What stands in the padding is a valid number or word, but it means nothing.
# The numbers of equations are those of this notebook.
#
# The parameters travel together in a dict, `params["W_hh"]`.

# %% tags=["setup"]
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from unrolled.checks import check_close, check_raises, check_shape, check_unchanged
from unrolled.device import device

torch.set_num_threads(1)
DEVICE = device()
Params = dict[str, Tensor]


def normal(*shape: int, seed: int) -> Tensor:
    """Return standard normal float64 numbers, the same on every machine."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=torch.float64).to(DEVICE)


def numbers(values: list) -> Tensor:
    """Return a float64 tensor."""
    return torch.tensor(values, dtype=torch.float64, device=DEVICE)


def integers(values: list) -> Tensor:
    """Return a tensor of integers."""
    return torch.tensor(values, dtype=torch.int64, device=DEVICE)


def init_params(V: int, D: int, H: int, outputs: int, seed: int) -> Params:
    """Return random parameters; the biases are not zero, so that a forgotten one is noticed."""
    return {
        "E": normal(V, D, seed=seed),
        "W_xh": normal(D, H, seed=seed + 1) / D**0.5,
        "W_hh": normal(H, H, seed=seed + 2) / H**0.5,
        "b_h": normal(H, seed=seed + 3) / 4,
        "W_hy": normal(H, outputs, seed=seed + 4) / H**0.5,
        "b_y": normal(outputs, seed=seed + 5) / 4,
    }


def copy_of(value):
    """Return a copy of a tensor, or of a dict or list of tensors."""
    if isinstance(value, dict):
        return {key: copy_of(item) for key, item in value.items()}
    return [copy_of(item) for item in value] if isinstance(value, list) else value.clone()


def send_back(result: Tensor, name: str) -> None:
    """Let autograd go back from the sum of squares of ``result``; say so if it cannot."""
    assert isinstance(result, Tensor) and result.requires_grad, (
        f"{name}: no gradient can flow. Is there .detach(), .item() or numpy on the way?"
    )
    result.square().sum().backward()


# %% [markdown]
# ## 1 · One step, for those who are still running
#
# *Easy, 15 minutes, about 3 lines, 8 points.*
#
# The step is eq. 4.1.
# One thing is new: in a batch, some sequences have already ended.
# `running[b]` says whether sequence $b$ takes this step; if not, it **keeps the state that it has**:
#
# $$h^{(b)} = \begin{cases} \tanh(x^{(b)} W_{xh} + h_{\text{prev}}^{(b)} W_{hh} + b_h) & \text{if running} \\ h_{\text{prev}}^{(b)} & \text{if not} \end{cases} \tag{4.2}$$
#
# Without `running`, all sequences run.
#
# *Shapes.* `x` (B, D), `h_prev` (B, H), `running` (B,) of booleans; result (B, H).
#
# *Worked number.* With one number in each tensor, $x = 1$, $h_{\text{prev}} = 0.5$, $W_{xh} = 2$, $W_{hh} = -1$, $b_h = 0.25$: $h = \tanh(2 - 0.5 + 0.25) = \tanh(1.75) \approx 0.9414$.
# If the sequence has ended: $h = 0.5$.
#
# *Hint.* `torch.where(condition, a, b)` broadcasts, so the condition needs an axis to spread along.

# %% tags=["exercise", "id:rnn-step"]
def rnn_step(
    x: Float[Tensor, "B D"],
    h_prev: Float[Tensor, "B H"],
    params: Params,
    running: Bool[Tensor, " B"] | None = None,
) -> Float[Tensor, "B H"]:
    """Return the next state; a sequence that is not running keeps its state.

    Source: Elman (1990); eqs. 4.1 and 4.2. Dtype and device follow the inputs, which are not
    modified. ``params`` may hold further keys.
    """
    ### BEGIN SOLUTION
    h = torch.tanh(x @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"])
    return h if running is None else torch.where(running[:, None], h, h_prev)
    ### END SOLUTION


# %% tags=["test", "id:rnn-step-test", "points:8"]
one = {"W_xh": numbers([[2.0]]), "W_hh": numbers([[-1.0]]), "b_h": numbers([0.25])}
x, h_prev = numbers([[1.0]]), numbers([[0.5]])
z = numbers([[1.75]])
check_close(
    rnn_step(x, h_prev, one),
    torch.tanh(z),
    "rnn_step, worked number",
    hints={
        "The tanh is missing, eq. 4.1.": z,
        "The bias is missing, eq. 4.1.": torch.tanh(z - 0.25),
        "The state before is not used, eq. 4.1.": torch.tanh(z + 0.5),
        "Eq. 4.1 squashes with tanh, not with the logistic function.": torch.sigmoid(z),
    },
)
ended = torch.tensor([False], device=DEVICE)
check_close(
    rnn_step(x, h_prev, one, ended),
    h_prev,
    "rnn_step, worked number, the sequence has ended",
    hints={
        "It takes the step although it is not running; or is running the wrong way round?": (
            torch.tanh(z)
        ),
        "A sequence that has ended keeps its state; this one lost it.": 0 * h_prev,
    },
)

params = init_params(V=2, D=3, H=4, outputs=2, seed=10)
x, h_prev = normal(2, 3, seed=20), normal(2, 4, seed=21)
running = torch.tensor([True, False], device=DEVICE)
given = {"x": x, "h_prev": h_prev, "params": params, "running": running}
before = copy_of(given)
got = rnn_step(x, h_prev, params, running)
check_unchanged(before, given, "rnn_step")
check_shape(got, (2, 4), "rnn_step", axes="B H")
stepped = torch.tanh(torch.addmm(params["b_h"] + x @ params["W_xh"], h_prev, params["W_hh"]))
check_close(
    got,
    torch.stack([stepped[0], h_prev[1]]),
    "rnn_step: the first sequence runs, the second has ended",
    hints={
        "running is the wrong way round: True means that the step is taken.": (
            torch.stack([h_prev[0], stepped[1]])
        ),
        "It takes the step for all sequences, eq. 4.2.": stepped,
        "A sequence that has ended keeps its state, it does not get zeros.": (
            torch.stack([stepped[0], 0 * h_prev[1]])
        ),
    },
    axes="B H",
)
check_close(rnn_step(x, h_prev, params), stepped, "rnn_step: without running, all take the step")
### BEGIN HIDDEN TESTS
for case, (B, D, H) in enumerate([(5, 2, 3), (1, 6, 4), (3, 4, 7)]):
    params = init_params(V=2, D=D, H=H, outputs=2, seed=400 + case)
    x, h_prev = normal(B, D, seed=410 + case), normal(B, H, seed=420 + case)
    running = torch.arange(B, device=DEVICE) % 2 == 0
    cell = torch.nn.RNNCell(D, H, dtype=torch.float64, device=DEVICE)
    with torch.no_grad():
        cell.weight_ih.copy_(params["W_xh"].T)
        cell.weight_hh.copy_(params["W_hh"].T)
        cell.bias_ih.copy_(params["b_h"])
        cell.bias_hh.zero_()
        expected = cell(x, h_prev)
    label = f"rnn_step, a batch of {B}"
    check_close(rnn_step(x, h_prev, params), expected, label, 1e-12, axes="B H")
    expected = torch.where(running[:, None], expected, h_prev)
    got = rnn_step(x, h_prev, params, running)
    check_close(got, expected, label + ", every second one running", 1e-12, axes="B H")
    nobody = torch.zeros(B, dtype=torch.bool, device=DEVICE)
    got = rnn_step(x, h_prev, params, nobody)
    check_close(got, h_prev, label + ", nobody running", 1e-12, axes="B H")
single = {key: value.float() for key, value in params.items()}
got = rnn_step(x.float(), h_prev.float(), single, running)
check_close(got, expected.float(), "rnn_step: float32 in, float32 out", 1e-4, 1e-5)
leaf = h_prev.clone().requires_grad_()
leaves = {key: params[key].clone().requires_grad_() for key in ("W_xh", "W_hh", "b_h")}
got = rnn_step(x, leaf, leaves, running)
send_back(got, "rnn_step")
lost = [key for key in leaves if leaves[key].grad is None]
assert leaf.grad is not None and not lost, f"rnn_step: no gradient arrives at {lost or 'h_prev'}."
check_close(
    leaf.grad[~running],
    2 * h_prev[~running],
    "rnn_step: the gradient of the state of a sequence that has ended",
)
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · The compact form
#
# *Easy, 10 minutes, about 1 line, 6 points.*
#
# Peeters' lecture writes the two products as one.
# Join state and input end to end, **state first**, and find the matrix $W_a$ for which
#
# $$[\,h_{t-1};\, x_t\,] \, W_a = h_{t-1} W_{hh} + x_t W_{xh} \tag{4.3}$$
#
# for all states and inputs.
#
# *Shapes.* `W_hh` (H, H) and `W_xh` (D, H) give $W_a$ (H + D, H).
# (The lecture has columns, and there the two blocks stand side by side.)
#
# *Worked number.* For $W_{hh} = (5)$ and $W_{xh} = \binom{1}{2}$, with $H = 1$ and $D = 2$: $W_a$ is the column $(5, 1, 2)$.

# %% tags=["exercise", "id:compact-weights"]
def compact_weights(params: Params) -> Float[Tensor, "H+D H"]:
    """Return the one matrix that acts on state and input joined as [h; x].

    Source: Peeters' lecture, compact notation; eq. 4.3. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    return torch.cat([params["W_hh"], params["W_xh"]], dim=0)
    ### END SOLUTION


# %% tags=["test", "id:compact-weights-test", "points:6"]
small = {"W_hh": numbers([[5.0]]), "W_xh": numbers([[1.0], [2.0]]), "b_h": numbers([3.0])}
check_close(
    compact_weights(small),
    numbers([[5.0], [1.0], [2.0]]),
    "compact_weights, worked number",
    hints={"The state comes first in [h; x], so W_hh is on top.": numbers([[1.0], [2.0], [5.0]])},
    axes="H+D H",
)
params = init_params(V=2, D=3, H=4, outputs=2, seed=30)
before = copy_of(params)
W_a = compact_weights(params)
check_unchanged(before, params, "compact_weights")
check_shape(W_a, (7, 4), "compact_weights, D = 3, H = 4", axes="H+D H")
x, h_prev = normal(2, 3, seed=31), normal(2, 4, seed=32)
check_close(
    torch.cat([h_prev, x], dim=1) @ W_a,
    h_prev @ params["W_hh"] + x @ params["W_xh"],
    "compact_weights: [h; x] W_a against the two products",
    axes="B H",
)
### BEGIN HIDDEN TESTS
for D, H in [(5, 2), (3, 3), (1, 6)]:
    params = init_params(V=2, D=D, H=H, outputs=3, seed=430 + D)
    got = compact_weights(params)
    check_shape(got, (H + D, H), "compact_weights", axes="H+D H")
    x, h_prev = normal(4, D, seed=440 + D), normal(4, H, seed=450 + D)
    expected = h_prev @ params["W_hh"] + x @ params["W_xh"]
    label = f"compact_weights, {'D = H' if D == H else 'D > H' if D > H else 'D < H'}: the product"
    hints = {}
    if D == H:
        swapped = torch.cat([params["W_xh"], params["W_hh"]])
        hints["The blocks have changed places: the state comes first."] = (
            torch.cat([h_prev, x], dim=1) @ swapped
        )
    check_close(torch.cat([h_prev, x], dim=1) @ got, expected, label, 1e-12, hints=hints)
leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
send_back(compact_weights(leaves), "compact_weights")
assert leaves["W_hh"].grad is not None and leaves["W_xh"].grad is not None, (
    "compact_weights: no gradient arrives at W_hh and W_xh. Build the result from the tensors."
)
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · Through the sequence
#
# *Medium, 20 minutes, about 5 lines, 12 points.*
#
# Fold the step over the sequence and keep all states.
# Sequence $b$ takes `lengths[b]` steps and then stands still, so that its last state stays what it is to the end of its row:
#
# $$h_t^{(b)} = \begin{cases} f(h_{t-1}^{(b)}, x_t^{(b)}) & t \le \text{length}^{(b)} \\ h_{t-1}^{(b)} & t > \text{length}^{(b)} \end{cases} \tag{4.4}$$
#
# Lengths may differ from row to row; a length of 0 is allowed and leaves the row at `h0`.
#
# *Shapes.* `x` (B, T, D), `lengths` (B,), `h0` (B, H); result (B, T, H).
#
# *Worked number.* One unit, $W_{xh} = 1$, $W_{hh} = 2$, $b_h = 0$, $h_0 = 0$, inputs $(0.5, 1, 7)$, length 2: $h_1 = \tanh 0.5 \approx 0.4621$, $h_2 = \tanh(1 + 2 \cdot 0.4621) \approx 0.9582$, and the third entry of the result is $h_2$ again.
#
# *Hint.* In Python the first step is `t = 0`: for which `t` is a sequence of length 2 running?

# %% tags=["exercise", "id:rnn-forward"]
def rnn_forward(
    x: Float[Tensor, "B T D"],
    lengths: Int[Tensor, " B"],
    h0: Float[Tensor, "B H"],
    params: Params,
) -> Float[Tensor, "B T H"]:
    """Return the states after every step; after its end a row repeats its last state.

    Source: eqs. 4.1 and 4.4. What stands in the padding makes no difference.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    states, h = [], h0
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, params, running=t < lengths)
        states.append(h)
    return torch.stack(states, dim=1)
    ### END SOLUTION


# %% tags=["test", "id:rnn-forward-test", "points:12"]
one = {"W_xh": numbers([[1.0]]), "W_hh": numbers([[2.0]]), "b_h": numbers([0.0])}
x, zero = numbers([[[0.5], [1.0], [7.0]]]), numbers([[0.0]])
h1 = np.tanh(0.5)
h2 = np.tanh(1 + 2 * h1)
got = rnn_forward(x, integers([2]), zero, one)
check_shape(got, (1, 3, 1), "rnn_forward, worked number", axes="B T H")
check_close(
    got,
    numbers([[[h1], [h2], [h2]]]),
    "rnn_forward, worked number",
    hints={
        "It ran on into the padding: a sequence of length 2 takes two steps.": (
            numbers([[[h1], [h2], [np.tanh(7 + 2 * h2)]]])
        ),
        "It stopped one step early: in Python the steps are t = 0 and t = 1.": (
            numbers([[[h1], [h1], [h1]]])
        ),
        "After the end there are zeros; eq. 4.4 repeats the last state.": (
            numbers([[[h1], [h2], [0.0]]])
        ),
        "Every step starts from h0 again: hand on the state.": (
            numbers([[[h1], [np.tanh(1)], [0.0]]])
        ),
    },
    axes="B T H",
)

params = init_params(V=2, D=3, H=4, outputs=2, seed=40)
x, h0, lengths = normal(3, 5, 3, seed=41), normal(3, 4, seed=42), integers([5, 2, 0])
given = {"x": x, "h0": h0, "lengths": lengths, "params": params}
before = copy_of(given)
h = rnn_forward(x, lengths, h0, params)
check_unchanged(before, given, "rnn_forward")
check_shape(h, (3, 5, 4), "rnn_forward", axes="B T H")
for b, length in enumerate([5, 2, 0]):
    if length:
        alone = rnn_forward(x[b : b + 1, :length], integers([length]), h0[b : b + 1], params)
        label = f"rnn_forward: a sequence of length {length} in a batch and alone"
        check_close(h[b, :length], alone[0], label, axes="T H")
    last = h[b, length - 1] if length else h0[b]
    for t in range(length, 5):
        check_close(h[b, t], last, f"rnn_forward: length {length}, step {t} counted from 0")
moved = x.clone()
moved[0, 3] += 1.0
future = rnn_forward(moved, lengths, h0, params)
check_close(future[:, :3], h[:, :3], "rnn_forward: a later input must not change earlier states")
### BEGIN HIDDEN TESTS
def by_torch(x, lengths, h0, params):
    """Return the true last states by PyTorch's own layer, one sequence at a time."""
    D, H = params["W_xh"].shape
    layer = torch.nn.RNN(D, H, batch_first=True, dtype=torch.float64, device=DEVICE)
    names = [name for name, _ in layer.named_parameters()]
    weights = (params["W_xh"].T, params["W_hh"].T, params["b_h"], torch.zeros_like(params["b_h"]))
    weights = dict(zip(names, weights, strict=True))
    states = []
    for b, length in enumerate(lengths.tolist()):
        row = x[b : b + 1, :length]
        start = h0[None, b : b + 1].contiguous()
        out, _ = torch.func.functional_call(layer, weights, (row, start))
        rest = out[:, -1:].expand(-1, x.shape[1] - length, -1)
        states.append(torch.cat([out, rest], dim=1)[0])
    return torch.stack(states)


for case, (B, T, D, H) in enumerate([(4, 6, 2, 5), (1, 3, 4, 3), (3, 1, 5, 2)]):
    params = init_params(V=2, D=D, H=H, outputs=2, seed=460 + case)
    x, h0 = normal(B, T, D, seed=470 + case), normal(B, H, seed=480 + case)
    lengths = integers([T - b % T for b in range(B)])
    leaves = {key: params[key].clone().requires_grad_() for key in ("W_xh", "W_hh", "b_h")}
    start = h0.clone().requires_grad_()
    got = rnn_forward(x, lengths, start, leaves)
    expected = by_torch(x, lengths, h0, params)
    label = f"rnn_forward, {T} step{'s' * (T > 1)}, a batch of {B}"
    check_close(got, expected, label, 1e-10, axes="B T H")
    send_back(got, label)
    assert start.grad is not None and leaves["W_hh"].grad is not None, (
        "rnn_forward: no gradient arrives at W_hh or h0. Is a state detached on the way?"
    )
    truth = {key: params[key].clone().requires_grad_() for key in leaves}
    truth_start = h0.clone().requires_grad_()
    by_torch(x, lengths, truth_start, truth).square().sum().backward()
    for key in leaves:
        check_close(leaves[key].grad, truth[key].grad, f"{label}: gradient of {key}", 1e-9)
    check_close(start.grad, truth_start.grad, f"{label}: gradient of h0", 1e-9)
    changed = x.clone()
    for b, length in enumerate(lengths.tolist()):
        changed[b, length:] = 99.0
    got = rnn_forward(changed, lengths, h0, params)
    check_close(got, expected, f"{label}, other numbers in the padding", 1e-10, axes="B T H")
nothing = rnn_forward(x, torch.zeros_like(lengths), h0, params)
check_close(nothing, h0[:, None].expand_as(nothing).clone(), "rnn_forward: all lengths 0")
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · An acceptor
#
# *Easy, 15 minutes, about 4 lines, 10 points.*
#
# Read the words, look at the last state, decide: look up the embeddings, start from the zero state, run to the true end of each sequence, and apply the output layer to the state there.
#
# $$\text{scores}^{(b)} = h^{(b)}_{\text{length}^{(b)}} W_{hy} + b_y \tag{4.5}$$
#
# The result are scores (logits): no softmax.
#
# *Shapes.* `tokens` (B, T), `lengths` (B,) of at least 1; `W_hy` (H, C) for C classes; result (B, C).
#
# *Worked number.* A batch of one, embeddings $E = (0.5, 1, 7)$ of width 1, words $(0, 1, 2)$, length 2, the weights of part 3, $W_{hy} = 10$, $b_y = 1$: the score is $10\, h_2 + 1 \approx 10.58$.
# The word 2 is padding.
#
# *Hint.* What does the last column of `rnn_forward`'s result hold?

# %% tags=["exercise", "id:classify-last-state"]
def classify_last_state(
    tokens: Int[Tensor, "B T"], lengths: Int[Tensor, " B"], params: Params
) -> Float[Tensor, "B C"]:
    """Return the scores of the classes, read from the state at the true end of each sequence.

    Source: an acceptor, eq. 4.5. The first state is zero. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    x = params["E"][tokens]
    h0 = x.new_zeros(len(tokens), len(params["b_h"]))
    h = rnn_forward(x, lengths, h0, params)
    return h[:, -1] @ params["W_hy"] + params["b_y"]
    ### END SOLUTION


# %% tags=["test", "id:classify-last-state-test", "points:10"]
one = {"W_xh": numbers([[1.0]]), "W_hh": numbers([[2.0]]), "b_h": numbers([0.0])}
one |= {"E": numbers([[0.5], [1.0], [7.0]]), "W_hy": numbers([[10.0]]), "b_y": numbers([1.0])}
h1 = np.tanh(0.5)
h2 = np.tanh(1 + 2 * h1)
h3 = np.tanh(7 + 2 * h2)
tokens = integers([[0, 1, 2]])
check_close(
    classify_last_state(tokens, integers([2]), one),
    numbers([[10 * h2 + 1]]),
    "classify_last_state, worked number",
    hints={
        "It reads the state after the padding, not at the true end.": numbers([[10 * h3 + 1]]),
        "It reads the state one step before the end.": numbers([[10 * h1 + 1]]),
        "It averages states; an acceptor reads the last one.": numbers([[5 * (h1 + h2) + 1]]),
        "It averages all states, padding included.": numbers([[(h1 + 2 * h2) * 10 / 3 + 1]]),
        "The output bias is missing, eq. 4.5.": numbers([[10 * h2]]),
        "These are probabilities; eq. 4.5 has scores.": numbers([[1.0]]),
    },
    axes="B C",
)
params = init_params(V=6, D=3, H=4, outputs=2, seed=50)
tokens, lengths = integers([[1, 4, 2, 5, 3], [3, 1, 0, 0, 0]]), integers([5, 2])
given = {"tokens": tokens, "lengths": lengths, "params": params}
before = copy_of(given)
scores = classify_last_state(tokens, lengths, params)
check_unchanged(before, given, "classify_last_state")
check_shape(scores, (2, 2), "classify_last_state", axes="B C")
cut = classify_last_state(tokens[1:, :2], lengths[1:], params)
check_close(scores[1:], cut, "classify_last_state: the second sequence with and without padding")
other = integers([[1, 4, 2, 5, 3], [3, 1, 5, 2, 4]])
check_close(
    classify_last_state(other, lengths, params),
    scores,
    "classify_last_state: other words in the padding",
)
turned = classify_last_state(integers([[5, 1]]), integers([2]), params)
straight = classify_last_state(integers([[1, 5]]), integers([2]), params)
assert not torch.allclose(turned, straight), (
    "classify_last_state: the order of the words makes no difference. Is there a mean in it?"
)
### BEGIN HIDDEN TESTS
for case, (B, T, V, D, H, C) in enumerate([(4, 6, 7, 2, 5, 3), (2, 1, 3, 4, 3, 2), (3, 8, 5, 3, 4, 1)]):
    params = init_params(V, D, H, C, seed=500 + case)
    rng = np.random.default_rng(510 + case)
    tokens = integers(rng.integers(V, size=(B, T)).tolist())
    lengths = integers(np.maximum(1, T - np.arange(B)).tolist())
    leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
    expected, full = [], []
    for row, length in zip(tokens, lengths.tolist(), strict=True):
        states = [torch.zeros(H, dtype=torch.float64, device=DEVICE)]
        for token in row:
            z = params["E"][token] @ params["W_xh"] + states[-1] @ params["W_hh"]
            states.append(torch.tanh(z + params["b_h"]))
        expected.append(states[length] @ params["W_hy"] + params["b_y"])
        full.append(states[-1] @ params["W_hy"] + params["b_y"])
    got = classify_last_state(tokens, lengths, leaves)
    label = f"classify_last_state, a batch of {B} with {T} columns"
    hints = {"It reads the last column of the batch, not each true end.": torch.stack(full)}
    check_close(got, torch.stack(expected), label, 1e-10, hints=hints, axes="B C")
    wider = torch.cat([tokens, torch.zeros_like(tokens)], dim=1)
    got_wider = classify_last_state(wider, lengths, params)
    check_close(got_wider, torch.stack(expected), f"{label}, padded further", 1e-10, axes="B C")
    send_back(got, label)
    lost = [key for key in leaves if leaves[key].grad is None]
    assert not lost, f"classify_last_state: no gradient arrives at {lost}."
### END HIDDEN TESTS


# %% [markdown]
# ### Let it judge
#
# The film reviews of the chapter: in a mixed review, exchanging what the film has and what it lacks gives a twin with the same words and the opposite verdict.
# A mean of embeddings is right on exactly half of the twins, whatever it has learnt.
# Yours should do better after a few seconds of training.

# %%
from unrolled.data import sentiment


def encode_reviews(reviews):
    tokens, lengths = map(torch.tensor, sentiment.encode([r.words for r in reviews]))
    verdicts = torch.tensor([float(r.positive) for r in reviews])
    return tokens.to(DEVICE), lengths.to(DEVICE), verdicts.to(DEVICE)


start = init_params(len(sentiment.VOCABULARY), D=24, H=48, outputs=1, seed=0)
judge = {key: value.float().requires_grad_() for key, value in start.items()}
optimiser, rng = torch.optim.Adam(judge.values(), lr=0.005), np.random.default_rng(0)
twins = encode_reviews([r for _ in range(200) for r in sentiment.twins(rng)])
for update in range(241):
    tokens, lengths, verdicts = encode_reviews(sentiment.reviews(48, rng))
    scores = classify_last_state(tokens, lengths, judge)[:, 0]
    loss = F.binary_cross_entropy_with_logits(scores, verdicts)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(judge.values(), 1.0)
    optimiser.step()
    if update % 80 == 0:
        with torch.no_grad():
            right = (classify_last_state(*twins[:2], judge)[:, 0] > 0) == twins[2]
        print(f"{update:4d}  loss {loss.item():.3f}  right on {right.float().mean():.1%} of the twins")

# %% [markdown]
# ## 5 · A language model
#
# *Medium, 30 minutes, about 8 lines, 14 points.*
#
# A language model is a transducer whose target is its own next input: after reading $w_1, \dots, w_t$ it scores the candidates for $w_{t+1}$.
# A sequence of length $\ell$ therefore gives $\ell - 1$ predictions.
# The loss is the mean of $-\log \mathrm{softmax}(o_t)[w_{t+1}]$ over **all real predictions of the batch**:
#
# $$\mathcal{L} = \frac{1}{N} \sum_{b} \sum_{t=1}^{\text{length}^{(b)} - 1} -\log \mathrm{softmax}(o_t^{(b)})[w_{t+1}^{(b)}], \qquad N = \sum_b (\text{length}^{(b)} - 1) \tag{4.6}$$
#
# It is Kovashka's mean over the steps, extended to a batch in which the rows have different lengths: a row with more predictions has more say.
# The first state is zero.
#
# *Shapes.* `tokens` (B, T), `lengths` (B,); result a tensor without axes.
#
# *Worked number.* With $W_{hy} = 0$ and $b_y = (\log 1, \log 2, \log 5)$ the prediction is $(\frac18, \frac28, \frac58)$ whatever has been read.
# Two rows, $(0, 1, 2, 2)$ of length 4 and $(2, 0, 1, 1)$ of length 2, where the last two are padding, have $3 + 1$ predictions, of 1, 2, 2 and of 0: $\mathcal{L} = \frac14 (\log\frac82 + 2 \log \frac85 + \log 8) \approx 1.1014$.
#
# *Watch out.* What the model reads and what it should predict are the same tensor, shifted by one.

# %% tags=["exercise", "id:lm-loss"]
def lm_loss(
    tokens: Int[Tensor, "B T"], lengths: Int[Tensor, " B"], params: Params
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, in nats, of the next token over all real predictions.

    Source: Kovashka's lecture, the mean over time; eq. 4.6. Inputs are not modified.

    Raises:
        ValueError: no sequence has two tokens, so there is nothing to predict.
    """
    ### BEGIN SOLUTION
    if int(lengths.max()) < 2:
        raise ValueError("lm_loss: no sequence has two tokens, so there is nothing to predict")
    x, targets = params["E"][tokens[:, :-1]], tokens[:, 1:]
    h0 = x.new_zeros(len(tokens), len(params["b_h"]))
    h = rnn_forward(x, lengths - 1, h0, params)
    real = torch.arange(targets.shape[1], device=tokens.device) < (lengths - 1)[:, None]
    return F.cross_entropy(h[real] @ params["W_hy"] + params["b_y"], targets[real])
    ### END SOLUTION


# %% tags=["test", "id:lm-loss-test", "points:14"]
params = init_params(V=3, D=2, H=4, outputs=3, seed=60)
params |= {"W_hy": 0 * params["W_hy"], "b_y": numbers([1.0, 2.0, 5.0]).log()}
tokens, lengths = integers([[0, 1, 2, 2], [2, 0, 1, 1]]), integers([4, 2])
a, b, c = np.log(8), np.log(4), np.log(8 / 5)  # the costs of predicting 0, 1, 2
check_close(
    lm_loss(tokens, lengths, params),
    numbers((b + 2 * c + a) / 4),
    "lm_loss, worked number",
    hints={
        "The target is the word that was just read: shift by one.": numbers(
            (a + b + 2 * c + c + a) / 6
        ),
        "The padding is counted: only the first length - 1 predictions are real.": numbers(
            (b + 2 * c + a + 2 * b) / 6
        ),
        "It predicts one step into the padding: a row has length - 1 predictions.": numbers(
            (b + 2 * c + a + b) / 5
        ),
        "It is a mean of means of rows; eq. 4.6 takes one mean over all predictions.": numbers(
            ((b + 2 * c) / 3 + a) / 2
        ),
        "It is the sum, not the mean.": numbers(b + 2 * c + a),
        "It divides by B T, not by the number of real predictions.": numbers((b + 2 * c + a) / 8),
        "It takes the softmax twice: cross_entropy wants scores, not probabilities.": numbers(
            np.log(np.exp(1 / 8) + np.exp(2 / 8) + np.exp(5 / 8)) - (2 / 8 + 10 / 8 + 1 / 8) / 4
        ),
        "It is in bits: eq. 4.6 has natural logarithms.": numbers((b + 2 * c + a) / 4 / np.log(2)),
    },
)

params = init_params(V=6, D=3, H=4, outputs=6, seed=61)
tokens, lengths = integers([[1, 4, 2, 5, 3], [3, 1, 0, 0, 0]]), integers([5, 2])
given = {"tokens": tokens, "lengths": lengths, "params": params}
before = copy_of(given)
loss = lm_loss(tokens, lengths, params)
check_unchanged(before, given, "lm_loss")
check_shape(loss, (), "lm_loss")


def log_probs(word_list):
    """The log-probabilities after each word, one step at a time."""
    state, rows = numbers([[0.0] * 4]), []
    for word in word_list:
        state = rnn_step(params["E"][[word]], state, params)
        rows.append(F.log_softmax(state @ params["W_hy"] + params["b_y"], dim=-1)[0])
    return rows


first, second = log_probs([1, 4, 2, 5]), log_probs([3])
costs = [-row[word] for row, word in zip(first, [4, 2, 5, 3], strict=True)] + [-second[0][1]]
stateless = []
for word, target in [(1, 4), (4, 2), (2, 5), (5, 3), (3, 1)]:
    stateless.append(-log_probs([word])[0][target])
check_close(
    loss,
    sum(costs) / 5,
    "lm_loss: two sequences, step by step",
    hints={"The state is not carried from step to step.": sum(stateless) / 5},
)
junk = integers([[1, 4, 2, 5, 3], [3, 1, 5, 2, 4]])
check_close(lm_loss(junk, lengths, params), loss, "lm_loss: other words in the padding")
leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
send_back(lm_loss(tokens, lengths, leaves), "lm_loss")
missing = [key for key in leaves if leaves[key].grad is None]
assert not missing, f"lm_loss: no gradient arrives at {missing}. Is there .item() or .detach()?"
check_raises(
    ValueError, lm_loss, tokens, integers([1, 1]), params, when="there is nothing to predict"
)
### BEGIN HIDDEN TESTS
for case, (B, T, V, D, H) in enumerate([(4, 7, 5, 3, 6), (1, 2, 4, 2, 3), (3, 5, 8, 4, 2)]):
    params = init_params(V, D, H, V, seed=600 + case)
    rng = np.random.default_rng(610 + case)
    tokens = integers(rng.integers(V, size=(B, T)).tolist())
    lengths = integers(np.maximum(1, T - np.arange(B) * 2).tolist())
    leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
    truth = {key: value.clone().requires_grad_() for key, value in params.items()}
    costs = []
    for row, length in zip(tokens, lengths.tolist(), strict=True):
        h = torch.zeros(H, dtype=torch.float64, device=DEVICE)
        for t in range(length - 1):
            h = torch.tanh(truth["E"][row[t]] @ truth["W_xh"] + h @ truth["W_hh"] + truth["b_h"])
            costs.append(-torch.log_softmax(h @ truth["W_hy"] + truth["b_y"], 0)[row[t + 1]])
    expected = torch.stack(costs).mean()
    got = lm_loss(tokens, lengths, leaves)
    label = f"lm_loss, a batch of {B} with {T} columns"
    check_close(got, expected.detach(), label, 1e-10)
    send_back(got, label)
    expected.square().backward()
    for key in leaves:
        assert leaves[key].grad is not None, f"{label}: no gradient arrives at {key}."
        check_close(leaves[key].grad, truth[key].grad, f"{label}: gradient of {key}", 1e-9)
    wider = torch.cat([tokens, torch.ones_like(tokens)], dim=1)
    check_close(lm_loss(wider, lengths, params), expected.detach(), f"{label}, padded further")
big = params | {"b_y": 2000 * params["b_y"]}
assert torch.isfinite(lm_loss(tokens, lengths, big)), (
    "lm_loss: not finite for large scores. Use log_softmax or cross_entropy, not log of softmax."
)

# hello: without a state the loss cannot fall below log(2) / 2 = 0.35
hello, five = integers([[0, 1, 2, 2, 3]]), integers([5])
learnt = {key: value.requires_grad_() for key, value in init_params(4, 4, 6, 4, seed=1).items()}
optimiser = torch.optim.Adam(learnt.values(), lr=0.05)
for _ in range(60):
    loss = lm_loss(hello, five, learnt)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
assert loss < 0.2, "lm_loss: 60 updates do not teach it to spell hello. Does the state carry over?"
### END HIDDEN TESTS


# %% [markdown]
# ### Let it spell
#
# The example of Kovashka's and Bischl's lectures.
# A network that sees only the current letter cannot get below $\frac12 \log 2 \approx 0.347$.
# Here are two words at once, of different lengths.

# %%
letters = ".helo"  # the full stop pads and is never predicted
words = integers([[letters.index(c) for c in word] for word in ("hello", "hole.")])
lengths = integers([5, 4])
start = init_params(V=5, D=4, H=8, outputs=5, seed=0)
speller = {key: value.requires_grad_() for key, value in start.items()}
optimiser = torch.optim.Adam(speller.values(), lr=0.03)
for update in range(121):
    loss = lm_loss(words, lengths, speller)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if update % 40 == 0:
        print(f"{update:4d}  loss {loss.item():.3f}")
print(f"The loss cannot reach 0: after h come e and o. Floor {2 * np.log(2) / 7:.3f}.")

# %% [markdown]
# ## 6 · Recurrence through the output
#
# *Medium, 25 minutes, about 8 lines, 12 points.*
#
# In Jordan's networks, and on a slide of Bischl's, the previous *output* is fed back instead of the state:
#
# $$h_t = \tanh(x_t W_{xh} + y_{t-1} W_{yh} + b_h), \qquad o_t = h_t W_{hy} + b_y \tag{4.7}$$
#
# What is fed back is a choice, a one-hot row $y_t$ of width $V$:
#
# * **running on its own**, without `targets`: $y_t$ is 1 at the largest entry of $o_t$;
# * **teacher forcing**, with `targets`: $y_t$ is 1 at `targets[:, t]`, whatever the network said.
#
# In both cases $y_0$ is given and is used at the first step.
#
# *Shapes.* `x` (B, T, D), `y0` (B, V), `targets` (B, T) integers or nothing; `params["W_yh"]` is (V, H); result: all $o_t$, (B, T, V).
#
# *Worked number.* $D = H = 1$, $V = 2$, $W_{xh} = 1$, $W_{yh} = \binom{0.5}{2}$, $b_h = 0$, $W_{hy} = (-1, 1)$, $b_y = 0$, inputs $(0, -0.7)$, $y_0 = (1, 0)$.
# Step 1: $h_1 = \tanh(0 + 0.5) \approx 0.462$, $o_1 \approx (-0.462, 0.462)$, so the network says 1 and $y_1 = (0, 1)$.
# Step 2: $h_2 = \tanh(-0.7 + 2) \approx 0.862$.
# With teacher forcing and a first target of 0 it would be $h_2 = \tanh(-0.7 + 0.5) \approx -0.197$.

# %% tags=["exercise", "id:output-recurrent-forward"]
def output_recurrent_forward(
    x: Float[Tensor, "B T D"],
    y0: Float[Tensor, "B V"],
    params: Params,
    targets: Int[Tensor, "B T"] | None = None,
) -> Float[Tensor, "B T V"]:
    """Return the scores of every step; each step hears the last answer, or the true one.

    Source: Jordan (1986); eq. 4.7. With ``targets`` the answers fed back are the true ones.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    scores, y = [], y0
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ params["W_xh"] + y @ params["W_yh"] + params["b_h"])
        scores.append(h @ params["W_hy"] + params["b_y"])
        said = scores[-1].argmax(dim=-1) if targets is None else targets[:, t]
        y = F.one_hot(said, y0.shape[1]).to(y0.dtype)
    return torch.stack(scores, dim=1)
    ### END SOLUTION


# %% tags=["test", "id:output-recurrent-forward-test", "points:12"]
one = {"W_xh": numbers([[1.0]]), "W_yh": numbers([[0.5], [2.0]]), "b_h": numbers([0.0])}
one |= {"W_hy": numbers([[-1.0, 1.0]]), "b_y": numbers([0.0, 0.0])}
x, y0 = numbers([[[0.0], [-0.7]]]), numbers([[1.0, 0.0]])
h1 = np.tanh(0.5)


def scores_of(*states):
    return numbers([[[-h, h] for h in states]])


soft = np.exp(h1) / (np.exp(h1) + np.exp(-h1))
check_close(
    output_recurrent_forward(x, y0, one),
    scores_of(h1, np.tanh(1.3)),
    "output_recurrent_forward, worked number, on its own",
    hints={
        "It feeds back the scores; eq. 4.7 wants the one-hot row of the choice.": (
            scores_of(h1, np.tanh(-0.7 + 1.5 * h1))
        ),
        "It feeds back probabilities; eq. 4.7 wants the one-hot row of the choice.": (
            scores_of(h1, np.tanh(-0.7 + 0.5 * (1 - soft) + 2 * soft))
        ),
        "The last answer is not fed back: y stays y0.": scores_of(h1, np.tanh(-0.2)),
        "y0 is not used at the first step.": scores_of(0.0, np.tanh(-0.2)),
    },
    axes="B T V",
)
check_close(
    output_recurrent_forward(x, y0, one, targets=integers([[1, 0]])),
    scores_of(h1, np.tanh(1.3)),
    "output_recurrent_forward, worked number, teacher forcing with targets (1, 0)",
    hints={
        "Step t hears the target of step t: that gives the answer away.": (
            scores_of(np.tanh(2), np.tanh(-0.2))
        ),
        "Step 2 hears its own target, not that of step 1.": scores_of(h1, np.tanh(-0.2)),
    },
    axes="B T V",
)
check_close(
    output_recurrent_forward(x, y0, one, targets=integers([[0, 1]])),
    scores_of(h1, np.tanh(-0.2)),
    "output_recurrent_forward, worked number, teacher forcing with targets (0, 1)",
    hints={"It feeds back its own answer although there are targets.": scores_of(h1, np.tanh(1.3))},
    axes="B T V",
)
params = init_params(V=2, D=3, H=4, outputs=5, seed=70) | {"W_yh": normal(5, 4, seed=71)}
x, y0 = normal(2, 6, 3, seed=72), F.one_hot(integers([1, 4]), 5).double()
targets = integers([[0, 1, 2, 3, 4, 0], [4, 4, 0, 2, 1, 3]])
given = {"x": x, "y0": y0, "params": params, "targets": targets}
before = copy_of(given)
forced = output_recurrent_forward(x, y0, params, targets)
alone = output_recurrent_forward(x, y0, params)
check_unchanged(before, given, "output_recurrent_forward")
check_shape(forced, (2, 6, 5), "output_recurrent_forward, teacher forcing", axes="B T V")
check_shape(alone, (2, 6, 5), "output_recurrent_forward, on its own", axes="B T V")
choices = alone.argmax(dim=-1)
check_close(
    output_recurrent_forward(x, y0, params, choices),
    alone,
    "output_recurrent_forward: forced with its own answers it must say the same",
)
changed = targets.clone()
changed[:, 3] = (changed[:, 3] + 1) % 5
moved = output_recurrent_forward(x, y0, params, changed)
check_close(moved[:, :4], forced[:, :4], "output_recurrent_forward: target 3 and steps 0 to 3")
assert not torch.allclose(moved[:, 4], forced[:, 4]), (
    "output_recurrent_forward: target 3 should be heard at step 4."
)
check_close(moved[:, 5], forced[:, 5], "output_recurrent_forward: target 3 and step 5")
### BEGIN HIDDEN TESTS
for case, (B, T, D, H, V) in enumerate([(4, 7, 2, 5, 3), (1, 1, 3, 4, 6), (3, 5, 4, 2, 4)]):
    params = init_params(2, D, H, V, seed=700 + case) | {"W_yh": 2 * normal(V, H, seed=710 + case)}
    x, rng = normal(B, T, D, seed=720 + case), np.random.default_rng(730 + case)
    y0 = normal(B, V, seed=740 + case)
    targets = integers(rng.integers(V, size=(B, T)).tolist())
    eye = torch.eye(V, dtype=torch.float64, device=DEVICE)
    heard = torch.cat([y0[:, None], eye[targets[:, :-1]]], dim=1)
    h = torch.tanh(x @ params["W_xh"] + heard @ params["W_yh"] + params["b_h"])
    expected = h @ params["W_hy"] + params["b_y"]
    label = f"output_recurrent_forward, {T} step{'s' * (T > 1)}"
    leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
    got = output_recurrent_forward(x, y0, leaves, targets)
    check_close(got, expected, f"{label}, teacher forcing", 1e-10, axes="B T V")
    send_back(got, label)
    lost = [key for key in leaves if key not in ("E", "W_hh") and leaves[key].grad is None]
    assert not lost, f"{label}: no gradient arrives at {lost}."
    y, own = y0, []
    for t in range(T):
        h = torch.tanh(x[:, t] @ params["W_xh"] + y @ params["W_yh"] + params["b_h"])
        own.append(h @ params["W_hy"] + params["b_y"])
        y = eye[own[-1].argmax(dim=1)]
    got = output_recurrent_forward(x, y0, params)
    check_close(got, torch.stack(own, 1), f"{label}, on its own", 1e-10, axes="B T V")
single = {key: value.float() for key, value in params.items()}
got = output_recurrent_forward(x.float(), y0.float(), single)
assert got.dtype == torch.float32, "output_recurrent_forward: float32 in, float32 out."
### END HIDDEN TESTS


# %% [markdown]
# ## 7 · Both directions
#
# *Medium, 30 minutes, about 8 lines, 12 points.*
#
# Two recurrent networks, each with parameters of its own, one from the first word to the last and one from the last to the first, joined at every step (Schuster and Paliwal, 1997):
#
# $$\overleftarrow{h}_t = f(\overleftarrow{h}_{t+1}, x_t; \overleftarrow{\theta}), \qquad \overleftarrow{h}_{\text{length}+1} = 0, \qquad \text{result}_t = [\,\overrightarrow{h}_t;\, \overleftarrow{h}_t\,] \tag{4.8}$$
#
# The right-to-left network of a sequence starts **at its own last word**, not in the padding.
# Both directions start from zero states.
# The result is zero in the padding, in both halves.
#
# *Shapes.* `x` (B, T, D), `lengths` (B,); the two networks may have different widths $H_1$ and $H_2$; result (B, T, $H_1 + H_2$).
#
# *Worked number.* The weights and inputs of part 3 in both directions, $(0.5, 1, 7)$ with length 2.
# From the left: $0.4621$, $0.9582$.
# From the right: first $\overleftarrow{h}_2 = \tanh 1 \approx 0.7616$, then $\overleftarrow{h}_1 = \tanh(0.5 + 2 \cdot 0.7616) \approx 0.9657$.
# The result is $(0.4621, 0.9657)$, $(0.9582, 0.7616)$, $(0, 0)$.
#
# *Hint.* There are two ways.
# Reverse each row within its own length, run forwards, reverse back.
# Or walk from the last column to the first: a sequence whose padding is being passed is not running, and its state is still zero.

# %% tags=["exercise", "id:bidirectional-forward"]
def bidirectional_forward(
    x: Float[Tensor, "B T D"],
    lengths: Int[Tensor, " B"],
    forward: Params,
    backward: Params,
) -> Float[Tensor, "B T H1+H2"]:
    """Return the states of both directions, joined; left to right comes first, padding is zero.

    Source: Schuster and Paliwal (1997); eq. 4.8. What stands in the padding makes no difference.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    B, T, _ = x.shape
    real = torch.arange(T, device=x.device) < lengths[:, None]
    ahead = rnn_forward(x, lengths, x.new_zeros(B, len(forward["b_h"])), forward)
    h, back = x.new_zeros(B, len(backward["b_h"])), []
    for t in reversed(range(T)):
        h = rnn_step(x[:, t], h, backward, running=real[:, t])
        back.append(h)
    joined = torch.cat([ahead, torch.stack(back[::-1], dim=1)], dim=2)
    return torch.where(real[..., None], joined, 0)
    ### END SOLUTION


# %% tags=["test", "id:bidirectional-forward-test", "points:12"]
one = {"W_xh": numbers([[1.0]]), "W_hh": numbers([[2.0]]), "b_h": numbers([0.0])}
x = numbers([[[0.5], [1.0], [7.0]]])
f1 = np.tanh(0.5)
f2 = np.tanh(1 + 2 * f1)
b2 = np.tanh(1)
b1 = np.tanh(0.5 + 2 * b2)
p3 = np.tanh(7)
p2 = np.tanh(1 + 2 * p3)
p1 = np.tanh(0.5 + 2 * p2)
c2 = np.tanh(1 + 2 * f2)
c1 = np.tanh(0.5 + 2 * c2)
check_close(
    bidirectional_forward(x, integers([2]), one, one),
    numbers([[[f1, b1], [f2, b2], [0.0, 0.0]]]),
    "bidirectional_forward, worked number",
    hints={
        "The right-to-left network starts in the padding; it should start at the last word.": (
            numbers([[[f1, p1], [f2, p2], [0.0, 0.0]]])
        ),
        "Flipping whole rows and keeping the lengths reads the padding, not the first words.": (
            numbers([[[f1, p2], [f2, p2], [0.0, 0.0]]])
        ),
        "The way back starts from the last left-to-right state; it should start from zero.": (
            numbers([[[f1, c1], [f2, c2], [0.0, 0.0]]])
        ),
        "The right-to-left states are not put back in order.": (
            numbers([[[f1, b2], [f2, b1], [0.0, 0.0]]])
        ),
        "The halves have changed places: left to right comes first.": (
            numbers([[[b1, f1], [b2, f2], [0.0, 0.0]]])
        ),
        "In the padding the result should be zero.": (
            numbers([[[f1, b1], [f2, b2], [f2, 0.0]]])
        ),
        "Both halves run from left to right.": numbers([[[f1, f1], [f2, f2], [0.0, 0.0]]]),
    },
    axes="B T H1+H2",
)
forward = init_params(V=2, D=3, H=4, outputs=2, seed=80)
backward = init_params(V=2, D=3, H=5, outputs=2, seed=90)
x, lengths = normal(3, 6, 3, seed=81), integers([6, 3, 1])
given = {"x": x, "lengths": lengths, "forward": forward, "backward": backward}
before = copy_of(given)
h = bidirectional_forward(x, lengths, forward, backward)
check_unchanged(before, given, "bidirectional_forward")
check_shape(h, (3, 6, 9), "bidirectional_forward, H1 = 4, H2 = 5", axes="B T H1+H2")
for b, length in enumerate([6, 3, 1]):
    alone = bidirectional_forward(x[b : b + 1, :length], lengths[b : b + 1], forward, backward)
    label = f"bidirectional_forward: a sequence of length {length} in a batch and alone"
    check_close(h[b, :length], alone[0], label, axes="T H1+H2")
    assert not h[b, length:].any(), f"bidirectional_forward: length {length}, padding is not zero."
moved = x.clone()
moved[0, 2] += 1.0
other = bidirectional_forward(moved, lengths, forward, backward)
check_close(other[0, :2, :4], h[0, :2, :4], "bidirectional_forward: left to right, before a change")
check_close(other[0, 3:, 4:], h[0, 3:, 4:], "bidirectional_forward: right to left, after a change")
assert (other[0, 0, 4:] - h[0, 0, 4:]).abs().min() > 0, (
    "bidirectional_forward: word 2 does not reach the right-to-left state at word 0."
)
### BEGIN HIDDEN TESTS
for case, (B, T, D, H1, H2) in enumerate([(4, 7, 2, 3, 5), (2, 1, 4, 2, 3), (3, 4, 3, 6, 2)]):
    forward = init_params(2, D, H1, 2, seed=800 + case)
    backward = init_params(2, D, H2, 2, seed=820 + case)
    x = normal(B, T, D, seed=840 + case)
    lengths = integers(np.maximum(1, T - 2 * np.arange(B)).tolist())
    expected = torch.zeros(B, T, H1 + H2, dtype=torch.float64, device=DEVICE)
    padded_start = expected.clone()
    for b, length in enumerate(lengths.tolist()):
        for p, place, steps in (
            (forward, slice(H1), range(length)),
            (backward, slice(H1, None), range(length - 1, -1, -1)),
        ):
            state = torch.zeros(len(p["b_h"]), dtype=torch.float64, device=DEVICE)
            for t in steps:
                state = torch.tanh(x[b, t] @ p["W_xh"] + state @ p["W_hh"] + p["b_h"])
                expected[b, t, place] = state
    leaves = [copy_of(forward), copy_of(backward)]
    leaves = [{key: value.requires_grad_() for key, value in p.items()} for p in leaves]
    got = bidirectional_forward(x, lengths, *leaves)
    label = f"bidirectional_forward, {T} step{'s' * (T > 1)}, a batch of {B}"
    check_close(got, expected, label, 1e-10, axes="B T H1+H2")
    send_back(got, label)
    for name, p in zip(("forward", "backward"), leaves, strict=True):
        assert p["W_xh"].grad is not None, f"{label}: no gradient arrives at {name}['W_xh']."
        assert torch.isfinite(p["W_hh"].grad).all() if T > 1 else True, f"{label}: bad gradient."
    changed = x.clone()
    for b, length in enumerate(lengths.tolist()):
        changed[b, length:] = -50.0
    again = bidirectional_forward(changed, lengths, forward, backward)
    check_close(again, expected, f"{label}, other numbers in the padding", 1e-10)
    wider = torch.cat([x, x + 1], dim=1)
    again = bidirectional_forward(wider, lengths, forward, backward)[:, :T]
    check_close(again, expected, f"{label}, padded further", 1e-10)
### END HIDDEN TESTS


# %% [markdown]
# ### Let it tag
#
# Is "apple" a name?
# In half of these sentences only the words *after* it tell.
# The first line trains a tagger that reads the left-to-right half of your result, the second one both halves, with the same number of units in all.

# %%
from unrolled.data import entities


def encode_sentences(sentences):
    tokens, tags, lengths = map(torch.tensor, entities.encode(sentences))
    return tokens.to(DEVICE), tags.to(DEVICE), lengths.to(DEVICE)


exam = [s for _ in range(200) for s in entities.twins(np.random.default_rng(1), "right", True)]
words, truth, ends = encode_sentences(exam)
row, place = torch.arange(len(exam)), integers([s.place for s in exam])
for name, widths in (("left to right only", (32, 1)), ("both directions", (16, 16))):
    used = slice(widths[0]) if widths[1] == 1 else slice(None)
    start = [init_params(len(entities.VOCABULARY), 16, H, 1, seed=7) for H in widths]
    start.append({"W": normal(32, 1, seed=9) / 6, "b": numbers([0.0])})
    nets = [{key: value.float().requires_grad_() for key, value in p.items()} for p in start]
    leaves = [leaf for p in nets for leaf in p.values()]
    optimiser, rng = torch.optim.Adam(leaves, lr=0.02), np.random.default_rng(0)
    for _ in range(100):
        tokens, tags, lengths = encode_sentences(entities.sentences(32, rng))
        h = bidirectional_forward(nets[0]["E"][tokens], lengths, *nets[:2])[..., used]
        real = torch.arange(tokens.shape[1], device=DEVICE) < lengths[:, None]
        scores = (h @ nets[2]["W"] + nets[2]["b"])[..., 0]
        loss = F.binary_cross_entropy_with_logits(scores[real], tags[real].float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        h = bidirectional_forward(nets[0]["E"][words], ends, *nets[:2])[..., used]
        said = (h @ nets[2]["W"] + nets[2]["b"])[..., 0] > 0
    right = (said[row, place] == truth[row, place]).float().mean()
    print(f"{name:19} right on {right:.1%} of the words that only the right context decides")

# %% [markdown]
# ## 8 · Layers
#
# *Easy, 15 minutes, about 5 lines, 8 points.*
#
# The states of one layer are the inputs of the next:
#
# $$h^{[l]}_t = f\bigl(h^{[l]}_{t-1},\, h^{[l-1]}_t;\, \theta^{[l]}\bigr), \qquad h^{[0]}_t = x_t \tag{4.9}$$
#
# Every layer has its own parameters, its own initial state `h0[l]` and, in the result, its own last state, which is what one hands to a decoder or to the next piece of a text.
#
# *Shapes.* `x` (B, T, D), `lengths` (B,), `h0` (L, B, H), `layers` a list of L dicts: the first with `W_xh` (D, H), the others (H, H).
# Results: the states of the top layer (B, T, H), standing still after the end of each row as in part 3, and the last states of all layers (L, B, H).
#
# *Worked number.* Two layers with the weights of part 3, all initial states zero, inputs $(0.5, 1)$, length 2.
# Layer 1: $0.4621$, $0.9582$. Layer 2 reads those: $\tanh(0.4621) \approx 0.4318$, then $\tanh(0.9582 + 2 \cdot 0.4318) \approx 0.9490$.
# The last states are $0.9582$ and $0.9490$.

# %% tags=["exercise", "id:deep-rnn-forward"]
def deep_rnn_forward(
    x: Float[Tensor, "B T D"],
    lengths: Int[Tensor, " B"],
    h0: Float[Tensor, "L B H"],
    layers: list[Params],
) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "L B H"]]:
    """Return the states of the top layer and the last states of all layers.

    Source: Peeters' and Kovashka's lectures; eq. 4.9. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    below, last = x, []
    for start, params in zip(h0, layers, strict=True):
        below = rnn_forward(below, lengths, start, params)
        last.append(below[:, -1])
    return below, torch.stack(last)
    ### END SOLUTION


# %% tags=["test", "id:deep-rnn-forward-test", "points:8"]
one = {"W_xh": numbers([[1.0]]), "W_hh": numbers([[2.0]]), "b_h": numbers([0.0])}
x = numbers([[[0.5], [1.0]]])
a1 = np.tanh(0.5)
a2 = np.tanh(1 + 2 * a1)
c1 = np.tanh(a1)
c2 = np.tanh(a2 + 2 * c1)
got = deep_rnn_forward(x, integers([2]), numbers([[[0.0]], [[0.0]]]), [one, one])
assert type(got) is tuple and len(got) == 2, "deep_rnn_forward: return top states and last states."
check_close(
    got[0],
    numbers([[[c1], [c2]]]),
    "deep_rnn_forward, worked number: the top layer",
    hints={
        "That is the first layer: the second one should read its states.": numbers([[[a1], [a2]]])
    },
    axes="B T H",
)
check_close(
    got[1],
    numbers([[[a2]], [[c2]]]),
    "deep_rnn_forward, worked number: the last states",
    hints={
        "The first layer comes first.": numbers([[[c2]], [[a2]]]),
        "Those are first states, not last ones.": numbers([[[a1]], [[c1]]]),
    },
    axes="L B H",
)
layers = [init_params(2, D, 4, 2, seed=100 + 10 * i) for i, D in enumerate((3, 4, 4))]
x, h0, lengths = normal(2, 6, 3, seed=131), normal(3, 2, 4, seed=132), integers([6, 2])
given = {"x": x, "h0": h0, "lengths": lengths, "layers": layers}
before = copy_of(given)
top, last = deep_rnn_forward(x, lengths, h0, layers)
check_unchanged(before, given, "deep_rnn_forward")
check_shape(top, (2, 6, 4), "deep_rnn_forward: the top layer", axes="B T H")
check_shape(last, (3, 2, 4), "deep_rnn_forward: the last states", axes="L B H")
check_close(last[2], top[[0, 1], [5, 1]], "deep_rnn_forward: last states of the top layer")
single = deep_rnn_forward(x, lengths, h0[:1], layers[:1])[0]
check_close(single, rnn_forward(x, lengths, h0[0], layers[0]), "deep_rnn_forward: one layer")
start, middle = deep_rnn_forward(x[:1, :4], integers([4]), h0[:, :1], layers)
rest, end = deep_rnn_forward(x[:1, 4:], integers([2]), middle, layers)
check_close(end, last[:, :1], "deep_rnn_forward: a text in two pieces, the states handed over")
### BEGIN HIDDEN TESTS
for case, (B, T, D, H, L) in enumerate([(3, 5, 2, 4, 2), (1, 1, 3, 2, 4), (2, 6, 5, 3, 1)]):
    layers = [init_params(2, H if i else D, H, 2, seed=900 + 10 * case + i) for i in range(L)]
    x, h0 = normal(B, T, D, seed=950 + case), normal(L, B, H, seed=960 + case)
    lengths = integers(np.maximum(1, T - 2 * np.arange(B)).tolist())
    net = torch.nn.RNN(D, H, num_layers=L, batch_first=True, dtype=torch.float64, device=DEVICE)
    with torch.no_grad():
        for i, p in enumerate(layers):
            getattr(net, f"weight_ih_l{i}").copy_(p["W_xh"].T)
            getattr(net, f"weight_hh_l{i}").copy_(p["W_hh"].T)
            getattr(net, f"bias_ih_l{i}").copy_(p["b_h"])
            getattr(net, f"bias_hh_l{i}").zero_()
    leaves = [{key: value.requires_grad_() for key, value in p.items()} for p in copy_of(layers)]
    top, last = deep_rnn_forward(x, lengths, h0, leaves)
    label = f"deep_rnn_forward, {L} layer{'s' * (L > 1)}"
    for b, length in enumerate(lengths.tolist()):
        row, start = x[b : b + 1, :length], h0[:, b : b + 1].contiguous()
        out, end = (value.detach() for value in net(row, start))
        check_close(top[b, :length], out[0], f"{label}: the top layer", 1e-10, axes="T H")
        check_close(last[:, b], end[:, 0], f"{label}: the last states", 1e-10, axes="L H")
    send_back(top, label)
    lost = [i for i, p in enumerate(leaves) if p["W_xh"].grad is None]
    assert not lost, f"{label}: no gradient arrives at layers {lost}."
### END HIDDEN TESTS


# %% [markdown]
# ## 9 · Let it write
#
# *Medium, 25 minutes, about 12 lines, 8 points.*
#
# A language model writes when its own choice becomes its next input.
# To keep the randomness where it can be tested, the random numbers come from outside: `u[b, t]`, uniform in $[0, 1)$, decides the $t$-th word of row $b$.
# Put the probabilities of all words side by side on a line of length 1, in the order of the vocabulary; the word is the one on whose piece $u$ falls:
#
# $$p = \mathrm{softmax}(o_t / \tau), \qquad w_{t+1} = \min \{\, v : u < p_0 + p_1 + \dots + p_v \,\} \tag{4.10}$$
#
# The temperature $\tau$ divides the scores *before* the softmax.
# $\tau = 0$ stands for the limit: always the word with the largest score.
#
# Start from the zero state, read `first`, draw, read what was drawn, draw, and so on.
#
# *Shapes.* `first` (B,) integers, `u` (B, T); result (B, T) integers, without `first`.
#
# *Worked number.* With $W_{hy} = 0$ and $b_y = (\log 1, \log 2, \log 5)$ the pieces are $[0, 0.125)$, $[0.125, 0.375)$ and $[0.375, 1)$.
# For $u = (0.1, 0.3, 0.4)$ the words are 0, 1, 2.
# With $\tau = \frac12$ the probabilities are in proportion $1 : 4 : 25$, and the same $u$ give 1, 2, 2.
#
# *Watch out.* Rounding may leave the last sum a hair below 1, and $u$ may be above it: there is no word number $V$.

# %% tags=["exercise", "id:sample"]
def sample(
    first: Int[Tensor, " B"],
    u: Float[Tensor, "B T"],
    params: Params,
    temperature: float = 1.0,
) -> Int[Tensor, "B T"]:
    """Return the words that the language model writes after ``first``.

    Source: eq. 4.10. ``u`` holds the random numbers; temperature 0 takes the best word each time.
    The first state is zero. Inputs are not modified.

    Raises:
        ValueError: the temperature is negative.
    """
    ### BEGIN SOLUTION
    if temperature < 0:
        raise ValueError(f"sample: expected a temperature of 0 or more, got {temperature}")
    word, written = first, []
    h = u.new_zeros(len(first), len(params["b_h"]))
    for t in range(u.shape[1]):
        h = rnn_step(params["E"][word], h, params)
        scores = h @ params["W_hy"] + params["b_y"]
        if temperature == 0:
            word = scores.argmax(dim=-1)
        else:
            edges = torch.softmax(scores / temperature, dim=-1).cumsum(dim=-1)
            word = (edges <= u[:, t, None]).sum(dim=-1).clamp(max=scores.shape[1] - 1)
        written.append(word)
    return torch.stack(written, dim=1)
    ### END SOLUTION


# %% tags=["test", "id:sample-test", "points:8"]
params = init_params(V=3, D=2, H=4, outputs=3, seed=140)
fixed = params | {"W_hy": 0 * params["W_hy"], "b_y": numbers([1.0, 2.0, 5.0]).log()}
first, u = integers([2]), numbers([[0.1, 0.3, 0.4]])
check_close(
    sample(first, u, fixed),
    integers([[0, 1, 2]]),
    "sample, worked number",
    hints={
        "It takes the best word each time: use u.": integers([[2, 2, 2]]),
        "It is one word too far: u = 0.1 falls on the first piece.": integers([[1, 2, 3]]),
        "first does not belong to the result.": integers([[2, 0, 1]]),
    },
    axes="B T",
)
check_close(
    sample(first, u, fixed, temperature=0.5),
    integers([[1, 2, 2]]),
    "sample, worked number, temperature 0.5",
    hints={
        "The temperature multiplies the scores; it should divide them.": integers([[0, 1, 1]]),
        "The temperature makes no difference: divide the scores, not the probabilities.": (
            integers([[0, 1, 2]])
        ),
    },
    axes="B T",
)
check_close(
    sample(first, u, fixed, temperature=0.0),
    integers([[2, 2, 2]]),
    "sample: temperature 0",
    hints={"Scores divided by 0 give NaN: treat temperature 0 by itself.": integers([[0, 0, 0]])},
)
ten = init_params(V=10, D=2, H=4, outputs=10, seed=141)
ten |= {"W_hy": 0 * ten["W_hy"], "b_y": 0 * ten["b_y"]}  # ten times 0.1 is 1 only on paper
got = sample(first, numbers([[1 - 2**-53] * 3]), ten)
assert ((got >= 0) & (got < 10)).all(), "sample: u close to 1 gives a word that does not exist."
check_raises(ValueError, sample, first, u, fixed, -1.0, when="the temperature is negative")

params = init_params(V=6, D=3, H=4, outputs=6, seed=150)
params["W_hy"] = 4 * params["W_hy"]
first, u = integers([1, 5]), torch.rand(2, 8, generator=torch.Generator().manual_seed(1)).double()
given = {"first": first, "u": u.to(DEVICE), "params": params}
before = copy_of(given)
written = sample(first, given["u"], params)
check_unchanged(before, given, "sample")
check_shape(written, (2, 8), "sample", axes="B T")
read = torch.cat([first[:, None], written[:, :-1]], dim=1)
states = rnn_forward(params["E"][read], integers([8, 8]), numbers([[0.0] * 4] * 2), params)
edges = F.softmax(states @ params["W_hy"] + params["b_y"], dim=-1).cumsum(dim=-1)
upper = edges.gather(2, written[..., None])[..., 0]
lower = upper - edges.diff(dim=2, prepend=0 * edges[..., :1]).gather(2, written[..., None])[..., 0]
inside = (given["u"] < upper + 1e-12) & (given["u"] >= lower - 1e-12)
assert inside[:, 0].all(), "sample: the first word does not fit u. Is `first` read, from state 0?"
assert inside.all(), (
    f"sample: word {int(inside.all(0).int().argmin())} does not fit u. "
    "Is the last word read next, and the state carried on?"
)
### BEGIN HIDDEN TESTS
for case, (B, T, V, D, H) in enumerate([(4, 9, 7, 2, 5), (1, 1, 2, 3, 4), (3, 6, 5, 4, 3)]):
    params = init_params(V, D, H, V, seed=1000 + case)
    params["W_hy"] = 3 * params["W_hy"]
    g = torch.Generator().manual_seed(1010 + case)
    u = torch.rand(B, T, generator=g, dtype=torch.float64).to(DEVICE)
    first = integers(np.random.default_rng(1020 + case).integers(V, size=B).tolist())
    for temperature in (1.0, 0.4, 2.5, 0.0):
        expected = torch.zeros(B, T, dtype=torch.int64, device=DEVICE)
        for b in range(B):
            word, h = first[b], torch.zeros(H, dtype=torch.float64, device=DEVICE)
            for t in range(T):
                z = params["E"][word] @ params["W_xh"] + h @ params["W_hh"] + params["b_h"]
                h = torch.tanh(z)
                o = h @ params["W_hy"] + params["b_y"]
                if temperature == 0:
                    word = o.argmax()
                else:
                    line = torch.softmax(o / temperature, 0).cumsum(0)
                    word = torch.searchsorted(line, u[b, t], right=True).clamp(max=V - 1)
                expected[b, t] = word
        got = sample(first, u, params, temperature)
        label = f"sample, temperature {temperature}, {T} step{'s' * (T > 1)}"
        check_close(got, expected, label, axes="B T")
N = 1000  # evenly spread u give every word its share
u = ((torch.arange(N, dtype=torch.float64) + 0.5) / N)[:, None].to(DEVICE)
same = torch.full((N,), 1, device=DEVICE)
share = torch.bincount(sample(same, u, params, 0.7)[:, 0], minlength=V).double() / N
h = torch.tanh(params["E"][1] @ params["W_xh"] + params["b_h"])
p = torch.softmax((h @ params["W_hy"] + params["b_y"]) / 0.7, 0)
check_close(share, p, "sample: the share of each word over evenly spread u", 0, 1.5 / N)
### END HIDDEN TESTS


# %% [markdown]
# What does the network of part 5 write, after "h", at different temperatures?
# It has learnt *hello* and *hole* and nothing else; what comes after a word's end it was never taught.

# %%
u = torch.rand(6, 4, generator=torch.Generator().manual_seed(3)).double().to(DEVICE)
for temperature in (0.0, 0.5, 1.0, 3.0):
    with torch.no_grad():
        rows = sample(integers([1] * 6), u, speller, temperature)
    print(f"τ = {temperature}:", *("h" + "".join(letters[i] for i in row) for row in rows.tolist()))

# %% [markdown]
# ## 10 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** For each of the following say whether you would build an acceptor, a transducer or an encoder with a decoder, and whether it may read in both directions, with the reason:
# (1) subtitles for a live broadcast, (2) finding the names in a newspaper's archive, (3) a filter for unwanted mail, (4) the keyboard of a telephone that proposes the next word.
# Then describe, for one of them, what goes wrong if training uses batches padded on the right and the code reads `h[:, -1]` of states that ran on into the padding.
# Would more training data help?
# Answer in five to seven sentences.

# %% [markdown] tags=["manual", "id:which-network", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. Roles: (2) and (4) transducers, (3) acceptor; (1) a transducer if words are emitted as they are heard, or an encoder with a decoder sentence by sentence (either with a reason).
# 2. Directions: (1) and (4) one direction only, because what comes after is not known when the answer is due (and (4) would read its own target); a short delay for (1) may be mentioned.
# 3. Directions: (2) and (3) may use both, since the whole text is there first.
# 4. What goes wrong: the state of a short sequence is that after the padding; it depends on how much padding the batch happens to contain, so the same text gets different answers in different batches (and the information about its end fades).
# 5. More data does not cure it: the dependence on the batch remains (the network can at best learn to carry its state through padding, which costs capacity); the cure is the true length. A reasoned "it might learn to ignore the padding token partly" is fine.
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# **b.** An output-recurrent network (part 6) reads a stream of bits. For which of these tasks can it be right at every step, if it feeds back its choices and $h_t$ may be as wide as you like? Give the reason for each.
# (1) Say whether the number of ones so far is odd.
# (2) Say whether the number of ones so far is divisible by 3.
# (3) Say the number of ones so far modulo 3.
# Then explain what teacher forcing saves in training, and what danger it brings when the network runs on its own.
# Answer in five to seven sentences.

# %% [markdown] tags=["manual", "id:what-the-output-carries", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. (1) can: the last answer and the new bit determine the new answer (exclusive or, which a hidden layer can compute).
# 2. (2) cannot: after remainders 1 and 2 the answer is the same ("no"), but a further one leads to different answers; all that is carried is the answer.
# 3. (3) can: the answer is the whole state. (General principle: it works exactly if the previous output together with the input determines the next output.)
# 4. Teacher forcing: the steps do not depend on each other, so all can be computed at once, with no unrolling and no gradient through time.
# 5. Danger: in training it never hears its own mistakes; running on its own, one wrong answer changes what it hears afterwards, and the error persists or spreads (for parity all later answers are wrong).
# ### END MARK SCHEME

# %% [markdown]
# ## 11 · Optional challenge: parity by hand
#
# *Hard, 30 minutes, about 10 lines, no points.*
#
# The chapter builds a network by hand that spells *hello*.
# Build one that reads bits, $x_t \in \{0, 1\}$, and whose score $h_t W_{hy} + b_y$ is **positive exactly if the number of ones so far is odd**, for sequences of any length: an ordinary recurrent network as in part 3, with $D = 1$, one output, starting from the zero state.
# No training.
#
# Two units are enough.
# Hint: the new parity is "at least one of old parity and new bit" and not "both of them"; a unit $\tanh g\,(a - c)$ with a large gain $g$ says whether $a$ exceeds $c$.
# If you leave it out, the test below fails and costs nothing.

# %% tags=["exercise", "id:parity-weights"]
def parity_weights() -> Params:
    """Return W_xh (1, H), W_hh, b_h, W_hy (H, 1), b_y of a network whose score tells parity.

    float64, on ``DEVICE``.
    """
    ### BEGIN SOLUTION
    gain = 10.0  # units: at least one (0.5 < old + new), both (1.5 < old + new)
    return {
        "W_xh": gain * numbers([[1.0, 1.0]]),
        "W_hh": gain * numbers([[0.5, 0.5], [-0.5, -0.5]]),  # old parity = (first - second) / 2
        "b_h": gain * numbers([-0.5, -1.5]),
        "W_hy": numbers([[0.5], [-0.5]]),
        "b_y": numbers([-0.5]),
    }
    ### END SOLUTION


# %% tags=["test", "id:parity-weights-test", "points:0"]
by_hand = parity_weights()
H = len(by_hand["b_h"])
check_shape(by_hand["W_xh"], (1, H), "parity_weights: W_xh", axes="D H")
bits = torch.randint(2, (20, 300), generator=torch.Generator().manual_seed(2)).to(DEVICE)
h = rnn_forward(
    bits[..., None].double(), integers([300] * 20), numbers([[0.0] * H] * 20), by_hand
)
odd = (h @ by_hand["W_hy"] + by_hand["b_y"])[..., 0] > 0
wrong = (odd != (bits.cumsum(dim=1) % 2 == 1)).any(dim=0)
assert not wrong.any(), (
    f"parity_weights: wrong for the first time after {int(wrong.int().argmax()) + 1} bits. "
    "After 1 or 2 bits: look at the single step; later: is the gain large enough?"
)

# %% [markdown]
# ## Sources
#
# * Peeters, *Recurrent Neural Network* (Télécom Paris), compact notation, bidirectional and deep networks, sentiment; Kovashka, *CS 1678* (Pittsburgh, 2021), the recurrent language model; Bischl, LMU, *hello* and output recurrence; Basili and Croce, acceptor, transducer and encoder.
# * J. Elman (1990), *Finding structure in time*, Cognitive Science 14(2).
# * M. Jordan (1986), *Serial order: a parallel distributed processing approach*, report 8604, University of California, San Diego.
# * M. Schuster and K. Paliwal (1997), *Bidirectional recurrent neural networks*, IEEE Transactions on Signal Processing 45(11).
