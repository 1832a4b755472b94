# %% [markdown]
# # 9 · Encoder and decoder
#
# In this exercise you write a translator out of two recurrent networks, and then the measure by which translators are compared.
# You read a source into one vector, write a target from it word by word, train by teacher forcing, and translate greedily.
# Then you derive BLEU in code, equal to the standard tool to the last digit, and draw the curve that gave rise to attention.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `encode` | medium | 30 min | 14 |
# | 2 | `decode_step` | easy | 20 min | 10 |
# | 3 | `teacher_forced_loss` | medium | 30 min | 16 |
# | 4 | `greedy_translate` | medium | 30 min | 16 |
# | 5 | `modified_precision` | medium | 25 min | 12 |
# | 6 | `brevity_penalty` | easy | 15 min | 8 |
# | 7 | `corpus_bleu` | easy | 15 min | 8 |
# | 8 | `accuracy_by_length` | easy | 15 min | 6 |
# | 9 | two written answers | medium | 20 min | 10 |
# | 10 | optional: `resampled_bleu` | medium | 25 min | 0 |
#
# Before you start, read chapter 9 of the book: it derives every equation used here.
#
# **Rules**
#
# * Parts 1 to 4: torch tensors, no ready-made recurrent layer (`torch.nn.GRU` and its relatives) and no packing; the GRU step is given. Everything up to the loss is differentiable: no `.item()`, `.detach()` or numpy on the way.
# * Dtype and device of new tensors come from the inputs, so that your code runs on a GPU as it stands.
# * Loops run over time, never over the batch. (What turns a finished tensor into lists of words may loop over the batch.)
# * Parts 5 to 8: plain Python, without a library that computes BLEU.
# * No function changes what it is given.
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **The GRU step** is PyTorch's (reset gate after the matrix, $z$ the share that is kept; chapter 7), with weights for row vectors: `W_x` (D, 3H), `W_h` (H, 3H) and two biases (3H,), blocks in the order $r, z, n$.
#
# **The parameters** travel in one dict:
#
# | entry | shape | |
# |---|---|---|
# | `params["encoder"]` | a dict | `E` (V, D), `W_x`, `W_h`, `b_x`, `b_h` of a GRU of width H |
# | `params["decoder"]` | a dict | the same for the target's vocabulary; `W_x` is (D, 3H), or (D + H, 3H) if the context is an input of every step |
# | `params["W_y"]`, `params["b_y"]` | (H, V), (V,) | output layer |
#
# **The data.** `source` (B, S) and `target` (B, T) hold integers, padded on the right, with their true lengths beside them.
# A target ends with `EOS`, and **its length counts the `EOS`**.
# What stands in the padding is a valid word, but it means nothing.
# `PAD`, `BOS` and `EOS` are 0, 1 and 2.
# Equations count steps from 1, tensors from 0.

# %% tags=["setup"]
import math
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from unrolled.checks import check_close, check_raises, check_shape, check_unchanged
from unrolled.device import device

torch.set_num_threads(1)
DEVICE = device()
PAD, BOS, EOS = 0, 1, 2
Params = dict
Words = list[str]


def gru_step(x: Float[Tensor, "B D"], h: Float[Tensor, "B H"], gru: dict) -> Float[Tensor, "B H"]:
    """Return the next state of a GRU in PyTorch's convention, weights for row vectors."""
    transposed = gru["W_x"].T.contiguous(), gru["W_h"].T.contiguous()
    return torch.gru_cell(x, h, *transposed, gru["b_x"], gru["b_h"])


def sentence(text: str) -> Words:
    """Return the words of a text."""
    return text.split()


def normal(*shape: int, seed: int) -> Tensor:
    """Return standard normal float64 numbers, the same on every machine."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=g, dtype=torch.float64).to(DEVICE)


def integers(values: list) -> Tensor:
    """Return a tensor of integers."""
    return torch.tensor(values, dtype=torch.int64, device=DEVICE)


def init_gru(V: int, D: int, H: int, wide: int, seed: int) -> dict:
    """Return a GRU whose input has ``wide`` numbers, and a table of V rows of D numbers."""
    return {
        "E": normal(V, D, seed=seed),
        "W_x": normal(wide, 3 * H, seed=seed + 1) / wide**0.5,
        "W_h": normal(H, 3 * H, seed=seed + 2) / H**0.5,
        "b_x": normal(3 * H, seed=seed + 3) / 3,
        "b_h": normal(3 * H, seed=seed + 4) / 3,
    }


def init_params(V_x: int, V_y: int, D: int, H: int, every_step: bool, seed: int) -> Params:
    """Return random parameters; the biases are not zero, so that a forgotten one is noticed."""
    return {
        "encoder": init_gru(V_x, D, H, D, seed),
        "decoder": init_gru(V_y, D, H, D + H * every_step, seed + 10),
        "W_y": 2 * normal(H, V_y, seed=seed + 20) / H**0.5,
        "b_y": normal(V_y, seed=seed + 21) / 3,
    }


def copy_of(value, gradients: bool = False):
    """Return a copy of a tensor, or of a dict, list or tuple of them; as leaves if asked."""
    if isinstance(value, dict):
        return {key: copy_of(item, gradients) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(copy_of(item, gradients) for item in value)
    if not isinstance(value, Tensor):
        return value
    return value.clone().requires_grad_() if gradients else value.clone()


def leaves_of(params: Params, prefix: str = "") -> dict[str, Tensor]:
    """Return all tensors of the parameters under names like encoder.W_x."""
    found = {}
    for key, value in params.items():
        found |= leaves_of(value, f"{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


# %% [markdown]
# ## 1 · Read the source
#
# *Medium, 30 minutes, about 10 lines, 14 points.*
#
# Look up the words in the encoder's table, fold its GRU over them from a zero state, and return the state after the last real word of each row:
#
# $$h_s = \mathrm{GRU}(E[x_s], h_{s-1}), \qquad h_0 = 0, \qquad c = h_{\text{length}} \tag{9.1}$$
#
# With `backwards=True` every source is read from its last real word to its first, as Sutskever and colleagues did.
# Each row is turned round **within its own length**; the padding stays out of it.
#
# *Shapes.* `source` (B, S), `lengths` (B,) of at least 1; result (B, H).
#
# *Worked example.* For `source` = (5, 3, 4, 0, 0) with length 3, the GRU reads 5, 3, 4 and then stops; backwards it reads 4, 3, 5.
# Which words stand where the zeros are makes no difference.
#
# *Hint.* A sequence that has ended keeps its state: `torch.where(running[:, None], new, old)`.
# Or keep all states and pick one for each row.
# For reading backwards, which column should row $b$ read at step $s$?

# %% tags=["exercise", "id:encode"]
def encode(
    source: Int[Tensor, "B S"],
    lengths: Int[Tensor, " B"],
    params: Params,
    backwards: bool = False,
) -> Float[Tensor, "B H"]:
    """Return the context: the encoder's state after the last word that it reads of each row.

    Source: Cho et al. (2014); backwards: Sutskever et al. (2014), section 3.3; eq. 9.1.
    Dtype and device follow the parameters, which are not modified.
    """
    ### BEGIN SOLUTION
    gru = params["encoder"]
    h = gru["W_h"].new_zeros(len(source), len(gru["W_h"]))
    rows = torch.arange(len(source), device=source.device)
    for s in range(source.shape[1]):
        column = (lengths - 1 - s).clamp(min=0) if backwards else torch.full_like(lengths, s)
        stepped = gru_step(gru["E"][source[rows, column]], h, gru)
        h = torch.where((s < lengths)[:, None], stepped, h)
    return h
    ### END SOLUTION


# %% tags=["test", "id:encode-test", "points:14"]
params = init_params(V_x=7, V_y=6, D=3, H=4, every_step=False, seed=100)
gru = params["encoder"]


def read_words(words):
    """The state after reading some words, one at a time."""
    state = torch.zeros(1, 4, dtype=torch.float64, device=DEVICE)
    for word in words:
        state = gru_step(gru["E"][[word]], state, gru)
    return state


source, lengths = integers([[5, 3, 4, 0, 0]]), integers([3])
got = encode(source, lengths, params)
check_shape(got, (1, 4), "encode, worked example", axes="B H")
check_close(
    got,
    read_words([5, 3, 4]),
    "encode, worked example",
    hints={
        "It ran on into the padding: stop after `lengths` words.": read_words([5, 3, 4, 0, 0]),
        "It stopped one word early.": read_words([5, 3]),
        "It read backwards although backwards is False.": read_words([4, 3, 5]),
        "It used the decoder's table or GRU: encode reads with params['encoder'].": (
            gru_step(params["decoder"]["E"][[4]], read_words([5, 3]), params["decoder"])
        ),
        "Every step starts from zero again: hand on the state.": read_words([4]),
    },
    axes="B H",
)
check_close(
    encode(source, lengths, params, backwards=True),
    read_words([4, 3, 5]),
    "encode, worked example, backwards",
    hints={
        "The row was turned round as a whole, so the padding came first.": (
            read_words([0, 0, 4, 3, 5])
        ),
        "After turning the whole row, `lengths` keeps the padding and not the words.": (
            read_words([0, 0, 4])
        ),
        "backwards makes no difference yet.": read_words([5, 3, 4]),
    },
    axes="B H",
)
source, lengths = integers([[1, 4, 2, 5, 3], [3, 6, 0, 0, 0], [2, 0, 0, 0, 0]]), integers([5, 2, 1])
given = {"source": source, "lengths": lengths, "params": params}
before = copy_of(given)
context = encode(source, lengths, params)
check_unchanged(before, given, "encode")
check_shape(context, (3, 4), "encode", axes="B H")
for b, length in enumerate([5, 2, 1]):
    for backwards in (False, True):
        words = source[b, :length].tolist()
        label = f"encode, backwards={backwards}: a source of length {length} in a batch and alone"
        whole = encode(source, lengths, params, backwards)[b : b + 1]
        check_close(whole, read_words(words[::-1] if backwards else words), label, axes="B H")
other = torch.where(torch.arange(5, device=DEVICE) < lengths[:, None], source, 6 - source)
check_close(encode(other, lengths, params), context, "encode: other words in the padding")
### BEGIN HIDDEN TESTS
def by_torch(source, lengths, params, backwards):
    """Return the contexts by PyTorch's own layer, one source at a time."""
    gru = params["encoder"]
    D, H = len(gru["W_x"]), len(gru["W_h"])
    layer = torch.nn.GRU(D, H, batch_first=True, dtype=torch.float64, device=DEVICE)
    names = [name for name, _ in layer.named_parameters()]
    weights = dict(zip(names, (gru["W_x"].T, gru["W_h"].T, gru["b_x"], gru["b_h"]), strict=True))
    rows = []
    for row, length in zip(source, lengths.tolist(), strict=True):
        words = row[:length].flip(0) if backwards else row[:length]
        _, last = torch.func.functional_call(layer, weights, (gru["E"][words][None],))
        rows.append(last[0, 0])
    return torch.stack(rows)


