"""Dispatch of AWS's JSON 1.1 calls to handlers, and of plain HTTP routes.

The shapes of requests are botocore's service models: a request is checked against its operation's input shape before
its handler sees it. A handler takes the context and the request's members, timestamps as aware datetimes, and returns
the response's members (or None for an empty response); datetimes become epoch seconds on the wire.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from werkzeug import Request, Response
from werkzeug.routing import Map, Rule

from featuremill.sagemaker_local.constraints import check
from featuremill.sagemaker_local.errors import ApiError

if TYPE_CHECKING:
    from featuremill.sagemaker_local.context import Context

Handler = Callable[["Context", dict[str, Any]], dict[str, Any] | None]
RouteHandler = Callable[..., Response]
Starter = Callable[["Context"], None]

registry: dict[str, Handler] = {}
"""Handlers by "service.Operation", for example "sagemaker.CreateEndpoint"."""

starters: list[Starter] = []
"""Called in order once the server listens: they take up again what a former run of the server left."""

_routes: list[Rule] = []
_route_handlers: dict[str, RouteHandler] = {}
_JSON_TYPE = "application/x-amz-json-1.1"


def operation(name: str, service: str = "sagemaker") -> Callable[[Handler], Handler]:
    """Register the handler of an operation. Raises KeyError for one that botocore's model does not have."""

    def register(handler: Handler) -> Handler:
        if name not in service_model(service).operation_names:
            raise KeyError(f"{service} has no operation {name}")
        registry[f"{service}.{name}"] = handler
        return handler

    return register


def route(method: str, path: str) -> Callable[[RouteHandler], RouteHandler]:
    """Register a plain HTTP handler: called with the context, the werkzeug request and the path's variables."""

    def register(handler: RouteHandler) -> RouteHandler:
        endpoint = f"{method} {path}"
        _routes.append(Rule(path, endpoint=endpoint, methods=[method]))
        _route_handlers[endpoint] = handler
        return handler

    return register


def on_start(function: Starter) -> Starter:
    """Register a function to be called once the server listens."""
    starters.append(function)
    return function


def route_map() -> Map:
    """The registered routes; to be made once, when all handlers are imported."""
    return Map([rule.empty() for rule in _routes], strict_slashes=False)


def route_handler(endpoint: str) -> RouteHandler:
    """The handler of a matched route."""
    return _route_handlers[endpoint]


@cache
def service_model(service: str) -> ServiceModel:
    """botocore's model of a service, by botocore's name of it."""
    return botocore.session.get_session().get_service_model(service)


@cache
def _operation_model(service: str, name: str) -> OperationModel:
    return service_model(service).operation_model(name)


@cache
def services_by_target() -> dict[str, str]:
    """Services that have handlers, by the prefix of their X-Amz-Target header ("SageMaker": "sagemaker")."""
    services = {key.split(".")[0] for key in registry} | {"sagemaker"}
    return {service_model(service).metadata["targetPrefix"]: service for service in services}


def call(context: Context, service: str, name: str, request: Request) -> Response:
    """Answer one JSON 1.1 call. Errors become AWS's error documents; only programming errors are raised."""
    try:
        handler = registry.get(f"{service}.{name}")
        if handler is None:
            known = name in service_model(service).operation_names
            raise ApiError(
                "UnknownOperationException",
                f"{name} is not available in the local SageMaker; its README lists what is"
                if known
                else f"{service} has no operation {name}",
            )
        shape = _operation_model(service, name).input_shape
        return json_response(handler(context, _read(request, shape)) or {})
    except ApiError as error:
        return error_response(error)


def json_response(body: dict[str, Any], status: int = 200) -> Response:
    """A response document; members that are None are left out."""
    text = json.dumps(_clean(body), default=_encode, separators=(",", ":"))
    return Response(text, status, content_type=_JSON_TYPE)


def error_response(error: ApiError) -> Response:
    """An error as AWS's JSON protocols tell it."""
    response = json_response({"__type": error.code, "message": error.message, "Message": error.message}, error.status)
    response.headers["x-amzn-ErrorType"] = error.code
    return response


def _read(request: Request, shape: StructureShape | None) -> dict[str, Any]:
    body = request.get_data()
    try:
        document = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise ApiError("SerializationException", f"the request's body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ApiError("SerializationException", "the request's body must be a JSON object")
    if shape is None:
        return {}
    parsed: dict[str, Any] = _parse(shape, document, "")
    check(shape, parsed)
    return parsed


def _parse(shape: Shape, value: Any, path: str) -> Any:
    """Wire values to Python's: timestamps and blobs decoded, nulls left out, unknown members refused."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        unknown = sorted(set(value) - set(shape.members))
        if unknown:
            raise ApiError("ValidationException", f"unknown parameter {path}{unknown[0]} in the request")
        return {
            key: _parse(shape.members[key], item, f"{path}{key}.") for key, item in value.items() if item is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_parse(shape.member, item, f"{path}{index}.") for index, item in enumerate(value)]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _parse(shape.value, item, f"{path}{key}.") for key, item in value.items()}
    name = path.rstrip(".")
    if shape.type_name == "timestamp" and value is not None:
        return _timestamp(value, name)
    if shape.type_name == "blob" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except ValueError as error:
            raise ApiError("SerializationException", f"{name} is not base64: {error}") from error
    return value


def _timestamp(value: Any, name: str) -> datetime:
    try:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise ApiError("SerializationException", f"{name} is not a timestamp: {value!r}") from error


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} cannot be part of a response")
