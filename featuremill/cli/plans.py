"""`featuremill plan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from featuremill.cli.engines import spark_engine
from featuremill.cli.options import DsOption, PipelineArgument, ProjectOption, days_of
from featuremill.cli.printing import note, out, print_table
from featuremill.cli.reprocessing import published_days
from featuremill.cli.runs import EngineName, EngineOption, ReprocessOption, Training, day_model_use
from featuremill.cli.workspace import Workspace, open_workspace
from featuremill.errors import UsageError
from featuremill.spec.models import Pipeline


def plan(
    name: PipelineArgument,
    ds: DsOption,
    project: ProjectOption = None,
    reprocess: ReprocessOption = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the queries of the tables instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the graph of steps as JSON instead.")] = False,
    engine: EngineOption = None,
) -> None:
    """Say what a run would do, and why. Runs nothing."""
    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    days = days_of(ds)
    if (sql or as_json) and len(days) > 1:
        raise UsageError(f"--ds {ds}: --sql and --json are about one day")
    if sql:
        _print_sql(workspace, pipeline, days[0], engine)
        return
    if as_json:
        use = workspace.model_use(pipeline, days[0], workspace.models(pipeline))
        typer.echo(workspace.graph(pipeline, days[0], use).model_dump_json(indent=1))
        return
    _print_plan(workspace, pipeline, published_days(workspace, pipeline, days) if reprocess else days)


def _print_plan(workspace: Workspace, pipeline: Pipeline, days: Sequence[str]) -> None:
    from featuremill.steps.planning import plan as make_plan
    from featuremill.steps.running import Known

    models = workspace.models(pipeline)
    landed = workspace.landed(pipeline, days[-1])
    known = Known()
    rows, notes, steps, days_to_do = [], [], 0, 0
    for day in days:
        use = day_model_use(workspace, pipeline, days, day, models, Training())
        graph = workspace.graph(pipeline, day, use, landed)
        tables = [output.table for step in graph.steps for output in step.outputs]
        shown = landed.published(tables, day)
        planned = make_plan(pipeline, graph, workspace.warehouse, workspace.state, shown, models, known)
        todo = [one for one in planned if one.status == "to do"]
        rows += [(one.step.id, one.status, one.reason) for one in todo]
        steps, days_to_do = steps + len(planned), days_to_do + bool(todo)
        if use is not None and use.due is not None and any(one.step.kind == "train" for one in todo):
            notes.append(f"a model is trained for {day}: {use.due}")
    print_table(("step", "", "why"), rows)
    for text in notes:
        note(text + ("; the days after it are predicted by it" if days[-1] > days[0] else ""))
    if len(days) > 1:
        out.print(f"{days_to_do} of {len(days)} days to do" if rows else f"all {len(days)} days are done")
    else:
        out.print(f"{len(rows)} of {steps} steps to do" if rows else f"all {steps} steps are done")
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
