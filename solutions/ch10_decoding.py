# %% [markdown]
# # 10 · Searching for the best sentence
#
# In this exercise you write the decoders that turn a trained model into output.
# They know nothing about the model: they are handed a *step function* and call it.
# So the same code decodes a table of probabilities, an RNN, or the Transformer of chapter 12.
#
# | part | you write | difficulty | time | points |
# |---|---|---|---|---|
# | 1 | `greedy_decode` | easy | 15 min | 8 |
# | 2 | `exhaustive_decode` | medium | 25 min | 10 |
# | 3 | `backtrack` | easy | 15 min | 8 |
# | 4 | `beam_search` | medium | 40 min | 20 |
# | 5 | `length_normalised` | easy | 10 min | 8 |
# | 6 | `batched_beam_search` | hard | 50 min | 20 |
# | 7 | `top_k_filter` | easy | 15 min | 7 |
# | 8 | `nucleus_filter` | medium | 20 min | 9 |
# | 9 | two written answers | medium | 20 min | 10 |
# | 10 | optional: `exact_decode` | hard | 30 min | 0 |
#
# Before you start, read chapter 10 of the book: it explains every method used here.
#
# **Rules**
#
# * torch tensors; dtype and device of new tensors come from the inputs, so that your code runs on a GPU as it stands.
# * No ready-made search or generation function.
# * No function changes what it is given. A state, in particular, may be used for several continuations.
# * Each part may call the functions of the parts before it.
#
# The cell below each part tests it and says what is wrong, where, and what to look at.
# When your work is graded, further tests with other models run as well.

# %% [markdown]
# ## What is given
#
# **The step function** takes the last symbol and the state before it, and returns the log-probabilities of the next symbol and the state after it:
#
# `log_probs, new_state = step(symbol, state)`
#
# `symbol` is an int, `log_probs` a float tensor of shape (V,).
# The state may be anything (a tensor, a tuple, None): hand it on and do not look inside.
# The first call gets the symbol `start` and the state that your function was given.
#
# **An output** is a list of symbols, without `start`.
# It is *complete* when its last symbol is `end`, or when it has `T` symbols.
# `end` belongs to the output, and its probability to the score:
#
# $$s(y) = \sum_{i=1}^{t} \log P(y_i \mid y_1, \dots, y_{i-1}) \tag{10.1}$$
#
# Scores are Python floats.
# A symbol of probability 0 has log-probability $-\infty$.
#
# The small model below is used for the worked numbers.
# Its symbols are 0, 1, 2; `end` is 0 and `start` is 3; its state is the tuple of symbols so far.
# After prefixes that are not in the table the probabilities are (0.5, 0.3, 0.2).
#
# | after | end | 1 | 2 |
# |---|---|---|---|
# | nothing | 0.1 | 0.5 | 0.4 |
# | 1 | 0.25 | 0.4 | 0.35 |
# | 2 | 0.9 | 0.06 | 0.04 |

# %% tags=["setup"]
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unrolled.checks import check_close, check_raises, check_shape, check_unchanged
from unrolled.device import device

torch.set_num_threads(1)
DEVICE = device()
Step = Callable[[int, Any], tuple[Tensor, Any]]
Hypothesis = tuple[list[int], float]
SMALL = {(): (0.1, 0.5, 0.4), (1,): (0.25, 0.4, 0.35), (2,): (0.9, 0.06, 0.04)}


def numbers(values: list) -> Tensor:
    """Return a float64 tensor."""
    return torch.tensor(values, dtype=torch.float64, device=DEVICE)


def integers(values: list) -> Tensor:
    """Return a tensor of integers."""
    return torch.tensor(values, dtype=torch.int64, device=DEVICE)


def table_step(table: dict, otherwise: tuple, calls: list | None = None) -> Step:
    """Return a step function that looks up the prefix; ``calls`` collects the lengths it saw."""

    def step(symbol, state):
        prefix = () if state is None else (*state, symbol)
        if calls is not None:
            calls.append(len(prefix))
        return numbers(table.get(prefix, otherwise)).log(), prefix

    return step


