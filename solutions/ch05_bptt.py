# %% [markdown]
# # 5 · Backpropagation through time
#
# In this exercise you train a recurrent language model with gradients that you wrote yourself.
# You start with the two tools that tell a right gradient from a wrong one, go back through one step, then through a whole sequence, then through the whole model.
# At the end you take the gradient apart into what each step contributes, and decide how much of it to keep.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `relative_error` | easy | 10 min | 6 |
# | 2 | `numerical_gradient` | easy | 15 min | 8 |
# | 3 | `softmax_cross_entropy_backward` | easy | 15 min | 10 |
# | 4 | `rnn_step_backward` | medium | 25 min | 14 |
# | 5 | `rnn_backward` | medium | 30 min | 16 |
# | 6 | `lm_backward` | medium | 25 min | 12 |
# | 7 | `gradient_contribution` | medium | 25 min | 12 |
# | 8 | `truncated_bptt` | hard | 40 min | 12 |
# | 9 | two written answers | medium | 20 min | 10 |
# | 10 | optional: `rtrl_gradient` | hard | 30 min | 0 |
#
# Before you start, read chapter 5 of the book: it derives every equation used here.
#
# **Rules**
#
# * numpy only, and by hand: no automatic differentiation, and no finite differences outside part 2.
# * Every array of real numbers is float64, because a gradient check needs the digits.
# * No function changes the arrays that it is given.
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **The model.** Characters or words come in as integers, are looked up in an embedding table, and drive a recurrent layer whose state predicts the next one:
#
# $$x_t = E[w_t], \qquad h_t = \tanh(x_t W_{xh} + h_{t-1} W_{hh} + b_h), \qquad o_t = h_t W_{hy} + b_y \tag{5.1}$$
#
# **The loss** is the cross-entropy, averaged over all $B \cdot T$ predictions, where $y_t$ is the word that really came next:
#
# $$\mathcal{L} = \frac{1}{B\,T} \sum_{b=1}^{B} \sum_{t=1}^{T} \mathcal{L}_t^{(b)}, \qquad \mathcal{L}_t = -\log \mathrm{softmax}(o_t)[y_t] \tag{5.2}$$
#
# This is the RNN language model of Kovashka's lecture (which averages over time, as here) and the network of Peeters' lecture (which writes $a^{\langle t \rangle}$ for our $h_t$ and sums over time).
# A sum instead of a mean only multiplies every gradient by $B\,T$, but it must be the same choice on both sides of a comparison.
#
# **Shapes.** Examples are rows, so a batch needs no transposes on the way forward.
#
# | array | shape | | array | shape | |
# |---|---|---|---|---|---|
# | `tokens`, `targets` | (B, T) | integers | `E` | (V, D) | embedding table |
# | `x` | (B, T, D) | inputs | `W_xh` | (D, H) | input to hidden |
# | `h` | (B, T, H) | `h[:, t]` is the state after reading `x[:, t]` | `W_hh` | (H, H) | hidden to hidden |
# | `h0` | (B, H) | the state before the first step | `b_h` | (H,) | hidden bias |
# | `logits` | (B, T, V) | $o_t$ | `W_hy`, `b_y` | (H, V), (V,) | output layer |
#
# Equations count steps from 1, arrays from 0: $h_1$ is `h[:, 0]`, and the state before it is `h0`.
# The numbers of equations are those of this notebook.
#
# **Names.** `d_h` stands for $\partial \mathcal{L} / \partial h$ and has the shape of `h`; so for every array.
# The parameters travel together in a dict, `params["W_hh"]`, and so do their gradients, `grads["W_hh"]`, under the same keys.

# %% tags=["setup"]
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from unrolled.checks import (
    check_close,
    check_gradient,
    check_raises,
    check_shape,
    check_unchanged,
)

Array = np.ndarray
Params = dict[str, np.ndarray]


def init_params(V: int, D: int, H: int, rng: np.random.Generator) -> Params:
    """Return random parameters; the biases are not zero, so that a forgotten one is noticed."""
    return {
        "E": rng.normal(size=(V, D)),
        "W_xh": rng.normal(size=(D, H)) / np.sqrt(D),
        "W_hh": rng.normal(size=(H, H)) / np.sqrt(H),
        "b_h": rng.normal(size=H) / 5,
        "W_hy": rng.normal(size=(H, V)) / np.sqrt(H),
        "b_y": rng.normal(size=V) / 5,
    }


# %% [markdown]
# The forward pass is given too.
# It keeps only `x` and `h`, and that is all that the backward pass will need: the slope of the tanh can be read off its output.

