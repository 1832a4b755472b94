# %% [markdown]
# # 12 · The Transformer
#
# In this exercise you write a Transformer from its parts: attention with several heads, positions, layer normalisation forward and backward, the layers of encoder and decoder, the loss and the learning rate it is trained with, and a decoder that remembers what it has computed.
# Your functions are checked against PyTorch's own, and at the end they are trained on a small task.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `scaled_dot_product_attention` | easy | 20 min | 10 |
# | 2 | `multi_head_attention` | medium | 30 min | 12 |
# | 3 | `causal_mask` | easy | 10 min | 6 |
# | 4 | `positional_encoding` | easy | 20 min | 8 |
# | 5 | `layer_norm` | easy | 10 min | 6 |
# | 6 | `layer_norm_backward` | hard | 35 min | 10 |
# | 7 | `encoder_layer` | medium | 25 min | 10 |
# | 8 | `decoder_layer` | medium | 25 min | 10 |
# | 9 | `label_smoothed_loss` | medium | 20 min | 8 |
# | 10 | `warmup_learning_rate` | easy | 10 min | 4 |
# | 11 | `cached_decode` | hard | 35 min | 8 |
# | 12 | two written answers | medium | 20 min | 8 |
# | 13 | optional: `shift_matrix` | medium | 20 min | 0 |
#
# Before you start, read chapter 12 of the book: it derives every equation used here.
#
# **Rules**
#
# * torch tensors, `rearrange`, and `torch.nn.functional` except its ready-made attention, layer normalisation and cross-entropy (`F.scaled_dot_product_attention`, `F.multi_head_attention_forward`, `F.layer_norm`, `F.cross_entropy`); no layers of `torch.nn`.
# * Everything but part 6 is differentiable: no `.item()`, `.detach()` or numpy on the way from parameters to result. Part 6 is the gradient by hand: there, no autograd.
# * Dtype and device of new tensors come from the inputs, so that your code runs on a GPU as it stands.
# * No function changes the tensors that it is given.
# * No loops over the batch, over positions or over heads.
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **Axes.** B batch, T positions that ask (queries), S positions that answer (keys and values), D model width, N heads, K width of one head, F inner width of the feed-forward layer, V vocabulary.
# Examples are rows, so a layer is `x @ W + b`.
#
# **Masks** are boolean, and True means *may attend* (PyTorch's layers read the opposite in some places).
# `real` (B, S) says which positions of a padded sequence are words.
#
# **Parameters** are dicts.
# An attention has eight, a layer is a dict of dicts:
#
# | entry | shape | | entry | holds |
# |---|---|---|---|---|
# | `W_q`, `W_k`, `W_v`, `W_o` | (D, D) | | `params["self"]` | attention to the layer's own sequence |
# | `b_q`, `b_k`, `b_v`, `b_o` | (D,) | | `params["cross"]` | attention to the encoder's output (decoder only) |
# | `W_1`, `b_1` | (D, F), (F,) | | `params["ff"]` | the feed-forward network |
# | `W_2`, `b_2` | (F, D), (D,) | | `params["norm1"]`, … | `gain` and `bias` (D,) of each normalisation |

# %% tags=["setup"]
import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from unrolled.checks import check_close, check_raises, check_shape, check_unchanged
from unrolled.device import device

torch.set_num_threads(1)
DEVICE = device()
Params = dict


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


def booleans(values: list) -> Tensor:
    """Return a tensor of booleans."""
    return torch.tensor(values, dtype=torch.bool, device=DEVICE)


def copy_of(value):
    """Return a copy of a tensor, or of a dict of tensors."""
    if isinstance(value, dict):
        return {key: copy_of(item) for key, item in value.items()}
    return value.clone()


# %% tags=["setup"]
def attention_params(D: int, seed: int) -> Params:
    """Return the weights of one attention; the biases are not zero, so that none is forgotten."""
    params = {f"W_{name}": normal(D, D, seed=seed + i) / D**0.5 for i, name in enumerate("qkvo")}
    return params | {f"b_{name}": normal(D, seed=seed + 4 + i) / 4 for i, name in enumerate("qkvo")}


def layer_params(D: int, F: int, seed: int, decoder: bool = False) -> Params:
    """Return the weights of an encoder layer, or of a decoder layer."""
    params = {"self": attention_params(D, seed)}
    if decoder:
        params["cross"] = attention_params(D, seed + 10)
    params["ff"] = {
        "W_1": normal(D, F, seed=seed + 20) / D**0.5,
        "b_1": normal(F, seed=seed + 21) / 4,
        "W_2": normal(F, D, seed=seed + 22) / F**0.5,
        "b_2": normal(D, seed=seed + 23) / 4,
    }
    for i in range(1, 4 if decoder else 3):
        gain, bias = normal(D, seed=seed + 30 + i), normal(D, seed=seed + 40 + i)
        params[f"norm{i}"] = {"gain": 1 + gain / 4, "bias": bias / 4}
    return params


def feed_forward(x: Float[Tensor, "B T D"], params: Params) -> Float[Tensor, "B T D"]:
    """Return the feed-forward network's output, the same function at every position."""
    return torch.relu(x @ params["W_1"] + params["b_1"]) @ params["W_2"] + params["b_2"]


def leaves_of(params: Params) -> Params:
    """Return a copy whose tensors ask for gradients."""
    if isinstance(params, dict):
        return {key: leaves_of(value) for key, value in params.items()}
    return params.clone().requires_grad_()


def named(params: Params, path: str = "") -> dict[str, Tensor]:
    """Return the tensors of nested dicts under names such as ``self.W_q``."""
    if not isinstance(params, dict):
        return {path: params}
    inner = {}
    for key, value in params.items():
        inner |= named(value, f"{path}.{key}" if path else key)
    return inner


def torch_weights(params: Params) -> dict[str, Tensor]:
    """Return the weights of a layer under the names of PyTorch's encoder and decoder layers."""
    weights = {"linear1.weight": params["ff"]["W_1"].T, "linear1.bias": params["ff"]["b_1"]}
    weights |= {"linear2.weight": params["ff"]["W_2"].T, "linear2.bias": params["ff"]["b_2"]}
    for ours, theirs in (("self", "self_attn"), ("cross", "multihead_attn")):
        if ours in params:
            p = params[ours]
            weights[f"{theirs}.in_proj_weight"] = torch.cat([p[f"W_{n}"].T for n in "qkv"])
            weights[f"{theirs}.in_proj_bias"] = torch.cat([p[f"b_{n}"] for n in "qkv"])
            weights[f"{theirs}.out_proj.weight"] = p["W_o"].T
            weights[f"{theirs}.out_proj.bias"] = p["b_o"]
    for name in ("norm1", "norm2", "norm3"):
        if name in params:
            weights |= {
                f"{name}.weight": params[name]["gain"],
                f"{name}.bias": params[name]["bias"],
            }
    return weights


def check_gradients(result: Tensor, ours: Params, expected: Tensor, theirs: Params, name: str):
    """Check that a loss on ``result`` sends every parameter the gradient that it should get."""
    assert isinstance(result, Tensor) and result.requires_grad, (
        f"{name}: no gradient can flow. Is there .detach(), .item() or numpy on the way?"
    )
    weights = normal(*expected.shape, seed=99)
    (result * weights).sum().backward()
    (expected * weights).sum().backward()
    truth = named(theirs)
    for key, value in named(ours).items():
        assert value.grad is not None, f"{name}: no gradient arrives at {key}. Is it used?"
        check_close(value.grad, truth[key].grad, f"{name}: gradient of {key}", 1e-6, 1e-8)


# %% [markdown]
# ## 1 · Attention
#
# *Easy, 20 minutes, about 6 lines, 10 points.*
#
# Every query is compared with every key; the softmax of the scaled scores says how much of each value the query receives:
#
# $$A = \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d_k}}\right), \qquad \mathrm{Attention}(Q, K, V) = A\, V \tag{12.1}$$
#
# The softmax runs over the keys, and $d_k$ is the width of a query.
# Where the mask is False the weight is exactly 0 and the remaining weights add up to 1: masked scores count as $-\infty$ *before* the softmax.
# A query that may attend to nothing has no answer: `ValueError`.
#
# *Shapes.* `q` (…, T, K), `k` (…, S, K), `v` (…, S, M): any axes in front, and values may have a width of their own.
# `mask` broadcasts to (…, T, S).
# Results: the output (…, T, M) and the weights (…, T, S).
#
# *Worked number.* $q = (1, 1, 1, 1)$; the two keys are $\frac{\ln 3}{2}(1, 1, 1, 1)$ and $0$; the values are 4 and 8.
# The scaled scores are $\ln 3$ and 0, the weights $\frac34$ and $\frac14$, the output is 5.
#
# *Hint.* `Tensor.masked_fill`, and `math.inf`.

# %% tags=["exercise", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(
    q: Float[Tensor, "... T K"],
    k: Float[Tensor, "... S K"],
    v: Float[Tensor, "... S M"],
    mask: Bool[Tensor, "... T S"] | None = None,
) -> tuple[Float[Tensor, "... T M"], Float[Tensor, "... T S"]]:
    """Return what each query receives, and how much of each value that is; weights sum to 1.

    Source: Vaswani et al. (2017), eq. 1; eq. 12.1. ``mask`` is True where a query may attend, and
    broadcasts. Dtype and device follow the inputs, which are not modified.

    Raises:
        ValueError: a query may attend to nothing.
    """
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        if not mask.any(dim=-1).all():
            raise ValueError("scaled_dot_product_attention: a row of the mask is all False")
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights
    ### END SOLUTION


