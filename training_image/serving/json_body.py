"""application/json and application/jsonlines bodies to rows.

A row is an object with every feature by name, or a list of values in the features' order. A body of JSON is a row, a
list of rows, {"instances": [rows]} or {"features": row}; jsonlines has a row a line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from training_image.artefact import FeatureType
from training_image.preparing import Column
from training_image.serving.errors import bad, shown
from training_image.serving.fields import Field
from training_image.serving.rows import Rows, convert_column, one_row

# Columns all of whose values have these Python types need no look at each value.
_PLAIN: dict[FeatureType, frozenset[type]] = {
    "boolean": frozenset({bool, type(None)}),
    "int": frozenset({int, type(None)}),
    "bigint": frozenset({int, type(None)}),
    "double": frozenset({float, int, type(None)}),
    "string": frozenset({str, type(None)}),
}


class JsonReader:
    """Reads JSON rows of a model with these fields."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        self._names = tuple(field.name for field in fields)
        self._converters = tuple(field.from_json for field in fields)
        self._values: Callable[[dict[str, Any]], tuple[Any, ...]] = _getter(self._names)

    def read(self, body: bytes) -> Rows:
        """Rows of an application/json body. Raises RequestError 400."""
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise bad(f"the body is no JSON: {error}") from None
        return self._rows(self._unwrap(document))

    def read_lines(self, body: bytes) -> Rows:
        """Rows of an application/jsonlines body. Raises RequestError 400 naming the line."""
        rows = []
        for number, line in enumerate(body.rstrip().split(b"\n"), start=1):
            try:
                rows.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise bad(f"line {number} is no JSON: {error}") from None
        return self._rows(rows)

    def _unwrap(self, document: Any) -> list[Any]:
        if isinstance(document, dict):
            if len(document) == 1 and "instances" in document and "instances" not in self._names:
                instances = document["instances"]
                if not isinstance(instances, list):
                    raise bad(f'"instances" is {shown(instances)}; expected a list of rows')
                return instances
            return [document]
        if isinstance(document, list):
            if document and not isinstance(document[0], (dict, list)):
                return [document]
            return document
        raise bad(f"the body is {shown(document)}; expected a row or a list of rows")

    def _feature_row(self, row: Any) -> Any:
        if isinstance(row, dict) and len(row) == 1 and "features" in row and "features" not in self._names:
            return row["features"]
        return row

    def _rows(self, rows: list[Any]) -> Rows:
        values = self._alike(rows)
        if values is None:
            values = [self._row(number, self._feature_row(row)) for number, row in enumerate(rows, start=1)]
        if len(values) == 1:
            return one_row(self._fields, self._converters, values[0])
        columns = list(zip(*values, strict=True)) if values else [()] * len(self._fields)
        return Rows(len(values), columns=[_column(f, c) for f, c in zip(self._fields, columns, strict=True)])

    def _alike(self, rows: list[Any]) -> list[Sequence[Any]] | None:
        """The rows' values if all rows are right and of one kind; None: each has to be looked at."""
        width = len(self._names)
        kinds = set(map(type, rows))
        # An object of one key may wrap a row.
        if len(kinds) != 1 or width == 1 or not kinds <= {dict, list} or set(map(len, rows)) != {width}:
            return None
        if list in kinds:
            return rows
        try:
            return list(map(self._values, rows))
        except KeyError:
            return None

    def _row(self, number: int, row: Any) -> Sequence[Any]:
        if type(row) is dict:
            if len(row) == len(self._names):
                try:
                    return self._values(row)
                except KeyError:
                    pass
            raise bad(self._differing_names(number, row))
        if type(row) is not list:
            raise bad(f"row {number} is {shown(row)}; expected an object or a list")
        if len(row) != len(self._names):
            raise bad(f"row {number} has {len(row)} values, the model takes {len(self._names)}: {self._listed()}")
        return row

    def _differing_names(self, number: int, row: dict[str, Any]) -> str:
        missing = [name for name in self._names if name not in row]
        if missing:
            return f"row {number}: missing {', '.join(missing)} (write null for a value that is not known)"
        unknown = [name for name in row if name not in self._names]
        return f"row {number}: unknown {', '.join(shown(name) for name in unknown[:5])}; expected {self._listed()}"

    def _listed(self) -> str:
        return ", ".join(self._names)


def _getter(names: tuple[str, ...]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Values by name; itemgetter gives a bare value, not a tuple, for one name."""
    if len(names) == 1:
        only = names[0]
        return lambda row: (row[only],)
    return itemgetter(*names)


def _column(field: Field, values: Sequence[Any]) -> Column:
    plain = _PLAIN.get(field.type)
    if plain is not None and plain.issuperset(map(type, values)):
        if field.type == "string":
            return pa.array(values, pa.string())
        numbers = np.array(values, dtype=np.float64)
        if not np.isinf(numbers).any():
            return numbers
    return convert_column(field, field.from_json, values)