for case, (B, S, V, D, H) in enumerate([(4, 6, 7, 2, 5), (1, 3, 5, 4, 3), (3, 1, 4, 5, 2)]):
    params = init_params(V, 5, D, H, True, seed=1000 + 50 * case)
    rng = np.random.default_rng(1010 + case)
    source = integers(rng.integers(V, size=(B, S)).tolist())
    lengths = integers([S - b % S for b in range(B)])
    for backwards in (False, True):
        leaves, truth = copy_of(params, True), copy_of(params, True)
        got = encode(source, lengths, leaves, backwards)
        expected = by_torch(source, lengths, truth, backwards)
        label = f"encode, a batch of {B}, {S} column{'s' * (S > 1)}, backwards={backwards}"
        check_close(got, expected.detach(), label, 1e-10, axes="B H")
        assert got.requires_grad, f"{label}: no gradient can flow. Is there .detach() on the way?"
        got.square().sum().backward()
        expected.square().sum().backward()
        for name, leaf in leaves_of(leaves["encoder"]).items():
            assert leaf.grad is not None, f"{label}: no gradient arrives at encoder {name}."
            wanted = leaves_of(truth["encoder"])[name].grad
            check_close(leaf.grad, wanted, f"{label}: gradient of encoder {name}", 1e-9)
        wider = torch.cat([source, source.flip(1)], dim=1)
        got = encode(wider, lengths, params, backwards)
        check_close(got, expected.detach(), f"{label}, padded further", 1e-10, axes="B H")
single = {"encoder": {key: value.float() for key, value in params["encoder"].items()}}
got = encode(source, lengths, single)
assert got.dtype == torch.float32, "encode: float32 parameters, float32 context."
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · One step of the decoder
#
# *Easy, 20 minutes, about 6 lines, 10 points.*
#
# The decoder hears the word before, steps, and scores all words:
#
# $$s_t = \mathrm{GRU}(u_t, s_{t-1}), \qquad o_t = s_t W_y + b_y, \qquad u_t = \begin{cases} E[y_{t-1}] & \text{no context given} \\ [\,E[y_{t-1}];\, c\,] & \text{context given} \end{cases} \tag{9.2}$$
#
# The scores come from the **new** state.
# With a context, the word's embedding stands first and the context second.
#
# *Shapes.* `word` (B,) integers, `state` (B, H), `context` (B, H) or None; results: scores (B, V) and the new state (B, H), in this order.

