# %% [markdown]
# # 1 · Sequences
#
# In this exercise you write the tools that stand between a text and a network: the vocabulary, the padded batch, the mask, and a loss that padding cannot touch.
# With them you then fit two models from before neural networks, a Markov chain and the filter of a hidden Markov model, on batches of sequences of different lengths.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `build_vocab` | easy | 20 min | 10 |
# | 2 | `encode` | easy | 5 min | 5 |
# | 3 | `decode` | easy | 10 min | 5 |
# | 4 | `one_hot` | easy | 10 min | 8 |
# | 5 | `pad_batch` | easy | 15 min | 8 |
# | 6 | `length_mask` | easy | 5 min | 6 |
# | 7 | `bucket_batches` | medium | 25 min | 12 |
# | 8 | `masked_cross_entropy` | medium | 20 min | 14 |
# | 9 | `markov_fit` | medium | 25 min | 10 |
# | 10 | `hmm_forward` | medium | 30 min | 12 |
# | 11 | two written answers | medium | 20 min | 10 |
# | 12 | optional: `viterbi` | hard | 30 min | 0 |
#
# Before you start, read chapter 1 of the book: it explains every notion used here.
#
# **Rules**
#
# * Data are prepared in numpy (parts 1 to 7, 9 and 10). The loss, part 8, is torch, because models are trained with it; it takes its device from its inputs.
# * No function changes the arrays and lists that it is given.
# * Work on the whole batch at once where you can: parts 4, 6, 8 and 9 need no loop at all, part 10 only one over time.
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **Axes.** `B` sequences in a batch, `T` places, `V` symbols in the vocabulary, `H` hidden states.
#
# | array | shape | |
# |---|---|---|
# | `tokens`, `targets` | (B, T) | integers, `<pad>` where a sequence has ended |
# | `lengths` | (B,) | how many real tokens each sequence has |
# | `mask` | (B, T) | boolean, True at real tokens |
# | `logits` | (B, T, V) | a score for every symbol at every place |
#
# Four symbols are in every vocabulary, always at the same places.

# %% tags=["setup"]
from collections import Counter
from itertools import pairwise, product

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from unrolled.checks import check_close, check_raises, check_shape, check_unchanged

Array = np.ndarray
SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
PAD, UNK, BOS, EOS = 0, 1, 2, 3


# %% [markdown]
# ## 1 · The vocabulary
#
# *Easy, 20 minutes, about 7 lines, 10 points.*
#
# A vocabulary is a dict from token to index.
# The four symbols of `SPECIALS` come first, at 0, 1, 2, 3.
# The tokens of the text follow from index 4 on, the commonest first; tokens that occur equally often stand in alphabetical order, so that two people get the same vocabulary.
#
# Two numbers limit it:
#
# * a token that occurs fewer than `min_count` times is left out;
# * the vocabulary has at most `max_size` entries, *the four special ones included*; `None` means no limit.
#
# *Worked example.* From the two texts `["b", "a", "b"]` and `["c", "a", "b"]` the counts are b 3, a 2, c 1, so the vocabulary is `{"<pad>": 0, "<unk>": 1, "<bos>": 2, "<eos>": 3, "b": 4, "a": 5, "c": 6}`.
# With `min_count=2`, or with `max_size=6`, "c" is left out.
#
# *Watch out.* Some corpora already contain `<unk>` (the Penn Treebank of many papers does).
# A special symbol keeps its place whatever the text says, and is not entered twice.


# %% tags=["exercise", "id:build-vocab"]
def build_vocab(
    texts: list[list[str]], min_count: int = 1, max_size: int | None = None
) -> dict[str, int]:
    """Return a dict from token to index: ``SPECIALS``, then tokens by falling frequency.

    Equally frequent tokens are in alphabetical order. ``max_size`` counts the special symbols too
    and is at least 4. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    counts = Counter(token for text in texts for token in text)
    kept = [t for t, n in counts.items() if n >= min_count and t not in SPECIALS]
    kept.sort(key=lambda token: (-counts[token], token))
    entries = [*SPECIALS, *kept][:max_size]
    return {token: index for index, token in enumerate(entries)}
    ### END SOLUTION


# %% tags=["test", "id:build-vocab-test", "points:10"]
def check_vocab(got, expected, name):
    """The same tokens, then the same indices; says which kind of token is wrong."""
    assert type(got) is dict, f"{name}: expected a dict, got {type(got).__name__}."
    for index, token in enumerate(SPECIALS):
        assert got.get(token) == index, f"{name}: {token} must have index {index}."
    assert all(type(token) is str for token in got), f"{name}: the keys are the tokens."
    more, fewer = len(got) > len(expected), len(got) < len(expected)
    assert not more, f"{name}: too many entries. Which should have been left out?"
    assert not fewer, f"{name}: too few entries. Is a limit applied too strictly?"
    assert set(got) == set(expected), f"{name}: the right number of tokens, but not the right ones."
    assert set(got.values()) == set(range(len(got))), f"{name}: indices must be 0, 1, 2, ..."
    wrong = [token for token in expected if got[token] != expected[token]]
    assert not wrong, (
        f"{name}: {len(wrong)} of {len(got)} tokens have the wrong index. "
        "Commonest first, and equally frequent ones in alphabetical order?"
    )


texts = [["b", "a", "b"], ["c", "a", "b"]]
before = [list(text) for text in texts]
full = {"<pad>": 0, "<unk>": 1, "<bos>": 2, "<eos>": 3, "b": 4, "a": 5, "c": 6}
short = {token: index for token, index in full.items() if token != "c"}
check_vocab(build_vocab(texts), full, "build_vocab, worked example")
check_vocab(build_vocab(texts, min_count=2), short, "build_vocab, min_count=2")
check_vocab(build_vocab(texts, max_size=6), short, "build_vocab, max_size=6")
check_vocab(build_vocab(texts, max_size=100), full, "build_vocab, max_size larger than needed")
assert texts == before, "build_vocab: the texts were modified."
ties = build_vocab([["pear", "fig", "apple", "fig", "Fig"]])
order = sorted(ties, key=ties.get)
assert order[4:] == ["fig", "Fig", "apple", "pear"], (
    "build_vocab: among equally frequent tokens the order is that of sorted(), capitals first."
)
bare = dict(zip(SPECIALS, range(4), strict=True))
twice = build_vocab([["a", "<unk>", "<unk>", "a", "a"]])
check_vocab(twice, bare | {"a": 4}, "build_vocab, a text that contains <unk>")
check_vocab(build_vocab([]), bare, "build_vocab, no text")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(101)
words = np.array(["the", "of", "cat", "dog", "eos", "<eos>", "zebra", "Ant", "bee", "x", "y", "z1"])
texts = [list(rng.choice(words, size=n, p=np.arange(12, 0, -1) / 78)) for n in (40, 0, 31, 9)]
texts = [[str(word) for word in text] for text in texts]
texts[0] += ["tie-b", "tie-a", "tie-c", "Once"]
before = [list(text) for text in texts]


def by_hand(min_count, max_size):
    """The reference, written by repeated selection."""
    flat = [token for text in before for token in text]
    left = sorted(set(flat) - set(SPECIALS))
    left = [token for token in left if flat.count(token) >= min_count]
    chosen = list(SPECIALS)
    while left and (max_size is None or len(chosen) < max_size):
        best = max(flat.count(token) for token in left)
        chosen.append(next(token for token in left if flat.count(token) == best))
        left.remove(chosen[-1])
    return {token: index for index, token in enumerate(chosen)}


for min_count, max_size in [
    (1, None),
    (2, None),
    (3, 9),
    (1, 4),
    (1, 5),
    (1, 13),
    (6, 30),
    (999, None),
]:
    label = "build_vocab" + ", min_count" * (min_count > 1) + ", max_size" * (max_size is not None)
    check_vocab(build_vocab(texts, min_count, max_size), by_hand(min_count, max_size), label)
assert texts == before, "build_vocab: the texts were modified."
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · From tokens to indices
#
# *Easy, 5 minutes, about 2 lines, 5 points.*
#
# Replace every token by its index, and tokens that are not in the vocabulary by the index of `<unk>`.
# Put `<bos>` in front and `<eos>` at the end: a network has to be told where to start, and has to learn where to stop.
#
# *Worked example.* With the vocabulary of part 1, `["a", "zoo"]` becomes `[2, 5, 1, 3]`.
#
# *Shapes.* The result is an int64 array of shape (T + 2,) for T tokens.


# %% tags=["exercise", "id:encode"]
def encode(text: list[str], vocab: dict[str, int]) -> Int[Array, " T"]:
    """Return the indices of ``<bos>``, the tokens, and ``<eos>``; int64.

    Tokens that are not in ``vocab`` become ``<unk>``. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    return np.array([BOS, *(vocab.get(token, UNK) for token in text), EOS], dtype=np.int64)
    ### END SOLUTION


