"""Columns as JSON texts, in DuckDB's SQL: see `featuremill.lookup.records` for what they look like."""

from __future__ import annotations

from collections.abc import Sequence

from featuremill.errors import DataError

_PLAIN = ("boolean", "tinyint", "smallint", "int", "bigint")
_FLOATING = ("double", "float")
_MAX_DEPTH = 4


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def json_text(value: str, kind: str, column: str, depth: int = 0) -> str:
    """An SQL expression for the JSON text of the SQL value `value` of the Hive type `kind`; never null.

    Raises DataError, naming the column, for a type that features and predictions do not have.
    """
    return f"coalesce({_not_null(value, kind.strip().lower(), column, depth)}, 'null')"


def joined(texts: Sequence[str]) -> str:
    """An SQL expression for texts with line feeds between them."""
    return f"array_to_string([{', '.join(texts)}], chr(10))"


def _not_null(value: str, kind: str, column: str, depth: int) -> str:
    if kind in _PLAIN or kind.startswith("decimal("):
        return f"cast({value} AS VARCHAR)"
    if kind in _FLOATING:
        # A float becomes the double of the same value: the digits of a float would not read back as that.
        number = value if kind == "double" else f"cast({value} AS DOUBLE)"
        return (
            f"CASE WHEN isfinite({number}) THEN cast({number} AS VARCHAR) WHEN isnan({number}) THEN '\"NaN\"'"
            f" WHEN {number} > 0 THEN '\"Infinity\"' WHEN {number} < 0 THEN '\"-Infinity\"' END"
        )
    if kind == "string":
        return f"cast(to_json({value}) AS VARCHAR)"
    if kind == "date":
        return f"'\"' || cast({value} AS VARCHAR) || '\"'"
    if kind == "timestamp":
        # The session's time zone is UTC, so the cast to TIMESTAMP keeps the moment.
        return f"'\"' || replace(cast(cast({value} AS TIMESTAMP) AS VARCHAR), ' ', 'T') || 'Z\"'"
    if kind.startswith("array<") and kind.endswith(">") and depth < _MAX_DEPTH:
        name = f"x{depth}"
        element = json_text(name, kind[len("array<") : -1], column, depth + 1)
        return f"'[' || array_to_string(list_transform({value}, lambda {name}: {element}), ',') || ']'"
    raise DataError(
        f"column {column} is of type {kind}, which a lookup cannot answer with; leave it out of the features"
    )
