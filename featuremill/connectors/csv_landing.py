"""The landings of one CSV source: which files each day has, and what an engine needs to read them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from featuremill.connectors.content_hash import ContentHashes
from featuremill.connectors.csv_header import inspect_header
from featuremill.connectors.csv_paths import LandedFile, find_landings
from featuremill.connectors.csv_text import readable_uri
from featuremill.spec.models import Source
from featuremill.steps.jobs import RawFile


@dataclass(frozen=True)
class Landed:
    """One landing: its files, and their content hashes by name."""

    files: tuple[LandedFile, ...]
    hashes: Mapping[str, str]


class Landings:
    """The landings of one source. `state` is the folder for remembered hashes.

    Files that engines cannot read as they are get a UTF-8 copy below `<state>/scratch`, which goes with this object.
    """

    def __init__(self, source: Source, name: str, landing_root: str, state: Path) -> None:
        self._source = source
        self._name = name
        self._root = landing_root
        self._hashes = ContentHashes(state)
        self._scratch = state / "scratch"

    def find(self, upto: str) -> dict[str, Landed]:
        """The landings of the days up to `upto` (YYYY-MM-DD), by day.

        Reads the files whose hashes are not known. Raises DataError for a file that is still being written.
        """
        return {ds: self.landed(files) for ds, files in self.listed(upto).items()}

    def listed(self, upto: str) -> dict[str, list[LandedFile]]:
        """The files of the days up to `upto`, by day; none of them is read."""
        return find_landings(self._source, self._root, upto)

    def landed(self, files: Sequence[LandedFile]) -> Landed:
        """One landing of these files. Reads those whose hashes are not known."""
        return Landed(tuple(files), {file.name: self._hashes.hash_of(file) for file in files})

    def read(self, day: str) -> tuple[list[RawFile], list[str]]:
        """The files of a day with their headers matched, and warnings about fields that nobody declared.

        Raises DataError for a file whose header does not fit or that is not text of the declared encoding.
        """
        return self.raw_files(self.landed(self.listed(day).get(day, [])))

    def raw_files(self, landed: Landed) -> tuple[list[RawFile], list[str]]:
        """The same for a landing that was found before."""
        raw_files: list[RawFile] = []
        warnings: list[str] = []
        for file in landed.files:
            header = inspect_header(file, self._source)
            digest = landed.hashes[file.name]
            raw_files.append(
                RawFile(
                    uri=readable_uri(file, self._source.connector.encoding, digest, self._copies),
                    name=file.name,
                    size=file.size,
                    content_hash=digest,
                    fields=header.fields,
                    header=self._source.connector.header,
                )
            )
            warnings += [f"{self._name}: {warning}" for warning in header.warnings]
        return raw_files, warnings

    @cached_property
    def _copies(self) -> Path:
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=self._scratch, prefix="copies-")
        return Path(self._folder.name)
