"""The published days of a pipeline: which partitions they are, by the Hive metastore, and the values that they hold."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from featuremill.errors import DataError, ServiceError
from featuremill.lookup.history.partition_files import PartitionFiles
from featuremill.lookup.history.rendering import rendered
from featuremill.lookup.keys import KeyCodec
from featuremill.lookup.project import ServedProject
from featuremill.lookup.records import SEPARATOR, RecordFormat
from featuremill.lookup.store.manifest import StoredColumn, StoreManifest
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.tables import PREDICTIONS, SNAPSHOT

T = TypeVar("T")

_AS_OF, _MODEL_VERSION = "as_of", "model_version"
_NOTED_SECONDS = 2.0
_OPEN_DAYS = 40
_TRIES, _BETWEEN_SECONDS = 3, 0.1


@dataclass(frozen=True)
class Day:
    """A published day, open for reading. `format` makes the same answers of its values as the service did then."""

    snapshot: PartitionFiles
    predictions: PartitionFiles | None
    format: RecordFormat

    @property
    def manifest(self) -> StoreManifest:
        return self.format.manifest

    def values(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """What the online store held under these keys when the day was served."""
        features = self._texts(self.snapshot, [self.manifest.key, *(c.name for c in self.manifest.features)], keys)
        scores: dict[bytes, bytes] = {}
        if self.predictions is not None and features and self.manifest.prediction:
            scores = self._texts(self.predictions, [c.name for c in self.manifest.prediction], list(features))
        values = {key: text + SEPARATOR + scores[key] if key in scores else text for key, text in features.items()}
        return [values.get(key) for key in keys]

    @staticmethod
    def _texts(files: PartitionFiles, columns: list[str], keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found, rows = files.rows(keys, columns)
        return dict(zip(found, rendered(rows, columns, files.kinds), strict=True))


class Past:
    """Opens days and keeps the last ones open. All methods wait for disks or the network; used from several threads.

    They raise ServiceError where the metastore does not answer (what it said before is used for as long as that
    lasts), and DataError where it shows a partition that is gone or broken.
    """

    def __init__(self, project: ServedProject) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._noted: dict[Hashable, tuple[float, Any]] = {}
        self._open: collections.OrderedDict[Hashable, Day] = collections.OrderedDict()

    def days(self, pipeline: str) -> list[str]:
        """The days whose snapshot Hive shows, oldest first."""
        return self._asked((pipeline,), lambda: self._project.catalog().days(pipeline, SNAPSHOT))

    def day(self, pipeline: str, ds: str, key: str, codec: KeyCodec) -> Day | None:
        """A published day; None if Hive shows no snapshot of it. `key` is the entity column."""
        snapshot, predictions = self._both_shown(pipeline, ds)
        if snapshot is None:
            return None
        identity = (pipeline, ds, snapshot.fingerprint, predictions.fingerprint if predictions else None, codec.kind)
        with self._lock:
            found = self._open.get(identity)
            if found is not None:
                self._open.move_to_end(identity)
                return found
        opened = self._opened(snapshot, predictions, key, codec)
        with self._lock:
            self._open[identity] = opened
            while len(self._open) > _OPEN_DAYS:
                self._open.popitem(last=False)  # its files close once nobody reads them any more
        return opened

    def warm(self) -> None:
        """Get ready to be asked. Raises what reading the environment raises."""
        self._project.catalog()
        _ = self._project.warehouse

    def forget(self) -> None:
        """Close all days: one of them turned out to be gone."""
        with self._lock:
            self._open.clear()
            self._noted.clear()

    def _both_shown(self, pipeline: str, ds: str) -> tuple[Manifest | None, Manifest | None]:
        """Snapshot and predictions of a day. While a day is published anew, they move one after the other."""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_BETWEEN_SECONDS)
            snapshot = self._shown(pipeline, SNAPSHOT, ds, fresh=attempt > 0)
            predictions = self._shown(pipeline, PREDICTIONS, ds, fresh=attempt > 0) if snapshot is not None else None
            scored = predictions.inputs.get(f"{SNAPSHOT}@{ds}") if predictions is not None else None
            if snapshot is None or scored is None or scored == snapshot.fingerprint:
                break
        return snapshot, predictions

    def _shown(self, pipeline: str, table: str, ds: str, *, fresh: bool) -> Manifest | None:
        name = (pipeline, table, ds)
        if fresh:
            with self._lock:
                self._noted.pop(name, None)
        return self._asked(name, lambda: self._ask(pipeline, table, ds))

    def _ask(self, pipeline: str, table: str, ds: str) -> Manifest | None:
        shown = self._project.catalog().partition(pipeline, table, ds)
        if shown is None:
            return None
        fingerprint = shown.location.rstrip("/").rpartition("/")[2]
        manifest = self._project.warehouse.find(pipeline, table, ds, fingerprint)
        if manifest is None:
            raise DataError(f"{pipeline}.{table} ds={ds}: {shown.location} is gone; run {ds} again to make it anew")
        return manifest

    def _asked(self, name: Hashable, ask: Callable[[], T]) -> T:
        """What was asked a moment ago, else asked anew; what was said last where nobody answers."""
        now = time.monotonic()
        with self._lock:
            noted = self._noted.get(name)
        if noted is not None and now - noted[0] < _NOTED_SECONDS:
            answer: T = noted[1]
            return answer
        try:
            answer = ask()
        except ServiceError:
            if noted is None:
                raise
            answer = noted[1]
        with self._lock:
            if len(self._noted) > 10_000:
                self._noted.clear()
            self._noted[name] = (now, answer)
        return answer

    def _opened(self, snapshot: Manifest, predictions: Manifest | None, key: str, codec: KeyCodec) -> Day:
        warehouse = self._project.warehouse
        files = PartitionFiles(warehouse, snapshot, key, codec)
        scores = PartitionFiles(warehouse, predictions, key, codec) if predictions is not None else None
        as_of = files.first(_AS_OF) or (scores.first(_AS_OF) if scores is not None else None)
        manifest = StoreManifest(
            pipeline=snapshot.pipeline,
            ds=snapshot.ds,
            as_of=_utc(as_of) if as_of is not None else _end_of(snapshot.ds),
            key=key,
            key_type=codec.kind,
            snapshot=snapshot.fingerprint,
            predictions=predictions.fingerprint if predictions is not None else None,
            model_version=scores.first(_MODEL_VERSION) if scores is not None else None,
            features=_stored(files.manifest, (key, _AS_OF)),
            prediction=_stored(scores.manifest, (key, _AS_OF, _MODEL_VERSION)) if scores is not None else (),
            rows=snapshot.rows,
            predicted_rows=predictions.rows if predictions is not None else 0,
            published_at=snapshot.committed_at,
        )
        return Day(files, scores, RecordFormat(manifest))


def _stored(manifest: Manifest, apart: tuple[str, ...]) -> tuple[StoredColumn, ...]:
    return tuple(
        StoredColumn(name=c.name, type=c.type, description=c.comment) for c in manifest.columns if c.name not in apart
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _end_of(ds: str) -> datetime:
    day = date.fromisoformat(ds)
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