def random_step(seed: int, V: int, calls: list | None = None, zeros: bool = False) -> Step:
    """Return a step function with a random distribution after every prefix."""

    def step(symbol, state):
        prefix = () if state is None else (*state, symbol)
        if calls is not None:
            calls.append(len(prefix))
        rng = np.random.default_rng([seed, len(prefix), *prefix])
        weights = rng.gamma(0.5, size=V) + 1e-6
        if zeros:
            weights[rng.permutation(V)[: V // 2]] = 0
        return numbers((weights / weights.sum()).tolist()).log(), prefix

    return step


def rnn_step(seed: int, V: int, H: int, sharpness: float = 3.0) -> Callable:
    """Return a step function of a random RNN for rows: symbols (R,), states (R, H).

    Symbol V is the start symbol.
    """
    rng = np.random.default_rng(seed)
    E, W_hh, W_hy = (
        numbers(rng.normal(size=shape).tolist()) for shape in [(V + 1, H), (H, H), (H, V)]
    )

    def step(symbols, states):
        states = torch.tanh(E[symbols] + states @ W_hh)
        return torch.log_softmax(sharpness * states @ W_hy, dim=-1), states

    return step


def one_by_one(rows: Callable) -> Step:
    """Return a step function for a single hypothesis, state (H,), from one for rows."""

    def step(symbol, state):
        log_probs, states = rows(integers([symbol]), state[None])
        return log_probs[0], states[0]

    return step


def log(p: float) -> float:
    """Return the score of an output with probability ``p``."""
    return math.log(p)


def first_of(found: list[Hypothesis], name: str) -> Hypothesis:
    """Return the first hypothesis; say so if there is none."""
    assert isinstance(found, list) and found, f"{name}: expected a list of hypotheses, not empty."
    return found[0]


# %% [markdown]
# ## 1 · The best symbol at every step
#
# *Easy, 15 minutes, about 8 lines, 8 points.*
#
# Take the most probable symbol, feed it back, and go on until the output is complete.
# If several symbols are equally probable, the smallest one wins.
#
# *Worked number.* The small model, $T = 3$: after nothing the best symbol is 1 (0.5), after 1 it is 1 (0.4), after (1, 1) it is the end (0.5).
# The output is `[1, 1, 0]` with the score $\log(0.5 \cdot 0.4 \cdot 0.5) = \log 0.1$.
# With $T = 2$ it is cut to `[1, 1]`, score $\log 0.2$.
#
# *Calls.* One for each symbol of the output, no more.

# %% tags=["exercise", "id:greedy-decode"]
def greedy_decode(step: Step, state: Any, start: int, end: int, T: int) -> Hypothesis:
    """Return the output of greedy decoding and its score.

    ``step`` is called once a symbol. Of equally probable symbols the smallest is taken.
    """
    ### BEGIN SOLUTION
    output, score, symbol = [], 0.0, start
    while len(output) < T and (not output or output[-1] != end):
        log_probs, state = step(symbol, state)
        symbol = int(log_probs.argmax())
        score += float(log_probs[symbol])
        output.append(symbol)
    return output, score
    ### END SOLUTION


# %% tags=["test", "id:greedy-decode-test", "points:8"]
calls = []
step = table_step(SMALL, (0.5, 0.3, 0.2), calls)
check_close(
    greedy_decode(step, None, 3, 0, 3),
    ([1, 1, 0], log(0.1)),
    "greedy_decode, worked number",
    hints={
        "The end symbol belongs to the output, and its probability to the score.": (
            [1, 1],
            log(0.2),
        ),
        "That is the probability; the score is the sum of log-probabilities.": (None, 0.1),
    },
)
assert calls == [0, 1, 2], (
    "greedy_decode: for an output of three symbols the step function is called three times, "
    "each time with the state of the call before."
)
calls.clear()
check_close(
    greedy_decode(step, None, 3, 0, 2),
    ([1, 1], log(0.2)),
    "greedy_decode, worked number with T = 2",
)
assert len(calls) == 2, "greedy_decode: with T = 2 there are two calls."
check_close(
    greedy_decode(table_step({}, (0.25, 0.25, 0.25, 0.25)), None, 4, 2, 2),
    ([0, 0], 2 * log(0.25)),
    "greedy_decode: all symbols equally probable (the smallest wins)",
)
check_close(
    greedy_decode(table_step({}, (0.2, 0.1, 0.7)), None, 3, 2, 5),
    ([2], log(0.7)),
    "greedy_decode: end is symbol 2, and comes first",
)
### BEGIN HIDDEN TESTS
for case, (V, end, T) in enumerate([(4, 0, 6), (5, 4, 7), (7, 3, 5)]):
    calls = []
    step = random_step(1000 + case, V, calls)
    output, score = greedy_decode(step, None, V, end, T)
    made = len(calls)
    assert output and len(output) <= T, "greedy_decode: an output has 1 to T symbols."
    assert made == len(output), "greedy_decode: one call for each symbol of the output."
    assert end not in output[:-1], "greedy_decode: it goes on after the end symbol."
    assert output[-1] == end or len(output) == T, "greedy_decode: it stops before it is complete."
    state, symbol, total = None, V, 0.0
    for chosen in output:
        log_probs, state = step(symbol, state)
        assert log_probs[chosen] == log_probs.max(), "greedy_decode: a symbol is not the best one."
        total, symbol = total + log_probs[chosen].item(), chosen
    check_close(score, total, "greedy_decode: the score of its output, eq. 10.1", 1e-9)
start_matters = rnn_step(1010, 6, 5)
first = start_matters(integers([6]), numbers([[0.3, -0.2, 0.5, 0.1, -0.4]]))[0].argmax().item()
given = numbers([0.3, -0.2, 0.5, 0.1, -0.4])
before = given.clone()
got = greedy_decode(one_by_one(start_matters), given, 6, 2, 8)
check_unchanged(before, given, "greedy_decode: the state")
assert got[0][0] == first, "greedy_decode: the first call takes the symbol start and the state."
### END HIDDEN TESTS


# %% [markdown]
# ## 2 · All outputs
#
# *Medium, 25 minutes, about 12 lines, 10 points.*
#
# Follow every branch, and return the complete output with the highest score.
# If several have it, the one that comes first in dictionary order of its symbols wins.
#
# *Calls.* The step function is called once for each prefix that is not complete: not again for each of its continuations.
# With $V$ symbols there are at most $1 + (V-1) + (V-1)^2 + \dots + (V-1)^{T-1}$ such prefixes.
# Branches of probability 0 need not be followed.
#
# *Worked number.* The small model, $T = 3$: of its 15 complete outputs the best is `[2, 0]` with score $\log 0.36$; greedy decoding found $\log 0.1$.
# The number of calls is at most $1 + 2 + 4 = 7$.
#
# *Hint.* A function inside your function that calls itself needs four things: the output so far, its score, its last symbol and its state.

# %% tags=["exercise", "id:exhaustive-decode"]
def exhaustive_decode(step: Step, state: Any, start: int, end: int, T: int) -> Hypothesis:
    """Return the complete output with the highest score, and that score.

    ``step`` is called at most once for each prefix that is not complete. Of equal scores, the
    output that comes first in dictionary order is taken.
    """
    ### BEGIN SOLUTION
    best: Hypothesis = ([], -math.inf)

    def follow(output: list[int], score: float, symbol: int, state: Any) -> None:
        nonlocal best
        log_probs, state = step(symbol, state)
        for v, log_prob in enumerate(log_probs.tolist()):
            longer, total = [*output, v], score + log_prob
            if total == -math.inf:
                continue
            if v != end and len(longer) < T:
                follow(longer, total, v, state)
            elif total > best[1]:
                best = longer, total

    follow([], 0.0, start, state)
    return best
    ### END SOLUTION


# %% tags=["test", "id:exhaustive-decode-test", "points:10"]
calls = []
step = table_step(SMALL, (0.5, 0.3, 0.2), calls)
check_close(
    exhaustive_decode(step, None, 3, 0, 3),
    ([2, 0], log(0.36)),
    "exhaustive_decode, worked number",
    hints={
        "That is the output of greedy decoding.": ([1, 1, 0], log(0.1)),
        "It has an output that is not complete: end it or cut it at T symbols.": (
            [1],
            log(0.5),
        ),
        "The score must include the probability of the end symbol.": ([2, 0], log(0.4)),
    },
)
assert len(calls) <= 7, (
    f"exhaustive_decode: {len(calls)} calls where 7 prefixes can be extended. "
    "Call step once for a prefix, then loop over its symbols; do not extend after the end."
)
check_close(
    exhaustive_decode(step, None, 3, 0, 1),
    ([1], log(0.5)),
    "exhaustive_decode, T = 1: an output that is cut is complete",
)
check_close(
    exhaustive_decode(table_step({}, (1 / 3, 1 / 3, 1 / 3)), None, 3, 2, 2),
    ([2], log(1 / 3)),
    "exhaustive_decode: all symbols equally probable, end is 2 (the shortest is the best)",
)
check_close(
    exhaustive_decode(table_step({(): (0.5, 0.5, 0.0)}, (0.5, 0.5, 0.0)), None, 3, 2, 3),
    ([0, 0, 0], 3 * log(0.5)),
    "exhaustive_decode: eight outputs with the same score (the first in dictionary order)",
)
### BEGIN HIDDEN TESTS
import itertools

for case, (V, end, T) in enumerate([(2, 0, 6), (3, 1, 5), (4, 3, 4), (5, 2, 3)]):
    for zeros in (False, True):
        calls = []
        step = random_step(1100 + case, V, calls, zeros)
        got = exhaustive_decode(step, None, V, end, T)
        made = len(calls)
        bound = sum((V - 1) ** t for t in range(T))
        label = f"exhaustive_decode, end is symbol {'0' if end == 0 else 'other than 0'}"
        assert made <= bound, f"{label}: step is called more than once for some prefix."
        best, best_score = None, -math.inf
        distributions = {}
        for symbols in itertools.product(range(V), repeat=T):
            cut = list(symbols[: symbols.index(end) + 1]) if end in symbols else list(symbols)
            total = 0.0
            for i, symbol in enumerate(cut):
                prefix = tuple(cut[:i])
                if prefix not in distributions:
                    last = prefix[-1] if prefix else V
                    before = prefix[:-1] if prefix else None
                    distributions[prefix] = step(last, before)[0].tolist()
                total += distributions[prefix][symbol]
            if total > best_score:
                best, best_score = cut, total
        check_close(got[1], best_score, label + ": the score", 1e-9)
        check_close(got[0], best, label + ": the output")
rows = rnn_step(1150, 4, 3)
given = numbers([0.4, -0.7, 0.2])
before = given.clone()
got = exhaustive_decode(one_by_one(rows), given, 4, 1, 4)
check_unchanged(before, given, "exhaustive_decode: the state")
lower = greedy_decode(one_by_one(rows), given, 4, 1, 4)[1]
assert got[1] >= lower - 1e-9, "exhaustive_decode: greedy decoding finds a better output."
### END HIDDEN TESTS


# %% [markdown]
# ## 3 · Following the back-pointers
#
# *Easy, 15 minutes, about 6 lines, 8 points.*
#
# A beam search need not copy whole hypotheses at every step.
# It keeps two tables with a row for each step and a column for each slot of the beam:
#
# * `symbols[t, j]` is the symbol that the hypothesis in slot $j$ got at step $t$;
# * `parents[t, j]` is the slot in which its parent stood at step $t - 1$.
#
# Steps count from 0.
# The parents at step 0 all stand for the empty hypothesis; what is written there does not matter.
# Return the symbols of the hypothesis that stood in slot `slot` after step `t`, from the first to the last.
#
# *Worked number.*
#
# | step | symbols | parents |
# |---|---|---|
# | 0 | 5, 7, 6 | 0, 0, 0 |
# | 1 | 8, 9, 4 | 2, 0, 1 |
# | 2 | 1, 2, 3 | 1, 1, 0 |
#
# Slot 2 after step 2: its symbol is 3, its parent stood in slot 0 of step 1, with symbol 8, whose parent stood in slot 2 of step 0, with symbol 6.
# The hypothesis is `[6, 8, 3]`.

# %% tags=["exercise", "id:backtrack"]
def backtrack(
    symbols: Int[Tensor, "T k"], parents: Int[Tensor, "T k"], t: int, slot: int
) -> list[int]:
    """Return the t + 1 symbols of the hypothesis that stood in ``slot`` after step ``t``.

    Inputs are not modified.
    """
    ### BEGIN SOLUTION
    backwards = []
    for row in range(t, -1, -1):
        backwards.append(int(symbols[row, slot]))
        slot = int(parents[row, slot])
    return backwards[::-1]
    ### END SOLUTION


# %% tags=["test", "id:backtrack-test", "points:8"]
symbols = integers([[5, 7, 6], [8, 9, 4], [1, 2, 3]])
parents = integers([[0, 0, 0], [2, 0, 1], [1, 1, 0]])
before = {"symbols": symbols.clone(), "parents": parents.clone()}
check_close(
    backtrack(symbols, parents, 2, 2),
    [6, 8, 3],
    "backtrack, worked number",
    hints={
        "From the first symbol to the last: turn the list around.": [3, 8, 6],
        "It reads down one column: the parent may stand in another slot.": [6, 4, 3],
        "The parent's slot changes at every step back, not only once.": [5, 8, 3],
        "It reads the parents of the row before: parents[t] belongs to symbols[t].": [5, 4, 3],
    },
)
check_unchanged(before, {"symbols": symbols, "parents": parents}, "backtrack")
check_close(backtrack(symbols, parents, 2, 0), [5, 9, 1], "backtrack, slot 0 after step 2")
check_close(backtrack(symbols, parents, 1, 2), [7, 4], "backtrack, slot 2 after step 1")
check_close(backtrack(symbols, parents, 0, 1), [7], "backtrack, slot 1 after step 0")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1200)
for T, k in [(6, 4), (9, 2), (4, 7), (5, 1)]:
    symbols, parents = rng.integers(50, size=(T, k)), rng.integers(k, size=(T, k))
    hypotheses = [[] for _ in range(k)]
    given = integers(symbols.tolist()), integers(parents.tolist())
    for t in range(T):
        old = hypotheses
        hypotheses = [[*(old[parents[t, j]] if t else []), int(symbols[t, j])] for j in range(k)]
        for j in range(k):
            got = backtrack(*given, t, j)
            label = f"backtrack, {'last' if t == T - 1 else 'an earlier'} step, k {'=' if k == 1 else '>'} 1"
            check_close(got, hypotheses[j], label)
parents[0] = 10**6
got = backtrack(given[0], integers(parents.tolist()), T - 1, 0)
check_close(got, hypotheses[0], "backtrack: what stands in the parents of step 0 does not matter")
### END HIDDEN TESTS


# %% [markdown]
# ## 4 · Beam search
#
# *Medium, 40 minutes, about 18 lines, 20 points.*
#
# The beam has $k$ places.
# It begins with the empty hypothesis. A step
#
# 1. extends every running hypothesis by every symbol, calling the step function once for each running hypothesis;
# 2. drops candidates with score $-\infty$;
# 3. keeps the best $k - (\text{number found so far})$ candidates;
# 4. moves those that are complete (eq. 10.1 and above) to the hypotheses found; the others run on.
#
# So a complete hypothesis keeps its place for good, and the beam of running ones shrinks.
# (Other implementations refill the beam; their results for the same $k$ differ.)
# It stops when nothing is running.
#
# **Ties.** Of candidates with the same score, the one whose parent stands earlier in the beam is better, and of one parent's candidates the one with the smaller symbol.
# The running hypotheses stand in the order in which they were chosen.
# (A stable sort of candidates that are listed in this order does it.)
#
# **Result.** All hypotheses found, with their scores, the best first; of equal scores, the one first in dictionary order.
#
# *Worked number.* The small model with $k = 2$, $T = 3$.
# Step 1: 1 (0.5) and 2 (0.4).
# Step 2: of the six candidates the best two are (2, end) with 0.36, which is complete, and (1, 1) with 0.2.
# Step 3, one place left: (1, 1, end) with 0.1.
# Result: `[([2, 0], log 0.36), ([1, 1, 0], log 0.1)]`, after $1 + 2 + 1$ calls.

# %% tags=["exercise", "id:beam-search"]
def beam_search(step: Step, state: Any, start: int, end: int, k: int, T: int) -> list[Hypothesis]:
    """Return what a beam with ``k`` places finds: complete outputs and scores, the best first.

    Source: Kovashka's lecture; here a complete output keeps its place, other implementations
    differ. ``step`` is called once for each running hypothesis and step.
    """
    ### BEGIN SOLUTION
    found: list[Hypothesis] = []
    running: list[tuple[list[int], float, Any]] = [([], 0.0, state)]
    for t in range(T):
        candidates = []
        for output, score, state in running:
            log_probs, after = step(output[-1] if output else start, state)
            for v, log_prob in enumerate(log_probs.tolist()):
                if log_prob > -math.inf:
                    candidates.append(([*output, v], score + log_prob, after))
        candidates.sort(key=lambda candidate: -candidate[1])
        running, places = [], k - len(found)
        for output, score, after in candidates[:places]:
            if output[-1] == end or t == T - 1:
                found.append((output, score))
            else:
                running.append((output, score, after))
    return sorted(found, key=lambda hypothesis: (-hypothesis[1], hypothesis[0]))
    ### END SOLUTION


# %% tags=["test", "id:beam-search-test", "points:14"]
calls = []
step = table_step(SMALL, (0.5, 0.3, 0.2), calls)
expected = [([2, 0], log(0.36)), ([1, 1, 0], log(0.1))]
got = beam_search(step, None, 3, 0, 2, 3)
assert isinstance(got, list) and len(got) == 2, (
    "beam_search, worked number: two hypotheses are found. "
    "Does a complete one keep its place, so that one place is left?"
)
check_close(
    got,
    expected,
    "beam_search, worked number",
    hints={
        "The best first: sort what was found.": expected[::-1],
        "It returns the hypotheses before the last step.": [expected[0], ([1, 1], log(0.2))],
        "The probability of the end symbol belongs to the score.": [
            ([2, 0], log(0.4)),
            ([1, 1, 0], log(0.2)),
        ],
    },
)
assert calls == [0, 1, 1, 2], (
    "beam_search, worked number: the step function is called once for each running hypothesis: "
    f"1 + 2 + 1 calls, got {len(calls)}. A complete hypothesis is not extended."
)
check_close(
    beam_search(step, None, 3, 0, 1, 3),
    [([1, 1, 0], log(0.1))],
    "beam_search, k = 1: greedy decoding",
)
check_close(
    beam_search(step, None, 3, 0, 3, 2),
    [([2, 0], log(0.36)), ([1, 1], log(0.2)), ([0], log(0.1))],
    "beam_search, k = 3 and T = 2: what is cut at T is complete too",
)
everything = beam_search(step, None, 3, 0, 27, 3)
assert len(everything) == 15, (
    "beam_search, k = 27 and T = 3: the small model has 15 complete outputs, and none is lost."
)
check_close(sum(math.exp(s) for _, s in everything), 1.0, "beam_search: all probabilities add up")
check_close(
    beam_search(table_step({}, (0.25, 0.25, 0.25, 0.25)), None, 4, 3, 2, 2),
    [([0, 0], 2 * log(0.25)), ([0, 1], 2 * log(0.25))],
    "beam_search: all symbols equally probable, k = 2 (see the rule for ties)",
)
zeros = table_step({(): (0.0, 1.0, 0.0)}, (0.5, 0.5, 0.0))
check_close(
    beam_search(zeros, None, 3, 0, 4, 2),
    [([1, 0], log(0.5)), ([1, 1], log(0.5))],
    "beam_search: symbols of probability 0 are dropped, even when places are free",
)
### BEGIN HIDDEN TESTS
for case, (V, end, T, k) in enumerate([(3, 0, 6, 2), (4, 2, 5, 3), (6, 5, 5, 4), (5, 1, 7, 5)]):
    for zeros in (False, True):
        calls = []
        step = random_step(1300 + case, V, calls, zeros)
        got = beam_search(step, None, V, end, k, T)
        made = list(calls)
        per_step = [made.count(t) for t in range(T)]
        assert max(per_step) <= k and per_step[0] == 1, (
            "beam_search: the step function is called more than k times in one step."
        )
        assert len(got) <= k, "beam_search: it returns more than k hypotheses."
        beam, done, places = [((), 0.0)], [], k
        for t in range(T):
            table = np.full((len(beam), V), -np.inf)
            for i, (prefix, score) in enumerate(beam):
                last, before = (prefix[-1], prefix[:-1]) if prefix else (V, None)
                table[i] = score + step(last, before)[0].cpu().numpy()
            order = np.argsort(-table, axis=None, kind="stable")[:places]
            order = [divmod(int(j), V) for j in order if table.flat[j] > -np.inf]
            longer = [((*beam[i][0], v), table[i, v]) for i, v in order]
            done += [pair for pair in longer if pair[0][-1] == end or t == T - 1]
            beam = [pair for pair in longer if pair[0][-1] != end and t < T - 1]
            places = k - len(done)
        done = sorted(((list(p), float(s)) for p, s in done), key=lambda d: (-d[1], d[0]))
        label = "beam_search, a random model" + (" with zeros" if zeros else "")
        assert len(got) == len(done), (
            f"{label}: the number of hypotheses is wrong. Each complete one keeps its place, and "
            "what has T symbols is complete."
        )
        check_close([d[0] for d in got], [d[0] for d in done], label + ": the outputs")
        check_close([d[1] for d in got], [d[1] for d in done], label + ": the scores", 1e-9)
### END HIDDEN TESTS

# %% [markdown]
# Two properties must hold for every model: a beam of 1 is greedy decoding, and a beam of $V^T$ is exhaustive search.
# This cell tests them.

# %% tags=["test", "id:beam-search-test-2", "points:6"]
for seed in (1, 2):
    step = random_step(seed, 3)
    check_close(
        first_of(beam_search(step, None, 3, 0, 1, 4), "beam_search, k = 1"),
        greedy_decode(step, None, 3, 0, 4),
        "beam_search with k = 1 against greedy_decode",
    )
    check_close(
        first_of(beam_search(step, None, 3, 0, 3**4, 4), "beam_search, k = V^T"),
        exhaustive_decode(step, None, 3, 0, 4),
        "beam_search with k = V^T against exhaustive_decode",
    )
### BEGIN HIDDEN TESTS
for case, (V, end, T) in enumerate([(2, 1, 6), (3, 2, 5), (4, 0, 4), (5, 3, 3)]):
    for zeros in (False, True):
        step = random_step(1350 + case, V, zeros=zeros)
        found = beam_search(step, None, V, end, V**T, T)
        check_close(
            beam_search(step, None, V, end, 1, T),
            [greedy_decode(step, None, V, end, T)],
            "beam_search with k = 1 against greedy_decode",
        )
        check_close(
            first_of(found, "beam_search, k = V^T"),
            exhaustive_decode(step, None, V, end, T),
            "beam_search with k = V^T against exhaustive_decode",
        )
        total = sum(math.exp(s) for _, s in found)
        check_close(total, 1.0, "beam_search with k = V^T: all probabilities add up to 1", 1e-9)
even = table_step({}, (0.5, 0.5))
check_close(
    first_of(beam_search(even, None, 2, 1, 16, 4), "beam_search, k = V^T"),
    exhaustive_decode(even, None, 2, 1, 4),
    "beam_search with k = V^T, symbols equally probable",
)
rows = rnn_step(1360, 5, 4)
given = numbers([0.1, 0.5, -0.3, 0.8])
before = given.clone()
got = beam_search(one_by_one(rows), given, 5, 2, 3, 6)
check_unchanged(before, given, "beam_search: the state")
check_close(
    first_of(beam_search(one_by_one(rows), given, 5, 2, 1, 6), "beam_search, k = 1"),
    greedy_decode(one_by_one(rows), given, 5, 2, 6),
    "beam_search with k = 1 against greedy_decode, states are tensors",
)
for output, score in got:
    state, last, total = given, 5, 0.0
    for symbol in output:
        log_probs, state = one_by_one(rows)(last, state)
        total, last = total + log_probs[symbol].item(), symbol
    check_close(
        score,
        total,
        "beam_search: the score of an output, summed again (does each keep its own state?)",
    )
### END HIDDEN TESTS


# %% [markdown]
# ## 5 · The length
#
# *Easy, 10 minutes, about 4 lines, 8 points.*
#
# Complete outputs of different lengths are compared by
#
# $$s_\alpha(y) = \frac{s(y)}{\ell(|y|)^\alpha}, \qquad \ell(t) = \frac{c + t}{c + 1} \tag{10.2}$$
#
# With $c = 0$ and $\alpha = 1$ this is the mean of Kovashka's lecture; Wu et al. (2016) use $c = 5$; with $\alpha = 0$ nothing changes.
#
# *Shapes.* `scores` and `lengths` (R,); result (R,), with the dtype of `scores`.
# `lengths` are integers; one below 1 raises `ValueError`, because every output has at least one symbol.
#
# *Worked number.* A score of $-6$ and a length of 4: with $\alpha = 1$ and $c = 0$ it becomes $-1.5$, with $\alpha = 0.5$ and $c = 0$ it becomes $-3$, and with $\alpha = 1$ and $c = 5$ it becomes $-6 / (9/6) = -4$.

# %% tags=["exercise", "id:length-normalised"]
def length_normalised(
    scores: Float[Tensor, " R"], lengths: Int[Tensor, " R"], alpha: float, offset: float = 0.0
) -> Float[Tensor, " R"]:
    """Return the scores divided by a power of the relative length.

    Source: Wu et al. (2016), eq. 14, for offset 5; eq. 10.2. Inputs are not modified.

    Raises:
        ValueError: a length is below 1.
    """
    ### BEGIN SOLUTION
    if bool((lengths < 1).any()):
        raise ValueError("length_normalised: every output has at least one symbol")
    relative = (offset + lengths.to(scores.dtype)) / (offset + 1)
    return scores / relative**alpha
    ### END SOLUTION


# %% tags=["test", "id:length-normalised-test", "points:8"]
scores, lengths = numbers([-6.0, -6.0, -2.0]), integers([4, 1, 9])
before = {"scores": scores.clone(), "lengths": lengths.clone()}
check_close(
    length_normalised(scores, lengths, 1.0),
    numbers([-1.5, -6.0, -2 / 9]),
    "length_normalised, alpha = 1, offset 0: the mean",
)
check_unchanged(before, {"scores": scores, "lengths": lengths}, "length_normalised")
check_close(
    length_normalised(scores, lengths, 0.5),
    numbers([-3.0, -6.0, -2 / 3]),
    "length_normalised, alpha = 0.5, offset 0",
    hints={"alpha is an exponent, not a factor.": numbers([-3.0, -12.0, -4 / 9])},
)
check_close(
    length_normalised(scores, lengths, 1.0, 5.0),
    numbers([-4.0, -6.0, -6 / 7]),
    "length_normalised, alpha = 1, offset 5",
    hints={
        "Divide by (c + 1) too, eq. 10.2: a length of 1 changes nothing.": (
            numbers([-6 / 9, -1.0, -2 / 14])
        ),
        "The offset is not used.": numbers([-1.5, -6.0, -2 / 9]),
        "It multiplies; a negative score must come closer to 0.": numbers([-9.0, -6.0, -14 / 3]),
    },
)
check_close(length_normalised(scores, lengths, 0.0, 5.0), scores, "length_normalised, alpha = 0")
check_raises(ValueError, length_normalised, scores, integers([1, 0, 2]), 1.0, when="a length is 0")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1400)
scores = -rng.gamma(2, size=7) * 5
lengths = rng.integers(1, 40, size=7)
for alpha, offset in [(0.6, 5.0), (1.0, 0.0), (0.35, 2.5), (1.7, 1.0), (0.0, 3.0)]:
    expected = scores * np.exp(-alpha * (np.log(offset + lengths) - np.log(offset + 1)))
    got = length_normalised(numbers(scores.tolist()), integers(lengths.tolist()), alpha, offset)
    check_close(
        got, numbers(expected.tolist()), "length_normalised, other exponents and offsets", 1e-9
    )
