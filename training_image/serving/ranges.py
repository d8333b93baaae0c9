"""Flags: what of a row lies outside of what the model was trained on. Flagged, never refused."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training_image.artefact import Feature, FeatureType
from training_image.number_preparing import blocks
from training_image.preparing import Column, Value
from training_image.serving.errors import shown

Flag = Callable[[Any], str | None]


class Ranges:
    """Checks values against the training rows' ranges and labels."""

    def __init__(self, features: Sequence[Feature]) -> None:
        found = [(position, _flag(feature)) for position, feature in enumerate(features)]
        self._flags = [(position, flag) for position, flag in found if flag is not None]
        self._numbers = [
            position for position, _ in self._flags if features[position].type not in ("string", "array<string>")
        ]
        bounds = [_bounds(features[position]) for position in self._numbers]
        self._low, self._high = (np.array([pair[side] for pair in bounds])[:, None] for side in (0, 1))
        self._labels = {
            position: pa.array(features[position].labels or (), pa.string())
            for position, _ in self._flags
            if position not in self._numbers
        }

    def of_row(self, values: Sequence[Value]) -> list[str]:
        """Flags of one row: a sentence a feature that is out of range."""
        found = []
        for position, flag in self._flags:
            value = values[position]
            if value is not None:
                text = flag(value)
                if text is not None:
                    found.append(text)
        return found

    def of_columns(self, columns: Sequence[Column]) -> dict[int, list[str]]:
        """Flags by row, of the rows that have any."""
        found: dict[int, list[str]] = {}
        outside = self._outside(columns)
        for position, flag in self._flags:
            column = columns[position]
            rows = _unknown(column, self._labels[position]) if position in self._labels else outside.get(position, ())
            for row in rows:
                value = float(column[row]) if isinstance(column, np.ndarray) else column[row].as_py()
                text = None if value is None else flag(value)
                if text is not None:
                    found.setdefault(int(row), []).append(text)
        return found

    def _outside(self, columns: Sequence[Column]) -> dict[int, npt.NDArray[np.int64]]:
        """Rows by feature whose numbers are out of range; NaN is not. All numeric features are looked at together."""
        found: dict[int, list[npt.NDArray[np.int64]]] = {}
        for rows in blocks(len(columns[self._numbers[0]]) if self._numbers else 0):
            values = np.stack([columns[position][rows] for position in self._numbers])
            outside = (values < self._low) | (values > self._high)
            for number in np.flatnonzero(outside.any(axis=1)):
                found.setdefault(self._numbers[number], []).append(np.flatnonzero(outside[number]) + rows.start)
        return {position: np.concatenate(parts) for position, parts in found.items()}


def _bounds(feature: Feature) -> tuple[float, float]:
    low = -np.inf if feature.minimum is None else feature.minimum
    return low, np.inf if feature.maximum is None else feature.maximum


def _flag(feature: Feature) -> Flag | None:
    """What is said of a value of this feature, compiled; None where nothing is known of the training rows."""
    name, kind = feature.name, feature.type
    if kind in ("string", "array<string>"):
        if feature.labels is None:
            return None
        labels = frozenset(feature.labels)
        return _label_flag(name, labels) if kind == "string" else _labels_flag(name, labels)
    low, high = _bounds(feature)
    if low == -np.inf and high == np.inf:
        return None

    def flag(value: float) -> str | None:
        if low <= value <= high:
            return None
        side, bound = ("below", low) if value < low else ("above", high)
        return f"{name}: {written(kind, value)} is {side} the training rows' {written(kind, bound)}"

    return flag


def _label_flag(name: str, labels: frozenset[str]) -> Flag:
    return lambda value: None if value in labels else f"{name}: {shown(value)} is not among the training rows' labels"


def _labels_flag(name: str, labels: frozenset[str]) -> Flag:
    def flag(values: list[str]) -> str | None:
        unknown = [value for value in values if value is not None and value not in labels]
        if not unknown:
            return None
        listed = ", ".join(shown(value) for value in unknown[:5])
        return f"{name}: {listed} not among the training rows' labels"

    return flag


def _unknown(column: pa.Array, labels: pa.Array) -> npt.NDArray[np.int64]:
    """Rows whose text, or one of whose texts, is not among the labels: found without Python's looking at each."""
    if not pa.types.is_list(column.type):
        encoded = pa.types.is_dictionary(column.type)
        known = pc.is_in(column.dictionary if encoded else column, value_set=labels)
        if encoded:
            if known.true_count == len(known):
                return np.empty(0, np.int64)
            known = known.take(column.indices).fill_null(True)
        return np.flatnonzero(~known.to_numpy(zero_copy_only=False))
    values = column.flatten()
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    known = pc.is_in(values, value_set=labels).to_numpy(zero_copy_only=False)
    return np.unique(np.repeat(np.arange(len(column)), lengths)[~known])


def written(kind: FeatureType, value: float) -> str:
    """A number as the feature's type is written."""
    try:
        if kind == "date":
            return str(datetime.date(1970, 1, 1) + datetime.timedelta(days=value))
        if kind == "timestamp":
            return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=value)).isoformat() + "Z"
    except (OverflowError, ValueError):
        pass
    if kind == "boolean":
        return "true" if value else "false"
    return str(int(value)) if kind in ("int", "bigint") and abs(value) < 1e300 else repr(value)
