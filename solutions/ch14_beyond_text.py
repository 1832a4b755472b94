# %% [markdown]
# # 14 · Images, video, sound
#
# In this exercise you write the parts that turn pictures, films and recordings into text.
# You cut pictures into a grid, attend to it, add the penalty that spreads the attention, and train a captioner.
# Then you join films and sentences of different lengths into one sequence, halve recordings as a pyramid does, and write the CTC loss for batches.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `image_grid` | easy | 15 min | 6 |
# | 2 | `init_from_image` | easy | 10 min | 6 |
# | 3 | `caption_attention_step` | medium | 30 min | 14 |
# | 4 | `attention_penalty` | easy | 15 min | 10 |
# | 5 | `caption_loss` | medium | 30 min | 12 |
# | 6 | `s2vt_inputs` | medium | 30 min | 10 |
# | 7 | `pyramid_reduce` | medium | 20 min | 10 |
# | 8 | `collapse` | easy | 10 min | 6 |
# | 9 | `ctc_loss` | hard | 50 min | 16 |
# | 10 | two written answers | medium | 20 min | 10 |
# | 11 | optional: `best_alignment` | hard | 30 min | 0 |
#
# Before you start, read chapter 14 of the book: it derives every equation used here, for single examples.
#
# **Rules**
#
# * torch tensors; `torch.nn.functional` is allowed, `F.ctc_loss` and `F.unfold` are not.
# * Everything real is differentiable: no `.item()`, `.detach()` or numpy on the way from parameters to result.
# * Dtype and device of new tensors come from the inputs, so that your code runs on a GPU as it stands.
# * No function changes the tensors that it is given.
# * Loops run over time, never over the batch (`collapse` may, since it returns lists).
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **Shapes.**
#
# | tensor | shape | | tensor | shape | |
# |---|---|---|---|---|---|
# | `images` | (B, 3, rows, columns) | colours first | `E` | (V, E) | embedding table |
# | `grid` | (B, S, 3p²) | cut into S patches of p × p pixels | `W_init`, `b_init` | (D, H), (H,) | first state |
# | `a` | (B, S, D) | features of the S cells | `W_ak`, `W_sk`, `b_k`, `v` | (D, K), (H, K), (K,), (K,) | attention score |
# | `state` | (B, H) | state of the decoder | `W_beta`, `b_beta` | (H, 1), (1,) | gate on what is seen |
# | `alpha` | (B, S) or (B, T, S) | attention weights | `W_hy`, `b_y` | (H + D, V), (V,) | output layer |
#
# The parameters travel together in a dict, `params["W_ak"]`.
# Two helpers are given: `features`, a small network that looks at each patch by itself and adds a learnt vector for its place, and `gru`, one step of a GRU.

# %% tags=["setup"]
import re
from itertools import product

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from unrolled.checks import check_close, check_raises, check_shape, check_unchanged
from unrolled.data.shapes import CAPTION_WORDS, captioned_shapes
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


def init_params(
    V: int, E: int, D: int, H: int, K: int, S: int, pixels: int, seed: int
) -> Params:
    """Return random parameters; the biases are not zero, so that a forgotten one is noticed."""
    shapes = {
        "W_pa": (pixels, D), "b_pa": (D,), "place": (S, D), "E": (V, E), "W_init": (D, H),
        "b_init": (H,), "W_ak": (D, K), "W_sk": (H, K), "b_k": (K,), "v": (K,), "W_beta": (H, 1),
        "b_beta": (1,), "W_x": (E + D, 3 * H), "W_h": (H, 3 * H), "b_x": (3 * H,),
        "b_h": (3 * H,), "W_hy": (H + D, V), "b_y": (V,),
    }  # fmt: skip
    scale = {"place": 1.0, "E": 1.0, "v": 1.0}
    return {
        name: normal(*shape, seed=seed + i)
        * scale.get(name, shape[0] ** -0.5 if len(shape) > 1 else 0.3)
        for i, (name, shape) in enumerate(shapes.items())
    }


def features(grid: Float[Tensor, "B S pixels"], params: Params) -> Float[Tensor, "B S D"]:
    """Return what is seen in each patch, plus a vector for its place."""
    return torch.relu(grid @ params["W_pa"] + params["b_pa"]) + params["place"]


def gru(
    x: Float[Tensor, "B ED"], state: Float[Tensor, "B H"], params: Params
) -> Float[Tensor, "B H"]:
    """Return the next state of a GRU in PyTorch's convention, see chapter 7."""
    weights = params["W_x"].T, params["W_h"].T, params["b_x"], params["b_h"]
    return torch.gru_cell(x, state, *weights)


# %% [markdown]
# ## 1 · A picture as a sequence
#
# *Easy, 15 minutes, about 6 lines, 6 points.*
#
# Attention needs a sequence of vectors.
# Cut each picture into patches of $p \times p$ pixels that do not overlap; each patch is one vector.
#
# **Order of the patches**: as one reads, row by row, from left to right.
# **Order within a patch**: all of the first colour, then all of the second, and so on; each colour as one reads.
#
# *Shapes.* `images` (B, colours, rows, columns); result (B, S, colours · p²), with $S = \frac{\text{rows}}{p} \cdot \frac{\text{columns}}{p}$.
# Rows and columns may differ.
#
# *Worked number.* One colour, 2 rows, 4 columns, $p = 2$:
#
# $$\begin{pmatrix} 1 & 2 & 3 & 4 \\ 5 & 6 & 7 & 8 \end{pmatrix} \;\to\; (1, 2, 5, 6),\ (3, 4, 7, 8)$$
#
# If $p$ does not divide both sides, raise `ValueError`.
#
# *Hint.* `einops.rearrange` says this in one line; with `reshape` and `permute` it takes three.
# (A convolution whose kernel is as large as its stride computes the same patches times a matrix.)

