"""Brings a raw file to where it can be looked through: a plain, local, UTF-8 file."""

from __future__ import annotations

import gzip
import shutil
import zlib
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from featuremill.errors import DataError
from featuremill.steps.jobs import RawFile

_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"


def local_plain_file(file: RawFile, scratch: Path, number: int) -> Path:
    """The file itself, or a plain local copy of it in `scratch` if it is compressed or lies elsewhere.

    `number` is the file's in its landing.

    Raises DataError if a gzip file ends too early or is damaged.
    """
    path = _local_path(file.uri)
    if path is None:
        path = scratch / f"fetched-{number}"
        _fetch(file.uri, path)
    with path.open("rb") as raw:
        if raw.read(2) != _GZIP:
            return path
    plain = scratch / f"plain-{number}"
    try:
        with gzip.open(path) as source, plain.open("wb") as target:
            shutil.copyfileobj(source, target, _BLOCK)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        plain.unlink(missing_ok=True)
        raise DataError(
            f"{file.name} is a damaged gzip file ({error}); nothing of this landing was taken in. Land the file again."
        ) from error
    return plain


def _local_path(uri: str) -> Path | None:
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if "://" in uri else Path(uri)


def _fetch(uri: str, target: Path) -> None:
    from pyarrow import fs

    filesystem, path = fs.FileSystem.from_uri(uri)
    with filesystem.open_input_stream(path) as source, target.open("wb") as file:
        while block := source.read(_BLOCK):
            file.write(block)
