"""The weights of a published model from spelling to sound, from the optional package g2p-en.

A GRU reads the letters of a word, a second GRU writes its phonemes (Apache-2.0). The package is
never imported: that would download corpora. Its one data file is read instead.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

GATES = "rzn"  # order of the column blocks: reset, update, new candidate (as in torch.nn.GRU)
LETTERS = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW"
CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH"
# A vowel carries its stress: 0 none, 1 primary, 2 secondary. The model also has one bare UW.
PHONEMES = (
    "<pad>",
    "<unk>",
    "<s>",
    "</s>",
    *sorted(
        [vowel + stress for vowel in VOWELS.split() for stress in "012"]
        + CONSONANTS.split()
        + ["UW"]
    ),
)
START, END = PHONEMES.index("<s>"), PHONEMES.index("</s>")
NEXT = "Next: pip install --no-deps g2p-en==2.1.0"


class G2P(NamedTuple):
    """Encoder, decoder and output layer; weights for row vectors, float32.

    A GRU is a dict of ``E`` (V, D), ``W_x`` (D, 3H), ``W_h`` (H, 3H), ``b_x`` and ``b_h`` (3H,),
    blocks in the order of ``GATES``. It needs both biases: the reset gate multiplies
    h W_h + b_h, as in torch. The last state of the encoder is the first state of the decoder;
    the decoder's first input is ``START``; its logits are h W_y + b_y.
    """

    letters: tuple[str, ...]
    phonemes: tuple[str, ...]
    encoder: dict[str, np.ndarray]
    decoder: dict[str, np.ndarray]
    W_y: Float[np.ndarray, "H V"]
    b_y: Float[np.ndarray, " V"]


def load_g2p() -> G2P:
    """Return the model that g2p-en 2.1.0 ships (Park and Kim, 2019).

    Raises:
        ImportError: g2p-en is not installed; the message says what to install.
    """
    package = find_spec("g2p_en")
    if package is None or package.origin is None:
        raise ImportError(f"This part needs the optional package g2p-en (3 MB). {NEXT}")
    with np.load(Path(package.origin).parent / "checkpoint20.npz") as saved:
        arrays = {name: saved[name] for name in saved.files}
    sizes = len(arrays["enc_emb"]), len(arrays["dec_emb"])
    if sizes != (len(LETTERS), len(PHONEMES)):
        raise ValueError(
            f"g2p-en: tables of {len(LETTERS)} letters and {len(PHONEMES)} phonemes do not fit "
            f"embeddings of {sizes}. Next: install version 2.1.0 again."
        )
    return G2P(
        LETTERS,
        PHONEMES,
        gru_weights(arrays, "enc"),
        gru_weights(arrays, "dec"),
        np.ascontiguousarray(arrays["fc_w"].T),
        arrays["fc_b"],
    )


def gru_weights(arrays: dict[str, np.ndarray], side: str) -> dict[str, np.ndarray]:
    """Return one GRU of the checkpoint, saved for column vectors, with weights for row vectors."""
    return {
        "E": arrays[f"{side}_emb"],
        "W_x": np.ascontiguousarray(arrays[f"{side}_w_ih"].T),
        "W_h": np.ascontiguousarray(arrays[f"{side}_w_hh"].T),
        "b_x": arrays[f"{side}_b_ih"],
        "b_h": arrays[f"{side}_b_hh"],
    }


def letter_ids(word: str) -> list[int]:
    """Return the encoder's input: the letters of a lower-case word, then the end symbol."""
    index = {letter: i for i, letter in enumerate(LETTERS)}
    return [index.get(letter, index["<unk>"]) for letter in word] + [index["</s>"]]
