"""Dates written in many ways, their ISO form, and which characters decide which digit.

"on monday the twenty-first of june, 1999" is "1999-06-21". The digits of the year are copied, those
of the day and the month may have to be looked up ("june"), or reordered ("21/6/1999"), and the
right alignment is known: every digit of the target has a span of the source that decides it.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter

import numpy as np
from jaxtyping import Bool, Int

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ONES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_TEENS = (
    *("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth"),
    *("fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
)
_TENS = {20: ("twentieth", "twenty"), 30: ("thirtieth", "thirty")}
FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)

STYLES = (  # from short to long; the day comes before the month where both are numbers
    "{year}{mm}{dd}",
    "{d}/{m}/{year}",
    "{dd}.{mm}.{year}",
    "{d} {mon} {year}",
    "{mon} {d}, {year}",
    "{d} {month} {year}",
    "{month} {nth}, {year}",
    "the {nth} of {month} {year}",
    "{weekday}, {month} {d}, {year}",
    "{weekday} {d} {month} {year}",
    "in {year}, {month} the {nth}",
    "{weekday} the {ordinal} of {month} {year}",
    "in the year {year}, on the {ordinal} of {month}",
    "on {weekday}, the {ordinal} of {month}, {year}",
    "on the {ordinal} day of {month} in the year {year}",
)

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
SOURCE = (PAD, *" ,./-0123456789abcdefghijklmnopqrstuvwxyz")
TARGET = (PAD, BOS, EOS, *"-0123456789")
_DECIDES = (*("year",) * 4, "", *("month",) * 2, "", *("day",) * 2)  # YYYY-MM-DD


@dataclass(frozen=True)
class Date:
    """A written date, its ISO form, and for each character of the latter what decides it.

    ``spans[t]`` is (start, stop): ``source[start:stop]`` decides ``target[t]``. A digit that is
    written as such has a span of one; a digit from a word has the word; a zero that is not written
    has the digit that is; the two hyphens have an empty span.
    """

    source: str
    target: str
    spans: tuple[tuple[int, int], ...]


def write(day: datetime.date, style: str) -> Date:
    """Return ``day`` written in ``style``, a format string with the fields used in ``STYLES``.

    Raises:
        KeyError: ``style`` has an unknown field.
        ValueError: a year of fewer than four digits, or no field for year, month or day.
    """
    if day.year < 1000:
        raise ValueError(f"write: expected a year of four digits, got {day.year}.")
    fields, source, places = _fields(day), "", {}
    for text, field, _, _ in Formatter().parse(style):
        source += text
        if field:
            part, kind = fields[field]
            places[kind] = (len(source), len(source) + len(part))
            source += part
    missing = {"year", "month", "day"} - set(places)
    if missing:
        raise ValueError(f"write: the style has no field for {sorted(missing)}.")
    return Date(source, day.isoformat(), _spans(source, places))


def dates(count: int, rng: np.random.Generator, styles: Sequence[str] = STYLES) -> list[Date]:
    """Return ``count`` random dates from 1900 to 2099, each in a random one of ``styles``."""
    days = rng.integers((LAST - FIRST).days + 1, size=count)
    chosen = rng.integers(len(styles), size=count)
    return [
        write(FIRST + datetime.timedelta(int(n)), styles[i])
        for n, i in zip(days, chosen, strict=True)
    ]


def encode(
    pairs: Sequence[Date],
) -> tuple[Int[np.ndarray, "B S"], Int[np.ndarray, " B"], Int[np.ndarray, "B T"]]:
    """Return sources as indices padded with 0, their lengths, and targets from BOS to EOS."""
    lengths = np.array([len(pair.source) for pair in pairs])
    sources = np.zeros((len(pairs), max(lengths, default=0)), dtype=np.int64)
    for row, pair in zip(sources, pairs, strict=True):
        row[: len(pair.source)] = [SOURCE.index(c) for c in pair.source]
    targets = [[TARGET.index(c) for c in (BOS, *pair.target, EOS)] for pair in pairs]
    return sources, lengths, np.array(targets, dtype=np.int64)


def gold(pairs: Sequence[Date]) -> Bool[np.ndarray, "B T S"]:
    """Return which source characters decide which target character; T counts those of the date.

    Rows of hyphens are all False.
    """
    width = max((len(pair.source) for pair in pairs), default=0)
    decides = np.zeros((len(pairs), 10, width), dtype=bool)
    for rows, pair in zip(decides, pairs, strict=True):
        for row, (start, stop) in zip(rows, pair.spans, strict=True):
            row[start:stop] = True
    return decides


def ordinal(n: int) -> str:
    """Return an ordinal in words, from "first" to "thirty-first"."""
    if n < 10:
        return _ONES[n - 1]
    if n < 20:
        return _TEENS[n - 10]
    alone, before = _TENS[n - n % 10]
    return f"{before}-{_ONES[n % 10 - 1]}" if n % 10 else alone


def _nth(n: int) -> str:
    ending = "th" if 10 < n < 14 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def _fields(day: datetime.date) -> dict[str, tuple[str, str]]:
    """Return what each field of a style is replaced by, and what it tells."""
    month = MONTHS[day.month - 1]
    return {
        "year": (str(day.year), "year"),
        "m": (str(day.month), "month"),
        "mm": (f"{day.month:02d}", "month"),
        "month": (month, "month"),
        "mon": (month[:3], "month"),
        "d": (str(day.day), "day"),
        "dd": (f"{day.day:02d}", "day"),
        "nth": (_nth(day.day), "day"),
        "ordinal": (ordinal(day.day), "day"),
        "weekday": (WEEKDAYS[day.weekday()], ""),
    }


def _spans(source: str, places: dict[str, tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the deciding span of each of the ten characters of an ISO date."""
    first, spans = {"year": 0, "month": 5, "day": 8}, []
    for t, kind in enumerate(_DECIDES):
        start, stop = places[kind] if kind else (0, 0)
        digits = sum(c.isdigit() for c in source[start:stop])
        if digits:  # the last digit of both stands at the same place from the right
            missing = (4 if kind == "year" else 2) - digits
            start += max(t - first[kind] - missing, 0)
            stop = start + 1
        spans.append((start, stop))
    return tuple(spans)
