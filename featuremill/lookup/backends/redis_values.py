"""The values of one publication in Redis: reading them, and putting them there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from featuremill.errors import DataError, ServiceError
from featuremill.lookup.backends.redis_keys import A_REQUEST, ALIVE_SECONDS, BUCKETS, Names, clear_errors
from featuremill.lookup.store.manifest import StoreManifest

if TYPE_CHECKING:
    from featuremill.lookup.backends.bulk import ArrowLoader, Loader
    from featuremill.lookup.backends.redis import RedisBackend


class RedisStore:
    """One publication in Redis, for reading; its connections are the backend's."""

    blocking = True

    def __init__(self, connection: Any, names: Names, build: str, manifest: StoreManifest, where: str) -> None:
        self._redis, self._names, self._build, self._where = connection, names, build, where
        self.manifest = manifest
        self._note = names.publication(manifest.publication)

    def get(self, key: bytes) -> bytes | None:
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """All in one round trip, with the look whether the publication is there still."""
        with clear_errors(self._where), self._redis.pipeline(transaction=False) as requests:
            for key in keys:
                requests.hget(self._names.bucket_of(self._build, key), key)
            requests.exists(self._note)
            found: list[Any] = requests.execute()
        values: list[bytes | None] = found[:-1]
        there = found[-1]
        if not there and None in values:
            raise ServiceError(f"{self.manifest.publication} was deleted from {self._where}; open what is current")
        return values

    def close(self) -> None:
        """Nothing is held."""


class RedisWriter:
    """A publication being built. `loader` and `arrow_loader` are for other processes."""

    def __init__(self, backend: RedisBackend, names: Names, manifest: StoreManifest, build: str) -> None:
        self._backend, self._names, self._manifest, self._build = backend, names, manifest, build
        self._redis = backend.redis
        self._put: int | None = 0
        self._bytes = 0
        with self._redis.pipeline() as transaction:
            transaction.set(names.alive(build), 1, ex=ALIVE_SECONDS)
            transaction.sadd(names.builds, build)
            transaction.execute()

    def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        with clear_errors(self._backend.where):
            sink = RedisSink(self._redis, self._names, self._build)
            added = sink.put(items, "hsetnx")
            for (key, value), is_new in zip(items, added, strict=True):
                # A request that was sent again after a broken connection finds its own values: `finish` counts them.
                if not is_new and self._redis.hget(self._names.bucket_of(self._build, key), key) != value:
                    raise DataError(f"two rows have the key {key!r}; a snapshot has one row an entity")
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
        where = self._backend.where
        with clear_errors(where):
            rows = self._count()
            if self._put is not None and rows != self._put:
                raise DataError(
                    f"{where} holds {rows:,} values of {self._put:,} rows: rows have the same key, or some were lost; "
                    "a snapshot has one row an entity"
                )
            counts = {"rows": rows, "predicted_rows": predicted_rows, "size": self._bytes}
            manifest = self._manifest.model_copy(update=counts)
            note = json.dumps({"build": self._build, "manifest": manifest.model_dump_json()})
            name = self._names.publication(manifest.publication)
            before = self._redis.getset(name, note)
            # A finished build lives as long as its publication; `alive` would have it swept.
            self._redis.persist(name)
            self._redis.persist(self._names.alive(self._build))
            if before is not None and json.loads(before)["build"] != self._build:
                self._backend.delete_build(self._names, json.loads(before)["build"])
        return manifest

    def _count(self) -> int:
        total = 0
        for start in range(0, BUCKETS, A_REQUEST):
            with self._redis.pipeline(transaction=False) as requests:
                for number in range(start, min(start + A_REQUEST, BUCKETS)):
                    requests.hlen(self._names.bucket(self._build, number))
                total += sum(requests.execute())
        return total

    def abandon(self) -> None:
        # Where Redis does not answer, the next builder finds this one gone and deletes what it left.
        with suppress(ServiceError, DataError), clear_errors(self._backend.where):
            name = self._names.publication(self._manifest.publication)
            note = self._redis.get(name)
            if note is not None and json.loads(note)["build"] == self._build:
                self._redis.delete(name)
            self._redis.delete(self._names.alive(self._build))
            self._backend.delete_build(self._names, self._build)


class RedisSink:
    """Puts values into a build."""

    def __init__(self, connection: Any, names: Names, build: str) -> None:
        self._redis, self._names, self._build = connection, names, build

    def put(self, items: Sequence[tuple[bytes, bytes]], command: str) -> list[int]:
        """What Redis says of each item."""
        said: list[int] = []
        for start in range(0, len(items), A_REQUEST):
            with self._redis.pipeline(transaction=False) as requests:
                put = getattr(requests, command)
                for key, value in items[start : start + A_REQUEST]:
                    put(self._names.bucket_of(self._build, key), key, value)
                requests.expire(self._names.alive(self._build), ALIVE_SECONDS)
                *added, alive = requests.execute()
            if not alive:
                raise DataError("the publication being built was given up; publish again")
            said += added
        return said

    def put_again(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        with clear_errors("Redis"):
            self.put(items, "hset")

    def close(self) -> None:
        self._redis.close()


def _connect(url: str, pipeline: str, build: str) -> RedisSink:
    from featuremill.lookup.backends.redis import open_backend

    backend = open_backend(url)
    return RedisSink(backend.redis, backend.names(pipeline), build)
