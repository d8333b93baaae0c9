"""The values of one publication in DynamoDB: reading them, and putting them there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from featuremill.errors import DataError, ServiceError
from featuremill.lookup.backends.dynamodb_client import BUILD, PUBLICATION, THREADS, TRIES, clear_errors
from featuremill.lookup.store.manifest import StoreManifest

if TYPE_CHECKING:
    from featuremill.lookup.backends.bulk import ArrowLoader, Loader
    from featuremill.lookup.backends.dynamodb import DynamoBackend

_HEARTBEAT_SECONDS = 60
_READ_KEYS, _WRITE_ITEMS, _WRITE_BYTES = 100, 25, 8 * 1024 * 1024
_LARGEST_VALUE = 390_000


class DynamoStore:
    """One publication, for reading, consistently: what was finished is seen at once."""

    blocking = True

    def __init__(self, backend: DynamoBackend, table: str, manifest: StoreManifest) -> None:
        self._backend, self._client, self._table = backend, backend.client, table
        self.manifest = manifest

    def get(self, key: bytes) -> bytes | None:
        with clear_errors(self._backend.where):
            found = self._client.get_item(TableName=self._table, Key={"k": {"B": key}}, ConsistentRead=True)
        value: bytes | None = found["Item"]["v"]["B"] if "Item" in found else None
        return value

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        asked = list(dict.fromkeys(keys))
        found: dict[bytes, bytes] = {}
        with clear_errors(self._backend.where):
            for start in range(0, len(asked), _READ_KEYS):
                found |= self._some(asked[start : start + _READ_KEYS])
        return [found.get(key) for key in keys]

    def _some(self, keys: list[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        waiting: Any = {self._table: {"Keys": [{"k": {"B": key}} for key in keys], "ConsistentRead": True}}
        for attempt in range(TRIES):
            answer = self._client.batch_get_item(RequestItems=waiting)
            found |= {item["k"]["B"]: item["v"]["B"] for item in answer["Responses"].get(self._table, [])}
            waiting = answer.get("UnprocessedKeys")
            if not waiting:
                return found
            time.sleep(min(0.01 * 2**attempt, 1.0))
        raise ServiceError(f"{self._backend.where} leaves keys unread again and again: it is asked for too much")

    def close(self) -> None:
        """Nothing is held."""


class DynamoWriter:
    """A publication being built, in a table of its own. `loader` and `arrow_loader` are for other processes."""

    def __init__(self, backend: DynamoBackend, manifest: StoreManifest, build: str) -> None:
        self._backend, self._manifest, self._build = backend, manifest, build
        self._sink = DynamoSink(backend, manifest.pipeline, build)
        self._put: int | None = 0
        self._bytes = 0
        self._last: bytes | None = None

    def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Keys that come again are found here if they follow each other, else by `finish`, which counts."""
        for key, _ in items:
            if key == self._last:
                raise DataError(f"two rows have the key {key!r}; a snapshot has one row an entity")
            self._last = key
        self._sink.put_again(items)
        if self._put is not None:
            self._put += len(items)
        self._bytes += sum(len(key) + len(value) for key, value in items)

    def loader(self) -> Loader:
        """Writes (key, value) pairs in another process; see `featuremill.lookup.backends.bulk`."""
        from featuremill.lookup.backends.bulk import Loader

        self._put = None
        return Loader(partial(_connect, self._backend.url, self._manifest.pipeline, self._build))

    def arrow_loader(self) -> ArrowLoader:
        """Writes rows in another process; see `featuremill.lookup.backends.bulk`."""
        from featuremill.lookup.backends.bulk import ArrowLoader

        self._put = None
        return ArrowLoader(partial(_connect, self._backend.url, self._manifest.pipeline, self._build), self._manifest)

    def finish(self, predicted_rows: int = 0) -> StoreManifest:
        """Count what is there, and note the publication as whole."""
        backend, pipeline, where = self._backend, self._manifest.pipeline, self._backend.where
        with clear_errors(where):
            rows = self._count()
            if self._put is not None and rows != self._put:
                raise DataError(
                    f"{where} holds {rows:,} values of {self._put:,} rows: rows have the same key, or some were lost; "
                    "a snapshot has one row an entity"
                )
            counts = {"rows": rows, "predicted_rows": predicted_rows, "size": self._bytes}
            manifest = self._manifest.model_copy(update=counts)
            name = PUBLICATION + manifest.publication
            before = backend.get_document(pipeline, name)
            backend.put_document(
                pipeline, name, json.dumps({"build": self._build, "manifest": manifest.model_dump_json()})
            )
            backend.delete_document(pipeline, BUILD + self._build)
            if before is not None and json.loads(before)["build"] != self._build:
                backend.delete_build(pipeline, json.loads(before)["build"])
        self._sink.close()
        return manifest

    def _count(self) -> int:
        """The number of items, by scanning the table in several pieces at a time."""
        table = self._backend.values_table(self._manifest.pipeline, self._build)

        def count(piece: int) -> int:
            pages = self._backend.client.get_paginator("scan").paginate(
                TableName=table, Select="COUNT", ConsistentRead=True, Segment=piece, TotalSegments=THREADS
            )
            return sum(int(page["Count"]) for page in pages)

        with ThreadPoolExecutor(THREADS, "count") as pool:
            return sum(pool.map(count, range(THREADS)))

    def abandon(self) -> None:
        # Where DynamoDB does not answer, the next builder after half an hour deletes what this one left.
        with suppress(ServiceError), clear_errors(self._backend.where):
            pipeline = self._manifest.pipeline
            name = PUBLICATION + self._manifest.publication
            note = self._backend.get_document(pipeline, name)
            if note is not None and json.loads(note)["build"] == self._build:
                self._backend.delete_document(pipeline, name)
            self._backend.delete_build(pipeline, self._build)
        self._sink.close()


