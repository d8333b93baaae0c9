"""A folder tree on a local disk, HDFS or an object store, seen through pyarrow.fs.

All reading and writing of the warehouse goes through `Store`, so that there is one place that knows what a store
can do (rename a folder, sync a file) and one place where its failures become errors that say what to do.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType, LocalFileSystem

from featuremill.errors import DataError, FeaturemillError, ServiceError

_RENAMES_FOLDERS = {"local", "hdfs"}
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_EXISTS = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


@dataclass(frozen=True)
class Entry:
    """One thing in a folder. `size` in bytes, 0 for a folder; `modified` where the store says."""

    name: str
    is_folder: bool
    size: int
    modified: datetime | None

    @property
    def hidden(self) -> bool:
        """Hive and Spark skip names that begin with a dot or an underscore."""
        return self.name.startswith((".", "_"))


class Store:
    """The folder `root`: an absolute or relative path, or a URI (`file:`, `hdfs:`, `s3:`, `s3a:`).

    Paths given to the methods are relative to it, with `/` between the parts.
    Raises DataError where the user can mend it (no space, no permission), ServiceError where the store fails.
    """

    def __init__(self, root: str | Path, filesystem: FileSystem | None = None) -> None:
        text = str(root)
        self._is_uri = "://" in text and not text.startswith("file:")
        if filesystem is not None:
            self._filesystem, self._base = filesystem, text.rstrip("/")
        elif self._is_uri:
            # Spark says s3a, arrow says s3: the same bucket.
            readable = "s3" + text[3:] if text.startswith("s3a:") else text
            with clear_errors("open", text):
                self._filesystem, base = FileSystem.from_uri(readable)
            self._base = base.rstrip("/")
        else:
            self._filesystem = LocalFileSystem()
            self._base = os.path.abspath(_local_path(text))
        self._root = text.rstrip("/") if self._is_uri else self._base
        self.renames_folders = self._filesystem.type_name in _RENAMES_FOLDERS
        self.is_local = isinstance(self._filesystem, LocalFileSystem)

    @property
    def filesystem(self) -> FileSystem:
        return self._filesystem

    def inside(self, path: str) -> str:
        """The path as the file system of pyarrow takes it."""
        return f"{self._base}/{path}" if path else self._base

    def path(self, path: str) -> str:
        """The path as an engine takes it: an absolute path on a local disk, else a URI."""
        return f"{self._root}/{path}" if path else self._root

    def location(self, path: str) -> str:
        """The path as Hive takes it, a URI. Hadoop wants special characters as they are, not percent-encoded."""
        return self.path(path) if self._is_uri else f"file://{self.path(path)}"

    def exists(self, path: str) -> bool:
        return self._info(path).type is not FileType.NotFound

    def _info(self, path: str) -> FileInfo:
        with clear_errors("look at", self.path(path)):
            return self._filesystem.get_file_info(self.inside(path))

    def entries(self, path: str) -> list[Entry]:
        """What is in the folder, by name; nothing if there is no such folder."""
        with clear_errors("list", self.path(path)):
            found = self._filesystem.get_file_info(FileSelector(self.inside(path), allow_not_found=True))
        entries = [Entry(i.base_name, i.type is FileType.Directory, i.size or 0, i.mtime) for i in found]
        return sorted(entries, key=lambda entry: entry.name)

    def total_size(self, path: str) -> int:
        """Bytes of all files below the folder."""
        with clear_errors("list", self.path(path)):
            selector = FileSelector(self.inside(path), allow_not_found=True, recursive=True)
            return sum(info.size or 0 for info in self._filesystem.get_file_info(selector))

    def read(self, path: str) -> bytes | None:
        """The bytes of a small file; None if there is none."""
        with clear_errors("read", self.path(path)):
            try:
                with self._filesystem.open_input_stream(self.inside(path)) as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

    def write(self, path: str, content: bytes) -> None:
        """Write a small file; on a local disk it is on the disk when this returns."""
        with clear_errors("write", self.path(path)):
            with self._filesystem.open_output_stream(self.inside(path)) as stream:
                stream.write(content)
            if self.is_local:
                _sync(self.inside(path))

    def make_folder(self, path: str) -> None:
        with clear_errors("create", self.path(path)):
            self._filesystem.create_dir(self.inside(path), recursive=True)

    def move_file(self, source: str, target: str) -> None:
        with clear_errors("rename", self.path(source)):
            self._filesystem.move(self.inside(source), self.inside(target))

    def copy_file(self, source: str, target: str) -> None:
        with clear_errors("copy", self.path(source)):
            self._filesystem.copy_file(self.inside(source), self.inside(target))

    def delete_file(self, path: str) -> None:
        with clear_errors("delete", self.path(path)):
            self._filesystem.delete_file(self.inside(path))

    def delete_folder(self, path: str) -> None:
        """Delete the folder and all in it; nothing happens if there is none."""
        with clear_errors("delete", self.path(path)):
            try:
                self._filesystem.delete_dir(self.inside(path))
            except FileNotFoundError:
                return

    def rename_folder(self, source: str, target: str) -> bool:
        """Rename a folder in one step. False, and nothing changed, if the target is there with files in it."""
        with clear_errors("rename", self.path(source)):
            try:
                self._filesystem.move(self.inside(source), self.inside(target))
            except OSError as error:
                if error.errno in _EXISTS or isinstance(error, FileExistsError):
                    return False
                raise
        # HDFS moves a folder *into* a target that is already there.
        nested = f"{target}/{source.rpartition('/')[2]}"
        if not self.is_local and self.exists(nested):
            self.delete_folder(nested)
            return False
        return True

    def sync_folder(self, path: str) -> None:
        """Have the files of a folder, and their names, on the disk; `write` has done so for hidden ones already.

        Other stores do so on closing a file.
        """
        if not self.is_local:
            return
        with clear_errors("sync", self.path(path)):
            for entry in self.entries(path):
                if not entry.is_folder and not entry.hidden:
                    _sync(self.inside(f"{path}/{entry.name}"))
            _sync(self.inside(path))


def _local_path(text: str) -> str:
    """The path of a `file:` URI; any other text is a path already."""
    if not text.startswith("file:"):
        return os.path.expanduser(text)
    rest = text.removeprefix("file:")
    if rest.startswith("//"):
        host, _, rest = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise DataError(f"{text}: a file: URI cannot name another host; write file:///the/path")
        rest = f"/{rest}"
    return unquote(rest)


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems do not know how to sync a folder.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)


@contextmanager
def clear_errors(doing: str, where: str) -> Iterator[None]:
    """Turn a failure of the store into an error that names the path and what to do."""
    try:
        yield
    except FeaturemillError:
        raise
    except PermissionError as error:
        raise DataError(f"cannot {doing} {where}: permission denied; let this user write there") from error
    except FileNotFoundError as error:
        raise DataError(f"cannot {doing} {where}: it is not there (any more)") from error
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise DataError(
                f"cannot {doing} {where}: no space left; free some (featuremill gc shows what may go), then run again"
            ) from error
        if error.errno == errno.EROFS:
            raise DataError(f"cannot {doing} {where}: the disk is read-only") from error
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ServiceError(f"cannot {doing} {where}: {reason}") from error
