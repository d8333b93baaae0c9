"""Raw files as text: compression and encodings."""

from __future__ import annotations

import codecs
import gzip
import os
import zlib
from contextlib import closing
from pathlib import Path
from typing import IO, Any, cast

from featuremill.connectors.csv_paths import LandedFile
from featuremill.errors import DataError, UsageError

_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
_NOT_TEXT = {
    b"PK\x03\x04": "a zip archive (an Excel workbook is one)",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ": "compressed with xz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"PAR1": "a parquet file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
}


def is_utf8(encoding: str) -> bool:
    """Whether text of an encoding can be read as UTF-8 as it stands. Raises UsageError for an unknown one."""
    try:
        return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")
    except LookupError:
        raise UsageError(
            f"encoding: {encoding!r} is not known; write one that Python knows, like utf-8, utf-16, latin-1 or cp1252"
        ) from None


def open_plain(file: LandedFile) -> IO[bytes]:
    """The bytes of a file, decompressed if it is gzip. Raises DataError for what is neither text nor gzip."""
    raw = _open(file.uri)
    start = raw.read(8)
    raw.close()
    for magic, what in _NOT_TEXT.items():
        if start.startswith(magic):
            raise DataError(f"{file.uri} is {what}, not CSV text; land it as plain text or compressed with gzip")
    raw = _open(file.uri)
    return cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if start.startswith(_GZIP) else raw


def readable_uri(file: LandedFile, encoding: str, content_hash: str, scratch: Path) -> str:
    """Where both engines can read the file as UTF-8: the file itself, or a copy of it in `scratch`.

    A copy is made of a file in another encoding, and of one whose name says wrongly whether it is gzip (Spark goes by
    the name). Raises DataError for a damaged gzip file and for bytes that are not of the encoding.
    """
    if is_utf8(encoding) and _is_gzip(file) == file.name.endswith(".gz"):
        return file.uri
    scratch.mkdir(parents=True, exist_ok=True)
    target = scratch / f"{content_hash}-{codecs.lookup(encoding).name}.csv"
    if not target.exists():
        partial = target.with_suffix(f".{os.getpid()}")
        try:
            with closing(open_plain(file)) as source, partial.open("wb") as copy:
                _transcode(file, source, copy, None if is_utf8(encoding) else encoding)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return str(target)


def damaged_gzip(file: LandedFile, error: Exception) -> DataError:
    return DataError(f"{file.uri} is a damaged gzip file ({error}); land it again")


DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)
"""What reading a damaged gzip file raises."""


def _transcode(file: LandedFile, source: IO[bytes], target: IO[bytes], encoding: str | None) -> None:
    decoder = codecs.getincrementaldecoder(encoding)() if encoding else None
    offset = lines = 0
    try:
        while True:
            block = source.read(_BLOCK)
            if decoder is None:
                text = block
            else:
                pending = len(cast(tuple[bytes, Any], decoder.getstate())[0])
                try:
                    text = decoder.decode(block, final=not block).encode()
                except UnicodeDecodeError as error:
                    raise _undecodable(file, error, offset - pending, lines) from error
            target.write(text)
            lines += text.count(b"\n")
            offset += len(block)
            if not block:
                return
    except DAMAGED as error:
        raise damaged_gzip(file, error) from error


def _undecodable(file: LandedFile, error: UnicodeDecodeError, block_offset: int, lines: int) -> DataError:
    before = error.object[: error.start].decode(error.encoding, "replace")
    shown = error.object[error.start : error.end].hex(" ")
    return DataError(
        f"{file.uri} is not {error.encoding}: byte {block_offset + error.start} ({shown}) in line "
        f"{lines + before.count(chr(10)) + 1}: {error.reason}. Set the source's `encoding:` or land the file again."
    )


def _is_gzip(file: LandedFile) -> bool:
    with closing(_open(file.uri)) as raw:
        return raw.read(2) == _GZIP


def _open(uri: str) -> IO[bytes]:
    if "://" not in uri:
        return open(uri, "rb")
    from pyarrow import fs

    filesystem, path = fs.FileSystem.from_uri(uri)
    return cast(IO[bytes], filesystem.open_input_file(path))
