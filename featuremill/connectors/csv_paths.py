"""Finds the CSV files that were landed, by the path of the source's connector."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from featuremill.errors import DataError
from featuremill.spec.models import Source

if TYPE_CHECKING:
    from pyarrow import fs

_DAY = r"\d{4}-\d{2}-\d{2}"
_WILDCARDS = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class LandedFile:
    """A file of a landing. `uri` is an absolute path or a URI; `name` is its path below the landing's folder, unique
    in the landing; `ds` is its day, YYYY-MM-DD; `size` is in bytes.
    """

    uri: str
    name: str
    ds: str
    size: int


def find_landings(source: Source, landing_root: str, upto_ds: str | None = None) -> dict[str, list[LandedFile]]:
    """The files of each day up to `upto_ds` (YYYY-MM-DD; None: of all days), in the order of their names.

    `landing_root`, a path or a URI that pyarrow knows (file, s3, hdfs, gs), takes the place of `{landing}`. Files and
    folders whose names start with `.` or `_` are overlooked where they only match a wildcard. Days without files are
    not in the result. Raises DataError for a day that no calendar knows.
    """
    filesystem, pattern, prefix = _resolved(source.connector.path.replace("{landing}", landing_root.rstrip("/")))
    found: dict[str, list[LandedFile]] = {}
    for ds, path, size in _Walk(filesystem).files(pattern):
        _check_day(ds, prefix + path)
        if upto_ds is None or ds <= upto_ds:
            name = path.removeprefix(_folder(pattern.replace("{ds}", ds)))
            found.setdefault(ds, []).append(LandedFile(prefix + path, name, ds, size))
    return {ds: sorted(found[ds], key=lambda file: file.name) for ds in sorted(found)}


def _resolved(path: str) -> tuple[fs.FileSystem, str, str]:
    """The file system of a path pattern, the pattern as that knows it, and what makes its paths URIs again."""
    from pyarrow import fs

    if "://" not in path:
        return fs.LocalFileSystem(), Path(path).absolute().as_posix(), ""
    parts = urlsplit(path)
    if parts.scheme == "file":
        return fs.LocalFileSystem(), parts.path, ""
    if parts.scheme in ("s3", "gs"):
        filesystem, _ = fs.FileSystem.from_uri(f"{parts.scheme}://{parts.netloc}")
        return filesystem, parts.netloc + parts.path, f"{parts.scheme}://"
    filesystem, _ = fs.FileSystem.from_uri(f"{parts.scheme}://{parts.netloc}/")
    return filesystem, parts.path, f"{parts.scheme}://{parts.netloc}"


def _folder(pattern: str) -> str:
    """The folders of a pattern before its first wildcard, with a slash at the end."""
    plain = []
    for segment in pattern.split("/")[:-1]:
        if _WILDCARDS.search(segment):
            break
        plain.append(segment)
    return "/".join(plain) + "/"


class _Walk:
    """Goes down the folders that match a pattern, one listing a level, and never into others."""

    def __init__(self, filesystem: fs.FileSystem) -> None:
        self._filesystem = filesystem

    def files(self, pattern: str) -> Iterator[tuple[str, str, int]]:
        """Day, path and size of every file that matches."""
        first, *segments = pattern.split("/")
        yield from self._below(first, segments, None)

    def _below(self, folder: str, segments: list[str], ds: str | None) -> Iterator[tuple[str, str, int]]:
        from pyarrow import fs

        if ds is not None:
            segments = [segment.replace("{ds}", ds) for segment in segments]
        while len(segments) > 1 and "{ds}" not in segments[0] and not _WILDCARDS.search(segments[0]):
            folder, segments = f"{folder}/{segments[0]}", segments[1:]
        segment, rest = segments[0], segments[1:]
        expression = _segment_pattern(segment)
        selector = fs.FileSelector(folder or "/", recursive=False, allow_not_found=True)
        for entry in self._filesystem.get_file_info(selector):
            match = expression.fullmatch(entry.base_name)
            if match is None or (entry.base_name[0] in "._" and segment[0] not in "._"):
                continue
            day = match.groupdict().get("ds") or ds
            if rest and entry.type == fs.FileType.Directory:
                yield from self._below(f"{folder}/{entry.base_name}", rest, day)
            elif not rest and entry.type == fs.FileType.File and day is not None:
                yield day, f"{folder}/{entry.base_name}", entry.size


def _segment_pattern(segment: str) -> re.Pattern[str]:
    """One segment of a path: wildcards as in a shell, `{ds}` as a day, the same one where it comes twice."""
    before, *others = segment.split("{ds}")
    expression = _glob(before)
    for number, part in enumerate(others):
        expression += (f"(?P<ds>{_DAY})" if number == 0 else "(?P=ds)") + _glob(part)
    return re.compile(expression, re.DOTALL)


def _glob(text: str) -> str:
    # translate() ends the expression with an anchor.
    return fnmatch.translate(text).removesuffix(r"\Z").removesuffix(r"\z")


def _check_day(ds: str, path: str) -> None:
    try:
        date.fromisoformat(ds)
    except ValueError:
        raise DataError(f"{path} is landed for {ds}, which is not a day; move it to the day it belongs to") from None