single = length_normalised(numbers(scores.tolist()).float(), integers(lengths.tolist()), 0.6, 5.0)
check_shape(single, (7,), "length_normalised", axes="R")
assert single.dtype == torch.float32, "length_normalised: float32 in, float32 out."
check_raises(
    ValueError, length_normalised, numbers([-1.0]), integers([-2]), 1.0, when="a length is negative"
)
s_short, s_long, t_short, t_long = -4.0, -7.0, 3, 9
switch = math.log(s_long / s_short) / math.log(t_long / t_short)
for alpha in (switch - 0.01, switch + 0.01):
    got = length_normalised(numbers([s_short, s_long]), integers([t_short, t_long]), alpha)
    assert bool(got[1] > got[0]) == (alpha > switch), (
        "length_normalised: the longer output must win exactly above the threshold of the chapter."
    )
### END HIDDEN TESTS


# %% [markdown]
# ## 6 · Everything at once
#
# *Hard, 50 minutes, about 25 lines, 20 points.*
#
# Part 4 calls the model for one hypothesis after the other.
# A network is much faster when it gets all of them as rows of one tensor, and many sentences besides.
# Here the step function takes rows:
#
# `log_probs, new_states = step(symbols, states)`
#
# with `symbols` (R,), `states` (R, H), `log_probs` (R, V); row $i$ of the results depends on row $i$ of the arguments only.
# You are given a state for each of $B$ sentences, shape (B, H), and return for each sentence what `beam_search` would return for it, **with the same rules** for places, ties, zeros and order.
#
# **Calls.** One a step, with at most $B \cdot k$ rows, and none when nothing is running any more.
#
# *A plan.* Give every sentence $k$ slots, so that there are always $B \cdot k$ rows; an empty slot has score $-\infty$.
#
# 1. At the start only slot 0 of each sentence is filled, with score 0.
# 2. Add scores (B, k, 1) and log-probabilities (B, k, V), flatten to (B, kV), and sort stably, descending: `sort(dim=1, descending=True, stable=True)`. (`topk` is faster, but does not say which of equal values it takes.) The first $k$ are the new slots; `//` and `%` by $V$ give parent and symbol.
# 3. A slot counts if its rank is below the number of places left, and its score is above $-\infty$.
# 4. Of those that count, the complete ones are found: remember them and empty their slots. So are all others emptied that do not count.
# 5. Reorder the states with the parents. Row $b \cdot k + j$ belongs to sentence $b$, slot $j$.
#
# Store symbols and parents of every step, and read complete outputs with `backtrack`.
# What you feed into empty slots does not matter, as long as it is a valid symbol.

