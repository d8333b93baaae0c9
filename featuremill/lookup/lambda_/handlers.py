"""What Lambda calls. The application is made when the function starts and lives as long as the environment does.

Settings are variables of the function:

    FEATUREMILL_LOOKUP_ROOT         the online store: dynamodb://..., redis://..., or a folder (EFS)
    FEATUREMILL_LOOKUP_PROJECT      folder of the project in the zip or on EFS; needed for as_of, live, explain, predict
    FEATUREMILL_LOOKUP_ENVIRONMENT  its environment; `aws` unless given
    FEATUREMILL_LOOKUP_TOKENS       file of tokens, if API Gateway does not say who may ask
    FEATUREMILL_LOOKUP_REQUEST_LOG  off, on or hash
    FEATUREMILL_LOOKUP_BASE_PATH    what a custom domain puts before /v1, like /lookup
    FEATUREMILL_LOOKUP_RELOAD       seconds after which a request looks for a new publication first; 2 unless given
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from pydantic import ValidationError

from featuremill.errors import UsageError
from featuremill.lookup.lambda_.events import Exchange, NotAnEvent, Scope, read_event
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.errors import PROBLEM_JSON, Problem
from featuremill.lookup.service.settings import ServiceSettings

_PREFIX = "FEATUREMILL_LOOKUP_"
_ASKS_ENDPOINT = ("live", "explain")
_log = logging.getLogger("featuremill.lookup")


def settings_from(variables: Mapping[str, str]) -> ServiceSettings:
    """Raises UsageError, naming the variable, for one that is missing or cannot be."""
    names = {name: _PREFIX + name.upper() for name in ("root", "project", "environment", "tokens", "request_log")}
    given = {name: variables[said] for name, said in names.items() if variables.get(said)}
    if "root" not in given:
        raise UsageError(f"set {names['root']} to the online store, like dynamodb://eu-west-1/featuremill")
    given.setdefault("environment", "aws")
    try:
        return ServiceSettings.model_validate(given | {"reload_seconds": variables.get(_PREFIX + "RELOAD") or "2"})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = str(problem["loc"][0]).replace("reload_seconds", "reload").upper()
        raise UsageError(f"{_PREFIX}{name}={problem['input']!r}: {problem['msg']}") from error


class Function:
    """The application of one Lambda environment, which serves one event at a time."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        settings = settings_from(variables)
        self._base_path = variables.get(_PREFIX + "BASE_PATH", "").rstrip("/")
        self._service = Service(settings)
        self._looked = time.monotonic()
        # One loop for good: what extensions keep (clients, futures) belongs to it.
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()

    def answer(self, event: Any, *, asks_endpoint: bool) -> dict[str, Any]:
        """API Gateway's answer to its event."""
        try:
            scope, exchange = read_event(event, self._base_path)
        except NotAnEvent as error:
            return _problem(Problem(400, "malformed-event", str(error)))
        try:
            _check_api(scope, asks_endpoint)
        except Problem as problem:
            return _problem(problem)
        with self._lock:
            self._look()
            self._loop.run_until_complete(self._service.__rsgi__(scope, exchange))
        # The environment may be frozen until the next event, or for good.
        self._service.log.flush()
        return exchange.to_event()

    def _look(self) -> None:
        """Between events nothing runs, so new publications are looked for when one comes."""
        if time.monotonic() - self._looked >= self._service.settings.reload_seconds:
            self._service.shelf.look()
            self._looked = time.monotonic()


def _check_api(scope: Scope, asks_endpoint: bool) -> None:
    """Keep the two APIs apart: one is for what is stored and never calls SageMaker, the other for what does."""
    query = parse_qsl(scope.query_string, keep_blank_values=True)
    is_predict = scope.path.endswith("/predict") and scope.method == "POST"
    wishes = [name for name, value in query if name in _ASKS_ENDPOINT and value not in ("false", "0")]
    if not asks_endpoint:
        if is_predict or wishes:
            what = "predict" if is_predict else wishes[0]
            raise Problem(
                404, "other-api", f"{what} asks the endpoint: that is the predictions API's, this is the features API"
            )
        return
    named = {name for name, _ in query}
    if _is_lookup(scope) and not named & {*_ASKS_ENDPOINT}:
        # Whoever asks this API for an id wants the endpoint's prediction.
        scope.query_string = urlencode([*query, ("live", "true")])


def _is_lookup(scope: Scope) -> bool:
    parts = scope.path.split("/", 3)
    if len(parts) != 4 or parts[1] != "v1" or not parts[3]:
        return False
    if scope.method == "POST":
        return parts[3] == "lookup"
    return scope.method in ("GET", "HEAD") and not parts[3].endswith("/history")


def _problem(problem: Problem) -> dict[str, Any]:
    exchange = Exchange(b"")
    exchange.response_bytes(
        problem.status, [("content-type", PROBLEM_JSON), ("cache-control", "no-store")], problem.body()
    )
    return exchange.to_event()


_function: Function | None = None
_starting = threading.Lock()


def _started() -> Function:
    global _function
    with _starting:
        if _function is None:
            logging.getLogger().setLevel(logging.INFO)
            _function = Function(os.environ)
        return _function


def features(event: Any, context: Any = None) -> dict[str, Any]:
    """The features API: one id, many ids, as_of, history, with the predictions that are stored."""
    return _started().answer(event, asks_endpoint=False)


def predictions(event: Any, context: Any = None) -> dict[str, Any]:
    """The predictions API: lookups with the endpoint's prediction, contributions, and values of a new event."""
    return _started().answer(event, asks_endpoint=True)
