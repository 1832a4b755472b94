"""The published character LSTM is optional, is never imported, and arrives in our convention."""

import importlib.util
import sys

import numpy as np
import pytest
import torch

from unrolled.data import charlstm


def as_cudnn(W_x, W_h):
    """Return kernels as Keras saves cuDNN's: the transpose's numbers under the original's shape."""
    blocks = [block.T.ravel().reshape(block.shape) for block in np.split(W_x, 4, axis=1)]
    return np.hstack(blocks), np.hstack([block.T for block in np.split(W_h, 4, axis=1)])


def test_converted_weights_give_the_states_of_torch():
    """Weights saved in cuDNN's layout come back as row-vector weights with one bias."""
    rng, D, H = np.random.default_rng(0), 3, 4
    W_x, W_h = rng.normal(size=(D, 4 * H)), rng.normal(size=(H, 4 * H))
    bias = rng.normal(size=8 * H)
    layer = charlstm.from_cudnn(*as_cudnn(W_x, W_h), bias)
    cell = torch.nn.LSTMCell(D, H).double()
    with torch.no_grad():
        cell.weight_ih.copy_(torch.tensor(W_x.T))
        cell.weight_hh.copy_(torch.tensor(W_h.T))
        cell.bias_ih.copy_(torch.tensor(bias[: 4 * H]))
        cell.bias_hh.copy_(torch.tensor(bias[4 * H :]))
        x, h, c = (torch.tensor(rng.normal(size=(2, n))) for n in (D, H, H))
        _, expected = cell(x, (h, c))
    a = x.numpy() @ layer["W_x"] + h.numpy() @ layer["W_h"] + layer["b"]
    i, f, new, _ = np.split(a, 4, axis=1)
    gate = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    np.testing.assert_allclose(gate(f) * c.numpy() + gate(i) * np.tanh(new), expected, rtol=1e-12)


def test_missing_package_says_what_to_install(monkeypatch):
    """Without the optional packages the loader names the commands that install them."""
    monkeypatch.setattr(charlstm, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install --no-deps textgenrnn"):
        charlstm.load_char_lstm()


def test_installed_package_is_read_and_not_imported():
    """Loading the weights starts neither textgenrnn nor the framework it was written for."""
    if not all(importlib.util.find_spec(name) for name in ("textgenrnn", "h5py")):
        pytest.skip("optional packages textgenrnn and h5py are not installed")
    model = charlstm.load_char_lstm()
    assert "textgenrnn" not in sys.modules and "tensorflow" not in sys.modules
    assert model.E.shape[0] == len(model.symbols) + 1 == len(model.b_y)
    assert model.layers[0]["W_x"].shape == (model.E.shape[1], 4 * len(model.layers[0]["W_h"]))
    assert model.W_y.shape == (len(model.attention), len(model.b_y))
