"""Models on disk and `serve` processes on free ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.training_image.serve.artefacts import make_model, make_skills_model
from training_image.prediction import Model
from training_image.serving.predictor import Predictor

REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict:  # type: ignore[type-arg]
        found: dict = json.loads(self.body)  # type: ignore[type-arg]
        return found


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def request(
        self, path: str, body: bytes | None = None, method: str | None = None, timeout: float = 20, **headers: Any
    ) -> Reply:
        """`content_type="text/csv"` is the header Content-Type."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, named, method=method)
        try:
            with urllib.request.urlopen(sent, timeout=timeout) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, dict(error.headers), error.read())

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


Start = Callable[..., Server]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def launch(base: Path, log: Path, wait: bool = True, **environment: str) -> Server:
    port = free_port()
    settings = {"SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_BIND_TO_PORT": str(port), **environment}
    settings.setdefault("SAGEMAKER_MODEL_SERVER_WORKERS", "1")
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "training_image.serve"],
            cwd=REPOSITORY,
            env={**os.environ, **settings},
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    server = Server(process, port, log)
    if wait:
        wait_until_ready(server)
    return server


def wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + 60
    while server.process.poll() is None and time.monotonic() < deadline:
        try:
            if server.request("/ping").status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"serve did not start: {server.log.read_text()}")


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders binary/, multiclass/, regression/, skills/, each with model/ as below SAGEMAKER_BASE_DIR."""
    folder = tmp_path_factory.mktemp("models")
    make_model(folder / "binary" / "model")
    make_model(folder / "multiclass" / "model", "multiclass", ("low", "middle, or so", "high"), "string")
    make_model(folder / "regression" / "model", "regression", label_type="double", half_width=2.5)
    make_skills_model(folder / "skills" / "model")
    return folder


@pytest.fixture(scope="session")
def predictors(bases: Path) -> dict[str, Predictor]:
    return {folder.name: Predictor(Model.load(folder / "model", threads=1)) for folder in bases.iterdir()}


@pytest.fixture(scope="session")
def server(bases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The binary model behind one worker; requests must come within two seconds."""
    log = tmp_path_factory.mktemp("serve") / "log"
    started = launch(bases / "binary", log, FEATUREMILL_BODY_SECONDS="2")
    yield started
    started.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers that end with the test."""
    servers: list[Server] = []

    def begin(base: Path, wait: bool = True, **environment: str) -> Server:
        servers.append(launch(base, tmp_path / f"log{len(servers)}", wait, **environment))
        return servers[-1]

    yield begin
    for found in servers:
        if found.process.poll() is None:
            os.killpg(found.process.pid, signal.SIGKILL)
            found.process.wait(10)
