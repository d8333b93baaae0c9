"""What the columns of a CSV file hold, seen over all its rows, one chunk at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from featuremill.scaffold.values import PATTERNS, fits, place_on_line, same_words

_ROWS_AT_ONCE = 50_000
_MOST_DISTINCT = 50
_MOST_KEYS = 4_000_000
_MOST_JUDGED = 100_000
_BOOLEAN = frozenset({"boolean"})
_SURE_NULLS = ("NULL", "null", "\\N", "?", "N/A", "#N/A", "(null)", "<NA>")
_POSSIBLE_NULLS = (*_SURE_NULLS, "NA", "n/a", "-", "--", "NaN", "nan", "None", "none", ".", "nil", "*")

# Whole numbers that are moments between 1980 and 2100.
_FIRST_SECOND, _LAST_SECOND = 315_532_800, 4_102_444_800
_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000}
_TIME_WORDS = re.compile(r"time|date|stamp|epoch|_at$|_ts$|^ts$|when|created|reported|received|occurred", re.I)
_CODES = re.compile(r"postal|zip_?code|^zip$|phone_?n", re.I)
IDENTIFIERS = re.compile(r"(^|[_-])(id|key|code|number|no|nr|uuid|guid)$|id$")


@dataclass(frozen=True)
class ColumnProfile:
    """One column. `values` are its texts if there are at most 50; low and high its range, as text."""

    name: str
    header: str
    type: str
    pattern: str | None
    unit: str | None
    nulls: int
    rows: int
    unique: bool
    repeats: bool
    values: tuple[str, ...] | None
    low: str | None
    high: str | None

    @property
    def constant(self) -> bool:
        return self.values is not None and len(self.values) <= 1

    @property
    def is_moment(self) -> bool:
        return self.type in ("date", "timestamp") or self.unit is not None


@dataclass(frozen=True)
class FileProfile:
    """All columns. `misfits` are rows with another number of fields; `nulls` the texts that mean null."""

    columns: tuple[ColumnProfile, ...]
    rows: int
    misfits: int
    nulls: tuple[str, ...]
    multiline: bool


@dataclass
class _Column:
    """What is known of a column so far: texts that could mean null are kept apart from all others."""

    empty: int = 0
    doubtful: Counter[str] = field(default_factory=Counter)
    possible: frozenset[str] | None = None
    distinct: set[str] | None = field(default_factory=set)
    seen: set[int] | None = field(default_factory=set)
    repeats: bool = False
    low: tuple[float, str] | None = None
    high: tuple[float, str] | None = None
    breaks: bool = False
    judged: set[str] = field(default_factory=set)

    def add(self, texts: tuple[str, ...]) -> None:
        """Take in the texts of a chunk; the costly questions are asked of distinct texts only."""
        fresh = set(texts)
        if self.seen is not None:
            self._look_for_repeats(texts, fresh)
        self.empty += texts.count("") if "" in fresh else 0
        for text in fresh.intersection(_POSSIBLE_NULLS):
            self.doubtful[text] += texts.count(text)
        fresh.discard("")
        fresh.difference_update(_POSSIBLE_NULLS)
        self.breaks = self.breaks or any("\n" in text for text in fresh)
        if self.distinct is not None:
            self.distinct = self.distinct | fresh
            if len(self.distinct) > _MOST_DISTINCT:
                self.distinct = None
        self._narrow(fresh)

    def _look_for_repeats(self, texts: tuple[str, ...], fresh: set[str]) -> None:
        seen = self.seen or set()
        before = len(seen)
        seen.update(map(hash, fresh))
        if len(fresh) < len(texts) or len(seen) < before + len(fresh):
            self.repeats = True
        self.seen = None if self.repeats or len(seen) > _MOST_KEYS else seen

    def _narrow(self, fresh: set[str]) -> None:
        """Drop the types that some text is not, and widen the range."""
        news = fresh - self.judged
        if len(self.judged) < _MOST_JUDGED:
            self.judged |= news
        low, high = self.low, self.high
        for text in news:
            if self.possible is not None and self.possible <= _BOOLEAN and self.distinct is None:
                break
            kinds = fits(text)
            if self.possible != kinds:
                self.possible = kinds if self.possible is None else self.possible & kinds
            place = place_on_line(text, kinds)
            if place is None:
                continue
            if low is None or (place, text) < low:
                low = (place, text)
            if high is None or (place, text) > high:
                high = (place, text)
        self.low, self.high = low, high

    def kind(self) -> tuple[str, str | None]:
        """The narrowest type of all texts that are surely not null, and the pattern of a date or time."""
        possible = self.possible or frozenset()
        for name in ("int", "bigint", "double", "date", "timestamp"):
            if name in possible:
                return name, None
        for pattern in PATTERNS:
            if pattern.spark in possible:
                return pattern.type, pattern.spark
        if "boolean" in possible and self.distinct is not None and same_words(self.distinct):
            return "boolean", None
        return "string", None


def profile(rows: Iterable[list[str]], headers: list[str], names: list[str]) -> FileProfile:
    """Look at all rows. Memory is one chunk, the distinct texts of short columns, and a number for each row of every
    column in which no text has come twice.
    """
    columns = [_Column() for _ in headers]
    iterator, count, misfits = iter(rows), 0, 0
    while chunk := list(islice(iterator, _ROWS_AT_ONCE)):
        fitting = [row for row in chunk if len(row) == len(headers)]
        misfits += len(chunk) - len(fitting)
        count += len(fitting)
        for column, texts in zip(columns, zip(*fitting, strict=True), strict=False):
            column.add(texts)
    nulls = _null_texts(columns)
    profiles = [
        _finish(column, header, name, count, nulls)
        for column, header, name in zip(columns, headers, names, strict=True)
    ]
    return FileProfile(tuple(profiles), count, misfits, nulls, any(column.breaks for column in columns))


def _null_texts(columns: list[_Column]) -> tuple[str, ...]:
    """What means null in this file: nothing, marks that cannot be words, and marks among numbers and dates."""
    found = {""}
    for column in columns:
        narrow = column.kind()[0] != "string"
        found |= {text for text in column.doubtful if narrow or text in _SURE_NULLS}
    return tuple(sorted(found))


def _finish(column: _Column, header: str, name: str, rows: int, nulls: tuple[str, ...]) -> ColumnProfile:
    words = {text: n for text, n in column.doubtful.items() if text not in nulls}
    kind, pattern = ("string", None) if words or _CODES.search(header) else column.kind()
    if kind == "int" and IDENTIFIERS.search(name):
        kind = "bigint"  # ids grow
    values = None if column.distinct is None else tuple(sorted({*column.distinct, *words}))
    if values is not None and len(values) > _MOST_DISTINCT:
        values = None
    missing = column.empty + sum(n for text, n in column.doubtful.items() if text in nulls)
    low = column.low[1] if column.low and kind != "string" else None
    high = column.high[1] if column.high and kind != "string" else None
    return ColumnProfile(
        name=name,
        header=header,
        type=kind,
        pattern=pattern,
        unit=_unit(kind, header, low, high),
        nulls=missing,
        rows=rows,
        unique=column.seen is not None and not column.repeats and missing == 0 and rows > 0,
        repeats=column.repeats,
        values=values,
        low=low,
        high=high,
    )


def _unit(kind: str, header: str, low: str | None, high: str | None) -> str | None:
    """The unit of whole numbers that a time-like name and their size show to count from 1970."""
    if kind not in ("int", "bigint") or low is None or high is None or not _TIME_WORDS.search(header):
        return None
    for unit, scale in _UNITS.items():
        if _FIRST_SECOND * scale <= int(low) and int(high) <= _LAST_SECOND * scale:
            return unit
    return None
