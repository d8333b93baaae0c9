"""When a row is as expected: one SQL condition for each of Great Expectations' map metrics.

A condition that is null (a comparison with a missing value) leaves its row neither expected nor unexpected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from featuremill.quality.sql import PythonPredicate, SqlEngine, between, considered, is_in, literal
from featuremill.spec.types import ColumnType


class Context(Protocol):
    """What a condition may need beside its own row."""

    engine: SqlEngine
    columns: Mapping[str, ColumnType]

    def statistic(self, aggregate: str, where: str) -> float | None:
        """An aggregate over the rows of the table, computed now."""

    def python(self, predicate: PythonPredicate, column: str) -> str:
        """A condition: what the predicate says of a column's text."""


Domain = Mapping[str, Any]
Values = Mapping[str, Any]


def expected(metric: str, domain: Domain, values: Values, context: Context) -> str:
    """The condition of map metric `metric`, like `column_values.between`. Raises KeyError for an unknown one."""
    return _CONDITIONS[metric](domain, values, context)


def is_known(metric: str) -> bool:
    return metric in _CONDITIONS


def _column(domain: Domain, context: Context) -> str:
    return context.engine.quote(domain["column"])


def _between(domain: Domain, values: Values, context: Context) -> str:
    return between(context.engine, _column(domain, context), values)


def _length_between(domain: Domain, values: Values, context: Context) -> str:
    return between(context.engine, f"length({_column(domain, context)})", values)


def _length_equals(domain: Domain, values: Values, context: Context) -> str:
    return f"length({_column(domain, context)}) = {literal(context.engine, values['value'])}"


def _in_set(domain: Domain, values: Values, context: Context) -> str:
    return is_in(context.engine, _column(domain, context), values["value_set"])


def _not_in_set(domain: Domain, values: Values, context: Context) -> str:
    return f"NOT ({is_in(context.engine, _column(domain, context), values['value_set'])})"


def _matches(domain: Domain, pattern: str, context: Context) -> str:
    native = context.engine.matches(_column(domain, context), pattern)
    if native is not None:
        return native
    compiled = re.compile(pattern)
    return context.python(lambda text: compiled.search(text) is not None, domain["column"])


def _match_regex(domain: Domain, values: Values, context: Context) -> str:
    return _matches(domain, values["regex"], context)


def _not_match_regex(domain: Domain, values: Values, context: Context) -> str:
    return f"NOT {_matches(domain, values['regex'], context)}"


def _match_regex_list(domain: Domain, values: Values, context: Context) -> str:
    joint = " AND " if values["match_on"] == "all" else " OR "
    return "(" + joint.join(_matches(domain, regex, context) for regex in values["regex_list"]) + ")"


def _not_match_regex_list(domain: Domain, values: Values, context: Context) -> str:
    return "NOT (" + " OR ".join(_matches(domain, regex, context) for regex in values["regex_list"]) + ")"


def _z_score(domain: Domain, values: Values, context: Context) -> str:
    mean, deviation = _mean_and_deviation(domain, context)
    if mean is None or not deviation:
        return "true"
    score = f"(({_column(domain, context)} - {literal(context.engine, mean)}) / {literal(context.engine, deviation)})"
    if values["double_sided"]:
        return f"abs({score}) < {literal(context.engine, abs(float(values['threshold'])))}"
    return f"{score} < {literal(context.engine, float(values['threshold']))}"


def _not_outliers(domain: Domain, values: Values, context: Context) -> str:
    column, multiplier = _column(domain, context), float(values["multiplier"])
    if values["method"] == "iqr":
        low, high = _statistics(domain, context, *(context.engine.percentile(column, share) for share in (0.25, 0.75)))
        if low is None or high is None:
            return "true"
        fence = multiplier * (high - low)
        return between(context.engine, column, {"min_value": low - fence, "max_value": high + fence})
    mean, deviation = _mean_and_deviation(domain, context)
    if mean is None or deviation is None:
        return "true"
    threshold = multiplier * deviation
    if threshold <= 0:
        return f"{column} = {literal(context.engine, mean)}"
    return f"abs({column} - {literal(context.engine, mean)}) < {literal(context.engine, threshold)}"


def _mean_and_deviation(domain: Domain, context: Context) -> list[float | None]:
    column = _column(domain, context)
    return _statistics(domain, context, f"avg({column})", f"stddev_samp({column})")


