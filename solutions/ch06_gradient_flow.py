# %% [markdown]
# # 6 · Why gradients vanish and explode
#
# In this exercise you build the instruments that show what becomes of a gradient on its way back through time, the bound that says in advance what can become of it, and three remedies.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `step_jacobian` | easy | 15 min | 9 |
# | 2 | `jacobian_product` | medium | 20 min | 12 |
# | 3 | `gradient_norms` | medium | 25 min | 13 |
# | 4 | `rescale_spectral_radius` | easy | 15 min | 10 |
# | 5 | `decay_bound` | medium | 25 min | 12 |
# | 6 | `clip_by_global_norm` | medium | 20 min | 13 |
# | 7 | `orthogonal_init` | medium | 20 min | 10 |
# | 8 | `skip_rnn_forward` | medium | 25 min | 11 |
# | 9 | two written answers | medium | 20 min | 10 |
# | 10 | optional: `skip_gradient_norms` | hard | 30 min | 0 |
#
# Before you start, read chapter 6 of the book: it derives every equation used here.
#
# **Rules of the game.**
# numpy only, by hand: no automatic differentiation.
# Every array of real numbers is float64.
# No function changes the arrays that it is given.
# The cell below each part tests it and says what is wrong; when your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **The network** is the recurrent layer of chapters 4 and 5, with tanh:
#
# $$h_t = \tanh(x_t W_{xh} + h_{t-1} W_{hh} + b_h), \qquad t = 1, \dots, T \tag{6.1}$$
#
# Examples are rows; `x` has shape (B, T, D), `h` (B, T, H), `h0` (B, H).
# The equations count steps from 1 and the arrays from 0: $h_1$ is `h[:, 0]`, and the state before it is `h0`.
#
# **One thing to keep in mind all the time:** the slope of tanh, $1 - h_t^2$, can be read off the state.
# So all the instruments below need only the states and $W_{hh}$, not the inputs.

# %% tags=["setup"]
import math

import numpy as np
from jaxtyping import Float

from unrolled.checks import (
    check_close,
    check_raises,
    check_shape,
    check_unchanged,
)

Array = np.ndarray
Params = dict[str, np.ndarray]


def init_params(D: int, H: int, rng: np.random.Generator, scale: float = 1.0) -> Params:
    """Return random parameters; the recurrent matrices have a spectral radius of about ``scale``."""
    return {
        "W_xh": rng.normal(size=(D, H)) / np.sqrt(D),
        "W_hh": scale * rng.normal(size=(H, H)) / np.sqrt(H),
        "W_sh": scale * rng.normal(size=(H, H)) / np.sqrt(H),
        "b_h": rng.normal(size=H) / 5,
    }


def rnn_forward(
    x: Float[Array, "B T D"], h0: Float[Array, "B H"], params: Params
) -> Float[Array, "B T H"]:
    """Return the states after every step, eq. 6.1."""
    states, h_t = [], h0
    for t in range(x.shape[1]):
        h_t = np.tanh(x[:, t] @ params["W_xh"] + h_t @ params["W_hh"] + params["b_h"])
        states.append(h_t)
    return np.stack(states, axis=1)


def measured_jacobians(
    x: Float[Array, "B T D"], h0: Float[Array, "B H"], params: Params
) -> Float[Array, "B T H H"]:
    """Return the Jacobian of every step, measured by moving the state before it a little."""
    states = np.concatenate([h0[:, None], rnn_forward(x, h0, params)], axis=1)
    B, T, H = x.shape[0], x.shape[1], h0.shape[1]
    J = np.zeros((B, T, H, H))
    for t in range(T):
        for j, nudge in enumerate(1e-5 * np.eye(H)):
            ends = [rnn_forward(x[:, t : t + 1], states[:, t] + s * nudge, params) for s in (1, -1)]
            J[:, t, :, j] = (ends[0] - ends[1])[:, 0] / 2e-5
    return J


# %% [markdown]
# ## 1 · One step
#
# *Easy, 15 minutes, about 2 lines, 9 points.*
#
# How does the new state react to the state before it?
# From eq. 6.1, entry $i$ of $h_t$ depends on entry $j$ of $h_{t-1}$ through $W_{hh}[j, i]$, and then passes the tanh:
#
# $$J_t = \frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_t^2)\, W_{hh}^\top, \qquad J_t[i, j] = (1 - h_{t,i}^2)\, W_{hh}[j, i] \tag{6.2}$$
#
# Rows belong to the output $h_t$, columns to the input $h_{t-1}$.
#
# *Shapes.* `h` (B, H), the state *after* the step; `W_hh` (H, H); result (B, H, H), one Jacobian for each example.
#
# *Worked number.* $h_t = (0.5, 0)$ and $W_{hh} = \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}$.
# The slopes are $0.75$ and $1$, so $J_t = \begin{pmatrix} 0.75 & 2.25 \\ 2 & 4 \end{pmatrix}$.

