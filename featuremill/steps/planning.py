"""What a run would do, and why: the graph held against what the warehouse has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from featuremill.errors import DataError
from featuremill.queries.rows import source_types
from featuremill.spec.models import Pipeline
from featuremill.steps.checks import find_outcome
from featuremill.steps.execution import ModelWork
from featuremill.steps.graph import Graph, Landing, Step
from featuremill.steps.published import Published
from featuremill.steps.running import Known
from featuremill.warehouse.evolution import readable_as
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse

Status = Literal["done", "to do"]


@dataclass(frozen=True)
class Planned:
    """A step with its status and the reason for it, in words."""

    step: Step
    status: Status
    reason: str


def plan(
    pipeline: Pipeline,
    graph: Graph,
    warehouse: Warehouse,
    state: Path,
    published: Published | None,
    models: ModelWork | None = None,
    known: Known | None = None,
) -> list[Planned]:
    """What a run of the graph would do. Computes nothing and writes nothing.

    `published` is None where no metastore answers: publishing then counts as to do. `known`: the landings that the run
    of an earlier day would have seen to; those of this graph are added.
    """
    known = known or Known()
    planned: list[Planned] = []
    for step in graph.steps:
        if step.kind in ("train", "accept", "deploy"):
            reason = models.reason_to_do(step) if models is not None else "not known"
            planned.append(Planned(step, "to do" if reason else "done", reason or "done"))
        elif step.kind == "publish":
            planned.append(_publishing(step, graph, published, known))
        elif known.has(step):
            planned.append(Planned(step, "done", "with an earlier day"))
        else:
            planned.append(_planned(pipeline, step, warehouse, state, published))
    for step in graph.steps:
        known.note(step)
    return planned


def _planned(pipeline: Pipeline, step: Step, warehouse: Warehouse, state: Path, published: Published | None) -> Planned:
    if step.kind == "land":
        return Planned(step, "done", "the raw files are there")
    if step.kind == "check":
        outcome = find_outcome(state, pipeline.pipeline, step)
        if outcome is None:
            return Planned(step, "to do", "not checked yet")
        return Planned(step, "done", "checked") if outcome.success else Planned(step, "to do", "failed the last time")
    if all(warehouse.find(pipeline.pipeline, out.table, out.ds, out.fingerprint) for out in step.outputs):
        if step.kind == "monitor" and published is not None and not published.has(step.outputs[0]):
            return Planned(step, "to do", "it is not published")
        return Planned(step, "done", "nothing changed")
    return Planned(step, "to do", why(step, _newest(warehouse, pipeline.pipeline, step)))


def _publishing(step: Step, graph: Graph, published: Published | None, known: Known) -> Planned:
    if published is None:
        return Planned(step, "to do", "the Hive metastore does not answer")
    others = [other for other in graph.steps if other.kind != "monitor" and not known.has(other)]
    waiting = [out for other in others for out in other.outputs if not published.has(out)]
    if waiting:
        names = list(dict.fromkeys(out.table for out in waiting))
        return Planned(step, "to do", f"{len(waiting)} partitions of {', '.join(names)} are not published")
    return Planned(step, "done", "all partitions are published")


def _newest(warehouse: Warehouse, pipeline: str, step: Step) -> Manifest | None:
    """The manifest of the newest result of the step for its day, if it has one."""
    found = warehouse.manifests_of_day(pipeline, step.outputs[0].table, step.ds)
    return found[-1] if found else None


def why(step: Step, before: Manifest | None) -> str:
    """Why a step has to be done, against what it was made of the last time."""
    if before is None:
        return "missing"
    changed = changed_parts(before.definition, step.definition)
    if changed:
        return "changed definition: " + ", ".join(changed[:4]) + (" ..." if len(changed) > 4 else "")
    new = [name for name in step.inputs if name not in before.inputs]
    other = [name for name in step.inputs if before.inputs.get(name, step.inputs[name]) != step.inputs[name]]
    gone = [name for name in before.inputs if name not in step.inputs]
    parts = [f"{word} {_few(names)}" for word, names in (("new", new), ("changed", other), ("gone", gone)) if names]
    return "; ".join(parts) or "missing"


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def changed_parts(before: Any, after: Any, path: str = "") -> list[str]:
    """The places (`features[0].aggregate.nb`) in which two JSON values differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = dict.fromkeys([*before, *after])
        return [p for key in keys for p in changed_parts(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [part for index, (old, new) in pairs for part in changed_parts(old, new, f"{path}[{index}]")]
    return [] if before == after else [path or "all"]


def archived(
    pipeline: Pipeline,
    landed: Mapping[str, Collection[str]],
    warehouse: Warehouse,
    upto: str,
    published: Published | None,
) -> dict[str, dict[str, Landing]]:
    """Landings whose raw files are gone but whose typed rows were published. `landed`: source -> days with raw files.

    Raw files may be archived once they are ingested; their rows stay visible. Rows that were never published (a check
    stopped their run) do not count. Without a metastore (`published` is None) the newest result of the day counts.
    Raises DataError for rows that hold a column in a type that the source no longer has: published beside rows of the
    new type they would be taken out of Hive's table, and be lost to all later days.
    """
    found: dict[str, dict[str, Landing]] = {}
    for source in pipeline.sources:
        found[source] = {}
        for day in warehouse.days(pipeline.pipeline, source):
            if day <= upto and day not in landed.get(source, ()):
                manifest = _ingested(pipeline.pipeline, source, day, warehouse, published)
                if manifest is not None:
                    _check_types(pipeline, source, manifest)
                    found[source][day] = Landing(files={}, ingested=manifest.fingerprint)
    return found


def _ingested(
    pipeline: str, source: str, day: str, warehouse: Warehouse, published: Published | None
) -> Manifest | None:
    """A day's typed rows that count, None if there are none."""
    manifests = warehouse.manifests_of_day(pipeline, source, day)
    if published is None:
        return manifests[-1] if manifests else None
    shown = published.fingerprints.get(source, {}).get(day)
    return next((manifest for manifest in manifests if manifest.fingerprint == shown), None)


def _check_types(pipeline: Pipeline, source: str, manifest: Manifest) -> None:
    declared = source_types(pipeline.sources[source])
    for column in manifest.columns:
        wanted = declared.get(column.name, column.type)
        if not readable_as(column.type, wanted) and not readable_as(wanted, column.type):
            raise DataError(
                f"{pipeline.pipeline}.{source} ds={manifest.ds}: its raw files are archived and its rows have "
                f"{column.name} as {column.type}, which is {wanted} now; put the files back into the landing zone, so "
                "that they are read anew, or leave the type as it was"
            )
