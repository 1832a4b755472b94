# %% [markdown]
# # 2 · Predicting the next word
#
# In this exercise you build a language model twice: once by counting, once with a network whose gradient you write yourself.
# You count n-grams of all orders, turn the counts into distributions in three ways, score text with them, let them write, and then do the forward and the backward pass of the fixed-window model of Bengio et al. (2003).
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `ngram_counts` | easy | 20 min | 12 |
# | 2 | `add_delta` | easy | 10 min | 8 |
# | 3 | `backoff` | hard | 40 min | 14 |
# | 4 | `witten_bell` | medium | 20 min | 12 |
# | 5 | `sentence_log_prob` | easy | 15 min | 8 |
# | 6 | `perplexity` | easy | 10 min | 8 |
# | 7 | `sample_ngram` | easy | 15 min | 8 |
# | 8 | `window_lm_forward` | easy | 15 min | 8 |
# | 9 | `window_lm_backward` | medium | 40 min | 14 |
# | 10 | two written answers | medium | 20 min | 8 |
# | 11 | optional: `mixture_weights` | medium | 20 min | 0 |
#
# Before you start, read chapter 2 of the book: it derives every equation used here.
#
# **Rules of the game.**
# numpy only, by hand: no automatic differentiation.
# Probabilities and other real numbers are float64.
# No function changes the arrays, lists and dicts that it is given.
# Each part may call the functions of the parts before it.
# The cell below each part tests it and says what is wrong; when your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# **Symbols** (words or characters, it makes no difference) are the numbers $0, \dots, V-1$.
# Number 0 is the end mark `<eos>`: a symbol like any other, which a model must predict.
# The start mark `<bos>` is never predicted, so it is *not* one of the $V$ symbols. It has the number $V$ and occurs in contexts only.
#
# **A sentence** is an array of symbols without marks. Before counting or scoring, $n-1$ start marks are put before it and one end mark after it:
#
# | | |
# |---|---|
# | sentence | $w_1, w_2, \dots, w_T$ |
# | padded, order $n = 3$ | $V, V, w_1, w_2, \dots, w_T, 0$ |
# | predicted symbols | $w_1, \dots, w_T, 0$: there are $T + 1$ |
#
# **A context** $h$ is a tuple of symbols, oldest first: `(4, 1)` means "first 4, then 1". The empty tuple `()` is the context of a unigram model.
# $h'$ stands for $h$ without its *oldest* symbol: `context[1:]`.
#
# **Counts** are a dict from contexts to arrays of length $V$: `counts[h][w]` is $c(hw)$, how often $w$ followed $h$.
# Write $c(h) = \sum_w c(hw)$ for the number of times anything followed $h$, and $N(h)$ for the number of *different* symbols that did.
# A context that was never followed by anything has no entry.
#
# **A model of order $n$** is a function from a context of $n-1$ symbols to the distribution of the next symbol, an array of length $V$.
#
# **The running example.** Letters $a = 1$, $b = 2$, $c = 3$, so $V = 4$; the training text has two sentences, "ab" and "a".

# %% tags=["setup"]
from collections.abc import Callable
from itertools import pairwise

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
Context = tuple[int, ...]
Counts = dict[Context, np.ndarray]
Model = Callable[[Context], np.ndarray]
Params = dict[str, np.ndarray]
EOS = 0

# the running example, order 2: what ngram_counts must return for the sentences "ab" and "a"
AB = {
    (): np.array([2, 2, 1, 0]),
    (4,): np.array([0, 2, 0, 0]),
    (1,): np.array([1, 0, 1, 0]),
    (2,): np.array([1, 0, 0, 0]),
}


def random_counts(V: int, n: int, rng: np.random.Generator) -> Counts:
    """Return counts of no text in particular, with gaps: contexts and symbols that never occur."""
    counts = {(): rng.integers(1, 9, size=V) * (np.arange(V) != 1)}
    for length in range(1, n):
        for context in np.ndindex(*[V + 1] * length):
            row = rng.integers(1, 5, size=V) * (rng.random(V) < 0.5)
            if row.any() and rng.random() < 0.7:
                counts[context] = row
    return counts


# %% [markdown]
# ## 1 · Counting
#
# *Easy, 20 minutes, about 8 lines, 12 points.*
#
# Go through every padded sentence, and at every *predicted* symbol note it under each of its $n$ contexts: the empty one, the last symbol, the last two, up to the last $n-1$.
# So one dict holds the counts of all orders up to $n$, and the smoothing methods can step from a context to its $h'$.
#
# *Worked number.* In the running example with $n = 2$ the padded sentences are $4, 1, 2, 0$ and $4, 1, 0$.
# Five symbols are predicted; `counts[()]` is (2, 2, 1, 0): two ends, two a, one b, no c.
# After the start mark came a twice, `counts[(4,)]` = (0, 2, 0, 0); after a came an end and a b, `counts[(1,)]` = (1, 0, 1, 0).
# No context has an entry `(3,)` or `(0,)`: nothing ever followed them.
#
# *A check that needs no example.* For each length $k < n$, the counts of all contexts of length $k$ together add up to the number of predicted symbols.
#
# *Types.* Contexts are tuples of Python ints (or numpy ints: they are equal and hash alike); counts are int64 arrays of shape (V,).