# %% tags=["exercise", "id:step-jacobian"]
def step_jacobian(h: Float[Array, "B H"], W_hh: Float[Array, "H H"]) -> Float[Array, "B H H"]:
    """Return the Jacobian of one step for each example: [b, i, j] is d h_i / d (h_prev)_j.

    Source: eq. 6.2. ``h`` is the state after the step. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    return (1 - h**2)[:, :, None] * W_hh.T
    ### END SOLUTION


# %% tags=["test", "id:step-jacobian-test", "points:9"]
h, W_hh = np.array([[0.5, 0.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])
check_close(
    step_jacobian(h, W_hh),
    np.array([[[0.75, 2.25], [2.0, 4.0]]]),
    "step_jacobian, worked number",
    hints={
        "W_hh must be transposed: rows of J belong to the output.": (
            np.array([[[0.75, 1.5], [3.0, 4.0]]])
        ),
        "The slopes belong to the rows, not to the columns.": np.array([[[0.75, 3.0], [1.5, 4.0]]]),
        "The slope of tanh is 1 - h squared.": np.array([[[0.5, 1.5], [2.0, 4.0]]]),
        "It is the transpose of J: rows must belong to the output.": (
            np.array([[[0.75, 2.0], [2.25, 4.0]]])
        ),
        "The slope of the tanh is missing.": np.array([[[1.0, 3.0], [2.0, 4.0]]]),
        "h is already the tanh: do not apply it again.": (
            np.array([[[1.0, 3.0], [2.0, 4.0]]]) / np.cosh(np.array([[[0.5], [0.0]]])) ** 2
        ),
    },
    axes="B H H",
)
rng = np.random.default_rng(1)
params = init_params(D=3, H=4, rng=rng)
x, h_prev = rng.normal(size=(2, 1, 3)), rng.normal(size=(2, 4))
h = rnn_forward(x, h_prev, params)[:, 0]
h_before, W_before = h.copy(), params["W_hh"].copy()
J = step_jacobian(h, params["W_hh"])
check_unchanged(h_before, h, "step_jacobian: h")
check_unchanged(W_before, params["W_hh"], "step_jacobian: W_hh")
check_shape(J, (2, 4, 4), "step_jacobian", axes="B H H")
check_close(
    J,
    measured_jacobians(x, h_prev, params)[:, 0],
    "step_jacobian, against moving each entry of the state before",
    rtol=1e-6,
    atol=1e-8,
    axes="B H H",
)
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(601)
for B, H in [(3, 5), (1, 2), (4, 1), (5, 3)]:
    params = init_params(D=2, H=H, rng=rng, scale=1.5)
    x, h_prev = rng.normal(size=(B, 1, 2)), rng.normal(size=(B, H))
    h = rnn_forward(x, h_prev, params)[:, 0]
    drive = torch.tensor(x[:, 0] @ params["W_xh"] + params["b_h"])
    W = torch.tensor(params["W_hh"])
    leaf = torch.tensor(h_prev)
    leaf = leaf.requires_grad_()
    after = torch.tanh(drive + leaf @ W)
    rows = [torch.autograd.grad(after[:, i].sum(), leaf, retain_graph=True)[0] for i in range(H)]
    expected = torch.stack(rows, dim=1).numpy()
    label = f"step_jacobian, a batch of {B}, {H} units"
    hints = {"It is transposed.": expected.swapaxes(1, 2)} if H > 1 else {}
    check_close(step_jacobian(h, params["W_hh"]), expected, label, 1e-10, 1e-13, hints, "B H H")
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · Many steps
#
# *Medium, 20 minutes, about 8 lines, 12 points.*
#
# By the chain rule, the reaction of $h_t$ to a state further back is the product of the Jacobians in between:
#
# $$\frac{\partial h_t}{\partial h_k} = J_t\, J_{t-1} \cdots J_{k+1}, \qquad \frac{\partial h_t}{\partial h_t} = I \tag{6.3}$$
#
# The latest step stands on the left.
# Matrices do not commute, so the order matters.
#
# *Shapes.* `h` (B, T, H), the states after steps `0` to `T - 1`; result (B, H, H).
# `t` and `k` are indices of the array `h`: the result is $\partial$ `h[:, t]` / $\partial$ `h[:, k]`, and it uses the Jacobians of the steps `k + 1`, …, `t`.
# The future does not act on the past: `t < k` raises `ValueError`, and so do indices outside of `0 … T - 1`.
#
# *Worked number.* One unit, $W_{hh} = 2$, states $h = (0, 0.5, 0.8)$. From `k = 0` to `t = 2`: $(1 - 0.64) \cdot 2 \cdot (1 - 0.25) \cdot 2 = 1.08$.
# The slope of step 0 is not in it.

# %% tags=["exercise", "id:jacobian-product"]
def jacobian_product(
    h: Float[Array, "B T H"], W_hh: Float[Array, "H H"], t: int, k: int
) -> Float[Array, "B H H"]:
    """Return the derivative of ``h[:, t]`` by ``h[:, k]``; the identity when ``t == k``.

    Source: eq. 6.3. Inputs are not modified.

    Raises:
        ValueError: not 0 <= k <= t < T.
    """
    ### BEGIN SOLUTION
    B, T, H = h.shape
    if not 0 <= k <= t < T:
        raise ValueError(f"jacobian_product: expected 0 <= k <= t < {T}, got t={t}, k={k}")
    product = np.tile(np.eye(H), (B, 1, 1))
    for i in range(k + 1, t + 1):
        product = step_jacobian(h[:, i], W_hh) @ product
    return product
    ### END SOLUTION


# %% tags=["test", "id:jacobian-product-test", "points:12"]
one, W_one = np.array([[[0.0], [0.5], [0.8]]]), np.array([[2.0]])
check_close(
    jacobian_product(one, W_one, 2, 0),
    np.array([[[1.08]]]),
    "jacobian_product, worked number",
    hints={
        "It takes the slopes of steps k to t - 1; they should be those of k + 1 to t.": (
            np.array([[[3.0]]])
        ),
        "It has one step too many: h[:, k] itself is not passed through.": np.array([[[2.16]]]),
        "It has one step too few: step t is passed through as well.": np.array([[[1.5]]]),
    },
)
rng = np.random.default_rng(2)
params = init_params(D=3, H=4, rng=rng)
x, h0 = rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 4))
h = rnn_forward(x, h0, params)
h_before, W_before = h.copy(), params["W_hh"].copy()
identity = np.stack([np.eye(4)] * 2)
check_close(jacobian_product(h, params["W_hh"], 3, 3), identity, "jacobian_product, t = k = 3")
J = measured_jacobians(x, h0, params)
close = {"rtol": 1e-6, "atol": 1e-8, "axes": "B H H"}
check_close(jacobian_product(h, params["W_hh"], 5, 4), J[:, 5], "jacobian_product, t = 5, k = 4", **close)
check_close(
    jacobian_product(h, params["W_hh"], 5, 3),
    J[:, 5] @ J[:, 4],
    "jacobian_product, t = 5, k = 3",
    hints={
        "The factors are in the wrong order: the latest step stands on the left.": (
            J[:, 4] @ J[:, 5]
        ),
        "It multiplies entry by entry; eq. 6.3 has matrix products.": J[:, 4] * J[:, 5],
        "W_hh cannot be pulled out of the product: between two matrices stand the slopes.": (
            ((1 - h[:, 4] ** 2) * (1 - h[:, 5] ** 2))[:, :, None]
            * (params["W_hh"] @ params["W_hh"]).T
        ),
    },
    **close,
)
check_unchanged(h_before, h, "jacobian_product: h")
check_unchanged(W_before, params["W_hh"], "jacobian_product: W_hh")
for t, k in [(2, 3), (6, 1), (2, -1)]:
    check_raises(ValueError, jacobian_product, h, params["W_hh"], t, k, when=f"t = {t}, k = {k}")
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(602)
for B, T, H in [(3, 7, 4), (1, 5, 2), (4, 9, 3)]:
    params = init_params(D=2, H=H, rng=rng, scale=1.3)
    x, h0 = rng.normal(size=(B, T, 2)), rng.normal(size=(B, H))
    h = rnn_forward(x, h0, params)
    W, drive = torch.tensor(params["W_hh"]), torch.tensor(x @ params["W_xh"] + params["b_h"])
    for t, k in [(T - 1, 0), (T - 1, T - 2), (3, 1), (0, 0), (T - 2, 1)]:
        leaf = torch.tensor(h[:, k], requires_grad=True)
        after = leaf * 1
        for i in range(k + 1, t + 1):
            after = torch.tanh(drive[:, i] + after @ W)
        rows = [torch.autograd.grad(after[:, i].sum(), leaf, retain_graph=True)[0] for i in range(H)]
        expected = torch.stack(rows, dim=1).numpy()
        got = jacobian_product(h, params["W_hh"], t, k)
        label = f"jacobian_product, a batch of {B}, {t - k} steps"
        check_close(got, expected, label, 1e-9, 1e-12, axes="B H H")
check_raises(ValueError, jacobian_product, h, params["W_hh"], T, 0, when="t = T")
check_raises(ValueError, jacobian_product, h, params["W_hh"], -1, -2, when="indices below 0")
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · What reaches each step
#
# *Medium, 25 minutes, about 8 lines, 13 points.*
#
# Suppose there is a loss at the last step only, and it sends the gradient $g_T = \partial \mathcal{L} / \partial h_T$ back.
# No Jacobian is needed to follow it: a row times $\operatorname{diag}(d)$ is a product entry by entry, so
#
# $$g_{t-1} = \bigl( g_t \odot (1 - h_t^2) \bigr)\, W_{hh}^\top, \qquad t = T, \dots, 2 \tag{6.4}$$
#
# costs $H^2$ for each example and step, where building eq. 6.3 costs $H^3$.
# Return the Euclidean norm of $g_t$ for every example and every step.
#
# *Shapes.* `d_last` (B, H), the gradient at the last state `h[:, -1]`; `h` (B, T, H); result (B, T), in the order of the steps: the last column is the norm of `d_last` itself, the first that of the gradient at `h[:, 0]`.
#
# *Worked number.* The states of part 2, $h = (0, 0.5, 0.8)$, $W_{hh} = 2$, and $g_3 = -1$: going back, $-1 \cdot 0.36 \cdot 2 = -0.72$, then $-0.72 \cdot 0.75 \cdot 2 = -1.08$. The result is $(1.08, 0.72, 1)$.

# %% tags=["exercise", "id:gradient-norms"]
def gradient_norms(
    d_last: Float[Array, "B H"], h: Float[Array, "B T H"], W_hh: Float[Array, "H H"]
) -> Float[Array, "B T"]:
    """Return the norm of the loss's gradient at each state, for a loss at the last step only.

    Source: eq. 6.4. Time O(B T H^2): no Jacobian is built. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    B, T, _ = h.shape
    norms, g = np.zeros((B, T)), d_last
    for t in reversed(range(T)):
        norms[:, t] = np.linalg.norm(g, axis=1)
        g = (g * (1 - h[:, t] ** 2)) @ W_hh.T
    return norms
    ### END SOLUTION


