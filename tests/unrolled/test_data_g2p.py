"""The published model from spelling to sound is optional, is never imported, and says words."""

import importlib.util
import sys

import numpy as np
import pytest
import torch

from unrolled.data import g2p


def say(model, word, limit=20):
    """Return the phonemes that torch's GRU cells, fed with the loaded weights, write for a word."""
    with torch.no_grad():
        encoder, decoder = (as_torch(part) for part in (model.encoder, model.decoder))
        h = torch.zeros(1, encoder.hidden_size)
        for letter in g2p.letter_ids(word):
            h = encoder(torch.from_numpy(model.encoder["E"][[letter]]), h)
        symbol, said = g2p.START, []
        while len(said) < limit:
            h = decoder(torch.from_numpy(model.decoder["E"][[symbol]]), h)
            symbol = int(np.argmax(h.numpy() @ model.W_y + model.b_y))
            if symbol == g2p.END:
                break
            said.append(model.phonemes[symbol])
        return " ".join(said)


def as_torch(weights):
    """Return a GRUCell of torch with these weights."""
    cell = torch.nn.GRUCell(weights["W_x"].shape[0], weights["W_h"].shape[0])
    cell.weight_ih.copy_(torch.from_numpy(weights["W_x"].T))
    cell.weight_hh.copy_(torch.from_numpy(weights["W_h"].T))
    cell.bias_ih.copy_(torch.from_numpy(weights["b_x"]))
    cell.bias_hh.copy_(torch.from_numpy(weights["b_h"]))
    return cell


def test_missing_package_says_what_to_install(monkeypatch):
    """Without the optional package the loader names the command that installs it."""
    monkeypatch.setattr(g2p, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install --no-deps g2p-en"):
        g2p.load_g2p()


def test_the_symbols_are_distinct():
    """No symbol stands twice in a table, and the special ones are where the names say."""
    for table, size in ((g2p.LETTERS, 29), (g2p.PHONEMES, 74)):
        assert len(table) == len(set(table)) == size
    assert g2p.PHONEMES[g2p.START] == "<s>" and g2p.PHONEMES[g2p.END] == "</s>"
    assert [g2p.LETTERS[i] for i in g2p.letter_ids("a-b")] == ["a", "<unk>", "b", "</s>"]


def test_installed_package_is_read_and_not_imported():
    """Weights in the wrong order of symbols, gates or axes could not say these words."""
    if importlib.util.find_spec("g2p_en") is None:
        pytest.skip("optional package g2p-en is not installed")
    model = g2p.load_g2p()
    assert "g2p_en" not in sys.modules and "nltk" not in sys.modules
    assert say(model, "decoder") == "D IH0 K OW1 D ER0"
    assert say(model, "activationist") == "AE2 K T IH0 V EY1 SH AH0 N IH0 S T"
