"""Asking a pipeline's SageMaker endpoint, within a time limit and never on the event loop."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from featuremill.errors import FeaturemillError
from featuremill.lookup.live.breaker import Breaker
from featuremill.lookup.live.settings import LiveSettings
from featuremill.lookup.project import ServedProject
from featuremill.lookup.waiting_room import Full, TooLate, WaitingRoom
from featuremill.sagemaker import payloads
from featuremill.sagemaker.client import Clients, is_missing
from featuremill.sagemaker.names import endpoint_name

_KNOWN_SECONDS = 10.0
_BYTES_A_REQUEST = 4 * 1024 * 1024
"""AWS takes 6 MB; serverless endpoints 4."""
_HASH = re.compile(r"-[0-9a-f]{6}$")
_EXPECTED = re.compile(r"unknown .*; expected (?P<names>[^;]+)$", re.DOTALL)
_FAILURES = ("unavailable", "unusable", "failed", "slow")
_TRIES = 3

Build = Callable[[tuple[str, ...] | None], list[Any]]
"""Makes the rows with these features, or with all that there are."""


class NoAnswer(Exception):
    """The endpoint gave no prediction. `reason` is a word for programs, the message a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class _LiveClients(Clients):
    """Clients that give up after the time limit instead of a minute, and ask once."""

    limits: LiveSettings = LiveSettings()

    def _config(self, service: str) -> Config:
        seconds = self.limits.seconds
        local: dict[str, Any] = {"proxies": {}} if self.is_local else {}
        return Config(
            connect_timeout=seconds,
            read_timeout=seconds,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=self.limits.threads,
            tcp_keepalive=True,
            **local,
        )


