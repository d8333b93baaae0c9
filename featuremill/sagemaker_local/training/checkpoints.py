"""Keeps the hosts' checkpoint folders in S3 while a job runs, and brings them back when it starts again."""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.training.directories import HostFolder

_SECONDS = 1.0


class Checkpoints:
    """The checkpoints of one run of a job. `uri` is where they go; None: the job keeps none.

    Looks every second for files that changed, and takes a copy only if the file stayed the same while it was copied.
    Files that the program removes stay in S3, as with AWS. All hosts share the one prefix.
    """

    def __init__(self, context: Context, uri: str | None, hosts: list[HostFolder]) -> None:
        self._context = context
        self._uri = uri
        self._hosts = hosts
        self._copied: dict[Path, tuple[int, int, int]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def restore(self) -> None:
        """Copy what is in S3 to every host."""
        if self._uri is None:
            return
        bucket, prefix = self._context.buckets.parse(self._uri.rstrip("/") + "/")
        for key in self._context.buckets.keys(bucket, prefix):
            if key.endswith("/"):
                continue
            for host in self._hosts:
                target = host.checkpoints / key.removeprefix(prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._context.buckets.path(bucket, key), target)
                self._copied[target] = _state(target)

    def begin(self) -> None:
        """Watch the folders from now on."""
        if self._uri is not None:
            self._thread = threading.Thread(target=self._watch, name="checkpoints", daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Stop watching and copy all that changed. Call it when the programs have ended."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._copy_changed()

    def _watch(self) -> None:
        while not self._stop.wait(_SECONDS):
            self._copy_changed()

    def _copy_changed(self) -> None:
        assert self._uri is not None
        for host in self._hosts:
            for file in sorted(host.checkpoints.rglob("*")):
                # A program may remove or replace a checkpoint at any time: the next look sees what is there then.
                with contextlib.suppress(FileNotFoundError):
                    if file.is_file() and self._copied.get(file) != _state(file):
                        relative = file.relative_to(host.checkpoints).as_posix()
                        self._copy(file, self._context.buckets.join(self._uri, relative))

    def _copy(self, file: Path, uri: str) -> None:
        buckets = self._context.buckets
        bucket, key = buckets.parse(uri)
        buckets.create(bucket)
        temporary = buckets.temporary_file()
        try:
            before = _state(file)
            shutil.copyfile(file, temporary)
            if _state(file) == before:
                buckets.place(temporary, bucket, key)
                self._copied[file] = before
        finally:
            temporary.unlink(missing_ok=True)


def _state(file: Path) -> tuple[int, int, int]:
    stat = file.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
