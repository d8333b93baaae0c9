"""A partition of the training table becomes the channels of a training job.

    s3://<bucket>/<prefix>/<pipeline>/channels/<ds>-<fingerprint8>-<hosts>/train/part-00000.parquet ...
    s3://.../manifest/manifest.json
    s3://.../_staged.json                     written last: what is there, and that it is whole

The rows stay in the table's order and are cut into equal parts, as many as hosts or a multiple of it, since
ShardedByS3Key hands out whole objects. The same partition gives the same bytes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.errors import DataError
from featuremill.sagemaker import buckets, names
from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.requests.training import Channel
from featuremill.spec.models import Pipeline
from featuremill.warehouse.files import clear_errors
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse
from training_image.artefact import ChannelFeature, ChannelManifest, dump

AS_OF = "as_of"
ROWS_PER_FILE = 1_000_000
ROWS_PER_GROUP = 65_536
"""What a trainer that works out of core reads at a time."""

_BATCH = 65_536
_CODE = 1
_MARKER = "_staged.json"


@dataclass(frozen=True)
class Staged:
    """Where the channels are. `files` and `rows` of the data, `bytes` all together; `reused`: they were there."""

    train_uri: str
    manifest_uri: str
    files: int
    rows: int
    bytes: int
    reused: bool

    def channels(self, sharded: bool) -> tuple[Channel, Channel]:
        """The inputs of a training job. `sharded`: each host gets its part of the rows, else all of them."""
        return (
            Channel("train", self.train_uri, "application/x-parquet", sharded=sharded),
            Channel("manifest", self.manifest_uri, "application/json"),
        )


def channel_manifest(pipeline: Pipeline, partition: Manifest) -> ChannelManifest:
    """What the columns of a training partition are: keys, as_of, features, label.

    Raises DataError if the pipeline has no label, the partition no features, or a column is of a type that models
    cannot take.
    """
    label, spine = pipeline.label, pipeline.spine
    if label is None or spine is None:
        raise DataError(f"{pipeline.pipeline} has no label, so there is nothing to train; give it a `label:` section")
    key = pipeline.sources[spine].key_column
    apart = {key, pipeline.entity.key, AS_OF, label.column}
    features = [column for column in partition.columns if column.name not in apart]
    where = f"{partition.pipeline}.{partition.table} ds={partition.ds}"
    types = {column.name: column.type for column in partition.columns}
    if label.column not in types or not features:
        raise DataError(f"{where} has no column {label.column} or no feature; its columns are {', '.join(types)}")
    try:
        return ChannelManifest.model_validate(
            {
                "pipeline": pipeline.pipeline,
                "ds": partition.ds,
                "fingerprint": partition.fingerprint,
                "label": label.column,
                "label_type": types[label.column],
                "row": key if key in types else None,
                "entity": pipeline.entity.key if pipeline.entity.key in types else None,
                "time": AS_OF if AS_OF in types else None,
                "columns": tuple(types),
                "features": [
                    ChannelFeature.model_validate({"name": f.name, "type": f.type, "description": f.comment})
                    for f in features
                ],
            }
        )
    except ValueError as error:
        known = "boolean, int, bigint, double, string, date, timestamp and array<string>"
        odd = [f"{f.name} {f.type}" for f in partition.columns if f.type not in known.replace(" and", ",").split(", ")]
        raise DataError(
            f"{where}: models take {known}; {', '.join(odd) or error} is not; cast it in the feature's expression"
        ) from error


def stage(
    clients: Clients,
    warehouse: Warehouse,
    partition: Manifest,
    channel: ChannelManifest,
    hosts: int = 1,
    *,
    rows_per_file: int = ROWS_PER_FILE,
) -> Staged:
    """Bring a training partition to the bucket, unless it is there whole already. Streams: memory for one row group.

    Raises DataError if the partition is not there any more, ServiceError if the bucket does not answer.
    """
    files = _number_of_files(partition.rows, hosts, rows_per_file)
    base = _base(clients, partition, channel, files)
    present = _present(clients, base)
    if present is not None:
        return _staged(base, present, reused=True)
    buckets.ensure_bucket(clients)
    buckets.delete_below(clients, base)
    written: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="featuremill-stage-") as folder:
        for number, batches in enumerate(_parts(warehouse, partition, files)):
            name = f"train/part-{number:05d}.parquet"
            file = Path(folder) / "part.parquet"
            _write_parquet(file, batches)
            buckets.upload(clients, file, f"{base}/{name}")
            written[name] = file.stat().st_size
    content = dump(channel)
    buckets.write(clients, f"{base}/manifest/manifest.json", content)
    written["manifest/manifest.json"] = len(content)
    note = {"files": written, "rows": partition.rows, "fingerprint": partition.fingerprint}
    buckets.write(clients, f"{base}/{_MARKER}", buckets.marker(note))
    return _staged(base, note, reused=False)


def _base(clients: Clients, partition: Manifest, channel: ChannelManifest, files: int) -> str:
    what = {
        "partition": partition.fingerprint,
        "channel": channel.model_dump(mode="json"),
        "files": files,
        "code": _CODE,
    }
    folder = f"{partition.ds}-{names.content_hash(what, 16)}"
    return buckets.uri(clients, partition.pipeline, "channels", folder)


def _number_of_files(rows: int, hosts: int, rows_per_file: int) -> int:
    """A multiple of the hosts: each gets as many files, and nearly as many rows, as any other."""
    return hosts * max(1, -(-rows // (rows_per_file * hosts)))


def _present(clients: Clients, base: str) -> dict[str, Any] | None:
    """The marker, if all that it lists is there with its size."""
    content = buckets.read(clients, f"{base}/{_MARKER}")
    if content is None:
        return None
    note: dict[str, Any] = json.loads(content)
    whole = all(buckets.size(clients, f"{base}/{name}") == size for name, size in note["files"].items())
    return note if whole else None


def _staged(base: str, note: dict[str, Any], reused: bool) -> Staged:
    data = [name for name in note["files"] if name.startswith("train/")]
    return Staged(
        train_uri=f"{base}/train/",
        manifest_uri=f"{base}/manifest/",
        files=len(data),
        rows=note["rows"],
        bytes=sum(note["files"].values()),
        reused=reused,
    )


def _parts(warehouse: Warehouse, partition: Manifest, files: int) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows of each file to write: record batches, the first of them empty. A part may have no rows."""
    stream = _Rows(warehouse, partition)
    for number in range(files):
        end = partition.rows * (number + 1) // files
        yield stream.until(end)


