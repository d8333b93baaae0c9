"""The values in an expectation's arguments, read as the type of the column they are held against.

In a pipeline file a date is text, and so it is in JSON; a comparison needs it as a date.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from featuremill.spec.types import ColumnType

BOUNDS = ("min_value", "max_value")
_COMPARED_WITH_COLUMN = frozenset(
    {"expect_column_values_to_be_between", "expect_column_max_to_be_between", "expect_column_min_to_be_between"}
)
"""Bounds of these are values of the column; of the others they are counts, shares or statistics."""


def value_for(column: str, column_type: ColumnType, value: Any) -> Any:
    """A value as the column has them: a `date` for dates, a naive `datetime` in UTC for timestamps.

    Raises ValueError, naming the column and its type, where the value cannot be one of that column.
    """
    read = {
        "boolean": _boolean,
        "int": _number,
        "bigint": _number,
        "double": _number,
        "string": _text,
        "date": _date,
        "timestamp": _timestamp,
    }[column_type](value)
    if read is None:
        raise ValueError(f"{value!r} is no value of {column}, which is a {column_type}{_HINTS.get(column_type, '')}")
    return read


_HINTS: dict[ColumnType, str] = {
    "date": "; write it like 2024-01-31",
    "timestamp": "; write it like 2024-01-31T12:00:00 (UTC)",
    "string": "; put it in quotes",
}


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _date(value: Any) -> date | None:
    moment = _timestamp(value)
    return moment.date() if moment is not None and moment.time() == time() else None


def _timestamp(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return datetime.combine(value, time()) if isinstance(value, date) else None


def typed_arguments(name: str, arguments: Mapping[str, Any], columns: Mapping[str, ColumnType]) -> dict[str, Any]:
    """The arguments with bounds, sets and pairs as values of their columns.

    Nulls in a set are dropped: expectations about values leave nulls out on both sides. Raises ValueError.
    """
    typed = dict(arguments)
    column = typed.get("column")
    if isinstance(column, str) and column in columns:
        if name in _COMPARED_WITH_COLUMN:
            for bound in BOUNDS:
                if typed.get(bound) is not None:
                    typed[bound] = value_for(column, columns[column], typed[bound])
        if isinstance(typed.get("value_set"), list):
            values = [value for value in typed["value_set"] if value is not None]
            typed["value_set"] = [value_for(column, columns[column], value) for value in values]
    if isinstance(typed.get("value_pairs_set"), list):
        typed["value_pairs_set"] = _pairs(typed, columns)
    _check_bounds(typed)
    return typed


def _pairs(arguments: Mapping[str, Any], columns: Mapping[str, ColumnType]) -> list[tuple[Any, Any]]:
    pairs = []
    for pair in arguments["value_pairs_set"]:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(f"value_pairs_set holds pairs, like [a, 1]; {pair!r} is none")
        a, b = (
            None if value is None else value_for(column, columns[column], value)
            for column, value in zip((arguments["column_A"], arguments["column_B"]), pair, strict=True)
        )
        pairs.append((a, b))
    return pairs


def _check_bounds(arguments: Mapping[str, Any]) -> None:
    low, high = (arguments.get(bound) for bound in BOUNDS)
    for value in (low, high):
        if isinstance(value, (bool, str)):
            raise ValueError(f"a bound of {value!r}: min_value and max_value of this expectation are numbers")
    if low is not None and high is not None and low > high:
        raise ValueError(f"min_value {low} is greater than max_value {high}, so nothing can meet it")
