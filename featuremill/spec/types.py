"""The small value types of a pipeline file: column types, windows, shares, names."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, PlainSerializer
from pydantic.dataclasses import dataclass

ColumnType = Literal["boolean", "int", "bigint", "double", "string", "date", "timestamp"]
"""What a column of a CSV file can be. `timestamp` is UTC, to the microsecond."""

COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType)

AggregateKind = Literal[
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "stddev",
    "first",
    "last",
    "count_distinct",
    "set",
    "since_last",
]
AGGREGATE_KINDS: tuple[str, ...] = get_args(AggregateKind)

MICROS_PER_SECOND = 1_000_000
MICROS_PER_DAY = 86_400 * MICROS_PER_SECOND

_UNITS = {
    "d": MICROS_PER_DAY,
    "h": 3_600 * MICROS_PER_SECOND,
    "min": 60 * MICROS_PER_SECOND,
    "s": MICROS_PER_SECOND,
}
_DURATION = re.compile(r"(\d+)(d|h|min|s)")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_COLUMN_NAME = re.compile(r"[a-z_][a-z0-9_-]*")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Duration:
    """A length of time as it is written in a pipeline file: `30d`, `12h`, `15min`, `90s`."""

    text: str
    micros: int

    def __str__(self) -> str:
        return self.text


def parse_duration(text: str) -> Duration:
    """Read `30d`, `12h`, `15min` or `90s`.

    Raises ValueError, saying the form wanted, for anything else; zero is a duration (`0d`).
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a whole number and d, h, min or s, like 30d or 15min")
    number, unit = int(match[1]), match[2]
    if number * _UNITS[unit] >= 2**62:
        raise ValueError(f"{text!r} is too long a time")
    return Duration(text=f"{number}{unit}", micros=number * _UNITS[unit])


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


DurationField = Annotated[Duration, BeforeValidator(_duration), PlainSerializer(str, return_type=str)]


def _share(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            value = float(value.strip()[:-1]) / 100
        except ValueError:
            raise ValueError(f"{value!r} is not a share; write 1% or 0.01") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is not a share; write 1% or 0.01")
    if not 0 <= value <= 1:
        raise ValueError(f"{value!r} is not between 0% and 100%")
    return float(value)


Share = Annotated[float, BeforeValidator(_share)]
"""A part of a whole, 0 to 1; written `1%` or `0.01`."""


def _name(value: Any) -> Any:
    if isinstance(value, str) and not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a name: use lower-case letters, digits and _, not starting with a digit")
    return value


def _column_name(value: Any) -> Any:
    if isinstance(value, str) and not _COLUMN_NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a column name: use lower-case letters, digits, _ and -; "
            "what the file's header calls it can be given as `header: ...`"
        )
    return value


Name = Annotated[str, BeforeValidator(_name)]
"""A pipeline, source or feature: it becomes a Hive database, table or column."""

ColumnName = Annotated[str, BeforeValidator(_column_name)]
"""A column of a source. Hyphens are allowed; in expressions such a name is written in backticks."""