# %% tags=["test", "id:scaled-dot-product-attention-test", "points:10"]
q, v = numbers([[1.0, 1.0, 1.0, 1.0]]), numbers([[4.0], [8.0]])
k = numbers([[math.log(3) / 2] * 4, [0.0] * 4])
out, weights = scaled_dot_product_attention(q, k, v)
check_close(
    weights,
    numbers([[0.75, 0.25]]),
    "scaled_dot_product_attention, worked number: weights",
    hints={
        "The scores are not divided: by the root of the width of a query, eq. 12.1.": (
            numbers([[0.9, 0.1]])
        ),
        "It divides by the width; eq. 12.1 has its square root.": (
            numbers([[3**0.5, 1.0]]) / (3**0.5 + 1)
        ),
        "It divides by the root of the number of keys; it is the width of a query.": (
            numbers([[3 ** (2 / 2**0.5), 1.0]]) / (3 ** (2 / 2**0.5) + 1)
        ),
        "The softmax runs over the queries; each query divides itself over the keys.": (
            numbers([[1.0, 1.0]])
        ),
    },
    axes="T S",
)
check_close(out, numbers([[5.0]]), "scaled_dot_product_attention, worked number: output")
q, k, v = normal(2, 3, 4, 5, seed=1), normal(2, 3, 6, 5, seed=2), normal(2, 3, 6, 7, seed=3)
mask = normal(4, 6, seed=4) > 0.3
mask[:, 1] = True
given = {"q": q, "k": k, "v": v, "mask": mask}
before = copy_of(given)
out, weights = scaled_dot_product_attention(q, k, v, mask)
check_unchanged(before, given, "scaled_dot_product_attention")
check_shape(out, (2, 3, 4, 7), "scaled_dot_product_attention: output")
check_shape(weights, (2, 3, 4, 6), "scaled_dot_product_attention: weights")
check_close(weights.sum(-1), torch.ones_like(weights[..., 0]), "rows of the weights with a mask")
assert (weights[..., ~mask] == 0).all(), (
    "scaled_dot_product_attention: a masked key has weight. True in the mask means: may attend."
)
late = (q @ k.transpose(-2, -1) / 5**0.5).softmax(-1) * mask
check_close(
    out,
    F.scaled_dot_product_attention(q, k, v, mask),
    "scaled_dot_product_attention: output with a mask",
    hints={"It masks after the softmax, so rows do not sum to 1: mask the scores.": late @ v},
)
nobody = mask.clone()
nobody[2] = False
check_raises(
    ValueError, scaled_dot_product_attention, q, k, v, nobody, when="a query may attend to nothing"
)
### BEGIN HIDDEN TESTS
for case, (front, T, S, K, M) in enumerate(
    [((3,), 5, 2, 4, 3), ((), 1, 7, 3, 6), ((2, 2), 6, 6, 1, 2)]
):
    q, k = normal(*front, T, K, seed=10 + case), normal(*front, S, K, seed=20 + case)
    v = normal(*front, S, M, seed=30 + case)
    mask = normal(*front, T, S, seed=40 + case) > 0
    mask[..., -1] = True
    ours = leaves_of({"q": q, "k": k, "v": v})
    theirs = leaves_of({"q": q, "k": k, "v": v})
    got, weights = scaled_dot_product_attention(ours["q"], ours["k"], ours["v"], mask)
    expected = F.scaled_dot_product_attention(theirs["q"], theirs["k"], theirs["v"], mask)
    label = f"scaled_dot_product_attention, {T} queries, {S} keys, {len(front)} axes in front"
    check_close(got, expected, label, 1e-9)
    check_gradients(got, ours, expected, theirs, label)
    got, weights = scaled_dot_product_attention(q, k, v)
    check_close(got, F.scaled_dot_product_attention(q, k, v), label + ", no mask", 1e-9)
    check_close(weights @ v, got, label + ": weights times values", 1e-9)
large = scaled_dot_product_attention(400 * q, 400 * k, v)[0]
assert large.isfinite().all(), "scaled_dot_product_attention: large scores overflow. Use softmax."
single = scaled_dot_product_attention(q.float(), k.float(), v.float(), mask)[0]
check_close(
    single,
    F.scaled_dot_product_attention(q, k, v, mask).float(),
    "scaled_dot_product_attention: float32 in, float32 out",
    1e-4,
    1e-5,
)
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · Several heads
#
# *Medium, 30 minutes, about 8 lines, 12 points.*
#
# Queries come from `x`, keys and values from `source` (for self-attention both are the same tensor).
# After the projections the width $D$ is cut into $N$ slices of width $K = D/N$: head $i$ has the columns $iK$ to $(i+1)K - 1$.
# Every head attends on its own; the results are put side by side again and projected:
#
# $$\mathrm{head}_i = \mathrm{Attention}\bigl((x W_q + b_q)_{[i]},\, (s W_k + b_k)_{[i]},\, (s W_v + b_v)_{[i]}\bigr), \qquad \mathrm{out} = [\mathrm{head}_1; \dots; \mathrm{head}_N]\, W_o + b_o \tag{12.2}$$
#
# where $[i]$ takes slice $i$.
# All heads share the mask (T, S), which may differ from sentence to sentence.
# A width that $N$ does not divide raises `ValueError`.
#
# *Shapes.* `x` (B, T, D), `source` (B, S, D), `mask` broadcasts to (B, T, S); result (B, T, D).
#
# *Worked number.* One position, $x = (3, 5)$, $N = 2$; all weights are identities but $W_o$, which exchanges the two numbers; all biases are 0 but $b_v = (1, 0)$.
# With one key its weight is 1, so each head hands on its slice of the value $(4, 5)$, and the result is $(5, 4)$.
#
# *Hint.* `rearrange` from `einops` (or `.view`, then `.transpose`) brings the heads beside the batch: (B, N, T, K).
# A plain reshape to (B, N, T, K) has the right shape and the wrong numbers.

# %% tags=["exercise", "id:multi-head-attention"]
def multi_head_attention(
    x: Float[Tensor, "B T D"],
    source: Float[Tensor, "B S D"],
    params: Params,
    N: int,
    mask: Bool[Tensor, "B T S"] | None = None,
) -> Float[Tensor, "B T D"]:
    """Return what the positions of ``x`` receive from ``source`` through N heads.

    Source: Vaswani et al. (2017), section 3.2.2, with biases; eq. 12.2. ``mask`` is True where a
    position may attend, and broadcasts to (B, T, S). Inputs are not modified.

    Raises:
        ValueError: N does not divide the width D.
    """
    ### BEGIN SOLUTION
    if x.shape[-1] % N:
        raise ValueError(f"multi_head_attention: {N} heads do not divide the width {x.shape[-1]}")

    def project(z: Tensor, name: str) -> Tensor:
        z = z @ params[f"W_{name}"] + params[f"b_{name}"]
        return rearrange(z, "B T (N K) -> B N T K", N=N)

    per_head = None if mask is None else mask.unsqueeze(-3)  # (B T S) -> (B 1 T S)
    heads, _ = scaled_dot_product_attention(
        project(x, "q"), project(source, "k"), project(source, "v"), per_head
    )
    return rearrange(heads, "B N T K -> B T (N K)") @ params["W_o"] + params["b_o"]
    ### END SOLUTION


# %% tags=["test", "id:multi-head-attention-test", "points:12"]
eye, zero = numbers([[1.0, 0.0], [0.0, 1.0]]), numbers([0.0, 0.0])
small = {f"W_{name}": eye for name in "qkv"} | {f"b_{name}": zero for name in "qko"}
small |= {"b_v": numbers([1.0, 0.0]), "W_o": numbers([[0.0, 1.0], [1.0, 0.0]])}
x = numbers([[[3.0, 5.0]]])
check_close(
    multi_head_attention(x, x, small, 2),
    numbers([[[5.0, 4.0]]]),
    "multi_head_attention, worked number",
    hints={
        "The output projection W_o is missing, eq. 12.2.": numbers([[[4.0, 5.0]]]),
        "The bias of the values is missing, eq. 12.2.": numbers([[[5.0, 3.0]]]),
    },
    axes="B T D",
)


def torch_attention(x, source, params, N, mask=None):
    """Return the same from PyTorch's layer; its masks are True where one may not attend."""
    layer = torch.nn.MultiheadAttention(x.shape[-1], N, batch_first=True, dtype=x.dtype)
    layer = layer.to(x.device)
    weights = {
        "in_proj_weight": torch.cat([params[f"W_{name}"].T for name in "qkv"]),
        "in_proj_bias": torch.cat([params[f"b_{name}"] for name in "qkv"]),
        "out_proj.weight": params["W_o"].T,
        "out_proj.bias": params["b_o"],
    }
    if mask is not None:
        shape = (len(x), x.shape[1], source.shape[1])
        mask = ~mask.expand(shape).repeat_interleave(N, dim=0)
    options = {"attn_mask": mask, "need_weights": False}
    return torch.func.functional_call(layer, weights, (x, source, source), options)[0]