class _Rows:
    """The rows of a partition in order, handed out up to one row number after another."""

    def __init__(self, warehouse: Warehouse, partition: Manifest) -> None:
        self._warehouse, self._partition = warehouse, partition
        self._folder = warehouse.folder(partition.pipeline, partition.table, partition.ds, partition.fingerprint)
        self._batches = self._read()
        self._rest: pa.RecordBatch | None = None
        self._row = 0

    def until(self, end: int) -> Iterator[pa.RecordBatch]:
        """Batches up to row `end`; the first may be empty and is there for its schema."""
        yield pa.RecordBatch.from_pylist([], schema=self._schema())
        while self._row < end:
            batch = self._rest if self._rest is not None else next(self._batches)
            taken = min(batch.num_rows, end - self._row)
            self._rest = batch.slice(taken) if taken < batch.num_rows else None
            self._row += taken
            yield batch.slice(0, taken)

    def _schema(self) -> pa.Schema:
        path = f"{self._folder}/{self._partition.files[0].name}"
        with self._opened(path) as parquet:
            return parquet.schema_arrow.remove_metadata()

    def _read(self) -> Iterator[pa.RecordBatch]:
        for file in self._partition.files:
            with self._opened(f"{self._folder}/{file.name}") as parquet:
                for batch in parquet.iter_batches(batch_size=_BATCH):
                    yield batch.replace_schema_metadata(None)

    def _opened(self, path: str) -> pq.ParquetFile:
        store = self._warehouse.store
        with clear_errors("read", store.path(path)):
            return pq.ParquetFile(store.filesystem.open_input_file(store.inside(path)))


def _write_parquet(file: Path, batches: Iterator[pa.RecordBatch]) -> None:
    """Row groups of a fixed number of rows, whatever the batches are."""
    first = next(batches)
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        held: list[pa.RecordBatch] = []
        rows = 0
        for batch in batches:
            held.append(batch)
            rows += batch.num_rows
            if rows >= ROWS_PER_GROUP:
                table = pa.Table.from_batches(held)
                whole = rows // ROWS_PER_GROUP * ROWS_PER_GROUP
                writer.write_table(table.slice(0, whole), row_group_size=ROWS_PER_GROUP)
                held, rows = table.slice(whole).to_batches(), rows - whole
        writer.write_table(pa.Table.from_batches(held, schema=first.schema))
