"""`featuremill plan` and `featuremill run`."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from featuremill.cli.engines import spark_engine
from featuremill.cli.options import DsOption, PipelineArgument, ProjectOption, days_of, one_day
from featuremill.cli.printing import RunDisplay, err, note, out, print_table
from featuremill.cli.workspace import Workspace, open_workspace
from featuremill.errors import FeaturemillError
from featuremill.spec.models import Pipeline
from featuremill.steps.graph import Graph
from featuremill.steps.running import Engines, StepResult, pipeline_lock, run_graph


class Until(StrEnum):
    land = "land"
    ingest = "ingest"
    snapshot = "snapshot"
    training = "training"
    publish = "publish"


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
    graph = workspace.graph(pipeline, day)
    if as_json:
        typer.echo(graph.model_dump_json(indent=1))
        return
    from featuremill.steps.planning import plan as make_plan

    planned = make_plan(pipeline, graph, workspace.warehouse, workspace.state, workspace.published(pipeline, graph))
    todo = [one for one in planned if one.status == "to do"]
    print_table(("step", "", "why"), [(p.step.id, p.status, p.reason) for p in planned if p.status == "to do"])
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
    project: ProjectOption = None,
) -> None:
    """Run a pipeline for a day, or for every day of a range (a backfill, oldest first).

    What is there already and has not changed is not done again. Readers see nothing of a run before its last step,
    publish. Exit code 1: the run failed, and what was published before is still there; 2: the pipeline file or an
    argument is wrong.
    """
    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    days = days_of(ds)
    publishes = until is Until.publish
    if publishes:
        workspace.catalog().databases()
    began = time.monotonic()
    results: list[tuple[str, list[StepResult]]] = []
    with pipeline_lock(workspace.state, pipeline, lambda who: note(f"waiting for {who}, which runs {name}")):
        engines = workspace.engines(pipeline, engine.value if engine else None)
        try:
            for day in days:
                graph = workspace.graph(pipeline, day).until(until.value)
                results.append((day, _run_day(workspace, pipeline, graph, engines, publishes)))
        except FeaturemillError as error:
            failed = days[len(results)]
            if len(days) > 1:
                note(f"{len(results)} of {len(days)} days were run before {failed} failed")
            raise error
        finally:
            engines.close()
    _summary(results, time.monotonic() - began)


def _run_day(
    workspace: Workspace, pipeline: Pipeline, graph: Graph, engines: Engines, publishes: bool
) -> list[StepResult]:
    with RunDisplay(graph) as display:
        catalog = workspace.catalog() if publishes else None
        results = run_graph(workspace.workplace(pipeline), graph, engines, catalog, display)
        display.close()
    return results


def _summary(results: list[tuple[str, list[StepResult]]], seconds: float) -> None:
    rows = []
    for day, steps in results:
        done = [r for r in steps if r.status == "done"]
        for result in steps:
            if result.step.kind in ("snapshot", "training"):
                out_part = result.step.outputs[0]
                rows.append((day, out_part.table, out_part.fingerprint[:8], result.status, f"{result.seconds:.1f}"))
        if not done and not rows:
            rows.append((day, "", "", "up to date", ""))
    print_table(("ds", "table", "fingerprint", "", "seconds"), rows, right=("seconds",))
    err.print(f"{sum(len(steps) for _, steps in results)} steps in {seconds:.1f} s", style="dim")
