"""Rows of a request: read from a body, checked, as columns for the Preparer (or one row, the fast way)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from training_image.preparing import Column, Value
from training_image.serving.errors import RequestError, bad, shown
from training_image.serving.fields import Converter, Field


@dataclass(frozen=True, slots=True)
class Rows:
    """Checked rows: `single` is one row's values, otherwise `columns` has a column a field, of `count` rows."""

    count: int
    single: Sequence[Value] | None = None
    columns: Sequence[Column] = ()


def wrong_value(row: int, field: Field, value: object, expected: object) -> RequestError:
    return bad(f"row {row}: {field.name} is {shown(value)}; expected {expected}")


def missing_value(row: int, field: Field) -> RequestError:
    return bad(f"row {row}: {field.name} is missing: it says for which values to answer")


def one_row(fields: Sequence[Field], converters: Sequence[Converter], values: Sequence[object]) -> Rows:
    """A single row of raw values, one a field. Raises RequestError for a value of the wrong type."""
    converted: list[Value] = []
    for convert, value in zip(converters, values, strict=True):
        try:
            converted.append(convert(value))
        except ValueError as error:
            raise wrong_value(1, fields[len(converted)], value, error) from None
    for position, field in enumerate(fields):
        if field.required and converted[position] is None:
            raise missing_value(1, field)
    return Rows(1, single=converted)


def convert_column(field: Field, convert: Converter, values: Sequence[object], first: int = 1) -> Column:
    """A column of raw values. Raises RequestError naming the row (the first is `first`), column and value at fault."""
    converted: list[Value] = []
    try:
        for value in values:
            converted.append(convert(value))
    except ValueError as error:
        row = len(converted)
        raise wrong_value(first + row, field, values[row], error) from None
    return column_of(field, converted)


def column_of(field: Field, values: Sequence[Value]) -> Column:
    """Converted values as the Preparer takes them."""
    if field.type == "string":
        return pa.array(values, pa.string())
    if field.type == "array<string>":
        if field.required:
            for row, value in enumerate(values):
                if value is None:
                    raise missing_value(row + 1, field)
        return pa.array(values, pa.list_(pa.string()))
    return np.array(values, dtype=np.float64)
