"""A small pipeline and a partition of its training table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.spec.models import Pipeline
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse

PIPELINE = Pipeline.model_validate(
    {
        "pipeline": "small",
        "entity": {"key": "id", "type": "bigint"},
        "sources": {
            "events": {
                "connector": {"kind": "csv", "path": "{landing}/events/ds={ds}/*.csv"},
                "key": "event_id",
                "time": "at",
                "columns": {"event_id": "bigint", "id": "bigint", "at": "timestamp", "x": "double", "y": "int"},
            }
        },
        "features": [{"from": "events", "select": {"x": "x", "kind": "x"}}],
        "label": {"from": "events", "column": "y", "task": "binary"},
    }
)
DS = "2024-01-01"
START = datetime(2023, 1, 1, tzinfo=UTC)


def rows(number: int, first: int = 0) -> pa.Table:
    """id, event_id, as_of, x, kind, y: row i has x = i / 10."""
    ids = range(first, first + number)
    return pa.table(
        {
            "id": pa.array([i // 3 for i in ids], pa.int64()),
            "event_id": pa.array(ids, pa.int64()),
            "as_of": pa.array([START + timedelta(hours=i) for i in ids], pa.timestamp("us", "UTC")),
            "x": pa.array([i / 10 for i in ids], pa.float64()),
            "kind": pa.array([None if i % 7 == 0 else f"k{i % 3}" for i in ids], pa.string()),
            "y": pa.array([i % 2 for i in ids], pa.int32()),
        }
    )


def partition(warehouse: Warehouse, parts: Sequence[int], version: str = "0" * 32) -> Manifest:
    """A committed training partition with parts of these numbers of rows."""
    stage = warehouse.stage("small", "training", DS, version)
    first = 0
    for number, size in enumerate(parts):
        pq.write_table(rows(size, first), Path(stage.directory) / f"part_{number}.parquet", row_group_size=100)
        first += size
    manifest = warehouse.describe(stage, engine="duckdb", comments={"x": "a number"})
    return warehouse.commit(stage, manifest).manifest
