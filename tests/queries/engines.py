"""Put typed rows on disk as an ingest leaves them, and have an engine make a table of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.queries.rows import source_types
from featuremill.spec.models import Pipeline, Source
from featuremill.steps.jobs import NumberRange, PartitionInput, SourceInput, TableJob, TableReport
from tests.queries.reference import Row
from tests.queries.strategies import Case

if TYPE_CHECKING:
    from collections.abc import Callable

_ARROW = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def write_typed(source: Source, landings: dict[str, list[Row]], root: Path) -> SourceInput:
    """The typed partitions of a source, below `root`."""
    partitions = []
    for ds, rows in sorted(landings.items()):
        folder = root / f"ds={ds}" / "f00d"
        folder.mkdir(parents=True)
        columns = {
            name: pa.array([_zoned(row[name]) for row in rows], type=_ARROW[kind])
            for name, kind in source_types(source).items()
        }
        pq.write_table(pa.table(columns), folder / "part-00000.parquet")
        partitions.append(PartitionInput(ds=ds, location=str(folder), rows=len(rows)))
    return SourceInput(partitions=tuple(partitions))


def _zoned(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def job(pipeline: Pipeline, table: str, ds: str, inputs: dict[str, SourceInput], target: Path) -> TableJob:
    target.mkdir(parents=True)
    return TableJob.model_validate(
        {"pipeline": pipeline, "table": table, "ds": ds, "inputs": inputs, "target_dir": str(target)}
    )


def read_rows(folder: Path) -> list[Row]:
    """All rows of a table; timestamps as naive UTC."""
    return [
        {name: value.replace(tzinfo=None) if isinstance(value, datetime) else value for name, value in row.items()}
        for path in sorted(folder.glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def informed(given: SourceInput, landings: dict[str, list[Row]], key: str) -> SourceInput:
    """The same input with what a manifest knows of it: magnitudes, and whether a key comes twice."""
    rows = [row for landing in landings.values() for row in landing]
    ranges = {}
    for column in ("amount", "n"):
        sizes = [abs(float(row[column])) for row in rows if row.get(column)]
        ranges[column] = NumberRange(smallest=min(sizes), largest=max(sizes)) if sizes else NumberRange()
    keys = [row[key] for row in rows]
    return given.model_copy(update={"ranges": ranges, "one_row_a_key": len(keys) == len(set(keys))})


def table_of(
    case: Case, table: str, folder: Path, build: Callable[[TableJob], TableReport], *, manifests: bool = False
) -> list[Row]:
    """The rows that an engine makes of a case's landings; `manifests`: the engine is told what manifests know."""
    inputs = {}
    for name, source in case.pipeline.sources.items():
        inputs[name] = write_typed(source, case.landings[name], folder / name)
        if manifests:
            inputs[name] = informed(inputs[name], case.landings[name], source.key_column)
    target = folder / table
    build(job(case.pipeline, table, case.ds, inputs, target))
    return read_rows(target)
