"""The records of a pipeline's models as Hive tables: `model_metrics` and `model_events`.

A partition of `model_metrics` has the models of one `ds`; one of `model_events` what happened on one day, UTC. When a
model or an event is added, the partition is written anew and moved to, like any other.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.sagemaker.metric_tables import model_events, model_metrics
from featuremill.sagemaker.records import Registry
from featuremill.spec.models import Pipeline
from featuremill.steps.fingerprints import fingerprint
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import MODEL_EVENTS, MODEL_METRICS, column_comments, table_definition

T = TypeVar("T")

_CODE = 1
_PART = "part-00000.parquet"


def publish_records(catalog: HiveCatalog, warehouse: Warehouse, pipeline: Pipeline) -> int:
    """Bring both tables up to date; returns how many partitions moved."""
    registry = Registry(warehouse, pipeline.pipeline)
    moved = 0
    for table, ds, rows in _partitions(registry):
        moved += _publish(catalog, warehouse, pipeline, table, ds, rows)
    return moved


def _partitions(registry: Registry) -> Iterator[tuple[str, str, pa.Table]]:
    yield from _by_day(MODEL_METRICS, registry.versions(), lambda model: model.ds, model_metrics)
    yield from _by_day(MODEL_EVENTS, registry.events(), lambda event: f"{event.time:%Y-%m-%d}", model_events)


def _by_day(
    table: str, items: Iterable[T], day: Callable[[T], str], rows: Callable[[Iterable[T]], pa.Table]
) -> Iterator[tuple[str, str, pa.Table]]:
    of_day: dict[str, list[T]] = defaultdict(list)
    for item in items:
        of_day[day(item)].append(item)
    for ds, found in sorted(of_day.items()):
        yield table, ds, rows(found)


def _publish(
    catalog: HiveCatalog, warehouse: Warehouse, pipeline: Pipeline, table: str, ds: str, rows: pa.Table
) -> bool:
    name = pipeline.pipeline
    content = BytesIO()
    pq.write_table(rows.replace_schema_metadata(None), content, compression="zstd")
    definition = {"step": table, "code": _CODE}
    digest = fingerprint(definition, {"records": hashlib.sha256(content.getvalue()).hexdigest()})
    manifest = warehouse.find(name, table, ds, digest)
    if manifest is None:
        stage = warehouse.stage(name, table, ds, digest)
        try:
            warehouse.store.write(f"{stage.data}/{_PART}", content.getvalue())
            described = warehouse.describe(
                stage,
                engine="records",
                inputs={},
                definition=definition,
                comments=column_comments(pipeline, table),
                details={},
            )
            manifest = warehouse.commit(stage, described).manifest
        finally:
            warehouse.discard(stage)
    location = warehouse.location(name, table, ds, digest)
    return catalog.publish(table_definition(pipeline, table, warehouse), manifest, location).changed
