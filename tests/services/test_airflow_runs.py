"""What is read of a run that failed. That runs are triggered and followed is in tests/dags, with a real Airflow."""

from __future__ import annotations

import json
from pathlib import Path

from featuremill.services.airflow_runs import Progress, Run, Task, failure, log_of, reason_in

RUN = Run("shop", "manual__1", "failed")


def _task(name: str, state: str, *, dag: str = "shop", attempt: int = 1, triggered: bool = False) -> Task:
    other = ("shop__train", "manual__1") if triggered else None
    return Task(dag, "manual__1", name, state, attempt, 1.0, other)


def _write(log: Path, *lines: object) -> Path:
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return log


def test_the_reason_is_the_last_error_that_was_raised(tmp_path: Path) -> None:
    raised = {"level": "error", "event": "Task failed", "error_detail": [{"exc_type": "E", "exc_value": "no such day"}]}
    noise = {"level": "error", "logger": "task.stderr", "event": "a warning of some library"}
    told = {"level": "info", "event": "all is well"}
    assert reason_in(_write(tmp_path / "1.log", told, raised, noise, "torn {")) == "no such day"
    said = {"level": "error", "event": "the server went away", "logger": "task"}
    assert reason_in(_write(tmp_path / "2.log", said, noise, told)) == "the server went away"
    assert reason_in(_write(tmp_path / "3.log", noise)) == "a warning of some library"
    assert reason_in(_write(tmp_path / "4.log", told, '"text"\n')) == "its log tells no error"
    assert reason_in(tmp_path / "none.log") == "it left no log"


def test_a_failure_names_the_task_that_failed_its_reason_and_its_log(tmp_path: Path) -> None:
    job = _task("train.job", "failed", dag="shop__train", attempt=2)
    tasks = (
        _task("land", "success"),
        _task("model.train", "failed", triggered=True),
        job,
        _task("score", "upstream_failed"),
    )
    log = log_of(tmp_path, job)
    assert log == (tmp_path / "logs/airflow/dag_id=shop__train/run_id=manual__1/task_id=train.job/attempt=2.log")
    _write(log, {"level": "error", "error_detail": [{"exc_type": "E", "exc_value": "the algorithm failed"}]})
    text = str(failure(tmp_path, Progress(RUN, tasks)))
    assert "task train.job of shop__train (attempt 2): the algorithm failed" in text
    assert f"its log: {log}" in text
    assert "model.train" not in text, "it only waited for the run that failed"
