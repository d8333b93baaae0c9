"""Metrics of predictions, for comparing two models on the same rows.

The training program measures its own model; these are for the live and the new model side by side, computed the same
way for both. Definitions are those of the field: ROC AUC as the Mann-Whitney statistic with ties counted half, average
precision without interpolation, natural logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featuremill.errors import DataError

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_TINY = 1e-15
_ECE_GROUPS = 10
_PSI_BINS = 10
_PSI_FLOOR = 1e-4


@dataclass(frozen=True)
class Predictions:
    """What a model puts out: the columns of its task, and its classes in the order of `probabilities`.

    binary: `predicted_label`, `probability` (of classes[1]). multiclass: `predicted_label`, `probabilities`.
    regression: `predicted_label`. one_vs_rest: `labels`, `probabilities`, `predicted_label`, lists.
    """

    table: pa.Table
    classes: tuple[Any, ...] = ()


def measure(task: str, labels: pa.ChunkedArray, predictions: Predictions) -> dict[str, float]:
    """The metrics of a task by name, on the rows whose label is known. A metric that has no value there is NaN.

    Raises DataError if rows and predictions differ in number or no label is known.
    """
    if len(labels) != predictions.table.num_rows:
        raise DataError(f"{len(labels)} rows but {predictions.table.num_rows} predictions; they must belong together")
    known = np.asarray(labels.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    if not known.any():
        raise DataError("no row has a label to measure against")
    table = predictions.table.filter(pa.array(known))
    kept = labels.filter(pa.array(known))
    if task == "binary":
        return _binary(kept.to_pylist(), table, predictions.classes)
    if task == "multiclass":
        return _multiclass(kept.to_pylist(), table, predictions.classes)
    if task == "regression":
        return _regression(_numbers(kept), _numbers(table.column("predicted_label")))
    return _one_vs_rest(kept.to_pylist(), table)


def _binary(labels: list[Any], table: pa.Table, classes: tuple[Any, ...]) -> dict[str, float]:
    positive = classes[1] if len(classes) == 2 else 1
    outcome = np.fromiter((label == positive for label in labels), bool, len(labels))
    predicted = np.fromiter((label == positive for label in table.column("predicted_label").to_pylist()), bool)
    return _of_outcome(outcome, _numbers(table.column("probability")), predicted)


def _of_outcome(outcome: Flags, probability: Numbers, predicted: Flags) -> dict[str, float]:
    hits = int(np.sum(outcome & predicted))
    precision = hits / int(predicted.sum()) if predicted.any() else 0.0
    recall = hits / int(outcome.sum()) if outcome.any() else float("nan")
    return {
        "auc": roc_auc(outcome, probability),
        "pr_auc": average_precision(outcome, probability),
        "logloss": float(-np.mean(np.log(np.clip(np.where(outcome, probability, 1 - probability), _TINY, 1)))),
        "brier": float(np.mean((probability - outcome) ** 2)),
        "accuracy": float(np.mean(outcome == predicted)),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        "ece": expected_calibration_error(outcome, probability),
    }


def _multiclass(labels: list[Any], table: pa.Table, classes: tuple[Any, ...]) -> dict[str, float]:
    probabilities = np.array(table.column("probabilities").to_pylist(), dtype=np.float64)
    place = {value: index for index, value in enumerate(classes)}
    index = np.fromiter((place.get(label, -1) for label in labels), np.int64, len(labels))
    # A label that the model does not know has probability 0 with it.
    own = np.where(index >= 0, probabilities[np.arange(len(index)), np.maximum(index, 0)], 0.0)
    predicted = table.column("predicted_label").to_pylist()
    right = np.fromiter((one == other for one, other in zip(labels, predicted, strict=True)), bool, len(labels))
    areas = [roc_auc(index == one, probabilities[:, one]) for one in range(len(classes))]
    defined = [area for area in areas if not np.isnan(area)]
    return {
        "auc": float(np.mean(defined)) if defined else float("nan"),
        "accuracy": float(np.mean(right)),
        "logloss": float(-np.mean(np.log(np.clip(own, _TINY, 1)))),
        "ece": expected_calibration_error(right, probabilities.max(axis=1)),
    }


def _regression(actual: Numbers, predicted: Numbers) -> dict[str, float]:
    error = predicted - actual
    spread = float(np.sum((actual - actual.mean()) ** 2))
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "r2": 1 - float(np.sum(error**2)) / spread if spread else float("nan"),
    }


def _one_vs_rest(labels: list[Any], table: pa.Table) -> dict[str, float]:
    """The mean over the label values that occur on these rows, and do not occur on all of them."""
    probabilities = _by_value(table)
    holds = [set(label) for label in labels]
    chosen = [set(row or ()) for row in table.column("predicted_label").to_pylist()]
    measured = []
    for value, (rows, probability) in probabilities.items():
        outcome = np.fromiter((value in holds[row] for row in rows), bool, len(rows))
        if outcome.any() and not outcome.all():
            predicted = np.fromiter((value in chosen[row] for row in rows), bool, len(rows))
            measured.append(_of_outcome(outcome, probability, predicted))
    names = measured[0] if measured else {}
    return {name: float(np.mean([one[name] for one in measured])) for name in names}


def _by_value(table: pa.Table) -> dict[str, tuple[list[int], Numbers]]:
    """Label value -> the rows for which it was answered, and its probabilities there."""
    collected: dict[str, tuple[list[int], list[float]]] = {}
    pairs = zip(table.column("labels").to_pylist(), table.column("probabilities").to_pylist(), strict=True)
    for row, (values, numbers) in enumerate(pairs):
        for value, number in zip(values or (), numbers or (), strict=True):
            rows, found = collected.setdefault(value, ([], []))
            rows.append(row)
            found.append(number)
    return {value: (rows, np.array(found)) for value, (rows, found) in sorted(collected.items())}


def roc_auc(outcome: Flags, score: Numbers) -> float:
    """The chance that a positive row scores above a negative one, ties counted half; NaN if one kind is missing."""
    positives = int(outcome.sum())
    negatives = len(outcome) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[place]
    return float((ranks[outcome].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(outcome: Flags, score: Numbers) -> float:
    """Sum of precision times gain in recall over the thresholds; NaN without a positive row."""
    positives = int(outcome.sum())
    if not positives:
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(outcome[order])
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    taken = np.arange(1, len(order) + 1)[last_of_tie]
    found = hits[last_of_tie]
    return float(np.sum(np.diff(found, prepend=0) / positives * found / taken))


def expected_calibration_error(outcome: Flags, probability: Numbers) -> float:
    """Mean |share of positives - mean probability| over ten groups of equally many rows, weighed by their rows."""
    gap = (outcome - probability)[np.argsort(probability, kind="stable")]
    return float(sum(abs(group.sum()) for group in np.array_split(gap, _ECE_GROUPS)) / len(gap))


def prediction_psi(task: str, old: Predictions, new: Predictions) -> float:
    """Population stability index between two models' predictions for the same rows.

    Probabilities and numbers in ten bins of equal frequency by the old model; classes as they are predicted.
    PSI = sum of (n - o) ln(n / o) over the bins' shares, none taken as less than 0.0001.
    """
    if task == "multiclass":
        sides = [np.array([str(v) for v in side.table.column("predicted_label").to_pylist()]) for side in (old, new)]
        values = sorted({*sides[0].tolist(), *sides[1].tolist()})
        shares = [np.array([float(np.mean(side == value)) for value in values]) for side in sides]
        return psi(shares[0], shares[1])
    before, after = (_predicted_numbers(task, side.table) for side in (old, new))
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _PSI_BINS + 1)[1:-1]))
    counts = [
        np.bincount(np.searchsorted(edges, side, side="right"), minlength=len(edges) + 1) for side in (before, after)
    ]
    return psi(counts[0] / len(before), counts[1] / len(after))


def psi(expected: Numbers, actual: Numbers) -> float:
    """Population stability index of two lists of shares."""
    one, other = np.maximum(expected, _PSI_FLOOR), np.maximum(actual, _PSI_FLOOR)
    return float(np.sum((other - one) * np.log(other / one)))


def _predicted_numbers(task: str, table: pa.Table) -> Numbers:
    if task == "regression":
        return _numbers(table.column("predicted_label"))
    if task == "binary":
        return _numbers(table.column("probability"))
    return np.concatenate([numbers for _, numbers in _by_value(table).values()])


def _numbers(column: pa.ChunkedArray) -> Numbers:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