class Endpoint:
    """The endpoint of one pipeline: its breaker, which features its model takes, which version it runs."""

    def __init__(self, clients: Clients, name: str, settings: LiveSettings) -> None:
        self.name = name
        self.breaker = Breaker(settings.failures, settings.rest_seconds)
        self.features: tuple[str, ...] | None = None
        """The features that the model takes; None while it takes all that the store has."""
        self._clients = clients
        self._version: tuple[float, str | None] | None = None

    def invoke(self, build: Build, attributes: str) -> list[dict[str, Any]]:
        """The predictions of the rows that `build` makes, in order. Raises NoAnswer, and CannotSend of `build`.

        A model that was trained before a feature came to the pipeline refuses rows that have it, and says what it
        expects: it gets that from then on, until it is refused in turn.
        """
        for attempt in range(_TRIES):
            try:
                return self._invoke_all(build(self.features), attributes)
            except NoAnswer as error:
                expected = expected_features(str(error)) if error.reason == "refused" else None
                if error.reason != "refused" or expected == self.features or attempt == _TRIES - 1:
                    raise
                self.features = expected
        raise AssertionError("unreachable")

    def _invoke_all(self, rows: Sequence[Any], attributes: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for body, count in _bodies(rows):
            answers = self._invoke(body, attributes)
            if len(answers) != count:
                raise NoAnswer("unusable", f"endpoint {self.name} answered {len(answers)} predictions for {count} rows")
            found += answers
        return found

    def _invoke(self, body: bytes, attributes: str) -> list[dict[str, Any]]:
        try:
            answer = self._clients.runtime.invoke_endpoint(
                EndpointName=self.name,
                Body=body,
                ContentType=payloads.JSON,
                Accept=payloads.JSON,
                CustomAttributes=attributes,
            )
            return payloads.read_answer(answer["Body"].read(), f"endpoint {self.name}")
        except ClientError as error:
            raise self._refused(error) from error
        except (ConnectTimeoutError, ReadTimeoutError) as error:
            raise NoAnswer("slow", f"endpoint {self.name} did not answer in time: {error}") from error
        except BotoCoreError as error:
            raise NoAnswer("unavailable", f"endpoint {self.name} does not answer: {error}") from error
        except FeaturemillError as error:
            raise NoAnswer("unusable", str(error)) from error

    def _refused(self, error: ClientError) -> NoAnswer:
        response: dict[str, Any] = error.response
        if is_missing(error):
            return NoAnswer("no-endpoint", f"there is no endpoint {self.name}; train and deploy a model first")
        if 400 <= int(response.get("OriginalStatusCode") or 500) < 500:
            return NoAnswer("refused", f"endpoint {self.name} does not take the features: {_said(response)}")
        return NoAnswer("failed", f"endpoint {self.name} failed: {_said(response)}")

    @property
    def known_version(self) -> tuple[str | None] | None:
        """The version heard of in the last 10 s; None if that is longer ago."""
        known = self._version
        return (known[1],) if known is not None and time.monotonic() - known[0] < _KNOWN_SECONDS else None

    def ask_version(self) -> str | None:
        """The model version that the endpoint runs, by its configuration's name; None while it changes."""
        version = None
        try:
            said = self._clients.sagemaker.describe_endpoint(EndpointName=self.name)
            name = str(said["EndpointConfigName"])
            if said["EndpointStatus"] == "InService" and _HASH.search(name):
                version = _HASH.sub("", name)
        except (ClientError, BotoCoreError, FeaturemillError):
            pass
        self._version = (time.monotonic(), version)
        return version


class Endpoints:
    """The endpoints of a project. One room of threads for all of them."""

    def __init__(self, project: ServedProject, settings: LiveSettings) -> None:
        self.settings = settings
        self._project = project
        self._room = WaitingRoom("live", settings.threads, settings.queue)
        self._lock = threading.Lock()
        self._by_pipeline: dict[str, tuple[int | None, Endpoint]] = {}

    async def predict(self, pipeline: str, build: Build, attributes: str) -> tuple[list[dict[str, Any]], str | None]:
        """The endpoint's predictions of the rows that `build` makes, and the version of its model.

        Raises NoAnswer within the time limit, and CannotSend of `build`.
        """
        endpoint = await self._endpoint(pipeline)
        if not endpoint.breaker.may_pass():
            rest = self.settings.rest_seconds
            raise NoAnswer(
                "resting", f"endpoint {endpoint.name} did not answer lately; it is asked again within {rest:g} s"
            )
        known = endpoint.known_version
        asking = None if known is not None else asyncio.ensure_future(self._version(endpoint))
        try:
            found = await self._in_time(endpoint, build, attributes)
        except NoAnswer as error:
            if error.reason in _FAILURES:
                endpoint.breaker.failed()
            elif error.reason == "refused":
                endpoint.breaker.succeeded()  # it is there and answers
            raise
        endpoint.breaker.succeeded()
        return found, await asking if asking is not None else known[0] if known is not None else None

    async def _in_time(self, endpoint: Endpoint, build: Build, attributes: str) -> list[dict[str, Any]]:
        try:
            return await self._room.run(self.settings.seconds, endpoint.invoke, build, attributes)
        except Full:
            raise NoAnswer("busy", "too many requests wait for the endpoint already") from None
        except TooLate:
            limit = self.settings.timeout_ms
            raise NoAnswer("slow", f"endpoint {endpoint.name} did not answer within {limit} ms") from None

    async def _version(self, endpoint: Endpoint) -> str | None:
        try:
            return await self._room.run(self.settings.seconds, endpoint.ask_version)
        except (Full, TooLate):
            return None

    async def _endpoint(self, pipeline: str) -> Endpoint:
        """The endpoint of a pipeline, its client made and ready: making the first takes a third of a second."""
        try:
            port = self._project.sagemaker_port()
            known = self._by_pipeline.get(pipeline)
            if known is not None and known[0] == port:
                return known[1]
            return await self._room.run(None, self._made, pipeline, port)
        except Full:
            raise NoAnswer("busy", "too many requests wait for the endpoint already") from None
        except FeaturemillError as error:
            raise NoAnswer("unavailable", str(error)) from error

    def _made(self, pipeline: str, port: int | None) -> Endpoint:
        with self._lock:
            known = self._by_pipeline.get(pipeline)
            if known is None or known[0] != port:
                clients = _LiveClients(self._project.environment.sagemaker, port, self.settings)
                endpoint = Endpoint(clients, endpoint_name(pipeline), self.settings)
                _ = clients.runtime, clients.sagemaker
                known = self._by_pipeline[pipeline] = (port, endpoint)
            return known[1]

    def close(self) -> None:
        self._room.close()


def expected_features(message: str) -> tuple[str, ...] | None:
    """The features that a model takes, from its refusal of a row with more; None if the message is another one."""
    match = _EXPECTED.search(message)
    return tuple(name.strip() for name in match["names"].split(",")) if match else None


def _bodies(rows: Sequence[Any]) -> list[tuple[bytes, int]]:
    """Requests of at most 4 MB, each with its number of rows."""
    whole = payloads.instances(rows)
    if len(whole) <= _BYTES_A_REQUEST or len(rows) == 1:
        return [(whole, len(rows))]
    half = len(rows) // 2
    return [*_bodies(rows[:half]), *_bodies(rows[half:])]


def _said(response: dict[str, Any]) -> str:
    """What the model itself said, else what SageMaker says of it."""
    text = str(response.get("OriginalMessage") or response.get("Error", {}).get("Message", ""))
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text[:500]
