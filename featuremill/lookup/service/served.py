"""What is served now: one open publication a pipeline, opened anew when somebody publishes."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from featuremill.errors import FeaturemillError
from featuremill.lookup.keys import KeyCodec
from featuremill.lookup.records import RecordFormat
from featuremill.lookup.store import Backend, OnlineStore, StoreManifest

_RETIRED_SECONDS = 60
_log = logging.getLogger("featuremill.lookup")


class Served:
    """An open publication. An answer takes one of these and nothing else, so that it never mixes two."""

    __slots__ = ("blocking", "codec", "etag", "format", "get", "headers", "key_of", "manifest", "one", "store")

    def __init__(self, store: OnlineStore) -> None:
        self.store = store
        self.manifest: StoreManifest = store.manifest
        self.format = RecordFormat(store.manifest)
        self.codec = KeyCodec(store.manifest.key_type)
        self.blocking = store.blocking
        self.etag = f'W/"{store.manifest.publication}"'
        self.headers = [("content-type", "application/json"), ("etag", self.etag), ("cache-control", "no-cache")]
        # Bound once: each saves the hot path an attribute or two.
        self.get = store.get
        self.key_of = self.codec.from_text
        self.one = self.format.one


class Shelf:
    """The open publications by pipeline. `look` may run in any thread; `current` is swapped whole."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.current: dict[str, Served] = {}
        self.failures: dict[str, str] = {}
        self.reloads = 0
        self._stamps: dict[str, object] = {}
        self._retired: dict[tuple[str, str], tuple[float, Served]] = {}

    def look(self) -> None:
        """Open what was published since the last look.

        What cannot be opened, or is gone, leaves what was served before; `failures` says why, by pipeline.
        """
        self._close_retired()
        fresh: dict[str, Served] = {}
        for pipeline in self._pipelines():
            try:
                stamp = self.backend.stamp(pipeline)
                if stamp is None or stamp == self._stamps.get(pipeline):
                    continue
                opened = self._open(pipeline)
            except FeaturemillError as error:
                self._failed(pipeline, str(error))
                continue
            self._stamps[pipeline] = stamp
            self.failures.pop(pipeline, None)
            if opened is not None:
                fresh[pipeline] = opened
        if fresh:
            for old in (self.current[name] for name in fresh if name in self.current):
                self._retired[_name(old)] = time.monotonic(), old
            self.current = {**self.current, **fresh}
            self.reloads += len(fresh)

    def _open(self, pipeline: str) -> Served | None:
        """The current publication; None if it is the one that is open already."""
        pointer = self.backend.pointer(pipeline)
        before = self.current.get(pipeline)
        if pointer is None or (before is not None and before.manifest.publication == pointer.current):
            return None
        # A rollback may come back to one that is open still, and a process cannot open an LMDB file twice.
        retired = self._retired.pop((pipeline, pointer.current), None)
        served = retired[1] if retired is not None else Served(self.backend.open(pipeline, pointer.current))
        _log.info("serving %s %s", pipeline, served.manifest.publication)
        return served

    def _close_retired(self) -> None:
        """Close what was replaced long enough ago that no answer is being made of it any more."""
        for name, (since, served) in list(self._retired.items()):
            if time.monotonic() - since > _RETIRED_SECONDS:
                del self._retired[name]
                served.store.close()

    def _pipelines(self) -> Iterable[str]:
        try:
            names = self.backend.pipelines()
            self.failures.pop("", None)
        except FeaturemillError as error:
            self._failed("", str(error))
            return self.current
        return dict.fromkeys([*names, *self.current])

    def _failed(self, pipeline: str, why: str) -> None:
        if self.failures.get(pipeline) != why:
            _log.error("%s: %s", pipeline or self.backend.where, why)
        self.failures[pipeline] = why

    def close(self) -> None:
        for served in (*(old for _, old in self._retired.values()), *self.current.values()):
            served.store.close()
        self._retired, self.current = {}, {}


def _name(served: Served) -> tuple[str, str]:
    return served.manifest.pipeline, served.manifest.publication
