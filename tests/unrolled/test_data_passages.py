"""Questions have their answers where they say, and pairs and tags are what the grammar means."""

import numpy as np
import pytest

from unrolled.data import passages


@pytest.fixture
def rng():
    return np.random.default_rng(0)


FREE = {"{who}", "{what}", ".", "?", "a", "is"}


def relation_of(words):
    """Return the relations that one of the grammar's patterns could state or ask in these words."""
    found = set()
    for name, relation in passages.RELATIONS.items():
        for pattern in relation.says + relation.asks:
            fixed = {
                w for w in pattern.split() if w not in ("{who}", "{what}", ".", "?", "a", "is")
            }
            if fixed <= set(words):
                found.add(name)
    return found


def test_facts_are_about_one_person_and_different_things(rng):
    """Every fact has a relation of its own and a value that belongs to it."""
    for _ in range(50):
        known = passages.facts(3, rng)
        assert len({fact.who for fact in known}) == 1
        assert len({fact.relation for fact in known}) == 3
        assert all(fact.what in passages.RELATIONS[fact.relation].values for fact in known)


@pytest.mark.parametrize("count", [0, 5])
def test_impossible_counts_of_facts_are_refused(rng, count):
    """Four relations give one to four facts."""
    with pytest.raises(ValueError, match=f"1 to 4, got {count}"):
        passages.facts(count, rng)


def test_the_span_is_the_answer(rng):
    """The span is a whole value of the relation asked for; the same person is asked about."""
    wide = 0
    for _ in range(200):
        q = passages.question(rng)
        answer = " ".join(q.passage[q.start : q.end + 1])
        asked = [r for r in passages.RELATIONS.values() if answer in r.values]
        assert len(asked) == 1
        who = next(word for word in q.question if word in passages.NAMES)
        assert q.question in {tuple(p.format(who=who).split()) for p in asked[0].asks}
        assert who in q.passage and q.passage.count(".") == 3
        wide += q.end > q.start
    assert 30 < wide < 130  # three values of eight have two words


def test_half_of_the_sentences_answer_their_question(rng):
    """A right one states what is asked for; a wrong one is about the same person all the same."""
    pairs = [passages.pair(rng) for _ in range(400)]
    for p in pairs:
        assert bool(relation_of(p.question) & relation_of(p.sentence)) == p.answers
        asked, told = ({w for w in words if w in passages.NAMES} for words in p[:2])
        assert asked == told and len(asked) == 1
    assert 150 < sum(p.answers for p in pairs) < 250


def test_tags_cover_the_name_and_the_value(rng):
    """One name, one value of one kind, and nothing else is tagged."""
    for _ in range(100):
        words, tags = passages.tagged(rng)
        assert len(words) == len(tags)
        assert [w for w, t in zip(words, tags, strict=True) if t == 1] == [
            w for w in words if w in passages.NAMES
        ]
        kind = max(tags)
        value = " ".join(w for w, t in zip(words, tags, strict=True) if t == kind)
        assert value in passages.RELATIONS[passages.KINDS[kind]].values


def test_a_document_asks_for_what_it_tells(rng):
    """Six sentences about one person; each answer follows its question and repeats a fact."""
    first = 0
    for _ in range(100):
        sentences = passages.document(rng)
        assert len(sentences) == 6
        assert len({w for words in sentences for w in words if w in passages.NAMES}) == 1
        places = [i for i, words in enumerate(sentences) if words[-1] == "?"]
        assert places in ([0, 2], [2, 4])
        told = sentences[4:] if places == [0, 2] else sentences[:2]
        for place in places:
            answered = relation_of(sentences[place]) & relation_of(sentences[place + 1])
            assert any(answered & relation_of(words) for words in told)
        first += places == [0, 2]
    assert 25 < first < 75


def test_the_same_seed_gives_the_same_text():
    """Randomness comes from the generator alone."""
    one, other = (
        [passages.document(np.random.default_rng(3)), passages.question(np.random.default_rng(4))]
        for _ in range(2)
    )
    assert one == other