# %% tags=["setup"]
def rnn_step(
    x: Float[Array, "B D"], h_prev: Float[Array, "B H"], params: Params
) -> Float[Array, "B H"]:
    """Return the next state, eq. 5.1."""
    return np.tanh(x @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"])


def rnn_forward(
    x: Float[Array, "B T D"], h0: Float[Array, "B H"], params: Params
) -> Float[Array, "B T H"]:
    """Return the states after every step, eq. 5.1."""
    states, h_t = [], h0
    for t in range(x.shape[1]):
        h_t = rnn_step(x[:, t], h_t, params)
        states.append(h_t)
    return np.stack(states, axis=1)


def lm_forward(
    tokens: Int[Array, "B T"], h0: Float[Array, "B H"], params: Params
) -> tuple[Float[Array, "B T D"], Float[Array, "B T H"], Float[Array, "B T V"]]:
    """Return the inputs, the states and the logits of the language model, eq. 5.1."""
    x = params["E"][tokens]
    h = rnn_forward(x, h0, params)
    return x, h, h @ params["W_hy"] + params["b_y"]


def softmax_cross_entropy(logits: Float[Array, "B T V"], targets: Int[Array, "B T"]) -> float:
    """Return the mean cross-entropy over all B T predictions, eq. 5.2."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    chosen = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]
    return float((log_sum - chosen).mean())


# %% [markdown]
# ## 1 · How far apart are two gradients?
#
# *Easy, 10 minutes, about 4 lines, 6 points.*
#
# A derivation by hand is finished when a measurement agrees with it, so we need a number that says how well two arrays agree.
# The absolute difference will not do: $10^{-6}$ is excellent between gradients of size 1 and a disaster between gradients of size $10^{-6}$, and in a recurrent network both sizes occur.
# So we divide by the size of the larger one:
#
# $$\mathrm{relative\ error}(a, b) = \frac{\lVert a - b \rVert}{\max(\lVert a \rVert, \lVert b \rVert)}, \qquad \lVert a \rVert = \sqrt{\textstyle\sum_i a_i^2} \tag{5.3}$$
#
# where the sum runs over *all* entries, however many axes there are.
# Two arrays of zeros agree perfectly: the relative error is 0.
# Two arrays of different shapes cannot be compared, and numpy would quietly broadcast one to the other, so that case raises `ValueError`.
#
# *Worked number.* For $a = (3, 4)$ and $b = (3, 4.1)$: the difference has norm 0.1, the larger norm is $\sqrt{25.81}$, and the relative error is $0.1/\sqrt{25.81} \approx 0.0197$.
#
# *Do not* add a small constant to the denominator.
# It would hide exactly the errors this exercise is about: gradients that came through many steps may be as small as $10^{-12}$, and still be right or wrong.

# %% tags=["exercise", "id:relative-error"]
def relative_error(a: Float[Array, "..."], b: Float[Array, "..."]) -> float:
    """Return the distance between two arrays relative to the larger one; 0 when both are zero.

    Source: eq. 5.3. Norms are over all entries. NaN in, NaN out. Inputs are not modified.

    Raises:
        ValueError: the shapes differ.
    """
    ### BEGIN SOLUTION
    if a.shape != b.shape:
        raise ValueError(f"relative_error: shapes differ, {a.shape} and {b.shape}")
    largest = max(np.linalg.norm(a.ravel()), np.linalg.norm(b.ravel()))
    return float(np.linalg.norm((a - b).ravel()) / largest) if largest != 0 else 0.0
    ### END SOLUTION


# %% tags=["test", "id:relative-error-test", "points:6"]
a, b = np.array([3.0, 4.0]), np.array([3.0, 4.1])
before = {"a": a.copy(), "b": b.copy()}
relative_error(a, b)
check_unchanged(before, {"a": a, "b": b}, "relative_error")
check_close(
    relative_error(a, b),
    0.1 / np.sqrt(25.81),
    "relative_error, worked number",
    hints={
        "That is the absolute error: divide by the larger norm.": 0.1,
        "It divides by the sum of the norms, not by the larger one.": 0.1 / (5 + np.sqrt(25.81)),
        "It divides by the norm of one of them, not of the larger one.": 0.1 / 5,
        "It compares the largest entries: eq. 5.3 has square roots of sums of squares.": 0.1 / 4.1,
        "It averages entry by entry: eq. 5.3 takes norms first, then divides.": 0.05 / 4.1,
    },
)
check_close(relative_error(b, a), relative_error(a, b), "relative_error: a and b exchanged")
check_close(relative_error(a, a), 0.0, "relative_error: an array and itself")
check_close(relative_error(0 * a, 0 * a), 0.0, "relative_error: two arrays of zeros")
check_close(relative_error(a, 0 * a), 1.0, "relative_error: an array and zeros")
check_close(
    relative_error(1e-11 * a, 1e-11 * b),
    0.1 / np.sqrt(25.81),
    "relative_error, worked number with arrays 1e-11 times as large (add no constant below)",
    rtol=1e-4,
)
check_raises(ValueError, relative_error, np.ones(3), np.ones((3, 1)), when="the shapes differ")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(501)
for shape in [(7,), (4, 6), (2, 3, 5)]:
    a, b = rng.normal(size=shape), rng.normal(size=shape)
    size = np.sqrt(max((a * a).sum(), (b * b).sum()))
    expected = np.sqrt(((a - b) ** 2).sum()) / size
    label = f"relative_error: arrays with {len(shape)} axes"
    hints = {}
    if len(shape) == 2:
        spectral = np.linalg.norm(a - b, 2) / max(np.linalg.norm(a, 2), np.linalg.norm(b, 2))
        hints["That is the spectral norm; eq. 5.3 sums over all entries."] = spectral
    check_close(relative_error(a, b), expected, label, hints=hints)
    label += ", multiplied by the same tiny number: is a constant added below?"
    check_close(relative_error(1e-12 * a, 1e-12 * b), expected, label)
before = {"a": a.copy(), "b": b.copy()}
relative_error(a, b)
check_unchanged(before, {"a": a, "b": b}, "relative_error")
b = a.copy()
b[-1, -1, -1] += 1.0
assert relative_error(a, b) > 0.01, "relative_error: one wrong entry of many goes unnoticed."
a[0, 0, 0] = np.nan
assert not relative_error(a, b) < 1, "relative_error: NaN must not look like agreement."
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · Measuring a gradient
#
# *Easy, 15 minutes, about 10 lines, 8 points.*
#
# The derivative along one entry $x_i$ can be measured: move that entry a little up and a little down, and see how much $f$ changes.
#
# $$\frac{\partial f}{\partial x_i} \approx \frac{f(x + \varepsilon e_i) - f(x - \varepsilon e_i)}{2 \varepsilon} \tag{5.4}$$
#
# where $e_i$ is 1 at entry $i$ and 0 elsewhere.
# Going both ways is worth its price: by Taylor's theorem the error of this *central* difference shrinks as $\varepsilon^2$, that of the one-sided $\bigl(f(x + \varepsilon e_i) - f(x)\bigr)/\varepsilon$ only as $\varepsilon$.
#
# *Worked number.* For $f(x) = x^3$ at $x = 1$ eq. 5.4 gives exactly $3 + \varepsilon^2$: with $\varepsilon = 0.1$ it is 3.01, where the one-sided difference gives 3.31.
#
# *Shapes.* `x` has any number of axes and the result has its shape.
# The input may be an array of integers, or a view of another array; after the call it must be as it was before.
#
# *Cost.* Two evaluations of `f` an entry: a million parameters would need two million forward passes for one gradient.
# That is why this is a test and backpropagation is the method.

# %% tags=["exercise", "id:numerical-gradient"]
def numerical_gradient(
    f: Callable[[Float[Array, "..."]], float], x: Float[Array, "..."], eps: float = 1e-5
) -> Float[Array, "..."]:
    """Return the gradient of ``f`` at ``x``, measured by central differences; shape of ``x``.

    Source: eq. 5.4. ``f`` takes an array like ``x``, in float64, and returns a number; it is
    called twice an entry. The result is float64. ``x`` is not modified.
    """
    ### BEGIN SOLUTION
    moved = np.array(x, dtype=np.float64)
    gradient = np.zeros(moved.shape)
    for index in np.ndindex(moved.shape):
        middle = moved[index]
        moved[index] = middle + eps
        above = f(moved)
        moved[index] = middle - eps
        below = f(moved)
        moved[index] = middle
        gradient[index] = (above - below) / (2 * eps)
    return gradient
    ### END SOLUTION


# %% tags=["test", "id:numerical-gradient-test", "points:8"]
x = np.array([[1.0, 2.0, -1.0], [0.5, 0.0, -2.0]])
x_before = x.copy()
measured = numerical_gradient(lambda x: (x**3).sum(), x, eps=0.1)
check_unchanged(x_before, x, "numerical_gradient: x")
check_close(
    measured,
    3 * x**2 + 0.1**2,
    "numerical_gradient: f(x) = sum of x³, eps = 0.1",
    hints={
        "That is the one-sided difference: also step down.": 3 * x**2 + 3 * x * 0.1 + 0.1**2,
        "It divides by eps; the two points are 2 eps apart.": 6 * x**2 + 2 * 0.1**2,
        "It looks as if another eps were used: pass on the argument.": 3 * x**2 + 1e-10,
        "All entries are moved at once: move only entry i.": np.mean(3 * x**2) + 0 * x + 0.1**2,
    },
    axes="row column",
)


def corner(x):
    assert np.shape(x) == (2, 3), "numerical_gradient: f must be given an array shaped like x."
    return x[0, 0] * x[1, 2]


check_close(
    numerical_gradient(corner, x, eps=0.1),
    np.array([[-2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "numerical_gradient: f(x) = x[0, 0] x[1, 2], eps = 0.1",
    hints={
        "Move an entry back before you move the next one.": (
            np.array([[-2.0, 0.0, 0.0], [0.0, 0.0, 0.9]])
        )
    },
    axes="row column",
)
measured = numerical_gradient(lambda x: (x**2).sum(), x.T)
check_close(measured, 2 * x.T, "numerical_gradient: a transposed view")
check_unchanged(x_before, x, "numerical_gradient: the array behind the view")
measured = numerical_gradient(lambda x: (x**2).sum(), np.array([1, 2, 3]))
check_close(measured, np.array([2.0, 4.0, 6.0]), "numerical_gradient: x of integers")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(502)
x, weights = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
calls = []


def mixed(x):
    calls.append(x.shape)
    return float((weights * np.sin(x)).sum() + x[0, 0, 0] * x[1, 2, 3])


expected = weights * np.cos(x)
uncoupled = expected.copy()
expected[0, 0, 0] += x[1, 2, 3]
expected[1, 2, 3] += x[0, 0, 0]
x_before = x.copy()
measured = numerical_gradient(mixed, x)
check_close(
    measured,
    expected,
    "numerical_gradient: a function that couples its entries",
    rtol=1e-6,
    atol=1e-8,
    hints={"The entries influence each other: move one and leave the others.": uncoupled},
)
check_unchanged(x_before, x, "numerical_gradient: x")
assert set(calls) == {x.shape}, "numerical_gradient: f must be given an array of the shape of x."
assert len(calls) <= 2 * x.size + 2, "numerical_gradient: f is called more than twice an entry."
small = numerical_gradient(lambda x: float(np.exp(x[0])), np.array([0.3]), eps=1e-4)
check_close(small, np.exp([0.3]), "numerical_gradient: one entry, eps = 1e-4", rtol=1e-7)
scalar = numerical_gradient(lambda x: float(x) ** 2, np.array(1.5))
check_close(scalar, np.array(3.0), "numerical_gradient: an array without axes", rtol=1e-7)
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · From the loss to the logits
#
# *Easy, 15 minutes, about 5 lines, 10 points.*
#
# The way back begins where the way forward ended.
# Write $p_t = \mathrm{softmax}(o_t)$.
# Differentiating eq. 5.2 gives one of the friendliest results in the field, predicted minus true:
#
# $$\frac{\partial \mathcal{L}}{\partial o_t} = \frac{1}{B\,T} \bigl(p_t - \mathrm{onehot}(y_t)\bigr) \tag{5.5}$$
#
# Every row of it sums to zero: raising all logits together changes nothing.
#
# *Shapes.* `logits` (B, T, V), `targets` (B, T), result (B, T, V).
#
# *Worked number.* The vocabulary of "hello" has four letters. With all logits equal, each has probability ¼.
# For one sequence of two steps ($B\,T = 2$) and a target of 2, the row is $\tfrac12 (\tfrac14, \tfrac14, -\tfrac34, \tfrac14)$.
#
# *Watch out.* `np.exp(1000)` is infinite.
# Softmax does not change when the same number is subtracted from all logits of a row, so subtract the largest.

# %% tags=["exercise", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(
    logits: Float[Array, "B T V"], targets: Int[Array, "B T"]
) -> Float[Array, "B T V"]:
    """Return the gradient of the mean cross-entropy with respect to the logits.

    Source: eq. 5.5. Finite for logits of any size. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    one_hot = np.eye(logits.shape[-1])[targets]
    return (p - one_hot) / targets.size
    ### END SOLUTION


# %% tags=["test", "id:softmax-cross-entropy-backward-test", "points:10"]
d_logits = softmax_cross_entropy_backward(np.zeros((1, 2, 4)), np.array([[2, 0]]))
check_shape(d_logits, (1, 2, 4), "softmax_cross_entropy_backward", axes="B T V")
row = np.array([1.0, 1.0, -3.0, 1.0]) / 8
check_close(
    d_logits[0, 0],
    row,
    "softmax_cross_entropy_backward, worked number",
    hints={
        "The one-hot of the target is not subtracted.": np.ones(4) / 8,
        "The softmax runs over time; it belongs on the last axis.": np.array([1, 1, -1, 1]) / 4,
    },
)
large = np.array([[[1000.0, 0.0, -1000.0], [-3000.0, -3000.0, -3000.0]]])
check_close(
    softmax_cross_entropy_backward(large, np.array([[1, 0]])),
    np.array([[[0.5, -0.5, 0.0], [-1 / 3, 1 / 6, 1 / 6]]]),
    "softmax_cross_entropy_backward: large logits (subtract each row's own maximum)",
    axes="B T V",
)
rng = np.random.default_rng(3)
logits, targets = rng.normal(size=(2, 3, 5)), rng.integers(5, size=(2, 3))
logits_before = logits.copy()
d_logits = softmax_cross_entropy_backward(logits, targets)
check_unchanged(logits_before, logits, "softmax_cross_entropy_backward: logits")
check_gradient(
    d_logits,
    lambda logits: softmax_cross_entropy(logits, targets),
    logits,
    "softmax_cross_entropy_backward",
    axes="B T V",
)
check_close(d_logits.sum(axis=-1), np.zeros((2, 3)), "softmax_cross_entropy_backward: row sums")
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(503)
for shape, scale in [((3, 4, 7), 1.0), ((4, 1, 2), 5.0), ((1, 5, 3), 800.0)]:
    logits = scale * rng.normal(size=shape)
    targets = rng.integers(shape[-1], size=shape[:2])
    logits_before, targets_before = logits.copy(), targets.copy()
    d_logits = softmax_cross_entropy_backward(logits, targets)
    leaf = torch.tensor(logits, requires_grad=True)
    flat = leaf.reshape(-1, shape[-1])
    torch.nn.functional.cross_entropy(flat, torch.tensor(targets).reshape(-1)).backward()
    expected = leaf.grad.numpy()
    check_close(
        d_logits,
        expected,
        f"softmax_cross_entropy_backward: logits of size {scale:g}",
        rtol=1e-10,
        atol=1e-13,
        hints={
            "It is averaged over the batch, but not over time.": expected * shape[1],
            "It is averaged over time, but not over the batch.": expected * shape[0],
            "It is the gradient of the sum, not of the mean.": expected * shape[0] * shape[1],
        },
        axes="B T V",
    )
    check_unchanged(logits_before, logits, "softmax_cross_entropy_backward: logits")
    check_unchanged(targets_before, targets, "softmax_cross_entropy_backward: targets")
### END HIDDEN TESTS


# %% [markdown]
# Your first gradient check with your own tools.
# Anything below about $10^{-7}$ is agreement: what remains is the error of the measurement.

# %%
rng = np.random.default_rng(0)
logits, targets = rng.normal(size=(2, 3, 4)), rng.integers(4, size=(2, 3))
by_hand = softmax_cross_entropy_backward(logits, targets)
measured = numerical_gradient(lambda o: softmax_cross_entropy(o, targets), logits)
print(f"relative error of the gradient of the logits: {relative_error(by_hand, measured):.1e}")

# %% [markdown]
# ## 4 · Back through one step
#
# *Medium, 25 minutes, about 6 lines, 14 points.*
#
# One step is $h = \tanh(z)$ with $z = x W_{xh} + h_{\text{prev}} W_{hh} + b_h$.
# Suppose somebody tells us $\partial \mathcal{L}/\partial h$. First go through the tanh, whose slope at $z$ is $1 - \tanh^2 z = 1 - h^2$:
#
# $$\frac{\partial \mathcal{L}}{\partial z} = \frac{\partial \mathcal{L}}{\partial h} \odot (1 - h \odot h) \tag{5.6}$$
#
# Then through the sum, which passes $\partial \mathcal{L}/\partial z$ on to each of its three terms, and through the products:
#
# $$\frac{\partial \mathcal{L}}{\partial x} = \frac{\partial \mathcal{L}}{\partial z} W_{xh}^\top, \qquad \frac{\partial \mathcal{L}}{\partial h_{\text{prev}}} = \frac{\partial \mathcal{L}}{\partial z} W_{hh}^\top \tag{5.7}$$
#
# $$\frac{\partial \mathcal{L}}{\partial W_{xh}} = x^\top \frac{\partial \mathcal{L}}{\partial z}, \qquad \frac{\partial \mathcal{L}}{\partial W_{hh}} = h_{\text{prev}}^\top \frac{\partial \mathcal{L}}{\partial z}, \qquad \frac{\partial \mathcal{L}}{\partial b_h} = \sum_{b} \frac{\partial \mathcal{L}}{\partial z^{(b)}} \tag{5.8}$$
#
# In eq. 5.8 the whole batch uses the same parameters, so their gradients are *sums over the batch*: the matrix products do that by themselves, the bias must be told.
# (Bischl's lecture writes the step for columns, $z = V^\top z_{\text{prev}} + \dots$; with rows every matrix of the way back is the transpose of the way forward.)
#
# *Shapes.* `d_h`, `h_prev`, `h` (B, H); `x` (B, D); results `d_x` (B, D), `d_h_prev` (B, H), and a dict with the gradients of `W_xh` (D, H), `W_hh` (H, H), `b_h` (H,).
#
# *Worked number.* With one number in each array: $h = 0.5$, $\partial \mathcal{L}/\partial h = 2$ give $\partial \mathcal{L}/\partial z = 2 \cdot 0.75 = 1.5$.
# With $x = 3$, $h_{\text{prev}} = -1$, $W_{xh} = 0.4$, $W_{hh} = -2$: $\partial \mathcal{L}/\partial x = 0.6$, $\partial \mathcal{L}/\partial h_{\text{prev}} = -3$, $\partial \mathcal{L}/\partial W_{xh} = 4.5$, $\partial \mathcal{L}/\partial W_{hh} = -1.5$, $\partial \mathcal{L}/\partial b_h = 1.5$.

# %% tags=["exercise", "id:rnn-step-backward"]
def rnn_step_backward(
    d_h: Float[Array, "B H"],
    x: Float[Array, "B D"],
    h_prev: Float[Array, "B H"],
    h: Float[Array, "B H"],
    params: Params,
) -> tuple[Float[Array, "B D"], Float[Array, "B H"], Params]:
    """Return the gradients of one step: ``d_x``, ``d_h_prev`` and a dict of W_xh, W_hh, b_h.

    Source: eqs. 5.6 to 5.8. ``h`` is the state that the step returned. Parameter gradients are
    summed over the batch. ``params`` may hold further keys. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    d_z = d_h * (1 - h * h)
    grads = {"W_xh": x.T @ d_z, "W_hh": h_prev.T @ d_z, "b_h": d_z.sum(axis=0)}
    return d_z @ params["W_xh"].T, d_z @ params["W_hh"].T, grads
    ### END SOLUTION


# %% tags=["test", "id:rnn-step-backward-test", "points:14"]
one = {"W_xh": np.array([[0.4]]), "W_hh": np.array([[-2.0]])}
one["b_h"] = np.array([np.arctanh(0.5) - 3.2])
d_h, x, h_prev, h = (np.array([[value]]) for value in (2.0, 3.0, -1.0, 0.5))
d_x, d_h_prev, grads = rnn_step_backward(d_h, x, h_prev, h, one)
name = "rnn_step_backward, worked number: "
check_close(
    d_x,
    np.array([[0.6]]),
    name + "d_x",
    hints={
        "The slope of the tanh is missing, eq. 5.6.": np.array([[0.8]]),
        "The slope of the tanh is 1 - h squared.": np.array([[0.4]]),
        "h is already the tanh: do not apply it again.": np.array([[0.8]]) / np.cosh(0.5) ** 2,
        "d_x and d_h_prev have changed places.": np.array([[-3.0]]),
    },
)
check_close(d_h_prev, np.array([[-3.0]]), name + "d_h_prev")
check_close(
    grads,
    {"W_xh": np.array([[4.5]]), "W_hh": np.array([[-1.5]]), "b_h": np.array([1.5])},
    name + "grads",
    hints={"Eq. 5.8 has the state before the step, not after it.": {"W_hh": np.array([[0.75]])}},
)

two = {"W_xh": np.zeros((1, 2)), "W_hh": np.array([[1.0, 2.0], [3.0, 4.0]])}
two["b_h"] = np.zeros(2)  # with x, h_prev and h zero the slope of the tanh is 1
zero, zeros = np.zeros((1, 1)), np.zeros((1, 2))
_, d_h_prev, _ = rnn_step_backward(np.array([[1.0, 0.0]]), zero, zeros, zeros, two)
check_close(
    d_h_prev,
    np.array([[1.0, 3.0]]),
    "rnn_step_backward, two units, d_h = (1, 0), W_hh = ((1, 2), (3, 4)): d_h_prev",
    hints={"W_hh must be transposed on the way back, eq. 5.7.": np.array([[1.0, 2.0]])},
)

rng = np.random.default_rng(4)
params = init_params(V=6, D=3, H=4, rng=rng)
x, h_prev, d_h = rng.normal(size=(2, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
h = rnn_step(x, h_prev, params)
given = {"d_h": d_h, "x": x, "h_prev": h_prev, "h": h}
before = {key: value.copy() for key, value in given.items()}
d_x, d_h_prev, grads = rnn_step_backward(d_h, x, h_prev, h, params)
check_unchanged(before, given, "rnn_step_backward")
name = "rnn_step_backward: "
check_gradient(
    d_x, lambda x: (d_h * rnn_step(x, h_prev, params)).sum(), x, name + "d_x", axes="B D"
)
check_gradient(
    d_h_prev, lambda h: (d_h * rnn_step(x, h, params)).sum(), h_prev, name + "d_h_prev", axes="B H"
)
for key, axes in {"W_xh": "D H", "W_hh": "H H", "b_h": "H"}.items():
    check_gradient(
        grads[key],
        lambda value, key=key: (d_h * rnn_step(x, h_prev, params | {key: value})).sum(),
        params[key],
        f"{name}grads[{key!r}]",
        axes=axes,
    )
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(504)
for B, D, H in [(3, 5, 4), (1, 2, 6), (6, 1, 3)]:
    params = init_params(V=2, D=D, H=H, rng=rng)
    x, h_prev, d_h = rng.normal(size=(B, D)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    h = rnn_step(x, h_prev, params)
    given = {"d_h": d_h, "x": x, "h_prev": h_prev, "h": h, "params": params}
    before = {"d_h": d_h.copy(), "x": x.copy(), "h_prev": h_prev.copy(), "h": h.copy()}
    before["params"] = {key: value.copy() for key, value in params.items()}
    got = rnn_step_backward(d_h, x, h_prev, h, params)
    check_unchanged(before, given, "rnn_step_backward")
    leaves = {key: torch.tensor(params[key], requires_grad=True) for key in ("W_xh", "W_hh", "b_h")}
    x_leaf, h_leaf = (torch.tensor(value, requires_grad=True) for value in (x, h_prev))
    z = x_leaf @ leaves["W_xh"] + h_leaf @ leaves["W_hh"] + leaves["b_h"]
    (torch.tensor(d_h) * torch.tanh(z)).sum().backward()
    expected = {key: leaf.grad.numpy() for key, leaf in leaves.items()}
    results = (x_leaf.grad.numpy(), h_leaf.grad.numpy(), expected)
    assert type(got) is tuple and len(got) == 3, "rnn_step_backward: return d_x, d_h_prev, grads."
    label = f"rnn_step_backward, a batch of {B}: "
    check_close(got[0], results[0], label + "d_x", 1e-10, 1e-13, axes="B D")
    check_close(got[1], results[1], label + "d_h_prev", 1e-10, 1e-13, axes="B H")
    check_close(got[2], results[2], label + "grads", 1e-10, 1e-13)
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · Back through the sequence
#
# *Medium, 30 minutes, about 12 lines, 16 points.*
#
# The state $h_t$ matters twice: its own prediction depends on it, and so does the next state.
# The gradient of a quantity that is used in two places is the sum of what comes back from both, so, starting from nothing after the last step and walking backwards (Werbos, 1990):
#
# $$\frac{\partial \mathcal{L}}{\partial h_t} = \underbrace{\frac{\partial \mathcal{L}}{\partial o_t} W_{hy}^\top}_{\text{from its own loss}} \; + \; \underbrace{\frac{\partial \mathcal{L}}{\partial z_{t+1}} W_{hh}^\top}_{\text{from step } t+1}, \qquad t = T, \dots, 1 \tag{5.9}$$
#
# The parameters are used at *every* step, so their gradients are sums over the steps.
# In the words of Kovashka's lecture, the gradient of a repeated weight is the sum of the gradients of its appearances:
#
# $$\frac{\partial \mathcal{L}}{\partial W_{hh}} = \sum_{t=1}^{T} h_{t-1}^\top \frac{\partial \mathcal{L}}{\partial z_t}, \qquad \text{and so for } W_{xh} \text{ and } b_h \tag{5.10}$$
#
# `rnn_backward` is given the first term of eq. 5.9 for all steps, as `d_h`, and finds the rest.
# (The book calls this share `d_own`, and `d_h` the sum of both.)
# It must not know what the losses were: that is what makes it a layer.
#
# *Shapes.* `d_h`, `h` (B, T, H); `x` (B, T, D); `h0` (B, H). Results `d_x` (B, T, D), `d_h0` (B, H) and the dict of part 4.
# `d_h0` is what comes back to the state before the first step: an encoder in chapter 9 will live on it.
#
# *Worked number.* One unit, two steps, $W_{hh} = 2$, $h_0 = -1$, $h_1 = 0.5$, $h_2 = 0.8$, and only the last state has a loss: $d_h = (0, 1)$.
# Step 2: $\partial \mathcal{L}/\partial z_2 = 1 \cdot (1 - 0.64) = 0.36$, which sends $0.36 \cdot 2 = 0.72$ back to $h_1$.
# Step 1: $\partial \mathcal{L}/\partial z_1 = (0 + 0.72) \cdot 0.75 = 0.54$, which sends $1.08$ back to $h_0$.
# So $\partial \mathcal{L}/\partial W_{hh} = h_1 \cdot 0.36 + h_0 \cdot 0.54 = 0.18 - 0.54 = -0.36$ and $\partial \mathcal{L}/\partial b_h = 0.36 + 0.54 = 0.9$.

# %% tags=["exercise", "id:rnn-backward"]
def rnn_backward(
    d_h: Float[Array, "B T H"],
    x: Float[Array, "B T D"],
    h0: Float[Array, "B H"],
    h: Float[Array, "B T H"],
    params: Params,
) -> tuple[Float[Array, "B T D"], Float[Array, "B H"], Params]:
    """Return the gradients through all steps: ``d_x``, ``d_h0`` and a dict of W_xh, W_hh, b_h.

    Source: Werbos (1990); eqs. 5.9 and 5.10. ``d_h[:, t]`` holds only what the loss at step t
    sends to ``h[:, t]``. Parameter gradients are summed over batch and steps.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    d_x = np.zeros_like(x)
    d_next = np.zeros_like(h0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_xh", "W_hh", "b_h")}
    for t in reversed(range(x.shape[1])):
        h_prev = h[:, t - 1] if t > 0 else h0
        d_x[:, t], d_next, step = rnn_step_backward(
            d_h[:, t] + d_next, x[:, t], h_prev, h[:, t], params
        )
        for key in grads:
            grads[key] += step[key]
    return d_x, d_next, grads
    ### END SOLUTION


# %% tags=["test", "id:rnn-backward-test", "points:16"]
one = {"W_xh": np.array([[1.0]]), "W_hh": np.array([[2.0]]), "b_h": np.array([0.0])}
h0, h = np.array([[-1.0]]), np.array([[[0.5], [0.8]]])
x = np.arctanh(h) - 2 * np.array([[[-1.0], [0.5]]])
d_h = np.array([[[0.0], [1.0]]])
d_x, d_h0, grads = rnn_backward(d_h, x, h0, h, one)
name = "rnn_backward, worked number: "
check_close(
    d_h0,
    np.array([[1.08]]),
    name + "d_h0",
    hints={
        "Nothing came back from step 2 to step 1, eq. 5.9.": np.array([[0.0]]),
        "It stopped at h_1: walk from the last step to the first, and through the first.": (
            np.array([[0.72]])
        ),
    },
)
check_close(
    grads["W_hh"],
    np.array([[-0.36]]),
    name + "grads['W_hh']",
    hints={
        "Only the first step counts: add up the steps, += and not =.": np.array([[-0.54]]),
        "The first step is missing: is it reached, and is its previous state h0?": (
            np.array([[0.18]])
        ),
        "Before the first step comes h0; h[:, -1] is the last state.": np.array([[0.612]]),
        "Eq. 5.10 has the state before the step, not after it.": np.array([[0.558]]),
        "It is averaged over the steps; eq. 5.10 adds them up.": np.array([[-0.18]]),
    },
)
check_close(grads["b_h"], np.array([0.9]), name + "grads['b_h']")

rng = np.random.default_rng(5)
params = init_params(V=6, D=3, H=4, rng=rng)
x, h0, d_h = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 5, 4))
h = rnn_forward(x, h0, params)
given = {"d_h": d_h, "x": x, "h0": h0, "h": h}
before = {key: value.copy() for key, value in given.items()}
d_x, d_h0, grads = rnn_backward(d_h, x, h0, h, params)
check_unchanged(before, given, "rnn_backward")


