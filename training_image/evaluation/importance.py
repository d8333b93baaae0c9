"""What the features add to the predictions, and how far the held-out rows are from the training rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xgboost

from training_image.artefact import Feature
from training_image.learning.targets import Floats
from training_image.preparing import Column, Matrix, read_columns

SHAP_ROWS = 500
DRIFT_ROWS = 100_000
BINS = 10


def spread(rows: int, most: int) -> npt.NDArray[np.int64]:
    """At most so many positions, evenly over all rows."""
    return np.arange(rows) if rows <= most else np.linspace(0, rows - 1, most).astype(np.int64)


def importances(
    booster: xgboost.Booster, matrix: Matrix, columns: npt.NDArray[np.intp], features: Sequence[str], threads: int
) -> dict[str, float]:
    """Mean |contribution| of each feature to the booster's margin over at most SHAP_ROWS rows, the greatest first.

    TreeSHAP: Lundberg et al., Nature Machine Intelligence 2020. `columns`: the feature's position by booster column. A
    feature's prepared columns are summed before the absolute value; of multiclass, classes are averaged.
    """
    rows = np.ascontiguousarray(matrix[spread(len(matrix), SHAP_ROWS)])
    data = xgboost.DMatrix(rows, missing=np.nan, nthread=threads)
    shap = np.asarray(booster.predict(data, pred_contribs=True, strict_shape=True), np.float64)
    total = np.zeros((*shap.shape[:2], len(features)))
    for position, feature in enumerate(columns):
        total[:, :, feature] += shap[:, :, position]
    mean = np.abs(total).mean(axis=(0, 1))
    order = np.argsort(-mean, kind="stable")
    return {features[index]: float(mean[index]) for index in order}


def drift(features: Sequence[Feature], training: pa.Table, held_out: pa.Table) -> dict[str, float]:
    """Population stability index of each feature, held-out against training rows, the greatest first.

    PSI = sum over bins (q - p) ln(q / p): numbers by tenths of the training rows, texts by label, missing on its own.
    Below 0.1 little has changed, above 0.25 much (Siddiqi, Credit Risk Scorecards, 2006).
    """
    tables = [table.take(pa.array(spread(table.num_rows, DRIFT_ROWS))) for table in (training, held_out)]
    before, after = (read_columns(features, table) for table in tables)
    found = {f.name: _psi(*_shares(a, b)) for f, a, b in zip(features, before, after, strict=True)}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _shares(before: Column, after: Column) -> tuple[Floats, Floats]:
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        known = before[~np.isnan(before)]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.empty(0)
        return _binned(before, edges), _binned(after, edges)
    assert not isinstance(before, np.ndarray) and not isinstance(after, np.ndarray)
    texts = [column.flatten() if pa.types.is_list(column.type) else column for column in (before, after)]
    labels = texts[0].unique().drop_null()
    counted = []
    for text in texts:
        codes = pc.index_in(text, labels).fill_null(len(labels)).to_numpy(zero_copy_only=False).astype(np.int64)
        codes[text.is_null().to_numpy(zero_copy_only=False)] = len(labels) + 1
        counted.append(np.bincount(codes, minlength=len(labels) + 2).astype(np.float64))
    return _grouped(counted[0], counted[1])


def _grouped(before: Floats, after: Floats) -> tuple[Floats, Floats]:
    """Labels rarer than 1 in 200 training rows count as one: each alone would be noise."""
    rare = before < before.sum() / 200
    return tuple(np.append(each[~rare], each[rare].sum()) for each in (before, after))  # type: ignore[return-value]


def _binned(values: Floats, edges: Floats) -> Floats:
    codes = np.searchsorted(edges, values, side="left")
    codes[np.isnan(values)] = len(edges) + 1
    return np.bincount(codes, minlength=len(edges) + 2).astype(np.float64)


def _psi(before: Floats, after: Floats) -> float:
    """Half a row is added to each bin, so that an empty one has a logarithm; bins empty on both sides do not count."""
    used = (before + after) > 0
    if not used.any():
        return 0.0
    p, q = (each[used] + 0.5 for each in (before, after))
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))