params = attention_params(6, seed=50)
x, source = normal(2, 4, 6, seed=51), normal(2, 5, 6, seed=52)
mask = normal(2, 4, 5, seed=53) > 0
mask[..., 0] = True
given = {"x": x, "source": source, "params": params, "mask": mask}
before = copy_of(given)
got = multi_head_attention(x, source, params, 3, mask)
check_unchanged(before, given, "multi_head_attention")
check_shape(got, (2, 4, 6), "multi_head_attention", axes="B T D")
q, k, v = (
    a @ params[f"W_{n}"] + params[f"b_{n}"] for a, n in ((x, "q"), (source, "k"), (source, "v"))
)
reshaped = F.scaled_dot_product_attention(
    q.reshape(2, 3, 4, 2), k.reshape(2, 3, 5, 2), v.reshape(2, 3, 5, 2), mask[:, None]
).reshape(2, 4, 6)
wide = F.scaled_dot_product_attention(q, k, v, mask)
check_close(
    got,
    torch_attention(x, source, params, 3, mask),
    "multi_head_attention: 3 heads, with a mask",
    hints={
        "That is one head of the full width: cut it into N slices.": (
            wide @ params["W_o"] + params["b_o"]
        ),
        "Reshaping to (B, N, T, K) mixes positions: view as (B, T, N, K), then transpose.": (
            reshaped @ params["W_o"] + params["b_o"]
        ),
        "The mask is ignored.": torch_attention(x, source, params, 3),
    },
    axes="B T D",
)
check_raises(
    ValueError, multi_head_attention, x, source, params, 4, when="4 heads should divide width 6"
)
### BEGIN HIDDEN TESTS
for case, (B, T, S, D, N) in enumerate(
    [(3, 2, 6, 8, 2), (2, 5, 5, 6, 6), (1, 7, 3, 10, 1), (4, 1, 2, 9, 3)]
):
    params = attention_params(D, seed=60 + 10 * case)
    x, source = normal(B, T, D, seed=61 + case), normal(B, S, D, seed=66 + case)
    mask = normal(B, T, S, seed=71 + case) > 0
    mask[..., -1] = True
    if case == 0:
        mask = mask[:, :1]  # one row for all queries of a sentence
    if case == 1:
        mask = mask[:1]  # the same for all sentences
    ours, theirs = leaves_of(params), leaves_of(params)
    label = f"multi_head_attention, {N} head{'s' * (N > 1)}, {T} queries, {S} keys"
    got = multi_head_attention(x, source, ours, N, mask)
    expected = torch_attention(x, source, theirs, N, mask)
    check_close(got, expected, label, 1e-8, axes="B T D")
    check_gradients(got, ours, expected, theirs, label)
    got = multi_head_attention(x, source, params, N)
    check_close(got, torch_attention(x, source, params, N), label + ", no mask", 1e-8)
order = torch.randperm(S, generator=torch.Generator().manual_seed(3)).to(DEVICE)
shuffled = multi_head_attention(x, source[:, order], params, N)
check_close(shuffled, got, "multi_head_attention: the order of the source must not matter", 1e-8)
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · No look ahead
#
# *Easy, 10 minutes, about 3 lines, 6 points.*
#
# In the decoder position $i$ may attend to positions $j \le i$: to itself and to what came before.
# When text is generated with a cache (part 11), the T queries are the *last* T of `past + T` positions, and all `past` earlier ones may be seen:
#
# $$\text{mask}[i, j] = \bigl[\, j \le \text{past} + i \,\bigr], \qquad 0 \le i < T,\; 0 \le j < \text{past} + T \tag{12.3}$$
#
# *Worked number.* $T = 2$ and past $= 1$: the rows are (True, True, False) and (True, True, True).

# %% tags=["exercise", "id:causal-mask"]
def causal_mask(
    T: int, past: int = 0, device: torch.device | str = "cpu"
) -> Bool[Tensor, "T past+T"]:
    """Return which positions each of the last T of ``past + T`` positions may attend to.

    Source: eq. 12.3. True means may attend.
    """
    ### BEGIN SOLUTION
    keys = torch.arange(past + T, device=device)
    return keys <= past + torch.arange(T, device=device)[:, None]
    ### END SOLUTION


# %% tags=["test", "id:causal-mask-test", "points:6"]
three = [[True, False, False], [True, True, False], [True, True, True]]
check_close(
    causal_mask(3, device=DEVICE),
    booleans(three),
    "causal_mask: T = 3, nothing past",
    hints={
        "True and False are exchanged: True means may attend.": ~booleans(three),
        "It lets a position see what comes after it, and not what came before.": booleans(three).T,
        "A position may attend to itself.": booleans(three).tril(-1),
    },
    axes="T S",
)
check_close(
    causal_mask(2, past=1, device=DEVICE),
    booleans([[True, True, False], [True, True, True]]),
    "causal_mask, worked number",
    hints={
        "The queries are the last T positions, not the first.": (
            booleans([[True, False, False], [True, True, False]])
        ),
    },
    axes="T S",
)
### BEGIN HIDDEN TESTS
for T, past in [(1, 0), (1, 6), (5, 0), (4, 3), (2, 9)]:
    got = causal_mask(T, past, DEVICE)
    check_shape(got, (T, past + T), "causal_mask", axes="T S")
    whole = torch.ones(past + T, past + T, dtype=torch.bool, device=DEVICE).tril()
    check_close(got, whole[past:], f"causal_mask: T = {T}, past = {past}")
check_close(causal_mask(3).cpu(), booleans(three).cpu(), "causal_mask without a device")
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · Positions
#
# *Easy, 20 minutes, about 5 lines, 8 points.*
#
# Attention does not know the order of its keys, so the position is added to the embedding as a vector of sines and cosines:
#
# $$\mathrm{PE}[t, 2i] = \sin\!\left(\frac{t}{10000^{2i/D}}\right), \qquad \mathrm{PE}[t, 2i + 1] = \cos\!\left(\frac{t}{10000^{2i/D}}\right), \qquad i = 0, \dots, D/2 - 1 \tag{12.4}$$
#
# Sine and cosine of one frequency stand next to each other, as in the paper; the picture in Peeters' lecture has all sines first, which is the same up to an order of the columns.
# Positions are given as a tensor, because a decoder with a cache is at one position only.
#
# *Shapes.* `positions` (T,), integers or real numbers; `D` even; result (T, D) in float64, on the device of `positions`.
#
# *Worked number.* Position 1 with $D = 4$: $(\sin 1, \cos 1, \sin 0.01, \cos 0.01)$.

# %% tags=["exercise", "id:positional-encoding"]
def positional_encoding(positions: Int[Tensor, " T"], D: int) -> Float[Tensor, "T D"]:
    """Return the sinusoidal encoding of each position; float64, sines in even columns.

    Source: Vaswani et al. (2017), section 3.5; eq. 12.4. ``positions`` is not modified.

    Raises:
        ValueError: D is odd.
    """
    ### BEGIN SOLUTION
    if D % 2:
        raise ValueError(f"positional_encoding: the width must be even, got {D}")
    exponents = torch.arange(0, D, 2, dtype=torch.float64, device=positions.device) / D
    angles = positions.double()[:, None] / 10000.0**exponents  # (T 1) / (D/2) -> (T D/2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
    ### END SOLUTION


# %% tags=["test", "id:positional-encoding-test", "points:8"]
one = [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]
check_close(
    positional_encoding(integers([1]), 4),
    numbers([one]),
    "positional_encoding, worked number",
    hints={
        "All sines come first; eq. 12.4 has sine and cosine of a frequency side by side.": (
            numbers([[one[0], one[2], one[1], one[3]]])
        ),
        "The exponent is 2i/D with i counting pairs, not 2 times the column over D.": (
            numbers([[one[0], one[1], math.sin(1e-4), math.cos(1e-4)]])
        ),
        "The exponent is 2i/D: its column, not the number of the pair, over D.": (
            numbers([[one[0], one[1], math.sin(0.1), math.cos(0.1)]])
        ),
        "Sine and cosine of a pair share one frequency.": (
            numbers([[math.sin(1), math.cos(0.1), math.sin(0.01), math.cos(0.001)]])
        ),
        "Sine and cosine have changed places.": numbers([[one[1], one[0], one[3], one[2]]]),
    },
    axes="T D",
)
table = positional_encoding(torch.arange(7, device=DEVICE), 10)
check_shape(table, (7, 10), "positional_encoding", axes="T D")
check_close(table[0, 1::2], torch.ones_like(table[0, 1::2]), "position 0: cosines")
check_close(table.square().sum(-1), torch.full_like(table[:, 0], 5.0), "squares of a row, D = 10")
check_raises(ValueError, positional_encoding, integers([0, 1]), 5, when="the width is odd")
### BEGIN HIDDEN TESTS
for D, positions in [(2, [0, 3, 1]), (6, [5, 200, 0, 7]), (16, [1000]), (8, [0.5, 2.25])]:
    given = numbers(positions)
    if all(isinstance(p, int) for p in positions):
        given = integers(positions)
    kept = given.clone()
    got = positional_encoding(given, D)
    check_unchanged(kept, given, "positional_encoding: positions")
    expected = [
        [(math.cos if j % 2 else math.sin)(p / 10000 ** ((j - j % 2) / D)) for j in range(D)]
        for p in positions
    ]
    check_close(got, numbers(expected), f"positional_encoding, D = {D}", 1e-9, 1e-12, axes="T D")
far = positional_encoding(torch.arange(40, device=DEVICE), 32)
near = far @ far.T  # the product depends on the distance alone
check_close(
    near.diagonal(-3), near[3, 0].expand(37).clone(), "positional_encoding: products at distance 3"
)
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · Layer normalisation
#
# *Easy, 10 minutes, about 3 lines, 6 points.*
#
# Each position is brought to mean 0 and variance 1 over its own $D$ numbers, then scaled and moved by learnt vectors:
#
# $$\hat x = \frac{x - \mu}{\sigma}, \qquad \mu = \frac1D \sum_j x_j, \qquad \sigma = \sqrt{\frac1D \sum_j (x_j - \mu)^2 + \epsilon}, \qquad y = g \odot \hat x + b \tag{12.5}$$
#
# The variance divides by $D$, and $\epsilon$ stands under the root.
#
# *Shapes.* `x` (…, D), `gain` and `bias` (D,); result like `x`.
#
# *Worked number.* $x = (1, 3)$, $g = (2, 2)$, $b = (0, 1)$: $\mu = 2$, $\sigma = 1$ (nearly), $y = (-2, 3)$.

