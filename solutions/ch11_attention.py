# %% [markdown]
# # 11 · Attention
#
# In this exercise you write attention forwards and backwards, build a decoder that looks at its source at every step, and read off what it looked at.
# You start with two ways to score a key against a query, turn scores into weights that padding cannot touch, and weights into a context.
# Then you go back through all of it by hand.
# At the end your decoder learns to write dates, and you measure its alignment against the known one.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `dot_scores` | easy | 15 min | 6 |
# | 2 | `additive_scores` | medium | 20 min | 10 |
# | 3 | `masked_softmax` | medium | 25 min | 12 |
# | 4 | `attend` | easy | 10 min | 6 |
# | 5 | `masked_softmax_backward` | medium | 20 min | 10 |
# | 6 | `attend_backward` | easy | 15 min | 8 |
# | 7 | `dot_scores_backward` | medium | 25 min | 10 |
# | 8 | `attention_decoder_step` | medium | 25 min | 12 |
# | 9 | `attention_loss` | medium | 20 min | 10 |
# | 10 | `alignment` | easy | 15 min | 6 |
# | 11 | two written answers | medium | 20 min | 10 |
# | 12 | optional: `additive_scores_backward` | hard | 30 min | 0 |
#
# Before you start, read chapter 11 of the book: it derives every equation used here.
#
# **Rules**
#
# * torch tensors, but no ready-made attention: neither `torch.nn.MultiheadAttention` nor `scaled_dot_product_attention`. `torch.softmax` and `torch.nn.functional.cross_entropy` are allowed.
# * Parts 1 to 4 and 8 to 10 are differentiable: no `.item()`, `.detach()` or numpy on the way, because autograd has to find its way back.
# * Parts 5 to 7 are gradients by hand: no autograd there.
# * Dtype and device of new tensors come from the inputs, so that your code runs on a GPU as it stands.
# * No function changes the tensors that it is given.
# * The only loop runs over target steps, in part 9. All else is vectorised over batch, target and source.
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **Letters.** $q_t$ is a query, one for each target step; $k_s$ and $v_s$ are key and value of source place $s$.
# $e_{ts}$ is the score of key $s$ for query $t$, $\alpha_{ts}$ its weight, $c_t$ the context.
# All vectors are rows.
#
# **Shapes.**
#
# | tensor | shape | | tensor | shape | |
# |---|---|---|---|---|---|
# | `q` | (B, T, H) | queries | `scores` | (B, T, S) | $e_{ts}$ |
# | `k` | (B, S, D) | keys | `weights` | (B, T, S) | $\alpha_{ts}$ |
# | `v` | (B, S, D) | values | `context` | (B, T, D) | $c_t$ |
# | `mask` | (B, 1, S) or (B, T, S) | booleans, True = may be attended to | `W_qk` | (H, D) | parameter of the general score |
#
# `d_q` stands for $\partial \mathcal{L} / \partial q$ and has the shape of `q`; so for every tensor.
# The numbers of equations are those of this notebook.

# %% tags=["setup"]
import math
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from unrolled.checks import check_close, check_raises, check_shape, check_unchanged
from unrolled.device import device

torch.set_num_threads(1)
DEVICE = device()
PAD, BOS, EOS = 0, 1, 2
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


def may_attend(lengths: list[int], S: int) -> Bool[Tensor, "B S"]:
    """Return True at the first ``lengths[b]`` places of row b."""
    return torch.arange(S, device=DEVICE) < integers(lengths)[:, None]


def copy_of(value):
    """Return a copy of a tensor, or of a dict of tensors."""
    if isinstance(value, dict):
        return {key: copy_of(item) for key, item in value.items()}
    return value.clone()


def send_back(result: Tensor, name: str) -> None:
    """Let autograd go back from the sum of squares of ``result``; say so if it cannot."""
    assert isinstance(result, Tensor) and result.requires_grad, (
        f"{name}: no gradient can flow. Is there .detach(), .item() or numpy on the way?"
    )
    result.square().sum().backward()


# %% [markdown]
# ## 1 · The product scores
#
# *Easy, 15 minutes, about 5 lines, 6 points.*
#
# A score says how well a key fits a query.
# The simplest one is their dot product; the *general* score of Luong and colleagues puts a matrix between them, so that the two may have different widths and coordinates; and Vaswani and colleagues divide by the square root of the width:
#
# $$e_{ts} = q_t\, k_s^\top \;\;\text{(dot)}, \qquad e_{ts} = q_t\, W_{qk}\, k_s^\top \;\;\text{(general)}, \qquad e_{ts} = \frac{\dots}{\sqrt{D}} \;\;\text{(scaled)} \tag{11.1}$$
#
# where $D$ is the width of the keys.
# Either of the first two may be scaled.
# Without $W_{qk}$ query and key must have the same width; if not, raise `ValueError`.
#
# *Shapes.* `q` (B, T, H), `k` (B, S, D), `W_qk` (H, D) or None; result (B, T, S).
#
# *Worked number.* $q = (1, 2)$, $k_1 = (3, 1)$, $k_2 = (-1, 0.5)$: dot scores $(5, 0)$, scaled $(5/\sqrt2, 0)$.
# With $W_{qk} = \begin{pmatrix} 0 & 1 \\ 2 & 0 \end{pmatrix}$ the query becomes $q W_{qk} = (4, 1)$ and the scores $(13, -3.5)$.

# %% tags=["exercise", "id:dot-scores"]
def dot_scores(
    q: Float[Tensor, "B T H"],
    k: Float[Tensor, "B S D"],
    W_qk: Float[Tensor, "H D"] | None = None,
    scaled: bool = False,
) -> Float[Tensor, "B T S"]:
    """Return the score of every key for every query by products.

    Source: Luong et al. (2015), dot and general; Vaswani et al. (2017), scaled; eq. 11.1.
    Dtype and device follow the inputs, which are not modified.

    Raises:
        ValueError: there is no ``W_qk`` and the widths of query and key differ.
    """
    ### BEGIN SOLUTION
    if W_qk is None and q.shape[-1] != k.shape[-1]:
        raise ValueError(
            f"dot_scores: queries of width {q.shape[-1]}, keys of width {k.shape[-1]}; "
            "without W_qk they must be equal"
        )
    moved = q if W_qk is None else q @ W_qk
    scores = moved @ k.transpose(1, 2)  # (B T D) (B D S) -> (B T S)
    return scores / math.sqrt(k.shape[-1]) if scaled else scores
    ### END SOLUTION


# %% tags=["test", "id:dot-scores-test", "points:6"]
q, k = numbers([[[1.0, 2.0]]]), numbers([[[3.0, 1.0], [-1.0, 0.5]]])
W_qk = numbers([[0.0, 1.0], [2.0, 0.0]])
check_close(
    dot_scores(q, k),
    numbers([[[5.0, 0.0]]]),
    "dot_scores, worked number, dot",
    hints={"It is scaled although scaled is False.": numbers([[[5.0, 0.0]]]) / math.sqrt(2)},
    axes="B T S",
)
check_close(
    dot_scores(q, k, scaled=True),
    numbers([[[5.0, 0.0]]]) / math.sqrt(2),
    "dot_scores, worked number, scaled",
    hints={
        "It divides by D; eq. 11.1 has the square root.": numbers([[[2.5, 0.0]]]),
        "It multiplies by the square root; eq. 11.1 divides.": (
            numbers([[[5.0, 0.0]]]) * math.sqrt(2)
        ),
        "scaled makes no difference.": numbers([[[5.0, 0.0]]]),
    },
    axes="B T S",
)
check_close(
    dot_scores(q, k, W_qk),
    numbers([[[13.0, -3.5]]]),
    "dot_scores, worked number, general",
    hints={
        "W_qk is transposed: eq. 11.1 has q W_qk.": q @ W_qk.T @ k.transpose(1, 2),
        "W_qk is not used.": numbers([[[5.0, 0.0]]]),
    },
    axes="B T S",
)
q, k, W_qk = normal(2, 3, 4, seed=1), normal(2, 5, 6, seed=2), normal(4, 6, seed=3)
given = {"q": q, "k": k, "W_qk": W_qk}
before = copy_of(given)
got = dot_scores(q, k, W_qk, scaled=True)
check_unchanged(before, given, "dot_scores")
check_shape(got, (2, 3, 5), "dot_scores", axes="B T S")
check_close(
    got[1, 2, 3],
    q[1, 2] @ W_qk @ k[1, 3] / math.sqrt(6),
    "dot_scores, general and scaled: query 2 and key 3 of example 1",
    hints={"The width in eq. 11.1 is that of the keys.": q[1, 2] @ W_qk @ k[1, 3] / math.sqrt(4)},
)
check_raises(ValueError, dot_scores, q, k, when="the widths differ and there is no W_qk")
### BEGIN HIDDEN TESTS
for case, (B, T, S, H, D) in enumerate([(3, 2, 5, 4, 7), (1, 4, 1, 3, 2), (2, 1, 6, 5, 5)]):
    q, k = normal(B, T, H, seed=900 + case), normal(B, S, D, seed=910 + case)
    W_qk = normal(H, D, seed=920 + case)
    plain = torch.einsum("bth,hd,bsd->bts", q, W_qk, k)
    label = f"dot_scores, {S} place{'s' * (S > 1)}: "
    check_close(dot_scores(q, k, W_qk), plain, label + "general", 1e-10, axes="B T S")
    got = dot_scores(q, k, W_qk, scaled=True)
    check_close(got, plain / D**0.5, label + "general and scaled", 1e-10, axes="B T S")
    same = normal(B, T, D, seed=930 + case)
    got = dot_scores(same, k, scaled=True)
    check_close(got, torch.einsum("btd,bsd->bts", same, k) / D**0.5, label + "scaled", 1e-10)
