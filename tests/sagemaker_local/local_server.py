"""The local SageMaker as a process of its own, on a free port, and boto3 clients of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

_START_SECONDS = 30.0


class LocalServer:
    """A server whose state is `root`. It can be killed and started again; `programs` are its images."""

    def __init__(self, root: Path, programs: dict[str, Any] | None = None) -> None:
        self.root = root
        self._images = root.with_name(f"{root.name}-images.json")
        self._images.write_text(json.dumps(programs or {}))
        self.log = root.with_name(f"{root.name}.log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> LocalServer:
        """Start it and wait until it answers."""
        (self.root / "port").unlink(missing_ok=True)
        command = [sys.executable, "-m", "featuremill.sagemaker_local", "--root", str(self.root), "--port", "0"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, "--images", str(self._images)], stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not (self.root / "port").exists():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return self

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{(self.root / 'port').read_text().strip()}"

    def client(self, service: str) -> Any:
        """A boto3 client that does not retry, so that tests see every failure."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)
