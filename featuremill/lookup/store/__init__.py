"""The online store: values by key, one publication of a pipeline at a time.

A `Backend` keeps the publications of all pipelines: files on this machine (LMDB), Redis, DynamoDB. Building one:

    writer = backend.begin(manifest)           # beside what is served; nobody sees it
    try:
        writer.put_many([(key, value), ...])   # in key order wherever possible
        manifest = writer.finish()             # all of it is safe
    except BaseException:
        writer.abandon()                       # nothing stays
        raise
    backend.activate(pipeline, manifest.publication)   # in one move; the one before is kept for a rollback

Reading: `backend.open(pipeline)` gives an `OnlineStore` bound to the publication that is current then. It goes on
answering from that one until it is closed, so one answer never mixes two. Whoever serves compares `backend.stamp`
now and then and opens anew when it changed.

Keys are made by `featuremill.lookup.keys`, values by `featuremill.lookup.publication`, read by
`featuremill.lookup.records`; backends do not look into either.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from featuremill.errors import UsageError
from featuremill.lookup.store.manifest import Pointer, StoreManifest

__all__ = ["Backend", "OnlineStore", "Pointer", "StoreManifest", "StoreWriter", "open_backend"]


class OnlineStore(Protocol):
    """One publication, for reading. Used by one thread at a time if `blocking` is False."""

    @property
    def manifest(self) -> StoreManifest: ...

    @property
    def blocking(self) -> bool:
        """Whether `get` waits for a network: then the service calls it from a thread, else on its event loop."""
        ...

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, None if there is none. Raises ServiceError where the store does not answer."""
        ...

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of keys in their order; a key may come twice."""
        ...

    def close(self) -> None: ...


class StoreWriter(Protocol):
    """A publication being built."""

    def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Raises DataError for a key that was put before, and where the store is full."""
        ...

    def finish(self, predicted_rows: int = 0) -> StoreManifest:
        """Have all of it safe; the manifest with rows and size filled in."""
        ...

    def abandon(self) -> None:
        """Throw away what was put. May be called at any time, also after a failed `finish`."""
        ...


class Backend(Protocol):
    """All publications of all pipelines in one place. Methods raise ServiceError where the place does not answer."""

    @property
    def where(self) -> str:
        """The place, as messages name it; without secrets."""
        ...

    def pipelines(self) -> list[str]:
        """The pipelines that have a current publication."""
        ...

    def pointer(self, pipeline: str) -> Pointer | None:
        """What is current; None if the pipeline was never published. Raises DataError if it cannot be read."""
        ...

    def stamp(self, pipeline: str) -> object:
        """Something cheap to get that differs after every `activate`; None if the pipeline was never published."""
        ...

    def find(self, pipeline: str, publication: str) -> StoreManifest | None:
        """The manifest of a publication that is there whole, current or not."""
        ...

    def begin(self, manifest: StoreManifest) -> StoreWriter:
        """Begin to build; what crashed builders left behind goes."""
        ...

    def activate(self, pipeline: str, publication: str) -> Pointer:
        """Make a finished publication current in one move, keep the one before, delete older ones."""
        ...

    def rollback(self, pipeline: str) -> Pointer:
        """Make the previous publication current again. Raises UsageError if there is none."""
        ...

    def open(self, pipeline: str, publication: str | None = None) -> OnlineStore:
        """Open the current publication, or the one named. Raises DataError if it is not there or broken."""
        ...


_SCHEME = re.compile(r"([a-z][a-z0-9+]+)://", re.IGNORECASE)


def open_backend(root: str | Path) -> Backend:
    """The backend of a folder, or of an URL: `<scheme>://...` is `featuremill.lookup.backends.<scheme>.open_backend`.

    Raises UsageError for a scheme that nothing handles.
    """
    match = _SCHEME.match(str(root))
    if match is None or match[1].lower() == "file":
        from featuremill.lookup.store.folders import LmdbBackend

        return LmdbBackend(Path(str(root).removeprefix("file://")))
    scheme = {"rediss": "redis"}.get(match[1].lower(), match[1].lower())
    package = "featuremill.lookup.backends"
    if importlib.util.find_spec(package) is None or importlib.util.find_spec(f"{package}.{scheme}") is None:
        raise UsageError(f"{root}: no online store is reached by {match[1]}://; give a folder, redis:// or dynamodb://")
    backend: Backend = importlib.import_module(f"{package}.{scheme}").open_backend(str(root))
    return backend


def in_batches(items: Iterable[tuple[bytes, bytes]], size: int) -> Iterable[list[tuple[bytes, bytes]]]:
    """Items in lists of at most `size`, for backends whose requests are limited."""
    batch: list[tuple[bytes, bytes]] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
