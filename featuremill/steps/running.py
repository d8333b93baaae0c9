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

from featuremill.errors import FeaturemillError, disk_error
from featuremill.spec.models import Pipeline
from featuremill.steps import execution
from featuremill.steps.checks import find_outcome
from featuremill.steps.execution import Outcome, StepStatus, Workplace
from featuremill.steps.graph import Graph, Step
from featuremill.steps.jobs import Engine, Scores
from featuremill.steps.published import Shown, publish
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


_UP_TO_DATE: tuple[StepStatus, Outcome] = ("up to date", Outcome())


class Known:
    """What a process that runs one day after the other need not look up again for each of them.

    Every day's graph has all landings up to it. Looking at each landing for each day would take the square of the
    number of days; so what was seen to be done, or was done, counts as done for the days after it.
    """

    def __init__(self, shown: Shown | None = None) -> None:
        self.shown = shown
        self._done: set[tuple[str, str]] = set()

    def has(self, step: Step) -> bool:
        return (step.id, str(step.fingerprint)) in self._done

    def note(self, step: Step) -> None:
        if step.kind in ("ingest", "check"):
            self._done.add((step.id, str(step.fingerprint)))


def run_graph(
    place: Workplace,
    graph: Graph,
    engines: Engines,
    catalog: HiveCatalog | None,
    progress: Progress,
    known: Known | None = None,
) -> list[StepResult]:
    """Do the steps of a graph that are not done. The first failure ends the run and is raised after `progress` knows.

    `catalog` may be None only if the graph has neither a publish nor a monitor step. Everything that a failed or
    killed run finished stays, so the next run goes on where it stopped; readers see nothing of it before the publish
    step. What is published stays, whatever becomes of the monitor step. `known`: what the days before found out.
    What the disk refuses is raised as DataError, with the path.
    """
    known = known or Known()
    results = []
    for step in graph.steps:
        progress.starts(step)
        began = time.monotonic()
        status, outcome = _UP_TO_DATE
        if not known.has(step):
            try:
                status, outcome = do_step(place, graph, step, engines, catalog, known.shown)
            except FeaturemillError as error:
                progress.failed(step, error)
                raise
            except OSError as error:
                progress.failed(step, error)
                told = disk_error(error, f"{place.state} or {place.warehouse.store.path('')}")
                if told is None:
                    raise
                raise told from error
            known.note(step)
        result = StepResult(step, status, outcome, time.monotonic() - began)
        progress.ended(result)
        results.append(result)
    return results


def do_step(
    place: Workplace,
    graph: Graph,
    step: Step,
    engines: Engines,
    catalog: HiveCatalog | None,
    shown: Shown | None = None,
) -> tuple[StepStatus, Outcome]:
    """Do one step of a graph whose earlier steps are done; says whether there was anything to do."""
    if step.kind == "land":
        return "up to date", Outcome()
    if step.kind == "publish":
        assert catalog is not None
        moves = publish(catalog, place.warehouse, place.pipeline, graph, shown)
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
    if step.kind == "monitor":
        assert catalog is not None
        from featuremill.steps.monitoring import monitor

        return monitor(place, step, catalog)
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
    # Unbuffered, so that closing has nothing left to write that a full disk could refuse.
    with (folder / f"{pipeline.pipeline}.lock").open("ab+", buffering=0) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            waiting(lock.read().decode().strip() or "another run")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        try:
            lock.write(f"process {os.getpid()}".encode())
        except OSError as error:
            raise OSError(error.errno, error.strerror, lock.name) from error
        yield
