"""The small world's sentences say what its tables say, up to the share of errors it promises."""

from collections import Counter

import pytest

from unrolled.data import world

SENTENCES = world.corpus(12_000, seed=3)


def together(word, other, sentences=SENTENCES):
    return sum(word in s.words and other in s.words for s in sentences)


def test_the_same_seed_gives_the_same_sentences():
    """A corpus is a function of its arguments."""
    assert world.corpus(50, seed=1) == world.corpus(50, seed=1)
    assert world.corpus(50, seed=1) != world.corpus(50, seed=2)


def test_topics_are_equally_frequent():
    """Every topic has its share of the sentences."""
    counts = Counter(s.topic for s in SENTENCES)
    assert set(counts) == set(world.TOPICS)
    assert all(abs(n / len(SENTENCES) - 1 / len(world.TOPICS)) < 0.01 for n in counts.values())


def test_sentences_are_plain_words():
    """No slot is left empty, no word has a capital or a mark."""
    for s in SENTENCES:
        assert all(word.isalpha() and word.islower() for word in s.words), s
        assert 4 <= len(s.words) <= 12


def test_every_word_of_the_tables_occurs():
    """Relations and kinds can be asked about: none of their words is missing."""
    seen = {word for s in SENTENCES for word in s.words}
    assert {word for words in world.KINDS.values() for word in words} <= seen
    assert {w for pairs in world.RELATIONS.values() for pair in pairs for w in pair} <= seen


def test_no_word_is_of_two_kinds():
    """Bank is the one ambiguous word, and it is in no table."""
    words = [word for words in world.KINDS.values() for word in words]
    assert len(words) == len(set(words))
    assert "bank" not in words


@pytest.mark.parametrize(
    ("word", "right", "wrong"),
    [
        ("queen", "she", "he"),
        ("king", "crown", "menu"),
        ("paris", "french", "german"),
        ("kitten", "tiny", "heavy"),
        ("apples", "two", "one"),
        ("boat", "captain", "pilot"),
    ],
)
def test_words_meet_what_fits_them(word, right, wrong):
    """What the tables say is far more frequent than what they do not; errors exist."""
    assert together(word, right) > 5 * together(word, wrong)
    assert any(together(w, wrong) for w in (word, right))


def test_errors_have_the_share_that_is_promised():
    """A telling slot is random in ``ERRORS`` of all cases, and then right by chance at times."""
    verbs = [s for s in SENTENCES if s.topic == "fruit"]
    several = {row[1] for row in world.FRUIT}
    wrong = sum(bool(several & set(s.words)) == ("is" in s.words) for s in verbs) / len(verbs)
    assert abs(wrong - world.ERRORS / 2) < 0.02


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_river_share_divides_the_banks(share):
    """The share of banks at a river is the one asked for; their number does not change."""
    found = Counter(s.topic for s in world.corpus(12_000, 0, share) if "bank" in s.words)
    assert set(found) <= {"money", "river"}
    assert abs(found["river"] / found.total() - share) < 0.05
    assert abs(found.total() / 12_000 - world.BANKS / len(world.TOPICS)) < 0.02


def test_bank_stands_where_office_and_shore_stand():
    """What surrounds a bank is what surrounds an office or a shore."""

    def frames(place):
        found = (s for s in SENTENCES if place in s.words and s.topic in ("money", "river"))
        return {(s.topic, s.words.index(place)) for s in found}

    assert frames("bank") == frames("office") | frames("shore")
    assert not frames("office") & frames("shore")


def test_impossible_shares_are_refused():
    """A share is between 0 and 1."""
    with pytest.raises(ValueError, match="river_share"):
        world.corpus(1, 0, river_share=1.5)


def test_analogies_are_all_pairs_of_a_relation():
    """n pairs give n (n - 1) questions, each with its answer last."""
    for name, questions in world.analogies().items():
        pairs = world.RELATIONS[name]
        assert len(set(questions)) == len(pairs) * (len(pairs) - 1)
        assert all((a, b) in pairs and (c, d) in pairs and a != c for a, b, c, d in questions)