# %% tags=["exercise", "id:layer-norm"]
def layer_norm(
    x: Float[Tensor, "... D"],
    gain: Float[Tensor, " D"],
    bias: Float[Tensor, " D"],
    eps: float = 1e-5,
) -> Float[Tensor, "... D"]:
    """Return x normalised over its last axis, then scaled and moved.

    Source: Ba et al. (2016); eq. 12.5. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)
    sigma = (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    return gain * centred / sigma + bias
    ### END SOLUTION


# %% tags=["test", "id:layer-norm-test", "points:6"]
x, gain, bias = numbers([[1.0, 3.0]]), numbers([2.0, 2.0]), numbers([0.0, 1.0])
check_close(
    layer_norm(x, gain, bias),
    numbers([[-2.0, 3.0]]),
    "layer_norm, worked number",
    rtol=1e-4,
    hints={
        "The variance divides by D, not by D - 1: Tensor.var corrects unless told not to.": (
            numbers([[-(2**0.5), 1 + 2**0.5]])
        ),
        "The bias is missing, eq. 12.5.": numbers([[-2.0, 2.0]]),
        "The gain is missing, eq. 12.5.": numbers([[-1.0, 2.0]]),
        "The mean is not taken away, eq. 12.5.": numbers([[2.0, 7.0]]),
    },
    axes="B D",
)
x, gain, bias = normal(2, 3, 5, seed=80) + 4, normal(5, seed=81), normal(5, seed=82)
given = {"x": x, "gain": gain, "bias": bias}
before = copy_of(given)
got = layer_norm(x, gain, bias, eps=0.5)
check_unchanged(before, given, "layer_norm")
outside = (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True, correction=0) + 0.5)
whole = (x - x.mean()) / (x.var(correction=0) + 0.5).sqrt()
check_close(
    got,
    F.layer_norm(x, (5,), gain, bias, 0.5),
    "layer_norm with a large epsilon",
    hints={
        "Epsilon stands under the root, eq. 12.5.": gain * outside + bias,
        "Epsilon is not used: pass on the argument.": F.layer_norm(x, (5,), gain, bias, 0.0),
        "It uses an epsilon of its own: pass on the argument.": F.layer_norm(x, (5,), gain, bias),
        "Mean and variance are over everything; each position has its own.": gain * whole + bias,
    },
    axes="B T D",
)
### BEGIN HIDDEN TESTS
for case, shape in enumerate([(4, 6), (2, 3, 7), (2, 1, 3, 2), (5,)]):
    D = shape[-1]
    x, gain, bias = (
        normal(*shape, seed=90 + case),
        normal(D, seed=95 + case),
        normal(D, seed=100 + case),
    )
    ours = leaves_of({"x": x, "gain": gain, "bias": bias})
    theirs = leaves_of({"x": x, "gain": gain, "bias": bias})
    got = layer_norm(ours["x"], ours["gain"], ours["bias"])
    expected = F.layer_norm(theirs["x"], (D,), theirs["gain"], theirs["bias"])
    label = f"layer_norm: {len(shape)} axes"
    check_close(got, expected, label, 1e-8)
    check_gradients(got, ours, expected, theirs, label)
flat = torch.full((3, 4), 7.0, dtype=torch.float64, device=DEVICE)
got = layer_norm(flat, numbers([1.0] * 4), numbers([2.0] * 4))
check_close(got, torch.full_like(flat, 2.0), "layer_norm: all numbers equal")
### END HIDDEN TESTS


# %% [markdown]
# ## 6 · Back through the normalisation
#
# *Hard, 35 minutes, about 8 lines, 10 points.*
#
# Every $x_j$ moves its own $\hat x_j$ directly, and all the others through $\mu$ and $\sigma$.
# Collecting the three paths gives, with $\bar y = \partial \mathcal{L} / \partial y$ and $\bar{\hat x} = g \odot \bar y$,
#
# $$\bar x = \frac{1}{\sigma} \Bigl( \bar{\hat x} - \tfrac1D \textstyle\sum_j \bar{\hat x}_j - \hat x \cdot \tfrac1D \sum_j \bar{\hat x}_j\, \hat x_j \Bigr), \qquad \bar g = \sum \bar y \odot \hat x, \qquad \bar b = \sum \bar y \tag{12.6}$$
#
# where the last two sums run over all positions of all sentences, everything but the last axis.
# The formula stays exact with $\epsilon$, as long as $\sigma$ and $\hat x$ contain it.
#
# *Shapes.* `d_y` and `x` (…, D), `gain` (D,); results `d_x` (…, D), `d_gain` (D,), `d_bias` (D,).
#
# *Worked number.* $x = (-1, 0, 1)$, $g = 1$, $\bar y = (1, 0, 0)$, tiny $\epsilon$: $\sigma = \sqrt{2/3}$, $\hat x = (-1.2247, 0, 1.2247)$, and $\bar x \approx (0.2041, -0.4082, 0.2041)$.
# Its sum is 0, because moving all $x_j$ together changes nothing.
#
# By hand: no autograd here.

# %% tags=["exercise", "id:layer-norm-backward"]
def layer_norm_backward(
    d_y: Float[Tensor, "... D"],
    x: Float[Tensor, "... D"],
    gain: Float[Tensor, " D"],
    eps: float = 1e-5,
) -> tuple[Float[Tensor, "... D"], Float[Tensor, " D"], Float[Tensor, " D"]]:
    """Return the gradients of x, gain and bias, given that of the output.

    Source: eq. 12.6. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)
    sigma = (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    x_hat, d_hat = centred / sigma, gain * d_y
    along = (d_hat * x_hat).mean(dim=-1, keepdim=True)
    d_x = (d_hat - d_hat.mean(dim=-1, keepdim=True) - x_hat * along) / sigma
    D = x.shape[-1]
    return d_x, (d_y * x_hat).reshape(-1, D).sum(0), d_y.reshape(-1, D).sum(0)
    ### END SOLUTION


# %% tags=["test", "id:layer-norm-backward-test", "points:10"]
x, d_y, ones = numbers([[-1.0, 0.0, 1.0]]), numbers([[1.0, 0.0, 0.0]]), numbers([1.0, 1.0, 1.0])
s = 1.5**0.5
d_x, d_gain, d_bias = layer_norm_backward(d_y, x, ones, 1e-12)
name = "layer_norm_backward, worked number: "
check_close(
    d_x,
    s * numbers([[1 / 6, -1 / 3, 1 / 6]]),
    name + "d_x",
    hints={
        "That is the direct path only; x also moves the mean and sigma, eq. 12.6.": (
            s * numbers([[1.0, 0.0, 0.0]])
        ),
        "The path through sigma is missing: the last term of eq. 12.6.": (
            s * numbers([[2 / 3, -1 / 3, -1 / 3]])
        ),
        "The path through the mean is missing: the second term of eq. 12.6.": (
            s * numbers([[0.5, 0.0, 0.5]])
        ),
        "The division by sigma is missing, eq. 12.6.": numbers([[1 / 6, -1 / 3, 1 / 6]]),
        "Eq. 12.6 has means, 1/D times the sums.": s * numbers([[-1.5, -1.0, 0.5]]),
    },
    axes="B D",
)
check_close(
    d_gain,
    numbers([-s, 0.0, 0.0]),
    name + "d_gain",
    hints={"The gain multiplies the normalised x, not x itself.": numbers([-1.0, 0.0, 0.0])},
)
check_close(d_bias, numbers([1.0, 0.0, 0.0]), name + "d_bias")


def torch_backward(d_y, x, gain, eps):
    """Return the three gradients by autograd."""
    leaf, g = x.clone().requires_grad_(), gain.clone().requires_grad_()
    b = torch.zeros_like(gain).requires_grad_()
    return torch.autograd.grad(F.layer_norm(leaf, gain.shape, g, b, eps), (leaf, g, b), d_y)


x, d_y, gain = normal(2, 3, 5, seed=110) + 1, normal(2, 3, 5, seed=111), normal(5, seed=112)
given = {"d_y": d_y, "x": x, "gain": gain}
before = copy_of(given)
got = layer_norm_backward(d_y, x, gain, 0.1)
check_unchanged(before, given, "layer_norm_backward")
truth = torch_backward(d_y, x, gain, 0.1)
no_gain = torch_backward(d_y / gain, x, gain, 0.1)[0]
check_close(
    got,
    truth,
    "layer_norm_backward: d_x, d_gain, d_bias",
    hints={
        "The gain is missing on the way back.": (no_gain, None, None),
        "Sum over all axes but the last.": (None, (d_y * x).sum(0), d_y.sum(0)),
    },
)
### BEGIN HIDDEN TESTS
for case, (shape, eps) in enumerate(
    [((4, 6), 1e-5), ((2, 3, 7), 0.3), ((2, 1, 3, 4), 1e-5), ((5,), 1.0)]
):
    x, d_y = 3 * normal(*shape, seed=120 + case), normal(*shape, seed=130 + case)
    gain = normal(shape[-1], seed=140 + case)
    label = f"layer_norm_backward, {len(shape)} axes: "
    got = layer_norm_backward(d_y, x, gain, eps)
    for name, ours, theirs in zip(
        ("d_x", "d_gain", "d_bias"), got, torch_backward(d_y, x, gain, eps), strict=True
    ):
        check_close(ours, theirs, label + name, 1e-7, 1e-9)
    check_close(got[0].sum(-1), torch.zeros_like(got[0][..., 0]), label + "sum of d_x", 0, 1e-9)
single = layer_norm_backward(d_y.float(), x.float(), gain.float(), eps)[0]
check_close(single, got[0].float(), "layer_norm_backward: float32 in, float32 out", 1e-4, 1e-5)
### END HIDDEN TESTS


# %% [markdown]
# ## 7 · A layer of the encoder
#
# *Medium, 25 minutes, about 10 lines, 10 points.*
#
# A layer has two parts, self-attention and the feed-forward network (`feed_forward` is given), each with a residual connection and a normalisation of its own.
# The paper normalises *after* the sum:
#
# $$u = \mathrm{LN}_1\bigl(x + \mathrm{MHA}(x, x)\bigr), \qquad y = \mathrm{LN}_2\bigl(u + \mathrm{FF}(u)\bigr) \qquad \text{(post-norm)} \tag{12.7}$$
#
# Most models since normalise what goes *into* each part and leave the sum alone, which departs from the paper:
#
# $$u = x + \mathrm{MHA}\bigl(\mathrm{LN}_1(x), \mathrm{LN}_1(x)\bigr), \qquad y = u + \mathrm{FF}\bigl(\mathrm{LN}_2(u)\bigr) \qquad \text{(pre-norm)} \tag{12.8}$$
#
# `pre_norm` chooses.
# No position may attend to padding.
#
# *Shapes.* `x` (B, T, D), `real` (B, T); `params` has `self`, `ff`, `norm1`, `norm2`; result (B, T, D).
#
# *Worked case.* If $W_o$, $b_o$, $W_2$ and $b_2$ are zero, both parts say nothing.
# Pre-norm then returns `x` itself, post-norm normalises it twice.

# %% tags=["exercise", "id:encoder-layer"]
def encoder_layer(
    x: Float[Tensor, "B T D"],
    real: Bool[Tensor, "B T"],
    params: Params,
    N: int,
    pre_norm: bool = True,
) -> Float[Tensor, "B T D"]:
    """Return the output of one encoder layer; no position attends to padding.

    Source: Vaswani et al. (2017), section 3.1, eq. 12.7, or its pre-norm variant, eq. 12.8.
    ``real`` is True where there is a word. Every row has one. Inputs are not modified.
    """

    ### BEGIN SOLUTION
    def normalise(z: Tensor, name: str) -> Tensor:
        return layer_norm(z, params[name]["gain"], params[name]["bias"])

    mask = real[:, None, :]  # (B T) -> (B 1 T): the same keys for every query
    if pre_norm:
        z = normalise(x, "norm1")
        x = x + multi_head_attention(z, z, params["self"], N, mask)
        return x + feed_forward(normalise(x, "norm2"), params["ff"])
    x = normalise(x + multi_head_attention(x, x, params["self"], N, mask), "norm1")
    return normalise(x + feed_forward(x, params["ff"]), "norm2")
    ### END SOLUTION


# %% tags=["test", "id:encoder-layer-test", "points:10"]
def torch_encoder_layer(x, real, params, N, pre_norm):
    """Return the same from PyTorch's layer, whose padding mask is True where there is none."""
    width = params["ff"]["W_1"].shape[1]
    layer = torch.nn.TransformerEncoderLayer(
        x.shape[-1], N, width, dropout=0.0, batch_first=True, norm_first=pre_norm, dtype=x.dtype
    ).to(x.device)
    options = {"src_key_padding_mask": ~real}
    return torch.func.functional_call(layer, torch_weights(params), (x,), options)


params = layer_params(D=6, F=5, seed=200)
x, real = normal(2, 4, 6, seed=201), booleans([[True] * 4, [True, True, False, False]])
silent = copy_of(params)
for part, key in (("self", "W_o"), ("self", "b_o"), ("ff", "W_2"), ("ff", "b_2")):
    silent[part][key].zero_()
once = layer_norm(x, params["norm1"]["gain"], params["norm1"]["bias"])
twice = layer_norm(once, params["norm2"]["gain"], params["norm2"]["bias"])
check_close(
    encoder_layer(x, real, silent, 3),
    x,
    "encoder_layer, worked case, pre-norm",
    hints={
        "That is post-norm: eq. 12.8 leaves the sum alone.": twice,
        "The residual connections are missing: add x.": 0 * x,
    },
)
check_close(
    encoder_layer(x, real, silent, 3, False), twice, "encoder_layer, worked case, post-norm"
)
given = {"x": x, "real": real, "params": params}
before = copy_of(given)
for pre_norm, kind in ((True, "pre-norm"), (False, "post-norm")):
    got = encoder_layer(x, real, params, 3, pre_norm)
    check_unchanged(before, given, "encoder_layer")
    check_shape(got, (2, 4, 6), f"encoder_layer, {kind}", axes="B T D")
    everywhere = torch_encoder_layer(x, torch.ones_like(real), params, 3, pre_norm)
    expected = torch_encoder_layer(x, real, params, 3, pre_norm)
    check_close(
        got[real],
        expected[real],
        f"encoder_layer, {kind}: at the words",
        hints={
            "Words attend to the padding: mask the keys.": everywhere[real],
            "That is the other order of sum and normalisation: look at pre_norm.": (
                torch_encoder_layer(x, real, params, 3, not pre_norm)[real]
            ),
        },
    )
moved = x.clone()
moved[1, 2:] += 5.0
check_close(
    encoder_layer(moved, real, params, 3)[1, :2],
    encoder_layer(x, real, params, 3)[1, :2],
    "encoder_layer: other numbers in the padding must not change the words",
)
### BEGIN HIDDEN TESTS
for case, (B, T, D, F_, N) in enumerate([(3, 5, 8, 3, 2), (1, 4, 6, 10, 1), (2, 1, 4, 6, 4)]):
    params = layer_params(D, F_, seed=210 + 50 * case)
    x = normal(B, T, D, seed=380 + case)
    lengths = integers([T - b % T for b in range(B)])
    real = torch.arange(T, device=DEVICE) < lengths[:, None]
    for pre_norm, kind in ((True, "pre-norm"), (False, "post-norm")):
        ours, theirs = leaves_of(params), leaves_of(params)
        label = f"encoder_layer, {kind}, a batch of {B}, {T} position{'s' * (T > 1)}"
        got = encoder_layer(x, real, ours, N, pre_norm)
        expected = torch_encoder_layer(x, real, theirs, N, pre_norm)
        check_close(got[real], expected[real], label, 1e-8)
        check_gradients(got[real], ours, expected[real], theirs, label)
    if B > 1 and T > 1:
        alone = encoder_layer(x[1:2, : T - 1], real[1:2, : T - 1], params, N)
        batched = encoder_layer(x, real, params, N)[1:2, : T - 1]
        check_close(batched, alone, "encoder_layer: a sentence in a batch and alone", 1e-8)
    if T > 1:
        order = torch.randperm(T, generator=torch.Generator().manual_seed(case)).to(DEVICE)
        shuffled = encoder_layer(x[:, order], real[:, order], params, N)
        straight = encoder_layer(x, real, params, N)
        check_close(shuffled, straight[:, order], "encoder_layer: words in another order", 1e-8)
### END HIDDEN TESTS


# %% [markdown]
# ## 8 · A layer of the decoder
#
# *Medium, 25 minutes, about 8 lines, 10 points.*
#
# The decoder's layer has three parts.
# Its self-attention is causal; the second attention asks the encoder's output `memory`, with queries from the decoder.
# Here with pre-norm only:
#
# $$u = y + \mathrm{MHA}_{\text{self}}\bigl(\mathrm{LN}_1(y), \mathrm{LN}_1(y)\bigr), \quad w = u + \mathrm{MHA}_{\text{cross}}\bigl(\mathrm{LN}_2(u), \text{memory}\bigr), \quad \text{out} = w + \mathrm{FF}\bigl(\mathrm{LN}_3(w)\bigr) \tag{12.9}$$
#
# `memory` comes from an encoder that normalises at its end, so it is not normalised again.
# Padding of the target stands on the right, after every word that counts, and the causal mask keeps it out; only `memory` needs a mask for its padding.
#
# *Shapes.* `y` (B, T, D), `memory` (B, S, D), `real` (B, S); `params` has `self`, `cross`, `ff`, `norm1`, `norm2`, `norm3`; result (B, T, D).
#
# *Worked case.* With $W_o$, $b_o$ of the self-attention and $W_2$, $b_2$ zero, and one position of memory, every position adds the same row to itself: $(m\, W_v + b_v)\, W_o + b_o$ of the cross-attention.

# %% tags=["exercise", "id:decoder-layer"]
def decoder_layer(
    y: Float[Tensor, "B T D"],
    memory: Float[Tensor, "B S D"],
    real: Bool[Tensor, "B S"],
    params: Params,
    N: int,
) -> Float[Tensor, "B T D"]:
    """Return the output of one decoder layer, pre-norm; no position sees what comes after it.

    Source: Vaswani et al. (2017), section 3.1, with the normalisation of eq. 12.9. ``real`` is
    True where the source has a word. Inputs are not modified.
    """

    ### BEGIN SOLUTION
    def normalise(z: Tensor, name: str) -> Tensor:
        return layer_norm(z, params[name]["gain"], params[name]["bias"])

    z = normalise(y, "norm1")
    causal = causal_mask(y.shape[1], device=y.device)[None]
    y = y + multi_head_attention(z, z, params["self"], N, causal)
    z = normalise(y, "norm2")
    y = y + multi_head_attention(z, memory, params["cross"], N, real[:, None, :])
    return y + feed_forward(normalise(y, "norm3"), params["ff"])
    ### END SOLUTION


# %% tags=["test", "id:decoder-layer-test", "points:10"]
def torch_decoder_layer(y, memory, real, params, N, causal=True):
    """Return the same from PyTorch's layer, whose masks are True where one may not attend."""
    T, width = y.shape[1], params["ff"]["W_1"].shape[1]
    layer = torch.nn.TransformerDecoderLayer(
        y.shape[-1], N, width, dropout=0.0, batch_first=True, norm_first=True, dtype=y.dtype
    ).to(y.device)
    future = torch.ones(T, T, dtype=torch.bool, device=y.device).triu(1)
    options = {"tgt_mask": future if causal else None, "memory_key_padding_mask": ~real}
    weights = torch_weights(params)
    return torch.func.functional_call(layer, weights, (y, memory), options)


params = layer_params(D=6, F=5, seed=400, decoder=True)
y, memory = normal(2, 4, 6, seed=401), normal(2, 3, 6, seed=402)
real = booleans([[True] * 3, [True, True, False]])
silent = copy_of(params)
for part, key in (("self", "W_o"), ("self", "b_o"), ("ff", "W_2"), ("ff", "b_2")):
    silent[part][key].zero_()
cross = params["cross"]
row = (memory[:, :1] @ cross["W_v"] + cross["b_v"]) @ cross["W_o"] + cross["b_o"]
check_close(
    decoder_layer(y, memory[:, :1], real[:, :1], silent, 3),
    y + row,
    "decoder_layer, worked case",
    hints={
        "The residual connection around the cross-attention is missing.": row.expand_as(y),
        "The memory's values went through a normalisation: memory is used as it comes.": (
            y
            + (layer_norm(memory[:, :1], **params["norm2"]) @ cross["W_v"] + cross["b_v"])
            @ cross["W_o"]
            + cross["b_o"]
        ),
    },
    axes="B T D",
)
given = {"y": y, "memory": memory, "real": real, "params": params}
before = copy_of(given)
got = decoder_layer(y, memory, real, params, 3)
check_unchanged(before, given, "decoder_layer")
check_shape(got, (2, 4, 6), "decoder_layer", axes="B T D")
exchanged = params | {"self": params["cross"], "cross": params["self"]}
check_close(
    got,
    torch_decoder_layer(y, memory, real, params, 3),
    "decoder_layer: 3 heads, a source with padding",
    hints={
        "Positions see what comes after them: the causal mask is missing.": (
            torch_decoder_layer(y, memory, real, params, 3, causal=False)
        ),
        "The padding of the memory is attended to.": (
            torch_decoder_layer(y, memory, torch.ones_like(real), params, 3)
        ),
        "The weights of the two attentions have changed places.": (
            torch_decoder_layer(y, memory, real, exchanged, 3)
        ),
    },
    axes="B T D",
)
moved = y.clone()
moved[:, 2:] += 3.0
check_close(
    decoder_layer(moved, memory, real, params, 3)[:, :2],
    got[:, :2],
    "decoder_layer: later words must not change earlier outputs",
)
### BEGIN HIDDEN TESTS
for case, (B, T, S, D, F_, N) in enumerate(
    [(3, 5, 2, 8, 3, 2), (1, 1, 4, 6, 10, 3), (2, 4, 4, 4, 6, 4)]
):
    params = layer_params(D, F_, seed=410 + 50 * case, decoder=True)
    y, memory = normal(B, T, D, seed=580 + case), normal(B, S, D, seed=590 + case)
    real = torch.arange(S, device=DEVICE) < integers([S - b % S for b in range(B)])[:, None]
    ours, theirs = leaves_of(params), leaves_of(params)
    label = f"decoder_layer, {T} position{'s' * (T > 1)}, {S} of memory"
    got = decoder_layer(y, memory, real, ours, N)
    expected = torch_decoder_layer(y, memory, real, theirs, N)
    check_close(got, expected, label, 1e-8)
    check_gradients(got, ours, expected, theirs, label)
    changed = torch.where(real[..., None], memory, 9.0 + memory)
    got = decoder_layer(y, changed, real, params, N)
    check_close(got, expected.detach(), label + ", other numbers in the memory's padding", 1e-8)
    source = memory.clone().requires_grad_()
    got = decoder_layer(y, source, real, params, N)
    lost = "decoder_layer: no gradient arrives at the memory, so the encoder could not learn."
    assert got.requires_grad, lost
    got.square().sum().backward()
    assert source.grad is not None and (source.grad[real] != 0).any(), lost
### END HIDDEN TESTS


# %% [markdown]
# ## 9 · A softened target
#
# *Medium, 20 minutes, about 6 lines, 8 points.*
#
# Label smoothing asks the model for a little less than certainty.
# The target is no longer the right word alone but
#
# $$q_v = (1 - \epsilon)\, [v = y] + \frac{\epsilon}{V}, \qquad \mathcal{L} = -\sum_{v=1}^{V} q_v \log \mathrm{softmax}(o)_v \tag{12.10}$$
#
# The share $\epsilon$ is spread over *all* $V$ words, the right one included (some write it over the other $V - 1$).
# The loss is the mean over the targets that are not padding.
#
# *Shapes.* `logits` (B, T, V), `targets` (B, T) of integers, with `pad` where there is no word; result: a tensor without axes.
#
# *Worked number.* $V = 2$, logits $(\ln 3, 0)$, target 0, $\epsilon = 0.2$: the model says $(\frac34, \frac14)$, the target is $(0.9, 0.1)$, the loss is $-0.9 \ln \frac34 - 0.1 \ln \frac14 \approx 0.3975$.

# %% tags=["exercise", "id:label-smoothed-loss"]
def label_smoothed_loss(
    logits: Float[Tensor, "B T V"],
    targets: Int[Tensor, "B T"],
    epsilon: float,
    pad: int = 0,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy against smoothed targets over all that is not padding.

    Source: Szegedy et al. (2016); Vaswani et al. (2017), section 5.4; eq. 12.10.
    At least one target is not ``pad``. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    log_probs = logits.log_softmax(dim=-1)
    chosen = log_probs.gather(-1, targets[..., None])[..., 0]
    losses = -(1 - epsilon) * chosen - epsilon * log_probs.mean(dim=-1)
    return losses[targets != pad].mean()
    ### END SOLUTION


# %% tags=["test", "id:label-smoothed-loss-test", "points:8"]
logits = numbers([[[math.log(3), 0.0]]])
say = {v: -math.log(p) for v, p in ((0, 0.75), (1, 0.25))}
check_close(
    label_smoothed_loss(logits, integers([[0]]), 0.2, pad=9),
    numbers(0.9 * say[0] + 0.1 * say[1]),
    "label_smoothed_loss, worked number",
    hints={
        "The share is spread over the other V - 1 words; eq. 12.10 has all V.": (
            numbers(0.8 * say[0] + 0.2 * say[1])
        ),
        "Every word gets epsilon; eq. 12.10 divides it by V.": numbers(say[0] + 0.2 * say[1]),
        "The target is not smoothed.": numbers(say[0]),
        "The sign: a loss is the negative mean logarithm.": numbers(-0.9 * say[0] - 0.1 * say[1]),
    },
)
logits, targets = normal(2, 4, 6, seed=700), integers([[3, 1, 5, 2], [4, 0, 0, 0]])
given = {"logits": logits, "targets": targets}
before = copy_of(given)
got = label_smoothed_loss(logits, targets, 0.1)
check_unchanged(before, given, "label_smoothed_loss")


def torch_loss(logits, targets, epsilon, pad):
    """Return the same from PyTorch."""
    options = {"ignore_index": pad, "label_smoothing": epsilon}
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), **options)


