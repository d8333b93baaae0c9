"""From a pipeline's expectations to a Great Expectations suite, with what is wrong said before anything runs."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from featuremill.errors import UsageError
from featuremill.quality import gx
from featuremill.quality.arguments import BOUNDS, typed_arguments, value_for
from featuremill.quality.support import COLUMNS_OF_KIND, NOT_ARGUMENTS, REFUSED, SUPPORTED
from featuremill.spec.models import Expectation
from featuremill.spec.types import ColumnType

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

Columns = Mapping[str, ColumnType]

TYPE_EXPECTATIONS = frozenset(
    {
        "expect_column_type_to_be",
        "expect_column_values_to_be_in_type_list",
        "expect_column_values_to_be_of_type",
    }
)
SPARK_TYPES: dict[ColumnType, str] = {
    "boolean": "BooleanType",
    "int": "IntegerType",
    "bigint": "LongType",
    "double": "DoubleType",
    "string": "StringType",
    "date": "DateType",
    "timestamp": "TimestampType",
}
_CONDITION_PARSER = "great_expectations"


class ExpectationError(UsageError):
    """Expectations that cannot be checked as they are written; names each, its column and what to write."""


def build_suite(name: str, expectations: Sequence[Expectation], columns: Columns) -> ExpectationSuite:
    """A suite in the order of the file. `columns`: the typed table's columns and their types.

    Raises ExpectationError, which lists every expectation that cannot be checked.
    """
    module = gx.load()
    built, wrong = [], []
    for number, expectation in enumerate(expectations, 1):
        try:
            built.append(_build(expectation, columns))
        except ValueError as error:
            column = expectation.arguments.get("column")
            on = f" on {column}" if isinstance(column, str) else ""
            wrong.append(f"expectation {number}, {expectation.name}{on}: {error}")
    if wrong:
        raise ExpectationError("; ".join(wrong))
    suite: ExpectationSuite = module.ExpectationSuite(name=name)
    suite.expectations = built  # one by one, the suite refuses an expectation that is written twice
    return suite


def _build(expectation: Expectation, columns: Columns) -> Any:
    _check_name(expectation.name)
    arguments = dict(expectation.arguments)
    from great_expectations.expectations.registry import get_expectation_impl

    model = get_expectation_impl(expectation.name)
    _check_arguments(model, arguments)
    _check_columns(expectation.name, arguments, columns)
    typed = typed_arguments(expectation.name, arguments, columns)
    _check_values(expectation.name, typed)
    if typed.get("row_condition") is not None:
        typed["row_condition"] = _row_condition(typed, columns)
    typed.pop("condition_parser", None)
    return _instance(model, typed)


def _check_name(name: str) -> None:
    if name in REFUSED:
        raise ValueError(f"cannot be checked here: {REFUSED[name]}")
    if name not in SUPPORTED:
        close = difflib.get_close_matches(name, SUPPORTED, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"Great Expectations has no such expectation{hint}")


def _check_arguments(model: Any, arguments: Mapping[str, Any]) -> None:
    known = set(model.__fields__) - NOT_ARGUMENTS
    for argument, value in arguments.items():
        if argument not in known:
            close = difflib.get_close_matches(argument, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it takes {', '.join(sorted(known))}"
            raise ValueError(f"takes no argument {argument}; {hint}")
        if isinstance(value, Mapping) and "$PARAMETER" in value:
            raise ValueError(f"{argument} is a suite parameter, which nothing fills here; write the value itself")


def _check_columns(name: str, arguments: Mapping[str, Any], columns: Columns) -> None:
    if name == "expect_column_to_exist" or name.startswith("expect_table_"):
        return
    named = [arguments[key] for key in ("column", "column_A", "column_B") if isinstance(arguments.get(key), str)]
    if isinstance(arguments.get("column_list"), list):
        named += arguments["column_list"]
    allowed = COLUMNS_OF_KIND[SUPPORTED[name]]
    for column in named:
        if column not in columns:
            raise ValueError(f"the source has no column {column}; it has {', '.join(columns)}")
        if columns[column] not in allowed:
            raise ValueError(f"{column} is a {columns[column]}; this expectation takes {_enumerate(allowed)} columns")
    if len(named) > 1 and name != "expect_compound_columns_to_be_unique" and "in_set" not in name:
        kinds = {_comparable(columns[column]) for column in named}
        if len(kinds) > 1:
            said = ", ".join(f"{column} is a {columns[column]}" for column in named)
            raise ValueError(f"its columns cannot be compared with each other: {said}")


def _comparable(column_type: ColumnType) -> str:
    return "number" if column_type in COLUMNS_OF_KIND["number"] else column_type


def _enumerate(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _check_values(name: str, arguments: Mapping[str, Any]) -> None:
    if "between" in name and "quantile" not in name and all(arguments.get(bound) is None for bound in BOUNDS):
        raise ValueError("needs min_value, max_value or both")
    if name == "expect_column_pair_values_to_be_in_set" and arguments.get("row_condition") is not None:
        raise ValueError("Great Expectations ignores row_condition here; leave it out")
    for empty in ("value_set", "value_pairs_set", "regex_list", "type_list"):
        if arguments.get(empty) == []:
            raise ValueError(f"{empty} is empty, so nothing can meet it")
    if name in TYPE_EXPECTATIONS:
        for type_name in arguments.get("type_list") or [arguments.get("type_")]:
            column_type(type_name)
    if isinstance(arguments.get("quantile_ranges"), Mapping):
        _check_quantiles(arguments["quantile_ranges"])
    for regex in (*(arguments.get("regex_list") or ()), arguments.get("regex")):
        _check("regular expression", regex, re.compile)
    if "strftime_format" in arguments:
        _check("strftime_format", arguments["strftime_format"], _check_strftime)
    if "json_schema" in arguments:
        _check("json_schema", arguments["json_schema"], _check_json_schema)


def _check(what: str, value: Any, read: Callable[[Any], object]) -> None:
    try:
        _ = read(value) if value is not None else None
    except Exception as error:
        raise ValueError(f"{value!r} is not a valid {what}: {error}") from None


def _check_strftime(pattern: str) -> None:
    datetime.strptime(datetime(2001, 2, 3, 4, 5, 6).strftime(pattern), pattern)


def _check_json_schema(schema: Any) -> None:
    import jsonschema  # type: ignore[import-untyped]

    json.dumps(schema)
    jsonschema.validators.validator_for(schema).check_schema(schema)


def _check_quantiles(ranges: Mapping[str, Any]) -> None:
    quantiles, values = ranges.get("quantiles"), ranges.get("value_ranges")
    if not isinstance(quantiles, list) or not isinstance(values, list) or len(quantiles) != len(values):
        raise ValueError("quantile_ranges needs quantiles and value_ranges, two lists of the same length")
    if not all(isinstance(quantile, (int, float)) and 0 <= quantile <= 1 for quantile in quantiles):
        raise ValueError(f"quantiles lie between 0 and 1; these are {quantiles}")
    if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in values):
        raise ValueError("each of value_ranges is a pair, like [0, 10] or [null, 10]")


def column_type(name: Any) -> ColumnType:
    """A column's type from its own name (`bigint`) or Spark's (`LongType`). Raises ValueError."""
    for ours, sparks in SPARK_TYPES.items():
        if isinstance(name, str) and name.lower() in (ours, sparks.lower()):
            return ours
    raise ValueError(f"{name!r} is no type of a column; the types are {', '.join(SPARK_TYPES)}")


def _row_condition(arguments: Mapping[str, Any], columns: Columns) -> Any:
    """Great Expectations' own condition objects, their values typed as their columns."""
    from great_expectations.expectations import expectation as gx_expectation

    written, parser = arguments["row_condition"], arguments.get("condition_parser") or _CONDITION_PARSER
    if not parser.startswith(_CONDITION_PARSER):
        raise ValueError(f"condition_parser {parser!r} is one engine's own; write {_CONDITION_PARSER}, or leave it out")
    if isinstance(written, str):
        try:
            written = json.loads(gx_expectation._convert_string_to_condition(written).json())
        except Exception:
            raise ValueError(
                f'row_condition {written!r} does not read; write it like col("status") == 1, or as an object '
                "with type, column, operator and parameter"
            ) from None
    return _typed_condition(written, columns)


def _typed_condition(condition: Any, columns: Columns) -> dict[str, Any]:
    if not isinstance(condition, Mapping):
        raise ValueError(f"row_condition {condition!r} is not a condition")
    if "conditions" in condition:
        return {**condition, "conditions": [_typed_condition(part, columns) for part in condition["conditions"]]}
    column = condition.get("column")
    column = column.get("name") if isinstance(column, Mapping) else column
    if not isinstance(column, str) or column not in columns:
        raise ValueError(f"row_condition: the source has no column {column}; it has {', '.join(columns)}")
    typed = {**condition, "column": {"name": column}}
    if "parameter" in condition:
        given = condition["parameter"]
        many = isinstance(given, (list, tuple))
        values = [value_for(column, columns[column], value) for value in (given if many else [given])]
        typed["parameter"] = values if many else values[0]
    return typed


def _instance(model: Any, arguments: Mapping[str, Any]) -> Any:
    import warnings

    from great_expectations.compatibility.pydantic import ValidationError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return model(**arguments)
        except ValidationError as error:
            said = {str(part["loc"][0]): str(part["msg"]) for part in reversed(error.errors())}
            raise ValueError("; ".join(f"{field}: {message}" for field, message in sorted(said.items()))) from None
