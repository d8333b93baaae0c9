"""The containers of a transform job: started, asked for their limits, given payloads, stopped."""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints.fleet import DEFAULT_HEALTH_TIMEOUT, stop_all
from featuremill.sagemaker_local.endpoints.instance import Answer, Instance, TookTooLong, Unhealthy, Unreachable
from featuremill.sagemaker_local.endpoints.settings import Settings
from featuremill.sagemaker_local.models.artefacts import fetch
from featuremill.sagemaker_local.models.container import Program
from featuremill.sagemaker_local.transform.errors import AlgorithmError, ClientError
from featuremill.sagemaker_local.transform.splitting import MEGABYTE

LOG_GROUP = "/aws/sagemaker/TransformJobs"
LARGEST_PRODUCT = 100
LONGEST_MESSAGE = 500


@dataclass(frozen=True)
class Limits:
    """How the job talks to a container. `most_bytes` None: no limit (MaxPayloadInMB 0)."""

    concurrent: int
    strategy: Literal["SingleRecord", "MultiRecord"]
    most_bytes: int | None


def limits(job: dict[str, Any], told: dict[str, Any]) -> Limits:
    """The job's own settings, else what the container told (/execution-parameters), else AWS's defaults (1, 6 MB).

    Raises ClientError if concurrent payloads together are larger than 100 MB.
    """
    concurrent = job.get("MaxConcurrentTransforms") or int(told.get("MaxConcurrentTransforms") or 1)
    megabytes = job.get("MaxPayloadInMB")
    if megabytes is None:
        megabytes = int(told.get("MaxPayloadInMB") or 6)
    strategy = job.get("BatchStrategy") or str(told.get("BatchStrategy") or "MultiRecord").replace("_", "")
    names = {"singlerecord": "SingleRecord", "multirecord": "MultiRecord"}
    if strategy.lower() not in names:
        raise ClientError(f"the container's /execution-parameters tell an unknown BatchStrategy {strategy!r}")
    if concurrent * megabytes > LARGEST_PRODUCT:
        raise ClientError(
            f"MaxConcurrentTransforms ({concurrent}) times MaxPayloadInMB ({megabytes}) exceeds {LARGEST_PRODUCT}"
        )
    name = cast(Literal["SingleRecord", "MultiRecord"], names[strategy.lower()])
    return Limits(concurrent, name, megabytes * MEGABYTE or None)


class Containers:
    """The instances of a job. Use it as a context manager: they are stopped at its end."""

    def __init__(self, context: Context, settings: Settings, job: str, program: Program, number: int) -> None:
        self.folder = context.root / "transform" / job
        self._context = context
        self._changed = threading.Condition(threading.RLock())
        self._program = program
        timeout = settings.health_timeout if settings.health_timeout is not None else DEFAULT_HEALTH_TIMEOUT
        self.health_timeout = timeout
        self.instances = [self._instance(job, timeout) for _ in range(number)]

    def _instance(self, job: str, timeout: float) -> Instance:
        name = f"i-{uuid.uuid4().hex[:17]}"
        return Instance(
            id=name,
            program=self._program,
            folder=self.folder / name,
            model=self.folder / "model",
            changed=self._changed,
            health_timeout=timeout,
            on_line=lambda line: self._context.logs.write(LOG_GROUP, f"{job}/{name}", [line]),
        )

    def __enter__(self) -> Containers:
        shutil.rmtree(self.folder, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        stop_all(self.instances, drain=0.0, grace=5.0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, check: Callable[[], None]) -> None:
        """Fetch the model, start all and wait until they are healthy. Raises BrokenModel, Unhealthy."""
        fetch(self._context.buckets, self._program.data, self.folder / "model")
        for instance in self.instances:
            instance.start()
        for instance in self.instances:
            self.wait(instance, check)

    def wait(self, instance: Instance, check: Callable[[], None]) -> None:
        """Wait until an instance is healthy. Raises Unhealthy if it gave up, or does not come back."""
        deadline = time.monotonic() + self.health_timeout + 5
        with self._changed:
            while not instance.healthy:
                if instance.failed is not None or time.monotonic() > deadline:
                    why = instance.failed or "it ended and did not come up again"
                    raise Unhealthy(f"The primary container did not pass the ping health check: {why}")
                self._changed.wait(0.2)
                check()

    def execution_parameters(self) -> dict[str, Any]:
        """What the container tells of itself; nothing if it has no such path. Raises AlgorithmError for nonsense."""
        try:
            answer = self.instances[0].request("GET", "/execution-parameters", None, {}, 10.0)
        except (Unreachable, TookTooLong):
            return {}
        if answer.status != 200:
            return {}
        try:
            told = json.loads(answer.body)
        except ValueError as error:
            raise AlgorithmError(f"the container's /execution-parameters are no JSON: {answer.body[:200]!r}") from error
        return told if isinstance(told, dict) else {}


def ask(
    containers: Containers,
    instance: Instance,
    body: bytes,
    headers: dict[str, str],
    client: dict[str, Any],
    check: Callable[[], None],
) -> Answer:
    """A payload's answer of status 2xx. `client`: the job's ModelClientConfig (600 s, 3 retries unless it says so).

    Tried again: errors 5xx, no answer in time, a process that went away. Raises ClientError for errors 4xx,
    AlgorithmError when the tries are used up.
    """
    timeout = float(client.get("InvocationsTimeoutInSeconds", 600))
    problem = ""
    for attempt in range(int(client.get("InvocationsMaxRetries", 3)) + 1):
        check()
        if attempt:
            time.sleep(min(0.1 * 2**attempt, 2.0))
        try:
            containers.wait(instance, check)
            answer = instance.request("POST", "/invocations", body, headers, timeout)
        except (Unreachable, TookTooLong) as error:
            problem = str(error)
            continue
        if 200 <= answer.status < 300:
            return answer
        text = answer.body[:LONGEST_MESSAGE].decode("utf-8", errors="replace").strip()
        problem = f"the container answered {answer.status}: {text}"
        if answer.status < 500:
            raise ClientError(problem)
    raise AlgorithmError(problem)
