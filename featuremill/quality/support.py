"""Which of Great Expectations' core expectations a pipeline can ask for, and on which columns.

An expectation is in when both engines can answer it, and answer it alike. The others are refused before anything
runs, each with the reason and what to write instead.
"""

from __future__ import annotations

from typing import Literal

from featuremill.spec.types import ColumnType

Kind = Literal["any", "number", "ordered", "text"]

COLUMNS_OF_KIND: dict[Kind, tuple[ColumnType, ...]] = {
    "any": ("boolean", "int", "bigint", "double", "string", "date", "timestamp"),
    "number": ("int", "bigint", "double"),
    "ordered": ("int", "bigint", "double", "date", "timestamp"),
    "text": ("string",),
}

SUPPORTED: dict[str, Kind] = {
    "expect_column_distinct_values_to_be_in_set": "any",
    "expect_column_distinct_values_to_contain_set": "any",
    "expect_column_distinct_values_to_equal_set": "any",
    "expect_column_max_to_be_between": "ordered",
    "expect_column_mean_to_be_between": "number",
    "expect_column_median_to_be_between": "number",
    "expect_column_min_to_be_between": "ordered",
    "expect_column_most_common_value_to_be_in_set": "any",
    "expect_column_pair_values_a_to_be_greater_than_b": "any",
    "expect_column_pair_values_to_be_equal": "any",
    "expect_column_pair_values_to_be_in_set": "any",
    "expect_column_proportion_of_non_null_values_to_be_between": "any",
    "expect_column_proportion_of_unique_values_to_be_between": "any",
    "expect_column_quantile_values_to_be_between": "number",
    "expect_column_stdev_to_be_between": "number",
    "expect_column_sum_to_be_between": "number",
    "expect_column_to_exist": "any",
    "expect_column_type_to_be": "any",
    "expect_column_unique_value_count_to_be_between": "any",
    "expect_column_value_lengths_to_be_between": "text",
    "expect_column_value_lengths_to_equal": "text",
    "expect_column_value_z_scores_to_be_less_than": "number",
    "expect_column_values_to_be_between": "ordered",
    "expect_column_values_to_be_in_set": "any",
    "expect_column_values_to_be_in_type_list": "any",
    "expect_column_values_to_be_json_parseable": "text",
    "expect_column_values_to_be_null": "any",
    "expect_column_values_to_be_of_type": "any",
    "expect_column_values_to_be_unique": "any",
    "expect_column_values_to_match_json_schema": "text",
    "expect_column_values_to_match_regex": "text",
    "expect_column_values_to_match_regex_list": "text",
    "expect_column_values_to_match_strftime_format": "text",
    "expect_column_values_to_not_be_in_set": "any",
    "expect_column_values_to_not_be_null": "any",
    "expect_column_values_to_not_be_outliers": "number",
    "expect_column_values_to_not_match_regex": "text",
    "expect_column_values_to_not_match_regex_list": "text",
    "expect_compound_columns_to_be_unique": "any",
    "expect_multicolumn_sum_to_equal": "number",
    "expect_multicolumn_values_to_be_equal": "any",
    "expect_select_column_values_to_be_unique_within_record": "any",
    "expect_table_column_count_to_be_between": "any",
    "expect_table_column_count_to_equal": "any",
    "expect_table_columns_to_match_ordered_list": "any",
    "expect_table_columns_to_match_set": "any",
    "expect_table_row_count_to_be_between": "any",
    "expect_table_row_count_to_equal": "any",
}

_LIKE = "Great Expectations knows LIKE patterns on SQL databases only; write expect_column_values_to_{}match_regex{}"
_ORDER = "the rows of a landing have no order"
_OTHER_TABLE = "expectations see the rows of one landing, no other table"

REFUSED: dict[str, str] = {
    "expect_column_kl_divergence_to_be_less_than": (
        "the two engines bin values differently; bound the column with expect_column_quantile_values_to_be_between, "
        "or let the monitor watch its drift"
    ),
    "expect_column_values_to_be_dateutil_parseable": (
        "Great Expectations has it on pandas only; declare the column as a date or timestamp, "
        "or write expect_column_values_to_match_strftime_format"
    ),
    "expect_column_values_to_be_decreasing": _ORDER,
    "expect_column_values_to_be_increasing": _ORDER,
    "expect_column_values_to_match_like_pattern": _LIKE.format("", ""),
    "expect_column_values_to_match_like_pattern_list": _LIKE.format("", "_list"),
    "expect_column_values_to_not_match_like_pattern": _LIKE.format("not_", ""),
    "expect_column_values_to_not_match_like_pattern_list": _LIKE.format("not_", "_list"),
    "expect_multicolumn_values_to_be_unique": (
        "Great Expectations has renamed it; write expect_select_column_values_to_be_unique_within_record"
    ),
    "expect_query_results_to_match_comparison": _OTHER_TABLE,
    "expect_table_row_count_to_equal_other_table": _OTHER_TABLE,
    "unexpected_rows_expectation": (
        "its SQL would be one engine's own; write an expectation with row_condition, or a `where` on the source"
    ),
}

NOT_ARGUMENTS = frozenset(
    {"id", "batch_id", "result_format", "catch_exceptions", "rendered_content", "windows", "library_metadata"}
    | {"allow_relative_error"}
)
"""Fields of an expectation's class that are not a pipeline file's business; or that the engines read differently."""
