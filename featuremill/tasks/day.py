"""A pipeline's day, stage by stage: each call does one stage as `featuremill run` does it, and can be repeated.

A scheduler calls `Day.do` in a process of its own for every stage. What is there under its fingerprint is not made
again, so a repeated, killed or doubled task ends with the same partitions.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featuremill.cli.workspace import Workspace
from featuremill.errors import ServiceError, UsageError
from featuremill.spec.environment import load_environment
from featuremill.spec.loading import read_pipeline_file
from featuremill.spec.models import Pipeline
from featuremill.spec.project import PIPELINES, Project
from featuremill.steps.graph import Graph, ModelUse, Step
from featuremill.steps.running import Engines, StepResult, do_step, pipeline_lock

if TYPE_CHECKING:
    from featuremill.sagemaker.requests.training import Hosts
    from featuremill.steps.modelling import SageMakerModels

Say = Callable[[str], None]


@dataclass(frozen=True)
class ModelOptions:
    """What a day does about its model. `by_hand`: one is trained whatever is due; otherwise, with `trains`, if one is.

    `first`: even if it is the pipeline's first (a backfill leaves that to the runs after it: on its early days there
    is little to learn from). `instance_type`, `instance_count`: what trains, instead of the pipeline file's.
    """

    trains: bool = False
    by_hand: bool = False
    first: bool = True
    instance_type: str | None = None
    instance_count: int | None = None


class Day:
    """One pipeline for one `ds`, of a project whose other pipelines are not looked at."""

    def __init__(self, workspace: Workspace, pipeline: Pipeline, ds: str, say: Say) -> None:
        self.workspace, self.pipeline, self.ds, self.say = workspace, pipeline, ds, say

    @classmethod
    def open(cls, project: Path, name: str, ds: str, say: Say = print) -> Day:
        """Raises PipelineFileError for a file with mistakes, UsageError where the day is none."""
        try:
            date.fromisoformat(ds)
        except ValueError:
            raise UsageError(f"{ds!r} is not a day; write it like 2020-12-31") from None
        workspace = open_pipeline(project, name)
        return cls(workspace, workspace.pipeline(name), ds, say)

    def models(self, options: ModelOptions | None = None) -> SageMakerModels:
        return self.workspace.models(self.pipeline, self.say, _hosts(self.workspace, self.pipeline, options))

    def model_use(self, models: SageMakerModels, options: ModelOptions) -> ModelUse | None:
        return self.workspace.model_use(self.pipeline, self.ds, models, trains=options.trains, by_hand=options.by_hand)

    def due(self, options: ModelOptions) -> str | None:
        """Why a model is trained for the day, in words; None if none is."""
        models = self.models(options)
        if not options.first and not models.registry.versions():
            return None
        use = self.model_use(models, options)
        return use.due if use is not None else None

    def do(
        self,
        stage: str,
        engines: Engines | None = None,
        *,
        source: str | None = None,
        options: ModelOptions | None = None,
        kinds: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Do the steps of a stage that are not done; returns what came of it, ready for JSON.

        `engines` makes tables and predictions, and may be None for stages without. `kinds`: what `publish` shows, where
        that is not everything. `monitor` adds what it found (`Monitored.facts`), nothing where the pipeline file has no
        such section. Raises the step's own error; what was finished before it stays.
        """
        options = options or ModelOptions()
        models = self.models(options)
        graph = self.workspace.graph(self.pipeline, self.ds, self.model_use(models, options))
        steps = [step for step in graph.steps if step.stage == stage and source in (None, step.source)]
        name = f"{stage}-{source}" if source else stage
        with stage_lock(self.workspace.state, self.pipeline.pipeline, f"{name}@{self.ds}", self.say):
            if stage == "publish":
                return self._publish(graph, steps, models, kinds)
            try:
                results = [self._do(graph, step, engines, models) for step in steps]
                return _summary(self.ds, results) | {k: v for one in results for k, v in one.outcome.facts.items()}
            finally:
                if stage in ("train", "accept", "deploy"):
                    self.publish_records()

    def _do(self, graph: Graph, step: Step, engines: Engines | None, models: SageMakerModels) -> StepResult:
        began = time.monotonic()
        place = self.workspace.workplace(self.pipeline, models)
        catalog = self.workspace.catalog() if step.kind in ("publish", "monitor") else None
        status, outcome = do_step(place, graph, step, engines or _NoEngines(), catalog)
        result = StepResult(step, status, outcome, time.monotonic() - began)
        if status == "done":
            self.say(" ".join(part for part in (step.id, _rows(result), outcome.remark) if part))
        for warning in outcome.warnings:
            self.say(f"warning: {warning}")
        return result

    def _publish(
        self, graph: Graph, steps: Sequence[Step], models: SageMakerModels, kinds: Sequence[str] | None
    ) -> dict[str, Any]:
        shown = [step for step in graph.steps if kinds is None or step.kind in (*kinds, "publish")]
        reduced = graph.model_copy(update={"steps": tuple(shown)})
        with pipeline_lock(self.workspace.state, self.pipeline, lambda who: self.say(f"waiting for {who}")):
            results = [self._do(reduced, step, None, models) for step in steps]
        summary = _summary(self.ds, results)
        return summary | {"partitions": self._partitions(reduced)}

    def _partitions(self, graph: Graph) -> dict[str, dict[str, Any]]:
        """Table -> fingerprint and number of rows, of the day's own partitions."""
        found = {}
        for out in (out for step in graph.steps for out in step.outputs if out.ds == self.ds):
            manifest = self.workspace.warehouse.find(self.pipeline.pipeline, out.table, out.ds, out.fingerprint)
            if manifest is not None:
                found[out.table] = {"fingerprint": out.fingerprint, "rows": manifest.rows}
        return found

    def publish_records(self) -> None:
        """Show in Hive what became of the models; a metastore that does not answer delays that to the next time."""
        from featuremill.steps.model_tables import publish_records

        try:
            publish_records(self.workspace.catalog(), self.workspace.warehouse, self.pipeline)
        except ServiceError as error:
            self.say(f"warning: model_events in Hive is not up to date: {error}")


