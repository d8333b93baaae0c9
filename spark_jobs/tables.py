"""Snapshot and training tables on Spark: the pipeline's SQL over its landed rows, written as sorted parquet."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pyspark.sql import DataFrame, SparkSession

from featuremill.errors import UsageError
from featuremill.queries.rows import source_types
from featuremill.spec.models import Pipeline
from featuremill.steps.jobs import PartitionInput, SourceInput, TableReport
from spark_jobs.failures import first_useful_line, spark_errors
from spark_jobs.output import glob_safe, quoted, write_parquet

ROWS_PER_PART = 500_000
"""Rows in one part file: some tens of megabytes for a table of some tens of columns."""


def write_query(
    spark: SparkSession,
    sql: str,
    *,
    key: str,
    order: Sequence[str],
    rows_expected: int,
    target_dir: str,
    doing: str,
    row_group: int | None = None,
) -> TableReport:
    """Run a query and write its rows as parquet into an existing empty folder.

    Rows are spread over the part files by the hash of `key` and sorted by `order` in each, so the same rows give
    the same bytes on every machine; `order` must tell any two rows apart. Raises DataError for what fails in the data.
    """
    parts = max(1, -(-rows_expected // ROWS_PER_PART))
    with spark_errors(doing, sql):
        frame = spark.sql(sql)
        arranged = frame.repartition(parts, key).sortWithinPartitions(*order)
        return TableReport(rows=write_parquet(spark, arranged, target_dir, row_group))


@contextmanager
def landed_views(spark: SparkSession, pipeline: Pipeline, inputs: Mapping[str, SourceInput]) -> Iterator[None]:
    """The views `landed_<source>` of a pipeline's sources, for the time of the block.

    Columns: those declared (and `row_key` where the source names no key), null where an older landing lacks one,
    and `ds`, a string.
    """
    names = [f"landed_{name}" for name in pipeline.sources]
    try:
        for name, source in pipeline.sources.items():
            partitions = inputs[name].partitions if name in inputs else ()
            read_landed(spark, source_types(source), partitions).createOrReplaceTempView(f"landed_{name}")
        yield
    finally:
        for name in names:
            spark.catalog.dropTempView(name)


def read_landed(spark: SparkSession, types: Mapping[str, str], partitions: Sequence[PartitionInput]) -> DataFrame:
    """All rows of some partitions of a typed table: the columns of `types`, and `ds`.

    Partitions that lie as `<root>/ds=<ds>/<folder>` are one scan with `ds` as its partition column, however many they
    are: a year of daily landings plans as fast as one. Any other folder is a scan of its own.
    """
    schema = ", ".join(f"{quoted(name)} {kind}" for name, kind in types.items())
    roots: dict[str, list[str]] = defaultdict(list)
    frames = []
    for partition in partitions:
        location = partition.location.rstrip("/")
        root = re.fullmatch(rf"(.+)/ds={re.escape(partition.ds)}/[^/=]+", location)
        if root:
            roots[root[1]].append(location)
        else:
            read = spark.read.schema(schema).parquet(glob_safe(location))
            frames.append(read.selectExpr("*", f"'{partition.ds}' AS ds"))
    for root_folder, locations in roots.items():
        reader = spark.read.schema(f"{schema}, ds string").option("basePath", root_folder)
        frames.append(reader.parquet(*map(glob_safe, locations)))
    if not frames:
        columns = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in types.items())
        return spark.sql(f"SELECT {columns}, CAST(NULL AS STRING) AS ds WHERE false")
    landed = frames[0]
    for frame in frames[1:]:
        landed = landed.unionByName(frame)
    return landed


def expression_types(spark: SparkSession, source_columns: Mapping[str, str], expressions: Sequence[str]) -> list[str]:
    """The Spark types (like `bigint`, `array<string>`) of expressions over columns of the types given. Runs no job.

    Raises UsageError, naming the expression, for one that Spark refuses.
    """
    columns = [f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in source_columns.items()]
    source = f"(SELECT {', '.join(['1 AS __row', *columns])} WHERE false)"
    try:
        return _types(spark, source, expressions)
    except Exception:
        for expression in expressions:
            try:
                _types(spark, source, [expression])
            except Exception as error:
                raise UsageError(f"Spark cannot evaluate {expression!r}: {first_useful_line(error)}") from error
        raise


def _types(spark: SparkSession, source: str, expressions: Sequence[str]) -> list[str]:
    # With a plain column beside it an aggregate is refused: these are expressions over one row.
    listed = ", ".join(["__row", *(f"({expression}) AS c{index}" for index, expression in enumerate(expressions))])
    schema = spark.sql(f"SELECT {listed} FROM {source}").schema
    return [field.dataType.simpleString() for field in schema.fields[1:]]
