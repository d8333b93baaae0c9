"""The `accept` section: what can be written, and what is said about the rest."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from featuremill.spec.accept import METRICS_BY_TASK, Accept, Bound, parse_bound


def test_the_documented_form_is_read() -> None:
    accept = Accept.model_validate({"auc": ">= 0.60", "against_live": {"auc": ">= -0.01", "prediction_psi": "<= 0.2"}})
    assert dict(accept.bounds()) == {"auc": Bound(">=", 0.6)}
    assert dict(accept.against_live.bounds()) == {"auc": Bound(">=", -0.01), "prediction_psi": Bound("<=", 0.2)}
    assert Accept.model_validate(accept.model_dump(mode="json")) == accept


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        (">= 0.6", 0.6, True),
        (">0.6", 0.6, False),
        ("<= 1e-3", 0.001, True),
        ("< -1", -1.5, True),
        (" >= .5 ", 0.4, False),
        (">= 0", float("nan"), False),
        ("<= 0", float("nan"), False),
    ],
)
def test_bounds_hold_or_do_not(text: str, value: float, holds: bool) -> None:
    assert parse_bound(text).holds(value) is holds


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"auc": "about 0.6"}, "is not a bound"),
        ({"auc": 0.6}, "does not say from which side"),
        ({"auc": "<= 0.6"}, "auc is the better the higher it is"),
        ({"against_live": {"logloss": ">= 0.1"}}, "logloss is the better the lower it is"),
        ({"auk": ">= 0.6"}, "Extra inputs"),
        ({"prediction_psi": "<= 0.6"}, "Extra inputs"),
    ],
)
def test_mistakes_are_named(section: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Accept.model_validate(section)


def test_a_metric_of_another_task_is_refused_with_the_known_ones() -> None:
    accept = Accept.model_validate({"auc": ">= 0.6"})
    for task in ("binary", "multiclass", "one_vs_rest"):
        accept.check_task(task)
    with pytest.raises(ValueError, match=r"auc is no metric of a regression model; .*known are rmse, mae, r2"):
        accept.check_task("regression")
    with pytest.raises(ValueError, match=r"against_live: rmse .* multiclass"):
        Accept.model_validate({"against_live": {"rmse": "<= 1"}}).check_task("multiclass")


def test_every_metric_of_a_task_can_be_bounded() -> None:
    for metrics in METRICS_BY_TASK.values():
        assert set(metrics) <= set(Accept.model_fields)