leaves = [value.clone().requires_grad_() for value in (q, k, W_qk)]
send_back(dot_scores(*leaves), "dot_scores")
assert all(leaf.grad is not None for leaf in leaves), "dot_scores: a gradient does not arrive."
got = dot_scores(q.float(), k.float(), W_qk.float(), scaled=True)
check_close(got, (plain / D**0.5).float(), "dot_scores: float32 in, float32 out", 1e-4, 1e-5)
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · The additive score
#
# *Medium, 20 minutes, about 3 lines, 10 points.*
#
# Bahdanau and colleagues let a small network judge: project query and key to a common width $A$, add them, squash, and weigh the result:
#
# $$e_{ts} = \tanh(q_t W_{qa} + k_s W_{ka})\, w_a^\top \tag{11.2}$$
#
# Bischl's slide joins query and key end to end and multiplies by one matrix; with $W_{qa}$ on top of $W_{ka}$ that is the same.
# (The papers call our vector $w_a$ $v_a$; here $v$ is a value.)
#
# *Shapes.* `q` (B, T, H), `k` (B, S, D); `params["W_qa"]` (H, A), `params["W_ka"]` (D, A), `params["w_a"]` (A,); result (B, T, S).
# On the way there is a tensor with four axes, (B, T, S, A): every query meets every key.
#
# *Worked number.* With one number in each: $q = 0.5$, $k_1 = 1$, $k_2 = -2$, $W_{qa} = 1$, $W_{ka} = 0.5$, $w_a = 2$.
# The scores are $2 \tanh(1) \approx 1.5232$ and $2 \tanh(-0.5) \approx -0.9242$.

# %% tags=["exercise", "id:additive-scores"]
def additive_scores(
    q: Float[Tensor, "B T H"], k: Float[Tensor, "B S D"], params: Params
) -> Float[Tensor, "B T S"]:
    """Return the score of every key for every query by a network with one hidden layer.

    Source: Bahdanau et al. (2015), appendix A.1.2; eq. 11.2. ``params`` may hold further keys.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    from_q = (q @ params["W_qa"])[:, :, None]  # (B T 1 A)
    from_k = (k @ params["W_ka"])[:, None]  # (B 1 S A)
    return torch.tanh(from_q + from_k) @ params["w_a"]  # (B T S A) (A) -> (B T S)
    ### END SOLUTION


# %% tags=["test", "id:additive-scores-test", "points:10"]
one = {"W_qa": numbers([[1.0]]), "W_ka": numbers([[0.5]]), "w_a": numbers([2.0])}
q, k = numbers([[[0.5]]]), numbers([[[1.0], [-2.0]]])
check_close(
    additive_scores(q, k, one),
    2 * torch.tanh(numbers([[[1.0, -0.5]]])),
    "additive_scores, worked number",
    hints={
        "The tanh is missing, eq. 11.2.": 2 * numbers([[[1.0, -0.5]]]),
        "w_a is missing, eq. 11.2.": torch.tanh(numbers([[[1.0, -0.5]]])),
        "The tanh comes after the weighing; eq. 11.2 squashes first.": (
            torch.tanh(2 * numbers([[[1.0, -0.5]]]))
        ),
        "Each of the two is squashed; eq. 11.2 squashes their sum.": (
            2 * (torch.tanh(numbers([[[0.5, 0.5]]])) + torch.tanh(numbers([[[0.5, -1.0]]])))
        ),
        "The two projections are multiplied; eq. 11.2 adds them.": (
            2 * torch.tanh(numbers([[[0.25, -0.5]]]))
        ),
        "The query is not used, eq. 11.2.": 2 * torch.tanh(numbers([[[0.5, -1.0]]])),
    },
    axes="B T S",
)
params = {"W_qa": normal(4, 7, seed=4), "W_ka": normal(6, 7, seed=5), "w_a": normal(7, seed=6)}
q, k = normal(2, 3, 4, seed=7), normal(2, 5, 6, seed=8)
given = {"q": q, "k": k, "params": params}
before = copy_of(given)
got = additive_scores(q, k, params)
check_unchanged(before, given, "additive_scores")
check_shape(got, (2, 3, 5), "additive_scores, A = 7", axes="B T S")
joined = torch.cat([q[1, 2], k[1, 3]]) @ torch.cat([params["W_qa"], params["W_ka"]])
check_close(
    got[1, 2, 3],
    torch.tanh(joined) @ params["w_a"],
    "additive_scores: query 2 and key 3 of example 1, by one joined matrix",
)
check_close(
    additive_scores(q[:, 1:2], k, params),
    got[:, 1:2],
    "additive_scores: one query alone and among others",
    axes="B T S",
)
### BEGIN HIDDEN TESTS
for case, (B, T, S, H, D, A) in enumerate([(3, 2, 5, 4, 7, 6), (1, 4, 1, 3, 2, 5), (2, 3, 3, 3, 3, 3)]):
    params = {"W_qa": normal(H, A, seed=940 + case), "W_ka": normal(D, A, seed=950 + case)}
    params["w_a"] = normal(A, seed=960 + case)
    q, k = normal(B, T, H, seed=970 + case), normal(B, S, D, seed=980 + case)
    pairs = [
        torch.tanh(q[:, t] @ params["W_qa"] + k[:, s] @ params["W_ka"]) @ params["w_a"]
        for t in range(T)
        for s in range(S)
    ]
    expected = torch.stack(pairs, dim=1).reshape(B, T, S)
    label = f"additive_scores, {T} quer{'ies' if T > 1 else 'y'}, {S} place{'s' * (S > 1)}"
    hints = {"Queries and keys have changed places.": expected.transpose(1, 2)} if T == S else {}
    check_close(additive_scores(q, k, params), expected, label, 1e-10, hints=hints, axes="B T S")
leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
send_back(additive_scores(q, k, leaves), "additive_scores")
lost = [key for key in leaves if leaves[key].grad is None]
assert not lost, f"additive_scores: no gradient arrives at {lost}."
single = {key: value.float() for key, value in params.items()}
got = additive_scores(q.float(), k.float(), single)
check_close(got, expected.float(), "additive_scores: float32 in, float32 out", 1e-4, 1e-5)
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · Weights that padding cannot touch
#
# *Medium, 25 minutes, about 5 lines, 12 points.*
#
# The softmax runs over the places that may be attended to, $M_t = \{s : \text{mask}_{ts}\}$, and over no others:
#
# $$\alpha_{ts} = \begin{cases} \dfrac{e^{\,e_{ts}}}{\sum_{s' \in M_t} e^{\,e_{ts'}}} & s \in M_t \\[2ex] 0 & s \notin M_t \end{cases} \tag{11.3}$$
#
# So the mask acts *before* the softmax: what must not be seen gets the score $-\infty$.
# Setting weights to zero afterwards would leave a row that no longer adds up to one.
#
# Four things to get right:
#
# * What stands in a masked place makes no difference, not even infinity or NaN: padding is garbage.
# * Scores may be large: $(1000, 999)$ gives $(0.731, 0.269)$, not NaN.
# * **A row without any True gets weights of zero**, so that its context is zero (this is also what PyTorch's own attention does, since version 2.5).
#   With $-\infty$ everywhere the softmax would be $0/0$.
# * In such a row the gradient is zero as well, not NaN.
#   A repair of the result, with `torch.where` or `nan_to_num`, may look right and still send NaN back: autograd goes through the $0/0$ all the same, and $0 \cdot \text{NaN}$ is NaN. (So it happens when $-\infty$ is *added* to the scores.)
#
# *Shapes.* `scores` (..., S) with any number of axes, here mostly (B, T, S); `mask` of booleans that broadcasts to it, such as (B, 1, S); result like `scores`.
#
# *Worked number.* Scores $(\log 1, \log 2, \log 5)$ with the mask (True, True, False): $\alpha = (\frac13, \frac23, 0)$.

# %% tags=["exercise", "id:masked-softmax"]
def masked_softmax(
    scores: Float[Tensor, "... S"], mask: Bool[Tensor, "... S"]
) -> Float[Tensor, "... S"]:
    """Return weights over the last axis that are 0 where ``mask`` is False and add up to 1.

    Source: eq. 11.3. ``mask`` broadcasts to ``scores``. A row that is all False gets zeros, and
    sends back zero gradients. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    nothing = ~mask.any(dim=-1, keepdim=True)
    open_scores = scores.masked_fill(~mask, -math.inf).masked_fill(nothing, 0.0)
    return torch.softmax(open_scores, dim=-1).masked_fill(~mask, 0.0)
    ### END SOLUTION


# %% tags=["test", "id:masked-softmax-test", "points:12"]
scores = numbers([[[1.0, 2.0, 5.0]]]).log()
two = may_attend([2], 3)[:, None]
check_close(
    masked_softmax(scores, two),
    numbers([[[1 / 3, 2 / 3, 0.0]]]),
    "masked_softmax, worked number",
    hints={
        "The mask comes after the softmax: the row does not add up to one.": (
            numbers([[[1 / 8, 2 / 8, 0.0]]])
        ),
        "The mask is not used.": numbers([[[1 / 8, 2 / 8, 5 / 8]]]),
        "The mask is the wrong way round: True means that the place may be attended to.": (
            numbers([[[0.0, 0.0, 1.0]]])
        ),
        "A masked score of 0 still has a share; it must be minus infinity.": (
            numbers([[[1 / 4, 2 / 4, 1 / 4]]])
        ),
        "It is normalised over another axis than the last.": numbers([[[1.0, 1.0, 0.0]]]),
    },
    axes="B T S",
)
for rubbish in (1e6, math.inf, -math.inf, math.nan):
    filled = scores.masked_fill(~two, rubbish)
    check_close(
        masked_softmax(filled, two),
        numbers([[[1 / 3, 2 / 3, 0.0]]]),
        f"masked_softmax, worked number with {rubbish:g} in the masked place",
        axes="B T S",
    )
