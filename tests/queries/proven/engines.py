"""Evaluate many expressions on Spark and on DuckDB over the same rows, each row's error kept apart from its value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import sqlglot

from featuremill.queries.proven import Translation, translate
from featuremill.queries.proven.pieces import duckdb_type

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ERROR = "error"
"""Stands for the value of a row for which the engine raises."""

RELATIVE = 1e-9

Answer = tuple[str, list[Any]] | None


@dataclass(frozen=True)
class Case:
    """One expression and what was made of it. `may_refuse`: DuckDB may raise where Spark has a value."""

    text: str
    translation: Translation
    may_refuse: bool = False


def case(text: str, types: Mapping[str, str], *, may_refuse: bool = False) -> Case:
    return Case(text, translate(sqlglot.parse_one(text, read="spark"), types), may_refuse)


class Engines:
    """Both engines with the table `data`; column -> Spark type in `types`."""

    def __init__(self, spark: SparkSession, path: str, types: Mapping[str, str]) -> None:
        self.types = dict(types)
        self.spark = spark
        self.frame = spark.read.parquet(path).orderBy("row").cache()
        self.rows = self.frame.count()
        self.duck = duckdb.connect()
        self.duck.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f'CAST("{name}" AS {duckdb_type(kind)}) AS "{name}"' for name, kind in self.types.items())
        self.duck.execute(f"CREATE TABLE data AS SELECT row, {columns} FROM read_parquet('{path}') ORDER BY row")

    def close(self) -> None:
        self.duck.close()
        self.frame.unpersist()

    def on_spark(self, texts: Sequence[str]) -> list[Answer]:
        """Type and values of each expression, or None for one that Spark does not evaluate row by row."""
        # What several columns share would be computed before, outside TryEval.
        self.spark.conf.set("spark.sql.subexpressionElimination.enabled", "false")
        try:
            return self._tried(texts)
        except Exception as error:
            if len(texts) > 1:
                half = len(texts) // 2
                return self.on_spark(texts[:half]) + self.on_spark(texts[half:])
            if "SQLSTATE: 2" not in str(error):
                raise
            return [None]
        finally:
            self.spark.conf.unset("spark.sql.subexpressionElimination.enabled")

    def _tried(self, texts: Sequence[str]) -> list[Answer]:
        from pyspark.sql.classic.column import Column

        jvm: Any = self.spark._jvm
        catalyst = jvm.org.apache.spark.sql.catalyst.expressions
        parser = self.spark._jsparkSession.sessionState().sqlParser()
        columns = []
        for position, text in enumerate(texts):
            # The branch never taken makes the value nullable, as Arrow needs it for rows that raise.
            struct = parser.parseExpression(f"named_struct('v', if(row < 0, null, ({text})))")
            # What try_divide and its like are made of: null where the expression raises, row by row.
            tried = jvm.org.apache.spark.sql.classic.ExpressionUtils.column(catalyst.TryEval(struct))
            columns.append(Column(tried).alias(f"c{position}"))
        table = self.frame.select(*columns).toArrow()
        return [_opened(table.column(name)) for name in table.column_names]

    def on_duckdb(self, cases: Sequence[Case]) -> list[tuple[str, list[Any]]]:
        """(DuckDB type, one value or ERROR a row) of each case."""
        columns = [f"TRY(struct_pack(v := {_tryable(one.translation.sql)})) AS c{n}" for n, one in enumerate(cases)]
        # What several columns share would be computed before, outside TRY.
        self.duck.execute("SET disabled_optimizers = 'common_subexpressions'")
        table = self.duck.sql(f"SELECT {', '.join(columns)} FROM data ORDER BY row").to_arrow_table()
        self.duck.execute("RESET disabled_optimizers")
        return [_opened(table.column(name)) for name in table.column_names]

    def duckdb_type_of(self, sql: str) -> str:
        return str(self.duck.sql(f"SELECT {sql} AS v FROM data LIMIT 0").types[0])

    def plain_duckdb(self, sql: str, rows: Sequence[int]) -> list[Any]:
        """The values of the SQL as it stands over the given rows, in one go. Raises what DuckDB raises.

        It stands there twice, so that the optimizer may compute its parts once for both.
        """
        self.duck.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT unnest(?::BIGINT[]) AS row", [list(rows)])
        query = f"SELECT {sql} AS v, struct_pack(w := {sql}) AS w FROM data SEMI JOIN wanted USING (row) ORDER BY row"
        return _values(self.duck.sql(query).to_arrow_table().column("v"))

    def plain_spark(self, text: str, rows: Sequence[int]) -> list[Any]:
        """The values of the expression with nothing around it, over the given rows. Raises what Spark raises."""
        from pyspark.sql.functions import col

        kept = self.frame if len(rows) == self.rows else self.frame.where(col("row").isin(*rows))
        return _values(kept.selectExpr(f"({text}) AS v").toArrow().column("v"))

    def together(self, cases: Sequence[Case]) -> tuple[list[list[Any]], list[list[Any]]]:
        """Each case's values on Spark and on DuckDB, all of them columns of one plain query."""
        texts = [f"({one.text}) AS c{position}" for position, one in enumerate(cases)]
        spark = self.frame.selectExpr(*texts).toArrow()
        columns = [f"{one.translation.sql} AS c{position}" for position, one in enumerate(cases)]
        duck = self.duck.sql(f"SELECT {', '.join(columns)} FROM data ORDER BY row").to_arrow_table()
        names = [f"c{position}" for position in range(len(cases))]
        return [_values(spark.column(name)) for name in names], [_values(duck.column(name)) for name in names]


