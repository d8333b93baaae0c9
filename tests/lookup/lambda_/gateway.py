"""Events as API Gateway sends them."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, quote


def rest(
    path: str, query: str = "", method: str = "GET", document: Any = None, encoded: bool = False, **headers: str
) -> dict[str, Any]:
    """Of a REST API (payload 1.0)."""
    pairs = parse_qsl(query, keep_blank_values=True)
    several: dict[str, list[str]] = {}
    for name, value in pairs:
        several.setdefault(name, []).append(value)
    body = None if document is None else json.dumps(document)
    if body is not None and encoded:
        body = base64.b64encode(body.encode()).decode()
    sent = {"Content-Type": "application/json", "Host": "x.execute-api.eu-west-1.amazonaws.com"} | headers
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": several or None,
        "pathParameters": {"proxy": path[1:]},
        "stageVariables": None,
        "requestContext": {
            "stage": "prod",
            "path": f"/prod{path}",
            "identity": {"sourceIp": "192.0.2.1"},
            "httpMethod": method,
        },
        "body": body,
        "isBase64Encoded": encoded,
    }


def http(
    path: str,
    query: str = "",
    method: str = "GET",
    document: Any = None,
    encoded: bool = False,
    stage: str = "$default",
    **headers: str,
) -> dict[str, Any]:
    """Of an HTTP API (payload 2.0)."""
    body = None if document is None else json.dumps(document)
    if body is not None and encoded:
        body = base64.b64encode(body.encode()).decode()
    raw = quote(path)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw if stage == "$default" else f"/{stage}{raw}",
        "rawQueryString": query,
        "headers": {"content-type": "application/json"} | {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "stage": stage,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
        },
        "isBase64Encoded": encoded,
    }
    return event if body is None else event | {"body": body}
