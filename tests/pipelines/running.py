"""Runs a pipeline file on one CSV file with the local engine, step by step and without a warehouse."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from featuremill.local_engine.engine import LocalEngine
from featuremill.local_engine.session import LocalSettings
from featuremill.spec.models import GENERATED_KEY, Pipeline
from featuremill.steps.jobs import (
    ExpectJob,
    IngestJob,
    IngestReport,
    PartitionInput,
    QualityReport,
    RawFile,
    SourceInput,
    TableJob,
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of each step; rows are dicts of column to value. Static tables have no training rows."""

    ingested: IngestReport
    quality: QualityReport
    snapshot: list[Row]
    training: list[Row]


def run(pipeline: Pipeline, file: Path, ds: str, folder: Path) -> Outcome:
    """Ingest, check, and build both tables of a pipeline with one source, in `folder`."""
    ((name, source),) = pipeline.sources.items()
    time = [source.time.column] if source.time else []
    required = {source.key_column, pipeline.entity.key, *time} - {GENERATED_KEY}
    typed = _folder(folder, "typed", f"ds={ds}", "0")
    engine = LocalEngine(LocalSettings(scratch=folder / "scratch", threads=1))
    ingested = engine.ingest(
        IngestJob(
            pipeline=pipeline.pipeline,
            source_name=name,
            source=source,
            ds=ds,
            required=tuple(sorted(required)),
            files=(raw_file(pipeline, file),),
            typed_dir=str(typed),
            quarantine_dir=str(_folder(folder, "quarantine")),
        )
    )
    quality = engine.expect(
        ExpectJob(
            pipeline=pipeline.pipeline,
            source_name=name,
            ds=ds,
            expectations=source.expect,
            typed_dir=str(typed),
            results_dir=str(_folder(folder, "results")),
        )
    )
    landed = SourceInput(
        partitions=(PartitionInput(ds=ds, location=str(typed), rows=ingested.rows_typed),), ranges=ingested.ranges
    )
    tables: dict[str, list[Row]] = {"training": []}
    for table in ("snapshot", "training") if pipeline.spine else ("snapshot",):
        target = _folder(folder, table)
        engine.build(TableJob(pipeline=pipeline, table=table, ds=ds, inputs={name: landed}, target_dir=str(target)))
        tables[table] = pq.read_table(target, partitioning=None).to_pylist()
    engine.close()
    return Outcome(ingested, quality, tables["snapshot"], tables["training"])


def raw_file(pipeline: Pipeline, file: Path) -> RawFile:
    (source,) = pipeline.sources.values()
    with file.open(newline="", encoding=source.connector.encoding) as stream:
        titles = next(csv.reader(stream, delimiter=source.connector.delimiter))
    names = {column.header or name: name for name, column in source.columns.items()}
    return RawFile(
        uri=str(file),
        name=file.name,
        size=file.stat().st_size,
        content_hash="",
        fields=tuple(names.get(title) for title in titles),
        header=True,
    )


def _folder(*parts: Path | str) -> Path:
    folder = Path(*parts)
    folder.mkdir(parents=True)
    return folder
