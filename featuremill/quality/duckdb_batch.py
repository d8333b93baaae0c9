"""Expectations on the typed rows of a landing, checked in process by DuckDB and judged by Great Expectations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

from featuremill.errors import DataError
from featuremill.quality.judging import judge
from featuremill.quality.metrics import Table, resolve
from featuremill.quality.sql import PythonPredicate
from featuremill.quality.suite import build_suite
from featuremill.spec.types import ColumnType
from featuremill.steps.jobs import ExpectJob, QualityReport

if TYPE_CHECKING:
    import duckdb
    from great_expectations.validator.metric_configuration import MetricConfiguration

_TYPES: dict[str, ColumnType] = {
    "BOOLEAN": "boolean",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}
_NUMBERS = count(1)


def check_with_duckdb(connection: duckdb.DuckDBPyConnection, job: ExpectJob) -> QualityReport:
    """Check all expectations of the job; write JSON and Data Docs into its results folder, also when all is well.

    Raises ExpectationError for expectations that cannot be checked, before any row is read, and DataError where
    the typed folder holds no parquet files.
    """
    from featuremill.quality.documents import run_meta
    from featuremill.quality.report import make_report

    with connection.cursor() as cursor:
        table = typed_table(cursor, job.typed_dir)
        suite = build_suite(f"{job.pipeline}.{job.source_name}", job.expectations, table.columns)

        def compute(wanted: Sequence[MetricConfiguration]) -> dict[Any, Any]:
            return resolve(table, wanted)

        return make_report(job, judge(suite, table.columns, compute, run_meta(job)))


def typed_table(connection: duckdb.DuckDBPyConnection, folder: str) -> Table:
    """The parquet files of a folder as something to select from; timestamps as UTC without a zone."""
    import duckdb

    engine = DuckDbEngine(connection)
    pattern = re.sub(r"([*?\[])", r"[\1]", folder.rstrip("/")) + "/*.parquet"
    files = f"read_parquet({engine.text(pattern)}, hive_partitioning = false)"
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {files}").fetchall()
    except duckdb.IOException as error:
        raise DataError(f"no typed rows to check in {folder}: {error}; run the ingest of this landing again") from None
    columns: dict[str, ColumnType] = {}
    selected = []
    for name, type_name, *_ in described:
        if type_name not in _TYPES:
            raise DataError(f"column {name} in {folder} is a {type_name}, which no typed table has")
        columns[name] = _TYPES[type_name]
        zoned, quoted = type_name == "TIMESTAMP WITH TIME ZONE", engine.quote(name)
        selected.append(f"timezone('UTC', {quoted}) AS {quoted}" if zoned else quoted)
    return Table(engine, f"SELECT {', '.join(selected)} FROM {files}", columns)


class DuckDbEngine:
    """SQL as DuckDB takes it. Regular expressions are RE2's; a pattern RE2 cannot read goes to Python's `re`."""

    inlined = "NOT MATERIALIZED"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        fetched = self._connection.execute(statement).fetchall()
        return [tuple(_plain(value) for value in row) for row in fetched]

    def quote(self, column: str) -> str:
        return '"' + column.replace('"', '""') + '"'

    def text(self, value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    def timestamp(self, value: datetime) -> str:
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"

    def matches(self, column: str, pattern: str) -> str | None:
        import duckdb

        try:
            self._connection.execute("SELECT regexp_matches('', ?)", [pattern]).fetchall()
        except duckdb.Error:
            return None
        return f"regexp_matches({column}, {self.text(pattern)})"

    def function(self, predicate: PythonPredicate) -> str:
        import pyarrow as pa
        from duckdb.func import PythonUDFType

        def over_batch(texts: Any) -> Any:
            return pa.array([None if text is None else predicate(text) for text in texts.to_pylist()], pa.bool_())

        name = f"expectation_predicate_{next(_NUMBERS)}"
        self._connection.create_function(name, over_batch, ["VARCHAR"], "BOOLEAN", type=PythonUDFType.ARROW)
        return name

    def drop_function(self, name: str) -> None:
        self._connection.remove_function(name)

    def sorted_list(self, value: str) -> str:
        return f"list({value} ORDER BY {value}) FILTER (WHERE {value} IS NOT NULL)"

    def percentile(self, value: str, share: float) -> str:
        return f"quantile_cont(CAST({value} AS DOUBLE), {share})"


def _plain(value: Any) -> Any:
    """Sums come as decimals so that they are exact; all of them are whole."""
    return int(value) if isinstance(value, Decimal) else value