def without_time(x, params):
    """The loss when each state forgets that it came from the one before."""
    constant = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
    z = x @ params["W_xh"] + constant @ params["W_hh"] + params["b_h"]
    return (d_h * np.tanh(z)).sum()


lost = "Every step sees only its own loss: what comes back from step t + 1 is missing, eq. 5.9."
check_gradient(
    d_x,
    lambda x: (d_h * rnn_forward(x, h0, params)).sum(),
    x,
    "rnn_backward: d_x",
    hints={lost: lambda x: without_time(x, params)},
    axes="B T D",
)
check_gradient(
    d_h0, lambda h0: (d_h * rnn_forward(x, h0, params)).sum(), h0, "rnn_backward: d_h0", axes="B H"
)
for key in ["W_xh", "W_hh", "b_h"]:
    check_gradient(
        grads[key],
        lambda value, key=key: (d_h * rnn_forward(x, h0, params | {key: value})).sum(),
        params[key],
        f"rnn_backward: grads[{key!r}]",
        hints={lost: lambda value, key=key: without_time(x, params | {key: value})},
    )
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(505)
names = ("W_xh", "W_hh", "b_h")
for B, T, D, H in [(3, 6, 2, 5), (2, 1, 4, 3), (1, 9, 5, 2)]:
    params = init_params(V=2, D=D, H=H, rng=rng)
    x, h0, d_h = (rng.normal(size=s) for s in ((B, T, D), (B, H), (B, T, H)))
    h = rnn_forward(x, h0, params)
    given = {"d_h": d_h, "x": x, "h0": h0, "h": h}
    before = {key: value.copy() for key, value in given.items()}
    params_before = {key: value.copy() for key, value in params.items()}
    got = rnn_backward(d_h, x, h0, h, params)
    check_unchanged(before, given, "rnn_backward")
    check_unchanged(params_before, params, "rnn_backward, params")
    p = {key: torch.tensor(params[key], requires_grad=True) for key in names}
    x_leaf, h0_leaf = (torch.tensor(value, requires_grad=True) for value in (x, h0))
    state, loss = h0_leaf, 0
    for t in range(T):
        state = torch.tanh(x_leaf[:, t] @ p["W_xh"] + state @ p["W_hh"] + p["b_h"])
        loss = loss + (torch.tensor(d_h[:, t]) * state).sum()
    loss.backward()
    expected = {key: p[key].grad.numpy() for key in names}
    label = f"rnn_backward, {T} step{'s' * (T > 1)}: "
    assert type(got) is tuple and len(got) == 3, "rnn_backward: return d_x, d_h0, grads."
    check_close(got[0], x_leaf.grad.numpy(), label + "d_x", 1e-10, 1e-13, axes="B T D")
    check_close(got[1], h0_leaf.grad.numpy(), label + "d_h0", 1e-10, 1e-13, axes="B H")
    check_close(got[2], expected, label + "grads", 1e-10, 1e-13)

