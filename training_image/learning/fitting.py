"""From training rows to one booster: what is learned of a sample of them, then the matrix of all, then the trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xgboost

from training_image.artefact import ChannelFeature, Feature
from training_image.learning.boosting import Boosted, Checkpoints, StopSignal, boost
from training_image.learning.channels import Rows
from training_image.learning.collective import Ring
from training_image.learning.data import Table
from training_image.learning.errors import UserError
from training_image.learning.matrices import (
    Batch,
    TrainingPreparer,
    in_memory_matrix,
    out_of_core_matrix,
    training_preparer,
)
from training_image.learning.objective import BoosterSettings, booster_settings
from training_image.learning.preparation import describe, learn_parts
from training_image.learning.selection import Columns, select_columns
from training_image.learning.splitting import TRAINING, Codes, Keys
from training_image.learning.targets import Floats, Target
from training_image.learning.weights import class_weights, number_of_classes, row_weights
from training_image.parameters import Hyperparameters
from training_image.preparing import InputError, Matrix, read_columns

EMBEDDED_ROUNDS = 50


@dataclass(frozen=True)
class Task:
    """What stays the same for all boosters of a job."""

    parameters: Hyperparameters
    target: Target
    features: tuple[ChannelFeature, ...]
    threads: int
    stop: StopSignal


@dataclass(frozen=True)
class Preparation:
    """What is learned of training rows before boosting. `matrix`: those rows, `sample`, prepared as training rows."""

    features: tuple[Feature, ...]
    training: TrainingPreparer
    matrix: Matrix
    sample: Table


def prepare(task: Task, sample: Table) -> Preparation:
    """Learns features' ranges and preparation parts of a sample of training rows. Raises UserError."""
    plain = [Feature(**feature.model_dump()) for feature in task.features]
    try:
        columns = read_columns(plain, sample.table)
    except InputError as error:
        raise UserError(f"The data does not fit the manifest: {error}.") from None
    for feature, column in zip(plain, columns, strict=True):
        if isinstance(column, np.ndarray) and np.isinf(column).any():
            raise UserError(f"Feature {feature.name} holds infinity; make it null or clip it before training.")
    outcome, names = encoded_outcome(task.target, sample)
    features = tuple(describe(f, c) for f, c in zip(task.features, columns, strict=True))
    learned = learn_parts(task.features, columns, task.parameters.preprocess, outcome, names)
    training = training_preparer(features, learned, columns, sample.group, task.parameters.preprocess, outcome, names)
    return Preparation(features, training, training.prepare_columns(columns, sample.group), sample)


def encoded_outcome(target: Target, rows: Table) -> tuple[Floats, Sequence[str]]:
    """What target encoding averages: [rows, k], and the k names."""
    if target.task == "multiclass":
        return np.eye(len(target.classes))[rows.label.astype(np.int64)], [str(each) for each in target.classes]
    if target.task == "one_vs_rest":
        return target.membership(rows.table[target.label]).astype(np.float64), target.values
    return rows.label[:, None], [""]


@dataclass(frozen=True)
class Plan:
    """How a booster is trained: which prepared columns, class weights, XGBoost's parameters."""

    columns: Columns
    weights: Floats | None
    settings: BoosterSettings

    def batch(self, matrix: Matrix, label: Floats) -> Batch:
        taken = self.take(matrix)
        return Batch(taken, label.astype(np.float32), row_weights(label, self.weights))

    def take(self, matrix: Matrix) -> Matrix:
        if len(self.columns) == matrix.shape[1]:
            return matrix
        return np.ascontiguousarray(matrix[:, self.columns])


def plan(task: Task, matrix: Matrix, label: Floats, candidates: Columns, rows: int, threads: int) -> Plan:
    """Decided on prepared training rows (or a sample of them); `rows`: how many there are in all."""
    parameters = task.parameters
    settings = booster_settings(parameters.xgboost, task.target, rows, parameters.seed, threads)
    weights = None
    if parameters.class_weight == "balanced" and task.target.task != "regression":
        weights = class_weights(label, number_of_classes(task.target))
    plain = label.astype(np.float32)
    discrete = task.target.task != "regression"
    gains = _gains(settings, weights)
    columns = select_columns(matrix, plain, discrete, candidates, parameters.preprocess.select, gains, parameters.seed)
    return Plan(columns, weights, settings)


def _gains(
    settings: BoosterSettings, weights: Floats | None
) -> Callable[[Matrix, npt.NDArray[np.float32]], dict[int, float]]:
    def gains(matrix: Matrix, label: npt.NDArray[np.float32]) -> dict[int, float]:
        """Total gain by column of a short first booster."""
        data = xgboost.QuantileDMatrix(matrix, label, weight=row_weights(label.astype(np.float64), weights))
        booster = xgboost.train(dict(settings.parameters), data, EMBEDDED_ROUNDS)
        found = booster.get_score(importance_type="total_gain")
        return {int(name[1:]): float(np.sum(gain)) for name, gain in found.items()}

    return gains


def watched_matrix(plan: Plan, matrix: Matrix, label: Floats, threads: int) -> xgboost.DMatrix:
    batch = plan.batch(matrix, label)
    return xgboost.DMatrix(batch.matrix, batch.label, weight=batch.weight, missing=np.nan, nthread=threads)


def max_bin(plan: Plan) -> int | None:
    value = plan.settings.parameters.get("max_bin")
    return None if value is None else int(value)


def fit_in_memory(
    task: Task,
    plan: Plan,
    matrix: Matrix,
    label: Floats,
    watched: tuple[Matrix, Floats] | None,
    ring: Ring | None = None,
    checkpoints: Checkpoints | None = None,
    report: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Boosted:
    """Boosts prepared training rows, watching others."""
    threads = int(plan.settings.parameters["nthread"])
    training = in_memory_matrix(plan.batch(matrix, label), max_bin(plan), threads)
    watching = watched_matrix(plan, *watched, threads) if watched is not None else None
    return boost(training, watching, plan.settings, task.stop, ring, checkpoints, report)


def fit_out_of_core(
    task: Task,
    plan: Plan,
    training: TrainingPreparer,
    rows: Rows,
    keys: Keys,
    codes: Codes,
    watched: tuple[Matrix, Floats],
    cache: Path,
    ring: Ring,
    checkpoints: Checkpoints,
    report: Callable[[int, float], None],
) -> Boosted:
    """The same, reading and preparing the training rows a row group at a time."""

    def batches() -> Iterator[Batch]:
        start = 0
        for table in rows.batches():
            end = start + table.num_rows
            chosen = codes[start:end] == TRAINING
            if chosen.any():
                part = Table(table, keys.label[start:end], keys.group[start:end]).where(chosen)
                yield plan.batch(training.prepare(part.table, part.group), part.label)
            start = end

    data = out_of_core_matrix(batches, cache / "pages", max_bin(plan), task.threads)
    watching = watched_matrix(plan, *watched, task.threads)
    return boost(data, watching, plan.settings, task.stop, ring, checkpoints, report)
