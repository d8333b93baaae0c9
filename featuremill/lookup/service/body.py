"""Reading request bodies within limits of size and time."""

from __future__ import annotations

import asyncio
from typing import Any

from featuremill.lookup.service.errors import Problem
from featuremill.lookup.service.settings import ServiceSettings


async def read_body(scope: Any, protocol: Any, settings: ServiceSettings) -> bytes:
    """The whole body. Raises Problem: 413 if it is too large, 408 if it does not come."""
    most = settings.max_body
    said = scope.headers.get("content-length")
    if said is not None and said.isdigit() and int(said) > most:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0

    async def read() -> None:
        nonlocal size
        async for part in protocol:
            size += len(part)
            if size > most:
                raise _too_large(most)
            parts.append(bytes(part))

    try:
        await asyncio.wait_for(read(), settings.body_seconds)
    except TimeoutError:
        seconds = settings.body_seconds
        raise Problem(
            408, "slow-body", f"the body did not come within {seconds:g} s", headers=[("connection", "close")]
        ) from None
    return b"".join(parts)


def _too_large(most: int) -> Problem:
    detail = f"the body is larger than {most:,} bytes"
    return Problem(413, "body-too-large", detail, headers=[("connection", "close")], max_bytes=most)
