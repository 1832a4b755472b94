"""Entity sentences are decided by one side of the ambiguous word, and the other side is silent."""

from collections import Counter

import numpy as np
import pytest

from unrolled.data.entities import (
    AMBIGUOUS,
    INDEX,
    VOCABULARY,
    encode,
    names,
    sentences,
    twins,
)

SIDES = ("left", "right")


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("kind", SIDES)
def test_twins_agree_on_the_silent_side_and_on_the_word(kind, held_out):
    """What is on the other side of the word, and the word, are the same for both answers."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        company, ordinary = twins(rng, kind, held_out)
        silent = slice(None, company.place + 1) if kind == "right" else slice(company.place, None)
        other = slice(None, ordinary.place + 1) if kind == "right" else slice(ordinary.place, None)
        assert company.words[silent] == ordinary.words[other]
        assert company.words[company.place] in AMBIGUOUS
        assert company.words != ordinary.words
        assert sum(company.tags) == 1 and company.tags[company.place]
        assert not any(ordinary.tags)


def test_the_deciding_side_decides():
    """The same phrase never goes with both answers."""
    rng = np.random.default_rng(1)
    seen = {True: set(), False: set()}
    for kind in SIDES:
        for _ in range(500):
            for s in twins(rng, kind):
                left, right = s.words[: s.place], s.words[s.place + 1 :]
                seen[any(s.tags)].add((kind, left if kind == "left" else right))
    assert not seen[True] & seen[False]


def test_names_are_tagged_word_by_word():
    """A person and a place, as on the lecture's slide, and nothing between them."""
    rng = np.random.default_rng(2)
    for _ in range(100):
        s = names(rng)
        assert s.tags[:2] == (True, True) and s.tags[-1] and not s.tags[2]
        assert len(s.tags) == len(s.words) and s.place == -1


def test_held_out_sentences_are_new():
    """No held-out sentence is ever drawn for training, though all its words are."""
    train = sentences(4000, np.random.default_rng(3))
    test = sentences(500, np.random.default_rng(4), held_out=True)
    assert not {s.words for s in train} & {s.words for s in test}
    known = {word for s in train for word in s.words}
    assert {word for s in test for word in s.words} <= known == set(VOCABULARY[1:])


def test_kinds_are_about_equally_frequent_and_answers_balanced():
    """A third of each kind; half of the ambiguous words are names."""
    found = sentences(3000, np.random.default_rng(5))
    share = Counter(s.kind for s in found)
    assert all(abs(share[kind] / 3000 - 1 / 3) < 0.04 for kind in (*SIDES, "names"))
    for kind in SIDES:
        company = [any(s.tags) for s in found if s.kind == kind]
        assert abs(np.mean(company) - 0.5) < 0.06


def test_encoding_pads_on_the_right():
    """Tokens, tags and lengths agree with the sentences."""
    batch = sentences(6, np.random.default_rng(6))
    tokens, tags, lengths = encode(batch)
    assert tokens.shape == tags.shape == (6, max(lengths))
    for s, row, marks, length in zip(batch, tokens, tags, lengths, strict=True):
        assert [VOCABULARY[i] for i in row[:length]] == list(s.words)
        assert tuple(marks[:length]) == s.tags
        assert not row[length:].any() and not marks[length:].any()
    assert len(INDEX) == len(VOCABULARY) and VOCABULARY[0] == "<pad>"


def test_unknown_kinds_are_refused():
    """Names have no ambiguous word, so they have no twins."""
    with pytest.raises(ValueError, match="left or right"):
        twins(np.random.default_rng(0), "names")