class DynamoSink:
    """Puts values into a build, several requests at a time."""

    def __init__(self, backend: DynamoBackend, pipeline: str, build: str) -> None:
        self._backend, self._pipeline, self._build = backend, pipeline, build
        self._table = backend.values_table(pipeline, build)
        self._pool = ThreadPoolExecutor(THREADS, "dynamodb")
        self._heard = time.monotonic()

    def put_again(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Put values; a key that is there gets the new one. Raises DataError for a value that no item can hold."""
        for key, value in items:
            if len(value) > _LARGEST_VALUE:
                raise DataError(
                    f"the entity with the key {key!r} has {len(value):,} bytes; DynamoDB takes 400,000 an item"
                )
        with clear_errors(self._backend.where):
            if time.monotonic() - self._heard > _HEARTBEAT_SECONDS:
                self._heard = time.monotonic()
                self._backend.heard_of(self._pipeline, self._build)
            list(self._pool.map(self._some, _requests(items)))

    def _some(self, items: list[tuple[bytes, bytes]]) -> None:
        waiting: Any = {self._table: [{"PutRequest": {"Item": {"k": {"B": k}, "v": {"B": v}}}} for k, v in items]}
        for attempt in range(TRIES):
            waiting = self._backend.client.batch_write_item(RequestItems=waiting).get("UnprocessedItems")
            if not waiting:
                return
            time.sleep(min(0.02 * 2**attempt, 2.0))
        raise ServiceError(f"{self._backend.where} leaves items unwritten again and again: it is written to too fast")

    def close(self) -> None:
        self._pool.shutdown()


def _requests(items: Sequence[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    """Items in requests of at most 25, of a size that DynamoDB takes, no key twice in one."""
    request: dict[bytes, bytes] = {}
    size = 0
    for key, value in items:
        if key in request or len(request) == _WRITE_ITEMS or size + len(value) > _WRITE_BYTES:
            yield list(request.items())
            request, size = {}, 0
        request[key] = value
        size += len(key) + len(value)
    if request:
        yield list(request.items())


def _connect(url: str, pipeline: str, build: str) -> DynamoSink:
    from featuremill.lookup.backends.dynamodb import open_backend

    return DynamoSink(open_backend(url), pipeline, build)