late = np.zeros_like(d_h)
late[:, 4] = d_h[:, 4]
d_x, _, _ = rnn_backward(late, x, h0, h, params)
assert not d_x[:, 5:].any(), "rnn_backward: a loss at step t must not reach inputs after step t."
assert d_x[:, :5].all(), "rnn_backward: a loss at step t must reach every input up to step t."
### END HIDDEN TESTS


# %% [markdown]
# ## 6 · The whole language model
#
# *Medium, 25 minutes, about 10 lines, 12 points.*
#
# Now connect the parts.
# Run the model forward, go back from the loss to the logits (part 3), from the logits through the output layer to the states, through the recurrence (part 5) to the inputs, and from the inputs to the embedding table.
# Only the two ends are new.
# The output layer is linear and, as Peeters' lecture notes, the simple case: $W_{hy}$ is used at all steps but no state depends on it.
#
# $$\frac{\partial \mathcal{L}}{\partial W_{hy}} = \sum_{b,t} h_t^\top \frac{\partial \mathcal{L}}{\partial o_t}, \qquad \frac{\partial \mathcal{L}}{\partial b_y} = \sum_{b,t} \frac{\partial \mathcal{L}}{\partial o_t} \tag{5.11}$$
#
# The embedding table obeys the same law as every repeated weight: row $v$ gets the sum over all places where word $v$ was read, and zero if it never was.
#
# $$\frac{\partial \mathcal{L}}{\partial E[v]} = \sum_{b,t \,:\, w_t^{(b)} = v} \frac{\partial \mathcal{L}}{\partial x_t^{(b)}} \tag{5.12}$$
#
# *Watch out.* In numpy, `table[tokens] += rows` adds only *one* row for a word that occurs several times.
# `np.add.at(table, tokens, rows)` adds them all.
#
# *Shapes.* `tokens` and `targets` (B, T) integers, `h0` (B, H); results: the loss, a number, and a dict with the keys and shapes of `params`.
#
# *Worked number.* With the output layer all zero, every prediction is uniform: the loss is $\log V$, the state makes no difference, and so the gradients of `E`, `W_xh`, `W_hh` and `b_h` are exactly zero.
# That of `b_y` is not: it is $1/V$ minus the share of each word among the targets.

