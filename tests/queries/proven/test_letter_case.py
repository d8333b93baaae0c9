"""lower and upper over all of Unicode: equal to Spark, or refused, and refused only where it has to be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot

from featuremill.queries.proven import translate
from featuremill.queries.proven.letter_case import LOWER_DIFFERS, UPPER_DIFFERS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.mark.parametrize(("function", "differs"), [("lower", LOWER_DIFFERS), ("upper", UPPER_DIFFERS)])
@pytest.mark.parametrize(("before", "after"), [("", ""), ("A", ""), ("a", "b")])
def test_every_code_point(
    spark: SparkSession, tmp_path: Path, function: str, differs: str, before: str, after: str
) -> None:
    points = [point for point in range(1, 0x110000) if not 0xD800 <= point <= 0xDFFF]
    path = tmp_path / "letters.parquet"
    letters = [f"{before}{chr(point)}{after}" for point in points]
    pq.write_table(pa.table({"point": points, "s": letters}), path)
    sql = translate(sqlglot.parse_one(f"{function}(s)", read="spark"), {"s": "string"}).sql
    local = f"SELECT point, {sql} AS v FROM '{path}' WHERE NOT regexp_matches(s, '{differs}') ORDER BY point"
    ours = duckdb.sql(local).to_arrow_table().to_pydict()
    frame = spark.read.parquet(str(path)).selectExpr("point", f"{function}(s) AS v").orderBy("point").toArrow().to_pydict()
    theirs = dict(zip(frame["point"], frame["v"], strict=True))
    assert [hex(p) for p, v in zip(ours["point"], ours["v"], strict=True) if v != theirs[p]] == []
    assert len(points) - len(ours["point"]) < 350
    with pytest.raises(duckdb.Error, match="only Spark"):
        duckdb.sql(f"SELECT {sql} FROM (SELECT 'x\N{GREEK CAPITAL LETTER SIGMA}\N{LATIN SMALL LIGATURE FI}' AS s)").fetchall()
