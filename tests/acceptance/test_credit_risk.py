"""The credit risk tables at their full size against pandas, which computes two features from their definition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from featuremill.local_engine.engine import LocalEngine
from featuremill.local_engine.session import LocalSettings
from featuremill.samples.credit_risk import generate
from featuremill.spec.columns import feature_columns
from featuremill.spec.loading import load_pipeline
from featuremill.spec.models import Pipeline
from featuremill.steps.fingerprints import required_columns
from featuremill.steps.jobs import Engine, IngestJob, PartitionInput, RawFile, SourceInput, TableJob

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REPOSITORY = Path(__file__).resolve().parents[2]
DS = "2020-12-31"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("credit_risk")


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(REPOSITORY / "configuration" / "pipelines" / "credit_risk.yaml")


@pytest.fixture(scope="module")
def loans_csv(folder: Path) -> Path:
    (file,) = generate(out=folder / "landing").files
    return file


@pytest.fixture(scope="module")
def local(folder: Path) -> Engine:
    return LocalEngine(LocalSettings(scratch=folder / "scratch"))


@pytest.fixture(scope="module")
def landed(folder: Path, pipeline: Pipeline, loans_csv: Path, local: Engine) -> SourceInput:
    """The loans, typed by the local engine."""
    source = pipeline.sources["loans"]
    typed = new_folder(folder, "typed", f"ds={DS}", "0")
    fields = tuple(loans_csv.open().readline().strip().split(","))
    file = RawFile(uri=str(loans_csv), name=loans_csv.name, size=0, content_hash="", fields=fields, header=True)
    report = local.ingest(
        IngestJob(
            pipeline=pipeline.pipeline,
            source_name="loans",
            source=source,
            ds=DS,
            required=required_columns(pipeline, "loans"),
            files=(file,),
            typed_dir=str(typed),
            quarantine_dir=str(new_folder(folder, "quarantine")),
        )
    )
    assert (report.rows_in, report.rows_typed) == (777_715, 777_715)
    partition = PartitionInput(ds=DS, location=str(typed), rows=report.rows_typed)
    return SourceInput(partitions=(partition,), one_row_a_key=True, ranges=report.ranges)


def new_folder(*parts: Path | str) -> Path:
    folder = Path(*parts)
    folder.mkdir(parents=True)
    return folder


def table(engine: Engine, pipeline: Pipeline, name: str, ds: str, landed: SourceInput, target: Path) -> pa.Table:
    engine.build(
        TableJob(pipeline=pipeline, table=name, ds=ds, inputs={"loans": landed}, target_dir=str(new_folder(target)))
    )
    return pq.read_table(target, partitioning=None)


@pytest.fixture(scope="module")
def training(folder: Path, pipeline: Pipeline, landed: SourceInput, local: Engine) -> pa.Table:
    return table(local, pipeline, "training", DS, landed, folder / "training")


@pytest.fixture(scope="module")
def wanted(loans_csv: Path) -> pd.DataFrame:
    """Loan -> number and mean amount of the same customer's loans of earlier days, straight from the CSV."""
    loans = pd.read_csv(loans_csv, usecols=["loan_id", "id", "loan_date", "loan_amount"], parse_dates=["loan_date"])
    days = loans.groupby(["id", "loan_date"])["loan_amount"].agg(["count", "sum"]).sort_index()
    before = days.groupby(level="id").cumsum() - days
    before["nb_previous_loans"] = before["count"]
    before["avg_amount_loans_previous"] = before["sum"] / before["count"].replace(0, np.nan)
    columns = ["nb_previous_loans", "avg_amount_loans_previous"]
    return loans.join(before[columns], on=["id", "loan_date"]).set_index("loan_id")[columns].sort_index()


def assert_as_defined(training: pa.Table, wanted: pd.DataFrame) -> None:
    got = training.select(["loan_id", *wanted.columns]).to_pandas().set_index("loan_id").sort_index()
    assert got.index.equals(wanted.index)
    assert (got["nb_previous_loans"] == wanted["nb_previous_loans"]).all()
    np.testing.assert_allclose(
        got["avg_amount_loans_previous"], wanted["avg_amount_loans_previous"], rtol=1e-9, equal_nan=True
    )


def test_local_engine_equals_pandas_on_every_row(training: pa.Table, wanted: pd.DataFrame) -> None:
    assert_as_defined(training, wanted)
    same_day = wanted["nb_previous_loans"].to_numpy()
    assert same_day.max() > 10 and (same_day == 0).sum() >= 36_457


@pytest.mark.slow
def test_spark_equals_pandas_on_every_row_and_the_local_engine_in_every_column(
    spark: SparkSession, folder: Path, pipeline: Pipeline, landed: SourceInput, training: pa.Table, wanted: pd.DataFrame
) -> None:
    from spark_jobs.features import build

    target = new_folder(folder, "training-spark")
    build(spark, TableJob(pipeline=pipeline, table="training", ds=DS, inputs={"loans": landed}, target_dir=str(target)))
    by_spark = pq.read_table(target, partitioning=None)
    assert_as_defined(by_spark, wanted)
    assert by_spark.schema.names == training.schema.names
    order = [("loan_id", "ascending")]
    one, other = by_spark.sort_by(order).to_pandas(), training.sort_by(order).to_pandas()
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=0, check_dtype=True)


def test_the_snapshot_is_the_training_row_of_an_event_at_the_cutoff(
    folder: Path, pipeline: Pipeline, landed: SourceInput, local: Engine
) -> None:
    """For every customer: land a loan exactly at the cutoff, a copy of the newest one, and look a day later."""
    snapshot = table(local, pipeline, "snapshot", DS, landed, folder / "snapshot")
    later = "2021-01-01"
    events = new_folder(folder, "typed", f"ds={later}", "0")
    with duckdb.connect() as connection:
        (typed,) = (part.location for part in landed.partitions)
        connection.execute(
            f"""COPY (
              SELECT * REPLACE (loan_id + 10000000 AS loan_id, DATE '2021-01-01' AS loan_date)
              FROM read_parquet('{typed}/*.parquet', hive_partitioning = false)
              QUALIFY row_number() OVER (PARTITION BY id ORDER BY loan_date DESC, loan_id DESC) = 1
            ) TO '{events}/part-00000.parquet' (FORMAT parquet)"""
        )
    both = SourceInput(partitions=(*landed.partitions, PartitionInput(ds=later, location=str(events), rows=36_457)))
    training = table(local, pipeline, "training", later, both, folder / "training-later")
    at_cutoff = training.filter(pc.greater(training["loan_id"], 10_000_000)).sort_by("id")
    names = [column.name for column in feature_columns(pipeline)]
    assert snapshot.num_rows == at_cutoff.num_rows == 36_457
    for name in ["id", "as_of", *names]:
        assert snapshot[name].combine_chunks().equals(at_cutoff[name].combine_chunks()), name
