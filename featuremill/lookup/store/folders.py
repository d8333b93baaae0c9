"""Publications as folders of LMDB files, and the pointer that says which one is served.

<root>/<pipeline>/current.json                         the pointer, replaced by one rename
<root>/<pipeline>/<ds>-<hash>/{data.mdb,manifest.json}
<root>/<pipeline>/.building-<random>/                  being built; locked by its builder for as long as it lives
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from featuremill.errors import DataError, UsageError
from featuremill.lookup.store.lmdb_store import (
    DATA_NAME,
    MANIFEST_NAME,
    LmdbFile,
    LmdbStore,
    clear_errors,
    read_manifest,
)
from featuremill.lookup.store.manifest import Pointer, StoreManifest, pointer_from_json

POINTER_NAME = "current.json"
_BUILDING = ".building-"
_DELETED = ".deleted-"
_LOCK = "lock"
_IDLE_SECONDS = 600
_TRIES = 5
_PUBLICATION = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{16}")
_PIPELINE = re.compile(r"[a-z_][a-z0-9_]*")


class LmdbBackend:
    """Publications below a folder of this machine. The folder is made when something is first published."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def where(self) -> str:
        return str(self.root)

    def pipelines(self) -> list[str]:
        try:
            names = sorted(os.listdir(self.root))
        except FileNotFoundError:
            return []
        return [n for n in names if _PIPELINE.fullmatch(n) and (self.root / n / POINTER_NAME).is_file()]

    def pointer(self, pipeline: str) -> Pointer | None:
        path = self._folder(pipeline) / POINTER_NAME
        try:
            return pointer_from_json(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error

    def stamp(self, pipeline: str) -> object:
        try:
            status = os.stat(self._folder(pipeline) / POINTER_NAME)
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def find(self, pipeline: str, publication: str) -> StoreManifest | None:
        folder = self._folder(pipeline) / publication
        try:
            manifest = read_manifest(folder)
            return manifest if (folder / DATA_NAME).stat().st_size == manifest.size else None
        except (DataError, OSError):
            return None

    def begin(self, manifest: StoreManifest) -> FolderWriter:
        folder = self._folder(manifest.pipeline)
        with clear_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder)
            return FolderWriter(folder, manifest)

    def activate(self, pipeline: str, publication: str) -> Pointer:
        folder = self._folder(pipeline)
        if self.find(pipeline, publication) is None:
            raise DataError(f"{folder / publication} is not there whole; publish again")
        with _moving(folder):
            before = self.pointer(pipeline)
            pointer = Pointer(current=publication) if before is None else before.moved_to(publication)
            self._write_pointer(folder, pointer)
            _delete_others(folder, pointer)
        return pointer

    def rollback(self, pipeline: str) -> Pointer:
        folder = self._folder(pipeline)
        if not folder.is_dir():
            raise UsageError(f"{pipeline} was never published to {self.root}")
        with _moving(folder):
            before = self.pointer(pipeline)
            if before is None or before.previous is None or self.find(pipeline, before.previous) is None:
                raise UsageError(f"{pipeline}: {self.root} has no publication before the current one to go back to")
            pointer = before.rolled_back()
            self._write_pointer(folder, pointer)
        return pointer

    def open(self, pipeline: str, publication: str | None = None) -> LmdbStore:
        folder = self._folder(pipeline)
        if publication is not None:
            return LmdbStore(folder / publication)
        while True:
            pointer = self.pointer(pipeline)
            if pointer is None:
                raise DataError(f"{pipeline} was never published to {self.root}; run it, or publish it")
            try:
                return LmdbStore(folder / pointer.current)
            except DataError:
                # Between reading the pointer and opening the file, two later publications may have come by.
                if self.pointer(pipeline) == pointer:
                    raise

    def _folder(self, pipeline: str) -> Path:
        if not _PIPELINE.fullmatch(pipeline):
            raise UsageError(f"{pipeline!r} is not the name of a pipeline")
        return self.root / pipeline

    def _write_pointer(self, folder: Path, pointer: Pointer) -> None:
        path = folder / POINTER_NAME
        fresh = folder / f".{POINTER_NAME}-{uuid.uuid4().hex}"
        with clear_errors(path):
            try:
                write_synced(fresh, (pointer.model_dump_json() + "\n").encode())
                os.replace(fresh, path)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
            sync_folder(folder)


class FolderWriter:
    """A publication being built in a hidden folder beside the others, which nobody else touches while it is locked."""

    def __init__(self, parent: Path, manifest: StoreManifest) -> None:
        self._parent, self._manifest = parent, manifest
        self._folder = parent / f"{_BUILDING}{uuid.uuid4().hex}"
        self._folder.mkdir()
        self._lock = os.open(self._folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            self._file = LmdbFile(self._folder / DATA_NAME)
        except BaseException:
            self._remove()
            raise

    def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        self._file.put_many(items)

    def finish(self, predicted_rows: int = 0) -> StoreManifest:
        size = self._file.finish()
        counts = {"rows": self._file.rows, "predicted_rows": predicted_rows, "size": size}
        manifest = self._manifest.model_copy(update=counts)
        target = self._parent / manifest.publication
        with clear_errors(target):
            write_synced(self._folder / MANIFEST_NAME, manifest.to_json())
            sync_folder(self._folder)
            (self._folder / _LOCK).unlink()
            self._take_place(target)
            sync_folder(self._parent)
        os.close(self._lock)
        _sweep(self._parent)
        return manifest

    def _take_place(self, target: Path) -> None:
        """Stand where the publication belongs, in place of the same one that is not whole, or was built meanwhile."""
        for left in reversed(range(_TRIES)):
            with suppress(FileNotFoundError):
                target.rename(self._parent / f"{_DELETED}{uuid.uuid4().hex}")
            try:
                self._folder.rename(target)
                return
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not left:
                    raise

    def abandon(self) -> None:
        self._file.close()
        self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):  # it may be closed already
            os.close(self._lock)


@contextmanager
def _moving(folder: Path) -> Iterator[None]:
    """One process at a time moves the pointer."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _delete_others(folder: Path, pointer: Pointer) -> None:
    for path in folder.iterdir():
        if _PUBLICATION.fullmatch(path.name) and path.name not in pointer.kept:
            # Renamed first: a half-deleted publication must not be taken for one.
            aside = folder / f"{_DELETED}{uuid.uuid4().hex}"
            path.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Delete what crashed builders left: half-deleted folders, and those being built that nobody locks or writes to.

    A lock alone does not tell: another machine's may not be seen from here.
    """
    for path in folder.iterdir():
        if path.name.startswith(_DELETED) or (path.name.startswith(_BUILDING) and _is_left(path)):
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.startswith(f".{POINTER_NAME}-"):
            path.unlink(missing_ok=True)


def _is_left(folder: Path) -> bool:
    try:
        written = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except FileNotFoundError:  # somebody works in it just now
        return False
    if time.time() - written < _IDLE_SECONDS:
        return False
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:  # its builder was killed right before or after the time that it is locked
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and have it on the disk."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
