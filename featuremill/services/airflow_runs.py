"""Runs in Airflow: triggered over its REST API, followed task by task, and what made one fail."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from featuremill.errors import FeaturemillError, ServiceError, UsageError
from featuremill.services.airflow import SCHEDULER, task_logs
from featuremill.services.airflow_api import AirflowApi, Refused, part

_OVER = ("success", "failed")
_ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")
_TRIGGERS = "TriggerDagRunOperator"
_PARSE_SECONDS = 180.0
_POLL_SECONDS = 1.5
_SILENT_SECONDS = 60.0
_NEWEST = 100
_LOG_END = 200_000


@dataclass(frozen=True)
class Run:
    """A run of a DAG. `state`: queued, running, success or failed."""

    dag: str
    id: str
    state: str
    ended: str | None = None

    @property
    def is_over(self) -> bool:
        return self.state in _OVER


@dataclass(frozen=True)
class Task:
    """A task of a run, now. `attempt` counts from 1, 0 before the first; `triggered`: the run that it waits for."""

    dag: str
    run: str
    name: str
    state: str | None
    attempt: int
    seconds: float | None
    triggered: tuple[str, str] | None

    @property
    def has_ended(self) -> bool:
        return self.state in _ENDED


@dataclass(frozen=True)
class Progress:
    """A run as it is, with the tasks of all runs that it triggered and waits for."""

    run: Run
    tasks: tuple[Task, ...]


def wait_for_dag(
    api: AirflowApi, dag: str, changed: float, say: Callable[[str], None], seconds: float = _PARSE_SECONDS
) -> None:
    """Return when Airflow has read the DAG since its files `changed` (seconds since 1970).

    Raises UsageError, with Airflow's import error, for a DAG file that cannot be read, and ServiceError if it takes too
    long.
    """
    deadline = time.monotonic() + seconds
    asked = False
    while True:
        try:
            found = api.get(f"/dags/{part(dag)}/details")
        except Refused as refused:
            if refused.code != 404:
                raise
            found = None
        if found is not None and not found["is_stale"] and not found["has_import_errors"]:
            read = found["last_parsed_time"]
            if read is not None and _seconds(read) >= changed:
                return
        _raise_import_error(api, dag, changed)
        if not asked:
            say(f"waiting for Airflow to read {dag}")
            asked = True
            if found is not None:
                api.put(f"/parseDagFile/{part(found['file_token'])}")
        if time.monotonic() > deadline:
            raise ServiceError(
                f"Airflow did not read the DAG {dag} within {seconds:.0f} s; see its DAG processor's log"
            )
        time.sleep(_POLL_SECONDS / 2)


def _raise_import_error(api: AirflowApi, dag: str, since: float) -> None:
    for error in api.get("/importErrors", limit=_NEWEST)["import_errors"]:
        if Path(error["filename"]).stem == dag and _seconds(error["timestamp"]) >= since:
            reason = [line for line in error["stack_trace"].splitlines() if line.strip()][-1]
            raise UsageError(f"Airflow cannot read {error['filename']}: {reason}")


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def find_run(api: AirflowApi, dag: str, ds: str) -> Run | None:
    """The run for a day that goes on or is green; None if there is none among the newest ones."""
    found = api.get(f"/dags/{part(dag)}/dagRuns", limit=_NEWEST, order_by="-run_after")["dag_runs"]
    ours = [_run(one) for one in found if _day(one) == ds]
    active = [run for run in ours if not run.is_over]
    green = [run for run in ours if run.state == "success"]
    return next(iter(active + green), None)


def trigger_run(api: AirflowApi, dag: str, ds: str) -> Run:
    """Start a run for a day, and see to it that the DAG is not paused."""
    run = _run(api.post(f"/dags/{part(dag)}/dagRuns", {"logical_date": None, "conf": {"ds": ds}}))
    unpause(api, dag)
    return run


def unpause(api: AirflowApi, dag: str) -> None:
    """A paused DAG's runs wait."""
    api.patch(f"/dags/{part(dag)}", {"is_paused": False})