# %% tags=["exercise", "id:batched-beam-search"]
def batched_beam_search(
    step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    states: Float[Tensor, "B H"],
    start: int,
    end: int,
    k: int,
    T: int,
) -> list[list[Hypothesis]]:
    """Return, for each sentence, what ``beam_search`` finds: outputs and scores, best first.

    ``step`` is called once a step with the rows of all sentences and hypotheses, at most B k.
    Dtype and device follow ``states``, which is not modified.
    """
    ### BEGIN SOLUTION
    B, rows = states.shape[0], states.repeat_interleave(k, dim=0)  # (B H) -> (B*k H)
    first = torch.arange(B, device=states.device)[:, None] * k
    symbols = torch.full((B * k,), start, device=states.device)
    scores = rows.new_full((B, k), -math.inf)
    scores[:, 0] = 0
    places = torch.full((B, 1), k, device=states.device)
    found: list[list[Hypothesis]] = [[] for _ in range(B)]
    said, came_from = [], []
    for t in range(T):
        log_probs, rows = step(symbols, rows)
        V = log_probs.shape[1]
        joint = scores[:, :, None] + log_probs.reshape(B, k, V)
        scores, flat = joint.flatten(1).sort(dim=1, descending=True, stable=True)
        scores, parents, chosen = scores[:, :k], flat[:, :k] // V, flat[:, :k] % V
        said.append(chosen)
        came_from.append(parents)
        counts = (torch.arange(k, device=states.device) < places) & (scores > -math.inf)
        done = counts & ((chosen == end) | (t == T - 1))
        for b, slot in done.nonzero().tolist():
            tables = torch.stack(said)[:, b], torch.stack(came_from)[:, b]
            found[b].append((backtrack(*tables, t, slot), scores[b, slot].item()))
        places = places - done.sum(dim=1, keepdim=True)
        scores = scores.masked_fill(~counts | done, -math.inf)
        rows, symbols = rows[(first + parents).flatten()], chosen.flatten()
        if bool((scores == -math.inf).all()):
            break
    return [sorted(each, key=lambda pair: (-pair[1], pair[0])) for each in found]
    ### END SOLUTION


