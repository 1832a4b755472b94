# %% [markdown]
# # 7 · LSTM and GRU
#
# In this exercise you write the two gated cells from scratch, for whole batches, forward and backward.
# You start with the LSTM that cannot forget, complete it, go back through it, and then do the same for the GRU in all four of its conventions, so that weights from elsewhere hold no surprises.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `simplified_lstm_step` | easy | 15 min | 6 |
# | 2 | `lstm_step` | easy | 15 min | 8 |
# | 3 | `lstm_forward` | easy | 15 min | 8 |
# | 4 | `lstm_step_backward` | hard | 40 min | 16 |
# | 5 | `lstm_backward` | medium | 25 min | 12 |
# | 6 | `gru_step` | medium | 20 min | 10 |
# | 7 | `gru_forward` | easy | 10 min | 4 |
# | 8 | `gru_step_backward` | hard | 40 min | 14 |
# | 9 | `convert_gru_weights` | medium | 20 min | 8 |
# | 10 | `count_parameters` | easy | 10 min | 4 |
# | 11 | two written answers | medium | 20 min | 10 |
# | 12 | optional: `adding_by_hand` | medium | 25 min | 0 |
#
# Before you start, read chapter 7 of the book: it derives every equation used here, for a single sequence.
#
# **Rules of the game.**
# numpy only, by hand: no automatic differentiation.
# Every array is float64, because a gradient check needs the digits.
# No function changes the arrays that it is given.
# Each part may call the functions of the parts before it.
# No loop over the batch, and none over the gates: one matrix product serves all of them.
# The cell below each part tests it and says what is wrong; when your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **Shapes.** Examples are rows. All gates of a cell share one matrix for the input and one for the state; their blocks of $H$ columns stand side by side.
#
# | array | shape | |
# |---|---|---|
# | `x` | (B, T, D), or (B, D) for one step | inputs |
# | `h`, `c` | (B, T, H) | `h[:, t]`, `c[:, t]` are state and memory after reading `x[:, t]` |
# | `h0`, `c0` | (B, H) | before the first step |
#
# | cell | blocks, in this order | `W_x` | `W_h` | biases |
# |---|---|---|---|---|
# | simplified LSTM | $i$, $\tilde c$, $o$ | (D, 3H) | (H, 3H) | `b` (3H,) |
# | LSTM | $i$, $f$, $\tilde c$, $o$ | (D, 4H) | (H, 4H) | `b` (4H,) |
# | GRU | $z$, $r$, $n$ | (D, 3H) | (H, 3H) | `b_x` (3H,) and `b_h` (3H,) |
#
# The LSTM's order is that of PyTorch and Keras; the GRU's is that of the papers, with $n$ for the proposed state $\tilde h$.
#
# **Names.** `d_h` stands for $\partial \mathcal{L} / \partial h$ and has the shape of `h`; so for every array.
# Parameters travel in a dict, and their gradients in a dict with the same keys.
# $\sigma$ is the logistic function, given below as `sigmoid`; its slope is $\sigma'(a) = \sigma(a)\,(1 - \sigma(a))$.

# %% tags=["setup"]
import numpy as np
import torch
from jaxtyping import Float

from unrolled.checks import (
    check_close,
    check_gradient,
    check_raises,
    check_shape,
    check_unchanged,
)

Array = np.ndarray
Params = dict[str, np.ndarray]


def sigmoid(a: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return 1 / (1 + exp(-a)), without overflow for any a."""
    return 0.5 * (1 + np.tanh(0.5 * a))


def init_params(D: int, H: int, blocks: int, rng: np.random.Generator) -> Params:
    """Return random W_x, W_h and b for a cell of so many blocks; no bias is zero."""
    return {
        "W_x": rng.normal(size=(D, blocks * H)) / np.sqrt(D),
        "W_h": rng.normal(size=(H, blocks * H)) / np.sqrt(H),
        "b": rng.normal(size=blocks * H) / 2,
    }


def init_gru(D: int, H: int, rng: np.random.Generator) -> Params:
    """Return random W_x, W_h, b_x and b_h of a GRU."""
    params = init_params(D, H, 3, rng)
    params["b_x"] = params.pop("b")
    return params | {"b_h": rng.normal(size=3 * H) / 2}


def copies(arrays: dict) -> dict:
    """Return the same dict with every array copied, dicts inside included."""
    return {
        key: copies(value) if isinstance(value, dict) else value.copy()
        for key, value in arrays.items()
    }


def reordered(params: Params, order: str, blocks: str) -> Params:
    """Return params whose blocks, named by ``blocks``, are rearranged to ``order``."""

    def move(array: np.ndarray) -> np.ndarray:
        parts = dict(zip(blocks, np.split(array, len(blocks), axis=-1), strict=True))
        return np.concatenate([parts[name] for name in order], axis=-1)

    return {key: move(value) for key, value in params.items()}


def torch_lstm(params: Params) -> torch.nn.LSTM:
    """Return PyTorch's LSTM with the same weights: it stores them for column vectors."""
    layer = torch.nn.LSTM(*params["W_x"].shape[:1], params["W_h"].shape[0], batch_first=True)
    layer = layer.double()
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor(params["W_x"].T))
        layer.weight_hh_l0.copy_(torch.tensor(params["W_h"].T))
        layer.bias_ih_l0.copy_(torch.tensor(params["b"]))
        layer.bias_hh_l0.zero_()
    return layer


def run_torch_lstm(x: Array, h0: Array, c0: Array, params: Params) -> tuple[Array, Array]:
    """Return all states and the last memory of PyTorch's LSTM."""
    start = (torch.tensor(h0)[None], torch.tensor(c0)[None])
    with torch.no_grad():
        h, (_, c_last) = torch_lstm(params)(torch.tensor(x), start)
    return h.numpy(), c_last[0].numpy()


# %% [markdown]
# ## 1 · The LSTM that cannot forget
#
# *Easy, 15 minutes, about 7 lines, 6 points.*
#
# Peeters' lecture begins with the cell that has an input and an output gate and nothing else.
# Everything it needs comes from one row of $3H$ sums, which you split into three blocks:
#
# $$[\,a^i, a^c, a^o\,] = x W_x + h_{\text{prev}} W_h + b, \qquad i = \sigma(a^i), \quad \tilde c = \tanh(a^c), \quad o = \sigma(a^o) \tag{7.1}$$
#
# $$c = c_{\text{prev}} + i \odot \tilde c, \qquad h = o \odot \tanh(c) \tag{7.2}$$
#
# *Shapes.* `x` (B, D); `h_prev`, `c_prev` (B, H); results `h` and `c`, (B, H) each.
#
# *Worked number.* One unit, $x = 0$, $h_{\text{prev}} = 0$, all sums zero: the gates are ½ and the proposal is 0, so $c = c_{\text{prev}}$ and $h = \tfrac12 \tanh(c_{\text{prev}})$.
# With $c_{\text{prev}} = 1$: $h = 0.3808$.

# %% tags=["exercise", "id:simplified-lstm-step"]
def simplified_lstm_step(
    x: Float[Array, "B D"], h_prev: Float[Array, "B H"], c_prev: Float[Array, "B H"], params: Params
) -> tuple[Float[Array, "B H"], Float[Array, "B H"]]:
    """Return the next state and memory of an LSTM without a forget gate.

    Source: Hochreiter and Schmidhuber (1997), as in Peeters' lecture; eqs. 7.1 and 7.2.
    Blocks in the order input gate, proposal, output gate. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    a_i, a_c, a_o = np.split(x @ params["W_x"] + h_prev @ params["W_h"] + params["b"], 3, axis=1)
    c = c_prev + sigmoid(a_i) * np.tanh(a_c)
    return sigmoid(a_o) * np.tanh(c), c
    ### END SOLUTION


# %% tags=["test", "id:simplified-lstm-step-test", "points:6"]
nothing = {"W_x": np.zeros((2, 3)), "W_h": np.zeros((1, 3)), "b": np.zeros(3)}
h, c = simplified_lstm_step(np.zeros((1, 2)), np.zeros((1, 1)), np.ones((1, 1)), nothing)
check_close(c, np.ones((1, 1)), "simplified_lstm_step: c, the worked number")
check_close(
    h,
    np.tanh(np.ones((1, 1))) / 2,
    "simplified_lstm_step: h, the worked number",
    hints={
        "The memory is squashed before it is shown: o * tanh(c).": np.ones((1, 1)) / 2,
        "The output gate is missing.": np.tanh(np.ones((1, 1))),
    },
)
rng = np.random.default_rng(1)
params = init_params(D=3, H=4, blocks=3, rng=rng)
x, h_prev, c_prev = rng.normal(size=(2, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
given = {"x": x, "h_prev": h_prev, "c_prev": c_prev, "params": params}
before = copies(given)
h, c = simplified_lstm_step(x, h_prev, c_prev, params)
check_unchanged(before, given, "simplified_lstm_step: its argument")
check_shape(h, (2, 4), "simplified_lstm_step: h", axes="B H")
check_shape(c, (2, 4), "simplified_lstm_step: c", axes="B H")
assert (np.abs(c - c_prev) < 1).all(), "simplified_lstm_step: |c - c_prev| must stay below 1."
_, later = simplified_lstm_step(x, h_prev, c_prev + 5, params)
check_close(later - c, 5 * np.ones((2, 4)), "simplified_lstm_step: c when 5 is added to c_prev")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(701)
for B, D, H in [(3, 5, 4), (1, 2, 6), (5, 1, 2)]:
    params = init_params(D, H, 3, rng)
    x, h_prev, c_prev = (rng.normal(size=s) for s in ((B, D), (B, H), (B, H)))
    # a full LSTM whose forget gate is wide open is the simplified one
    blocks = {key: np.split(value, 3, axis=-1) for key, value in params.items()}
    full = {key: np.concatenate([i, 0 * i, p, o], axis=-1) for key, (i, p, o) in blocks.items()}
    full["b"][H : 2 * H] = 60.0

    def oracle(full, x=x, h_prev=h_prev, c_prev=c_prev):
        h, c = run_torch_lstm(x[:, None], h_prev, c_prev, full)
        return h[:, 0], c

    swapped = reordered(full, "ifoc", "ifco")
    hints = {
        "Proposal and output gate are exchanged: the blocks are i, proposal, o.": oracle(swapped),
        "Input and output gate are exchanged: the blocks are i, proposal, o.": oracle(
            reordered(full, "ofci", "ifco")
        ),
        "Does it use b?": oracle(full | {"b": full["b"] * (np.arange(4 * H) // H == 1)}),
        "Does it use h_prev?": oracle(full | {"W_h": 0 * full["W_h"]}),
    }
    got = simplified_lstm_step(x, h_prev, c_prev, params)
    assert isinstance(got, tuple) and len(got) == 2, "simplified_lstm_step: return h and c."
    for n, name in enumerate("hc"):
        wrongs = {text: wrong[n] for text, wrong in hints.items()}
        label = f"simplified_lstm_step: {name}"
        check_close(got[n], oracle(full)[n], label, 1e-9, 1e-12, wrongs, axes="B H")
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · The full cell
#
# *Easy, 15 minutes, about 8 lines, 8 points.*
#
# One more gate says how much of the old memory stays (Gers, Schmidhuber and Cummins, 2000):
#
# $$[\,a^i, a^f, a^c, a^o\,] = x W_x + h_{\text{prev}} W_h + b, \qquad i, f, o = \sigma(a^i), \sigma(a^f), \sigma(a^o), \qquad \tilde c = \tanh(a^c) \tag{7.3}$$
#
# $$c = f \odot c_{\text{prev}} + i \odot \tilde c, \qquad h = o \odot \tanh(c) \tag{7.4}$$
#
# The backward pass will want the gates again, *after* their squashing, so return them as well: one array (B, 4H) with $i, f, \tilde c, o$ side by side.
#
# *Worked number.* All sums zero and $c_{\text{prev}} = 1$: the gates are ½, the proposal 0, so $c = 0.5$, $h = \tfrac12 \tanh(0.5) = 0.2311$ and the gates are $(½, ½, 0, ½)$.

# %% tags=["exercise", "id:lstm-step"]
def lstm_step(
    x: Float[Array, "B D"], h_prev: Float[Array, "B H"], c_prev: Float[Array, "B H"], params: Params
) -> tuple[Float[Array, "B H"], Float[Array, "B H"], Float[Array, "B 4*H"]]:
    """Return the next state, the next memory, and the gates i, f, proposal, o side by side.

    Source: Gers et al. (2000), without peepholes; eqs. 7.3 and 7.4. The gates are given after
    their sigmoid or tanh. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    a = x @ params["W_x"] + h_prev @ params["W_h"] + params["b"]
    a_i, a_f, a_c, a_o = np.split(a, 4, axis=1)
    i, f, new, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_c), sigmoid(a_o)
    c = f * c_prev + i * new
    return o * np.tanh(c), c, np.concatenate([i, f, new, o], axis=1)
    ### END SOLUTION