# %% tags=["test", "id:gradient-norms-test", "points:13"]
one, W_one = np.array([[[0.0], [0.5], [0.8]]]), np.array([[2.0]])
check_close(
    gradient_norms(np.array([[-1.0]]), one, W_one),
    np.array([[1.08, 0.72, 1.0]]),
    "gradient_norms, worked number",
    hints={
        "The order of the steps is reversed: the last column belongs to the last state.": (
            np.array([[1.0, 0.72, 1.08]])
        ),
        "These are the gradients, not their norms.": np.array([[-1.08, -0.72, -1.0]]),
        "On the way from h_t to h_(t-1) the slope is that of step t.": np.array([[3.0, 1.5, 1.0]]),
        "The last column is the norm of d_last itself, before any step back.": (
            np.array([[2.16, 1.08, 0.72]])
        ),
    },
)
rng = np.random.default_rng(3)
params = init_params(D=3, H=4, rng=rng, scale=1.2)
x, h0, d_last = rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
h = rnn_forward(x, h0, params)
before = [d_last.copy(), h.copy(), params["W_hh"].copy()]
norms = gradient_norms(d_last, h, params["W_hh"])
check_unchanged(before, [d_last, h, params["W_hh"]], "gradient_norms: [d_last, h, W_hh]")
check_shape(norms, (2, 6), "gradient_norms", axes="B T")
by_product, transposed = np.zeros((2, 6)), np.zeros((2, 6))
M, J = np.stack([np.eye(4)] * 2), measured_jacobians(x, h0, params)
for k in reversed(range(6)):
    by_product[:, k] = np.linalg.norm(np.einsum("bi,bij->bj", d_last, M), axis=1)
    transposed[:, k] = np.linalg.norm(np.einsum("bij,bj->bi", M, d_last), axis=1)
    M = M @ J[:, k]
