"""A model of each task: it learns, its numbers are those of the served model, its bytes are the same twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from tests.training_image.train.jobs import FEATURES, Job, make_job, people, people_manifest
from training_image.prediction import Model

ROUNDS = {"rounds": 60, "early_stopping_rounds": 10, "max_depth": 4, "eta": 0.2}


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = make_job(
        tmp_path_factory.mktemp("binary"), [people(9_000)], {"task": "binary", "xgboost": ROUNDS}, people_manifest()
    )
    job.run()
    return job


def test_binary_is_judged_on_the_newest_rows_it_never_saw(binary: Job) -> None:
    rows = binary.metrics["rows"]
    assert rows["split"] == "time"
    assert rows["train"] + rows["calibration"] + rows["validation"] == 9_000
    assert 0.19 < (rows["calibration"] + rows["validation"]) / 9_000 < 0.21
    days = binary.validation["day"].cast(pa.int32()).to_numpy()
    assert days.min() >= 17_000 + 0.79 * 730


def test_binary_learns_and_beats_the_majority(binary: Job) -> None:
    metrics = binary.metrics
    assert metrics["validation"]["auc"] > 0.79
    assert metrics["baselines"]["majority"]["auc"] == 0.5
    assert metrics["baselines"]["logistic"]["auc"] > 0.75
    assert metrics["validation"]["logloss"] < metrics["baselines"]["majority"]["logloss"]
    order = list(metrics["importance"])
    assert set(order[:4]) == {"age", "income", "job", "member"}
    assert abs(metrics["coverage"]["measured"] - 0.9) < 0.04


def test_the_served_model_gives_the_numbers_of_validation(binary: Job) -> None:
    rows = binary.validation
    predicted = Model.load(binary.base / "model").predict(rows.select(list(FEATURES)))
    for name in predicted.column_names:
        assert predicted[name].equals(rows[name]), name
    assert roc_auc_score(rows["label"], predicted["probability"]) == pytest.approx(binary.metrics["validation"]["auc"])


def test_two_runs_give_the_same_bytes(binary: Job, tmp_path: Path) -> None:
    again = make_job(tmp_path, [people(9_000)], {"task": "binary", "xgboost": ROUNDS}, people_manifest())
    again.run()
    assert again.digests() == binary.digests()
    assert {"model.json", "model.ubj", "metrics.json", "report.html"} == set(again.digests())


def test_folds_judge_every_row_by_a_model_of_other_entities(tmp_path: Path) -> None:
    job = make_job(tmp_path, [people(1_500)], {"task": "binary", "xgboost": ROUNDS}, people_manifest())
    job.run()
    assert job.metrics["rows"]["split"] == "folds"
    assert job.validation.num_rows == 1_500
    assert 0.74 < job.metrics["validation"]["auc"] < job.metrics["train"]["auc"]
    # The final model knew these rows, so its own numbers would flatter: they must not be the reported ones.
    known = Model.load(tmp_path / "model").predict(job.validation.select(list(FEATURES)))
    assert roc_auc_score(job.validation["label"], known["probability"]) > job.metrics["validation"]["auc"] + 0.02


@pytest.mark.parametrize("rows", [1_200, 7_000])
def test_noise_is_not_reported_as_skill(tmp_path: Path, rows: int) -> None:
    table = people(rows)
    shuffled = table["label"].take(pa.array(np.random.default_rng(0).permutation(rows)))
    table = table.set_column(table.column_names.index("label"), "label", shuffled)
    job = make_job(tmp_path, [table], {"task": "binary", "xgboost": ROUNDS}, people_manifest())
    job.run()
    # 700 rows of no skill at all have an AUC of 0.5 with a standard error of 0.022.
    assert abs(job.metrics["validation"]["auc"] - 0.5) < 0.08
    # Nearly constant probabilities make ties, so that more than the stated share may be inside. What folds guarantee
    # is 1 - 2 (1 - coverage): Barber, Candes, Ramdas, Tibshirani, Predictive inference with the jackknife+, 2021.
    assert job.metrics["coverage"]["measured"] > (0.8 if rows <= 5_000 else 0.86)


@pytest.mark.parametrize("rows", [1_000, 6_000])
def test_multiclass(tmp_path: Path, rows: int) -> None:
    table = people(rows, task="multiclass")
    parameters = {"task": "multiclass", "xgboost": {**ROUNDS, "rounds": 20}, "class_weight": "balanced"}
    job = make_job(tmp_path, [table], parameters, people_manifest("string"))
    job.run()
    assert job.metrics["validation"]["auc"] > 0.8
    assert job.metrics["validation"]["accuracy"] > job.metrics["baselines"]["majority"]["accuracy"] + 0.05
    if rows > 5_000:
        predicted = Model.load(tmp_path / "model").predict(job.validation.select(list(FEATURES)))
        assert predicted["probabilities"].equals(job.validation["probabilities"])
        assert predicted["predicted_label"].equals(job.validation["predicted_label"])


@pytest.mark.parametrize("rows", [1_000, 6_000])
def test_regression(tmp_path: Path, rows: int) -> None:
    table = people(rows, task="regression")
    job = make_job(tmp_path, [table], {"task": "regression", "xgboost": ROUNDS}, people_manifest("double"))
    job.run()
    assert job.metrics["validation"]["r2"] > 0.6
    assert abs(job.metrics["coverage"]["measured"] - 0.9) < 0.06
    assert job.metrics["baselines"]["majority"]["rmse"] > job.metrics["validation"]["rmse"]
    if rows > 5_000:
        predicted = Model.load(tmp_path / "model").predict(job.validation.select(list(FEATURES)))
        assert predicted["predicted_label"].equals(job.validation["predicted_label"])


@pytest.mark.parametrize("values", [pa.array([False, True]), pa.array(["bad", "good"]), pa.array([1.0, 2.0])])
def test_any_two_label_values_are_binary(tmp_path: Path, values: pa.Array) -> None:
    table = people(600)
    label = values.take(table["label"].combine_chunks())
    kind = {"bool": "boolean", "string": "string", "double": "double"}[str(values.type)]
    table = table.set_column(table.column_names.index("label"), "label", label)
    job = make_job(tmp_path, [table], {"task": "binary", "xgboost": {"rounds": 5}}, people_manifest(kind))
    job.run()
    model = Model.load(tmp_path / "model")
    assert model.manifest.classes == tuple(values.to_pylist())
    known = model.predict(table.select(list(FEATURES)))
    assert roc_auc_score(np.array(label) == values[1].as_py(), known["probability"]) > 0.7


def test_all_preprocessing_together(tmp_path: Path) -> None:
    preprocess = {
        "impute": {"strategy": "median", "missing_indicator": True},
        "rare_labels": {"below": "3%"},
        "encode": {"kind": "target", "smoothing": 5},
        "clip": {"quantiles": [0.01, 0.99]},
        "scale": {"kind": "standard"},
        "select": {"drop_constant": True, "drop_correlated": 0.99, "best": 8, "embedded": 6},
        "columns": {"income": {"scale": {"kind": "robust"}, "clip": {"iqr": 3}}},
    }
    job = make_job(
        tmp_path, [people(6_000)], {"task": "binary", "xgboost": ROUNDS, "preprocess": preprocess}, people_manifest()
    )
    job.run()
    model = Model.load(tmp_path / "model")
    assert len(model.heads[0].columns) == 6
    assert job.metrics["validation"]["auc"] > 0.77
    predicted = model.predict(job.validation.select(list(FEATURES)))
    assert predicted["probability"].equals(job.validation["probability"])


def test_threshold_rule_and_balanced_weights(tmp_path: Path) -> None:
    parameters = {
        "task": "binary", "xgboost": ROUNDS, "class_weight": "balanced",
        "threshold": {"recall_at_least": 0.9, "maximise": "precision"},
    }  # fmt: skip
    job = make_job(tmp_path, [people(9_000)], parameters, people_manifest())
    job.run()
    metrics = job.metrics["validation"]
    assert 0.85 < metrics["recall"] < 0.96
    assert metrics["ece"] < 0.06
    assert Model.load(tmp_path / "model").heads[0].threshold != 0.5