check_close(
    masked_softmax(numbers([[[1000.0, 999.0]]]), may_attend([2], 2)[:, None]),
    torch.sigmoid(numbers([[[1.0, -1.0]]])),
    "masked_softmax, scores (1000, 999)",
    axes="B T S",
)
check_close(
    masked_softmax(scores, may_attend([0], 3)[:, None]),
    numbers([[[0.0, 0.0, 0.0]]]),
    "masked_softmax, a row that is all False",
    hints={
        "It attends to all places alike; the rule is: to nothing.": numbers([[[1 / 3] * 3]]),
        "It ignores the mask there; the rule is: weights of zero.": numbers([[[1 / 8, 2 / 8, 5 / 8]]]),
    },
    axes="B T S",
)

scores, mask = normal(3, 2, 5, seed=9), may_attend([5, 2, 0], 5)[:, None]
given = {"scores": scores, "mask": mask}
before = copy_of(given)
got = masked_softmax(scores, mask)
check_unchanged(before, given, "masked_softmax")
check_shape(got, (3, 2, 5), "masked_softmax, a mask of shape (3, 1, 5)", axes="B T S")
check_close(got[0], torch.softmax(scores[0], dim=-1), "masked_softmax: an example without padding")
check_close(
    got[1, :, :2],
    torch.softmax(scores[1, :, :2], dim=-1),
    "masked_softmax: an example of length 2, the two real places",
)
leaf = scores.clone().requires_grad_()
send_back(masked_softmax(leaf, mask), "masked_softmax")
assert not leaf.grad.isnan().any(), (
    "masked_softmax: the gradient has NaN where a row is all False. "
    "Give that row finite scores before the softmax, and zero weights after it."
)
check_close(leaf.grad[2], 0 * scores[2], "masked_softmax: the gradient of a row that is all False")
### BEGIN HIDDEN TESTS
def loop_softmax(scores, mask):
    """Return the weights of a (B, T, S) batch, one row at a time, without any infinity."""
    rows = []
    for score, open_ in zip(scores.flatten(0, 1), mask.expand_as(scores).flatten(0, 1), strict=True):
        row = torch.zeros_like(score)
        if open_.any():
            real = score[open_]
            row = row.masked_scatter(open_, torch.exp(real - real.logsumexp(0)))
        rows.append(row + 0 * score.masked_fill(~open_, 0.0))
    return torch.stack(rows).reshape(scores.shape)


g = torch.Generator().manual_seed(21)
for case, (B, T, S) in enumerate([(3, 4, 5), (2, 1, 7), (4, 3, 1)]):
    scores = 3 * normal(B, T, S, seed=990 + case)
    mask = (torch.rand(B, T, S, generator=g) < 0.6).to(DEVICE)
    mask[0, 0] = False
    leaf, truth = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    got, expected = masked_softmax(leaf, mask), loop_softmax(truth, mask)
    label = f"masked_softmax, any mask, {S} place{'s' * (S > 1)}"
    check_close(got, expected.detach(), label, 1e-10, axes="B T S")
    push = normal(B, T, S, seed=1000 + case)
    (got * push).sum().backward()
    (expected * push).sum().backward()
    check_close(leaf.grad, truth.grad, label + ": gradient", 1e-9, 1e-12, axes="B T S")
    moved = masked_softmax(scores + 700, mask)
    check_close(moved, expected.detach(), label + ", 700 added to all scores", 1e-8)
    shared = masked_softmax(scores, mask[:, :1])
    expected = loop_softmax(scores, mask[:, :1])
    check_close(shared, expected, label + ", a mask of shape (B, 1, S)", 1e-10, axes="B T S")
spoilt = scores.masked_fill(~mask, math.nan).requires_grad_()
got = masked_softmax(spoilt, mask)
send_back(got, "masked_softmax")
assert not spoilt.grad.isnan().any(), "masked_softmax: NaN in the padding reaches the gradient."
flat = masked_softmax(scores[0, 0], torch.ones_like(mask[0, 0]))
check_close(flat, torch.softmax(scores[0, 0], 0), "masked_softmax: scores with one axis", 1e-10)
deep = masked_softmax(normal(2, 3, 2, 5, seed=1010), may_attend([4, 2], 5)[:, None, None])
check_close(deep.sum(-1), torch.ones_like(deep[..., 0]), "masked_softmax: four axes, row sums")
assert masked_softmax(scores.float(), mask).dtype == torch.float32, (
    "masked_softmax: float32 in, float32 out."
)
low = masked_softmax(numbers([-1e9, -1e9 - 1, 5.0]), torch.tensor([True, True, False], device=DEVICE))
check_close(
    low,
    torch.cat([torch.sigmoid(numbers([1.0, -1.0])), numbers([0.0])]),
    "masked_softmax: real scores near -1e9",
    1e-6,
)
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · Attend
#
# *Easy, 10 minutes, about 2 lines, 6 points.*
#
# The context is the mean of the values under the weights:
#
# $$c_t = \sum_{s} \alpha_{ts}\, v_s \tag{11.4}$$
#
# *Shapes.* `scores` (B, T, S), `v` (B, S, D), `mask` as in part 3; results `context` (B, T, D) and `weights` (B, T, S).
#
# *Worked number.* Scores and mask of part 3 and the values 3, 6, 100: $c = \frac13 \cdot 3 + \frac23 \cdot 6 = 5$.

# %% tags=["exercise", "id:attend"]
def attend(
    scores: Float[Tensor, "B T S"], v: Float[Tensor, "B S D"], mask: Bool[Tensor, "B #T S"]
) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B T S"]]:
    """Return the contexts and the weights with which they were made.

    Source: Bahdanau et al. (2015), eqs. 5 and 6; eqs. 11.3 and 11.4. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    weights = masked_softmax(scores, mask)
    return weights @ v, weights
    ### END SOLUTION


# %% tags=["test", "id:attend-test", "points:6"]
scores, v = numbers([[[1.0, 2.0, 5.0]]]).log(), numbers([[[3.0], [6.0], [100.0]]])
got = attend(scores, v, may_attend([2], 3)[:, None])
assert type(got) is tuple and len(got) == 2, "attend: return the context and the weights."
check_close(
    got[0],
    numbers([[[5.0]]]),
    "attend, worked number: context",
    hints={
        "The masked place is heard.": numbers([[[(3 + 12 + 500) / 8]]]),
        "It is the value with the largest weight; eq. 11.4 takes the mean.": numbers([[[6.0]]]),
        "The weights of the real places do not add up to one.": numbers([[[15 / 8]]]),
        "All real places have the same weight.": numbers([[[4.5]]]),
    },
    axes="B T D",
)
check_close(got[1], numbers([[[1 / 3, 2 / 3, 0.0]]]), "attend, worked number: weights")
scores, v, mask = normal(3, 2, 5, seed=11), normal(3, 5, 4, seed=12), may_attend([5, 2, 0], 5)
given = {"scores": scores, "v": v, "mask": mask}
before = copy_of(given)
context, weights = attend(scores, v, mask[:, None])
check_unchanged(before, given, "attend")
check_shape(context, (3, 2, 4), "attend: context", axes="B T D")
check_shape(weights, (3, 2, 5), "attend: weights", axes="B T S")
cut, _ = attend(scores[1:2, :, :2], v[1:2, :2], mask[1:2, None, :2])
check_close(context[1:2], cut, "attend: an example of length 2, with and without its padding")
check_close(context[2], 0 * context[2], "attend: nothing to attend to, so the context is zero")
### BEGIN HIDDEN TESTS
for case, (B, T, S, D) in enumerate([(3, 4, 5, 2), (1, 1, 6, 3), (2, 3, 1, 4)]):
    scores, v = normal(B, T, S, seed=1020 + case), normal(B, S, D, seed=1030 + case)
    mask = may_attend([max(1, S - 2 * b) for b in range(B)], S)[:, None]
    expected = scores.masked_fill(~mask, -math.inf).softmax(-1)
    leaf = v.clone().requires_grad_()
    context, weights = attend(scores, leaf, mask)
    label = f"attend, {T} quer{'ies' if T > 1 else 'y'}: "
    check_close(weights, expected, label + "weights", 1e-10, axes="B T S")
    mean = torch.einsum("bts,bsd->btd", expected, v)
    check_close(context, mean, label + "context", 1e-10, axes="B T D")
    send_back(context, "attend")
    assert leaf.grad is not None, "attend: no gradient arrives at v."
    garbage = v.masked_fill(~mask.transpose(1, 2), 1e9)
    check_close(attend(scores, garbage, mask)[0], mean, label + "other values in the padding", 1e-6)
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · Back through the softmax
#
# *Medium, 20 minutes, about 2 lines, 10 points.*
#
# A score that rises takes weight away from all the others: $\partial \alpha_{ts'} / \partial e_{ts} = \alpha_{ts'} ([s = s'] - \alpha_{ts})$ inside the mask, and 0 outside.
# Summed over the paths through all weights of the row,
#
# $$\frac{\partial \mathcal{L}}{\partial e_{ts}} = \alpha_{ts} \Bigl( \frac{\partial \mathcal{L}}{\partial \alpha_{ts}} - \sum_{s'} \alpha_{ts'} \frac{\partial \mathcal{L}}{\partial \alpha_{ts'}} \Bigr) \tag{11.5}$$
#
# Read it: a score gets a gradient in proportion to its weight, and to how far its own $\partial\mathcal{L}/\partial\alpha$ is from the row's weighted mean.
# The scores themselves do not appear, and neither does the mask: where the weight is 0, so is the gradient.
#
# *Shapes.* `d_weights` and `weights` (..., S); result the same.
#
# *Worked number.* $\alpha = (\frac13, \frac23, 0)$ and $\partial\mathcal{L}/\partial\alpha = (3, 6, 100)$: the weighted mean is 5, and $\partial\mathcal{L}/\partial e = (\frac13 \cdot (-2),\ \frac23 \cdot 1,\ 0) = (-\frac23, \frac23, 0)$.
# The entries of a row add up to zero.

# %% tags=["exercise", "id:masked-softmax-backward"]
def masked_softmax_backward(
    d_weights: Float[Tensor, "... S"], weights: Float[Tensor, "... S"]
) -> Float[Tensor, "... S"]:
    """Return the gradient of the scores.

    Source: eq. 11.5. ``weights`` is what ``masked_softmax`` returned. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    mean = (weights * d_weights).sum(dim=-1, keepdim=True)
    return weights * (d_weights - mean)
    ### END SOLUTION


