"""A local SageMaker with fake containers, and clients of it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.sagemaker_local.core.shapes import checked

FAKE = Path(__file__).with_name("fake_container.py")
BEHAVIOURS = ("ok", "slow", "dying", "mute", "multi", "crashing", "nonsense")
ROLE = "arn:aws:iam::000000000000:role/sagemaker"
CHECKED = ("sagemaker",)
INSTANCE = "ml.m5.large"


def eventually(holds: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The first true value of `holds`; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < end, f"did not come true within {seconds} s: {value!r}"
        time.sleep(0.05)


@dataclass
class Local:
    """A running server and how to reach it. `environment` is added to the server's."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    url: str = ""

    def start(self) -> None:
        images = {f"fake-{name}": {"serve": [sys.executable, str(FAKE), name]} for name in BEHAVIOURS}
        (self.root / "images.json").write_text(json.dumps(images))
        (self.root / "state" / "port").unlink(missing_ok=True)
        command = [sys.executable, "-m", "featuremill.sagemaker_local", "--root", str(self.root / "state")]
        usual = {
            "SAGEMAKER_LOCAL_WAIT_SCALE": "0.01",
            "SAGEMAKER_LOCAL_HEALTH_TIMEOUT_SECONDS": "4",
            "OMP_NUM_THREADS": "2",
        }
        with (self.root / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", "0", "--images", str(self.root / "images.json")],
                env={**os.environ, **usual, **self.environment},
                stdout=log,
                stderr=log,
            )
        port = self.root / "state" / "port"
        eventually(lambda: port.exists() and port.read_text().strip(), 30)
        self.url = f"http://127.0.0.1:{port.read_text().strip()}"

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def client(self, service: str) -> Any:
        """A client without retries; of the services made here, each answer is checked against botocore's shapes."""
        client = boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"max_attempts": 0}, max_pool_connections=64, read_timeout=70),
        )
        return checked(client) if service in CHECKED else client

    @property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    @property
    def runtime(self) -> Any:
        return self.client("sagemaker-runtime")

    def put(self, uri: str, body: bytes) -> str:
        """An object in the bucket's directory, as the room's contract has it."""
        path = self.path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return uri

    def path(self, uri: str) -> Path:
        return self.root / "state" / "buckets" / uri.removeprefix("s3://")

    def archive(self, name: str) -> str:
        return self.put(f"s3://models/{name}/model.tar.gz", archive(name))

    def model(self, name: str, image: str = "fake-ok", **container: Any) -> str:
        definition = {"Image": image, "ModelDataUrl": container.pop("ModelDataUrl", None) or self.archive(name)}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer={**definition, **container}, ExecutionRoleArn=ROLE)
        return name

    def config(self, name: str, *variants: dict[str, Any], **more: Any) -> str:
        """An endpoint config; without variants one named `all` that runs the model of the config's name."""
        full = [
            {"VariantName": "all", "InstanceType": INSTANCE, "InitialInstanceCount": 1, "ModelName": name, **variant}
            for variant in (variants or ({},))
        ]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=full, **more)
        return name

    def endpoint(self, name: str, config: str) -> dict[str, Any]:
        """An endpoint, once it is no longer Creating."""
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        return self.settled(name)

    def settled(self, name: str, seconds: float = 30.0) -> dict[str, Any]:
        """The endpoint's description once nothing is under way."""
        sagemaker = self.sagemaker

        def look() -> Any:
            described = sagemaker.describe_endpoint(EndpointName=name)
            return described if described["EndpointStatus"] in ("InService", "Failed") else None

        found: dict[str, Any] = eventually(look, seconds)
        return found

    def ask(self, endpoint: str, body: bytes = b"1,2", **more: Any) -> str:
        """The answer's text."""
        asked = {"ContentType": "text/csv", **more}
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **asked)
        return str(answer["Body"].read().decode())

    def processes(self) -> list[int]:
        """Ids of the fake containers of this server that run."""
        import psutil

        marker = str(self.root)
        found = []
        for process in psutil.process_iter(["cmdline"]):
            if str(FAKE) in (process.info["cmdline"] or []):
                try:
                    if process.environ().get("SAGEMAKER_BASE_DIR", "").startswith(marker):
                        found.append(process.pid)
                except psutil.Error:
                    continue
        return found


def archive(name: str) -> bytes:
    """A model.tar.gz whose model/name.txt tells the model's name."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        text = name.encode()
        entry = tarfile.TarInfo("name.txt")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    return out.getvalue()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """One server for a module's tests; names of resources have to differ."""
    server = Local(tmp_path_factory.mktemp("sagemaker"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Local]:
    """A server of one test's own, to be stopped and killed; the test starts it."""
    server = Local(tmp_path)
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL) if server.process else None
        eventually(lambda: not server.processes(), 20)