# %% tags=["exercise", "id:ngram-counts"]
def ngram_counts(sentences: list[Int[Array, "T"]], n: int, V: int) -> Counts:
    """Return how often each symbol followed each context of 0 to n - 1 symbols.

    Each sentence is padded with n - 1 start marks (number V) and one end mark (number 0).
    Contexts that nothing followed have no entry. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    counts: Counts = {}
    for sentence in sentences:
        padded = [V] * (n - 1) + [int(w) for w in sentence] + [EOS]
        for place in range(n - 1, len(padded)):
            for length in range(n):
                context = tuple(padded[place - length : place])
                if context not in counts:
                    counts[context] = np.zeros(V, dtype=np.int64)
                counts[context][padded[place]] += 1
    return counts
    ### END SOLUTION


# %% tags=["test", "id:ngram-counts-test", "points:12"]
ab = [np.array([1, 2]), np.array([1])]
ab_before = [sentence.copy() for sentence in ab]
counts = ngram_counts(ab, 2, 4)
check_unchanged(ab_before, ab, "ngram_counts: sentences")
assert type(counts) is dict, "ngram_counts: return a dict."
assert () in counts, "ngram_counts: the empty context () is missing; it belongs to every order."
check_close(
    counts[()],
    AB[()],
    "ngram_counts, worked number: counts[()]",
    hints={
        "The end mark is not counted: it is predicted like any symbol.": np.array([0, 2, 1, 0]),
        "Only one of the two sentences is there.": np.array([1, 1, 1, 0]),
    },
)
assert (4,) in counts, "ngram_counts: the start mark, number V, must occur as a context."
assert (0,) not in counts, "ngram_counts: nothing follows an end mark: sentences are separate."
assert (3,) not in counts, "ngram_counts: a context that never occurred has no entry."
check_close(counts, AB, "ngram_counts, worked number")
three = ngram_counts(ab, 3, 4)
assert (4, 1) in three, "ngram_counts, n = 3: (4, 1), first start then a, is missing. Oldest first?"
assert (4, 4) in three, "ngram_counts, n = 3: the first symbol's context is two start marks."
check_close(three[(4, 1)], np.array([1, 0, 1, 0]), "ngram_counts, n = 3: counts[(4, 1)]")
for length in range(3):
    total = sum(int(row.sum()) for context, row in three.items() if len(context) == length)
    assert total == 5, (
        f"ngram_counts, n = 3: contexts of length {length} count {total} symbols, but 5 are "
        "predicted (three letters and two ends)."
    )
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(201)
for V, n, lengths in [(5, 3, (6, 0, 4, 9)), (3, 1, (5, 2)), (4, 4, (1, 7, 3)), (7, 2, (12,))]:
    sentences = [rng.integers(1, V, size=T) for T in lengths]
    sentences_before = [sentence.copy() for sentence in sentences]
    got = ngram_counts(sentences, n, V)
    check_unchanged(sentences_before, sentences, "ngram_counts: sentences")
    followers = {}
    for sentence in sentences:
        line = (V,) * (n - 1) + tuple(sentence.tolist()) + (0,)
        for end in range(n, len(line) + 1):
            gram = line[end - n : end]
            for cut in range(n):
                followers.setdefault(gram[cut:-1], []).append(gram[-1])
    assert set(got) == set(followers), (
        f"ngram_counts, n = {n}: it has {len(got)} contexts, and they are not the right ones. "
        "Are an empty sentence and a sentence shorter than n treated like the others?"
    )
    for context, symbols in followers.items():
        want = np.bincount(symbols, minlength=V)
        check_close(got[context], want, f"ngram_counts, n = {n}: a context of {len(context)}")
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · Add δ
#
# *Easy, 10 minutes, about 4 lines, 8 points.*
#
# Pretend that every symbol followed the context $\delta$ times more than it did (Lidstone; with $\delta = 1$, Laplace):
#
# $$P_\delta(w \mid h) = \frac{c(hw) + \delta}{c(h) + \delta V} \tag{2.1}$$
#
# Kovashka's lecture shows the numerator; the denominator grows by $\delta$ for each of the $V$ symbols, so that the sum stays 1.
# A context without an entry has $c(hw) = 0$ for all $w$, and eq. 2.1 becomes the uniform distribution.
#
# *Worked number.* Running example, $h = (1)$, $\delta = \tfrac12$: the counts (1, 0, 1, 0) give (1.5, 0.5, 1.5, 0.5)/4.
#
# *Result.* The whole distribution, an array of shape (V,).
# $\delta$ must be positive; for anything else raise `ValueError`.


# %% tags=["exercise", "id:add-delta"]
def add_delta(counts: Counts, context: Context, delta: float, V: int) -> Float[Array, "V"]:
    """Return the distribution of the next symbol, every count raised by ``delta``.

    Source: eq. 2.1. Uniform after a context without an entry. Inputs are not modified.

    Raises:
        ValueError: ``delta`` is not positive.
    """
    ### BEGIN SOLUTION
    if not delta > 0:
        raise ValueError(f"add_delta: delta must be positive, got {delta}")
    row = counts.get(context, np.zeros(V))
    return (row + delta) / (row.sum() + delta * V)
    ### END SOLUTION


# %% tags=["test", "id:add-delta-test", "points:8"]
counts = {context: row.copy() for context, row in AB.items()}
check_close(
    add_delta(counts, (1,), 0.5, 4),
    np.array([1.5, 0.5, 1.5, 0.5]) / 4,
    "add_delta, worked number",
    hints={
        "The denominator must grow as well, by delta times V.": np.array([1.5, 0.5, 1.5, 0.5]) / 2,
        "The denominator grows by delta for each of the V symbols.": (
            np.array([1.5, 0.5, 1.5, 0.5]) / 2.5
        ),
        "V is the size of the vocabulary, not the number of symbols seen.": (
            np.array([1.5, 0.5, 1.5, 0.5]) / 3
        ),
    },
)
check_unchanged(AB, counts, "add_delta: counts")
check_close(add_delta(counts, (3,), 0.5, 4), np.full(4, 0.25), "add_delta: a context without entry")
assert (3,) not in counts, "add_delta: it must not add contexts to counts."
check_close(add_delta(counts, (), 1.0, 4), np.array([3, 3, 2, 1]) / 9, "add_delta: no context")
check_raises(ValueError, add_delta, counts, (1,), 0.0, 4, when="delta is 0")
check_raises(ValueError, add_delta, counts, (1,), -0.5, 4, when="delta is negative")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(202)
for V, n in [(5, 3), (8, 2)]:
    counts = random_counts(V, n, rng)
    before = {context: row.copy() for context, row in counts.items()}
    known = [list(counts)[i] for i in rng.integers(len(counts), size=6)]
    for context in [(), *known, (V,) * (n + 3)]:
        for delta in (1e-3, 0.3, 1.0, 7.5):
            row = before.get(context, np.zeros(V, dtype=int))
            share = row.sum() / (row.sum() + delta * V)
            mle = row / max(row.sum(), 1)
            expected = share * mle + (1 - share) / V
            kind = "a known context" if context in before else "a context without entry"
            got = add_delta(counts, context, delta, V)
            check_close(got, expected, f"add_delta: {kind}, delta = {delta:g}", 1e-12)
    assert set(before) == set(counts), "add_delta: it must not add contexts to counts."
    check_unchanged(before, counts, "add_delta: counts")
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · Backoff
#
# *Hard, 40 minutes, about 14 lines, 14 points.*
#
# Three rules go by this name; chapter 2 compares them.
# Here it means *Katz backoff with absolute discounting*, and it is a distribution (the "stupid backoff" of Brants et al. is not).
# Every seen count gives up a discount $0 < D < 1$, and what is left over goes to the unseen symbols, in the proportions of the shorter context:
#
# $$P(w \mid h) = \begin{cases} \bigl(c(hw) - D\bigr) / c(h) & \text{if } c(hw) > 0 \\ a(h)\, P(w \mid h') & \text{otherwise} \end{cases} \qquad a(h) = \frac{D\, N(h) / c(h)}{\sum_{w:\, c(hw) = 0} P(w \mid h')} \tag{2.2}$$
#
# The formula needs three more rules to be complete:
#
# 1. a context without an entry passes everything on: $P(w \mid h) = P(w \mid h')$;
# 2. below the empty context stands the uniform distribution, so for $h = ()$ read $P(w \mid h') = 1/V$;
# 3. if *all* $V$ symbols followed $h$, there is nobody to give to: no discount is taken, $P(w \mid h) = c(hw)/c(h)$.
#
# *Worked number.* Running example, $D = \tfrac12$. The empty context: counts (2, 2, 1, 0), so the seen symbols get (1.5, 1.5, 0.5)/5 = (0.3, 0.3, 0.1), and the 0.3 left over goes to c, the only unseen one.
# Then $h = (2)$, counts (1, 0, 0, 0): the end gets $0.5/1$; the other 0.5 goes to a, b, c in the proportions 0.3 : 0.1 : 0.3, that is $\tfrac{0.5}{0.7}$ times (0.3, 0.1, 0.3).
#
# *Hint.* The function may call itself with `context[1:]`.


# %% tags=["exercise", "id:backoff"]
def backoff(counts: Counts, context: Context, D: float, V: int) -> Float[Array, "V"]:
    """Return the distribution of the next symbol by Katz backoff with absolute discounting.

    Source: Katz (1987) for the form, Ney, Essen and Kneser (1994) for the discount; eq. 2.2 and
    rules 1 to 3. Sums to 1. ``context`` may have any length. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    shorter = backoff(counts, context[1:], D, V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    seen = row > 0
    if seen.all():
        return row / row.sum()
    left_over = D * seen.sum() / row.sum()
    weight = left_over / shorter[~seen].sum()
    return np.where(seen, (row - D) / row.sum(), weight * shorter)
    ### END SOLUTION


# %% tags=["test", "id:backoff-test", "points:14"]
counts = {context: row.copy() for context, row in AB.items()}
check_close(
    backoff(counts, (), 0.5, 4),
    np.array([0.3, 0.3, 0.1, 0.3]),
    "backoff, worked number: the empty context",
    hints={
        "The discount is taken, but nobody receives it.": np.array([0.3, 0.3, 0.1, 0.0]),
        "No discount is taken from the seen symbols.": np.array([0.4, 0.4, 0.2, 0.0]),
        "The left-over mass goes to all symbols; that is interpolation, not backoff.": (
            np.array([0.375, 0.375, 0.175, 0.075])
        ),
    },
)
lower = np.array([0.3, 0.3, 0.1, 0.3])
check_close(
    backoff(counts, (2,), 0.5, 4),
    np.array([0.5, 0.15 / 0.7, 0.05 / 0.7, 0.15 / 0.7]),
    "backoff, worked number: h = (2)",
    hints={
        "The weight a(h) must be divided by the shorter context's mass of the unseen symbols.": (
            np.array([0.5, 0.15, 0.05, 0.15])
        ),
        "The left-over mass is shared equally: use the proportions of the shorter context.": (
            np.array([0.5, 0.5 / 3, 0.5 / 3, 0.5 / 3])
        ),
        "The left-over mass goes to all symbols; that is interpolation, not backoff.": (
            np.array([0.5, 0.0, 0.0, 0.0]) + 0.5 * lower
        ),
        "This is stupid backoff, with D for the factor: it does not sum to 1.": (
            np.array([1.0, 0.2, 0.1, 0.0])
        ),
    },
)
check_close(backoff(counts, (3,), 0.5, 4), lower, "backoff, rule 1: a context without entry")
check_close(backoff(counts, (3, 2), 0.5, 4), backoff(counts, (2,), 0.5, 4), "backoff, rule 1")
check_close(backoff({}, (1, 2), 0.5, 4), np.full(4, 0.25), "backoff: no counts at all")
full = {(): np.array([1, 2, 5])}
check_close(
    backoff(full, (), 0.5, 3),
    np.array([1, 2, 5]) / 8,
    "backoff, rule 3: all symbols were seen",
    hints={"Taken from all and given to nobody: no discount here.": np.array([0.5, 1.5, 4.5]) / 8},
)
check_unchanged(AB, counts, "backoff: counts")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(203)
for V, n in [(4, 3), (6, 2), (3, 4)]:
    counts = random_counts(V, n, rng)
    counts[(1,)] = rng.integers(1, 6, size=V)  # rule 3 above the empty context
    before = {context: row.copy() for context, row in counts.items()}
    for number in range(14):
        context = tuple(rng.integers(V + 1, size=n - 1).tolist())
        if number == 0:
            context = (2,) * (n - 2) + (1,)
        D = float(rng.uniform(0.1, 0.9))
        expected = np.full(V, 1 / V)
        for start in range(len(context), -1, -1):
            row = before.get(context[start:])
            if row is None:
                continue
            p = np.zeros(V)
            receivers = [w for w in range(V) if row[w] == 0]
            for w in range(V):
                if row[w] > 0:
                    p[w] = (row[w] - (D if receivers else 0)) / row.sum()
            rest, mass = 1 - p.sum(), sum(expected[w] for w in receivers)
            for w in receivers:
                p[w] = rest * expected[w] / mass
            expected = p
        got = backoff(counts, context, D, V)
        check_shape(got, (V,), "backoff", axes="V")
        assert abs(got.sum() - 1) < 1e-9, (
            "backoff: a distribution does not sum to 1. Check a(h), and rule 3 for every context."
        )
        check_close(got, expected, f"backoff: a context of {len(context)} symbols", 1e-9)
    check_unchanged(before, counts, "backoff: counts")
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · Witten–Bell
#
# *Medium, 20 minutes, about 6 lines, 12 points.*
#
# How far is a context to be trusted?
# Witten and Bell (1991) look at how often it has surprised: among its $c(h)$ successors there were $N(h)$ that came for the first time.
# They give the shorter context the share $N(h)/(c(h) + N(h))$, for *every* symbol, seen or not (this is the interpolated form):
#
# $$P(w \mid h) = \frac{c(hw) + N(h)\, P(w \mid h')}{c(h) + N(h)} \tag{2.3}$$
#
# Rules 1 and 2 of part 3 hold here too: a context without an entry passes everything on, and below the empty context stands $1/V$.
#
# *Worked number.* Running example. The empty context: counts (2, 2, 1, 0), $c = 5$, $N = 3$, so a gets $(2 + 3 \cdot \tfrac14)/8 = 0.34375$, and all together (0.34375, 0.34375, 0.21875, 0.09375).
# Then $h = (2)$, counts (1, 0, 0, 0), $c = N = 1$: the end gets $(1 + 0.34375)/2 = 0.671875$, and the others one half of what they had.


# %% tags=["exercise", "id:witten-bell"]
def witten_bell(counts: Counts, context: Context, V: int) -> Float[Array, "V"]:
    """Return the distribution of the next symbol by interpolated Witten-Bell smoothing.

    Source: Witten and Bell (1991), method C; eq. 2.3. Sums to 1 and is positive everywhere.
    ``context`` may have any length. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    shorter = witten_bell(counts, context[1:], V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    types = np.count_nonzero(row)
    return (row + types * shorter) / (row.sum() + types)
    ### END SOLUTION


# %% tags=["test", "id:witten-bell-test", "points:12"]
counts = {context: row.copy() for context, row in AB.items()}
unigram = np.array([2.75, 2.75, 1.75, 0.75]) / 8
check_close(
    witten_bell(counts, (), 4),
    unigram,
    "witten_bell, worked number: the empty context",
    hints={
        "Below the empty context stands the uniform distribution.": np.array([2, 2, 1, 0]) / 5,
        "N(h) counts different symbols, not occurrences.": (np.array([2, 2, 1, 0]) + 1.25) / 10,
        "The denominator is c(h) + N(h).": np.array([2.75, 2.75, 1.75, 0.75]) / 5,
    },
)
check_close(
    witten_bell(counts, (2,), 4),
    np.array([0.5, 0, 0, 0]) + unigram / 2,
    "witten_bell, worked number: h = (2)",
    hints={
        "The shorter context contributes to seen symbols as well, eq. 2.3.": (
            np.array([0.5, *unigram[1:] / 2])
        ),
        "It mixes with the uniform distribution; h' is the context without its oldest symbol.": (
            np.array([0.5, 0, 0, 0]) + 0.125
        ),
        "It mixes with the relative frequencies of h', which are not smoothed.": (
            np.array([0.5, 0, 0, 0]) + np.array([2, 2, 1, 0]) / 10
        ),
    },
)
check_close(witten_bell(counts, (3,), 4), unigram, "witten_bell: a context without entry")
check_close(
    witten_bell(counts, (1, 3, 2), 4),
    witten_bell(counts, (2,), 4),
    "witten_bell: a long context of which only the last symbol is known",
    hints={"h' is h without its oldest symbol: context[1:].": witten_bell(counts, (1,), 4)},
)
check_close(witten_bell({}, (1, 2), 4), np.full(4, 0.25), "witten_bell: no counts at all")
check_unchanged(AB, counts, "witten_bell: counts")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(204)
for V, n in [(4, 3), (6, 2), (3, 4)]:
    counts = random_counts(V, n, rng)
    before = {context: row.copy() for context, row in counts.items()}
    for _ in range(14):
        context = tuple(rng.integers(V + 1, size=n - 1).tolist())
        expected = np.full(V, 1 / V)
        for start in range(len(context), -1, -1):
            row = before.get(context[start:])
            if row is not None:
                surprise = (row > 0).sum() / (row.sum() + (row > 0).sum())
                expected = (1 - surprise) * row / row.sum() + surprise * expected
        got = witten_bell(counts, context, V)
        check_close(got, expected, f"witten_bell: a context of {len(context)} symbols", 1e-10)
    check_unchanged(before, counts, "witten_bell: counts")
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · The probability of a sentence
#
# *Easy, 15 minutes, about 7 lines, 8 points.*
#
# The chain rule with contexts of $n-1$ symbols, as a sum of logarithms, since the product of many probabilities underflows:
#
# $$\log P(w_1, \dots, w_T) = \sum_{t=1}^{T+1} \log P(w_t \mid w_{t-n+1}, \dots, w_{t-1}), \qquad w_{T+1} = \texttt{<eos>}, \quad w_0 = w_{-1} = \dots = \texttt{<bos>} \tag{2.4}$$
#
# `model` is any function from a context, a tuple of exactly $n-1$ symbols, to an array of $V$ probabilities.
# Call it with the contexts in order, once for each predicted symbol.
# A symbol of probability 0 makes the result $-\infty$, without an exception (numpy's `np.log(0)` is $-\infty$, with a warning that you may silence; `math.log(0)` raises).
#
# *Worked number.* If every symbol always has probability ¼, a sentence of three letters has log-probability $4 \log \tfrac14 \approx -5.545$: the end is predicted too.


# %% tags=["exercise", "id:sentence-log-prob"]
def sentence_log_prob(model: Model, sentence: Int[Array, "T"], n: int, V: int) -> float:
    """Return the natural logarithm of the probability of a sentence and its end.

    Source: eq. 2.4. ``model`` is asked with tuples of n - 1 symbols; the start mark is number V.
    Minus infinity where a symbol has probability 0. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    padded = [V] * (n - 1) + [int(w) for w in sentence] + [EOS]
    total = 0.0
    for place in range(n - 1, len(padded)):
        p = model(tuple(padded[place - n + 1 : place]))[padded[place]]
        total += np.log(p) if p > 0 else -np.inf
    return float(total)
    ### END SOLUTION


# %% tags=["test", "id:sentence-log-prob-test", "points:8"]
check_close(
    sentence_log_prob(lambda context: np.full(4, 0.25), np.array([1, 3, 2]), 1, 4),
    4 * np.log(0.25),
    "sentence_log_prob, worked number",
    hints={
        "The end mark is not scored.": 3 * np.log(0.25),
        "That is in bits: use the natural logarithm.": -8.0,
        "That is the probability, not its logarithm.": 0.25**4,
        "That is a mean: eq. 2.4 is a sum.": np.log(0.25),
        "The sign is turned round: eq. 2.4 has no minus.": -4 * np.log(0.25),
    },
)
asked = []
rows = np.random.default_rng(21).dirichlet(np.ones(4), size=5)  # one for each last symbol


def last_symbol(context):
    asked.append(tuple(int(w) for w in context))
    return rows[context[-1]]


sentence = np.array([2, 1, 3])
got = sentence_log_prob(last_symbol, sentence, 3, 4)
right = [(4, 4), (4, 2), (2, 1), (1, 3)]
assert asked == right, (
    f"sentence_log_prob, n = 3, sentence (2, 1, 3): it asks for {asked}; the contexts are {right}."
)
expected = np.log([rows[4][2], rows[2][1], rows[1][3], rows[3][0]]).sum()
check_close(got, expected, "sentence_log_prob: a model that looks at the last symbol")
check_unchanged(np.array([2, 1, 3]), sentence, "sentence_log_prob: sentence")
never = sentence_log_prob(lambda context: np.array([0.5, 0.5, 0.0, 0.0]), np.array([1, 2]), 2, 4)
assert never == -np.inf, "sentence_log_prob: a symbol of probability 0 must give minus infinity."
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(205)
for V, n, T in [(5, 2, 8), (3, 4, 2), (6, 1, 5), (4, 3, 0)]:
    sentence, keys, answers = rng.integers(1, V, size=T), [], []

    def fresh(context, keys=keys, answers=answers, V=V):
        keys.append(tuple(int(w) for w in context))
        answers.append(rng.dirichlet(np.ones(V)))
        return answers[-1]

    got = sentence_log_prob(fresh, sentence, n, V)
    line = [V] * (n - 1) + sentence.tolist() + [0]
    right = [tuple(line[i : i + n - 1]) for i in range(T + 1)]
    assert keys == right, (
        f"sentence_log_prob, n = {n}, {T} symbols: the model was not asked, in order, for the "
        "context of every symbol and of the end."
    )
    targets = [*sentence.tolist(), 0]
    expected = sum(np.log(p[w]) for p, w in zip(answers, targets, strict=True))
    check_close(got, float(expected), f"sentence_log_prob: n = {n}, {T} symbols", 1e-10)
long = np.ones(400, dtype=int)
got = sentence_log_prob(lambda context: np.array([0.9, 0.05, 0.05]), long, 1, 3)
check_close(got, 400 * np.log(0.05) + np.log(0.9), "sentence_log_prob: 400 symbols (underflow?)")
### END HIDDEN TESTS


# %% [markdown]
# ## 6 · Perplexity
#
# *Easy, 10 minutes, about 4 lines, 8 points.*
#
# The exponential of the cross-entropy, where the mean runs over *all* predicted symbols of all sentences, the end marks included:
#
# $$\mathrm{PPL} = \exp\Bigl( -\frac{\sum_s \log P(\text{sentence}_s)}{\sum_s (T_s + 1)} \Bigr) \tag{2.5}$$
#
# It is not the mean of the sentences' perplexities: in that, a short sentence would weigh as much as a long one.
#
# *Worked number.* A model that gives every symbol ¼ has perplexity 4 on any text.
#
# An empty list has no perplexity: raise `ValueError`. A sentence of probability 0 makes it infinite.


# %% tags=["exercise", "id:perplexity"]
def perplexity(model: Model, sentences: list[Int[Array, "T"]], n: int, V: int) -> float:
    """Return the perplexity of ``model`` on ``sentences``; bits a symbol are its log2.

    Source: eq. 2.5. Infinite where a symbol has probability 0. Inputs are not modified.

    Raises:
        ValueError: there are no sentences.
    """
    ### BEGIN SOLUTION
    if not sentences:
        raise ValueError("perplexity: there are no sentences")
    total = sum(sentence_log_prob(model, sentence, n, V) for sentence in sentences)
    return float(np.exp(-total / sum(len(sentence) + 1 for sentence in sentences)))
    ### END SOLUTION


# %% tags=["test", "id:perplexity-test", "points:8"]
text = [np.array([1, 3, 2]), np.array([2])]
check_close(
    perplexity(lambda context: np.full(4, 0.25), text, 2, 4),
    4.0,
    "perplexity, worked number",
    hints={
        "The end marks are scored but not counted.": 4.0 ** (6 / 4),
        "That is the cross-entropy: take its exponential.": np.log(4),
        "That is the cross-entropy in bits: perplexity is 2 to that power.": 2.0,
        "The sum is not divided by the number of symbols.": 4.0**6,
        "It is divided by the number of sentences, not of symbols.": 4.0**3,
        "The sign is turned round.": 0.25,
    },
)
p = np.array([0.1, 0.6, 0.2, 0.1])
each = [np.log(p[[1, 3, 2, 0]]), np.log(p[[2, 0]])]
check_close(
    perplexity(lambda context: p, text, 1, 4),
    np.exp(-np.concatenate(each).mean()),
    "perplexity: a unigram model on two sentences",
    hints={
        "That is the mean of the sentences' perplexities, see below eq. 2.5.": (
            np.mean([np.exp(-logs.mean()) for logs in each])
        ),
        "Each sentence was averaged first; weigh all symbols alike.": (
            np.exp(-np.mean([logs.mean() for logs in each]))
        ),
    },
)
certain = perplexity(lambda context: np.array([0.5, 0.5, 0.0, 0.0]), text, 2, 4)
assert certain == np.inf, "perplexity: a symbol of probability 0 must make it infinite."
check_raises(ValueError, perplexity, lambda context: p, [], 1, 4, when="there are no sentences")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(206)
for V, lengths in [(5, (9, 1, 4)), (3, (0, 6)), (7, (2, 3, 2, 5))]:
    table = rng.dirichlet(np.ones(V), size=V + 1)
    sentences = [rng.integers(1, V, size=T) for T in lengths]
    logs = []
    for sentence in sentences:
        line = [V, *sentence.tolist(), 0]
        logs += [np.log(table[a, b]) for a, b in pairwise(line)]
    got = perplexity(lambda context, table=table: table[context[-1]], sentences, 2, V)
    check_close(got, float(np.exp(-np.mean(logs))), f"perplexity: {len(lengths)} sentences", 1e-9)
sure = np.array([1.0, 0.0, 0.0])
got = perplexity(lambda context: sure, [np.array([], dtype=int)], 1, 3)
check_close(got, 1.0, "perplexity: a model that is sure and right")
### END HIDDEN TESTS


# %% [markdown]
# ## 7 · Let it write
#
# *Easy, 15 minutes, about 8 lines, 8 points.*
#
# Start with $n-1$ start marks; ask the model; draw the next symbol from its answer; move on.
# Stop when the end mark is drawn, or when there are `max_length` symbols.
# The result holds the symbols without any marks, as an int64 array (an empty one, of the same type, if the end was drawn at once).
#
# All randomness must come from `rng`, a `np.random.Generator`, so that the same seed writes the same text.
# `rng.choice(V, p=p)` draws from a distribution `p`.


# %% tags=["exercise", "id:sample-ngram"]
def sample_ngram(
    model: Model, n: int, V: int, rng: np.random.Generator, max_length: int = 100
) -> Int[Array, "T"]:
    """Return one sentence drawn from ``model``, without marks; at most ``max_length`` symbols.

    ``model`` is asked with tuples of n - 1 symbols. All randomness comes from ``rng``.
    """
    ### BEGIN SOLUTION
    padded = [V] * (n - 1)
    for _ in range(max_length):
        symbol = int(rng.choice(V, p=model(tuple(padded[len(padded) - n + 1 :]))))
        if symbol == EOS:
            break
        padded.append(symbol)
    return np.array(padded[n - 1 :], dtype=np.int64)
    ### END SOLUTION


# %% tags=["test", "id:sample-ngram-test", "points:8"]
certain = {(4, 4): 1, (4, 1): 2, (1, 2): 3, (2, 3): 0}  # an order-3 model that leaves no choice
asked = []


def one_way(context):
    context = tuple(int(w) for w in context)
    asked.append(context)
    assert context in certain, f"sample_ngram, n = 3: the context {context} cannot occur here."
    return np.eye(4)[certain[context]]


got = sample_ngram(one_way, 3, 4, np.random.default_rng(0))
check_close(
    got,
    np.array([1, 2, 3]),
    "sample_ngram: a model that leaves no choice",
    hints={"The end mark does not belong to the result.": np.array([1, 2, 3, 0])},
)
assert asked == list(certain), "sample_ngram: ask once for every symbol, the end included."
got = sample_ngram(one_way, 3, 4, np.random.default_rng(0), max_length=2)
check_close(got, np.array([1, 2]), "sample_ngram: max_length = 2")
at_once = sample_ngram(lambda context: np.eye(4)[0], 2, 4, np.random.default_rng(0))
check_close(at_once, np.array([], dtype=np.int64), "sample_ngram: the end is drawn at once")
even = [
    sample_ngram(lambda context: np.array([0.02, 0.49, 0.49]), 1, 3, np.random.default_rng(seed))
    for seed in (5, 5, 6)
]
assert np.array_equal(even[0], even[1]), "sample_ngram: the same seed must write the same text."
assert not np.array_equal(even[0], even[2]), "sample_ngram: another seed, and the same text: draw."
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(207)
p = np.array([0.0, 0.5, 0.3, 0.15, 0.05])
got = sample_ngram(lambda context: p, 1, 5, rng, max_length=1200)
check_shape(got, (1200,), "sample_ngram: a model that never ends, max_length = 1200")
share = np.bincount(got, minlength=5) / 1200
tolerance = 5 * np.sqrt(p * (1 - p) / 1200) + 1e-9
assert (np.abs(share - p) < tolerance).all(), (
    "sample_ngram: over 1200 draws the symbols' shares are far from their probabilities. "
    "Draw from p; do not take the most probable symbol, nor all with the same probability."
)
trail = []


def remember(context):
    trail.append(tuple(int(w) for w in context))
    return np.array([0.0, 0.4, 0.3, 0.3])


for n in (1, 2, 4):
    trail.clear()
    got = sample_ngram(remember, n, 4, rng, max_length=9)
    line = [4] * (n - 1) + got.tolist()
    want = [tuple(line[i : i + n - 1]) for i in range(9)]
    assert trail == want, f"sample_ngram, n = {n}: it asks for other contexts than the last n - 1."
lengths = [len(sample_ngram(lambda c: np.array([0.5, 0.5]), 1, 2, rng)) for _ in range(200)]
assert 0.5 < np.mean(lengths) < 1.6, (
    "sample_ngram: with P(end) = 1/2 the mean length must be near 1."
)
### END HIDDEN TESTS


# %% [markdown]
# ### Real text
#
# Your functions on 40,000 characters of English, with each paragraph as a sentence.
# (The text comes with Python and differs a little from version to version, so nothing here is graded.)

# %%
from unrolled.data import text as real

V = len(real.ALPHABET)  # its first character is the newline, number 0: our end mark
number = {character: i for i, character in enumerate(real.ALPHABET)}


def paragraphs(part, characters):
    return [np.array([number[c] for c in line]) for line in part[:characters].splitlines()]


corpus = real.load()
read, held_out = paragraphs(corpus.train, 40_000), paragraphs(corpus.test, 2_000)
for n in (2, 3, 4, 5):
    counts = ngram_counts(read, n, V)
    models = {
        "add 0.02": lambda context, counts=counts: add_delta(counts, context, 0.02, V),
        "backoff": lambda context, counts=counts: backoff(counts, context, 0.6, V),
        "Witten-Bell": lambda context, counts=counts: witten_bell(counts, context, V),
    }
    scores = {name: perplexity(model, held_out, n, V) for name, model in models.items()}
    print(f"n = {n}:", *(f"{name} {np.log2(score):.2f} bits  " for name, score in scores.items()))
rng = np.random.default_rng(1)
for _ in range(3):
    written = sample_ngram(models["Witten-Bell"], 5, V, rng, max_length=150)
    print("-", "".join(real.ALPHABET[i] for i in written))

# %% [markdown]
# ## 8 · A network with a window: forward
#
# *Easy, 15 minutes, about 5 lines, 8 points.*
#
# The model of Bengio et al. (2003), in the form of Kovashka's lecture. For a window of $m = n - 1$ symbols $u_1, \dots, u_m$, oldest first:
#
# $$x = [\,W_e[u_1]; \dots; W_e[u_m]\,], \qquad h = \tanh(x W_{xh} + b_h), \qquad o = h W_{hy} + b_y \tag{2.6}$$
#
# The embedding table has $V + 1$ rows, because the start mark, number $V$, occurs in windows; the output has $V$ columns, because it is never predicted.
#
# *Shapes.* `contexts` (B, m) integers; `W_e` (V+1, E), `W_xh` (m E, H), `b_h` (H,), `W_hy` (H, V), `b_y` (V,). Results: `x` (B, m E), `h` (B, H), `logits` (B, V).
#
# *Worked number.* Let the rows of $W_e$ be (1, 2), (3, 4), (5, 6), (7, 8), so that $V = 3$. The window (3, 0), a start mark and an end mark, gives $x = (7, 8, 1, 2)$.
# With $h = \tanh(0.1\,(x_1 + x_4) - 0.5,\ 0.1\,x_2 + 0.1)$ the hidden layer is $\tanh(0.4, 0.9)$.


# %% tags=["setup"]
def init_params(V: int, m: int, E: int, H: int, rng: np.random.Generator) -> Params:
    """Return random parameters; the biases are not zero, so that a forgotten one is noticed."""
    return {
        "W_e": rng.normal(size=(V + 1, E)),
        "W_xh": rng.normal(size=(m * E, H)) / np.sqrt(m * E),
        "b_h": rng.normal(size=H) / 5,
        "W_hy": rng.normal(size=(H, V)) / np.sqrt(H),
        "b_y": rng.normal(size=V) / 5,
    }


def cross_entropy(logits: Float[Array, "B V"], targets: Int[Array, "B"]) -> float:
    """Return the mean of -log softmax(logits)[target] over the batch."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return float(-log_p[np.arange(len(targets)), targets].mean())


# %% tags=["exercise", "id:window-lm-forward"]
def window_lm_forward(
    contexts: Int[Array, "B m"], params: Params
) -> tuple[Float[Array, "B mE"], Float[Array, "B H"], Float[Array, "B V"]]:
    """Return the joined embeddings, the hidden layer and the logits of a batch of windows.

    Source: Bengio et al. (2003) without direct connections; eq. 2.6. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    x = params["W_e"][contexts].reshape(len(contexts), -1)  # (B m E) -> (B mE)
    h = np.tanh(x @ params["W_xh"] + params["b_h"])
    return x, h, h @ params["W_hy"] + params["b_y"]
    ### END SOLUTION


# %% tags=["test", "id:window-lm-forward-test", "points:8"]
small = {
    "W_e": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]),
    "W_xh": np.array([[0.1, 0.0], [0.0, 0.1], [0.0, 0.0], [0.1, 0.0]]),
    "b_h": np.array([-0.5, 0.1]),
    "W_hy": np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]]),
    "b_y": np.array([0.5, 0.0, 0.0]),
}
contexts = np.array([[3, 0], [1, 2]])
contexts_before = contexts.copy()
got = window_lm_forward(contexts, small)
check_unchanged(contexts_before, contexts, "window_lm_forward: contexts")
assert type(got) is tuple and len(got) == 3, "window_lm_forward: return x, h, logits."
check_close(
    got[0],
    np.array([[7.0, 8.0, 1.0, 2.0], [3.0, 4.0, 5.0, 6.0]]),
    "window_lm_forward, worked number: x",
    hints={
        "The window is joined newest first.": np.array([[1.0, 2, 7, 8], [5.0, 6, 3, 4]]),
        "Place and embedding are interleaved: join whole vectors, one after the other.": (
            np.array([[7.0, 1, 8, 2], [3.0, 5, 4, 6]])
        ),
        "Windows of the batch are mixed: the batch axis must stay first in the reshape.": (
            np.array([[7.0, 8, 3, 4], [1.0, 2, 5, 6]])
        ),
    },
    axes="B mE",
)
z = np.array([[0.4, 0.9], [0.4, 0.5]])
check_close(
    got[1],
    np.tanh(z),
    "window_lm_forward, worked number: h",
    hints={
        "The bias b_h is missing.": np.tanh(z - small["b_h"]),
        "The tanh is missing.": z,
        "That is the logistic function, not tanh.": 1 / (1 + np.exp(-z)),
    },
    axes="B H",
)
(p, q), (r, s) = np.tanh(z)
scores = np.array([[p + 0.5, q, 2 * p - q], [r + 0.5, s, 2 * r - s]])
check_close(
    got[2],
    scores,
    "window_lm_forward, worked number: logits",
    hints={
        "The bias b_y is missing.": scores - small["b_y"],
        "Logits are scores: the softmax comes later.": (
            np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        ),
    },
    axes="B V",
)
params = init_params(V=6, m=3, E=2, H=5, rng=np.random.default_rng(28))
x, h, logits = window_lm_forward(np.array([[6, 6, 2], [6, 2, 5], [2, 5, 5], [0, 1, 2]]), params)
for value, shape, name in [(x, (4, 6), "x"), (h, (4, 5), "h"), (logits, (4, 6), "logits")]:
    check_shape(value, shape, f"window_lm_forward, B=4, V=6, m=3, E=2, H=5: {name}")
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(208)
for B, V, m, E, H in [(7, 4, 2, 3, 6), (1, 9, 4, 5, 2), (5, 3, 1, 2, 4), (3, 5, 3, 1, 7)]:
    params = init_params(V, m, E, H, rng)
    contexts = rng.integers(V + 1, size=(B, m))
    contexts_before = contexts.copy()
    params_before = {key: value.copy() for key, value in params.items()}
    got = window_lm_forward(contexts, params)
    check_unchanged(contexts_before, contexts, "window_lm_forward: contexts")
    check_unchanged(params_before, params, "window_lm_forward: params")
    p = {key: torch.tensor(value) for key, value in params.items()}
    x = torch.nn.functional.embedding(torch.tensor(contexts), p["W_e"]).flatten(1)
    h = torch.tanh(torch.nn.functional.linear(x, p["W_xh"].T, p["b_h"]))
    logits = torch.nn.functional.linear(h, p["W_hy"].T, p["b_y"])
    label = f"window_lm_forward, a window of {m}: "
    assert type(got) is tuple and len(got) == 3, "window_lm_forward: return x, h, logits."
    for value, want, name in zip(got, (x, h, logits), ("x", "h", "logits"), strict=True):
        check_close(value, want.numpy(), label + name, 1e-10, 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ## 9 · A network with a window: backward
#
# *Medium, 40 minutes, about 14 lines, 14 points.*
#
# The loss is the mean cross-entropy over the batch, $\mathcal{L} = -\frac1B \sum_b \log \mathrm{softmax}(o^{(b)})[y^{(b)}]$.
# Write $\bar v$ for $\partial \mathcal{L} / \partial v$. Chapter 2 derives, for one window:
#
# $$\bar o = \tfrac1B (p - \mathbf 1_y), \qquad \bar h = \bar o\, W_{hy}^\top, \qquad \bar z = \bar h \odot (1 - h^2), \qquad \bar x = \bar z\, W_{xh}^\top \tag{2.7}$$
#
# $$\bar W_{hy} = h^\top \bar o, \qquad \bar b_y = \bar o, \qquad \bar W_{xh} = x^\top \bar z, \qquad \bar b_h = \bar z \tag{2.8}$$
#
# Every parameter is used by all windows of the batch, so its gradient is the sum over them: the matrix products add by themselves, the biases must be told.
# The embedding table is used once at every place of every window: cut $\bar x$ into $m$ pieces, and add each to the row that was looked up there.
#
# *Watch out.* In numpy `table[contexts] += pieces` keeps only one piece for a symbol that occurs several times; `np.add.at(table, contexts, pieces)` adds them all.
# And `np.exp(1000)` is infinite: subtract each row's largest logit first, which does not change the softmax.
#
# *Result.* The loss, a number, and a dict of gradients with the keys and shapes of `params`.
#
# *Worked number.* With $W_{hy} = 0$ and $b_y = 0$ every prediction is uniform: the loss is $\log V$, nothing depends on the hidden layer, so the gradients of `W_e`, `W_xh` and `b_h` are exactly zero, and $\bar b_y$ is $1/V$ minus the share of each symbol among the targets.


# %% tags=["exercise", "id:window-lm-backward"]
def window_lm_backward(
    contexts: Int[Array, "B m"], targets: Int[Array, "B"], params: Params
) -> tuple[float, Params]:
    """Return the mean cross-entropy of a batch and its gradients, keys and shapes of ``params``.

    Source: eqs. 2.7 and 2.8. Finite for logits of any size. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    B, m = contexts.shape
    x, h, logits = window_lm_forward(contexts, params)
    d_o = np.exp(logits - logits.max(axis=1, keepdims=True))
    d_o /= d_o.sum(axis=1, keepdims=True)
    d_o[np.arange(B), targets] -= 1
    d_o /= B
    d_z = (d_o @ params["W_hy"].T) * (1 - h**2)
    grads = {"W_hy": h.T @ d_o, "b_y": d_o.sum(axis=0), "W_xh": x.T @ d_z, "b_h": d_z.sum(axis=0)}
    grads["W_e"] = np.zeros_like(params["W_e"])
    np.add.at(grads["W_e"], contexts, (d_z @ params["W_xh"].T).reshape(B, m, -1))
    return cross_entropy(logits, targets), grads
    ### END SOLUTION


# %% tags=["test", "id:window-lm-backward-test", "points:14"]
rng = np.random.default_rng(29)
params = init_params(V=4, m=2, E=2, H=3, rng=rng)
uniform = params | {"W_hy": np.zeros((3, 4)), "b_y": np.zeros(4)}
contexts, targets = np.array([[4, 4], [4, 1], [1, 2], [2, 2]]), np.array([1, 2, 2, 0])
got = window_lm_backward(contexts, targets, uniform)
assert type(got) is tuple and len(got) == 2, "window_lm_backward: return the loss and grads."
loss, grads = got
check_close(
    loss,
    np.log(4),
    "window_lm_backward, worked number: the loss",
    hints={"That is the sum over the batch, not the mean.": 4 * np.log(4)},
)
assert set(grads) == set(params), f"window_lm_backward: the keys of grads are {sorted(grads)}."
share = np.array([0.25, 0.25, 0.5, 0.0])
check_close(
    grads["b_y"],
    0.25 - share,
    "window_lm_backward, worked number: grads['b_y']",
    hints={
        "It is the gradient of the sum, not of the mean: divide by B.": 1 - 4 * share,
        "The targets are not subtracted.": np.full(4, 0.25),
        "Predicted minus true, not true minus predicted.": share - 0.25,
    },
)
for key in ["W_e", "W_xh", "b_h"]:
    check_close(grads[key], 0 * params[key], f"window_lm_backward, worked: grads[{key!r}]")

contexts = np.array([[6, 6, 2], [6, 2, 5], [2, 5, 2], [5, 2, 3], [0, 4, 4]])  # 1 is never read
targets = np.array([5, 2, 3, 0, 4])
params = init_params(V=6, m=3, E=2, H=4, rng=rng)
params_before = {key: value.copy() for key, value in params.items()}
contexts_before, targets_before = contexts.copy(), targets.copy()
loss, grads = window_lm_backward(contexts, targets, params)
check_unchanged(params_before, params, "window_lm_backward: params")
check_unchanged(contexts_before, contexts, "window_lm_backward: contexts")
check_unchanged(targets_before, targets, "window_lm_backward: targets")
right_loss = cross_entropy(window_lm_forward(contexts, params)[2], targets)
check_close(loss, right_loss, "window_lm_backward: the loss (of the logits of your forward pass)")


def last_use(W_e):
    """The loss when a row of the table matters only where it is looked up for the last time."""
    vectors = params["W_e"][contexts]
    for symbol, place in {s: place for place, s in np.ndenumerate(contexts)}.items():
        vectors[place] = W_e[symbol]
    h = np.tanh(vectors.reshape(5, 6) @ params["W_xh"] + params["b_h"])
    return cross_entropy(h @ params["W_hy"] + params["b_y"], targets)


again = "A symbol that is looked up again overwrites its row: see np.add.at."
for key in params:
    check_gradient(
        grads[key],
        lambda value, key=key: cross_entropy(
            window_lm_forward(contexts, params | {key: value})[2], targets
        ),
        params[key],
        f"window_lm_backward: grads[{key!r}]",
        hints={again: last_use} if key == "W_e" else None,
    )
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(209)
for B, V, m, E, H, scale in [(8, 4, 2, 3, 5, 1.0), (1, 7, 4, 2, 3, 1.0), (6, 3, 3, 4, 2, 300.0)]:
    params = init_params(V, m, E, H, rng)
    params["W_hy"] = scale * params["W_hy"]
    contexts, targets = rng.integers(V + 1, size=(B, m)), rng.integers(V, size=B)
    contexts[-1, -1] = contexts[0, 0]
    given = {"contexts": contexts, "targets": targets}
    before = {key: value.copy() for key, value in given.items()}
    params_before = {key: value.copy() for key, value in params.items()}
    got = window_lm_backward(contexts, targets, params)
    check_unchanged(before, given, "window_lm_backward: its argument")
    check_unchanged(params_before, params, "window_lm_backward: params")
    p = {key: torch.tensor(value, requires_grad=True) for key, value in params.items()}
    x = torch.nn.functional.embedding(torch.tensor(contexts), p["W_e"]).flatten(1)
    logits = torch.tanh(x @ p["W_xh"] + p["b_h"]) @ p["W_hy"] + p["b_y"]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(targets))
    loss.backward()
    label = f"window_lm_backward, a window of {m}" + (", large logits" if scale > 1 else "")
    check_close(got[0], loss.item(), label + ": the loss", 1e-9)
    expected = {key: leaf.grad.numpy() for key, leaf in p.items()}
    check_close(got[1], expected, label + ": grads", 1e-9, 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ### Train it
#
# Plain gradient descent with your gradients, on the same 40,000 characters and the same held-out text as above.
# A few seconds are not enough to catch up with Witten–Bell; chapter 2 measures how the race goes on.

# %%
V, m, rng = len(real.ALPHABET), 4, np.random.default_rng(3)


def windows(sentences):
    padded = [[V] * m + sentence.tolist() + [EOS] for sentence in sentences]
    pairs = [(line[i : i + m], line[i + m]) for line in padded for i in range(len(line) - m)]
    return np.array([window for window, _ in pairs]), np.array([symbol for _, symbol in pairs])


contexts, targets = windows(read)
new_contexts, new_targets = windows(held_out)
params = init_params(V, m, E=12, H=64, rng=rng)
for update in range(2001):
    if update % 500 == 0:
        bits = cross_entropy(window_lm_forward(new_contexts, params)[2], new_targets) / np.log(2)
        print(f"update {update:4}: {bits:.2f} bits a character on held-out text")
    rows = rng.integers(len(targets), size=64)
    loss, grads = window_lm_backward(contexts[rows], targets[rows], params)
    params = {key: params[key] - 0.5 * (1 - update / 2500) * grads[key] for key in params}

# %% [markdown]
# ## 10 · Two questions
#
# **a.** Two colleagues publish word-level perplexities on the same test text.
# The first gets 44: words that occur fewer than ten times are replaced by `<unk>`, and the end marks are not scored.
# The second gets 57: words that occur once are replaced by `<unk>`, and the end marks are scored.
# Explain why these numbers do not say which model is better, what each of the two differences does to the number and in which direction, and how the two could report results that can be compared.
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:which-perplexity", "points:4"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. The two models are tested on different sequences of symbols: after replacement the texts differ, so the probabilities are of different events.
# 2. More `<unk>` lowers the perplexity: a frequent, easy class instead of rare words; a model that maps everything to `<unk>` has perplexity 1 and is useless.
# 3. Not scoring the end marks changes the number too: both the sum and T change. (Direction: ends after a full stop are easy to predict, so leaving them out usually raises the perplexity; any answer with a reason that fits.)
# 4. A remedy: fix one vocabulary and one rule for ends and report on that; or score the same text in the same units, for instance total log-probability of the characters, bits per character, spelling out unknown words.
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# **b.** Look at the numbers that your n-gram models printed on real text.
# With add-δ the bits fall up to some order and then rise; with Witten–Bell they do not rise, or much less.
# Explain both, using what each method gives to a symbol that was not seen after a long context that was seen once.
# Then say how the window network treats a context that it has never seen, and one thing about long contexts that it does *not* solve.
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:why-higher-orders-hurt", "points:4"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. Higher orders make contexts rare: most were seen never or once, so most of the mass comes from the smoothing (sparsity).
# 2. Add-δ mixes with the uniform distribution: in a context seen once, an unseen symbol gets δ/(1 + δV) whichever it is, so what shorter contexts know is thrown away, and more of it at every order.
# 3. Witten–Bell hands N/(c + N) (one half, for a context seen once) to the shorter context, recursively, so an unseen symbol still gets a sensible share, and a rare context can do little harm.
# 4. The network computes from vectors, so an unseen context gets a prediction from similar ones, with no zero and no division by zero; not solved: a window of fixed width (nothing before it counts), parameters grow with it, each place has weights of its own. Any one of these.
# ### END MARK SCHEME

# %% [markdown]
# ## 11 · Optional challenge: how much of each?
#
# *Medium, 20 minutes, about 6 lines, no points.*
#
# Given $J$ models, how should they be mixed? Let $P_{ij}$ be the probability that model $j$ gives to the $i$-th symbol of a held-out text.
# The weights $\lambda_j \ge 0$, $\sum_j \lambda_j = 1$, that maximise $\sum_i \log \sum_j \lambda_j P_{ij}$ have no closed form, but this step never makes the sum smaller (Jelinek and Mercer, 1980; it is the EM algorithm):
#
# $$\lambda_j \leftarrow \frac{1}{T} \sum_{i=1}^{T} \frac{\lambda_j P_{ij}}{\sum_k \lambda_k P_{ik}} \tag{2.9}$$
#
# Each symbol is shared among the models according to how likely it was under each, and a model's new weight is its mean share.
# Start with equal weights and make `steps` steps.
#
# *Worked number.* Two models, one symbol, $P = (0.2, 0.6)$: after one step the weights are (¼, ¾).


# %% tags=["exercise", "id:mixture-weights"]
def mixture_weights(P: Float[Array, "T J"], steps: int) -> Float[Array, " J"]:
    """Return the weights of a mixture of J models after ``steps`` steps of EM from equal weights.

    Source: Jelinek and Mercer (1980); eq. 2.9. Every row of P has a positive entry.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    weights = np.full(P.shape[1], 1 / P.shape[1])
    for _ in range(steps):
        joint = weights * P
        weights = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights
    ### END SOLUTION


# %% tags=["test", "id:mixture-weights-test", "points:0"]
check_close(mixture_weights(np.array([[0.2, 0.6]]), 1), np.array([0.25, 0.75]), "mixture_weights")
rng = np.random.default_rng(211)
P = rng.uniform(0.01, 1, size=(60, 3)) ** 2
P_before = P.copy()
path = [mixture_weights(P, steps) for steps in (0, 1, 2, 5, 400)]
check_unchanged(P_before, P, "mixture_weights: P")
check_close(path[0], np.full(3, 1 / 3), "mixture_weights: no steps")
shares = P / P.sum(axis=1, keepdims=True)
check_close(
    path[1],
    shares.mean(axis=0),
    "mixture_weights: one step",
    hints={"Divide symbol by symbol, before the mean over symbols.": P.sum(axis=0) / P.sum()},
)
scores = [np.log(P @ weights).sum() for weights in path]
assert (np.diff(scores) > 0).all(), (
    "mixture_weights: more steps must not make the likelihood smaller."
)
slope = (P / (P @ path[-1])[:, None]).mean(axis=0)  # at the optimum 1 for every model that is used
assert (np.abs(slope - 1)[path[-1] > 1e-3] < 1e-3).all(), "mixture_weights: not at the optimum yet."

# %% [markdown]
# ## Sources
#
# * Kovashka, *CS 1678* (Pittsburgh, 2021), language modelling: n-grams, the two sparsity problems, the fixed-window network, perplexity; Peeters, *Recurrent Neural Network* (Télécom Paris), language models; Bischl, LMU, language modelling.
# * S. Katz (1987), *Estimation of probabilities from sparse data for the language model component of a speech recognizer*, IEEE Transactions on Acoustics, Speech, and Signal Processing 35(3).
# * I. Witten and T. Bell (1991), *The zero-frequency problem*, IEEE Transactions on Information Theory 37(4).
# * H. Ney, U. Essen and R. Kneser (1994), *On structuring probabilistic dependences in stochastic language modelling*, Computer Speech and Language 8(1).
# * Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin (2003), *A neural probabilistic language model*, Journal of Machine Learning Research 3.
# * F. Jelinek and R. Mercer (1980), *Interpolated estimation of Markov source parameters from sparse data*, Pattern Recognition in Practice.