# %% tags=["test", "id:batched-beam-search-test", "points:20"]
calls = []


def counted(rows):
    """Return the step function, noting the number of rows of every call."""

    def step(symbols, states):
        calls.append(len(symbols))
        check_shape(symbols, (len(states),), "batched_beam_search: symbols for step", axes="R")
        return rows(symbols, states)

    return step


def small_rows(symbols, states):
    """The small model with the prefix as a number: 0, then 1 + digits in base 3 ..."""
    distributions, after = [], []
    for symbol, state in zip(symbols.tolist(), states[:, 0].tolist(), strict=True):
        prefix = () if state < 0 else (*[int(d) for d in str(int(state))][1:], symbol)
        distributions.append(SMALL.get(prefix, (0.5, 0.3, 0.2)))
        after.append([float("9" + "".join(map(str, prefix)))])
    return numbers(distributions).log(), numbers(after)


expected = [([2, 0], log(0.36)), ([1, 1, 0], log(0.1))]
got = batched_beam_search(counted(small_rows), numbers([[-1.0]]), 3, 0, 2, 3)
check_close(got, [expected], "batched_beam_search, the worked number of part 4 as a batch of one")
assert len(calls) == 3, f"batched_beam_search: one call a step, so 3; got {len(calls)}."
assert max(calls) <= 2, "batched_beam_search: at most B k rows a call."
calls.clear()
# the second sentence has the probabilities (0.5, 0.3, 0.2) at every step, and is done after two
both = [expected, [([0], log(0.5)), ([1, 0], log(0.15))]]
got = batched_beam_search(counted(small_rows), numbers([[-1.0], [9.0]]), 3, 0, 2, 3)
assert isinstance(got, list) and len(got) == 2, (
    "batched_beam_search: return a list with one entry a sentence."
)
check_close(
    got,
    both,
    "batched_beam_search, two sentences",
    hints={
        "The sentences have changed places.": both[::-1],
        "Does row b k + j of the states belong to sentence b?": [expected, expected],
    },
)
assert len(calls) == 3 and max(calls) <= 4, (
    "batched_beam_search: one call a step for all sentences, with at most B k rows."
)

