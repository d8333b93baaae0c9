"""`featuremill plan` and `featuremill run`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from featuremill.cli.engines import spark_engine
from featuremill.cli.options import DsOption, PipelineArgument, ProjectOption, days_of, one_day
from featuremill.cli.printing import RunDisplay, err, note, out, print_table
from featuremill.cli.workspace import Workspace, open_workspace
from featuremill.errors import FeaturemillError
from featuremill.spec.models import Pipeline
from featuremill.steps.graph import Graph, ModelUse
from featuremill.steps.running import Engines, StepResult, pipeline_lock, run_graph

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


_BEFORE_MODELS = (Until.land, Until.ingest, Until.snapshot, Until.training)
"""Up to these the training table is made in any case, so that it can be looked at."""


class EngineName(StrEnum):
    local = "local"
    spark = "spark"


EngineOption = Annotated[
    EngineName | None,
    typer.Option("--engine", help="local (DuckDB, in this process) or spark. Left out: the environment's."),
]


def plan(
    name: PipelineArgument,
    ds: Annotated[str, typer.Option("--ds", metavar="DAY", help="The day (YYYY-MM-DD).")],
    project: ProjectOption = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the queries of the tables instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the graph of steps as JSON instead.")] = False,
    engine: EngineOption = None,
) -> None:
    """Say what a run would do, and why. Runs nothing."""
    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    day = one_day(ds)
    if sql:
        _print_sql(workspace, pipeline, day, engine)
        return
    models = workspace.models(pipeline)
    use = workspace.model_use(pipeline, day, models)
    graph = workspace.graph(pipeline, day, use)
    if as_json:
        typer.echo(graph.model_dump_json(indent=1))
        return
    from featuremill.steps.planning import plan as make_plan

    published = workspace.published(pipeline, graph)
    planned = make_plan(pipeline, graph, workspace.warehouse, workspace.state, published, models)
    todo = [one for one in planned if one.status == "to do"]
    print_table(("step", "", "why"), [(p.step.id, p.status, p.reason) for p in planned if p.status == "to do"])
    if use is not None and use.due is not None and any(p.step.kind == "train" for p in todo):
        note(f"a model is trained: {use.due}")
    out.print(f"{len(todo)} of {len(planned)} steps to do" if todo else f"all {len(planned)} steps are done")
    reason = workspace.spark_reason(pipeline)
    if reason:
        note(f"the tables go to Spark: {reason}")


def _print_sql(workspace: Workspace, pipeline: Pipeline, day: str, engine: EngineName | None) -> None:
    from featuremill.queries.features import tables_of

    on_spark = (engine.value if engine else workspace.environment.engine) == "spark" or workspace.spark_reason(pipeline)
    query = _spark_query(workspace) if on_spark else _duckdb_query
    for table in tables_of(pipeline):
        name = "Spark" if on_spark else "DuckDB"
        typer.echo(f"-- {pipeline.pipeline}.{table} ds={day}, {name}\n{query(pipeline, table, day)};\n")


def _duckdb_query(pipeline: Pipeline, table: str, day: str) -> str:
    from featuremill.local_engine.tables import DuckDBCompiler
    from featuremill.queries.features import table_query

    return table_query(pipeline, table, day, "duckdb", DuckDBCompiler()).sql


def _spark_query(workspace: Workspace) -> Callable[[Pipeline, str, str], str]:
    from spark_jobs.features import spark_sql

    engine = spark_engine(workspace.environment)
    return lambda pipeline, table, day: spark_sql(engine.session, pipeline, table, day)


def run(
    name: PipelineArgument,
    ds: DsOption,
    until: Annotated[Until, typer.Option("--until", help="Stop after this step.")] = Until.publish,
    engine: EngineOption = None,
    no_train: Annotated[bool, typer.Option("--no-train", help="Train no model, even if one is due.")] = False,
    project: ProjectOption = None,
) -> None:
    """Run a pipeline for a day, or for every day of a range (a backfill, oldest first).

    What is there already and has not changed is not done again. A pipeline with a `training` section trains a model
    when one is due, judges it, deploys it if it has an `endpoint`, and predicts for every entity. In a range only
    the last day trains a first model. Readers see nothing of a run before its last step, publish. Exit code 1: the
    run failed, and what was published and deployed before is still there; 2: the pipeline file or an argument is
    wrong.
    """
    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    days = days_of(ds)
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
    days: list[str],
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
    publishes = until is Until.publish
    if publishes:
        workspace.catalog().databases()
    began = time.monotonic()
    results: list[tuple[str, list[StepResult]]] = []
    with pipeline_lock(workspace.state, pipeline, lambda who: note(f"waiting for {who}, which runs {name}")):
        engines = workspace.engines(pipeline, engine.value if engine else None)
        models = workspace.models(pipeline, instances=training.hosts)
        if transform:
            from featuremill.steps.transforming import BatchTransform

            engines.score_with(BatchTransform(models))
        try:
            for day in days:
                graph = workspace.graph(
                    pipeline, day, _model_use(workspace, pipeline, days, day, until, models, training)
                )
                results.append(
                    (day, _run_day(workspace, pipeline, graph.until(until.value), engines, models, publishes))
                )
        except FeaturemillError as error:
            failed = days[len(results)]
            if len(days) > 1:
                note(f"{len(results)} of {len(days)} days were run before {failed} failed")
            raise error
        finally:
            engines.close()
    _summary(results, time.monotonic() - began)


def _model_use(
    workspace: Workspace,
    pipeline: Pipeline,
    days: list[str],
    day: str,
    until: Until,
    models: SageMakerModels,
    training: Training,
) -> ModelUse | None:
    if until in _BEFORE_MODELS:
        return None
    first_model = not models.registry.versions() and day != days[-1]
    trains = training.trains and not first_model
    return workspace.model_use(pipeline, day, models, trains=trains, by_hand=training.by_hand)


def _run_day(
    workspace: Workspace,
    pipeline: Pipeline,
    graph: Graph,
    engines: Engines,
    models: SageMakerModels,
    publishes: bool,
) -> list[StepResult]:
    catalog = workspace.catalog() if publishes else None
    with RunDisplay(graph) as display:
        models.say = display.says
        try:
            results = run_graph(workspace.workplace(pipeline, models), graph, engines, catalog, display)
        finally:
            # What a failed run did to models is worth reading too.
            if catalog is not None and any(step.kind == "train" for step in graph.steps):
                from featuremill.steps.model_tables import publish_records

                publish_records(catalog, workspace.warehouse, pipeline)
        display.close()
    return results


def _summary(results: list[tuple[str, list[StepResult]]], seconds: float) -> None:
    rows = []
    for day, steps in results:
        done = [r for r in steps if r.status == "done"]
        for result in steps:
            if result.step.kind in ("snapshot", "training", "score"):
                out_part = result.step.outputs[0]
                rows.append((day, out_part.table, out_part.fingerprint[:8], result.status, f"{result.seconds:.1f}"))
            elif result.step.kind == "train" and result.step.model is not None:
                rows.append((day, "(model)", result.step.model.fingerprint[:8], result.status, f"{result.seconds:.1f}"))
        if not done and not rows:
            rows.append((day, "", "", "up to date", ""))
    print_table(("ds", "table", "fingerprint", "", "seconds"), rows, right=("seconds",))
    err.print(f"{sum(len(steps) for _, steps in results)} steps in {seconds:.1f} s", style="dim")
