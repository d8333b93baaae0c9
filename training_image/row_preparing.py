"""The preparation of one row, compiled to a closure a part: no Arrow, no NumPy. Gives the same bits as that of many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from training_image.artefact import Categorical, Numeric, Tags

LARGEST = float(np.finfo(np.float32).max)


def row_preparer(part: Numeric | Categorical | Tags) -> Callable[[Any], Sequence[float]]:
    """The prepared numbers of one value: float (NaN or None for missing), str, list of str, None."""
    if part.kind == "numeric":
        return _numeric_row(part)
    if part.kind == "categorical":
        return _categorical_row(part)
    return _tags_row(part)


def or_nan(numbers: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(np.nan if number is None else number for number in numbers)


def _numeric_row(part: Numeric) -> Callable[[float | None], Sequence[float]]:
    low, high = part.clip if part.clip is not None else (-np.inf, np.inf)
    offset, factor, indicator = part.offset, part.factor, part.indicator

    def number(value: float) -> float:
        value = (min(max(value, low), high) - offset) / factor
        return min(max(value, -LARGEST), LARGEST)

    # `fill` is not clipped.
    filled = np.nan if part.fill is None else min(max((part.fill - offset) / factor, -LARGEST), LARGEST)
    absent = (filled, 1.0) if indicator else (filled,)

    def prepare(value: float | None) -> Sequence[float]:
        if value is None or value != value:
            return absent
        return (number(value), 0.0) if indicator else (number(value),)

    return prepare


def _categorical_row(part: Categorical) -> Callable[[str | None], Sequence[float]]:
    table, unknown, absent = part.table, part.unknown, or_nan(part.missing)

    def prepare(value: str | None) -> Sequence[float]:
        return absent if value is None else table.get(value, unknown)

    return prepare


def _tags_row(part: Tags) -> Callable[[list[str] | None], Sequence[float]]:
    positions = {value: position for position, value in enumerate(part.values)}
    width = len(part.values) + 1

    def prepare(value: list[str] | None) -> Sequence[float]:
        row = [0.0] * width
        if value:
            distinct = set(value)
            row[-1] = float(len(distinct))
            for label in distinct:
                position = positions.get(label)
                if position is not None:
                    row[position] = 1.0
        return row

    return prepare
