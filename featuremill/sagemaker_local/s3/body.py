"""Reads the body of an upload into a temporary file, decodes S3's own chunks and checks the checksums sent with it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from werkzeug import Request

from featuremill.sagemaker_local.buckets import Buckets
from featuremill.sagemaker_local.errors import ApiError

_BLOCK = 1024 * 1024


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_CHECKSUMS: dict[str, Callable[[], _Hash]] = {"crc32": _Crc32, "sha1": hashlib.sha1, "sha256": hashlib.sha256}
"""Of S3's checksums, those that the standard library has; others (crc32c, crc64nvme) are not checked."""


class _Body(io.RawIOBase):
    """A request's body for io's own buffering: the server's `readline` does not work on chunked requests."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        block = self._stream.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


@dataclass(frozen=True)
class Upload:
    """A body on disk: `md5` in hexadecimal, `size` in bytes."""

    path: Path
    md5: str
    size: int


def receive(request: Request, buckets: Buckets) -> Upload:
    """Read the request's body to a temporary file.

    Raises BadDigest if it does not have the Content-MD5 or checksum that was sent, IncompleteBody if it ends early.
    """
    path = buckets.temporary_file()
    try:
        return _receive(request, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _receive(request: Request, path: Path) -> Upload:
    md5 = hashlib.md5(usedforsecurity=False)
    checks: dict[str, _Hash] = {name: make() for name, make in _CHECKSUMS.items() if _announced(request, name)}
    hashes: list[_Hash] = [md5, *checks.values()]
    sent = {name: request.headers.get(f"x-amz-checksum-{name}") for name in checks}
    size = 0
    with path.open("wb") as file:
        for block in _blocks(request, sent):
            file.write(block)
            size += len(block)
            for each in hashes:
                each.update(block)
    expected = request.headers.get("x-amz-decoded-content-length") or request.headers.get("Content-Length")
    if expected is not None and size != int(expected):
        raise ApiError("IncompleteBody", f"the body has {size} bytes, not the {expected} that were announced")
    sent_md5 = request.headers.get("Content-MD5")
    if sent_md5 is not None and _decoded(sent_md5) != md5.digest():
        raise ApiError("BadDigest", "the body does not have the Content-MD5 that was sent with it")
    for name, value in sent.items():
        if value is not None and _decoded(value) != checks[name].digest():
            raise ApiError("BadDigest", f"the body does not have the {name} checksum that was sent with it")
    return Upload(path, md5.hexdigest(), size)


def _announced(request: Request, name: str) -> bool:
    header = f"x-amz-checksum-{name}"
    return header in request.headers or header in request.headers.get("x-amz-trailer", "").lower()


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ApiError("InvalidDigest", f"{value!r} is not a base64 checksum") from error


def _blocks(request: Request, trailers: dict[str, str | None]) -> Iterator[bytes]:
    if request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        yield from _chunks(io.BufferedReader(_Body(request.stream), _BLOCK), trailers)
        return
    while block := request.stream.read(_BLOCK):
        yield block


def _chunks(stream: io.BufferedReader, trailers: dict[str, str | None]) -> Iterator[bytes]:
    """S3's aws-chunked encoding: "<hex size>[;chunk-signature=...]" CRLF data CRLF, a chunk of 0, trailing headers."""
    while True:
        line = stream.readline(4096)
        try:
            left = int(line.split(b";")[0].strip(), 16)
        except ValueError as error:
            raise ApiError("IncompleteBody", "the body is not in the chunks that its headers announce") from error
        if left == 0:
            break
        while left:
            block = stream.read(min(left, _BLOCK))
            if not block:
                raise ApiError("IncompleteBody", "the body ends within a chunk")
            left -= len(block)
            yield block
        stream.readline(4096)
    while line := stream.readline(4096).strip():
        name, _, value = line.decode("latin-1").partition(":")
        name = name.strip().lower().removeprefix("x-amz-checksum-")
        if name in trailers:
            trailers[name] = value.strip()
