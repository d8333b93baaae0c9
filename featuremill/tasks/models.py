"""The calls of SageMaker that a day's model needs, one by one, and the same for models that people choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from featuremill.cli.modelling import chosen_model
from featuremill.errors import UsageError
from featuremill.steps.execution import training_partition
from featuremill.tasks.asked import Call, next_call
from featuremill.tasks.day import Day, ModelOptions, stage_lock

if TYPE_CHECKING:
    from featuremill.sagemaker.refresh import Deployment
    from featuremill.steps.modelling import SageMakerModels

CREATE_TRAINING_JOB = "create_training_job"
CREATE_MODEL = "create_model"
CREATE_ENDPOINT_CONFIG = "create_endpoint_config"
CREATE_ENDPOINT, UPDATE_ENDPOINT = "create_endpoint", "update_endpoint"


@dataclass(frozen=True)
class Choice:
    """A model that somebody wants to serve. Without `version`: the newest accepted one, or the one before (rollback).

    `force`: even if it was not accepted.
    """

    action: Literal["deploy", "rollback"] = "deploy"
    version: str | None = None
    force: bool = False


def training_call(day: Day, options: ModelOptions) -> Call | None:
    """The training job that the day's model needs; None if the model is there. `describe_training_job` if it runs."""
    models = day.models(options)
    graph = day.workspace.graph(day.pipeline, day.ds, day.model_use(models, options))
    place = day.workspace.workplace(day.pipeline, models)
    step = next((step for step in graph.steps if step.kind == "train"), None)
    if step is None:
        return None
    with stage_lock(day.workspace.state, day.pipeline.pipeline, f"train@{day.ds}", day.say):
        return next_call(models, lambda: models.train(step, training_partition(place, graph)), CREATE_TRAINING_JOB)


def deployment_call(day: Day, wanted: ModelOptions | Choice, *operations: str) -> Call | None:
    """The first of these operations that the endpoint needs to run a model; None if it needs none of them.

    `describe_endpoint` if it is busy: what it needs shows once it is not.
    """
    models = day.models(wanted if isinstance(wanted, ModelOptions) else None)
    work = _day_model(day, models, wanted) if isinstance(wanted, ModelOptions) else _deployment(models, wanted)
    return next_call(models, work, *operations) if work is not None else None


def deploy_choice(day: Day, choice: Choice) -> dict[str, Any]:
    """Have the endpoint run what was chosen, look whether it does, and test it."""
    models = day.models()
    try:
        done: Deployment = _deployment(models, choice)()
    finally:
        day.publish_records()
    return {"version": done.version, "endpoint": done.endpoint, "config": done.config, "outcome": done.outcome}


def _day_model(day: Day, models: SageMakerModels, options: ModelOptions) -> Callable[[], object] | None:
    graph = day.workspace.graph(day.pipeline, day.ds, day.model_use(models, options))
    step = next((step for step in graph.steps if step.kind == "deploy"), None)
    return (lambda: models.deploy(step)) if step is not None else None


def _deployment(models: SageMakerModels, choice: Choice) -> Callable[[], Deployment]:
    name = models.pipeline.pipeline
    if models.pipeline.endpoint is None:
        raise UsageError(f"{name} has no endpoint; give its file an `endpoint` section (`endpoint: {{}}` is enough)")
    if choice.action == "rollback":
        return lambda: models.go_back(choice.version, "rolled back by hand")
    model = chosen_model(models, choice.version, choice.force)
    return lambda: models.bring_live(model, "deployed by hand")
