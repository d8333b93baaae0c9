"""Warehouses and online stores of given rows, for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from featuremill.lookup.publication import Published, publish
from featuremill.spec.models import Pipeline
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse

AS_OF = datetime(2024, 2, 1, tzinfo=UTC)
DAY = "2024-01-31"
MODEL = "credit_risk-2024-01-31-0a1b2c3d"


def pipeline_of(name: str = "credit_risk", key: str = "id", kind: str = "bigint") -> Pipeline:
    """A pipeline of one source with this entity."""
    columns = {"loan_id": "bigint", "granted": "date", "amount": "double"} | {key: kind}
    source = {
        "connector": {"kind": "csv", "path": "{landing}/loans/ds={ds}/*.csv"},
        "key": "loan_id",
        "time": "granted",
        "columns": columns,
    }
    features = [{"from": "loans", "aggregate": {"loans": {"count": "*"}}}]
    return Pipeline.model_validate(
        {"pipeline": name, "entity": {"key": key, "type": kind}, "sources": {"loans": source}, "features": features}
    )


def with_as_of(table: pa.Table, as_of: datetime = AS_OF) -> pa.Table:
    """The table with `as_of` after its first column, the key."""
    moments = pa.array([as_of] * table.num_rows, pa.timestamp("us", tz="UTC"))
    return table.add_column(1, "as_of", moments)


def predictions_of(
    keys: pa.ChunkedArray | pa.Array, key: str, probability: list[float], version: str = MODEL
) -> pa.Table:
    """Binary predictions of these keys."""
    scores = pa.array(probability, pa.float64())
    return pa.table(
        {
            key: keys,
            "predicted_label": pc.cast(pc.greater(scores, 0.5), pa.int32()),
            "probability": scores,
            "lower": pc.multiply(scores, 0.5),
            "upper": pc.add(pc.multiply(scores, 0.5), 0.5),
            "model_version": pa.array([version] * len(scores), pa.string()),
        }
    )


def commit(
    warehouse: Warehouse,
    pipeline: str,
    table: str,
    tables: list[pa.Table],
    *,
    ds: str = DAY,
    fingerprint: str = "f" * 16,
    row_group: int = 1_000,
) -> Manifest:
    """Make a partition of these tables, a file each."""
    stage = warehouse.stage(pipeline, table, ds, fingerprint)
    for number, part in enumerate(tables):
        pq.write_table(part, Path(stage.directory) / f"data_{number}.parquet", row_group_size=row_group)
    return warehouse.commit(stage, warehouse.describe(stage, engine="test")).manifest


def simple_rows(count: int, marker: int = 0, first: int = 1) -> tuple[pa.Table, pa.Table]:
    """A snapshot and predictions in which every value tells the marker, to see what is mixed with what."""
    keys = pa.array(range(first, first + count), pa.int64())
    marked = pa.array([marker] * count, pa.int64())
    snapshot = with_as_of(pa.table({"id": keys, "loans": marked, "amount": pc.add(pc.cast(keys, pa.float64()), 0.5)}))
    scores = predictions_of(keys, "id", [marker / 1000] * count)
    return snapshot, with_as_of(scores)


def publish_simple(
    folder: Path, root: Any, count: int = 100, marker: int = 0, ds: str = DAY, name: str = "credit_risk"
) -> Published:
    """Publish `simple_rows` of a day; `folder` is for the warehouse."""
    warehouse = Warehouse(folder / "warehouse")
    snapshot, scores = simple_rows(count, marker)
    fingerprint = f"{marker:016d}"
    first = commit(warehouse, name, "snapshot", [snapshot], ds=ds, fingerprint=fingerprint)
    second = commit(warehouse, name, "predictions", [scores], ds=ds, fingerprint=fingerprint)
    return publish(warehouse, pipeline_of(name), first, second, root)