# %% tags=["test", "id:encode-test", "points:5"]
vocab = {"<pad>": 0, "<unk>": 1, "<bos>": 2, "<eos>": 3, "b": 4, "a": 5, "c": 6}
text, size = ["a", "zoo"], len(vocab)
got = encode(text, vocab)
check_close(
    got,
    np.array([2, 5, 1, 3]),
    "encode, worked example",
    hints={
        "An unknown token became <pad>; it must be <unk>.": np.array([2, 5, 0, 3]),
        "<bos> and <eos> have changed places.": np.array([3, 5, 1, 2]),
    },
    axes="T",
)
assert text == ["a", "zoo"], "encode: the text was modified."
assert len(vocab) == size, "encode: the vocabulary was modified. Look words up without adding them."
check_close(encode([], vocab), np.array([2, 3]), "encode: no tokens", axes="T")
check_close(encode(["b", "b", "c"], vocab), np.array([2, 4, 4, 6, 3]), "encode: b b c", axes="T")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(102)
names = [f"w{n}" for n in range(30)]
vocab = {token: n for n, token in enumerate([*SPECIALS, *names[:20]])}
size = len(vocab)
for n in (1, 7, 50):
    numbers = rng.integers(30, size=n)
    text = [names[i] for i in numbers]
    expected = np.concatenate([[2], np.where(numbers < 20, numbers + 4, 1), [3]])
    check_close(encode(text, vocab), expected, f"encode: {n} tokens, some unknown", axes="T")
assert len(vocab) == size, "encode: the vocabulary was modified."
got = encode(["<pad>", "W3", "w3"], vocab)
check_close(got, np.array([2, 0, 1, 7, 3]), "encode: capitals are other tokens", axes="T")
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · And back
#
# *Easy, 10 minutes, about 6 lines, 5 points.*
#
# What a network writes is a row of indices, and everything after its first `<eos>` is meaningless.
# `decode` returns the tokens up to the first `<eos>` without it, and leaves out `<bos>` and `<pad>`; `<unk>` stays, since something stood there.
#
# *Worked example.* `[2, 5, 1, 3, 4, 0, 0]` becomes `["a", "<unk>"]`: the 4 comes after the end.
#
# If every token is known, `decode(encode(text, vocab), vocab) == text`.


# %% tags=["exercise", "id:decode"]
def decode(ids: Int[Array, " T"], vocab: dict[str, int]) -> list[str]:
    """Return the tokens before the first ``<eos>``, without ``<bos>`` and ``<pad>``.

    ``<eos>`` may be missing: then all of ``ids`` is text. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    tokens = {index: token for token, index in vocab.items()}
    text = []
    for index in ids:
        if index == EOS:
            break
        if index not in (PAD, BOS):
            text.append(tokens[int(index)])
    return text
    ### END SOLUTION


# %% tags=["test", "id:decode-test", "points:5"]
def check_text(got, expected, name):
    assert type(got) is list, f"{name}: expected a list of tokens, got {type(got).__name__}."
    assert all(type(token) is str for token in got), f"{name}: every entry must be a token (a str)."
    for special in ("<eos>", "<bos>", "<pad>"):
        assert special not in got, f"{name}: {special} is in the result."
    assert len(got) >= len(expected), f"{name}: tokens are missing. Which symbols are dropped?"
    assert len(got) <= len(expected), f"{name}: too many tokens. Does it stop at the first <eos>?"
    assert got == expected, f"{name}: the right number of tokens, but not the right ones."


vocab = {"<pad>": 0, "<unk>": 1, "<bos>": 2, "<eos>": 3, "b": 4, "a": 5, "c": 6}
ids = np.array([2, 5, 1, 3, 4, 0, 0])
before = ids.copy()
check_text(decode(ids, vocab), ["a", "<unk>"], "decode, worked example")
check_unchanged(before, ids, "decode: ids")
check_text(decode(np.array([4, 6, 4]), vocab), ["b", "c", "b"], "decode: neither <bos> nor <eos>")
check_text(decode(np.array([2, 3]), vocab), [], "decode: nothing between <bos> and <eos>")
for text in (["a", "b", "a"], []):
    check_text(decode(encode(text, vocab), vocab), text, "decode after encode")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(103)
names = [f"w{n}" for n in range(20)]
vocab = {token: n for n, token in enumerate([*SPECIALS, *names])}
backwards = dict(sorted(vocab.items(), key=lambda entry: -entry[1]))
for n in (1, 6, 40):
    numbers = rng.integers(20, size=n)
    text = [names[i] for i in numbers]
    check_text(decode(encode(text, vocab), vocab), text, "decode after encode")
    check_text(decode(numbers + 4, vocab), text, "decode: no <eos>")
    check_text(
        decode(numbers + 4, backwards), text, "decode: a dict whose entries are in another order"
    )
    tail = np.concatenate([numbers + 4, [3, 9, 1, 3, 5, 0]])
    check_text(decode(tail, vocab), text, "decode: tokens and a second <eos> after the end")
    check_text(decode(np.concatenate([[0, 0], tail]), vocab), text, "decode: <pad> in front")
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · One-hot vectors
#
# *Easy, 10 minutes, about 4 lines, 8 points.*
#
# The one-hot vector of index $i$ has $V$ entries, a one at place $i$ and zeros elsewhere:
#
# $$\mathbf{1}_i \in \{0, 1\}^V, \qquad \mathbf{1}_{i,v} = [\,v = i\,] \tag{1.1}$$
#
# *Shapes.* `ids` may have any number of axes; the result has one more, of size $V$, at the end.
# It is float64, because the next thing that happens to it is a product with a matrix.
#
# *Watch out.* In numpy an index of −1 means the last row, without any complaint.
# An index below 0 or from $V$ on is a mistake of whoever made the data, so it raises `ValueError`.
#
# *Worked example.* `one_hot([2, 0], 3)` is `[[0, 0, 1], [1, 0, 0]]`.


# %% tags=["exercise", "id:one-hot"]
def one_hot(ids: Int[Array, "..."], V: int) -> Float[Array, "... V"]:
    """Return the one-hot vectors of ``ids``, along a new last axis; float64.

    Source: eq. 1.1. Inputs are not modified.

    Raises:
        ValueError: an index is not among 0, ..., V - 1.
    """
    ### BEGIN SOLUTION
    if ((ids < 0) | (ids >= V)).any():
        raise ValueError(f"one_hot: indices must lie between 0 and {V - 1}")
    return (ids[..., None] == np.arange(V)).astype(np.float64)
    ### END SOLUTION


# %% tags=["test", "id:one-hot-test", "points:8"]
ids = np.array([2, 0])
before = ids.copy()
got = one_hot(ids, 3)
check_unchanged(before, ids, "one_hot: ids")
check_close(
    got,
    np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
    "one_hot, worked example",
    hints={
        "Every row has all the ones: a single one for each index.": np.array([[1.0, 0, 1]] * 2),
        "The one stands a place too early: the first index is 0.": np.array(
            [[0, 1.0, 0], [0, 0, 1.0]]
        ),
    },
    axes="T V",
)
ids = np.array([[1, 0, 3], [3, 2, 2]])
got = one_hot(ids, 4)
check_shape(got, (2, 3, 4), "one_hot of a batch", axes="B T V")
check_close(got.sum(axis=-1), np.ones((2, 3)), "one_hot: the sum of every vector", axes="B T")
table = np.arange(20.0).reshape(4, 5)
check_close(got @ table, table[ids], "one_hot: its product with a matrix picks rows", axes="B T D")
check_raises(ValueError, one_hot, np.array([0, -1]), 3, when="an index is negative")
check_raises(ValueError, one_hot, np.array([0, 3]), 3, when="an index is V")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(104)
for shape, V in [((7,), 11), ((3, 5), 2), ((2, 3, 4), 6), ((), 5), ((0,), 3)]:
    ids = rng.integers(V, size=shape)
    before = ids.copy()
    got = one_hot(ids, V)
    expected = np.zeros((*shape, V))
    for index in np.ndindex(*shape):
        expected[(*index, int(ids[index]))] = 1.0
    check_close(got, expected, f"one_hot: ids with {len(shape)} axes, V = {V}")
    check_unchanged(before, ids, "one_hot: ids")
check_close(one_hot(np.array([1], dtype=np.int32), 2), np.array([[0.0, 1.0]]), "one_hot: int32")
for bad in (-1, -5, 5, 99):
    check_raises(
        ValueError, one_hot, np.array([[1, bad], [0, 4]]), 5, when="an index is out of range"
    )
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · A batch
#
# *Easy, 15 minutes, about 8 lines, 8 points.*
#
# Sequences of different lengths share one array of shape (B, T): each starts at place 0, and the rest of its row is `<pad>`.
# T is the length of the longest, or the argument `T` if one is given; a sequence longer than that is not cut in silence, but raises `ValueError`.
# The true lengths come along, since they cannot be told from the array if a real token should have the same number as `<pad>`.
#
# *Worked example.* `[4, 5]` and `[6]` become `[[4, 5], [6, 0]]` with lengths `[2, 1]`; with `T=3` a column of zeros joins.
#
# *Shapes.* Results: `tokens` (B, T) and `lengths` (B,), both int64.
# A sequence may be empty.


# %% tags=["exercise", "id:pad-batch"]
def pad_batch(
    sequences: list[Int[Array, " _"]], T: int | None = None
) -> tuple[Int[Array, "B T"], Int[Array, " B"]]:
    """Return the sequences as rows of one array, filled up with ``<pad>``, and their lengths.

    Both are int64. Inputs are not modified.

    Raises:
        ValueError: a sequence is longer than ``T``.
    """
    ### BEGIN SOLUTION
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    T = int(lengths.max()) if T is None else T
    if lengths.max() > T:
        raise ValueError(f"pad_batch: the longest sequence has {lengths.max()} tokens, T = {T}")
    tokens = np.full((len(sequences), T), PAD, dtype=np.int64)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[: len(sequence)] = sequence
    return tokens, lengths
    ### END SOLUTION


# %% tags=["test", "id:pad-batch-test", "points:8"]
sequences = [np.array([4, 5]), np.array([6])]
before = [sequence.copy() for sequence in sequences]
got = pad_batch(sequences)
check_unchanged(before, sequences, "pad_batch: sequences")
check_close(
    got,
    (np.array([[4, 5], [6, 0]]), np.array([2, 1])),
    "pad_batch, worked example",
    hints={
        "The padding belongs behind the tokens.": (np.array([[4, 5], [0, 6]]),),
        "The rest of a row must be <pad>.": (np.array([[4, 5], [6, 6]]),),
    },
)
check_close(
    pad_batch(sequences, T=3),
    (np.array([[4, 5, 0], [6, 0, 0]]), np.array([2, 1])),
    "pad_batch, T=3",
    hints={"Those are the padded lengths; the true ones are asked.": (None, np.array([3, 3]))},
)
check_close(
    pad_batch([np.array([], dtype=np.int64), np.array([0, 0])]),
    (np.array([[0, 0], [0, 0]]), np.array([0, 2])),
    "pad_batch: an empty sequence, and tokens that are 0",
)
check_raises(ValueError, pad_batch, sequences, T=1, when="a sequence is longer than T")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(105)
for sizes, T in [((3, 7, 1, 0), None), ((5,), None), ((2, 2, 2), 2), ((4, 1, 6), 11), ((0, 0), 3)]:
    sequences = [rng.integers(50, size=n) for n in sizes]
    before = [sequence.copy() for sequence in sequences]
    got = pad_batch(sequences) if T is None else pad_batch(sequences, T)
    check_unchanged(before, sequences, "pad_batch: sequences")
    width = max(sizes) if T is None else T
    expected = np.array(
        [[*map(int, s), *[0] * (width - len(s))] for s in sequences], dtype=np.int64
    )
    label = "pad_batch" if T is None else "pad_batch, T given"
    check_close(got, (expected, np.array(sizes)), label)
sequences = [rng.integers(50, size=n).astype(np.int32) for n in (2, 4)]
tokens, lengths = pad_batch(sequences)
assert tokens.dtype == lengths.dtype == np.int64, "pad_batch: int64, also when the input is int32."
check_raises(ValueError, pad_batch, sequences, 3, when="a sequence is longer than T")
### END HIDDEN TESTS


# %% [markdown]
# ## 6 · The mask
#
# *Easy, 5 minutes, 1 line, 6 points.*
#
# The mask says what is real: in row $b$ the first `lengths[b]` places are True, the others False.
#
# $$m_{b,t} = [\,t < \text{length}_b\,], \qquad t = 0, \dots, T - 1 \tag{1.2}$$
#
# *Shapes.* `lengths` (B,), result (B, T), boolean.
# Compare a column with a row, and numpy makes the rectangle.
#
# *Worked example.* Lengths `[2, 0, 3]` with T = 3 give `[[True, True, False], [False, False, False], [True, True, True]]`.


# %% tags=["exercise", "id:length-mask"]
def length_mask(lengths: Int[Array, " B"], T: int) -> Bool[Array, "B T"]:
    """Return a mask that is True at the first ``lengths[b]`` places of row b.

    Source: eq. 1.2. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    return np.arange(T) < lengths[:, None]
    ### END SOLUTION


