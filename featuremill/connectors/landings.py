"""The landings of one source, as runs need them: content hashes to plan with, matched files to ingest."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path

from featuremill.connectors.content_hash import ContentHashes
from featuremill.connectors.csv_header import inspect_header
from featuremill.connectors.csv_landing import LandedFile, find_landings
from featuremill.connectors.csv_text import readable_uri
from featuremill.spec.models import Source
from featuremill.steps.jobs import RawFile


class Landings:
    """`root` is what `{landing}` in the connector's path stands for; `state` a local folder for the cache of hashes
    and for copies of files that engines cannot read as they are.
    """

    def __init__(self, source: Source, root: str, state: Path) -> None:
        self._source, self._root, self._state = source, root, state
        self._hashes = ContentHashes(state)

    def hashes(self, upto: str) -> dict[str, dict[str, str]]:
        """Day -> file name -> content hash, oldest day first, up to and with `upto`."""
        return {day: {f.name: self._hashes.hash_of(f) for f in files} for day, files in self._found(upto).items()}

    def read(self, day: str) -> tuple[list[RawFile], list[str]]:
        """The files of a day with their headers matched to the declared columns, and warnings for people.

        Raises DataError for a file that is empty, damaged, not text, or lacks a declared column.
        """
        files: list[RawFile] = []
        warnings: list[str] = []
        for file in self._found(day).get(day, []):
            header = inspect_header(file, self._source)
            warnings += header.warnings
            files.append(self._raw_file(file, header.fields))
        return files, warnings

    def _raw_file(self, file: LandedFile, fields: tuple[str | None, ...]) -> RawFile:
        digest = self._hashes.hash_of(file)
        return RawFile(
            uri=readable_uri(file, self._source.connector.encoding, digest, self._copies),
            name=file.name,
            size=file.size,
            content_hash=digest,
            fields=fields,
            header=self._source.connector.header,
        )

    def _found(self, upto: str) -> dict[str, list[LandedFile]]:
        return find_landings(self._source, self._root, upto)

    @cached_property
    def _copies(self) -> Path:
        """A folder for copies; it goes when the process ends."""
        scratch = self._state / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=scratch, prefix="copies-")
        return Path(self._folder.name)
