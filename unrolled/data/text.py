"""English prose that every Python brings along: the language reference behind ``help("with")``.

The text is CPython's ``pydoc_data.topics``. It differs a little from one Python version to the
next, so numbers measured on it do too: compare models with each other, never with a fixed value.
"""

from __future__ import annotations

import re
import string
from typing import NamedTuple

TYPOGRAPHY = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "..."})
BULLET = re.compile(r"^(\*|\d+[.)]|\[\d+\]|\(\d+\)|-)\s+")
NOT_PROSE = ("::=", ">>>", "...", "==", "**")
ALPHABET = "\n" + " " + string.ascii_letters + string.digits + ".,;:!?'\"()[]<>=+-*/%_"
BLOCK = 8  # paragraphs kept together when the text is divided
HELD_OUT = {4: "valid", 9: "test"}  # which blocks of ten are not for training


class Corpus(NamedTuple):
    """Three texts, one paragraph a line, with no paragraph in common."""

    train: str
    valid: str
    test: str


def paragraphs() -> list[str]:
    """Return the paragraphs of prose, each on one line, in ``ALPHABET``, each only once.

    Tables, grammar rules, programs, headings and signatures are left out. Topics repeat one
    another, so without the last condition a model would be tested on what it was trained on.

    Raises:
        ImportError: this Python was packaged without ``pydoc_data``.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise ImportError(
            "unrolled.data.text: this Python lacks pydoc_data.topics, the text behind help(). "
            "Install Python from python.org, conda, uv or your system's full package."
        ) from error
    found: dict[str, str] = {}
    for name in sorted(topics):
        for block in re.split(r"\n\s*\n", topics[name].translate(TYPOGRAPHY)):
            line = BULLET.sub("", " ".join(block.split()))
            key = re.sub(r"\W+", " ", line).lower()
            if _is_prose(line):
                found.setdefault(key, line)
    return list(found.values())


def load() -> Corpus:
    """Return the prose divided 80 : 10 : 10 into training, validation and test text.

    Whole blocks of neighbouring paragraphs go to one side, so that a held-out sentence is not
    framed by training sentences. Each text ends every paragraph, the last included, with a newline.
    """
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for number, line in enumerate(paragraphs()):
        parts[HELD_OUT.get(number // BLOCK % 10, "train")].append(line + "\n")
    return Corpus(**{name: "".join(lines) for name, lines in parts.items()})


def words(line: str) -> list[str]:
    """Return the lower-case words, numbers and punctuation marks of ``line``, in order."""
    return re.findall(r"\w+|[^\w\s]", line.lower())


def _is_prose(line: str) -> bool:
    """Tell a sentence from a heading, a signature, a table or a program."""
    letters = sum(character.isalpha() or character in " ,.'" for character in line)
    return (
        len(line.split()) >= 5
        and line[0].isalpha() | (line[0] == '"')
        and line[-1] in ".:!?)"
        and letters >= 0.8 * len(line)
        and set(line) <= set(ALPHABET)
        and not any(mark in line for mark in NOT_PROSE)
    )
