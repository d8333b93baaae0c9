"""Calls the service's RSGI application in this process: for tests that need thousands of requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from featuremill.lookup.service.app import Service


@dataclass
class Scope:
    path: str
    method: str = "GET"
    query_string: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    client: str = "127.0.0.1:1"
    proto: str = "http"


@dataclass
class Protocol:
    """Takes the answer, as granian's would."""

    content: bytes = b""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        assert not self.status, "answered twice"
        self.status, self.headers, self.body = status, dict(headers), body

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.response_bytes(status, headers, b"")

    def __aiter__(self) -> AsyncIterator[bytes]:
        async def parts() -> AsyncIterator[bytes]:
            yield self.content

        return parts()

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    service: Service,
    path: str,
    *,
    query: str = "",
    method: str = "GET",
    headers: dict[str, str] | None = None,
    document: Any = None,
) -> Protocol:
    """One request. `path` is as granian gives it: percent escapes resolved."""
    content = b"" if document is None else json.dumps(document).encode()
    protocol = Protocol(content)
    asyncio.run(service.__rsgi__(Scope(path, method, query, headers or {}), protocol))
    return protocol
