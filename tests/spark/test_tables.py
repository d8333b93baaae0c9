"""Reading landed partitions, types of expressions, and writing a query's rows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featuremill.errors import DataError, UsageError
from featuremill.steps.jobs import PartitionInput
from spark_jobs.tables import expression_types, read_landed, write_query
from tests.spark.landed import rows_in

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

QUERY = "SELECT id % 97 AS customer, id AS order_id, CAST(id AS DOUBLE) / 3 AS third FROM range(1000)"


def partition(folder: Path, ds: str, **columns: list[object]) -> PartitionInput:
    folder.mkdir(parents=True)
    table = pa.table(columns)
    pq.write_table(table, folder / "part-00000.parquet")
    return PartitionInput(ds=ds, location=str(folder), rows=table.num_rows)


def test_landings_are_read_with_their_day_and_null_for_what_older_ones_lack(
    spark: SparkSession, tmp_path: Path
) -> None:
    root = tmp_path / "odd [name]"
    partitions = [
        partition(root / "ds=2024-01-01" / "f1", "2024-01-01", a=["old"]),
        partition(root / "ds=2024-01-02" / "f2", "2024-01-02", b=[2.5], a=["new"]),
        partition(tmp_path / "elsewhere", "2024-01-03", a=["far"], b=[None]),
    ]
    landed = read_landed(spark, {"a": "string", "b": "double"}, partitions)
    assert landed.dtypes == [("a", "string"), ("b", "double"), ("ds", "string")]
    assert sorted(map(tuple, landed.collect())) == [
        ("far", None, "2024-01-03"),
        ("new", 2.5, "2024-01-02"),
        ("old", None, "2024-01-01"),
    ]


def test_a_source_without_landings_is_an_empty_table(spark: SparkSession) -> None:
    landed = read_landed(spark, {"a-b": "bigint"}, [])
    assert landed.dtypes == [("a-b", "bigint"), ("ds", "string")]
    assert landed.count() == 0


def test_types_of_expressions(spark: SparkSession) -> None:
    columns = {"n": "int", "day": "date", "odd-name": "string", "as_of": "timestamp"}
    expressions = ["n + 1L", "n / 2", "floor(months_between(as_of, day) / 12)", "array(`odd-name`)", "n = 1"]
    assert expression_types(spark, columns, expressions) == ["bigint", "double", "bigint", "array<string>", "boolean"]
    assert expression_types(spark, columns, []) == []


def test_an_expression_that_spark_refuses_is_named(spark: SparkSession) -> None:
    with pytest.raises(UsageError, match=r"Spark cannot evaluate 'amount \+ 1': A column.*`amount` cannot be resolved"):
        expression_types(spark, {"n": "int"}, ["n + 1", "amount + 1"])
    with pytest.raises(UsageError, match=r"Spark cannot evaluate 'sum\(n\)': The query does not include a GROUP BY"):
        expression_types(spark, {"n": "int"}, ["sum(n)"])


def test_the_same_rows_give_the_same_bytes(spark: SparkSession, tmp_path: Path) -> None:
    written = []
    for number, sql in enumerate((QUERY, f"SELECT * FROM ({QUERY}) DISTRIBUTE BY rand() SORT BY rand()")):
        target = tmp_path / str(number)
        target.mkdir()
        report = write_query(
            spark,
            sql,
            key="customer",
            order=["customer", "order_id"],
            rows_expected=1_200_000,
            target_dir=str(target),
            doing="shop.training",
        )
        assert report.rows == 1000
        written.append([path.read_bytes() for path in sorted(target.iterdir())])
    assert written[0] == written[1]
    assert len(written[0]) == 3
    assert sorted(rows_in(tmp_path / "0")) == sorted((n % 97, n, n / 3) for n in range(1000))


def test_timestamps_are_microseconds_of_utc(spark: SparkSession, tmp_path: Path) -> None:
    sql = (
        "SELECT 1 AS id, TIMESTAMP '2024-03-31 01:30:00.000001Z' AS as_of, array(1, 2) AS few, DATE '0001-01-01' AS day"
    )
    write_query(spark, sql, key="id", order=["id"], rows_expected=1, target_dir=str(tmp_path), doing="shop.snapshot")
    (path,) = tmp_path.iterdir()
    schema = pq.read_schema(path)
    assert schema.field("as_of").type == pa.timestamp("us", tz="UTC")
    as_of = dt.datetime(2024, 3, 31, 1, 30, 0, 1, tzinfo=dt.UTC)
    assert rows_in(tmp_path) == [(1, as_of, [1, 2], dt.date(1, 1, 1))]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "id * 9223372036854775807",
            "shop.snapshot: feature total: (long )?overflow",
        ),
        ("id / 0", "shop.snapshot: feature total: Division by zero"),
    ],
)
def test_what_the_data_breaks_is_said_in_a_line(
    spark: SparkSession, tmp_path: Path, expression: str, message: str
) -> None:
    inner = f"SELECT id, {expression} AS __f0 FROM range(5)"
    sql = f"WITH inner_rows AS (\n  {inner}\n)\nSELECT id, __f0 AS `total` FROM inner_rows"
    with pytest.raises(DataError, match=message) as caught:
        write_query(
            spark, sql, key="id", order=["id"], rows_expected=5, target_dir=str(tmp_path), doing="shop.snapshot"
        )
    assert "\n" not in str(caught.value)
    assert "spark.sql.ansi" not in str(caught.value)
