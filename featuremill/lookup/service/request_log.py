"""One JSON line a request on standard error, if wanted; with ids, or with keyed hashes of them.

Lines are gathered and written together several times a second: a system call a request would be most of its cost.
"""

from __future__ import annotations

import collections
import hashlib
import os
import sys
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson

from featuremill.lookup.service.settings import LOG_KEY_VARIABLE, RequestLogMode


class RequestLog:
    """`mode`: off, on (ids as they are), hash (BLAKE2 of the id under the key in the environment variable
    FEATUREMILL_LOOKUP_LOG_KEY: the same id has the same hash while the key is the same, and cannot be found by trying).
    """

    def __init__(self, mode: RequestLogMode, stream: BinaryIO | None = None, key: bytes | None = None) -> None:
        self.on = mode != "off"
        self._hashes = mode == "hash"
        self._stream = stream if stream is not None else sys.stderr.buffer
        self._key = (key or os.environ.get(LOG_KEY_VARIABLE, "").encode())[:64]
        if self._hashes and not self._key:
            raise ValueError(f"the request log hashes ids with the key in {LOG_KEY_VARIABLE}, which is not set")
        # Filled on the event loop, emptied in a thread: both ends of a deque are safe for that.
        self._lines: collections.deque[bytes] = collections.deque()

    def write(
        self,
        method: str,
        route: str,
        pipeline: str,
        identity: str | None,
        status: int,
        seconds: float,
        size: int,
        client: str,
        caller: str | None,
    ) -> None:
        """Note a request. `route` is the path's pattern, so the id stands in `id` only; `seconds` its time."""
        line: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "method": method[:20],
            "route": route,
            "pipeline": pipeline or None,
            "status": status,
            "microseconds": round(seconds * 1e6),
            "bytes": size,
            "client": client,
        }
        if identity is not None:
            line["id_hash" if self._hashes else "id"] = self._shown(identity)
        if caller is not None:
            line["caller"] = caller
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _shown(self, identity: str) -> str:
        raw = identity.encode("utf-8", "backslashreplace")
        if self._hashes:
            return hashlib.blake2b(raw, digest_size=16, key=self._key).hexdigest()
        return raw[:200].decode("utf-8", "replace")

    def flush(self) -> None:
        """Write what was gathered."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if lines:
            self._stream.write(b"".join(lines))
            self._stream.flush()
