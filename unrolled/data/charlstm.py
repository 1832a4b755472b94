"""The weights of a published character LSTM, from the optional package textgenrnn (MIT licence).

The package is never imported: that would start TensorFlow. Its two data files are read instead.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

GATES = "ifco"  # order of the column blocks: input, forget, candidate, output
NEXT = "Next: pip install h5py==3.16.0; pip install --no-deps textgenrnn==2.0.0"


class CharLSTM(NamedTuple):
    """Two LSTM layers, attention over all steps, softmax; weights for row vectors, float32.

    A layer is a dict of ``W_x`` (D, 4H), ``W_h`` (H, 4H) and ``b`` (4H,), blocks in the order of
    ``GATES``. Symbol 0 is padding; ``symbols[i - 1]`` is the text of symbol i.
    """

    symbols: list[str]
    E: Float[np.ndarray, "V E"]
    layers: tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
    attention: Float[np.ndarray, " C"]  # C = E + 2 H: embedding and both h
    W_y: Float[np.ndarray, "C V"]
    b_y: Float[np.ndarray, " V"]


def load_char_lstm() -> CharLSTM:
    """Return the model that textgenrnn 2.0.0 ships (Woolf, 2018).

    Raises:
        ImportError: textgenrnn or h5py is not installed; the message says what to install.
    """
    package = find_spec("textgenrnn")
    if package is None or package.origin is None or find_spec("h5py") is None:
        raise ImportError(f"This part needs the optional packages textgenrnn and h5py. {NEXT}")
    import h5py

    folder = Path(package.origin).parent
    index = json.loads((folder / "textgenrnn_vocab.json").read_text(encoding="utf-8"))
    symbols = sorted(index, key=index.__getitem__)
    with h5py.File(folder / "textgenrnn_weights.hdf5") as file:

        def get(path: str) -> np.ndarray:
            group, name = path.split("/")
            return np.asarray(file[f"{group}/{group}/{name}:0"])

        def layer(rnn: str) -> dict[str, np.ndarray]:
            return from_cudnn(*(get(f"{rnn}/{p}") for p in ("kernel", "recurrent_kernel", "bias")))

        return CharLSTM(
            symbols,
            get("embedding/embeddings"),
            (layer("rnn_1"), layer("rnn_2")),
            get("attention/attention_W")[:, 0],
            get("output/kernel"),
            get("output/bias"),
        )


def from_cudnn(
    kernel: Float[np.ndarray, "D 4*H"],
    recurrent: Float[np.ndarray, "H 4*H"],
    bias: Float[np.ndarray, " 8*H"],
) -> dict[str, np.ndarray]:
    """Return W_x, W_h, b of an LSTM that Keras saved in cuDNN's layout.

    There every block is stored for column vectors (the numbers of the transpose, under the shape
    of the original), and input and recurrent weights have a bias each, of which only the sum acts.
    """
    D, H = kernel.shape[0], recurrent.shape[0]
    W_x = [block.reshape(H, D).T for block in np.split(kernel, 4, axis=1)]
    W_h = [block.T for block in np.split(recurrent, 4, axis=1)]
    return {"W_x": np.hstack(W_x), "W_h": np.hstack(W_h), "b": bias.reshape(2, 4 * H).sum(axis=0)}
