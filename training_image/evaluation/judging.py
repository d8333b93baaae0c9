"""A head's last steps learned on some held-out rows and judged on others.

Outputs are the booster's: margins [n] of binary, [n, classes] of multiclass, the predicted number of regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xgboost

from training_image.artefact import Calibration, Conformal
from training_image.learning.calibration import choose_threshold, fit_calibration, fit_interval
from training_image.learning.targets import Bools, Floats
from training_image.parameters import Hyperparameters, Task
from training_image.prediction import calibrate, interval, softmax
from training_image.preparing import Matrix


@dataclass(frozen=True)
class LastSteps:
    """What follows the booster. Threshold None: multiclass, regression."""

    calibration: Calibration
    threshold: float | None
    interval: Conformal


@dataclass(frozen=True)
class Judged:
    """Predictions of n rows beside what came: `outcome` and `predicted` are class positions (regression: numbers).

    `probability`: of the positive class, or of the predicted one of multiclass; None for regression. `probabilities`
    [n, classes]: multiclass only. `covered`: whether the outcome lay in the interval.
    """

    outcome: Floats
    predicted: Floats
    probability: Floats | None
    probabilities: Floats | None
    lower: Floats
    upper: Floats

    @property
    def covered(self) -> Bools:
        truth = self.outcome
        if self.probabilities is not None:
            truth = (self.predicted == self.outcome).astype(np.float64)
        return np.asarray((self.lower <= truth) & (truth <= self.upper), np.bool_)


def outputs(booster: xgboost.Booster, matrix: Matrix, task: Task) -> Floats:
    """The booster's outputs for prepared rows of its own columns."""
    kind = "value" if task == "regression" else "margin"
    if not len(matrix):
        one = outputs(booster, np.full((1, matrix.shape[1]), np.nan, np.float32), task)
        return one[:0]
    found = booster.inplace_predict(matrix, predict_type=kind, missing=np.nan, validate_features=False)
    return np.asarray(found, np.float64)


def learn_last_steps(task: Task, output: Floats, outcome: Floats, parameters: Hyperparameters) -> LastSteps:
    """From held-out rows that the booster did not learn from."""
    coverage = parameters.interval.coverage
    if task == "regression":
        return LastSteps(Calibration(), None, fit_interval(outcome - output, coverage))
    if task == "multiclass":
        probabilities = softmax(output)
        right = probabilities.argmax(axis=1) == outcome
        return LastSteps(Calibration(), None, fit_interval(right - probabilities.max(axis=1), coverage))
    calibration = fit_calibration(output, outcome)
    probability = calibrate(output, calibration)
    threshold = choose_threshold(probability, outcome, parameters.threshold)
    return LastSteps(calibration, threshold, fit_interval(outcome - probability, coverage))


def judge(task: Task, output: Floats, outcome: Floats, steps: LastSteps) -> Judged:
    half_width = steps.interval.half_width
    if task == "regression":
        return Judged(outcome, output, None, None, output - half_width, output + half_width)
    if task == "multiclass":
        probabilities = softmax(output)
        predicted = probabilities.argmax(axis=1)
        probability = probabilities[np.arange(len(predicted)), predicted]
        low, high = interval(probability, half_width)
        return Judged(outcome, predicted.astype(np.float64), probability, probabilities, low, high)
    probability = calibrate(output, steps.calibration)
    threshold = 0.5 if steps.threshold is None else steps.threshold
    low, high = interval(probability, half_width)
    return Judged(outcome, (probability >= threshold).astype(np.float64), probability, None, low, high)


def cross_judge(
    task: Task, output: Floats, outcome: Floats, folds: Sequence[tuple[Bools, Bools]], parameters: Hyperparameters
) -> Judged:
    """Rows judged by last steps of other rows: for each pair (learn from, judge). In the rows' order."""
    parts = []
    for learned_from, judged in folds:
        steps = learn_last_steps(task, output[learned_from], outcome[learned_from], parameters)
        parts.append((np.flatnonzero(judged), judge(task, output[judged], outcome[judged], steps)))
    order = np.argsort(np.concatenate([rows for rows, _ in parts]), kind="stable")
    every = [each for _, each in parts]
    first = every[0]
    return Judged(
        outcome=np.concatenate([each.outcome for each in every])[order],
        predicted=np.concatenate([each.predicted for each in every])[order],
        probability=None if first.probability is None else _join([each.probability for each in every])[order],
        probabilities=None if first.probabilities is None else _join([each.probabilities for each in every])[order],
        lower=np.concatenate([each.lower for each in every])[order],
        upper=np.concatenate([each.upper for each in every])[order],
    )


def _join(arrays: Sequence[Floats | None]) -> Floats:
    return np.concatenate([array for array in arrays if array is not None])
