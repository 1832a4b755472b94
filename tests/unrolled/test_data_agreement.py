"""Agreement sentences are exactly as long as asked for, and only the subject tells the number."""

import numpy as np
import pytest

from unrolled.data.agreement import (
    INDEX,
    NOUNS,
    PAST,
    VERBS,
    VOCABULARY,
    agreement_prefixes,
    agreement_sentence,
)

DISTANCES = (1, *range(7, 40))
NUMBER = {form: bool(i) for pair in NOUNS for i, form in enumerate(pair)}


def sentences(distance, count=60):
    rng = np.random.default_rng(distance)
    return [agreement_sentence(distance, rng) for _ in range(count)]


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_verb_stands_where_it_is_said_to_be(distance):
    """Subject, verb and distance agree with the words, and every word is in the vocabulary."""
    for s in sentences(distance):
        assert s.words[0] == "the" and s.words[-1] == "."
        assert s.verb == 1 + distance and s.distance == distance
        assert s.words[s.verb] in [pair[s.plural] for pair in VERBS]
        assert NUMBER[s.words[1]] == s.plural
        assert set(s.words) <= set(VOCABULARY)
        assert (s.words.count(","), s.words.count("who")) == ((2, 1) if distance > 1 else (0, 0))
        assert sum(word in PAST for word in s.words) == (distance > 1)


def test_attractors_are_the_nouns_in_between_with_the_other_number():
    """The counts in a sentence are those of its words."""
    for s in sentences(20):
        between = [NUMBER[word] for word in s.words[2 : s.verb] if word in NUMBER]
        assert s.attractors == sum(number != s.plural for number in between)
        assert s.last_misleads == (between[-1] != s.plural)


def test_words_between_say_nothing_about_the_number():
    """Plural subjects, and misleading last nouns, are as frequent as chance."""
    _, plural, misled = agreement_prefixes(4000, 12, np.random.default_rng(0))
    assert abs(plural.mean() - 0.5) < 0.03
    assert abs(misled.mean() - 0.5) < 0.03
    assert abs(misled[plural].mean() - misled[~plural].mean()) < 0.05


def test_prefixes_end_before_the_verb():
    """Tokens are the sentence up to its verb, all of one length."""
    tokens, plural, misled = agreement_prefixes(5, 9, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    assert tokens.shape == (5, 10)
    for row, is_plural, is_misled in zip(tokens, plural, misled, strict=True):
        s = agreement_sentence(9, rng)
        assert [VOCABULARY[i] for i in row] == list(s.words[: s.verb])
        assert (s.plural, s.last_misleads) == (is_plural, is_misled)


def test_vocabulary_has_no_word_twice():
    """An index means one word, and padding is index 0."""
    assert len(INDEX) == len(VOCABULARY)
    assert VOCABULARY[0] == "<pad>"


def test_impossible_distances_are_refused():
    """Between 1 and the shortest clause there is no sentence."""
    for distance in (0, 2, 6, -3):
        with pytest.raises(ValueError, match="expected distance 1 or"):
            agreement_sentence(distance, np.random.default_rng(0))
