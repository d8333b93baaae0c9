"""Event times in whole numbers: one that no timestamp can hold is quarantined, on both engines alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from featuremill.local_engine.ingest import ingest as ingest_with_duckdb
from featuremill.local_engine.session import LocalSettings
from featuremill.spec.models import Source
from featuremill.steps.jobs import IngestJob, IngestReport, RawFile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Ingest = Callable[[IngestJob], IngestReport]

EDGES = {
    "s": (-62_135_596_800, 253_402_300_799),
    "ms": (-62_135_596_800_000, 253_402_300_799_999),
    "us": (-62_135_596_800_000_000, 253_402_300_799_999_999),
}


@pytest.fixture(params=["duckdb", "spark"])
def ingest(request: pytest.FixtureRequest, tmp_path: Path) -> Ingest:
    if request.param == "duckdb":
        return lambda job: ingest_with_duckdb(job, LocalSettings(scratch=tmp_path / "scratch"))
    from spark_jobs.ingest import ingest as ingest_with_spark

    spark: SparkSession = request.getfixturevalue("spark")
    return lambda job: ingest_with_spark(spark, job)


@pytest.mark.parametrize("unit", EDGES)
def test_years_1_to_9999(ingest: Ingest, unit: str, tmp_path: Path) -> None:
    first, last = EDGES[unit]
    file = tmp_path / "events.csv"
    file.write_text(
        "k,t\n" + "".join(f"{n},{t}\n" for n, t in enumerate([first, last, 0, first - 1, last + 1, 2**63 - 1]))
    )
    source = Source.model_validate(
        {
            "connector": {"kind": "csv", "path": "{landing}/{ds}/*.csv"},
            "key": "k",
            "time": {"column": "t", "unit": unit},
            "columns": {"k": "int", "t": "bigint"},
        }
    )
    for name in ("typed", "quarantine"):
        (tmp_path / name).mkdir()
    raw = RawFile(uri=str(file), name=file.name, size=0, content_hash="", fields=("k", "t"), header=True)
    report = ingest(
        IngestJob(
            pipeline="p",
            source_name="events",
            source=source,
            ds="2020-01-01",
            required=("k", "t"),
            files=(raw,),
            typed_dir=str(tmp_path / "typed"),
            quarantine_dir=str(tmp_path / "quarantine"),
        )
    )
    assert (report.rows_in, report.rows_typed, report.reasons) == (6, 3, {"invalid": 3})
    rejected = pq.read_table(tmp_path / "quarantine").sort_by("line_number").to_pylist()
    assert [row["line_number"] for row in rejected] == [5, 6, 7]
    assert rejected[0]["reason"] == f"t: '{first - 1}' is not a time in {unit} of the years 1 to 9999"
