"""Expectations are Great Expectations' own, with their own arguments, about columns that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from featuremill.spec.expectation_catalogue import KnownExpectation, expectation_catalogue, json_type
from featuremill.spec.models import Expectation
from featuremill.spec.positions import YamlPath
from featuremill.spec.problems import Problem, a, closest, did_you_mean, listing
from featuremill.spec.rules.check import Check

_COLUMN = ("column", "column_A", "column_B")
_COLUMNS = ("column_list", "column_set")
_BOUNDS = ("min_value", "max_value")
_NOT_EMPTY = ("value_set", "value_pairs_set", "regex_list", "type_list", "column_list")
_BOUNDS_ARE_VALUES = frozenset(
    {"expect_column_values_to_be_between", "expect_column_max_to_be_between", "expect_column_min_to_be_between"}
)
"""Bounds of these are values of the column; of others they are counts, shares or statistics."""

_WORDS = {
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "object": "a mapping",
    "null": "empty",
}


def _expectations(check: Check) -> Iterator[tuple[YamlPath, str, Expectation, KnownExpectation]]:
    """(path of the arguments, source, expectation, what is known of it) of every expectation that is known."""
    known = expectation_catalogue().expectations
    for name, source in check.pipeline.sources.items():
        for index, expectation in enumerate(source.expect):
            path: YamlPath = ("sources", name, "expect", index)
            if expectation.name in known and not check.is_mended(*path):
                yield _arguments_path(check, path, expectation.name), name, expectation, known[expectation.name]


def _arguments_path(check: Check, path: YamlPath, name: str) -> YamlPath:
    """An expectation is written with its name as the key, or with `name` and `arguments`."""
    return next((full for key in (name, "arguments") if (full := (*path, key)) in check.document.values), path)


def expectations_are_known(check: Check) -> Iterator[Problem]:
    """The name is one of Great Expectations', and one that both engines can answer."""
    catalogue = expectation_catalogue()
    for source_name, source in check.pipeline.sources.items():
        for index, expectation in enumerate(source.expect):
            path: YamlPath = ("sources", source_name, "expect", index)
            name = expectation.name
            if name in catalogue.expectations or check.is_mended(*path):
                continue
            place = (*path, name) if (*path, name) in check.document.values else (*path, "name")
            if name in catalogue.refused:
                message = f"`{name}` cannot be checked here"
                yield check.document.problem(place, message, catalogue.refused[name], at_key=True)
            else:
                message = f"Great Expectations {catalogue.version} has no `{name}`"
                yield check.document.problem(place, message, did_you_mean(name, catalogue.expectations), at_key=True)


def expectation_arguments_fit(check: Check) -> Iterator[Problem]:
    """Arguments are known, of the right type, and those that are needed are there."""
    for path, _, expectation, known in _expectations(check):
        for argument, value in expectation.arguments.items():
            if argument not in known.arguments:
                message = f"`{expectation.name}` takes no `{argument}`"
                suggestion = did_you_mean(argument, known.arguments) or f"it takes {listing(known.arguments, most=20)}"
                yield check.document.problem((*path, argument), message, suggestion, at_key=True)
            elif not known.arguments[argument].takes(value):
                wanted = " or ".join(_WORDS[kind] for kind in known.arguments[argument].types if kind != "null")
                message = f"`{argument}` should be {wanted}, not {_WORDS[json_type(value)]}"
                yield check.document.problem((*path, argument), message)
            elif argument == "mostly" and not 0 <= value <= 1:
                yield check.document.problem((*path, argument), f"`mostly` is a share from 0 to 1, not {value}")
            elif argument in _NOT_EMPTY and value == []:
                yield check.document.problem((*path, argument), f"`{argument}` is empty, so nothing can meet it")
        meant = {closest(given, known.arguments) for given in _unknown(expectation, known)}
        for argument, what in known.arguments.items():
            if what.required and argument not in expectation.arguments and argument not in meant:
                yield check.document.problem(path, f"`{expectation.name}` needs `{argument}`", at_key=True)


def _unknown(expectation: Expectation, known: KnownExpectation) -> list[str]:
    return [argument for argument in expectation.arguments if argument not in known.arguments]


