"""Running a graph in one process: what is done already is skipped, the rest is done in order."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from featuremill.errors import FeaturemillError
from featuremill.spec.models import Pipeline
from featuremill.steps import execution
from featuremill.steps.checks import find_outcome
from featuremill.steps.execution import Outcome, StepStatus, Workplace
from featuremill.steps.graph import Graph, Step
from featuremill.steps.jobs import Engine, Scores
from featuremill.steps.published import publish
from featuremill.warehouse.hive import HiveCatalog


class Engines(Protocol):
    """Gives the engine for a step; starts it when it is first needed."""

    def for_step(self, step: Step) -> Engine: ...

    def for_scoring(self, step: Step) -> Scores: ...


class Progress(Protocol):
    """Is told what happens in a run."""

    def starts(self, step: Step) -> None: ...

    def ended(self, result: StepResult) -> None: ...

    def failed(self, step: Step, error: Exception) -> None: ...


@dataclass(frozen=True)
class StepResult:
    """What came of a step; `seconds` is wall time."""

    step: Step
    status: StepStatus
    outcome: Outcome
    seconds: float


def run_graph(
    place: Workplace, graph: Graph, engines: Engines, catalog: HiveCatalog | None, progress: Progress
) -> list[StepResult]:
    """Do the steps of a graph that are not done. The first failure ends the run and is raised after `progress` knows.

    `catalog` may be None only if the graph has no publish step. Everything that a failed or killed run finished stays,
    so the next run goes on where it stopped; readers see nothing of it before the publish step.
    """
    results = []
    for step in graph.steps:
        progress.starts(step)
        began = time.monotonic()
        try:
            status, outcome = do_step(place, graph, step, engines, catalog)
        except FeaturemillError as error:
            progress.failed(step, error)
            raise
        result = StepResult(step, status, outcome, time.monotonic() - began)
        progress.ended(result)
        results.append(result)
    return results


def do_step(
    place: Workplace, graph: Graph, step: Step, engines: Engines, catalog: HiveCatalog | None
) -> tuple[StepStatus, Outcome]:
    """Do one step of a graph whose earlier steps are done; says whether there was anything to do."""
    if step.kind == "land":
        return "up to date", Outcome()
    if step.kind == "publish":
        assert catalog is not None
        moves = publish(catalog, place.warehouse, place.pipeline, graph)
        told = [f"{moves.moved} partitions"] if moves.moved else []
        if place.online is not None and (online := place.online()):
            told.append(online)
        return ("done" if told else "up to date"), Outcome(remark=", ".join(told), warnings=moves.warnings)
    if step.kind == "check":
        before = find_outcome(place.state, place.pipeline.pipeline, step)
        if before is not None and before.success:
            return "up to date", Outcome()
        return "done", execution.check(place, graph, step, engines.for_step(step))
    if step.kind in ("train", "accept", "deploy"):
        return _do_model(place, graph, step)
    if _is_there(place, step):
        return "up to date", Outcome()
    if step.kind == "score":
        return "done", execution.score(place, graph, step, engines.for_scoring(step))
    if step.kind == "ingest":
        return "done", execution.ingest(place, step, engines.for_step(step))
    return "done", execution.build(place, graph, step, engines.for_step(step))


def _do_model(place: Workplace, graph: Graph, step: Step) -> tuple[StepStatus, Outcome]:
    """Train, accept and deploy. Each looks itself whether it is done: what they make is not a partition."""
    assert place.models is not None, "a graph with model steps needs someone to do them"
    if step.kind == "train":
        return place.models.train(step, execution.training_partition(place, graph))
    return place.models.accept(step) if step.kind == "accept" else place.models.deploy(step)


def _is_there(place: Workplace, step: Step) -> bool:
    name = place.pipeline.pipeline
    return all(place.warehouse.find(name, out.table, out.ds, out.fingerprint) for out in step.outputs)


@contextmanager
def pipeline_lock(state: Path, pipeline: Pipeline, waiting: Callable[[str], None]) -> Iterator[None]:
    """Let one run of a pipeline at a time work on this machine.

    It saves doing the same work twice; what keeps partitions whole is that they are committed by one rename.
    """
    folder = state / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{pipeline.pipeline}.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            waiting(lock.read().strip() or "another run")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        lock.truncate()
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield
