"""Two models that any other must beat: the most frequent answer, and a linear one on the same prepared columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training_image.evaluation.judging import Judged
from training_image.evaluation.metrics import metrics_of
from training_image.learning.targets import Floats
from training_image.parameters import Task
from training_image.preparing import Matrix

MAX_ROWS = 100_000
MAJORITY, LOGISTIC = "majority", "logistic"


def baselines(
    task: Task, parts: Sequence[tuple[Matrix, Floats, Matrix, Floats]], classes: int, seed: int
) -> dict[str, dict[str, float]]:
    """Metrics of both, by name. `parts`: (training rows, labels, judged rows, labels), several for folds.

    majority: the classes' shares (regression: the mean). logistic: logistic regression (regression: ridge).
    """
    linear, constant = [], []
    # One constant for all folds: shares that differ by fold would rank the rows, against the label.
    every_label = np.concatenate([label for _, label, _, _ in parts])
    for matrix, label, judged_matrix, outcome in parts:
        rows = _sample(len(label), seed)
        linear.append(_linear(task, matrix[rows], label[rows], judged_matrix, outcome, classes))
        constant.append(_constant(task, every_label, outcome, classes))
    return {
        MAJORITY: metrics_of(task, _joined(constant), classes),
        LOGISTIC: metrics_of(task, _joined(linear), classes),
    }


def _sample(rows: int, seed: int) -> npt.NDArray[np.int64]:
    if rows <= MAX_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, MAX_ROWS, replace=False))


def _linear(task: Task, matrix: Matrix, label: Floats, judged: Matrix, outcome: Floats, classes: int) -> Judged:
    """On columns filled with their median and scaled to deviation 1, outliers cut at 10 deviations."""
    if task != "regression" and len(np.unique(label)) < 2:
        return _constant(task, label, outcome, classes)
    from sklearn.linear_model import LogisticRegression, Ridge

    middle = _medians(matrix)
    filled = np.where(np.isnan(matrix), middle, matrix).astype(np.float64)
    mean, deviation = filled.mean(axis=0), filled.std(axis=0)
    deviation[deviation == 0] = 1.0

    def scaled(rows: npt.NDArray[Any]) -> Floats:
        plain = np.where(np.isnan(rows), middle, rows).astype(np.float64)
        return np.asarray(np.clip((plain - mean) / deviation, -10.0, 10.0), np.float64)

    design = scaled(matrix)
    if task == "regression":
        model = Ridge().fit(design, label)
        return _numbers(np.asarray(model.predict(scaled(judged)), np.float64), outcome)
    classifier = LogisticRegression(max_iter=200, tol=1e-3).fit(design, label)
    found = np.zeros((len(outcome), classes))
    found[:, classifier.classes_.astype(np.int64)] = classifier.predict_proba(scaled(judged))
    return _probabilities(task, found, outcome)


def _medians(matrix: Matrix) -> Floats:
    middle = np.zeros(matrix.shape[1])
    for column in range(matrix.shape[1]):
        known = matrix[:, column][~np.isnan(matrix[:, column])]
        middle[column] = np.median(known) if len(known) else 0.0
    return middle


def _constant(task: Task, label: Floats, outcome: Floats, classes: int) -> Judged:
    if task == "regression":
        return _numbers(np.full(len(outcome), label.mean()), outcome)
    shares = np.bincount(label.astype(np.int64), minlength=classes) / len(label)
    return _probabilities(task, np.tile(shares, (len(outcome), 1)), outcome)


def _probabilities(task: Task, found: Floats, outcome: Floats) -> Judged:
    predicted = found.argmax(axis=1)
    top = found[np.arange(len(found)), predicted]
    if task == "multiclass":
        return Judged(outcome, predicted.astype(np.float64), top, found, top, top)
    return Judged(outcome, predicted.astype(np.float64), found[:, 1], None, found[:, 1], found[:, 1])


def _numbers(predicted: Floats, outcome: Floats) -> Judged:
    return Judged(outcome, predicted, None, None, predicted, predicted)


def _joined(parts: Sequence[Judged]) -> Judged:
    def join(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)

    names = ("outcome", "predicted", "probability", "probabilities", "lower", "upper")
    return Judged(**{name: join(name) for name in names})
