"""`featuremill run`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from featuremill.cli.options import DsOption, PipelineArgument, ProjectOption, days_of
from featuremill.cli.printing import RunDisplay, err, note, print_table
from featuremill.cli.reprocessing import published_days
from featuremill.cli.workspace import Workspace, open_workspace
from featuremill.errors import FeaturemillError, UsageError
from featuremill.spec.models import Pipeline
from featuremill.steps.execution import Workplace
from featuremill.steps.graph import Graph, ModelUse
from featuremill.steps.running import Engines, Known, StepResult, pipeline_lock, run_graph
from featuremill.warehouse.hive import HiveCatalog

if TYPE_CHECKING:
    from featuremill.sagemaker.requests.training import Hosts
    from featuremill.steps.modelling import SageMakerModels


class Until(StrEnum):
    land = "land"
    ingest = "ingest"
    snapshot = "snapshot"
    training = "training"
    train = "train"
    accept = "accept"
    deploy = "deploy"
    score = "score"
    publish = "publish"
    monitor = "monitor"


PUBLISHING = (Until.publish, Until.monitor)

_BEFORE_MODELS = (Until.land, Until.ingest, Until.snapshot, Until.training)
"""Up to these the training table is made in any case, so that it can be looked at."""


class EngineName(StrEnum):
    local = "local"
    spark = "spark"


EngineOption = Annotated[
    EngineName | None,
    typer.Option("--engine", help="local (DuckDB, in this process) or spark. Left out: the environment's."),
]


ReprocessOption = Annotated[
    bool,
    typer.Option(
        "--reprocess", help="Only the days of the range that are published: what would come out differently now."
    ),
]


def run(
    name: PipelineArgument,
    ds: DsOption,
    until: Annotated[Until, typer.Option("--until", help="Stop after this step.")] = Until.monitor,
    engine: EngineOption = None,
    no_train: Annotated[bool, typer.Option("--no-train", help="Train no model, even if one is due.")] = False,
    reprocess: ReprocessOption = False,
    project: ProjectOption = None,
) -> None:
    """Run a pipeline for a day, or for every day of a range (a backfill, oldest first).

    What is there already and has not changed is not done again. A pipeline with a `training` section trains a model
    when one is due, judges it, deploys it if it has an `endpoint`, and predicts for every entity. In a range only
    the last day trains a first model. Readers see nothing of a run before it publishes; a pipeline with a `monitor`
    section then measures how far the day has shifted. With --reprocess, days that were never published are left out.
    Exit code 1: the run failed, and what was published and deployed before is still there; 2: the pipeline file or
    an argument is wrong.
    """
    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    days = days_of(ds)
    if reprocess:
        if until not in PUBLISHING:
            raise UsageError(f"--reprocess publishes each day when it is ready; leave out --until {until.value}")
        days = published_days(workspace, pipeline, days)
    run_days(workspace, pipeline, days, until, engine, Training(trains=not no_train))


@dataclass(frozen=True)
class Training:
    """What a run is told about training. `by_hand`: a model is trained whatever is due; `hosts`: on what."""

    trains: bool = True
    by_hand: bool = False
    hosts: Hosts | None = None


def run_days(
    workspace: Workspace,
    pipeline: Pipeline,
    days: Sequence[str],
    until: Until,
    engine: EngineName | None,
    training: Training,
    *,
    transform: bool = False,
) -> None:
    """Run days one after the other and print what came of it. The first failure ends it.

    `transform`: predictions are made by SageMaker's batch transform.
    """
    name = pipeline.pipeline
    if until in PUBLISHING:
        workspace.catalog().databases()
    began = time.monotonic()
    done: list[_DayDone] = []
    with pipeline_lock(workspace.state, pipeline, lambda who: note(f"waiting for {who}, which runs {name}")):
        engines = workspace.engines(pipeline, engine.value if engine else None)
        models = workspace.models(pipeline, instances=training.hosts)
        if transform:
            from featuremill.steps.transforming import BatchTransform

            engines.score_with(BatchTransform(models))
        try:
            landed = workspace.landed(pipeline, days[-1])
            known = Known(landed.shown)
            place = workspace.workplace(pipeline, models, landed)
            for number, day in enumerate(days, start=1):
                use = None
                if until not in _BEFORE_MODELS:
                    use = day_model_use(workspace, pipeline, days, day, models, training)
                graph = workspace.graph(pipeline, day, use, landed).until(until.value)
                catalog = workspace.catalog() if until in PUBLISHING else None
                with RunDisplay(graph, number, len(days)) as display:
                    models.say = display.says
                    done.append(_run_day(place, graph, engines, catalog, display, known))
        except FeaturemillError as error:
            failed = days[len(done)]
            if len(days) > 1:
                note(f"{len(done)} of {len(days)} days were run before {failed} failed; the same command goes on there")
            raise error
        finally:
            engines.close()
    _summary(done, time.monotonic() - began)


def day_model_use(
    workspace: Workspace,
    pipeline: Pipeline,
    days: Sequence[str],
    day: str,
    models: SageMakerModels,
    training: Training,
) -> ModelUse | None:
    """What the run of one of `days` does about the model."""
    first_model = not models.registry.versions() and day != days[-1]
    trains = training.trains and not first_model
    return workspace.model_use(pipeline, day, models, trains=trains, by_hand=training.by_hand)


@dataclass(frozen=True)
class _DayDone:
    """What is told of a day at the end. Its graph is not kept: over many days that would be much."""

    steps: int
    rows: Sequence[tuple[str, str, str, str, str]]


def _run_day(
    place: Workplace,
    graph: Graph,
    engines: Engines,
    catalog: HiveCatalog | None,
    display: RunDisplay,
    known: Known,
) -> _DayDone:
    try:
        results = run_graph(place, graph, engines, catalog, display, known)
    finally:
        # What a failed run did to models is worth reading too.
        if catalog is not None and any(step.kind == "train" for step in graph.steps):
            from featuremill.steps.model_tables import publish_records

            publish_records(catalog, place.warehouse, place.pipeline)
    display.close()
    return _DayDone(len(results), _rows(graph.ds, results))


def _rows(day: str, results: Sequence[StepResult]) -> list[tuple[str, str, str, str, str]]:
    rows: list[tuple[str, str, str, str, str]] = []
    for result in results:
        seconds = f"{result.seconds:.1f}"
        if result.step.kind in ("snapshot", "training", "score"):
            made = result.step.outputs[0]
            rows.append((day, made.table, made.fingerprint[:8], result.status, seconds))
        elif result.step.kind == "train" and result.step.model is not None:
            rows.append((day, "(model)", result.step.model.fingerprint[:8], result.status, seconds))
    if not rows and all(result.status != "done" for result in results):
        rows.append((day, "", "", "up to date", ""))
    return rows


def _summary(done: Sequence[_DayDone], seconds: float) -> None:
    rows = [row for day in done for row in day.rows]
    print_table(("ds", "table", "fingerprint", "", "seconds"), rows, right=("seconds",))
    err.print(f"{sum(day.steps for day in done)} steps in {seconds:.1f} s", style="dim")
