"""English and French strings of a program's menus and messages, from JupyterLab's language pack.

The optional package jupyterlab-language-pack-fr-FR (BSD-3-Clause) holds what its translators wrote.
It is not imported, only its catalogues are read.
"""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

NEXT = "Next: pip install --no-deps jupyterlab-language-pack-fr-fr==4.5.post3"
CONTEXT = "\x04"  # in a catalogue's key, stands between a context and the string itself
TOKEN = re.compile(r"%\d+|\w+(?:'(?=\w))?|[^\w\s]")
SHARE = 10  # every tenth string is held out


class Pair(NamedTuple):
    """An English string and its French translations, in tokens; most have one translation."""

    source: tuple[str, ...]
    targets: tuple[tuple[str, ...], ...]


def load_interface() -> list[Pair]:
    """Return the translated strings of all catalogues, each English string once.

    Raises:
        ImportError: the language pack is not installed; the message says what to install.
    """
    package = find_spec("jupyterlab_language_pack_fr_FR")
    if package is None or package.origin is None:
        raise ImportError(
            f"This part needs the optional package jupyterlab-language-pack-fr-FR (0.5 MB). {NEXT}"
        )
    folder = Path(package.origin).parent / "locale" / "fr_FR" / "LC_MESSAGES"
    files = sorted(folder.glob("*.json"))
    return pairs_of([json.loads(path.read_text(encoding="utf-8")) for path in files])


def pairs_of(catalogues: list[dict]) -> list[Pair]:
    """Return the pairs in catalogues that map an English string to a list of French ones.

    Of a string with plural forms the first form is taken; one that nobody translated is left out.
    """
    found: dict[tuple[str, ...], dict[tuple[str, ...], None]] = {}
    for catalogue in catalogues:
        for key, forms in catalogue.items():
            source = tokens(key.split(CONTEXT)[-1])
            target = tokens(forms[0]) if key and forms and forms[0] else ()
            if source and target:
                found.setdefault(source, {})[target] = None
    return [Pair(source, tuple(targets)) for source, targets in sorted(found.items())]


def tokens(text: str) -> tuple[str, ...]:
    """Return the words and signs of ``text`` in lower case; l'image is two tokens, %1 is one."""
    return tuple(TOKEN.findall(text.replace("’", "'").lower()))


def is_held_out(source: tuple[str, ...]) -> bool:
    """Return whether a string belongs to the test part; its English text alone decides."""
    return crc32(" ".join(source).encode()) % SHARE == 0


def split(pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs for training and those held out; no English string is in both."""
    train = [pair for pair in pairs if not is_held_out(pair.source)]
    return train, [pair for pair in pairs if is_held_out(pair.source)]