# %% tags=["test", "id:lstm-step-test", "points:8"]
nothing = {"W_x": np.zeros((2, 4)), "W_h": np.zeros((1, 4)), "b": np.zeros(4)}
h, c, gates = lstm_step(np.zeros((1, 2)), np.zeros((1, 1)), np.ones((1, 1)), nothing)
check_close(
    c,
    np.array([[0.5]]),
    "lstm_step: c, the worked number",
    hints={"The old memory is not multiplied by the forget gate.": np.array([[1.0]])},
)
check_close(h, np.tanh([[0.5]]) / 2, "lstm_step: h, the worked number")
check_close(gates, np.array([[0.5, 0.5, 0.0, 0.5]]), "lstm_step: gates, the worked number")

rng = np.random.default_rng(2)
params = init_params(D=3, H=4, blocks=4, rng=rng)
x, h_prev, c_prev = rng.normal(size=(2, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
given = {"x": x, "h_prev": h_prev, "c_prev": c_prev, "params": params}
before = copies(given)
h, c, gates = lstm_step(x, h_prev, c_prev, params)
check_unchanged(before, given, "lstm_step: its argument")
check_shape(gates, (2, 16), "lstm_step: gates", axes="B 4*H")
expected_h, expected_c = run_torch_lstm(x[:, None], h_prev, c_prev, params)
other_h, other_c = run_torch_lstm(x[:, None], h_prev, c_prev, reordered(params, "ifoc", "ifco"))
order = "The blocks stand in the order i, f, proposal, o: the proposal is the third."
check_close(c, expected_c, "lstm_step: c", hints={order: other_c}, axes="B H")
check_close(h, expected_h[:, 0], "lstm_step: h", hints={order: other_h[:, 0]}, axes="B H")
i, f, new, o = np.split(gates, 4, axis=1)
check_close(f * c_prev + i * new, c, "lstm_step: c made again from the returned gates")
check_close(o * np.tanh(c), h, "lstm_step: h made again from the returned gates")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(702)
for B, D, H in [(3, 5, 4), (1, 2, 6), (5, 1, 2)]:
    params = init_params(D, H, 4, rng)
    x, h_prev, c_prev = (rng.normal(size=s) for s in ((B, D), (B, H), (B, H)))
    given = {"x": x, "h_prev": h_prev, "c_prev": c_prev, "params": params}
    before = copies(given)
    got = lstm_step(x, h_prev, c_prev, params)
    check_unchanged(before, given, "lstm_step: its argument")
    assert isinstance(got, tuple) and len(got) == 3, "lstm_step: return h, c and the gates."
    expected_h, expected_c = run_torch_lstm(x[:, None], h_prev, c_prev, params)
    swapped = run_torch_lstm(x[:, None], h_prev, c_prev, reordered(params, "fico", "ifco"))
    text = "Input and forget gate are exchanged: the input gate is the first block."
    check_close(got[1], expected_c, "lstm_step: c", 1e-9, 1e-12, {text: swapped[1]}, axes="B H")
    label = "lstm_step: h"
    check_close(got[0], expected_h[:, 0], label, 1e-9, 1e-12, {text: swapped[0][:, 0]}, axes="B H")
    a = torch.tensor(x @ params["W_x"] + h_prev @ params["W_h"] + params["b"])
    blocks = a.chunk(4, dim=1)
    squashed = [torch.tanh(v) if n == 2 else torch.sigmoid(v) for n, v in enumerate(blocks)]
    expected = torch.cat(squashed, dim=1).numpy()
    hints = {
        "Return the gates after their squashing.": a.numpy(),
        "The proposal goes through tanh, not through the sigmoid.": torch.sigmoid(a).numpy(),
    }
    check_close(got[2], expected, "lstm_step: gates", 1e-9, 1e-12, hints)
extreme = {"W_x": np.zeros((1, 4)), "W_h": np.zeros((1, 4)), "b": np.array([-800.0, 800.0, 0, 800])}
h, c, _ = lstm_step(np.zeros((2, 1)), np.zeros((2, 1)), np.array([[0.3], [-2.0]]), extreme)
check_close(c, np.array([[0.3], [-2.0]]), "lstm_step: c with the forget gate open, the input shut")
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · The sequence
#
# *Easy, 15 minutes, about 9 lines, 8 points.*
#
# Run the step from left to right and keep everything: the backward pass needs states, memories and gates of all steps.
#
# $$(h_t, c_t, \text{gates}_t) = \text{step}(x_t, h_{t-1}, c_{t-1}), \qquad t = 1, \dots, T \tag{7.5}$$
#
# *Shapes.* `x` (B, T, D), `h0` and `c0` (B, H); results `h`, `c` (B, T, H) and `gates` (B, T, 4H).
#
# *Worked number.* All weights and biases zero, $c_0 = 1$: the memory halves at every step, $c = (½, ¼, ⅛, \dots)$.

# %% tags=["exercise", "id:lstm-forward"]
def lstm_forward(
    x: Float[Array, "B T D"], h0: Float[Array, "B H"], c0: Float[Array, "B H"], params: Params
) -> tuple[Float[Array, "B T H"], Float[Array, "B T H"], Float[Array, "B T 4*H"]]:
    """Return states, memories and gates after every step.

    Source: eq. 7.5. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    h_t, c_t, steps = h0, c0, []
    for t in range(x.shape[1]):
        h_t, c_t, gates = lstm_step(x[:, t], h_t, c_t, params)
        steps.append((h_t, c_t, gates))
    h, c, gates = (np.stack(parts, axis=1) for parts in zip(*steps, strict=True))
    return h, c, gates
    ### END SOLUTION


# %% tags=["test", "id:lstm-forward-test", "points:8"]
nothing = {"W_x": np.zeros((2, 4)), "W_h": np.zeros((1, 4)), "b": np.zeros(4)}
h, c, gates = lstm_forward(np.zeros((1, 3, 2)), np.zeros((1, 1)), np.ones((1, 1)), nothing)
check_close(
    c[0, :, 0],
    np.array([0.5, 0.25, 0.125]),
    "lstm_forward: c, the worked number",
    hints={
        "c0 is not used.": np.zeros(3),
        "Every step starts from c0.": np.full(3, 0.5),
        "It starts with c0: the first entry is the memory after the first step.": np.array(
            [1.0, 0.5, 0.25]
        ),
    },
)
rng = np.random.default_rng(3)
params = init_params(D=3, H=4, blocks=4, rng=rng)
x, h0, c0 = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
given = {"x": x, "h0": h0, "c0": c0, "params": params}
before = copies(given)
h, c, gates = lstm_forward(x, h0, c0, params)
check_unchanged(before, given, "lstm_forward: its argument")
check_shape(gates, (2, 5, 16), "lstm_forward: gates", axes="B T 4*H")
expected_h, expected_c = run_torch_lstm(x, h0, c0, params)
zeros, _ = run_torch_lstm(x, 0 * h0, c0, params)
check_close(h, expected_h, "lstm_forward: h", hints={"h0 is not used.": zeros}, axes="B T H")
check_close(c[:, -1], expected_c, "lstm_forward: the last memory", axes="B H")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(703)
for B, T, D, H in [(3, 7, 2, 5), (1, 1, 4, 3), (4, 12, 3, 2)]:
    params = init_params(D, H, 4, rng)
    x, h0, c0 = (rng.normal(size=s) for s in ((B, T, D), (B, H), (B, H)))
    given = {"x": x, "h0": h0, "c0": c0, "params": params}
    before = copies(given)
    got = lstm_forward(x, h0, c0, params)
    check_unchanged(before, given, "lstm_forward: its argument")
    assert isinstance(got, tuple) and len(got) == 3, "lstm_forward: return h, c and the gates."
    check_shape(got[1], (B, T, H), "lstm_forward: c", axes="B T H")
    check_shape(got[2], (B, T, 4 * H), "lstm_forward: gates", axes="B T 4*H")
    hints = {
        "h0 is not used.": run_torch_lstm(x, 0 * h0, c0, params)[0],
        "c0 is not used.": run_torch_lstm(x, h0, 0 * c0, params)[0],
    }
    expected = run_torch_lstm(x, h0, c0, params)[0]
    check_close(got[0], expected, "lstm_forward: h", 1e-9, 1e-12, hints, axes="B T H")
    for t in range(T):
        _, c_t = run_torch_lstm(x[:, : t + 1], h0, c0, params)
        check_close(got[1][:, t], c_t, "lstm_forward: the memory after a step", 1e-9, 1e-12)
    i, f, new, o = np.split(got[2], 4, axis=2)
    past = np.concatenate([c0[:, None], got[1][:, :-1]], axis=1)
    label = "lstm_forward: the memories made again from the returned gates"
    check_close(f * past + i * new, got[1], label, 1e-9, 1e-12)
    check_close(o * np.tanh(got[1]), got[0], "lstm_forward: h made again from the gates", 1e-9)
    changed = x.copy()
    changed[:, -1] += 1.0
    earlier, _, _ = lstm_forward(changed, h0, c0, params)
    label = "lstm_forward: the states before a changed input"
    check_close(earlier[:, :-1], got[0][:, :-1], label, 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · Back through one step
#
# *Hard, 40 minutes, about 15 lines, 16 points.*
#
# Two things come back from later: $\partial \mathcal{L}/\partial h$ and $\partial \mathcal{L}/\partial c$.
# The second is only what arrives from the *next memory*; the memory also acts through $h = o \odot \tanh(c)$, so first add both up:
#
# $$\delta = \frac{\partial \mathcal{L}}{\partial c} + \frac{\partial \mathcal{L}}{\partial h} \odot o \odot (1 - \tanh^2 c) \tag{7.6}$$
#
# Then every factor of eq. 7.4 gets the other factor:
#
# $$\frac{\partial \mathcal{L}}{\partial i} = \delta \odot \tilde c, \qquad \frac{\partial \mathcal{L}}{\partial f} = \delta \odot c_{\text{prev}}, \qquad \frac{\partial \mathcal{L}}{\partial \tilde c} = \delta \odot i, \qquad \frac{\partial \mathcal{L}}{\partial o} = \frac{\partial \mathcal{L}}{\partial h} \odot \tanh(c), \qquad \frac{\partial \mathcal{L}}{\partial c_{\text{prev}}} = \delta \odot f \tag{7.7}$$
#
# Through the squashing, in terms of its output: $q(1 - q)$ for the three sigmoids, $1 - \tilde c^2$ for the tanh.
# Put the four results side by side in the order of the blocks, and call them $\partial \mathcal{L}/\partial a$, (B, 4H).
# What is left looks as in chapter 5:
#
# $$\frac{\partial \mathcal{L}}{\partial x} = \frac{\partial \mathcal{L}}{\partial a} W_x^\top, \quad \frac{\partial \mathcal{L}}{\partial h_{\text{prev}}} = \frac{\partial \mathcal{L}}{\partial a} W_h^\top, \quad \frac{\partial \mathcal{L}}{\partial W_x} = x^\top \frac{\partial \mathcal{L}}{\partial a}, \quad \frac{\partial \mathcal{L}}{\partial W_h} = h_{\text{prev}}^\top \frac{\partial \mathcal{L}}{\partial a}, \quad \frac{\partial \mathcal{L}}{\partial b} = \sum_{j=1}^{B} \frac{\partial \mathcal{L}}{\partial a^{(j)}} \tag{7.8}$$
#
# *Worked number.* All sums zero and $c_{\text{prev}} = 1$, as in part 2, with $\partial \mathcal{L}/\partial h = 0$ and $\partial \mathcal{L}/\partial c = 1$: $\delta = 1$, so $\partial \mathcal{L}/\partial c_{\text{prev}} = f = ½$ and
# $\partial \mathcal{L}/\partial a = (0 \cdot ¼,\; 1 \cdot ¼,\; ½ \cdot 1,\; 0) = (0, ¼, ½, 0)$.

# %% tags=["exercise", "id:lstm-step-backward"]
def lstm_step_backward(
    d_h: Float[Array, "B H"],
    d_c: Float[Array, "B H"],
    x: Float[Array, "B D"],
    h_prev: Float[Array, "B H"],
    c_prev: Float[Array, "B H"],
    c: Float[Array, "B H"],
    gates: Float[Array, "B 4*H"],
    params: Params,
) -> tuple[Float[Array, "B D"], Float[Array, "B H"], Float[Array, "B H"], Params]:
    """Return ``d_x``, ``d_h_prev``, ``d_c_prev`` and a dict with the gradients of W_x, W_h, b.

    Source: eqs. 7.6 to 7.8. ``c`` and ``gates`` are what ``lstm_step`` returned; ``d_c`` is what
    comes from the next memory alone. Parameter gradients are summed over the batch.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    i, f, new, o = np.split(gates, 4, axis=1)
    shown = np.tanh(c)
    d_memory = d_c + d_h * o * (1 - shown**2)
    d_a = np.concatenate(
        [
            d_memory * new * i * (1 - i),
            d_memory * c_prev * f * (1 - f),
            d_memory * i * (1 - new**2),
            d_h * shown * o * (1 - o),
        ],
        axis=1,
    )
    grads = {"W_x": x.T @ d_a, "W_h": h_prev.T @ d_a, "b": d_a.sum(axis=0)}
    return d_a @ params["W_x"].T, d_a @ params["W_h"].T, d_memory * f, grads
    ### END SOLUTION


# %% tags=["test", "id:lstm-step-backward-test", "points:16"]
nothing = {"W_x": np.zeros((2, 4)), "W_h": np.zeros((1, 4)), "b": np.zeros(4)}
zero, one = np.zeros((1, 1)), np.ones((1, 1))
gates = np.array([[0.5, 0.5, 0.0, 0.5]])
_, _, d_c_prev, grads = lstm_step_backward(
    zero, one, np.zeros((1, 2)), zero, one, one / 2, gates, nothing
)
check_close(
    d_c_prev,
    one / 2,
    "lstm_step_backward: d_c_prev, the worked number",
    hints={"The old memory was multiplied by f: so is what goes back to it.": one},
)
check_close(
    grads["b"],
    np.array([0.0, 0.25, 0.5, 0.0]),
    "lstm_step_backward: grads['b'], the worked number",
    hints={
        "The slopes of the squashings are missing.": np.array([0.0, 1.0, 0.5, 0.0]),
        "The slope of the proposal is 1 - its square.": np.array([0.0, 0.25, 0.0, 0.0]),
        "The forget gate was multiplied by c_prev, not by c.": np.array([0.0, 0.125, 0.5, 0.0]),
    },
)

rng = np.random.default_rng(4)
params = init_params(D=2, H=3, blocks=4, rng=rng)
x, h_prev, c_prev = rng.normal(size=(4, 2)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
d_h, d_c = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
_, c, gates = lstm_step(x, h_prev, c_prev, params)
given = {"x": x, "h_prev": h_prev, "c_prev": c_prev, "c": c, "gates": gates, "d_h": d_h, "d_c": d_c}
before = copies(given)
d_x, d_h_prev, d_c_prev, grads = lstm_step_backward(
    d_h, d_c, x, h_prev, c_prev, c, gates, params
)
check_unchanged(before, given, "lstm_step_backward: its argument")


def step_loss(x=x, h_prev=h_prev, c_prev=c_prev, use_h=1.0, **changed):
    """A loss whose gradients at h and c are d_h and d_c."""
    h, c, _ = lstm_step(x, h_prev, c_prev, params | changed)
    return (use_h * d_h * h).sum() + (d_c * c).sum()


missing = "What h sends to the memory is missing, the second term of eq. 7.6."
name = "lstm_step_backward: "
check_gradient(d_x, lambda x: step_loss(x=x), x, name + "d_x", axes="B D")
check_gradient(d_h_prev, lambda h: step_loss(h_prev=h), h_prev, name + "d_h_prev", axes="B H")
check_gradient(
    d_c_prev,
    lambda c: step_loss(c_prev=c),
    c_prev,
    name + "d_c_prev",
    hints={missing: lambda c: step_loss(c_prev=c, use_h=0.0)},
    axes="B H",
)
for key in params:
    check_gradient(
        grads[key],
        lambda value, key=key: step_loss(**{key: value}),
        params[key],
        f"{name}grads[{key!r}]",
    )
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(704)
for B, D, H in [(3, 5, 4), (1, 2, 6), (6, 1, 3)]:
    params = init_params(D, H, 4, rng)
    x, h_prev, c_prev = (rng.normal(size=s) for s in ((B, D), (B, H), (B, H)))
    d_h, d_c = rng.normal(size=(B, H)), rng.normal(size=(B, H))
    leaves = {"x": x, "h_prev": h_prev, "c_prev": c_prev, **params}
    leaves = {key: torch.tensor(value, requires_grad=True) for key, value in leaves.items()}
    a = leaves["x"] @ leaves["W_x"] + leaves["h_prev"] @ leaves["W_h"] + leaves["b"]
    blocks = a.chunk(4, dim=1)
    i, f, o = (torch.sigmoid(blocks[n]) for n in (0, 1, 3))
    new = torch.tanh(blocks[2])
    c = f * leaves["c_prev"] + i * new
    h = o * torch.tanh(c)
    loss = (torch.tensor(d_h) * h).sum() + (torch.tensor(d_c) * c).sum()
    truth = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
    truth = {key: value.numpy() for key, value in truth.items()}
    gates = torch.cat([i, f, new, o], dim=1).detach().numpy()
    given = {"d_h": d_h, "d_c": d_c, "x": x, "h_prev": h_prev, "c_prev": c_prev}
    given |= {"c": c.detach().numpy(), "gates": gates, "params": params}
    before = copies(given)
    got = lstm_step_backward(**given)
    check_unchanged(before, given, "lstm_step_backward: its argument")
    parts = ("d_x", "d_h_prev", "d_c_prev", "grads")
    assert isinstance(got, tuple) and len(got) == 4, f"lstm_step_backward: return {parts}."
    i, f, new, o = np.split(gates, 4, axis=1)
    hints = {
        "What h sends to the memory is missing, the second term of eq. 7.6.": d_c * f,
        "d_c is not used.": truth["c_prev"] - d_c * f,
        "The slope of tanh(c) is missing in eq. 7.6.": (d_c + d_h * o) * f,
    }
    check_close(got[2], truth["c_prev"], "lstm_step_backward: d_c_prev", 1e-10, 1e-12, hints)
    check_close(got[0], truth["x"], "lstm_step_backward: d_x", 1e-10, 1e-12, axes="B D")
    check_close(got[1], truth["h_prev"], "lstm_step_backward: d_h_prev", 1e-10, 1e-12, axes="B H")
    expected = {key: truth[key] for key in ("W_x", "W_h", "b")}
    check_close(got[3], expected, "lstm_step_backward: grads", 1e-10, 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · Back through the sequence
#
# *Medium, 25 minutes, about 14 lines, 12 points.*
#
# Walk from the last step to the first and carry two errors along.
# Nothing comes back from after the last step; at step $t$ the state receives its own loss's share and what step $t+1$ returned as `d_h_prev`, the memory what step $t+1$ returned as `d_c_prev`.
# The parameters are used at every step, so their gradients add up.
#
# $$\frac{\partial \mathcal{L}}{\partial h_t} = d_{h,t} + \underbrace{\frac{\partial \mathcal{L}}{\partial a_{t+1}} W_h^\top}_{\texttt{d\_h\_prev} \text{ of step } t+1}, \qquad \frac{\partial \mathcal{L}}{\partial c_t}\Big|_{\text{from } c_{t+1}} = \underbrace{\delta_{t+1} \odot f_{t+1}}_{\texttt{d\_c\_prev} \text{ of step } t+1}, \qquad \frac{\partial \mathcal{L}}{\partial W} = \sum_t \Bigl[\frac{\partial \mathcal{L}}{\partial W}\Bigr]_{\text{step } t} \tag{7.9}$$
#
# *Shapes.* `d_h`, `h`, `c` (B, T, H); `x` (B, T, D); `gates` (B, T, 4H). Results `d_x` (B, T, D), `d_h0` and `d_c0` (B, H) and the dict of gradients.
#
# *Worked number.* Let the sums be zero as before, so that $f = ½$ always, and let only the last state have a loss, $d_h = (0, 0, 1)$, with $c_0 = 1$, so that $c_3 = ⅛$.
# The memory gets $δ_3 = ½ (1 - \tanh^2 ⅛) = 0.4923$, and three forget gates later $\partial \mathcal{L}/\partial c_0 = 0.4923 / 8 = 0.0615$.

# %% tags=["exercise", "id:lstm-backward"]
def lstm_backward(
    d_h: Float[Array, "B T H"],
    x: Float[Array, "B T D"],
    h0: Float[Array, "B H"],
    c0: Float[Array, "B H"],
    h: Float[Array, "B T H"],
    c: Float[Array, "B T H"],
    gates: Float[Array, "B T 4*H"],
    params: Params,
) -> tuple[Float[Array, "B T D"], Float[Array, "B H"], Float[Array, "B H"], Params]:
    """Return ``d_x``, ``d_h0``, ``d_c0`` and a dict with the gradients of W_x, W_h, b.

    Source: eq. 7.9. ``d_h[:, t]`` holds only what the loss at step t sends to ``h[:, t]``; ``h``,
    ``c`` and ``gates`` are what ``lstm_forward`` returned. Parameter gradients are summed over
    batch and steps. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    d_x = np.zeros_like(x)
    d_h_next, d_c_next = np.zeros_like(h0), np.zeros_like(c0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_x", "W_h", "b")}
    for t in reversed(range(x.shape[1])):
        h_prev = h[:, t - 1] if t > 0 else h0
        c_prev = c[:, t - 1] if t > 0 else c0
        d_x[:, t], d_h_next, d_c_next, step = lstm_step_backward(
            d_h[:, t] + d_h_next, d_c_next, x[:, t], h_prev, c_prev, c[:, t], gates[:, t], params
        )
        for key in grads:
            grads[key] += step[key]
    return d_x, d_h_next, d_c_next, grads
    ### END SOLUTION


# %% tags=["test", "id:lstm-backward-test", "points:12"]
nothing = {"W_x": np.zeros((2, 4)), "W_h": np.zeros((1, 4)), "b": np.zeros(4)}
x, h0, c0 = np.zeros((1, 3, 2)), np.zeros((1, 1)), np.ones((1, 1))
h, c, gates = lstm_forward(x, h0, c0, nothing)
d_h = np.array([[[0.0], [0.0], [1.0]]])
_, _, d_c0, _ = lstm_backward(d_h, x, h0, c0, h, c, gates, nothing)
delta = 0.5 * (1 - np.tanh(0.125) ** 2)
check_close(
    d_c0,
    np.array([[delta / 8]]),
    "lstm_backward: d_c0, the worked number",
    hints={
        "Nothing came back along the memory.": np.array([[0.0]]),
        "Returned one step too early: c0 is multiplied by f once more.": np.array([[delta / 4]]),
    },
)

rng = np.random.default_rng(5)
params = init_params(D=2, H=3, blocks=4, rng=rng)
x, h0, c0 = rng.normal(size=(4, 5, 2)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
d_h = rng.normal(size=(4, 5, 3))
h, c, gates = lstm_forward(x, h0, c0, params)
given = {"d_h": d_h, "x": x, "h0": h0, "c0": c0, "h": h, "c": c, "gates": gates, "params": params}
before = copies(given)
d_x, d_h0, d_c0, grads = lstm_backward(d_h, x, h0, c0, h, c, gates, params)
check_unchanged(before, given, "lstm_backward: its argument")


def sequence_loss(x=x, h0=h0, c0=c0, **changed):
    """A loss that sends d_h[:, t] to h[:, t]."""
    return (d_h * lstm_forward(x, h0, c0, params | changed)[0]).sum()


def memory_cut(x=x, h0=h0, **changed):
    """The same loss when every step takes the memory before it for a constant."""
    state, total = h0, 0.0
    for t in range(x.shape[1]):
        past = c[:, t - 1] if t > 0 else c0
        state, _, _ = lstm_step(x[:, t], state, past, params | changed)
        total += (d_h[:, t] * state).sum()
    return total


cut = "Nothing comes back along the memory: pass d_c_prev on to the step before."
name = "lstm_backward: "
hints = {cut: lambda b: memory_cut(b=b)}
bias = params["b"]
check_gradient(grads["b"], lambda b: sequence_loss(b=b), bias, name + "grads['b']", hints=hints)
check_gradient(d_x, lambda x: sequence_loss(x=x), x, name + "d_x", axes="B T D")
check_gradient(d_h0, lambda h0: sequence_loss(h0=h0), h0, name + "d_h0", axes="B H")
check_gradient(d_c0, lambda c0: sequence_loss(c0=c0), c0, name + "d_c0", axes="B H")
for key in ("W_x", "W_h"):
    check_gradient(
        grads[key],
        lambda value, key=key: sequence_loss(**{key: value}),
        params[key],
        f"{name}grads[{key!r}]",
    )
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(705)
for B, T, D, H in [(3, 6, 2, 5), (2, 1, 4, 3), (1, 15, 5, 2)]:
    params = init_params(D, H, 4, rng)
    x, h0, c0 = (rng.normal(size=s) for s in ((B, T, D), (B, H), (B, H)))
    d_h = rng.normal(size=(B, T, H))
    layer = torch_lstm(params)
    x_leaf, h_leaf, c_leaf = (torch.tensor(v, requires_grad=True) for v in (x, h0, c0))
    states, _ = layer(x_leaf, (h_leaf[None], c_leaf[None]))
    (torch.tensor(d_h) * states).sum().backward()
    # PyTorch keeps no memories, so make them and the gates here
    h, c, gates, past_h, past_c = [], [], [], torch.tensor(h0), torch.tensor(c0)
    with torch.no_grad():
        for t in range(T):
            a = torch.tensor(x[:, t] @ params["W_x"] + params["b"])
            blocks = (a + past_h @ torch.tensor(params["W_h"])).chunk(4, dim=1)
            i, f, o = (torch.sigmoid(blocks[n]) for n in (0, 1, 3))
            new = torch.tanh(blocks[2])
            past_c = f * past_c + i * new
            past_h = o * torch.tanh(past_c)
            h.append(past_h)
            c.append(past_c)
            gates.append(torch.cat([i, f, new, o], dim=1))
    h, c, gates = (torch.stack(v, dim=1).numpy() for v in (h, c, gates))
    given = {"d_h": d_h, "x": x, "h0": h0, "c0": c0, "h": h, "c": c, "gates": gates}
    given["params"] = params
    before = copies(given)
    got = lstm_backward(**given)
    check_unchanged(before, given, "lstm_backward: its argument")
    assert isinstance(got, tuple) and len(got) == 4, "lstm_backward: return d_x, d_h0, d_c0, grads."
    label = f"lstm_backward, {T} step{'s' * (T > 1)}: "
    expected = {"W_x": layer.weight_ih_l0.grad.T, "W_h": layer.weight_hh_l0.grad.T}
    expected = {key: value.numpy().copy() for key, value in expected.items()}
    expected["b"] = layer.bias_ih_l0.grad.numpy()
    check_close(got[0], x_leaf.grad.numpy(), label + "d_x", 1e-10, 1e-12, axes="B T D")
    check_close(got[1], h_leaf.grad.numpy(), label + "d_h0", 1e-10, 1e-12, axes="B H")
    check_close(got[2], c_leaf.grad.numpy(), label + "d_c0", 1e-10, 1e-12, axes="B H")
    check_close(got[3], expected, label + "grads", 1e-10, 1e-12)
late = np.zeros_like(d_h)
late[:, 9] = d_h[:, 9]
d_x = lstm_backward(late, x, h0, c0, h, c, gates, params)[0]
assert not d_x[:, 10:].any(), "lstm_backward: a loss at step t must not reach inputs after step t."
assert d_x[:, :10].all(), "lstm_backward: a loss at step t must reach every input up to step t."
### END HIDDEN TESTS


# %% [markdown]
# ### Let it learn
#
# Your LSTM learns to add: twenty numbers, two of them marked, and the answer is the sum of the marked ones (chapter 7; Hochreiter and Schmidhuber, 1997).
# Always answering 1 has a mean squared error of 1/6.
# The biases are set for the length of the task, $b_f = \log(\tau - 1)$ and $b_i = -b_f$; try what happens with zeros.

# %%
rng, T, H = np.random.default_rng(0), 20, 16
params = init_params(D=2, H=H, blocks=4, rng=rng)
params["b"][:] = 0.0
params["b"][H : 2 * H] = np.log(rng.uniform(1, T - 1, size=H))
params["b"][:H] = -params["b"][H : 2 * H]
weights = params | {"W_y": rng.normal(size=(H, 1)) / np.sqrt(H), "b_y": np.zeros(1)}
first = {key: np.zeros_like(value) for key, value in weights.items()}
second = copies(first)
recent = []
for update in range(1, 401):
    numbers, marks = rng.uniform(size=(32, T)), np.zeros((32, T))
    marks[np.arange(32), rng.integers(T // 2, size=32)] = 1
    marks[np.arange(32), rng.integers(T // 2, T, size=32)] = 1
    x, target = np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1, keepdims=True)
    zero = np.zeros((32, H))
    h, c, gates = lstm_forward(x, zero, zero, weights)
    error = h[:, -1] @ weights["W_y"] + weights["b_y"] - target
    d_y, d_h = 2 * error / 32, np.zeros_like(h)
    d_h[:, -1] = d_y @ weights["W_y"].T
    grads = lstm_backward(d_h, x, zero, zero, h, c, gates, weights)[3]
    grads |= {"W_y": h[:, -1].T @ d_y, "b_y": d_y.sum(axis=0)}
    for key, g in grads.items():  # Adam
        first[key] += 0.1 * (g - first[key])
        second[key] += 0.01 * (g**2 - second[key])
        scale = np.sqrt(second[key] / (1 - 0.99**update)) + 1e-8
        weights[key] = weights[key] - 0.02 * first[key] / (1 - 0.9**update) / scale
    recent.append((error**2).mean())
    if update % 50 == 0:
        print(f"update {update:3d}: mean squared error {np.mean(recent[-50:]):.4f}")

# %% [markdown]
# ## 6 · One step of a GRU, in four conventions
#
# *Medium, 20 minutes, about 14 lines, 10 points.*
#
# With $[\,a^z, a^r, a^n\,] = x W_x + b_x$ and the three blocks $W_{hz}, W_{hr}, W_{hn}$ of `W_h`, and likewise of `b_h`,
#
# $$z = \sigma(a^z + h_{\text{prev}} W_{hz} + b_{hz}), \qquad r = \sigma(a^r + h_{\text{prev}} W_{hr} + b_{hr}) \tag{7.10}$$
#
# $$n = \begin{cases} \tanh\bigl(a^n + (r \odot h_{\text{prev}}) W_{hn} + b_{hn}\bigr) & \texttt{reset="before"} \text{ the matrix: Cho et al. (2014), most lectures}\\[2pt] \tanh\bigl(a^n + r \odot (h_{\text{prev}} W_{hn} + b_{hn})\bigr) & \texttt{reset="after"} \text{ the matrix: PyTorch, Socher's slides} \end{cases} \tag{7.11}$$
#
# $$h = \begin{cases} (1 - z) \odot h_{\text{prev}} + z \odot n & \texttt{z\_is="new"}\text{: Chung et al. (2014), most lectures}\\[2pt] z \odot h_{\text{prev}} + (1 - z) \odot n & \texttt{z\_is="kept"}\text{: Cho et al. (2014), PyTorch} \end{cases} \tag{7.12}$$
#
# Return the gates too: one array (B, 3H) with $z, r, n$ side by side, after their squashing.
# Any other word for `reset` or `z_is` raises `ValueError`; a spelling mistake must not choose a convention.
#
# *Worked number.* All sums zero except $b_{hn} = 1$, and $h_{\text{prev}} = 1$: $z = r = ½$.
# Before: $n = \tanh 1 = 0.7616$. After: $n = \tanh(½ \cdot 1) = 0.4621$.
# As $z = ½$, both readings of $z$ give the mean of $n$ and 1.

# %% tags=["exercise", "id:gru-step"]
def gru_step(
    x: Float[Array, "B D"], h_prev: Float[Array, "B H"], params: Params, reset: str, z_is: str
) -> tuple[Float[Array, "B H"], Float[Array, "B 3*H"]]:
    """Return the next state of a GRU, and the gates z, r, n side by side.

    Source: Cho et al. (2014); eqs. 7.10 to 7.12. The gates are given after their sigmoid or
    tanh. Inputs are not modified.

    Raises:
        ValueError: ``reset`` is not "before" or "after", or ``z_is`` not "new" or "kept".
    """
    ### BEGIN SOLUTION
    if reset not in ("before", "after") or z_is not in ("new", "kept"):
        raise ValueError(f"gru_step: unknown convention reset={reset!r}, z_is={z_is!r}")
    H = h_prev.shape[1]
    W_h, b_h = params["W_h"], params["b_h"]
    a = x @ params["W_x"] + params["b_x"]
    zr = sigmoid(a[:, : 2 * H] + h_prev @ W_h[:, : 2 * H] + b_h[: 2 * H])
    z, r = zr[:, :H], zr[:, H:]
    if reset == "before":
        recalled = (r * h_prev) @ W_h[:, 2 * H :] + b_h[2 * H :]
    else:
        recalled = r * (h_prev @ W_h[:, 2 * H :] + b_h[2 * H :])
    n = np.tanh(a[:, 2 * H :] + recalled)
    share = z if z_is == "new" else 1 - z
    return (1 - share) * h_prev + share * n, np.concatenate([z, r, n], axis=1)
    ### END SOLUTION


# %% tags=["test", "id:gru-step-test", "points:10"]
params = {"W_x": np.zeros((2, 3)), "W_h": np.zeros((1, 3)), "b_x": np.zeros(3)}
params["b_h"] = np.array([0.0, 0.0, 1.0])
inside, outside = np.tanh(0.5), np.tanh(1.0)
for reset, n in [("before", outside), ("after", inside)]:
    hint = "b_h of the proposal is on the wrong side of the reset gate: compare both lines of 7.11."
    for z_is in ("new", "kept"):
        h, gates = gru_step(np.zeros((1, 2)), np.ones((1, 1)), params, reset, z_is)
        label = f"gru_step, reset {reset}, z {z_is}, the worked number: "
        wrong = np.array([[0.5, 0.5, inside + outside - n]])
        check_close(gates, np.array([[0.5, 0.5, n]]), label + "gates", hints={hint: wrong})
        check_close(h, np.array([[(1 + n) / 2]]), label + "h")

rng = np.random.default_rng(6)
params = init_gru(D=3, H=4, rng=rng)
x, h_prev = rng.normal(size=(2, 3)), rng.normal(size=(2, 4))
given = {"x": x, "h_prev": h_prev, "params": params}
before = copies(given)
for reset in ("before", "after"):
    h, gates = gru_step(x, h_prev, params, reset, "new")
    check_unchanged(before, given, "gru_step: its argument")
    check_shape(gates, (2, 12), "gru_step: gates", axes="B 3*H")
    z, r, n = np.split(gates, 3, axis=1)
    hint = {"z is the share that is new here, not the share that is kept.": z * h_prev + (1 - z) * n}
    label = f"gru_step, reset {reset}: "
    check_close(h, (1 - z) * h_prev + z * n, label + "h made again from the gates, z new", hints=hint)
    h, gates = gru_step(x, h_prev, params, reset, "kept")
    z, r, n = np.split(gates, 3, axis=1)
    hint = {"z is the share that is kept here.": (1 - z) * h_prev + z * n}
    check_close(h, z * h_prev + (1 - z) * n, label + "h made again from the gates, z kept", hints=hint)
    linear = x @ params["W_x"] + params["b_x"]
    sums = linear + h_prev @ params["W_h"] + params["b_h"]
    check_close(z, sigmoid(sums[:, :4]), label + "z", axes="B H")
    check_close(r, sigmoid(sums[:, 4:8]), label + "r", axes="B H")
kept = {key: value.copy() for key, value in params.items()}
kept["b_x"][:4] = 60.0
h, _ = gru_step(x, h_prev, kept, "before", "kept")
check_close(h, h_prev, "gru_step: h when z is 1 and z is the share that is kept", axes="B H")
check_raises(ValueError, gru_step, x, h_prev, params, "befor", "new", when="reset is misspelt")
check_raises(ValueError, gru_step, x, h_prev, params, "after", "keep", when="z_is is misspelt")
### BEGIN HIDDEN TESTS
def gru_oracle(x, h, p, reset, z_is):
    """One step in torch, on tensors; returns the state and the gates."""
    H = h.shape[1]
    part = [slice(0, H), slice(H, 2 * H), slice(2 * H, 3 * H)]
    a = [x @ p["W_x"][:, s] + p["b_x"][s] for s in part]
    z = torch.sigmoid(a[0] + h @ p["W_h"][:, part[0]] + p["b_h"][part[0]])
    r = torch.sigmoid(a[1] + h @ p["W_h"][:, part[1]] + p["b_h"][part[1]])
    if reset == "before":
        n = torch.tanh(a[2] + (r * h) @ p["W_h"][:, part[2]] + p["b_h"][part[2]])
    else:
        n = torch.tanh(a[2] + r * (h @ p["W_h"][:, part[2]] + p["b_h"][part[2]]))
    new = z * n + (1 - z) * h if z_is == "new" else z * h + (1 - z) * n
    return new, torch.cat([z, r, n], dim=1)


def gru_answer(x, h, params, reset, z_is):
    p = {key: torch.tensor(value) for key, value in params.items()}
    return tuple(v.numpy() for v in gru_oracle(torch.tensor(x), torch.tensor(h), p, reset, z_is))


rng = np.random.default_rng(706)
for B, D, H in [(3, 5, 4), (1, 2, 6), (5, 1, 2)]:
    params = init_gru(D, H, rng)
    x, h_prev = rng.normal(size=(B, D)), rng.normal(size=(B, H))
    given = {"x": x, "h_prev": h_prev, "params": params}
    before = copies(given)
    for reset in ("before", "after"):
        for z_is in ("new", "kept"):
            got = gru_step(x, h_prev, params, reset, z_is)
            check_unchanged(before, given, "gru_step: its argument")
            assert isinstance(got, tuple) and len(got) == 2, "gru_step: return h and the gates."
            expected = gru_answer(x, h_prev, params, reset, z_is)
            other = {"before": "after", "after": "before"}[reset]
            turned = {"new": "kept", "kept": "new"}[z_is]
            swapped = reordered(params, "rzn", "zrn")
            text = "The blocks stand in the order z, r, n."
            hints = {
                "The reset gate acts in the other place, eq. 7.11.": (other, z_is, params),
                "z is read the other way round, eq. 7.12.": (reset, turned, params),
                text: (reset, z_is, swapped),
            }
            hints = {t: gru_answer(x, h_prev, p, a, b)[0] for t, (a, b, p) in hints.items()}
            label = f"gru_step, reset {reset}, z {z_is}: "
            check_close(got[0], expected[0], label + "h", 1e-9, 1e-12, hints, axes="B H")
            check_close(got[1], expected[1], label + "gates", 1e-9, 1e-12, axes="B 3*H")
### END HIDDEN TESTS


# %% [markdown]
# ## 7 · A sequence of GRU steps
#
# *Easy, 10 minutes, about 7 lines, 4 points.*
#
# As part 3, with one state instead of two:
#
# $$(h_t, \text{gates}_t) = \text{step}(x_t, h_{t-1}), \qquad t = 1, \dots, T \tag{7.13}$$
#
# *Shapes.* `x` (B, T, D), `h0` (B, H); results `h` (B, T, H) and `gates` (B, T, 3H).
#
# *Worked number.* All sums zero and $h_0 = 1$: $z = ½$ and $n = 0$, so the state halves at every step.

# %% tags=["exercise", "id:gru-forward"]
def gru_forward(
    x: Float[Array, "B T D"], h0: Float[Array, "B H"], params: Params, reset: str, z_is: str
) -> tuple[Float[Array, "B T H"], Float[Array, "B T 3*H"]]:
    """Return the states and the gates of a GRU after every step.

    Source: eq. 7.13. Inputs are not modified.

    Raises:
        ValueError: an unknown convention, as ``gru_step``.
    """
    ### BEGIN SOLUTION
    h_t, steps = h0, []
    for t in range(x.shape[1]):
        h_t, gates = gru_step(x[:, t], h_t, params, reset, z_is)
        steps.append((h_t, gates))
    h, gates = (np.stack(parts, axis=1) for parts in zip(*steps, strict=True))
    return h, gates
    ### END SOLUTION


# %% tags=["test", "id:gru-forward-test", "points:4"]
nothing = {"W_x": np.zeros((2, 3)), "W_h": np.zeros((1, 3)), "b_x": np.zeros(3), "b_h": np.zeros(3)}
h, gates = gru_forward(np.zeros((1, 3, 2)), np.ones((1, 1)), nothing, "before", "new")
check_close(
    h[0, :, 0],
    np.array([0.5, 0.25, 0.125]),
    "gru_forward: h, the worked number",
    hints={"h0 is not used.": np.zeros(3), "Every step starts from h0.": np.full(3, 0.5)},
)
rng = np.random.default_rng(7)
params, x, h0 = init_gru(3, 4, rng), rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 4))
given = {"x": x, "h0": h0, "params": params}
before = copies(given)
for reset in ("before", "after"):
    for z_is in ("new", "kept"):
        h, gates = gru_forward(x, h0, params, reset, z_is)
        check_unchanged(before, given, "gru_forward: its argument")
        check_shape(h, (2, 5, 4), "gru_forward: h", axes="B T H")
        check_shape(gates, (2, 5, 12), "gru_forward: gates", axes="B T 3*H")
        label = f"gru_forward, reset {reset}, z {z_is}: the last state, from the one before"
        last, _ = gru_step(x[:, 4], h[:, 3], params, reset, z_is)
        check_close(h[:, 4], last, label, axes="B H")
### BEGIN HIDDEN TESTS
def gru_layer(params):
    """PyTorch's GRU with these weights: reset after the matrix, z kept, blocks r, z, n."""
    moved = reordered(params, "rzn", "zrn")
    layer = torch.nn.GRU(len(params["W_x"]), len(params["W_h"]), batch_first=True).double()
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor(moved["W_x"].T.copy()))
        layer.weight_hh_l0.copy_(torch.tensor(moved["W_h"].T.copy()))
        layer.bias_ih_l0.copy_(torch.tensor(moved["b_x"]))
        layer.bias_hh_l0.copy_(torch.tensor(moved["b_h"]))
    return layer


rng = np.random.default_rng(707)
for B, T, D, H in [(3, 7, 2, 5), (1, 1, 4, 3), (4, 12, 3, 2)]:
    params, x, h0 = init_gru(D, H, rng), rng.normal(size=(B, T, D)), rng.normal(size=(B, H))
    with torch.no_grad():
        expected = gru_layer(params)(torch.tensor(x), torch.tensor(h0)[None])[0].numpy()
    got = gru_forward(x, h0, params, "after", "kept")
    assert isinstance(got, tuple) and len(got) == 2, "gru_forward: return h and the gates."
    check_close(got[0], expected, "gru_forward, reset after, z kept: h", 1e-9, 1e-12, axes="B T H")
    for reset, z_is in [("before", "new"), ("before", "kept"), ("after", "new")]:
        h, gates = gru_forward(x, h0, params, reset, z_is)
        past = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
        for t in range(T):
            h_t, gates_t = gru_step(x[:, t], past[:, t], params, reset, z_is)
            label = f"gru_forward, reset {reset}, z {z_is}: "
            check_close(h[:, t], h_t, label + "a step", 1e-9, 1e-12)
            check_close(gates[:, t], gates_t, label + "the gates of a step", 1e-9, 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ## 8 · Back through one GRU step
#
# *Hard, 40 minutes, about 22 lines, 14 points.*
#
# Let $s$ be the share that is new: $s = z$ or $s = 1 - z$. From eq. 7.12,
#
# $$\frac{\partial \mathcal{L}}{\partial s} = \frac{\partial \mathcal{L}}{\partial h} \odot (n - h_{\text{prev}}), \qquad \frac{\partial \mathcal{L}}{\partial z} = \pm \frac{\partial \mathcal{L}}{\partial s}, \qquad \frac{\partial \mathcal{L}}{\partial a^n} = \frac{\partial \mathcal{L}}{\partial h} \odot s \odot (1 - n^2) \tag{7.14}$$
#
# From eq. 7.11 the proposal's error reaches the reset gate, the state and the weights, in two ways:
#
# $$\begin{aligned} \text{before:}\quad u &= \frac{\partial \mathcal{L}}{\partial a^n} W_{hn}^\top, & \frac{\partial \mathcal{L}}{\partial r} &= u \odot h_{\text{prev}}, & \frac{\partial \mathcal{L}}{\partial W_{hn}} &= (r \odot h_{\text{prev}})^\top \frac{\partial \mathcal{L}}{\partial a^n}, & \text{to } h_{\text{prev}}:&\; u \odot r \\ \text{after:}\quad v &= \frac{\partial \mathcal{L}}{\partial a^n} \odot r, & \frac{\partial \mathcal{L}}{\partial r} &= \frac{\partial \mathcal{L}}{\partial a^n} \odot (h_{\text{prev}} W_{hn} + b_{hn}), & \frac{\partial \mathcal{L}}{\partial W_{hn}} &= h_{\text{prev}}^\top v, & \text{to } h_{\text{prev}}:&\; v\, W_{hn}^\top \end{aligned} \tag{7.15}$$
#
# The gradient of $b_{hn}$ is the sum over the batch of $\partial \mathcal{L}/\partial a^n$ (before) or of $v$ (after).
# The two gates are sigmoids, and their weights are as ever. The old state collects four shares:
#
# $$\frac{\partial \mathcal{L}}{\partial h_{\text{prev}}} = \frac{\partial \mathcal{L}}{\partial h} \odot (1 - s) + [\text{to } h_{\text{prev}}] + \frac{\partial \mathcal{L}}{\partial a^z} W_{hz}^\top + \frac{\partial \mathcal{L}}{\partial a^r} W_{hr}^\top \tag{7.16}$$
#
# *Shapes.* `d_h`, `h_prev` (B, H); `x` (B, D); `gates` (B, 3H). Results `d_x`, `d_h_prev` and a dict with the gradients of `W_x`, `W_h`, `b_x`, `b_h`.
#
# *Worked number.* All sums zero, $h_{\text{prev}} = 1$, $\partial \mathcal{L}/\partial h = 1$, `z_is="new"`: $z = r = ½$, $n = 0$.
# Then $\partial \mathcal{L}/\partial z = 0 - 1 = -1$, so $\partial \mathcal{L}/\partial a^z = -¼$, and $\partial \mathcal{L}/\partial a^n = ½$; the weights are zero, so only the first share of eq. 7.16 is left, ½.
# With `z_is="kept"`, $\partial \mathcal{L}/\partial a^z = +¼$.

# %% tags=["exercise", "id:gru-step-backward"]
def gru_step_backward(
    d_h: Float[Array, "B H"],
    x: Float[Array, "B D"],
    h_prev: Float[Array, "B H"],
    gates: Float[Array, "B 3*H"],
    params: Params,
    reset: str,
    z_is: str,
) -> tuple[Float[Array, "B D"], Float[Array, "B H"], Params]:
    """Return ``d_x``, ``d_h_prev`` and a dict with the gradients of W_x, W_h, b_x, b_h.

    Source: eqs. 7.14 to 7.16. ``gates`` is what ``gru_step`` returned in the same convention.
    Parameter gradients are summed over the batch. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    H = h_prev.shape[1]
    W_n, b_n = params["W_h"][:, 2 * H :], params["b_h"][2 * H :]
    z, r, n = np.split(gates, 3, axis=1)
    share = z if z_is == "new" else 1 - z
    d_share = d_h * (n - h_prev)
    d_z = d_share if z_is == "new" else -d_share
    d_a_n = d_h * share * (1 - n**2)
    if reset == "before":
        u = d_a_n @ W_n.T
        d_r, to_h, d_W_n, d_b_n = u * h_prev, u * r, (r * h_prev).T @ d_a_n, d_a_n
    else:
        v = d_a_n * r
        d_r, to_h = d_a_n * (h_prev @ W_n + b_n), v @ W_n.T
        d_W_n, d_b_n = h_prev.T @ v, v
    d_zr = np.concatenate([d_z * z * (1 - z), d_r * r * (1 - r)], axis=1)
    d_a = np.concatenate([d_zr, d_a_n], axis=1)
    d_h_prev = d_h * (1 - share) + to_h + d_zr @ params["W_h"][:, : 2 * H].T
    grads = {
        "W_x": x.T @ d_a,
        "W_h": np.concatenate([h_prev.T @ d_zr, d_W_n], axis=1),
        "b_x": d_a.sum(axis=0),
        "b_h": np.concatenate([d_zr, d_b_n], axis=1).sum(axis=0),
    }
    return d_a @ params["W_x"].T, d_h_prev, grads
    ### END SOLUTION


# %% tags=["test", "id:gru-step-backward-test", "points:14"]
nothing = {"W_x": np.zeros((2, 3)), "W_h": np.zeros((1, 3)), "b_x": np.zeros(3), "b_h": np.zeros(3)}
one, gates = np.ones((1, 1)), np.array([[0.5, 0.5, 0.0]])
for z_is, sign in [("new", -1.0), ("kept", 1.0)]:
    label = f"gru_step_backward, reset before, z {z_is}, the worked number: "
    _, d_h_prev, grads = gru_step_backward(
        one, np.zeros((1, 2)), one, gates, nothing, "before", z_is
    )
    check_close(d_h_prev, one / 2, label + "d_h_prev")
    check_close(
        grads["b_x"],
        np.array([sign / 4, 0.0, 0.5]),
        label + "grads['b_x']",
        hints={
            "The sign of the update gate's gradient: which share is z here?": np.array(
                [-sign / 4, 0.0, 0.5]
            ),
            "The slope of the sigmoid is missing.": np.array([sign, 0.0, 0.5]),
        },
    )

rng = np.random.default_rng(8)
params = init_gru(D=2, H=3, rng=rng)
x, h_prev, d_h = rng.normal(size=(4, 2)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
for reset in ("before", "after"):
    for z_is in ("new", "kept"):
        _, gates = gru_step(x, h_prev, params, reset, z_is)
        given = {"d_h": d_h, "x": x, "h_prev": h_prev, "gates": gates, "params": params}
        before = copies(given)
        d_x, d_h_prev, grads = gru_step_backward(d_h, x, h_prev, gates, params, reset, z_is)
        check_unchanged(before, given, "gru_step_backward: its argument")

        def loss(x=x, h_prev=h_prev, reset=reset, z_is=z_is, **changed):
            return (d_h * gru_step(x, h_prev, params | changed, reset, z_is)[0]).sum()

        label = f"gru_step_backward, reset {reset}, z {z_is}: "
        check_gradient(d_x, lambda x, loss=loss: loss(x=x), x, label + "d_x", axes="B D")
        check_gradient(
            d_h_prev, lambda h, loss=loss: loss(h_prev=h), h_prev, label + "d_h_prev", axes="B H"
        )
        for key in params:
            check_gradient(
                grads[key],
                lambda value, key=key, loss=loss: loss(**{key: value}),
                params[key],
                f"{label}grads[{key!r}]",
            )
### BEGIN HIDDEN TESTS
def gru_in_torch(x, h, p, reset, z_is):
    H = h.shape[1]
    z_part, r_part, n_part = slice(0, H), slice(H, 2 * H), slice(2 * H, 3 * H)
    a = x @ p["W_x"] + p["b_x"]
    z = torch.sigmoid(a[:, z_part] + h @ p["W_h"][:, z_part] + p["b_h"][z_part])
    r = torch.sigmoid(a[:, r_part] + h @ p["W_h"][:, r_part] + p["b_h"][r_part])
    W, b = p["W_h"][:, n_part], p["b_h"][n_part]
    n = torch.tanh(a[:, n_part] + ((r * h) @ W + b if reset == "before" else r * (h @ W + b)))
    new = z * n + (1 - z) * h if z_is == "new" else z * h + (1 - z) * n
    return new, torch.cat([z, r, n], dim=1)


rng = np.random.default_rng(708)
for B, D, H in [(3, 5, 4), (1, 2, 6), (6, 1, 3)]:
    params = init_gru(D, H, rng)
    x, h_prev, d_h = rng.normal(size=(B, D)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    for reset in ("before", "after"):
        for z_is in ("new", "kept"):
            leaves = {"x": x, "h_prev": h_prev, **params}
            leaves = {key: torch.tensor(v, requires_grad=True) for key, v in leaves.items()}
            h, gates = gru_in_torch(leaves["x"], leaves["h_prev"], leaves, reset, z_is)
            loss = (torch.tensor(d_h) * h).sum()
            found = torch.autograd.grad(loss, list(leaves.values()))
            truth = {key: v.numpy() for key, v in zip(leaves, found, strict=True)}
            given = {"d_h": d_h, "x": x, "h_prev": h_prev, "gates": gates.detach().numpy()}
            given["params"] = params
            before = copies(given)
            got = gru_step_backward(**given, reset=reset, z_is=z_is)
            check_unchanged(before, given, "gru_step_backward: its argument")
            label = f"gru_step_backward, reset {reset}, z {z_is}: "
            parts = ("d_x", "d_h_prev", "grads")
            assert isinstance(got, tuple) and len(got) == 3, f"gru_step_backward: return {parts}."
            check_close(got[0], truth["x"], label + "d_x", 1e-10, 1e-12, axes="B D")
            z = np.split(given["gates"], 3, axis=1)[0]
            kept = 1 - z if z_is == "new" else z
            hints = {"The share that was kept is missing, eq. 7.16.": truth["h_prev"] - d_h * kept}
            label_h = label + "d_h_prev"
            check_close(got[1], truth["h_prev"], label_h, 1e-10, 1e-12, hints, axes="B H")
            expected = {key: truth[key] for key in ("W_x", "W_h", "b_x", "b_h")}
            check_close(got[2], expected, label + "grads", 1e-10, 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ## 9 · Weights for PyTorch
#
# *Medium, 20 minutes, about 12 lines, 8 points.*
#
# `torch.nn.GRU` resets after the matrix, reads $z$ as the share that is kept, stacks the blocks in the order $r, z, n$, and stores matrices for column vectors.
# Its parameters are called `weight_ih_l0` (3H, D), `weight_hh_l0` (3H, H), `bias_ih_l0` and `bias_hh_l0` (3H,).
# Write the function that puts our weights there.
#
# If $z$ is the share that is new with our weights, it has to become the share that is kept, and since $1 - \sigma(a) = \sigma(-a)$ this is a change of sign of everything that adds up to $a^z$:
#
# $$W_{xz}, W_{hz}, b_{xz}, b_{hz} \;\longrightarrow\; -W_{xz}, -W_{hz}, -b_{xz}, -b_{hz} \tag{7.17}$$
#
# Weights of a GRU with the reset *before* the matrix cannot be converted: it is a different function.
# Raise `ValueError` rather than return something that runs.
# (A framework that saved such weights in PyTorch's layout would give wrong answers without a word.)
#
# *Worked number.* For $D = H = 1$, `W_x` $= (1, 2, 3)$ for $z, r, n$ and `z_is="new"`: `weight_ih_l0` is the column $(2, -1, 3)$.

# %% tags=["exercise", "id:convert-gru-weights"]
def convert_gru_weights(params: Params, reset: str, z_is: str) -> Params:
    """Return the parameters of ``torch.nn.GRU`` that compute the same function, as numpy arrays.

    The keys are weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0. Source: eq. 7.17.
    Inputs are not modified, and the results share no memory with them.

    Raises:
        ValueError: ``reset`` is not "after", or ``z_is`` is not "new" or "kept".
    """
    ### BEGIN SOLUTION
    if reset != "after" or z_is not in ("new", "kept"):
        raise ValueError(
            f"convert_gru_weights: no torch.nn.GRU computes reset={reset!r}, z_is={z_is!r}"
        )
    sign = -1 if z_is == "new" else 1
    names = {"W_x": "weight_ih_l0", "W_h": "weight_hh_l0", "b_x": "bias_ih_l0", "b_h": "bias_hh_l0"}
    converted = {}
    for ours, theirs in names.items():
        z, r, n = np.split(params[ours], 3, axis=-1)
        converted[theirs] = np.concatenate([r, sign * z, n], axis=-1).T.copy()
    return converted
    ### END SOLUTION


# %% tags=["test", "id:convert-gru-weights-test", "points:8"]
small = {"W_x": np.array([[1.0, 2.0, 3.0]]), "W_h": np.array([[4.0, 5.0, 6.0]])}
small |= {"b_x": np.array([0.1, 0.2, 0.3]), "b_h": np.array([0.4, 0.5, 0.6])}
got = convert_gru_weights(small, "after", "new")
expected = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
assert set(got) == expected, f"convert_gru_weights: the keys are {sorted(got)}."
check_close(
    got["weight_ih_l0"],
    np.array([[2.0], [-1.0], [3.0]]),
    "convert_gru_weights: weight_ih_l0, the worked number",
    hints={
        "The blocks are still in our order: PyTorch's is r, z, n.": np.array([[-1.0], [2.0], [3.0]]),
        "The sign of the update gate's block is unchanged, eq. 7.17.": np.array([[2.0], [1.0], [3.0]]),
    },
)
check_close(got["bias_hh_l0"], np.array([0.5, -0.4, 0.6]), "convert_gru_weights: bias_hh_l0")

rng = np.random.default_rng(9)
params, x, h0 = init_gru(3, 4, rng), rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 4))
before = copies(params)
for z_is in ("kept", "new"):
    converted = convert_gru_weights(params, "after", z_is)
    check_unchanged(before, params, "convert_gru_weights: params")
    check_shape(converted["weight_ih_l0"], (12, 3), "convert_gru_weights: weight_ih_l0")
    check_shape(converted["weight_hh_l0"], (12, 4), "convert_gru_weights: weight_hh_l0")
    layer = torch.nn.GRU(3, 4, batch_first=True).double()
    layer.load_state_dict({key: torch.tensor(value) for key, value in converted.items()})
    with torch.no_grad():
        theirs = layer(torch.tensor(x), torch.tensor(h0)[None])[0].numpy()
    ours, _ = gru_forward(x, h0, params, "after", z_is)
    label = f"convert_gru_weights, z {z_is}: the states of torch.nn.GRU with your weights"
    check_close(theirs, ours, label, axes="B T H")
check_raises(ValueError, convert_gru_weights, params, "before", "kept", when="reset is before")
check_raises(ValueError, convert_gru_weights, params, "after", "old", when="z_is is unknown")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(709)
for D, H in [(5, 3), (2, 6), (1, 1), (4, 4)]:
    params = init_gru(D, H, rng)
    before = copies(params)
    for z_is, sign in [("kept", 1.0), ("new", -1.0)]:
        got = convert_gru_weights(params, "after", z_is)
        check_unchanged(before, params, "convert_gru_weights: params")
        for ours, theirs in [("W_x", "weight_ih_l0"), ("W_h", "weight_hh_l0"),
                             ("b_x", "bias_ih_l0"), ("b_h", "bias_hh_l0")]:
            z, r, n = np.split(params[ours], 3, axis=-1)
            check_close(
                got[theirs],
                np.concatenate([r, sign * z, n], axis=-1).T.copy(),
                f"convert_gru_weights, z {z_is}: {theirs}",
                hints={
                    "The blocks are still in our order.": np.concatenate([sign * z, r, n], -1).T,
                    "The sign of z: which reading needs no change?": np.concatenate(
                        [r, -sign * z, n], axis=-1
                    ).T,
                    "The reset gate's sign has changed too.": np.concatenate(
                        [-r, sign * z, n], axis=-1
                    ).T,
                },
            )
    got = convert_gru_weights(params, "after", "kept")
    got["bias_ih_l0"] += 1.0
    got["weight_hh_l0"] += 1.0
    check_unchanged(before, params, "convert_gru_weights: params, when the result is changed later,")
check_raises(ValueError, convert_gru_weights, params, "before", "new", when="reset is before")
check_raises(ValueError, convert_gru_weights, params, "After", "new", when="reset is misspelt")
### END HIDDEN TESTS


# %% [markdown]
# ## 10 · How many parameters?
#
# *Easy, 10 minutes, about 8 lines, 4 points.*
#
# A cell with $k$ blocks has $k \,(D H + H^2 + H)$ parameters, where $k$ is 1 for an RNN, 3 for a GRU and for the simplified LSTM, and 4 for an LSTM.
# PyTorch keeps two biases a block instead of one.
# In a stack of layers the upper ones read the states of the layer below, and in a bidirectional layer there are two cells, whose states are put side by side.
#
# $$P = \sum_{\ell=1}^{L} d \cdot k \,\bigl(D_\ell H + H^2 + n_b H\bigr), \qquad D_1 = D, \quad D_\ell = d H \;\text{ for } \ell > 1 \tag{7.18}$$
#
# where $d$ is 2 if bidirectional, else 1, and $n_b$ is the number of biases.
#
# *Worked number.* An LSTM with $D = 3$, $H = 5$, one bias: $4\,(15 + 25 + 5) = 180$.

# %% tags=["exercise", "id:count-parameters"]
def count_parameters(
    cell: str, D: int, H: int, layers: int = 1, biases: int = 1, bidirectional: bool = False
) -> int:
    """Return the number of parameters of a recurrent stack.

    Source: eq. 7.18. ``cell`` is "rnn", "gru", "lstm" or "simplified-lstm".

    Raises:
        ValueError: any other ``cell``.
    """
    ### BEGIN SOLUTION
    blocks = {"rnn": 1, "gru": 3, "simplified-lstm": 3, "lstm": 4}
    if cell not in blocks:
        raise ValueError(f"count_parameters: unknown cell {cell!r}, expected one of {set(blocks)}")
    directions = 2 if bidirectional else 1
    total, width = 0, D
    for _ in range(layers):
        total += directions * blocks[cell] * (width * H + H * H + biases * H)
        width = directions * H
    return total
    ### END SOLUTION


# %% tags=["test", "id:count-parameters-test", "points:4"]
check_close(
    count_parameters("lstm", 3, 5),
    180,
    "count_parameters: the worked number",
    hints={"The biases are missing.": 160, "One block is missing.": 135, "Two biases a block?": 200},
)
check_close(count_parameters("rnn", 3, 5), 45, "count_parameters: rnn")
check_close(count_parameters("simplified-lstm", 3, 5), 135, "count_parameters: simplified-lstm")
layer = torch.nn.GRU(3, 5)
count = sum(p.numel() for p in layer.parameters())
check_close(count_parameters("gru", 3, 5, biases=2), count, "count_parameters: PyTorch's GRU")
check_raises(ValueError, count_parameters, "LSTMM", 3, 5, when="the cell is unknown")
### BEGIN HIDDEN TESTS
kinds = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
for cell, kind in kinds.items():
    for D, H, layers, both in [(7, 4, 1, False), (2, 6, 3, False), (5, 3, 1, True), (4, 3, 3, True)]:
        layer = kind(D, H, num_layers=layers, bidirectional=both)
        count = sum(p.numel() for p in layer.parameters())
        case = f"{layers} layer{'s' * (layers > 1)}{', bidirectional' * both}"
        label = f"count_parameters: {cell}, {case}, two biases"
        check_close(count_parameters(cell, D, H, layers, 2, both), count, label)
        matrices = sum(p.numel() for name, p in layer.named_parameters() if "weight" in name)
        biases = (count - matrices) // 2
        label = f"count_parameters: {cell}, {case}, one bias"
        check_close(count_parameters(cell, D, H, layers, 1, both), matrices + biases, label)
        label = f"count_parameters: {cell}, {case}, no bias"
        check_close(count_parameters(cell, D, H, layers, 0, both), matrices, label)
check_close(
    count_parameters("simplified-lstm", 4, 3, 2),
    count_parameters("gru", 4, 3, 2),
    "count_parameters: simplified-lstm against gru",
)
check_raises(ValueError, count_parameters, "tcn", 3, 5, when="the cell is unknown")
### END HIDDEN TESTS


# %% [markdown]
# ### A published LSTM, run by yours
#
# The optional package textgenrnn brings the weights of a character model: two LSTM layers, and a weighted mean over the last 40 steps of all that embedding and layers said.
# If it is installed, the cell below writes three lines with it, all at once, through your `lstm_forward`; if not, it says what to install.

# %%
from unrolled.data.charlstm import load_char_lstm

try:
    model = load_char_lstm()
except ImportError as missing:
    print(missing)
    model = None

if model is not None:
    rng, starts = np.random.default_rng(1), ["What is the ", "How to learn ", "The best "]
    start = 1 + model.symbols.index("<s>")
    ids = [[0] * 40 + [start] + [1 + model.symbols.index(s) for s in text] for text in starts]
    zero = np.zeros((1, len(model.layers[0]["W_h"])))
    for _ in range(60):
        signals = [model.E[np.array([line[-40:] for line in ids])].astype(float)]
        for layer in model.layers:
            layer = {key: value.astype(float) for key, value in layer.items()}
            signals.append(lstm_forward(signals[-1], *2 * [np.repeat(zero, 3, axis=0)], layer)[0])
        everything = np.concatenate(signals, axis=2)
        focus = np.exp(everything @ model.attention)
        focus /= focus.sum(axis=1, keepdims=True)
        scores = np.einsum("bt,btc->bc", focus, everything) @ model.W_y + model.b_y
        chances = np.exp(2 * (scores - scores.max(axis=1, keepdims=True)))  # temperature 1/2
        for line, chance in zip(ids, chances / chances.sum(axis=1, keepdims=True), strict=True):
            line.append(0 if line[-1] in (0, start) and line[-2] else rng.choice(len(chance), p=chance))
    for line in ids:
        print("".join(model.symbols[i - 1] for i in line[41:] if i not in (0, start)))

# %% [markdown]
# ## 11 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** A colleague trains an LSTM on sequences of 500 steps with an answer at the end.
# He has read that a high forget bias helps and sets $b_f = 6$; the loss does not move.
# What does $b_f = 6$ mean as a span of time, and what is right about it?
# What happens to the memory over the 500 steps before anything is learnt, and why does that stop the learning?
# What would you change?
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:high-forget-bias", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. The gate is sigmoid(6) = 0.9975, a span of 1 + exp(6), about 400 steps: about the length of the task.
# 2. What is right: along the direct path the gradient is multiplied by about 0.9975 a step, so a good part (about 0.3 over 500 steps) survives.
# 3. The input gate stands half open all the time, so the memory adds up what comes in (like the simplified LSTM): it drifts to large values.
# 4. tanh(c) saturates: its slope 1 - tanh² is nearly 0, so no gradient gets from h into the memory at all, however well it would travel there (and h hardly depends on c).
# 5. Close the input gate at the start, b_i about -b_f (chrono initialisation), or a comparable remedy with its reason: negative input bias as in 1997, normalising the memory, smaller input weights.
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# **b.** You are given a file of GRU weights and a description: "a GRU as in Cho et al. (2014), width 256".
# Which questions must you ask before you can run it, and for each: would a wrong answer raise an error, and can the weights be converted?
# How would you find out if nobody could answer?
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:which-gru", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. Where the reset gate acts, before or after the recurrent matrix: no error, and no conversion (two different functions), so the code must have the right form.
# 2. Whether z is the share that is new or kept: no error; convertible by changing the sign of the update gate's weights and biases.
# 3. The order of the blocks (z, r, n or r, z, n): no error, since all have the same size; convertible by moving blocks.
# 4. Rows or columns, and one or two biases: a transpose raises an error only where the sizes differ (W_hh is square: it does not); two biases can be added up for the gates, but not for the proposal when the reset is after the matrix.
# 5. Finding out: reproduce a known output (a published example, a loss on text, the library that made the file); with a few binary choices all combinations can be tried, and the right one is far better than the others.
# ### END MARK SCHEME

# %% [markdown]
# ## 12 · Optional challenge: adding without learning
#
# *Medium, 25 minutes, about 8 lines, no points.*
#
# If gates are soft logic, you should be able to *program* one.
# Choose the weights of an LSTM with $D = 2$ and $H = 1$ and a factor $k$ such that $k \, h_T$ solves the adding problem for any length up to a thousand steps: `x[:, t]` is (number, mark), and the answer is the sum of the numbers whose mark is 1.
#
# Think of the regimes: the forget gate always open, the input gate open exactly at a mark, the output gate open.
# Both tanh are nearly linear for small arguments, which is where $k$ comes from.
# About six of the numbers need not be zero.

# %% tags=["exercise", "id:adding-by-hand"]
def adding_by_hand() -> tuple[Params, float]:
    """Return LSTM parameters for D = 2, H = 1, and k, such that k times the last state adds.

    Source: the regimes of chapter 7. ``W_x`` (2, 4), ``W_h`` (1, 4), ``b`` (4,), blocks in the
    order i, f, proposal, o. The error is below 0.001 for up to 1,000 steps.
    """
    ### BEGIN SOLUTION
    small, sure = 0.01, 40.0
    W_x = np.array([[0.0, 0.0, small, 0.0], [sure, 0.0, 0.0, 0.0]])
    b = np.array([-sure / 2, sure / 2, 0.0, sure / 2])
    return {"W_x": W_x, "W_h": np.zeros((1, 4)), "b": b}, 1 / small
    ### END SOLUTION


# %% tags=["test", "id:adding-by-hand-test", "points:0"]
params, k = adding_by_hand()
check_shape(params["W_x"], (2, 4), "adding_by_hand: W_x")
rng = np.random.default_rng(12)
for T in (2, 50, 1000):
    numbers, marks = rng.uniform(size=(64, T)), np.zeros((64, T))
    marks[np.arange(64), rng.integers(T // 2, size=64)] = 1
    marks[np.arange(64), rng.integers(T // 2, T, size=64)] = 1
    x, target = np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1)
    h, _, _ = lstm_forward(x, np.zeros((64, 1)), np.zeros((64, 1)), params)
    worst = np.abs(k * h[:, -1, 0] - target).max()
    assert worst < 1e-3, f"adding_by_hand: for T = {T} it is off by up to {worst:.2g}."

# %% [markdown]
# ## Sources
#
# * Peeters, *Recurrent Neural Network* (Télécom Paris): the simplified LSTM, the forget gate, the simple and the full GRU; Basili and Croce, LMU, Kovashka and Mikolajczyk for the full cells in their conventions.
# * S. Hochreiter and J. Schmidhuber (1997), *Long short-term memory*, Neural Computation 9(8).
# * F. Gers, J. Schmidhuber and F. Cummins (2000), *Learning to forget: continual prediction with LSTM*, Neural Computation 12(10).
# * K. Cho et al. (2014), *Learning phrase representations using RNN encoder–decoder for statistical machine translation*, EMNLP.
# * J. Chung, C. Gulcehre, K. Cho and Y. Bengio (2014), *Empirical evaluation of gated recurrent neural networks on sequence modeling*, arXiv:1412.3555.
# * C. Tallec and Y. Ollivier (2018), *Can recurrent neural networks warp time?*, ICLR.