check_close(
    got,
    torch_loss(logits, targets, 0.1, 0),
    "label_smoothed_loss: 5 words and 3 of padding",
    hints={
        "The padding is counted: leave it out of sum and mean.": torch_loss(
            logits, targets, 0.1, -1
        ),
        "The sum leaves the padding out, but the mean divides by all B T.": (
            torch_loss(logits, targets, 0.1, 0) * 5 / 8
        ),
        "That is the sum over the words; divide by their number.": (
            torch_loss(logits, targets, 0.1, 0) * 5
        ),
        "Each sentence is averaged first; take one mean over all words.": (
            torch.stack([torch_loss(logits[b : b + 1], targets[b : b + 1], 0.1, 0) for b in (0, 1)])
        ).mean(),
    },
)
### BEGIN HIDDEN TESTS
for case, (B, T, V, epsilon, pad) in enumerate(
    [(3, 4, 7, 0.3, 0), (1, 5, 2, 0.0, 1), (2, 1, 9, 1.0, 3)]
):
    ours = {"logits": 3 * normal(B, T, V, seed=710 + case)}
    targets = torch.randint(V, (B, T), generator=torch.Generator().manual_seed(case)).to(DEVICE)
    targets[0, 0] = (pad + 1) % V
    ours, theirs = leaves_of(ours), leaves_of(ours)
    label = f"label_smoothed_loss, V = {V}, epsilon = {epsilon}, padding is word {pad}"
    got = label_smoothed_loss(ours["logits"], targets, epsilon, pad)
    expected = torch_loss(theirs["logits"], targets, epsilon, pad)
    check_close(got, expected, label, 1e-9)
    check_gradients(got, ours, expected, theirs, label)
