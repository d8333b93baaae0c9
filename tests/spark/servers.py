"""Starts Spark's own servers, as users have them, and stops them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyspark

_HOME = Path(pyspark.__file__).parent
_PATIENCE = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], log: Path, ready: str) -> Iterator[None]:
    """A command of Spark's `bin`, from when its log says `ready` on."""
    environment = {
        **os.environ,
        "SPARK_HOME": str(_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_DAEMON_MEMORY": "512m",
        "PYSPARK_PYTHON": sys.executable,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(_HOME / "bin" / command[0]), *command[1:]],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=log.parent,
        )
    try:
        _wait(process, log, ready)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], log: Path, ready: str) -> None:
    limit = time.monotonic() + _PATIENCE
    while ready not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > limit:
            raise AssertionError(f"{ready!r} was not said:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.2)


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """A Spark Connect server; its address."""
    port = free_port()
    name = "org.apache.spark.sql.connect.service.SparkConnectServer"
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.sql.catalogImplementation": "in-memory",
    }
    conf = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    command = ["spark-submit", "--master", "local[2]", "--class", name, *conf, "spark-internal"]
    with running(command, folder / "connect.log", "Spark Connect server started"):
        yield f"sc://127.0.0.1:{port}"


@contextmanager
def standalone_cluster(folder: Path) -> Iterator[str]:
    """A master and one worker; the master's address."""
    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    deploy = "org.apache.spark.deploy"
    place = ["--host", "127.0.0.1"]
    starts = ["spark-class", f"{deploy}.master.Master", *place, "--port", str(port), "--webui-port", str(free_port())]
    works = ["spark-class", f"{deploy}.worker.Worker", *place, "--webui-port", str(free_port())]
    works += ["--cores", "2", "--memory", "1g", "--work-dir", str(folder / "work"), master]
    with (
        running(starts, folder / "master.log", "I have been elected leader"),
        running(works, folder / "worker.log", "Successfully registered with master"),
    ):
        yield master