def _tryable(sql: str) -> str:
    """DuckDB's TRY refuses error(...), so a cast that fails takes its place here; the SQL as it stands is run too."""
    start = sql.find("error(")
    if start < 0:
        return sql
    depth, quote, end = 0, False, start + len("error")
    for end in range(start + len("error"), len(sql)):
        quote ^= sql[end] == "'"
        depth += 0 if quote else {"(": 1, ")": -1}.get(sql[end], 0)
        if depth == 0 and not quote:
            break
    return sql[:start] + "CAST(CAST('?' AS INTEGER) AS VARCHAR)" + _tryable(sql[end + 1 :])


def _opened(column: pa.ChunkedArray) -> tuple[str, list[Any]]:
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        combined = pa.chunked_array(combined).combine_chunks()
    values = _values(combined.field("v"))
    errors = combined.is_null().to_pylist()
    return str(combined.type.field("v").type), [
        ERROR if failed else value for failed, value in zip(errors, values, strict=True)
    ]


def _values(column: Any) -> list[Any]:
    """Python values; dates as days and timestamps as microseconds, so that no year is out of reach."""
    values: list[Any] = _whole(column).to_pylist()
    return values


def _whole(column: Any) -> Any:
    kind = column.type
    if pa.types.is_date32(kind):
        return column.cast(pa.int32()).cast(pa.int64())
    if pa.types.is_timestamp(kind):
        return column.cast(pa.int64())
    if pa.types.is_list(kind) and pa.types.is_timestamp(kind.value_type):
        return column.cast(pa.list_(pa.int64()))
    if pa.types.is_list(kind) and pa.types.is_date32(kind.value_type):
        return column.cast(pa.list_(pa.int32()))
    return column


