"""What admits a function: Spark and DuckDB give the same values, nulls, types and errors over the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

from featuremill.queries.proven.catalogue import PROVEN, all_uses
from tests.queries.proven.cases import proving, texts, written_out
from tests.queries.proven.engines import ERROR, Case, Engines, differences, same
from tests.queries.proven.nesting import nested
from tests.queries.proven.rows import TYPES, write_rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AT_ONCE = 60
CHUNKS = [texts()[start : start + AT_ONCE] for start in range(0, len(texts()), AT_ONCE)]


@pytest.fixture(scope="module")
def engines(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    path = tmp_path_factory.mktemp("proven") / "rows.parquet"
    write_rows(path)
    both = Engines(spark, str(path), TYPES)
    yield both
    both.close()


def proven(expressions: Sequence[str]) -> list[Case]:
    return [case for case in map(proving, expressions) if case is not None]


def test_every_listed_signature_is_met_by_a_case() -> None:
    met = {use for case in proven(texts()) for use in case.translation.uses}
    assert [use for use in all_uses() if use not in met] == []


def test_every_expression_written_out_is_admitted() -> None:
    assert [text for text in written_out() if proving(text) is None] == []


@pytest.mark.parametrize("chunk", CHUNKS, ids=lambda chunk: chunk[0][:40])
def test_both_engines_agree_row_by_row(engines: Engines, chunk: list[str]) -> None:
    assert differences(engines, proven(chunk)) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nested_expressions_agree_row_by_row(engines: Engines, seed: int) -> None:
    cases = proven(nested(seed, AT_ONCE))
    assert len(cases) > AT_ONCE * 0.9
    assert differences(engines, cases) == []


def test_expressions_agree_side_by_side_in_one_query(engines: Engines) -> None:
    """As features stand in a query: nothing around them, and the optimizers free to share what they have in common."""
    cases = proven(written_out())
    answers = [values for _, values in engines.on_duckdb(cases)]
    sound = [case for case, values in zip(cases, answers, strict=True) if not any(value is ERROR for value in values)]
    assert len(sound) > 300
    left, right = engines.together(sound)
    for case, one, other in zip(sound, left, right, strict=True):
        assert all(same(a, b) for a, b in zip(one, other, strict=True)), case.text


ORDINARY = [
    "date_add(d1, k1)", "date_sub(t1, k1)", "d1 + k1", "d1 - 400", "add_months(d1, k1)", "t1 - interval 30 days",
    "t1 + interval 1 month", "timestampadd(year, -1, t1)", "timestamp_seconds(m1)", "timestamp_millis(m1)", "k1 % k2",
    "make_date(1970 + abs(k1), 2, 28)", "date_from_unix_date(k1)", "cast(d1 as string)", "cast(t1 as string)",
    "cast(m1 as timestamp)", "lower(concat('É', truths))", "upper(days)",
]  # fmt: skip


def test_ordinary_values_are_not_refused(engines: Engines) -> None:
    cases = [Case(case.text, case.translation) for case in proven(ORDINARY)]
    assert len(cases) == len(ORDINARY)
    assert differences(engines, cases) == []


def test_what_refuses_is_said_to_refuse() -> None:
    """No entry hides behind another's refusals: those that may refuse are few and known."""
    assert sorted(entry.name for entry in PROVEN.values() if entry.refuses) == sorted(
        [
            "%", "cast", "try_cast", "to_date", "lower", "upper", "date + days", "date - days", "+ interval",
            "- interval", "date_add", "date_sub", "add_months", "make_date", "date_from_unix_date", "timestamp_seconds",
            "timestamp_millis", "timestamp_micros", "timestampadd",
        ]
    )  # fmt: skip
