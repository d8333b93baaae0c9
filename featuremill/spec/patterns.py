"""Date and time patterns of raw files: Spark's letters, those of them that both engines read alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Unit = Literal["year", "month", "day", "hour", "minute", "second", "fraction", "half_day"]

PATTERN_LETTERS: dict[str, Unit] = {
    "yyyy": "year",
    "yy": "year",
    "MMMM": "month",
    "MMM": "month",
    "MM": "month",
    "M": "month",
    "dd": "day",
    "d": "day",
    "HH": "hour",
    "H": "hour",
    "hh": "hour",
    "h": "hour",
    "a": "half_day",
    "mm": "minute",
    "m": "minute",
    "ss": "second",
    "s": "second",
    "SSSSSS": "fraction",
    "SSS": "fraction",
}
"""Numbers with and without leading zeros, months as names (`MMM`: Jan), fractions to milli- or microseconds.

`yy` is 2000 to 2099.
"""

_DATE: tuple[Unit, ...] = ("year", "month", "day")
_PART = re.compile(
    r"(?P<letters>(?P<letter>[A-Za-z])(?P=letter)*)|'(?P<quoted>(?:[^']|'')*)'|(?P<reserved>[\[\]{}#'])|(?P<text>[^A-Za-z'\[\]{}#]+)"
)


class PatternError(ValueError):
    """A pattern that cannot be used. `offset`: where in it, in characters."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True)
class PatternPart:
    """Either letters with the unit they stand for, or (`unit` None) a text that is to be found as it is."""

    text: str
    unit: Unit | None = None


def parse_pattern(pattern: str, type_: Literal["date", "timestamp"]) -> tuple[PatternPart, ...]:
    """The parts of a date's or timestamp's pattern, such as `dd.MM.yyyy HH:mm:ss` or `yyyy'T'MM`.

    Raises PatternError for other letters, a unit that comes twice, and a pattern that leaves year, month or day, or a
    part of the time above a smaller one, open; for dates also if it has a time of day.
    """
    parts: list[PatternPart] = []
    seen: dict[Unit, str] = {}
    for match in _PART.finditer(pattern):
        if match["text"] is not None:
            parts.append(PatternPart(match["text"]))
        elif match["quoted"] is not None:
            parts.append(PatternPart(match["quoted"].replace("''", "'") or "'"))
        elif match[0] not in PATTERN_LETTERS:
            known = ", ".join(PATTERN_LETTERS)
            raise PatternError(
                f"`{match[0]}` is not supported; known are {known} and texts in single quotes", match.start()
            )
        else:
            unit = PATTERN_LETTERS[match[0]]
            if unit in seen:
                raise PatternError(f"it has the {unit.replace('_', ' of the ')} twice", match.start())
            seen[unit] = match[0]
            parts.append(PatternPart(match[0], unit))
    _check_units(seen, type_)
    return tuple(parts)


def _check_units(seen: dict[Unit, str], type_: Literal["date", "timestamp"]) -> None:
    missing = [unit for unit in _DATE if unit not in seen]
    if missing:
        raise PatternError(f"it has no {' and no '.join(missing)}")
    times = [unit for unit in seen if unit not in _DATE]
    if type_ == "date" and times:
        raise PatternError("it has a time of day, which a date cannot hold; declare the column as a timestamp")
    if ("half_day" in seen) != (seen.get("hour") in ("h", "hh")):
        raise PatternError("it needs both the hour of the half day (hh) and its half (a), or HH")
    larger: dict[Unit, Unit] = {"minute": "hour", "second": "minute", "fraction": "second"}
    for unit, above in larger.items():
        if unit in seen and above not in seen:
            raise PatternError(f"it has the {unit} but no {above}")
