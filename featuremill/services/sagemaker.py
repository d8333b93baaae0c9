"""The local SageMaker: trains and serves models on this machine behind AWS's own API."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path

from featuremill.services.launch import LOOPBACK, Launch

SAGEMAKER = "sagemaker"


def sagemaker_launch(state: Path, port: int) -> Launch:
    """The server on the loopback address; its buckets, jobs and endpoints are in <state>/sagemaker."""
    root = state / "sagemaker"
    root.mkdir(parents=True, exist_ok=True)
    return Launch(
        name=SAGEMAKER,
        title="local SageMaker",
        command=(
            sys.executable,
            "-m",
            "featuremill.sagemaker_local",
            "--root",
            str(root),
            "--host",
            LOOPBACK,
            "--port",
            str(port),
        ),
        environment={**os.environ, "TZ": "UTC"},
        folder=root,
        probe=lambda: probe(state, port),
    )


def probe(state: Path, port: int) -> None:
    """Raises OSError unless this project's SageMaker answers; an open port alone may be somebody else's."""
    root = state / "sagemaker"
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/_local/health", timeout=5) as answer:
        try:
            found = json.loads(answer.read(100_000)).get("root")
        except (ValueError, AttributeError):
            found = None
    if found != str(root):
        raise OSError(f"{LOOPBACK}:{port} is not the local SageMaker of {root}")
