"""Sentences in which a word is a company's name or an ordinary word, as its context says.

"apple stores sell the new phone" and "apple juice is a healthy drink" begin alike: only what comes
*after* the word tells. "the new phone is sold by apple" and "this drink is made from apple" end
alike: only what comes *before* tells. In each kind the other side is drawn without regard to the
answer, so it says nothing. All words are lower-case, because a capital would give it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

# What comes before and what comes after the company; then the same for each ordinary word.
COMPANY = (
    (
        "the new phone is sold by",
        "she invested her savings in",
        "the court fined",
        "he works as an engineer at",
    ),
    (
        "stores sell the new phone",
        "shares rose by nine percent",
        "engineers went on strike",
        "announced record profits",
    ),
)
FRUIT = (
    ("this drink is made from", "the cake tastes of"),
    ("juice is a healthy drink", "peel was on the floor"),
)
CAT = (
    ("the hunters followed the tracks of a", "she painted a picture of a"),
    ("cubs learn to hunt", "tracks were found in the mud"),
)
ORDINARY = {
    "apple": FRUIT,
    "orange": FRUIT,
    "jaguar": CAT,
    "puma": CAT,
    "shell": (
        ("the necklace is made of", "the boat hit a"),
        ("necklaces are easy to make", "fragments covered the beach"),
    ),
    "dove": (
        ("the children fed the", "the cat chased a"),
        ("feathers are white and soft", "eggs are small"),
    ),
    "oracle": (
        ("the king asked the", "the play is about an"),
        ("stories are very old", "sayings were hard to explain"),
    ),
    "caterpillar": (
        ("the leaf was eaten by a", "under the stone sat a"),
        ("legs are hard to count", "nests hang in the tree"),
    ),
}
AMBIGUOUS = tuple(ORDINARY)
FIRST = ("emmanuel", "maria", "ada", "albert", "marie", "nelson", "grace", "alan")
LAST = ("macron", "garcia", "lovelace", "einstein", "curie", "mandela", "hopper", "turing")
PLACES = ("france", "germany", "berlin", "new york", "south africa", "paris", "rome")
LINKS = ("is the president of", "is the mayor of", "was born in", "has never been to")

# These say nothing about the word: they go before it when what follows decides, and vice versa.
OPENINGS = ("", "i read that", "it is true that", "as you know ,", "they say that")
ENDINGS = ("", "last year", "as you know", "and nobody was surprised", ", they say")

KINDS = ("left", "right", "names")
HELD_OUT = 4  # every fourth combination is kept for testing
PAD = "<pad>"
_PHRASES = (
    *(phrase for sides in (COMPANY, *ORDINARY.values()) for side in sides for phrase in side),
    *(AMBIGUOUS + FIRST + LAST + PLACES + LINKS + OPENINGS + ENDINGS),
)
VOCABULARY = (PAD, *sorted({word for phrase in _PHRASES for word in phrase.split()}))
INDEX = {word: i for i, word in enumerate(VOCABULARY)}


@dataclass(frozen=True)
class Tagged:
    """Words, whether each is part of a name, and where the ambiguous word is (-1: nowhere).

    ``kind`` says which side of the ambiguous word decides; "names" has no such word.
    """

    words: tuple[str, ...]
    tags: tuple[bool, ...]
    place: int
    kind: str


def twins(rng: np.random.Generator, kind: str, held_out: bool = False) -> tuple[Tagged, Tagged]:
    """Return two sentences that differ only on the deciding side of the same ambiguous word.

    The first is about the company and the second is not. With ``held_out``, word and silent side
    are a combination that never occurs without it.

    Raises:
        ValueError: ``kind`` is neither "left" nor "right".
    """
    if kind not in ("left", "right"):
        raise ValueError(f"twins: expected the kind left or right, got {kind!r}.")
    side = ("left", "right").index(kind)
    word, silent = _combination(AMBIGUOUS, (ENDINGS, OPENINGS)[side], held_out, rng)
    phrases = _pick(COMPANY[side], rng), _pick(ORDINARY[word][side], rng)

    def sentence(phrase: str, is_name: bool) -> Tagged:
        before, after = (phrase, silent) if kind == "left" else (silent, phrase)
        words = (*before.split(), word, *after.split())
        place = len(before.split())
        return Tagged(words, tuple(is_name and i == place for i in range(len(words))), place, kind)

    return sentence(phrases[0], True), sentence(phrases[1], False)


def names(rng: np.random.Generator, held_out: bool = False) -> Tagged:
    """Return a sentence with a person and a place, after Peeters' "Emmanuel Macron is the ..."."""
    person = _combination(FIRST, LAST, held_out, rng)
    link, place = _pick(LINKS, rng).split(), _pick(PLACES, rng).split()
    tags = (True,) * 2 + (False,) * len(link) + (True,) * len(place)
    return Tagged((*person, *link, *place), tags, -1, "names")


def sentences(count: int, rng: np.random.Generator, held_out: bool = False) -> list[Tagged]:
    """Return ``count`` random sentences, about a third of each kind."""
    return [
        names(rng, held_out)
        if kind == "names"
        else twins(rng, str(kind), held_out)[int(rng.integers(2))]
        for kind in rng.choice(KINDS, size=count)
    ]


def encode(
    batch: Sequence[Tagged],
) -> tuple[Int[np.ndarray, "B T"], Bool[np.ndarray, "B T"], Int[np.ndarray, " B"]]:
    """Return words as indices and tags, both padded with 0 on the right, and the lengths."""
    lengths = np.array([len(sentence.words) for sentence in batch])
    tokens = np.zeros((len(batch), max(lengths, default=0)), dtype=np.int64)
    tags = np.zeros(tokens.shape, dtype=bool)
    for i, sentence in enumerate(batch):
        tokens[i, : lengths[i]] = [INDEX[word] for word in sentence.words]
        tags[i, : lengths[i]] = sentence.tags
    return tokens, tags, lengths


def _combination(
    firsts: Sequence[str], seconds: Sequence[str], held_out: bool, rng: np.random.Generator
) -> tuple[str, str]:
    """Return a random pair of the kind asked for; single words occur in both kinds."""
    while True:
        i, j = int(rng.integers(len(firsts))), int(rng.integers(len(seconds)))
        if ((i + j) % HELD_OUT == 0) == held_out:
            return firsts[i], seconds[j]


def _pick(options: Sequence[Any], rng: np.random.Generator) -> Any:
    return options[int(rng.integers(len(options)))]
