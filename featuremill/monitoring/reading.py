"""A partition as it is read for comparing: batch by batch, a few columns at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.errors import DataError
from featuremill.warehouse.files import clear_errors
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse

BATCH_ROWS = 65_536
SAMPLE_ROWS = 100_000
ROW_GROUPS_AT_ONCE = 16


@dataclass(frozen=True)
class StoredTable:
    """A whole partition, on any store that the warehouse may lie on."""

    warehouse: Warehouse
    manifest: Manifest

    def schema(self) -> pa.Schema:
        for path in self._paths():
            with self._open(path) as file:
                return file.schema_arrow
        raise DataError(f"{self.manifest.pipeline}.{self.manifest.table} ds={self.manifest.ds} has no file")

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows, in the order of the files."""
        for path in self._paths():
            with self._open(path) as file:
                # A file's reader keeps in memory what it read ahead, which would in the end be the whole file.
                for first in range(0, file.num_row_groups, ROW_GROUPS_AT_ONCE):
                    groups = range(first, min(first + ROW_GROUPS_AT_ONCE, file.num_row_groups))
                    yield from file.iter_batches(BATCH_ROWS, row_groups=groups, columns=list(columns))

    def sample(self, columns: Sequence[str]) -> dict[str, pa.Array]:
        """Column -> its values in at most SAMPLE_ROWS rows, evenly over the table."""
        stride = max(1, -(-self.manifest.rows // SAMPLE_ROWS))
        taken, seen = [], 0
        for batch in self.batches(columns):
            first = -seen % stride
            taken.append(batch.take(pa.array(np.arange(first, batch.num_rows, stride))))
            seen += batch.num_rows
        table = pa.Table.from_batches(taken) if taken else self.schema().empty_table()
        return {name: _one_array(table.column(name)) for name in columns}

    def _paths(self) -> list[str]:
        manifest = self.manifest
        folder = self.warehouse.folder(manifest.pipeline, manifest.table, manifest.ds, manifest.fingerprint)
        return [f"{folder}/{file.name}" for file in manifest.files]

    def _open(self, path: str) -> pq.ParquetFile:
        store = self.warehouse.store
        with clear_errors("read", store.path(path)):
            return pq.ParquetFile(store.filesystem.open_input_file(store.inside(path)))


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
