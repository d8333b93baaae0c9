"""A model's folder into predictions: rows in, predicted labels, probabilities, intervals and contributions out.

The one way from a row to its numbers: training's evaluation, the endpoint, Spark and in-process scoring all go through
`Model`. The booster takes and gives float32; calibration, softmax and intervals are NumPy float64, element by element,
so that a row's numbers do not depend on the rows beside it. All trees of a booster count, whatever its best iteration.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xgboost
from pydantic import ValidationError

from training_image.artefact import MANIFEST, Calibration, FeatureType, Head, ModelManifest, read_heads, read_manifest
from training_image.dense_prediction import DensePredictor
from training_image.number_preparing import Floats, Matrix
from training_image.parameters import Task
from training_image.preparing import Preparer

Integers: TypeAlias = npt.NDArray[np.int64]

CHUNK = 1 << 17
"""Rows predicted at once."""

# What a margin must mean for the head's arithmetic to hold. regression takes any objective.
OBJECTIVES: dict[Task, frozenset[str]] = {
    "binary": frozenset({"binary:logistic", "binary:logitraw", "reg:logistic"}),
    "one_vs_rest": frozenset({"binary:logistic", "binary:logitraw", "reg:logistic"}),
    "multiclass": frozenset({"multi:softprob", "multi:softmax"}),
}


class ArtefactError(ValueError):
    """A model folder that cannot be used: the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a head says about n rows.

    `raw`: the booster's margins, [n] or, of multiclass, [n, classes]. `predicted`: the position of the predicted class
    (int64), or the predicted number (float64) of regression. `probability`: of the positive class, or of the predicted
    class of multiclass; None for regression. `probabilities` [n, classes]: multiclass only. `lower`, `upper`: interval.
    """

    raw: Floats
    predicted: Integers | Floats
    probability: Floats | None
    probabilities: Floats | None
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Contributions:
    """TreeSHAP (Lundberg et al. 2020): what each feature adds to the booster's margin, the prepared columns summed.

    `values` [rows, outputs, features] and `bias` [rows, outputs]: their sum over the features is the raw score, log
    odds before calibration for classes, the label's own unit for regression. `outputs`: one, or the classes, or the
    values of one_vs_rest.
    """

    outputs: tuple[str, ...]
    features: tuple[str, ...]
    values: Floats
    bias: Floats


class Submodel:
    """A head with its booster loaded."""

    def __init__(self, task: Task, head: Head, booster: xgboost.Booster, objective: str, prepared: int) -> None:
        self.task = task
        self.objective = objective
        self.head = head
        self.booster = booster
        self._margin = DensePredictor(booster, "margin")
        self._value = DensePredictor(booster, "value")
        identity = head.columns == tuple(range(prepared))
        self._columns = None if identity else np.array(head.columns, dtype=np.intp)
        self._threshold = 0.5 if head.threshold is None else head.threshold

    def take(self, matrix: Matrix) -> Matrix:
        """The columns of this head, out of all prepared ones."""
        if self._columns is None:
            return matrix
        return np.ascontiguousarray(matrix[:, self._columns])

    def scores(self, matrix: Matrix) -> Scores:
        """Of prepared rows, float32 [n, prepared columns]. Safe to call from several threads."""
        taken = self.take(matrix)
        raw = _output(self._margin, taken)
        half_width = self.head.interval.half_width
        if self.task == "regression":
            predicted = raw if self.objective == "reg:squarederror" else _output(self._value, taken)
            return Scores(raw, predicted, None, None, predicted - half_width, predicted + half_width)
        if self.task == "multiclass":
            probabilities = softmax(raw)
            best: Integers = probabilities.argmax(axis=1)
            probability = probabilities[np.arange(len(best)), best]
            return Scores(raw, best, probability, probabilities, *interval(probability, half_width))
        probability = calibrate(raw, self.head.calibration)
        positive: Integers = (probability >= self._threshold).astype(np.int64)
        return Scores(raw, positive, probability, None, *interval(probability, half_width))

    def contributions(self, matrix: Matrix, feature_of: npt.NDArray[np.intp], features: int) -> tuple[Floats, Floats]:
        """TreeSHAP of prepared rows, summed by feature: [n, outputs, features], and the bias [n, outputs]."""
        taken = self.take(matrix)
        data = xgboost.DMatrix(taken, missing=np.nan, nthread=1)
        shap = np.asarray(
            self.booster.predict(data, pred_contribs=True, validate_features=False, strict_shape=True),
            dtype=np.float64,
        )
        columns = feature_of if self._columns is None else feature_of[self._columns]
        values = np.zeros((*shap.shape[:2], features))
        for column, feature in enumerate(columns):
            values[:, :, feature] += shap[:, :, column]
        return values, shap[:, :, -1]


def _output(predictor: DensePredictor, taken: Matrix) -> Floats:
    """XGBoost wants at least one row."""
    if len(taken):
        return predictor(taken)
    return predictor(np.full((1, taken.shape[1]), np.nan, dtype=np.float32))[:0]


class Model:
    """A loaded model. `heads`, `submodels`: one, or of one_vs_rest one a value in the order of `manifest.values`."""

    def __init__(self, manifest: ModelManifest, preparer: Preparer, submodels: tuple[Submodel, ...]) -> None:
        self.manifest = manifest
        self.preparer = preparer
        self.submodels = submodels
        self.heads: tuple[Head, ...] = tuple(submodel.head for submodel in submodels)
        self.label_type = arrow_type(manifest.label_type)

    @classmethod
    def load(cls, folder: Path, threads: int = 0) -> Model:
        """The model in a folder. `threads`: of the booster, 0 for all cores.

        Raises ArtefactError naming the file and what is wrong with it.
        """
        manifest, heads = _read(folder)
        where = folder / MANIFEST
        try:
            preparer = Preparer(manifest.features, manifest.preparation)
        except ValueError as error:
            raise ArtefactError(f"{where}: {error}") from error
        if len(preparer.names) != len(manifest.prepared):
            raise ArtefactError(
                f"{where}: the preparation makes {len(preparer.names)} columns, {len(manifest.prepared)} are listed"
            )
        if not heads:
            raise ArtefactError(f"{where}: the model has no head")
        if manifest.task != "one_vs_rest" and len(heads) != 1:
            raise ArtefactError(f"{where}: {manifest.task} has one head, this model has {len(heads)}")
        if manifest.task == "binary" and len(manifest.classes) != 2:
            raise ArtefactError(f"{where}: binary has two classes, this model has {len(manifest.classes)}")
        return cls(manifest, preparer, tuple(_load_head(folder, manifest, head, threads) for head in heads))

    def predict(self, table: pa.Table) -> pa.Table:
        """Predictions of rows that have the model's features as columns, as many and in the same order.

        binary: `predicted_label` (the label's type), `probability`, `lower`, `upper` (double).
        multiclass: `predicted_label`, `probability` (of it), `probabilities` (list<double>, by class), the interval.
        regression: `predicted_label`, `lower`, `upper` (double).
        one_vs_rest: `labels` (list<string>: all values with a submodel), `probabilities`, `lower`, `upper`
        (list<double>), `predicted_label` (list<string>: the values at or above their threshold).
        Other columns are left alone. Raises InputError for a missing feature or one of another type.
        """
        parts = [self._predict(chunk) for chunk in _chunks(table)]
        return pa.concat_tables(parts) if len(parts) > 1 else parts[0]

    def contributions(self, table: pa.Table) -> Contributions:
        """TreeSHAP of each row by feature; see Contributions. Raises InputError as `predict` does."""
        return self.contributions_of(self.preparer.prepare(table))

    def contributions_of(self, matrix: Matrix) -> Contributions:
        """The same of prepared rows."""
        names = tuple(feature.name for feature in self.manifest.features)
        parts = [submodel.contributions(matrix, self.preparer.feature_of, len(names)) for submodel in self.submodels]
        return Contributions(
            outputs=self.outputs,
            features=names,
            values=np.concatenate([values for values, _ in parts], axis=1),
            bias=np.concatenate([bias for _, bias in parts], axis=1),
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the margins: classes of multiclass, values of one_vs_rest, otherwise the label."""
        if self.manifest.task == "multiclass":
            return tuple(str(value) for value in self.manifest.classes)
        return self.manifest.values if self.manifest.task == "one_vs_rest" else (self.manifest.label,)

    def labels(self, predicted: Integers | Floats) -> pa.Array:
        """`Scores.predicted` as label values, of the label's Arrow type (regression: double)."""
        if self.manifest.task == "regression":
            return pa.array(predicted, pa.float64())
        return pa.array(list(self.manifest.classes), self.label_type).take(pa.array(predicted))

    def _predict(self, table: pa.Table) -> pa.Table:
        matrix = self.preparer.prepare(table)
        if self.manifest.task == "one_vs_rest":
            return self._predict_values(matrix)
        scores = self.submodels[0].scores(matrix)
        columns: dict[str, Any] = {"predicted_label": self.labels(scores.predicted)}
        if scores.probability is not None:
            columns["probability"] = scores.probability
        if scores.probabilities is not None:
            columns["probabilities"] = lists(scores.probabilities)
        return pa.table({**columns, "lower": scores.lower, "upper": scores.upper})

    def _predict_values(self, matrix: Matrix) -> pa.Table:
        every = [submodel.scores(matrix) for submodel in self.submodels]
        values = np.array(self.manifest.values, dtype=object)
        positive = np.stack([scores.predicted for scores in every], axis=1) == 1
        return pa.table(
            {
                "labels": pa.array([self.manifest.values] * len(matrix), pa.list_(pa.string())),
                "probabilities": lists(np.stack([_probability(scores) for scores in every], axis=1)),
                "lower": lists(np.stack([scores.lower for scores in every], axis=1)),
                "upper": lists(np.stack([scores.upper for scores in every], axis=1)),
                "predicted_label": pa.array([values[row].tolist() for row in positive], pa.list_(pa.string())),
            }
        )


def calibrate(margins: Floats, calibration: Calibration) -> Floats:
    """Beta calibration of log odds: logit(p) = a ln(s) - b ln(1 - s) + c with s the sigmoid of the margin.

    Written with logaddexp, so that no margin overflows and none becomes ln(0). Kull et al. 2017, see Calibration.
    """
    log_s = -np.logaddexp(0.0, -margins)
    log_rest = -np.logaddexp(0.0, margins)
    logit = calibration.a * log_s - calibration.b * log_rest + calibration.c
    result: Floats = np.exp(-np.logaddexp(0.0, -logit))
    return result


def softmax(margins: Floats) -> Floats:
    """Probabilities [n, classes] of margins; the classes are summed one after another, whatever n is."""
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    total = powers[:, 0].copy()
    for column in range(1, powers.shape[1]):
        total += powers[:, column]
    result: Floats = powers / total[:, None]
    return result


def interval(probability: Floats, half_width: float) -> tuple[Floats, Floats]:
    """probability +/- half_width, cut to [0, 1]."""
    return np.maximum(probability - half_width, 0.0), np.minimum(probability + half_width, 1.0)


def lists(matrix: Floats) -> pa.Array:
    """A matrix as an Arrow array of list<double>, one a row."""
    offsets = np.arange(len(matrix) + 1, dtype=np.int32) * matrix.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(np.ascontiguousarray(matrix).ravel()))


