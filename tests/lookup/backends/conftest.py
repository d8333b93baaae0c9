"""Real servers: redis-server of the system, and the vendor's own DynamoDB Local where it can be had."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lookup.serving import free_port

# The vendor's artefact names a version of the SDK of which not every mirror of Maven Central has all parts.
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>dynamodb</artifactId><version>1</version>
<dependencyManagement><dependencies><dependency><groupId>software.amazon.awssdk</groupId><artifactId>bom</artifactId>
<version>2.54.15</version><type>pom</type><scope>import</scope></dependency></dependencies></dependencyManagement>
<dependencies><dependency><groupId>software.amazon.dynamodb</groupId><artifactId>DynamoDBLocal</artifactId>
<version>3.3.1</version></dependency></dependencies></project>"""


@contextmanager
def running(command: list[str], port: int, log: Path, folder: Path | None = None) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not there: apt-get install redis-server")
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with running(command, port, folder / "log"):
        yield port


def _jars(cache: Path) -> Path | None:
    """The folder with DynamoDB Local's jars, fetched once from Maven Central; None if that cannot be."""
    given = os.environ.get("DYNAMODB_LOCAL_JARS")
    if given:
        return Path(given)
    folder = cache / "dynamodb-local-3.3.1"
    if (folder / "complete").exists():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pom.xml").write_text(_POM)
    command = [
        maven,
        "-q",
        "-B",
        "dependency:copy-dependencies",
        f"-DoutputDirectory={folder}",
        "-DincludeScope=runtime",
    ]
    try:
        subprocess.run(command, cwd=folder, check=True, timeout=300, capture_output=True)
    except (subprocess.SubprocessError, OSError):
        return None
    (folder / "complete").touch()
    return folder


@pytest.fixture(scope="session")
def dynamodb_local_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    java = shutil.which("java")
    jars = _jars(Path.home() / ".cache" / "featuremill") if java else None
    if java is None or jars is None:
        pytest.skip("DynamoDB Local is not there: it needs java, and mvn that reaches Maven Central")
    folder, port = tmp_path_factory.mktemp("dynamodb"), free_port()
    command = [java, "-Xmx300m", f"-Djava.library.path={jars}", "-cp", f"{jars}/*"]
    command += ["software.amazon.dynamodb.services.local.main.ServerRunner", "-inMemory", "-sharedDb"]
    with running([*command, "-disableTelemetry", "-port", str(port)], port, folder / "log", folder):
        yield port


@pytest.fixture(params=["redis", "dynamodb"])
def url(request: pytest.FixtureRequest) -> str:
    """An online store of its own."""
    name = f"t{uuid.uuid4().hex[:12]}"
    if request.param == "redis":
        return f"redis://127.0.0.1:{request.getfixturevalue('redis_port')}/0?prefix={name}"
    return f"dynamodb://eu-west-1/{name}?endpoint=http://127.0.0.1:{request.getfixturevalue('dynamodb_local_port')}"
