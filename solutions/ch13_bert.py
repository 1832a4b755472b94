# %% [markdown]
# # 13 · BERT
#
# In this exercise you write what makes a Transformer encoder into BERT: words cut into pieces, pairs of sentences as one input, the two games it is trained on, its input layer, its three kinds of head, and the conversion of published weights into an encoder of your own layout.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `wordpiece` | medium | 25 min | 10 |
# | 2 | `encode_pair` | medium | 20 min | 10 |
# | 3 | `mask_tokens` | medium | 30 min | 12 |
# | 4 | `next_sentence_pairs` | medium | 25 min | 8 |
# | 5 | `bert_embeddings` | easy | 20 min | 8 |
# | 6 | `masked_lm_loss` | medium | 25 min | 12 |
# | 7 | `classification_logits` | easy | 10 min | 6 |
# | 8 | `tag_loss` | medium | 25 min | 8 |
# | 9 | `best_span` | medium | 25 min | 8 |
# | 10 | `load_pretrained` | hard | 40 min | 10 |
# | 11 | two written answers | medium | 20 min | 8 |
# | 12 | optional: `whole_word_places` | medium | 20 min | 0 |
#
# Before you start, read chapter 13 of the book: it derives every equation used here.
#
# **Rules**
#
# * Parts 1 to 4 are Python, numpy and tensors of integers; parts 5 to 10 are torch and differentiable: no `.item()`, `.detach()` or numpy on the way from parameters to result.
# * Dtype and device of new tensors come from the inputs, so that your code runs on a GPU as it stands.
# * No function changes what it is given.
# * `torch.nn.functional` is allowed; layers of `torch.nn` are not.
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **Axes.** B batch, T positions, V vocabulary (pieces), D model width, N heads, L layers, C classes.
# Examples are rows, so a layer is `x @ W + b`.
#
# **Symbols.** `PAD`, `UNK`, `CLS`, `SEP` and `MASK` are the numbers 0 to 4, as in the vocabulary below; ordinary pieces begin at `FIRST = 5`.
# A target of `-100` means *not asked*: PyTorch's cross-entropy skips it by default.
#
# **Parameters** are dicts of tensors; every part says which it needs.
#
# `encode` runs an encoder of BERT's shape on your embeddings: post-norm layers with GELU, as in the paper.

# %% tags=["setup"]
import math
from itertools import pairwise

import numpy as np
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
PAD, UNK, CLS, SEP, MASK, FIRST = range(6)
IGNORED = -100


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


def draws(high: int, *shape: int, seed: int) -> Tensor:
    """Return integers from 0 to ``high`` - 1, the same on every machine."""
    g = torch.Generator().manual_seed(seed)
    return torch.randint(high, shape, generator=g).to(DEVICE)