# %% tags=["exercise", "id:lm-backward"]
def lm_backward(
    tokens: Int[Array, "B T"], targets: Int[Array, "B T"], h0: Float[Array, "B H"], params: Params
) -> tuple[float, Params]:
    """Return the language model's loss and the gradients of all its parameters.

    Source: eqs. 5.5 and 5.9 to 5.12. The loss is eq. 5.2; the gradients have the keys and shapes
    of ``params``. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_x, _, grads = rnn_backward(d_logits @ params["W_hy"].T, x, h0, h, params)
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    grads["E"] = np.zeros_like(params["E"])
    np.add.at(grads["E"], tokens, d_x)
    return softmax_cross_entropy(logits, targets), grads
    ### END SOLUTION


# %% tags=["test", "id:lm-backward-test", "points:12"]
rng = np.random.default_rng(6)
params = init_params(V=4, D=2, H=3, rng=rng)
uniform = params | {"W_hy": np.zeros((3, 4)), "b_y": np.zeros(4)}
tokens, targets = np.array([[0, 1, 2, 2]]), np.array([[1, 2, 2, 3]])  # h e l l, e l l o
loss, grads = lm_backward(tokens, targets, np.zeros((1, 3)), uniform)
check_close(loss, np.log(4), "lm_backward, worked number: the loss")
missing = sorted(set(params) - set(grads))
assert not missing, f"lm_backward: grads has no {missing}."
share = np.array([0.0, 0.25, 0.5, 0.25])
check_close(
    grads["b_y"],
    0.25 - share,
    "lm_backward, worked number: grads['b_y']",
    hints={"Only the loss of the last step is there.": np.array([1.0, 1.0, 1.0, -3.0]) / 16},
)
for key in ["E", "W_xh", "W_hh", "b_h"]:
    check_close(grads[key], 0 * params[key], f"lm_backward, worked number: grads[{key!r}]")

tokens = np.array([[3, 1, 1, 0, 1], [4, 3, 3, 4, 0]])  # word 2 is never read, others repeat
targets = np.array([[1, 1, 0, 1, 2], [3, 3, 4, 0, 2]])
params, h0 = init_params(V=6, D=3, H=4, rng=rng), rng.normal(size=(2, 4))
loss, grads = lm_backward(tokens, targets, h0, params)
assert set(grads) == set(params), f"lm_backward: the keys of grads are {sorted(grads)}."


def lm_loss(params):
    return softmax_cross_entropy(lm_forward(tokens, h0, params)[2], targets)


def last_only(E):
    """The loss when a word's row matters only where the word occurs for the last time."""
    x = params["E"][tokens]
    for word, place in {word: place for place, word in np.ndenumerate(tokens)}.items():
        x[place] = E[word]
    h = rnn_forward(x, h0, params)
    return softmax_cross_entropy(h @ params["W_hy"] + params["b_y"], targets)


check_close(
    loss,
    lm_loss(params),
    "lm_backward: the loss",
    hints={"Is h0 used?": softmax_cross_entropy(lm_forward(tokens, 0 * h0, params)[2], targets)},
)
again = "A word that is read again overwrites its row: see np.add.at, eq. 5.12."
axes = {"E": "V D", "W_xh": "D H", "W_hh": "H H", "b_h": "H", "W_hy": "H V", "b_y": "V"}
for key in params:
    check_gradient(
        grads[key],
        lambda value, key=key: lm_loss(params | {key: value}),
        params[key],
        f"lm_backward: grads[{key!r}]",
        hints={again: last_only} if key == "E" else None,
        axes=axes[key],
    )
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(506)
for B, T, V, D, H in [(3, 7, 5, 2, 4), (1, 4, 9, 6, 3), (4, 1, 3, 5, 2)]:
    params, h0 = init_params(V, D, H, rng), rng.normal(size=(B, H))
    tokens, targets = rng.integers(V, size=(B, T)), rng.integers(V, size=(B, T))
    tokens[0, -1] = tokens[0, 0]
    given = {"tokens": tokens, "targets": targets, "h0": h0}
    before = {key: value.copy() for key, value in given.items()}
    params_before = {key: value.copy() for key, value in params.items()}
    got = lm_backward(tokens, targets, h0, params)
    check_unchanged(before, given, "lm_backward")
    check_unchanged(params_before, params, "lm_backward, params")
    p = {key: torch.tensor(value, requires_grad=True) for key, value in params.items()}
    state, logits = torch.tensor(h0), []
    for t in range(T):
        x_t = p["E"][torch.tensor(tokens[:, t])]
        state = torch.tanh(x_t @ p["W_xh"] + state @ p["W_hh"] + p["b_h"])
        logits.append(state @ p["W_hy"] + p["b_y"])
    flat = torch.stack(logits, 1).reshape(-1, V)
    loss = torch.nn.functional.cross_entropy(flat, torch.tensor(targets).reshape(-1))
    loss.backward()
    assert type(got) is tuple and len(got) == 2, "lm_backward: return the loss and grads."
    check_close(got[0], loss.item(), "lm_backward: the loss", 1e-9)
    expected = {key: leaf.grad.numpy() for key, leaf in p.items()}
    check_close(got[1], expected, "lm_backward: grads", 1e-10, 1e-13)
### END HIDDEN TESTS


# %% [markdown]
# ### Let it learn
#
# Nothing more is needed to train.
# Here is the example of Kovashka's lecture, the word "hello": after `h` comes `e`, after `e` comes `l`, but after `l` comes `l` or `o`, and only the state can tell which.
# The loss starts near $\log 4$, a guess among four letters.

# %%
letters = "helo"
tokens, targets = (np.array([[letters.index(c) for c in word]]) for word in ("hell", "ello"))
rng = np.random.default_rng(0)
params, h0 = init_params(V=4, D=3, H=5, rng=rng), np.zeros((1, 5))
for iteration in range(121):
    loss, grads = lm_backward(tokens, targets, h0, params)
    params = {key: params[key] - 0.5 * grads[key] for key in params}
    if iteration % 40 == 0:
        best = lm_forward(tokens, h0, params)[2].argmax(axis=-1)[0]
        print(f"{iteration:4d}  loss {loss:.3f}  hell -> {''.join(letters[i] for i in best)}")

