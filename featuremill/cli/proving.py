"""`featuremill prove`: no training row of a pipeline tells of what came at or after its time."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from featuremill.cli.options import PipelineArgument, ProjectOption, one_day
from featuremill.cli.printing import err, out, print_table
from featuremill.cli.workspace import open_workspace
from featuremill.errors import UsageError


def prove(
    name: PipelineArgument,
    ds: Annotated[str, typer.Option("--ds", metavar="DAY", help="The day (YYYY-MM-DD); its landings are ingested.")],
    moments: Annotated[int, typer.Option(min=1, max=100, help="At how many event times to try it.")] = 3,
    project: ProjectOption = None,
) -> None:
    """Show on your own rows that training rows do not know the future.

    At some event times all later rows are removed, then changed; every training row up to that time has to
    stay the very same, label aside. Exit code 1 if one does not. Needs the day's ingest (`run --until ingest`) and
    publishes nothing.
    """
    from featuremill.local_engine.proof import WORLDS, Proof
    from featuremill.local_engine.session import LocalSettings, connect
    from featuremill.steps.execution import table_inputs

    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    if pipeline.spine is None:
        raise UsageError(f"{name} has no training table: no source with a time carries {pipeline.entity.key}")
    graph = workspace.graph(pipeline, one_day(ds))
    inputs = table_inputs(workspace.workplace(pipeline), graph)
    engines = workspace.engines(pipeline, None)
    scratch = workspace.state / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="prove-") as folder:
        with connect(LocalSettings(scratch=Path(folder))) as connection, err.status("building training tables"):
            build = engines.for_step(graph.step(f"training@{graph.ds}")).build
            proof = Proof(connection, pipeline, graph.ds, inputs, build, Path(folder))
            found = [proof.compare(moment, world) for moment in proof.moments(moments) for world in WORLDS]
        engines.close()
    shown = [(f"{c.moment:%Y-%m-%d %H:%M:%S}", c.world, f"{c.rows:,}", f"{c.different:,}") for c in found]
    print_table(("rows from here on", "are", "training rows up to here", "different"), shown, right=("different",))
    wrong = sum(comparison.different for comparison in found)
    if wrong:
        out.print(f"{wrong:,} differences: features of {name} know what came later")
        raise typer.Exit(1)
    out.print(f"no training row of {name} tells anything of later rows")