def _statistics(domain: Domain, context: Context, *aggregates: str) -> list[float | None]:
    where = considered(context.engine, domain)
    return [context.statistic(aggregate, where) for aggregate in aggregates]


def _python(make: Callable[[Values], PythonPredicate], domain: Domain, values: Values, context: Context) -> str:
    return context.python(make(values), domain["column"])


def _is_json(values: Values) -> PythonPredicate:
    def is_json(text: str) -> bool:
        try:
            json.loads(text)
        except ValueError:
            return False
        return True

    return is_json


def _matches_json_schema(values: Values) -> PythonPredicate:
    schema = values["json_schema"]

    def matches(text: str) -> bool:
        import jsonschema  # type: ignore[import-untyped]

        try:
            return bool(jsonschema.validators.validator_for(schema)(schema).is_valid(json.loads(text)))
        except ValueError:
            return False

    return matches


def _has_strftime_format(values: Values) -> PythonPredicate:
    pattern = values["strftime_format"]

    def has_format(text: str) -> bool:
        try:
            datetime.strptime(text, pattern)
        except ValueError:
            return False
        return True

    return has_format


def _pair_equal(domain: Domain, values: Values, context: Context) -> str:
    return f"{context.engine.quote(domain['column_A'])} IS NOT DISTINCT FROM {context.engine.quote(domain['column_B'])}"


def _pair_greater(domain: Domain, values: Values, context: Context) -> str:
    a, b = context.engine.quote(domain["column_A"]), context.engine.quote(domain["column_B"])
    if values.get("or_equal"):
        return f"({a} >= {b} OR {a} IS NOT DISTINCT FROM {b})"
    return f"{a} > {b}"


def _pair_in_set(domain: Domain, values: Values, context: Context) -> str:
    columns = [context.engine.quote(domain[key]) for key in ("column_A", "column_B")]
    pairs = (
        " AND ".join(
            f"{column} IS NOT DISTINCT FROM {literal(context.engine, value)}"
            for column, value in zip(columns, pair, strict=True)
        )
        for pair in values["value_pairs_set"]
    )
    return "((" + ") OR (".join(pairs) + "))"


def _sum_equal(domain: Domain, values: Values, context: Context) -> str:
    terms = (
        f"coalesce({context.engine.quote(column)}, 0)"
        if context.columns[column] == "double"
        else f"CAST(coalesce({context.engine.quote(column)}, 0) AS DECIMAL(38, 0))"
        for column in domain["column_list"]
    )
    return f"{' + '.join(terms)} = {literal(context.engine, values['sum_total'])}"


def _columns_equal(domain: Domain, values: Values, context: Context) -> str:
    first, *others = (context.engine.quote(column) for column in domain["column_list"])
    return " AND ".join(f"{first} IS NOT DISTINCT FROM {other}" for other in others)


def _columns_distinct(domain: Domain, values: Values, context: Context) -> str:
    columns = [context.engine.quote(column) for column in domain["column_list"]]
    pairs = [(a, b) for number, a in enumerate(columns) for b in columns[number + 1 :]]
    return " AND ".join(f"{a} IS DISTINCT FROM {b}" for a, b in pairs)


_CONDITIONS: dict[str, Callable[[Domain, Values, Context], str]] = {
    "column_values.nonnull": lambda domain, values, context: f"{_column(domain, context)} IS NOT NULL",
    "column_values.null": lambda domain, values, context: f"{_column(domain, context)} IS NULL",
    "column_values.between": _between,
    "column_values.in_set": _in_set,
    "column_values.not_in_set": _not_in_set,
    "column_values.value_length.between": _length_between,
    "column_values.value_length.equals": _length_equals,
    "column_values.match_regex": _match_regex,
    "column_values.match_regex_list": _match_regex_list,
    "column_values.not_match_regex": _not_match_regex,
    "column_values.not_match_regex_list": _not_match_regex_list,
    "column_values.z_score.under_threshold": _z_score,
    "column_values.not_outliers": _not_outliers,
    "column_values.json_parseable": partial(_python, _is_json),
    "column_values.match_json_schema": partial(_python, _matches_json_schema),
    "column_values.match_strftime_format": partial(_python, _has_strftime_format),
    "column_pair_values.equal": _pair_equal,
    "column_pair_values.a_greater_than_b": _pair_greater,
    "column_pair_values.in_set": _pair_in_set,
    "multicolumn_sum.equal": _sum_equal,
    "multicolumn_values.equal": _columns_equal,
    "select_column_values.unique.within_record": _columns_distinct,
}
