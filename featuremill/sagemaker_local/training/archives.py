"""What a job leaves in S3: the hosts' folders merged, as tar.gz files of the same bytes for the same contents."""

from __future__ import annotations

import filecmp
import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from featuremill.sagemaker_local.context import Context

_LEVEL = 6


def merge(folders: Iterable[Path]) -> tuple[dict[str, Path], list[str]]:
    """The files of several folders by relative name, and the names that differ between them: the first folder's wins.

    Links are followed if they lead to files.
    """
    merged: dict[str, Path] = {}
    differing: list[str] = []
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if not file.is_file():
                continue
            name = file.relative_to(folder).as_posix()
            first = merged.setdefault(name, file)
            if first is not file and not filecmp.cmp(first, file, shallow=False):
                differing.append(name)
    return dict(sorted(merged.items())), sorted(set(differing))


def write_archive(files: dict[str, Path], target: Path) -> None:
    """A tar.gz of files by name: sorted, with no times, owners or modes of this machine."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, file in sorted(files.items()):
            with file.open("rb") as content:
                entry = tarfile.TarInfo(name)
                entry.size = content.seek(0, io.SEEK_END)
                entry.mode = 0o644
                content.seek(0)
                archive.addfile(entry, content)


def upload(context: Context, files: dict[str, Path], uri: str, compressed: bool) -> None:
    """Store the files as the one object `uri`, or each below it."""
    if not compressed:
        for name, file in files.items():
            context.buckets.store(file, context.buckets.join(uri, name))
        return
    archive = context.buckets.temporary_file()
    try:
        write_archive(files, archive)
        context.buckets.store(archive, uri)
    finally:
        archive.unlink(missing_ok=True)