# %% tags=["exercise", "id:decode-step"]
def decode_step(
    word: Int[Tensor, " B"],
    state: Float[Tensor, "B H"],
    params: Params,
    context: Float[Tensor, "B H"] | None = None,
) -> tuple[Float[Tensor, "B V"], Float[Tensor, "B H"]]:
    """Return the scores of the next word, and the decoder's new state.

    Source: without context Sutskever et al. (2014), with it Cho et al. (2014); eq. 9.2.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    gru = params["decoder"]
    u = gru["E"][word]
    if context is not None:
        u = torch.cat([u, context], dim=1)
    state = gru_step(u, state, gru)
    return state @ params["W_y"] + params["b_y"], state
    ### END SOLUTION


# %% tags=["test", "id:decode-step-test", "points:10"]
for every_step in (False, True):
    params = init_params(V_x=5, V_y=6, D=3, H=4, every_step=every_step, seed=200)
    word, state, context = integers([1, 4]), normal(2, 4, seed=220), normal(2, 4, seed=221)
    given = {"word": word, "state": state, "context": context, "params": params}
    before = copy_of(given)
    got = decode_step(word, state, params, context if every_step else None)
    check_unchanged(before, given, "decode_step")
    assert type(got) is tuple and len(got) == 2, "decode_step: return scores and new state."
    heard = params["decoder"]["E"][word]
    if every_step:
        heard = torch.cat([heard, context], dim=1)
    new = gru_step(heard, state, params["decoder"])
    label = f"decode_step, {'with' if every_step else 'without'} context"
    check_shape(got[0], (2, 6), f"{label}: the scores", axes="B V")
    check_shape(got[1], (2, 4), f"{label}: the new state", axes="B H")
    hints = {"The state is the old one.": state}
    if every_step:
        swapped = torch.cat([context, params["decoder"]["E"][word]], dim=1)
        hints["The embedding comes first, then the context."] = (
            gru_step(swapped, state, params["decoder"])
        )
    check_close(got[1], new, f"{label}: the new state", hints=hints, axes="B H")
    check_close(
        got[0],
        new @ params["W_y"] + params["b_y"],
        f"{label}: the scores",
        hints={
            "The scores come from the old state; eq. 9.2 takes the new one.": (
                state @ params["W_y"] + params["b_y"]
            ),
            "The output bias is missing.": new @ params["W_y"],
            "These are probabilities; eq. 9.2 has scores.": (
                torch.softmax(new @ params["W_y"] + params["b_y"], dim=1)
            ),
        },
        axes="B V",
    )
### BEGIN HIDDEN TESTS
for case, (B, V, D, H) in enumerate([(5, 4, 2, 3), (1, 7, 5, 4), (3, 3, 4, 6)]):
    for every_step in (False, True):
        params = init_params(4, V, D, H, every_step, seed=2000 + 50 * case)
        word = integers(np.random.default_rng(case).integers(V, size=B).tolist())
        state, context = normal(B, H, seed=2030 + case), normal(B, H, seed=2040 + case)
        cell = torch.nn.GRUCell(D + H * every_step, H, dtype=torch.float64, device=DEVICE)
        with torch.no_grad():
            cell.weight_ih.copy_(params["decoder"]["W_x"].T)
            cell.weight_hh.copy_(params["decoder"]["W_h"].T)
            cell.bias_ih.copy_(params["decoder"]["b_x"])
            cell.bias_hh.copy_(params["decoder"]["b_h"])
            heard = torch.nn.functional.embedding(word, params["decoder"]["E"])
            new = cell(torch.cat([heard, context], 1) if every_step else heard, state)
            scores = torch.addmm(params["b_y"], new, params["W_y"])
        leaves, start = copy_of(params, True), state.clone().requires_grad_()
        got = decode_step(word, start, leaves, context if every_step else None)
        label = f"decode_step, a batch of {B}, {'with' if every_step else 'without'} context"
        assert type(got) is tuple and len(got) == 2, "decode_step: return scores and new state."
        check_close(got[0], scores, f"{label}: the scores", 1e-10, axes="B V")
        check_close(got[1], new, f"{label}: the new state", 1e-10, axes="B H")
        (got[0].square().sum() + got[1].sum()).backward()
        named = leaves_of({key: leaves[key] for key in ("decoder", "W_y", "b_y")})
        lost = [name for name, leaf in named.items() if leaf.grad is None]
        assert not lost and start.grad is not None, f"{label}: no gradient at {lost or 'state'}."
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · Teacher forcing
#
# *Medium, 30 minutes, about 12 lines, 16 points.*
#
# The decoder starts from the context, $s_0 = c$.
# At step $t$ it hears the true word $y_{t-1}$, with $y_0 = \texttt{BOS}$, and should say $y_t$; the last word that it should say is `EOS`.
# The loss is the mean over all real tokens of the batch, `EOS` included:
#
# $$\mathcal{L} = \frac{1}{N} \sum_b \sum_{t=1}^{\text{length}^{(b)}} -\log \mathrm{softmax}(o_t^{(b)})[y_t^{(b)}], \qquad N = \sum_b \text{length}^{(b)} \tag{9.3}$$
#
# With `every_step=True` the context is an input of every step as well.
#
# *Shapes.* `source` (B, S), `target` (B, T), the lengths (B,); result a tensor without axes.
#
# *Worked number.* With $W_y = 0$ and $b_y = (\log 1, \log 1, \log 2, \log 4)$ the prediction is $(\frac18, \frac18, \frac28, \frac48)$ at every step.
# Two targets, (3, 3, `EOS`) of length 3 and (`EOS`) of length 1, cost $2 \log 2 + \log 4$ and $\log 4$, so with $N = 4$: $\mathcal{L} = \frac14 \cdot 6 \log 2 \approx 1.0397$.
#
# *Watch out.* `BOS` is not in `target`: what the decoder hears is the target moved one place to the right, with `BOS` in front.
# The padding is told by the lengths, not by which word stands there.

# %% tags=["exercise", "id:teacher-forced-loss"]
def teacher_forced_loss(
    source: Int[Tensor, "B S"],
    source_lengths: Int[Tensor, " B"],
    target: Int[Tensor, "B T"],
    target_lengths: Int[Tensor, " B"],
    params: Params,
    every_step: bool = False,
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, in nats, over all real target tokens, EOS included.

    Source: Sutskever et al. (2014), eq. 1, with Williams and Zipser's teacher forcing; eq. 9.3.
    What stands in the padding makes no difference. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    context = encode(source, source_lengths, params)
    state, word, total = context, torch.full_like(target[:, 0], BOS), 0.0
    for t in range(target.shape[1]):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = target[:, t]
        cost = F.cross_entropy(scores, word, reduction="none")
        total = total + torch.where(t < target_lengths, cost, 0).sum()
    return total / target_lengths.sum()
    ### END SOLUTION


# %% tags=["test", "id:teacher-forced-loss-test", "points:16"]
params = init_params(V_x=5, V_y=4, D=2, H=3, every_step=False, seed=300)
params |= {"W_y": 0 * params["W_y"], "b_y": torch.log(integers([1, 1, 2, 4]).double())}
source, source_lengths = integers([[3, 4, 0], [4, 3, 3]]), integers([2, 3])
target, target_lengths = integers([[3, 3, EOS], [EOS, PAD, PAD]]), integers([3, 1])
a, b, c = np.log(8), np.log(4), np.log(2)  # the costs of PAD or BOS, of EOS, of the word 3


def number(value):
    return torch.tensor(value, dtype=torch.float64, device=DEVICE)


check_close(
    teacher_forced_loss(source, source_lengths, target, target_lengths, params),
    number((2 * c + 2 * b) / 4),
    "teacher_forced_loss, worked number",
    hints={
        "The padding is counted.": number((2 * c + 2 * b + 2 * a) / 6),
        "It divides by B T, not by the number of real tokens.": number((2 * c + 2 * b) / 6),
        "EOS is not scored: its step is a real one.": number(2 * c / 2),
        "EOS is not scored, though it is counted: its step is a real one.": number(2 * c / 4),
        "It is a mean of means of rows; eq. 9.3 takes one mean over all tokens.": (
            number(((2 * c + b) / 3 + b) / 2)
        ),
        "It is the sum, not the mean.": number(2 * c + 2 * b),
        "It is in bits: eq. 9.3 has natural logarithms.": number((2 * c + 2 * b) / 4 / np.log(2)),
        "It takes the softmax twice: cross_entropy wants scores, not probabilities.": number(
            np.log(2 * np.exp(1 / 8) + np.exp(2 / 8) + np.exp(4 / 8)) - (2 * 4 / 8 + 2 * 2 / 8) / 4
        ),
    },
)
sources, targets = [[4, 3, 6, 5], [5, 6]], [[4, 5, EOS], [3, 5, 4, 3, EOS]]


def by_steps(params, every_step, first, shift=1, zero=False):
    """The loss, sentence by sentence; shift 0 hears what should be said."""
    costs = []
    for words_in, words in zip(sources, targets, strict=True):
        c = encode(integers([words_in]), integers([len(words_in)]), params)
        state, heard = (0 * c if zero else c), ([first, *words] if shift else words)
        for before, word in zip(heard, words, strict=False):
            extra = c if every_step else None
            scores, state = decode_step(integers([before]), state, params, extra)
            costs.append(-F.log_softmax(scores, dim=1)[0, word])
    return torch.stack(costs).mean()


for every_step in (False, True):
    params = init_params(V_x=7, V_y=6, D=3, H=4, every_step=every_step, seed=310)
    source, source_lengths = integers([[4, 3, 6, 5], [5, 6, 0, 0]]), integers([4, 2])
    target, target_lengths = integers([[4, 5, EOS, 0, 0], [3, 5, 4, 3, EOS]]), integers([3, 5])
    given = {"source": source, "source_lengths": source_lengths, "params": params}
    given |= {"target": target, "target_lengths": target_lengths}
    before = copy_of(given)
    loss = teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step)
    check_unchanged(before, given, "teacher_forced_loss")
    check_shape(loss, (), "teacher_forced_loss")
    label = f"teacher_forced_loss, every_step={every_step}"
    check_close(
        loss,
        by_steps(params, every_step, BOS),
        f"{label}: two sentences, step by step",
        hints={
            "The decoder hears at step t what it should say at step t.": by_steps(params, every_step, BOS, shift=0),
            "The first word heard is BOS, not PAD.": by_steps(params, every_step, PAD),
            "The first word heard is BOS, not EOS.": by_steps(params, every_step, EOS),
            "The decoder starts from zero; s_0 is the context.": by_steps(params, every_step, BOS, zero=True),
        },
    )
    junk = integers([[4, 5, EOS, 3, 5], [3, 5, 4, 3, EOS]])
    words = integers([[4, 3, 6, 5], [5, 6, 3, 4]])
    got = teacher_forced_loss(words, source_lengths, junk, target_lengths, params, every_step)
    check_close(got, loss, f"{label}: other words in the padding of source and target")
    leaves = copy_of(params, True)
    got = teacher_forced_loss(source, source_lengths, target, target_lengths, leaves, every_step)
    assert isinstance(got, Tensor) and got.requires_grad, f"{label}: no gradient can flow."
    got.backward()
    missing = [name for name, leaf in leaves_of(leaves).items() if leaf.grad is None]
    assert not missing, f"{label}: no gradient arrives at {missing}. Is there .detach()?"
### BEGIN HIDDEN TESTS
def loss_by_torch(source, source_lengths, target, target_lengths, params, every_step):
    """Return the loss by PyTorch's layers, one pair at a time, without padding."""
    def layer(gru):
        wide, H = len(gru["W_x"]), len(gru["W_h"])
        net = torch.nn.GRU(wide, H, batch_first=True, dtype=torch.float64, device=DEVICE)
        names = [name for name, _ in net.named_parameters()]
        weights = (gru["W_x"].T, gru["W_h"].T, gru["b_x"], gru["b_h"])
        weights = dict(zip(names, weights, strict=True))
        return lambda *x: torch.func.functional_call(net, weights, x)

    read, write = layer(params["encoder"]), layer(params["decoder"])
    costs = []
    lengths = zip(source_lengths.tolist(), target_lengths.tolist(), strict=True)
    for row, (S, T) in enumerate(lengths):
        _, context = read(params["encoder"]["E"][source[row, :S]][None])
        heard = torch.cat([integers([BOS]), target[row, : T - 1]])
        u = params["decoder"]["E"][heard][None]
        if every_step:
            u = torch.cat([u, context.expand(1, T, -1)], dim=2)
        states, _ = write(u, context.contiguous())
        scores = states[0] @ params["W_y"] + params["b_y"]
        costs.append(F.cross_entropy(scores, target[row, :T], reduction="none"))
    return torch.cat(costs).mean()


