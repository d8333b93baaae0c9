"""`featuremill train`, `deploy`, `rollback` and `models`: a pipeline's models and which of them serves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from featuremill.cli.options import PipelineArgument, ProjectOption, one_day
from featuremill.cli.printing import note, out, print_table
from featuremill.cli.runs import EngineOption, Training, Until, run_days
from featuremill.cli.workspace import Workspace, open_workspace
from featuremill.errors import ServiceError, UsageError
from featuremill.spec.models import Pipeline

if TYPE_CHECKING:
    from featuremill.sagemaker.records import HistoryEntry, ModelVersion
    from featuremill.sagemaker.refresh import Deployment
    from featuremill.steps.modelling import SageMakerModels


def train(
    name: PipelineArgument,
    ds: Annotated[str, typer.Option("--ds", metavar="DAY", help="The day (YYYY-MM-DD) of the training table.")],
    instance_type: Annotated[
        str | None, typer.Option("--instance-type", help="What trains, like ml.m5.4xlarge. Left out: the pipeline's.")
    ] = None,
    instance_count: Annotated[
        int | None, typer.Option("--instance-count", min=1, help="How many train together. Left out: the pipeline's.")
    ] = None,
    stop_after_training: Annotated[
        bool, typer.Option("--stop-after-training", help="Neither judge nor deploy the model, and publish nothing.")
    ] = False,
    engine: EngineOption = None,
    project: ProjectOption = None,
) -> None:
    """Train a model now, whatever is due, and go on as a run does: accept, deploy, predict, publish.

    The same data and settings train nothing a second time. Exit code 1 if training fails, if the model is not
    accepted, or if the endpoint does not take it; the model that served before serves on.
    """
    from featuremill.steps.modelling import with_instances

    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    if pipeline.label is None:
        raise UsageError(f"{name} has no label, so there is nothing to learn; give its file a `label` section")
    hosts = with_instances(workspace.models(pipeline).hosts, instance_type, instance_count)
    until = Until.train if stop_after_training else Until.monitor
    run_days(workspace, pipeline, [one_day(ds)], until, engine, Training(by_hand=True, hosts=hosts))


def deploy(
    name: PipelineArgument,
    model: Annotated[
        str | None, typer.Option("--model", metavar="VERSION", help="Left out: the newest that was accepted.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Even if the model was not accepted.")] = False,
    project: ProjectOption = None,
) -> None:
    """Have the endpoint run a model that was trained before, and test it with real rows.

    If the endpoint does not take it, or answers otherwise than the artefact itself, what served before serves on and
    the exit code is 1.
    """
    workspace = open_workspace(project)
    models = _with_endpoint(workspace, workspace.pipeline(name))
    chosen = chosen_model(models, model, force)
    _report(workspace, models, lambda: models.bring_live(chosen, "deployed by hand"))


def rollback(
    name: PipelineArgument,
    model: Annotated[
        str | None, typer.Option("--model", metavar="VERSION", help="Left out: the one that was deployed before.")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Have the endpoint run a model that it ran before."""
    workspace = open_workspace(project)
    models = _with_endpoint(workspace, workspace.pipeline(name))
    _report(workspace, models, lambda: models.go_back(model, "rolled back by hand"))


def models(
    name: PipelineArgument,
    as_json: Annotated[bool, typer.Option("--json", help="All that is recorded, as JSON.")] = False,
    project: ProjectOption = None,
) -> None:
    """List a pipeline's models, the newest first: what they showed, what became of them, which one is live."""
    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    registry = workspace.models(pipeline).registry
    history = registry.history()
    if as_json:
        typer.echo(json.dumps([entry.model_dump(mode="json") for entry in history], indent=1))
        return
    if not history:
        raise UsageError(f"{name} has no model yet; train one: featuremill train {name} --ds DAY")
    shown = _metric_names(history)
    rows = [
        (
            entry.model.version + (" (live)" if entry.live else ""),
            entry.model.ds,
            *(_number(entry.model, metric) for metric in shown),
            entry.state,
            entry.events[-1].reason[:80] if entry.events else "",
        )
        for entry in history
    ]
    print_table(("model", "ds", *shown, "", ""), rows, right=shown)


def _metric_names(history: list[HistoryEntry]) -> tuple[str, ...]:
    known = ("auc", "pr_auc", "accuracy", "precision", "recall", "logloss", "rmse", "mae", "r2")
    measured = {metric for entry in history for metric in entry.model.metrics.get("validation", {})}
    return tuple(metric for metric in known if metric in measured)


def _number(model: ModelVersion, metric: str) -> str:
    value = model.metrics.get("validation", {}).get(metric)
    return f"{value:.4f}" if isinstance(value, (int, float)) else ""


def _with_endpoint(workspace: Workspace, pipeline: Pipeline) -> SageMakerModels:
    if pipeline.endpoint is None:
        raise UsageError(
            f"{pipeline.pipeline} has no endpoint; give its file an `endpoint` section (`endpoint: {{}}` is enough)"
        )
    return workspace.models(pipeline, note)


def chosen_model(models: SageMakerModels, version: str | None, force: bool) -> ModelVersion:
    history = models.registry.history()
    accepted = [entry.model for entry in history if entry.verdict is not None and entry.verdict.passed]
    name = models.pipeline.pipeline
    if version is None:
        if not accepted:
            raise UsageError(f"{name} has no accepted model; `featuremill models {name}` shows what there is")
        return accepted[0]
    model = models.registry.version(version)
    if model not in accepted and not force:
        raise UsageError(f"{version} was not accepted; deploy it all the same with --force")
    return model


def _report(workspace: Workspace, models: SageMakerModels, work: Callable[[], Deployment]) -> None:
    from featuremill.steps.model_tables import publish_records

    try:
        done = work()
    finally:
        try:
            publish_records(workspace.catalog(), workspace.warehouse, models.pipeline)
        except ServiceError as error:
            note(f"model_events in Hive is not up to date: {error}")
    said = "runs it already" if done.outcome == "unchanged" else f"runs it now ({done.outcome})"
    out.print(f"{done.version}: endpoint {done.endpoint} {said}")
