# %% [markdown]
# # 3 · Words as vectors
#
# In this exercise you turn words into vectors, first by counting, then by predicting.
# You start with documents and windows, write the loss and the gradients of skip-gram with negative sampling and of GloVe for a whole batch at once, and then let your own functions learn the vectors of a small world and answer questions about it.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `tf_idf` | easy | 15 min | 8 |
# | 2 | `cooccurrence` | easy | 20 min | 10 |
# | 3 | `ppmi` | medium | 25 min | 10 |
# | 4 | `skipgram_pairs` | easy | 15 min | 10 |
# | 5 | `cbow_forward` | medium | 20 min | 10 |
# | 6 | `negative_sampling_loss` | hard | 45 min | 16 |
# | 7 | `glove_loss` | medium | 30 min | 14 |
# | 8 | `nearest` | medium | 20 min | 6 |
# | 9 | `analogy` | easy | 15 min | 6 |
# | 10 | two written answers | medium | 20 min | 10 |
# | 11 | optional: `expected_negative_sampling` | medium | 25 min | 0 |
#
# Before you start, read chapter 3 of the book: it derives every equation used here.
#
# **Rules**
#
# * numpy only, and gradients by hand.
# * Every array of real numbers is float64.
# * No function changes the arrays that it is given.
# * Parts 3 and 5 to 9 need no loop over words, pairs or examples.
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other inputs run as well.

# %% [markdown]
# ## What is given
#
# Words are integers from 0 to $V - 1$.
# A text is a list of sentences, a sentence is a list of words.
#
# | array | shape | |
# |---|---|---|
# | `X` | (V, V) | `X[w, c]`: how often context `c` stands near centre `w` |
# | `W` | (V, E) | input vectors, a row $w_i$ for each word; $E$ is the width |
# | `C` | (V, E) | output vectors, a row $c_j$ for each word |
# | `b`, `b_tilde` | (V,) | GloVe's biases |
# | `centre`, `context` | (B,) | a batch of pairs, integers |
# | `noise` | (B, K) | `K` noise words for each pair, integers |
#
# Gradients travel in a dict under the names of the arrays, `grads["W"]`, and have their shapes.
# The numbers of equations are those of this notebook.

# %% tags=["setup"]
import numpy as np
from jaxtyping import Bool, Float, Int

from unrolled.checks import (
    check_close,
    check_gradient,
    check_shape,
    check_unchanged,
)

Array = np.ndarray
Grads = dict[str, np.ndarray]


def sigmoid(s: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return 1 / (1 + exp(-s)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(s)))


