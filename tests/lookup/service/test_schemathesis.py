"""What a fuzzer finds from the description alone: nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from featuremill.lookup.publication import publish
from featuremill.warehouse.storage import Warehouse
from tests.lookup.building import commit, pipeline_of, publish_simple, with_as_of
from tests.lookup.serving import Running, running

_OTHERS = {
    "string": pa.array(["a", "b"]),
    "date": pa.array([19_000, 19_001], pa.date32()),
    "double": pa.array([0.5, 1.5], pa.float64()),
    "boolean": pa.array([False, True]),
}


def _command() -> str | None:
    beside = Path(sys.executable).parent / "schemathesis"
    return os.environ.get("SCHEMATHESIS") or (str(beside) if beside.exists() else shutil.which("schemathesis"))


@pytest.mark.slow
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    command = _command()
    if command is None:
        pytest.skip("schemathesis is not installed; pip install schemathesis, or name its command in SCHEMATHESIS")
    root = tmp_path / "store"
    publish_simple(tmp_path, root)
    for kind, ids in _OTHERS.items():
        table = with_as_of(pa.table({"id": ids, "amount": pa.array([1.5, float("nan")], pa.float64())}))
        snapshot = commit(Warehouse(tmp_path / "warehouse"), f"of_{kind}", "snapshot", [table])
        publish(Warehouse(tmp_path / "warehouse"), pipeline_of(f"of_{kind}", kind=kind), snapshot, None, root)
    with running(root, tmp_path / "log") as service:
        _fuzz(command, service, tmp_path)


def _fuzz(command: str, service: Running, tmp_path: Path) -> None:
    asked = [command, "run", f"http://127.0.0.1:{service.port}/openapi.json", "--seed", "1", "--max-examples", "40"]
    done = subprocess.run([*asked, "--no-color"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[:6_000] + done.stderr[-2_000:]
    assert service.get("/health")["status"] == "ok"