wild = label_smoothed_loss(900 * logits, targets.new_tensor([[3, 1, 5, 2], [4, 0, 0, 0]]), 0.1)
assert wild.isfinite(), "label_smoothed_loss: log of 0 with large logits. Use log_softmax."
### END HIDDEN TESTS


# %% [markdown]
# ## 10 · Warming up
#
# *Easy, 10 minutes, about 3 lines, 4 points.*
#
# The learning rate rises in proportion to the step, and after `warmup` steps falls with its square root:
#
# $$\eta(n) = D^{-1/2} \min\bigl(n^{-1/2},\; n \cdot \text{warmup}^{-3/2}\bigr), \qquad n = 1, 2, \dots \tag{12.11}$$
#
# Steps are counted from 1: a step below raises `ValueError` (at $n = 0$ the rate would be 0, and the first update lost).
#
# *Worked number.* The paper's $D = 512$ and 4000 steps of warm-up: at step 4000 both terms agree, and $\eta = (512 \cdot 4000)^{-1/2} \approx 6.99 \cdot 10^{-4}$.

# %% tags=["exercise", "id:warmup-learning-rate"]
def warmup_learning_rate(step: int, D: int, warmup: int) -> float:
    """Return the learning rate of a step, counted from 1.

    Source: Vaswani et al. (2017), eq. 3; eq. 12.11.

    Raises:
        ValueError: ``step`` is less than 1.
    """
    ### BEGIN SOLUTION
    if step < 1:
        raise ValueError(f"warmup_learning_rate: steps count from 1, got {step}")
    return D**-0.5 * min(step**-0.5, step * warmup**-1.5)
    ### END SOLUTION


