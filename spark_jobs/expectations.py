"""Expectations on the typed rows of a landing, computed by Spark and judged by Great Expectations.

The metrics are the same SQL as on DuckDB, one query for a suite. Great Expectations' own Spark engine would start a
job for nearly every metric and sample. The session may be a classic one or Spark Connect.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import BooleanType

from featuremill.errors import DataError
from featuremill.quality.documents import run_meta
from featuremill.quality.judging import judge
from featuremill.quality.metrics import Table, resolve
from featuremill.quality.report import make_report
from featuremill.quality.sql import PythonPredicate
from featuremill.quality.suite import SPARK_TYPES, build_suite
from featuremill.spec.types import ColumnType
from featuremill.steps.jobs import ExpectJob, QualityReport
from spark_jobs.failures import spark_errors
from spark_jobs.output import glob_safe, literal, quoted

if TYPE_CHECKING:
    from great_expectations.validator.metric_configuration import MetricConfiguration


def check_with_spark(spark: SparkSession, job: ExpectJob) -> QualityReport:
    """Check all expectations of the job; write JSON and Data Docs into its results folder, also when all is well.

    Raises ExpectationError for expectations that cannot be checked, before any row is read, and DataError where the
    typed folder holds no parquet files.
    """
    view = f"expectations_{uuid4().hex}"
    with spark_errors(f"expectations of {job.source_name} for {job.ds}"):
        frame = spark.read.parquet(glob_safe(job.typed_dir))
        columns = column_types(frame, job.typed_dir)
        suite = build_suite(f"{job.pipeline}.{job.source_name}", job.expectations, columns)
        _without_zone(frame, columns).createOrReplaceTempView(view)
        table = Table(SparkEngine(spark), f"SELECT * FROM {view}", columns)

        def compute(wanted: Sequence[MetricConfiguration]) -> dict[Any, Any]:
            return resolve(table, wanted)

        try:
            return make_report(job, judge(suite, columns, compute, run_meta(job)))
        finally:
            spark.catalog.dropTempView(view)


def column_types(frame: DataFrame, folder: str) -> dict[str, ColumnType]:
    """The types of a typed table's columns. Raises DataError for a type that no typed table has."""
    ours = {sparks: name for name, sparks in SPARK_TYPES.items()}
    columns: dict[str, ColumnType] = {}
    for field in frame.schema.fields:
        spark_type = type(field.dataType).__name__
        if spark_type not in ours:
            raise DataError(f"column {field.name} in {folder} is a {spark_type}, which no typed table has")
        columns[field.name] = ours[spark_type]
    return columns


def _without_zone(frame: DataFrame, columns: dict[str, ColumnType]) -> DataFrame:
    """Timestamps as UTC without a zone: PySpark gives others in the time zone of the Python process."""
    return frame.selectExpr(
        *(
            f"CAST({quoted(name)} AS TIMESTAMP_NTZ) AS {quoted(name)}" if column_type == "timestamp" else quoted(name)
            for name, column_type in columns.items()
        )
    )


class SparkEngine:
    """SQL as Spark takes it. Regular expressions are Java's."""

    inlined = ""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(_plain(value) for value in row) for row in self._spark.sql(statement).collect()]

    def quote(self, column: str) -> str:
        return quoted(column)

    def text(self, value: str) -> str:
        return literal(value)

    def timestamp(self, value: datetime) -> str:
        return f"TIMESTAMP_NTZ '{value.isoformat(sep=' ')}'"

    def matches(self, column: str, pattern: str) -> str:
        return f"{column} RLIKE {literal(pattern.replace('(?P<', '(?<'))}"

    def function(self, predicate: PythonPredicate) -> str:
        def nullable(text: str | None) -> bool | None:
            return None if text is None else predicate(text)

        name = f"expectation_predicate_{uuid4().hex}"
        self._spark.udf.register(name, nullable, BooleanType())
        return name

    def drop_function(self, name: str) -> None:
        self._spark.sql(f"DROP TEMPORARY FUNCTION IF EXISTS {name}")

    def sorted_list(self, value: str) -> str:
        return f"array_sort(collect_list({value}))"

    def percentile(self, value: str, share: float) -> str:
        return f"percentile({value}, {share})"


def _plain(value: Any) -> Any:
    """Sums come as decimals so that they are exact; all of them are whole."""
    return int(value) if isinstance(value, Decimal) else value