# %% tags=["test", "id:masked-softmax-backward-test", "points:10"]
weights, d_weights = numbers([[[1 / 3, 2 / 3, 0.0]]]), numbers([[[3.0, 6.0, 100.0]]])
check_close(
    masked_softmax_backward(d_weights, weights),
    numbers([[[-2 / 3, 2 / 3, 0.0]]]),
    "masked_softmax_backward, worked number",
    hints={
        "The mean of the row is missing, eq. 11.5.": numbers([[[1.0, 4.0, 0.0]]]),
        "That is the diagonal of the Jacobian only, alpha (1 - alpha).": (
            numbers([[[2 / 3, 4 / 3, 0.0]]])
        ),
        "The mean in eq. 11.5 is weighted by alpha.": (
            weights * (d_weights - d_weights.mean(-1, keepdim=True))
        ),
        "The factor alpha in front is missing, eq. 11.5.": numbers([[[-2.0, 1.0, 95.0]]]),
        "The sign is wrong, eq. 11.5.": numbers([[[2 / 3, -2 / 3, 0.0]]]),
    },
    axes="B T S",
)
scores, mask = normal(3, 2, 5, seed=13), may_attend([5, 2, 0], 5)[:, None]
weights, push = masked_softmax(scores, mask), normal(3, 2, 5, seed=14)
given = {"weights": weights, "d_weights": push}
before = copy_of(given)
got = masked_softmax_backward(push, weights)
check_unchanged(before, given, "masked_softmax_backward")
check_shape(got, (3, 2, 5), "masked_softmax_backward", axes="B T S")
leaf = scores.clone().requires_grad_()
(masked_softmax(leaf, mask) * push).sum().backward()
check_close(
    got,
    leaf.grad,
    "masked_softmax_backward against autograd through your masked_softmax",
    rtol=1e-10,
    atol=1e-13,
    axes="B T S",
)
check_close(got.sum(-1), 0 * got[..., 0], "masked_softmax_backward: rows add up to zero")
### BEGIN HIDDEN TESTS
g = torch.Generator().manual_seed(22)
for case, (B, T, S) in enumerate([(3, 4, 5), (2, 1, 7), (4, 3, 1)]):
    leaf = (2 * normal(B, T, S, seed=1040 + case)).requires_grad_()
    mask = (torch.rand(B, T, S, generator=g) < 0.6).to(DEVICE)
    mask[..., 0] = True
    weights = leaf.masked_fill(~mask, -math.inf).softmax(-1)
    push = normal(B, T, S, seed=1050 + case)
    (weights * push).sum().backward()
    got = masked_softmax_backward(push, weights.detach())
    label = f"masked_softmax_backward, {S} place{'s' * (S > 1)}"
    check_close(got, leaf.grad, label, 1e-10, 1e-13, axes="B T S")
    dead = masked_softmax_backward(push, torch.zeros_like(push))
    check_close(dead, 0 * push, label + ", weights all zero", axes="B T S")
flat = masked_softmax_backward(push[0, 0], weights[0, 0].detach())
check_close(flat, leaf.grad[0, 0], "masked_softmax_backward: one axis", 1e-10, 1e-13)
### END HIDDEN TESTS


# %% [markdown]
# ## 6 · Back through attend
#
# *Easy, 15 minutes, about 3 lines, 8 points.*
#
# The context $c_t = \sum_s \alpha_{ts} v_s$ depends on weights and values.
# A weight is worth what its value does for the loss; a value hears from every query in proportion to its weight:
#
# $$\frac{\partial \mathcal{L}}{\partial \alpha_{ts}} = \frac{\partial \mathcal{L}}{\partial c_t}\, v_s^\top, \qquad \frac{\partial \mathcal{L}}{\partial v_s} = \sum_t \alpha_{ts} \frac{\partial \mathcal{L}}{\partial c_t} \tag{11.6}$$
#
# From the weights part 5 leads to the scores.
#
# *Shapes.* `d_context` (B, T, D), `weights` (B, T, S), `v` (B, S, D); results `d_scores` (B, T, S), `d_v` (B, S, D).
#
# *Worked number.* $\alpha = (\frac13, \frac23, 0)$, values 3, 6, 100, $\partial\mathcal{L}/\partial c = 2$: $\partial\mathcal{L}/\partial v = (\frac23, \frac43, 0)$ and $\partial\mathcal{L}/\partial\alpha = (6, 12, 200)$, so $\partial\mathcal{L}/\partial e = (-\frac43, \frac43, 0)$.

# %% tags=["exercise", "id:attend-backward"]
def attend_backward(
    d_context: Float[Tensor, "B T D"],
    weights: Float[Tensor, "B T S"],
    v: Float[Tensor, "B S D"],
) -> tuple[Float[Tensor, "B T S"], Float[Tensor, "B S D"]]:
    """Return the gradients of the scores and of the values.

    Source: eqs. 11.5 and 11.6. ``weights`` is what ``attend`` returned. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    d_weights = d_context @ v.transpose(1, 2)  # (B T D) (B D S) -> (B T S)
    d_v = weights.transpose(1, 2) @ d_context  # (B S T) (B T D) -> (B S D)
    return masked_softmax_backward(d_weights, weights), d_v
    ### END SOLUTION


# %% tags=["test", "id:attend-backward-test", "points:8"]
weights, v = numbers([[[1 / 3, 2 / 3, 0.0]]]), numbers([[[3.0], [6.0], [100.0]]])
got = attend_backward(numbers([[[2.0]]]), weights, v)
assert type(got) is tuple and len(got) == 2, "attend_backward: return d_scores and d_v."
check_close(
    got[0],
    numbers([[[-4 / 3, 4 / 3, 0.0]]]),
    "attend_backward, worked number: d_scores",
    hints={
        "That is the gradient of the weights: go on to the scores, eq. 11.5.": (
            numbers([[[6.0, 12.0, 200.0]]])
        )
    },
    axes="B T S",
)
check_close(
    got[1],
    numbers([[[2 / 3], [4 / 3], [0.0]]]),
    "attend_backward, worked number: d_v",
    axes="B S D",
)
scores, v, push = normal(2, 3, 5, seed=15), normal(2, 5, 4, seed=16), normal(2, 3, 4, seed=17)
mask = may_attend([5, 2], 5)[:, None]
weights = attend(scores, v, mask)[1]
given = {"d_context": push, "weights": weights, "v": v}
before = copy_of(given)
d_scores, d_v = attend_backward(push, weights, v)
check_unchanged(before, given, "attend_backward")
leaf, value = scores.clone().requires_grad_(), v.clone().requires_grad_()
(attend(leaf, value, mask)[0] * push).sum().backward()
name = "attend_backward against autograd through your attend: "
check_close(d_scores, leaf.grad, name + "d_scores", 1e-10, 1e-13, axes="B T S")
check_close(
    d_v,
    value.grad,
    name + "d_v",
    1e-10,
    1e-13,
    hints={
        "All queries share a value: sum over t, eq. 11.6.": weights[:, 0, :, None] * push[:, :1]
    },
    axes="B S D",
)
### BEGIN HIDDEN TESTS
for case, (B, T, S, D) in enumerate([(3, 4, 5, 2), (1, 1, 6, 3), (2, 3, 1, 4), (2, 3, 3, 3)]):
    leaf = normal(B, T, S, seed=1060 + case).requires_grad_()
    value = normal(B, S, D, seed=1070 + case).requires_grad_()
    mask = may_attend([max(1, S - 2 * b) for b in range(B)], S)[:, None]
    weights = leaf.masked_fill(~mask, -math.inf).softmax(-1)
    push = normal(B, T, D, seed=1080 + case)
    (torch.einsum("bts,bsd->btd", weights, value) * push).sum().backward()
    got = attend_backward(push, weights.detach(), value.detach())
    label = f"attend_backward, {T} quer{'ies' if T > 1 else 'y'}, {S} place{'s' * (S > 1)}: "
    check_close(got[0], leaf.grad, label + "d_scores", 1e-10, 1e-13, axes="B T S")
    check_close(got[1], value.grad, label + "d_v", 1e-10, 1e-13, axes="B S D")
### END HIDDEN TESTS


# %% [markdown]
# ## 7 · Back to queries and keys
#
# *Medium, 25 minutes, about 8 lines, 10 points.*
#
# Last comes the way from the scores of part 1 to what made them.
# With $u_t = q_t W_{qk}$, a score is $e_{ts} = \lambda\, u_t k_s^\top$, where $\lambda$ is $1/\sqrt{D}$ if scaled and 1 if not.
# Every query meets every key, so each gradient is a sum over the other side:
#
# $$\frac{\partial \mathcal{L}}{\partial u_t} = \lambda \sum_s \frac{\partial \mathcal{L}}{\partial e_{ts}}\, k_s, \qquad \frac{\partial \mathcal{L}}{\partial k_s} = \lambda \sum_t \frac{\partial \mathcal{L}}{\partial e_{ts}}\, u_t \tag{11.7}$$
#
# $$\frac{\partial \mathcal{L}}{\partial q_t} = \frac{\partial \mathcal{L}}{\partial u_t} W_{qk}^\top, \qquad \frac{\partial \mathcal{L}}{\partial W_{qk}} = \sum_{b, t} q_t^\top \frac{\partial \mathcal{L}}{\partial u_t} \tag{11.8}$$
#
# The last sum runs over the batch as well, since all examples use the same matrix.
# Without $W_{qk}$ there is $u_t = q_t$ and no entry for it.
#
# *Shapes.* `d_scores` (B, T, S); the others as in part 1; result a dict with `"q"` (B, T, H), `"k"` (B, S, D) and, if it was given, `"W_qk"` (H, D).
#
# *Worked number.* $q = (1, 2)$, $k_1 = (3, 1)$, $k_2 = (-1, 0.5)$, $\partial\mathcal{L}/\partial e = (1, -1)$, dot: $\partial\mathcal{L}/\partial q = k_1 - k_2 = (4, 0.5)$, $\partial\mathcal{L}/\partial k_1 = (1, 2)$, $\partial\mathcal{L}/\partial k_2 = (-1, -2)$.

# %% tags=["exercise", "id:dot-scores-backward"]
def dot_scores_backward(
    d_scores: Float[Tensor, "B T S"],
    q: Float[Tensor, "B T H"],
    k: Float[Tensor, "B S D"],
    W_qk: Float[Tensor, "H D"] | None = None,
    scaled: bool = False,
) -> Params:
    """Return the gradients of ``q`` and ``k``, and of ``W_qk`` if it is given, under these keys.

    Source: eqs. 11.7 and 11.8. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    if scaled:
        d_scores = d_scores / math.sqrt(k.shape[-1])
    moved = q if W_qk is None else q @ W_qk
    d_moved = d_scores @ k  # (B T S) (B S D) -> (B T D)
    grads = {"q": d_moved, "k": d_scores.transpose(1, 2) @ moved}
    if W_qk is not None:
        grads["q"] = d_moved @ W_qk.T
        grads["W_qk"] = q.flatten(0, 1).T @ d_moved.flatten(0, 1)  # (H BT) (BT D) -> (H D)
    return grads
    ### END SOLUTION