for case, (B, S, T, V, D, H) in enumerate([(4, 5, 6, 7, 3, 5), (1, 2, 1, 5, 2, 3), (3, 3, 7, 8, 4, 2)]):
    rng = np.random.default_rng(3000 + case)
    source = integers(rng.integers(V, size=(B, S)).tolist())
    target = integers(rng.integers(3, V, size=(B, T)).tolist())
    source_lengths = integers([S - b % S for b in range(B)])
    target_lengths = integers([T - (2 * b) % T for b in range(B)])
    target[torch.arange(B, device=DEVICE), target_lengths - 1] = EOS
    for every_step in (False, True):
        params = init_params(V, V, D, H, every_step, seed=3100 + 50 * case)
        leaves, truth = copy_of(params, True), copy_of(params, True)
        args = source, source_lengths, target, target_lengths
        got = teacher_forced_loss(*args, leaves, every_step)
        expected = loss_by_torch(*args, truth, every_step)
        label = f"teacher_forced_loss, a batch of {B}, {T} target columns, every_step={every_step}"
        check_close(got, expected.detach(), label, 1e-10)
        got.backward()
        expected.backward()
        for name, leaf in leaves_of(leaves).items():
            assert leaf.grad is not None, f"{label}: no gradient arrives at {name}."
            check_close(leaf.grad, leaves_of(truth)[name].grad, f"{label}: gradient of {name}", 1e-8)
        wide = torch.cat([target, target], dim=1), torch.cat([source, source], dim=1)
        got = teacher_forced_loss(wide[1], source_lengths, wide[0], target_lengths, params, every_step)
        check_close(got, expected.detach(), f"{label}, padded further", 1e-10)
big = params | {"b_y": 3000 * params["b_y"]}
assert torch.isfinite(teacher_forced_loss(*args, big, True)), (
    "teacher_forced_loss: not finite for large scores. Use cross_entropy, not log of softmax."
)
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · Translate
#
# *Medium, 30 minutes, about 12 lines, 16 points.*
#
# Without a teacher the decoder hears its own last word.
# Greedy decoding takes the word with the largest score at every step,
#
# $$\hat y_t = \arg\max_v o_{t,v}, \qquad \hat y_0 = \texttt{BOS} \tag{9.4}$$
#
# until it says `EOS`, or until it has said `longest` words.
#
# The result is a list of lists of integers, one list a source, **without `BOS` and without `EOS`** and without anything after it.
# A translation may be empty.
# Rows of a batch end at different steps and must not disturb each other.
#
# *Worked example.* If the decoder says 4, 3, `EOS`, 5, 5, …, the translation is [4, 3]; with `longest=1` it is [4].
#
# *Hint.* Let all rows run on, and cut afterwards.

