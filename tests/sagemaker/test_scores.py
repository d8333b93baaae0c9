"""Metrics for comparing two models, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from featuremill.errors import DataError
from featuremill.sagemaker.scores import (
    Predictions,
    average_precision,
    measure,
    prediction_psi,
    psi,
    roc_auc,
)

SCORED = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=60).filter(
    lambda rows: len({outcome for outcome, _ in rows}) == 2
)


@given(rows=SCORED)
def test_areas_agree_with_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    outcome = np.array([row[0] for row in rows])
    score = np.array([row[1] / 20 for row in rows])
    assert roc_auc(outcome, score) == pytest.approx(reference.roc_auc_score(outcome, score), abs=1e-12)
    assert average_precision(outcome, score) == pytest.approx(
        reference.average_precision_score(outcome, score), abs=1e-12
    )


def _binary(probability: list[float], threshold: float = 0.5) -> Predictions:
    labels = ["yes" if p >= threshold else "no" for p in probability]
    return Predictions(pa.table({"predicted_label": labels, "probability": probability}), ("no", "yes"))


def test_binary_metrics_agree_with_scikit_learn() -> None:
    random = np.random.default_rng(7)
    probability = random.uniform(0.01, 0.99, 500)
    outcome = random.uniform(size=500) < probability
    labels = pa.chunked_array([["yes" if o else "no" for o in outcome]])
    found = measure("binary", labels, _binary(probability.tolist()))
    predicted = probability >= 0.5
    assert found["logloss"] == pytest.approx(reference.log_loss(outcome, probability))
    assert found["brier"] == pytest.approx(reference.brier_score_loss(outcome, probability))
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(outcome, predicted))
    assert found["precision"] == pytest.approx(reference.precision_score(outcome, predicted))
    assert found["recall"] == pytest.approx(reference.recall_score(outcome, predicted))
    assert found["f1"] == pytest.approx(reference.f1_score(outcome, predicted))
    assert found["ece"] < 0.1


def test_rows_without_a_label_do_not_count() -> None:
    labels = pa.chunked_array([["yes", None, "no", None]])
    with_nulls = measure("binary", labels, _binary([0.9, 0.1, 0.2, 0.9]))
    assert with_nulls == measure("binary", pa.chunked_array([["yes", "no"]]), _binary([0.9, 0.2]))


@pytest.mark.parametrize("labels", [(0, 1), (False, True), ("a", "b")])
def test_the_second_class_is_the_positive_one(labels: tuple[object, object]) -> None:
    predicted = pa.array([labels[0], labels[1]])
    model = Predictions(pa.table({"predicted_label": predicted, "probability": [0.1, 0.9]}), labels)
    assert measure("binary", pa.chunked_array([[labels[0], labels[1]]]), model)["auc"] == 1.0


def test_multiclass_knows_the_order_of_the_classes() -> None:
    random = np.random.default_rng(7)
    raw = random.uniform(size=(200, 3))
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    classes = ("c", "a", "b")
    truth = random.integers(0, 3, 200)
    labels = pa.chunked_array([[classes[i] for i in truth]])
    predicted = [classes[i] for i in probabilities.argmax(axis=1)]
    model = Predictions(pa.table({"predicted_label": predicted, "probabilities": probabilities.tolist()}), classes)
    found = measure("multiclass", labels, model)
    one_hot = np.eye(3)[truth]
    assert found["auc"] == pytest.approx(reference.roc_auc_score(one_hot, probabilities, average="macro"))
    assert found["logloss"] == pytest.approx(reference.log_loss(truth, probabilities))
    assert found["accuracy"] == pytest.approx(float(np.mean(truth == probabilities.argmax(axis=1))))


def test_a_label_that_a_model_does_not_know_counts_against_it() -> None:
    model = Predictions(pa.table({"predicted_label": ["a"], "probabilities": [[0.5, 0.5]]}), ("a", "b"))
    found = measure("multiclass", pa.chunked_array([["new"]]), model)
    assert found["accuracy"] == 0 and found["logloss"] > 30


def test_regression() -> None:
    model = Predictions(pa.table({"predicted_label": [1.0, 2.0, 4.0]}))
    found = measure("regression", pa.chunked_array([[1, 2, 3]]), model)
    assert found == pytest.approx({"rmse": (1 / 3) ** 0.5, "mae": 1 / 3, "r2": 0.5})


def _tags(rows: list[dict[str, float]]) -> Predictions:
    return Predictions(
        pa.table(
            {
                "labels": [list(row) for row in rows],
                "probabilities": [list(row.values()) for row in rows],
                "predicted_label": [[value for value, p in row.items() if p >= 0.5] for row in rows],
            }
        )
    )


def test_one_vs_rest_is_the_mean_over_the_values() -> None:
    model = _tags([{"sql": 0.9, "go": 0.6}, {"sql": 0.2, "go": 0.4}, {"sql": 0.6, "go": 0.9}])
    labels = pa.chunked_array([[["sql"], ["go"], ["sql", "unknown"]]], pa.list_(pa.string()))
    found = measure("one_vs_rest", labels, model)
    assert found["auc"] == pytest.approx((1.0 + 0.0) / 2)
    assert found["accuracy"] == pytest.approx((1.0 + 0.0) / 2)


def test_rows_and_predictions_must_belong_together() -> None:
    with pytest.raises(DataError, match="3 rows but 2 predictions"):
        measure("binary", pa.chunked_array([["yes", "no", "no"]]), _binary([0.1, 0.2]))
    with pytest.raises(DataError, match="no row has a label"):
        measure("binary", pa.chunked_array([[None, None]], pa.string()), _binary([0.1, 0.2]))


def test_psi_is_zero_for_the_same_and_grows_with_the_difference() -> None:
    base = _binary(np.linspace(0.01, 0.99, 500).tolist())
    near = _binary((np.linspace(0.01, 0.99, 500) ** 1.1).tolist())
    far = _binary((np.linspace(0.01, 0.99, 500) ** 4).tolist())
    assert prediction_psi("binary", base, base) == 0
    assert 0 < prediction_psi("binary", base, near) < 0.1 < prediction_psi("binary", base, far)


def test_psi_by_hand() -> None:
    assert psi(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(
        (0.25 - 0.5) * np.log(0.5) + (0.75 - 0.5) * np.log(1.5)
    )


def test_psi_of_a_constant_model_is_finite() -> None:
    assert np.isfinite(prediction_psi("binary", _binary([0.5] * 10), _binary([0.1, 0.9] * 5)))
