"""The preparation of all numeric features together: a few NumPy calls for a block of rows, not a few a feature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from training_image.artefact import Numeric
from training_image.row_preparing import LARGEST

Floats: TypeAlias = npt.NDArray[np.float64]
Matrix: TypeAlias = npt.NDArray[np.float32]

BLOCK = 4096
"""Rows worked on at once: the numbers of some tens of features stay in the processor's cache."""


def blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, BLOCK):
        yield slice(start, min(start + BLOCK, rows))


class NumberPreparer:
    """Numeric parts as arrays: clip, impute, scale, in this order, element by element."""

    def __init__(self, parts: Sequence[tuple[int, int, Numeric]]) -> None:
        """`parts`: with the position of the feature and the first prepared column, which is before the indicator's."""
        numeric = [part for _, _, part in parts]
        self._positions = [position for position, _, _ in parts]
        bounds = [part.clip or (-np.inf, np.inf) for part in numeric]
        self._clip = _columns(bounds) if any(part.clip is not None for part in numeric) else None
        fills = [np.nan if part.fill is None else part.fill for part in numeric]
        self._fill = (
            _columns([(fill,) for fill in fills])[0] if any(part.fill is not None for part in numeric) else None
        )
        scales = [(part.offset, part.factor) for part in numeric]
        self._scale = _columns(scales) if any(scale != (0.0, 1.0) for scale in scales) else None
        self._indicated = [number for number, part in enumerate(numeric) if part.indicator]
        self._values: list[int] = []
        self._indicators: list[int] = []
        self._runs: list[tuple[int, int, int]] = []
        self._width = 0
        for _, start, part in parts:
            self._values.append(self._width)
            if part.indicator:
                self._indicators.append(self._width + 1)
            self._add_run(start, 2 if part.indicator else 1)

    def _add_run(self, start: int, width: int) -> None:
        """Prepared columns side by side are written at once: (first of the block, first of the matrix, how many)."""
        if self._runs and self._runs[-1][1] + self._runs[-1][2] == start:
            first, matrix, count = self._runs.pop()
            self._runs.append((first, matrix, count + width))
        else:
            self._runs.append((self._width, start, width))
        self._width += width

    def prepare(self, columns: Sequence[Floats], out: Matrix) -> None:
        """Fills the parts' columns of `out`, float32 [rows, prepared columns]. `columns`: one a feature."""
        if not self._positions:
            return
        for rows in blocks(len(out)):
            block = self._block(np.stack([columns[position][rows] for position in self._positions]))
            for first, start, count in self._runs:
                out[rows, start : start + count] = block[first : first + count].T

    def _block(self, values: Floats) -> npt.NDArray[np.float32] | Floats:
        """[features, rows] to [prepared columns, rows]."""
        missing = np.isnan(values)
        if self._clip is not None:
            np.clip(values, *self._clip, out=values)
        if self._fill is not None:
            np.copyto(values, self._fill, where=missing)
        if self._scale is not None:
            offset, factor = self._scale
            values -= offset
            values /= factor
        # XGBoost refuses infinity, and float64 beyond float32's range would become that.
        np.clip(values, -LARGEST, LARGEST, out=values)
        if not self._indicated:
            return values
        block = np.empty((self._width, values.shape[1]), dtype=np.float32)
        block[self._values] = values
        block[self._indicators] = missing[self._indicated]
        return block


def _columns(pairs: Sequence[tuple[float, ...]]) -> tuple[Floats, ...]:
    """Tuples of numbers, one a feature, as arrays [features, 1]."""
    return tuple(np.array(each, dtype=np.float64)[:, None] for each in zip(*pairs, strict=True))