def expectations_are_about_columns(check: Check) -> Iterator[Problem]:
    """The columns are in the source's typed table; derived ones are not stored, and cannot be checked."""
    for path, source, expectation, _ in _expectations(check):
        for place, column in _named_columns(path, expectation):
            if column in check.columns(source) or check.is_open(source) or check.is_lost(column):
                continue
            if column in check.pipeline.sources[source].derive:
                message = f"`{column}` is derived, and expectations check the columns of the file"
                yield check.document.problem(place, message)
            else:
                message = f"unknown column `{column}`"
                yield check.document.problem(place, message, did_you_mean(column, check.columns(source)))


def _named_columns(path: YamlPath, expectation: Expectation) -> Iterator[tuple[YamlPath, str]]:
    for argument, value in expectation.arguments.items():
        if argument in _COLUMN and isinstance(value, str):
            yield (*path, argument), value
        elif argument in _COLUMNS and isinstance(value, list):
            for index, column in enumerate(value):
                if isinstance(column, str):
                    yield (*path, argument, index), column


def expectation_values_fit(check: Check) -> Iterator[Problem]:
    """Bounds are there and in order, values are of their column's type, patterns can be read."""
    for path, source, expectation, known in _expectations(check):
        arguments = expectation.arguments
        if set(_BOUNDS) <= set(known.arguments) and not _unknown(expectation, known):
            yield from _bounds(check, path, arguments)
        column = arguments.get("column")
        kind = check.type_of(source, column) if isinstance(column, str) else None
        for place, value in _values(path, expectation):
            is_single = json_type(value) in ("string", "number", "boolean")
            if kind is not None and is_single and not _is_of(kind, value):
                message = f"{value!r} is no value of `{column}`, which is {a(kind)}"
                yield check.document.problem(place, message, _HINTS.get(kind))
        for place, pattern in _regexes(path, arguments):
            try:
                re.compile(pattern)
            except (re.error, RecursionError, OverflowError) as error:
                yield check.document.problem(place, f"the regular expression {pattern!r} does not read: {error}")


_HINTS = {
    "date": "write it like 2024-01-31",
    "timestamp": "write it like 2024-01-31T12:00:00, in UTC",
    "string": "put it in quotes",
    "boolean": "it is true or false",
}


def _bounds(check: Check, path: YamlPath, arguments: dict[str, Any]) -> Iterator[Problem]:
    low, high = (arguments.get(bound) for bound in _BOUNDS)
    if low is None and high is None:
        yield check.document.problem(path, "it needs `min_value`, `max_value` or both", at_key=True)
    comparable = json_type(low) == json_type(high) and json_type(low) in ("number", "string")
    if comparable and low > high:  # type: ignore[operator]
        message = f"min_value {low} is greater than max_value {high}, so nothing can meet it"
        yield check.document.problem((*path, "min_value"), message)


def _values(path: YamlPath, expectation: Expectation) -> Iterator[tuple[YamlPath, Any]]:
    """The arguments that are values of the column."""
    for argument, value in expectation.arguments.items():
        if argument == "value_set" and isinstance(value, list):
            for index, item in enumerate(value):
                yield (*path, argument, index), item
        elif argument in _BOUNDS and expectation.name in _BOUNDS_ARE_VALUES:
            yield (*path, argument), value


def _is_of(kind: str, value: Any) -> bool:
    if kind in ("date", "timestamp"):
        try:
            moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        except ValueError:
            moment = None
        return moment is not None
    wanted = {"string": "string", "boolean": "boolean"}.get(kind, "number")
    return json_type(value) == wanted


def _regexes(path: YamlPath, arguments: dict[str, Any]) -> Iterator[tuple[YamlPath, str]]:
    if isinstance(arguments.get("regex"), str):
        yield (*path, "regex"), arguments["regex"]
    listed = arguments.get("regex_list")
    for index, pattern in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(pattern, str):
            yield (*path, "regex_list", index), pattern


RULES = (
    expectations_are_known,
    expectation_arguments_fit,
    expectations_are_about_columns,
    expectation_values_fit,
)
