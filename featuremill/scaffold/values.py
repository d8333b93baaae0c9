"""What a text of a CSV file can be: the types of a pipeline file, tried on one text at a time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

_SPACE = " \t"
_INT = re.compile(r"[+-]?[0-9]+")
_SMALL_INT = re.compile(r"-?(0|[1-9][0-9]{0,8})")
_ANY_NUMBER = frozenset({"int", "bigint", "double"})
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]+(\..*)?")
_DOUBLE = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_MOMENT_LIKE = re.compile(r"[0-9]{1,4}([-./])[0-9]{1,2}\1[0-9]")
_BOOLEANS = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"})


@dataclass(frozen=True)
class Pattern:
    """A way to write dates or times. `spark` is its pattern in a pipeline file."""

    spark: str
    python: str
    type: str

    @cached_property
    def shape(self) -> re.Pattern[str]:
        """What a text of this pattern looks like, to tell quickly that most do not."""
        return re.compile(re.sub("[A-Za-z]", "[0-9]", re.escape(self.spark)))


PATTERNS = (
    Pattern("dd.MM.yyyy", "%d.%m.%Y", "date"),
    Pattern("MM/dd/yyyy", "%m/%d/%Y", "date"),
    Pattern("dd/MM/yyyy", "%d/%m/%Y", "date"),
    Pattern("yyyy/MM/dd", "%Y/%m/%d", "date"),
    Pattern("dd-MM-yyyy", "%d-%m-%Y", "date"),
    Pattern("MM/dd/yyyy HH:mm:ss", "%m/%d/%Y %H:%M:%S", "timestamp"),
    Pattern("MM/dd/yyyy HH:mm", "%m/%d/%Y %H:%M", "timestamp"),
    Pattern("dd.MM.yyyy HH:mm:ss", "%d.%m.%Y %H:%M:%S", "timestamp"),
    Pattern("dd.MM.yyyy HH:mm", "%d.%m.%Y %H:%M", "timestamp"),
    Pattern("dd/MM/yyyy HH:mm:ss", "%d/%m/%Y %H:%M:%S", "timestamp"),
    Pattern("dd/MM/yyyy HH:mm", "%d/%m/%Y %H:%M", "timestamp"),
    Pattern("yyyy/MM/dd HH:mm:ss", "%Y/%m/%d %H:%M:%S", "timestamp"),
)


def is_plain_text(text: str) -> bool:
    """Whether a text is neither empty nor a number or a date."""
    return bool(text) and fits(text) <= {"boolean"}


def fits(text: str) -> frozenset[str]:
    """What a text can be read as, besides a string: names of types, and Spark patterns of dates and times."""
    if _SMALL_INT.fullmatch(text):
        return _ANY_NUMBER
    text = text.strip(_SPACE)
    if not text:
        return frozenset()
    if _MOMENT_LIKE.match(text):
        return _moment(text)
    if text[0].isdigit() or text[0] in "+-.":
        return _number(text)
    return frozenset({"boolean"}) if any(text.lower() in pair for pair in _BOOLEANS) else frozenset()


def _number(text: str) -> frozenset[str]:
    """Numbers; one with a leading zero or more digits than a bigint holds is a code, and stays text."""
    if _LEADING_ZERO.fullmatch(text) or not _DOUBLE.fullmatch(text) or not math.isfinite(float(text)):
        return frozenset()
    if not _INT.fullmatch(text):
        return frozenset({"double"})
    value = int(text)
    if -(2**31) <= value < 2**31:
        return _ANY_NUMBER
    return frozenset({"bigint", "double"}) if -(2**63) <= value < 2**63 else frozenset()


def _moment(text: str) -> frozenset[str]:
    found = set()
    if _TIMESTAMP.fullmatch(text) and as_moment(text, "timestamp") is not None:
        found.add("timestamp")
        if _DATE.fullmatch(text):
            found.add("date")
    found |= {pattern.spark for pattern in PATTERNS if _reads(text, pattern)}
    return frozenset(found)


def _reads(text: str, pattern: Pattern) -> bool:
    """Whether a pattern reads a text, and writes the same text again."""
    if not pattern.shape.fullmatch(text):
        return False
    try:
        return datetime.strptime(text, pattern.python).strftime(pattern.python) == text
    except ValueError:
        return False


def as_moment(text: str, kind: str) -> datetime | None:
    """A date or time as a moment in UTC; `kind` is `date`, `timestamp` or a Spark pattern. None if it is no such."""
    try:
        for pattern in PATTERNS:
            if pattern.spark == kind:
                return datetime.strptime(text.strip(_SPACE), pattern.python).replace(tzinfo=UTC)
        moment = datetime.fromisoformat(text.strip(_SPACE))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def place_on_line(text: str, kinds: frozenset[str]) -> float | None:
    """Where a number or moment lies, to compare it with others of its column; None for other texts."""
    if "double" in kinds:
        return float(text)
    for kind in ("date", "timestamp", *(pattern.spark for pattern in PATTERNS)):
        if kind in kinds:
            moment = as_moment(text, kind)
            return None if moment is None else moment.timestamp()
    return None


def same_words(texts: set[str]) -> bool:
    """Whether truth values are written one way, like yes and no, and both occur."""
    return {text.strip(_SPACE).lower() for text in texts} in _BOOLEANS