def open_pipeline(project: Path, name: str) -> Workspace:
    """A project with one of its pipelines: reading them all takes long where there are hundreds."""
    directory = project.resolve()
    file = directory / PIPELINES / f"{name}.yaml"
    return Workspace(Project(directory, load_environment(directory), {name: read_pipeline_file(file)}))


@contextmanager
def stage_lock(state: Path, pipeline: str, stage: str, say: Say) -> Iterator[None]:
    """Let one process at a time do a stage: it saves doing the same work twice. Correctness does not rest on it."""
    path = state / "locks" / pipeline / f"{stage}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting: another process does {pipeline} {stage}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _NoEngines:
    def for_step(self, step: Step) -> Any:
        raise AssertionError(f"{step.id} needs an engine")

    for_scoring = for_step


def _hosts(workspace: Workspace, pipeline: Pipeline, options: ModelOptions | None) -> Hosts | None:
    if options is None or not (options.instance_type or options.instance_count):
        return None
    from featuremill.steps.modelling import with_instances

    return with_instances(workspace.models(pipeline).hosts, options.instance_type, options.instance_count)


def _rows(result: StepResult) -> str:
    return f"{result.outcome.rows:,} rows" if result.outcome.rows is not None else ""


def _summary(ds: str, results: Sequence[StepResult]) -> dict[str, Any]:
    """At most twenty steps by name: a first run may ingest years of landings."""
    done = [result for result in results if result.status == "done"]
    return {
        "ds": ds,
        "steps": len(results),
        "done": len(done),
        "rows": sum(result.outcome.rows or 0 for result in done),
        "what": [
            {
                "step": result.step.id,
                "status": result.status,
                "fingerprint": (result.step.fingerprint or "")[:12],
                "rows": result.outcome.rows,
                "remark": result.outcome.remark,
                "warnings": list(result.outcome.warnings),
                "seconds": round(result.seconds, 2),
            }
            for result in (done or list(results))[-20:]
        ],
    }