# %% tags=["exercise", "id:greedy-translate"]
def greedy_translate(
    source: Int[Tensor, "B S"],
    lengths: Int[Tensor, " B"],
    params: Params,
    longest: int,
    every_step: bool = False,
) -> list[list[int]]:
    """Return the greedy translation of every source, up to its EOS, at most ``longest`` words.

    Source: Kovashka's lecture, greedy decoding; eq. 9.4. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    context = encode(source, lengths, params)
    state, word, said = context, torch.full_like(source[:, 0], BOS), []
    for _ in range(longest):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = scores.argmax(dim=1)
        said.append(word)
    rows = torch.stack(said, dim=1).tolist() if said else [[] for _ in source]
    return [row[: row.index(EOS)] if EOS in row else row for row in rows]
    ### END SOLUTION


# %% tags=["test", "id:greedy-translate-test", "points:16"]
def scripted(script, V):
    """Parameters of a decoder that says script[word] after word, whatever the source."""
    params = init_params(V_x=5, V_y=V, D=V, H=V, every_step=False, seed=400)
    eye = torch.eye(V, dtype=torch.float64, device=DEVICE)
    ready = torch.full((V,), 30.0, dtype=torch.float64, device=DEVICE)
    decoder = params["decoder"]
    decoder["E"] = eye
    decoder["W_x"] = torch.cat([0 * eye, 0 * eye, 5 * eye], dim=1)
    decoder["W_h"] = 0 * decoder["W_h"]
    decoder["b_x"] = torch.cat([0 * ready, -ready, 0 * ready])  # z near 0: the state is the word
    decoder["b_h"] = 0 * decoder["b_h"]
    table = torch.zeros(V, V, dtype=torch.float64, device=DEVICE)
    for word, following in script.items():
        table[word, following] = 10.0
    return params | {"W_y": table, "b_y": 0 * params["b_y"]}


params = scripted({BOS: 4, 4: 3, 3: EOS, EOS: 5, 5: 5}, V=6)
source, lengths = integers([[3, 4], [4, 0]]), integers([2, 1])
got = greedy_translate(source, lengths, params, longest=5)
assert type(got) is list and all(type(row) is list for row in got), (
    "greedy_translate: return a list of lists of integers, one list a source."
)
messages = {
    ((4, 3, EOS),) * 2: "EOS does not belong to the translation.",
    ((4, 3, EOS, 5, 5),) * 2: "Cut each row at its first EOS.",
    ((BOS, 4, 3),) * 2: "BOS does not belong to the translation.",
    ((4, 3, 5, 5),) * 2: "What comes after EOS does not belong to the translation.",
    ((3,),) * 2: "The first word is missing: what is said after BOS?",
}
said = tuple(tuple(int(word) for word in row) for row in got)
assert said == ((4, 3), (4, 3)), (
    f"greedy_translate, worked example: expected [4, 3] for each of two sources, got {got}. "
    + messages.get(said, "Feed the word that was said back in, starting with BOS.")
)
short = greedy_translate(source, lengths, params, longest=1)
assert short == [[4], [4]], (
    f"greedy_translate, worked example, longest=1: expected [[4], [4]], got {short}."
)
silent = greedy_translate(source, lengths, scripted({BOS: EOS, EOS: 4, 4: 4}, V=6), longest=4)
assert silent == [[], []], f"greedy_translate: EOS at once is an empty translation, got {silent}."
endless = greedy_translate(source, lengths, scripted({BOS: 4, 4: 5, 5: 4}, V=6), longest=4)
assert endless == [[4, 5, 4, 5]] * 2, (
    f"greedy_translate: without EOS it stops after longest=4 words; got {endless}."
)
for every_step in (False, True):
    params = init_params(V_x=9, V_y=6, D=4, H=5, every_step=every_step, seed=440)
    source = integers([[3, 4, 8, 5], [6, 8, 0, 0], [7, 3, 4, 0], [5, 0, 0, 0]])
    lengths = integers([4, 2, 3, 1])
    given = {"source": source, "lengths": lengths, "params": params}
    before = copy_of(given)
    got = greedy_translate(source, lengths, params, 8, every_step)
    check_unchanged(before, given, "greedy_translate")
    label = f"greedy_translate, every_step={every_step}"
    for b, length in enumerate([4, 2, 3, 1]):
        one, n = source[b : b + 1, :length], lengths[b : b + 1]
        alone = greedy_translate(one, n, params, 8, every_step)
        assert alone == got[b : b + 1], f"{label}: row {b} in a batch and alone differ."
        state = context = encode(one, n, params)
        word = integers([BOS])
        for t, said in enumerate([*got[b], EOS][:8]):
            extra = context if every_step else None
            scores, state = decode_step(word, state, params, extra)
            word = integers([said])
            assert scores[0].argmax() == said, (
                f"{label}: row {b}, step {t + 1}: not the word with the largest score."
            )
### BEGIN HIDDEN TESTS
seen_lengths = set()
for case, (B, S, V, D, H) in enumerate([(8, 5, 6, 4, 6), (1, 1, 5, 3, 4), (6, 4, 4, 2, 5)]):
    for every_step in (False, True):
        params = init_params(V, V, D, H, every_step, seed=4000 + 50 * case)
        params["W_y"] = 3 * params["W_y"]
        rng = np.random.default_rng(4010 + case)
        source = integers(rng.integers(V, size=(B, S)).tolist())
        lengths = integers([S - b % S for b in range(B)])
        expected, gru, dec = [], params["encoder"], params["decoder"]
        for row, length in zip(source, lengths.tolist(), strict=True):
            s = torch.zeros(1, H, dtype=torch.float64, device=DEVICE)
            for token in row[:length]:
                s = gru_step(gru["E"][token][None], s, gru)
            c, last, words = s, BOS, []
            for _ in range(9):
                u = dec["E"][last][None]
                s = gru_step(torch.cat([u, c], 1) if every_step else u, s, dec)
                last = int((s @ params["W_y"] + params["b_y"]).argmax())
                if last == EOS:
                    break
                words.append(last)
            expected.append(words)
            seen_lengths.add(len(words))
        got = greedy_translate(source, lengths, params, 9, every_step)
        label = f"greedy_translate, a batch of {B}, every_step={every_step}"
        assert type(got) is list and len(got) == B, f"{label}: one list a source."
        assert all(type(row) is list for row in got), f"{label}: return lists of integers."
        assert [[int(w) for w in row] for row in got] == expected, (
            f"{label}: not the greedy translations. Does every row stop at its own first EOS?"
        )
        junk = torch.where(torch.arange(S, device=DEVICE) < lengths[:, None], source, V - 1 - source)
        again = greedy_translate(junk, lengths, params, 9, every_step)
        assert again == got, f"{label}: other words in the padding change it."
assert len(seen_lengths) > 2
assert greedy_translate(source, lengths, params, 0, True) == [[] for _ in range(B)], (
    "greedy_translate: longest=0 leaves nothing to say."
)
### END HIDDEN TESTS


# %% [markdown]
# ### Let it count
#
# Number words, English to French, up to four digits, with your own functions and the context at every step.
# The numbers of the test are never trained on.
# (Chapter 9 takes longer ones, and finds the limit.)

# %%
from unrolled.data import numbers

ENGLISH = {word: i for i, word in enumerate(["<pad>", "<bos>", "<eos>", *numbers.SOURCE_WORDS])}
FRENCH = {word: i for i, word in enumerate(["<pad>", "<bos>", "<eos>", *numbers.TARGET_WORDS])}
NAMES = list(FRENCH)


def rectangle(rows):
    """Return rows of integers, padded on the right, and their lengths."""
    lengths = [len(row) for row in rows]
    rows = [row + [PAD] * (max(lengths) - len(row)) for row in rows]
    return integers(rows), integers(lengths)


def number_batch(pairs):
    """Return source, lengths, target, lengths."""
    sources = [[ENGLISH[word] for word in pair.source] for pair in pairs]
    targets = [[FRENCH[word] for word in pair.target] + [EOS] for pair in pairs]
    return *rectangle(sources), *rectangle(targets)


start = init_params(len(ENGLISH), len(FRENCH), D=24, H=48, every_step=True, seed=500)
counter = copy_of({key: value for key, value in start.items()})
counter["encoder"] = {key: value.float() for key, value in counter["encoder"].items()}
counter["decoder"] = {key: value.float() for key, value in counter["decoder"].items()}
counter = copy_of(counter | {key: counter[key].float() / 2 for key in ("W_y", "b_y")}, True)
leaves = list(leaves_of(counter).values())
optimiser, rng = torch.optim.Adam(leaves, lr=0.01), np.random.default_rng(0)
exam = numbers.number_pairs(300, np.random.default_rng(1), (3, 4), held_out=True)
for update in range(201):
    batch = number_batch(numbers.number_pairs(48, rng, (1, 4)))
    loss = teacher_forced_loss(*batch, counter, True)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(leaves, 1.0)
    optimiser.step()
    if update % 50 == 0:
        with torch.no_grad():
            said = greedy_translate(*number_batch(exam)[:2], counter, 12, True)
        spoken = [[NAMES[i] for i in row] for row in said]
        right = np.mean([row == list(pair.target) for row, pair in zip(spoken, exam, strict=True)])
        print(f"{update:4d}  loss {loss.item():.3f}  exactly right {right:.1%}")
for pair, row in list(zip(exam, spoken, strict=True))[:4]:
    print(" ".join(pair.source), "->", " ".join(row))

# %% [markdown]
# ### Let it speak
#
# The published model of the chapter, from spelling to sound, has the parameters that your functions expect: its symbols have other numbers, though, so its decoder's table and outputs are put in our order (`PAD`, `BOS`, `EOS` first) before your `greedy_translate` runs it.
# If the optional package is missing, the cell says how to get it.

# %%
from unrolled.data import g2p

try:
    published = g2p.load_g2p()
    order = [0, g2p.START, g2p.END, 1, *range(4, len(g2p.PHONEMES))]
    spoken_by = {
        side: {key: torch.tensor(value, device=DEVICE) for key, value in gru.items()}
        for side, gru in (("encoder", published.encoder), ("decoder", published.decoder))
    }
    spoken_by["decoder"]["E"] = spoken_by["decoder"]["E"][order]
    spoken_by["W_y"] = torch.tensor(published.W_y, device=DEVICE)[:, order]
    spoken_by["b_y"] = torch.tensor(published.b_y, device=DEVICE)[order]
    spellings = ["encoder", "decoder", "attention", "bleu"]
    with torch.no_grad():
        said = greedy_translate(*rectangle([g2p.letter_ids(w) for w in spellings]), spoken_by, 20)
    for word, row in zip(spellings, said, strict=True):
        print(f"{word:10}", *(g2p.PHONEMES[order[i]] for i in row))
except ImportError as missing:
    print(missing)

# %% [markdown]
# ## 5 · Clip
#
# *Medium, 25 minutes, about 10 lines, 12 points.*
#
# From here on a sentence is a list of words (strings), a corpus has $M$ outputs (*hypotheses*), and every hypothesis has one or more references.
#
# An $n$-gram is a run of $n$ words.
# Let $c_g$ be how often the $n$-gram $g$ occurs in a hypothesis, and $r_g^{(j)}$ how often in its reference $j$.
# Papineni and colleagues (2002) let an $n$-gram of the hypothesis match as often as in the reference that has most of it, and sum over the corpus **before** dividing:
#
# $$\text{matches} = \sum_{\text{hypotheses}} \sum_{g} \min\Bigl(c_g, \max_j r_g^{(j)}\Bigr), \qquad \text{total} = \sum_{\text{hypotheses}} \sum_g c_g \tag{9.5}$$
#
# Return both, so that the caller can divide.
# A hypothesis shorter than $n$ words has no $n$-grams and adds nothing.
#
# *Worked number.* Hypothesis *the the the the the the the*, references *the cat is on the mat* and *there is a cat on the mat*: for $n = 1$ the result is (2, 7), for $n = 2$ it is (0, 6).

# %% tags=["exercise", "id:modified-precision"]
def modified_precision(
    hypotheses: list[Words], references: list[list[Words]], n: int
) -> tuple[int, int]:
    """Return the clipped matches and the number of n-grams of all hypotheses.

    Source: Papineni et al. (2002), section 2.1; eq. 9.5. ``references[i]`` are those of
    ``hypotheses[i]``, at least one. Inputs are not modified.

    Raises:
        ValueError: there are not as many lists of references as hypotheses.
    """
    ### BEGIN SOLUTION
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses, {len(references)} lists of references")

    def count(words):
        counts = {}
        for i in range(len(words) - n + 1):
            gram = tuple(words[i : i + n])
            counts[gram] = counts.get(gram, 0) + 1
        return counts

    matches = total = 0
    for hypothesis, alternatives in zip(hypotheses, references, strict=True):
        bounds = [count(reference) for reference in alternatives]
        for gram, c in count(hypothesis).items():
            matches += min(c, max(bound.get(gram, 0) for bound in bounds))
            total += c
    return matches, total
    ### END SOLUTION


# %% tags=["test", "id:modified-precision-test", "points:12"]
the, cat = ["the"] * 7, sentence("the cat is on the mat")
there = sentence("there is a cat on the mat")


def check_pair(got, expected, label, hints):
    """Compare a pair of counts; the hints map wrong pairs to what they mean."""
    assert type(got) is tuple and len(got) == 2, f"{label}: return a pair, matches and total."
    got = tuple(int(value) for value in got)
    assert got == expected, f"{label}: expected {expected}, got {got}. {hints.get(got, '')}"


wrongs = {
    (7, 7): "Nothing is clipped.",
    (3, 7): "References are added up; take the largest count in any single one.",
    (1, 1): "Every n-gram is counted once; eq. 9.5 counts occurrences.",
    (1, 7): "Every n-gram matches at most once; eq. 9.5 clips at the reference's count.",
}
got = modified_precision([the], [[cat, there]], 1)
check_pair(got, (2, 7), "modified_precision, worked number, n = 1", wrongs)
got = modified_precision([the], [[cat, there]], 2)
check_pair(got, (0, 6), "modified_precision, worked number, n = 2", {(0, 7): "7 words, 6 pairs."})
corpus = [sentence("a b a b a"), sentence("c a"), sentence("d")]
truths = [[sentence("a b a"), sentence("b a b")], [sentence("c a d")], [sentence("e"), sentence("d")]]
before = copy_of([[list(s) for s in corpus], [[list(r) for r in rs] for rs in truths]])
expected = [(7, 8), (3, 5), (2, 3), (0, 2)]
for n, pair in enumerate(expected, start=1):
    label = f"modified_precision, three hypotheses, n = {n}"
    check_pair(modified_precision(corpus, truths, n), pair, label, {
        (5, 8): "Is only the first reference looked at?",
        (8, 8): "Nothing is clipped, or the counts of the references are added up.",
        (5, 5): "Nothing is clipped, or the counts of the references are added up.",
    })
assert [corpus, truths] == before, "modified_precision changed what it was given."
check_pair(modified_precision([[]], [[cat]], 1), (0, 0), "modified_precision: nothing said", {})
swapped = modified_precision([["b", "a"]], [[["a", "b"]]], 2)
check_pair(swapped, (0, 1), "modified_precision: a b and b a", {(1, 1): "Order matters."})
check_raises(ValueError, modified_precision, [cat], [], 1, when="a hypothesis has no references")
### BEGIN HIDDEN TESTS
def by_hand(hypotheses, references, n):
    """Return matches and totals by crossing off, one reference n-gram at a time."""
    matches = total = 0
    for hypothesis, alternatives in zip(hypotheses, references, strict=True):
        grams = list(zip(*(hypothesis[i:] for i in range(n)), strict=False))
        total += len(grams)
        for gram in set(grams):
            most = 0
            for reference in alternatives:
                found = sum(
                    tuple(reference[i : i + n]) == gram for i in range(len(reference) - n + 1)
                )
                most = max(most, found)
            matches += min(most, grams.count(gram))
    return matches, total


rng = np.random.default_rng(5000)
for case in range(6):
    M, alphabet = [1, 5, 12, 3, 8, 6][case], ["a", "b", "c", "dd", "e"][: 2 + case % 4]
    hypotheses = [[str(w) for w in rng.choice(alphabet, rng.integers(0, 9))] for _ in range(M)]
    references = [
        [[str(w) for w in rng.choice(alphabet, rng.integers(1, 9))] for _ in range(rng.integers(1, 4))]
        for _ in range(M)
    ]
    for n in (1, 2, 3, 4):
        got = modified_precision(hypotheses, references, n)
        assert type(got) is tuple and len(got) == 2, "modified_precision: return matches and total."
        right = by_hand(hypotheses, references, n)
        assert int(got[1]) == right[1], f"modified_precision, n = {n}: the number of n-grams is wrong."
        assert int(got[0]) == right[0], (
            f"modified_precision, n = {n}, {M} hypotheses, several references: the matches are "
            "wrong. Clip each n-gram at its largest count in any one reference."
        )
joined = modified_precision([["ab", "c"]], [[["a", "bc"]]], 2)
assert tuple(joined) == (0, 1), "modified_precision: n-grams are runs of words, not of letters."
### END HIDDEN TESTS


# %% [markdown]
# ## 6 · Brevity
#
# *Easy, 15 minutes, about 8 lines, 8 points.*
#
# Let $c$ be the number of words of all hypotheses.
# The *effective reference length* $r$ adds, for every hypothesis, the length of the reference whose length is closest to the hypothesis's; of two that are equally close, the shorter one.
#
# $$\mathrm{BP} = \begin{cases} 1 & c > r \\ e^{1 - r/c} & c \le r \end{cases} \tag{9.6}$$
#
# If nothing at all is said, $c = 0$, the penalty is its limit, 0.
#
# *Worked number.* Hypotheses of 3 and 4 words; the first has references of 2 and 4 words (equally close: 2), the second one of 8.
# $c = 7$, $r = 10$, $\mathrm{BP} = e^{-3/7} \approx 0.6514$.

# %% tags=["exercise", "id:brevity-penalty"]
def brevity_penalty(hypotheses: list[Words], references: list[list[Words]]) -> float:
    """Return the penalty for a corpus that is too short, between 0 and 1.

    Source: Papineni et al. (2002), section 2.2.2; eq. 9.6, the reference length as in sacrebleu.
    """
    ### BEGIN SOLUTION
    c = r = 0
    for hypothesis, alternatives in zip(hypotheses, references, strict=True):
        c += len(hypothesis)
        lengths = sorted(len(reference) for reference in alternatives)
        r += min(lengths, key=lambda length: abs(length - len(hypothesis)))
    if c == 0:
        return 0.0
    return min(1.0, math.exp(1 - r / c))
    ### END SOLUTION


# %% tags=["test", "id:brevity-penalty-test", "points:8"]
w = ["w"] * 20
check_close(
    brevity_penalty([w[:3], w[:4]], [[w[:4], w[:2]], [w[:8]]]),
    math.exp(-3 / 7),
    "brevity_penalty, worked number",
    hints={
        "Of two references equally close, the shorter one counts.": math.exp(-5 / 7),
        "It is a mean of penalties; eq. 9.6 has one for the corpus.": (1 + math.exp(-1)) / 2,
        "It is c/r; eq. 9.6 has an exponential.": 7 / 10,
        "The fraction is the wrong way round: 1 - r/c.": math.exp(1 - 7 / 10),
        "It takes the mean length of the references.": math.exp(1 - 11 / 7),
    },
)
check_close(brevity_penalty([w[:5]], [[w[:3]]]), 1.0, "brevity_penalty: longer than the reference")
check_close(brevity_penalty([w[:5]], [[w[:5]]]), 1.0, "brevity_penalty: as long as the reference")
check_close(
    brevity_penalty([w[:5]], [[w[:9], w[:6], w[:2]]]),
    math.exp(1 - 6 / 5),
    "brevity_penalty: 5 words, references of 9, 6 and 2",
    hints={
        "The closest reference counts, not the shortest.": 1.0,
        "The closest reference counts, not the first or the longest.": math.exp(1 - 9 / 5),
    },
)
check_close(
    brevity_penalty([w[:8], w[:2]], [[w[:5]], [w[:5]]]),
    1.0,
    "brevity_penalty: one hypothesis too long, one too short, 10 words against 10",
)
check_close(brevity_penalty([[], w[:4]], [[w[:4]], [w[:4]]]), math.exp(-1), "brevity_penalty: one empty")
check_close(brevity_penalty([[], []], [[w[:4]], [w[:4]]]), 0.0, "brevity_penalty: nothing said at all")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(6000)
for case in range(8):
    M = int(rng.integers(1, 7))
    lengths = rng.integers(0 if case % 2 else 1, 12, size=M)
    choices = [rng.integers(1, 14, size=rng.integers(1, 5)).tolist() for _ in range(M)]
    c = int(lengths.sum())
    r = sum(min((abs(x - n), x) for x in xs)[1] for n, xs in zip(lengths.tolist(), choices, strict=True))
    expected = 0.0 if c == 0 else (1.0 if c > r else math.exp(1 - r / c))
    got = brevity_penalty([w[:n] for n in lengths], [[w[:x] for x in xs] for xs in choices])
    check_close(got, expected, f"brevity_penalty, {M} hypotheses with several references", 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ## 7 · BLEU
#
# *Easy, 15 minutes, about 8 lines, 8 points.*
#
# $$\mathrm{BLEU} = 100 \cdot \mathrm{BP} \cdot \Bigl( \prod_{n=1}^{N} p_n \Bigr)^{1/N}, \qquad p_n = \frac{\text{matches of } n}{\text{total of } n}, \qquad N = 4 \tag{9.7}$$
#
# The convention, which is that of `sacrebleu` with `tokenize="none"` and `smooth_method="none"`: words are what the lists hold, nothing is smoothed, and if any $p_n$ is zero, **or the corpus has no $n$-grams of some order**, BLEU is 0.
#
# *Worked number.* Hypothesis *the cat is on the red mat*, reference *the cat is on the mat*: all words but *red* match, and no run across *red* does, so $p = (\frac67, \frac46, \frac35, \frac24)$. BP = 1, and BLEU $= 100\,(\frac67 \cdot \frac46 \cdot \frac35 \cdot \frac24)^{1/4} \approx 64.35$.

# %% tags=["exercise", "id:corpus-bleu"]
def corpus_bleu(
    hypotheses: list[Words], references: list[list[Words]], largest: int = 4
) -> float:
    """Return the BLEU of a corpus, between 0 and 100, with n-grams of 1 to ``largest`` words.

    Source: Papineni et al. (2002), section 2.3; eq. 9.7, not smoothed.
    """
    ### BEGIN SOLUTION
    logs = 0.0
    for n in range(1, largest + 1):
        matches, total = modified_precision(hypotheses, references, n)
        if matches == 0:
            return 0.0
        logs += math.log(matches / total)
    return 100 * brevity_penalty(hypotheses, references) * math.exp(logs / largest)
    ### END SOLUTION


# %% tags=["test", "id:corpus-bleu-test", "points:8"]
red, mat = sentence("the cat is on the red mat"), sentence("the cat is on the mat")
p = [6 / 7, 4 / 6, 3 / 5, 2 / 4]
check_close(
    corpus_bleu([red], [[mat]]),
    100 * math.prod(p) ** 0.25,
    "corpus_bleu, worked number",
    hints={
        "It lies between 0 and 1; multiply by 100.": math.prod(p) ** 0.25,
        "The root is missing: it is a geometric mean.": 100 * math.prod(p),
        "It is the arithmetic mean of the precisions.": 100 * sum(p) / 4,
        "It stops at n = 3; eq. 9.7 goes to 4.": 100 * math.prod(p[:3]) ** (1 / 3),
    },
)
one, two = sentence("a b c d e f"), sentence("g h i j")
check_close(
    corpus_bleu([one, two[:2]], [[one], [two]]),
    100 * math.exp(1 - 10 / 8),
    "corpus_bleu: one whole sentence, one cut in half",
    hints={
        "It is a mean over sentences; eq. 9.7 adds up the corpus first.": 50.0,
        "The brevity penalty is missing.": 100.0,
        "The brevity penalty is averaged over sentences.": 100 * (1 + math.exp(-1)) / 2,
    },
)
check_close(corpus_bleu([one], [[one]]), 100.0, "corpus_bleu: a perfect translation")
check_close(corpus_bleu([two], [[one]]), 0.0, "corpus_bleu: not one word in common")
check_close(corpus_bleu([["a", "b"]], [[["a", "b"]]]), 0.0, "corpus_bleu: no run of four in the corpus")
check_close(corpus_bleu([["a", "b"]], [[["a", "b"]]], 2), 100.0, "corpus_bleu: the same, largest=2")
check_close(corpus_bleu([[]], [[one]]), 0.0, "corpus_bleu: nothing said")
### BEGIN HIDDEN TESTS
def reference_bleu(hypotheses, references, largest):
    """Return BLEU from the definition, and by sacrebleu where it is installed."""
    lines = list(zip(hypotheses, references, strict=True))
    logs = []
    for n in range(1, largest + 1):
        matched = total = 0
        for h, alternatives in lines:
            grams = [tuple(h[i : i + n]) for i in range(len(h) - n + 1)]
            total += len(grams)
            for g in set(grams):
                most = max(
                    sum(tuple(r[i : i + n]) == g for i in range(len(r))) for r in alternatives
                )
                matched += min(most, grams.count(g))
        logs.append(math.log(matched / total) if matched else -math.inf)
    c = sum(len(h) for h, _ in lines)
    r = sum(min((abs(len(x) - len(h)), len(x)) for x in xs)[1] for h, xs in lines)
    penalty = 0.0 if c == 0 else min(1.0, math.exp(1 - r / c))
    bleu = 100 * penalty * math.exp(sum(logs) / largest)
    try:
        from sacrebleu.metrics import BLEU
    except ImportError:
        return bleu
    judge = BLEU(tokenize="none", smooth_method="none", max_ngram_order=largest)
    most = max(len(xs) for _, xs in lines)
    streams = [[" ".join(xs[j]) if j < len(xs) else None for _, xs in lines] for j in range(most)]
    score = judge.corpus_score([" ".join(h) for h, _ in lines], streams).score
    assert abs(score - bleu) < 1e-9
    return score


rng = np.random.default_rng(7000)
for case in range(10):
    M, alphabet = [1, 4, 30, 12, 6, 25, 3, 9, 40, 2][case], ["x", "yes", "z", "q"][: 2 + case % 3]
    several = 1 if case % 3 == 0 else 4
    references = [
        [[str(w) for w in rng.choice(alphabet, rng.integers(1, 12))] for _ in range(rng.integers(1, several + 1))]
        for _ in range(M)
    ]
    hypotheses = [
        [str(rng.choice(alphabet)) if rng.random() < 0.25 else word for word in alternatives[0]][
            : int(rng.integers(0 if case % 2 else 2, 14))
        ]
        for alternatives in references
    ]
    for largest in (4, 2):
        got = corpus_bleu(hypotheses, references, largest)
        label = f"corpus_bleu, {M} hypotheses, largest={largest}, {'one' if several == 1 else 'several'}"
        expected = reference_bleu(hypotheses, references, largest)
        check_close(got, expected, f"{label} references, against sacrebleu", 1e-11, 1e-9)
check_close(corpus_bleu([[], []], [[["a"]], [["b"]]]), 0.0, "corpus_bleu: all hypotheses empty")
### END HIDDEN TESTS


# %% [markdown]
# ## 8 · Against the length
#
# *Easy, 15 minutes, about 8 lines, 6 points.*
#
# The figure that made people look for attention has the length of the source on one axis.
# Given hypotheses, their references and the lengths of the sources, return the share of hypotheses that are **exactly right**, that is, equal to *any* of their references, for every bin of lengths.
# `edges` $= (e_0, e_1, \dots, e_k)$ makes $k$ bins: bin $i$ holds lengths from $e_i$ up to, but not including, $e_{i+1}$.
#
# The result is a dict from the first length of a bin, $e_i$, to the share; **a bin without sentences is left out**, since a share of nothing is no number.
# Lengths outside all bins are ignored.
#
# *Worked number.* Lengths 2, 3, 4, 9 of which the first and the third are right, edges (2, 4, 6, 8): the result is `{2: 0.5, 4: 1.0}`.

# %% tags=["exercise", "id:accuracy-by-length"]
def accuracy_by_length(
    hypotheses: list[Words],
    references: list[list[Words]],
    lengths: list[int],
    edges: list[int],
) -> dict[int, float]:
    """Return the share of exactly right hypotheses for every bin of lengths that is not empty.

    Keys are the bins' first lengths. ``edges`` ascend; bin i is edges[i] <= length < edges[i + 1].
    """
    ### BEGIN SOLUTION
    right = [h in alternatives for h, alternatives in zip(hypotheses, references, strict=True)]
    shares = {}
    for low, high in pairwise(edges):
        inside = [ok for ok, length in zip(right, lengths, strict=True) if low <= length < high]
        if inside:
            shares[low] = sum(inside) / len(inside)
    return shares
    ### END SOLUTION


# %% tags=["test", "id:accuracy-by-length-test", "points:6"]
hypotheses = [["a", "b"], ["c"], ["d", "d"], ["e"]]
references = [[["a", "b"]], [["x"]], [["y"], ["d", "d"]], [["e"]]]
got = accuracy_by_length(hypotheses, references, [2, 3, 4, 9], [2, 4, 6, 8])
check_close(
    got,
    {2: 0.5, 4: 1.0},
    "accuracy_by_length, worked number",
    hints={
        "A hypothesis is right if it equals any of its references.": {2: 0.5, 4: 0.0},
        "It divides by all sentences, not by those of the bin.": {2: 0.25, 4: 0.25},
    },
)
check_close(
    accuracy_by_length(hypotheses, references, [5, 5, 7, 8], [5, 7, 8, 9]),
    {5: 0.5, 7: 1.0, 8: 1.0},
    "accuracy_by_length: lengths that are edges (a bin begins at its first edge)",
)
assert accuracy_by_length(hypotheses, references, [1, 1, 30, 8], [2, 8]) == {}, (
    "accuracy_by_length: lengths outside all bins are ignored."
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(8000)
for case in range(5):
    M = [40, 7, 100, 1, 25][case]
    lengths = rng.integers(1, 25, size=M).tolist()
    edges = sorted(rng.choice(np.arange(1, 28), size=5, replace=False).tolist())
    references = [[[str(rng.integers(3))] for _ in range(rng.integers(1, 3))] for _ in range(M)]
    hypotheses = [[str(rng.integers(3))] for _ in range(M)]
    totals, rights = np.zeros(40), np.zeros(40)
    for h, alternatives, length in zip(hypotheses, references, lengths, strict=True):
        place = np.searchsorted(edges, length, side="right") - 1
        if 0 <= place < len(edges) - 1:
            totals[edges[place]] += 1
            rights[edges[place]] += any(h == r for r in alternatives)
    expected = {int(e): rights[e] / totals[e] for e in edges if totals[e]}
    got = accuracy_by_length(hypotheses, references, lengths, edges)
    assert type(got) is dict, "accuracy_by_length: return a dict."
    got = {int(key): float(value) for key, value in got.items()}
    check_close(got, expected, f"accuracy_by_length, {M} sentences", 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ### Your translator, measured
#
# Your counting network from part 4, scored by your own functions.

# %%
truths = [[list(pair.target)] for pair in exam]
print(f"BLEU {corpus_bleu(spoken, truths):.2f}, brevity penalty {brevity_penalty(spoken, truths):.3f}")
for n in range(1, 5):
    matches, total = modified_precision(spoken, truths, n)
    print(f"p_{n} = {matches}/{total} = {matches / total:.3f}")
shares = accuracy_by_length(spoken, truths, [len(p.source) for p in exam], [2, 4, 5, 6, 7])
print("exactly right, by the number of source words:", {k: round(v, 2) for k, v in shares.items()})

# %% [markdown]
# ## 9 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** A colleague trains a translator and reports: with teacher forcing 95 % of the single words of the test set are predicted correctly, but only 40 % of the greedy translations are exactly right, and she blames exposure bias.
# Sentences have about 18 words.
# What would you expect if all steps were equally hard and mistakes independent?
# Can exposure bias lower the share of exactly right greedy translations at all?
# What does it change, how would you measure that, and what would you look at to find out if the context vector is the bottleneck?
# Answer in five to seven sentences.

# %% [markdown] tags=["manual", "id:what-to-blame", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. Independent, equally hard steps give about 0.95^18 (or 0.95^19 with EOS), near 0.40 (0.38): her 40 % is what length alone does.
# 2. Exposure bias cannot lower exact matches: up to its first mistake the free decoder hears the same words as the forced one, so a translation is exactly right if and only if all forced steps are right.
# 3. It changes what comes after the first mistake (and with it BLEU and the readability of the output).
# 4. A measurement: on the steps after the first mistake, compare the decoder that hears its own words with one that hears the true ones (or: gap in BLEU, in per-step accuracy as a function of the distance from the first mistake).
# 5. The bottleneck: single forced steps (or their loss) against the length of the source; falling without attention and level with it. Exact matches alone do not show it.
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# **b.** Three systems translate the same 2,000 sentences, with one reference each.
# System A leaves out every tenth word at random; system B translates a tenth of the sentences with nonsense of the right length and the others perfectly; system C translates everything perfectly, but always with synonyms that the reference does not use.
# Without computing: how do their BLEU scores compare roughly, and why?
# (Think of what happens to runs of four words.)
# Which system would you rather use, and what does that say about BLEU?
# Finally: why does BLEU have a brevity penalty instead of recall, and why is it computed over the corpus?
# Answer in five to seven sentences.

# %% [markdown] tags=["manual", "id:what-bleu-sees", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. B has a high score, near 90: nine tenths of all runs of every order match, no brevity penalty.
# 2. A is clearly lower: what is left are true words (p_1 near 1), but a missing word breaks the runs across the gap (of four words, about three in ten runs), and the brevity penalty, e^(1 - 1/0.9), takes another tenth.
# 3. C is the lowest (near 0, depending on how many words are synonyms): nothing matches although every sentence is right; so the order of BLEU is not the order of usefulness, in particular with one reference and between systems of different kinds.
# 4. Recall makes no sense with several references, since no hypothesis should contain them all; the penalty keeps short outputs from having high precision.
# 5. Over the corpus: single sentences may be shorter or longer than their reference without harm (a penalty per sentence would punish every short one), and precisions of single sentences are often zero or undefined.
# ### END MARK SCHEME

# %% [markdown]
# ## 10 · Optional challenge: is the difference real?
#
# *Medium, 25 minutes, about 12 lines, no points.*
#
# Two systems differ by 0.7 BLEU on a test set of 500 sentences.
# Would they on another 500?
# Koehn (2004) draws new test sets from the old one, $M$ sentences *with replacement*, and scores each: the spread of these scores says how much to trust one.
#
# `picks` (R, M) holds the drawn sentence numbers, from outside, so that they can be tested: row $i$ is a test set, in which a sentence may occur several times or not at all.
# Return the BLEU of each of the $R$ test sets, as an array of R numbers, each equal to `corpus_bleu` of the drawn sentences.
#
# The point is the cost: BLEU is a function of sums over sentences, so every sentence needs to be counted **once**, not once a draw.
# With R = 1000 and M = 300 the test allows a few seconds.
# If you leave it out, the test below fails and costs nothing.

# %% tags=["exercise", "id:resampled-bleu"]
def resampled_bleu(
    hypotheses: list[Words], references: list[list[Words]], picks: Int[np.ndarray, "R M"]
) -> Float[np.ndarray, " R"]:
    """Return the BLEU of R test sets drawn from one; row i of ``picks`` are their sentences.

    Source: Koehn (2004), bootstrap resampling. float64. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    rows = []
    for hypothesis, alternatives in zip(hypotheses, references, strict=True):
        pairs = [modified_precision([hypothesis], [alternatives], n) for n in range(1, 5)]
        closest = min((abs(len(r) - len(hypothesis)), len(r)) for r in alternatives)[1]
        rows.append([*(m for m, _ in pairs), *(t for _, t in pairs), len(hypothesis), closest])
    sums = np.array(rows, dtype=np.float64)[picks].sum(axis=1)  # (R M 10) -> (R 10)
    matches, totals, c, r = sums[:, :4], sums[:, 4:8], sums[:, 8], sums[:, 9]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(matches / totals).mean(axis=1)
        scores = 100 * np.exp(np.minimum(0, 1 - r / c) + logs)
    return np.where(matches.min(axis=1) > 0, scores, 0.0)
    ### END SOLUTION