def follow(api: AirflowApi, run: Run, poll: float = _POLL_SECONDS) -> Iterator[Progress]:
    """How the run is, now and then, until it is over.

    Raises ServiceError when Airflow's API or scheduler has been silent for a minute.
    """
    heard = checked = time.monotonic()
    while True:
        try:
            now = _run(api.get(f"/dags/{part(run.dag)}/dagRuns/{part(run.id)}"))
            tasks = tuple(_tasks(api, run.dag, run.id))
            if time.monotonic() - checked > 10:
                checked = time.monotonic()
                _require_scheduler(api)
        except Refused:
            raise
        except ServiceError:
            if time.monotonic() - heard > _SILENT_SECONDS:
                raise
        else:
            heard = time.monotonic()
            yield Progress(now, tasks)
            if now.is_over:
                return
        time.sleep(poll)


def _require_scheduler(api: AirflowApi) -> None:
    status = api.get("/monitor/health")["scheduler"]["status"]
    if status != "healthy":
        raise ServiceError(f"Airflow's scheduler is {status}; see logs/{SCHEDULER}.log, and run ./start.sh again")


def _tasks(api: AirflowApi, dag: str, run: str) -> Iterator[Task]:
    try:
        found = api.get(f"/dags/{part(dag)}/dagRuns/{part(run)}/taskInstances", limit=_NEWEST, order_by="start_date")
    except Refused as refused:
        # A run that was triggered is there a moment later.
        if refused.code != 404:
            raise
        return
    for one in found["task_instances"]:
        triggers = one["operator_name"] == _TRIGGERS and one["state"] not in (None, "skipped")
        # A day's run has the training DAG run under its own id.
        triggered = (f"{dag}__train", run) if triggers else None
        yield Task(dag, run, one["task_id"], one["state"], one["try_number"], one["duration"], triggered)
        if triggered is not None:
            yield from _tasks(api, *triggered)


def failure(state: Path, progress: Progress) -> FeaturemillError:
    """The error of a run that failed: which tasks, why, and where their logs are."""
    failed = [task for task in progress.tasks if task.state == "failed"]
    # A task that waited for a run which failed says less than the tasks of that run.
    telling = [task for task in failed if not any((t.dag, t.run) == task.triggered for t in failed)]
    text = f"{progress.run.dag}: the run {progress.run.id} failed"
    for task in telling:
        log = log_of(state, task)
        text += f"\n  task {task.name} of {task.dag} (attempt {task.attempt}): {reason_in(log)}\n    its log: {log}"
    return FeaturemillError(text)


def log_of(state: Path, task: Task) -> Path:
    folder = task_logs(state) / f"dag_id={task.dag}" / f"run_id={task.run}" / f"task_id={task.name}"
    return folder / f"attempt={task.attempt}.log"


def reason_in(log: Path) -> str:
    """The error that a task's log ends with, in its own words."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _LOG_END))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return "it left no log"
    errors = [said for line in lines if (said := _parsed(line)).get("level") in ("error", "critical")]
    for said in reversed(errors):
        for error in said.get("error_detail") or ():
            return str(error.get("exc_value") or error.get("exc_type"))
    # What a program writes to its standard error counts as an error too; mostly it is none.
    told = [said for said in errors if said.get("logger") != "task.stderr"] or errors
    return str(told[-1].get("event")) if told else "its log tells no error"


def _parsed(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _run(found: dict[str, Any]) -> Run:
    return Run(found["dag_id"], found["dag_run_id"], found["state"], found["end_date"])


def _day(found: dict[str, Any]) -> str | None:
    """The day that a run was made for, as the DAGs see it; of a scheduled run the last day of its interval."""
    asked = (found["conf"] or {}).get("ds")
    if asked:
        return str(asked)
    if found["run_type"] == "manual":
        return str(found["logical_date"])[:10] if found["logical_date"] else None
    start = found["data_interval_start"]
    return str(start)[:10] if start else None
