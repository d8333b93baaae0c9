"""Point reads of a published partition: footers once, then only the row groups that may hold what is asked for.

The parts of a partition are sorted by the entity key (DuckDB writes one, Spark several, spread by a hash of the key),
so each part has one or two row groups for a key. Of those the key column alone is read first; the other columns only
of the row group that has it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from featuremill.errors import DataError
from featuremill.lookup.keys import KeyCodec
from featuremill.lookup.publication.key_columns import column_keys
from featuremill.spec.types import ColumnType
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse

_COMPARED_BYTES = 471
"""Keys of longer texts end in a hash, which does not sort as the text does; what comes before it does."""
_SIGN = 1 << 63


@dataclass(frozen=True)
class _Group:
    """A row group with the least and greatest key, None where the file does not say."""

    file: int
    number: int
    least: bytes | None
    greatest: bytes | None

    def may_hold(self, key: bytes) -> bool:
        if self.least is None or self.greatest is None:
            return True
        return self.least[:_COMPARED_BYTES] <= key[:_COMPARED_BYTES] <= self.greatest[:_COMPARED_BYTES]


class PartitionFiles:
    """An open partition; immutable, so it may be kept for as long as its files are there. Closed by `close`."""

    def __init__(self, warehouse: Warehouse, manifest: Manifest, key: str, codec: KeyCodec) -> None:
        self.manifest = manifest
        self._key, self._codec = key, codec
        folder = warehouse.folder(manifest.pipeline, manifest.table, manifest.ds, manifest.fingerprint)
        store = warehouse.store
        self.shown = store.path(folder)
        self._lock = threading.Lock()
        self._files: list[pq.ParquetFile] = []
        try:
            for file in manifest.files:
                opened = store.filesystem.open_input_file(store.inside(f"{folder}/{file.name}"))
                self._files.append(pq.ParquetFile(opened))
            self._groups = [group for index in range(len(self._files)) for group in self._groups_of(index)]
        except (OSError, pa.ArrowInvalid) as error:
            self.close()
            raise DataError(f"{self.shown} cannot be read: {error}; run {manifest.ds} again to make it anew") from error

    def _groups_of(self, index: int) -> list[_Group]:
        metadata = self._files[index].metadata
        column = self._column(metadata, self._key)
        found = []
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            if not group.num_rows:
                continue
            statistics = group.column(column).statistics
            least = greatest = None
            if statistics is not None and statistics.has_min_max:
                least = self._codec.from_value(statistics.min)
                greatest = self._codec.from_value(statistics.max)
            found.append(_Group(index, number, least, greatest))
        return found

    def _column(self, metadata: Any, name: str) -> int:
        for number in range(metadata.num_columns):
            if metadata.schema.column(number).path == name:
                return number
        raise DataError(f"{self.shown} has no column {name}")

    @property
    def kinds(self) -> dict[str, str]:
        """Column -> Hive type."""
        return {column.name: column.type for column in self.manifest.columns}

    def rows(self, keys: Sequence[bytes], columns: Sequence[str]) -> tuple[list[bytes], pa.Table]:
        """The rows of those keys that are there: their keys, and the columns of the same rows in the same order."""
        wanted = set(keys)
        found: list[bytes] = []
        tables: list[pa.Table] = []
        for group in self._groups:
            candidates = {key for key in wanted if group.may_hold(key)}
            if not candidates:
                continue
            places, held = self._places(group, candidates)
            if places:
                with self._lock:  # a ParquetFile is not for several threads at once
                    table = self._files[group.file].read_row_group(
                        group.number, columns=list(columns), use_threads=False
                    )
                tables.append(table.take(pa.array(places, pa.int64())))
                found += held
                wanted.difference_update(held)
                if not wanted:
                    break
        if not tables:
            schema = pa.schema([self._files[0].schema_arrow.field(name) for name in columns])
            return [], schema.empty_table()
        return found, pa.concat_tables(tables)

    def _places(self, group: _Group, candidates: set[bytes]) -> tuple[list[int], list[bytes]]:
        """Where in a row group the keys are that it holds, and which."""
        with self._lock:
            table = self._files[group.file].read_row_group(group.number, columns=[self._key], use_threads=False)
        column = table.column(0).combine_chunks()
        wanted = _values(candidates, self._codec.kind)
        if wanted is None:
            keys = column_keys(column, self._codec.kind)
            places = [place for place, key in enumerate(keys) if key in candidates]
            return places, [keys[place] for place in places]
        column = column.cast(pa.string()) if self._codec.kind == "string" else _whole(column)
        hits = pc.indices_nonzero(pc.is_in(column, value_set=wanted))
        return hits.to_pylist(), column_keys(table.column(0).combine_chunks().take(hits), self._codec.kind)

    def first(self, column: str) -> Any:
        """The value of a column that is the same in all rows; None if there are no rows."""
        if not self._groups:
            return None
        group = self._groups[0]
        file = self._files[group.file]
        statistics = file.metadata.row_group(group.number).column(self._column(file.metadata, column)).statistics
        if statistics is not None and statistics.has_min_max and statistics.min == statistics.max:
            return statistics.min
        with self._lock:
            table = file.read_row_group(group.number, columns=[column], use_threads=False)
        return table.column(0)[0].as_py()

    def close(self) -> None:
        for file in self._files:
            file.close(force=True)


def _values(keys: set[bytes], kind: ColumnType) -> pa.Array | None:
    """What the keys were made of, as the column or `_whole` of it has them; None where keys do not tell."""
    if kind == "double":
        return None
    if kind != "string":
        return pa.array([int.from_bytes(key, "big") - _SIGN for key in keys], pa.int64())
    if any(len(key) > _COMPARED_BYTES for key in keys):
        return None
    return pa.array([key[1:].decode() for key in keys], pa.string())


def _whole(column: pa.Array) -> pa.Array:
    """Booleans, whole numbers, dates (days) and timestamps (microseconds) as whole numbers."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32())
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz))
    return column.cast(pa.int64())
