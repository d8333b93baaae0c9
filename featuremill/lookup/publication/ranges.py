"""Ranges of the entity key that hold about as many rows each, so that a partition of any size is joined in pieces.

Partitions are sorted by the entity key within each file, so a range reads few row groups of each file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow.parquet as pq

from featuremill.lookup.publication.json_sql import quoted

_MOST_ROWS_A_GROUP = 80_000
SAMPLE_ROWS = 20_000


@dataclass(frozen=True)
class Group:
    """A row group of a parquet file: rows, and the least and greatest key, None where the file does not say."""

    rows: int
    least: Any
    greatest: Any


def row_groups(files: Sequence[Any], key: str) -> list[list[Group]]:
    """The row groups of each opened parquet file, in file order."""
    found = []
    for file in files:
        metadata = pq.ParquetFile(file).metadata
        number = next(i for i in range(metadata.num_columns) if metadata.schema.column(i).path == key)
        found.append([_group(metadata.row_group(index), number) for index in range(metadata.num_row_groups)])
    return found


def _group(metadata: Any, number: int) -> Group:
    statistics = metadata.column(number).statistics
    if statistics is None or not statistics.has_min_max:
        return Group(metadata.num_rows, None, None)
    return Group(metadata.num_rows, statistics.min, statistics.max)


def boundaries(groups: list[list[Group]], rows: int, sample: Callable[[], list[Any]]) -> list[Any]:
    """Keys that begin a new range of about `rows` rows, ascending.

    Where files are sorted and their row groups small, these are least keys of row groups, so that few are read twice;
    else they are quantiles of `sample()`, keys picked at random, in order.
    """
    every = [group for file in groups for group in file if group.rows]
    total = sum(group.rows for group in every)
    if total <= rows:
        return []
    if all(_is_sorted(file) for file in groups) and max(group.rows for group in every) <= _MOST_ROWS_A_GROUP:
        return _from_groups(every, rows)
    keys = sample()
    pieces = -(-total // rows)
    return sorted(set(keys[len(keys) * piece // pieces] for piece in range(1, pieces))) if keys else []


def _is_sorted(groups: list[Group]) -> bool:
    filled = [group for group in groups if group.rows]
    if any(group.least is None for group in filled):
        return False
    return all(bool(a.greatest <= b.least) for a, b in zip(filled, filled[1:], strict=False))


def _from_groups(groups: list[Group], rows: int) -> list[Any]:
    found: list[Any] = []
    held = 0
    for group in sorted(groups, key=lambda group: group.least):
        if held + group.rows > rows and held and (not found or group.least > found[-1]):
            found.append(group.least)
            held = 0
        held += group.rows
    return found


def conditions(key: str, starts: Sequence[Any]) -> list[str]:
    """SQL conditions of the ranges that `starts` divide all keys into, ascending."""
    name = quoted(key)
    limits = [None, *starts, None]
    found = []
    for low, high in zip(limits, limits[1:], strict=False):
        parts = [f"{name} >= {literal(low)}"] if low is not None else []
        parts += [f"{name} < {literal(high)}"] if high is not None else []
        found.append(" AND ".join(parts) or "true")
    return found


def literal(value: Any) -> str:
    """A key as an SQL literal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"cast('{value!r}' AS {'DOUBLE' if isinstance(value, float) else 'BIGINT'})"
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return "'" + str(value).replace("'", "''") + "'"
