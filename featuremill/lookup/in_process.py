"""Asking the lookup without a server: the same application, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from featuremill.errors import DataError, ServiceError, UsageError
from featuremill.lookup.lambda_.events import Exchange, Scope
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.settings import ServiceSettings


def ask(settings: ServiceSettings, pipeline: str, identity: str, options: Mapping[str, str]) -> dict[str, Any]:
    """What `GET /v1/{pipeline}/{id}` answers, as JSON values.

    Raises UsageError for what the caller got wrong (400, 404, 422), ServiceError for what does not answer (503), and
    DataError for anything else, with the problem's own words.
    """
    service = Service(settings)
    exchange = Exchange(b"")
    path = f"/v1/{pipeline}/{quote(identity, safe='')}"
    scope = Scope("GET", path, urlencode(options), {}, "127.0.0.1")
    asyncio.run(service.__rsgi__(scope, exchange))
    found: dict[str, Any] = orjson.loads(exchange.answer)
    if exchange.status == 200:
        return found
    detail = str(found.get("detail") or found.get("title") or exchange.status)
    if exchange.status in (400, 404, 422):
        raise UsageError(detail)
    raise ServiceError(detail) if exchange.status == 503 else DataError(detail)
