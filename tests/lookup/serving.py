"""The real service in processes of its own, for tests."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    """A running service."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def post(self, path: str, document: Any, headers: dict[str, str] | None = None) -> Answer:
        return self.ask(
            path, "POST", json.dumps(document).encode(), {"content-type": "application/json", **(headers or {})}
        )

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.ask(path)
        assert answer.status == status, answer.body
        return answer.json()

    def workers(self) -> list[int]:
        """The worker processes' ids."""
        import psutil

        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # one that ends just now
                if child.status() != "zombie" and "resource_tracker" not in " ".join(child.cmdline()):
                    found.append(child.pid)
        return found


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(
    root: Path | str, log: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    """Serve an online store until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "featuremill.lookup", "--root", str(root), "--port", str(port), *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **(environment or {})})
    service = Running(port, process, log)
    try:
        _wait(service)
        yield service
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(service: Running) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert service.process.poll() is None, service.log.read_text()
        try:
            if service.ask("/health").status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the service did not come up: {service.log.read_text()}")
