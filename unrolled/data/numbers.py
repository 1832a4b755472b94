"""Number words, English to French: a translation with a rule for everything and no dictionary.

"seventy-one thousand eighty" is "soixante et onze mille quatre-vingts": French counts by twenties
between 60 and 99, says "et" in 21, 31, ... 61 and 71 only, and lets "vingt" and "cent" take an s
only where nothing but a noun ("million", "milliard") follows. The English is American ("two hundred
one"), the French is that of France in the spelling before 1990.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from zlib import crc32

import numpy as np

LARGEST = 10**12 - 1
ALWAYS_SEEN = 100  # smaller numbers are in the training part: they hold every word of the task

EN_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
EN_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
EN_GROUPS = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"))

FR_SMALL = (
    *("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"),
    *("onze", "douze", "treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit"),
    "dix-neuf",
)
FR_TENS = (
    *("", "", "vingt", "trente", "quarante", "cinquante", "soixante", "soixante"),
    *("quatre-vingt", "quatre-vingt"),
)
FR_NOUNS = ((10**9, "milliard"), (10**6, "million"))

SOURCE_WORDS = (*EN_SMALL, *EN_TENS[2:], "hundred", *(name for _, name in reversed(EN_GROUPS)))
TARGET_WORDS = (
    *FR_SMALL[:17],
    *("vingt", "vingts", "trente", "quarante", "cinquante", "soixante", "et", "cent", "cents"),
    *("mille", "million", "millions", "milliard", "milliards"),
)


class Pair(NamedTuple):
    """A number with its words in both languages, hyphens taken apart."""

    number: int
    source: tuple[str, ...]
    target: tuple[str, ...]


def english(n: int) -> str:
    """Return ``n`` in English words, as in "two hundred forty-one thousand six".

    Raises:
        ValueError: ``n`` is negative or above ``LARGEST``.
    """
    _check(n, "english")
    parts = []
    for size, name in EN_GROUPS:
        count, n = divmod(n, size)
        parts += [_english_below_1000(count), name] if count else []
    if n or not parts:
        parts.append(_english_below_1000(n))
    return " ".join(parts)


def french(n: int) -> str:
    """Return ``n`` in French words, as in "deux cent quarante et un mille six".

    Raises:
        ValueError: ``n`` is negative or above ``LARGEST``.
    """
    _check(n, "french")
    parts = []
    for size, name in FR_NOUNS:
        count, n = divmod(n, size)
        parts += [_french_below_1000(count), name + "s" * (count > 1)] if count else []
    thousands, n = divmod(n, 1000)
    if thousands:  # mille never takes an s, and nothing before it does
        parts += [_french_below_1000(thousands, last=False)] if thousands > 1 else []
        parts.append("mille")
    if n or not parts:
        parts.append(_french_below_1000(n))
    return " ".join(parts)


def words(text: str) -> tuple[str, ...]:
    """Return the words of a number's name; a hyphen divides words as a space does."""
    return tuple(re.split("[ -]", text))


def is_held_out(n: int) -> bool:
    """Return whether ``n`` belongs to the test part: a tenth of all numbers from 100 on."""
    return n >= ALWAYS_SEEN and crc32(str(n).encode()) % 10 == 0


def number_pairs(
    count: int, rng: np.random.Generator, digits: tuple[int, int] = (1, 9), held_out: bool = False
) -> list[Pair]:
    """Return random numbers in both languages, as many of one number of digits as of another.

    ``digits`` gives the fewest and the most digits. With ``held_out`` only numbers of the test part
    are drawn, otherwise only others; the two never meet.

    Raises:
        ValueError: there are no such numbers.
    """
    fewest, most = digits
    if not (1 <= fewest <= most <= 12) or (held_out and fewest < 3):
        wanted = "3 <= fewest <= most <= 12" if held_out else "1 <= fewest <= most <= 12"
        raise ValueError(f"number_pairs: expected digits with {wanted}, got {digits}.")
    pairs: list[Pair] = []
    while len(pairs) < count:
        d = int(rng.integers(fewest, most + 1))
        n = int(rng.integers(10 ** (d - 1) if d > 1 else 0, 10**d))
        if is_held_out(n) == held_out:
            pairs.append(Pair(n, words(english(n)), words(french(n))))
    return pairs


def _english_below_1000(n: int) -> str:
    hundreds, rest = divmod(n, 100)
    parts = [EN_SMALL[hundreds], "hundred"] if hundreds else []
    if rest >= 20:
        ten, one = divmod(rest, 10)
        parts.append(EN_TENS[ten] + ("-" + EN_SMALL[one] if one else ""))
    elif rest or not parts:
        parts.append(EN_SMALL[rest])
    return " ".join(parts)


def _french_below_1000(n: int, last: bool = True) -> str:
    """``last`` says that vingt and cent may take their s: no number follows, and no mille."""
    hundreds, rest = divmod(n, 100)
    parts = [FR_SMALL[hundreds]] if hundreds > 1 else []
    if hundreds:
        parts.append("cents" if hundreds > 1 and not rest and last else "cent")
    if rest or not parts:
        parts.append(_french_below_100(rest, last))
    return " ".join(parts)


def _french_below_100(n: int, last: bool) -> str:
    if n < 20:
        return FR_SMALL[n]
    ten, one = divmod(n, 10)
    name = FR_TENS[ten]
    if ten in (7, 9):  # soixante-dix, quatre-vingt-dix, and on through dix-neuf
        one += 10
    if ten == 8 and not one:
        return name + "s" * last
    if not one:
        return name
    joint = " et " if one in (1, 11) and ten < 8 else "-"
    return name + joint + FR_SMALL[one]


def _check(n: int, name: str) -> None:
    if not 0 <= n <= LARGEST:
        raise ValueError(f"{name}: expected a number from 0 to {LARGEST:,}, got {n:,}.")