# %% tags=["exercise", "id:image-grid"]
def image_grid(
    images: Float[Tensor, "B colours rows columns"], p: int
) -> Float[Tensor, "B S pixels"]:
    """Return the patches of p x p pixels, row by row, each as a vector ordered by colour first.

    Dtype and device follow ``images``, which is not modified.

    Raises:
        ValueError: ``p`` does not divide the rows and the columns.
    """
    ### BEGIN SOLUTION
    B, colours, rows, columns = images.shape
    if rows % p or columns % p:
        raise ValueError(f"image_grid: {p} does not divide {rows} x {columns}")
    cut = images.reshape(B, colours, rows // p, p, columns // p, p)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(B, -1, colours * p * p)
    ### END SOLUTION


# %% tags=["test", "id:image-grid-test", "points:6"]
small = numbers([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])[None, None]
check_close(
    image_grid(small, 2),
    numbers([[[1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 7.0, 8.0]]]),
    "image_grid, worked number",
    hints={
        "A reshape alone cuts rows, not squares: split both sides first, then reorder the axes.": (
            numbers([[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]])
        ),
        "Within a patch it goes down the columns; go along the rows.": (
            numbers([[[1.0, 5.0, 2.0, 6.0], [3.0, 7.0, 4.0, 8.0]]])
        ),
    },
    axes="B S pixels",
)
images = normal(2, 3, 4, 6, seed=10)
before = images.clone()
got = image_grid(images, 2)
check_unchanged(before, images, "image_grid")
check_shape(got, (2, 6, 12), "image_grid, 4 x 6 pixels, p = 2", axes="B S pixels")
last = images[:, :, 2:4, 0:2]
check_close(
    got[:, 3],
    last.flatten(1),
    "image_grid, 4 x 6 pixels, p = 2: the fourth patch (second row, first column)",
    hints={
        "Patches go down the columns; they should go along the rows.": (
            images[:, :, 2:4, 2:4].flatten(1)
        ),
        "Within a patch the colours vary fastest; they should vary slowest.": (
            last.permute(0, 2, 3, 1).flatten(1)
        ),
    },
)
check_raises(ValueError, image_grid, images, 4, when="p does not divide the columns")
check_raises(ValueError, image_grid, normal(1, 3, 6, 4, seed=11), 4, when="nor the rows")
### BEGIN HIDDEN TESTS
for case, (B, colours, rows, columns, p) in enumerate([(3, 2, 6, 9, 3), (1, 3, 8, 4, 4), (2, 1, 5, 3, 1)]):
    images = normal(B, colours, rows, columns, seed=100 + case)
    expected = F.unfold(images, p, stride=p).transpose(1, 2)
    label = f"image_grid, {colours} colours, {rows} x {columns} pixels, p = {p}"
    check_close(image_grid(images, p), expected, label, axes="B S pixels")
    strange = images.transpose(2, 3)  # not contiguous
    expected = F.unfold(strange, p, stride=p).transpose(1, 2)
    check_close(image_grid(strange, p), expected, label + ", turned over", axes="B S pixels")
single = image_grid(images.float(), 1)
check_close(single, F.unfold(images.float(), 1).transpose(1, 2), "image_grid: float32 in and out")
leaf = images.clone().requires_grad_()
send_back(image_grid(leaf, 1), "image_grid")
check_close(leaf.grad, 2 * images, "image_grid: the gradient of the pixels")
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · The first state
#
# *Easy, 10 minutes, about 1 line, 6 points.*
#
# *Show, Attend and Tell* starts from a glance at the whole picture, the mean of its cells:
#
# $$s_0 = \tanh\Bigl(\Bigl(\tfrac1S \sum_{s=1}^{S} a_s\Bigr) W_{\text{init}} + b_{\text{init}}\Bigr) \tag{14.1}$$
#
# *Shapes.* `a` (B, S, D); result (B, H).
#
# *Worked number.* Two cells with the features $(1)$ and $(3)$, $W_{\text{init}} = (0.5)$, $b_{\text{init}} = (-0.25)$: $s_0 = \tanh(2 \cdot 0.5 - 0.25) = \tanh(0.75) \approx 0.6351$.

# %% tags=["exercise", "id:init-from-image"]
def init_from_image(a: Float[Tensor, "B S D"], params: Params) -> Float[Tensor, "B H"]:
    """Return the decoder's first state.

    Source: Xu et al. (2015), section 3.1.2; eq. 14.1. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    return torch.tanh(a.mean(dim=1) @ params["W_init"] + params["b_init"])
    ### END SOLUTION


# %% tags=["test", "id:init-from-image-test", "points:6"]
one = {"W_init": numbers([[0.5]]), "b_init": numbers([-0.25])}
a = numbers([[[1.0], [3.0]]])
check_close(
    init_from_image(a, one),
    torch.tanh(numbers([[0.75]])),
    "init_from_image, worked number",
    hints={
        "The sum of the cells is used; eq. 14.1 has their mean.": torch.tanh(numbers([[1.75]])),
        "The tanh is missing.": numbers([[0.75]]),
        "The bias is missing.": torch.tanh(numbers([[1.0]])),
        "Only the first cell is used.": torch.tanh(numbers([[0.25]])),
        "It takes the mean after the tanh; eq. 14.1 takes it before.": (
            torch.tanh(numbers([[0.25, 1.25]])).mean(1, keepdim=True)
        ),
    },
)
params = init_params(V=5, E=2, D=3, H=4, K=6, S=5, pixels=12, seed=20)
a = normal(2, 5, 3, seed=45)
given = {"a": a, "params": params}
before = copy_of(given)
got = init_from_image(a, params)
check_unchanged(before, given, "init_from_image")
check_shape(got, (2, 4), "init_from_image", axes="B H")
shuffled = init_from_image(a.flip(1), params)
check_close(shuffled, got, "init_from_image: the order of the cells must not matter")
alone = init_from_image(a[1:], params)
check_close(alone[0], got[1], "init_from_image: an example in a batch and alone")
### BEGIN HIDDEN TESTS
for case, (B, S, D, H) in enumerate([(4, 7, 2, 3), (1, 1, 5, 2), (3, 4, 4, 6)]):
    params = init_params(V=3, E=2, D=D, H=H, K=2, S=S, pixels=3, seed=110 + 30 * case)
    a = normal(B, S, D, seed=200 + case)
    expected = torch.stack([
        torch.tanh(torch.addmv(params["b_init"], params["W_init"].T, row.sum(0) / S)) for row in a
    ])  # fmt: skip
    check_close(init_from_image(a, params), expected, f"init_from_image, {S} cells", axes="B H")
leaf = a.clone().requires_grad_()
send_back(init_from_image(leaf, params), "init_from_image")
same = leaf.grad[:, :1].expand_as(leaf.grad)
check_close(leaf.grad, same, "init_from_image: every cell gets the same gradient")
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · One word
#
# *Medium, 30 minutes, about 8 lines, 14 points.*
#
# The decoder has the state $s_{t-1}$ and reads the word $w_{t-1}$.
# It looks at all cells, gates what it sees, moves its state on and scores the next word:
#
# $$\begin{aligned}
# e_{ts} &= \tanh\bigl(a_s W_{ak} + s_{t-1} W_{sk} + b_k\bigr) \cdot v, & \alpha_t &= \mathrm{softmax}(e_t) \quad\text{over the cells}\\
# \beta_t &= \sigma(s_{t-1} W_\beta + b_\beta), & z_t &= \beta_t \sum_s \alpha_{ts}\, a_s\\
# s_t &= \mathrm{GRU}\bigl([E[w_{t-1}];\, z_t],\, s_{t-1}\bigr), & o_t &= [s_t;\, z_t]\, W_{hy} + b_y
# \end{aligned} \tag{14.2}$$
#
# The gate $\beta_t$, one number for each example, is what the paper has and the chapter leaves out: with it the decoder may ignore the picture when the next word is plain grammar.
# Note the order in both joins, and that the *old* state decides where to look.
#
# *Shapes.* `word` (B,) integers, `state` (B, H), `a` (B, S, D); results: logits (B, V), state (B, H), `alpha` (B, S).
#
# *Worked number.* Two cells $a_1 = (1)$, $a_2 = (3)$, state $(0)$, $W_{ak} = (1)$, $W_{sk} = (1)$, $b_k = 0$, $v = (2)$, $W_\beta = (1)$, $b_\beta = 0$: the scores are $2 \tanh 1 \approx 1.5232$ and $2 \tanh 3 \approx 1.9901$, the weights $\alpha \approx (0.3854, 0.6146)$, and $z = \frac12 \cdot (0.3854 \cdot 1 + 0.6146 \cdot 3) \approx 1.1146$.

# %% tags=["exercise", "id:caption-attention-step"]
def caption_attention_step(
    word: Int[Tensor, " B"],
    state: Float[Tensor, "B H"],
    a: Float[Tensor, "B S D"],
    params: Params,
) -> tuple[Float[Tensor, "B V"], Float[Tensor, "B H"], Float[Tensor, "B S"]]:
    """Return the scores of the next word, the next state, and the attention weights.

    Source: Xu et al. (2015), eqs. 4-6, 13 and section 4.2.1; eq. 14.2. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    pre = a @ params["W_ak"] + (state @ params["W_sk"] + params["b_k"])[:, None]
    alpha = torch.softmax(torch.tanh(pre) @ params["v"], dim=1)
    beta = torch.sigmoid(state @ params["W_beta"] + params["b_beta"])
    z = beta * (alpha[:, :, None] * a).sum(dim=1)
    new = gru(torch.cat([params["E"][word], z], dim=1), state, params)
    return torch.cat([new, z], dim=1) @ params["W_hy"] + params["b_y"], new, alpha
    ### END SOLUTION


# %% tags=["test", "id:caption-attention-step-test", "points:14"]
one = init_params(V=2, E=1, D=1, H=1, K=1, S=2, pixels=1, seed=60)
one |= {name: numbers([[1.0]]) for name in ("W_ak", "W_sk", "W_beta")}
one |= {"b_k": numbers([0.0]), "v": numbers([2.0]), "b_beta": numbers([0.0])}
a, state, word = numbers([[[1.0], [3.0]]]), numbers([[0.0]]), integers([1])
logits, new, alpha = caption_attention_step(word, state, a, one)
scores = 2 * torch.tanh(numbers([[1.0, 3.0]]))
check_close(
    alpha,
    scores.softmax(1),
    "caption_attention_step, worked number: the weights",
    hints={
        "The softmax is missing.": scores,
        "The tanh is missing.": numbers([[2.0, 6.0]]).softmax(1),
        "v is missing.": (scores / 2).softmax(1),
        "The softmax runs over the batch; it should run over the cells.": numbers([[1.0, 1.0]]),
    },
    axes="B S",
)
seen = (scores.softmax(1) * numbers([[1.0, 3.0]])).sum(1, keepdim=True)


def rest(z):
    """The next state that follows from what is seen."""
    return gru(torch.cat([one["E"][word], z], dim=1), state, one)


check_close(
    new,
    rest(seen / 2),
    "caption_attention_step, worked number: the next state",
    hints={
        "The gate is missing: z is half of what is seen here.": rest(seen),
        "Word and picture have changed places in [E[w]; z].": (
            gru(torch.cat([seen / 2, one["E"][word]], dim=1), state, one)
        ),
        "The gate multiplies the word too; it should multiply what is seen only.": (
            gru(torch.cat([one["E"][word], seen], dim=1) / 2, state, one)
        ),
    },
)
joined = torch.cat([rest(seen / 2), seen / 2], dim=1)
check_close(
    logits,
    joined @ one["W_hy"] + one["b_y"],
    "caption_attention_step, worked number: the scores",
    hints={
        "State and picture have changed places in [s; z].": (
            joined.flip(1) @ one["W_hy"] + one["b_y"]
        ),
        "The bias b_y is missing.": joined @ one["W_hy"],
        "The old state is used; eq. 14.2 scores with the new one.": (
            torch.cat([state, seen / 2], dim=1) @ one["W_hy"] + one["b_y"]
        ),
    },
    axes="B V",
)

params = init_params(V=5, E=2, D=3, H=4, K=6, S=7, pixels=12, seed=80)
a, state, word = normal(2, 7, 3, seed=110), normal(2, 4, seed=111), integers([4, 0])
given = {"a": a, "state": state, "word": word, "params": params}
before = copy_of(given)
logits, new, alpha = caption_attention_step(word, state, a, params)
check_unchanged(before, given, "caption_attention_step")
check_shape(logits, (2, 5), "caption_attention_step: logits", axes="B V")
check_shape(new, (2, 4), "caption_attention_step: state", axes="B H")
check_shape(alpha, (2, 7), "caption_attention_step: alpha", axes="B S")
check_close(alpha.sum(1), 0 * alpha[:, 0] + 1, "caption_attention_step: sum of the weights")
order = torch.arange(6, -1, -1, device=DEVICE)
turned = caption_attention_step(word, state, a[:, order], params)
check_close(turned[0], logits, "caption_attention_step: cells in another order, the scores")
check_close(turned[2], alpha[:, order], "caption_attention_step: cells in another order, alpha")
### BEGIN HIDDEN TESTS
for case, (B, S, V, E, D, H, K) in enumerate([(3, 5, 7, 2, 4, 6, 3), (1, 1, 3, 4, 2, 5, 6), (5, 4, 2, 3, 3, 3, 3)]):
    params = init_params(V, E, D, H, K, S, pixels=2, seed=300 + 40 * case)
    a, state = normal(B, S, D, seed=430 + case), normal(B, H, seed=440 + case)
    word = integers(np.random.default_rng(case).integers(V, size=B).tolist())
    got = caption_attention_step(word, state, a, params)
    cell = torch.nn.GRUCell(E + D, H, dtype=torch.float64, device=DEVICE)
    with torch.no_grad():
        cell.weight_ih.copy_(params["W_x"].T)
        cell.weight_hh.copy_(params["W_h"].T)
        cell.bias_ih.copy_(params["b_x"])
        cell.bias_hh.copy_(params["b_h"])
    wanted = [[], [], []]
    for b in range(B):
        e = [
            torch.dot(torch.tanh(a[b, s] @ params["W_ak"] + state[b] @ params["W_sk"] + params["b_k"]), params["v"])
            for s in range(S)
        ]
        weights = torch.stack(e).exp() / torch.stack(e).exp().sum()
        gate = 1 / (1 + torch.exp(-(state[b] @ params["W_beta"] + params["b_beta"])))
        z = gate * sum(w * v for w, v in zip(weights, a[b], strict=True))
        with torch.no_grad():
            s = cell(torch.cat([params["E"][word[b]], z])[None], state[b : b + 1])[0]
        wanted[0].append(torch.cat([s, z]) @ params["W_hy"] + params["b_y"])
        wanted[1].append(s)
        wanted[2].append(weights)
    for value, rows, name in zip(got, wanted, ("the scores", "the state", "alpha"), strict=True):
        label = f"caption_attention_step, {B} examples, {S} cells: {name}"
        check_close(value, torch.stack(rows), label, 1e-9)
big = params | {"v": 1000 * params["v"]}
check_close(
    caption_attention_step(word, state, a, big)[2].sum(1),
    0 * state[:, 0] + 1,
    "caption_attention_step: large scores (is the softmax taken without subtracting the maximum?)",
)
leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
leaf = a.clone().requires_grad_()
send_back(torch.cat(caption_attention_step(word, state, leaf, leaves), 1), "caption_attention_step")
used = set(params) - {"W_pa", "b_pa", "place", "W_init", "b_init"}
lost = sorted(key for key in used if leaves[key].grad is None)
assert leaf.grad is not None and not lost, (
    f"caption_attention_step: no gradient arrives at {lost or 'a'}."
)
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · A penalty for not looking around
#
# *Easy, 15 minutes, about 3 lines, 10 points.*
#
# Each word's weights add up to 1 over the cells.
# The penalty asks that each cell's weights add up to 1 over the *real* words of the caption:
#
# $$\Omega = \frac1B \sum_{b=1}^{B} \sum_{s=1}^{S} \Bigl(1 - \sum_{t=1}^{n_b} \alpha^{(b)}_{ts}\Bigr)^2 \tag{14.3}$$
#
# where $n_b$ is the length of caption $b$; what the network looked at during the padding does not count.
#
# *Shapes.* `alpha` (B, T, S), `lengths` (B,); result: a number, as a tensor without axes.
#
# *Worked number.* Two cells, three words with weights $(0.5, 0.5)$, $(1, 0)$, $(0.25, 0.75)$, and length 2: the cells receive 1.5 and 0.5, so $\Omega = 0.25 + 0.25 = 0.5$.

# %% tags=["exercise", "id:attention-penalty"]
def attention_penalty(
    alpha: Float[Tensor, "B T S"], lengths: Int[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Return how far the cells are from receiving 1 each, mean over the captions.

    Source: Xu et al. (2015), eq. 14; here eq. 14.3. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    steps = torch.arange(alpha.shape[1], device=alpha.device)
    real = (steps < lengths[:, None]).to(alpha.dtype)
    received = torch.einsum("bt,bts->bs", real, alpha)
    return (1 - received).square().sum(dim=1).mean()
    ### END SOLUTION


# %% tags=["test", "id:attention-penalty-test", "points:10"]
alpha = numbers([[[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]]])
check_close(
    attention_penalty(alpha, integers([2])),
    numbers(0.5),
    "attention_penalty, worked number",
    hints={
        "The padding counts: the third word is not there.": numbers(0.75**2 + 0.25**2),
        "It takes the mean over the cells; eq. 14.3 takes the sum.": numbers(0.25),
        "The square is missing, or stands outside the sum.": numbers(0.0),
        "It sums over the cells first, which gives 1 for every word.": numbers(1.0),
    },
)
alpha, lengths = normal(3, 5, 4, seed=120).softmax(dim=2), integers([5, 2, 1])
before = copy_of({"alpha": alpha, "lengths": lengths})
got = attention_penalty(alpha, lengths)
check_unchanged(before, {"alpha": alpha, "lengths": lengths}, "attention_penalty")
check_shape(got, (), "attention_penalty")
alone = [attention_penalty(alpha[b : b + 1, :n], integers([n])) for b, n in enumerate([5, 2, 1])]
check_close(
    got,
    torch.stack(alone).mean(),
    "attention_penalty: three captions in a batch and alone",
    hints={"It sums over the captions; eq. 14.3 takes the mean.": torch.stack(alone).sum()},
)
even = torch.full((1, 6, 8), 1 / 8, dtype=torch.float64, device=DEVICE)
check_close(
    attention_penalty(even, integers([6])),
    numbers(8 * (1 - 6 / 8) ** 2),
    "attention_penalty: even maps reach the lowest value, S (1 - T/S)²",
)
### BEGIN HIDDEN TESTS
for case, (B, T, S) in enumerate([(4, 6, 3), (1, 2, 7), (2, 9, 9)]):
    alpha = normal(B, T, S, seed=600 + case).softmax(dim=2)
    lengths = integers([max(1, T - 2 * b) for b in range(B)])
    total = 0.0
    for b, n in enumerate(lengths.tolist()):
        for s in range(S):
            total += (1 - sum(alpha[b, t, s].item() for t in range(n))) ** 2 / B
    got = attention_penalty(alpha, lengths)
    check_close(got, numbers(total), f"attention_penalty, {B} captions, {T} steps, {S} cells")
    wild = alpha.clone()
    for b, n in enumerate(lengths.tolist()):
        wild[b, n:] = 50.0
    check_close(attention_penalty(wild, lengths), got, "attention_penalty: what is in the padding")
leaf = alpha.clone().requires_grad_()
attention_penalty(leaf, lengths).backward()
inside = torch.arange(T, device=DEVICE) < lengths[:, None]
cover = torch.stack([alpha[b, :n].sum(0) for b, n in enumerate(lengths.tolist())])
expected = -2 / B * (1 - cover)[:, None].expand(-1, T, -1) * inside[..., None]
check_close(leaf.grad, expected, "attention_penalty: its gradient")
check_close(
    attention_penalty(alpha.float(), lengths), got.float(), "attention_penalty: float32", 1e-4, 1e-5
)
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · The loss of a captioner
#
# *Medium, 30 minutes, about 15 lines, 12 points.*
#
# Put the parts together, with teacher forcing: pictures → patches → `features` (given) → first state → one step for each word.
#
# `words` (B, T + 1) begins with `<bos>`; step $t$ reads `words[:, t]` and is to predict `words[:, t + 1]`.
# Caption $b$ has `lengths[b]` real predictions, `<eos>` included; the rest is padding.
#
# $$\mathcal{L} = \frac1B \sum_{b=1}^{B} \sum_{t=1}^{n_b} -\log \mathrm{softmax}(o^{(b)}_t)[w^{(b)}_t] + \lambda\, \Omega \tag{14.4}$$
#
# The likelihood of a caption is the product over its words, so the loss of a caption is a *sum* over its words; the mean is taken over captions.
#
# *Shapes.* `images` (B, 3, rows, columns), `words` (B, T + 1), `lengths` (B,); results: the loss, a tensor without axes, and `alpha` (B, T, S) for all T steps.
#
# *Worked number.* If $W_{hy} = 0$ and $b_y = 0$, every word has the loss $\log V$; with lengths 3 and 1 and $\lambda = 0$ the result is $\frac{3 + 1}{2} \log V = 2 \log V$.

# %% tags=["exercise", "id:caption-loss"]
def caption_loss(
    images: Float[Tensor, "B 3 rows columns"],
    words: Int[Tensor, "B T+1"],
    lengths: Int[Tensor, " B"],
    params: Params,
    p: int,
    lam: float = 0.0,
) -> tuple[Float[Tensor, ""], Float[Tensor, "B T S"]]:
    """Return the loss of the captions with their penalty, and the attention of every step.

    Source: Xu et al. (2015), eq. 14; here eq. 14.4. ``p`` is the side of a patch. What stands in
    the padding makes no difference to the loss. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    a = features(image_grid(images, p), params)
    state, total, maps = init_from_image(a, params), 0.0, []
    for t in range(words.shape[1] - 1):
        logits, state, alpha = caption_attention_step(words[:, t], state, a, params)
        error = F.cross_entropy(logits, words[:, t + 1], reduction="none")
        total = total + torch.where(t < lengths, error, torch.zeros_like(error))
        maps.append(alpha)
    maps = torch.stack(maps, dim=1)
    return total.mean() + lam * attention_penalty(maps, lengths), maps
    ### END SOLUTION


# %% tags=["test", "id:caption-loss-test", "points:12"]
params = init_params(V=5, E=2, D=3, H=4, K=6, S=6, pixels=12, seed=140)
images = normal(2, 3, 4, 6, seed=170)
words, lengths = integers([[1, 4, 3, 2], [1, 2, 0, 0]]), integers([3, 1])
flat = params | {"W_hy": 0 * params["W_hy"], "b_y": 0 * params["b_y"]}
loss, _ = caption_loss(images, words, lengths, flat, p=2)
one_word = numbers(5.0).log()
check_close(
    loss,
    2 * one_word,
    "caption_loss, worked number",
    hints={
        "It takes the mean over the words; eq. 14.4 sums over the words of a caption.": one_word,
        "The padding counts.": 3 * one_word,
        "It sums over the captions; eq. 14.4 takes their mean.": 4 * one_word,
    },
)
given = {"images": images, "words": words, "lengths": lengths, "params": params}
before = copy_of(given)
loss, maps = caption_loss(images, words, lengths, params, p=2, lam=0.5)
check_unchanged(before, given, "caption_loss")
check_shape(maps, (2, 3, 6), "caption_loss: alpha", axes="B T S")
plain, _ = caption_loss(images, words, lengths, params, p=2)
check_close(
    loss,
    plain + 0.5 * attention_penalty(maps, lengths),
    "caption_loss: with and without penalty",
    hints={"The penalty is not multiplied by lam.": plain + attention_penalty(maps, lengths)},
)
other = words.clone()
other[1, 2:] = 3
check_close(
    caption_loss(images, other, lengths, params, 2)[0], plain, "caption_loss: other padding"
)
alone = [
    caption_loss(images[b : b + 1], words[b : b + 1, : n + 1], integers([n]), params, 2)[0]
    for b, n in enumerate([3, 1])
]
check_close(plain, torch.stack(alone).mean(), "caption_loss: two captions in a batch and alone")
swapped, _ = caption_loss(images, integers([[1, 4, 3, 3], [1, 2, 0, 0]]), lengths, params, 2)
assert (swapped - plain).abs() > 1e-9, (
    "caption_loss: the last word makes no difference. Predict words[:, t + 1] at step t."
)
### BEGIN HIDDEN TESTS
def told_alone(picture, row, n, params, p):
    """Return the loss of one caption and its maps, from scratch."""
    cells = F.unfold(picture[None], p, stride=p)[0].T
    a = torch.relu(cells @ params["W_pa"] + params["b_pa"]) + params["place"]
    s = torch.tanh(a.sum(0) / len(a) @ params["W_init"] + params["b_init"])
    loss, maps = 0.0, []
    for t in range(len(row) - 1):
        e = torch.tanh(a @ params["W_ak"] + s @ params["W_sk"] + params["b_k"]) @ params["v"]
        alpha = torch.exp(e - torch.logsumexp(e, 0))
        gate = torch.sigmoid(s @ params["W_beta"] + params["b_beta"])
        z = gate * torch.einsum("s,sd->d", alpha, a)
        x = torch.cat([params["E"][row[t]], z])
        r, u, c = (x @ params["W_x"] + params["b_x"]).chunk(3)
        r_h, u_h, c_h = (s @ params["W_h"] + params["b_h"]).chunk(3)
        u = torch.sigmoid(u + u_h)
        s = (1 - u) * torch.tanh(c + torch.sigmoid(r + r_h) * c_h) + u * s
        o = torch.cat([s, z]) @ params["W_hy"] + params["b_y"]
        if t < n:
            loss = loss + torch.logsumexp(o, 0) - o[row[t + 1]]
        maps.append(alpha)
    return loss, torch.stack(maps)


for case, (B, T, V, E, D, H, K, p, lam) in enumerate(
    [(3, 5, 6, 2, 4, 3, 5, 2, 0.7), (1, 1, 3, 3, 2, 4, 6, 4, 0.0), (4, 4, 7, 4, 3, 5, 2, 2, 2.0)]
):
    S = 32 // p**2
    params = init_params(V, E, D, H, K, S, 3 * p * p, seed=700 + 30 * case)
    images = normal(B, 3, 4, 8, seed=800 + case)
    words = integers(np.random.default_rng(case).integers(V, size=(B, T + 1)).tolist())
    counts = [max(1, T - b) for b in range(B)]
    rows = [told_alone(images[b], words[b], n, params, p) for b, n in enumerate(counts)]
    expected = torch.stack([loss for loss, _ in rows]).mean()
    for (_, alpha), n in zip(rows, counts, strict=True):
        expected = expected + lam / B * (1 - alpha[:n].sum(0)).square().sum()
    leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
    got, maps = caption_loss(images, words, integers(counts), leaves, p, lam)
    label = f"caption_loss, {B} captions, {T} steps, {'with' if lam else 'without'} penalty"
    check_close(got.detach(), expected, label + ": the loss", 1e-9)
    check_close(maps.detach(), torch.stack([m for _, m in rows]), label + ": alpha", 1e-9)
    if T > 1:
        send_back(got, "caption_loss")
        lost = sorted(key for key, leaf in leaves.items() if leaf.grad is None)
        assert not lost, f"caption_loss: no gradient arrives at {lost}."
### END HIDDEN TESTS


# %% [markdown]
# ### It learns to name colours
#
# The cell below trains your captioner for a few seconds on the pictures of the chapter, and prints what it looks at while it names the first colour.
# The network is smaller than the chapter's and stops early: colours are learnt first, sizes and shapes take longer.

# %%
torch.manual_seed(0)
pictures = captioned_shapes(800, seed=0, device=DEVICE)
ends = (pictures.captions[:, 1:] != 0).sum(dim=1)
V, S = len(CAPTION_WORDS), 36
start = init_params(V, E=16, D=48, H=48, K=24, S=S, pixels=48, seed=0)
captioner = {key: value.float().requires_grad_() for key, value in start.items()}
optimiser = torch.optim.Adam(captioner.values(), lr=1e-2)
for update in range(151):
    rows = torch.randint(800, (48,), device=DEVICE)
    ink = 1 - pictures.images[rows]
    loss, maps = caption_loss(ink, pictures.captions[rows], ends[rows], captioner, p=4)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if update % 50 == 0:
        print(f"update {update:3d}: loss of a caption {loss.item():.2f}")
print(" ".join(CAPTION_WORDS[w] for w in pictures.captions[rows[0]].tolist() if w))
print((100 * maps[0, 2]).reshape(6, 6).int().cpu().numpy())


# %% [markdown]
# ## 6 · A film and its sentence in one row
#
# *Medium, 30 minutes, about 8 lines, 10 points.*
#
# S2VT runs two LSTMs through the frames and then through the words.
# In a batch every film has its own number of frames $f_b$, and its sentence begins as soon as *its* film is over.
# For row $b$ and step $t = 1, \dots, F + T$:
#
# $$\mathrm{upper}_t = \begin{cases} u_t & t \le f_b \\ 0 & \text{else} \end{cases} \qquad
# \mathrm{lower}_t = \begin{cases} x_{t - f_b} & f_b < t \le f_b + n_b \\ 0 & \text{else} \end{cases} \tag{14.5}$$
#
# with $x_1, \dots, x_{n_b}$ the embedded words.
# The third result says at which steps a word is read (and the next one predicted).
#
# *Shapes.* `u` (B, F, D), `x` (B, T, E), `n_frames` and `n_words` (B,); results: (B, F + T, D), (B, F + T, E), and (B, F + T) of booleans.
#
# *Worked number.* $F = 3$ and $T = 2$; a film with 2 frames $u = (5, 6, \cdot)$ and 2 words $x = (1, 2)$ gives upper $(5, 6, 0, 0, 0)$, lower $(0, 0, 1, 2, 0)$, and the words are read at the third and fourth step.
#
# *Hint.* Which word stands at step $t$ of row $b$? `torch.gather` fetches it; indices outside must be clamped first and zeroed after.

# %% tags=["exercise", "id:s2vt-inputs"]
def s2vt_inputs(
    u: Float[Tensor, "B F D"],
    n_frames: Int[Tensor, " B"],
    x: Float[Tensor, "B T E"],
    n_words: Int[Tensor, " B"],
) -> tuple[Float[Tensor, "B F+T D"], Float[Tensor, "B F+T E"], Bool[Tensor, "B F+T"]]:
    """Return the inputs of the upper and of the lower LSTM, and where words are read.

    Source: Venugopalan et al. (2015), figure 2; eq. 14.5. What stands in the padding of ``u`` and
    ``x`` makes no difference. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    F_, T = u.shape[1], x.shape[1]
    steps = torch.arange(F_ + T, device=u.device)
    showing = steps < n_frames[:, None]
    which = steps - n_frames[:, None]
    reading = (which >= 0) & (which < n_words[:, None])
    upper = torch.where(showing[:, :, None], F.pad(u, (0, 0, 0, T)), 0.0)
    index = which.clamp(0, T - 1)[:, :, None].expand(-1, -1, x.shape[2])
    lower = torch.where(reading[:, :, None], x.gather(1, index), 0.0)
    return upper, lower, reading
    ### END SOLUTION


# %% tags=["test", "id:s2vt-inputs-test", "points:10"]
u, x = numbers([[[5.0], [6.0], [9.0]]]), numbers([[[1.0], [2.0]]])
upper, lower, reading = s2vt_inputs(u, integers([2]), x, integers([2]))
check_close(
    upper[0, :, 0],
    numbers([5.0, 6.0, 0.0, 0.0, 0.0]),
    "s2vt_inputs, worked number: upper",
    hints={
        "The padding of the film is shown: frame 3 is not there.": numbers([5.0, 6, 9, 0, 0]),
        "The frames stand behind the words.": numbers([0.0, 0, 5, 6, 0]),
    },
)
check_close(
    lower[0, :, 0],
    numbers([0.0, 0.0, 1.0, 2.0, 0.0]),
    "s2vt_inputs, worked number: lower",
    hints={
        "The words wait for the longest film; they begin when their own film is over.": (
            numbers([0.0, 0, 0, 1, 2])
        ),
        "The last word is repeated; after the sentence there are zeros.": (
            numbers([0.0, 0, 1, 2, 2])
        ),
        "The words are read from the first step on.": numbers([1.0, 2, 0, 0, 0]),
        "During the film there are zeros, not the first word.": numbers([1.0, 1, 1, 2, 0]),
    },
)
check_close(
    reading[0].int(),
    torch.tensor([0, 0, 1, 1, 0], dtype=torch.int32, device=DEVICE),
    "s2vt_inputs, worked number: where words are read",
)
u, x = normal(3, 4, 2, seed=180), normal(3, 5, 3, seed=181)
n_frames, n_words = integers([4, 1, 3]), integers([2, 5, 3])
given = {"u": u, "x": x, "n_frames": n_frames, "n_words": n_words}
before = copy_of(given)
upper, lower, reading = s2vt_inputs(u, n_frames, x, n_words)
check_unchanged(before, given, "s2vt_inputs")
check_shape(upper, (3, 9, 2), "s2vt_inputs: upper", axes="B F+T D")
check_shape(lower, (3, 9, 3), "s2vt_inputs: lower", axes="B F+T E")
check_shape(reading, (3, 9), "s2vt_inputs: reading", axes="B F+T")
assert reading.dtype == torch.bool, "s2vt_inputs: the third result should be booleans."
check_close(reading.sum(dim=1), n_words, "s2vt_inputs: how many words each row reads")
check_close(lower[1, 1:6], x[1], "s2vt_inputs: the words of a film with one frame", axes="T E")
### BEGIN HIDDEN TESTS
for case, (B, frames, T, D, E) in enumerate([(5, 3, 4, 2, 3), (1, 1, 1, 4, 2), (4, 6, 2, 1, 5)]):
    u, x = normal(B, frames, D, seed=900 + case), normal(B, T, E, seed=910 + case)
    rng = np.random.default_rng(920 + case)
    shown, read = rng.integers(1, frames + 1, size=B), rng.integers(1, T + 1, size=B)
    u_wild, x_wild = u.clone(), x.clone()
    upper_wanted = torch.zeros(B, frames + T, D, dtype=torch.float64, device=DEVICE)
    lower_wanted = torch.zeros(B, frames + T, E, dtype=torch.float64, device=DEVICE)
    where = torch.zeros(B, frames + T, dtype=torch.int64, device=DEVICE)
    for b, (f, n) in enumerate(zip(shown.tolist(), read.tolist(), strict=True)):
        upper_wanted[b, :f] = u[b, :f]
        lower_wanted[b, f : f + n] = x[b, :n]
        where[b, f : f + n] = 1
        u_wild[b, f:], x_wild[b, n:] = 1e6, float("inf")
    label = f"s2vt_inputs, {B} films of up to {frames} frames, up to {T} words: "
    for a, c, extra in ((u, x, ""), (u_wild, x_wild, ", something else in the padding")):
        got = s2vt_inputs(a, integers(shown.tolist()), c, integers(read.tolist()))
        check_close(got[0], upper_wanted, label + "upper" + extra, axes="B F+T D")
        check_close(got[1], lower_wanted, label + "lower" + extra, axes="B F+T E")
        check_close(got[2].long(), where, label + "where words are read" + extra)
u_leaf, x_leaf = u.clone().requires_grad_(), x.clone().requires_grad_()
got = s2vt_inputs(u_leaf, integers(shown.tolist()), x_leaf, integers(read.tolist()))
send_back(torch.cat(got[:2], dim=2), "s2vt_inputs")
real = torch.arange(T, device=DEVICE) < integers(read.tolist())[:, None]
check_close(x_leaf.grad, 2 * x * real[..., None], "s2vt_inputs: the gradient of the words")
real = torch.arange(frames, device=DEVICE) < integers(shown.tolist())[:, None]
check_close(u_leaf.grad, 2 * u * real[..., None], "s2vt_inputs: the gradient of the frames")
### END HIDDEN TESTS


# %% [markdown]
# ## 7 · One level of the pyramid
#
# *Medium, 20 minutes, about 6 lines, 10 points.*
#
# A listener joins two neighbouring frames into one vector:
#
# $$h'_t = [\,h_{2t-1};\, h_{2t}\,], \qquad n'_b = \lceil n_b / 2 \rceil \tag{14.6}$$
#
# Row $b$ has `lengths[b]` real frames.
# If that is odd, the last real frame is joined with a frame of zeros, whatever stands in the padding; and everything behind the new length is zero.
# If T is odd, there is a frame missing at the end: take zeros.
#
# *Shapes.* `h` (B, T, H), `lengths` (B,); results: (B, ⌈T/2⌉, 2H) and the new lengths (B,), integers.
#
# *Worked number.* $h = (1, 2, 3, 4, 5)$ with length 3: $h' = (1, 2), (3, 0), (0, 0)$ and the new length is 2.

# %% tags=["exercise", "id:pyramid-reduce"]
def pyramid_reduce(
    h: Float[Tensor, "B T H"], lengths: Int[Tensor, " B"]
) -> tuple[Float[Tensor, "B T2 H2"], Int[Tensor, " B"]]:
    """Return pairs of neighbouring frames joined, and how many of them are real.

    Source: Chan et al. (2016), eq. 5; here eq. 14.6. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    B, T, H = h.shape
    real = torch.arange(T, device=h.device) < lengths[:, None]
    clean = F.pad(torch.where(real[:, :, None], h, 0.0), (0, 0, 0, T % 2))
    return clean.reshape(B, -1, 2 * H), (lengths + 1) // 2
    ### END SOLUTION


# %% tags=["test", "id:pyramid-reduce-test", "points:10"]
h = numbers([[[1.0], [2.0], [3.0], [4.0], [5.0]]])
got, lengths = pyramid_reduce(h, integers([3]))
check_close(
    got,
    numbers([[[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]]]),
    "pyramid_reduce, worked number",
    hints={
        "The padding is joined in: beyond the length there are zeros.": (
            numbers([[[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]]])
        ),
        "The partner of the last real frame is zeros, not padding.": (
            numbers([[[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]])
        ),
        "The last real frame is gone: an odd one is joined with zeros.": (
            numbers([[[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]]])
        ),
        "It joins a frame with the one half a recording later; join neighbours.": (
            numbers([[[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]])
        ),
    },
    axes="B T H",
)
check_close(
    lengths,
    integers([2]),
    "pyramid_reduce, worked number: the new length",
    hints={"Half of an odd length is rounded up.": integers([1])},
)
h, lengths = normal(3, 6, 2, seed=190), integers([6, 5, 2])
before = copy_of({"h": h, "lengths": lengths})
got, shorter = pyramid_reduce(h, lengths)
check_unchanged(before, {"h": h, "lengths": lengths}, "pyramid_reduce")
check_shape(got, (3, 3, 4), "pyramid_reduce, T = 6, H = 2", axes="B T H")
check_close(shorter, integers([3, 3, 1]), "pyramid_reduce: the new lengths")
pair = torch.cat([h[0, 2], h[0, 3]])
check_close(
    got[0, 1],
    pair,
    "pyramid_reduce: the second pair of a full row",
    hints={
        "The two frames of a pair have changed places.": torch.cat([h[0, 3], h[0, 2]]),
        "The two frames are interleaved; join them end to end.": (
            torch.stack([h[0, 2], h[0, 3]], dim=1).flatten()
        ),
        "Its pairs overlap: the second pair begins with the third frame.": (
            torch.cat([h[0, 1], h[0, 2]])
        ),
    },
)
twice, shortest = pyramid_reduce(got, shorter)
check_shape(twice, (3, 2, 8), "pyramid_reduce, applied twice", axes="B T H")
check_close(shortest, integers([2, 2, 1]), "pyramid_reduce, applied twice: the lengths")
### BEGIN HIDDEN TESTS
for case, (B, T, H) in enumerate([(4, 7, 3), (2, 1, 4), (5, 8, 2), (1, 9, 1)]):
    h = normal(B, T, H, seed=1000 + case)
    counts = [max(1, T - b) for b in range(B)]
    expected = torch.zeros(B, -(-T // 2), 2 * H, dtype=torch.float64, device=DEVICE)
    wild = h.clone()
    for b, n in enumerate(counts):
        for t in range(n):
            expected[b, t // 2, (t % 2) * H : (t % 2 + 1) * H] = h[b, t]
        wild[b, n:] = float("inf")
    for value, extra in ((h, ""), (wild, ", something else in the padding")):
        got, shorter = pyramid_reduce(value, integers(counts))
        label = f"pyramid_reduce, {B} rows of up to {T} frames{extra}"
        check_close(got, expected, label, axes="B T H")
        check_close(shorter, integers([-(-n // 2) for n in counts]), label + ": the new lengths")
single, _ = pyramid_reduce(h.float(), integers(counts))
check_close(single, expected.float(), "pyramid_reduce: float32 in and out")
leaf = h.clone().requires_grad_()
send_back(pyramid_reduce(leaf, integers(counts))[0], "pyramid_reduce")
check_close(leaf.grad, 2 * h, "pyramid_reduce: the gradient of the frames")
### END HIDDEN TESTS


# %% [markdown]
# ## 8 · What a path says
#
# *Easy, 10 minutes, about 6 lines, 6 points.*
#
# CTC puts out one symbol a frame.
# What a path says: first merge neighbours that are equal, then drop the blanks.
#
# *Shapes.* `paths` (B, T) integers, `n_frames` (B,): frames beyond it are not there; result: a list of B lists of ints.
#
# *Worked number.* With 0 for the blank, the path $(0, 3, 3, 0, 3, 5, 5)$ says $[3, 3, 5]$; with only 4 frames of it real, $[3]$.

# %% tags=["exercise", "id:collapse"]
def collapse(
    paths: Int[Tensor, "B T"], n_frames: Int[Tensor, " B"], blank: int
) -> list[list[int]]:
    """Return what each path says: repeats merged, then blanks dropped.

    Source: Graves et al. (2006), section 3.1, the map B. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    changed = F.pad(paths[:, 1:] != paths[:, :-1], (1, 0), value=True)
    steps = torch.arange(paths.shape[1], device=paths.device)
    kept = changed & (paths != blank) & (steps < n_frames[:, None])
    return [row[keep].tolist() for row, keep in zip(paths, kept, strict=True)]
    ### END SOLUTION


# %% tags=["test", "id:collapse-test", "points:6"]
path = integers([[0, 3, 3, 0, 3, 5, 5]])
before = path.clone()
said = collapse(path, integers([7]), blank=0)
check_unchanged(before, path, "collapse")
assert isinstance(said, list) and isinstance(said[0], list), "collapse: return a list of lists."
assert said != [[3, 5]], "collapse: merge first, then drop the blanks: a blank keeps repeats apart."
assert said != [[3, 3, 3, 5, 5]], "collapse: equal neighbours are one symbol."
assert said != [[0, 3, 0, 3, 5]], "collapse: the blanks are still there."
assert said == [[3, 3, 5]], f"collapse, worked number: expected [[3, 3, 5]], got {said}."
said = collapse(path, integers([4]), blank=0)
assert said == [[3]], f"collapse, worked number, 4 real frames: expected [[3]], got {said}."
assert all(type(symbol) is int for symbol in said[0]), "collapse: the symbols should be ints."
said = collapse(integers([[2, 2, 2], [1, 2, 1]]), integers([3, 3]), blank=2)
assert said == [[], [1, 1]], f"collapse, blank = 2, two rows: expected [[], [1, 1]], got {said}."
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1100)
for B, T, symbols, blank in [(6, 9, 3, 0), (4, 12, 4, 3), (3, 1, 2, 1), (5, 7, 5, 2)]:
    paths = rng.integers(symbols, size=(B, T))
    counts = rng.integers(1, T + 1, size=B)
    expected = []
    for row, n in zip(paths.tolist(), counts.tolist(), strict=True):
        said, previous = [], None
        for symbol in row[:n]:
            if symbol not in (previous, blank):
                said.append(symbol)
            previous = symbol
        expected.append(said)
    got = collapse(integers(paths.tolist()), integers(counts.tolist()), blank)
    assert got == expected, (
        f"collapse: wrong for {B} paths of up to {T} frames. "
        "Are lengths, blank and repeats all respected?"
    )
### END HIDDEN TESTS


# %% [markdown]
# **Before part 9.** To test a sum over paths there is nothing better than all the paths.
# `says` reads one path, as in the chapter, and `enumerated` adds up every path that says a target, which is possible for a few frames only.

# %% tags=["setup"]
def says(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    """Return what one path says, by way of text: symbol 0 is written a, 1 is b, and so on."""
    text = re.sub(r"(.)\1*", r"\1", "".join(chr(97 + symbol) for symbol in path))
    return tuple(ord(letter) - 97 for letter in text if ord(letter) - 97 != blank)


def enumerated(log_y: Float[Tensor, "T V"], target: tuple[int, ...], blank: int) -> Tensor:
    """Return the loss of a target by adding up every single path."""
    T, V = log_y.shape
    paths = [p for p in product(range(V), repeat=T) if says(p, blank) == target]
    return -torch.stack([log_y[range(T), p].sum() for p in paths]).logsumexp(dim=0)


# %% [markdown]
# ## 9 · The CTC loss
#
# *Hard, 50 minutes, about 22 lines, 16 points.*
#
# Each frame $t$ has the log-probabilities $\log y_t$ of all symbols.
# The loss of a target $\ell$ is $-\log$ of the total probability of all paths that say it.
# With the places $\ell' = (-, \ell_1, -, \dots, \ell_U, -)$, a blank before, after and between the symbols:
#
# $$\begin{aligned}
# a_1(1) &= \log y_{1,-}, \quad a_1(2) = \log y_{1,\ell_1}, \quad a_1(s) = -\infty \ \text{for } s > 2\\
# a_t(s) &= \log y_{t, \ell'_s} + \log\bigl(e^{a_{t-1}(s)} + e^{a_{t-1}(s-1)} + [\text{skip}_s]\, e^{a_{t-1}(s-2)}\bigr)\\
# \mathcal{L} &= -\log\bigl(e^{a_n(2U)} + e^{a_n(2U+1)}\bigr)
# \end{aligned} \tag{14.7}$$
#
# where $\text{skip}_s$ holds if $\ell'_s$ is not the blank and $\ell'_s \ne \ell'_{s-2}$, and $n$ is the number of real frames.
#
# In a batch every row has its own number of frames and its own number of symbols.
# The loss is returned for every row; a target that does not fit into its frames has the loss `inf`.
# A row may have an empty target: then only the path of blanks says it.
#
# *Shapes.* `log_y` (B, T, V), `targets` (B, U) with $U \ge 1$, padded with anything that is a symbol, `n_frames`, `n_symbols` (B,); result (B,).
#
# *Worked number.* Two frames, the symbols blank and 1, all four probabilities $\frac12$; the target $(1)$ is said by the paths $(1, 1)$, $(1, -)$ and $(-, 1)$: $\mathcal{L} = -\log \frac34 \approx 0.2877$.
#
# *Hints.* Shift with `F.pad(a[:, :-1], (1, 0), value=...)`.
# Work with a very negative number such as $-10^{30}$ in the place of $-\infty$: the gradient of a log-sum-exp of nothing but $-\infty$ is not a number, and it would spoil the gradient of the good places too.
# Multiplying probabilities will not do: 400 frames of 30 symbols underflow even float64, and a test tries it.

# %% tags=["exercise", "id:ctc-loss"]
def ctc_loss(
    log_y: Float[Tensor, "B T V"],
    targets: Int[Tensor, "B U"],
    n_frames: Int[Tensor, " B"],
    n_symbols: Int[Tensor, " B"],
    blank: int = 0,
) -> Float[Tensor, " B"]:
    """Return minus the log-probability of each target, summed over all its alignments.

    Source: Graves et al. (2006), section 4.1; eq. 14.7. ``log_y`` holds logarithms that are
    normalised over V. Inf where a target does not fit. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    never = -1e30
    B, T, _ = log_y.shape
    places = targets.new_full((B, 2 * targets.shape[1] + 1), blank)
    places[:, 1::2] = targets
    differs = (places[:, 2:] != places[:, :-2]) & (places[:, 2:] != blank)
    skip = F.pad(differs, (2, 0), value=False)
    emit = log_y.gather(2, places[:, None].expand(-1, T, -1))  # (B, T, 2U + 1)
    a = F.pad(emit[:, 0, :2], (0, places.shape[1] - 2), value=never)
    for t in range(1, T):
        one = F.pad(a[:, :-1], (1, 0), value=never)
        two = F.pad(a[:, :-2], (2, 0), value=never).masked_fill(~skip, never)
        moved = torch.stack([a, one, two]).logsumexp(dim=0) + emit[:, t]
        a = torch.where((t < n_frames)[:, None], moved, a)
    last = 2 * n_symbols[:, None]
    ends = torch.cat([a.gather(1, last), a.gather(1, (last - 1).clamp(min=0))], dim=1)
    only = torch.stack([last[:, 0] < 0, last[:, 0] == 0], dim=1)
    total = ends.masked_fill(only, never).logsumexp(dim=1)
    return torch.where(total < never / 2, torch.inf, -total)
    ### END SOLUTION


# %% tags=["test", "id:ctc-loss-test", "points:8"]
half = numbers([[[0.5, 0.5], [0.5, 0.5]]]).log()
got = ctc_loss(half, integers([[1]]), integers([2]), integers([1]))
check_shape(got, (1,), "ctc_loss, worked number", axes="B")
check_close(
    got,
    -numbers([0.75]).log(),
    "ctc_loss, worked number",
    hints={
        "It ends on the last blank only; the last symbol is an end as well.": -numbers([0.25]).log(),
        "It ends on the last symbol only; the blank behind it is an end as well.": (
            -numbers([0.5]).log()
        ),
        "The sign is wrong: the loss is minus the logarithm.": numbers([0.75]).log(),
        "The logarithm is missing.": numbers([0.75]),
    },
)


scores = normal(1, 5, 3, seed=210)
log_y = scores.log_softmax(dim=2)
for target, about in [
    ((1, 2), "two different symbols"),
    ((1, 1), "the same symbol twice: a blank must stand between"),
    ((2, 1, 2), "three symbols"),
    ((1, 1, 1), "three equal symbols: just one path"),
]:
    got = ctc_loss(log_y, integers([list(target)]), integers([5]), integers([len(target)]))
    expected = enumerated(log_y[0], target, 0)[None]
    check_close(got, expected, f"ctc_loss against all 243 paths, {about}")
given = {
    "log_y": normal(3, 6, 4, seed=220).log_softmax(dim=2),
    "targets": integers([[1, 3, 2], [2, 2, 0], [3, 1, 1]]),
    "n_frames": integers([6, 4, 5]),
    "n_symbols": integers([3, 2, 1]),
}
before = copy_of(given)
got = ctc_loss(**given)
check_unchanged(before, given, "ctc_loss")
for b in range(3):
    n, m = int(given["n_frames"][b]), int(given["n_symbols"][b])
    row = given["log_y"][b : b + 1, :n], given["targets"][b : b + 1, :m]
    alone = ctc_loss(*row, integers([n]), integers([m]))
    label = f"ctc_loss: row {b} of a batch ({n} of 6 frames, {m} of 3 symbols) and alone"
    check_close(got[b : b + 1], alone, label)
short = ctc_loss(log_y, integers([[1, 1, 1]]), integers([4]), integers([3]))
assert short.isinf().all() and (short > 0).all(), (
    "ctc_loss: three equal symbols need five frames; with four the loss should be inf."
)


# %% [markdown]
# Now the edges: another blank, empty targets, long recordings, and gradients.
# The visible test checks the gradient against the prediction minus the posterior, $y - \gamma$, with the posterior from all paths.

# %% tags=["test", "id:ctc-loss-test-2", "points:8"]
leaf = normal(1, 4, 3, seed=230).requires_grad_()
ctc_loss(leaf.log_softmax(2), integers([[2, 1]]), integers([4]), integers([2])).sum().backward()
log_y = leaf.detach().log_softmax(2)[0]
weights = {p: log_y[range(4), p].sum().exp() for p in product(range(3), repeat=4)}
weights = {p: w for p, w in weights.items() if says(p, 0) == (2, 1)}
gamma = torch.zeros(4, 3, dtype=torch.float64, device=DEVICE)
for p, w in weights.items():
    gamma[range(4), p] += w / sum(weights.values())
assert not leaf.grad.isnan().any(), (
    "ctc_loss: the gradient is not a number. Use a very negative number for what cannot be, not -inf."
)
check_close(leaf.grad[0], log_y.exp() - gamma, "ctc_loss: the gradient, y - gamma", axes="T V")
### BEGIN HIDDEN TESTS
def library(log_y, targets, n_frames, n_symbols, blank):
    """Return PyTorch's own losses."""
    return F.ctc_loss(
        log_y.transpose(0, 1), targets, n_frames, n_symbols, blank, reduction="none"
    )


for case, (B, T, V, U, blank) in enumerate(
    [(4, 9, 5, 3, 0), (3, 12, 4, 5, 3), (1, 1, 3, 1, 0), (5, 8, 3, 4, 1), (2, 400, 30, 20, 0)]
):
    rng = np.random.default_rng(1200 + case)
    symbols = [s for s in range(V) if s != blank]
    targets = integers(rng.choice(symbols, size=(B, U)).tolist())
    n_symbols = integers([max(1, U - b) for b in range(B)])
    repeats = [(targets[b, 1:n] == targets[b, : n - 1]).sum().item() for b, n in enumerate(n_symbols.tolist())]
    fits = [min(T, n + r + b % 2) for b, (n, r) in enumerate(zip(n_symbols.tolist(), repeats, strict=True))]
    for n_frames, about in ((integers([T] * B), "all frames"), (integers(fits), "hardly enough frames")):
        leaf = normal(B, T, V, seed=1300 + case).requires_grad_()
        twin = leaf.detach().clone().requires_grad_()
        got = ctc_loss(leaf.log_softmax(2), targets, n_frames, n_symbols, blank)
        wanted = library(twin.log_softmax(2), targets, n_frames, n_symbols, blank)
        label = f"ctc_loss, {B} rows, {T} frames, {V} symbols, {U} in a target, {about}"
        good = wanted.detach().isfinite()
        assert torch.equal(got.detach().isinf(), ~good), label + ": which targets do not fit?"
        check_close(got.detach()[good], wanted.detach()[good], label, 1e-9)
        got[good].sum().backward()
        wanted[good].sum().backward()
        check_close(leaf.grad[good], twin.grad[good], label + ": the gradient", 1e-7, 1e-10)
log_y = normal(2, 5, 4, seed=1400).log_softmax(2)
got = ctc_loss(log_y, integers([[1, 2], [3, 3]]), integers([5, 3]), integers([0, 2]), 0)
check_close(got[0], -log_y[0, :, 0].sum(), "ctc_loss: an empty target is said by blanks only")
wild = log_y.clone()
wild[1, 3:] = -50.0
again = ctc_loss(wild, integers([[1, 2], [3, 3]]), integers([5, 3]), integers([0, 2]), 0)
check_close(again, got, "ctc_loss: something else in the padded frames")
total = 0.0
for n in range(4):
    strings = integers([list(s) + [1] * (3 - n) for s in product((1, 2), repeat=n)])
    y = normal(1, 3, 3, seed=1410).log_softmax(2).expand(len(strings), -1, -1)
    sizes = integers([3] * len(strings)), integers([n] * len(strings))
    total = total + torch.exp(-ctc_loss(y, strings, *sizes, 0)).sum()
check_close(total, numbers(1.0), "ctc_loss: the probabilities of all strings together")
### END HIDDEN TESTS


# %% [markdown]
# ### Two symbols, no alignment
#
# A tiny network has to say 1 for each low tone and 2 for each high tone.
# It is trained with your loss on random recordings whose targets do not say when the tones sound, and then read by your `collapse`.

# %%
g = torch.Generator().manual_seed(5)


def recordings(B):
    """Return B recordings of 20 noisy frames with three tones each, and what they say."""
    tones = torch.randint(1, 3, (B, 3), generator=g)
    x = 0.15 * torch.randn(B, 20, 2, generator=g)
    for b in range(B):
        for i in range(3):
            first = 6 * i + int(torch.randint(1, 3, (1,), generator=g))
            x[b, first : first + int(torch.randint(2, 5, (1,), generator=g)), tones[b, i] - 1] += 1
    return x.to(DEVICE), tones.to(DEVICE)


W = torch.zeros(2, 3, device=DEVICE, requires_grad=True)
b_y = torch.zeros(3, device=DEVICE, requires_grad=True)
ear = torch.optim.Adam([W, b_y], lr=0.3)
frames, three = torch.full((32,), 20, device=DEVICE), torch.full((32,), 3, device=DEVICE)
for _update in range(100):
    x, said = recordings(32)
    loss = ctc_loss((x @ W + b_y).log_softmax(-1), said, frames, three).mean()
    ear.zero_grad()
    loss.backward()
    ear.step()
x, said = recordings(32)
heard = collapse((x @ W + b_y).argmax(-1), frames, 0)
right = np.mean([h == s for h, s in zip(heard, said.tolist(), strict=True)])
print(f"loss {loss.item():.3f}; {right:.0%} of new recordings exactly right (guessing: 12.5 %)")
print("heard", heard[:4], "said", said[:4].tolist())


# %% [markdown]
# ## 10 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** A hospital wants a network that describes X-ray pictures and shows, for every word of its report, the attention map as the reason.
# The network reads features of a deep convolutional network, each of which sees the whole picture.
# What do the maps show and what do they not?
# Describe an experiment by which the hospital could find out whether a map can be trusted, what would be compared, and one change of the network that would tie maps to places more closely, with its price.
# Answer in five to seven sentences.

# %% [markdown] tags=["manual", "id:what-a-map-shows", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. The map shows from which cells features were taken (weights of a mean), not which pixels decided.
# 2. With receptive fields of the whole picture a feature at one cell may carry information about any place; captions can be right with maps that are not.
# 3. Experiment: intervene; forbid (or blank out) the cells with the largest weights, or the pixels of the finding, and see whether the word changes.
# 4. A comparison: with the same number of other cells taken away, with random maps, or with known positions of findings (chance level of the mass).
# 5. A change: local features (small receptive fields, patches), supervision of the maps, or the like, with a price (less context, lower accuracy, labels needed).
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# **b.** For each of the following choose CTC or an attention decoder and give the reason:
# (1) subtitles for a live broadcast, (2) turning the spoken "twelve point five per cent" into "12.5 %", (3) reading house numbers of 3 to 30 digits when training has up to 6 only, (4) turning spelling into sound where the sound may have more symbols than the spelling.
# Then explain why CTC cannot make use of the fact that *q* is nearly always followed by *u*, and one way to give it that knowledge.
# Answer in five to seven sentences.

# %% [markdown] tags=["manual", "id:ctc-or-attention", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. (1) CTC: it can put out symbols as frames arrive (with a network that reads forward only); attention needs the whole input.
# 2. (2) attention: the output is not in the order of the input, or depends on itself ("%" at the end from "per cent"; digits from words).
# 3. (3) CTC: it decides frame by frame, so length does not matter; the attention decoder depends on the lengths of its training.
# 4. (4) attention: CTC cannot say more symbols than there are frames. (Accept CTC after stretching the input, if said.)
# 5. Given the input, CTC's frames are independent, so a symbol cannot depend on the symbol before; remedy: a language model in the search, a transducer, or an attention decoder on top. (A bidirectional network may learn some of it from the sound; fine if said.)
# ### END MARK SCHEME

# %% [markdown]
# ## 11 · Optional challenge: where was it said?
#
# *Hard, 30 minutes, about 20 lines, no points.*
#
# The network has been trained, the text of a recording is known, and one wants to know *when* each symbol was said: the subtitles of a film need it.
# Find the most probable path among those that say the target.
# Replace the sum in eq. 14.7 by a maximum, remember at every place where the maximum came from, and follow these notes back from the better of the two ends.
#
# *Shapes.* `log_y` (T, V), one recording; `target` a list of ints; result: the path, a list of T ints.
# Raise `ValueError` if the target does not fit.
# If you leave it out, the test below fails and costs nothing.

# %% tags=["exercise", "id:best-alignment"]
def best_alignment(log_y: Float[Tensor, "T V"], target: list[int], blank: int = 0) -> list[int]:
    """Return the most probable path that says ``target``, one symbol a frame.

    Raises:
        ValueError: no path of T frames says it.
    """
    ### BEGIN SOLUTION
    places = [blank]
    for symbol in target:
        places += [symbol, blank]
    T, n = len(log_y), len(places)
    score = torch.full((n,), -torch.inf, dtype=log_y.dtype, device=log_y.device)
    score[:2] = log_y[0, places[:2]]
    notes = []
    for t in range(1, T):
        origin = []
        for s in range(n):
            near = [s] + [s - 1] * (s > 0)
            if s > 1 and places[s] != blank and places[s] != places[s - 2]:
                near.append(s - 2)
            origin.append(max(near, key=lambda r: score[r].item()))
        score = score[origin] + log_y[t, places]
        notes.append(origin)
    place = max(range(n)[-2:], key=lambda s: score[s].item())
    if score[place] == -torch.inf:
        raise ValueError(f"best_alignment: {len(target)} symbols do not fit into {T} frames")
    way = [place]
    for origin in reversed(notes):
        way.append(origin[way[-1]])
    return [places[s] for s in reversed(way)]
    ### END SOLUTION


# %% tags=["test", "id:best-alignment-test", "points:0"]
log_y = normal(6, 3, seed=240).log_softmax(dim=1)
for target in ([1, 2], [2, 2], [1], [], [1, 2, 1]):
    path = best_alignment(log_y, target)
    assert says(tuple(path), 0) == tuple(target), f"best_alignment: the path does not say {target}."
    rivals = [p for p in product(range(3), repeat=6) if says(p, 0) == tuple(target)]
    best = max(log_y[range(6), p].sum().item() for p in rivals)
    got = log_y[range(6), path].sum().item()
    assert abs(got - best) < 1e-9, f"best_alignment: there is a better path that says {target}."
check_raises(ValueError, best_alignment, log_y[:4], [1, 1, 1], when="the target does not fit")

# %% [markdown]
# ## Sources
#
# * Kovashka, *CS 1678* (Pittsburgh, 2021), captioning and video to text; Basili and Croce, image captioning and attention in speech recognition; Bischl, LMU, captions with attention and generated handwriting; Peeters, *Recurrent Neural Network* (Télécom Paris), captioning and music.
# * O. Vinyals, A. Toshev, S. Bengio and D. Erhan (2015), *Show and tell: a neural image caption generator*, CVPR.
# * K. Xu and others (2015), *Show, attend and tell: neural image caption generation with visual attention*, ICML.
# * S. Venugopalan and others (2015), *Sequence to sequence: video to text*, ICCV.
# * W. Chan, N. Jaitly, Q. Le and O. Vinyals (2016), *Listen, attend and spell*, ICASSP.
# * A. Graves, S. Fernández, F. Gomez and J. Schmidhuber (2006), *Connectionist temporal classification*, ICML.