states = numbers([[0.5, -0.2, 0.1], [-0.4, 0.3, 0.9]])
before = states.clone()
rows = rnn_step(3, 4, 3)
for k in (1, 2, 5):
    calls.clear()
    got = batched_beam_search(counted(rows), states, 4, 0, k, 6)
    check_unchanged(before, states, "batched_beam_search: states")
    assert len(calls) <= 6 and max(calls) <= 2 * k, (
        "batched_beam_search: at most one call a step, with at most B k rows."
    )
    for b, found in enumerate(got):
        output, score = first_of(found, f"batched_beam_search, k = {k}, sentence {b}")
        state, last, total = states[b], 4, 0.0
        for symbol in output:
            log_probs, state = one_by_one(rows)(last, state)
            total, last = total + log_probs[symbol].item(), symbol
        check_close(
            score,
            total,
            f"batched_beam_search, k = {k}: the score of the best output, summed again. "
            "Are the states reordered with the parents?",
        )
### BEGIN HIDDEN TESTS


def alone_oracle(rows, state, start, end, k, T):
    """Return what a beam finds for one sentence, from a table of all candidates a step."""
    step, beam, done = one_by_one(rows), [((), 0.0, state)], []
    for t in range(T):
        if not beam or len(done) == k:
            break
        calls_made = [step(y[-1] if y else start, h) for y, _, h in beam]
        table = np.stack(
            [
                s + lp.cpu().double().numpy()
                for (_, s, _), (lp, _) in zip(beam, calls_made, strict=True)
            ]
        )
        order = np.argsort(-table, axis=None, kind="stable")[: k - len(done)]
        order = [divmod(int(i), table.shape[1]) for i in order if table.flat[i] > -np.inf]
        longer = [((*beam[i][0], v), float(table[i, v]), calls_made[i][1]) for i, v in order]
        done += [(list(y), s) for y, s, _ in longer if y[-1] == end or t == T - 1]
        beam = [each for each in longer if each[0][-1] != end]
    return sorted(done, key=lambda pair: (-pair[1], pair[0]))


rng = np.random.default_rng(1500)
for case, (B, V, H, k, T, end) in enumerate(
    [
        (3, 5, 4, 2, 7, 0),
        (4, 6, 3, 4, 6, 5),
        (1, 3, 5, 6, 5, 1),
        (5, 4, 6, 1, 8, 2),
        (2, 3, 4, 81, 4, 1),
    ]
):
    rows, states = rnn_step(1510 + case, V, H), numbers(rng.normal(size=(B, H)).tolist())
    before = states.clone()
    calls.clear()
    got = batched_beam_search(counted(rows), states, V, end, k, T)
    made = list(calls)
    check_unchanged(before, states, "batched_beam_search: states")
    alone = [alone_oracle(rows, state, V, end, k, T) for state in states]
    longest = max(len(output) for found in alone for output, _ in found)
    assert len(made) <= longest, (
        "batched_beam_search: one call a step, and none when nothing is running."
    )
    assert max(made) <= B * k, "batched_beam_search: a call has more than B k rows."
    size = "k = 1" if k == 1 else "k = V^T" if k == V**T else "k > 1"
    for b in range(B):
        label = f"batched_beam_search, {size}, {'one sentence' if B == 1 else 'several sentences'}"
        assert len(got[b]) == len(alone[b]), label + ": as many hypotheses as beam_search finds"
        check_close([y for y, _ in got[b]], [y for y, _ in alone[b]], label + ": the outputs")
        check_close([s for _, s in got[b]], [s for _, s in alone[b]], label + ": the scores", 1e-9)
zeroed = rnn_step(1530, 4, 3)


def with_zeros(symbols, states):
    log_probs, after = zeroed(symbols, states)
    masked = log_probs.clone()
    masked[:, 1] = -math.inf
    masked[after[:, 0] > 0, 3] = -math.inf
    return masked.log_softmax(dim=-1), after


states = numbers(rng.normal(size=(3, 3)).tolist())
got = batched_beam_search(with_zeros, states, 4, 0, 6, 3)
alone = [alone_oracle(with_zeros, state, 4, 0, 6, 3) for state in states]
check_close(got, alone, "batched_beam_search: symbols of probability 0 are dropped")


def even(symbols, states):
    return numbers([[0.25] * 4] * len(symbols)).log(), states


got = batched_beam_search(even, numbers([[0.0], [0.0]]), 4, 2, 3, 3)
alone = alone_oracle(even, numbers([0.0]), 4, 2, 3, 3)
check_close(got, [alone, alone], "batched_beam_search: all symbols equally probable (ties)")
single = rnn_step(1540, 5, 4)


def in_float32(symbols, states):
    assert states.dtype == torch.float32, "batched_beam_search: the states changed their dtype."
    log_probs, after = single(symbols, states.double())
    return log_probs.float(), after.float()


states = numbers(rng.normal(size=(2, 4)).tolist())
got = batched_beam_search(in_float32, states.float(), 5, 0, 3, 5)
alone = [alone_oracle(single, state, 5, 0, 3, 5) for state in states]
check_close(got, alone, "batched_beam_search: float32 states", 1e-4, 1e-5)
### END HIDDEN TESTS

# %% [markdown]
# ### Two of your functions must agree
#
# Sentence by sentence, `batched_beam_search` finds what `beam_search` finds, in less time.

# %%
import time

rows = rnn_step(8, 30, 64)
states = numbers(np.random.default_rng(8).normal(size=(32, 64)).tolist())
started = time.perf_counter()
alone = [beam_search(one_by_one(rows), state, 30, 0, 5, 12) for state in states]
between = time.perf_counter()
together = batched_beam_search(rows, states, 30, 0, 5, 12)
ended = time.perf_counter()
same = [[y for y, _ in a] == [y for y, _ in b] for a, b in zip(alone, together, strict=True)]
print(f"{sum(same)} of 32 sentences agree")
print(f"one by one {between - started:.3f} s, together {ended - between:.3f} s")

# %% [markdown]
# ## 7 · The best k symbols
#
# *Easy, 15 minutes, about 5 lines, 7 points.*
#
# For drawing instead of searching, first cut off the tail.
# Keep the `k` largest logits of each row, give the others probability 0, and renormalise.
# Return log-probabilities: $-\infty$ for what is cut off, and in each row the rest adds up to probability 1.
#
# Exactly `k` symbols are kept (all of them if `k` $\ge V$); of equal logits the smaller symbol is kept first.
#
# *Shapes.* `logits` (R, V); result (R, V).
#
# *Worked number.* Logits $(\log 6, \log 1, \log 3, \log 2)$ and $k = 2$: symbols 0 and 2 are kept, with probabilities $6/9$ and $3/9$.

# %% tags=["exercise", "id:top-k-filter"]
def top_k_filter(logits: Float[Tensor, "R V"], k: int) -> Float[Tensor, "R V"]:
    """Return the log-probabilities of the ``k`` best symbols of each row, renormalised.

    Source: Fan et al. (2018). The other symbols get -inf. Of equal logits the smaller symbol
    is kept. Dtype and device follow ``logits``, which is not modified.
    """
    ### BEGIN SOLUTION
    order = logits.sort(dim=-1, descending=True, stable=True).indices
    kept = torch.zeros_like(logits, dtype=torch.bool)
    kept.scatter_(-1, order[:, :k], True)
    return logits.masked_fill(~kept, -math.inf).log_softmax(dim=-1)
    ### END SOLUTION