# %% tags=["test", "id:warmup-learning-rate-test", "points:4"]
peak = (512 * 4000) ** -0.5
check_close(
    warmup_learning_rate(4000, 512, 4000),
    peak,
    "warmup_learning_rate, worked number",
    hints={
        "The factor of the width is missing, eq. 12.11.": 4000**-0.5,
        "It is D to the power -1/2, not D.": 512 * 4000**-0.5,
    },
)
check_close(
    warmup_learning_rate(1000, 512, 4000),
    peak / 4,
    "warmup_learning_rate: a quarter through the warm-up",
    hints={"It takes the larger of the two terms, or falls from the start: min.": 2 * peak},
)
check_close(
    warmup_learning_rate(16000, 512, 4000), peak / 2, "warmup_learning_rate: 4 times as far"
)
check_raises(ValueError, warmup_learning_rate, 0, 512, 4000, when="the step is 0")
### BEGIN HIDDEN TESTS
for D, warmup in [(64, 10), (256, 1), (100, 77)]:
    for step in (1, 2, 9, 10, 11, 77, 78, 500):
        expected = D**-0.5 * (step / warmup**1.5 if step <= warmup else 1 / step**0.5)
        got = warmup_learning_rate(step, D, warmup)
        side = "before" if step < warmup else "at" if step == warmup else "after"
        check_close(got, expected, f"warmup_learning_rate: {side} the end of the warm-up", 1e-9)
check_raises(ValueError, warmup_learning_rate, -3, 512, 4000, when="the step is negative")
### END HIDDEN TESTS


# %% [markdown]
# ## 11 · A decoder that remembers
#
# *Hard, 35 minutes, about 15 lines, 8 points.*
#
# When a sentence is written word by word, decoding the whole prefix again for every new word repeats almost all of the work.
# Nothing that earlier positions compute can change, because they do not see later ones.
# And all that a new position needs of them are their keys and values.
# So keep those, and run only the new position through the layer:
#
# $$k_{\le t} = [\,k_{<t};\; z_t W_k + b_k\,], \qquad v_{\le t} = [\,v_{<t};\; z_t W_v + b_v\,], \qquad z_t = \mathrm{LN}_1(y_t) \tag{12.12}$$
#
# The rest is eq. 12.9 at position $t$ alone.
# The keys and values of the memory never change: `start_cache` computes them once.
#
# | entry of the cache | shape | holds |
# |---|---|---|
# | `k`, `v` | (B, t, D) | self-attention: keys and values of the $t$ earlier positions, all heads side by side |
# | `memory_k`, `memory_v` | (B, S, D) | cross-attention: keys and values of the memory |
#
# Return the output and a *new* cache with one row more; the old one stays valid, because a beam search may continue it in two ways.
# The result must equal row $t$ of `decoder_layer` on the whole prefix.
#
# *Shapes.* `y` (B, 1, D), `real` (B, S); results: (B, 1, D) and the cache.
#
# *Hint.* `multi_head_attention` projects its source, and here that is done already.
# Split into heads as in part 2, then use `scaled_dot_product_attention`.
# Which positions may the newest one see?

# %% tags=["setup"]
Cache = dict[str, Tensor]


def start_cache(memory: Float[Tensor, "B S D"], params: Params) -> Cache:
    """Return the cache of a decoder layer before the first word."""
    cross, nothing = params["cross"], memory.new_zeros(len(memory), 0, memory.shape[-1])
    return {
        "k": nothing,
        "v": nothing,
        "memory_k": memory @ cross["W_k"] + cross["b_k"],
        "memory_v": memory @ cross["W_v"] + cross["b_v"],
    }


# %% tags=["exercise", "id:cached-decode"]
def cached_decode(
    y: Float[Tensor, "B 1 D"],
    cache: Cache,
    real: Bool[Tensor, "B S"],
    params: Params,
    N: int,
) -> tuple[Float[Tensor, "B 1 D"], Cache]:
    """Return a decoder layer's output at the newest position, and the cache with it added.

    Source: eqs. 12.9 and 12.12; the output equals the last row of ``decoder_layer`` on the whole
    prefix. ``real`` is True where the source has a word. Inputs are not modified.
    """

    ### BEGIN SOLUTION
    def split(z: Tensor) -> Tensor:
        return rearrange(z, "B T (N K) -> B N T K", N=N)

    def attend(z: Tensor, k: Tensor, v: Tensor, p: Params, mask: Tensor | None) -> Tensor:
        q = split(z @ p["W_q"] + p["b_q"])
        heads, _ = scaled_dot_product_attention(q, split(k), split(v), mask)
        return rearrange(heads, "B N T K -> B T (N K)") @ p["W_o"] + p["b_o"]

    own = params["self"]
    z = layer_norm(y, **params["norm1"])
    k = torch.cat([cache["k"], z @ own["W_k"] + own["b_k"]], dim=1)
    v = torch.cat([cache["v"], z @ own["W_v"] + own["b_v"]], dim=1)
    y = y + attend(z, k, v, own, None)
    z = layer_norm(y, **params["norm2"])
    mask = real[:, None, None, :]
    y = y + attend(z, cache["memory_k"], cache["memory_v"], params["cross"], mask)
    y = y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])
    return y, cache | {"k": k, "v": v}
    ### END SOLUTION


# %% tags=["test", "id:cached-decode-test", "points:8"]
params = layer_params(D=6, F=5, seed=800, decoder=True)
y, memory = normal(2, 4, 6, seed=801), normal(2, 3, 6, seed=802)
real = booleans([[True] * 3, [True, False, False]])
cache = start_cache(memory, params)
whole = decoder_layer(y, memory, real, params, 3)
alone = torch.cat([decoder_layer(y[:, t : t + 1], memory, real, params, 3) for t in range(4)], 1)
padded = decoder_layer(y, memory, torch.ones_like(real), params, 3)
for t in range(4):
    given = {"y": y[:, t : t + 1], "cache": cache, "real": real, "params": params}
    before = copy_of(given)
    got, grown = cached_decode(y[:, t : t + 1], cache, real, params, 3)
    check_unchanged(before, given, "cached_decode")
    check_shape(got, (2, 1, 6), "cached_decode: output", axes="B T D")
    assert isinstance(grown, dict) and set(grown) == set(cache), (
        "cached_decode: expected a cache with the keys k, v, memory_k and memory_v."
    )
    for key in ("k", "v"):
        check_shape(grown[key], (2, t + 1, 6), f"cached_decode: cache[{key!r}]", axes="B T D")
    hints = {
        "The padding of the memory is attended to.": padded[:, t : t + 1],
        "It sees only itself: attend to the keys of the cache and the new one.": alone[
            :, t : t + 1
        ],
    }
    if t == 0:
        hints.popitem()
    check_close(
        got,
        whole[:, t : t + 1],
        f"cached_decode: step {t} counted from 0, against the whole",
        hints=hints,
    )
    cache = grown
z = layer_norm(y, **params["norm1"])
for name in "kv":
    projected = z @ params["self"][f"W_{name}"] + params["self"][f"b_{name}"]
    raw = y @ params["self"][f"W_{name}"] + params["self"][f"b_{name}"]
    check_close(
        cache[name],
        projected,
        f"cached_decode: cache[{name!r}] after four steps",
        hints={"The normalised vector is projected, eq. 12.12.": raw},
    )


### BEGIN HIDDEN TESTS
def by_torch(y, memory, real, params, N):
    """Return the same from PyTorch's layer, whose masks are True where one may not attend."""
    T, width = y.shape[1], params["ff"]["W_1"].shape[1]
    layer = torch.nn.TransformerDecoderLayer(
        y.shape[-1], N, width, dropout=0.0, batch_first=True, norm_first=True, dtype=y.dtype
    ).to(y.device)
    future = torch.ones(T, T, dtype=torch.bool, device=y.device).triu(1)
    options = {"tgt_mask": future, "memory_key_padding_mask": ~real}
    return torch.func.functional_call(layer, torch_weights(params), (y, memory), options)


