"""Both engines see the same in the same rows."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from featuremill.errors import FeaturemillError
from featuremill.quality.duckdb_batch import check_with_duckdb
from featuremill.steps.jobs import ExpectationOutcome
from spark_jobs.expectations import check_with_spark
from tests.quality.typed_rows import COLUMNS, TEXTS, Row, expect, make_job

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _row(number: int) -> Row:
    values = {
        "n": number % 7 - 2,
        "m": number % 3,
        "x": [-2.5, 0.1, 0.5, 1.0, 1e6][number % 5],
        "s": TEXTS[number % len(TEXTS)],
        "r": "It's\\d" if number % 2 else TEXTS[(number * 5) % len(TEXTS)],
        "d": date(2024, 1, 1 + number % 9),
        "t": datetime(2024, 1, 1 + number % 2, number % 24, 30, 0, number),
        "f": number % 4 == 0,
    }
    gaps = {name: None for place, name in enumerate(COLUMNS) if (number + place) % 6 == 0}
    return values | gaps


ROWS = [_row(number) for number in range(60)]
_QUANTILES = {"quantiles": [0, 0.1, 0.25, 0.5, 0.9, 1], "value_ranges": [[None, 4]] * 6}
_PAIRS = [[None, "a"], [1, ""]]
_SET = ["2024-01-02T01:30:00.000001", "2024-01-01"]
BATTERY = [
    expect("expect_column_values_to_not_be_null", column="n"),
    expect("expect_column_values_to_be_null", column="d", row_condition='col("t") >= "2024-01-02"'),
    expect("expect_column_values_to_be_between", column="x", min_value=0.1, strict_min=True, max_value=1, mostly=0.3),
    expect("expect_column_values_to_be_between", column="t", max_value="2024-01-02T12:30:00+02:00"),
    expect("expect_column_values_to_be_between", column="d", min_value="2024-01-03", row_condition='col("n") != 1'),
    expect("expect_column_values_to_be_in_set", column="t", value_set=_SET),
    expect("expect_column_values_to_not_be_in_set", column="r", value_set=["It's\\d", "a"]),
    expect("expect_column_values_to_be_in_set", column="f", value_set=[True]),
    expect("expect_column_values_to_be_unique", column="t"),
    expect("expect_column_value_lengths_to_be_between", column="s", min_value=2, max_value=3),
    expect("expect_column_value_lengths_to_equal", column="s", value=3),
    expect("expect_column_values_to_match_regex", column="s", regex=r"^\w+$"),
    expect("expect_column_values_to_match_regex", column="r", regex=r"'s\\d$"),
    expect("expect_column_values_to_match_regex", column="s", regex="^(?P<first>a)(?!b)"),
    expect("expect_column_values_to_not_match_regex_list", column="s", regex_list=[r"\d", "ö"]),
    expect("expect_column_values_to_match_regex_list", column="s", regex_list=["a", "b"], match_on="all"),
    expect("expect_column_values_to_be_json_parseable", column="s"),
    expect("expect_column_values_to_match_json_schema", column="s", json_schema={"type": "object"}, mostly=0.1),
    expect("expect_column_values_to_match_strftime_format", column="s", strftime_format="%Y-%m-%d"),
    expect("expect_column_value_z_scores_to_be_less_than", column="x", threshold=1, double_sided=True),
    expect("expect_column_values_to_not_be_outliers", column="x"),
    expect("expect_column_values_to_not_be_outliers", column="n", method="std", multiplier=1),
    expect("expect_column_pair_values_to_be_equal", column_A="n", column_B="m", ignore_row_if="neither"),
    expect("expect_column_pair_values_a_to_be_greater_than_b", column_A="n", column_B="m", or_equal=True),
    expect("expect_column_pair_values_to_be_in_set", column_A="n", column_B="s", value_pairs_set=_PAIRS),
    expect("expect_compound_columns_to_be_unique", column_list=["n", "m", "f"]),
    expect("expect_multicolumn_sum_to_equal", column_list=["n", "m"], sum_total=2, ignore_row_if="never"),
    expect("expect_multicolumn_sum_to_equal", column_list=["x", "m"], sum_total=2.5),
    expect("expect_multicolumn_values_to_be_equal", column_list=["s", "r"]),
    expect("expect_select_column_values_to_be_unique_within_record", column_list=["n", "m"]),
    expect("expect_column_max_to_be_between", column="t", max_value="2024-01-02T12:00:00"),
    expect("expect_column_min_to_be_between", column="d", min_value="2024-01-01"),
    expect("expect_column_mean_to_be_between", column="n", min_value=0),
    expect("expect_column_median_to_be_between", column="x", min_value=0),
    expect("expect_column_sum_to_be_between", column="n", min_value=0),
    expect("expect_column_sum_to_be_between", column="x", min_value=0, max_value=1),
    expect("expect_column_stdev_to_be_between", column="n", max_value=3),
    expect("expect_column_quantile_values_to_be_between", column="n", quantile_ranges=_QUANTILES),
    expect("expect_column_unique_value_count_to_be_between", column="s", max_value=5),
    expect("expect_column_proportion_of_unique_values_to_be_between", column="t", min_value=0.9),
    expect("expect_column_proportion_of_non_null_values_to_be_between", column="t", min_value=0.9),
    expect("expect_column_distinct_values_to_be_in_set", column="d", value_set=["2024-01-01", "2024-01-02"]),
    expect("expect_column_distinct_values_to_contain_set", column="t", value_set=_SET),
    expect("expect_column_distinct_values_to_equal_set", column="m", value_set=[0, 1, 2]),
    expect("expect_column_most_common_value_to_be_in_set", column="x", value_set=[0.1, 0.5], ties_okay=True),
    expect("expect_column_type_to_be", column="t", type_="timestamp"),
    expect("expect_table_columns_to_match_ordered_list", column_list=list(COLUMNS)),
    expect("expect_table_row_count_to_be_between", min_value=10, row_condition='col("f").notnull()'),
]


def test_spark_and_duckdb_report_the_same(spark: SparkSession, tmp_path: Path) -> None:
    assert _differences(spark, tmp_path, ROWS) == []


@pytest.mark.parametrize("data", [[], [dict.fromkeys(COLUMNS)] * 2], ids=["no rows", "only nulls"])
def test_they_agree_where_there_is_little_to_see(spark: SparkSession, tmp_path: Path, data: list[Row]) -> None:
    assert _differences(spark, tmp_path, data) == []


def _differences(spark: SparkSession, folder: Path, data: list[Row]) -> list[tuple[Any, Any]]:
    job = make_job(folder, data, BATTERY)
    with duckdb.connect() as connection:
        ours = check_with_duckdb(connection, job)
    theirs = check_with_spark(spark, job.model_copy(update={"results_dir": str(folder / "results-spark")}))
    assert Path(str(theirs.docs)).is_file() and Path(str(theirs.results)).is_file()
    return [(a, b) for a, b in zip(ours.outcomes, theirs.outcomes, strict=True) if _seen(a) != _seen(b)]


def _seen(outcome: ExpectationOutcome) -> tuple[Any, ...]:
    """What both must agree on; which rows serve as examples is each engine's own."""
    return outcome.name, outcome.success, outcome.unexpected_count, outcome.observed.partition(", e.g.")[0]


def test_wrong_expectations_and_missing_rows_are_errors_to_mend(spark: SparkSession, tmp_path: Path) -> None:
    job = make_job(tmp_path, ROWS, [expect("expect_column_values_to_not_be_null", column="absent")])
    with pytest.raises(FeaturemillError, match="no column absent"):
        check_with_spark(spark, job)
    with pytest.raises(FeaturemillError, match="loans for 2024-01-31"):
        check_with_spark(spark, job.model_copy(update={"typed_dir": str(tmp_path / "nothing")}))
