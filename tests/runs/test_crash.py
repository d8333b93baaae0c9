"""A run that is killed at any point leaves readers where they were, and the next run ends right."""

from __future__ import annotations

from pathlib import Path

import pytest

from featuremill.warehouse.storage import Warehouse
from tests.runs.shop import HEADER, Shop, line

D1, D2 = "2020-01-01", "2020-01-02"

KILL = """
import os
from featuremill.local_engine.engine import LocalEngine
from featuremill.steps import checks, execution
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.storage import Warehouse

passed = 0

def deadly(owner, name):
    def call(*args, _original=getattr(owner, name), **named):
        point(f"before {name}")
        result = _original(*args, **named)
        if name in ("commit", "publish"):
            point(f"after {name}")
        return result
    setattr(owner, name, call)

def point(name):
    global passed
    passed += 1
    if passed == %d:
        print("killed", name, flush=True)
        os._exit(137)

for owner, names in (
    (LocalEngine, ("ingest", "expect", "build")),
    (Warehouse, ("stage", "describe", "commit")),
    (execution, ("keep_outcome",)),
    (HiveCatalog, ("publish", "create_or_replace_view")),
):
    for name in names:
        deadly(owner, name)
"""


def whole(shop: Shop) -> bool:
    """Whether every published partition is a whole one."""
    warehouse = Warehouse(shop.folder / "data" / "warehouse")
    return all(
        warehouse.find(shop.name, table, day, Path(folder).name) is not None
        for (table, day), folder in shop.published().items()
    )


@pytest.mark.slow
def test_killed_at_every_point(shop: Shop) -> None:
    """The run has work anew before each kill: D2's file changes, and the kill comes one point later than the last."""
    shop.land_days(D1)
    shop.run(D1)
    shop.land(D2, HEADER + line(7, 1, D2, 1.0))
    shop.run(D2)
    killed: list[str] = []
    while True:
        number = len(killed) + 1
        shop.land(D2, HEADER + line(7, 1, D2, 10.0 * number) + "broken\n")
        before = shop.published()
        process = shop.start(D2, KILL % number)
        output, _ = process.communicate(timeout=120)
        assert whole(shop), output
        found = [text for text in output.splitlines() if text.startswith("killed")]
        if not found:
            assert process.returncode == 0, output
            break
        killed += found
        if not any(word in found[0] for word in ("after publish", "before create")):
            moved = {key for key, folder in shop.published().items() if before.get(key) != folder}
            assert not moved or "before publish" in found[0], f"{found} showed readers {moved}"
        assert {row["customer"] for row in shop.rows("snapshot", D1)} == {1, 2}
        shop.run(D2)
        orders = {row["customer"]: (row["orders"], row["mean_amount"]) for row in shop.rows("snapshot", D2)}
        assert orders == {1: (2, (10.0 + 10.0 * number) / 2), 2: (1, 0.0)}, found
    assert {
        "killed before ingest",
        "killed before keep_outcome",
        "killed before commit",
        "killed after publish",
    } <= set(killed)
    assert [row["raw_line"] for row in shop.rows("orders_quarantine", D2)] == ["broken"]


@pytest.mark.slow
def test_two_runs_at_once(shop: Shop) -> None:
    """One waits for the other; with locks of their own (two machines) both work, and one result stays."""
    shop.land_days(D1, D2)
    both = [shop.start(f"{D1}..{D2}") for _ in range(2)]
    for process in both:
        output, _ = process.communicate(timeout=180)
        assert process.returncode == 0, output
    assert whole(shop)
    shop.land(D2, HEADER + line(7, 1, D2, 70.0))
    no_lock = "import fcntl; fcntl.flock = lambda *_: None"
    both = [shop.start(f"{D1}..{D2}", no_lock) for _ in range(2)]
    for process in both:
        output, _ = process.communicate(timeout=180)
        assert process.returncode == 0, output
    assert whole(shop)
    orders = {row["customer"]: row["orders"] for row in shop.rows("snapshot", D2)}
    assert orders == {1: 2, 2: 1}


def test_exit_codes(shop: Shop) -> None:
    shop.land_days(D1)
    process = shop.start("2020-13-01")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and "month must be in 1..12" in output
    process = shop.start(D2)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "no file at" in output
