"""The snapshot and training tables of a pipeline on Spark."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import SparkSession

from featuremill.queries.expressions import Compiled
from featuremill.queries.features import table_query
from featuremill.queries.sums import Range
from featuremill.spec.models import Pipeline
from featuremill.steps.jobs import TableJob, TableReport
from spark_jobs.output import LOOKUP_ROW_GROUP
from spark_jobs.tables import expression_types, landed_views, write_query


class SparkCompiler:
    """User expressions are Spark SQL already; what is wanted is the type of their values: Spark's analyser has it."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}

    def compile(self, expression: str, types: Mapping[str, str]) -> Compiled:
        """The expression in parentheses, with its type. Raises UsageError for one that Spark refuses."""
        key = (expression, tuple(types.items()))
        if key not in self._known:
            (self._known[key],) = expression_types(self._spark, types, [expression])
        return Compiled(f"({expression})", self._known[key])


def spark_sql(spark: SparkSession, pipeline: Pipeline, table: str, ds: str) -> str:
    """The query that makes a table, for people to read."""
    return table_query(pipeline, table, ds, "spark", SparkCompiler(spark)).sql


def build(spark: SparkSession, job: TableJob) -> TableReport:
    """Write the table of a job into its target folder. Raises DataError if the data breaks an expression."""
    pipeline = job.pipeline
    query = table_query(
        pipeline,
        job.table,
        job.ds,
        "spark",
        SparkCompiler(spark),
        one_row_a_key={name: given.one_row_a_key for name, given in job.inputs.items()},
        ranges={
            name: {column: Range(known.smallest, known.largest) for column, known in given.ranges.items()}
            for name, given in job.inputs.items()
        },
    )
    spine_rows = sum(part.rows for part in job.inputs[pipeline.spine].partitions) if pipeline.spine else 0
    with landed_views(spark, pipeline, job.inputs):
        return write_query(
            spark,
            query.sql,
            key=f"`{pipeline.entity.key}`",
            order=[f"`{name}`" for name in query.order_by],
            rows_expected=spine_rows,
            target_dir=job.target_dir,
            doing=f"{pipeline.pipeline}.{job.table} ds={job.ds}",
            row_group=LOOKUP_ROW_GROUP if job.table == "snapshot" else None,
        )