# %% [markdown]
# ## 7 · Who contributed what?
#
# *Medium, 25 minutes, about 8 lines, 12 points.*
#
# Take one loss, $\mathcal{L}_t$, and ask how it depends on $W_{hh}$.
# The weight was used at step $t$, and at step $t-1$, and at every step before, and each use has its share.
# This is the formula that the lectures write with a product of Jacobians (Peeters; Kovashka; Pascanu et al., 2013):
#
# $$\frac{\partial \mathcal{L}_t}{\partial W_{hh}} = \sum_{k=1}^{t} \underbrace{\frac{\partial \mathcal{L}_t}{\partial h_t} \left( \prod_{i=k+1}^{t} \frac{\partial h_i}{\partial h_{i-1}} \right) \frac{\partial^{+} h_k}{\partial W_{hh}}}_{\text{contribution of step } k} \tag{5.13}$$
#
# The factors of the product do not commute: the latest step, $i = t$, stands on the left.
# $\partial^{+} h_k / \partial W_{hh}$ is the *immediate* derivative of Pascanu et al.: $h_{k-1}$ counts as a constant.
# (Peeters' sum starts at $k = 0$; since the initial state does not depend on the weights, that term is zero.)
#
# Nobody multiplies Jacobians for this.
# Start with the row vector $g = \partial \mathcal{L}_t/\partial h_t$ and carry it back from step $t$ to step $k$, one factor at a time; then collect what step $k$ itself does with the weight:
#
# $$g \leftarrow \bigl(g \odot (1 - h_i \odot h_i)\bigr) W_{hh}^\top \quad \text{for } i = t, t-1, \dots, k+1 \tag{5.14}$$
#
# $$\text{contribution of step } k = h_{k-1}^\top \bigl(g \odot (1 - h_k \odot h_k)\bigr) \tag{5.15}$$
#
# The function counts steps as the arrays do: `t` and `k` are positions in `h[:, t]`, from 0, and before `k = 0` comes `h0`.
# If `k > t` the contribution is zero: what happens later cannot have changed the loss.
#
# *Shapes.* `d_h_t`, `h0` (B, H); `h` (B, T, H); result (H, H), summed over the batch.
#
# *Worked number.* In the worked number of part 5, $\partial \mathcal{L}/\partial W_{hh} = -0.36$ is the sum of $0.18$ from the last step and $-0.54$ from the first.
# The older use weighs more there, because the way back to it multiplies by $W_{hh} (1 - h_1^2) = 2 \cdot 0.75 = 1.5$.

