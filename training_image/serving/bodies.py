"""Request bodies, read with limits of size, time and, over all requests, memory."""

from __future__ import annotations

import asyncio
from typing import Any

from granian.rsgi import ProtocolClosed, ProtocolError  # type: ignore[attr-defined]

from training_image.serving.errors import RequestError
from training_image.serving.registry import free_memory


class BodyReader:
    """`limit`: bytes of a body. `seconds`: within which it must have come. All bodies together take a quarter of the
    memory that was free at the start, at least one: a thousand large ones at once must not be the server's end."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._budget = max(free_memory() // 4, limit)
        self._held = 0

    async def read(self, scope: Any, proto: Any) -> bytes:
        """The body. Raises RequestError: 408 too slow, 411 a length that is none, 413 too large, 503 no memory."""
        declared = scope.headers.get("content-length")
        if declared is None:
            size = self._limit if "transfer-encoding" in scope.headers else 0
        elif not declared.isascii() or not declared.isdigit():
            raise RequestError(400, f"Content-Length {declared[:40]!r} is no number")
        else:
            size = int(declared)
        if size > self._limit:
            raise RequestError(413, f"the body is {size} bytes, more than {self._limit}; send fewer rows")
        if self._held + size > self._budget:
            raise RequestError(503, "too many large bodies at once; try again")
        self._held += size
        try:
            async with asyncio.timeout(self._seconds):
                return await self._collect(proto) if declared is None else await _whole(proto)
        except (ProtocolClosed, ProtocolError):
            # Nobody is left to read the answer.
            raise RequestError(400, "the connection ended before the body did") from None
        except TimeoutError:
            raise RequestError(408, f"the body did not come within {self._seconds:g} seconds") from None
        finally:
            self._held -= size

    async def _collect(self, proto: Any) -> bytes:
        """A chunked body: its size is known at its end only."""
        parts: list[bytes] = []
        size = 0
        async for part in proto:
            size += len(part)
            if size > self._limit:
                raise RequestError(413, f"the body is more than {self._limit} bytes; send fewer rows")
            parts.append(part)
        return b"".join(parts)


async def _whole(proto: Any) -> bytes:
    body: bytes = await proto()
    return body
