"""Publishing: a snapshot and its predictions become what lookups answer with.

    published = publish(warehouse, pipeline, snapshot_manifest, predictions_manifest, root)
    rollback("credit_risk", root)
    store = open_store(root, "credit_risk")

`root` is a folder (an LMDB file a publication) or the URL of another online store; see `featuremill.lookup.store`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from featuremill.errors import DataError, UsageError
from featuremill.lookup.publication.reading import Partition, Rows, session
from featuremill.lookup.store import Backend, OnlineStore, open_backend
from featuremill.lookup.store.manifest import StoredColumn, StoreManifest
from featuremill.spec.models import Pipeline
from featuremill.warehouse.comments import MODEL_TABLE_COMMENTS, table_comments
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import PREDICTIONS, SNAPSHOT

__all__ = ["Published", "open_store", "publish", "publish_newest", "rollback"]


@dataclass(frozen=True)
class Published:
    """What is served now. `changed` is False if it was served before; `seconds` is what building took.

    `remark` says in a sentence why nothing changed, or is empty.
    """

    manifest: StoreManifest
    changed: bool
    seconds: float = 0.0
    remark: str = ""


def publish(
    warehouse: Warehouse,
    pipeline: Pipeline,
    snapshot: Manifest,
    predictions: Manifest | None,
    root: str | Path | Backend,
    *,
    scratch: Path | None = None,
    force: bool = False,
) -> Published:
    """Build the online store of a snapshot and its predictions, and serve it.

    Does nothing if that is served already, or if somebody rolled back from it (`force` serves it again). What was
    served before stays until the new one is whole, whatever happens. `scratch`: a folder for spilled data.
    Raises DataError where a partition is broken or the disk is full, ServiceError where a store does not answer.
    """
    backend = root if not isinstance(root, (str, Path)) else open_backend(root)
    _check(pipeline, snapshot, predictions)
    with session(scratch) as connection:
        scores = Partition(warehouse, predictions) if predictions is not None else None
        key, kind = pipeline.entity.key, pipeline.entity.type
        rows = Rows(connection, key, kind, Partition(warehouse, snapshot), scores)
        manifest = _manifest(pipeline, snapshot, predictions, rows)
        pointer = backend.pointer(manifest.pipeline)
        there = backend.find(manifest.pipeline, manifest.publication)
        if there is not None and pointer is not None:
            if pointer.current == manifest.publication:
                return Published(there, changed=False)
            if pointer.withdrawn == manifest.publication and not force:
                return Published(there, False, remark="it was rolled back; publish with force to serve it again")
        began = time.monotonic()
        if there is None:
            there = _build(backend, manifest, rows, snapshot.rows)
        backend.activate(manifest.pipeline, manifest.publication)
        return Published(there, changed=True, seconds=time.monotonic() - began)


def publish_newest(
    catalog: HiveCatalog,
    warehouse: Warehouse,
    pipeline: Pipeline,
    root: str | Path | Backend,
    *,
    scratch: Path | None = None,
    force: bool = False,
) -> Published | None:
    """Publish the newest snapshot that Hive shows, with the predictions of the same day if Hive shows any.

    None if Hive shows no snapshot yet.
    """
    name = pipeline.pipeline
    days = catalog.days(name, SNAPSHOT)
    if not days:
        return None
    backend = root if not isinstance(root, (str, Path)) else open_backend(root)
    pointer = backend.pointer(name)
    served = backend.find(name, pointer.current) if pointer is not None else None
    if served is not None and served.ds == days[-1] and not force:
        shown = [catalog.partition(name, table, days[-1]) for table in (SNAPSHOT, PREDICTIONS)]
        if [partition.fingerprint if partition else None for partition in shown] == [
            served.snapshot,
            served.predictions,
        ]:
            # Nothing to build, so nothing is asked of the partitions: lookups go on even if their files are gone.
            return Published(served, changed=False)
    snapshot = shown_manifest(catalog, warehouse, name, SNAPSHOT, days[-1])
    predictions = shown_manifest(catalog, warehouse, name, PREDICTIONS, days[-1])
    if snapshot is None:
        raise DataError(f"{name}.{SNAPSHOT} ds={days[-1]} was taken out of Hive while it was published; publish again")
    return publish(warehouse, pipeline, snapshot, predictions, backend, scratch=scratch, force=force)


def shown_manifest(catalog: HiveCatalog, warehouse: Warehouse, pipeline: str, table: str, day: str) -> Manifest | None:
    """The manifest of the partition that Hive shows of a day; None if it shows none. Raises DataError if it is gone."""
    found = catalog.partition(pipeline, table, day) if day in catalog.days(pipeline, table) else None
    if found is None:
        return None
    manifest = warehouse.find(pipeline, table, day, found.fingerprint) if found.fingerprint else None
    if manifest is None:
        raise DataError(f"{pipeline}.{table} ds={day}: {found.location} is gone; run again to make it anew")
    return manifest


def rollback(pipeline: str, root: str | Path | Backend) -> StoreManifest:
    """Serve the publication before the current one again. Raises UsageError if there is none."""
    backend = root if not isinstance(root, (str, Path)) else open_backend(root)
    pointer = backend.rollback(pipeline)
    manifest = backend.find(pipeline, pointer.current)
    if manifest is None:
        raise DataError(f"{pipeline}: the publication {pointer.current} in {backend.where} is gone; publish again")
    return manifest


def open_store(root: str | Path, pipeline: str) -> OnlineStore:
    """The publication that is current now. Raises DataError if there is none or it is broken."""
    return open_backend(root).open(pipeline)


def _check(pipeline: Pipeline, snapshot: Manifest, predictions: Manifest | None) -> None:
    name = pipeline.pipeline
    if (snapshot.pipeline, snapshot.table) != (name, SNAPSHOT):
        raise UsageError(f"{snapshot.pipeline}.{snapshot.table} is not the snapshot of {name}")
    if predictions is None:
        return
    if (predictions.pipeline, predictions.table) != (name, PREDICTIONS):
        raise UsageError(f"{predictions.pipeline}.{predictions.table} are not the predictions of {name}")
    if predictions.ds != snapshot.ds:
        raise UsageError(f"{name}: the snapshot of {snapshot.ds} and predictions of {predictions.ds} cannot be mixed")


def _manifest(pipeline: Pipeline, snapshot: Manifest, predictions: Manifest | None, rows: Rows) -> StoreManifest:
    comments = table_comments(pipeline, SNAPSHOT)
    noted = {column.name: column.comment for column in snapshot.columns}
    scored = {column.name: column.comment for column in predictions.columns} if predictions is not None else {}
    return StoreManifest(
        pipeline=pipeline.pipeline,
        ds=snapshot.ds,
        as_of=rows.as_of(),
        key=pipeline.entity.key,
        key_type=pipeline.entity.type,
        snapshot=snapshot.fingerprint,
        predictions=predictions.fingerprint if predictions is not None else None,
        model_version=rows.model_version(),
        features=tuple(
            StoredColumn(name=n, type=kind, description=comments.get(n, noted.get(n)))
            for n, kind in rows.features.items()
        ),
        prediction=tuple(
            StoredColumn(name=n, type=kind, description=scored.get(n) or MODEL_TABLE_COMMENTS[PREDICTIONS].get(n))
            for n, kind in rows.prediction.items()
        ),
        published_at=datetime.now(UTC).replace(microsecond=0),
    )


def _build(backend: Backend, manifest: StoreManifest, rows: Rows, expected: int) -> StoreManifest:
    writer = backend.begin(manifest)
    try:
        put, predicted = 0, 0
        for batch in rows.batches():
            writer.put_many(batch.items)
            put += len(batch.items)
            predicted += batch.predicted
        if put != expected:
            raise DataError(
                f"{manifest.pipeline}.{SNAPSHOT} ds={manifest.ds}: its files hold {put:,} rows with a {manifest.key}, "
                f"its manifest says {expected:,}; run again with the folder deleted to make it anew"
            )
        return writer.finish(predicted)
    except BaseException:
        writer.abandon()
        raise