def same(left: Any, right: Any) -> bool:
    """Equal values: floats to 1e-9 relative, NaN equal to NaN, zeros of both signs equal."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        if math.isinf(left) or math.isinf(right):
            return left == right
        return left == right or abs(left - right) <= RELATIVE * max(abs(left), abs(right))
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return type(left) is type(right) and left == right


ARROW_TYPES = {
    "bool": "boolean",
    "int32": "int",
    "int64": "bigint",
    "double": "double",
    "string": "string",
    "date32[day]": "date",
    "timestamp[us, tz=UTC]": "timestamp",
}
"""How Spark hands its types to Arrow."""


def spark_type_of(arrow: str) -> str:
    match = re.fullmatch(r"list<\w+: (.*?)(?: not null)?>", arrow)
    return f"array<{spark_type_of(match[1])}>" if match else ARROW_TYPES.get(arrow, arrow)


def differences(engines: Engines, cases: Sequence[Case]) -> list[str]:
    """What is not equal, a line each: type, value, or error. Empty if the engines agree."""
    found = []
    spark_answers, duck_answers = engines.on_spark([one.text for one in cases]), engines.on_duckdb(cases)
    for one, answer, (_, right) in zip(cases, spark_answers, duck_answers, strict=True):
        if answer is None:
            found.extend(_plainly_different(engines, one, right))
            continue
        found.extend(_type_differences(engines, one, spark_type_of(answer[0])))
        found.extend(_row_differences(engines, one, answer[1], right))
    return found


def _plainly_different(engines: Engines, one: Case, right: list[Any]) -> list[str]:
    """Spark gives values where DuckDB does, and raises in some of the rows where DuckDB raises."""
    good = [row for row, value in enumerate(right) if value is not ERROR]
    values = engines.plain_spark(one.text, good)
    if not all(same(value, right[row]) for value, row in zip(values, good, strict=True)):
        return [f"{one.text}: other values on Spark [{one.translation.sql}]"]
    found = _plain_differences(engines, one, right)
    for row in [row for row, value in enumerate(right) if value is ERROR][:3]:
        try:
            value = engines.plain_spark(one.text, [row])
            found.append(f"{one.text}: no error on Spark in row {row} but {value} [{one.translation.sql}]")
        except Exception as error:
            if "SQLSTATE: 2" not in str(error):
                raise
    return found


def _type_differences(engines: Engines, one: Case, spark_kind: str) -> list[str]:
    claimed = one.translation.type
    found = []
    if spark_kind != claimed:
        found.append(f"{one.text}: type {spark_kind} on Spark, {claimed} claimed")
    actual = engines.duckdb_type_of(one.translation.sql)
    if actual != duckdb_type(claimed):
        found.append(f"{one.text}: type {actual} on DuckDB, {duckdb_type(claimed)} claimed")
    return found


def _row_differences(engines: Engines, one: Case, left: list[Any], right: list[Any]) -> list[str]:
    wrong = [
        row
        for row, (a, b) in enumerate(zip(left, right, strict=True))
        if not (a is ERROR and b is ERROR)
        and not (one.may_refuse and b is ERROR)
        and (a is ERROR or b is ERROR or not same(a, b))
    ]
    refused = sum(b is ERROR and a is not ERROR for a, b in zip(left, right, strict=True))
    if refused > len(left) / 2:
        return [f"{one.text}: refused in {refused} of {len(left)} rows"]
    if wrong:
        row = wrong[0]
        where = f"{one.text}: {len(wrong)} rows, as row {row} {_inputs(engines, one, row)}"
        return [f"{where}: {left[row]!r} on Spark, {right[row]!r} on DuckDB [{one.translation.sql}]"]
    return _plain_differences(engines, one, right)


def _plain_differences(engines: Engines, one: Case, right: list[Any]) -> list[str]:
    """The SQL without TRY: no error in rows beside failing ones, and an error where one is due."""
    good = [row for row, value in enumerate(right) if value is not ERROR]
    found = []
    try:
        values = engines.plain_duckdb(one.translation.sql, good)
        if not all(same(a, right[row]) for a, row in zip(values, good, strict=True)):
            found.append(f"{one.text}: other values without TRY [{one.translation.sql}]")
    except duckdb.Error as error:
        found.append(f"{one.text}: without TRY {str(error)[:200]} [{one.translation.sql}]")
    for row in [row for row, value in enumerate(right) if value is ERROR][:2]:
        try:
            value = engines.plain_duckdb(one.translation.sql, [row])
            found.append(f"{one.text}: no error without TRY in row {row} but {value} [{one.translation.sql}]")
        except duckdb.Error:
            pass
    return found


def _inputs(engines: Engines, one: Case, row: int) -> str:
    names = [name for name in engines.types if re.search(rf"\b{name}\b", one.text)]
    if not names:
        return ""
    query = f"SELECT {', '.join(names)} FROM data WHERE row = {row}"
    values = engines.duck.sql(query).to_arrow_table().to_pydict()
    return str({name: value[0] for name, value in values.items()})