# %% tags=["test", "id:dot-scores-backward-test", "points:10"]
q, k = numbers([[[1.0, 2.0]]]), numbers([[[3.0, 1.0], [-1.0, 0.5]]])
d_scores = numbers([[[1.0, -1.0]]])
check_close(
    dot_scores_backward(d_scores, q, k),
    {"q": numbers([[[4.0, 0.5]]]), "k": numbers([[[1.0, 2.0], [-1.0, -2.0]]])},
    "dot_scores_backward, worked number, dot",
    hints={
        "d_scores is not used.": {"q": k.sum(1, keepdim=True), "k": q.expand(1, 2, 2)},
    },
)
scaled_got = dot_scores_backward(d_scores, q, k, scaled=True)
check_close(
    scaled_got,
    {
        "q": numbers([[[4.0, 0.5]]]) / math.sqrt(2),
        "k": numbers([[[1.0, 2.0], [-1.0, -2.0]]]) / math.sqrt(2),
    },
    "dot_scores_backward, worked number, scaled",
    hints={
        "The scale is missing: it multiplies the gradients too.": {
            "q": numbers([[[4.0, 0.5]]]),
            "k": numbers([[[1.0, 2.0], [-1.0, -2.0]]]),
        }
    },
)
q, k, W_qk = normal(2, 3, 4, seed=18), normal(2, 5, 6, seed=19), normal(4, 6, seed=20)
push = normal(2, 3, 5, seed=21)
given = {"d_scores": push, "q": q, "k": k, "W_qk": W_qk}
before = copy_of(given)
for scaled in (False, True):
    got = dot_scores_backward(push, q, k, W_qk, scaled)
    check_unchanged(before, given, "dot_scores_backward")
    leaves = {key: given[key].clone().requires_grad_() for key in ("q", "k", "W_qk")}
    (dot_scores(leaves["q"], leaves["k"], leaves["W_qk"], scaled) * push).sum().backward()
    expected = {key: leaf.grad for key, leaf in leaves.items()}
    name = f"dot_scores_backward, general{', scaled' * scaled}, against autograd through your scores"
    scale = 1 / math.sqrt(6) if scaled else 1.0
    check_close(
        got,
        expected,
        name,
        rtol=1e-10,
        atol=1e-12,
        hints={
            "The key met q W_qk, not q.": {"W_qk": scale * torch.einsum("bts,bth,bsd->hd", push, q, k)},
            "It is averaged over the batch; eq. 11.8 adds up.": {"W_qk": expected["W_qk"] / 2},
        },
    )
