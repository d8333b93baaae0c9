"""A local SageMaker for the tests of this room: the real server in a process of its own, with a small image."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from featuremill.sagemaker.client import Clients
from featuremill.spec.environment import SageMakerSettings
from featuremill.warehouse.storage import Warehouse

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/small:1"
_STARTED_WITHIN = 60.0


@pytest.fixture(scope="session")
def sagemaker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a local SageMaker whose waits are short; its image is `tests.sagemaker.container`."""
    root = tmp_path_factory.mktemp("sagemaker")
    program = ["{python}", "-m", "tests.sagemaker.container"]
    images = root / "images.json"
    images.write_text(json.dumps({IMAGE: {"train": [*program, "train"], "serve": [*program, "serve"]}}))
    command = [sys.executable, "-m", "featuremill.sagemaker_local"]
    command += ["--root", str(root / "state"), "--port", "0", "--images", str(images)]
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "SAGEMAKER_LOCAL_WAIT_SCALE": "0",
        "SAGEMAKER_LOCAL_HEALTH_TIMEOUT_SECONDS": "25",
        "OMP_NUM_THREADS": "2",
    }
    with (root / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield f"http://127.0.0.1:{_port(root, server)}"
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def _port(root: Path, server: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + _STARTED_WITHIN
    file = root / "state" / "port"
    while time.monotonic() < deadline and server.poll() is None:
        if file.is_file() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.1)
    pytest.fail(f"the local SageMaker did not start:\n{(root / 'log').read_text()[-3000:]}")


@pytest.fixture
def clients(sagemaker_url: str) -> Clients:
    return Clients(SageMakerSettings(endpoint=sagemaker_url, image=IMAGE, bucket="models"))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse")
