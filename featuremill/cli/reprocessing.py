"""Which days of a range `--reprocess` looks at: those that are published."""

from __future__ import annotations

from collections.abc import Sequence

from featuremill.cli.printing import note
from featuremill.cli.workspace import Workspace
from featuremill.errors import UsageError
from featuremill.spec.models import Pipeline
from featuremill.warehouse.evolution import readable_as
from featuremill.warehouse.tables import SNAPSHOT


def published_days(workspace: Workspace, pipeline: Pipeline, days: Sequence[str]) -> list[str]:
    """Those of `days` whose snapshot Hive shows, or showed until a column's type changed, oldest first.

    Says how many are left out. Raises UsageError if none is left, ServiceError where the metastore does not answer.
    """
    shown = set(workspace.catalog().days(pipeline.pipeline, SNAPSHOT))
    chosen = [day for day in sorted(days) if day in shown] if shown else []
    withdrawn = _withdrawn(workspace, pipeline, [day for day in days if day not in shown])
    chosen = sorted([*chosen, *withdrawn])
    name, span = pipeline.pipeline, f"{days[0]}..{days[-1]}"
    if not chosen:
        raise UsageError(
            f"nothing of {name} is published for {span}, so there is nothing to reprocess; leave out --reprocess to "
            "make these days"
        )
    if len(chosen) < len(days):
        note(
            f"{len(days) - len(chosen)} of {len(days)} days were never published and are left out; without "
            "--reprocess they are made too"
        )
    return chosen


def _withdrawn(workspace: Workspace, pipeline: Pipeline, days: Sequence[str]) -> list[str]:
    """Days that Hive's table had to give up: their files hold a column in a type that it no longer has.

    So a range whose first day changed a type, and was cut off there, is gone on with.
    """
    types = {column.name: column.type for column in workspace.catalog().columns(pipeline.pipeline, SNAPSHOT)}
    there = set(workspace.warehouse.days(pipeline.pipeline, SNAPSHOT)) if types else set()
    return [
        day
        for day in days
        if day in there
        and any(
            not readable_as(column.type, types.get(column.name, column.type))
            for manifest in workspace.warehouse.manifests_of_day(pipeline.pipeline, SNAPSHOT, day)
            for column in manifest.columns
        )
    ]
