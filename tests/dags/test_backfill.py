"""A month of landings is caught up with by `airflow backfill create`; it can be cancelled and gone on with."""

from __future__ import annotations

import shlex
import subprocess
from datetime import date, timedelta
from typing import Any

import pytest

from featuremill.services.airflow import airflow_home
from featuremill.services.airflow_shell import shell_settings
from tests.dags.api import wait_for
from tests.dags.stack import ON_DEMAND, Stack
from tests.runs.shop import HEADER, line

pytestmark = [pytest.mark.slow, ON_DEMAND]

DAYS = [f"{date(2024, 6, 1) + timedelta(days=n)}" for n in range(30)]
THERE = 10
"""Of so many days the command made the tables before."""
AT_A_TIME = 3


def test_thirty_landings_are_caught_up_with(stack: Stack) -> None:
    plain, api = stack.plain, stack.api
    for number, day in enumerate(DAYS):
        plain.land(day, HEADER + line(2 * number, 1, day, 1.0 + number) + line(2 * number + 1, number, day))
    plain.run(f"{DAYS[0]}..{DAYS[THERE - 1]}")
    before, files = stack.fingerprints(plain), plain.files()

    backfill = _backfill(stack)
    wait_for("some days", lambda: _count(stack, "success") > THERE)
    api.put(f"/backfills/{backfill}/cancel")
    wait_for("the end of what ran", lambda: not _count(stack, "running"))
    assert _count(stack, "queued") == 0 and 0 < _count(stack, "failed") < len(DAYS) - THERE
    stack.nothing_is_half(plain)

    _backfill(stack, "--reprocess-behavior", "failed")
    wait_for("all days", lambda: _count(stack, "success") == len(DAYS), patience=900)
    after = stack.is_whole(plain, DAYS[-1])
    assert {day for table, day in after if table == "snapshot"} >= set(DAYS)
    assert {place: after[place] for place in before} == before
    made = plain.files()
    assert {name: made[name] for name in files} == files, "what was there was not made again"
    plain.run(f"{DAYS[0]}..{DAYS[-1]}")
    assert (stack.fingerprints(plain), plain.files()) == (after, made), "the command finds nothing to do"


def _runs(stack: Stack) -> list[dict[str, Any]]:
    runs = stack.api.runs("plain", run_type="backfill")
    assert sum(run["state"] == "running" for run in runs) <= AT_A_TIME
    return runs


def _count(stack: Stack, state: str) -> int:
    return sum(run["state"] == state for run in _runs(stack))


def _backfill(stack: Stack, *more: str) -> int:
    """Made in a shell, as the documentation says; its number."""
    command = ["airflow", "backfill", "create", "--dag-id", "plain", "--from-date", DAYS[0], "--to-date", DAYS[-1]]
    command += ["--max-active-runs", str(AT_A_TIME), *more]
    settings = shell_settings(airflow_home(stack.state))
    ended = subprocess.run(
        ["sh", "-c", f'. "$0"; {shlex.join(command)}', str(settings)], capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found: list[dict[str, Any]] = stack.api.get("/backfills?dag_id=plain&order_by=-id")["backfills"]
    return int(found[0]["id"])