# %% tags=["test", "id:resampled-bleu-test", "points:0"]
rng = np.random.default_rng(20)
corpus = [[str(w) for w in rng.choice(["a", "b", "c"], rng.integers(5, 12))] for _ in range(60)]
answers = [[[w if rng.random() < 0.8 else "d" for w in s]] for s in corpus]
picks = rng.integers(60, size=(4, 60))
got = resampled_bleu(corpus, answers, picks)
expected = [corpus_bleu([corpus[i] for i in row], [answers[i] for i in row]) for row in picks]
check_shape(got, (4,), "resampled_bleu", axes="R")
check_close(got, np.array(expected), "resampled_bleu: four test sets of 60 sentences", 1e-9)
many = resampled_bleu(corpus * 5, answers * 5, rng.integers(300, size=(1000, 300)))
check_shape(many, (1000,), "resampled_bleu", axes="R")
assert abs(many.mean() - corpus_bleu(corpus, answers)) < 1, "resampled_bleu: the mean is far off."
silent = resampled_bleu([["a"], *corpus[1:]], answers, np.zeros((2, 60), dtype=int))
check_close(silent, np.zeros(2), "resampled_bleu: no run of four in a drawn test set")

# %% [markdown]
# How sure is the score of your counting network?

# %%
try:
    draws = np.random.default_rng(2).integers(len(exam), size=(1000, len(exam)))
    spread = np.sort(resampled_bleu(spoken, truths, draws))
    print(f"BLEU {corpus_bleu(spoken, truths):.1f}, 95 of 100 test sets between "
          f"{spread[25]:.1f} and {spread[974]:.1f}")
except NotImplementedError:
    print("Part 10 is not written yet.")

# %% [markdown]
# ## Sources
#
# * Bischl, LMU, encoder–decoder networks; Peeters, *Recurrent Neural Network* (Télécom Paris), sequence to sequence; Kovashka, *CS 1678* (Pittsburgh, 2021), neural machine translation, greedy decoding and BLEU; Basili and Croce, encoder–decoder training graphs.
# * K. Cho et al. (2014), *Learning phrase representations using RNN encoder–decoder for statistical machine translation*, EMNLP.
# * I. Sutskever, O. Vinyals and Q. Le (2014), *Sequence to sequence learning with neural networks*, NIPS.
# * K. Papineni, S. Roukos, T. Ward and W.-J. Zhu (2002), *BLEU: a method for automatic evaluation of machine translation*, ACL.
# * M. Post (2018), *A call for clarity in reporting BLEU scores*, WMT.
# * P. Koehn (2004), *Statistical significance tests for machine translation evaluation*, EMNLP.