check_close(
    norms,
    by_product,
    "gradient_norms, against products of measured Jacobians",
    rtol=1e-6,
    atol=1e-8,
    hints={
        "A gradient is a row: it stands to the left of the product.": transposed,
        "Every example has a norm of its own: sum the squares over the units only.": (
            np.stack([np.linalg.norm(by_product, axis=0)] * 2)
        ),
    },
    axes="B T",
)
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(603)
for B, T, H, scale in [(3, 8, 5, 1.0), (1, 40, 6, 0.4), (4, 1, 3, 1.0), (2, 5, 1, 1.0)]:
    params = init_params(D=2, H=H, rng=rng, scale=scale)
    x, h0, d_last = rng.normal(size=(B, T, 2)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    h = rnn_forward(x, h0, params)
    W, drive = torch.tensor(params["W_hh"]), torch.tensor(x @ params["W_xh"] + params["b_h"])
    states = [torch.tensor(h[:, 0], requires_grad=True)]
    for t in range(1, T):
        states.append(torch.tanh(drive[:, t] + states[-1] @ W))
    found = torch.autograd.grad((torch.tensor(d_last) * states[-1]).sum(), states)
    expected = torch.stack([g.norm(dim=1) for g in found], dim=1).numpy()
    got = gradient_norms(d_last, h, params["W_hh"])
    label = f"gradient_norms, a batch of {B}, {T} steps"
    hints = {"One number for the whole batch: every example has its own norm.": (
        np.tile(np.linalg.norm(expected, axis=0), (B, 1)))} if B > 1 else {}
    check_close(got, expected, label, 1e-9, 1e-25, hints, "B T")
zero = gradient_norms(np.zeros((B, H)), h, params["W_hh"])
check_close(zero, np.zeros((B, T)), "gradient_norms: nothing sent, nothing arrives")
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · Choosing a spectral radius
#
# *Easy, 15 minutes, about 4 lines, 10 points.*
#
# The spectral radius $\rho(W)$ is the largest *absolute value* of an eigenvalue; eigenvalues of a real matrix may be negative or complex.
# Since $(cW)v = c\lambda v$ whenever $Wv = \lambda v$, multiplying a matrix by $c$ multiplies all its eigenvalues by $c$, and
#
# $$W' = \frac{r}{\rho(W)}\, W \qquad \text{has} \qquad \rho(W') = r \tag{6.5}$$
#
# A matrix whose eigenvalues are all zero cannot be scaled to any radius; then raise `ValueError`.
# Rounding makes such eigenvalues come out as tiny numbers instead of zeros, so treat $\rho(W) \le 10^{-10}\, \lVert W \rVert$ as zero (any matrix norm will do, and so does the zero matrix).
#
# *Worked number.* $W = \begin{pmatrix} 0 & -4 \\ 1 & 0 \end{pmatrix}$ has the eigenvalues $\pm 2i$, so $\rho = 2$, and to get the radius $0.5$ it is divided by 4.
# Its largest singular value is 4: that is *not* what is asked for.

# %% tags=["exercise", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W: Float[Array, "H H"], radius: float) -> Float[Array, "H H"]:
    """Return ``W`` times the positive number that gives it the spectral radius ``radius``.

    Source: eq. 6.5. The result is real. ``W`` is not modified.

    Raises:
        ValueError: all eigenvalues of ``W`` are zero (up to 1e-10 of its norm).
    """
    ### BEGIN SOLUTION
    largest = np.abs(np.linalg.eigvals(W)).max()
    if largest <= 1e-10 * np.linalg.norm(W):
        raise ValueError("rescale_spectral_radius: all eigenvalues are zero")
    return W * (radius / largest)
    ### END SOLUTION


# %% tags=["test", "id:rescale-spectral-radius-test", "points:10"]
W = np.array([[0.0, -4.0], [1.0, 0.0]])
W_before = W.copy()
got = rescale_spectral_radius(W, 0.5)
check_unchanged(W_before, W, "rescale_spectral_radius: W")
check_close(
    got,
    W / 4,
    "rescale_spectral_radius, worked number",
    hints={
        "That scales the largest singular value; eq. 6.5 has eigenvalues.": W / 8,
        "That scales the Frobenius norm; eq. 6.5 has eigenvalues.": W / np.sqrt(17) / 2,
        "The matrix is multiplied by the radius, not scaled to it.": W / 2,
        "Use the eigenvalues of W itself; W is not symmetric.": W / 3,
    },
)
negative = np.diag([1.0, -2.0])
check_close(
    rescale_spectral_radius(negative, 1.0),
    negative / 2,
    "rescale_spectral_radius: an eigenvalue of -2 and one of 1",
    hints={"-2 is the larger one, in absolute value.": negative},
)
check_raises(
    ValueError, rescale_spectral_radius, np.zeros((3, 3)), 1.0, when="W is zero"
)
nilpotent = np.array([[2.0, 1.0], [-4.0, -2.0]])
check_raises(
    ValueError, rescale_spectral_radius, nilpotent, 1.0, when="all eigenvalues are zero, W is not"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(604)
for H, radius in [(3, 0.9), (6, 1.5), (1, 0.2), (8, 1.0)]:
    W = rng.normal(size=(H, H))
    W_before = W.copy()
    got = rescale_spectral_radius(W, radius)
    label = f"rescale_spectral_radius, {H} units"
    check_shape(got, (H, H), label)
    check_unchanged(W_before, W, label + ": W")
    power = max(abs(root) for root in np.roots(np.poly(W)))
    check_close(got, W * radius / power, label, rtol=1e-6, hints={
        "It has the right size and the wrong sign: divide by an absolute value.": (
            -W * radius / power),
        "It uses the largest singular value.": W * radius / np.linalg.norm(W, 2),
    })
    check_close(got * 7, rescale_spectral_radius(W * 0.01, 7 * radius), label + ", W of another size")
turn = 3 * np.array([[np.cos(2.0), -np.sin(2.0)], [np.sin(2.0), np.cos(2.0)]])
check_close(
    rescale_spectral_radius(turn, 1.0), turn / 3,
    "rescale_spectral_radius: complex eigenvalues (take their absolute value, not the real part)",
)
check_close(rescale_spectral_radius(turn, 0.0), 0 * turn, "rescale_spectral_radius: radius 0")
small = 1e-13 * np.diag([1.0, 3.0])
check_close(
    rescale_spectral_radius(small, 3.0), np.diag([1.0, 3.0]),
    "rescale_spectral_radius: a tiny matrix (compare its radius with its own norm)",
)
upper = np.triu(rng.normal(size=(3, 3)), 1)
check_raises(ValueError, rescale_spectral_radius, upper, 1.0, when="W is strictly triangular")
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · What to expect
#
# *Medium, 25 minutes, about 7 lines, 12 points.*
#
# A product stretches a vector at most by the product of the stretches of its factors: $\operatorname{diag}(d)$ stretches by $\max_i |d_i|$ at most, $W_{hh}^\top$ by its largest singular value $\sigma_{\max}$.
# So no gradient that starts with norm 1 at the last state can arrive at $h_t$ with a norm above
#
# $$\beta_t = \prod_{i=t+1}^{T} \Bigl( \sigma_{\max}(W_{hh}) \cdot \max_j (1 - h_{i,j}^2) \Bigr), \qquad \beta_T = 1 \tag{6.6}$$
#
# (Pascanu, Mikolov and Bengio, 2013, use the weaker bound with $\max_j(1 - h^2) \le 1$, which holds for every input.
# The largest singular value is the right quantity here; the largest eigenvalue would not give a bound, see chapter 6.)
#
# *Shapes.* `h` (B, T, H); result (B, T), in the order of the steps like that of part 3, so that `gradient_norms(...) <= norm of d_last * decay_bound(...)`.
#
# *Worked number.* $h = (0, 0.5, 0.8)$, $W_{hh} = -2$: the stretch is $2$, the slopes of the last two steps are $0.75$ and $0.36$, and $\beta = (1.08, 0.72, 1)$.
# With one unit the bound is reached.

# %% tags=["exercise", "id:decay-bound"]
def decay_bound(h: Float[Array, "B T H"], W_hh: Float[Array, "H H"]) -> Float[Array, "B T"]:
    """Return, for each step, a bound on the norm of a gradient that left the last state with norm 1.

    Source: Pascanu et al. (2013), with the slopes of the states put in: eq. 6.6.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    stretch = np.linalg.norm(W_hh, 2) * (1 - h**2).max(axis=2)
    bound = np.ones(stretch.shape)
    for t in reversed(range(h.shape[1] - 1)):
        bound[:, t] = bound[:, t + 1] * stretch[:, t + 1]
    return bound
    ### END SOLUTION


# %% tags=["test", "id:decay-bound-test", "points:12"]
one, W_one = np.array([[[0.0], [0.5], [0.8]]]), np.array([[2.0]])
check_close(
    decay_bound(one, -W_one),
    np.array([[1.08, 0.72, 1.0]]),
    "decay_bound, worked number",
    hints={
        "The first step's slope is not passed through: start with 1 at the last column.": (
            np.array([[2.16, 1.08, 0.72]])
        ),
        "It is in reverse order.": np.array([[1.0, 0.72, 1.08]]),
        "The slopes are missing, eq. 6.6.": np.array([[4.0, 2.0, 1.0]]),
        "It takes the slopes of steps t to T - 1; they should be those of t + 1 to T.": (
            np.array([[3.0, 1.5, 1.0]])
        ),
    },
)
wide = np.array([[3.0, 0.0], [4.0, 0.0]])
still = np.zeros((1, 2, 2))
check_close(
    decay_bound(still, wide),
    np.array([[5.0, 1.0]]),
    "decay_bound: h = 0, W_hh = ((3, 0), (4, 0))",
    hints={
        "That is the spectral radius; eq. 6.6 has the largest singular value.": (
            np.array([[3.0, 1.0]])
        ),
        "That is the largest column sum or entry, not the largest singular value.": (
            np.array([[7.0, 1.0]])
        ),
    },
)
rng = np.random.default_rng(4)
params = init_params(D=3, H=4, rng=rng, scale=1.2)
x, h0, d_last = rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
h = rnn_forward(x, h0, params)
before = [h.copy(), params["W_hh"].copy()]
bound = decay_bound(h, params["W_hh"])
check_unchanged(before, [h, params["W_hh"]], "decay_bound: [h, W_hh]")
check_shape(bound, (2, 6), "decay_bound", axes="B T")
row, J = d_last / np.linalg.norm(d_last, axis=1, keepdims=True), measured_jacobians(x, h0, params)
for t in reversed(range(6)):
    arrived = np.linalg.norm(row, axis=1)
    assert (arrived <= bound[:, t] * (1 + 1e-6)).all(), f"decay_bound: too small at step {t}."
    row = np.einsum("bi,bij->bj", row, J[:, t])
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(605)
for B, T, H, scale in [(3, 7, 4, 1.4), (1, 30, 6, 0.6), (2, 1, 3, 1.0), (4, 9, 2, 2.0)]:
    params = init_params(D=2, H=H, rng=rng, scale=scale)
    x, h0 = rng.normal(size=(B, T, 2)), rng.normal(size=(B, H))
    h = rnn_forward(x, h0, params)
    W = params["W_hh"]
    top = np.sqrt(np.linalg.eigvalsh(W @ W.T).max())
    slopes = 1 - h * h
    expected, of_jacobians, means = np.ones((B, T)), np.ones((B, T)), np.ones((B, T))
    frobenius = np.ones((B, T))
    for t in range(T - 2, -1, -1):
        expected[:, t] = expected[:, t + 1] * top * slopes[:, t + 1].max(axis=1)
        means[:, t] = means[:, t + 1] * top * slopes[:, t + 1].mean(axis=1)
        frobenius[:, t] = frobenius[:, t + 1] * np.linalg.norm(W) * slopes[:, t + 1].max(axis=1)
        stretch = [np.linalg.norm(np.diag(s) @ W.T, 2) for s in slopes[:, t + 1]]
        of_jacobians[:, t] = of_jacobians[:, t + 1] * np.array(stretch)
    hints = {}
    if T > 1:
        hints = {
            "It takes the mean slope; only the largest gives a bound.": means,
            "It takes the Frobenius norm of W_hh, which is larger than needed.": frobenius,
            "It multiplies norms of whole Jacobians: a bound, but not that of eq. 6.6.": of_jacobians,
        }
    label = f"decay_bound, a batch of {B}, {T} steps"
    check_close(decay_bound(h, W), expected, label, 1e-9, 1e-30, hints, "B T")
### END HIDDEN TESTS


# %% [markdown]
# ### What you have built
#
# Four recurrent matrices, scaled with your own function, in a network with weak inputs: what arrives over 30 steps, and what the bound allows.
# The last two columns differ by many powers of ten for random matrices, because their largest singular value is about twice their spectral radius.

# %%
rng = np.random.default_rng(5)
params, h0, d_last = init_params(D=3, H=32, rng=rng), np.zeros((4, 32)), rng.normal(size=(4, 32))
x = 0.2 * rng.normal(size=(4, 31, 3))
print("radius   singular value   arrives over 30 steps     bound")
for radius in (0.5, 0.9, 1.1, 1.5):
    W_hh = rescale_spectral_radius(params["W_hh"], radius)
    h = rnn_forward(x, h0, params | {"W_hh": W_hh, "b_h": 0 * params["b_h"]})
    norms = gradient_norms(d_last, h, W_hh)
    share = (norms[:, 0] / norms[:, -1]).mean()
    top = np.linalg.norm(W_hh, 2)
    print(f"{radius:6}   {top:14.2f}   {share:21.1e}   {decay_bound(h, W_hh)[:, 0].mean():7.1e}")

# %% [markdown]
# ## 6 · Clipping
#
# *Medium, 20 minutes, about 6 lines, 13 points.*
#
# Against explosions: when the gradient of *all parameters together* is longer than a threshold $\tau$, shorten it to $\tau$ (Pascanu, Mikolov and Bengio, 2013).
#
# $$\lVert g \rVert = \sqrt{\textstyle\sum_{p} \sum_i g_{p,i}^2}, \qquad g_p \leftarrow \min\Bigl(1, \frac{\tau}{\lVert g \rVert}\Bigr)\, g_p \tag{6.7}$$
#
# One factor for all parameters: the direction stays.
# The norm is that of the *gradient*; on one slide of Peeters' lecture it reads $\lVert \theta \rVert$, the norm of the parameters, which is a slip.
#
# *Shapes.* `grads` is a dict of arrays of any shapes; the result is a new dict with the same keys and shapes, and the norm *before* clipping, a float, which is worth logging.
# The arrays that are passed in stay as they are.
# A gradient of zeros stays zero.
# When a gradient contains NaN or infinity there is no direction left to keep: raise `ValueError`, and likewise when `max_norm` is not positive.
#
# *Worked number.* Gradients $(2, 2, 1)$ and $(4)$ have the global norm $\sqrt{4 + 4 + 1 + 16} = 5$. With $\tau = 1$ they become $(0.4, 0.4, 0.2)$ and $(0.8)$; with $\tau = 10$ they stay.

# %% tags=["exercise", "id:clip-by-global-norm"]
def clip_by_global_norm(grads: Params, max_norm: float) -> tuple[Params, float]:
    """Return the gradients, scaled down together if their global norm exceeds ``max_norm``, and
    the norm before clipping.

    Source: Pascanu et al. (2013), algorithm 1; eq. 6.7. ``grads`` is not modified.

    Raises:
        ValueError: ``max_norm`` is not positive, or the norm is not finite.
    """
    ### BEGIN SOLUTION
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values())))
    if max_norm <= 0 or not np.isfinite(norm):
        raise ValueError(f"clip_by_global_norm: max_norm={max_norm}, norm of the gradient {norm}")
    factor = max_norm / norm if norm > max_norm else 1.0
    return {key: factor * g for key, g in grads.items()}, norm
    ### END SOLUTION


# %% tags=["test", "id:clip-by-global-norm-test", "points:13"]
grads = {"W": np.array([[2.0, 2.0, 1.0]]), "b": np.array([4.0])}
before = {key: value.copy() for key, value in grads.items()}
got = clip_by_global_norm(grads, 1.0)
check_unchanged(before, grads, "clip_by_global_norm: grads")
assert type(got) is tuple and len(got) == 2, "clip_by_global_norm: return the dict and the norm."
clipped, norm = got
check_close(
    norm,
    5.0,
    "clip_by_global_norm, worked number: the norm",
    hints={
        "That is the norm after clipping; return the one before.": 1.0,
        "That is the sum of the norms: take the root of the sum of all squares.": 7.0,
        "The square root is missing.": 25.0,
        "That is the largest of the norms: the global norm has all entries in it.": 4.0,
    },
)
check_close(
    clipped,
    {"W": np.array([[0.4, 0.4, 0.2]]), "b": np.array([0.8])},
    "clip_by_global_norm, worked number, max_norm = 1",
    hints={
        "Each parameter is clipped by its own norm: there is one factor for all.": {
            "W": np.array([[2.0, 2.0, 1.0]]) / 3, "b": np.array([1.0])
        },
        "Each entry is clipped by itself: there is one factor for all.": {
            "W": np.array([[1.0, 1.0, 1.0]]), "b": np.array([1.0])
        },
    },
)
kept, _ = clip_by_global_norm(grads, 10.0)
check_close(
    kept,
    grads,
    "clip_by_global_norm, max_norm = 10",
    hints={
        "It lengthens short gradients: the factor is at most 1.": {
            key: 2 * value for key, value in grads.items()
        },
    },
)
zeros = {"W": np.zeros((2, 3)), "b": np.zeros(3)}
still, norm = clip_by_global_norm(zeros, 1.0)
check_close(still, zeros, "clip_by_global_norm: gradients of zeros")
check_close(norm, 0.0, "clip_by_global_norm: the norm of zeros")
check_raises(ValueError, clip_by_global_norm, grads, 0.0, when="max_norm = 0")
broken = {"W": np.array([1.0, np.nan]), "b": np.ones(1)}
check_raises(ValueError, clip_by_global_norm, broken, 1.0, when="a gradient contains NaN")
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(606)
for scale, max_norm in [(10.0, 1.0), (1.0, 0.3), (0.01, 5.0), (1e-9, 1e-12)]:
    shapes = {"W_xh": (3, 4), "W_hh": (4, 4), "b_h": (4,), "gain": (), "E": (2, 3, 5)}
    grads = {key: np.asarray(scale * rng.normal(size=shape)) for key, shape in shapes.items()}
    before = {key: value.copy() for key, value in grads.items()}
    clipped, norm = clip_by_global_norm(grads, max_norm)
    check_unchanged(before, grads, "clip_by_global_norm: grads")
    whole = np.concatenate([g.ravel() for g in grads.values()])
    length = np.sqrt(whole @ whole)
    label = "clip_by_global_norm, five parameters, "
    label += "norm above the threshold" if length > max_norm else "norm below the threshold"
    check_close(norm, length, label + ": the norm", 1e-9, 0)
    assert isinstance(clipped, dict) and set(clipped) == set(grads), f"{label}: keys differ."
    found = np.concatenate([np.ravel(clipped[key]) for key in grads])
    check_close(found, min(1, max_norm / length) * whole, label, 1e-9, 0, {
        "A small constant seems to be added to the norm.": (
            min(1, max_norm / (length + 1e-6)) * whole),
        "Every entry is clipped by itself, which changes the direction.": (
            np.clip(whole, -max_norm, max_norm)),
    })
    again, _ = clip_by_global_norm(clipped, max_norm)
    second = np.concatenate([np.ravel(again[key]) for key in grads])
    check_close(second, found, label + ": clipping twice changes nothing more", 1e-9, 0)
leaf = torch.tensor(whole, requires_grad=True)
leaf.grad = torch.tensor(1e12 * whole)
torch.nn.utils.clip_grad_norm_([leaf], 2.0)
by_torch, _ = clip_by_global_norm({"only": 1e12 * whole}, 2.0)
check_close(by_torch["only"], leaf.grad.numpy(), "clip_by_global_norm against torch", 1e-6, 1e-12)
grads = {"W": np.array([[2.0, 2.0, 1.0]]), "b": np.array([4.0])}
exact, _ = clip_by_global_norm(grads, 5.0)
check_close(exact, grads, "clip_by_global_norm: a norm of exactly max_norm")
broken = {"W": np.ones(2), "b": np.array([np.inf])}
check_raises(ValueError, clip_by_global_norm, broken, 1.0, when="a gradient is infinite")
check_raises(ValueError, clip_by_global_norm, grads, -1.0, when="max_norm is negative")
### END HIDDEN TESTS


# %% [markdown]
# ### The cliff, with your own clipping
#
# One unit $h_t = \sigma(w h_{t-1} + b)$ over fifty steps, and the loss $(h_{50} - 0.7)^2$, as in the chapter.
# Gradient descent with and without your function, from the same ten starts with the same learning rate.

# %%
def cliff_gradient(w: float, b: float) -> tuple[float, Params]:
    """Return the loss and its gradient by w and b, carried along forward."""
    h, h_w, h_b = 0.5, 0.0, 0.0
    for _ in range(50):
        new = 0.5 + 0.5 * math.tanh((w * h + b) / 2)  # the logistic function, without overflow
        slope = new * (1 - new)
        h, h_w, h_b = new, slope * (h + w * h_w), slope * (1 + w * h_b)
    error = h - 0.7
    return error**2, {"w": np.array(2 * error * h_w), "b": np.array(2 * error * h_b)}


starts = np.array([6.0, -2.6]) + 0.1 * np.random.default_rng(6).normal(size=(10, 2))
for max_norm in (1e9, 0.5):
    losses, largest = [], 0.0
    for w, b in starts:
        for _ in range(150):
            _, grads = cliff_gradient(w, b)
            grads, norm = clip_by_global_norm(grads, max_norm)
            largest = max(largest, norm)
            w, b = w - 0.5 * float(grads["w"]), b - 0.5 * float(grads["b"])
        losses.append(cliff_gradient(w, b)[0])
    found = sum(loss < 0.02 for loss in losses)
    print(f"max_norm {max_norm:g}: {found} of 10 runs reach the minimum; largest gradient {largest:.0f}")

# %% [markdown]
# ## 7 · A start at which nothing vanishes
#
# *Medium, 20 minutes, about 5 lines, 10 points.*
#
# An orthogonal matrix, $Q Q^\top = I$, changes no vector's length, so a linear recurrent network with $W_{hh} = Q$ passes gradients on unchanged.
# To draw one at random, take a matrix $A$ with independent standard normal entries and its QR decomposition $A = QR$, with $R$ upper triangular.
#
# There is a catch (Mezzadri, 2007).
# The decomposition is not unique: flip the sign of a column of $Q$ and of the same row of $R$, and the product stays.
# Library routines choose these signs by an internal rule, so that their $Q$ is *not* equally likely to point everywhere; numpy's first entry, for example, is hardly ever positive.
# The cure is to make the diagonal of $R$ positive:
#
# $$Q' = Q \operatorname{diag}(\operatorname{sign}(R_{11}), \dots, \operatorname{sign}(R_{HH})), \qquad W = \text{gain} \cdot Q' \tag{6.8}$$
#
# *Shapes.* Result (H, H). All random numbers come from `rng`: the same generator state gives the same matrix, and a second call another one.
#
# *Worked number.* For $A = \begin{pmatrix} 0 & 2 \\ 3 & 0 \end{pmatrix}$ numpy finds $Q = \begin{pmatrix} 0 & -1 \\ -1 & 0 \end{pmatrix}$, $R = \operatorname{diag}(-3, -2)$, so $Q' = \begin{pmatrix} 0 & 1 \\ 1 & 0 \end{pmatrix}$.

# %% tags=["exercise", "id:orthogonal-init"]
def orthogonal_init(H: int, rng: np.random.Generator, gain: float = 1.0) -> Float[Array, "H H"]:
    """Return ``gain`` times a random orthogonal matrix, all directions equally likely.

    Source: Mezzadri (2007); eq. 6.8. Randomness comes from ``rng`` only.
    """
    ### BEGIN SOLUTION
    Q, R = np.linalg.qr(rng.normal(size=(H, H)))
    return gain * Q * np.sign(np.diag(R))
    ### END SOLUTION


# %% tags=["test", "id:orthogonal-init-test", "points:10"]
Q = orthogonal_init(5, np.random.default_rng(6))
check_shape(Q, (5, 5), "orthogonal_init", axes="H H")
check_close(Q @ Q.T, np.eye(5), "orthogonal_init: Q times its transpose", atol=1e-12)
check_close(Q.T @ Q, np.eye(5), "orthogonal_init: the transpose times Q", atol=1e-12)
doubled = orthogonal_init(5, np.random.default_rng(6), gain=2.0)
check_close(
    doubled,
    2 * Q,
    "orthogonal_init: the same generator with gain 2",
    hints={"The gain is not used.": Q},
)
rng = np.random.default_rng(7)
first, second = orthogonal_init(4, rng), orthogonal_init(4, rng)
assert abs(first - second).max() > 1e-3, "orthogonal_init: two calls give the same matrix."
far = np.ones((1, 4))
for _ in range(200):
    far = far @ first.T
check_close(np.linalg.norm(far), 2.0, "orthogonal_init: the length of (1, 1, 1, 1) after 200 steps")
signs = np.array([np.sign(orthogonal_init(3, rng)[0, 0]) for _ in range(100)])
assert abs(signs.mean()) < 0.6, (
    "orthogonal_init: its first entry nearly always has the same sign. "
    "Multiply the columns of Q by the signs of the diagonal of R, eq. 6.8."
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(607)
for H, gain in [(1, 1.0), (2, 0.5), (7, 1.3)]:
    Q = orthogonal_init(H, rng, gain)
    label = f"orthogonal_init, {H} units"
    check_shape(Q, (H, H), label)
    singular = np.linalg.svd(Q, compute_uv=False)
    check_close(singular, np.full(H, gain), label + ": singular values", atol=1e-10)
draws = np.array([orthogonal_init(3, rng) for _ in range(300)])
dets = np.linalg.det(draws)
assert 0.3 < (dets > 0).mean() < 0.7, (
    "orthogonal_init: determinants of +1 and -1 should be equally frequent, eq. 6.8."
)
assert abs(draws.mean(axis=0)).max() < 0.2, (
    "orthogonal_init: some entries lean to one sign. Each column needs its own sign, eq. 6.8."
)
spread = (draws**2).mean(axis=0)
assert abs(spread - 1 / 3).max() < 0.1, (
    "orthogonal_init: some directions come up more often than others. Are the entries normal?"
)
state = np.random.default_rng(1).bit_generator.state
rng = np.random.default_rng(1)
once = orthogonal_init(4, rng)
rng.bit_generator.state = state
check_close(orthogonal_init(4, rng), once, "orthogonal_init: the same generator state again")
### END HIDDEN TESTS


# %% [markdown]
# ## 8 · Shorter ways
#
# *Medium, 25 minutes, about 9 lines, 11 points.*
#
# Peeters' lecture adds short-cuts between hidden states that are more than one step apart, with a matrix of their own:
#
# $$h_t = \tanh(x_t W_{xh} + h_{t-1} W_{hh} + h_{t-s} W_{sh} + b_h) \tag{6.9}$$
#
# The state at time 0 is `h0`; before it there is nothing, $h_j = 0$ for $j < 0$.
#
# *Shapes.* `x` (B, T, D), `h0` (B, H), result (B, T, H). `params` holds `W_xh`, `W_hh`, `W_sh` and `b_h`; `skip` is $s \ge 1$, else raise `ValueError`.
# $s$ may be larger than $T$; then the short-cut is never used.
#
# *Worked number.* One unit, $W_{xh} = 0$, $b_h = 0$, $W_{hh} = 0$, $W_{sh} = 1$, $s = 2$, $h_0 = 0.5$.
# Then $h_1 = \tanh(h_{-1}) = 0$, $h_2 = \tanh(h_0) = \tanh(0.5) \approx 0.462$, $h_3 = \tanh(h_1) = 0$, $h_4 = \tanh(h_2) \approx 0.432$.

# %% tags=["exercise", "id:skip-rnn-forward"]
def skip_rnn_forward(
    x: Float[Array, "B T D"], h0: Float[Array, "B H"], params: Params, skip: int
) -> Float[Array, "B T H"]:
    """Return the states of a recurrent network that also sees the state ``skip`` steps back.

    Source: Lin et al. (1996), as in Peeters' lecture; eq. 6.9. States before ``h0`` are zero.
    Inputs are not modified.

    Raises:
        ValueError: ``skip`` < 1.
    """
    ### BEGIN SOLUTION
    if skip < 1:
        raise ValueError(f"skip_rnn_forward: expected skip >= 1, got {skip}")
    states = [h0]
    drive = x @ params["W_xh"] + params["b_h"]
    for t in range(1, x.shape[1] + 1):
        far = states[t - skip] if t >= skip else np.zeros_like(h0)
        z = drive[:, t - 1] + states[t - 1] @ params["W_hh"] + far @ params["W_sh"]
        states.append(np.tanh(z))
    return np.stack(states[1:], axis=1)
    ### END SOLUTION


# %% tags=["test", "id:skip-rnn-forward-test", "points:11"]
single = {key: np.zeros((1, 1)) for key in ("W_xh", "W_hh")} | {"W_sh": np.ones((1, 1))}
single["b_h"] = np.zeros(1)
a, b = np.tanh(0.5), np.tanh(np.tanh(0.5))
check_close(
    skip_rnn_forward(np.zeros((1, 4, 1)), np.full((1, 1), 0.5), single, 2),
    np.array([[[0.0], [a], [0.0], [b]]]),
    "skip_rnn_forward, worked number",
    hints={
        "It goes back one step too far: with s = 2, h_2 sees h_0.": (
            np.array([[[0.0], [0.0], [a], [0.0]]])
        ),
        "h_2 sees h_1 and not h_0: is W_sh the matrix of the far state, and is that s steps back?": (
            np.array([[[a], [b], [np.tanh(b)], [np.tanh(np.tanh(b))]]])
        ),
        "Before h0 there are zeros, not h0 again.": np.array([[[a], [a], [b], [b]]]),
        "The short-cut never reaches h0.": np.zeros((1, 4, 1)),
    },
    axes="B T H",
)
rng = np.random.default_rng(8)
params = init_params(D=3, H=4, rng=rng)
x, h0 = rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 4))
before = [x.copy(), h0.copy(), {key: value.copy() for key, value in params.items()}]
h = skip_rnn_forward(x, h0, params, 3)
check_unchanged(before, [x, h0, params], "skip_rnn_forward: [x, h0, params]")
check_shape(h, (2, 6, 4), "skip_rnn_forward", axes="B T H")
plain = rnn_forward(x, h0, params)
check_close(
    skip_rnn_forward(x, h0, params, 9), plain, "skip_rnn_forward: a skip of 9 over 6 steps"
)
check_close(h[:, :2], plain[:, :2], "skip_rnn_forward, skip = 3: the first two steps")
both = params | {"W_hh": params["W_hh"] + params["W_sh"]}
check_close(
    skip_rnn_forward(x, h0, params, 1),
    rnn_forward(x, h0, both),
    "skip_rnn_forward: with skip = 1 the two matrices add up",
    axes="B T H",
)
check_raises(ValueError, skip_rnn_forward, x, h0, params, 0, when="skip = 0")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(608)
for B, T, D, H, skip in [(3, 9, 2, 4, 2), (1, 12, 3, 2, 5), (4, 5, 1, 3, 5), (2, 6, 3, 5, 6)]:
    params = init_params(D=D, H=H, rng=rng)
    x, h0 = rng.normal(size=(B, T, D)), rng.normal(size=(B, H))
    h = skip_rnn_forward(x, h0, params, skip)
    label = f"skip_rnn_forward, a batch of {B}, {T} steps, skip = {skip}"
    check_shape(h, (B, T, H), label, axes="B T H")
    padded = np.concatenate([np.zeros((B, skip, H)), h0[:, None], np.asarray(h)], axis=1)
    # padded[:, skip + t] is the state at time t: every one must follow from those before it
    z = x @ params["W_xh"] + params["b_h"]
    z = z + padded[:, skip : skip + T] @ params["W_hh"] + padded[:, 1 : T + 1] @ params["W_sh"]
    swapped = x @ params["W_xh"] + params["b_h"]
    swapped = swapped + padded[:, skip : skip + T] @ params["W_sh"]
    swapped = swapped + padded[:, 1 : T + 1] @ params["W_hh"]
    check_close(h, np.tanh(z), label + ": eq. 6.9 at every step", 1e-10, 1e-13, {
        "W_hh and W_sh have changed places.": np.tanh(swapped),
    }, "B T H")
    later = x.copy()
    later[:, T // 2 :] += 1.0
    same = skip_rnn_forward(later, h0, params, skip)[:, : T // 2]
    check_close(same, h[:, : T // 2], label + ": later inputs must not change earlier states")
check_raises(ValueError, skip_rnn_forward, x, h0, params, -2, when="skip < 1")
### END HIDDEN TESTS


# %% [markdown]
# ## 9 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** A slide says: "if the largest eigenvalue of $W_{hh}$ is less than 1, then the gradient will shrink exponentially."
# For which networks is this true, and from when on?
# Which quantity would you put in the place of the eigenvalue to make it true for every tanh network, and why does that work?
# Is the condition then necessary or sufficient for vanishing, and what does it say about exploding?
# The cell below may help: both matrices have the same eigenvalues.
# Answer in four to six sentences.

# %%
for shear in (0.0, 6.0):
    W = np.array([[0.8, shear], [0.0, 0.8]])
    row = np.array([[1.0, 0.0]])
    lengths = []
    for _ in range(31):
        lengths.append(np.linalg.norm(row))
        row = row @ W
    shown = "  ".join(f"{length:8.1e}" for length in lengths[::5])
    print(f"largest singular value {np.linalg.norm(W, 2):.2f}: length after 0, 5, 10, ... steps {shown}")

# %% [markdown] tags=["manual", "id:eigenvalue-or-singular-value", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. True for linear networks (no activation), where the product of Jacobians is a power of the matrix.
# 2. There only in the long run: a non-normal matrix may first let the gradient grow (second row of the cell's output). For normal (symmetric, orthogonal) matrices it holds at once, also with tanh, since there the two quantities coincide.
# 3. The largest singular value (spectral norm): the norm of a product is at most the product of the norms, and the slopes of tanh are at most 1, so each step multiplies the norm by at most that value.
# 4. Singular value < 1 is sufficient for vanishing, not necessary: gradients also vanish with larger ones (saturation, directions).
# 5. Turned around: > 1 is necessary for exploding, not sufficient.
#
# Do not take off points for language. A correct counterexample in place of an argument earns the point of 1 or 2.
# ### END MARK SCHEME

# %% [markdown]
# **b.** A colleague trains a tanh RNN on sequences of 200 steps whose label depends on the first symbol.
# The training loss stays at chance.
# She reports: "The gradient's norm is steady around 0.5, so there is no vanishing gradient. I clip at 1.0, and I tried ten times the learning rate."
# What would you measure, and what do you expect to see?
# Why can the norm of the whole gradient be steady all the same?
# Would clipping or a larger learning rate help? Name one change that could, and why.
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:steady-norm", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. Measure the norm of the loss's gradient at the states, step by step (gradient_norms), not that of the parameters; expect an exponential fall towards the first step.
# 2. The gradient of the parameters is a sum over all steps; the terms of the last few steps keep their size, and dominate.
# 3. Clipping only shortens gradients, it cannot restore what is missing; at 0.5 it is not even active.
# 4. A larger learning rate scales short-range and long-range parts alike, so their ratio stays, and the short-range part (noise here) makes training unstable.
# 5. A change that helps, with its reason: orthogonal or identity start (factor near 1), skip connections (fewer factors), gates (chapter 7), shorter sequences first (the gradient reaches the symbol; a latch once learnt carries over), attention. Any one.
# ### END MARK SCHEME

# %% [markdown]
# ## 10 · Optional challenge: back through the short-cuts
#
# *Hard, 30 minutes, about 12 lines, no points.*
#
# In the network of eq. 6.9 a state matters for two later ones.
# With $\delta_t = g_t \odot (1 - h_t^2)$ and a loss at the last step only,
#
# $$g_t = \delta_{t+1} W_{hh}^\top + \delta_{t+s} W_{sh}^\top, \qquad \delta_j = 0 \text{ for } j > T, \qquad g_T \text{ given} \tag{6.10}$$
#
# Return the norms of $g_t$, as in part 3.
# Then run the last cell: how much more arrives with a skip of 5?

# %% tags=["exercise", "id:skip-gradient-norms"]
def skip_gradient_norms(
    d_last: Float[Array, "B H"], h: Float[Array, "B T H"], params: Params, skip: int
) -> Float[Array, "B T"]:
    """Return the norm of the gradient at each state of the network of eq. 6.9.

    Source: eq. 6.10; the loss is at the last step only. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    B, T, H = h.shape
    norms, delta = np.zeros((B, T)), np.zeros((B, T + skip, H))
    for t in reversed(range(T)):
        if t == T - 1:
            g = d_last
        else:
            g = delta[:, t + 1] @ params["W_hh"].T + delta[:, t + skip] @ params["W_sh"].T
        norms[:, t] = np.linalg.norm(g, axis=1)
        delta[:, t] = g * (1 - h[:, t] ** 2)
    return norms
    ### END SOLUTION


# %% tags=["test", "id:skip-gradient-norms-test", "points:0"]
rng = np.random.default_rng(9)
params = init_params(D=3, H=4, rng=rng)
x, h0, d_last = rng.normal(size=(2, 7, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
h = skip_rnn_forward(x, h0, params, 9)
check_close(
    skip_gradient_norms(d_last, h, params, 9),
    gradient_norms(d_last, h, params["W_hh"]),
    "skip_gradient_norms: a skip longer than the sequence changes nothing",
    axes="B T",
)
h = skip_rnn_forward(x, h0, params, 1)
check_close(
    skip_gradient_norms(d_last, h, params, 1),
    gradient_norms(d_last, h, params["W_hh"] + params["W_sh"]),
    "skip_gradient_norms: with skip = 1 the two matrices add up",
    axes="B T",
)
lone = {"W_xh": np.zeros((1, 1)), "W_hh": np.zeros((1, 1)), "W_sh": np.full((1, 1), 0.5)}
states = np.zeros((1, 7, 1))
check_close(
    skip_gradient_norms(np.ones((1, 1)), states, lone | {"b_h": np.zeros(1)}, 3),
    np.array([[0.25, 0.0, 0.0, 0.5, 0.0, 0.0, 1.0]]),
    "skip_gradient_norms: one unit at rest, W_sh = 0.5, skip = 3",
    axes="B T",
)

# %%
rng = np.random.default_rng(10)
params = init_params(D=3, H=16, rng=rng)
params["W_hh"] = orthogonal_init(16, rng, gain=0.5)
params["W_sh"] = orthogonal_init(16, rng, gain=0.45)
x, h0, d_last = 0.1 * rng.normal(size=(2, 41, 3)), np.zeros((2, 16)), rng.normal(size=(2, 16))
for skip in (99, 5, 10):
    h = skip_rnn_forward(x, h0, params, skip)
    norms = skip_gradient_norms(d_last, h, params, skip)
    name = "no skip   " if skip == 99 else f"skip of {skip:2d}"
    print(f"{name}: {(norms[:, 0] / norms[:, -1]).mean():.1e} of the gradient arrives over 40 steps")

# %% [markdown]
# ## Sources
#
# * Kovashka, *CS 1678* (Pittsburgh, 2021), the vanishing gradient's proof sketch and clipping; Bischl, LMU, long-term dependencies; Peeters, *Recurrent Neural Network* (Télécom Paris), vanishing and exploding gradients, skip connections; Basili and Croce, dealing with exploding gradients; Mikolajczyk, limits of the RNN.
# * R. Pascanu, T. Mikolov and Y. Bengio (2013), *On the difficulty of training recurrent neural networks*, ICML.
# * Y. Bengio, P. Simard and P. Frasconi (1994), *Learning long-term dependencies with gradient descent is difficult*, IEEE Transactions on Neural Networks 5(2).
# * Q. V. Le, N. Jaitly and G. E. Hinton (2015), *A simple way to initialize recurrent networks of rectified linear units*, arXiv:1504.00941.
# * T. Lin, B. G. Horne, P. Tiňo and C. L. Giles (1996), *Learning long-term dependencies in NARX recurrent neural networks*, IEEE Transactions on Neural Networks 7(6).
# * F. Mezzadri (2007), *How to generate random matrices from the classical compact groups*, Notices of the AMS 54(5).