# %% tags=["test", "id:top-k-filter-test", "points:7"]
logits = numbers([[6.0, 1.0, 3.0, 2.0], [1.0, 8.0, 8.0, 8.0]]).log()
before = logits.clone()
got = top_k_filter(logits, 2)
check_unchanged(before, logits, "top_k_filter: logits")
check_shape(got, (2, 4), "top_k_filter", axes="R V")
check_close(
    got[0].exp(),
    numbers([6 / 9, 0.0, 3 / 9, 0.0]),
    "top_k_filter, worked number: the probabilities",
    hints={
        "Renormalise after the cut.": numbers([6 / 12, 0.0, 3 / 12, 0.0]),
        "Return log-probabilities, and -inf for what is cut off.": (
            numbers([6 / 9, 0.0, 3 / 9, 0.0]).exp()
        ),
        "What is cut off has logit 0, not -inf: it still takes part.": (
            numbers([6 / 11, 1 / 11, 3 / 11, 1 / 11])
        ),
        "It keeps the k smallest.": numbers([0.0, 1 / 3, 0.0, 2 / 3]),
    },
)
check_close(
    got[1].exp(),
    numbers([0.0, 0.5, 0.5, 0.0]),
    "top_k_filter: three equal logits, k = 2 (exactly two are kept, the smaller symbols first)",
    hints={"All that equal the k-th largest are kept; keep k.": numbers([0.0, *[1 / 3] * 3])},
)
check_close(top_k_filter(logits, 9), logits.log_softmax(-1), "top_k_filter: k larger than V")
check_close(
    top_k_filter(logits, 1)[0], numbers([0.0] + [-math.inf] * 3), "top_k_filter: k = 1, first row"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1600)
for R, V, k in [(3, 7, 3), (5, 4, 1), (2, 9, 8), (4, 6, 6)]:
    raw = rng.normal(size=(R, V)) * 3 - 20
    expected = np.zeros((R, V))
    for i in range(R):
        best = sorted(range(V), key=lambda v: (-raw[i, v], v))[:k]
        expected[i, best] = np.exp(raw[i, best]) / np.exp(raw[i, best]).sum()
    got = top_k_filter(numbers(raw.tolist()), k)
    check_close(got.exp(), numbers(expected.tolist()), "top_k_filter: the probabilities", 1e-9)
    assert ((got > -math.inf).sum(dim=1) == k).all(), "top_k_filter: exactly k symbols are kept."
ties = numbers(rng.integers(3, size=(6, 12)).tolist())
got = top_k_filter(ties, 5)
assert ((got > -math.inf).sum(dim=1) == 5).all(), "top_k_filter: equal logits: exactly k are kept."
order = [[sorted(range(12), key=lambda v: (-row[v], v))[:5]] for row in ties.tolist()]
for row, (best,) in zip(got, order, strict=True):
    kept = (row > -math.inf).nonzero().flatten().tolist()
    assert kept == sorted(best), "top_k_filter: of equal logits, the smaller symbols are kept."
assert top_k_filter(ties.float(), 5).dtype == torch.float32, "top_k_filter: float32 in and out."
### END HIDDEN TESTS


# %% [markdown]
# ## 8 · The nucleus
#
# *Medium, 20 minutes, about 7 lines, 9 points.*
#
# Keep the smallest set of most probable symbols whose probability adds up to at least $p$, with $0 < p \le 1$, and renormalise.
# With the probabilities sorted in descending order, $P_{(1)} \ge P_{(2)} \ge \dots$, the number kept is
#
# $$m = \min \Bigl\{ j : \sum_{i=1}^{j} P_{(i)} \ge p \Bigr\} \tag{10.3}$$
#
# so the symbol that crosses $p$ is inside, and at least one symbol is kept.
# Equal probabilities are taken in the order of the symbols.
# The number kept differs from row to row.
#
# *Shapes.* `logits` (R, V), any logits, not only log-probabilities; result (R, V) as in part 7.
#
# *Worked number.* Probabilities $(0.1, 0.5, 0.3, 0.1)$ and $p = 0.6$: $0.5 < 0.6 \le 0.5 + 0.3$, so symbols 1 and 2 are kept, with probabilities $5/8$ and $3/8$.
#
# *Hint.* A sorted symbol is kept if what comes *before* it adds up to less than $p$. Then bring this decision back to the places that the symbols had before sorting.

# %% tags=["exercise", "id:nucleus-filter"]
def nucleus_filter(logits: Float[Tensor, "R V"], p: float) -> Float[Tensor, "R V"]:
    """Return the log-probabilities of each row's nucleus, renormalised; -inf outside.

    Source: Holtzman et al. (2020); eq. 10.3. Dtype and device follow ``logits``, which is not
    modified.
    """
    ### BEGIN SOLUTION
    sorted_p, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
    before = sorted_p.cumsum(dim=-1) - sorted_p
    kept = torch.zeros_like(logits, dtype=torch.bool)
    kept.scatter_(-1, order, before < p)
    return logits.masked_fill(~kept, -math.inf).log_softmax(dim=-1)
    ### END SOLUTION


