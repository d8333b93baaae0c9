"""The rows of a snapshot and its predictions as keys and values of the online store, in key order.

The partitions are joined one range of keys at a time, so memory does not grow with the number of entities.
"""

from __future__ import annotations

import collections
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from featuremill.errors import DataError
from featuremill.lookup.publication.json_sql import joined, json_text, quoted
from featuremill.lookup.publication.key_columns import column_keys
from featuremill.lookup.publication.ranges import SAMPLE_ROWS, boundaries, conditions, row_groups
from featuremill.spec.types import ColumnType
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse

AS_OF = "as_of"
MODEL_VERSION = "model_version"
_RANGE_ROWS = 60_000
_THREADS = 2
_MEMORY = "600MB"


@dataclass(frozen=True)
class Batch:
    """Some items in key order, and how many of them hold a prediction."""

    items: list[tuple[bytes, bytes]]
    predicted: int


class Partition:
    """A partition of the warehouse as DuckDB reads it."""

    def __init__(self, warehouse: Warehouse, manifest: Manifest) -> None:
        self.manifest = manifest
        folder = warehouse.folder(manifest.pipeline, manifest.table, manifest.ds, manifest.fingerprint)
        store = warehouse.store
        self.shown = store.path(folder)
        self.filesystem = store.filesystem
        self.files = [store.inside(f"{folder}/{file.name}") for file in manifest.files]
        self._dataset = None if store.is_local else ds.dataset(self.files, filesystem=self.filesystem, format="parquet")

    def source(self, connection: duckdb.DuckDBPyConnection, name: str) -> str:
        """What to write after FROM on this connection."""
        if self._dataset is None:
            return f"read_parquet([{', '.join(_text(file) for file in self.files)}])"
        connection.register(name, self._dataset)
        return name

    @property
    def columns(self) -> dict[str, str]:
        return {column.name: column.type for column in self.manifest.columns}


