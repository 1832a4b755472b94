"""Film reviews whose verdict depends on the order of the words.

"this movie was completely lacking a good script , good actors and a good director": what is lacking
counts the other way round. A mixed review says both what a film has and what it lacks; its *twin*
exchanges the two lists, so it has exactly the same words and the opposite verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

PRAISE = ("good", "brilliant", "moving", "clever", "fresh")
BLAME = ("bad", "dull", "clumsy", "stale", "flat")
SINGULAR = ("script", "director", "plot", "ending", "hero", "soundtrack")
PLURAL = ("actors", "scenes", "jokes", "dialogues", "pictures", "ideas")
OPENINGS = (
    "this movie was",
    "this film was",
    "the new one is",
    "i found it",
    "the sequel is",
)
HAS = ("full of", "rich in", "blessed with")
LACKS = ("lacking", "short of", "free of", "devoid of")
ADVERBS = ("completely", "really", "quite", "mostly")
JOINTS = ("and", "but", ", though", ", and also")
CLOSINGS = ("in the end", "as always", "i think")
KINDS = ("has", "lacks", "mixed")

LECTURE = "this movie was completely lacking a good script , good actors and a good director"
PAD = "<pad>"
_PHRASES = (*OPENINGS, *HAS, *LACKS, *JOINTS, *CLOSINGS, *ADVERBS, *PRAISE, *BLAME)
VOCABULARY = (
    PAD,
    *sorted({w for phrase in (*_PHRASES, *SINGULAR, *PLURAL, "a and ,") for w in phrase.split()}),
)
INDEX = {word: i for i, word in enumerate(VOCABULARY)}


@dataclass(frozen=True)
class Review:
    """The words of a review, its verdict, and which kind of the three it is."""

    words: tuple[str, ...]
    positive: bool
    kind: str  # "has" or "lacks": one list, so one list decides; "mixed": order decides


def review(rng: np.random.Generator, kind: str) -> Review:
    """Return a random review; positive as often as negative.

    Raises:
        ValueError: ``kind`` is not one of ``KINDS``.
    """
    if kind not in KINDS:
        raise ValueError(f"review: expected a kind of {KINDS}, got {kind!r}.")
    return twins(rng)[0] if kind == "mixed" else _single(rng, kind)


def twins(rng: np.random.Generator) -> tuple[Review, Review]:
    """Return two mixed reviews with the same words and opposite verdicts, the first at random."""
    positive = bool(rng.integers(2))
    lists = {True: _list(rng, PRAISE, 2), False: _list(rng, BLAME, 2)}
    start, middle, end = _pick(OPENINGS, rng).split(), _pick(JOINTS, rng).split(), _closing(rng)
    marks = [(_adverb(rng) + _pick(group, rng).split(), group is HAS) for group in (HAS, LACKS)]
    if rng.integers(2):
        marks.reverse()

    def words(verdict: bool) -> tuple[str, ...]:
        first, second = ((*mark, *lists[verdict == has]) for mark, has in marks)
        return (*start, *first, *middle, *second, *end)

    one, other = (Review(words(v), v, "mixed") for v in (positive, not positive))
    return one, other


def reviews(count: int, rng: np.random.Generator) -> list[Review]:
    """Return ``count`` random reviews: 35 % has, 15 % lacks, half are mixed.

    Of those with one list seven in ten do not negate: as in life, praise mostly means praise.
    """
    kinds = rng.choice(KINDS, size=count, p=(0.35, 0.15, 0.5))
    return [review(rng, str(kind)) for kind in kinds]


def encode(
    sentences: Sequence[Sequence[str]],
) -> tuple[Int[np.ndarray, "B T"], Int[np.ndarray, " B"]]:
    """Return the words of each sentence as indices, padded with 0 on the right, and the lengths.

    Raises:
        KeyError: a word is not in ``VOCABULARY``.
    """
    lengths = np.array([len(words) for words in sentences])
    tokens = np.zeros((len(sentences), max(lengths, default=0)), dtype=np.int64)
    for row, words in zip(tokens, sentences, strict=True):
        row[: len(words)] = [INDEX[word] for word in words]
    return tokens, lengths


def _single(rng: np.random.Generator, kind: str) -> Review:
    """Return a review with one list, of what the film has or of what it lacks."""
    praise = bool(rng.integers(2))
    mark = _adverb(rng) + _pick(HAS if kind == "has" else LACKS, rng).split()
    words = [*_pick(OPENINGS, rng).split(), *mark, *_list(rng, PRAISE if praise else BLAME, 3)]
    return Review((*words, *_closing(rng)), praise == (kind == "has"), kind)


def _list(rng: np.random.Generator, adjectives: Sequence[str], longest: int) -> list[str]:
    """Return one or more things with adjectives: "a good script , good actors and ..."."""
    nouns = rng.choice([*SINGULAR, *PLURAL], size=rng.integers(1, longest + 1), replace=False)
    words: list[str] = []
    for i, noun in enumerate(nouns):
        if i:
            words.append("and" if i == len(nouns) - 1 else ",")
        words += ["a"] * (noun in SINGULAR) + [_pick(adjectives, rng), str(noun)]
    return words


def _adverb(rng: np.random.Generator) -> list[str]:
    return [_pick(ADVERBS, rng)] if rng.integers(2) else []


def _closing(rng: np.random.Generator) -> list[str]:
    return _pick(CLOSINGS, rng).split() if rng.integers(2) else []


def _pick(options: Sequence[Any], rng: np.random.Generator) -> Any:
    return options[int(rng.integers(len(options)))]
