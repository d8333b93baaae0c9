"""`featuremill monitor`: how far a day has shifted from the one that the live model learned from."""

from __future__ import annotations

from typing import Annotated

import typer

from featuremill.cli.options import PipelineArgument, ProjectOption, one_day
from featuremill.cli.printing import note, out, print_table
from featuremill.cli.workspace import Workspace, open_workspace
from featuremill.errors import UsageError
from featuremill.spec.models import Pipeline

_SHOWN = 20


def monitor(
    name: PipelineArgument,
    ds: Annotated[
        str | None, typer.Option("--ds", metavar="DAY", help="A published day (YYYY-MM-DD). Left out: the newest.")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Measure the drift of a published day, as the last step of a run does, and print what shifted.

    What was measured before is printed again, and not measured anew. Exit code 0, whatever shifted.
    """
    from featuremill.steps.monitoring import drift_rows, monitor, monitored
    from featuremill.steps.running import pipeline_lock

    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    if pipeline.monitor is None:
        raise UsageError(f"{name} is not monitored; give its file a `monitor` section (`monitor: {{}}` is enough)")
    day = one_day(ds) if ds is not None else _newest_day(workspace, pipeline)
    models = workspace.models(pipeline)
    graph = workspace.graph(pipeline, day, workspace.model_use(pipeline, day, models, trains=False))
    step = graph.step(f"monitor@{day}")
    place = workspace.workplace(pipeline, models)
    with pipeline_lock(workspace.state, pipeline, lambda who: note(f"waiting for {who}, which runs {name}")):
        monitor(place, step, workspace.catalog())
    (output,) = step.outputs
    manifest = workspace.warehouse.find(name, output.table, output.ds, output.fingerprint)
    assert manifest is not None
    rows = drift_rows(workspace.warehouse, manifest)
    compared = sorted(
        (row for row in rows if row["psi"] is not None), key=lambda row: (not row["shifted"], -row["psi"])
    )
    shown = [
        (
            row["feature"],
            row["of_table"],
            f"{row['psi']:.3f}",
            f"{row['missing_share_reference']:.1%}",
            f"{row['missing_share']:.1%}",
            "shifted" if row["shifted"] else "",
        )
        for row in compared[:_SHOWN]
    ]
    columns = ("column", "of", "PSI", "missing before", "missing now", "")
    print_table(columns, shown, right=("PSI", "missing before", "missing now"))
    found = monitored(place, manifest)
    against = f" since {found.summary.reference_ds}" if found.summary.reference_ds else ""
    out.print(f"{name} {day}: {found.summary.text()}{against}")
    out.print(f"report: {found.report}")


def _newest_day(workspace: Workspace, pipeline: Pipeline) -> str:
    days = workspace.catalog().days(pipeline.pipeline, "snapshot")
    if not days:
        raise UsageError(
            f"nothing of {pipeline.pipeline} is published; run `featuremill run {pipeline.pipeline} --ds DAY`"
        )
    return days[-1]