def arrow_type(kind: FeatureType) -> pa.DataType:
    """The Arrow type of a feature or label type (dates and times of a label are texts)."""
    types = {"boolean": pa.bool_(), "int": pa.int32(), "bigint": pa.int64(), "double": pa.float64()}
    return pa.list_(pa.string()) if kind == "array<string>" else types.get(kind, pa.string())


def _probability(scores: Scores) -> Floats:
    assert scores.probability is not None
    return scores.probability


def _chunks(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, max(table.num_rows, 1), CHUNK):
        yield table.slice(start, CHUNK)


def _read(folder: Path) -> tuple[ModelManifest, tuple[Head, ...]]:
    try:
        manifest = read_manifest(folder)
        return manifest, read_heads(folder, manifest)
    except FileNotFoundError as error:
        raise ArtefactError(f"{error.filename}: there is no such file, so {folder} holds no whole model") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ArtefactError(f"{folder}: {error.title} in JSON is not as expected: {place}: {first['msg']}") from error
    except OSError as error:
        raise ArtefactError(f"{folder}: cannot be read: {error}") from error


def _load_head(folder: Path, manifest: ModelManifest, head: Head, threads: int) -> Submodel:
    file = folder / head.booster
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ArtefactError(f"{folder / MANIFEST}: the booster {head.booster} is outside of the model's folder")
    if not file.is_file():
        raise ArtefactError(f"{file}: there is no such file")
    booster = xgboost.Booster(params={"nthread": threads})
    try:
        booster.load_model(file)
        configuration = json.loads(booster.save_config())
    except (xgboost.core.XGBoostError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ArtefactError(f"{file}: XGBoost {xgboost.__version__} cannot read it: {reason}") from error
    booster.set_param({"nthread": threads})
    objective = configuration["learner"]["learner_train_param"]["objective"]
    if manifest.task in OBJECTIVES and objective not in OBJECTIVES[manifest.task]:
        raise ArtefactError(f"{file}: trained with objective {objective}, which is none for task {manifest.task}")
    if any(column < 0 or column >= len(manifest.prepared) for column in head.columns):
        raise ArtefactError(f"{file}: its head names prepared columns beyond the {len(manifest.prepared)} there are")
    if booster.num_features() != len(head.columns):
        raise ArtefactError(f"{file}: takes {booster.num_features()} columns, its head names {len(head.columns)}")
    return Submodel(manifest.task, head, booster, objective, len(manifest.prepared))
