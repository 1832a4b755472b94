"""Dates: the ISO form is right, and the gold alignment points at what decides it."""

import datetime

import numpy as np
import pytest

from unrolled.data.dates import (
    BOS,
    EOS,
    MONTHS,
    SOURCE,
    STYLES,
    TARGET,
    dates,
    encode,
    gold,
    ordinal,
    write,
)

DAY = datetime.date(1999, 6, 21)


def test_a_date_in_every_style():
    """The examples of the module's own text, and one of each kind."""
    written = {style: write(DAY, style).source for style in STYLES}
    assert written["{year}{mm}{dd}"] == "19990621"
    assert written["{d}/{m}/{year}"] == "21/6/1999"
    assert written["{month} {nth}, {year}"] == "june 21st, 1999"
    assert (
        written["on {weekday}, the {ordinal} of {month}, {year}"]
        == "on monday, the twenty-first of june, 1999"
    )
    assert len(set(written.values())) == len(STYLES)
    assert all(write(DAY, style).target == "1999-06-21" for style in STYLES)


def test_gold_points_at_the_same_digit_or_at_the_word():
    """A span of one is the digit itself; a word names the month or the day; a hyphen has none."""
    for pair in dates(500, np.random.default_rng(1)):
        parsed = datetime.date.fromisoformat(pair.target)
        for t, (start, stop) in enumerate(pair.spans):
            decides = pair.source[start:stop]
            if pair.target[t] == "-":
                assert decides == ""
            elif len(decides) > 1:
                names = {5: MONTHS[parsed.month - 1], 8: ordinal(parsed.day)}
                assert names[5 if t < 8 else 8].startswith(decides)
            elif t in (5, 8) and pair.target[t] == "0" and decides != "0":
                assert decides == pair.target[t + 1]  # the zero is not written
            else:
                assert decides == pair.target[t]


def test_gold_finds_the_right_one_of_equal_digits():
    """In 11/11/1911 every digit has its own place."""
    pair = write(datetime.date(1911, 11, 11), "{d}/{m}/{year}")
    assert [start for start, _ in pair.spans] == [6, 7, 8, 9, 0, 3, 4, 0, 0, 1]
    pair = write(datetime.date(2005, 5, 5), "{d}/{m}/{year}")
    assert [start for start, _ in pair.spans] == [4, 5, 6, 7, 0, 2, 2, 0, 0, 0]
    pair = write(datetime.date(2005, 5, 3), "the {nth} of {month} {year}")
    assert pair.source[slice(*pair.spans[8])] == pair.source[slice(*pair.spans[9])] == "3"


def test_gold_matrix_marks_the_spans():
    """The rows of the matrix are the spans; padding and hyphens are all False."""
    pairs = dates(40, np.random.default_rng(2))
    marked = gold(pairs)
    sources, lengths, targets = encode(pairs)
    assert marked.shape == (40, 10, sources.shape[1]) and targets.shape == (40, 12)
    for rows, pair, length in zip(marked, pairs, lengths, strict=True):
        assert not rows[:, length:].any() and not rows[[4, 7]].any()
        for row, (start, stop) in zip(rows, pair.spans, strict=True):
            assert row.sum() == stop - start and row[start:stop].all()


def test_encoding_can_be_read_back():
    """Indices stand for the characters; sources are padded, targets run from BOS to EOS."""
    pairs = dates(20, np.random.default_rng(3))
    sources, lengths, targets = encode(pairs)
    for row, length, target, pair in zip(sources, lengths, targets, pairs, strict=True):
        assert "".join(SOURCE[i] for i in row[:length]) == pair.source
        assert not row[length:].any()
        assert [TARGET[i] for i in target] == [BOS, *pair.target, EOS]


def test_weekday_and_ordinals_are_those_of_the_calendar():
    """The weekday is computed, the ordinals are spelt as in English."""
    assert write(DAY, "{weekday} {d}{m}{year}").source.startswith("monday")
    words = [ordinal(n) for n in (1, 9, 12, 19, 20, 22, 30, 31)]
    assert words == [
        *("first", "ninth", "twelfth", "nineteenth"),
        *("twentieth", "twenty-second", "thirtieth", "thirty-first"),
    ]
    nths = {n: write(DAY.replace(month=7, day=n), "{nth}{m}{year}").source for n in (1, 2, 3, 4)}
    assert [text[1:3] for text in nths.values()] == ["st", "nd", "rd", "th"]
    nths = [write(DAY.replace(day=n), "{nth}{m}{year}").source[2:4] for n in (11, 12, 13, 22)]
    assert nths == ["th", "th", "th", "nd"]


def test_all_days_and_styles_occur_and_the_seed_decides():
    """One seed gives the same dates; every style and every month is drawn."""
    once, again = (dates(2000, np.random.default_rng(4)) for _ in range(2))
    assert once == again != dates(2000, np.random.default_rng(5))
    assert {pair.target[5:7] for pair in once} == {f"{m:02d}" for m in range(1, 13)}
    assert {pair.target[8:] for pair in once} == {f"{d:02d}" for d in range(1, 32)}
    lengths = [len(pair.source) for pair in once]
    assert min(lengths) == 8 and max(lengths) > 45


def test_what_cannot_be_written_is_refused():
    """A style without a day, or a short year, has no gold alignment."""
    with pytest.raises(ValueError, match="day"):
        write(DAY, "{month} {year}")
    with pytest.raises(ValueError, match="four digits"):
        write(datetime.date(999, 1, 1), STYLES[0])
