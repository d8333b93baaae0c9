"""The service as an RSGI application (the interface of granian): one object a worker process.

`GET /v1/{pipeline}/{id}` without options has a way of its own, as short as can be; everything else is routed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qsl

from featuremill.errors import ServiceError, UsageError
from featuremill.lookup.keys import BadId
from featuremill.lookup.service import standard
from featuremill.lookup.service.auth import Caller, Tokens, refuse
from featuremill.lookup.service.body import read_body
from featuremill.lookup.service.errors import PROBLEM_JSON, Problem, malformed_id, unknown_id, unknown_pipeline
from featuremill.lookup.service.metrics import Metrics
from featuremill.lookup.service.request_log import RequestLog
from featuremill.lookup.service.routes import Answer, Request, Routes, load_extensions
from featuremill.lookup.service.served import Served, Shelf
from featuremill.lookup.service.settings import ServiceSettings
from featuremill.lookup.store import open_backend

_log = logging.getLogger("featuremill.lookup")
_ONE = "/v1/{pipeline}/{id}"
P = ParamSpec("P")
T = TypeVar("T")
Hook = Callable[[], Awaitable[None]]


class Service:
    """What a worker process serves. Extensions add to `routes`; `shelf.current` is what is served."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.backend = open_backend(settings.root)
        self.shelf = Shelf(self.backend)
        self.routes = Routes()
        self.metrics = Metrics(settings.runtime)
        self.log = RequestLog(settings.request_log)
        self.tokens = Tokens(settings.tokens) if settings.tokens is not None else None
        self.started = time.time()
        self._start_hooks: list[Hook] = []
        self._stop_hooks: list[Hook] = []
        self._looking: asyncio.Task[None] | None = None
        standard.extend(self)
        load_extensions(self)
        # Ends of paths that are routes of their own, like /lookup: the short way does not take them for ids.
        others = (route.path.removeprefix("/v1/{pipeline}") for route in self.routes.routes if route.path != _ONE)
        self._other_ends = tuple({end.removeprefix("/{id}") for end in others if end.startswith("/")})
        self.shelf.look()

    def on_start(self, hook: Hook) -> None:
        """Have a coroutine function awaited in each worker when it starts."""
        self._start_hooks.append(hook)

    def on_stop(self, hook: Hook) -> None:
        """Have a coroutine function awaited in each worker before it ends."""
        self._stop_hooks.append(hook)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what waits or computes in a thread, so that the others' requests go on."""
        return await asyncio.to_thread(function, *args, **kwargs)

    # The worker's life

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        for hook in self._start_hooks:
            loop.run_until_complete(hook())
        self._looking = loop.create_task(self._keep_looking())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._looking is not None:
            self._looking.cancel()
        for hook in self._stop_hooks:
            loop.run_until_complete(hook())
        self.log.flush()
        self.metrics.flush()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self.settings.reload_seconds)
            try:
                await self.run(self._look)
            except Exception:
                _log.exception("looking for new publications failed; what was served before is served on")

    def _look(self) -> None:
        self.shelf.look()
        self.log.flush()
        self.metrics.flush()
        if self.tokens is not None:
            try:
                self.tokens.refresh()
            except UsageError as error:
                _log.error("%s; the tokens read before are good still", error)

    # Requests

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        began = time.perf_counter()
        if scope.proto != "http":
            protocol.close(1000)
            return
        path = scope.path
        if (
            scope.method == "GET"
            and path[:4] == "/v1/"
            and not scope.query_string
            and self.tokens is None
            and not path.endswith(self._other_ends)
        ):
            pipeline, _, text = path[4:].partition("/")
            served = self.shelf.current.get(pipeline)
            if served is not None and text and not served.blocking:
                status, size = self._answer_one(served, text, scope, protocol)
                seconds = time.perf_counter() - began
                self.metrics.observe(_ONE, pipeline, status, seconds)
                if self.log.on:
                    self.log.write("GET", _ONE, pipeline, text, status, seconds, size, scope.client, None)
                return
        await self._answer_routed(scope, protocol, began)

    def _answer_one(self, served: Served, text: str, scope: Any, protocol: Any) -> tuple[int, int]:
        """Answer from the online store. Gives the status and the size of the body."""
        try:
            value = served.get(served.key_of(text))
        except BadId as error:
            return self._send_problem(protocol, malformed_id(served.manifest.pipeline, text, error.wanted))
        except Exception:
            _log.exception("reading from %s failed", served.manifest.publication)
            return self._send_problem(protocol, Problem(500, "internal", "the service failed; its log says more"))
        if value is None:
            return self._send_problem(protocol, unknown_id(served.manifest.pipeline, served.manifest.ds, text))
        given = scope.headers.get("if-none-match")
        if given is not None and matches(given, served.etag):
            protocol.response_empty(304, served.headers[1:])
            return 304, 0
        body = served.one(value, time.time())
        protocol.response_bytes(200, served.headers, body)
        return 200, len(body)

    def _send_problem(self, protocol: Any, problem: Problem, with_body: bool = True) -> tuple[int, int]:
        headers = [("content-type", PROBLEM_JSON), ("cache-control", "no-store"), *problem.headers]
        if not with_body:
            protocol.response_empty(problem.status, headers)
            return problem.status, 0
        body = problem.body()
        protocol.response_bytes(problem.status, headers, body)
        return problem.status, len(body)

    async def _answer_routed(self, scope: Any, protocol: Any, began: float) -> None:
        seen = _Seen()
        try:
            answer = await self._handle(scope, protocol, seen)
            status, size = _send(protocol, answer, scope)
        except Problem as problem:
            status, size = self._send_problem(protocol, problem, scope.method != "HEAD")
        except ServiceError as error:
            _log.error("%s", error)
            failure = Problem(503, "store-unavailable", str(error), headers=[("retry-after", "1")])
            status, size = self._send_problem(protocol, failure, scope.method != "HEAD")
        except Exception:
            _log.exception("answering %s failed", seen.route or "a request")
            failure = Problem(500, "internal", "the service failed; its log says more")
            status, size = self._send_problem(protocol, failure, scope.method != "HEAD")
        seconds = time.perf_counter() - began
        self.metrics.observe(seen.route, seen.pipeline, status, seconds)
        if self.log.on:
            caller = seen.caller.name if seen.caller is not None else None
            self.log.write(
                scope.method, seen.route, seen.pipeline, seen.identity, status, seconds, size, scope.client, caller
            )

    async def _handle(self, scope: Any, protocol: Any, seen: _Seen) -> Answer:
        route, parameters = self.routes.match(scope.method, scope.path)
        seen.route, seen.identity = route.path, parameters.get("id")
        if self.tokens is not None and route.reach != "open":
            seen.caller = self.tokens.caller(scope.headers.get("authorization"))
        served = None
        name = parameters.get("pipeline")
        if name is not None:
            if seen.caller is not None and not seen.caller.may_ask(name):
                raise refuse(seen.caller, name)
            served = self.shelf.current.get(name)
            if served is None and name in self.shelf.failures:
                raise Problem(503, "store-unavailable", self.shelf.failures[name], headers=[("retry-after", "1")])
            if served is None:
                raise unknown_pipeline(name, self.visible(seen.caller))
            seen.pipeline = name
        request = Request(
            method=scope.method,
            path=scope.path,
            parameters=parameters,
            query=_query(scope.query_string),
            headers=scope.headers,
            client=scope.client,
            read_body=lambda: read_body(scope, protocol, self.settings),
            caller=seen.caller,
            served=served,
        )
        return await route.handle(self, request)

    def visible(self, caller: Caller | None) -> list[str]:
        """The published pipelines that somebody may know of."""
        return sorted(name for name in self.shelf.current if caller is None or caller.may_ask(name))


