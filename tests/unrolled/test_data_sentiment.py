"""Mixed reviews come in twins of the same words, so that only their order can decide."""

from collections import Counter

import numpy as np
import pytest

from unrolled.data.sentiment import (
    BLAME,
    HAS,
    INDEX,
    KINDS,
    LACKS,
    LECTURE,
    PRAISE,
    VOCABULARY,
    encode,
    review,
    reviews,
    twins,
)

HAVING = {phrase.split()[0] for phrase in HAS}
LACKING = {phrase.split()[0] for phrase in LACKS}


def verdict(words):
    """Return the verdict by rule: adjectives after a word of lacking count the other way round."""
    signs, lacking = set(), False
    for word in words:
        if word in LACKING or word in HAVING:
            lacking = word in LACKING
        if word in PRAISE or word in BLAME:
            signs.add((word in PRAISE) != lacking)
    assert len(signs) == 1, " ".join(words)
    return signs.pop()


def test_twins_have_the_same_words_and_opposite_verdicts():
    """No function of the words without their order can get both right."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        one, other = twins(rng)
        assert Counter(one.words) == Counter(other.words)
        assert one.words != other.words
        assert one.positive != other.positive


@pytest.mark.parametrize("kind", KINDS)
def test_the_verdict_follows_from_the_words(kind):
    """Every review can be judged by a simple rule, and half of them are positive."""
    rng = np.random.default_rng(1)
    found = [review(rng, kind) for _ in range(600)]
    assert all(verdict(r.words) == r.positive and r.kind == kind for r in found)
    assert abs(np.mean([r.positive for r in found]) - 0.5) < 0.08


def test_reviews_are_made_from_the_vocabulary_in_the_stated_shares():
    """Half are mixed, and of the rest three in ten negate; a seed gives the same reviews."""
    found = reviews(2000, np.random.default_rng(2))
    share = Counter(r.kind for r in found)
    assert abs(share["mixed"] / 2000 - 0.5) < 0.05
    assert abs(share["lacks"] / 2000 - 0.15) < 0.03
    assert {word for r in found for word in r.words} <= set(VOCABULARY)
    assert found == reviews(2000, np.random.default_rng(2))


def test_the_sentence_of_the_lecture_can_be_encoded():
    """Padding is index 0, lengths are true lengths."""
    tokens, lengths = encode([LECTURE.split(), ["this", "movie"]])
    assert lengths.tolist() == [len(LECTURE.split()), 2]
    assert [VOCABULARY[i] for i in tokens[0]] == LECTURE.split()
    assert not tokens[1, 2:].any() and VOCABULARY[0] == "<pad>"
    assert len(INDEX) == len(VOCABULARY)


def test_articles_fit():
    """No adjective after "a" starts with a vowel."""
    assert not any(word[0] in "aeiou" for word in PRAISE + BLAME)


def test_unknown_kinds_are_refused():
    """The error names the kinds that there are."""
    with pytest.raises(ValueError, match="expected a kind of"):
        review(np.random.default_rng(0), "sarcastic")
