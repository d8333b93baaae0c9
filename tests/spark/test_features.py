"""Spark's feature tables against the slow reference and against DuckDB's, on random pipelines and rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from hypothesis import HealthCheck, given, settings

from featuremill.local_engine.tables import build as build_with_duckdb
from featuremill.queries.features import tables_of
from featuremill.steps.jobs import TableJob, TableReport
from spark_jobs.features import build as build_with_spark
from tests.queries import reference
from tests.queries.comparing import assert_same
from tests.queries.engines import table_of
from tests.queries.strategies import Case, cases

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_spark_and_duckdb_give_what_the_semantics_say(spark: SparkSession, case: Case) -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")

    def with_spark(job: TableJob) -> TableReport:
        return build_with_spark(spark, job)

    def with_duckdb(job: TableJob) -> TableReport:
        return build_with_duckdb(connection, job)

    for table in tables_of(case.pipeline):
        wanted = getattr(reference, table)(case.pipeline, case.landings, case.ds)
        for build in (with_spark, with_duckdb):
            with tempfile.TemporaryDirectory() as folder:
                got = table_of(case, table, Path(folder), build, manifests=True)
            order = [case.pipeline.entity.key, "as_of", "k"]
            got.sort(key=lambda row: tuple(row[name] for name in order if name in row))
            assert_same(got, wanted)
