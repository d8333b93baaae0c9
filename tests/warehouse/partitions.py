"""Small partitions for the tests of this room."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.warehouse.hive import HiveCatalog, Publication
from featuremill.warehouse.hive_objects import TableDefinition
from featuremill.warehouse.storage import Committed, Stage, Warehouse


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def loans(rows: int = 3, value: int = 1) -> pa.Table:
    """id bigint, value int, narrowing-diagnosis double, at timestamp."""
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "value": pa.array([value] * rows, pa.int32()),
            "narrowing-diagnosis": pa.array([0.5] * rows, pa.float64()),
            "at": pa.array([datetime(2024, 3, 1, 23, 30, tzinfo=UTC)] * rows, pa.timestamp("us", "UTC")),
        }
    )


def write_part(stage: Stage, table: pa.Table, name: str = "data_0.parquet") -> None:
    pq.write_table(table, Path(stage.directory) / name)


def commit(
    warehouse: Warehouse,
    table: pa.Table,
    *,
    pipeline: str = "risk",
    name: str = "loans",
    ds: str = "2024-03-01",
    version: str = "1",
    inputs: Mapping[str, str] | None = None,
    comments: Mapping[str, str | None] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Committed:
    stage = warehouse.stage(pipeline, name, ds, fingerprint(version))
    write_part(stage, table)
    manifest = warehouse.describe(stage, engine="duckdb", inputs=inputs, comments=comments, details=details)
    return warehouse.commit(stage, manifest)


def publish(catalog: HiveCatalog, warehouse: Warehouse, committed: Committed) -> Publication:
    manifest = committed.manifest
    location = warehouse.table_location(manifest.pipeline, manifest.table)
    definition = TableDefinition(manifest.pipeline, manifest.table, location)
    return catalog.publish(definition, manifest, committed.location)
