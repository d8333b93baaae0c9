"""One publication as an LMDB file: written once in key order, then read-only and memory-mapped.

Reading takes no locks and no system calls; all processes share the file's pages in the page cache.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import lmdb

from featuremill.errors import DataError
from featuremill.lookup.store.manifest import StoreManifest

DATA_NAME = "data.mdb"
MANIFEST_NAME = "manifest.json"
_MAP_BYTES = 1 << 40
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_NEARLY_FULL_BYTES = 64 << 20


class LmdbStore:
    """A publication in a folder, for reading. Raises DataError, naming the file, if it is not there whole."""

    blocking = False

    def __init__(self, folder: Path) -> None:
        self.manifest = read_manifest(folder)
        path = folder / DATA_NAME
        try:
            size = path.stat().st_size
            if size != self.manifest.size:
                raise DataError(f"{path} has {size:,} bytes, not {self.manifest.size:,}; publish again")
            # The file never changes once it is named in a manifest, so neither a lock file nor fresh
            # transactions are needed: one transaction serves for as long as the store is open.
            self._env = lmdb.open(
                str(path), subdir=False, readonly=True, lock=False, map_size=max(size, 4096), readahead=False
            )
        except FileNotFoundError as error:
            raise DataError(f"{path} is gone; publish again") from error
        except (lmdb.Error, OSError) as error:
            raise DataError(f"{path} cannot be read: {error}; publish again") from error
        self._transaction = self._env.begin(buffers=False)
        self.get = self._transaction.get
        """The value of a key, None if there is none."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of keys in their order."""
        return list(map(self.get, keys))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values in key order."""
        with self._env.begin() as transaction, transaction.cursor() as cursor:
            yield from cursor

    def close(self) -> None:
        self._transaction.abort()
        self._env.close()


def read_manifest(folder: Path) -> StoreManifest:
    """The manifest of a publication's folder. Raises DataError, naming the file."""
    path = folder / MANIFEST_NAME
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; publish again") from error
    return StoreManifest.from_json(content, str(path))


class LmdbFile:
    """An LMDB file being written. What it holds is on the disk only after `finish`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        with clear_errors(path):
            self._env = lmdb.open(
                str(path), subdir=False, map_size=_MAP_BYTES, lock=False, sync=False, metasync=False, readahead=False
            )

    def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Add items; each call is one transaction, so its memory is that of the items."""
        with clear_errors(self.path):
            if not self._append(items):
                self._put_in_any_order(items)
        self.rows += len(items)

    def _append(self, items: Sequence[tuple[bytes, bytes]]) -> bool:
        """Whether the items could be added at the end: in order, and after all there were. Else none is added."""
        with self._env.begin(write=True) as transaction, transaction.cursor() as cursor:
            _, added = cursor.putmulti(items, dupdata=False, overwrite=False, append=True)
            if added < len(items):
                transaction.abort()
            return bool(added == len(items))

    def _put_in_any_order(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Keys of long texts, which are shortened, may not follow the order of the texts."""
        with self._env.begin(write=True) as transaction:
            for key, value in items:
                if not transaction.put(key, value, overwrite=False):
                    raise DataError(f"two rows have the key {key!r}; a snapshot has one row an entity")

    def finish(self) -> int:
        """Have it on the disk; its size in bytes."""
        with clear_errors(self.path):
            self._env.sync(True)
            self._env.close()
            return self.path.stat().st_size

    def close(self) -> None:
        self._env.close()


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Turn a failed write into a DataError that names the file and says what to do."""
    try:
        yield
    except (lmdb.Error, OSError) as error:
        if _is_full(error, path):
            raise DataError(
                f"cannot write {path}: no space left; what was published before is still served. "
                "Free some space, then publish again"
            ) from error
        raise DataError(f"cannot write {path}: {error}") from error


def _is_full(error: Exception, path: Path) -> bool:
    if isinstance(error, OSError):
        return error.errno in _NO_SPACE
    if os.strerror(errno.ENOSPC) in str(error):
        return True
    # LMDB calls a write that was cut short, as by a disk that ran full in the middle of it, an input/output error.
    with suppress(OSError):
        place = os.statvfs(path.parent)
        return os.strerror(errno.EIO) in str(error) and place.f_bavail * place.f_frsize < _NEARLY_FULL_BYTES
    return False
