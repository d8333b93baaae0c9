"""After the booster: beta calibration, the threshold rule, the conformal interval. Learned on rows it never saw."""

from __future__ import annotations

import numpy as np

from training_image.artefact import Calibration, Conformal
from training_image.learning.targets import Floats
from training_image.parameters import Threshold

RIDGE = 1.0
MIN_OF_EACH = 5
"""With fewer rows of either outcome the booster's own probability stands."""


def fit_calibration(margins: Floats, outcome: Floats) -> Calibration:
    """Beta calibration by logistic regression on (ln s, -ln(1 - s)), s the sigmoid of the margin.

    Coefficients must not be negative, else the order of rows would turn: a negative one is set to 0 and the other
    fitted alone, as Kull et al. (AISTATS 2017) do. If both would be, nothing is changed. A ridge draws the
    coefficients to those that change nothing: it matters with few rows, whose calibration would be chance, only.
    """
    positives = outcome.sum()
    if min(positives, len(outcome) - positives) < MIN_OF_EACH:
        return Calibration()
    design = np.stack([-np.logaddexp(0.0, -margins), np.logaddexp(0.0, margins), np.ones(len(margins))], axis=1)
    for used in ((0, 1, 2), (0, 2), (1, 2)):
        found = _logistic(design[:, used], outcome)
        if found is not None and (found[:-1] >= 0).all() and found[:-1].sum() > 0:
            coefficients = np.zeros(3)
            coefficients[list(used)] = found
            return Calibration(a=float(coefficients[0]), b=float(coefficients[1]), c=float(coefficients[2]))
    return Calibration()


def _logistic(design: Floats, outcome: Floats) -> Floats | None:
    """Coefficients of a logistic regression by Newton's method, None if it does not converge."""
    prior = np.ones(design.shape[1])
    prior[-1] = 0.0
    beta = prior.copy()
    for _ in range(100):
        p = np.exp(-np.logaddexp(0.0, -(design @ beta)))
        gradient = design.T @ (p - outcome) + RIDGE * (beta - prior)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + RIDGE * np.eye(len(beta))
        step = np.linalg.solve(curvature, gradient)
        # A long step means that the curvature is nearly flat there: go part of the way.
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        beta = beta - step
        if np.abs(step).max() < 1e-10:
            return np.asarray(beta, np.float64)
    return None


def choose_threshold(probability: Floats, outcome: Floats, rule: Threshold | None) -> float:
    """0.5 without a rule; else, of the thresholds with recall at least that asked for, the one of best precision.

    Of equally precise ones the one of higher recall. Without a positive row: 0.5.
    """
    if rule is None or not outcome.any():
        return 0.5
    order = np.argsort(-probability, kind="stable")
    sorted_probability, hits = probability[order], np.cumsum(outcome[order])
    # A threshold takes in all rows of equal probability.
    last = np.append(sorted_probability[1:] != sorted_probability[:-1], True)
    ends = np.flatnonzero(last)
    recall, precision = hits[ends] / hits[-1], hits[ends] / (ends + 1)
    allowed = recall >= rule.recall_at_least
    best = max(np.flatnonzero(allowed), key=lambda i: (precision[i], recall[i]))
    return float(sorted_probability[ends[best]])


def fit_interval(residuals: Floats, coverage: float) -> Conformal:
    """The half width: the ceil((n + 1) coverage)-th smallest |outcome - prediction| of n calibration rows.

    With fewer rows than the coverage needs, the largest of them.
    """
    rows = len(residuals)
    if not rows:
        return Conformal(coverage=coverage, half_width=0.0, rows=0)
    rank = min(int(np.ceil((rows + 1) * coverage)), rows)
    return Conformal(coverage=coverage, half_width=float(np.sort(np.abs(residuals))[rank - 1]), rows=rows)
