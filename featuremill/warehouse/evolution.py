"""How a table's columns change when a partition with other columns is published.

Parquet columns are found by name, so a table may show more columns than a partition has (they are null there).

- A column that is new is added at the end; existing columns keep their places.
- A column that is gone stays as long as another published partition has it, then it goes.
- `int` and `bigint` are one for reading: the wider one is the table's.
- Any other change of type cannot be read from the older files. The newly published definition wins: partitions whose
  files have the old type are withdrawn from the table. Their folders stay, and publishing them again brings them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from featuremill.warehouse.hive_objects import Column

_WIDER = {("int", "bigint"): "bigint", ("bigint", "int"): "bigint"}


@dataclass(frozen=True)
class Change:
    """The table's columns to be, and the partitions (ds) that can no longer be read with them."""

    columns: tuple[Column, ...]
    withdrawn: tuple[str, ...]


def readable_as(stored: str, shown: str) -> bool:
    """Whether a file's column of one type can be read by a table that shows another."""
    return stored == shown or (stored == "int" and shown == "bigint")


def evolve(table: Sequence[Column], published: Sequence[Column], partitions: Mapping[str, Sequence[Column]]) -> Change:
    """`table` as it is, `published` of the partition that comes in, `partitions`: ds -> columns of the others."""
    new = {column.name: column for column in published}
    joined = [_joined(old, new[old.name]) if old.name in new else old for old in table]
    known = {column.name for column in table}
    joined.extend(column for column in published if column.name not in known)
    shown = {column.name: column.type for column in joined}
    readable = {
        ds: columns
        for ds, columns in partitions.items()
        if all(readable_as(column.type, shown.get(column.name, column.type)) for column in columns)
    }
    needed = set(new) | {column.name for columns in readable.values() for column in columns}
    columns = tuple(column for column in joined if column.name in needed)
    return Change(columns, withdrawn=tuple(sorted(set(partitions) - set(readable))))


def needs_partitions(table: Sequence[Column], published: Sequence[Column]) -> bool:
    """Whether the other partitions' columns matter: only if a column is gone or changed its type."""
    new = {column.name: column.type for column in published}
    return any(old.name not in new or new[old.name] != old.type for old in table)


def _joined(old: Column, new: Column) -> Column:
    kind = new.type if old.type == new.type else _WIDER.get((old.type, new.type), new.type)
    return Column(new.name, kind, new.comment or old.comment)
