"""Sentences about a small world whose words have known features, as ground for word vectors.

Who is royal, which city is whose capital, what barks: all of it is written down below, so that
neighbours and analogies of vectors learnt from the sentences can be checked against the truth.
Words of a kind are drawn with weights 1, 1/2, 1/3, ... as in real text, where few words are
frequent and many are rare; and a part of all slots is filled at random, as a writer may err.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

# (man, woman, what goes with both)
PEOPLE = (
    ("man", "woman", ("town", "field", "road")),
    ("king", "queen", ("crown", "throne", "palace")),
    ("boy", "girl", ("toy", "kite", "playground")),
    ("father", "mother", ("family", "home", "cradle")),
    ("uncle", "aunt", ("nephew", "cousin", "postcard")),
    ("prince", "princess", ("castle", "tutor", "ball")),
    ("husband", "wife", ("wedding", "ring", "marriage")),
    ("actor", "actress", ("stage", "theatre", "script")),
    ("waiter", "waitress", ("menu", "tray", "restaurant")),
    ("grandfather", "grandmother", ("cane", "armchair", "memories")),
)
LOOKS = (("beard", "moustache", "tie"), ("dress", "skirt", "necklace"))
PRONOUNS = (("he", "his"), ("she", "her"))

# (country, capital, language, what it sells)
NATIONS = (
    ("france", "paris", "french", "wine"),
    ("germany", "berlin", "german", "machines"),
    ("italy", "rome", "italian", "marble"),
    ("spain", "madrid", "spanish", "oranges"),
    ("greece", "athens", "greek", "olives"),
    ("poland", "warsaw", "polish", "coal"),
    ("japan", "tokyo", "japanese", "cameras"),
    ("egypt", "cairo", "arabic", "cotton"),
    ("norway", "oslo", "norwegian", "salmon"),
    ("finland", "helsinki", "finnish", "paper"),
)
OFFICES = ("president", "government", "parliament", "army")
CITIZENS = ("mayor", "students", "porters", "tourists")

# (grown, young, what it does)
ANIMALS = (
    ("cat", "kitten", ("purrs", "scratches")),
    ("dog", "puppy", ("barks", "fetches")),
    ("cow", "calf", ("moos", "chews")),
    ("horse", "foal", ("neighs", "gallops")),
    ("sheep", "lamb", ("bleats", "grazes")),
    ("hen", "chick", ("clucks", "pecks")),
    ("lion", "cub", ("roars", "prowls")),
    ("duck", "duckling", ("quacks", "dives")),
)
AGES = (("heavy", "strong", "grown"), ("tiny", "newborn", "clumsy"))

# (one, several, what it is like)
FRUIT = (
    ("apple", "apples", ("crisp", "red")),
    ("banana", "bananas", ("yellow", "soft")),
    ("cherry", "cherries", ("dark", "tart")),
    ("pineapple", "pineapples", ("spiky", "golden")),
    ("pear", "pears", ("green", "mellow")),
    ("lemon", "lemons", ("sour", "bright")),
)
NUMBERS = (("a", "one"), ("two", "many"))
VERBS = ("is", "are")

# (vehicle, who steers it, where it leaves from)
VEHICLES = (
    ("train", "driver", "station"),
    ("boat", "captain", "harbour"),
    ("plane", "pilot", "airport"),
    ("coach", "guide", "depot"),
    ("ferry", "skipper", "pier"),
)
JOURNEYS = ("trip", "journey", "voyage")
SKIES = ("rain", "wind", "snow", "storm", "fog", "sunshine")
SEASONS = ("winter", "spring", "summer", "autumn")
MONEY = ("loan", "deposit", "account", "cash", "cheque", "credit")
MONEY_ACTS = ("pays", "borrows", "saves", "owes")
RIVER = ("water", "reeds", "mud", "fish", "willow", "current")
RIVER_ACTS = ("swims", "rests", "drifts", "floats")

TEMPLATES: dict[str, tuple[str, ...]] = {
    "people": (
        "the {x} lost {his} {thing}",
        "the {x} said that {he} wanted the {thing}",
        "the {x} with the {look} came to the {thing}",
        "{he} showed the {look} and {his} {thing} to the {x}",
    ),
    "nations": (
        "the {role} of {x} liked {sold}",
        "in {x} the {role} chose {language} and {sold}",
        "{language} is what the {role} of {x} spoke",
        "{capital} is the capital of {country}",
    ),
    "animals": (
        "the {age} {x} {does} near the fence",
        "the {x} is {age} and {does} all day",
        "look how the {age} and {age2} {x} {does}",
    ),
    "fruit": (
        "{number} {like} {x} {be} on the table",
        "{number} {x} {be} {like} and fresh",
        "in the bowl {be} {number} {like} {x}",
    ),
    "travel": (
        "the {driver} of the {x} left the {start} for a {trip}",
        "the president is on a {x} {trip}",
        "at the {start} waits a {x}",
        "the {x} and its {driver} are ready for the {trip}",
    ),
    "weather": (
        "the {season} brings {x} and {y}",
        "after the {x} came {y} in the {season}",
        "the forecast promises {x} with {y}",
    ),
    "money": (
        "the {place} keeps the {x} of a customer who {act}",
        "a customer {act} the {x} at the {place}",
        "the {place} refused the {x} and the {y}",
    ),
    "river": (
        "the heron {act} in the {x} by the {place}",
        "the {place} is full of {x} where a heron {act}",
        "the {x} and the {y} cover the {place}",
    ),
}

TOPICS = ("people", "nations", "animals", "fruit", "travel", "weather", "money", "river")
ERRORS = 0.1  # the share of telling slots that are filled at random
BANKS = 0.8  # of as many sentences as are about money, or about a river, a bank is the place

RELATIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "man : woman": tuple(row[:2] for row in PEOPLE),
    "country : capital": tuple(row[:2] for row in NATIONS),
    "grown : young": tuple(row[:2] for row in ANIMALS),
    "one : several": tuple(row[:2] for row in FRUIT),
}
KINDS: dict[str, tuple[str, ...]] = {
    "man": tuple(row[0] for row in PEOPLE),
    "woman": tuple(row[1] for row in PEOPLE),
    "country": tuple(row[0] for row in NATIONS),
    "capital": tuple(row[1] for row in NATIONS),
    "animal": tuple(row[0] for row in ANIMALS),
    "young animal": tuple(row[1] for row in ANIMALS),
    "fruit": tuple(row[0] for row in FRUIT),
    "fruits": tuple(row[1] for row in FRUIT),
    "vehicle": tuple(row[0] for row in VEHICLES),
    "weather": SKIES,
    "money": MONEY,
    "river": RIVER,
}


class Sentence(NamedTuple):
    """The words of a sentence and what it is about, one of ``TOPICS``."""

    words: tuple[str, ...]
    topic: str


def corpus(count: int, seed: int, river_share: float = 0.5) -> list[Sentence]:
    """Return ``count`` random sentences, on each topic equally often on average.

    ``river_share`` is the share of "bank" that means a river's. Only the sentences about money
    and rivers depend on it; the number of banks does not.

    Raises:
        ValueError: ``river_share`` is not between 0 and 1.
    """
    if not 0 <= river_share <= 1:
        raise ValueError(f"corpus: expected 0 <= river_share <= 1, got {river_share}.")
    rng = random.Random(seed)  # one call costs a tenth of numpy's, and there are a million
    return [sentence(rng.choice(TOPICS), rng, river_share) for _ in range(count)]


def sentence(topic: str, rng: random.Random, river_share: float = 0.5) -> Sentence:
    """Return one random sentence about ``topic``, one of ``TOPICS``."""
    slots = SLOTS[topic](rng)
    if topic in ("money", "river"):
        share = river_share if topic == "river" else 1 - river_share
        bank = rng.random() < BANKS * share
        slots["place"] = "bank" if bank else {"money": "office", "river": "shore"}[topic]
    return Sentence(tuple(rng.choice(TEMPLATES[topic]).format(**slots).split()), topic)


def analogies() -> dict[str, list[tuple[str, str, str, str]]]:
    """Return for every relation all questions (a, b, c, d): a is to b as c is to d."""
    return {
        name: [(*p, *q) for p in pairs for q in pairs if p != q]
        for name, pairs in RELATIONS.items()
    }


def _common(options: Sequence[Any], rng: random.Random) -> Any:
    """Draw the n-th option with a weight of 1/n."""
    return rng.choices(options, [1 / n for n in range(1, len(options) + 1)])[0]


def _telling(right: Sequence[str], every: Sequence[Sequence[str]], rng: random.Random) -> str:
    """Draw one of the words that fit, or now and then one that fits another entry."""
    return rng.choice(rng.choice(every) if rng.random() < ERRORS else right)


def _people(rng: random.Random) -> dict[str, str]:
    row, woman = _common(PEOPLE, rng), rng.random() < 0.5
    return {
        "x": row[woman],
        "he": _telling(PRONOUNS[woman][:1], [p[:1] for p in PRONOUNS], rng),
        "his": _telling(PRONOUNS[woman][1:], [p[1:] for p in PRONOUNS], rng),
        "look": _telling(LOOKS[woman], LOOKS, rng),
        "thing": _telling(row[2], [r[2] for r in PEOPLE], rng),
    }


def _nations(rng: random.Random) -> dict[str, str]:
    row, city = _common(NATIONS, rng), rng.random() < 0.5
    return {
        "x": row[city],
        "country": row[0],
        "capital": row[1],
        "role": _telling((OFFICES, CITIZENS)[city], (OFFICES, CITIZENS), rng),
        "language": _telling(row[2:3], [r[2:3] for r in NATIONS], rng),
        "sold": _telling(row[3:], [r[3:] for r in NATIONS], rng),
    }


def _animals(rng: random.Random) -> dict[str, str]:
    row, young = _common(ANIMALS, rng), rng.random() < 0.5
    return {
        "x": row[young],
        "age": _telling(AGES[young], AGES, rng),
        "age2": _telling(AGES[young], AGES, rng),
        "does": _telling(row[2], [r[2] for r in ANIMALS], rng),
    }


def _fruit(rng: random.Random) -> dict[str, str]:
    row, several = _common(FRUIT, rng), rng.random() < 0.5
    return {
        "x": row[several],
        "number": _telling(NUMBERS[several], NUMBERS, rng),
        "be": _telling(VERBS[several : several + 1], [VERBS[:1], VERBS[1:]], rng),
        "like": _telling(row[2], [r[2] for r in FRUIT], rng),
    }


def _travel(rng: random.Random) -> dict[str, str]:
    row = _common(VEHICLES, rng)
    return {
        "x": row[0],
        "driver": _telling(row[1:2], [r[1:2] for r in VEHICLES], rng),
        "start": _telling(row[2:], [r[2:] for r in VEHICLES], rng),
        "trip": rng.choice(JOURNEYS),
    }


def _weather(rng: random.Random) -> dict[str, str]:
    x, y = rng.sample(SKIES, 2)
    return {"x": x, "y": y, "season": rng.choice(SEASONS)}


def _money(rng: random.Random) -> dict[str, str]:
    x, y = rng.sample(MONEY, 2)
    return {"x": x, "y": y, "act": rng.choice(MONEY_ACTS)}


def _river(rng: random.Random) -> dict[str, str]:
    x, y = rng.sample(RIVER, 2)
    return {"x": x, "y": y, "act": rng.choice(RIVER_ACTS)}


SLOTS: dict[str, Callable[[random.Random], dict[str, str]]] = {
    "people": _people,
    "nations": _nations,
    "animals": _animals,
    "fruit": _fruit,
    "travel": _travel,
    "weather": _weather,
    "money": _money,
    "river": _river,
}