for case, (B, T, S, D, F_, N) in enumerate(
    [(3, 5, 2, 8, 3, 2), (1, 7, 4, 6, 10, 6), (2, 3, 1, 5, 6, 1)]
):
    params = layer_params(D, F_, seed=810 + 50 * case, decoder=True)
    y, memory = normal(B, T, D, seed=980 + case), normal(B, S, D, seed=990 + case)
    real = torch.arange(S, device=DEVICE) < integers([S - b % S for b in range(B)])[:, None]
    cache, expected = start_cache(memory, params), by_torch(y, memory, real, params, N)
    kept, outputs = [], []
    for t in range(T):
        kept.append(cache)
        got, cache = cached_decode(y[:, t : t + 1], cache, real, params, N)
        outputs.append(got)
    label = f"cached_decode, {N} head{'s' * (N > 1)}, {T} steps"
    check_close(torch.cat(outputs, dim=1), expected, label, 1e-8)
    other = cached_decode(y[:, :1] + 1.0, kept[2], real, params, N)[0]
    branch = torch.cat([y[:, :2], y[:, :1] + 1.0], dim=1)
    again = by_torch(branch, memory, real, params, N)[:, -1:]
    check_close(other, again, "cached_decode: an old cache continued in another way", 1e-8)
leaf = y[:, :1].clone().requires_grad_()
got, cache = cached_decode(leaf, start_cache(memory, params), real, params, N)
assert got.requires_grad and cache["k"].requires_grad, (
    "cached_decode: is there .detach() on the way?"
)
### END HIDDEN TESTS


# %% [markdown]
# ## Your Transformer learns to reverse
#
# The cells below put your functions together: one layer of encoder, one of decoder, trained with your loss and your learning rate to write a string of digits backwards.
# Then your cached decoder writes strings that it has never seen.
# They should print a share of right answers near 1 (guessing would give nearly 0).

# %%
D, N, V, BOS = 32, 4, 11, 10  # word 0 is padding, digits are 1 to 9


def start() -> Params:
    """Return small float32 parameters that ask for gradients."""
    layers = {"encoder": layer_params(D, 64, 1), "decoder": layer_params(D, 64, 100, decoder=True)}
    layers |= {"E": normal(V, D, seed=300) / D**0.5}
    layers |= {f"end{i}": copy_of(layers["encoder"]["norm1"]) for i in (1, 2)}

    def leaf(value):
        if isinstance(value, dict):
            return {key: leaf(item) for key, item in value.items()}
        return value.float().requires_grad_()

    return leaf(layers)


def embed(tokens: Tensor, params: Params, first: int = 0) -> Tensor:
    """Return embeddings plus positions, counted from ``first``."""
    positions = torch.arange(first, first + tokens.shape[1], device=tokens.device)
    return params["E"][tokens] * D**0.5 + positional_encoding(positions, D).float()


def read(tokens: Tensor, params: Params) -> tuple[Tensor, Tensor]:
    """Return the encoder's output, and which positions are words."""
    real = tokens != 0
    x = encoder_layer(embed(tokens, params), real, params["encoder"], N)
    return layer_norm(x, **params["end1"]), real


# %%
model, B, T = start(), 64, 6
optimizer = torch.optim.Adam(list(named(model).values()), betas=(0.9, 0.98), eps=1e-9)
g = torch.Generator().manual_seed(0)
for n in range(1, 401):
    source = torch.randint(1, 10, (B, T), generator=g).to(DEVICE)
    target = source.flip(1)
    shifted = torch.cat([torch.full_like(target[:, :1], BOS), target[:, :-1]], dim=1)
    memory, real = read(source, model)
    out = decoder_layer(embed(shifted, model), memory, real, model["decoder"], N)
    logits = layer_norm(out, **model["end2"]) @ model["E"].T
    loss = label_smoothed_loss(logits, target, 0.1)
    optimizer.param_groups[0]["lr"] = 0.3 * warmup_learning_rate(n, D, 100)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if n % 100 == 0:
        print(f"update {n}: loss {loss.item():.3f}")

# %%
with torch.no_grad():
    source = torch.randint(1, 10, (200, T), generator=g).to(DEVICE)
    memory, real = read(source, model)
    cache, word = start_cache(memory, model["decoder"]), torch.full((200, 1), BOS, device=DEVICE)
    written = []
    for t in range(T):
        out, cache = cached_decode(embed(word, model, t), cache, real, model["decoder"], N)
        word = (layer_norm(out, **model["end2"]) @ model["E"].T).argmax(-1)
        written.append(word)
written = torch.cat(written, dim=1)
for row in range(3):
    print(*source[row].tolist(), "→", *written[row].tolist())
print(
    f"written backwards without a mistake: {(written == source.flip(1)).all(1).float().mean():.2f}"
)

# %% [markdown]
# ## 12 · In your own words
#
# *Medium, 10 minutes each, 4 points each. A person marks these.*
#
# **a.** A colleague leaves out the division by $\sqrt{d_k}$, because "the weights can learn any scale".
# What happens at the start of training when $d_k = 256$, and why does it hurt?
# Is the colleague's argument wrong?
# Answer in four to six sentences, with the variance of a score.

# %% [markdown] tags=["manual", "id:why-divide", "points:4"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. With entries of mean 0 and variance 1, independent, a score is a sum of $d_k$ products of variance 1, so its variance is $d_k$ (here 256, standard deviation 16).
# 2. The softmax of such scores is nearly one-hot: one key takes almost all.
# 3. There the softmax's Jacobian $\operatorname{diag}(a) - a^\top a$ is nearly 0, so hardly any gradient reaches queries and keys, and attention stays at its random choice.
# 4. The colleague is right that the weights *can represent* any scale (absorb the factor in $W_q$), but not that they get there: the gradient that would shrink them has vanished. A remark that a smaller initialisation would serve as well is worth the point.
# ### END MARK SCHEME

# %% [markdown]
# **b.** Training reads all positions of a target at once; generation writes one at a time.
# Why is the first allowed?
# What goes wrong, in training and in use, if the causal mask lets position $i$ see position $i + 1$?
# And what does a cache for generation cost in memory, for L layers, width D, B sentences of T words?
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:why-mask", "points:4"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. With teacher forcing all inputs are known beforehand, and the causal mask makes output $i$ a function of inputs up to $i$ only: so all positions can be computed together, with the results they would have one by one.
# 2. If it sees $i + 1$: the input at $i + 1$ is the word to be predicted at $i$, so the model learns to copy it, and the training loss falls to almost nothing.
# 3. In use that word does not exist yet, so the model is useless (its inputs are not those of training); loss and quality contradict each other.
# 4. Cache: keys and values, $2 L B T D$ numbers for self-attention (plus $2 L B S D$ once for the memory); either form of the count earns the point.
# ### END MARK SCHEME

# %% [markdown]
# ## 13 · Optional challenge: a shift is a matrix
#
# *Medium, 20 minutes, about 8 lines, no points.*
#
# Build the matrix $M$ that moves every position by $k$ steps, whatever the position:
#
# $$\mathrm{PE}[t + k] = \mathrm{PE}[t]\, M \qquad \text{for all } t \tag{12.13}$$
#
# *Hint.* Each pair of columns turns by an angle of its own.
# If you leave it out, the test below fails and costs nothing.

# %% tags=["exercise", "id:shift-matrix"]
def shift_matrix(k: int, D: int) -> Float[Tensor, "D D"]:
    """Return M with PE[t + k] = PE[t] M for all t; float64, on ``DEVICE``.

    Source: Vaswani et al. (2017), section 3.5; eq. 12.13.
    """
    ### BEGIN SOLUTION
    exponents = torch.arange(0, D, 2, dtype=torch.float64, device=DEVICE) / D
    angles = k / 10000.0**exponents
    rotations = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], dim=-1)
    return torch.block_diag(*rotations.view(-1, 2, 2))
    ### END SOLUTION


# %% tags=["test", "id:shift-matrix-test", "points:0"]
def sines_and_cosines(positions: list, D: int) -> Tensor:
    """Return the encoding, written out."""
    pairs = [[p / 10000 ** (2 * i / D) for i in range(D // 2)] for p in positions]
    return numbers([[f(a) for a in row for f in (math.sin, math.cos)] for row in pairs])


for k, D in ((1, 4), (5, 6), (-3, 8), (0, 2)):
    M = shift_matrix(k, D)
    check_shape(M, (D, D), f"shift_matrix({k}, {D})")
    here = list(range(10, 25))
    there = sines_and_cosines([p + k for p in here], D)
    back = sines_and_cosines([p - k for p in here], D)
    check_close(
        sines_and_cosines(here, D) @ M,
        there,
        f"shift_matrix({k}, {D}): PE[t] M against PE[t + k]",
        hints={"It turns the other way: transpose each block.": back} if k else None,
    )

# %% [markdown]
# ## Sources
#
# * Peeters, *Recurrent Neural Network* (Télécom Paris), the Transformer step by step; Basili and Croce, scaled dot-product attention and the encoder.
# * A. Vaswani et al. (2017), *Attention is all you need*, NeurIPS.
# * J. Ba, J. Kiros, G. Hinton (2016), *Layer normalization*, arXiv:1607.06450.
# * R. Xiong et al. (2020), *On layer normalization in the Transformer architecture*, ICML.
# * C. Szegedy et al. (2016), *Rethinking the Inception architecture for computer vision*, CVPR.
