"""The jobs as commands: on Spark in their own process, behind Spark Connect and on a standalone cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from featuremill.spec.models import Pipeline
from featuremill.steps.jobs import IngestReport, PartitionInput, SourceInput, TableJob, TableReport
from spark_jobs.features import build
from spark_jobs.ingest import ingest
from tests.conftest import REPOSITORY
from tests.reference_csv import ReferenceFile
from tests.spark.landed import job_of
from tests.spark.servers import connect_server, standalone_cluster

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIELDS = ("id", "customer", "amount", "day")
DATA = b"id,customer,amount,day\n" + b"".join(b"%d,%d,%d,2024-01-0%d\n" % (n, n % 5, n, n % 9 + 1) for n in range(50))
FILES = (ReferenceFile("a.csv", DATA + b"oops\n", FIELDS), ReferenceFile("b.csv", DATA, FIELDS))


def shop(total: str = "amount") -> Pipeline:
    return Pipeline.model_validate(
        {
            "pipeline": "shop",
            "entity": {"key": "customer", "type": "bigint"},
            "sources": {
                "orders": {
                    "connector": {"kind": "csv", "path": "{ds}"},
                    "key": "id",
                    "time": "day",
                    "columns": {"id": "bigint", "customer": "bigint", "amount": "bigint", "day": "date"},
                }
            },
            "features": [{"from": "orders", "aggregate": {"total": {"sum": total}}, "select": {"twice": "amount * 2"}}],
        }
    )


def run(script: str, job: Path, report: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "spark_jobs" / script), "--job", str(job), "--report", str(report)]
    return subprocess.run([*command, *options], capture_output=True, text=True, cwd=job.parent)


def table_job(folder: Path, typed_dir: str, rows: int, total: str = "amount") -> TableJob:
    folder.mkdir()
    partition = PartitionInput(ds="2024-01-31", location=typed_dir, rows=rows)
    inputs = {"orders": SourceInput(partitions=(partition,))}
    return TableJob(pipeline=shop(total), table="training", ds="2024-01-31", inputs=inputs, target_dir=str(folder))


def written(*folders: str | Path) -> list[bytes]:
    """The data of all files, without footers: those list encodings in an order of each Java process's own."""
    files = [path.read_bytes() for folder in folders for path in sorted(Path(folder).iterdir())]
    return [data[: -8 - int.from_bytes(data[-8:-4], "little")] for data in files]


def runs_as_here(spark: SparkSession, folder: Path, *options: str) -> None:
    """Both jobs, run as commands with these options, write the data that this process's Spark writes."""
    source = shop().sources["orders"]
    here, there = (job_of(folder / name, source, ("id",), FILES) for name in ("here", "there"))
    tables = {name: table_job(folder / f"{name}-table", here.typed_dir, 50) for name in ("here", "there")}
    wanted = (ingest(spark, here), build(spark, tables["here"]))
    done = []
    for script, job, report_type in (
        ("ingest_job.py", there, IngestReport),
        ("table_job.py", tables["there"], TableReport),
    ):
        (folder / "job.json").write_text(job.model_dump_json(by_alias=True))
        process = run(script, folder / "job.json", folder / "report.json", *options)
        assert process.returncode == 0, process.stderr
        done.append(report_type.model_validate_json((folder / "report.json").read_bytes()))
    assert tuple(done) == wanted
    assert written(there.typed_dir, there.quarantine_dir) == written(here.typed_dir, here.quarantine_dir)
    assert written(tables["there"].target_dir) == written(tables["here"].target_dir)


@pytest.mark.slow
def test_in_their_own_process(spark: SparkSession, tmp_path: Path) -> None:
    runs_as_here(spark, tmp_path, "--master", "local[1]", "--driver-memory", "1g")
    assert not [path for path in tmp_path.iterdir() if path.name in ("metastore_db", "spark-warehouse", "derby.log")]


@pytest.mark.slow
def test_behind_spark_connect(spark: SparkSession, tmp_path: Path) -> None:
    with connect_server(tmp_path) as address:
        runs_as_here(spark, tmp_path, "--remote", address)
        overflowing = table_job(
            tmp_path / "overflow", str(tmp_path / "here" / "typed"), 50, "amount * 9223372036854775807"
        )
        (tmp_path / "job.json").write_text(overflowing.model_dump_json(by_alias=True))
        process = run("table_job.py", tmp_path / "job.json", tmp_path / "report.json", "--remote", address)
    assert process.returncode == 1
    assert process.stderr.startswith("error: shop.training ds=2024-01-31: feature total: ")
    assert "overflow" in process.stderr and len(process.stderr.splitlines()) == 1


@pytest.mark.slow
def test_on_a_standalone_cluster(spark: SparkSession, tmp_path: Path) -> None:
    with standalone_cluster(tmp_path) as master:
        runs_as_here(
            spark, tmp_path, "--master", master, "--driver-memory", "1g", "--conf", "spark.executor.memory=512m"
        )


@pytest.mark.parametrize(
    ("job", "options", "message"),
    [
        ({"pipeline": "shop"}, [], "is no IngestJob: source_name: Field required"),
        (None, [], "job.json: No such file or directory"),
        ({}, ["--conf", "nothing"], "--conf nothing: write KEY=VALUE"),
        ({}, ["--remote", "localhost:15002"], "write a Spark Connect address, like sc://localhost:15002"),
    ],
)
def test_a_wrong_command_says_so(tmp_path: Path, job: dict[str, Any] | None, options: list[str], message: str) -> None:
    if job is not None:
        (tmp_path / "job.json").write_text(json.dumps(job))
    process = run("ingest_job.py", tmp_path / "job.json", tmp_path / "report.json", *options)
    assert process.returncode == 2
    assert message in process.stderr
    assert "Traceback" not in process.stderr


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    job = job_of(tmp_path / "landing", shop().sources["orders"], ("id",), FILES)
    (tmp_path / "job.json").write_text(job.model_dump_json(by_alias=True))
    process = run("ingest_job.py", tmp_path / "job.json", tmp_path / "report.json", "--remote", "sc://127.0.0.1:1")
    assert process.returncode == 1
    assert "no Spark Connect server answers at sc://127.0.0.1:1" in process.stderr