def copy_of(value):
    """Return a copy of a tensor, or of a dict or list of tensors."""
    if isinstance(value, dict):
        return {key: copy_of(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_of(item) for item in value]
    return value.clone() if isinstance(value, Tensor) else value


def leaves_of(params: Params) -> Params:
    """Return a copy whose tensors ask for gradients."""
    return {key: value.clone().requires_grad_() for key, value in params.items()}


# %% tags=["setup"]
def encode(
    ids: Int[Tensor, "B T"],
    segments: Int[Tensor, "B T"],
    real: Bool[Tensor, "B T"],
    params: Params,
    heads: int,
    embed,
) -> Float[Tensor, "B T D"]:
    """Return the states of BERT's encoder; ``embed`` is your `bert_embeddings`."""
    x = embed(ids, segments, params["embeddings"])
    for layer in params["layers"]:
        q, k, v = (
            rearrange(x @ layer[f"W_{n}"] + layer[f"b_{n}"], "B T (N K) -> B N T K", N=heads)
            for n in "qkv"
        )
        mixed = F.scaled_dot_product_attention(q, k, v, real[:, None, None, :])
        mixed = rearrange(mixed, "B N T K -> B T (N K)") @ layer["W_o"] + layer["b_o"]
        x = normed(x + mixed, layer["gain_1"], layer["bias_1"])
        inner = F.gelu(x @ layer["W_1"] + layer["b_1"]) @ layer["W_2"] + layer["b_2"]
        x = normed(x + inner, layer["gain_2"], layer["bias_2"])
    return x


def normed(x: Tensor, gain: Tensor, bias: Tensor, eps: float = 1e-12) -> Tensor:
    """Return the layer normalisation of the last axis."""
    return F.layer_norm(x, x.shape[-1:], gain, bias, eps)


def check_gradients(result: Tensor, ours: Params, expected: Tensor, theirs: Params, name: str):
    """Check that a loss on ``result`` sends every parameter the gradient that it should get."""
    assert isinstance(result, Tensor) and result.requires_grad, (
        f"{name}: no gradient can flow. Is there .detach(), .item() or numpy on the way?"
    )
    weights = normal(*expected.shape, seed=99) if expected.shape else numbers(1.0)
    (result * weights).sum().backward()
    (expected * weights).sum().backward()
    for key, value in ours.items():
        assert value.grad is not None, f"{name}: no gradient arrives at {key}. Is it used?"
        check_close(value.grad, theirs[key].grad, f"{name}: gradient of {key}", 1e-6, 1e-9)


# %% [markdown]
# ## 1 · Words in pieces
#
# *Medium, 25 minutes, about 14 lines, 10 points.*
#
# WordPiece cuts a word greedily: take the longest beginning that is in the vocabulary, then the longest beginning of the rest, and so on.
# Pieces that do not begin a word are written with `##` in front, in the vocabulary and in the result.
# If at some point not even one letter fits, the *whole word* becomes `[UNK]`.
# So does a word of more than 100 letters, which is hardly a word.
#
# *Types.* `word` is a string without spaces, `vocabulary` a set of pieces; the result is a list of pieces.
#
# *Worked example.* With `un`, `##roll`, `##rolled`, `##ed`, `u` in the vocabulary, *unrolled* is `un` `##rolled`: `##rolled` is longer than `##roll`.
# With `##rolled` missing it is `un` `##roll` `##ed`.

# %% tags=["exercise", "id:wordpiece"]
def wordpiece(word: str, vocabulary: set[str]) -> list[str]:
    """Return the pieces of a word, the longest possible first; ``["[UNK]"]`` if it has none.

    Source: Wu et al. (2016), section 4.1, as in BERT's code: pieces inside a word begin with "##",
    and a word of more than 100 letters is unknown.
    """
    ### BEGIN SOLUTION
    if len(word) > 100:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        front = "##" if start else ""
        for end in range(len(word), start, -1):
            if front + word[start:end] in vocabulary:
                pieces.append(front + word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    return pieces
    ### END SOLUTION


# %% tags=["test", "id:wordpiece-test", "points:10"]
few = {"un", "u", "##roll", "##rolled", "##ed", "##n", "roll", "rolled"}
got = wordpiece("unrolled", few)
assert got != ["un", "##roll", "##ed"], (
    "wordpiece: 'unrolled' has a longer second piece, '##rolled'. Begin with the longest."
)
assert got != ["un", "rolled"], "wordpiece: a piece inside a word has '##' in front."
assert got == ["un", "##rolled"], f"wordpiece: 'unrolled' is ['un', '##rolled'], not {got}"
got = wordpiece("unrolled", few - {"##rolled"})
assert got == ["un", "##roll", "##ed"], f"wordpiece: without '##rolled' there are three, not {got}"
got = wordpiece("roller", few)
assert got == ["[UNK]"], (
    f"wordpiece: 'roller' begins with a piece but '##er' has none, so all of it is [UNK], not {got}"
)
assert wordpiece("rolled", few) == ["rolled"], "wordpiece: a word of the vocabulary is one piece."
before = set(few)
wordpiece("unrolled", few)
assert few == before, "wordpiece: it changed the vocabulary that it was given."
### BEGIN HIDDEN TESTS
letters = {c for c in "abcdefgh"} | {f"##{c}" for c in "abcdefgh"}
more = letters | {"abc", "##bcd", "##de", "ab", "##efg", "##gh", "##h", "abcd"}
for word, pieces in {
    "abcdefgh": ["abcd", "##efg", "##h"],
    "babcde": ["b", "##a", "##bcd", "##e"],
    "a": ["a"],
    "abcx": ["[UNK]"],
    "xabc": ["[UNK]"],
    "abdegh": ["ab", "##de", "##gh"],
}.items():
    assert wordpiece(word, more) == pieces, f"wordpiece: {len(word)} letters, other pieces expected"
inside = {"##ab", "a"}
assert wordpiece("ab", inside) == ["[UNK]"], (
    "wordpiece: a piece with '##' cannot begin a word, and one without cannot continue it."
)
assert wordpiece("a" * 100, letters) == ["a"] + ["##a"] * 99, "wordpiece: 100 letters are allowed"
assert wordpiece("a" * 101, letters) == ["[UNK]"], "wordpiece: more than 100 letters are unknown"
joined = wordpiece("hgfedcba", more)
assert "".join(p.removeprefix("##") for p in joined) == "hgfedcba", "wordpiece: letters got lost"
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · A pair as one input
#
# *Medium, 20 minutes, about 14 lines, 10 points.*
#
# BERT reads one or two sentences as a single row: `[CLS]`, the first, `[SEP]`, and if there is a second, that and another `[SEP]`; then `[PAD]` up to the wanted length.
# The *segment* is 0 up to and including the first `[SEP]`, 1 for the second sentence and its `[SEP]`, and 0 for padding.
# `real` is False for padding only.
#
# If the row would be too long, tokens are taken from the *end of the longer sentence*, one by one, until it fits; at equal lengths from the second.
#
# *Types.* `first` and `second` are lists of piece numbers, `second` may be None; three tensors of shape (length,) come back: `ids` and `segments` of integers (int64), `real` of booleans, on the CPU.
#
# *Worked example.* `first = [7, 8]`, `second = [9]`, length 7: ids 2 7 8 3 9 3 0, segments 0 0 0 0 1 1 0.

# %% tags=["exercise", "id:encode-pair"]
def encode_pair(
    first: list[int], second: list[int] | None, length: int
) -> tuple[Int[Tensor, " T"], Int[Tensor, " T"], Bool[Tensor, " T"]]:
    """Return the row of one or two sentences: piece numbers, segments, and what is no padding.

    Source: Devlin et al. (2019), section 3. Too long a row loses tokens at the end of the longer
    sentence, at equal lengths of the second. The lists are not modified.
    """
    ### BEGIN SOLUTION
    a, b = list(first), list(second or [])
    room = length - (2 if second is None else 3)
    while len(a) + len(b) > room:
        (a if len(a) > len(b) else b).pop()
    ids = [CLS, *a, SEP]
    segments = [0] * len(ids)
    if second is not None:
        ids += [*b, SEP]
        segments += [1] * (len(b) + 1)
    padding = length - len(ids)
    real = [True] * len(ids) + [False] * padding
    return (
        torch.tensor(ids + [PAD] * padding),
        torch.tensor(segments + [0] * padding),
        torch.tensor(real),
    )
    ### END SOLUTION


# %% tags=["test", "id:encode-pair-test", "points:10"]
ids, segments, real = encode_pair([7, 8], [9], 7)
check_close(ids, torch.tensor([2, 7, 8, 3, 9, 3, 0]), "encode_pair, worked example: ids")
check_close(
    segments,
    torch.tensor([0, 0, 0, 0, 1, 1, 0]),
    "encode_pair, worked example: segments",
    hints={
        "The first [SEP] belongs to the first sentence: segment 0.": (
            torch.tensor([0, 0, 0, 1, 1, 1, 0])
        ),
        "Padding has segment 0.": torch.tensor([0, 0, 0, 0, 1, 1, 1]),
    },
)
check_close(
    real,
    torch.tensor([True] * 6 + [False]),
    "encode_pair, worked example: real",
    hints={"True stands for padding here; it should be False.": torch.tensor([False] * 6 + [True])},
)
ids, segments, real = encode_pair([7, 8, 9], None, 6)
check_close(ids, torch.tensor([2, 7, 8, 9, 3, 0]), "encode_pair, one sentence: ids")
check_close(segments, torch.tensor([0] * 6), "encode_pair, one sentence: segments")
a, b = [11, 12, 13, 14, 15], [21, 22]
ids = encode_pair(a, b, 8)[0]
check_close(
    ids,
    torch.tensor([2, 11, 12, 13, 3, 21, 22, 3]),
    "encode_pair, five and two tokens in a row of eight",
    hints={
        "It shortens the second sentence; tokens are taken from the longer one.": (
            torch.tensor([2, 11, 12, 13, 14, 15, 3, 3])
        ),
        "It cuts the row off, and with it the last [SEP].": (
            torch.tensor([2, 11, 12, 13, 14, 15, 3, 21])
        ),
        "It takes tokens from the beginning of the longer sentence; take them from its end.": (
            torch.tensor([2, 13, 14, 15, 3, 21, 22, 3])
        ),
    },
)
assert (a, b) == ([11, 12, 13, 14, 15], [21, 22]), "encode_pair: it shortened the lists it was given"
### BEGIN HIDDEN TESTS
for first, second, length in [
    ([5] * 4, [6] * 4, 10),
    ([5] * 2, [6] * 9, 10),
    ([5] * 3, [6] * 3, 30),
    ([5], [], 4),
    ([5] * 12, None, 8),
    ([], [6, 7], 5),
]:
    ids, segments, real = encode_pair(first, second, length)
    label = f"encode_pair, {len(first)} and {'no' if second is None else len(second)} in {length}"
    check_shape(ids, (length,), label)
    m, n = len(first), len(second or [])
    room = length - (2 if second is None else 3)
    while m + n > room:
        m, n = (m - 1, n) if m > n else (m, n - 1)
    wanted = [CLS, *first[:m], SEP] + ([] if second is None else [*second[:n], SEP])
    count = len(wanted)
    check_close(ids, torch.tensor(wanted + [PAD] * (length - count)), label + ": ids")
    ones = [i > m + 1 for i in range(count)] + [False] * (length - count)
    check_close(segments, torch.tensor(ones).long(), label + ": segments")
    check_close(real, torch.arange(length) < count, label + ": real")
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Hiding words
#
# *Medium, 30 minutes, about 10 lines, 12 points.*
#
# To train on the masked language model, choose 15 % of the ordinary tokens, each by a coin of its own.
# Of the chosen ones 80 % become `[MASK]`, 10 % become a random ordinary piece (any number from `FIRST` to V − 1, drawn evenly), and 10 % stay as they are.
# The *target* is the original token at every chosen place, whatever became of it, and −100 everywhere else.
# Special symbols (numbers below `FIRST`) are never chosen.
#
# All randomness comes from `rng`, so that a run can be repeated.
#
# *Shapes.* `ids` (B, T) of integers; back come the new inputs and the targets, both (B, T), int64, on the device of `ids`.

# %% tags=["exercise", "id:mask-tokens"]
def mask_tokens(
    ids: Int[Tensor, "B T"], V: int, rng: np.random.Generator
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """Return the input with some tokens hidden, and the targets: what was hidden, -100 elsewhere.

    Source: Devlin et al. (2019), section 3.1: 15 % of the tokens; of those 80 % [MASK], 10 % random,
    10 % unchanged. ``ids`` is not modified.
    """
    ### BEGIN SOLUTION
    coin, fate = (torch.from_numpy(rng.random(ids.shape)).to(ids.device) for _ in range(2))
    other = torch.from_numpy(rng.integers(FIRST, V, ids.shape)).to(ids.device)
    chosen = (ids >= FIRST) & (coin < 0.15)
    inputs = torch.where(chosen & (fate < 0.8), torch.full_like(ids, MASK), ids)
    inputs = torch.where(chosen & (fate >= 0.9), other, inputs)
    return inputs, torch.where(chosen, ids, torch.full_like(ids, IGNORED))
    ### END SOLUTION


# %% tags=["test", "id:mask-tokens-test", "points:12"]
ids = FIRST + draws(95, 200, 60, seed=1)
ids[:, 0], ids[:, 30], ids[:, 50:] = CLS, SEP, PAD
before = ids.clone()
inputs, targets = mask_tokens(ids, 100, np.random.default_rng(1))
check_unchanged(before, ids, "mask_tokens")
check_shape(inputs, (200, 60), "mask_tokens: inputs")
assert targets.dtype == inputs.dtype == torch.int64, "mask_tokens: both results are int64"
chosen, special = targets != -100, ids < FIRST
assert not (chosen & special).any(), "mask_tokens: a special symbol was chosen"
assert (targets[chosen] == ids[chosen]).all(), "mask_tokens: a target is the *original* token"
assert (inputs[~chosen] == ids[~chosen]).all(), "mask_tokens: a token changed that was not chosen"
share = (chosen.sum() / (~special).sum()).item()
assert 0.13 < share < 0.17, f"mask_tokens: {share:.1%} of the ordinary tokens are chosen, not 15 %"
hidden = (inputs[chosen] == MASK).double().mean().item()
kept = (inputs[chosen] == ids[chosen]).double().mean().item()
assert 0.75 < hidden < 0.85, f"mask_tokens: {hidden:.0%} of the chosen became [MASK], not 80 %"
assert 0.06 < kept < 0.15, (
    f"mask_tokens: {kept:.0%} of the chosen stayed, not 10 %. They have a target all the same."
)
again = mask_tokens(ids, 100, np.random.default_rng(1))
assert (again[0] == inputs).all(), "mask_tokens: the same rng gives other results. Draw from rng."
### BEGIN HIDDEN TESTS
ids = FIRST + draws(15, 400, 50, seed=2)
ids[::3, 10:] = PAD
rng = np.random.default_rng(7)
first, second = mask_tokens(ids, 20, rng), mask_tokens(ids, 20, rng)
assert (first[1] != second[1]).any(), "mask_tokens: a second call with the same rng repeats the first"
inputs, targets = first
chosen = targets != -100
assert not (chosen & (ids < FIRST)).any(), "mask_tokens: a special symbol was chosen"
assert (targets[chosen] == ids[chosen]).all(), "mask_tokens: a target is not the original token"
assert (inputs[~chosen] == ids[~chosen]).all(), "mask_tokens: an unchosen token changed"
per_row = chosen.double().sum(1)[torch.arange(400, device=DEVICE) % 3 > 0]  # rows without padding
assert per_row.var() > 1, "mask_tokens: every row has the same number; each token has its own coin"
replaced = chosen & (inputs != MASK) & (inputs != ids)
seen = inputs[replaced]
assert seen.min() >= FIRST and seen.max() < 20, (
    "mask_tokens: a random piece is a special symbol, or beyond the vocabulary"
)
counts = torch.bincount(seen, minlength=20)[FIRST:].double()
assert (counts > 0).all(), "mask_tokens: some ordinary pieces never come up as random ones"
assert counts.max() < 4 * counts.mean(), "mask_tokens: the random pieces are not drawn evenly"
share = (replaced.sum() / chosen.sum()).item()
assert 0.06 < share < 0.13, "mask_tokens: about 10 % of the chosen become a random piece"
shares = [(chosen & (inputs == MASK))[:, t].double().mean().item() for t in range(10)]
assert min(shares) > 0.05, "mask_tokens: some positions are never hidden"
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · What comes next
#
# *Medium, 25 minutes, about 12 lines, 8 points.*
#
# The second game: is sentence *b* the one that follows *a*?
# Go through all documents and all their sentences but each document's last, in order; each is the *a* of one pair.
# With probability ½ its *b* is the sentence after it (True); otherwise it is a sentence drawn from **another** document (False): first a document, evenly among the others, then a sentence of it, evenly.
#
# With fewer than two documents there is no other: `ValueError`.
#
# *Types.* A document is a list of sentences, a sentence a list of integers; back comes a list of tuples `(a, b, is_next)`.

# %% tags=["exercise", "id:next-sentence-pairs"]
def next_sentence_pairs(
    documents: list[list[list[int]]], rng: np.random.Generator
) -> list[tuple[list[int], list[int], bool]]:
    """Return a pair for every sentence that has a successor, half of them with another document's.

    Source: Devlin et al. (2019), section 3.1, task 2.

    Raises:
        ValueError: there are fewer than two documents.
    """
    ### BEGIN SOLUTION
    if len(documents) < 2:
        raise ValueError("next_sentence_pairs: a false pair needs a second document")
    pairs = []
    for d, document in enumerate(documents):
        for first, successor in pairwise(document):
            if rng.random() < 0.5:
                pairs.append((first, successor, True))
                continue
            other = int(rng.integers(len(documents) - 1))
            other += other >= d  # skip this document
            sentences = documents[other]
            pairs.append((first, sentences[int(rng.integers(len(sentences)))], False))
    return pairs
    ### END SOLUTION


# %% tags=["test", "id:next-sentence-pairs-test", "points:8"]
documents = [[[100 * d + 10 * s, d, s] for s in range(6)] for d in range(40)]
pairs = next_sentence_pairs(documents, np.random.default_rng(3))
assert len(pairs) == 40 * 5, (
    f"next_sentence_pairs: {len(pairs)} pairs; every sentence but each document's last gives one, 200"
)
assert [a for a, _, _ in pairs] == [s for d in documents for s in d[:-1]], (
    "next_sentence_pairs: the first sentences are all that have a successor, in order"
)
for a, b, is_next in pairs:
    if is_next:
        assert b[1:] == [a[1], a[2] + 1], "next_sentence_pairs: a True pair is not consecutive"
    else:
        assert b[1] != a[1], "next_sentence_pairs: a False pair is from the same document"
share = np.mean([is_next for _, _, is_next in pairs])
assert 0.35 < share < 0.65, f"next_sentence_pairs: {share:.0%} of the pairs are True, not half"
check_raises(
    ValueError, next_sentence_pairs, documents[:1], np.random.default_rng(0), when="one document"
)
### BEGIN HIDDEN TESTS
uneven = [[[d, s] for s in range(1 + d % 5)] for d in range(30)]
rng = np.random.default_rng(11)
pairs = [p for _ in range(40) for p in next_sentence_pairs(uneven, rng)]
assert len(pairs) == 40 * sum(len(d) - 1 for d in uneven), "next_sentence_pairs: number of pairs"
false = [(tuple(a), tuple(b)) for a, b, is_next in pairs if not is_next]
true = [(tuple(a), tuple(b)) for a, b, is_next in pairs if is_next]
assert all(b == (a[0], a[1] + 1) for a, b in true), "next_sentence_pairs: True pairs"
assert all(b[0] != a[0] for a, b in false), "next_sentence_pairs: False pairs of one document"
from_document = np.bincount([b[0] for _, b in false], minlength=30)
assert from_document.min() > 0, "next_sentence_pairs: some documents never give a false successor"
by_length = from_document.reshape(-1, 5).sum(0)  # documents of one sentence to five
assert by_length.max() < 1.6 * by_length.min(), (
    "next_sentence_pairs: documents are drawn evenly, whatever their length"
)
places = np.bincount([b[1] for _, b in false if b[0] % 5 == 4], minlength=5)
assert places.min() > 0.4 * places.mean(), (
    "next_sentence_pairs: any sentence of the other document may come, its first and last too"
)
share = len(true) / len(pairs)
assert 0.45 < share < 0.55, "next_sentence_pairs: about half of the pairs are True"
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · The input layer
#
# *Easy, 20 minutes, about 4 lines, 8 points.*
#
# Three tables are added: what the piece is, where it stands, and which sentence it belongs to; then comes a layer normalisation over the width:
#
# $$x_t = \mathrm{LN}\bigl(E[\mathrm{id}_t] + P[t] + S[\mathrm{segment}_t]\bigr) \tag{13.1}$$
#
# with $\varepsilon = 10^{-12}$, as in BERT.
#
# *Parameters.* `E` (V, D), `P` (longest T, D), `S` (2, D), `gain` and `bias` (D,).
# *Shapes.* `ids`, `segments` (B, T); result (B, T, D).
#
# *Hint.* `F.layer_norm`, and the function `normed` that is given.

# %% tags=["exercise", "id:bert-embeddings"]
def bert_embeddings(
    ids: Int[Tensor, "B T"], segments: Int[Tensor, "B T"], params: Params
) -> Float[Tensor, "B T D"]:
    """Return the input of BERT's first layer: piece, position and segment added, then normalised.

    Source: Devlin et al. (2019), figure 2; eq. 13.1. Dtype and device follow ``params``.
    """
    ### BEGIN SOLUTION
    x = params["E"][ids] + params["P"][: ids.shape[1]] + params["S"][segments]
    return normed(x, params["gain"], params["bias"])
    ### END SOLUTION


# %% tags=["setup"]
def embedding_params(V: int, longest: int, D: int, seed: int) -> Params:
    """Return the tables of an input layer; nothing in them is zero, so that nothing is forgotten."""
    shapes = {"E": (V, D), "P": (longest, D), "S": (2, D)}
    params = {k: normal(*s, seed=seed + i) for i, (k, s) in enumerate(shapes.items())}
    params["gain"] = 1 + normal(D, seed=seed + 3) / 4
    params["bias"] = normal(D, seed=seed + 4) / 4
    return params


# %% tags=["test", "id:bert-embeddings-test", "points:8"]
params = embedding_params(11, 9, 6, seed=10)
ids, segments = draws(11, 3, 5, seed=1), draws(2, 3, 5, seed=2)
before = copy_of(params)
x = bert_embeddings(ids, segments, params)
check_unchanged(before, params, "bert_embeddings")
check_shape(x, (3, 5, 6), "bert_embeddings")
E, P, S = params["E"][ids], params["P"][:5], params["S"][segments]
gain, bias = params["gain"], params["bias"]
check_close(
    x,
    normed(E + P + S, gain, bias),
    "bert_embeddings",
    hints={
        "It is not normalised, eq. 13.1.": E + P + S,
        "The positions are missing.": normed(E + S, gain, bias),
        "The segments are missing.": normed(E + P, gain, bias),
        "It normalises before adding; add the three first.": (
            normed(E, gain, bias) + normed(P, gain, bias) + normed(S, gain, bias)
        ),
        "Gain and bias are not used.": F.layer_norm(E + P + S, (6,), eps=1e-12),
    },
)
### BEGIN HIDDEN TESTS
for B, T, D in ((2, 7, 5), (1, 12, 8), (4, 1, 3)):
    params = embedding_params(13, 12, D, seed=20 + T)
    ids, segments = draws(13, B, T, seed=T), draws(2, B, T, seed=T + 1)
    ours, theirs = leaves_of(params), leaves_of(params)
    got = bert_embeddings(ids, segments, ours)
    words = F.embedding(ids, theirs["E"]) + F.embedding(segments, theirs["S"])
    expected = F.layer_norm(words + theirs["P"][None, :T], (D,), theirs["gain"], theirs["bias"], 1e-12)
    check_close(got, expected, f"bert_embeddings, T = {T}, D = {D}", 1e-8)
    check_gradients(got, ours, expected, theirs, f"bert_embeddings, T = {T}, D = {D}")
single = {k: v.float() for k, v in params.items()}
assert bert_embeddings(ids, segments, single).dtype == torch.float32, "bert_embeddings: float32 in"
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · The loss of the hidden words
#
# *Medium, 25 minutes, about 7 lines, 12 points.*
#
# A small head turns a state into scores over all pieces, and shares the table $E$ with the input:
#
# $$y_t = \mathrm{LN}\bigl(\mathrm{gelu}(h_t W_t + b_t)\bigr), \qquad o_t = y_t E^\top + b_v \tag{13.2}$$
#
# The loss is the mean of $-\log \mathrm{softmax}(o_t)[\mathrm{target}_t]$ over the places that have a target; everywhere else the target is −100.
# So it is a mean over hidden tokens, not over sentences and not over all places.
# At least one place has a target.
#
# *Parameters.* `W_t` (D, D), `b_t` (D,), `gain`, `bias` (D,), `E` (V, D), `b_v` (V,).
# *Shapes.* `h` (B, T, D), `targets` (B, T); result a single number.
#
# *Worth the effort.* Select the places *before* the product with $E$: with 15 % of the places the largest product of the network shrinks to a seventh.

# %% tags=["exercise", "id:masked-lm-loss"]
def masked_lm_loss(
    h: Float[Tensor, "B T D"], targets: Int[Tensor, "B T"], params: Params
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy of the hidden pieces, in nats; a target of -100 is not asked.

    Source: Devlin et al. (2019), section 3.1, task 1, with BERT's prediction head; eq. 13.2.
    """
    ### BEGIN SOLUTION
    asked = targets != IGNORED
    y = F.gelu(h[asked] @ params["W_t"] + params["b_t"])  # (places, D)
    y = normed(y, params["gain"], params["bias"])
    return F.cross_entropy(y @ params["E"].T + params["b_v"], targets[asked])
    ### END SOLUTION


# %% tags=["setup"]
def head_params(V: int, D: int, seed: int) -> Params:
    """Return the weights of the masked language model's head."""
    return {
        "W_t": normal(D, D, seed=seed) / D**0.5,
        "b_t": normal(D, seed=seed + 1) / 2,
        "gain": 1 + normal(D, seed=seed + 2) / 4,
        "bias": normal(D, seed=seed + 3) / 4,
        "E": normal(V, D, seed=seed + 4),
        "b_v": normal(V, seed=seed + 5),
    }


def head_scores(h: Tensor, p: Params) -> Tensor:
    """Return the scores of eq. 13.2 at every place, for the tests."""
    inner = F.layer_norm(F.gelu(h @ p["W_t"] + p["b_t"]), h.shape[-1:], p["gain"], p["bias"], 1e-12)
    return F.linear(inner, p["E"], p["b_v"])


# %% tags=["test", "id:masked-lm-loss-test", "points:12"]
params, h = head_params(9, 6, seed=40), normal(3, 5, 6, seed=41)
targets = torch.full((3, 5), -100, device=DEVICE)
targets[0, 1], targets[0, 2], targets[2, 4] = 3, 8, 5
before = copy_of(params)
loss = masked_lm_loss(h, targets, params)
check_unchanged(before, params, "masked_lm_loss")
scores = head_scores(h, params)
each = F.cross_entropy(scores.transpose(1, 2), targets, reduction="none")  # (B T)
no_norm = F.gelu(h @ params["W_t"] + params["b_t"]) @ params["E"].T + params["b_v"]
check_close(
    loss,
    each.sum() / 3,
    "masked_lm_loss",
    hints={
        "It divides by all places; the mean is over those with a target.": each.mean(),
        "It is the sum; the mean over the hidden tokens is asked for.": each.sum(),
        "It is a mean of the sentences' means; every hidden token counts the same.": (
            (each[0].sum() / 2 + each[2].sum()) / 2
        ),
        "The layer normalisation of eq. 13.2 is missing.": (
            F.cross_entropy(no_norm.transpose(1, 2), targets)
        ),
        "The bias of the scores is missing.": (
            F.cross_entropy((scores - params["b_v"]).transpose(1, 2), targets)
        ),
    },
)
### BEGIN HIDDEN TESTS
for B, T, V, D in ((2, 7, 11, 5), (4, 3, 6, 8), (1, 9, 30, 4)):
    params, h = head_params(V, D, seed=50 + T), normal(B, T, D, seed=60 + T)
    targets = torch.where(draws(3, B, T, seed=T) == 0, draws(V, B, T, seed=T + 1), -100)
    targets[0, -1] = V - 1
    ours, theirs = leaves_of(params), leaves_of(params)
    got = masked_lm_loss(h, targets, ours)
    label = f"masked_lm_loss, T = {T}, V = {V}"
    check_shape(got, (), label)
    expected = F.cross_entropy(head_scores(h, theirs).flatten(0, 1), targets.flatten())
    check_close(got, expected, label, 1e-8)
    check_gradients(got, ours, expected, theirs, label)
    other = h.clone()
    other[targets == -100] += 1
    check_close(masked_lm_loss(other, targets, params), got.detach(), label + ", other unasked states")
large = masked_lm_loss(h, targets, params | {"E": 1e4 * params["E"]})
assert large.isfinite(), "masked_lm_loss: large scores overflow. Use log_softmax or cross_entropy."
### END HIDDEN TESTS

# %% [markdown]
# ## 7 · A head for sentences
#
# *Easy, 10 minutes, about 2 lines, 6 points.*
#
# To classify a sentence, or a pair, look at the state of `[CLS]` only; BERT passes it through one more layer, the *pooler*:
#
# $$r = \tanh(h_1 W_p + b_p), \qquad o = r\, W_c + b_c \tag{13.3}$$
#
# *Parameters.* `W_p` (D, D), `b_p` (D,), `W_c` (D, C), `b_c` (C,).
# *Shapes.* `h` (B, T, D); result (B, C).

# %% tags=["exercise", "id:classification-logits"]
def classification_logits(h: Float[Tensor, "B T D"], params: Params) -> Float[Tensor, "B C"]:
    """Return the scores of the classes, read from the first position.

    Source: Devlin et al. (2019), section 4.1, with BERT's pooler; eq. 13.3.
    """
    ### BEGIN SOLUTION
    pooled = torch.tanh(h[:, 0] @ params["W_p"] + params["b_p"])  # (B, D)
    return pooled @ params["W_c"] + params["b_c"]
    ### END SOLUTION


# %% tags=["test", "id:classification-logits-test", "points:6"]
params = {
    "W_p": normal(6, 6, seed=70) / 2,
    "b_p": normal(6, seed=71),
    "W_c": normal(6, 3, seed=72),
    "b_c": normal(3, seed=73),
}
h = normal(4, 5, 6, seed=74)
logits = classification_logits(h, params)
check_shape(logits, (4, 3), "classification_logits")


def pooled(states):
    return torch.tanh(states @ params["W_p"] + params["b_p"]) @ params["W_c"] + params["b_c"]


check_close(
    logits,
    pooled(h[:, 0]),
    "classification_logits",
    hints={
        "It reads the last position; [CLS] is the first.": pooled(h[:, -1]),
        "It reads the mean over the positions; BERT reads [CLS] only.": pooled(h.mean(1)),
        "The tanh of the pooler is missing.": (
            (h[:, 0] @ params["W_p"] + params["b_p"]) @ params["W_c"] + params["b_c"]
        ),
        "The pooler is missing.": h[:, 0] @ params["W_c"] + params["b_c"],
    },
)
### BEGIN HIDDEN TESTS
for B, T, D, C in ((2, 1, 4, 2), (5, 8, 3, 6)):
    shapes = {"W_p": (D, D), "b_p": (D,), "W_c": (D, C), "b_c": (C,)}
    params = {k: normal(*s, seed=80 + T + i) for i, (k, s) in enumerate(shapes.items())}
    h = normal(B, T, D, seed=90 + T)
    ours, theirs = leaves_of(params), leaves_of(params)
    got = classification_logits(h, ours)
    inner = torch.tanh(F.linear(h[:, 0], theirs["W_p"].T, theirs["b_p"]))
    expected = F.linear(inner, theirs["W_c"].T, theirs["b_c"])
    check_close(got, expected, f"classification_logits, T = {T}", 1e-9)
    check_gradients(got, ours, expected, theirs, f"classification_logits, T = {T}")
    changed = h.clone()
    changed[:, 1:] += 3
    check_close(
        classification_logits(changed, params), got.detach(), "classification_logits: other positions"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## 8 · A head for words
#
# *Medium, 25 minutes, about 8 lines, 8 points.*
#
# Tags belong to *words*, states to *pieces*.
# BERT predicts a word's tag from its **first piece** and does not ask the others.
#
# `word_of` (B, T) gives for each piece the number of its word in the sentence, and −1 for special symbols and padding; pieces of a word stand next to each other.
# `tags` (B, W) gives each word's tag, with anything at all beyond the last word of a sentence.
#
# The loss is the mean cross-entropy over all *words* of the batch.
#
# *Shapes.* `logits` (B, T, C); result a single number.
#
# *Worked example.* Pieces `[CLS]` `play` `##ing` `chess` `[SEP]` have `word_of` −1 0 0 1 −1: the places 1 and 3 are asked, with the tags of words 0 and 1.

# %% tags=["exercise", "id:tag-loss"]
def tag_loss(
    logits: Float[Tensor, "B T C"], word_of: Int[Tensor, "B T"], tags: Int[Tensor, "B W"]
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy of the words' tags, each asked at its first piece.

    Source: Devlin et al. (2019), section 5.3. -1 in ``word_of`` marks what is no word.
    """
    ### BEGIN SOLUTION
    before = torch.cat([torch.full_like(word_of[:, :1], -1), word_of[:, :-1]], dim=1)
    first = (word_of >= 0) & (word_of != before)  # (B T)
    wanted = tags.gather(1, word_of.clamp(min=0))  # (B W), (B T) -> (B T)
    return F.cross_entropy(logits[first], wanted[first])
    ### END SOLUTION


# %% tags=["test", "id:tag-loss-test", "points:8"]
word_of = integers([[-1, 0, 0, 1, -1], [-1, 0, 1, 2, -1], [-1, 0, 0, 0, -1]])
tags = integers([[2, 0, 1], [1, 3, 0], [3, 2, 2]])
logits = normal(3, 5, 4, seed=100)
loss = tag_loss(logits, word_of, tags)
rows, columns = [0, 0, 1, 1, 1, 2], [1, 3, 1, 2, 3, 1]
wanted = integers([2, 0, 1, 3, 0, 3])
every = word_of >= 0
last = integers([2, 3, 1, 2, 3, 3])
check_close(
    loss,
    F.cross_entropy(logits[rows, columns], wanted),
    "tag_loss",
    hints={
        "Every piece of a word is asked; only its first one is.": (
            F.cross_entropy(logits[every], tags.gather(1, word_of.clamp(min=0))[every])
        ),
        "A word's last piece is asked; it is the first one.": (
            F.cross_entropy(logits[rows, last], wanted)
        ),
        "The tag is read at the piece's place; it stands at the place of the word.": (
            F.cross_entropy(logits[rows, columns], tags[rows, [0, 1, 0, 1, 2, 0]])
        ),
    },
)
### BEGIN HIDDEN TESTS
for seed, (B, T, C) in enumerate([(3, 9, 5), (2, 12, 3), (5, 6, 7)]):
    g = np.random.default_rng(seed)
    word_of, tags, asked = np.full((B, T), -1), g.integers(C, size=(B, T)), []
    for b in range(B):
        t, word = 1, 0
        while t < T - 1:
            size = min(int(g.integers(1, 4)), T - 1 - t)
            word_of[b, t : t + size] = word
            asked.append((b, t, int(tags[b, word])))
            t, word = t + size, word + 1
        if b == 0:
            word_of[b, -2:] = -1
            asked = [(b_, t_, w) for b_, t_, w in asked if word_of[b_, t_] >= 0]
    logits = normal(B, T, C, seed=110 + seed).requires_grad_()
    got = tag_loss(logits, integers(word_of.tolist()), integers(tags.tolist()))
    rows, places, wanted = (list(column) for column in zip(*asked, strict=True))
    expected = F.cross_entropy(logits[rows, places], integers(wanted))
    check_shape(got, (), "tag_loss")
    check_close(got, expected, f"tag_loss, B = {B}, T = {T}", 1e-9)
    (slope,) = torch.autograd.grad(got, logits)
    (truth,) = torch.autograd.grad(expected, logits)
    check_close(slope, truth, f"tag_loss, B = {B}, T = {T}: gradient", 1e-8)
spoiled = tags.copy()
spoiled[word_of.max(1)[:, None] < np.arange(T)] = 0
same = tag_loss(logits, integers(word_of.tolist()), integers(spoiled.tolist()))
check_close(same, got, "tag_loss: what stands beyond the last word")
### END HIDDEN TESTS

# %% [markdown]
# ## 9 · A head for answers
#
# *Medium, 25 minutes, about 8 lines, 8 points.*
#
# To answer a question from a passage, BERT gives every place a score to be the answer's first and one to be its last.
# The answer is the pair with the largest sum,
#
# $$(i^\star, j^\star) = \arg\max_{i \le j < i + m} \; (a_i + e_j) \tag{13.4}$$
#
# where $m$ is the most pieces an answer may have, and both places must be allowed (in the passage, not in the question or the padding).
# At equal sums the smaller $i$ wins, then the smaller $j$.
#
# *Shapes.* `start`, `end` (B, T), `allowed` (B, T) boolean; result (B, 2), int64, on the device of `start`.
# At least one place of every row is allowed.
#
# *Worked example.* `start` 0 5 0, `end` 4 0 1, all allowed, $m = 3$: the best start and the best end are 1 and 0, but an answer cannot end before it begins; 1 to 2 has the sum 6.

# %% tags=["exercise", "id:best-span"]
def best_span(
    start: Float[Tensor, "B T"], end: Float[Tensor, "B T"], allowed: Bool[Tensor, "B T"], longest: int
) -> Int[Tensor, "B 2"]:
    """Return the first and the last place of the best answer of each row.

    Source: Devlin et al. (2019), section 4.2; eq. 13.4. At equal sums the earliest span.
    """
    ### BEGIN SOLUTION
    T = start.shape[1]
    sums = start[:, :, None] + end[:, None, :]  # (B, i, j)
    place = torch.arange(T, device=start.device)
    gap = place[None, :] - place[:, None]  # j - i
    fits = (gap >= 0) & (gap < longest)
    fits = fits & allowed[:, :, None] & allowed[:, None, :]
    best = sums.masked_fill(~fits, -math.inf).flatten(1).argmax(dim=1)
    return torch.stack([best // T, best % T], dim=1)
    ### END SOLUTION


# %% tags=["test", "id:best-span-test", "points:8"]
start, end = numbers([[0.0, 5.0, 0.0]]), numbers([[4.0, 0.0, 1.0]])
allowed = booleans([[True, True, True]])
got = best_span(start, end, allowed, 3)
check_close(
    got,
    integers([[1, 2]]),
    "best_span, worked example",
    hints={"The answer ends before it begins: i <= j, eq. 13.4.": integers([[1, 0]])},
)
start, end = numbers([[3.0, 1.0, 1.0, 0.0]]), numbers([[0.0, 0.0, 2.0, 3.0]])
yes = booleans([[True] * 4])
check_close(
    best_span(start, end, yes, 3),
    integers([[0, 2]]),
    "best_span, at most three pieces",
    hints={
        "The answer has more than the allowed number of pieces.": integers([[0, 3]]),
        "An answer from i to j has j - i + 1 pieces.": integers([[1, 2]]),
    },
)
no_first = booleans([[False, True, True, True]])
check_close(
    best_span(start, end, no_first, 4),
    integers([[1, 3]]),
    "best_span, the first place is not allowed",
    hints={"A place that is not allowed begins the answer.": integers([[0, 3]])},
)
### BEGIN HIDDEN TESTS
for seed, (B, T, longest) in enumerate([(5, 7, 3), (3, 9, 20), (4, 6, 1)]):
    start = draws(9, B, T, seed=120 + seed).double() - 4
    end = draws(9, B, T, seed=130 + seed).double() - 4
    allowed = draws(3, B, T, seed=140 + seed) > 0
    allowed[:, T // 2] = True
    got = best_span(start, end, allowed, longest)
    check_shape(got, (B, 2), "best_span")
    expected = []
    for b in range(B):
        spans = [
            (-(start[b, i] + end[b, j]).item(), i, j)
            for i in range(T)
            for j in range(i, min(T, i + longest))
            if allowed[b, i] and allowed[b, j]
        ]
        expected.append(list(min(spans)[1:]))
    check_close(got, integers(expected), f"best_span, T = {T}, at most {longest} pieces")
low = best_span(start - 1e6, end - 1e6, allowed, 1)
check_close(low, got, "best_span: all scores far below zero")
### END HIDDEN TESTS

# %% [markdown]
# ## 10 · Published weights in your encoder
#
# *Hard, 40 minutes, about 25 lines, 10 points.*
#
# Published BERT models come as a dict from names to tensors.
# `load_pretrained` turns it into the parameters that `bert_embeddings` and the given `encode` read.
# Their matrices are stored as (output, input), for $W x$ with columns; ours are (input, output), for $x W$ with rows.
#
# | published name | ours |
# |---|---|
# | `embeddings.word_embeddings.weight` | `params["embeddings"]["E"]` |
# | `embeddings.position_embeddings.weight` | `…["P"]` |
# | `embeddings.token_type_embeddings.weight` | `…["S"]` |
# | `embeddings.LayerNorm.weight`, `.bias` | `…["gain"]`, `…["bias"]` |
# | `encoder.layer.3.attention.self.query.weight`, `.bias` | `params["layers"][3]["W_q"]`, `["b_q"]` |
# | `… .attention.self.key.…`, `… .attention.self.value.…` | `["W_k"]`, `["b_k"]`, `["W_v"]`, `["b_v"]` |
# | `… .attention.output.dense.…` | `["W_o"]`, `["b_o"]` |
# | `… .attention.output.LayerNorm.…` | `["gain_1"]`, `["bias_1"]` |
# | `… .intermediate.dense.…` | `["W_1"]`, `["b_1"]` |
# | `… .output.dense.…` | `["W_2"]`, `["b_2"]` |
# | `… .output.LayerNorm.…` | `["gain_2"]`, `["bias_2"]` |
#
# Some files put `bert.` in front of every name; it is left off.
# Older files call the normalisation's weights `gamma` and `beta` instead of `weight` and `bias`.
# Names that the table does not have (a pooler, position numbers) are ignored; one that is missing raises `KeyError` with its name.
# How many layers there are is told by the names.

# %% tags=["exercise", "id:load-pretrained"]
def load_pretrained(state: dict[str, Tensor]) -> Params:
    """Return a published BERT's weights as parameters for rows: ``embeddings`` and ``layers``.

    The names are those of Devlin et al.'s models as PyTorch files have them. Matrices are
    transposed; dtype and device are kept. ``state`` is not modified.

    Raises:
        KeyError: a weight is missing; the message is its name.
    """
    ### BEGIN SOLUTION
    old = {".LayerNorm.gamma": ".LayerNorm.weight", ".LayerNorm.beta": ".LayerNorm.bias"}
    named = {}
    for name, value in state.items():
        name = name.removeprefix("bert.")
        for theirs, ours in old.items():
            name = name.replace(theirs, ours)
        named[name] = value
    front = "embeddings."
    embeddings = {
        "E": named[f"{front}word_embeddings.weight"],
        "P": named[f"{front}position_embeddings.weight"],
        "S": named[f"{front}token_type_embeddings.weight"],
        "gain": named[f"{front}LayerNorm.weight"],
        "bias": named[f"{front}LayerNorm.bias"],
    }
    dense = {
        "q": "attention.self.query",
        "k": "attention.self.key",
        "v": "attention.self.value",
        "o": "attention.output.dense",
        "1": "intermediate.dense",
        "2": "output.dense",
    }
    norms = {"1": "attention.output.LayerNorm", "2": "output.LayerNorm"}
    count = 1 + max(int(n.split(".")[2]) for n in named if n.startswith("encoder.layer."))
    layers = []
    for i in range(count):
        at, layer = f"encoder.layer.{i}.", {}
        for ours, theirs in dense.items():
            layer[f"W_{ours}"] = named[f"{at}{theirs}.weight"].T
            layer[f"b_{ours}"] = named[f"{at}{theirs}.bias"]
        for ours, theirs in norms.items():
            layer[f"gain_{ours}"] = named[f"{at}{theirs}.weight"]
            layer[f"bias_{ours}"] = named[f"{at}{theirs}.bias"]
        layers.append(layer)
    return {"embeddings": embeddings, "layers": layers}
    ### END SOLUTION


# %% tags=["setup"]
def published(L: int, D: int, F_: int, seed: int, V: int = 17, longest: int = 12) -> dict[str, Tensor]:
    """Return weights under the names of a published BERT; (output, input) as PyTorch keeps them."""
    sizes = {
        "embeddings.word_embeddings.weight": (V, D),
        "embeddings.position_embeddings.weight": (longest, D),
        "embeddings.token_type_embeddings.weight": (2, D),
        "embeddings.LayerNorm.weight": (D,),
        "embeddings.LayerNorm.bias": (D,),
    }
    for i in range(L):
        at = f"encoder.layer.{i}."
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            sizes |= {f"{at}attention.{part}.weight": (D, D), f"{at}attention.{part}.bias": (D,)}
        sizes |= {f"{at}intermediate.dense.weight": (F_, D), f"{at}intermediate.dense.bias": (F_,)}
        sizes |= {f"{at}output.dense.weight": (D, F_), f"{at}output.dense.bias": (D,)}
        for part in ("attention.output", "output"):
            sizes |= {f"{at}{part}.LayerNorm.weight": (D,), f"{at}{part}.LayerNorm.bias": (D,)}
    state = {"embeddings.position_ids": torch.arange(longest, device=DEVICE)}
    for i, (name, shape) in enumerate(sizes.items()):
        values = normal(*shape, seed=seed + i) / (shape[-1] ** 0.5 if len(shape) == 2 else 4)
        state[name] = values + 1 if name.endswith("LayerNorm.weight") else values
    state["pooler.dense.weight"] = normal(D, D, seed=seed + 999)
    return state


def reference(state: dict[str, Tensor], ids, segments, real, heads: int) -> Tensor:
    """Return what the published model gives, by PyTorch's own encoder layers."""
    D = state["embeddings.LayerNorm.weight"].shape[0]
    x = state["embeddings.word_embeddings.weight"][ids]
    x = x + state["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = x + state["embeddings.token_type_embeddings.weight"][segments]
    front = "embeddings.LayerNorm."
    x = F.layer_norm(x, (D,), state[front + "weight"], state[front + "bias"], 1e-12)
    count = 1 + max(int(n.split(".")[2]) for n in state if n.startswith("encoder.layer."))
    for i in range(count):
        at = f"encoder.layer.{i}."
        inner = state[f"{at}intermediate.dense.bias"].shape[0]
        layer = torch.nn.TransformerEncoderLayer(
            D, heads, inner, 0.0, "gelu", 1e-12, batch_first=True, dtype=torch.float64
        ).to(DEVICE)
        parts = [f"{at}attention.self.{n}" for n in ("query", "key", "value")]
        layer.load_state_dict(
            {
                "self_attn.in_proj_weight": torch.cat([state[p + ".weight"] for p in parts]),
                "self_attn.in_proj_bias": torch.cat([state[p + ".bias"] for p in parts]),
                "self_attn.out_proj.weight": state[f"{at}attention.output.dense.weight"],
                "self_attn.out_proj.bias": state[f"{at}attention.output.dense.bias"],
                "linear1.weight": state[f"{at}intermediate.dense.weight"],
                "linear1.bias": state[f"{at}intermediate.dense.bias"],
                "linear2.weight": state[f"{at}output.dense.weight"],
                "linear2.bias": state[f"{at}output.dense.bias"],
                "norm1.weight": state[f"{at}attention.output.LayerNorm.weight"],
                "norm1.bias": state[f"{at}attention.output.LayerNorm.bias"],
                "norm2.weight": state[f"{at}output.LayerNorm.weight"],
                "norm2.bias": state[f"{at}output.LayerNorm.bias"],
            }
        )
        x = layer(x, src_key_padding_mask=~real)
    return x.detach()


# %% tags=["test", "id:load-pretrained-test", "points:10"]
state = published(2, 8, 12, seed=1000)
before = copy_of(state)
params = load_pretrained(state)
check_unchanged(before, state, "load_pretrained")
assert set(params) == {"embeddings", "layers"}, (
    f"load_pretrained: the result has embeddings and layers, not {sorted(params)}"
)
assert len(params["layers"]) == 2, (
    f"load_pretrained: {len(params['layers'])} layers; the names say 2, layer.0 and layer.1"
)
check_shape(params["layers"][0]["W_1"], (8, 12), "load_pretrained: W_1 of a layer")
check_close(
    params["layers"][1]["W_q"],
    state["encoder.layer.1.attention.self.query.weight"].T,
    "load_pretrained: W_q of layer 1",
    hints={
        "It is not transposed: files hold (output, input), we need (input, output).": (
            state["encoder.layer.1.attention.self.query.weight"]
        ),
        "It is layer 0's.": state["encoder.layer.0.attention.self.query.weight"].T,
    },
)
ids, segments = draws(17, 3, 7, seed=1), draws(2, 3, 7, seed=2)
real = torch.arange(7, device=DEVICE) < integers([7, 5, 4])[:, None]
got = encode(ids, segments, real, params, 2, bert_embeddings)
wanted = reference(state, ids, segments, real, 2)
check_close(got[real], wanted[real], "the encoder with loaded weights", 1e-6, 1e-8)
### BEGIN HIDDEN TESTS
for seed, (L, D, inner, heads) in enumerate([(1, 6, 10, 3), (3, 8, 5, 4)]):
    state = published(L, D, inner, seed=2000 + 100 * seed)
    ids, segments = draws(17, 4, 9, seed=10 + seed), draws(2, 4, 9, seed=20 + seed)
    real = torch.arange(9, device=DEVICE) < integers([9, 3, 6, 8])[:, None]
    params = load_pretrained(state)
    got = encode(ids, segments, real, params, heads, bert_embeddings)
    wanted = reference(state, ids, segments, real, heads)
    check_close(got[real], wanted[real], f"the encoder with {L} loaded layers", 1e-6, 1e-8)
    front = load_pretrained({f"bert.{k}": v for k, v in state.items()})
    check_close(front, params, "load_pretrained: names with bert. in front")
    renames = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
    aged = state
    for new, old in renames:
        aged = {k.replace(new, old): v for k, v in aged.items()}
    check_close(load_pretrained(aged), params, "load_pretrained: gamma and beta")
    for name in (
        "embeddings.token_type_embeddings.weight",
        "encoder.layer.0.attention.output.LayerNorm.bias",
        "encoder.layer.0.intermediate.dense.weight",
    ):
        lacking = {k: v for k, v in state.items() if k != name}
        try:
            load_pretrained(lacking)
        except KeyError as error:
            assert name in str(error), "load_pretrained: the KeyError does not name what is missing"
        else:
            raise AssertionError("load_pretrained: a weight is missing and nothing is raised")
shuffled = dict(sorted(state.items(), reverse=True))
check_close(load_pretrained(shuffled), params, "load_pretrained: the order of the names")
### END HIDDEN TESTS

# %% [markdown]
# ## 11 · Two questions
#
# *Medium, 20 minutes, 8 points, marked by a person. Two or three sentences each.*
#
# **a.** Of the chosen tokens 10 % stay as they are, and have a target all the same.
# What would a model learn about tokens that it can see if all chosen tokens became `[MASK]`, and where would that hurt?

# %% [markdown] tags=["manual", "id:why-keep-some", "points:4"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# - 2 points: if every place with a target showed `[MASK]`, states of visible tokens would never be asked for anything, so nothing would make them represent their own word.
# - 2 points: in fine-tuning there is no `[MASK]` and all tokens are visible, so the states that are then used are those that were never trained for it (a mismatch between pretraining and use). Random replacements force the model to doubt what it sees; full marks without that.
# ### END MARK SCHEME

# %% [markdown]
# **b.** A colleague trains a tagger on BERT's states and counts *every piece* of a word as an example of its own, in training and when reporting accuracy.
# Name two ways in which the reported number can mislead.

# %% [markdown] tags=["manual", "id:why-first-piece", "points:4"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# - 2 points: words with many pieces (rare names, numbers) count several times, so the mean is over pieces and not over words and cannot be compared with other taggers.
# - 2 points: pieces of one word are not independent, or can get different tags, so that "80 % of pieces" may hide that few whole words are right; later pieces see the first one's state and are easier or harder for reasons that have nothing to do with tagging. Any two sound points, 2 each.
# ### END MARK SCHEME

# %% [markdown]
# ## 12 · Optional: hide whole words
#
# *Medium, 20 minutes, about 8 lines, no points.*
#
# If `play` is hidden and `##ing` is not, the answer is half given away.
# *Whole word masking* chooses words, and with a word all its pieces.
#
# Given `word_of` (B, T) as in part 8 and `chosen` (B, W), which says for each word whether it is hidden, return which *pieces* are: boolean, (B, T).
# Special symbols (−1) never are.

# %% tags=["exercise", "id:whole-word-places"]
def whole_word_places(
    word_of: Int[Tensor, "B T"], chosen: Bool[Tensor, "B W"]
) -> Bool[Tensor, "B T"]:
    """Return which pieces are hidden when whole words are; -1 in ``word_of`` marks no word."""
    ### BEGIN SOLUTION
    return chosen.gather(1, word_of.clamp(min=0)) & (word_of >= 0)
    ### END SOLUTION


# %% tags=["test", "id:whole-word-places-test", "points:0"]
word_of = integers([[-1, 0, 0, 1, -1], [-1, 0, 1, 1, 1]])
chosen = booleans([[True, False], [False, True]])
check_close(
    whole_word_places(word_of, chosen),
    booleans([[False, True, True, False, False], [False, False, True, True, True]]),
    "whole_word_places",
)
### BEGIN HIDDEN TESTS
word_of = integers([[-1, 0, 1, 1, 2, 2, 2, -1, -1]])
for pattern in ([True, True, True], [False, False, True], [True, False, False]):
    got = whole_word_places(word_of, booleans([pattern]))
    wanted = [[word >= 0 and pattern[word] for word in word_of[0].tolist()]]
    check_close(got, booleans(wanted), "whole_word_places, three words")
### END HIDDEN TESTS