# %% tags=["exercise", "id:gradient-contribution"]
def gradient_contribution(
    d_h_t: Float[Array, "B H"],
    t: int,
    k: int,
    h0: Float[Array, "B H"],
    h: Float[Array, "B T H"],
    params: Params,
) -> Float[Array, "H H"]:
    """Return what the use of W_hh at step k contributes to the gradient of the loss at step t.

    Source: Pascanu et al. (2013); eqs. 5.13 to 5.15. ``d_h_t`` is the gradient of that loss with
    respect to ``h[:, t]``. Steps count from 0. Zero when k > t. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    W_hh = params["W_hh"]
    if k > t:
        return np.zeros_like(W_hh)
    g = d_h_t
    for i in range(t, k, -1):
        g = (g * (1 - h[:, i] ** 2)) @ W_hh.T
    h_prev = h[:, k - 1] if k > 0 else h0
    return h_prev.T @ (g * (1 - h[:, k] ** 2))
    ### END SOLUTION


# %% tags=["test", "id:gradient-contribution-test", "points:12"]
one, h0, h = {"W_hh": np.array([[2.0]])}, np.array([[-1.0]]), np.array([[[0.5], [0.8]]])
d_h_t = np.array([[1.0]])
after = "Eq. 5.15 has the state before step k, not after it."
check_close(
    gradient_contribution(d_h_t, 1, 1, h0, h, one),
    np.array([[0.18]]),
    "gradient_contribution, worked number: t = 1, k = 1",
    hints={
        "For k = t there is no step to go back, eq. 5.14.": np.array([[0.1296]]),
        after: np.array([[0.288]]),
    },
)
check_close(
    gradient_contribution(d_h_t, 1, 0, h0, h, one),
    np.array([[-0.54]]),
    "gradient_contribution, worked number: t = 1, k = 0",
    hints={
        "Before k = 0 comes h0; h[:, -1] is the last state.": np.array([[0.432]]),
        "The slope of the tanh is missing on the way back, eq. 5.14.": np.array([[-1.5]]),
        "Step i has the slope of h_i: count down from t to k + 1.": np.array([[-1.125]]),
        "That is the sum over all steps so far, not the share of step k.": np.array([[-0.36]]),
        after: np.array([[0.27]]),
    },
)
check_close(
    gradient_contribution(d_h_t, 0, 1, h0, h, one),
    np.array([[0.0]]),
    "gradient_contribution: k > t, where a later step cannot have changed the loss",
)
two, zeros = {"W_hh": np.array([[1.0, 2.0], [3.0, 4.0]])}, np.zeros((1, 2, 2))
check_close(
    gradient_contribution(np.array([[1.0, 0.0]]), 1, 0, np.array([[1.0, 0.0]]), zeros, two),
    np.array([[1.0, 3.0], [0.0, 0.0]]),
    "gradient_contribution, two units, d_h_t = h0 = (1, 0), W_hh = ((1, 2), (3, 4)), h = 0",
    hints={
        "W_hh must be transposed on the way back, eq. 5.14.": np.array([[1.0, 2.0], [0.0, 0.0]])
    },
)

rng = np.random.default_rng(7)
params = init_params(V=2, D=3, H=4, rng=rng)
x, h0, d_h_t = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
h = rnn_forward(x, h0, params)
given = {"d_h_t": d_h_t, "h0": h0, "h": h}
before = {key: value.copy() for key, value in given.items()}
shares = [gradient_contribution(d_h_t, 3, k, h0, h, params) for k in range(5)]
check_unchanged(before, given, "gradient_contribution")
check_gradient(
    sum(shares),
    lambda W_hh: (d_h_t * rnn_forward(x, h0, params | {"W_hh": W_hh})[:, 3]).sum(),
    params["W_hh"],
    "gradient_contribution: the sum over all k, which must be the whole gradient",
    axes="H H",
)
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(507)
for B, T, D, H in [(3, 6, 2, 4), (1, 4, 3, 5)]:
    params = init_params(V=2, D=D, H=H, rng=rng)
    x, h0, d_h_t = (rng.normal(size=s) for s in ((B, T, D), (B, H), (B, H)))
    h = rnn_forward(x, h0, params)
    given = {"d_h_t": d_h_t, "h0": h0, "h": h, "params": params}
    before = {"d_h_t": d_h_t.copy(), "h0": h0.copy(), "h": h.copy()}
    before["params"] = {key: value.copy() for key, value in params.items()}
    for t in (0, T - 2, T - 1):
        uses = [torch.tensor(params["W_hh"], requires_grad=True) for _ in range(T)]
        state = torch.tensor(h0)
        for i in range(t + 1):  # every step uses a copy of its own, so the shares come apart
            inputs = torch.tensor(x[:, i] @ params["W_xh"] + params["b_h"])
            state = torch.tanh(inputs + state @ uses[i])
        (torch.tensor(d_h_t) * state).sum().backward()
        for k in range(T):
            got = gradient_contribution(d_h_t, t, k, h0, h, params)
            expected = np.zeros((H, H)) if k > t else uses[k].grad.numpy()
            place = "k > t" if k > t else f"{t - k} steps before the loss"
            place += ", the first step" if k == 0 else ""
            check_close(got, expected, f"gradient_contribution: {place}", 1e-10, 1e-13)
    check_unchanged(before, given, "gradient_contribution")
### END HIDDEN TESTS


# %% [markdown]
# ### Look at it
#
# How large is the contribution of a step, by its distance from the loss?
# The recurrent matrix here is a rotation times a number, so that all its singular values are equal to that number.
# Chapter 6 is about this picture.

# %%
import matplotlib.pyplot as plt

rng = np.random.default_rng(1)
T, H = 40, 8
rotation, _ = np.linalg.qr(rng.normal(size=(H, H)))
x, h0 = 0.1 * rng.normal(size=(1, T, H)), np.zeros((1, H))
fig, ax = plt.subplots(figsize=(5.5, 3))
for scale in (0.7, 0.9, 1.0):
    params = {"W_xh": np.eye(H), "W_hh": scale * rotation, "b_h": np.zeros(H)}
    h = rnn_forward(x, h0, params)
    shares = [gradient_contribution(np.ones((1, H)), T - 1, k, h0, h, params) for k in range(1, T)]
    distance = [T - 1 - k for k in range(1, T)]
    ax.semilogy(distance, [np.linalg.norm(share) for share in shares], label=f"{scale}")
ax.set(xlabel="steps between the use of $W_{hh}$ and the loss", ylabel="norm of its contribution")
ax.legend(title="singular values")
plt.show()

# %% [markdown]
# ## 8 · Keeping only part of it
#
# *Hard, 40 minutes, about 20 lines, 12 points (6 for $k_2 = k_1$, 6 for the rest).*
#
# Going back through a whole book for every update is out of the question: the states of all steps must be kept, and the first update comes after the last page.
# *Truncated* backpropagation through time stops after a number of steps.
# It has two numbers (Williams and Peng, 1990, write BPTT($h; h'$) for our $k_2$ and $k_1$; the same pair is in Basili and Croce's lecture):
#
# * $k_1$: after every $k_1$ steps the losses of these $k_1$ steps are sent back;
# * $k_2 \ge k_1$: they go back through the last $k_2$ steps, counted from the newest one. The state before those is taken as a constant.
#
# (That lecture warns that a large $k_2$ brings vanishing gradients. The nearby terms of eq. 5.13 are the same for any $k_2$; a larger one only adds older terms, which may well be tiny, and costs memory and time.)
#
# The state itself is never cut: forward, it is carried on through the whole sequence.
# For $T = 6$, $k_1 = 2$, $k_2 = 3$:
#
# | after step | these losses are sent back | through these steps | this state is a constant |
# |---|---|---|---|
# | 2 | $\mathcal{L}_1, \mathcal{L}_2$ | 2, 1 | $h_0$ |
# | 4 | $\mathcal{L}_3, \mathcal{L}_4$ | 4, 3, 2 | $h_1$ |
# | 6 | $\mathcal{L}_5, \mathcal{L}_6$ | 6, 5, 4 | $h_3$ |
#
# So $\mathcal{L}_4$ reaches two steps further back than its own, and $\mathcal{L}_3$ only one.
# If $k_1$ does not divide $T$, the last piece is shorter: it ends at step $T$ and still goes back through $k_2$ steps.
# Each loss is sent back exactly once.
#
# In training there would be an update after every piece.
# Here the parameters stay as they are and the gradients of all pieces are added up, so that the result can be compared with the full gradient: with $k_2 \ge T$ nothing is cut, and the two are equal for every $k_1$.
# All losses keep the factor $1/(B\,T)$ of eq. 5.2.
#
# Deep-learning frameworks usually do the case $k_1 = k_2$: cut the text into chunks, run one chunk, call `backward`, detach the state, go on.
# That is the "chunks" picture in Peeters' lecture. The first loss of a chunk then gets no past at all.
#
# *Hint.* A piece is a call of `rnn_backward` on a slice of the arrays, with the right state before it and with zeros in place of the losses that were already sent.
#
# *Worked number.* In the worked number of part 5 (loss only at the last step, $W_{hh}$ gets $0.18 - 0.54$) $k_1 = k_2 = 1$ keeps $0.18$, and $k_1 = 1$, $k_2 = 2$ keeps everything.
# Even the sign of the gradient depends on the truncation.

# %% tags=["exercise", "id:truncated-bptt"]
def truncated_bptt(
    tokens: Int[Array, "B T"],
    targets: Int[Array, "B T"],
    h0: Float[Array, "B H"],
    params: Params,
    k1: int,
    k2: int,
) -> tuple[float, Params]:
    """Return the language model's loss and its gradients, truncated as in BPTT(k2; k1).

    Source: Williams and Peng (1990). After every ``k1`` steps, and after the last one, the losses
    of the steps since then are sent back through at most the last ``k2`` steps. The loss is that
    of ``lm_backward``; so are the keys and shapes of the gradients. Inputs are not modified.

    Raises:
        ValueError: not 1 <= k1 <= k2.
    """
    ### BEGIN SOLUTION
    if not 1 <= k1 <= k2:
        raise ValueError(f"truncated_bptt: expected 1 <= k1 <= k2, got k1={k1}, k2={k2}")
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_h = d_logits @ params["W_hy"].T
    grads = {key: np.zeros_like(value) for key, value in params.items()}
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    T = tokens.shape[1]
    for start in range(0, T, k1):
        end = min(start + k1, T)
        first = max(0, end - k2)
        window = slice(first, end)
        before = h[:, first - 1] if first > 0 else h0
        d_window = d_h[:, window].copy()
        d_window[:, : start - first] = 0  # these losses were sent with an earlier piece
        d_x, _, piece = rnn_backward(d_window, x[:, window], before, h[:, window], params)
        for key in piece:
            grads[key] += piece[key]
        np.add.at(grads["E"], tokens[:, window], d_x)
    return softmax_cross_entropy(logits, targets), grads
    ### END SOLUTION


# %% [markdown]
# First the case of the frameworks, $k_2 = k_1$.

# %% tags=["test", "id:truncated-bptt-test", "points:6"]
rng = np.random.default_rng(8)
params, h0 = init_params(V=5, D=3, H=4, rng=rng), rng.normal(size=(2, 4))
tokens, targets = rng.integers(5, size=(2, 6)), rng.integers(5, size=(2, 6))
before = {key: value.copy() for key, value in params.items()}


def detached(params, k):
    """The loss when the state is a constant at the start of every chunk of k steps."""
    states = np.concatenate([h0[:, None], lm_forward(tokens, h0, before)[1]], axis=1)
    chunks = range(0, tokens.shape[1], k)
    logits = [lm_forward(tokens[:, i : i + k], states[:, i], params)[2] for i in chunks]
    return softmax_cross_entropy(np.concatenate(logits, axis=1), targets)


def own_window(params, k):
    """The loss when every single loss goes back k steps of its own."""
    states = np.concatenate([h0[:, None], lm_forward(tokens, h0, before)[1]], axis=1)
    firsts = [max(0, t + 1 - k) for t in range(tokens.shape[1])]
    windows = [(tokens[:, i : t + 1], states[:, i]) for t, i in enumerate(firsts)]
    logits = [lm_forward(words, state, params)[2][:, -1:] for words, state in windows]
    return softmax_cross_entropy(np.concatenate(logits, axis=1), targets)


mistakes = {
    "It is the full gradient: nothing was cut.": lambda params, k: detached(params, 6),
    "Each loss goes back k2 steps; count them from the newest step of the piece.": own_window,
}
for k in (6, 3, 2):
    loss, grads = truncated_bptt(tokens, targets, h0, params, k, k)
    check_unchanged(before, params, "truncated_bptt, params")
    check_close(
        loss,
        detached(params, 6),
        f"truncated_bptt, k1 = k2 = {k}, T = 6: the loss (forward, the state is never cut)",
    )
    assert set(grads) == set(params), f"truncated_bptt: the keys of grads are {sorted(grads)}."
    for key in params:
        check_gradient(
            grads[key],
            lambda value, key=key, k=k: detached(params | {key: value}, k),
            params[key],
            f"truncated_bptt, k1 = k2 = {k}, T = 6: grads[{key!r}]",
            hints={
                text: lambda value, key=key, k=k, wrong=wrong: wrong(params | {key: value}, k)
                for text, wrong in mistakes.items()
            },
        )
check_raises(ValueError, truncated_bptt, tokens, targets, h0, params, 3, 2, when="k2 < k1")
check_raises(ValueError, truncated_bptt, tokens, targets, h0, params, 0, 2, when="k1 < 1")


# %% [markdown]
# Now $k_2 > k_1$.
# The visible test checks that with $k_2 \ge T$ nothing is cut, whatever $k_1$ is.

# %% tags=["test", "id:truncated-bptt-test-2", "points:6"]
rng = np.random.default_rng(9)
params, h0 = init_params(V=5, D=3, H=4, rng=rng), rng.normal(size=(2, 4))
tokens, targets = rng.integers(5, size=(2, 6)), rng.integers(5, size=(2, 6))


def up_to(params, end):
    """The losses of the steps before end, with the factor 1 / (B T) of all steps."""
    logits = lm_forward(tokens, h0, params)[2][:, :end]
    return softmax_cross_entropy(logits, targets[:, :end]) * end / tokens.shape[1]


def chunks(params, k1):
    """The loss when the state is a constant at the start of every piece."""
    pieces = [(tokens[:, i : i + k1], states[:, i]) for i in range(0, tokens.shape[1], k1)]
    logits = [lm_forward(words, state, params)[2] for words, state in pieces]
    return softmax_cross_entropy(np.concatenate(logits, axis=1), targets)


states = np.concatenate([h0[:, None], lm_forward(tokens, h0, params)[1]], axis=1)
mistakes = {
    "It goes back k1 steps, to the start of the piece, not k2.": chunks,
    "Losses that were sent with an earlier piece are sent again.": (
        lambda params, k1: sum(up_to(params, min(6, done + k1)) for done in range(0, 6, k1))
    ),
    "The shorter piece at the end is missing.": lambda params, k1: up_to(params, 6 // k1 * k1),
}
for k1, k2 in [(1, 6), (2, 6), (4, 7)]:
    _, grads = truncated_bptt(tokens, targets, h0, params, k1, k2)
    for key in params:
        check_gradient(
            grads[key],
            lambda value, key=key: up_to(params | {key: value}, 6),
            params[key],
            f"truncated_bptt, k1 = {k1}, k2 = {k2}, T = 6 (nothing is cut): grads[{key!r}]",
            hints={
                text: lambda value, key=key, k1=k1, wrong=wrong: wrong(params | {key: value}, k1)
                for text, wrong in mistakes.items()
            },
        )
### BEGIN HIDDEN TESTS
import torch


def pieces(tokens, targets, h0, params, k1, k2):
    """Return the loss and gradients by autograd; each piece is run again from a constant state."""
    p = {key: torch.tensor(value, requires_grad=True) for key, value in params.items()}
    words, answers = torch.tensor(tokens), torch.tensor(targets)
    T, total = words.shape[1], 0
    states = [h0, *lm_forward(tokens, h0, params)[1].swapaxes(0, 1)]
    for done in range(0, T, k1):
        newest = min(T, done + k1)
        oldest = max(0, newest - k2)
        state = torch.tensor(states[oldest])
        for t in range(oldest, newest):
            state = torch.tanh(p["E"][words[:, t]] @ p["W_xh"] + state @ p["W_hh"] + p["b_h"])
            if t >= done:
                logits = state @ p["W_hy"] + p["b_y"]
                total = total + torch.nn.functional.cross_entropy(logits, answers[:, t]) / T
    total.backward()
    return total.item(), {key: leaf.grad.numpy() for key, leaf in p.items()}


rng = np.random.default_rng(508)
for B, T, V, D, H in [(3, 7, 6, 2, 4), (1, 10, 5, 4, 3)]:
    params, h0 = init_params(V, D, H, rng), rng.normal(size=(B, H))
    tokens, targets = rng.integers(V, size=(B, T)), rng.integers(V, size=(B, T))
    given = {"tokens": tokens, "targets": targets, "h0": h0, "params": params}
    before = {"tokens": tokens.copy(), "targets": targets.copy(), "h0": h0.copy()}
    before["params"] = {key: value.copy() for key, value in params.items()}
    _, untruncated = pieces(tokens, targets, h0, params, T, T)
    for k1, k2 in [(1, 1), (1, 3), (2, 3), (2, 5), (3, 4), (4, 4), (5, 8), (T + 2, T + 2)]:
        got = truncated_bptt(tokens, targets, h0, params, k1, k2)
        check_unchanged(before, given, "truncated_bptt")
        loss, expected = pieces(tokens, targets, h0, params, k1, k2)
        _, chunks = pieces(tokens, targets, h0, params, k1, k1)
        _, reach = pieces(tokens, targets, h0, params, 1, k2)
        hints = {
            "It is the full gradient: nothing was cut.": untruncated,
            "It goes back k1 steps, not k2.": chunks,
            "Every loss goes back k2 steps; they are counted from the newest of the piece.": reach,
        }
        case = "equal" if k1 == k2 else "k1 = 1" if k1 == 1 else "different"
        tail = "" if T % k1 == 0 else ", a shorter last piece"
        label = f"truncated_bptt, {'k1 and k2 ' * (k1 != 1 or k1 == k2)}{case}{tail}: "
        assert type(got) is tuple and len(got) == 2, "truncated_bptt: return loss and grads."
        check_close(got[0], loss, label + "the loss", 1e-9)
        check_close(got[1], expected, label + "grads", 1e-10, 1e-13, hints)
### END HIDDEN TESTS


# %% [markdown]
# ### Two of your functions must agree
#
# With $k_1 = 1$ every loss goes back through exactly $k_2$ steps.
# So the truncated gradient of $W_{hh}$ is the double sum of part 7 with only the last $k_2$ contributions of each loss.
# The second column is what the truncation leaves out; it need not shrink with every step, since the terms have signs.

# %%
rng = np.random.default_rng(10)
params, h0 = init_params(V=5, D=3, H=4, rng=rng), np.zeros((2, 4))
tokens, targets = rng.integers(5, size=(2, 12)), rng.integers(5, size=(2, 12))
_, h, logits = lm_forward(tokens, h0, params)
d_h = softmax_cross_entropy_backward(logits, targets) @ params["W_hy"].T
full = lm_backward(tokens, targets, h0, params)[1]["W_hh"]
print("k2   against part 7   against the full gradient")
for k2 in (1, 2, 4, 8, 12):
    cut = truncated_bptt(tokens, targets, h0, params, 1, k2)[1]["W_hh"]
    kept = sum(
        gradient_contribution(d_h[:, t], t, k, h0, h, params)
        for t in range(12)
        for k in range(max(0, t - k2 + 1), t + 1)
    )
    print(f"{k2:2d}   {relative_error(cut, kept):14.1e}   {relative_error(cut, full):.1e}")

# %% [markdown]
# ## 9 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** A language model reads source code and is trained by truncated BPTT with $k_1 = k_2 = 20$.
# A bracket that opens is often closed a hundred characters later.
# Can the *state* still hold the opening bracket when it is time to close it?
# Which terms of eq. 5.13 are missing from the gradient, and what does the model therefore not learn?
# Would more training text make up for it?
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:what-truncation-forgets", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. Forward nothing is cut: the state is carried on, so information may survive 100 steps.
# 2. The contributions of steps k more than 19 steps before t are missing (with chunks: all those before the chunk of t; the first loss of a chunk keeps only its own step).
# 3. No loss at the closing bracket ever tells the weights of the opening step to store it: the model gets no signal to *learn* to remember, though it may happen to remember for other reasons (storage learnt from shorter dependencies may carry over).
# 4. More text does not help: the truncated gradient is biased, its expectation differs from the full gradient's, and averaging over more text removes variance only.
# 5. A remedy with its price: larger k2 (memory, time), k2 > k1 (more computation), or an architecture whose state keeps more (chapter 7). Any reasonable one.
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# **b.** The cell below checks your gradient of $W_{hh}$ with different $\varepsilon$.
# Explain the left end of the table and the right end of it: why is neither a very large nor a very small $\varepsilon$ good, and roughly where should the best one lie, given that float64 has about 16 digits?
# Then name one mistake in `lm_backward` that such a check of $W_{hh}$ would *not* find.
# Answer in four to six sentences.

# %%
rng = np.random.default_rng(11)
params, h0 = init_params(V=5, D=3, H=4, rng=rng), np.zeros((2, 4))
tokens, targets = rng.integers(5, size=(2, 8)), rng.integers(5, size=(2, 8))
by_hand = lm_backward(tokens, targets, h0, params)[1]["W_hh"]


def loss_of(W_hh):
    return softmax_cross_entropy(lm_forward(tokens, h0, params | {"W_hh": W_hh})[2], targets)


for exponent in range(-1, -15, -2):
    measured = numerical_gradient(loss_of, params["W_hh"], eps=10.0**exponent)
    print(f"eps = 1e{exponent:<4d} relative error {relative_error(by_hand, measured):.1e}")

# %% [markdown] tags=["manual", "id:which-epsilon", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. Large epsilon: the Taylor remainder; the error of the central difference grows as epsilon squared (visible in the table: a factor of 100 in epsilon is a factor of about 10^4 in the error).
# 2. Small epsilon: rounding; the two losses agree in almost all digits, their difference keeps few, and the error, about 1e-16 / epsilon, grows as epsilon shrinks.
# 3. The best epsilon balances the two: epsilon^2 = 1e-16 / epsilon, so near the cube root of 1e-16, about 5e-6 (anything from 1e-6 to 1e-4 with a reason).
# 4. A mistake that the check of W_hh does not see: a wrong gradient of another parameter (W_hy, b_y, E with repeated words, h0); or a case the check's inputs do not contain (h0 = 0 hides a wrong term in h0; B = 1 hides a missing sum over the batch).
# 5. The explanation in 4 says why it is not seen, or that the forward pass itself may be wrong: a check compares the gradient with the code's loss, not with the intended one.
# ### END MARK SCHEME

# %% [markdown]
# ## 10 · Optional challenge: the gradient without going back
#
# *Hard, 30 minutes, about 10 lines, no points.*
#
# Backpropagation must keep all states until the end.
# Real-time recurrent learning (Williams and Zipser, 1989) needs nothing but the present: it carries along how the state depends on each weight,
#
# $$S_t[m, n, j] = \frac{\partial h_{t,j}}{\partial W_{hh}[m, n]}, \qquad S_0 = 0$$
#
# and updates it together with the state.
# The weight acts directly at step $t$ and through the state before:
#
# $$S_t[m, n, j] = (1 - h_{t,j}^2) \Bigl( h_{t-1,m} \, [n = j] + \sum_{i} S_{t-1}[m, n, i] \, W_{hh}[i, j] \Bigr) \tag{5.16}$$
#
# $$\frac{\partial \mathcal{L}}{\partial W_{hh}[m, n]} = \sum_{t} \sum_{j} \frac{\partial \mathcal{L}_t}{\partial h_{t,j}} \, S_t[m, n, j] \tag{5.17}$$
#
# Every example of the batch has its own $S$, so in numpy it has shape (B, H, H, H).
# The memory no longer depends on $T$, but on $H^3$: this is why BPTT won.
# Your result must equal `grads["W_hh"]` of `rnn_backward`, though no line of the two is alike.
# If you leave it out, the test below fails and costs nothing.

# %% tags=["exercise", "id:rtrl-gradient"]
def rtrl_gradient(
    d_h: Float[Array, "B T H"], x: Float[Array, "B T D"], h0: Float[Array, "B H"], params: Params
) -> Float[Array, "H H"]:
    """Return the gradient of W_hh, computed while going forward; summed over batch and steps.

    Source: Williams and Zipser (1989); eqs. 5.16 and 5.17. ``d_h[:, t]`` is what the loss at step
    t sends to the state. Memory does not grow with T. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    B, H = h0.shape
    sensitivity, total, h_prev = np.zeros((B, H, H, H)), np.zeros((H, H)), h0
    for t in range(x.shape[1]):
        h_t = rnn_step(x[:, t], h_prev, params)
        direct = np.einsum("bm,nj->bmnj", h_prev, np.eye(H))
        slope = (1 - h_t**2)[:, None, None, :]
        sensitivity = slope * (direct + sensitivity @ params["W_hh"])
        total += np.einsum("bj,bmnj->mn", d_h[:, t], sensitivity)
        h_prev = h_t
    return total
    ### END SOLUTION


