"""The gate lets through what keeps to the bounds, and nothing that could not be measured."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from featuremill.sagemaker.gate import Verdict, judge
from featuremill.sagemaker.scores import Predictions
from featuremill.spec.accept import Accept

RANDOM = np.random.default_rng(11)
SIGNAL = RANDOM.normal(size=400)
ROWS = pa.table(
    {"x": SIGNAL, "noise": RANDOM.normal(size=400), "y": (SIGNAL + RANDOM.normal(size=400) > 0).astype(int)}
)


def _model(table: pa.Table, noise: float = 0.0, shift: float = 0.0) -> Predictions:
    score = np.asarray(table.column("x")) + noise * np.asarray(table.column("noise")) + shift
    probability = 1 / (1 + np.exp(-score))
    columns = {"predicted_label": (probability >= 0.5).astype(int), "probability": probability}
    return Predictions(pa.table(columns), (0, 1))


def _judge(accept: dict[str, Any], noise: float = 0.0, shift: float = 0.0, **changes: Any) -> Verdict:
    arguments: dict[str, Any] = {
        "rows": ROWS,
        "label": "y",
        "challenger": _model(ROWS, noise, shift),
        "champion": _model,
        "live": "heart-1",
    }
    return judge(Accept.model_validate(accept), "binary", {"auc": 0.7, "logloss": 0.5}, **(arguments | changes))


def test_nothing_asked_is_accepted() -> None:
    assert _judge({}).passed


@pytest.mark.parametrize(
    ("bound", "passed"), [(">= 0.6", True), (">= 0.70", True), ("> 0.70", False), (">= 0.8", False)]
)
def test_a_threshold_is_held_against_the_metric_of_training(bound: str, passed: bool) -> None:
    verdict = _judge({"auc": bound})
    (check,) = verdict.checks
    assert verdict.passed is check.passed is passed
    assert (check.name, check.value) == ("auc", 0.7)
    assert ("is not" in verdict.summary) is not passed


def test_the_same_model_is_as_good_as_itself() -> None:
    verdict = _judge({"against_live": {"auc": ">= 0", "logloss": "<= 0", "prediction_psi": "<= 0"}})
    assert verdict.passed
    assert [check.value for check in verdict.checks] == [0, 0, 0]


def test_a_worse_model_is_kept_out_by_its_difference_on_the_same_rows() -> None:
    verdict = _judge({"against_live": {"auc": ">= -0.01"}}, noise=2.0)
    assert not verdict.passed
    assert verdict.checks[0].value is not None and verdict.checks[0].value < -0.01
    assert "heart-1" in verdict.summary and "on the same rows" in verdict.summary


def test_the_other_way_round_the_difference_has_the_other_sign() -> None:
    worse = _judge({"against_live": {"auc": ">= -1"}}, noise=2.0).checks[0].value
    better = (
        judge(
            Accept.model_validate({"against_live": {"auc": ">= -1"}}),
            "binary",
            {},
            rows=ROWS,
            label="y",
            challenger=_model(ROWS),
            champion=lambda rows: _model(rows, noise=2.0),
        )
        .checks[0]
        .value
    )
    assert worse is not None and better is not None
    assert better == pytest.approx(-worse)


def test_predictions_that_moved_far_are_kept_out() -> None:
    assert not _judge({"against_live": {"prediction_psi": "<= 0.2"}}, shift=3.0).passed


def test_without_a_live_model_there_is_nothing_to_compare_with() -> None:
    verdict = _judge({"auc": ">= 0.6", "against_live": {"auc": ">= 0.5"}}, champion=None)
    assert verdict.passed
    assert "no live model" in verdict.checks[1].text


def _broken(_: pa.Table) -> Predictions:
    raise ValueError("missing feature income")


@pytest.mark.parametrize(
    ("accept", "changes", "said"),
    [
        ({"recall": ">= 0.1"}, {}, "recall was not measured in training; measured were: auc, logloss"),
        ({"against_live": {"auc": ">= -1"}}, {"champion": _broken}, "missing feature income"),
        ({"against_live": {"auc": ">= -1"}}, {"rows": None}, "are not there"),
        ({"against_live": {"auc": ">= -1"}}, {"label": "z"}, "cannot be compared"),
        ({"against_live": {"auc": ">= -1"}}, {"champion": lambda rows: _model(rows.slice(1))}, "must belong together"),
        ({"against_live": {"rmse": "<= 1"}}, {}, "rmse is no metric of a binary model"),
    ],
)
def test_what_cannot_be_measured_does_not_pass_and_raises_nothing(
    accept: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    verdict = _judge(accept, **changes)
    assert not verdict.passed
    assert said in verdict.summary


def test_a_metric_that_is_no_number_does_not_pass() -> None:
    verdict = judge(Accept.model_validate({"auc": ">= 0"}), "binary", {"auc": math.nan})
    assert not verdict.passed and verdict.checks[0].value is None


def test_a_verdict_survives_being_written_down() -> None:
    verdict = _judge({"auc": ">= 0.6", "against_live": {"auc": ">= 0", "prediction_psi": "<= 0.2"}}, noise=1.0)
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
