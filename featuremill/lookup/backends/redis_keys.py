"""The keys of publications in Redis; see `featuremill.lookup.backends.redis`."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import redis as client_library

from featuremill.errors import DataError, ServiceError, UsageError

BUCKETS = 4_096
ALIVE_SECONDS = 600
A_REQUEST = 1_000
_PIPELINE = re.compile(r"[a-z_][a-z0-9_]*")


class Names:
    """The keys of one pipeline."""

    def __init__(self, prefix: str, pipeline: str) -> None:
        if not _PIPELINE.fullmatch(pipeline):
            raise UsageError(f"{pipeline!r} is not the name of a pipeline")
        self.start = f"{prefix}:{pipeline}"
        self.pointer = f"{self.start}:pointer"
        self.builds = f"{self.start}:builds"

    def publication(self, name: str) -> str:
        return f"{self.start}:publication:{name}"

    def alive(self, build: str) -> str:
        return f"{self.start}:alive:{build}"

    def bucket(self, build: str, number: int) -> str:
        return f"{self.start}:values:{build}:{number}"

    def bucket_of(self, build: str, key: bytes) -> str:
        return self.bucket(build, zlib.crc32(key) % BUCKETS)


@contextmanager
def clear_errors(where: str) -> Iterator[None]:
    try:
        yield
    except client_library.exceptions.OutOfMemoryError as error:
        raise DataError(f"{where} is full: {error}; give it more memory, then publish again") from error
    except client_library.exceptions.RedisError as error:
        raise ServiceError(f"the online store {where} does not answer: {error}") from error