class _Seen:
    """What became known of a request, for the log and the figures."""

    def __init__(self) -> None:
        self.route, self.pipeline = "", ""
        self.identity: str | None = None
        self.caller: Caller | None = None


def _query(text: str) -> dict[str, str]:
    """The parameters of a query. Raises Problem 422 if one comes twice or there are very many."""
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError as error:
        raise Problem(422, "malformed-query", f"the query cannot be read: {error}") from error
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise Problem(422, "malformed-query", f"{name[:80]!r} is given twice")
    return dict(pairs)


def _send(protocol: Any, answer: Answer, scope: Any) -> tuple[int, int]:
    headers = [*answer.headers]
    if answer.etag is not None:
        headers.append(("etag", answer.etag))
        given = scope.headers.get("if-none-match")
        if given is not None and matches(given, answer.etag):
            protocol.response_empty(304, headers)
            return 304, 0
    headers.append(("content-type", answer.content_type))
    if scope.method == "HEAD":
        protocol.response_empty(answer.status, [*headers, ("content-length", str(len(answer.body)))])
        return answer.status, 0
    protocol.response_bytes(answer.status, headers, answer.body)
    return answer.status, len(answer.body)


def matches(given: str, etag: str) -> bool:
    """Whether an If-None-Match header names an entity tag; compared weakly, as RFC 9110 says."""
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags
