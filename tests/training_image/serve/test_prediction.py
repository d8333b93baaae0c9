"""Model: predictions do not depend on neighbours, contributions add up, broken folders are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xgboost

from tests.training_image.serve.artefacts import SKILLS, make_model, rows
from training_image.artefact import Calibration
from training_image.dense_prediction import DensePredictor
from training_image.prediction import ArtefactError, Model, calibrate, softmax

DOUBLE = pa.float64()
LIST = pa.list_(DOUBLE)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_row_alone_is_predicted_as_among_others(bases: Path, task: str) -> None:
    model = Model.load(bases / task / "model", threads=2)
    table = rows(150, seed=5)
    whole = model.predict(table)
    assert pa.concat_tables([model.predict(table.slice(row, 1)) for row in range(150)]).equals(whole)
    assert model.predict(table.slice(0, 0)).schema == whole.schema
    assert Model.load(bases / task / "model", threads=1).predict(table).equals(whole)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("kind", ["margin", "value"])
@pytest.mark.parametrize("count", [1, 3, 150])
def test_the_boosters_output_is_that_of_inplace_predict(bases: Path, task: str, kind: Any, count: int) -> None:
    model = Model.load(bases / task / "model", threads=1)
    booster = model.submodels[0].booster
    matrix = model.preparer.prepare(rows(count, seed=7))
    found = DensePredictor(booster, kind)(matrix)
    expected = booster.inplace_predict(matrix, predict_type=kind, missing=np.nan)
    assert found.dtype == np.float64 and found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(xgboost.core.XGBoostError, match="columns"):
        DensePredictor(booster, kind)(matrix[:, :3].copy())


def test_output_columns(bases: Path) -> None:
    found = {
        task: Model.load(bases / task / "model").predict(rows(2)).schema
        for task in ("binary", "multiclass", "regression")
    }
    bounds = [("lower", DOUBLE), ("upper", DOUBLE)]
    assert found["binary"] == pa.schema([("predicted_label", pa.int32()), ("probability", DOUBLE), *bounds])
    assert found["multiclass"] == pa.schema(
        [("predicted_label", pa.string()), ("probability", DOUBLE), ("probabilities", LIST), *bounds]
    )
    assert found["regression"] == pa.schema([("predicted_label", DOUBLE), *bounds])


def test_binary_is_the_calibrated_sigmoid_against_the_threshold(bases: Path) -> None:
    model = Model.load(bases / "binary" / "model")
    table = rows(200, seed=6)
    found = model.predict(table)
    matrix = xgboost.DMatrix(model.preparer.prepare(table))
    s = model.submodels[0].booster.predict(matrix).astype(np.float64)
    p = 1 / (1 + np.exp(-(1.1 * np.log(s) - 0.9 * np.log(1 - s) + 0.05)))
    np.testing.assert_allclose(found["probability"].to_numpy(), p, rtol=1e-5)
    assert (found["predicted_label"].to_numpy() == (found["probability"].to_numpy() >= 0.4)).all()
    np.testing.assert_allclose(found["lower"].to_numpy(), np.maximum(found["probability"].to_numpy() - 0.25, 0))


@pytest.mark.parametrize("classes", [(False, True), ("no", "yes"), (0.0, 1.0)])
def test_labels_have_the_labels_type(tmp_path: Path, classes: tuple[Any, ...]) -> None:
    kind: Any = {bool: "boolean", str: "string", float: "double"}[type(classes[0])]
    labels = Model.load(make_model(tmp_path, classes=classes, label_type=kind)).predict(rows(50))["predicted_label"]
    assert set(labels.to_pylist()) == set(classes)


def test_submodels_are_blind_to_their_own_value(bases: Path) -> None:
    model = Model.load(bases / "skills" / "model")
    table = pa.table({"profile_skills": [["python"], ["sql"], [], None]})
    found = model.predict(table).to_pylist()
    assert found[0]["labels"] == list(SKILLS)
    assert found[2] == found[3]
    for row in found:
        positive = [v for v, p in zip(row["labels"], row["probabilities"], strict=True) if p >= 0.5]
        assert row["predicted_label"] == positive
    own = SKILLS.index("python")
    without = model.submodels[own].take(model.preparer.prepare(table))
    assert without.shape[1] == len(model.preparer.names) - 1
    assert (model.submodels[own].take(model.preparer.prepare(table))[0, :-1] == 0).all()


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_contributions_add_up_to_the_raw_score(bases: Path, task: str) -> None:
    model = Model.load(bases / task / "model")
    table = rows(40, seed=8)
    found = model.contributions(table)
    raw = model.submodels[0].scores(model.preparer.prepare(table)).raw.reshape(40, -1)
    assert found.values.shape == (40, len(found.outputs), 8)
    np.testing.assert_allclose(found.values.sum(axis=2) + found.bias, raw, atol=1e-4)


def test_contributions_of_submodels(bases: Path) -> None:
    model = Model.load(bases / "skills" / "model")
    found = model.contributions(pa.table({"profile_skills": [["python", "sql"], []]}))
    assert found.outputs == SKILLS and found.values.shape == (2, 4, 1)


def test_extreme_margins_stay_probabilities() -> None:
    margins = np.array([-1e6, -800.0, 0.0, 800.0, 1e6])
    found = calibrate(margins, Calibration())
    assert found.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    np.testing.assert_allclose(calibrate(np.array([0.3]), Calibration()), 1 / (1 + np.exp(-0.3)))
    np.testing.assert_allclose(softmax(np.array([[1e5, 0.0, -1e5]])), [[1, 0, 0]])


def edit(folder: Path, **changes: Any) -> None:
    file = folder / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.json").unlink(), r"model\.json: there is no such file"),
        (lambda folder: (folder / "model.json").write_text("{"), "Invalid JSON"),
        (lambda folder: edit(folder, format=2), "format"),
        (lambda folder: (folder / "model.ubj").unlink(), r"model\.ubj: there is no such file"),
        (lambda folder: (folder / "model.ubj").write_bytes(b"{broken"), r"model\.ubj: XGBoost .* cannot read it"),
        (lambda folder: (folder / "model.ubj").write_bytes(b""), r"model\.ubj: XGBoost .* cannot read it"),
        (lambda folder: edit(folder, prepared=["age"]), "makes 14 columns, 1 are listed"),
        (lambda folder: edit(folder, task="multiclass"), "binary:logistic, which is none for task multiclass"),
        (lambda folder: edit(folder, heads=[]), "no head"),
        (lambda folder: edit(folder, classes=[0]), "binary has two classes"),
    ],
)
def test_a_broken_model_is_named(bases: Path, tmp_path: Path, damage: Any, message: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bases / "binary" / "model", folder)
    damage(folder)
    with pytest.raises(ArtefactError, match=message):
        Model.load(folder)
