"""The text corpus: clean, divided without leaks, the same on every call."""

import sys

import pytest

from unrolled.data import text


def test_text_is_long_and_divided_eight_to_one_to_one():
    """There is enough to train on, and the held-out texts are about a tenth each."""
    corpus = text.load()
    total = sum(map(len, corpus))
    assert total > 180_000
    assert 0.7 < len(corpus.train) / total < 0.9
    assert 0.05 < len(corpus.valid) / total < 0.15
    assert 0.05 < len(corpus.test) / total < 0.15


def test_no_paragraph_is_on_two_sides():
    """The three texts share no line, not even up to case and punctuation."""
    sides = [{" ".join(text.words(line)) for line in part.splitlines()} for part in text.load()]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]


def test_lines_are_prose():
    """Every line is a paragraph of English words; no rule, table or prompt is left."""
    for part in text.load():
        assert part.endswith("\n") and "\n\n" not in part
        assert ">>>" not in part and "::=" not in part


def test_every_character_is_in_the_alphabet():
    """A character model needs no symbol for the unknown, whatever the Python version."""
    assert len(set(text.ALPHABET)) == len(text.ALPHABET) < 100
    for part in text.load():
        assert set(part) <= set(text.ALPHABET)


def test_two_calls_give_the_same_text():
    """Nothing depends on hash seeds or file order."""
    assert text.load() == text.load()


def test_words_keeps_punctuation_apart():
    """Words are lower-cased, marks stand alone."""
    assert text.words('The "with" statement, v3.') == [
        "the", '"', "with", '"', "statement", ",", "v3", ".",
    ]  # fmt: skip


def test_missing_topics_are_named(monkeypatch):
    """Where Python was packaged without the text, the error says so and what to do."""
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ImportError, match="Install Python"):
        text.paragraphs()
