"""Snapshot and training tables, computed by DuckDB in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from featuremill.local_engine.sql import sql_name, sql_text
from featuremill.queries.expressions import Compiled
from featuremill.queries.features import table_query, tables_of
from featuremill.queries.proven import NotProven, translate
from featuremill.queries.rows import source_types
from featuremill.queries.sums import Range
from featuremill.spec.expressions import parse_expression
from featuremill.spec.models import Pipeline, Source
from featuremill.steps.jobs import SourceInput, TableJob, TableReport

if TYPE_CHECKING:
    import duckdb

_TYPES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
}

SNAPSHOT_ROW_GROUP = 20_480
"""Rows a row group of a table that is read by id: a point read touches one."""
TRAINING_ROW_GROUP = 122_880


class DuckDBCompiler:
    """Compiles Spark SQL expressions for DuckDB; raises NotProven for what is not proven equal."""

    def compile(self, expression: str, types: Mapping[str, str]) -> Compiled:
        translation = translate(parse_expression(expression), types)
        return Compiled(translation.sql, translation.type)


def build(connection: duckdb.DuckDBPyConnection, job: TableJob) -> TableReport:
    """Write the table of a job into its target folder as `part-00000.parquet`, rows in the table's order.

    Raises NotProven if an expression has to go to Spark, and DuckDB's own errors, which `LocalEngine` puts into words,
    if the data breaks an expression (an overflow, a division by zero).
    """
    query = table_query(
        job.pipeline,
        job.table,
        job.ds,
        "duckdb",
        DuckDBCompiler(),
        one_row_a_key={name: given.one_row_a_key for name, given in job.inputs.items()},
        ranges=_ranges(job.inputs),
    )
    for name, given in job.inputs.items():
        _make_landed(connection, name, job.pipeline.sources[name], given)
    row_group = SNAPSHOT_ROW_GROUP if job.table == "snapshot" else TRAINING_ROW_GROUP
    order = ", ".join(map(sql_name, query.order_by))
    target = sql_text(str(Path(job.target_dir) / "part-00000.parquet"))
    copy = (
        f"COPY (SELECT * FROM (\n{query.sql}\n) ORDER BY {order})\nTO {target} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group})"
    )
    (rows,) = connection.execute(copy).fetchone() or (0,)
    return TableReport(rows=rows)


def _ranges(inputs: Mapping[str, SourceInput]) -> dict[str, dict[str, Range]]:
    return {
        name: {column: Range(known.smallest, known.largest) for column, known in given.ranges.items()}
        for name, given in inputs.items()
    }


def _make_landed(connection: duckdb.DuckDBPyConnection, name: str, source: Source, given: SourceInput) -> None:
    """Make the relation `landed_<source>`: all visible partitions and their landing day `ds` (string), off the path.

    A column that an archived landing was ingested without is null there.
    """
    types = source_types(source)
    files = sorted(str(path) for part in given.partitions for path in Path(part.location).glob("part-*.parquet"))
    if files:
        listed = ", ".join(map(sql_text, files))
        options = "union_by_name = true, hive_partitioning = true, hive_types = {'ds': VARCHAR}"
        stored = f"read_parquet([{listed}], {options})"
        there = {str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM {stored}").fetchall()}
    else:
        stored, there = "(SELECT CAST(NULL AS VARCHAR) AS ds WHERE false)", set()
    columns = [
        f"CAST({sql_name(column) if column in there else 'NULL'} AS {_TYPES[kind]}) AS {sql_name(column)}"
        for column, kind in types.items()
    ]
    selected = ", ".join([*columns, "ds"])
    connection.execute(f"CREATE OR REPLACE TEMP VIEW landed_{name} AS SELECT {selected} FROM {stored}")


def not_proven(pipeline: Pipeline) -> NotProven | None:
    """The first part of a pipeline's expressions that only Spark may evaluate, None if DuckDB may evaluate all."""
    try:
        for table in tables_of(pipeline):
            table_query(pipeline, table, "2000-01-01", "duckdb", DuckDBCompiler())
    except NotProven as reason:
        return reason
    return None
