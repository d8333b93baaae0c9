"""lower and upper over all of Unicode: equal to Spark, or refused, and refused only where it has to be."""

from __future__ import annotations

from collections.abc import Iterator
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

DIFFERS = {"lower": LOWER_DIFFERS, "upper": UPPER_DIFFERS}
PLACES = {"alone": "{}", "last": "A{}", "inside": "a{}b"}


def letters() -> list[int]:
    """Every code point with letters of two cases near it: not the ideographs, Hangul, surrogates and private use."""
    return [*range(1, 0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x20000)]


@pytest.fixture(scope="module")
def spelt(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, pa.Table]]:
    """The file of texts, one column a place; and Spark's answers, columns `lower_alone`, ... , in the same order."""
    path = str(tmp_path_factory.mktemp("letters") / "letters.parquet")
    texts = {place: [form.format(chr(point)) for point in letters()] for place, form in PLACES.items()}
    pq.write_table(pa.table({"point": letters(), **texts}), path)
    answers = [f"{function}({place}) AS {function}_{place}" for function in DIFFERS for place in PLACES]
    yield path, spark.read.parquet(path).orderBy("point").selectExpr("point", *answers).toArrow()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("function", DIFFERS)
def test_every_letter(spelt: tuple[str, pa.Table], function: str, place: str) -> None:
    path, answers = spelt
    sql = translate(sqlglot.parse_one(f"{function}({place})", read="spark"), {place: "string"}).sql
    taken = f"NOT regexp_matches({place}, '{DIFFERS[function]}')"
    ours = duckdb.execute(f"SELECT point, {sql} AS v FROM '{path}' WHERE {taken} ORDER BY point").fetchall()
    theirs = dict(zip(answers["point"].to_pylist(), answers[f"{function}_{place}"].to_pylist(), strict=True))
    assert [hex(point) for point, value in ours if value != theirs[point]] == []
    assert len(theirs) - len(ours) < 350


@pytest.mark.parametrize(("function", "text"), [("lower", "\N{GREEK CAPITAL LETTER SIGMA}"), ("upper", "e\ufb01")])
def test_letters_that_differ_are_refused(function: str, text: str) -> None:
    sql = translate(sqlglot.parse_one(f"{function}(s)", read="spark"), {"s": "string"}).sql
    with pytest.raises(duckdb.Error, match="only Spark"):
        duckdb.execute(f"SELECT {sql} FROM (SELECT '{text}' AS s)").fetchall()
