"""Metrics of judged rows. A metric that the rows do not allow (AUC of one class) is left out."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sk

from training_image.evaluation.judging import Judged
from training_image.learning.targets import Floats
from training_image.parameters import Task

BINS = 10


def metrics_of(task: Task, judged: Judged, classes: int = 2) -> dict[str, float]:
    """binary: auc, pr_auc, logloss, brier, ece, accuracy, precision, recall, f1 (at the threshold); multiclass: auc
    (one vs rest, macro), accuracy, logloss, ece; regression: rmse, mae, r2, in the label's unit.
    """
    if not len(judged.outcome):
        return {}
    if task == "regression":
        found = _regression(judged)
    elif task == "multiclass":
        found = _multiclass(judged, classes)
    else:
        found = _binary(judged)
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _binary(judged: Judged) -> dict[str, float]:
    outcome, predicted = judged.outcome, judged.predicted
    assert judged.probability is not None
    probability = judged.probability
    hits = float((outcome * predicted).sum())
    precision = hits / predicted.sum() if predicted.any() else 0.0
    found = {
        "logloss": sk.log_loss(outcome, probability, labels=[0, 1]),
        "brier": float(np.mean((probability - outcome) ** 2)),
        "ece": expected_calibration_error(probability, outcome),
        "accuracy": float(np.mean(outcome == predicted)),
        "precision": precision,
    }
    if outcome.any():
        recall = hits / outcome.sum()
        found |= {"recall": recall, "f1": 2 * hits / (predicted.sum() + outcome.sum())}
    if 0 < outcome.sum() < len(outcome):
        found["auc"] = sk.roc_auc_score(outcome, probability)
        found["pr_auc"] = sk.average_precision_score(outcome, probability)
    return found


def _multiclass(judged: Judged, classes: int) -> dict[str, float]:
    assert judged.probabilities is not None and judged.probability is not None
    right = (judged.predicted == judged.outcome).astype(np.float64)
    every = range(classes)
    shares = [sk.roc_auc_score(judged.outcome == each, judged.probabilities[:, each])
              for each in every if 0 < (judged.outcome == each).sum() < len(right)]  # fmt: skip
    chosen = judged.probabilities[np.arange(len(right)), judged.outcome.astype(np.int64)]
    return {
        "auc": float(np.mean(shares)) if shares else np.nan,
        "accuracy": float(right.mean()),
        "logloss": float(-np.log(np.maximum(chosen, np.finfo(np.float64).eps)).mean()),
        "ece": expected_calibration_error(judged.probability, right),
    }


def _regression(judged: Judged) -> dict[str, float]:
    error = judged.predicted - judged.outcome
    spread = float(np.sum((judged.outcome - judged.outcome.mean()) ** 2))
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "r2": 1.0 - float(np.sum(error**2)) / spread if spread > 0 else np.nan,
    }


def expected_calibration_error(probability: Floats, outcome: Floats) -> float:
    """Mean |share that came - mean probability| over BINS groups of equally many rows, weighted by their rows.

    Naeini, Cooper, Hauskrecht: Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015.
    """
    means, shares, counts = reliability(probability, outcome)
    return float(np.sum(counts * np.abs(means - shares)) / counts.sum())


def reliability(probability: Floats, outcome: Floats, bins: int = BINS) -> tuple[Floats, Floats, Floats]:
    """By groups of about equally many rows, in order: mean probability, share that came, rows."""
    order = np.argsort(probability, kind="stable")
    groups = [group for group in np.array_split(order, min(bins, len(order))) if len(group)]
    means = np.array([probability[group].mean() for group in groups])
    shares = np.array([outcome[group].mean() for group in groups])
    return means, shares, np.array([float(len(group)) for group in groups])
