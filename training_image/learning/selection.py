"""Which prepared columns a booster gets: constant and alike ones dropped, then the best by a filter or by gain.

Decided on training rows only, on at most SAMPLE of them: the columns stay in the preparation, the head names its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from training_image.learning.errors import UserError
from training_image.parameters import SelectFeatures
from training_image.preparing import Matrix

SAMPLE = 50_000
GLANCE = 1_000
Columns = npt.NDArray[np.int64]


def select_columns(
    matrix: Matrix,
    outcome: npt.NDArray[np.float32],
    discrete: bool,
    candidates: Columns,
    select: SelectFeatures,
    gains: Callable[[Matrix, npt.NDArray[np.float32]], dict[int, float]],
    seed: int,
) -> Columns:
    """Positions of the columns that stay, ascending. `gains`: of a first booster on the columns it is given.

    Raises UserError if none stays.
    """
    columns = candidates
    if select.drop_constant:
        columns = columns[_varies(matrix, columns)]
    sample, label = _sample(matrix, outcome, seed)
    if select.drop_correlated is not None:
        columns = _drop_alike(sample, columns, select.drop_correlated)
    if select.best is not None and select.best < len(columns):
        columns = _best(_informative(sample[:, columns], label, discrete, seed), columns, select.best)
    if select.embedded is not None and select.embedded < len(columns):
        found = gains(np.ascontiguousarray(sample[:, columns]), label)
        scores = np.array([found.get(position, 0.0) for position in range(len(columns))])
        columns = _best(scores, columns, select.embedded)
    if not len(columns):
        raise UserError("No feature is left to learn from: all are constant in the training rows, or empty.")
    return columns


def _varies(matrix: Matrix, columns: Columns) -> npt.NDArray[np.bool_]:
    """A column of one value with missing ones beside it varies too."""
    found = np.zeros(len(columns), np.bool_)
    for position, column in enumerate(columns):
        # The first rows settle it for nearly every column.
        found[position] = _differs(matrix[:GLANCE, column]) or _differs(matrix[:, column])
    return found


def _differs(values: npt.NDArray[np.float32]) -> bool:
    first = values[:1]
    different = values != first
    return bool((different & ~(np.isnan(values) & np.isnan(first))).any())


def _sample(matrix: Matrix, outcome: npt.NDArray[np.float32], seed: int) -> tuple[Matrix, npt.NDArray[np.float32]]:
    if len(matrix) <= SAMPLE:
        return matrix, outcome
    rows = np.sort(np.random.default_rng(seed).choice(len(matrix), SAMPLE, replace=False))
    return matrix[rows], outcome[rows]


def _filled(matrix: Matrix) -> npt.NDArray[np.float64]:
    """Missing values at the column's mean, for what cannot do without a number."""
    plain = matrix.astype(np.float64)
    missing = np.isnan(plain)
    counts = np.maximum((~missing).sum(axis=0), 1)
    means = np.where(missing, 0.0, plain).sum(axis=0) / counts
    return np.where(missing, means, plain)


def _drop_alike(sample: Matrix, columns: Columns, limit: float) -> Columns:
    """Pearson's |r|: the later of two columns goes if it is above the limit with one that stays."""
    plain = _filled(sample[:, columns])
    plain -= plain.mean(axis=0)
    norms = np.sqrt((plain**2).sum(axis=0))
    plain /= np.where(norms > 0, norms, 1.0)
    alike = np.abs(plain.T @ plain)
    kept: list[int] = []
    for position in range(len(columns)):
        if not kept or alike[position, kept].max() <= limit:
            kept.append(position)
    return columns[kept]


def _informative(sample: Matrix, label: npt.NDArray[np.float32], discrete: bool, seed: int) -> npt.NDArray[np.float64]:
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    measure = mutual_info_classif if discrete else mutual_info_regression
    rows = slice(None) if len(sample) <= 10_000 else slice(None, None, -(-len(sample) // 10_000))
    scores: npt.NDArray[np.float64] = measure(_filled(sample[rows]), label[rows], random_state=seed % (1 << 32))
    return scores


def _best(scores: npt.NDArray[np.float64], columns: Columns, count: int) -> Columns:
    return np.sort(columns[np.argsort(-scores, kind="stable")[:count]])
