"""Partitions to compare, and a drift partition's rows."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.monitoring.measuring import Measured, measure
from featuremill.monitoring.reading import StoredTable
from featuremill.monitoring.summary import DriftSummary
from featuremill.warehouse.storage import Warehouse
from tests.warehouse.partitions import fingerprint

_numbers = itertools.count()


def stored(warehouse: Warehouse, *parts: pa.Table, name: str = "snapshot", ds: str = "2024-03-01") -> StoredTable:
    """A partition of these tables, a file each, in row groups of 1,000."""
    stage = warehouse.stage("risk", name, ds, fingerprint(f"{next(_numbers)}"))
    for number, part in enumerate(parts):
        pq.write_table(part, Path(stage.directory) / f"data_{number}.parquet", row_group_size=1_000)
    return StoredTable(warehouse, warehouse.commit(stage, warehouse.describe(stage, engine="test")).manifest)


def compared(folder: Path, before: pa.Array | list[Any], after: pa.Array | list[Any]) -> Measured:
    """What is measured of one column with these values."""
    warehouse = Warehouse(folder)
    old, new = (stored(warehouse, pa.table({"x": values})) for values in (before, after))
    (found,) = measure(["x"], new, old)
    return found


def keep_drift(
    warehouse: Warehouse,
    ds: str,
    summary: DriftSummary,
    inputs: dict[str, str] | None = None,
    pipeline: str = "risk",
) -> None:
    """A drift partition with this summary, and a row that nobody reads."""
    stage = warehouse.stage(pipeline, "drift", ds, fingerprint(f"{next(_numbers)}"))
    pq.write_table(pa.table({"feature": ["x"]}), Path(stage.directory) / "data.parquet")
    details = summary.model_dump(mode="json")
    warehouse.commit(stage, warehouse.describe(stage, engine="monitor", inputs=inputs, details=details))
