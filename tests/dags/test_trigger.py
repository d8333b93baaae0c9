"""`featuremill trigger`: a real Airflow runs a day, and the command follows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.dags.stack import Stack
from tests.runs.shop import HEADER, line

pytestmark = pytest.mark.slow

GOOD, BAD = "2024-08-01", "2024-08-02"
LANDED = HEADER + line(11, 1, GOOD) + line(12, 2, GOOD)
CORRECTED = HEADER + line(11, 1, GOOD) + line(12, 2, GOOD, amount=77.0)


def _trigger(stack: Stack, day: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("featuremill")), "trigger", "plain", "--ds", day]
    done = subprocess.run(
        [*command, "--project", str(stack.folder)], capture_output=True, text=True, timeout=900, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def _runs(stack: Stack, day: str) -> list[str]:
    found = stack.api.get("/dags/plain/dagRuns?limit=1000")["dag_runs"]
    return [run["dag_run_id"] for run in found if (run["conf"] or {}).get("ds") == day]


def test_a_day_is_run_and_followed_once(stack: Stack) -> None:
    stack.plain.land(GOOD, LANDED)
    done = _trigger(stack, GOOD)
    assert done.returncode == 0, done.stderr
    assert f"plain {GOOD} is green: http://127.0.0.1:" in done.stdout
    for task in ("land", "ingest.orders", "snapshot", "publish.move"):
        assert f"✓ {task} " in done.stderr, done.stderr
    assert ("snapshot", GOOD) in stack.fingerprints(stack.plain)

    again = _trigger(stack, GOOD)
    assert again.returncode == 0 and f"plain {GOOD} is green already" in again.stdout
    assert len(_runs(stack, GOOD)) == 1, "nothing was to do"

    stack.plain.land(GOOD, CORRECTED)
    assert _trigger(stack, GOOD).returncode == 0
    assert len(_runs(stack, GOOD)) == 2, "a corrected file is something to do"


def test_a_run_that_fails_names_the_task_its_reason_and_its_log(stack: Stack) -> None:
    stack.plain.land(BAD, HEADER + line(13, 1, BAD, amount=-1.0))
    try:
        done = _trigger(stack, BAD)
    finally:
        stack.plain.land(BAD, HEADER + line(13, 1, BAD, amount=1.0))
    assert done.returncode == 1
    assert "task ingest.orders of plain (attempt 1): " in done.stderr
    assert "expect_column_values_to_be_between" in done.stderr, "the reason, as Featuremill told it"
    log = Path(done.stderr.split("its log: ")[1].splitlines()[0])
    assert log.is_relative_to(stack.state) and "expect_column_values_to_be_between" in log.read_text()
    assert "the run: http://127.0.0.1:" in done.stderr


def test_a_pipeline_without_a_dag_and_a_broken_one_are_told(stack: Stack) -> None:
    stack.plain.land(GOOD, CORRECTED)
    file = stack.folder / "dags" / "plain.py"
    kept = file.read_text()
    file.unlink()
    try:
        done = _trigger(stack, GOOD)
        assert done.returncode == 2 and "plain has no DAG: write " in done.stderr
        file.write_text(kept + "raise ValueError('a mistake in a DAG file')\n")
        done = _trigger(stack, GOOD)
        assert done.returncode == 2, done.stderr
        assert "Airflow cannot read plain.py: ValueError: a mistake in a DAG file" in done.stderr
    finally:
        file.write_text(kept)
    assert _trigger(stack, GOOD).returncode == 0