# %% tags=["test", "id:nucleus-filter-test", "points:9"]
logits = numbers([[0.1, 0.5, 0.3, 0.1], [0.02, 0.03, 0.05, 0.9], [0.25] * 4]).log() + 7.0
before = logits.clone()
got = nucleus_filter(logits, 0.6)
check_unchanged(before, logits, "nucleus_filter: logits")
check_shape(got, (3, 4), "nucleus_filter", axes="R V")
check_close(
    got[0].exp(),
    numbers([0.0, 5 / 8, 3 / 8, 0.0]),
    "nucleus_filter, worked number: the probabilities",
    hints={
        "The symbol that crosses p belongs to the nucleus.": numbers([0.0, 1.0, 0.0, 0.0]),
        "Renormalise after the cut.": numbers([0.0, 0.5, 0.3, 0.0]),
        "The decision must go back to the places before sorting.": (
            numbers([1 / 6, 5 / 6, 0.0, 0.0])
        ),
        "That is all symbols with a probability of at least p.": numbers([0.0, 0.0, 0.0, 0.0]),
    },
)
check_close(
    got[1].exp(),
    numbers([0.0, 0.0, 0.0, 1.0]),
    "nucleus_filter: one symbol has more than p (it alone is kept)",
)
check_close(
    got[2].exp(),
    numbers([1 / 3, 1 / 3, 1 / 3, 0.0]),
    "nucleus_filter: four equal probabilities, p = 0.6 (three are needed)",
)
check_close(nucleus_filter(logits, 1.0), logits.log_softmax(-1), "nucleus_filter: p = 1")
### BEGIN HIDDEN TESTS
rng = np.random.default_rng(1700)
for R, V, p in [(4, 7, 0.9), (3, 5, 0.5), (6, 9, 0.05), (2, 11, 0.99), (3, 6, 1.0)]:
    raw = rng.normal(size=(R, V)) * 1.5 + 30
    weights = np.exp(raw - raw.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    expected = np.zeros((R, V))
    for i in range(R):
        mass, best = 0.0, []
        for v in sorted(range(V), key=lambda v: (-weights[i, v], v)):
            if mass >= p:
                break
            best.append(v)
            mass += weights[i, v]
        expected[i, best] = weights[i, best] / weights[i, best].sum()
    got = nucleus_filter(numbers(raw.tolist()), p)
    label = "nucleus_filter, " + ("p = 1" if p == 1 else "p small" if p < 0.1 else "p between")
    check_close(got.exp(), numbers(expected.tolist()), label + ": the probabilities", 1e-9)
    assert not torch.isnan(got).any(), label + ": NaN. Is a row empty? At least one is kept."
even = nucleus_filter(torch.zeros(2, 8, dtype=torch.float64, device=DEVICE), 0.3)
kept = (even[0] > -math.inf).nonzero().flatten().tolist()
assert kept == [0, 1, 2], "nucleus_filter: equal probabilities are taken in the symbols' order."
assert nucleus_filter(logits.float(), 0.7).dtype == torch.float32, (
    "nucleus_filter: float32 in, float32 out."
)
### END HIDDEN TESTS

# %% [markdown]
# ### Your beam search on a published model
#
# The optional package g2p-en brings a GRU encoder and decoder from spelling to sound (chapter 10 of the book).
# If it is installed, the cell below decodes a few words with your functions; if not, it says what to install.

# %%
from unrolled.data import g2p

try:
    model = g2p.load_g2p()
except ImportError as missing:
    print(missing)
    model = None


def gru_step(x, h, weights):
    """Return the next state; reset after the matrix, z keeps, as in torch.nn.GRUCell."""
    from_x = (x @ weights["W_x"] + weights["b_x"]).chunk(3, dim=-1)
    from_h = (h @ weights["W_h"] + weights["b_h"]).chunk(3, dim=-1)
    r, z = (torch.sigmoid(from_x[i] + from_h[i]) for i in (0, 1))
    return (1 - z) * torch.tanh(from_x[2] + r * from_h[2]) + z * h


if model is not None:
    encoder, decoder = (
        {key: torch.tensor(value, device=DEVICE) for key, value in part.items()}
        for part in (model.encoder, model.decoder)
    )
    W_y, b_y = (torch.tensor(value, device=DEVICE) for value in (model.W_y, model.b_y))

    def next_sounds(symbols, h):
        h = gru_step(decoder["E"][symbols], h, decoder)
        return torch.log_softmax(h @ W_y + b_y, dim=-1), h

    words, states = ["beam", "search", "regrets", "greedily", "pizza", "schedule"], []
    for word in words:
        h = torch.zeros(len(encoder["W_h"]), device=DEVICE)
        for letter in g2p.letter_ids(word):
            h = gru_step(encoder["E"][letter], h, encoder)
        states.append(h)
    found = batched_beam_search(next_sounds, torch.stack(states), g2p.START, g2p.END, 3, 25)
    for word, hypotheses in zip(words, found, strict=True):
        for symbols, score in hypotheses:
            print(f"{word:9} {score:7.3f}  {' '.join(model.phonemes[i] for i in symbols[:-1])}")

# %% [markdown]
# ## 9 · In your own words
#
# *Medium, 10 minutes each, 5 points each. A person marks these.*
#
# **a.** A colleague doubles the beam width of a translation system from 8 to 16.
# The mean model score rises, and BLEU falls.
# Is there a bug in the search?
# Say which kind of error has become rarer and which more frequent, what the outputs probably look like now, why training by maximum likelihood can lead to a model like this, and name two things that the colleague could try.
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:why-a-larger-beam-hurts", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. No bug need be there: the score went up, which is what a search is for. Search errors became rarer.
# 2. Model errors came to light: outputs with a high score that are bad.
# 3. The outputs are probably shorter: cut off, empty, or copies of the source; BLEU's brevity penalty falls on them.
# 4. A reason: the probability of the right answer is divided among many ways to say it, while an empty or faulty output that occurs with a small probability in the training data is one sequence; or: each step adds a negative term, and locally normalised models give an early end too much.
# 5. Two remedies: a smaller beam chosen on validation data by BLEU; length normalisation or a reward for each word; cleaner training data; minimum length; decoding for expected quality (minimum Bayes risk) or sampling. Any two.
#
# Do not take off points for language.
# ### END MARK SCHEME

# %% [markdown]
# **b.** `beam_search` runs until nothing is running.
# Suppose we stop as soon as one hypothesis is complete, or as soon as the best complete one scores at least as high as the best running one.
# For each of the two rules: can the best hypothesis that is returned change if hypotheses are ranked by their score? And if they are ranked by their mean score (eq. 10.2 with $\alpha = 1$, $c = 0$)?
# Give the reason each time.
# Answer in four to six sentences.

# %% [markdown] tags=["manual", "id:when-to-stop", "points:5"]
# *Your answer here.*
#
# ### BEGIN MARK SCHEME
# One point each:
#
# 1. First rule, by score: it can change; a running hypothesis with a higher score may still end above the complete one.
# 2. First rule, by mean: it can change, for the same reason, and because longer hypotheses may have better means.
# 3. Second rule, by score: it cannot change; log-probabilities are at most 0, so a running hypothesis never rises, and none can end above the best complete one.
# 4. Second rule, by mean: it can change; a word that is easier than the mean so far raises the mean, though the sum falls.
# 5. A correct bound or example: e.g. a running hypothesis with score s can reach a mean of s / T at most; or two concrete hypotheses with numbers.
# ### END MARK SCHEME

# %% [markdown]
# ## 10 · Optional challenge: the best output without looking at everything
#
# *Hard, 30 minutes, about 15 lines, no points.*
#
# Scores only fall.
# So while you follow a branch as in part 2, you may turn back as soon as its score is not above that of the best complete output found so far: nothing better can lie behind it.
# If you follow promising symbols first, you find a good output early and can turn back often.
#
# Return what `exhaustive_decode` returns, with far fewer calls: the test allows a tenth of them.
# (The model of the test has no ties.)
# Stahlberg and Byrne (2019) searched a Transformer in this way and found that for more than half of the sentences its best translation is the empty one.
# If you leave it out, the test below fails and costs nothing.

# %% tags=["exercise", "id:exact-decode"]
def exact_decode(step: Step, state: Any, start: int, end: int, T: int) -> Hypothesis:
    """Return the complete output with the highest score, and that score.

    Source: Stahlberg and Byrne (2019), depth-first search. A branch whose score is not above
    the best complete score is not followed.
    """
    ### BEGIN SOLUTION
    best: Hypothesis = ([], -math.inf)

    def descend(output: list[int], score: float, state: Any) -> None:
        nonlocal best
        log_probs, after = step(output[-1] if output else start, state)
        for v in log_probs.argsort(descending=True).tolist():
            total = score + float(log_probs[v])
            if total <= best[1]:
                return
            if v == end or len(output) == T - 1:
                best = [*output, v], total
            else:
                descend([*output, v], total, after)

    descend([], 0.0, state)
    return best
    ### END SOLUTION


# %% tags=["test", "id:exact-decode-test", "points:0"]
for seed in (5, 6):
    calls = []
    step = random_step(seed, 4, calls)
    expected = exhaustive_decode(step, None, 4, 0, 6)
    everything = len(calls)
    calls.clear()
    check_close(exact_decode(step, None, 4, 0, 6), expected, "exact_decode")
    assert len(calls) <= everything / 10, (
        f"exact_decode: {len(calls)} calls, where looking at everything takes {everything}."
    )

# %% [markdown]
# ## Sources
#
# * Kovashka, *CS 1678* (Pittsburgh, 2021), greedy decoding, exhaustive search, beam search, finishing up.
# * I. Sutskever, O. Vinyals and Q. Le (2014), *Sequence to sequence learning with neural networks*, NeurIPS.
# * Y. Wu et al. (2016), *Google's neural machine translation system*, arXiv:1609.08144.
# * A. Fan, M. Lewis and Y. Dauphin (2018), *Hierarchical neural story generation*, ACL.
# * A. Holtzman et al. (2020), *The curious case of neural text degeneration*, ICLR.
# * F. Stahlberg and B. Byrne (2019), *On NMT search errors and model errors: cat got your tongue?*, EMNLP.
