"""Clients of other people in an environment of their own; scripts/interop.sh makes it and runs these tests."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.sagemaker_local.local_server import LocalServer

ENVIRONMENT = Path(__file__).parents[2] / ".venv-interop"
IMAGE = "featuremill:latest"
TRUST = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}


class Run(Protocol):
    """Runs a program of the environment against the server; returns its standard output."""

    def __call__(self, program: str, *arguments: str) -> str: ...


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server with 1,000 training rows at s3://interop/train/ and a role."""
    if not (ENVIRONMENT / ".complete").exists():
        pytest.skip("there is no .venv-interop; run scripts/interop.sh")
    running = LocalServer(tmp_path_factory.mktemp("interop") / "state").start()
    s3 = running.client("s3")
    s3.create_bucket(Bucket="interop")
    s3.put_object(Bucket="interop", Key="train/rows.csv", Body=rows(1000).encode())
    policy = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    running.client("iam").create_role(RoleName="interop", AssumeRolePolicyDocument=policy)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def run(local: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("home")
    environment = {
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "AWS_ENDPOINT_URL": local.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
    }

    def call(program: str, *arguments: str) -> str:
        command = [str(ENVIRONMENT / "bin" / program), *arguments]
        done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{local.log.read_text()[-2000:]}"
        return done.stdout

    return call


def rows(count: int) -> str:
    """Rows of csv, the label first: 1 if the sum of two of four normal columns, with noise, is positive."""
    source = random.Random(7)
    lines = []
    for _ in range(count):
        values = [source.gauss(0, 1) for _ in range(4)]
        label = int(values[0] + values[1] + source.gauss(0, 0.5) > 0)
        lines.append(",".join([str(label), *(f"{value:.4f}" for value in values)]))
    return "\n".join(lines) + "\n"