### BEGIN HIDDEN TESTS
for case, (B, T, S, H, D) in enumerate([(3, 2, 5, 4, 7), (1, 4, 1, 3, 2), (2, 3, 3, 3, 3)]):
    q = normal(B, T, H, seed=1090 + case).requires_grad_()
    k = normal(B, S, D, seed=1100 + case).requires_grad_()
    W_qk = normal(H, D, seed=1110 + case).requires_grad_()
    push = normal(B, T, S, seed=1120 + case)
    plain = [value.detach() for value in (q, k, W_qk)]
    for scaled in (False, True):
        factor = D**-0.5 if scaled else 1.0
        loss = factor * torch.einsum("bts,bth,hd,bsd->", push, q, W_qk, k)
        found = torch.autograd.grad(loss, [q, k, W_qk])
        expected = dict(zip(("q", "k", "W_qk"), found, strict=True))
        got = dot_scores_backward(push, *plain, scaled)
        label = f"dot_scores_backward, general{', scaled' * scaled}, a batch of {B}"
        hints = {}
        if H == D:
            hints["W_qk must be transposed on the way back to q, eq. 11.8."] = {
                "q": factor * torch.einsum("bts,bsd,dh->bth", push, plain[1], plain[2])
            }
            hints["That is the transpose of the gradient, eq. 11.8."] = {"W_qk": found[2].T}
        check_close(got, expected, label, 1e-9, 1e-12, hints)
    if H == D:
        found = torch.autograd.grad(torch.einsum("bts,btd,bsd->", push, q, k), [q, k])
        got = dot_scores_backward(push, plain[0], plain[1])
        check_close(got, dict(zip("qk", found, strict=True)), "dot_scores_backward, dot", 1e-9, 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ### Back through all of it
#
# Your three backward functions in a row are the gradient of an attention layer.
# Here they meet PyTorch's own layer, whose scores are dot products, scaled.

# %%
q, k, v = (normal(2, n, 6, seed=30 + n).requires_grad_() for n in (3, 5, 5))
mask, push = may_attend([5, 3], 5)[:, None], normal(2, 3, 6, seed=40)
theirs = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
truth = torch.autograd.grad((theirs * push).sum(), [q, k, v])
with torch.no_grad():
    context, weights = attend(dot_scores(q, k, scaled=True), v, mask)
    d_scores, d_v = attend_backward(push, weights, v)
    d = dot_scores_backward(d_scores, q, k, scaled=True) | {"v": d_v}
print(f"context: {(context - theirs).abs().max().item():.1e}")
for key, expected in zip("qkv", truth, strict=True):
    print(f"gradient of {key}: {(d[key] - expected).abs().max().item():.1e}")

# %% [markdown]
# ## 8 · A decoder that looks
#
# *Medium, 25 minutes, about 6 lines, 12 points.*
#
# The decoder of Bahdanau and colleagues asks with the state that it has, **before** it moves on:
#
# $$e_{ts} = \tanh(s_{t-1} W_{qa} + h_s W_{ka})\, w_a^\top, \qquad \alpha_t = \text{masked softmax}(e_t), \qquad c_t = \sum_s \alpha_{ts} h_s \tag{11.9}$$
#
# $$s_t = \mathrm{GRU}\bigl([E[y_{t-1}];\, c_t],\ s_{t-1}\bigr), \qquad o_t = [s_t;\, c_t]\, W_{sy} + b_y \tag{11.10}$$
#
# The encoder's states $h_s$ (the paper calls them annotations) are keys and values at once, and $s_{t-1}$ is the query.
# Embedding first, context second; state first, context second.
# (The paper's output layer has one more hidden layer; Kovashka's slide has our $[s_t; c_t]$ the other way round.)
#
# The GRU is given in the next cell: `gru(x, s_prev, params)`.
#
# *Shapes.* `tokens` (B,) are the $y_{t-1}$; `s_prev` (B, H); `h` (B, S, D); `mask` (B, S).
# Results: logits (B, V), the new state (B, H), the weights (B, S).
# `params` has `E` (V, E), `W_qa` (H, A), `W_ka` (D, A), `w_a` (A,), the GRU's weights, `W_sy` (H + D, V) and `b_y` (V,).

# %% tags=["setup"]
def gru(x: Float[Tensor, "B E+D"], s_prev: Float[Tensor, "B H"], params: Params) -> Tensor:
    """Return the next state of a GRU; PyTorch's convention, chapter 7."""
    names = ("W_xs", "W_ss", "b_xs", "b_ss")
    W_x, W_s, b_x, b_s = (params[name] for name in names)
    return torch.gru_cell(x, s_prev, W_x.T, W_s.T, b_x, b_s)


def init_decoder(V: int, E: int, H: int, D: int, A: int, seed: int) -> Params:
    """Return random float64 parameters of a decoder; no bias is zero."""
    shapes = {
        "E": (V, E),
        "W_qa": (H, A),
        "W_ka": (D, A),
        "w_a": (A,),
        "W_xs": (E + D, 3 * H),
        "W_ss": (H, 3 * H),
        "b_xs": (3 * H,),
        "b_ss": (3 * H,),
        "W_sy": (H + D, V),
        "b_y": (V,),
    }
    scale = {name: 0.3 if name[0] == "b" else shape[0] ** -0.5 for name, shape in shapes.items()}
    scale["E"] = 1.0
    return {
        name: scale[name] * normal(*shape, seed=seed + i)
        for i, (name, shape) in enumerate(shapes.items())
    }


# %% tags=["exercise", "id:attention-decoder-step"]
def attention_decoder_step(
    tokens: Int[Tensor, " B"],
    s_prev: Float[Tensor, "B H"],
    h: Float[Tensor, "B S D"],
    mask: Bool[Tensor, "B S"],
    params: Params,
) -> tuple[Float[Tensor, "B V"], Float[Tensor, "B H"], Float[Tensor, "B S"]]:
    """Return the logits of the next token, the new state, and the weights over the source.

    Source: Bahdanau et al. (2015), section 3.1; eqs. 11.9 and 11.10. The query is the state
    before the step. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    scores = additive_scores(s_prev[:, None], h, params)  # (B 1 S)
    context, weights = attend(scores, h, mask[:, None])
    context, weights = context[:, 0], weights[:, 0]
    s = gru(torch.cat([params["E"][tokens], context], dim=-1), s_prev, params)
    logits = torch.cat([s, context], dim=-1) @ params["W_sy"] + params["b_y"]
    return logits, s, weights
    ### END SOLUTION


# %% tags=["test", "id:attention-decoder-step-test", "points:12"]
params = init_decoder(V=6, E=3, H=4, D=5, A=7, seed=50)
tokens, s_prev, h = integers([1, 4]), normal(2, 4, seed=61), normal(2, 8, 5, seed=62)
mask = may_attend([8, 3], 8)
given = {"tokens": tokens, "s_prev": s_prev, "h": h, "mask": mask, "params": params}
before = copy_of(given)
got = attention_decoder_step(tokens, s_prev, h, mask, params)
check_unchanged(before, given, "attention_decoder_step")
assert type(got) is tuple and len(got) == 3, (
    "attention_decoder_step: return the logits, the new state and the weights."
)
for result, shape, axes in zip(got, [(2, 6), (2, 4), (2, 8)], ("B V", "B H", "B S"), strict=True):
    check_shape(result, shape, f"attention_decoder_step: ({axes})", axes=axes)


def one_example(b, query, places):
    """Return logits, state and weights of example b, place by place, for a given query."""
    scores = [
        torch.tanh(query @ params["W_qa"] + h[b, s] @ params["W_ka"]) @ params["w_a"]
        for s in places
    ]
    weights = torch.stack(scores).softmax(0)
    context = weights @ h[b, places]
    x = torch.cat([params["E"][tokens[b]], context])[None]
    state = gru(x, s_prev[b : b + 1], params)[0]
    return torch.cat([state, context]) @ params["W_sy"] + params["b_y"], state, weights


whole, padded = list(range(8)), list(range(3))
first, second = one_example(0, s_prev[0], whole), one_example(1, s_prev[1], padded)
open_padding = one_example(1, s_prev[1], whole)
late = one_example(0, first[1], whole)
zeros = torch.zeros(5, dtype=torch.float64, device=DEVICE)
name = "attention_decoder_step: "
check_close(
    got[2][0],
    first[2],
    name + "the weights of the first example",
    hints={
        "It asks with the new state; eq. 11.9 has the state before the step.": late[2],
        "The weights do not add up to one: where does the softmax come from?": (
            first[2] / first[2].max()
        ),
    },
)
check_close(
    got[2][1],
    torch.cat([second[2], zeros]),
    name + "the weights of the second example, whose last five places are padding",
    hints={"The padding is attended to: use the mask.": open_padding[2]},
)
check_close(got[1][0], first[1], name + "the state of the first example")
check_close(got[0][0], first[0], name + "the logits of the first example")
check_close(
    got[0][1],
    second[0],
    name + "the logits of the second example",
    hints={"The padding is attended to: use the mask.": open_padding[0]},
)
### BEGIN HIDDEN TESTS
for case, (B, S, V, E, H, D, A) in enumerate([(3, 4, 5, 2, 6, 3, 4), (1, 1, 4, 3, 2, 5, 3), (2, 6, 7, 4, 4, 4, 4)]):
    params = init_decoder(V, E, H, D, A, seed=1200 + 20 * case)
    tokens = integers([(2 * b + 1) % V for b in range(B)])
    s_prev, h = normal(B, H, seed=1300 + case), normal(B, S, D, seed=1310 + case)
    mask = may_attend([max(1, S - b) for b in range(B)], S)
    leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
    start, places = s_prev.clone().requires_grad_(), h.clone().requires_grad_()
    truth = {key: value.clone().requires_grad_() for key, value in params.items()}
    got = attention_decoder_step(tokens, start, places, mask, leaves)
    hidden = torch.tanh((s_prev @ truth["W_qa"]).unsqueeze(1) + h @ truth["W_ka"])
    weights = (hidden @ truth["w_a"]).masked_fill(~mask, -math.inf).softmax(-1)
    context = torch.einsum("bs,bsd->bd", weights, h)
    cell = torch.nn.GRUCell(E + D, H, dtype=torch.float64, device=DEVICE)
    names = {"weight_ih": "W_xs", "weight_hh": "W_ss", "bias_ih": "b_xs", "bias_hh": "b_ss"}
    theirs = {key: truth[mine].t() for key, mine in names.items()}
    x = torch.cat([F.embedding(tokens, truth["E"]), context], dim=1)
    state = torch.func.functional_call(cell, theirs, (x, s_prev))
    logits = torch.cat([state, context], dim=1) @ truth["W_sy"] + truth["b_y"]
    label = f"attention_decoder_step, a batch of {B}, {S} place{'s' * (S > 1)}: "
    check_close(got[2], weights.detach(), label + "weights", 1e-10, axes="B S")
    check_close(got[1], state.detach(), label + "state", 1e-10, axes="B H")
    check_close(got[0], logits.detach(), label + "logits", 1e-10, axes="B V")
    (got[0].square().sum() + got[1].sum()).backward()
    (logits.square().sum() + state.sum()).backward()
    for key in params:
        assert leaves[key].grad is not None, f"{label}no gradient arrives at {key}."
        check_close(leaves[key].grad, truth[key].grad, f"{label}gradient of {key}", 1e-8, 1e-11)
    assert start.grad is not None and places.grad is not None, label + "s_prev or h is detached."
    garbage = h.masked_fill(~mask[:, :, None], 50.0)
    got = attention_decoder_step(tokens, s_prev, garbage, mask, params)
    check_close(got[0], logits.detach(), label + "other numbers in the padding", 1e-9, axes="B V")
### END HIDDEN TESTS


# %% [markdown]
# ## 9 · The loss
#
# *Medium, 20 minutes, about 9 lines, 10 points.*
#
# A target is a row `BOS, y_1, ..., y_n, EOS`, filled up with `PAD` (0).
# At every step the decoder is given the right token before (teacher forcing, chapter 9) and predicts the next one; the last prediction is `EOS`.
# The loss is the mean over all **real** predictions of the batch:
#
# $$\mathcal{L} = \frac{1}{N} \sum_{b} \sum_{t \,:\, y_t \ne \text{PAD}} -\log \mathrm{softmax}(o_t^{(b)})[y_t^{(b)}], \qquad N = \text{number of real predictions} \tag{11.11}$$
#
# *Shapes.* `targets` (B, T + 1), `s0` (B, H) the state before the first step, `h` (B, S, D), `mask` (B, S); result a tensor without axes.
# If the batch has nothing to predict, raise `ValueError`.
#
# *Worked number.* With $W_{sy} = 0$ and $b_y = \log(1, 1, 2, 4)$ every prediction is $(\frac18, \frac18, \frac28, \frac48)$.
# The targets (BOS, 3, 3, EOS) and (BOS, 3, EOS, PAD) have 3 + 2 real predictions: three times 3 and twice EOS, so $\mathcal{L} = \frac15 (3 \log 2 + 2 \log 4) \approx 0.9704$.

# %% tags=["exercise", "id:attention-loss"]
def attention_loss(
    targets: Int[Tensor, "B T+1"],
    s0: Float[Tensor, "B H"],
    h: Float[Tensor, "B S D"],
    mask: Bool[Tensor, "B S"],
    params: Params,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, in nats, of all real predictions under teacher forcing.

    Source: eq. 11.11. PAD is never predicted. Inputs are not modified.

    Raises:
        ValueError: there is nothing to predict.
    """
    ### BEGIN SOLUTION
    right = targets[:, 1:]
    if not (right != PAD).any():
        raise ValueError("attention_loss: no target has a token after BOS")
    s, logits = s0, []
    for t in range(right.shape[1]):
        step, s, _ = attention_decoder_step(targets[:, t], s, h, mask, params)
        logits.append(step)
    return F.cross_entropy(torch.stack(logits, dim=1).flatten(0, 1), right.flatten(), ignore_index=PAD)
    ### END SOLUTION


# %% tags=["test", "id:attention-loss-test", "points:10"]
params = init_decoder(V=4, E=3, H=4, D=5, A=7, seed=70)
flat = params | {"W_sy": 0 * params["W_sy"], "b_y": numbers([1.0, 1.0, 2.0, 4.0]).log()}
targets = integers([[BOS, 3, 3, EOS], [BOS, 3, EOS, PAD]])
s0, h, mask = normal(2, 4, seed=81), normal(2, 6, 5, seed=82), may_attend([6, 4], 6)
three, end, pad, bos = math.log(2), math.log(4), math.log(8), math.log(8)
check_close(
    attention_loss(targets, s0, h, mask, flat),
    numbers((3 * three + 2 * end) / 5),
    "attention_loss, worked number",
    hints={
        "The padding is counted, eq. 11.11.": numbers((3 * three + 2 * end + pad) / 6),
        "It divides by B T, not by the number of real predictions.": (
            numbers((3 * three + 2 * end) / 6)
        ),
        "It is the sum, not the mean.": numbers(3 * three + 2 * end),
        "It is a mean of means of rows; eq. 11.11 takes one mean over all predictions.": (
            numbers(((2 * three + end) / 3 + (three + end) / 2) / 2)
        ),
        "The decoder is asked for the token that it was just given: shift by one.": (
            numbers((2 * bos + 3 * three + end) / 6)
        ),
        "EOS is not predicted; it is a real prediction.": numbers(three),
    },
)
params = init_decoder(V=7, E=3, H=4, D=5, A=6, seed=90)
targets = integers([[BOS, 5, 3, 6, EOS], [BOS, 4, EOS, PAD, PAD]])
given = {"targets": targets, "s0": s0, "h": h, "mask": mask, "params": params}
before = copy_of(given)
loss = attention_loss(targets, s0, h, mask, params)
check_unchanged(before, given, "attention_loss")
check_shape(loss, (), "attention_loss")


def costs_of(b, forget=False):
    """Return the cost of every real prediction of example b, by your decoder step."""
    s, costs = s0[b : b + 1], []
    for now, after in zip(targets[b, :-1], targets[b, 1:], strict=True):
        if after == PAD:
            break
        start = s0[b : b + 1] if forget else s
        step, s, _ = attention_decoder_step(now[None], start, h[b : b + 1], mask[b : b + 1], params)
        costs.append(-step.log_softmax(-1)[0, after])
    return costs


check_close(
    loss,
    sum(costs_of(0) + costs_of(1)) / 6,
    "attention_loss: two targets, step by step",
    hints={
        "Every step starts from s0: hand on the state.": (
            sum(costs_of(0, True) + costs_of(1, True)) / 6
        )
    },
)
leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
send_back(attention_loss(targets, s0, h, mask, leaves), "attention_loss")
missing = [key for key in leaves if leaves[key].grad is None]
assert not missing, f"attention_loss: no gradient arrives at {missing}."
empty = integers([[BOS, PAD], [BOS, PAD]])
check_raises(
    ValueError, attention_loss, empty, s0, h, mask, params, when="there is nothing to predict"
)
### BEGIN HIDDEN TESTS
for case, (B, T, S, V, H, D) in enumerate([(3, 5, 4, 6, 3, 5), (1, 1, 3, 5, 4, 2), (2, 7, 1, 8, 5, 3)]):
    params = init_decoder(V, E=4, H=H, D=D, A=3, seed=1400 + 20 * case)
    rng = np.random.default_rng(1500 + case)
    rows = [[BOS, *rng.integers(3, V, size=max(0, T - 1 - b)).tolist(), EOS] for b in range(B)]
    targets = integers([row + [PAD] * (T + 1 - len(row)) for row in rows])
    s0, h = normal(B, H, seed=1510 + case), normal(B, S, D, seed=1520 + case)
    mask = may_attend([max(1, S - b) for b in range(B)], S)
    truth = {key: value.clone().requires_grad_() for key, value in params.items()}
    names = {"weight_ih": "W_xs", "weight_hh": "W_ss", "bias_ih": "b_xs", "bias_hh": "b_ss"}
    theirs = {key: truth[mine].t() for key, mine in names.items()}
    cell = torch.nn.GRUCell(4 + D, H, dtype=torch.float64, device=DEVICE)
    costs = []
    for b, row in enumerate(rows):
        s, places = s0[b], h[b, mask[b]]
        for now, after in pairwise(row):
            hidden = torch.tanh(s @ truth["W_qa"] + places @ truth["W_ka"])
            context = (hidden @ truth["w_a"]).softmax(0) @ places
            s = torch.func.functional_call(cell, theirs, (torch.cat([truth["E"][now], context]), s))
            out = torch.cat([s, context]) @ truth["W_sy"] + truth["b_y"]
            costs.append(-out.log_softmax(0)[after])
    expected = torch.stack(costs).mean()
    leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
    got = attention_loss(targets, s0, h, mask, leaves)
    label = f"attention_loss, a batch of {B}, {T} prediction{'s' * (T > 1)}"
    check_close(got, expected.detach(), label, 1e-10)
    got.backward()
    expected.backward()
    for key in params:
        grad = leaves[key].grad
        assert grad is not None, f"{label}: no gradient arrives at {key}."
        check_close(grad, truth[key].grad, f"{label}: gradient of {key}", 1e-8, 1e-11)
    wider = torch.cat([targets, torch.full_like(targets[:, :2], PAD)], dim=1)
    got = attention_loss(wider, s0, h, mask, params)
    check_close(got, expected.detach(), label + ", padded further", 1e-10)
big = params | {"b_y": 3000 * params["b_y"]}
assert torch.isfinite(attention_loss(targets, s0, h, mask, big)), (
    "attention_loss: not finite for large scores. Use log_softmax or cross_entropy."
)
### END HIDDEN TESTS


# %% [markdown]
# ## 10 · Reading the alignment
#
# *Easy, 15 minutes, about 5 lines, 6 points.*
#
# Where did the decoder look?
# The hard reading of a row of weights is its largest one.
# On data whose right alignment is known, we can count how often that is a right place:
#
# $$a_t = \arg\max_s \alpha_{ts}, \qquad \text{accuracy} = \frac{\#\{t : a_t \in G_t\}}{\#\{t : G_t \neq \emptyset\}} \tag{11.12}$$
#
# where $G_t$ is the set of source places that decide target token $t$, given as booleans.
# A token may be decided by several places (a word of letters), or by none (the hyphen of a date, a padded row); the latter count neither for nor against.
#
# *Shapes.* `weights` (B, T, S), `gold` (B, T, S) booleans; results: the places (B, T), integers, with **−1 where a row of weights is all zero**, and the accuracy, a float over the whole batch.
# If several weights are equal, the first place counts.
# If no row has a gold place, raise `ValueError`.
#
# *Worked number.* Weights $(0.2, 0.8)$, $(0.6, 0.4)$, $(0.3, 0.7)$, $(0, 0)$ with the gold places $\{2\}$, $\{2\}$, none, $\{1\}$: the places are, counted from 0, 1, 0, 1, −1; one of three rows with a gold place is right, so the accuracy is $\frac13$.

# %% tags=["exercise", "id:alignment"]
def alignment(
    weights: Float[Tensor, "B T S"], gold: Bool[Tensor, "B T S"]
) -> tuple[Int[Tensor, "B T"], float]:
    """Return the most attended place of every row (-1: of none), and the share that is right.

    Source: eq. 11.12. The share is over rows in which ``gold`` has a True. Inputs are not modified.

    Raises:
        ValueError: ``gold`` is False everywhere.
    """
    ### BEGIN SOLUTION
    known = gold.any(dim=-1)
    if not known.any():
        raise ValueError("alignment: gold is False everywhere")
    looks = (weights > 0).any(dim=-1)
    places = weights.argmax(dim=-1)
    right = gold.gather(-1, places[..., None])[..., 0] & looks
    return places.masked_fill(~looks, -1), right[known].double().mean().item()
    ### END SOLUTION


# %% tags=["test", "id:alignment-test", "points:6"]
weights = numbers([[[0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.0, 0.0]]])
gold = torch.tensor([[[0, 1], [0, 1], [0, 0], [1, 0]]], device=DEVICE).bool()
given = {"weights": weights, "gold": gold}
before = copy_of(given)
got = alignment(weights, gold)
check_unchanged(before, given, "alignment")
assert type(got) is tuple and len(got) == 2, "alignment: return the places and the accuracy."
check_close(
    got[0],
    integers([[1, 0, 1, -1]]),
    "alignment, worked number: places",
    hints={"A row of zeros looks nowhere: its place is -1.": integers([[1, 0, 1, 0]])},
    axes="B T",
)
check_close(
    got[1],
    1 / 3,
    "alignment, worked number: accuracy",
    hints={
        "A row that looks nowhere cannot be right.": 2 / 3,
        "A row without a gold place counts neither for nor against.": 1 / 4,
        "A row that looks nowhere still counts: it has a gold place.": 1 / 2,
        "It averages weights on the gold places; eq. 11.12 counts hits.": (0.8 + 0.4) / 3,
    },
)
nothing = torch.zeros(1, 4, 2, dtype=torch.bool, device=DEVICE)
check_raises(ValueError, alignment, weights, nothing, when="gold is False everywhere")
### BEGIN HIDDEN TESTS
g = torch.Generator().manual_seed(23)
for case, (B, T, S) in enumerate([(3, 6, 5), (2, 4, 1), (5, 7, 9)]):
    weights = normal(B, T, S, seed=1600 + case).softmax(-1)
    weights[0, 1] = 0.0
    gold = (torch.rand(B, T, S, generator=g) < 0.3).to(DEVICE)
    gold[0, 1] = False
    gold[0, 1, S - 1] = True
    gold[-1, -1] = False
    places, right, known = np.full((B, T), -1), 0, 0
    for b in range(B):
        for t in range(T):
            if weights[b, t].sum() > 0:
                places[b, t] = int(weights[b, t].argmax())
            if gold[b, t].any():
                known += 1
                right += places[b, t] >= 0 and bool(gold[b, t, places[b, t]])
    got = alignment(weights, gold)
    label = f"alignment, a batch of {B}, {S} place{'s' * (S > 1)}: "
    check_close(got[0], integers(places.tolist()), label + "places", axes="B T")
    by_row = [right / known, right / (B * T)]
    hints = {"It divides by all rows, eq. 11.12.": by_row[1]}
    check_close(got[1], by_row[0], label + "accuracy", 1e-9, hints=hints)
tied = alignment(numbers([[[0.25, 0.25, 0.25, 0.25]]]), gold.new_ones(1, 1, 4))
check_close(tied, (integers([[0]]), 1.0), "alignment: all weights equal, so the first place counts")
### END HIDDEN TESTS


# %% [markdown]
# ### Let it write dates
#
# "on monday the twenty-first of june, 1999" → "1999-06-21".
# The encoder is PyTorch's, a GRU in both directions; everything that looks is yours.
# The gold alignment is known: every digit has the characters that decide it.

# %%
from unrolled.data import dates

torch.manual_seed(0)
E, H, rng = 24, 32, np.random.default_rng(0)
letters = torch.nn.Embedding(len(dates.SOURCE), E).to(DEVICE)
encoder = torch.nn.GRU(E, H, batch_first=True, bidirectional=True).to(DEVICE)
first = torch.nn.Linear(2 * H, H).to(DEVICE)
start = init_decoder(len(dates.TARGET), E, H, 2 * H, H, seed=0)
decoder = {key: value.float().requires_grad_() for key, value in start.items()}


def read(pairs):
    """Return targets, first decoder state, encoder states and mask of a batch of dates."""
    sources, lengths, targets = (torch.from_numpy(array) for array in dates.encode(pairs))
    x = torch.nn.utils.rnn.pack_padded_sequence(
        letters(sources.to(DEVICE)), lengths, batch_first=True, enforce_sorted=False
    )
    packed, ends = encoder(x)
    h, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    s0 = torch.tanh(first(torch.cat([ends[0], ends[1]], dim=-1)))
    return targets.to(DEVICE), s0, h, may_attend(lengths.tolist(), h.shape[1])


learnt = [*letters.parameters(), *encoder.parameters(), *first.parameters(), *decoder.values()]
optimiser = torch.optim.Adam(learnt, lr=0.01)
for update in range(101):
    loss = attention_loss(*read(dates.dates(48, rng)), decoder)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(learnt, 1.0)
    optimiser.step()
    if update % 25 == 0:
        print(f"{update:4d}  loss {loss.item():.3f}")

# %% [markdown]
# Now let it write dates that it has not seen, each digit after its own last one, and see where it looks.

# %%
pairs = dates.dates(300, np.random.default_rng(1))
with torch.no_grad():
    targets, s, h, mask = read(pairs)
    tokens, answers, rows = targets[:, 0], [], []
    for _ in range(10):
        logits, s, weights = attention_decoder_step(tokens, s, h, mask, decoder)
        tokens = logits.argmax(dim=-1)
        answers.append(tokens)
        rows.append(weights)
written, looks = torch.stack(answers, dim=1), torch.stack(rows, dim=1)
right = (written == targets[:, 1:11]).all(dim=1)
gold = torch.from_numpy(dates.gold(pairs)).to(DEVICE)
places, accuracy = alignment(looks, gold)
digits = (written == targets[:, 1:11])[:, [0, 1, 2, 3, 5, 6, 8, 9]].float().mean()
print(f"right dates {right.float().mean():.1%}, right digits {digits:.1%}")
print(f"digits aligned with a character that decides them {accuracy:.1%}")
for pair, row, place in list(zip(pairs, written, places, strict=True))[:3]:
    date = "".join(dates.TARGET[i] for i in row)
    seen = " ".join(f"{digit}:{pair.source[p]!r}" for digit, p in zip(date, place, strict=True))
    print(f"{pair.source}\n  -> {date}   {seen}")

# %%
import matplotlib.pyplot as plt

from unrolled import plots

plots.use_style()
n = max(range(300), key=lambda i: (len(pairs[i].source) < 40) * len(pairs[i].source))
source = pairs[n].source
fig, ax = plt.subplots(figsize=(0.2 * len(source) + 1.5, 3))
plots.heatmap(ax, looks[n, :, : len(source)].cpu(), bar="weight", aspect="auto", vmin=0, vmax=1)
ax.set_xticks(range(len(source)), list(source))
ax.set_yticks(range(10), [dates.TARGET[i] for i in written[n]])
plots.label(ax, "read", "written", grid=False)
plt.show()

# %% [markdown]
# ## 11 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** A colleague masks *after* the softmax: `weights = softmax(scores) * mask`, then `context = weights @ v`.
# On single sentences, without padding, everything is right; in batches the same sentence gives different results.
# Explain why, and whether the length of the padding matters.
# He then divides the weights by their sum.
# Is that correct now?
# Name one input for which his repaired version still fails and yours does not.
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:mask-before-softmax", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. After the softmax the padding has already taken a share of the sum: the real weights add up to less than one, so the context is too small.
# 2. The share depends on how many padded places there are and on what their scores are (garbage): the result depends on the batch.
# 3. Dividing by the sum is, on paper, correct: the common denominator cancels, and eq. 11.3 comes out.
# 4. It fails numerically: if a masked score exceeds all real ones by some hundreds (750 in float64, 100 in float32), the real weights underflow to 0 and the division is 0/0; or a masked score is inf or NaN.
# 5. It also fails for a row that is all masked, 0/0 (NaN, forwards or at least in the gradient); the stated rule gives zero. Any correctly argued second failure earns this point.
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# **b.** Look at the picture of part 10 and at the alignment accuracy.
# The digits are right more often than the alignment.
# How can a decoder write the right digit while its largest weight is on a neighbouring character?
# What does a weight say about the *input* at that place, if the encoder reads in both directions?
# Describe an experiment on the trained model, without training again, that would tell which characters a digit really depends on.
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:what-a-weight-means", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. The value at place s is the encoder's state, not the character: it holds what the recurrent encoder has carried there, also from the neighbours.
# 2. So the decoder may read a digit off a neighbouring state (or several); nothing in the loss asks for the gold place, only for the right digit.
# 3. A weight says from which state the context was taken; with an encoder in both directions every state depends on the whole input, so the weight alone does not say which characters mattered.
# 4. An experiment: change one character at a time (or take the gradient of the log-probability of the digit by each embedding) and see how much the probability of the digit changes.
# 5. It says what is compared: the place with the largest change against the place with the largest weight (or against the gold place), over many digits; or names a limit (a single change may make an impossible word, several characters may be redundant, as in the name of a month).
# ### END MARK SCHEME

# %% [markdown]
# ## 12 · Optional challenge: back through the additive score
#
# *Hard, 30 minutes, about 10 lines, no points.*
#
# Go back through eq. 11.2.
# With $g_{ts} = \tanh(q_t W_{qa} + k_s W_{ka})$, a row of width $A$ for every pair, and $\bar z_{ts}$ the gradient in front of the tanh:
#
# $$\bar z_{ts} = \frac{\partial \mathcal{L}}{\partial e_{ts}}\; w_a \odot (1 - g_{ts} \odot g_{ts}), \qquad \frac{\partial \mathcal{L}}{\partial w_a} = \sum_{b,t,s} \frac{\partial \mathcal{L}}{\partial e_{ts}}\, g_{ts} \tag{11.13}$$
#
# A query is used by all keys and a key by all queries, so sum $\bar z_{ts}$ over the other side first, and then do what you would do in any layer.
# The result is a dict with the keys `q`, `k`, `W_qa`, `W_ka`, `w_a`.
# If you leave it out, the test below fails and costs nothing.

# %% tags=["exercise", "id:additive-scores-backward"]
def additive_scores_backward(
    d_scores: Float[Tensor, "B T S"],
    q: Float[Tensor, "B T H"],
    k: Float[Tensor, "B S D"],
    params: Params,
) -> Params:
    """Return the gradients of ``q``, ``k``, ``W_qa``, ``W_ka`` and ``w_a`` under these keys.

    Source: eq. 11.13. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    g = torch.tanh((q @ params["W_qa"])[:, :, None] + (k @ params["W_ka"])[:, None])
    d_z = d_scores[..., None] * params["w_a"] * (1 - g * g)  # (B T S A)
    d_zq, d_zk = d_z.sum(dim=2), d_z.sum(dim=1)  # (B T A), (B S A)
    return {
        "q": d_zq @ params["W_qa"].T,
        "k": d_zk @ params["W_ka"].T,
        "W_qa": torch.einsum("bth,bta->ha", q, d_zq),
        "W_ka": torch.einsum("bsd,bsa->da", k, d_zk),
        "w_a": torch.einsum("bts,btsa->a", d_scores, g),
    }
    ### END SOLUTION


# %% tags=["test", "id:additive-scores-backward-test", "points:0"]
params = {"W_qa": normal(4, 7, seed=4), "W_ka": normal(6, 7, seed=5), "w_a": normal(7, seed=6)}
given = {"q": normal(2, 3, 4, seed=7), "k": normal(2, 5, 6, seed=8), **params}
push = normal(2, 3, 5, seed=9)
before = copy_of(given)
got = additive_scores_backward(push, given["q"], given["k"], params)
check_unchanged(before, given, "additive_scores_backward")
leaves = {key: value.clone().requires_grad_() for key, value in given.items()}
(additive_scores(leaves["q"], leaves["k"], leaves) * push).sum().backward()
expected = {key: leaf.grad for key, leaf in leaves.items()}
check_close(got, expected, "additive_scores_backward against autograd", 1e-10, 1e-12)

# %% [markdown]
# ## Sources
#
# * Kovashka, *CS 1678* (Pittsburgh, 2021), attention in equations; Peeters, *Recurrent Neural Network* (Télécom Paris), the attention model; Bischl, LMU, the relevance score; Basili and Croce, query, score and weight; Mikolajczyk, the alignment model.
# * D. Bahdanau, K. Cho and Y. Bengio (2015), *Neural machine translation by jointly learning to align and translate*, ICLR.
# * M.-T. Luong, H. Pham and C. Manning (2015), *Effective approaches to attention-based neural machine translation*, EMNLP.
# * A. Vaswani and colleagues (2017), *Attention is all you need*, NeurIPS.
