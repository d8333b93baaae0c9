"""Expectations of every kind over the columns of `typed_rows`, for tests that hold engines against each other."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from featuremill.spec.models import Expectation
from tests.quality.typed_rows import expect

Arguments = dict[str, Any]

_mostly = st.sampled_from([1, 0.9, 0.5, 0.25])
_numeric = st.sampled_from(["n", "m", "x"])
_any = st.sampled_from(["n", "x", "s", "d", "t", "f"])
_flags = st.booleans()
_condition = st.sampled_from([None, 'col("n") > 0', 'col("n") <= 2', 'col("x").notnull()', 'col("s") == "ab"'])
_sets = {
    "n": [0, 1, 2],
    "x": [0.5, 1.0, -1.0],
    "s": ["a", "ab", "nöt"],
    "d": ["2024-01-02", "2024-01-05"],
    "t": ["2024-01-01T00:00:00", "2024-01-02T05:00:00"],
    "f": [True],
}
_bounds = {
    "n": (-1, 4),
    "m": (0, 3),
    "x": (-1, 1.5),
    "d": ("2024-01-03", "2024-01-07"),
    "t": ("2024-01-01T06:00:00", "2024-01-02T12:00:00"),
}
_REGEXES = ["^a", "[0-9]+$", "b|x", "ö", "^[A-Za-z]+$", "^(?=.*[0-9])"]


@st.composite
def of_values(draw: st.DrawFn) -> Expectation:
    """An expectation about each value of one column."""
    arguments = {"mostly": draw(_mostly), "row_condition": draw(_condition)}
    column = draw(st.sampled_from(sorted(_bounds)))
    low, high = _bounds[column]
    between: Arguments = {"column": column, "min_value": low, "max_value": high, "strict_min": draw(_flags)}
    some = draw(_any)
    regexes = draw(st.lists(st.sampled_from(_REGEXES), min_size=1, max_size=2, unique=True))
    choices: list[tuple[str, Arguments]] = [
        ("expect_column_values_to_be_between", between),
        ("expect_column_values_to_be_between", {"column": column, "min_value": low}),
        ("expect_column_values_to_be_in_set", {"column": some, "value_set": _sets[some]}),
        ("expect_column_values_to_not_be_in_set", {"column": some, "value_set": _sets[some]}),
        ("expect_column_values_to_be_null", {"column": some}),
        ("expect_column_values_to_not_be_null", {"column": some}),
        ("expect_column_values_to_be_unique", {"column": some}),
        ("expect_column_value_lengths_to_be_between", {"column": "s", "min_value": 1, "max_value": 3}),
        ("expect_column_value_lengths_to_equal", {"column": "s", "value": 3}),
        ("expect_column_values_to_match_regex", {"column": "s", "regex": regexes[0]}),
        ("expect_column_values_to_not_match_regex", {"column": "s", "regex": regexes[0]}),
        ("expect_column_values_to_match_regex_list", {"column": "s", "regex_list": regexes, "match_on": "any"}),
        ("expect_column_values_to_match_regex_list", {"column": "s", "regex_list": regexes, "match_on": "all"}),
        ("expect_column_values_to_not_match_regex_list", {"column": "s", "regex_list": regexes}),
        ("expect_column_values_to_be_json_parseable", {"column": "s"}),
        ("expect_column_values_to_match_strftime_format", {"column": "s", "strftime_format": "%Y-%m-%d"}),
        (
            "expect_column_value_z_scores_to_be_less_than",
            {"column": draw(_numeric), "threshold": 1.1, "double_sided": draw(_flags)},
        ),
        ("expect_column_values_to_not_be_outliers", {"column": draw(_numeric), "method": "iqr"}),
        (
            "expect_column_values_to_not_be_outliers",
            {"column": draw(_numeric), "method": "std", "multiplier": 1.0},
        ),
    ]
    made = draw(st.sampled_from(choices))
    return expect(made[0], **made[1], **{key: value for key, value in arguments.items() if value is not None})


@st.composite
def of_statistics(draw: st.DrawFn) -> Expectation:
    """An expectation about a whole column."""
    column, some = draw(_numeric), draw(_any)
    span: Arguments = {"min_value": draw(st.integers(-2, 1)), "max_value": draw(st.integers(1, 4))}
    ordered = draw(st.sampled_from(["n", "x", "t"]))
    low, high = _bounds[ordered]
    choices: list[tuple[str, Arguments]] = [
        ("expect_column_max_to_be_between", {"column": ordered, "min_value": low, "max_value": high}),
        ("expect_column_min_to_be_between", {"column": ordered, "min_value": low, "max_value": high}),
        ("expect_column_mean_to_be_between", {"column": column} | span),
        ("expect_column_median_to_be_between", {"column": column} | span),
        ("expect_column_sum_to_be_between", {"column": column} | span),
        ("expect_column_stdev_to_be_between", {"column": column} | span),
        ("expect_column_unique_value_count_to_be_between", {"column": some} | span),
        ("expect_column_proportion_of_unique_values_to_be_between", {"column": some, "min_value": 0.5}),
        ("expect_column_proportion_of_non_null_values_to_be_between", {"column": some, "min_value": 0.5}),
        ("expect_column_distinct_values_to_be_in_set", {"column": some, "value_set": _sets[some]}),
        ("expect_column_distinct_values_to_contain_set", {"column": some, "value_set": _sets[some]}),
        ("expect_column_distinct_values_to_equal_set", {"column": some, "value_set": _sets[some]}),
        ("expect_column_most_common_value_to_be_in_set", {"column": "s", "value_set": _sets["s"]}),
        ("expect_table_row_count_to_be_between", {"min_value": 2, "max_value": 8}),
        ("expect_table_row_count_to_equal", {"value": 4}),
        ("expect_table_column_count_to_equal", {"value": 8}),
        ("expect_table_columns_to_match_set", {"column_set": ["n", "x", "s"], "exact_match": False}),
        ("expect_column_to_exist", {"column": draw(st.sampled_from(["n", "absent"]))}),
    ]
    made = draw(st.sampled_from(choices))
    return expect(made[0], **made[1])


@st.composite
def of_several_columns(draw: st.DrawFn) -> Expectation:
    """About several columns of a row; rows with some values missing are left out where pandas differs."""
    mostly: Arguments = {"mostly": draw(_mostly)}
    pair: Arguments = {"column_A": "n", "column_B": "m"} | mostly
    both: Arguments = {"ignore_row_if": "either_value_is_missing"}
    complete: Arguments = {"ignore_row_if": "any_value_is_missing"} | mostly
    choices: list[tuple[str, Arguments]] = [
        ("expect_column_pair_values_to_be_equal", pair),
        ("expect_column_pair_values_a_to_be_greater_than_b", pair | both | {"or_equal": draw(_flags)}),
        ("expect_column_pair_values_to_be_in_set", pair | both | {"value_pairs_set": [[0, 1], [1, 1], [2, 3]]}),
        ("expect_compound_columns_to_be_unique", {"column_list": ["n", "f"]} | complete),
        ("expect_compound_columns_to_be_unique", {"column_list": ["n", "m"]} | mostly),
        ("expect_multicolumn_sum_to_equal", {"column_list": ["n", "m"], "sum_total": 3} | complete),
        ("expect_multicolumn_values_to_be_equal", {"column_list": ["s", "r"]} | complete),
        ("expect_select_column_values_to_be_unique_within_record", {"column_list": ["s", "r"]} | complete),
    ]
    made = draw(st.sampled_from(choices))
    return expect(made[0], **made[1])


expectations = of_values() | of_statistics() | of_several_columns()
