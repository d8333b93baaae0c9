"""A process that dies anywhere in staging or committing leaves no partition or a whole one; trying again completes."""

from __future__ import annotations

import functools
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from featuremill.warehouse.files import Store
from featuremill.warehouse.storage import Warehouse
from tests.warehouse.partitions import fingerprint, loans

CALLS = (
    "read",
    "write",
    "entries",
    "exists",
    "make_folder",
    "move_file",
    "copy_file",
    "delete_file",
    "delete_folder",
    "rename_folder",
    "sync_folder",
)
DIED = 77


def _warehouse(tmp_path: Path, renames: bool) -> Warehouse:
    (tmp_path / "house").mkdir(exist_ok=True)
    if renames:
        return Warehouse(tmp_path / "house")
    return Warehouse("house", SubTreeFileSystem(str(tmp_path), LocalFileSystem()))


def _write(tmp_path: Path, renames: bool) -> None:
    warehouse = _warehouse(tmp_path, renames)
    stage = warehouse.stage("risk", "loans", "2024-03-01", fingerprint("1"))
    for number in range(2):
        pq.write_table(loans(number + 1), tmp_path / "house" / stage.data / f"data_{number}.parquet")
    warehouse.commit(stage, warehouse.describe(stage, engine="duckdb"))


def _die_before_call(tmp_path: Path, renames: bool, last: int) -> None:
    done = 0

    def counted(original: Any) -> Any:
        @functools.wraps(original)
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal done
            if done == last:
                os._exit(DIED)
            done += 1
            return original(*arguments, **named)

        return call

    for name in CALLS:
        setattr(Store, name, counted(getattr(Store, name)))
    _write(tmp_path, renames)


@pytest.mark.parametrize("renames", [True, False], ids=["renames folders", "copies files"])
@pytest.mark.parametrize("broken_before", [False, True], ids=["new", "over a broken one"])
def test_no_crash_leaves_half_a_partition(tmp_path: Path, renames: bool, broken_before: bool) -> None:
    context = multiprocessing.get_context("fork")
    seen = set()
    for last in range(200):
        home = tmp_path / str(last)
        home.mkdir()
        target = home / "house" / "risk" / "loans" / "ds=2024-03-01" / fingerprint("1")
        if broken_before:
            target.mkdir(parents=True)
            (target / "part-00000.parquet").write_bytes(b"half")
        child = context.Process(target=_die_before_call, args=(home, renames, last))
        child.start()
        child.join(30)
        assert child.exitcode in (0, DIED)

        warehouse = _warehouse(home, renames)
        found = warehouse.find("risk", "loans", "2024-03-01", fingerprint("1"))
        seen.add(found is not None)
        if found is not None:
            rows = sum(pq.read_metadata(target / file.name).num_rows for file in found.files)
            assert (rows, found.rows) == (3, 3)
        elif renames and not broken_before:
            assert not target.exists()

        _write(home, renames)
        assert warehouse.manifests("risk", "loans")[0].rows == 3
        if child.exitcode == 0:
            break
    assert child.exitcode == 0, "the calls never came to an end"
    assert seen == {False, True}
