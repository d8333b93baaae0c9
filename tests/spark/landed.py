"""Ingests files with Spark and reads back what it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from featuremill.spec.models import Source
from featuremill.steps.jobs import IngestJob, IngestReport, RawFile
from spark_jobs.ingest import ingest
from tests.reference_csv import ReferenceFile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Landed:
    report: IngestReport
    typed: list[Row]
    quarantine: list[Row]


def source_of(columns: dict[str, Any], key: str | None = None, **connector: Any) -> Source:
    return Source.model_validate(
        {"connector": {"kind": "csv", "path": "{ds}", **connector}, "key": key, "columns": columns}
    )


def job_of(folder: Path, source: Source, required: tuple[str, ...], files: tuple[ReferenceFile, ...]) -> IngestJob:
    """Lay the files down and make the job's empty folders."""
    for name in ("raw", "typed", "quarantine"):
        (folder / name).mkdir(parents=True)
    raw = []
    for file in files:
        path = folder / "raw" / file.name
        path.write_bytes(file.data)
        size = len(file.data)
        given = {"uri": str(path), "name": file.name, "size": size, "content_hash": "0", "header": file.header}
        raw.append(RawFile(fields=file.fields, **given))
    return IngestJob(
        pipeline="shop",
        source_name="orders",
        source=source,
        ds="2024-01-31",
        required=required,
        files=tuple(raw),
        typed_dir=str(folder / "typed"),
        quarantine_dir=str(folder / "quarantine"),
    )


def land(spark: SparkSession, folder: Path, source: Source, required: tuple[str, ...], *files: ReferenceFile) -> Landed:
    job = job_of(folder, source, required, files)
    report = ingest(spark, job)
    return Landed(report, rows_in(folder / "typed"), rows_in(folder / "quarantine"))


def rows_in(folder: Path) -> list[Row]:
    """The rows of all part files, in the order of their names; there is nothing else in the folder."""
    paths = sorted(folder.iterdir())
    assert paths and all(path.name.startswith("part-") and path.suffix == ".parquet" for path in paths), paths
    rows: list[Row] = []
    for path in paths:
        rows += zip(*(column.to_pylist() for column in pq.read_table(path).columns), strict=True)
    return rows


def sorted_rows(rows: list[Row]) -> list[Row]:
    """Rows in an order that nulls and mixed types have."""
    return sorted(rows, key=lambda row: [(value is not None, repr(value)) for value in row])