# %% tags=["test", "id:rtrl-gradient-test", "points:0"]
rng = np.random.default_rng(12)
params = init_params(V=2, D=3, H=4, rng=rng)
x, h0, d_h = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 5, 4))
h0_before = h0.copy()
got = rtrl_gradient(d_h, x, h0, params)
check_unchanged(h0_before, h0, "rtrl_gradient: h0")
check_shape(got, (4, 4), "rtrl_gradient", axes="H H")
check_gradient(
    got,
    lambda W_hh: (d_h * rnn_forward(x, h0, params | {"W_hh": W_hh})).sum(),
    params["W_hh"],
    "rtrl_gradient",
)

# %% [markdown]
# ## Sources
#
# * Peeters, *Recurrent Neural Network* (Télécom Paris), backpropagation through time; Kovashka, *CS 1678* (Pittsburgh, 2021), training recurrent networks; Basili and Croce, the parameters of truncated BPTT; Bischl, LMU, computing the loss gradient.
# * P. Werbos (1990), *Backpropagation through time: what it does and how to do it*, Proceedings of the IEEE 78(10).
# * R. Williams and J. Peng (1990), *An efficient gradient-based algorithm for on-line training of recurrent network trajectories*, Neural Computation 2(4).
# * R. Williams and D. Zipser (1989), *A learning algorithm for continually running fully recurrent neural networks*, Neural Computation 1(2).
# * R. Pascanu, T. Mikolov and Y. Bengio (2013), *On the difficulty of training recurrent neural networks*, ICML.
