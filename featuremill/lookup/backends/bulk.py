"""Bulk loading from many processes, like the tasks of a Spark job.

    writer = backend.begin(manifest)                             # on the driver
    pairs.foreachPartition(writer.loader())                      # an RDD of (key, value): each task writes its own
    joined.mapInArrow(writer.arrow_loader(), "rows bigint, predicted bigint").groupBy().sum()   # or a DataFrame
    manifest = writer.finish(predicted_rows)                     # counts what is there
    backend.activate(manifest.pipeline, manifest.publication)

A task that is tried again, or twice at the same time, writes the same values under the same keys: nothing is there
twice. Loaders are pickled to the tasks; they hold an URL and a name, no connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from featuremill.lookup.history.rendering import rendered
from featuremill.lookup.publication.key_columns import column_keys
from featuremill.lookup.records import SEPARATOR
from featuremill.lookup.store import in_batches
from featuremill.lookup.store.manifest import StoredColumn, StoreManifest

SCORED = "scored"
"""The column that tells an entity with a prediction from one without: boolean."""
_BATCH = 1_000

Items = Sequence[tuple[bytes, bytes]]


class Sink(Protocol):
    """A building publication, as a task sees it. Putting a key again replaces its value."""

    def put_again(self, items: Items) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Loader:
    """Writes (key, value) pairs; for `foreachPartition`. `connect` opens the publication being built."""

    connect: Callable[[], Sink]

    def __call__(self, pairs: Iterable[tuple[bytes | bytearray, bytes | bytearray]]) -> None:
        sink = self.connect()
        try:
            for batch in in_batches(((bytes(key), bytes(value)) for key, value in pairs), _BATCH):
                sink.put_again(batch)
        finally:
            sink.close()


@dataclass(frozen=True)
class ArrowLoader:
    """Writes rows of snapshot joined to predictions; for `mapInArrow`. Gives one row: `rows`, `predicted` (bigint).

    The rows have the entity key, the features and predictions of the manifest under their names (a prediction column
    whose name is a feature's too is called `prediction_<name>`), and `scored` if there are predictions.
    """

    connect: Callable[[], Sink]
    manifest: StoreManifest

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        sink = self.connect()
        rows = predicted = 0
        try:
            for batch in batches:
                items, scored = self.items(pa.Table.from_batches([batch]))
                for part in in_batches(items, _BATCH):
                    sink.put_again(part)
                rows, predicted = rows + len(items), predicted + scored
        finally:
            sink.close()
        yield pa.RecordBatch.from_pydict(
            {"rows": pa.array([rows], pa.int64()), "predicted": pa.array([predicted], pa.int64())}
        )

    def items(self, table: pa.Table) -> tuple[list[tuple[bytes, bytes]], int]:
        """Keys and values of the rows, as publishing makes them, and how many have a prediction."""
        manifest = self.manifest
        key = StoredColumn(name=manifest.key, type=manifest.key_type)
        features = self._texts(table, [key, *manifest.features], [c.name for c in (key, *manifest.features)])
        keys = column_keys(table.column(manifest.key).combine_chunks(), manifest.key_type)
        if not manifest.prediction:
            return list(zip(keys, features, strict=True)), 0
        scores = self._texts(
            table, manifest.prediction, [prediction_column(manifest, c.name) for c in manifest.prediction]
        )
        is_scored = table.column(SCORED).to_pylist()
        values = [
            text + SEPARATOR + score if there else text
            for text, score, there in zip(features, scores, is_scored, strict=True)
        ]
        return list(zip(keys, values, strict=True)), is_scored.count(True)

    @staticmethod
    def _texts(table: pa.Table, columns: Sequence[StoredColumn], names: Sequence[str]) -> list[bytes]:
        return rendered(table, names, {name: column.type for name, column in zip(names, columns, strict=True)})


def prediction_column(manifest: StoreManifest, name: str) -> str:
    """What a prediction column is called in the rows of `ArrowLoader`."""
    taken = {manifest.key, SCORED, *(column.name for column in manifest.features)}
    return f"prediction_{name}" if name in taken else name
