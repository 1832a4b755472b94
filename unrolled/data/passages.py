"""Short passages about people, questions on them with the span of the answer, and pairs to judge.

"anna lives in new york . a black cat belongs to anna . anna eats rice ." Where is Anna at home? In
"new york", words 3 and 4 of the passage. The question may use other words than the passage does.
The grammar is tiny, so that a small network can learn it within a minute: it tests the machinery of
question answering, not reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

NAMES = (
    *("anna", "boris", "carla", "david", "elena", "farid"),
    *("greta", "henry", "ines", "jonas", "karin", "leo"),
)


class Relation(NamedTuple):
    """What there is to know about a person: two ways to say it, two to ask, and what it may be."""

    says: tuple[str, str]
    asks: tuple[str, str]
    values: tuple[str, ...]


RELATIONS = {
    "home": Relation(
        ("{who} lives in {what} .", "{what} is home to {who} ."),
        ("where does {who} live ?", "where is {who} at home ?"),
        ("oslo", "new york", "rome", "cape town", "berlin", "san marino", "cairo", "tokyo"),
    ),
    "work": Relation(
        ("{who} works as a {what} .", "{who} earns money as a {what} ."),
        ("what is the job of {who} ?", "as what does {who} work ?"),
        ("doctor", "bus driver", "baker", "school teacher", "pilot", "painter", "cook", "judge"),
    ),
    "pet": Relation(
        ("{who} keeps a {what} .", "a {what} belongs to {who} ."),
        ("which animal does {who} keep ?", "what is the pet of {who} ?"),
        ("black cat", "horse", "white mouse", "parrot", "grey goose", "snake", "hen", "rabbit"),
    ),
    "food": Relation(
        ("{who} eats {what} .", "{what} tastes good to {who} ."),
        ("what does {who} eat ?", "which food does {who} like ?"),
        ("apple pie", "rice", "bean soup", "bread", "fish", "goat cheese", "salad", "plums"),
    ),
}


KINDS = ("other", "person", *RELATIONS)  # what a word is: tags of ``tagged`` are indices of these


class Fact(NamedTuple):
    """That ``what`` is the ``relation`` of ``who``."""

    who: str
    relation: str
    what: str


class Question(NamedTuple):
    """A question, a passage, and its answer: the words ``passage[start : end + 1]``."""

    question: tuple[str, ...]
    passage: tuple[str, ...]
    start: int
    end: int


class Pair(NamedTuple):
    """A question, one sentence, and whether the sentence answers it."""

    question: tuple[str, ...]
    sentence: tuple[str, ...]
    answers: bool


class Tagged(NamedTuple):
    """The words of a sentence, and for each the index of its kind in ``KINDS``."""

    words: tuple[str, ...]
    tags: tuple[int, ...]


def facts(count: int, rng: np.random.Generator) -> list[Fact]:
    """Return ``count`` facts about one person, each of another relation, in random order.

    Raises:
        ValueError: there are not that many relations.
    """
    if not 1 <= count <= len(RELATIONS):
        raise ValueError(f"facts: expected a count of 1 to {len(RELATIONS)}, got {count}.")
    who = _pick(NAMES, rng)
    relations = rng.permutation(list(RELATIONS))[:count]
    return [Fact(who, str(name), _pick(RELATIONS[name].values, rng)) for name in relations]


def say(fact: Fact, rng: np.random.Generator) -> tuple[str, ...]:
    """Return a sentence that states the fact, in one of its two wordings."""
    return _words(_pick(RELATIONS[fact.relation].says, rng), fact)


def ask(fact: Fact, rng: np.random.Generator) -> tuple[str, ...]:
    """Return a question whose answer is the fact's ``what``, in one of its two wordings."""
    return _words(_pick(RELATIONS[fact.relation].asks, rng), fact)


def document(rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Return six sentences of plain text about one person, for pretraining.

    Two state facts; two questions, each followed by its answer in a wording of its own, ask for
    them again. The questions come first or last. Nothing is marked.
    """
    known = facts(2, rng)
    told = [say(fact, rng) for fact in known]
    asked = [known[i] for i in rng.permutation(len(known))]
    dialogue = [words for fact in asked for words in (ask(fact, rng), say(fact, rng))]
    return dialogue + told if rng.integers(2) else told + dialogue


def question(rng: np.random.Generator) -> Question:
    """Return a question on a passage that states three facts about one person."""
    known = facts(3, rng)
    place = int(rng.integers(len(known)))
    sentences = [say(fact, rng) for fact in known]
    answer = known[place].what.split()
    start = sum(len(words) for words in sentences[:place]) + _find(answer, sentences[place])
    passage = tuple(word for words in sentences for word in words)
    return Question(ask(known[place], rng), passage, start, start + len(answer) - 1)


def pair(rng: np.random.Generator) -> Pair:
    """Return a question with a sentence about the same person, which answers it half the time."""
    asked, other = facts(2, rng)
    answers = bool(rng.integers(2))
    return Pair(ask(asked, rng), say(asked if answers else other, rng), answers)


def tagged(rng: np.random.Generator) -> Tagged:
    """Return a sentence with its names and values tagged; every word of a value has its tag."""
    fact = facts(1, rng)[0]
    words = say(fact, rng)
    value = fact.what.split()
    start, kind = _find(value, words), KINDS.index(fact.relation)
    inside = range(start, start + len(value))
    tags = (kind if i in inside else int(word == fact.who) for i, word in enumerate(words))
    return Tagged(words, tuple(tags))


def _words(pattern: str, fact: Fact) -> tuple[str, ...]:
    return tuple(pattern.format(who=fact.who, what=fact.what).split())


def _find(part: Sequence[str], whole: Sequence[str]) -> int:
    starts = range(len(whole) - len(part) + 1)
    return next(i for i in starts if list(whole[i : i + len(part)]) == list(part))


def _pick(options: Sequence[Any], rng: np.random.Generator) -> Any:
    return options[int(rng.integers(len(options)))]
