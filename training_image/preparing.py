"""Features into the numbers a booster takes: one Preparer, for training, the endpoint, Spark and in-process prediction.

All arithmetic is float64 and in one order, the result float32; a row gives the same numbers alone or among others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training_image.artefact import Categorical, Feature, FeatureType, Numeric, Tags
from training_image.number_preparing import Floats as Floats
from training_image.number_preparing import Matrix as Matrix
from training_image.number_preparing import NumberPreparer
from training_image.row_preparing import or_nan, row_preparer

Value: TypeAlias = float | str | list[str] | None
Column: TypeAlias = Floats | pa.Array

NUMERIC_TYPES: frozenset[FeatureType] = frozenset({"boolean", "int", "bigint", "double", "date", "timestamp"})

_KINDS: dict[str, frozenset[FeatureType]] = {
    "numeric": NUMERIC_TYPES,
    "categorical": frozenset({"string"}),
    "tags": frozenset({"array<string>"}),
}


class InputError(ValueError):
    """Rows that do not fit the model: a feature that is missing, or a column of another type."""


def read_columns(features: Sequence[Feature], table: pa.Table) -> list[Column]:
    """The features' columns of an Arrow table, in the features' order, in the form `Preparer.prepare_columns` takes.

    Out: numbers (booleans as 0 and 1, dates as days, timestamps as seconds since 1970-01-01 UTC) as float64 with NaN
    for missing; texts as an Arrow string array, or a dictionary of strings; sets as an Arrow list<string> array.
    Columns that are no features are left alone. Raises InputError for a feature the table lacks, has twice or has as
    another type.
    """
    missing = [feature.name for feature in features if feature.name not in table.column_names]
    if missing:
        raise InputError(f"the data lacks the feature{'s' * (len(missing) > 1)} {', '.join(missing)}")
    return [read_column(feature.name, feature.type, _one(table, feature.name)) for feature in features]


def _one(table: pa.Table, name: str) -> pa.Array:
    if table.column_names.count(name) > 1:
        raise InputError(f"the data has the column {name} more than once")
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def read_column(name: str, kind: FeatureType, values: pa.Array) -> Column:
    """One Arrow column of a feature of type `kind` as `read_columns` gives it. Raises InputError for another type."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type) and not (kind == "string" and pa.types.is_string(values.type.value_type)):
        values = values.dictionary_decode()
    found = values.type
    if kind == "string":
        if pa.types.is_string(found) or pa.types.is_dictionary(found):
            return values
        if pa.types.is_large_string(found) or pa.types.is_string_view(found) or pa.types.is_null(found):
            return values.cast(pa.string())
    elif kind == "array<string>":
        if pa.types.is_list(found) and pa.types.is_string(found.value_type):
            return values
        if pa.types.is_null(found) or _is_text_list(found):
            return values.cast(pa.list_(pa.string()))
    else:
        numbers = _numbers(kind, values)
        if numbers is not None:
            if kind in ("int", "bigint") and pa.types.is_floating(found):
                _require_whole(name, kind, numbers)
            return numbers
    raise InputError(f"column {name} is of Arrow type {found}; the model's feature is of type {kind}")


def _is_text_list(found: pa.DataType) -> bool:
    if not (pa.types.is_list(found) or pa.types.is_large_list(found) or pa.types.is_fixed_size_list(found)):
        return False
    inner = found.value_type
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_null(inner))


def _numbers(kind: FeatureType, values: pa.Array) -> Floats | None:
    """Float64 with NaN for null; None if the Arrow type does not fit the feature's."""
    found = values.type
    divisor = 1.0
    if pa.types.is_null(found):
        return np.full(len(values), np.nan)
    if kind == "boolean" and pa.types.is_boolean(found):
        values = values.cast(pa.int8())
    elif kind == "date" and pa.types.is_date32(found):
        values = values.cast(pa.int32())
    elif kind == "timestamp" and pa.types.is_timestamp(found):
        values = values.cast(pa.timestamp("us", tz=found.tz), safe=False).cast(pa.int64())
        divisor = 1e6
    elif kind not in ("int", "bigint", "double") or not (pa.types.is_integer(found) or pa.types.is_floating(found)):
        return None
    result: Floats
    if pa.types.is_floating(found):
        # Null becomes NaN.
        result = values.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    elif values.null_count:
        nulls = values.is_null().to_numpy(zero_copy_only=False)
        result = values.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
        result[nulls] = np.nan
    else:
        result = values.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    return result if divisor == 1.0 else result / divisor


def _require_whole(name: str, kind: FeatureType, numbers: Floats) -> None:
    wrong = np.flatnonzero(~np.isnan(numbers) & (numbers != np.trunc(numbers)))
    if len(wrong):
        raise InputError(
            f"row {wrong[0] + 1}: {name} is {numbers[wrong[0]]}, not a whole number; the feature is of type {kind}"
        )


