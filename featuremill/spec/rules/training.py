"""The training section fits the model that it makes."""

from __future__ import annotations

from collections.abc import Iterator

from featuremill.spec.accept import METRICS_BY_TASK
from featuremill.spec.columns import feature_columns
from featuremill.spec.problems import Problem, did_you_mean
from featuremill.spec.rules.check import Check

_OURS = {
    "objective": "`label.task` decides it",
    "num_class": "the label's values decide it",
    "seed": "write `training.seed`",
    "num_boost_round": "write `rounds`",
    "nthread": "the instance decides it",
    "device": "the instance decides it",
}


def accept_knows_the_metrics(check: Check) -> Iterator[Problem]:
    """A bound is about a metric that models of this task have."""
    pipeline = check.pipeline
    if pipeline.training is None or pipeline.label is None:
        return
    task, accept = pipeline.label.task, pipeline.training.accept
    live = ("training", "accept", "against_live")
    for path, bounds, more in ((live[:2], accept, ()), (live, accept.against_live, ("prediction_psi",))):
        known = (*METRICS_BY_TASK[task], *more)
        for name, _ in bounds.bounds():
            if name not in known:
                suggestion = did_you_mean(name, known) or f"known are {', '.join(known)}"
                yield check.document.problem((*path, name), f"`{name}` is no metric of a {task} model", suggestion)


def prepared_columns_are_features(check: Check) -> Iterator[Problem]:
    """`preprocess.columns` names features."""
    pipeline = check.pipeline
    if pipeline.training is None:
        return
    features = [column.name for column in feature_columns(pipeline)]
    for name in pipeline.training.preprocess.columns:
        if name not in features:
            path = ("training", "preprocess", "columns", name)
            suggestion = did_you_mean(name, features)
            yield check.document.problem(path, f"`{name}` is not a feature", suggestion, at_key=True)


def boosting_leaves_what_is_ours(check: Check) -> Iterator[Problem]:
    """What the pipeline decides elsewhere is not given to XGBoost a second time."""
    training = check.pipeline.training
    for name in training.xgboost.model_extra or {} if training is not None else {}:
        if name in _OURS:
            path = ("training", "xgboost", name)
            yield check.document.problem(path, f"`{name}` cannot be set here", _OURS[name], at_key=True)


def threshold_is_of_two_classes(check: Check) -> Iterator[Problem]:
    """Only a probability of yes or no has a threshold."""
    pipeline = check.pipeline
    if pipeline.training is None or pipeline.label is None or pipeline.training.threshold is None:
        return
    if pipeline.label.task in ("multiclass", "regression"):
        message = f"a {pipeline.label.task} model has no threshold"
        yield check.document.problem(("training", "threshold"), message, "leave it out", at_key=True)


RULES = (
    accept_knows_the_metrics,
    prepared_columns_are_features,
    boosting_leaves_what_is_ours,
    threshold_is_of_two_classes,
)
