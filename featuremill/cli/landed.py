"""What has landed for a pipeline, looked at once for all the days of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from featuremill.connectors.csv_landing import Landed, Landings
from featuremill.connectors.csv_paths import LandedFile
from featuremill.errors import DataError, ServiceError
from featuremill.spec.models import Pipeline
from featuremill.steps.graph import Landing, LandingSteps
from featuremill.steps.jobs import RawFile
from featuremill.steps.published import Published, Shown


class SourceLandings:
    """The landings of one source up to `last`. Folders are listed once; a file is hashed when its day's turn comes."""

    def __init__(self, opened: Callable[[], Landings], last: str) -> None:
        self._opened, self._last = opened, last
        self._landings = opened()
        self._known: dict[str, tuple[Landed, Landing]] = {}

    @cached_property
    def _listed(self) -> dict[str, list[LandedFile]]:
        return self._landings.listed(self._last)

    @property
    def days(self) -> Sequence[str]:
        return list(self._listed)

    def upto(self, day: str) -> dict[str, Landing]:
        """The landings of the days up to `day`. Raises DataError for a file that is still being written."""
        return {ds: self._of(ds)[1] for ds in self._listed if ds <= day}

    def _of(self, ds: str) -> tuple[Landed, Landing]:
        if ds not in self._known:
            landed = self._landings.landed(self._listed[ds])
            self._known[ds] = landed, Landing(files=landed.hashes)
        return self._known[ds]

    def read(self, ds: str) -> tuple[list[RawFile], list[str]]:
        """The files of a day as an engine takes them, and warnings.

        Raises DataError if one changed since the run looked at it: its rows would get the fingerprint of the old file.
        """
        landed = self._of(ds)[0] if ds in self._listed else Landed((), {})
        now = self._landings.landed(landed.files)
        changed = [file.uri for file in landed.files if now.hashes[file.name] != landed.hashes[file.name]]
        if changed:
            raise DataError(f"{changed[0]} changed since this run began; run again")
        # Copies that were made for the day before go with the object that made them.
        self._landings = self._opened()
        return self._landings.raw_files(now)


class LandedSources:
    """The landings of all sources, and the `archived` ones: source -> day -> what was made of files that are gone.

    `shown`: what Hive shows, None where the metastore does not answer. `steps`: those of the landings, made once.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        sources: Mapping[str, SourceLandings],
        archived: Mapping[str, Mapping[str, Landing]],
        shown: Shown | None,
    ) -> None:
        self._sources, self._archived, self.shown = sources, archived, shown
        self.steps = LandingSteps(pipeline)

    def upto(self, day: str) -> dict[str, dict[str, Landing]]:
        """Source -> day -> landing, oldest day first."""
        found = {}
        for name, source in self._sources.items():
            archived = {ds: landing for ds, landing in self._archived.get(name, {}).items() if ds <= day}
            found[name] = dict(sorted({**source.upto(day), **archived}.items()))
        return found

    def published(self, tables: Iterable[str], day: str) -> Published | None:
        """What Hive shows of tables; of other days than this one, as it was when they were first asked for."""
        try:
            return self.shown.read(tables, day) if self.shown is not None else None
        except ServiceError:
            return None

    def raw_files(self, source: str, day: str) -> tuple[Sequence[RawFile], Sequence[str]]:
        return self._sources[source].read(day)