class Preparer:
    """Applies learned preparation parts to features.

    `names` are the prepared columns in order (Numeric: the feature, and `<feature> is missing` for the indicator;
    Categorical: its own columns; Tags: `<feature> has <value>` each, then `<feature> count`). `feature_of` is, for each
    prepared column, the position of its feature.
    """

    def __init__(self, features: Sequence[Feature], preparation: Sequence[Numeric | Categorical | Tags]) -> None:
        """Raises ValueError for parts that do not fit the features: unknown ones, other types, tables of odd width."""
        self.features = tuple(features)
        self.preparation = tuple(preparation)
        positions = {feature.name: position for position, feature in enumerate(self.features)}
        names: list[str] = []
        feature_of: list[int] = []
        numbers: list[tuple[int, int, Numeric]] = []
        self._others: list[tuple[int, int, Categorical | Tags]] = []
        self._rows: list[tuple[int, Callable[[Any], Sequence[float]]]] = []
        for part in self.preparation:
            position = positions.get(part.feature)
            if position is None:
                raise ValueError(f"the preparation names {part.feature!r}, which is not among the features")
            _check(part, self.features[position])
            if part.kind == "numeric":
                numbers.append((position, len(names), part))
            else:
                self._others.append((position, len(names), part))
            self._rows.append((position, row_preparer(part)))
            columns = prepared_names(part)
            names += columns
            feature_of += [position] * len(columns)
        self._numbers = NumberPreparer(numbers)
        self.names = tuple(names)
        self.feature_of = np.array(feature_of, dtype=np.intp)

    def prepare(self, table: pa.Table) -> Matrix:
        """Float32 [rows, prepared columns] of a table that has the features as columns. Raises InputError."""
        return self.prepare_columns(read_columns(self.features, table), table.num_rows)

    def prepare_columns(self, columns: Sequence[Column], rows: int) -> Matrix:
        """The same of columns as `read_columns` gives them, one a feature."""
        out: Matrix = np.empty((rows, len(self.names)), dtype=np.float32)
        self._numbers.prepare(columns, out)
        for position, start, part in self._others:
            column = columns[position]
            if part.kind == "categorical":
                out[:, start : start + len(part.columns)] = _encode(part, column)
            else:
                _prepare_tags(part, column, out[:, start : start + len(part.values) + 1])
        return out

    def prepare_row(self, values: Sequence[Value]) -> Matrix:
        """Float32 [1, prepared columns] of one row, fast. Each value: float (as in `read_columns`), str, list, None."""
        row: list[float] = []
        for position, prepare in self._rows:
            row += prepare(values[position])
        return np.array([row], dtype=np.float32)


def prepared_names(part: Numeric | Categorical | Tags) -> list[str]:
    """The prepared columns' names of a part, in their order."""
    if part.kind == "numeric":
        return [part.feature, f"{part.feature} is missing"] if part.indicator else [part.feature]
    if part.kind == "categorical":
        return list(part.columns)
    return [*(f"{part.feature} has {value}" for value in part.values), f"{part.feature} count"]


def _check(part: Numeric | Categorical | Tags, feature: Feature) -> None:
    if feature.type not in _KINDS[part.kind]:
        raise ValueError(f"feature {feature.name} is of type {feature.type}, its preparation is {part.kind}")
    if part.kind == "numeric" and (part.factor == 0 or not np.isfinite([part.offset, part.factor]).all()):
        raise ValueError(f"feature {feature.name} is scaled by offset {part.offset} and factor {part.factor}")
    if part.kind == "categorical":
        for label, numbers in [*part.table.items(), ("(unknown)", part.unknown), ("(missing)", part.missing)]:
            if len(numbers) != len(part.columns):
                raise ValueError(
                    f"feature {feature.name}: label {label} has {len(numbers)} numbers for {len(part.columns)} columns"
                )


def _encode(part: Categorical, texts: pa.Array) -> Matrix:
    """Each distinct text is looked up once, in Python; the rows take theirs by index."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    labels = encoded.dictionary.to_pylist()
    absent = or_nan(part.missing)
    table = np.array(
        [*(absent if label is None else part.table.get(label, part.unknown) for label in labels), absent],
        dtype=np.float32,
    ).reshape(len(labels) + 1, len(part.columns))
    indices = encoded.indices.cast(pa.int64()).fill_null(len(labels)).to_numpy(zero_copy_only=False)
    result: Matrix = table[indices]
    return result


def _prepare_tags(part: Tags, sets: pa.Array, out: Matrix) -> None:
    out[:] = 0.0
    values = sets.flatten()
    rows = np.repeat(np.arange(len(sets)), pc.list_value_length(sets).fill_null(0).to_numpy(zero_copy_only=False))
    if values.null_count:
        rows = rows[values.is_valid().to_numpy(zero_copy_only=False)]
        values = values.drop_null()
    encoded = values.dictionary_encode()
    labels = encoded.dictionary.to_pylist()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    # A value named twice in a set counts once.
    pairs = np.unique(rows * max(len(labels), 1) + codes)
    rows, codes = pairs // max(len(labels), 1), pairs % max(len(labels), 1)
    np.add.at(out[:, -1], rows, 1.0)
    positions = {value: position for position, value in enumerate(part.values)}
    column_of = np.array([positions.get(label, -1) for label in labels], dtype=np.int64)[codes]
    known = column_of >= 0
    out[rows[known], column_of[known]] = 1.0
