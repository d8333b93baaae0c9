"""The HTTP application, an RSGI callable for granian: routes, the model's predictor, the multi-model API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

import orjson

from training_image.prediction import Model
from training_image.serving.bodies import BodyReader
from training_image.serving.errors import RequestError, bad, shown
from training_image.serving.journal import logger
from training_image.serving.openapi import document
from training_image.serving.predictor import Predictor, Response, failure
from training_image.serving.registry import Registry
from training_image.serving.settings import LARGEST_BODY, MEGABYTE, Settings, cores

SMALL = 32 * 1024
"""Bodies up to so many bytes are answered on the event loop, others in a thread: /ping is answered meanwhile."""

ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
TARGET_MODEL = "x-amzn-sagemaker-target-model"

Result = TypeVar("Result")


class Application:
    def __init__(self, settings: Settings, state: Path) -> None:
        """Raises ArtefactError for a model that cannot be used, RequestError for an output that it does not have."""
        self._settings = settings
        self._predictor = None if settings.multi_model else self._load(settings.model)
        self._registry = (
            Registry(state, self._load, settings.workers, settings.model_memory) if settings.multi_model else None
        )
        self._bodies = BodyReader(settings.max_body, settings.body_seconds)
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="rows")
        self._sweeping: asyncio.Task[None] | None = None
        self._openapi = orjson.dumps(document(settings, None if self._predictor is None else self._predictor.model))

    def _load(self, folder: Path) -> Predictor:
        # The workers share the cores. XGBoost wakes a second thread for more than a block of rows only.
        return Predictor(
            Model.load(folder, threads=max(cores() // self._settings.workers, 1)),
            self._settings.output,
            self._settings.max_body,
            self._settings.default_accept,
        )

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._registry is not None:
            self._sweeping = loop.create_task(self._sweep(self._registry))

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._threads.shutdown(wait=False)

    async def _sweep(self, registry: Registry) -> None:
        while True:
            await asyncio.sleep(1)
            registry.sweep()

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        started = time.perf_counter()
        try:
            response = await self._route(scope, proto)
        except RequestError as error:
            response = failure(error)
        except Exception:
            logger.exception("a request failed", extra={"fields": {"method": scope.method, "path": scope.path[:200]}})
            response = failure(RequestError(500, "an error of the server; its log says more"))
        headers = [("content-type", response.content_type)]
        if response.status == 405:
            headers.append(("allow", response.allow))
        proto.response_bytes(response.status, headers, response.body)
        if self._settings.access_log:
            fields = {
                "method": scope.method,
                "path": scope.path[:200],
                "status": response.status,
                "bytes": len(response.body),
                "milliseconds": round((time.perf_counter() - started) * 1000, 3),
            }
            logger.info("request", extra={"fields": fields})

    async def _route(self, scope: Any, proto: Any) -> Response:
        path, method = scope.path, scope.method
        if path == "/invocations":
            return await self._invocation(scope, proto) if method == "POST" else _not_allowed("POST")
        if path == "/ping":
            return Response(200, "text/plain", b"") if method == "GET" else _not_allowed("GET")
        if path == "/execution-parameters":
            return _json(self._execution_parameters()) if method == "GET" else _not_allowed("GET")
        if path == "/openapi.json":
            return Response(200, "application/json", self._openapi) if method == "GET" else _not_allowed("GET")
        if path == "/models" or path.startswith("/models/"):
            return await self._models(scope, proto)
        raise RequestError(404, f"there is no {shown(path)}; /openapi.json lists what there is")

    def _execution_parameters(self) -> dict[str, Any]:
        workers = min(self._settings.workers, 100)
        payload = min(6 * MEGABYTE, self._settings.max_body, LARGEST_BODY // workers) // MEGABYTE
        return {
            "MaxConcurrentTransforms": workers,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": max(payload, 1),
        }

    async def _invocation(self, scope: Any, proto: Any) -> Response:
        if self._predictor is not None:
            return await self._respond(self._predictor, scope, proto)
        name = scope.headers.get(TARGET_MODEL)
        if not name:
            raise bad("this server has several models; say which by X-Amzn-SageMaker-Target-Model")
        return await self._respond(await self._find(name), scope, proto)

    async def _respond(self, predictor: Predictor, scope: Any, proto: Any) -> Response:
        body = await self._bodies.read(scope, proto)
        headers = scope.headers
        arguments = (body, headers.get("content-type"), headers.get("accept"), headers.get(ATTRIBUTES))
        if len(body) <= SMALL and arguments[3] is None:
            return predictor.respond(*arguments)
        return await self._in_thread(lambda: predictor.respond(*arguments))

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _find(self, name: str) -> Predictor:
        registry = self._the_registry()
        held = registry.ready(name)
        return held if held is not None else await self._in_thread(lambda: registry.get(name))

    def _the_registry(self) -> Registry:
        if self._registry is None:
            raise RequestError(404, "this server has one model; SAGEMAKER_MULTI_MODEL=true makes it one of several")
        return self._registry

    async def _models(self, scope: Any, proto: Any) -> Response:
        registry, method = self._the_registry(), scope.method
        # The path comes decoded, and a name may have slashes.
        name = scope.path.removeprefix("/models").strip("/")
        if not name:
            if method == "GET":
                return _json(_page(registry, scope.query_string))
            return await self._add(registry, scope, proto) if method == "POST" else _not_allowed("GET, POST")
        if name.endswith("/invoke"):
            if method != "POST":
                return _not_allowed("POST")
            return await self._respond(await self._find(name.removesuffix("/invoke")), scope, proto)
        if method == "GET":
            return _json(registry.entry(name).shown())
        if method == "DELETE":
            await self._in_thread(lambda: registry.remove(name))
            return _json({"modelName": name})
        return _not_allowed("DELETE, GET")

    async def _add(self, registry: Registry, scope: Any, proto: Any) -> Response:
        body = await self._bodies.read(scope, proto)
        try:
            asked = orjson.loads(body)
            name, url = asked["model_name"], asked["url"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            name = url = None
        if not isinstance(name, str) or not isinstance(url, str) or not name or not url:
            raise bad('the body must be JSON with "model_name" and "url", the folder of the model')
        if "\x00" in url:
            raise bad("url has a NUL character")
        entry = await self._in_thread(lambda: registry.add(name, url))
        return _json(entry.shown())


def _page(registry: Registry, query: str) -> dict[str, Any]:
    """`limit` models from `next_page_token` on, which is a position."""
    asked = parse_qs(query)
    numbers = []
    for name, default in (("limit", 100), ("next_page_token", 0)):
        text = asked.get(name, [str(default)])[-1]
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise bad(f"{name} is {shown(text)}; expected a whole number")
        numbers.append(int(text))
    limit, start = max(numbers[0], 1), numbers[1]
    entries = registry.entries()
    page: dict[str, Any] = {"models": [entry.shown() for entry in entries[start : start + limit]]}
    if start + limit < len(entries):
        page["nextPageToken"] = str(start + limit)
    return page


def _json(value: Any) -> Response:
    return Response(200, "application/json", orjson.dumps(value))


def _not_allowed(allowed: str) -> Response:
    response = failure(RequestError(405, f"the method is not allowed here; use {allowed}"))
    return Response(response.status, response.content_type, response.body, allow=allowed)