# %% tags=["test", "id:length-mask-test", "points:6"]
lengths = np.array([2, 0, 3])
before = lengths.copy()
mask = length_mask(lengths, 3)
check_unchanged(before, lengths, "length_mask: lengths")
expected = np.array([[True, True, False], [False, False, False], [True, True, True]])
assert mask.dtype == bool, (
    f"length_mask: expected dtype bool, got {mask.dtype}. Compare two arrays."
)
check_close(mask, expected, "length_mask, worked example", axes="B T")
check_close(length_mask(np.array([1, 2]), 4).sum(axis=1), np.array([1, 2]), "length_mask: row sums")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(106)
for B, T in [(5, 7), (1, 1), (4, 12), (3, 3)]:
    lengths = rng.integers(T + 1, size=B)
    before = lengths.copy()
    mask = length_mask(lengths, T)
    assert mask.dtype == bool, f"length_mask: expected dtype bool, got {mask.dtype}."
    expected = np.array([[t < n for t in range(T)] for n in lengths])
    check_close(mask, expected, f"length_mask: B = {B}, T = {T}", axes="B T")
    check_unchanged(before, lengths, "length_mask: lengths")
### END HIDDEN TESTS


# %% [markdown]
# Your five functions together.
# Indices above the mask, row by row; the dots are padding.

# %%
lines = ["to be or not to be", "that is the question", "or is that not to be"]
texts = [line.split() for line in lines]
vocab = build_vocab(texts, min_count=2)
tokens, lengths = pad_batch([encode(text, vocab) for text in texts])
for row, real in zip(tokens, length_mask(lengths, tokens.shape[1]), strict=True):
    shown = " ".join(
        f"{index:2d}" if there else " ." for index, there in zip(row, real, strict=True)
    )
    print(shown, "  ", " ".join(decode(row, vocab)))
print("one-hot array:", one_hot(tokens, len(vocab)).shape)

# %% [markdown]
# ## 7 · Batches of like length
#
# *Medium, 25 minutes, about 10 lines, 12 points.*
#
# Padding is computed and thrown away, so sequences of like length should share a batch.
# But if everything were sorted, a sequence would meet the same neighbours in every epoch.
# *Bucketing* is the compromise, in five steps:
#
# 1. shuffle the indices $0, \dots, n - 1$ of the sequences;
# 2. cut them into *pools* of `pool * batch_size` (the last may be smaller);
# 3. sort each pool by length;
# 4. cut each pool into batches of `batch_size` (the last may be smaller);
# 5. shuffle the batches.
#
# All chance comes from the generator `rng` that you are given: `rng.permutation(n)` returns $0, \dots, n - 1$ in random order.
#
# *Worked example.* Lengths `[9, 1, 8, 2, 7]`, `batch_size=2`, and a pool large enough for all: the batches are $\{1, 3\}$ (lengths 1, 2), $\{4, 2\}$ (7, 8) and $\{0\}$ (9), in random order.
#
# *Result.* A list of integer arrays; every index occurs in exactly one of them.


# %% tags=["exercise", "id:bucket-batches"]
def bucket_batches(
    lengths: Int[Array, " n"], batch_size: int, pool: int, rng: np.random.Generator
) -> list[Int[Array, " _"]]:
    """Return the indices 0, ..., n - 1 in batches of like length, in random order.

    ``pool`` is the number of batches that are sorted together. All batches have ``batch_size``
    indices, but for one smaller one if n is no multiple of it. ``lengths`` is not modified.
    """
    ### BEGIN SOLUTION
    order, size = rng.permutation(len(lengths)), pool * batch_size
    batches = []
    for start in range(0, len(order), size):
        members = order[start : start + size]
        members = members[np.argsort(lengths[members], kind="stable")]
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]
    ### END SOLUTION


# %% tags=["test", "id:bucket-batches-test", "points:12"]
def check_batches(batches, n, batch_size, name):
    """A list of batches that holds every index once; all full but for one."""
    assert type(batches) is list, (
        f"{name}: expected a list of arrays, got {type(batches).__name__}."
    )
    sizes = [len(batch) for batch in batches]
    flat = [int(i) for batch in batches for i in batch]
    assert len(set(flat)) == len(flat), (
        f"{name}: a sequence occurs in two batches, or twice in one."
    )
    assert set(flat) <= set(range(n)), (
        f"{name}: the entries must be indices of sequences, not lengths."
    )
    assert len(flat) == n, f"{name}: {n - len(flat)} of {n} sequences are in no batch."
    full = [batch_size] * (n // batch_size) + [n % batch_size] * (n % batch_size > 0)
    assert sorted(sizes, reverse=True) == full, (
        f"{name}: batches of sizes {sorted(sizes, reverse=True)}. All but one have batch_size indices."
    )


def padding(batches, lengths):
    """The share of padding when every batch is as wide as its longest sequence."""
    places = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    return 1 - lengths.sum() / places


lengths = np.array([9, 1, 8, 2, 7])
before = lengths.copy()
batches = bucket_batches(lengths, 2, 10, np.random.default_rng(0))
check_unchanged(before, lengths, "bucket_batches: lengths")
check_batches(batches, 5, 2, "bucket_batches, worked example")
found = {frozenset(int(i) for i in batch) for batch in batches}
assert found == {frozenset({1, 3}), frozenset({2, 4}), frozenset({0})}, (
    "bucket_batches, worked example: sequences of like length should share a batch. "
    "Is the pool sorted by length, and are the members of the batch indices?"
)
lengths = np.random.default_rng(1).integers(1, 60, size=103)
one, two = (bucket_batches(lengths, 8, 4, np.random.default_rng(seed)) for seed in (2, 3))
again = bucket_batches(lengths, 8, 4, np.random.default_rng(2))
check_batches(one, 103, 8, "bucket_batches, 103 sequences in batches of 8")
same = [list(map(int, a)) == list(map(int, b)) for a, b in zip(one, again, strict=True)]
assert all(same), (
    "bucket_batches: the same rng must give the same batches. Take all chance from rng."
)
assert {frozenset(map(int, b)) for b in one} != {frozenset(map(int, b)) for b in two}, (
    "bucket_batches: another rng must give other neighbours. Are the indices shuffled first?"
)
everything = bucket_batches(lengths, 8, 13, np.random.default_rng(4))
longest = [max(lengths[i] for i in batch) for batch in everything]
assert longest != sorted(longest) and longest != sorted(longest, reverse=True), (
    "bucket_batches: the batches come sorted by length. Shuffle them at the end."
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(107)
for n, size, pool in [(240, 8, 5), (97, 10, 3), (30, 30, 1), (5, 8, 2), (64, 1, 9), (41, 4, 100)]:
    lengths = rng.integers(1, 90, size=n)
    before = lengths.copy()
    batches = bucket_batches(lengths, size, pool, np.random.default_rng(n))
    check_unchanged(before, lengths, "bucket_batches: lengths")
    check_batches(batches, n, size, "bucket_batches")
    if pool * size >= n:
        spans = sorted((min(lengths[i] for i in b), max(lengths[i] for i in b)) for b in batches)
        overlap = any(a[1] > b[0] for a, b in pairwise(spans))
        assert not overlap, (
            "bucket_batches: with one pool, the batches must cut the sorted lengths."
        )

lengths = np.arange(1, 401)  # in the order of the data, to see whether it is shuffled
share = {}
for pool in (1, 5, 50):
    runs = [bucket_batches(lengths, 8, pool, np.random.default_rng(seed)) for seed in range(5)]
    share[pool] = np.mean([padding(run, lengths) for run in runs])
assert share[1] > 0.3, (
    "bucket_batches: with pool=1 the batches are random, and much is padding. "
    "Is the order shuffled before the pools are cut, and is `pool` used?"
)
assert share[50] < 0.03, "bucket_batches: with one pool for all, hardly any padding should be left."
assert share[50] + 0.03 < share[5] < share[1] - 0.1, (
    "bucket_batches: the padding should shrink step by step as the pool grows. "
    "Are pools of pool * batch_size indices sorted, each on its own?"
)
state = np.random.get_state()
first = bucket_batches(lengths, 8, 5, np.random.default_rng(9))
second = bucket_batches(lengths, 8, 5, np.random.default_rng(9))
for a, b in zip(first, second, strict=True):
    assert list(map(int, a)) == list(map(int, b)), "bucket_batches: take all chance from rng."
order = [[max(lengths[i] for i in b) for b in run] for run in runs]
assert all(o != sorted(o) and o != sorted(o, reverse=True) for o in order), (
    "bucket_batches: the batches come sorted by length. Shuffle them at the end."
)
### END HIDDEN TESTS


# %% [markdown]
# ## 8 · A loss that padding cannot touch
#
# *Medium, 20 minutes, 2 to 6 lines, 14 points.*
#
# At every place the network gives a score to every symbol, and the loss there is minus the log-probability of the right one:
#
# $$\ell_{b,t} = -o_{b,t,y_{b,t}} + \log \sum_{v} e^{o_{b,t,v}} \tag{1.3}$$
#
# The loss of the batch is the mean over the *real* tokens,
#
# $$\mathcal{L} = \frac{\sum_{b,t} m_{b,t}\, \ell_{b,t}}{\sum_{b,t} m_{b,t}} \tag{1.4}$$
#
# The denominator is the number of real tokens: not $B\,T$, as in a well-known book whose readers have asked for the correction since 2022 (d2l-en, issue 2076), and not a mean of the sequences' means.
#
# **What stands at padded places must not matter**, neither for the loss nor for the gradient.
# The targets there may be any integers, even −100, and the scores there may be anything, even NaN.
# (They sometimes are: an attention layer with nothing to attend to produces NaN.)
# So do not compute a loss there and multiply it by zero, because $0 \cdot \mathrm{NaN}$ is NaN; *select* the real places first.
#
# *Shapes.* `logits` (B, T, V), `targets` (B, T), `mask` (B, T) boolean; the result is a tensor without axes, on the device of `logits`, through which gradients flow.
# Torch is allowed in full here, `F.cross_entropy` included.
#
# *Worked number.* All scores equal: the loss is $\log V$ for any targets and any mask.
#
# *A mean over nothing* has no value: if the mask is False everywhere, raise `ValueError`.
#
# The tests below compare with what the usual mistakes give:


# %% tags=["setup"]
def other_means(logits, targets, mask):
    """What the usual mistakes give, by their explanation."""
    each = F.cross_entropy(logits.mT, targets.clamp(0, logits.shape[-1] - 1), reduction="none")
    m = mask.to(each.dtype)
    return {
        "It is divided by B T, padding included: divide by the number of real tokens.": (
            each * m
        ).mean(),
        "The padding is counted as well: where is the mask?": each.mean(),
        "It is a mean of the sequences' means: add up all real tokens, divide once.": (
            (each * m).sum(1) / m.sum(1)
        ).mean(),
        "It is the sum: divide by the number of real tokens.": (each * m).sum(),
        "It is the mean over padded places: is the mask the wrong way round?": (
            (each * (1 - m)).sum() / (1 - m).sum()
        ),
        "It is divided by B only, the number of sequences.": (each * m).sum() / len(m),
        "It is divided by T only, the number of places.": (each * m).sum() / m.shape[1],
    }


# %% tags=["exercise", "id:masked-cross-entropy"]
def masked_cross_entropy(
    logits: Float[Tensor, "B T V"], targets: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy over the places where ``mask`` is True.

    Source: eqs. 1.3 and 1.4. dtype and device follow ``logits``. Nothing that stands at other
    places has any influence on the value or on the gradient. Inputs are not modified.

    Raises:
        ValueError: ``mask`` is False everywhere.
    """
    ### BEGIN SOLUTION
    if not mask.any():
        raise ValueError("masked_cross_entropy: the mask is False everywhere")
    return F.cross_entropy(logits[mask], targets[mask])
    ### END SOLUTION


# %% tags=["test", "id:masked-cross-entropy-test", "points:7"]
equal = torch.zeros(2, 3, 5)
targets, mask = (
    torch.tensor([[1, 4, 0], [2, 0, 0]]),
    torch.tensor([[True, True, True], [True, False, False]]),
)
check_close(
    masked_cross_entropy(equal, targets, mask),
    torch.tensor(5.0).log(),
    "masked_cross_entropy: equal scores, V = 5",
    hints=other_means(equal, targets, mask),
)
generator = torch.Generator().manual_seed(8)
logits = torch.randn(2, 3, 5, generator=generator, dtype=torch.float64)
given = {"logits": logits, "targets": targets, "mask": mask}
before = {key: value.clone() for key, value in given.items()}
got = masked_cross_entropy(logits, targets, mask)
check_unchanged(before, given, "masked_cross_entropy")
log_p = torch.log_softmax(logits, dim=-1)
real = [(0, 0, 1), (0, 1, 4), (0, 2, 0), (1, 0, 2)]
check_close(
    got,
    -sum(log_p[place] for place in real) / 4,
    "masked_cross_entropy: random scores, 4 real tokens of 6",
    hints=other_means(logits, targets, mask),
)
longer = [F.pad(logits, (0, 0, 0, 7)), F.pad(targets, (0, 7)), F.pad(mask, (0, 7))]
check_close(
    masked_cross_entropy(*longer),
    got,
    "masked_cross_entropy: the same with 7 more places of padding",
)
check_raises(
    ValueError,
    masked_cross_entropy,
    logits,
    targets,
    torch.zeros(2, 3, dtype=torch.bool),
    when="the mask is False everywhere",
)

# %% [markdown]
# The second test looks at the padded places, and at the gradient.

# %% tags=["test", "id:masked-cross-entropy-test-2", "points:7"]
generator = torch.Generator().manual_seed(9)
clean = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
targets, mask = (
    torch.tensor([[1, 2, 0, 0], [2, 0, 1, 0]]),
    torch.tensor([[True, False, False, False], [True, True, True, False]]),
)
expected = masked_cross_entropy(clean, targets, mask).detach()
spoilt = targets.masked_fill(~mask, -100)
check_close(
    masked_cross_entropy(clean, spoilt, mask),
    expected,
    "masked_cross_entropy: targets of -100 at padded places",
)
for value, name in ((1e30, "1e30"), (float("inf"), "inf"), (float("nan"), "NaN")):
    logits = clean.masked_fill(~mask[..., None], value).requires_grad_()
    loss = masked_cross_entropy(logits, targets, mask)
    label = f"masked_cross_entropy: scores of {name} at padded places"
    assert torch.isfinite(loss), (
        f"{label}: the loss is {loss.item()}. Select the real places first."
    )
    check_close(loss.detach(), expected, label)
    assert loss.requires_grad, (
        f"{label}: no gradient can flow. Compute in torch throughout, without .item() or .detach()."
    )
    (slope,) = torch.autograd.grad(loss, logits)
    assert torch.isfinite(slope).all(), (
        f"{label}: the loss is right, but its gradient is not finite. "
        "A loss was computed at a padded place and dropped later; select the real places first."
    )
    assert not slope[~mask].any(), f"{label}: the gradient there must be zero."
small = masked_cross_entropy(clean.float(), targets, mask)
assert small.dtype == torch.float32, "masked_cross_entropy: the dtype follows logits."
### BEGIN HIDDEN TESTS
generator = torch.Generator().manual_seed(108)
for B, T, V in [(3, 5, 4), (1, 7, 2), (6, 2, 9)]:
    logits = torch.randn(B, T, V, generator=generator, dtype=torch.float64).requires_grad_()
    targets = torch.randint(V, (B, T), generator=generator)
    lengths = torch.randint(1, T + 1, (B,), generator=generator)
    mask = torch.arange(T) < lengths[:, None]
    marked = targets.masked_fill(~mask, -100)
    given = {"logits": logits.detach(), "targets": targets, "mask": mask}
    before = {key: value.clone() for key, value in given.items()}
    expected = F.cross_entropy(logits.mT, marked, ignore_index=-100)
    (slope,) = torch.autograd.grad(expected, logits)
    label = f"masked_cross_entropy, B = {B}, T = {T}, V = {V}"
    for chosen in (targets, marked):
        got = masked_cross_entropy(logits, chosen, mask)
        check_close(
            got.detach(), expected.detach(), label, 1e-10, 1e-12, other_means(logits, targets, mask)
        )
        assert got.requires_grad, f"{label}: no gradient can flow through the result."
        check_close(torch.autograd.grad(got, logits)[0], slope, f"{label}: gradient", 1e-10, 1e-12)
    check_unchanged(before, given, "masked_cross_entropy")
    holes = mask & (torch.rand(B, T, generator=generator) < 0.7)
    holes[0, 0] = True
    expected = F.cross_entropy(logits.mT, targets.masked_fill(~holes, -100))
    got = masked_cross_entropy(logits, targets, holes)
    check_close(got.detach(), expected.detach(), f"{label}: a mask with holes", 1e-10, 1e-12)
large = torch.tensor([[[3000.0, 0.0], [0.0, -3000.0]]])
got = masked_cross_entropy(large, torch.tensor([[1, 0]]), torch.tensor([[True, True]]))
check_close(got, torch.tensor(1500.0), "masked_cross_entropy: scores in the thousands")
half = masked_cross_entropy(
    torch.zeros(2, 2, 4, dtype=torch.float32),
    torch.zeros(2, 2, dtype=torch.int64),
    torch.ones(2, 2, dtype=torch.bool),
)
check_close(half, torch.tensor(4.0).log(), "masked_cross_entropy: float32")
### END HIDDEN TESTS


# %% [markdown]
# ## 9 · A Markov chain, counted from a batch
#
# *Medium, 25 minutes, about 9 lines, 10 points.*
#
# In a Markov chain of order 1 the next symbol depends on the present one only.
# Its two tables are estimated by counting, with $\delta$ added to every count so that nothing is impossible:
#
# $$\text{start}_j = \frac{n_j + \delta}{\sum_{j'} n_{j'} + \delta V}, \qquad \text{move}_{ij} = \frac{n_{ij} + \delta}{\sum_{j'} n_{ij'} + \delta V} \tag{1.5}$$
#
# where $n_j$ is how many sequences begin with symbol $j$, and $n_{ij}$ how often $j$ follows $i$ directly.
# The denominator has the number of times that $i$ *has a successor*: the last symbol of a sequence has none.
# Neither has it a successor in the padding.
#
# With $\delta = 0$ a symbol that never has a successor would give $0/0$; its row is then uniform, $1/V$.
# So is `start` if there is no sequence to count.
#
# *Shapes.* `tokens` (B, T), `mask` (B, T) as `length_mask` makes it (a row may be False altogether: an empty sequence); results `start` (V,) and `move` (V, V), float64.
#
# *Worked numbers.* The sequences `0 1 0 1 1` and `1`, $V = 2$, $\delta = 0$: one begins with 0 and one with 1, so start is (½, ½).
# 0 is followed by 1 twice; 1 is followed by 0 once and by 1 once. So move is ((0, 1), (½, ½)).
# With $\delta = 1$: start (½, ½), move ((¼, ¾), (½, ½)).
#
# *Watch out.* `counts[i, j] += 1` with arrays `i`, `j` counts a pair that occurs twice only once; `np.add.at` or `np.bincount` count all.


# %% tags=["exercise", "id:markov-fit"]
def markov_fit(
    tokens: Int[Array, "B T"], mask: Bool[Array, "B T"], V: int, delta: float = 0.0
) -> tuple[Float[Array, " V"], Float[Array, "V V"]]:
    """Return the start and transition probabilities of a Markov chain of order 1; float64.

    Source: eq. 1.5. ``move[i, j]`` is the probability of j after i. Only real tokens count.
    Rows without any count are uniform. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    n_start = np.bincount(tokens[:, 0][mask[:, 0]], minlength=V) + delta
    both = mask[:, :-1] & mask[:, 1:]
    n_move = np.full((V, V), float(delta))
    np.add.at(n_move, (tokens[:, :-1][both], tokens[:, 1:][both]), 1.0)

    def normalised(counts):
        total = counts.sum(axis=-1, keepdims=True)
        return np.where(total > 0, counts / np.where(total > 0, total, 1), 1 / V)

    return normalised(n_start), normalised(n_move)
    ### END SOLUTION


# %% tags=["test", "id:markov-fit-test", "points:10"]
tokens = np.array([[0, 1, 0, 1, 1], [1, 0, 0, 0, 0]])
mask = np.array([[True] * 5, [True] + [False] * 4])
given = {"tokens": tokens, "mask": mask}
before = {key: value.copy() for key, value in given.items()}
got = markov_fit(tokens, mask, 2)
check_unchanged(before, given, "markov_fit")
half = np.array([0.5, 0.5])
padded = np.array([[3 / 5, 2 / 5], [2 / 3, 1 / 3]])
check_close(
    got,
    (half, np.array([[0.0, 1.0], [0.5, 0.5]])),
    "markov_fit, worked numbers, delta = 0: (start, move)",
    hints={
        "Padding is counted: 1 → <pad> and <pad> → <pad> are no transitions.": (half, padded),
        "Is the step into the padding counted, or are rows and columns of move exchanged?": (
            half,
            np.array([[0.0, 1.0], [2 / 3, 1 / 3]]),
        ),
        "The denominator counts every occurrence; a last symbol has no successor.": (
            half,
            np.array([[0.0, 1.0], [0.25, 0.25]]),
        ),
    },
)
check_close(
    markov_fit(tokens, mask, 2, delta=1.0),
    (half, np.array([[0.25, 0.75], [0.5, 0.5]])),
    "markov_fit, worked numbers, delta = 1: (start, move)",
    hints={
        "Each row has V counts, so the denominator gains delta times V.": (
            half,
            np.array([[1 / 3, 1.0], [2 / 3, 2 / 3]]),
        ),
    },
)
tokens = np.array([[0, 1, 0, 1, 0, 1, 0, 0]])
check_close(
    markov_fit(tokens, np.ones((1, 8), dtype=bool), 2)[1],
    np.array([[0.25, 0.75], [1.0, 0.0]]),
    "markov_fit, 0 1 0 1 0 1 0 0: move",
    hints={
        "A pair that occurs more than once is counted once: use np.add.at or np.bincount.": (
            np.array([[0.5, 0.5], [1.0, 0.0]])
        )
    },
)
start, move = markov_fit(np.array([[2, 2, 1]]), np.array([[True] * 3]), 4)
check_close(move[1], np.full(4, 0.25), "markov_fit, 2 2 1: the row of 1, which has no successor")
check_close(move[2], np.array([0, 0.5, 0.5, 0]), "markov_fit, 2 2 1: the row of 2")
check_close(start, np.array([0.0, 0, 1, 0]), "markov_fit, 2 2 1: start")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(109)
for B, T, V, delta in [
    (6, 9, 5, 0.0),
    (4, 7, 3, 0.5),
    (8, 1, 4, 0.0),
    (5, 30, 3, 2.0),
    (3, 6, 12, 0.0),
]:
    lengths = rng.integers(0, T + 1, size=B)
    lengths[-1] = T
    tokens = rng.integers(V, size=(B, T))
    mask = np.arange(T) < lengths[:, None]
    tokens[~mask] = rng.integers(V, size=(~mask).sum())  # whatever stands there must not count
    given = {"tokens": tokens, "mask": mask}
    before = {key: value.copy() for key, value in given.items()}
    got = markov_fit(tokens, mask, V, delta)
    check_unchanged(before, given, "markov_fit")
    rows = [[int(i) for i in row[:n]] for row, n in zip(tokens, lengths, strict=True)]
    first = Counter(row[0] for row in rows if row)
    pairs = Counter((a, b) for row in rows for a, b in pairwise(row))
    begins, follows = np.zeros(V), np.zeros((V, V))
    for i in range(V):
        begins[i] = (first[i] + delta) / (first.total() + delta * V)
        total = sum(pairs[i, j] for j in range(V)) + delta * V
        for j in range(V):
            follows[i, j] = (pairs[i, j] + delta) / total if total else 1 / V
    assert type(got) is tuple and len(got) == 2, "markov_fit: return start and move."
    label = f"markov_fit, V = {V}, delta {'= 0' if delta == 0 else '> 0'}: "
    check_close(got[0], begins, label + "start", axes="V")
    check_close(got[1], follows, label + "move", axes="V V")
nothing = markov_fit(np.zeros((2, 3), dtype=np.int64), np.zeros((2, 3), dtype=bool), 4)
check_close(nothing, (np.full(4, 0.25), np.full((4, 4), 0.25)), "markov_fit: only empty sequences")
### END HIDDEN TESTS


# %% [markdown]
# ### Counting is training
#
# A table of logits, trained with *your* loss by gradient descent, must end where *your* counts are: nobody told it to count.
# The third column is the same training with the loss divided by the padded size, on batches of different widths. It ends somewhere else.

# %%
rng = np.random.default_rng(12)
walk = np.array([[0.1, 0.6, 0.3], [0.5, 0.1, 0.4], [0.2, 0.2, 0.6]])
data = []
for n in (3, 3, 4, 4, 14, 15, 15, 16):
    path = [int(rng.integers(3))]
    for _ in range(n - 1):
        path.append(int(rng.choice(3, p=walk[path[-1]])))
    data.append(np.array(path))
tokens, lengths = pad_batch(data)
mask = length_mask(lengths, tokens.shape[1])
start, counted = markov_fit(tokens, mask, 3)


def trained(padded):
    """Train the table on the short and the long half, each padded to its own width."""
    table = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [table], max_iter=60, tolerance_grad=1e-12, tolerance_change=1e-15
    )

    def closure():
        optimiser.zero_grad()
        total, real = 0, 0
        for half in (slice(0, 4), slice(4, 8)):
            width = lengths[half].max()
            x, m = torch.tensor(tokens[half, :width]), torch.tensor(mask[half, :width])
            here = m[:, 1:].sum()
            loss = masked_cross_entropy(table[x[:, :-1]], x[:, 1:], m[:, 1:])
            total = total + loss * (here / m[:, 1:].numel() if padded else here)
            real = real + (1 if padded else here)
        loss = total / real
        loss.backward()
        return loss

    for _ in range(5):
        optimiser.step(closure)
    return torch.softmax(table, dim=-1).detach().numpy()


right, wrong = trained(padded=False), trained(padded=True)
print("pair   counted  trained  trained, padded size")
for i in range(3):
    for j in range(3):
        print(f"{i} → {j}   {counted[i, j]:.4f}   {right[i, j]:.4f}   {wrong[i, j]:.4f}")

# %% [markdown]
# ## 10 · The filter of a hidden Markov model
#
# *Medium, 30 minutes, about 12 lines, 12 points.*
#
# Now the symbols come from a hidden state that follows a Markov chain with H states:
# `start[j]` is the probability of state $j$ at the first step, `move[i, j]` that of $j$ after $i$, `emit[j, v]` that of symbol $v$ in state $j$.
# The filter carries along the *belief* $h_t$, the distribution of the state given the symbols up to $t$ (chapter 1, Rabiner 1989).
# Write $p_t$ for the prediction before $x_t$ is seen:
#
# $$p_1 = \text{start}, \qquad p_{t} = h_{t-1}\, \text{move} \tag{1.6}$$
#
# $$c_t = \sum_j p_{t,j}\, \text{emit}_{j,x_t}, \qquad h_{t,j} = \frac{p_{t,j}\, \text{emit}_{j,x_t}}{c_t} \tag{1.7}$$
#
# $$\log P(x_1, \dots, x_T) = \sum_{t=1}^{T} \log c_t \tag{1.8}$$
#
# The whole batch advances together, one step at a time, and the sequences have different lengths.
# At a padded place nothing happens: the belief stays as it was, and nothing is added to the log-probability.
# The symbol that stands there may even be impossible in every state, so that $c_t = 0$ there (`<pad>` is never emitted); choose with `np.where`, do not multiply by the mask.
#
# *Shapes.* `tokens`, `mask` (B, T); `start` (H,), `move` (H, H), `emit` (H, V); results: beliefs (B, T, H) and log-probabilities (B,), float64.
# Every sequence has at least one token, and every real sequence is possible.
# Sequences may be thousands of steps long: a product of the $c_t$ would be zero, the sum of their logarithms is not.
#
# *Worked numbers.* Two states, start (½, ½), move ((0.9, 0.1), (0.1, 0.9)), emit ((0.8, 0.2), (0.3, 0.7)), symbols `0 1`.
# Step 1: $p_1 \odot \text{emit} = (0.4, 0.15)$, $c_1 = 0.55$, $h_1 = (8/11, 3/11)$.
# Step 2: $p_2 = (0.9 \cdot 8 + 0.1 \cdot 3,\; 0.1 \cdot 8 + 0.9 \cdot 3)/11 = (7.5, 3.5)/11$; times $(0.2, 0.7)$ is $(1.5, 2.45)/11$, so $c_2 = 3.95/11$ and $h_2 = (30/79, 49/79)$.


# %% tags=["exercise", "id:hmm-forward"]
def hmm_forward(
    tokens: Int[Array, "B T"],
    mask: Bool[Array, "B T"],
    start: Float[Array, " H"],
    move: Float[Array, "H H"],
    emit: Float[Array, "H V"],
) -> tuple[Float[Array, "B T H"], Float[Array, " B"]]:
    """Return the belief after every step, and the log-probability of every sequence.

    Source: Rabiner (1989); eqs. 1.6 to 1.8. At padded places the belief repeats the last one.
    ``mask`` is as ``length_mask`` makes it, with a real token first. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    B, T = tokens.shape
    beliefs, log_prob = np.empty((B, T, len(start))), np.zeros(B)
    h, p = np.zeros((B, len(start))), np.tile(start, (B, 1))
    for t in range(T):
        joint = p * emit[:, tokens[:, t]].T
        c = np.where(mask[:, t], joint.sum(axis=1), 1.0)
        h = np.where(mask[:, t, None], joint / c[:, None], h)
        log_prob += np.log(c)
        beliefs[:, t] = h
        p = h @ move
    return beliefs, log_prob
    ### END SOLUTION


# %% tags=["test", "id:hmm-forward-test", "points:12"]
def by_paths(row, start, move, emit):
    """The belief after the last symbol and the probability of all, by listing every path."""
    ends = np.zeros(len(start))
    for path in product(range(len(start)), repeat=len(row)):
        P = start[path[0]] * emit[path[0], row[0]]
        for before, now, symbol in zip(path, path[1:], row[1:], strict=False):
            P *= move[before, now] * emit[now, symbol]
        ends[path[-1]] += P
    return ends / ends.sum(), ends.sum()


start, move = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.1, 0.9]])
emit = np.array([[0.8, 0.2], [0.3, 0.7]])
tokens, mask = np.array([[0, 1]]), np.array([[True, True]])
given = {"tokens": tokens, "mask": mask, "start": start, "move": move, "emit": emit}
before = {key: value.copy() for key, value in given.items()}
h, log_prob = hmm_forward(tokens, mask, start, move, emit)
check_unchanged(before, given, "hmm_forward")
first, second = np.array([8, 3]) / 11, np.array([30, 49]) / 79
check_close(
    h,
    np.array([[first, second]]),
    "hmm_forward, worked numbers: beliefs",
    hints={
        "Those are the predictions p_t; the belief comes after the symbol, eq. 1.7.": (
            np.array([[[0.5, 0.5], np.array([7.5, 3.5]) / 11]])
        ),
        "It is not normalised: divide by c_t, eq. 1.7.": (
            np.array([[[0.4, 0.15], [0.2 * 0.375, 0.7 * 0.175]]])
        ),
        "The state never moves: p_t = h_{t-1} move, eq. 1.6.": np.array(
            [[first, [16 / 37, 21 / 37]]]
        ),
    },
    axes="B T H",
)
check_close(
    log_prob,
    np.log([0.55 * 3.95 / 11]),
    "hmm_forward, worked numbers: log-probability",
    hints={
        "That is the probability; its logarithm is asked, eq. 1.8.": np.array([0.55 * 3.95 / 11]),
        "That is minus the logarithm.": -np.log([0.55 * 3.95 / 11]),
        "Only the last c_t is counted: add up all steps.": np.log([3.95 / 11]),
        "Only the first c_t is counted: add up all steps.": np.log([0.55]),
        "It is averaged over the steps; eq. 1.8 adds them up.": np.log([0.55 * 3.95 / 11]) / 2,
    },
    axes="B",
)
rng = np.random.default_rng(13)
start, move, emit = (
    rng.dirichlet(np.ones(3)),
    rng.dirichlet(np.ones(3), 3),
    rng.dirichlet(np.ones(4), 3),
)
emit = np.hstack([np.zeros((3, 1)), emit])  # symbol 0 is <pad>: no state emits it
tokens, lengths = np.array([[1, 3, 2, 4, 4], [4, 2, 0, 0, 0], [2, 2, 1, 0, 0]]), np.array([5, 2, 3])
mask = np.arange(5) < lengths[:, None]
h, log_prob = hmm_forward(tokens, mask, start, move, emit)
check_shape(h, (3, 5, 3), "hmm_forward: beliefs", axes="B T H")
for b, n in enumerate(lengths):
    belief, P = by_paths(tokens[b, :n], start, move, emit)
    early, turned = (
        by_paths(tokens[b, :n], first, table, emit)[0]
        for first, table in ((start @ move, move), (start, move.T))
    )
    check_close(
        h[b, n - 1],
        belief,
        f"hmm_forward: belief of sequence {b} after its last token",
        hints={
            "The chain has moved before the first symbol; p_1 is start itself, eq. 1.6.": early,
            "Rows of move are the state before: h_{t-1} stands on its left, eq. 1.6.": turned,
        },
        axes="H",
    )
    check_close(log_prob[b], np.log(P), f"hmm_forward: log-probability of sequence {b}")
    check_close(
        h[b, n:],
        np.tile(belief, (5 - n, 1)),
        f"hmm_forward: sequence {b}, padded places (the belief stays as it was)",
        axes="T H",
    )
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(110)
for B, T, H, V in [(4, 6, 3, 5), (3, 1, 4, 2), (1, 5, 2, 7), (5, 4, 4, 3)]:
    start, move, emit = (
        rng.dirichlet(np.ones(H)),
        rng.dirichlet(np.ones(H), H),
        rng.dirichlet(np.ones(V), H),
    )
    lengths = rng.integers(1, T + 1, size=B)
    lengths[0] = T
    mask = np.arange(T) < lengths[:, None]
    tokens = rng.integers(V, size=(B, T))
    given = {"tokens": tokens, "mask": mask, "start": start, "move": move, "emit": emit}
    before = {key: value.copy() for key, value in given.items()}
    got = hmm_forward(tokens, mask, start, move, emit)
    check_unchanged(before, given, "hmm_forward")
    assert type(got) is tuple and len(got) == 2, (
        "hmm_forward: return beliefs and log-probabilities."
    )
    h, log_prob = got
    label = f"hmm_forward, B = {B}, T = {T}, H = {H}: "
    check_shape(h, (B, T, H), label + "beliefs", axes="B T H")
    expected, logs = np.empty((B, T, H)), np.empty(B)
    for b, n in enumerate(lengths):
        for t in range(T):
            expected[b, t], P = by_paths(tokens[b, : min(t + 1, n)], start, move, emit)
        logs[b] = np.log(P)
    check_close(h, expected, label + "beliefs", 1e-9, 1e-12, axes="B T H")
    check_close(log_prob, logs, label + "log-probabilities", 1e-9, 1e-12, axes="B")

T = 3000
tokens = rng.integers(V, size=(2, T))
mask = np.arange(T) < np.array([[T], [T - 700]])
h, log_prob = hmm_forward(tokens, mask, start, move, emit)
assert np.isfinite(log_prob).all() and np.isfinite(h).all(), (
    "hmm_forward: not finite after thousands of steps. Normalise at every step, and add logarithms."
)
check_close(
    h.sum(axis=-1),
    np.ones((2, T)),
    "hmm_forward, thousands of steps: sums of the beliefs",
    axes="B T",
)
log_a = np.log(start) + np.log(emit[:, tokens[0, 0]])
for symbol in tokens[0, 1:]:
    log_a = np.logaddexp.reduce(log_a[:, None] + np.log(move), axis=0) + np.log(emit[:, symbol])
check_close(
    log_prob[0], np.logaddexp.reduce(log_a), "hmm_forward, thousands of steps: log-probability"
)
still, sure = np.eye(2), np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
h, log_prob = hmm_forward(
    np.array([[2, 2, 0]]), np.array([[True, True, False]]), np.array([0.25, 0.75]), still, sure
)
check_close(
    h, np.array([[[0.0, 1.0]] * 3]), "hmm_forward: symbols and moves of probability 0", axes="B T H"
)
check_close(log_prob, np.log([0.75]), "hmm_forward: symbols and moves of probability 0")
### END HIDDEN TESTS


# %% [markdown]
# ### The whole toolbox
#
# Sequences of different lengths from the sticky source of the book, batched with `pad_batch`, masked with `length_mask`, predicted by your chain and by your filter, and both measured with your loss.
# No predictor can beat the filter here, because it computes the true conditional probability.

# %%
from unrolled.data import hmm

generator = torch.Generator().manual_seed(0)
source = hmm.sticky_source(generator)
symbols = hmm.sample(source, 300, 200, generator)[0].numpy()
rng = np.random.default_rng(14)
tokens, lengths = pad_batch(
    [row[:n] for row, n in zip(symbols, rng.integers(50, 201, 300), strict=True)]
)
mask = length_mask(lengths, tokens.shape[1])
train, test = slice(0, 240), slice(240, 300)
start, move = markov_fit(tokens[train], mask[train], hmm.SYMBOLS, delta=0.5)
beliefs, log_prob = hmm_forward(tokens[test], mask[test], *(part.numpy() for part in source))
predictions = {
    "equal": np.full((60, 199, 12), 1 / 12),
    "Markov chain": move[tokens[test][:, :-1]],
    "filter": beliefs[:, :-1] @ source.move.numpy() @ source.emit.numpy(),
}
targets, real = torch.tensor(tokens[test][:, 1:]), torch.tensor(mask[test][:, 1:])
for name, p in predictions.items():
    print(
        f"{name:13} {masked_cross_entropy(torch.tensor(p).log(), targets, real).item():.3f} nats a symbol"
    )
batches = bucket_batches(lengths, 20, 5, rng)
for name, chosen in {"random": np.split(rng.permutation(300), 15), "bucketed": batches}.items():
    places = sum(len(batch) * lengths[batch].max() for batch in chosen)
    print(f"{name:13} {1 - lengths.sum() / places:.0%} of the batches is padding")

# %% [markdown]
# ## 11 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** A colleague divides the masked sum of losses by $B\,T$.
# She raises the maximal length to which every batch is padded from 50 to 100, changes nothing else, and reports that the training loss fell from 1.8 to 0.9.
# What happened, and what does the perplexity $e^{\text{loss}}$ that she quotes tell?
# Has the *gradient* changed, and what does that do to training with plain gradient descent, and with Adam?
# Later she uses bucketed batches, each padded to its own longest sequence: what changes now, and would a mean over the real tokens of each batch be free of that effect?
# Answer in five to eight sentences.

# %% [markdown] tags=["manual", "id:what-padding-does", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. The numerator is unchanged and the denominator doubled, so the number halves; the model is no better.
# 2. The perplexity is meaningless (it depends on the padding, and can be made as near to 1 as one likes); it must come from the mean over real tokens.
# 3. The gradient is halved too. Plain gradient descent takes steps half as long (as if the learning rate were halved), Adam hardly notices, since it divides by the size of the gradient; the minimum is where it was, because the factor is the same for all batches.
# 4. With different widths the factor differs from batch to batch: tokens in batches of long sequences weigh less than those in batches of short ones, so the minimum moves (towards short sequences).
# 5. The mean over real tokens of each batch is not free of it: a batch of 20 short sequences has fewer tokens, so each weighs more. Remedy: batches of equal numbers of tokens, or a sum divided by one constant. Give the point for the observation or for a right remedy with its reason.
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# **b.** For each of the three problems name the shape (one to many, many to one, aligned, unaligned), the type of output with its activation and loss, and the places where the mask of the *loss* is True:
# (i) mark every heartbeat of a recording as normal or not; (ii) write a headline for a newspaper article; (iii) tell tomorrow's temperature from the last thirty days.
# Which of them need `<bos>` and `<eos>`, and why?

# %% [markdown] tags=["manual", "id:which-shape", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. (i) Aligned many to many; yes-or-no at every beat, sigmoid, binary cross-entropy; mask True at every real beat.
# 2. (ii) Unaligned many to many; one of V at every step, softmax, cross-entropy; mask True at the tokens of the headline *including its <eos>*, False at padding and at the article.
# 3. (iii) Many to one; a real number, no activation, squared error; mask True at the last step only. (Aligned, with a forecast at every day, is accepted if the mask is said to be True at all days.)
# 4. <bos> only in (ii): the first word must be predicted from something (the article's summary and <bos>).
# 5. <eos> only in (ii): the length of the output is not given by the input, so stopping has to be predicted and trained.
# ### END MARK SCHEME

# %% [markdown]
# ## 12 · Optional challenge: the most probable path
#
# *Hard, 30 minutes, about 12 lines, no points.*
#
# The filter tells how probable each state is *now*.
# The most probable *path* $q_1, \dots, q_T$ as a whole is another question, and another recursion: replace the sum by a maximum, and remember where the maximum came from (Viterbi, 1967).
#
# $$d_{1,j} = \log \text{start}_j + \log \text{emit}_{j,x_1}, \qquad d_{t,j} = \max_i \bigl( d_{t-1,i} + \log \text{move}_{ij} \bigr) + \log \text{emit}_{j,x_t} \tag{1.9}$$
#
# The best last state is the one with the largest $d_{T,j}$; follow the remembered $i$ back from there.
# You will meet the same backtracking in chapter 10.
#
# *Shapes.* One sequence: `tokens` (T,); results: `path` (T,) int64 and the log-probability of path and symbols together, a float.
# If you leave it out, the test below fails and costs nothing.


# %% tags=["exercise", "id:viterbi"]
def viterbi(
    tokens: Int[Array, " T"],
    start: Float[Array, " H"],
    move: Float[Array, "H H"],
    emit: Float[Array, "H V"],
) -> tuple[Int[Array, " T"], float]:
    """Return the most probable path of hidden states, and its joint log-probability.

    Source: Viterbi (1967); eq. 1.9. Probabilities may be 0. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    with np.errstate(divide="ignore"):
        log_start, log_move, log_emit = np.log(start), np.log(move), np.log(emit)
    best, back = log_start + log_emit[:, tokens[0]], []
    for symbol in tokens[1:]:
        through = best[:, None] + log_move
        back.append(through.argmax(axis=0))
        best = through.max(axis=0) + log_emit[:, symbol]
    path = [int(best.argmax())]
    for came_from in reversed(back):
        path.append(int(came_from[path[-1]]))
    return np.array(path[::-1], dtype=np.int64), float(best.max())
    ### END SOLUTION


# %% tags=["test", "id:viterbi-test", "points:0"]
rng = np.random.default_rng(15)
for T, H, V in [(5, 3, 4), (1, 2, 2), (7, 2, 3), (6, 3, 2), (6, 3, 5)]:
    start, move, emit = (
        rng.dirichlet(np.ones(H)),
        rng.dirichlet(np.ones(H), H),
        rng.dirichlet(np.ones(V), H),
    )
    tokens = rng.integers(V, size=T)
    paths = list(product(range(H), repeat=T))
    scores = []
    for path in paths:
        steps = [move[a, b] for a, b in pairwise(path)]
        says = [emit[q, x] for q, x in zip(path, tokens, strict=True)]
        scores.append(np.log(start[path[0]]) + np.log(steps).sum() + np.log(says).sum())
    path, log_p = viterbi(tokens, start, move, emit)
    check_close(log_p, max(scores), f"viterbi, T = {T}: log-probability")
    check_close(path, np.array(paths[int(np.argmax(scores))]), f"viterbi, T = {T}: path", axes="T")

# %% [markdown]
# ## Sources
#
# * Peeters, *Recurrent Neural Network* (Télécom Paris), types of input and output, one-hot, `<EOS>` and `<UNK>`; Bischl, LMU, one-hot sequences with `<eos>`; Kovashka, *CS 1678* (Pittsburgh, 2021), the mean of the losses.
# * L. Rabiner (1989), *A tutorial on hidden Markov models and selected applications in speech recognition*, Proceedings of the IEEE 77(2).
# * A. Viterbi (1967), *Error bounds for convolutional codes and an asymptotically optimum decoding algorithm*, IEEE Transactions on Information Theory 13(2).
# * A. Zhang, Z. Lipton, M. Li and A. Smola (2023), *Dive into Deep Learning*, Cambridge University Press; issue 2076 of its repository `d2l-ai/d2l-en`.
