"""API Gateway's events to requests, and answers to what it takes: REST APIs (payload 1.0) and HTTP APIs (1.0, 2.0).

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlencode

Headers = Sequence[tuple[str, str]]


class NotAnEvent(Exception):
    """The function was invoked with something else than an event of API Gateway."""


class Scope:
    """A request as the application takes it from a server: see granian's RSGI."""

    proto = "http"

    def __init__(self, method: str, path: str, query: str, headers: Mapping[str, str], client: str) -> None:
        self.method, self.path, self.query_string = method, path, query
        self.headers, self.client = headers, client


class Exchange:
    """Gives the application the body and takes its answer."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.status = 500
        self.headers: Headers = ()
        self.answer = b""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        self.status, self.headers, self.answer = status, headers, body

    def response_str(self, status: int, headers: Headers, body: str) -> None:
        self.response_bytes(status, headers, body.encode())

    def response_empty(self, status: int, headers: Headers) -> None:
        self.response_bytes(status, headers, b"")

    def close(self, status: int | None = None) -> None:
        """Nothing to close."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body:
            yield self._body

    async def __call__(self) -> bytes:
        return self._body

    def to_event(self) -> dict[str, Any]:
        """What API Gateway takes. Bodies that are not UTF-8 go as Base64."""
        try:
            body, is_base64 = self.answer.decode(), False
        except UnicodeDecodeError:
            body, is_base64 = base64.b64encode(self.answer).decode(), True
        # API Gateway sets the length itself.
        headers = {name: value for name, value in self.headers if name.lower() != "content-length"}
        return {"statusCode": self.status, "headers": headers, "body": body, "isBase64Encoded": is_base64}


def read_event(event: Any, base_path: str = "") -> tuple[Scope, Exchange]:
    """The request of an event. `base_path`: what a custom domain puts before the API's own paths.

    Raises NotAnEvent.
    """
    if not isinstance(event, dict):
        raise NotAnEvent(f"the event is a {type(event).__name__}; invoke the function through API Gateway")
    context = event.get("requestContext") or {}
    if "http" in context and "rawPath" in event:
        http = context["http"]
        method, client = str(http.get("method", "GET")), str(http.get("sourceIp", ""))
        path = _without_stage(str(event["rawPath"]), str(context.get("stage", "$default")))
        query = str(event.get("rawQueryString") or "")
        headers = _lowered(event.get("headers") or {})
    elif "httpMethod" in event and "path" in event:
        method, client = str(event["httpMethod"]), str((context.get("identity") or {}).get("sourceIp", ""))
        path, query = str(event["path"]), _query(event)
        headers = _lowered(_joined(event.get("multiValueHeaders")) | (event.get("headers") or {}))
    else:
        raise NotAnEvent("the event is none of API Gateway's: it has neither rawPath nor httpMethod and path")
    if base_path and path.startswith(f"{base_path}/"):
        path = path.removeprefix(base_path)
    return Scope(method.upper(), _decoded(path), query, headers, client), Exchange(_body(event))


def _decoded(path: str) -> str:
    """Percent escapes resolved, once. Bytes that are no UTF-8 become surrogates, which no id is."""
    return unquote(path, errors="surrogateescape")


def _without_stage(path: str, stage: str) -> str:
    """HTTP APIs put the stage's name before the path, unless it is the default one."""
    prefix = f"/{stage}"
    return path.removeprefix(prefix) if stage != "$default" and path.startswith(f"{prefix}/") else path


def _query(event: Mapping[str, Any]) -> str:
    """REST APIs give the parameters resolved; one that came twice must be seen twice."""
    several = event.get("multiValueQueryStringParameters")
    if several:
        return urlencode([(name, value) for name, values in several.items() for value in values], quote_via=quote)
    return urlencode(event.get("queryStringParameters") or {}, quote_via=quote)


def _joined(several: Mapping[str, Sequence[str]] | None) -> dict[str, str]:
    return {name: ", ".join(values) for name, values in (several or {}).items()}


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in headers.items()}


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise NotAnEvent("the event says that its body is Base64, which it is not") from error
    return str(body).encode("utf-8", "surrogatepass")
