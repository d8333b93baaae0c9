"""Content hashes of raw files, remembered between runs."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from featuremill.connectors.csv_paths import LandedFile
from featuremill.errors import DataError

BLOCK_BYTES = 4 << 20
TRUSTED_AFTER_NS = 2_000_000_000
"""A file that was changed less than this before it was hashed may have changed again without a new time of change."""

_TABLE = """
CREATE TABLE IF NOT EXISTS hashes (
    uri TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, hashed_at_ns INTEGER, hash TEXT)
"""


class ContentHashes:
    """Hashes of files, kept in `<folder>/content_hashes.sqlite` by location, size, time of change and inode.

    Like git's index, it does not trust a hash that was made within two seconds of the file's time of change.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "content_hashes.sqlite"

    def hash_of(self, file: LandedFile) -> str:
        """XXH3-128 of the file's bytes, 32 hexadecimal digits; read only if it is not known.

        Raises DataError if the file changes while it is read, or is gone.
        """
        key = _identity(file)
        known = self._known(file.uri, key)
        if known is not None:
            return known
        began = time.time_ns()
        digest = _hashed(file)
        if _identity(file) != key:
            raise DataError(
                f"{file.uri} changed while it was read. Write a file under a name that starts with _ or ., and rename "
                "it when it is complete."
            )
        self._keep(file.uri, key, began, digest)
        return digest

    def _known(self, uri: str, key: _Identity) -> str | None:
        with self._connection() as connection:
            query = "SELECT size, mtime_ns, inode, hashed_at_ns, hash FROM hashes WHERE uri = ?"
            row = connection.execute(query, (uri,)).fetchone()
        if row is None or key[1] is None or tuple(row[:3]) != key or row[3] - key[1] < TRUSTED_AFTER_NS:
            return None
        return str(row[4])

    def _keep(self, uri: str, key: _Identity, hashed_at: int, digest: str) -> None:
        with self._connection() as connection, connection:
            connection.execute(
                "INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?)", (uri, *key, hashed_at, digest)
            )

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=30)) as connection:
                connection.execute(_TABLE)
                yield connection
        except sqlite3.OperationalError as error:
            raise DataError(
                f"{self._path}: {error}; see that its disk has space left and that this user may write there"
            ) from error


_Identity = tuple[int, int | None, int | None]
"""Size, time of change and inode; no inode for a remote file."""


def _identity(file: LandedFile) -> _Identity:
    if "://" in file.uri:
        from pyarrow import fs

        filesystem, path = fs.FileSystem.from_uri(file.uri)
        info = filesystem.get_file_info(path)
        return info.size or 0, info.mtime_ns, None
    try:
        status = os.stat(file.uri)
    except FileNotFoundError:
        raise DataError(f"{file.uri} is gone; it was there a moment ago. Land it again.") from None
    return status.st_size, status.st_mtime_ns, status.st_ino


def _hashed(file: LandedFile) -> str:
    import xxhash

    state = xxhash.xxh3_128()
    for block in _blocks(file.uri):
        state.update(block)
    return state.hexdigest()


def _blocks(uri: str) -> Iterator[memoryview | bytes]:
    if "://" in uri:
        from pyarrow import fs

        filesystem, path = fs.FileSystem.from_uri(uri)
        with filesystem.open_input_stream(path) as stream:
            while block := stream.read(BLOCK_BYTES):
                yield block
        return
    buffer = memoryview(bytearray(BLOCK_BYTES))
    with open(uri, "rb", buffering=0) as file:
        while size := file.readinto(buffer):
            yield buffer[:size]
