from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from featuremill.errors import UsageError
from featuremill.quality.suite import ExpectationError, build_suite
from tests.quality.typed_rows import COLUMNS, expect


def test_names_and_arguments_are_great_expectations_own() -> None:
    suite = build_suite(
        "credit_risk.loans",
        [
            expect("expect_column_values_to_not_be_null", column="n", mostly=0.9),
            expect("expect_column_values_to_be_between", column="x", min_value=0, strict_min=True),
        ],
        COLUMNS,
    )
    assert [(one.expectation_type, one.configuration.kwargs) for one in suite.expectations] == [
        ("expect_column_values_to_not_be_null", {"column": "n", "mostly": 0.9}),
        ("expect_column_values_to_be_between", {"column": "x", "min_value": 0.0, "strict_min": True}),
    ]


@pytest.mark.parametrize(
    ("column", "written", "read"),
    [
        ("d", "2024-01-31", date(2024, 1, 31)),
        ("d", "2024-01-31T00:00:00", date(2024, 1, 31)),
        ("t", "2024-01-31", datetime(2024, 1, 31)),
        ("t", "2024-01-31T12:00:00+02:00", datetime(2024, 1, 31, 10)),
        ("t", "2024-01-31 12:00:00.000001", datetime(2024, 1, 31, 12, 0, 0, 1)),
        ("n", 3, 3),
    ],
)
def test_bounds_and_sets_are_read_as_the_columns_type(column: str, written: Any, read: Any) -> None:
    asked = [
        expect("expect_column_values_to_be_between", column=column, min_value=written),
        expect("expect_column_values_to_be_in_set", column=column, value_set=[written, None]),
    ]
    between, in_set = build_suite("loans", asked, COLUMNS).expectations
    least = between.configuration.kwargs["min_value"]
    assert least == read and type(least) in (type(read), float)
    assert in_set.configuration.kwargs["value_set"] == [read]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("expect_column_values_to_be_betwen", {"column": "n"}, "did you mean expect_column_values_to_be_between?"),
        ("expect_column_values_to_be_increasing", {"column": "n"}, "rows of a landing have no order"),
        ("expect_column_values_to_match_like_pattern", {"column": "s"}, "expect_column_values_to_match_regex"),
        ("expect_column_values_to_not_be_null", {}, "column: field required"),
        ("expect_column_values_to_not_be_null", {"colum": "n"}, "did you mean column?"),
        ("expect_column_values_to_not_be_null", {"column": "nn"}, "no column nn; it has n, m, x"),
        ("expect_column_values_to_not_be_null", {"column": "n", "mostly": 2}, "less than or equal to 1"),
        ("expect_column_values_to_not_be_null", {"column": "n", "result_format": "BASIC"}, "takes no argument"),
        ("expect_column_values_to_be_between", {"column": "n"}, "min_value, max_value or both"),
        ("expect_column_values_to_be_between", {"column": "n", "min_value": "2024-01-31"}, "which is a bigint"),
        ("expect_column_values_to_be_between", {"column": "d", "min_value": "31.1.2024"}, "like 2024-01-31"),
        ("expect_column_values_to_be_between", {"column": "n", "min_value": 3, "max_value": 1}, "greater than"),
        ("expect_column_values_to_be_between", {"column": "s", "min_value": 3}, "s is a string"),
        ("expect_column_values_to_be_between", {"column": "n", "min_value": {"$PARAMETER": "a"}}, "suite parameter"),
        ("expect_column_mean_to_be_between", {"column": "n", "min_value": "a"}, "are numbers"),
        ("expect_column_values_to_be_in_set", {"column": "s", "value_set": [1]}, "put it in quotes"),
        ("expect_column_values_to_be_in_set", {"column": "s", "value_set": []}, "value_set is empty"),
        ("expect_column_values_to_match_regex", {"column": "s", "regex": "("}, "not a valid regular expression"),
        ("expect_column_values_to_match_strftime_format", {"column": "s", "strftime_format": "%Q"}, "strftime_format"),
        ("expect_column_values_to_match_json_schema", {"column": "s", "json_schema": {"type": 7}}, "json_schema"),
        ("expect_column_values_to_be_of_type", {"column": "n", "type_": "INT64"}, "no type of a column"),
        ("expect_column_pair_values_to_be_equal", {"column_A": "n", "column_B": "s"}, "cannot be compared"),
        ("expect_column_pair_values_to_be_in_set", {"column_A": "n", "column_B": "s", "value_pairs_set": [3]}, "pairs"),
        (
            "expect_column_quantile_values_to_be_between",
            {"column": "n", "quantile_ranges": {"quantiles": [2], "value_ranges": [[0, 1]]}},
            "between 0 and 1",
        ),
        ("expect_column_values_to_not_be_null", {"column": "n", "row_condition": "n > 1"}, "does not read"),
        ("expect_column_values_to_not_be_null", {"column": "n", "row_condition": 'col("q") > 1'}, "no column q"),
        ("expect_column_values_to_not_be_null", {"column": "n", "row_condition": 'col("s") > 1'}, "put it in quotes"),
        (
            "expect_column_values_to_not_be_null",
            {"column": "n", "row_condition": "n > 1", "condition_parser": "spark"},
            "one engine's own",
        ),
    ],
)
def test_what_cannot_be_checked_is_said_before_anything_runs(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ExpectationError) as raised:
        build_suite("loans", [expect(name, **arguments)], COLUMNS)
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"expectation 1, {name}")


def test_all_wrong_expectations_are_listed_and_it_is_the_users_mistake() -> None:
    good = expect("expect_column_values_to_not_be_null", column="n")
    asked = [expect("expect_nothing"), good, expect("expect_column_values_to_not_be_null", column="absent")]
    with pytest.raises(UsageError, match=r"expectation 1, expect_nothing: .*; expectation 3, .* on absent") as raised:
        build_suite("loans", asked, COLUMNS)
    assert raised.value.exit_code == 2
