"""Sentences whose verb agrees in number with a noun that may stand far before it.

"the students , who followed the long lesson behind the old door , were tired ." Only the subject
says whether the verb is singular or plural: the words between are drawn without regard to it, and
the nouns among them mislead as often as not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

PEOPLE = (
    ("student", "students"),
    ("teacher", "teachers"),
    ("writer", "writers"),
    ("farmer", "farmers"),
    ("doctor", "doctors"),
    ("pilot", "pilots"),
    ("singer", "singers"),
    ("guard", "guards"),
)
THINGS = (
    ("lesson", "lessons"),
    ("letter", "letters"),
    ("garden", "gardens"),
    ("window", "windows"),
    ("bridge", "bridges"),
    ("key", "keys"),
    ("map", "maps"),
    ("door", "doors"),
)
NOUNS = PEOPLE + THINGS
VERBS = (("was", "were"), ("is", "are"))
ADJECTIVES = ("old", "young", "long", "small", "famous", "quiet")
PREPOSITIONS = ("near", "behind", "beside", "with", "from")
PAST = ("followed", "saw", "found", "remembered", "described", "missed")  # the same in both numbers
ADVERBS = ("often", "already", "never", "quickly")
PREDICATES = ("tired", "late", "happy", "here", "ready")

PAD = "<pad>"
VOCABULARY = (
    PAD,
    *("the", "who", ",", "."),
    *(form for pair in NOUNS + VERBS for form in pair),
    *(ADJECTIVES + PREPOSITIONS + PAST + ADVERBS + PREDICATES),
)
INDEX = {word: i for i, word in enumerate(VOCABULARY)}
SHORTEST_CLAUSE = 7  # ", who saw the letter ," puts the verb seven words after the subject


@dataclass(frozen=True)
class Sentence:
    """A sentence, where its verb is, and what agrees or disagrees with it.

    ``distance`` counts words from the subject noun to the verb (1: the verb comes next).
    ``attractors`` counts nouns in between with the other number, ``last_misleads`` says whether
    the noun nearest to the verb is one of them.
    """

    words: tuple[str, ...]
    verb: int
    plural: bool
    distance: int
    attractors: int
    last_misleads: bool


def agreement_sentence(distance: int, rng: np.random.Generator) -> Sentence:
    """Return a random sentence whose verb comes ``distance`` words after its subject.

    Raises:
        ValueError: ``distance`` is neither 1 nor at least 7, the shortest relative clause.
    """
    if distance != 1 and distance < SHORTEST_CLAUSE:
        raise ValueError(
            f"agreement_sentence: expected distance 1 or >= {SHORTEST_CLAUSE}, got {distance}."
        )
    plural = bool(rng.integers(2))
    clause, plurals = ([], []) if distance == 1 else _clause(distance - 1, rng)
    subject = _pick(PEOPLE, rng)[plural]
    verb = _pick(VERBS, rng)[plural]
    words = ("the", subject, *clause, verb, _pick(PREDICATES, rng), ".")
    other = [noun != plural for noun in plurals]
    return Sentence(words, 1 + distance, plural, distance, sum(other), bool(other and other[-1]))


def agreement_prefixes(
    B: int, distance: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, "B T"], Bool[np.ndarray, " B"], Bool[np.ndarray, " B"]]:
    """Return the words before the verb as indices, whether it is plural, and who is misled.

    T = distance + 1, the same for every sentence. The last array is ``last_misleads``: the noun
    nearest to the verb has the other number.
    """
    sentences = [agreement_sentence(distance, rng) for _ in range(B)]
    tokens = np.array([[INDEX[word] for word in s.words[: s.verb]] for s in sentences])
    plural = np.array([s.plural for s in sentences])
    return tokens, plural, np.array([s.last_misleads for s in sentences])


def _clause(length: int, rng: np.random.Generator) -> tuple[list[str], list[bool]]:
    """Return ", who ... ," in exactly ``length`` words, and whether each noun in it is plural.

    A prepositional phrase takes three words; one word more goes into an adverb, or into an
    adjective before any of the nouns.
    """
    spare = length - (SHORTEST_CLAUSE - 1)
    phrases = int(rng.integers(-(-max(spare - 2, 0) // 4), spare // 3 + 1))
    slots = 2 + phrases
    longer = np.isin(np.arange(slots), rng.choice(slots, size=spare - 3 * phrases, replace=False))
    words = [",", "who", *([_pick(ADVERBS, rng)] if longer[0] else []), _pick(PAST, rng)]
    plurals = []
    for i, adjective in enumerate(longer[1:]):
        plurals.append(bool(rng.integers(2)))
        words += [_pick(PREPOSITIONS, rng)] if i else []
        words += ["the", *([_pick(ADJECTIVES, rng)] if adjective else [])]
        words.append(_pick(NOUNS, rng)[plurals[-1]])
    return [*words, ","], plurals


def _pick(options: Sequence[Any], rng: np.random.Generator) -> Any:
    return options[int(rng.integers(len(options)))]
