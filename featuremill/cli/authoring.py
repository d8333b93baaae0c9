"""`featuremill new`, `validate`, `schema` and `sample`: writing pipelines, and data to try them on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from featuremill.cli.options import PipelineArgument, ProjectOption, one_day
from featuremill.cli.printing import err, note, out, print_error, print_warning
from featuremill.cli.workspace import open_workspace
from featuremill.errors import FeaturemillError, UsageError


def new(
    name: PipelineArgument,
    csv: Annotated[Path, typer.Option("--csv", help="A CSV file to describe.")],
    project: ProjectOption = None,
    key: Annotated[str | None, typer.Option(help="The column that tells rows apart.")] = None,
    entity: Annotated[str | None, typer.Option(help="The column that lookups ask for.")] = None,
    time: Annotated[str | None, typer.Option(help="The column with the time of the event.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="The delimiter, if the guess is wrong.")] = None,
    header: Annotated[bool | None, typer.Option("--header/--no-header", help="Whether line 1 names columns.")] = None,
    land: Annotated[
        str | None, typer.Option("--land", metavar="DAY", help="Copy the file into the landing zone of this day.")
    ] = None,
) -> None:
    """Write a commented pipeline file for a CSV file: dialect, types, key, time and first features are guessed."""
    from featuremill.scaffold import place_file, scaffold

    workspace = open_workspace(project)
    target = workspace.pipeline_file(name)
    if target.exists():
        raise UsageError(f"{target} is there already; choose another name, or remove it")
    made = scaffold(name, csv, key=key, entity=entity, time=time, delimiter=delimiter, header=header)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(made.text)
    out.print(f"wrote {target}, after reading {made.rows:,} rows of {csv}")
    if land is not None:
        out.print(f"copied the file to {place_file(made, Path(workspace.landing), one_day(land))}")
    for step in made.next_steps if land is None else (made.next_steps[0], f"Run `featuremill run {name} --ds {land}`."):
        note(f"  {step}")


def validate(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Pipelines. Left out: all.", show_default=False)
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Check pipeline files: every mistake of every file, with file, line and column. Exit code 2 if there is one."""
    from featuremill.local_engine.tables import not_proven

    workspace = open_workspace(project)
    wrong = 0
    for name in names or workspace.pipeline_names():
        try:
            pipeline = workspace.pipeline(name)
            reason = not_proven(pipeline)
        except FeaturemillError as error:
            print_error(str(error))
            wrong += 1
            continue
        for warning in workspace.warnings(name):
            print_warning(warning)
        where = "runs on the local engine" if reason is None else f"its tables go to Spark ({reason})"
        out.print(f"{name}: all right, {where}")
    if wrong:
        raise typer.Exit(2)


def schema() -> None:
    """Print the JSON Schema of pipeline files, for editors."""
    from featuremill.spec.json_schema import pipeline_schema

    typer.echo(json.dumps(pipeline_schema(), indent=1, ensure_ascii=False))


def sample(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The sample: credit_risk.")],
    out_folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The landing root. Left out: the project's.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="How many rows. Left out: the sample's own.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed gives other rows.")] = None,
    landings: Annotated[str, typer.Option(help="daily, monthly, or how many landings the rows are split over.")] = "1",
    late: Annotated[float, typer.Option(min=0, max=1, help="The share of rows that land late.")] = 0.0,
    corrected: Annotated[float, typer.Option(min=0, max=1, help="The share that lands wrong first, then right.")] = 0.0,
    replace: Annotated[bool, typer.Option("--replace", help="Remove landings of an earlier sample.")] = False,
    project: ProjectOption = None,
) -> None:
    """Make sample data: the same arguments give the same bytes."""
    from featuremill.samples import sample as find_sample

    chosen = find_sample(name)
    target = out_folder or Path(open_workspace(project).landing)
    seeds = {} if seed is None else {"seed": seed}
    with err.status(f"making {rows or chosen.rows:,} rows of {name}"):
        report = chosen.generate(
            rows=rows or chosen.rows,
            out=target,
            landings=landings,
            late=late,
            corrected=corrected,
            replace=replace,
            **seeds,
        )
    out.print(
        f"{report.lines:,} rows of {report.ids:,} ids, {report.size / 1e6:,.0f} MB, in {report.folder}\n"
        f"The best possible AUC is {report.auc:.3f}; {report.truth} says more."
    )