def log_sigmoid(s: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return log(sigmoid(s)), exact also where the sigmoid itself would round to 0."""
    return -np.logaddexp(0, -np.asarray(s))


# %% [markdown]
# ## 1 · Which words tell documents apart?
#
# *Easy, 15 minutes, about 4 lines, 8 points.*
#
# A word describes a document if it is frequent there and rare elsewhere.
# With $\mathrm{tf}(d, w)$ for how often word $w$ occurs in document $d$, and $\mathrm{df}(w)$ for the number of the $N$ documents in which it occurs at all,
#
# $$\text{tf-idf}(d, w) = \mathrm{tf}(d, w) \cdot \log \frac{N}{\mathrm{df}(w)} \tag{3.1}$$
#
# with the natural logarithm.
# A word that occurs in no document has no finite $\log (N / 0)$; its weight is 0, since its count is.
#
# *Shapes.* `counts` (N, V) with $\mathrm{tf}$, integers or floats; result (N, V), float64.
#
# *Worked number.* Two documents, *a a b* and *a c*: $N = 2$, and *a* is in both, so its weight is $2 \log 1 = 0$.
# *b* and *c* are in one document each and weigh $1 \cdot \log 2 \approx 0.693$ there.
#
# (Libraries differ in the details: see the chapter for scikit-learn's formula.)

# %% tags=["exercise", "id:tf-idf"]
def tf_idf(counts: Int[Array, "N V"]) -> Float[Array, "N V"]:
    """Return the TF-IDF weight of every word in every document.

    Source: Spärck Jones (1972); eq. 3.1. A word that occurs in no document weighs 0, without a
    warning. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    df = (counts > 0).sum(axis=0)
    idf = np.log(len(counts) / np.maximum(df, 1))
    return counts * idf
    ### END SOLUTION


# %% tags=["test", "id:tf-idf-test", "points:8"]
counts = np.array([[2, 1, 0], [1, 0, 1]])  # a a b, a c
before = counts.copy()
with np.errstate(all="raise"):
    weights = tf_idf(counts)
check_unchanged(before, counts, "tf_idf: counts")
check_shape(weights, (2, 3), "tf_idf", axes="N V")
two = np.log(2)
check_close(
    weights,
    np.array([[0, two, 0], [0, 0, two]]),
    "tf_idf, worked number",
    axes="N V",
    hints={
        "The sign is that of log(df / N): turn the fraction round.": np.array(
            [[0, -two, 0], [0, 0, -two]]
        ),
        "log(1 + N / df) gives weight to words that are everywhere, eq. 3.1.": counts
        * np.log1p(2 / np.array([2, 1, 1])),
        "That is scikit-learn's formula with + 1; here it is eq. 3.1.": counts
        * (1 + np.log(2 / np.array([2, 1, 1]))),
        "It uses the logarithm to base 2; eq. 3.1 has the natural one.": np.array(
            [[0, 1.0, 0], [0, 0, 1.0]]
        ),
    },
)
counts = np.array([[3, 0, 2, 0, 1], [1, 0, 0, 4, 1], [2, 0, 5, 0, 3]])  # word 1 never occurs
df = np.array([3, 1, 2, 1, 3])
with np.errstate(all="raise"):
    weights = tf_idf(counts)
total = np.maximum(counts.sum(axis=0), 1)
check_close(
    weights,
    counts * np.log(3 / df),
    "tf_idf: three documents, five words, one of which never occurs",
    axes="N V",
    hints={
        "df counts documents, not occurrences.": counts * np.log(3 / total),
        "The counts are divided by the length of the document; eq. 3.1 takes them as they are.": (
            counts / counts.sum(axis=1, keepdims=True) * np.log(3 / df)
        ),
        "N is the number of documents, not of words.": counts * np.log(5 / df),
    },
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(301)
for N, V in [(7, 4), (3, 11), (1, 5)]:
    counts = rng.poisson(0.7, size=(N, V))
    counts[:, 0] = 0
    before = counts.copy()
    with np.errstate(all="raise"):
        weights = tf_idf(counts)
    check_unchanged(before, counts, "tf_idf: counts")
    expected = np.zeros((N, V))
    for w in range(V):
        places = [d for d in range(N) if counts[d, w]]
        for d in places:
            expected[d, w] = counts[d, w] * np.log(N / len(places))
    label = f"tf_idf: {N} document{'s' * (N > 1)}, {V} words"
    check_close(weights, expected, label, 1e-10, 1e-13, axes="N V")
halves = np.array([[0.5, 2.0], [0.0, 1.0]])
check_close(tf_idf(halves), np.array([[0.5 * np.log(2), 0], [0, 0]]), "tf_idf: counts as floats")
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · Who stands near whom?
#
# *Easy, 20 minutes, about 8 lines, 10 points.*
#
# Count, for every pair of words, how often the second stands at most `window` places from the first, on either side, *in the same sentence*:
#
# $$X_{wc} = \sum_{\text{sentences}} \;\; \sum_{t \neq u,\; |t - u| \le m} [\,s_t = w\,]\,[\,s_u = c\,]\; a(|t - u|) \tag{3.2}$$
#
# where $m$ is the window.
# With `by_distance=False` every meeting counts $a = 1$; with `by_distance=True` it counts $a(d) = 1/d$, as in GloVe, since a direct neighbour says more than a distant one.
# A word that stands twice in the window counts twice, and it may well meet itself at another place.
#
# *Shapes.* `sentences` is a list of lists of integers, some of which may be empty; the result is (V, V), float64, and symmetric.
#
# *Worked number.* The sentence *a b a c* (0, 1, 0, 2) with a window of 1: *b* meets *a* twice and *a* meets *c* once, and each meeting is seen from both sides, so $X_{01} = X_{10} = 2$, $X_{02} = X_{20} = 1$, all else is 0.
# With a window of 2 the two *a* meet as well, $X_{00} = 2$, and so do *b* and *c*, $X_{12} = X_{21} = 1$.

# %% tags=["exercise", "id:cooccurrence"]
def cooccurrence(
    sentences: list[list[int]], V: int, window: int, by_distance: bool = False
) -> Float[Array, "V V"]:
    """Return how often each pair of words meets within ``window`` places of a sentence.

    Source: eq. 3.2; the weights 1/d are those of Pennington et al. (2014). Inputs are not modified.
    """
    ### BEGIN SOLUTION
    X = np.zeros((V, V))
    for sentence in sentences:
        for t, word in enumerate(sentence):
            for u in range(max(0, t - window), t):
                a = 1 / (t - u) if by_distance else 1.0
                X[word, sentence[u]] += a
                X[sentence[u], word] += a
    return X
    ### END SOLUTION


# %% tags=["test", "id:cooccurrence-test", "points:10"]
sentences = [[0, 1, 0, 2]]  # a b a c
X = cooccurrence(sentences, V=3, window=1)
check_shape(X, (3, 3), "cooccurrence", axes="V V")
check_close(
    X,
    np.array([[0.0, 2.0, 1.0], [2.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
    "cooccurrence, worked number, window 1",
    axes="centre context",
    hints={
        "Only the words to the right are counted.": np.array([[0.0, 1, 1], [1, 0, 0], [0, 0, 0]]),
        "Only the words to the left are counted.": np.array([[0.0, 1, 0], [1, 0, 0], [1, 0, 0]]),
        "A word does not meet itself at its own place: t and u differ.": np.array(
            [[2.0, 2, 1], [2, 1, 0], [1, 0, 1]]
        ),
        "Each meeting is counted twice from each side.": np.array(
            [[0.0, 4, 2], [4, 0, 0], [2, 0, 0]]
        ),
        "It looks one place too far.": np.array([[2.0, 2, 1], [2, 0, 1], [1, 1, 0]]),
        "It notes whether words met; count how often.": np.array([[0.0, 1, 1], [1, 0, 0], [1, 0, 0]]),
    },
)
far = np.array([[2.0, 2.0, 1.0], [2.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
check_close(
    cooccurrence(sentences, V=3, window=2),
    far,
    "cooccurrence, worked number, window 2",
    axes="centre context",
    hints={
        "It looks one place too short.": np.array([[0.0, 2, 1], [2, 0, 0], [1, 0, 0]]),
        "Equal words at different places meet too: compare places, not words.": (
            far - np.diag([2.0, 0, 0])
        ),
    },
)
halves = np.array([[1.0, 2.0, 1.0], [2.0, 0.0, 0.5], [1.0, 0.5, 0.0]])
check_close(
    cooccurrence(sentences, V=3, window=2, by_distance=True),
    halves,
    "cooccurrence, worked number, window 2, by distance",
    axes="centre context",
    hints={"by_distance is not used.": far},
)
check_close(
    cooccurrence([[0, 1], [2, 3, 3], []], V=5, window=3),
    np.array([[0.0, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 2, 0], [0, 0, 2, 2, 0], [0] * 5]),
    "cooccurrence: three sentences, the last one empty, word 4 never read",
    axes="centre context",
    hints={
        "Words of different sentences do not meet.": np.array(
            [[0.0, 1, 1, 1, 0], [1, 0, 1, 2, 0], [1, 1, 0, 2, 0], [1, 2, 2, 2, 0], [0] * 5]
        )
    },
)
assert sentences == [[0, 1, 0, 2]], "cooccurrence: sentences was modified; work on a copy."
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(302)
for V, window, by_distance in [(6, 2, False), (4, 5, True), (7, 3, True), (5, 30, False)]:
    sentences = [rng.integers(V, size=n).tolist() for n in rng.integers(0, 9, size=12)]
    got = cooccurrence(sentences, V, window, by_distance)
    expected = np.zeros((V, V))
    for s in sentences:
        for t in range(len(s)):
            for u in range(len(s)):
                if t != u and abs(t - u) <= window:
                    expected[s[t], s[u]] += 1 / abs(t - u) if by_distance else 1
    label = f"cooccurrence: twelve sentences{', by distance' * by_distance}"
    check_close(got, expected, label, 1e-10, 1e-13, axes="centre context")
    check_close(got.T, got, label + ": X must be symmetric", 1e-10, 1e-13)
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · More often than chance
#
# *Medium, 25 minutes, about 8 lines, 10 points.*
#
# Divide by what chance would give, take the logarithm, and keep what is positive:
#
# $$\mathrm{PPMI}(w, c) = \max\left(0,\; \log \frac{p(w, c)}{p(w)\; p_\alpha(c)}\right), \qquad p(w, c) = \frac{X_{wc}}{\sum_{w', c'} X_{w'c'}}, \quad p(w) = \sum_{c} p(w, c) \tag{3.3}$$
#
# For rare words chance gives very little, so the quotient of a single meeting may be huge.
# Levy, Goldberg and Dagan (2015) therefore smooth the *context* distribution, as word2vec does with its noise:
#
# $$p_\alpha(c) = \frac{X_c^{\alpha}}{\sum_{c'} X_{c'}^{\alpha}}, \qquad X_c = \sum_{w} X_{wc} \tag{3.4}$$
#
# With $\alpha = 1$ this is the plain $p(c)$; with $\alpha = 0.75$ rare contexts are taken to be more probable than they are, and their PMI falls.
#
# Pairs that never met have $\log 0 = -\infty$ and so a PPMI of 0.
# Rows and columns without any count are 0 as well.
# There must be no warning about a logarithm or a division.
#
# *Shapes.* `X` (V, U), not negative, not all zero, and *not necessarily symmetric* or square; result of the same shape.
#
# *Worked number.* $X = \bigl(\begin{smallmatrix} 4 & 0 \\ 2 & 2 \end{smallmatrix}\bigr)$, sum 8, $\alpha = 1$.
# Cell (0, 0): $\log \frac{4/8}{(4/8)(6/8)} = \log \frac43 \approx 0.288$.
# Cell (1, 0): $\log \frac{2/8}{(4/8)(6/8)} = \log \frac23 < 0$, so 0.
# Cell (1, 1): $\log \frac{2/8}{(4/8)(2/8)} = \log 2 \approx 0.693$.

# %% tags=["exercise", "id:ppmi"]
def ppmi(X: Float[Array, "V U"], alpha: float = 1.0) -> Float[Array, "V U"]:
    """Return the positive pointwise mutual information of co-occurrence counts.

    Source: Church and Hanks (1990); Levy et al. (2015) for alpha; eqs. 3.3 and 3.4. Cells without
    a count are 0, without a warning. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    contexts = X.sum(axis=0) ** alpha
    chance = np.outer(X.sum(axis=1), contexts / contexts.sum())
    met = X > 0
    ratio = np.divide(X, chance, out=np.ones(X.shape), where=met)
    return np.maximum(np.log(ratio), 0)
    ### END SOLUTION


# %% tags=["test", "id:ppmi-test", "points:10"]
X = np.array([[4.0, 0.0], [2.0, 2.0]])
before = X.copy()
with np.errstate(all="raise"):
    got = ppmi(X)
check_unchanged(before, X, "ppmi: X")
check_shape(got, (2, 2), "ppmi", axes="w c")
right = np.array([[np.log(4 / 3), 0.0], [0.0, np.log(2)]])
check_close(
    got,
    right,
    "ppmi, worked number",
    axes="w c",
    hints={
        "The logarithm is to base 2; eq. 3.3 has the natural one.": right / np.log(2),
        "The negative part is still there.": right + np.array([[0, 0], [np.log(2 / 3), 0]]),
        "That is the quotient, before the logarithm.": np.array([[4 / 3, 0], [2 / 3, 2]]),
        "Nothing is left: are both sums divided out, and are the p shares and not counts?": (
            np.zeros((2, 2))
        ),
    },
)
smooth = np.maximum(np.log([[0.5 / (0.5 * 0.9), 1], [0.25 / 0.45, 0.25 / 0.05]]), 0)
joint = np.maximum(np.log([[16 / 24 / (0.5 * 0.9), 1], [4 / 24 / 0.45, 4 / 24 / 0.05]]), 0)
check_close(
    ppmi(X, alpha=2.0),
    smooth,
    "ppmi, the worked matrix with alpha = 2",
    axes="w c",
    hints={
        "alpha is not used.": right,
        "alpha belongs to the sums over a column, not to the cells.": joint,
        "The powers of the column sums must be divided by their own sum, eq. 3.4.": np.maximum(
            np.log([[0.5 / (0.5 * 36 / 64), 1], [0.25 / (0.5 * 36 / 64), 0.25 / (0.5 * 4 / 64)]]), 0
        ),
    },
)
X = np.array([[6.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 3.0, 0.0]])
with np.errstate(all="raise"):
    got = ppmi(X, alpha=0.5)
sums = np.sqrt(np.array([7.0, 5.0]))
chance = np.outer([8 / 12, 4 / 12], sums / sums.sum())
expected = np.zeros((3, 4))
expected[np.ix_([0, 2], [0, 2])] = np.maximum(np.log(np.array([[6, 2], [1, 3]]) / 12 / chance), 0)
swapped = np.zeros((3, 4))
row_power = np.sqrt(np.array([8.0, 4.0]))
other = np.outer(row_power / row_power.sum(), [7 / 12, 5 / 12])
swapped[np.ix_([0, 2], [0, 2])] = np.maximum(np.log(np.array([[6, 2], [1, 3]]) / 12 / other), 0)
check_close(
    got,
    expected,
    "ppmi: a row and two columns without counts, alpha = 0.5",
    axes="w c",
    hints={"alpha smooths the columns (contexts), not the rows.": swapped},
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(303)
for V, U, alpha in [(5, 5, 1.0), (6, 4, 0.75), (3, 8, 0.5)]:
    X = rng.poisson(1.3, size=(V, U)).astype(float)
    X[0], X[:, 1] = 0, 0
    X[-1, -1] = 3
    before = X.copy()
    with np.errstate(all="raise"):
        got = ppmi(X, alpha)
    check_unchanged(before, X, "ppmi: X")
    p, expected = X / X.sum(), np.zeros((V, U))
    columns = X.sum(axis=0) ** alpha / (X.sum(axis=0) ** alpha).sum()
    for w in range(V):
        for c in range(U):
            if X[w, c]:
                expected[w, c] = max(0, np.log(p[w, c] / (p[w].sum() * columns[c])))
    check_close(got, expected, f"ppmi: a matrix of counts, alpha = {alpha}", 1e-10, 1e-12)
    if alpha == 1:
        check_close(ppmi(17 * X), expected, "ppmi: all counts times 17, which changes nothing")
        check_close(ppmi(X.T), expected.T, "ppmi: rows and columns exchanged", 1e-10, 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · What skip-gram reads
#
# *Easy, 15 minutes, about 6 lines, 10 points.*
#
# Skip-gram predicts every word in the window from the word in its middle, one at a time.
# Its training data are the pairs (centre, context) of a text: for every place $t$ of every sentence, all places $u \ne t$ of the same sentence with $|t - u| \le m$.
#
# *Shapes.* The result has shape (P, 2), int64; a row is (centre, context).
# Rows come in the order of reading: by sentence, then by the place of the centre, then by the place of the context.
# A text without any pair gives an array of shape (0, 2).
#
# *Worked number.* *a b a c* (0, 1, 0, 2) with a window of 1 gives (0, 1), (1, 0), (1, 0), (0, 1), (0, 2), (2, 0): six pairs, and counting them gives the matrix of part 2.

# %% tags=["exercise", "id:skipgram-pairs"]
def skipgram_pairs(sentences: list[list[int]], window: int) -> Int[Array, "P 2"]:
    """Return every (centre, context) pair of a text, in the order of reading, as int64.

    Source: Mikolov et al. (2013). Windows end at the sentence's ends. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    pairs = []
    for sentence in sentences:
        for t, centre in enumerate(sentence):
            around = sentence[max(0, t - window) : t] + sentence[t + 1 : t + window + 1]
            pairs += [(centre, context) for context in around]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)
    ### END SOLUTION


# %% tags=["test", "id:skipgram-pairs-test", "points:10"]
sentences = [[0, 1, 0, 2]]
got = skipgram_pairs(sentences, window=1)
assert sentences == [[0, 1, 0, 2]], "skipgram_pairs: sentences was modified; work on a copy."
check_shape(got, (6, 2), "skipgram_pairs, worked number", axes="P 2")
right = np.array([[0, 1], [1, 0], [1, 0], [0, 1], [0, 2], [2, 0]])
check_close(
    got,
    right,
    "skipgram_pairs, worked number",
    hints={
        "Centre and context have changed places.": right[:, ::-1],
        "The pairs are right, their order is not: centres in order of reading, then contexts.": (
            np.array([[0, 1], [0, 1], [0, 2], [1, 0], [1, 0], [2, 0]])
        ),
        "For each centre, contexts come from left to right.": (
            np.array([[0, 1], [1, 0], [1, 0], [0, 2], [0, 1], [2, 0]])
        ),
    },
)
got = skipgram_pairs([[5, 5, 7], [], [3], [1, 2]], window=2)
right = np.array([[5, 5], [5, 7], [5, 5], [5, 7], [7, 5], [7, 5], [1, 2], [2, 1]])
assert len(got) != 4, (
    "skipgram_pairs: 4 pairs of 5 5 7 / (empty) / 3 / 1 2, expected 8. "
    "Equal words at different places are a pair too: compare places, not words."
)
assert len(got) <= 8, (
    f"skipgram_pairs: {len(got)} pairs of 5 5 7 / (empty) / 3 / 1 2, expected 8. "
    "Does a pair cross the end of a sentence?"
)
check_close(got, right, "skipgram_pairs: four sentences, window 2")
check_close(
    skipgram_pairs([[4], []], window=3),
    np.zeros((0, 2), dtype=np.int64),
    "skipgram_pairs: a text without a pair",
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(304)
for V, window in [(5, 1), (4, 3), (9, 20)]:
    sentences = [rng.integers(V, size=n).tolist() for n in rng.integers(0, 8, size=9)]
    copies = [list(s) for s in sentences]
    got = skipgram_pairs(sentences, window)
    assert sentences == copies, "skipgram_pairs: sentences was modified; work on a copy."
    expected = [
        (s[t], s[u])
        for s in sentences
        for t in range(len(s))
        for u in range(len(s))
        if t != u and abs(t - u) <= window
    ]
    check_close(got, np.array(expected), "skipgram_pairs: nine sentences", axes="P 2")
    X = np.zeros((V, V))
    np.add.at(X, (got[:, 0], got[:, 1]), 1)
    label = "skipgram_pairs: counting the pairs must give the matrix of part 2"
    check_close(X, cooccurrence(sentences, V, window), label)
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · Predicting the centre
#
# *Medium, 20 minutes, about 4 lines, 10 points.*
#
# CBOW turns the question round: it averages the input vectors of the words around the gap and scores every word of the vocabulary for the gap,
#
# $$\bar w = \frac{1}{|\mathcal{C}|} \sum_{j \in \mathcal{C}} w_j, \qquad o_v = \bar w \cdot c_v \tag{3.5}$$
#
# where $\mathcal{C}$ are the places of the context, so a word that stands there twice counts twice.
# Near the ends of a sentence there are fewer than $2m$ words.
# To keep a batch rectangular the missing places are padded with *some* index, and a boolean mask says which places are real.
# Padding must not change anything, whatever index it has.
#
# *Shapes.* `contexts` (B, M) integers; `mask` (B, M), True = real, at least one a row; `W`, `C` (V, E); result: the logits, (B, V).
#
# *Worked number.* With $E = 1$: $w_0 = 1$, $w_1 = 3$, $c_0 = 2$, $c_1 = -1$.
# The context (0, 1, 1) with the last place masked has $\bar w = (1 + 3)/2 = 2$, so the logits are $(4, -2)$.

# %% tags=["exercise", "id:cbow-forward"]
def cbow_forward(
    contexts: Int[Array, "B M"],
    mask: Bool[Array, "B M"],
    W: Float[Array, "V E"],
    C: Float[Array, "V E"],
) -> Float[Array, "B V"]:
    """Return the scores of every word for the middle of each context.

    Source: Mikolov et al. (2013); eq. 3.5. Places where ``mask`` is False do not count.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    share = mask / mask.sum(axis=1, keepdims=True)
    mean = np.einsum("bm,bme->be", share, W[contexts])
    return mean @ C.T
    ### END SOLUTION


# %% tags=["test", "id:cbow-forward-test", "points:10"]
W, C = np.array([[1.0], [3.0]]), np.array([[2.0], [-1.0]])
got = cbow_forward(np.array([[0, 1, 1]]), np.array([[True, True, False]]), W, C)
check_shape(got, (1, 2), "cbow_forward, worked number", axes="B V")
e = np.exp([4.0, -2.0])
check_close(
    got,
    np.array([[4.0, -2.0]]),
    "cbow_forward, worked number",
    axes="B V",
    hints={
        "The masked place counts too.": np.array([[14.0, -7.0]]) / 3,
        "It divides by all places, not by the real ones.": np.array([[8.0, -4.0]]) / 3,
        "That is the sum of the context, not its mean.": np.array([[8.0, -4.0]]),
        "Those are probabilities; return the logits.": (e / e.sum())[None],
        "W and C have changed places: W holds the vectors of the context.": np.array([[0.5, 1.5]]),
    },
)
rng = np.random.default_rng(5)
W, C = rng.normal(size=(7, 3)), rng.normal(size=(7, 3))
contexts = np.array([[1, 4, 4, 6], [2, 0, 0, 0]])  # word 4 twice; padding is 0 here
mask = np.array([[True, True, True, True], [True, False, False, False]])
given = {"contexts": contexts, "mask": mask, "W": W, "C": C}
before = {key: value.copy() for key, value in given.items()}
got = cbow_forward(contexts, mask, W, C)
check_unchanged(before, given, "cbow_forward")
expected = np.stack([(W[1] + 2 * W[4] + W[6]) / 4 @ C.T, W[2] @ C.T])
check_close(
    got,
    expected,
    "cbow_forward: a word twice in the context, and a context of one word",
    axes="B V",
    hints={
        "A word that stands twice in the context counts twice.": np.stack(
            [(W[1] + W[4] + W[6]) / 3 @ C.T, W[2] @ C.T]
        )
    },
)
check_close(
    cbow_forward(np.where(mask, contexts, 5), mask, W, C),
    expected,
    "cbow_forward: the same with another index as padding, which must change nothing",
    axes="B V",
)
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(305)
for B, M, V, E in [(4, 6, 9, 3), (1, 2, 5, 8), (6, 1, 3, 2)]:
    W, C = rng.normal(size=(V, E)), rng.normal(size=(V, E))
    contexts, mask = rng.integers(V, size=(B, M)), rng.random((B, M)) < 0.6
    mask[:, -1] = True
    given = {"contexts": contexts, "mask": mask, "W": W, "C": C}
    before = {key: value.copy() for key, value in given.items()}
    got = cbow_forward(contexts, mask, W, C)
    check_unchanged(before, given, "cbow_forward")
    bags = [torch.tensor(contexts[b][mask[b]]) for b in range(B)]
    starts = torch.tensor([0, *np.cumsum([len(bag) for bag in bags])[:-1].tolist()])
    means = torch.nn.functional.embedding_bag(torch.cat(bags), torch.tensor(W), starts)
    expected = (means @ torch.tensor(C).T).numpy()
    check_close(got, expected, f"cbow_forward: a batch of {B}", 1e-10, 1e-12, axes="B V")
### END HIDDEN TESTS


# %% [markdown]
# ## 6 · Negative sampling
#
# *Hard, 45 minutes, about 16 lines, 16 points (5 for the loss, 11 for the gradients).*
#
# The full softmax needs all $V$ scores for every pair.
# Negative sampling asks instead whether a pair comes from the text: yes for the true one $(i, j)$, no for $K$ pairs with noise words $n_1, \dots, n_K$.
# The loss of a batch is the *mean over its pairs* of
#
# $$\mathcal{L}^{(b)} = -\log \sigma(w_i \cdot c_j) - \sum_{r=1}^{K} \log \sigma(-w_i \cdot c_{n_r}) \tag{3.6}$$
#
# (The noise terms are summed, not averaged.)
# Write $s$ for a score. Since $\frac{d}{ds} \bigl(-\log \sigma(s)\bigr) = \sigma(s) - 1$ and $\frac{d}{ds} \bigl(-\log \sigma(-s)\bigr) = \sigma(s)$, both are *predicted minus true*, $g = \sigma(s) - y$ with $y = 1$ for the true pair and $0$ for noise.
# A score is a product, so with the factor $1/B$ of the mean
#
# $$\frac{\partial \mathcal{L}^{(b)}}{\partial w_i} = g_j\, c_j + \sum_{r} g_{n_r} c_{n_r}, \qquad \frac{\partial \mathcal{L}^{(b)}}{\partial c_j} = g_j\, w_i, \qquad \frac{\partial \mathcal{L}^{(b)}}{\partial c_{n_r}} = g_{n_r} w_i \tag{3.7}$$
#
# A row that is met more than once in the batch, as a centre of several pairs, as a true context and as noise, or as noise twice, collects *the sum* of everything that (3.7) sends to it.
# Rows that are not met have a gradient of zero.
# In numpy `d_W[centre] += rows` adds only one of several rows for a repeated word; `np.add.at(d_W, centre, rows)` adds all.
#
# *Hint.* Put the true context in front of its noise words, in one array of shape (B, 1 + K).
#
# *Shapes.* See the table at the top; results: the loss, a number, and a dict with `"W"` and `"C"`, both (V, E).
# The loss must be finite for scores of any size: `log_sigmoid` from the setup is, `np.log(sigmoid(s))` is not.
#
# *Worked number.* $E = 1$, $w_0 = \log 3$, $c_1 = 1$, $c_2 = -1$: the scores are $\log 3$ and $-\log 3$, $\sigma(\log 3) = \frac34$ and $\sigma(-\log 3) = \frac14$.
# For the pair (0, 1) with the single noise word 2 the loss is $-\log \frac34 - \log \frac34 \approx 0.575$.
# The errors are $g_1 = \frac34 - 1 = -\frac14$ and $g_2 = \frac14$, so $\partial \mathcal{L}/\partial w_0 = -\frac14 \cdot 1 + \frac14 \cdot (-1) = -\frac12$, $\partial \mathcal{L}/\partial c_1 = -\frac14 \log 3$ and $\partial \mathcal{L}/\partial c_2 = \frac14 \log 3$.

# %% tags=["exercise", "id:negative-sampling-loss"]
def negative_sampling_loss(
    W: Float[Array, "V E"],
    C: Float[Array, "V E"],
    centre: Int[Array, " B"],
    context: Int[Array, " B"],
    noise: Int[Array, "B K"],
) -> tuple[float, Grads]:
    """Return the mean loss of a batch of pairs, and a dict with the gradients of W and C.

    Source: Mikolov et al. (2013); eqs. 3.6 and 3.7. Finite for scores of any size.
    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    named = np.concatenate([context[:, None], noise], axis=1)  # (B, 1 + K), the true one first
    w, c = W[centre], C[named]
    scores = np.einsum("be,bke->bk", w, c)
    signs = np.where(np.arange(named.shape[1]) == 0, 1.0, -1.0)
    loss = -log_sigmoid(signs * scores).sum(axis=1).mean()
    g = (sigmoid(scores) - (signs > 0)) / len(centre)
    grads = {"W": np.zeros_like(W), "C": np.zeros_like(C)}
    np.add.at(grads["W"], centre, np.einsum("bk,bke->be", g, c))
    np.add.at(grads["C"], named, g[:, :, None] * w[:, None])
    return float(loss), grads
    ### END SOLUTION


# %% [markdown]
# First the loss.

# %% tags=["test", "id:negative-sampling-loss-test", "points:5"]
W = np.array([[np.log(3.0)], [0.2], [0.3]])
C = np.array([[0.4], [1.0], [-1.0]])
loss, _ = negative_sampling_loss(W, C, np.array([0]), np.array([1]), np.array([[2]]))
check_close(
    loss,
    -2 * np.log(0.75),
    "negative_sampling_loss, worked number: the loss",
    hints={
        "The noise term has the wrong sign inside: log sigma(-s).": -np.log(0.75) - np.log(0.25),
        "The noise term has a minus in front, as the true pair has.": 0.0,
        "The sign is wrong: a loss is minus a log-probability.": 2 * np.log(0.75),
        "Only the true pair is there.": -np.log(0.75),
    },
)
rng = np.random.default_rng(6)
W, C = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
centre, context = np.array([1, 4]), np.array([0, 5])
noise = np.array([[2, 3, 2, 0], [1, 1, 5, 3]])
loss, _ = negative_sampling_loss(W, C, centre, context, noise)
terms = [
    [-log_sigmoid(W[i] @ C[j]), *(-log_sigmoid(-W[i] @ C[n]) for n in row)]
    for i, j, row in zip(centre, context, noise, strict=True)
]
terms = np.array(terms)
check_close(
    loss,
    terms.sum(axis=1).mean(),
    "negative_sampling_loss: the loss of two pairs with four noise words each",
    hints={
        "It is the sum over the batch, not the mean.": terms.sum(),
        "The noise terms are averaged; eq. 3.6 adds them up.": (
            terms[:, 0] + terms[:, 1:].mean(axis=1)
        ).mean(),
        "It is the mean over all terms; eq. 3.6 sums over the noise.": terms.mean(),
    },
)
huge = negative_sampling_loss(300 * W, 10 * C, centre, context, noise)[0]
assert np.isfinite(huge), (
    "negative_sampling_loss: infinite or NaN for large scores. Is there a logarithm of a sigmoid?"
)
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(306)
for B, K, V, E, scale in [(5, 3, 8, 4, 1.0), (1, 1, 3, 2, 1.0), (4, 6, 5, 3, 40.0)]:
    W, C = scale * rng.normal(size=(V, E)), rng.normal(size=(V, E))
    centre, context = rng.integers(V, size=B), rng.integers(V, size=B)
    noise = rng.integers(V, size=(B, K))
    loss, _ = negative_sampling_loss(W, C, centre, context, noise)
    w, c, n = torch.tensor(W)[centre], torch.tensor(C)[context], torch.tensor(C)[noise]
    right = torch.nn.functional.logsigmoid((w * c).sum(1))
    wrong = torch.nn.functional.logsigmoid(-(w[:, None] * n).sum(2)).sum(1)
    label = f"negative_sampling_loss: the loss, batch of {B}{', large scores' * (scale > 1)}"
    check_close(loss, -(right + wrong).mean().item(), label, 1e-10, 1e-12)
### END HIDDEN TESTS

# %% [markdown]
# Now the gradients.

# %% tags=["test", "id:negative-sampling-loss-test-2", "points:11"]
W = np.array([[np.log(3.0)], [0.2], [0.3]])
C = np.array([[0.4], [1.0], [-1.0]])
_, grads = negative_sampling_loss(W, C, np.array([0]), np.array([1]), np.array([[2]]))
three = np.log(3.0)
check_close(
    grads,
    {"W": np.array([[-0.5], [0], [0]]), "C": np.array([[0], [-three / 4], [three / 4]])},
    "negative_sampling_loss, worked number: grads",
    hints={
        "The error of the true pair is sigma(s) - 1; the 1 is missing.": {
            "W": np.array([[0.5], [0], [0]]),
            "C": np.array([[0], [0.75 * three], [three / 4]]),
        },
        "The true pair does not reach w: eq. 3.7 has two terms.": {"W": np.array([[-0.25], [0], [0]])},
        "The sign is turned round: predicted minus true.": {
            "W": np.array([[0.5], [0], [0]]),
            "C": np.array([[0], [three / 4], [-three / 4]]),
        },
    },
)
rng = np.random.default_rng(7)
W, C = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
centre = np.array([1, 4, 1])  # word 1 is the centre of two pairs
context = np.array([0, 5, 3])
noise = np.array([[2, 2], [5, 0], [3, 1]])  # 2 twice; 5 and 3 are also the true context
given = {"W": W, "C": C, "centre": centre, "context": context, "noise": noise}
before = {key: value.copy() for key, value in given.items()}
_, grads = negative_sampling_loss(W, C, centre, context, noise)
check_unchanged(before, given, "negative_sampling_loss")


def sampled_loss(W, C):
    w = W[centre]
    true = log_sigmoid((w * C[context]).sum(axis=1))
    false = log_sigmoid(-np.einsum("be,bke->bk", w, C[noise])).sum(axis=1)
    return -(true + false).mean()


def only_last(W_now, C_now):
    """The loss when a row counts only where it is met for the last time, as with +=."""
    w = np.stack([W_now[i] if b in (1, 2) else W[i] for b, i in enumerate(centre)])
    n = C[noise].copy()
    for place in [(0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]:
        n[place] = C_now[noise[place]]
    true = log_sigmoid((w * C_now[context]).sum(axis=1))
    return -(true + log_sigmoid(-np.einsum("be,bke->bk", w, n)).sum(axis=1)).mean()


again = "A word that is met again overwrites its row: see np.add.at."
check_gradient(
    grads["W"],
    lambda value: sampled_loss(value, C),
    W,
    "negative_sampling_loss: grads['W']",
    hints={again: lambda value: only_last(value, C)},
    axes="V E",
)
check_gradient(
    grads["C"],
    lambda value: sampled_loss(W, value),
    C,
    "negative_sampling_loss: grads['C']",
    hints={again: lambda value: only_last(W, value)},
    axes="V E",
)
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(307)
for B, K, V, E in [(9, 4, 5, 3), (1, 3, 7, 6), (6, 1, 4, 2), (40, 5, 12, 8)]:
    W, C = rng.normal(size=(V, E)), rng.normal(size=(V, E))
    centre, context = rng.integers(V, size=B), rng.integers(V, size=B)
    noise = rng.integers(V, size=(B, K))
    given = {"W": W, "C": C, "centre": centre, "context": context, "noise": noise}
    before = {key: value.copy() for key, value in given.items()}
    got = negative_sampling_loss(W, C, centre, context, noise)
    check_unchanged(before, given, "negative_sampling_loss")
    p = {key: torch.tensor(value, requires_grad=True) for key, value in (("W", W), ("C", C))}
    w = p["W"][torch.tensor(centre)]
    right = (w * p["C"][torch.tensor(context)]).sum(1)
    wrong = (w[:, None] * p["C"][torch.tensor(noise)]).sum(2)
    log = torch.nn.functional.logsigmoid
    (-(log(right) + log(-wrong).sum(1)).mean()).backward()
    expected = {key: value.grad.numpy() for key, value in p.items()}
    assert type(got) is tuple and len(got) == 2, "negative_sampling_loss: return loss and grads."
    label = f"negative_sampling_loss, a batch of {B}: grads"
    hints = {
        "It is the gradient of the sum over the batch, not of the mean.": {
            key: B * value for key, value in expected.items()
        }
    }
    check_close(got[1], expected, label, 1e-10, 1e-12, hints=hints, axes="V E")
### END HIDDEN TESTS


# %% [markdown]
# ### Let it learn
#
# Your pairs and your gradients, and the sentences of a small world whose truth is known (see the chapter).
# Each step takes a batch of pairs, draws five noise words for each from the counts to the power 3/4, and goes downhill with Adagrad, which divides each gradient by the root of the sum of its squares so far.
# The loss starts at $6 \log 2 \approx 4.16$, all scores being nearly 0.

# %%
from unrolled.data import world

text = [s.words for s in world.corpus(6000, seed=0)]
spelling = sorted({word for words in text for word in words})
number = {word: i for i, word in enumerate(spelling)}
sentences = [[number[word] for word in words] for words in text]
pairs = skipgram_pairs(sentences, window=4)
rng = np.random.default_rng(0)
share = np.bincount(np.concatenate(sentences).astype(int), minlength=len(spelling)) ** 0.75
share = share / share.sum()
params = {name: (rng.random((len(spelling), 48)) - 0.5) / 48 for name in "WC"}
squares = {name: np.full(value.shape, 1e-8) for name, value in params.items()}
for epoch in range(4):
    losses = []
    for batch in np.array_split(rng.permutation(pairs), len(pairs) // 1024):
        noise = rng.choice(len(spelling), size=(len(batch), 5), p=share)
        loss, grads = negative_sampling_loss(params["W"], params["C"], *batch.T, noise)
        for name, gradient in grads.items():
            squares[name] += gradient**2
            params[name] -= 0.15 * gradient / np.sqrt(squares[name])
        losses.append(loss)
    print(f"pass {epoch + 1}: mean loss {np.mean(losses):.3f}")
learnt = params["W"]

# %% [markdown]
# ## 7 · GloVe
#
# *Medium, 30 minutes, about 12 lines, 14 points (4 for the loss, 10 for the gradients).*
#
# GloVe fits the logarithms of all counts at once, by weighted least squares over the pairs that occur:
#
# $$\mathcal{L} = \sum_{i,j \,:\, X_{ij} > 0} f(X_{ij})\, r_{ij}^2, \qquad r_{ij} = w_i \cdot c_j + b_i + \tilde b_j - \log X_{ij}, \qquad f(x) = \min\left(1, \left(\frac{x}{x_{\max}}\right)^{p}\right) \tag{3.8}$$
#
# with $p = 3/4$ in the paper.
# Each residual is linear in each parameter, so with $e_{ij} = 2 f(X_{ij})\, r_{ij}$, and $e_{ij} = 0$ where $X_{ij} = 0$,
#
# $$\frac{\partial \mathcal{L}}{\partial w_i} = \sum_j e_{ij}\, c_j, \qquad \frac{\partial \mathcal{L}}{\partial c_j} = \sum_i e_{ij}\, w_i, \qquad \frac{\partial \mathcal{L}}{\partial b_i} = \sum_j e_{ij}, \qquad \frac{\partial \mathcal{L}}{\partial \tilde b_j} = \sum_i e_{ij} \tag{3.9}$$
#
# Cells with $X_{ij} = 0$ take no part, although $\log 0$ is infinite and $0 \cdot \infty$ is not a number: deal with them *before* the logarithm.
# There must be no warning.
#
# *Shapes.* `W`, `C` (V, E); `b`, `b_tilde` (V,); `X` (V, V), *not necessarily symmetric* here; results: the loss and a dict with `"W"`, `"C"`, `"b"`, `"b_tilde"`.
#
# *Worked number.* $V = E = 1$, $w = 2$, $c = 3$, $b = 1$, $\tilde b = -1$, $X = e^4$, $x_{\max} = e^8$, $p = \frac12$.
# Then $r = 6 + 1 - 1 - 4 = 2$ and $f = (e^{-4})^{1/2} = e^{-2}$, so $\mathcal{L} = 4 e^{-2} \approx 0.541$.
# With $e = 4 e^{-2}$ the gradients are $\partial \mathcal{L}/\partial w = 12 e^{-2}$, $\partial \mathcal{L}/\partial c = 8 e^{-2}$ and $4 e^{-2}$ for both biases.

# %% tags=["exercise", "id:glove-loss"]
def glove_loss(
    W: Float[Array, "V E"],
    C: Float[Array, "V E"],
    b: Float[Array, " V"],
    b_tilde: Float[Array, " V"],
    X: Float[Array, "V V"],
    x_max: float = 100.0,
    power: float = 0.75,
) -> tuple[float, Grads]:
    """Return GloVe's loss and a dict with the gradients of W, C, b and b_tilde.

    Source: Pennington et al. (2014), eq. 8; eqs. 3.8 and 3.9. Cells of ``X`` that are 0 take no
    part, without a warning. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    weight = np.minimum(X / x_max, 1) ** power  # 0 where X is 0
    target = np.log(np.where(X > 0, X, 1))
    residual = W @ C.T + b[:, None] + b_tilde - target
    error = 2 * weight * residual
    grads = {"W": error @ C, "C": error.T @ W, "b": error.sum(axis=1), "b_tilde": error.sum(axis=0)}
    return float((weight * residual**2).sum()), grads
    ### END SOLUTION


# %% [markdown]
# First the loss.

# %% tags=["test", "id:glove-loss-test", "points:4"]
one = [np.array([[2.0]]), np.array([[3.0]]), np.array([1.0]), np.array([-1.0])]
X = np.array([[np.exp(4.0)]])
loss, _ = glove_loss(*one, X, x_max=np.exp(8.0), power=0.5)
check_close(
    loss,
    4 * np.exp(-2),
    "glove_loss, worked number: the loss",
    hints={
        "power is not used.": 4 * np.exp(-3),
        "The residual is not squared.": 2 * np.exp(-2),
        "Half the sum is another convention; eq. 3.8 has no factor.": 2 * np.exp(-2),
        "The weight is missing.": 4.0,
        "The target is log X, not log(1 + X).": np.exp(-2)
        * (6 - np.log1p(np.exp(4.0))) ** 2,
    },
)
rng = np.random.default_rng(8)
W, C, b, b_tilde = (rng.normal(size=s) for s in ((4, 3), (4, 3), 4, 4))
X = np.array([[0.0, 3.0, 0.0, 8.0], [1.0, 0.0, 20.0, 0.5], [2.0, 0.0, 0.0, 0.0], [5.0, 4.0, 0.0, 0.0]])
with np.errstate(all="raise"):
    loss, _ = glove_loss(W, C, b, b_tilde, X, x_max=5.0)
weight, bare = np.minimum(X / 5, 1) ** 0.75, (X / 5) ** 0.75
residual = W @ C.T + b[:, None] + b_tilde - np.log(np.where(X > 0, X, 1))
exchanged = W @ C.T + b + b_tilde[:, None] - np.log(np.where(X > 0, X, 1))
check_close(
    loss,
    (weight * residual**2).sum(),
    "glove_loss: the loss, with empty cells and counts above x_max = 5",
    hints={
        "The weight may not exceed 1, eq. 3.8.": (bare * residual**2).sum(),
        "b belongs to rows (centres), b_tilde to columns.": (weight * exchanged**2).sum(),
        "Empty cells are counted as if they held a 1.": (
            np.where(X > 0, weight, (1 / 5) ** 0.75) * residual**2
        ).sum(),
        "It is averaged over the pairs; eq. 3.8 is a sum.": (weight * residual**2).sum() / 8,
    },
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(308)
for V, E, x_max, power in [(6, 3, 4.0, 0.75), (3, 5, 100.0, 0.5), (1, 2, 2.0, 1.0)]:
    W, C, b, b_tilde = (rng.normal(size=s) for s in ((V, E), (V, E), V, V))
    X = rng.poisson(2.0, size=(V, V)) * rng.uniform(0.5, 3, size=(V, V))
    X[0, 0] = 3.3
    with np.errstate(all="raise"):
        loss, _ = glove_loss(W, C, b, b_tilde, X, x_max, power)
    expected = 0.0
    for i, j in zip(*np.nonzero(X), strict=True):
        f = min(1.0, (X[i, j] / x_max) ** power)
        expected += f * (W[i] @ C[j] + b[i] + b_tilde[j] - np.log(X[i, j])) ** 2
    check_close(loss, expected, "glove_loss: the loss, another matrix of counts", 1e-10, 1e-12)
### END HIDDEN TESTS

# %% [markdown]
# Now the gradients.

# %% tags=["test", "id:glove-loss-test-2", "points:10"]
one = [np.array([[2.0]]), np.array([[3.0]]), np.array([1.0]), np.array([-1.0])]
X = np.array([[np.exp(4.0)]])
_, grads = glove_loss(*one, X, x_max=np.exp(8.0), power=0.5)
unit = np.exp(-2)
check_close(
    grads,
    {
        "W": np.array([[12 * unit]]),
        "C": np.array([[8 * unit]]),
        "b": np.array([4 * unit]),
        "b_tilde": np.array([4 * unit]),
    },
    "glove_loss, worked number: grads",
    hints={
        "The 2 of the square is missing.": {
            "W": np.array([[6 * unit]]),
            "C": np.array([[4 * unit]]),
            "b": np.array([2 * unit]),
            "b_tilde": np.array([2 * unit]),
        },
        "The weight f is missing.": {
            "W": np.array([[12.0]]),
            "C": np.array([[8.0]]),
            "b": np.array([4.0]),
            "b_tilde": np.array([4.0]),
        },
        "W and C have changed places.": {"W": np.array([[8 * unit]]), "C": np.array([[12 * unit]])},
    },
)
rng = np.random.default_rng(9)
W, C, b, b_tilde = (rng.normal(size=s) for s in ((4, 3), (4, 3), 4, 4))
X = np.array([[0.0, 3.0, 0.0, 8.0], [1.0, 0.0, 20.0, 0.5], [2.0, 0.0, 0.0, 0.0], [5.0, 4.0, 0.0, 0.0]])
given = {"W": W, "C": C, "b": b, "b_tilde": b_tilde}
before = {key: value.copy() for key, value in given.items()}
X_before = X.copy()
with np.errstate(all="raise"):
    _, grads = glove_loss(**given, X=X, x_max=5.0)
check_unchanged(before, given, "glove_loss")
check_unchanged(X_before, X, "glove_loss: X")


def weighted_squares(W, C, b, b_tilde, X=X):
    residual = W @ C.T + b[:, None] + b_tilde - np.log(np.where(X > 0, X, 1))
    return (np.minimum(X / 5, 1) ** 0.75 * residual**2).sum()


transposed = "Rows and columns of X are exchanged: which sum runs over i and which over j?"
for key, axes in {"W": "V E", "C": "V E", "b": "V", "b_tilde": "V"}.items():
    check_gradient(
        grads[key],
        lambda value, key=key: weighted_squares(**given | {key: value}),
        given[key],
        f"glove_loss: grads[{key!r}]",
        hints={transposed: lambda value, key=key: weighted_squares(**given | {key: value}, X=X.T)},
        axes=axes,
    )
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(309)
for V, E, x_max, power in [(7, 3, 4.0, 0.75), (3, 5, 100.0, 0.5), (2, 1, 2.0, 1.0)]:
    given = {"W": rng.normal(size=(V, E)), "C": rng.normal(size=(V, E))}
    given |= {"b": rng.normal(size=V), "b_tilde": rng.normal(size=V)}
    X = rng.poisson(2.0, size=(V, V)) * rng.uniform(0.5, 3, size=(V, V))
    before, X_before = {key: value.copy() for key, value in given.items()}, X.copy()
    with np.errstate(all="raise"):
        got = glove_loss(**given, X=X, x_max=x_max, power=power)
    check_unchanged(before, given, "glove_loss")
    check_unchanged(X_before, X, "glove_loss: X")
    p = {key: torch.tensor(value, requires_grad=True) for key, value in given.items()}
    i, j = np.nonzero(X)
    x = torch.tensor(X[i, j])
    i, j = torch.tensor(i), torch.tensor(j)
    residual = (p["W"][i] * p["C"][j]).sum(1) + p["b"][i] + p["b_tilde"][j] - x.log()
    ((x / x_max).clamp(max=1) ** power * residual**2).sum().backward()
    expected = {key: value.grad.numpy() for key, value in p.items()}
    assert type(got) is tuple and len(got) == 2, "glove_loss: return the loss and grads."
    check_close(got[1], expected, "glove_loss: grads, another matrix of counts", 1e-10, 1e-12)
### END HIDDEN TESTS


# %% [markdown]
# ## 8 · Neighbours
#
# *Medium, 20 minutes, about 8 lines, 6 points.*
#
# The cosine of two vectors does not depend on their lengths:
#
# $$\cos(q, v) = \frac{q \cdot v}{\lVert q \rVert\, \lVert v \rVert} \tag{3.10}$$
#
# For every query find the `k` words with the largest cosine, the largest first.
# Words listed in `exclude` are passed over, each query having a row of its own there.
# A vector of zeros has no direction; count its cosine with everything as 0, without a warning.
#
# *Shapes.* `vectors` (V, E); `queries` (B, E); `exclude` (B, M) integers, with $M \ge 0$, or None for nothing; results: the words (B, k), integers, and their cosines (B, k).
# You may count on $k + M \le V$.
#
# *Worked number.* Vectors $(2, 0)$, $(1, 1)$, $(0, 3)$ and the query $(5, 0)$: the cosines are $1$, $\frac{1}{\sqrt 2} \approx 0.707$ and $0$.
# The nearest two are 0 and 1; with 0 excluded they are 1 and 2.

# %% tags=["exercise", "id:nearest"]
def nearest(
    vectors: Float[Array, "V E"],
    queries: Float[Array, "B E"],
    k: int,
    exclude: Int[Array, "B M"] | None = None,
) -> tuple[Int[Array, "B k"], Float[Array, "B k"]]:
    """Return the k words with the largest cosines with each query, and these cosines.

    Source: eq. 3.10. The largest comes first; words in a row of ``exclude`` are passed over for
    that query. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    def scaled(rows):
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(length > 0, length, 1)

    cosine = scaled(queries) @ scaled(vectors).T
    allowed = cosine.copy()
    if exclude is not None:
        np.put_along_axis(allowed, exclude, -np.inf, axis=1)
    words = np.argsort(-allowed, axis=1)[:, :k]
    return words, np.take_along_axis(cosine, words, axis=1)
    ### END SOLUTION


# %% tags=["test", "id:nearest-test", "points:6"]
small = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 3.0]])
words, cosines = nearest(small, np.array([[5.0, 0.0]]), k=2)
check_shape(words, (1, 2), "nearest, worked number: words", axes="B k")
check_close(
    words,
    np.array([[0, 1]]),
    "nearest, worked number: words",
    hints={
        "The smallest come first.": np.array([[2, 1]]),
        "Are these the largest, in the wrong order?": np.array([[1, 0]]),
    },
)
root = np.sqrt(0.5)
check_close(
    cosines,
    np.array([[1.0, root]]),
    "nearest, worked number: cosines",
    hints={
        "Those are dot products: divide by both lengths.": np.array([[10.0, 5.0]]),
        "The query is not scaled to length one.": np.array([[5.0, 5 * root]]),
        "The vectors are not scaled to length one.": np.array([[2.0, 1.0]]),
    },
)
words, cosines = nearest(small, np.array([[5.0, 0.0]]), k=2, exclude=np.array([[0]]))
check_close(
    words,
    np.array([[1, 2]]),
    "nearest, worked number: words, with word 0 excluded",
    hints={"exclude is not used.": np.array([[0, 1]])},
)
check_close(cosines, np.array([[root, 0.0]]), "nearest, worked number: cosines, 0 excluded")
queries, exclude = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, -2.0]]), np.array([[2], [1], [0]])
given = {"vectors": small, "queries": queries, "exclude": exclude}
before = {key: value.copy() for key, value in given.items()}
words, cosines = nearest(small, queries, k=1, exclude=exclude)
check_unchanged(before, given, "nearest")
check_close(
    words,
    np.array([[1], [0], [2]]),
    "nearest: three queries, each with its own exclusion, one with negative cosines only",
    hints={
        "An excluded word may not win when all cosines are negative: 0 is not low enough.": (
            np.array([[1], [0], [0]])
        ),
    },
)
with np.errstate(all="raise"):
    words, cosines = nearest(np.array([[0.0, 0.0], [-1.0, 0.0]]), np.array([[2.0, 0.0]]), k=2)
check_close(words, np.array([[0, 1]]), "nearest: one of the vectors is zero, words")
check_close(cosines, np.array([[0.0, -1.0]]), "nearest: one of the vectors is zero, cosines")
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(310)
for V, E, B, k, M in [(9, 4, 3, 2, 3), (6, 2, 5, 6, 0), (7, 3, 1, 1, 5)]:
    vectors = rng.normal(size=(V, E)) * rng.uniform(0.1, 10, size=(V, 1))
    queries = rng.normal(size=(B, E)) * rng.uniform(0.1, 10, size=(B, 1))
    exclude = np.stack([rng.permutation(V)[:M] for _ in range(B)])
    given = {"vectors": vectors, "queries": queries, "exclude": exclude}
    before = {key: value.copy() for key, value in given.items()}
    got = nearest(vectors, queries, k, exclude if M else None)
    check_unchanged(before, given, "nearest")
    assert type(got) is tuple and len(got) == 2, "nearest: return the words and their cosines."
    cosine = torch.nn.functional.cosine_similarity(
        torch.tensor(queries)[:, None], torch.tensor(vectors)[None], dim=2
    )
    cosine = cosine.scatter(1, torch.tensor(exclude), -9.0)
    best = cosine.topk(k, dim=1)
    label = f"nearest: {B} quer{'y' if B == 1 else 'ies'}, k = {k}, "
    check_close(got[0], best.indices.numpy(), label + "words", axes="B k")
    check_close(got[1], best.values.numpy(), label + "cosines", 1e-10, 1e-12, axes="B k")
### END HIDDEN TESTS


# %% [markdown]
# ## 9 · Analogies
#
# *Easy, 15 minutes, about 3 lines, 6 points.*
#
# $a$ is to $b$ as $c$ is to what?
# Scale all vectors to length one, so that $\hat v = v / \lVert v \rVert$, and take the word $d$ whose vector has the largest cosine with
#
# $$q = \hat b - \hat a + \hat c \tag{3.11}$$
#
# where $d$ may not be $a$, $b$ or $c$ (Mikolov, Yih and Zweig, 2013).
#
# *Shapes.* `vectors` (V, E), no row zero; `a`, `b`, `c` (B,) integers; result (B,) integers.
#
# *Worked number.* Vectors $(1, 0)$, $(0, 1)$, $(-4, 0)$, $(0, -2)$, $(3, 0.5)$.
# For $a = 0$, $b = 1$, $c = 2$: $q = (0, 1) - (1, 0) + (-1, 0) = (-2, 1)$.
# The words left are 3, with $\cos = -1/\sqrt 5 \approx -0.45$, and 4, with $\cos \approx -0.81$: the answer is 3.

# %% tags=["exercise", "id:analogy"]
def analogy(
    vectors: Float[Array, "V E"], a: Int[Array, " B"], b: Int[Array, " B"], c: Int[Array, " B"]
) -> Int[Array, " B"]:
    """Return for each question the word d such that a is to b as c is to d.

    Source: Mikolov, Yih and Zweig (2013); eq. 3.11. The words of the question are never the
    answer. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    words, _ = nearest(unit, unit[b] - unit[a] + unit[c], 1, np.stack([a, b, c], axis=1))
    return words[:, 0]
    ### END SOLUTION


# %% tags=["test", "id:analogy-test", "points:6"]
small = np.array([[1.0, 0.0], [0.0, 1.0], [-4.0, 0.0], [0.0, -2.0], [3.0, 0.5]])
got = analogy(small, np.array([0]), np.array([1]), np.array([2]))
check_shape(got, (1,), "analogy, worked number", axes="B")
check_close(
    got,
    np.array([3]),
    "analogy, worked number",
    hints={
        "The answer is one of the question's words: pass them over.": np.array([2]),
        "Check the signs of eq. 3.11: b - a + c.": np.array([4]),
    },
)
rng = np.random.default_rng(10)
base, shift = rng.normal(size=(4, 8)), rng.normal(size=8)
flat = np.concatenate([base, base + shift])  # word i + 4 is to word i as any other
flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
vectors = flat * rng.uniform(0.2, 5, size=(8, 1))
a, c = np.array([0, 0, 1, 2, 3]), np.array([1, 2, 3, 0, 1])
given = {"vectors": vectors, "a": a, "c": c}
before = {key: value.copy() for key, value in given.items()}
got = analogy(vectors, a, a + 4, c)
check_unchanged(before, given, "analogy")
target = flat[a + 4] - flat[a] + flat[c]
cosine = target @ flat.T
asked = np.stack([a, a + 4, c], axis=1)
masked = cosine.copy()
np.put_along_axis(masked, asked, -np.inf, axis=1)
raw = (vectors[a + 4] - vectors[a] + vectors[c]) @ vectors.T
np.put_along_axis(raw, asked, -np.inf, axis=1)
check_close(
    got,
    masked.argmax(axis=1),
    "analogy: five questions, vectors of different lengths",
    hints={
        "The question's words must be passed over.": cosine.argmax(axis=1),
        "Scale the vectors to length one before you add them.": raw.argmax(axis=1),
    },
)
### BEGIN HIDDEN TESTS
import torch

rng = np.random.default_rng(311)
for V, E, B in [(12, 5, 30), (5, 3, 8), (20, 2, 40)]:
    vectors = rng.normal(size=(V, E)) * rng.uniform(0.1, 10, size=(V, 1))
    asked = np.stack([rng.permutation(V)[:3] for _ in range(B)])
    before = vectors.copy()
    got = analogy(vectors, *asked.T)
    check_unchanged(before, vectors, "analogy: vectors")
    unit = torch.nn.functional.normalize(torch.tensor(vectors), dim=1)
    a, b, c = torch.tensor(asked).T
    scores = (unit[b] - unit[a] + unit[c]) @ unit.T
    expected = scores.scatter(1, torch.tensor(asked), -99.0).argmax(1).numpy()
    check_close(got, expected, f"analogy: {B} questions about {V} words", axes="B")
### END HIDDEN TESTS


# %% [markdown]
# ### What has it learnt?
#
# Your neighbours and your analogies, on the vectors `learnt` after part 6.

# %%
asked = [number[word] for word in ("king", "paris", "kitten", "pineapple", "boat", "bank")]
words, cosines = nearest(learnt, learnt[asked], 4, np.array(asked)[:, None])
for row, near in zip(asked, words, strict=True):
    print(f"{spelling[row]:10}", *(spelling[word] for word in near))
print()
for name, questions in world.analogies().items():
    a, b, c, d = np.array([[number[word] for word in q] for q in questions]).T
    unit = learnt / np.linalg.norm(learnt, axis=1, keepdims=True)
    free, _ = nearest(learnt, unit[b] - unit[a] + unit[c], 1)
    print(f"{name:18} {(analogy(learnt, a, b, c) == d).mean():4.0%} right; "
          f"with the question's words allowed {(free[:, 0] == d).mean():4.0%}, "
          f"and {(free[:, 0] == c).mean():4.0%} of the answers are c")

# %% [markdown]
# ## 10 · In your own words
#
# *Medium, 20 minutes, 10 points.*
#
# **a.** A colleague has a sentiment classifier on one-hot words, trained on 2,000 labelled reviews.
# It fails on reviews with words that the training reviews do not contain.
# The colleague puts an embedding layer, initialised at random, in front and trains everything on the same reviews, "so that the model understands synonyms".
# Will it? Argue with the gradient of the embedding matrix.
# Then say what you would do instead, and name one thing that this cannot repair.
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:embedding-layer", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. No: an embedding layer is a matrix product with the one-hot vector; the model class hardly changes.
# 2. The gradient of E is non-zero only in the rows of words that occur in the batch; the row of a word without a training example stays random.
# 3. So two synonyms come close only if text in which both occur has moved both rows; labels of one say nothing about the other.
# 4. Instead: learn vectors on much unlabelled text (skip-gram, GloVe, or published vectors) and use them, fixed or as a start. (With fine-tuning: only rows of seen words move, so fixed vectors may be safer on little data.)
# 5. Something that this does not repair: one vector for all senses of a word; words that the large text does not contain either; word order and negation; opposites such as good and bad, which keep the same company; biases of the text. Any one.
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# **b.** The cell above answers the analogies of your vectors with the question's words excluded and with them allowed; "$d = c$" is a frequent wrong answer in the second case.
# Explain why $c$ itself is such a strong candidate: what does it say about the lengths of $\hat b - \hat a$ and of $\hat c$?
# A report claims "85 % of analogies" for its vectors. Name two things that you need to know before you compare this number with another one.
# Answer in three to five sentences.

# %% [markdown] tags=["manual", "id:analogy-words", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# 1. (2 points) The target is c plus the difference b - a. If the difference is short compared with the vector of length one to which it is added, the target is still nearest to c. One point for naming the difference, one for the comparison of lengths (or of angles).
# 2. (1 point) Hence excluding c may hide that the difference does little; with exclusion it is enough that d is the nearest *other* word of c, which for many relations (apple, apples) it is anyway.
# 3. (2 points, one each) Two of: were the question's words excluded; which questions, from which relations; the size of the vocabulary among which the answer is sought; the corpus, its size, and the window; the width of the vectors; how many seeds.
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# ## 11 · Optional challenge: all noise at once
#
# *Medium, 25 minutes, about 10 lines, no points.*
#
# The noise of part 6 is drawn at random, so its gradient is noisy too.
# The expected loss needs no drawing: the pair $(i, j)$ occurs $X_{ij}$ times, and the centre $i$, which occurs in $X_i = \sum_j X_{ij}$ pairs, meets $j$ as noise $K X_i P_n(j)$ times on average:
#
# $$\mathcal{L} = \frac{1}{\sum X} \sum_{i,j} \Bigl( -X_{ij} \log \sigma(w_i \cdot c_j) - K\, X_i\, P_n(j) \log \sigma(-w_i \cdot c_j) \Bigr) \tag{3.12}$$
#
# Write this loss and its gradients, without a loop.
# For a small vocabulary it trains better and faster than sampling; for a large one the matrix of scores does not fit in memory.
# At its minimum, $w_i \cdot c_j = \log \frac{X_{ij}}{K X_i P_n(j)}$, if the vectors are wide enough.
#
# *Shapes.* `W`, `C` (V, E); `X` (V, V); `noise` (V,) with $P_n$, which sums to 1; `K` a number; results as in part 6.
# If you leave it out, the test below fails and costs nothing.

# %% tags=["exercise", "id:expected-negative-sampling"]
def expected_negative_sampling(
    W: Float[Array, "V E"],
    C: Float[Array, "V E"],
    X: Float[Array, "V V"],
    noise: Float[Array, " V"],
    K: int,
) -> tuple[float, Grads]:
    """Return the expected loss of negative sampling a pair, and the gradients of W and C.

    Source: Levy and Goldberg (2014); eq. 3.12. Inputs are not modified.
    """
    ### BEGIN SOLUTION
    wrong = K * X.sum(axis=1, keepdims=True) * noise
    scores = W @ C.T
    loss = -(X * log_sigmoid(scores) + wrong * log_sigmoid(-scores)).sum() / X.sum()
    error = ((X + wrong) * sigmoid(scores) - X) / X.sum()
    return float(loss), {"W": error @ C, "C": error.T @ W}
    ### END SOLUTION


# %% tags=["test", "id:expected-negative-sampling-test", "points:0"]
rng = np.random.default_rng(11)
V, E, K = 5, 3, 4
W, C = rng.normal(size=(V, E)), rng.normal(size=(V, E))
X = rng.integers(0, 4, size=(V, V)).astype(float)
quarters = np.array([4, 2, 1, 0, 1]) / 8
given = {"W": W, "C": C, "X": X, "noise": quarters}
before = {key: value.copy() for key, value in given.items()}
loss, grads = expected_negative_sampling(W, C, X, quarters, K)
check_unchanged(before, given, "expected_negative_sampling")
# every pair as often as it occurs, each with 8 noise words in exactly the shares of P_n
centre, context = (np.repeat(side.ravel(), X.ravel().astype(int)) for side in np.indices((V, V)))
drawn = np.tile(np.repeat(np.arange(V), (8 * quarters).astype(int)), (len(centre), 1))
true = log_sigmoid((W[centre] * C[context]).sum(axis=1)).mean()
false = log_sigmoid(-np.einsum("be,bke->bk", W[centre], C[drawn])).mean() * K
check_close(loss, -(true + false), "expected_negative_sampling: the loss")


def expected_loss(W, C):
    scores, wrong = W @ C.T, K * np.outer(X.sum(axis=1), quarters)
    return -(X * log_sigmoid(scores) + wrong * log_sigmoid(-scores)).sum() / X.sum()


name = "expected_negative_sampling: grads"
check_gradient(grads["W"], lambda value: expected_loss(value, C), W, name + "['W']", axes="V E")
check_gradient(grads["C"], lambda value: expected_loss(W, value), C, name + "['C']", axes="V E")
full = np.where(X > 0, 1.0, 0.0) + 1
_, grads = expected_negative_sampling(
    np.log(full / (K * full.sum(axis=1, keepdims=True) / V)), np.eye(V), full, np.ones(V) / V, K
)
check_close(grads["W"], np.zeros((V, V)), name + "['W'] at the minimum, which must be zero")

# %% [markdown]
# ## Sources
#
# * Peeters, *Recurrent Neural Network* (Télécom Paris), one-hot encoding and word embedding; Mikolajczyk, RNN and word embeddings; Bischl, LMU, word embeddings.
# * K. Spärck Jones (1972), *A statistical interpretation of term specificity and its application in retrieval*, Journal of Documentation 28(1).
# * K. Church and P. Hanks (1990), *Word association norms, mutual information, and lexicography*, Computational Linguistics 16(1).
# * T. Mikolov, K. Chen, G. Corrado and J. Dean (2013), *Efficient estimation of word representations in vector space*, arXiv:1301.3781.
# * T. Mikolov, I. Sutskever, K. Chen, G. Corrado and J. Dean (2013), *Distributed representations of words and phrases and their compositionality*, NeurIPS.
# * T. Mikolov, W. Yih and G. Zweig (2013), *Linguistic regularities in continuous space word representations*, NAACL.
# * J. Pennington, R. Socher and C. Manning (2014), *GloVe: global vectors for word representation*, EMNLP.
# * O. Levy and Y. Goldberg (2014), *Neural word embedding as implicit matrix factorization*, NeurIPS; with I. Dagan (2015), *Improving distributional similarity with lessons learned from word embeddings*, TACL 3.
