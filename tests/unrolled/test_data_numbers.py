"""Number words follow the rules of both languages, and training never meets the test."""

import numpy as np
import pytest

from unrolled.data import numbers

FRENCH = {
    0: "zéro",
    16: "seize",
    17: "dix-sept",
    21: "vingt et un",
    31: "trente et un",
    61: "soixante et un",
    70: "soixante-dix",
    71: "soixante et onze",
    72: "soixante-douze",
    80: "quatre-vingts",
    81: "quatre-vingt-un",
    91: "quatre-vingt-onze",
    99: "quatre-vingt-dix-neuf",
    100: "cent",
    101: "cent un",
    180: "cent quatre-vingts",
    200: "deux cents",
    201: "deux cent un",
    1_000: "mille",
    1_100: "mille cent",
    21_000: "vingt et un mille",
    80_000: "quatre-vingt mille",
    200_000: "deux cent mille",
    280_000: "deux cent quatre-vingt mille",
    1_000_000: "un million",
    80_000_000: "quatre-vingts millions",
    200_000_000: "deux cents millions",
    2_000_000_200: "deux milliards deux cents",
}
ENGLISH = {
    0: "zero",
    13: "thirteen",
    40: "forty",
    99: "ninety-nine",
    100: "one hundred",
    418: "four hundred eighteen",
    1_000_001: "one million one",
    20_000_015_000: "twenty billion fifteen thousand",
}


@pytest.mark.parametrize("n", FRENCH)
def test_french_rules(n):
    """Twenties, "et", and the s of vingt and cent are where French has them."""
    assert numbers.french(n) == FRENCH[n]


@pytest.mark.parametrize("n", ENGLISH)
def test_english_rules(n):
    """The names are American ones, without "and"."""
    assert numbers.english(n) == ENGLISH[n]


@pytest.mark.parametrize("name", [numbers.english, numbers.french])
def test_no_two_numbers_have_one_name(name):
    """A name tells the number, and uses known words only."""
    known = set(numbers.SOURCE_WORDS if name is numbers.english else numbers.TARGET_WORDS)
    some = [*range(3000), *np.random.default_rng(0).integers(10**12, size=3000).tolist()]
    names = {n: name(n) for n in some}
    assert len(set(names.values())) == len(names)
    assert all(set(numbers.words(text)) <= known for text in names.values())


def test_every_word_is_used():
    """No word of the vocabularies is without a number, and the small ones have most."""
    pairs = numbers.number_pairs(3000, np.random.default_rng(1), (1, 12))
    assert {word for pair in pairs for word in pair.source} == set(numbers.SOURCE_WORDS)
    assert {word for pair in pairs for word in pair.target} == set(numbers.TARGET_WORDS)


def test_training_and_test_do_not_meet():
    """A held-out number is never drawn for training, and a tenth is held out."""
    train = numbers.number_pairs(2000, np.random.default_rng(2), (1, 4))
    test = numbers.number_pairs(300, np.random.default_rng(2), (3, 4), held_out=True)
    assert not {p.number for p in train} & {p.number for p in test}
    share = np.mean([numbers.is_held_out(n) for n in range(100, 10_000)])
    assert abs(share - 0.1) < 0.01
    assert not any(numbers.is_held_out(n) for n in range(100))


def test_digits_are_drawn_evenly():
    """Numbers of few digits are as frequent as numbers of many."""
    pairs = numbers.number_pairs(4000, np.random.default_rng(3), (2, 5))
    digits = np.bincount([len(str(p.number)) for p in pairs])
    assert digits[:2].sum() == 0 and (abs(digits[2:6] - 1000) < 150).all()


def test_the_same_seed_gives_the_same_numbers():
    """Only the generator decides."""
    one, two = (numbers.number_pairs(20, np.random.default_rng(4)) for _ in range(2))
    assert one == two


def test_impossible_requests_are_refused():
    """Numbers that have no name here, and digits that do not exist."""
    for n in (-1, 10**12):
        with pytest.raises(ValueError, match="expected a number from 0"):
            numbers.french(n)
    for digits, held_out in (((0, 3), False), ((4, 3), False), ((1, 13), False), ((2, 5), True)):
        with pytest.raises(ValueError, match="expected digits"):
            numbers.number_pairs(1, np.random.default_rng(0), digits, held_out)