class Rows:
    """The joined rows. `features` and `prediction`: name -> Hive type of the columns that values hold."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        key: str,
        kind: ColumnType,
        snapshot: Partition,
        scores: Partition | None,
    ) -> None:
        self._connection, self._key = connection, key
        self._snapshot, self._scores = snapshot, scores
        self._kind: ColumnType = kind
        for partition in (snapshot, scores):
            if partition is not None:
                _require(partition, [key, AS_OF] + ([MODEL_VERSION] if partition is scores else []))
        self.features = {n: kind for n, kind in snapshot.columns.items() if n not in (key, AS_OF)}
        given = scores.columns if scores else {}
        self.prediction = {n: kind for n, kind in given.items() if n not in (key, AS_OF, MODEL_VERSION)}

    def as_of(self) -> datetime:
        """The moment that all rows are of. Raises DataError if they are of different ones."""
        found = {self._only(partition, AS_OF) for partition in (self._snapshot, self._scores) if partition is not None}
        if len(found - {None}) > 1:
            raise DataError(
                f"{self._snapshot.shown} is of {found.pop()} and its predictions are of {found.pop()}; score it again"
            )
        moment = max((m for m in found if m is not None), default=None)
        if moment is None:
            # A snapshot of no rows: the cutoff is midnight at the end of the day.
            day = datetime.fromisoformat(self._snapshot.manifest.ds).replace(tzinfo=UTC)
            return datetime.fromtimestamp(day.timestamp() + 86_400, UTC)
        assert isinstance(moment, datetime)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

    def model_version(self) -> str | None:
        """The model that made all predictions. Raises DataError if several did."""
        return None if self._scores is None else self._only(self._scores, MODEL_VERSION)

    def _only(self, partition: Partition, column: str) -> Any:
        name = quoted(column)
        source = partition.source(self._connection, "part")
        query = f"SELECT min({name}), max({name}) FROM {source}"
        low, high = self._connection.execute(query).fetchall()[0]
        if low != high:
            raise DataError(
                f"{partition.shown}: column {column} holds {low} and {high}; it must be the same in all rows"
            )
        return low

    def batches(self) -> Iterator[Batch]:
        """All rows in key order. Two ranges are read at a time; a further one waits until the last is taken."""
        pieces = conditions(self._key, self._starts())
        local = threading.local()
        waiting: collections.deque[Future[Batch]] = collections.deque()
        with ThreadPoolExecutor(_THREADS, "publish") as pool:
            try:
                for piece in pieces:
                    waiting.append(pool.submit(self._read, local, piece))
                    if len(waiting) > _THREADS:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _starts(self) -> list[Any]:
        files = [self._snapshot.filesystem.open_input_file(path) for path in self._snapshot.files]
        try:
            groups = row_groups(files, self._key)
        finally:
            for file in files:
                file.close()
        return boundaries(groups, _RANGE_ROWS, self._sample)

    def _sample(self) -> list[Any]:
        name = quoted(self._key)
        source = self._snapshot.source(self._connection, "part")
        picked = f"USING SAMPLE reservoir({SAMPLE_ROWS} ROWS) REPEATABLE (1)"
        query = f"SELECT * FROM (SELECT {name} FROM (SELECT {name} FROM {source}) {picked}) ORDER BY 1"
        return [row[0] for row in self._connection.execute(query).fetchall()]

    def _read(self, local: Any, condition: str) -> Batch:
        cursor = getattr(local, "cursor", None)
        if cursor is None:
            cursor = local.cursor = self._connection.cursor()
        try:
            table = cursor.sql(self._query(cursor, condition)).to_arrow_table()
        except duckdb.Error as error:
            raise DataError(f"cannot read {self._snapshot.shown}: {str(error).splitlines()[0]}") from error
        items: list[tuple[bytes, bytes]] = []
        for batch in table.to_batches():
            if batch.column(0).null_count:
                raise DataError(f"{self._snapshot.shown}: {batch.column(0).null_count} rows have no {self._key}")
            values = batch.column(1)
            binary = pa.large_binary() if pa.types.is_large_string(values.type) else pa.binary()
            items.extend(zip(column_keys(batch.column(0), self._kind), values.cast(binary).to_pylist(), strict=True))
        return Batch(items, table.column(2).to_pylist().count(True))

    def _query(self, cursor: duckdb.DuckDBPyConnection, condition: str) -> str:
        key = quoted(self._key)
        kinds = self._snapshot.columns
        texts = [json_text(f"s.{quoted(n)}", kinds[n], n) for n in (self._key, *self.features)]
        snapshot = f"(SELECT * FROM {self._snapshot.source(cursor, 'features')} WHERE {condition}) s"
        if self._scores is None:
            return f"SELECT s.{key}, {joined(texts)}, false FROM {snapshot} ORDER BY s.{key}"
        scored = joined([json_text(f"p.{quoted(n)}", kind, n) for n, kind in self.prediction.items()])
        # array_to_string leaves nulls out: an entity without prediction has no texts of one.
        texts.append(f"CASE WHEN p.{key} IS NOT NULL THEN {scored} END")
        scores = f"(SELECT * FROM {self._scores.source(cursor, 'scores')} WHERE {condition}) p"
        return (
            f"SELECT s.{key}, {joined(texts)}, p.{key} IS NOT NULL FROM {snapshot}"
            f" LEFT JOIN {scores} ON s.{key} = p.{key} ORDER BY s.{key}"
        )


def _require(partition: Partition, names: Sequence[str]) -> None:
    for name in names:
        if name not in partition.columns:
            raise DataError(f"{partition.shown} has no column {name}")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@contextmanager
def session(scratch: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in UTC of bounded memory; what does not fit goes into a folder below `scratch` that is deleted."""
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="publish-", dir=scratch) as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": spill,
            "memory_limit": _MEMORY,
            "threads": _THREADS,
            "autoinstall_known_extensions": False,
        }
        connection = duckdb.connect(config=config)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")
            connection.execute("SET parquet_metadata_cache = true")
            yield connection
        finally:
            connection.close()
