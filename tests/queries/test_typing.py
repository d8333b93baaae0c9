"""From texts to values: DuckDB, Spark and obvious Python must agree on the values, the nulls and the reasons."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featuremill.errors import UsageError
from featuremill.queries.patterns import to_strptime
from featuremill.queries.typing import DialectName, field_typing
from featuremill.spec.models import Column, CsvConnector
from featuremill.spec.types import ColumnType
from tests import reference_csv
from tests.queries.texts import LISTED, TypingCase, texts, typing_cases

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CASES = typing_cases()
Rows = list[tuple[Any, ...]]


def select(dialect: DialectName, cases: list[TypingCase]) -> str:
    """SQL over a table `texts` (n bigint, x string): of each case the value, whether it is broken, and the problem."""
    values, checks = [], []
    for number, case in enumerate(cases):
        typing = field_typing(dialect, case.connector)
        value = typing.value("x", case.column)
        as_text = f"cast({value} AS {'VARCHAR' if dialect == 'duckdb' else 'STRING'})"
        if case.column.type == "timestamp":
            micros = "epoch_us" if dialect == "duckdb" else "unix_micros"
            as_text = f"{micros}({value})"
        if case.column.type == "double":
            as_text = value
        values += [f"{value} AS v{number}", f"{as_text} AS shown{number}"]
        checks += [
            f"shown{number}",
            typing.broken("x", f"v{number}", case.column),
            typing.problem("col", "x", f"v{number}", case.column, required=case.required),
        ]
    return f"SELECT {', '.join(checks)} FROM (SELECT n, x, {', '.join(values)} FROM texts) ORDER BY n"


def with_duckdb(cases: list[TypingCase], given_texts: list[str | None]) -> Rows:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table = pa.table({"n": range(len(given_texts)), "x": pa.array(given_texts, pa.string())})
        connection.register("texts", table)
        return connection.execute(select("duckdb", cases)).fetchall()


def with_python(cases: list[TypingCase], given_texts: list[str | None]) -> Rows:
    result = []
    for text in given_texts:
        row: list[Any] = []
        for case in cases:
            value, reason = reference_csv.typed_value("col", text or "", case.column, case.connector, case.required)
            row += [_shown(value), reason is not None and not reason.endswith("is missing"), reason]
        result.append(tuple(row))
    return result


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, date)):
        return str(value)
    return value


def assert_same(found: Rows, expected: Rows, cases: list[TypingCase], given_texts: list[str | None]) -> None:
    for text, found_row, expected_row in zip(given_texts, found, expected, strict=True):
        for number, case in enumerate(cases):
            place = slice(3 * number, 3 * number + 3)
            # repr tells -0.0 from 0.0
            assert repr(found_row[place]) == repr(expected_row[place]), (text, case.column, case.connector.null_values)


@given(st.lists(texts(), min_size=1, max_size=100))
@settings(max_examples=15, deadline=None)
def test_duckdb_types_as_the_reference(given_texts: list[str | None]) -> None:
    found = with_duckdb(CASES, given_texts)
    assert_same(found, with_python(CASES, given_texts), CASES, given_texts)


def test_duckdb_types_every_listed_text_as_the_reference() -> None:
    given_texts = [None, *LISTED]
    assert_same(with_duckdb(CASES, given_texts), with_python(CASES, given_texts), CASES, given_texts)


def test_spark_types_as_the_reference(spark: SparkSession) -> None:
    found_texts: list[str] = []

    @given(st.lists(texts(), min_size=40, max_size=40))
    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def collect(more: list[str]) -> None:
        found_texts.extend(more)

    collect()
    given_texts = [None, *LISTED, *dict.fromkeys(found_texts)]
    spark.createDataFrame(list(enumerate(given_texts)), "n bigint, x string").createOrReplaceTempView("texts")
    expected = with_python(CASES, given_texts)
    # In parts: one query of all cases is too much code for one method of the JVM.
    for first in range(0, len(CASES), 8):
        cases = CASES[first : first + 8]
        found = [tuple(row) for row in spark.sql(select("spark", cases)).collect()]
        assert_same(found, [row[3 * first : 3 * (first + 8)] for row in expected], cases, given_texts)


UNSUPPORTED = ["yyyy-MM-dd'T'HH:mm:ssXXX", "EEE d MMM yyyy", "uuuu", "dd/MM", "hh:mm yyyy", "S yyyy", "[yyyy]"]


@pytest.mark.parametrize("pattern", UNSUPPORTED)
@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
def test_a_pattern_that_engines_read_differently_is_refused(dialect: DialectName, pattern: str) -> None:
    connector = CsvConnector(kind="csv", path="{landing}/{ds}/*.csv")
    with pytest.raises(UsageError, match="pattern"):
        field_typing(dialect, connector).value("x", Column(type="timestamp", format=pattern))


def test_patterns_become_strptime_forms() -> None:
    assert to_strptime("dd/MM/yyyy 'at' HH''mm 100%") == "%d/%m/%Y at %H'%M 100%%"


KEYS: list[tuple[ColumnType, str]] = [
    ("bigint", "-17"),
    ("int", "+7"),
    ("string", "é" * 61),
    ("date", "0900-01-02"),
    ("boolean", "Y"),
    ("timestamp", "2020-01-01T10:00:00.5"),
]


def _keys_sql(dialect: DialectName) -> str:
    connector = CsvConnector(kind="csv", path="{landing}/{ds}/*.csv", null_values=("", "NA"))
    typing = field_typing(dialect, connector)
    shown = []
    for kind, text in KEYS:
        column = Column(type=kind)
        shown.append(typing.key_text(typing.value(typing.literal(text), column), kind))
    columns = {"a": Column(type="int"), "b": Column(type="string"), "c": Column(type="string"), "d": Column(type="int")}
    texts = {"a": "' NA'", "b": "' NA'", "c": typing.literal("it's \\ é"), "d": "cast(NULL AS STRING)"}
    return f"SELECT {', '.join(shown)}, {typing.row_key(texts, columns)}"


def test_keys_are_shown_and_made_alike(spark: SparkSession) -> None:
    expected = ["-17", "7", "é" * 60 + "…", "0900-01-02", "true", "2020-01-01 10:00:00.500000"]
    expected.append(hashlib.md5("\x1f NA\x1fit's \\ é\x1f".encode()).hexdigest())
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        assert list(connection.execute(_keys_sql("duckdb")).fetchall()[0]) == expected
    assert list(spark.sql(_keys_sql("spark")).collect()[0]) == expected
