"""Publications in Redis.

    <prefix>:pipelines                              set of the pipelines that have a pointer
    <prefix>:<pipeline>:pointer                     which publication is served: JSON, moved in one write
    <prefix>:<pipeline>:publication:<name>          {"build", "manifest"}: a publication that is there whole
    <prefix>:<pipeline>:builds                      set of all builds, finished or not
    <prefix>:<pipeline>:alive:<build>               expires when the builder has not been heard of for 10 minutes
    <prefix>:<pipeline>:values:<build>:<bucket>     hash: key -> value, 4,096 buckets a build

A Redis that evicts keys would make entities unknown, so building refuses one whose policy does (allkeys-...).
Publications that are no longer kept live on for 10 minutes, for services that have not heard of the new one yet.
"""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import redis as client_library

from featuremill.errors import DataError, ServiceError, UsageError
from featuremill.lookup.backends.redis_keys import A_REQUEST, BUCKETS, Names, clear_errors
from featuremill.lookup.backends.redis_values import RedisStore, RedisWriter
from featuremill.lookup.store.manifest import Pointer, StoreManifest, pointer_from_json

_KEPT_SECONDS = 600
_TIMEOUT = 5.0
_TRIES = 100


def open_backend(url: str) -> RedisBackend:
    """The backend of an URL. Raises UsageError for one that cannot be."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    prefix = options.pop("prefix", "featuremill")
    if options:
        raise UsageError(f"{_shown(url)}: unknown option {', '.join(options)}; known is prefix")
    try:
        connection = client_library.Redis.from_url(
            urlunsplit(parts._replace(query="")), socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT
        )
    except ValueError as error:
        raise UsageError(f"{_shown(url)}: {error}") from error
    return RedisBackend(connection, prefix, _shown(url), url)


def _shown(url: str) -> str:
    """An URL without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class RedisBackend:
    """Publications in a Redis server, or whatever speaks its protocol."""

    def __init__(self, connection: Any, prefix: str, where: str, url: str) -> None:
        self.redis, self._prefix = connection, prefix
        self.where = where
        self.url = url

    def names(self, pipeline: str) -> Names:
        return Names(self._prefix, pipeline)

    def pipelines(self) -> list[str]:
        with clear_errors(self.where):
            return sorted(name.decode() for name in self.redis.smembers(f"{self._prefix}:pipelines"))

    def pointer(self, pipeline: str) -> Pointer | None:
        content = self.stamp(pipeline)
        return None if content is None else pointer_from_json(content, f"{self.where}: the pointer of {pipeline}")

    def stamp(self, pipeline: str) -> bytes | None:
        with clear_errors(self.where):
            content: bytes | None = self.redis.get(self.names(pipeline).pointer)
            return content

    def find(self, pipeline: str, publication: str) -> StoreManifest | None:
        found = self._found(pipeline, publication)
        return None if found is None else found[1]

    def _found(self, pipeline: str, publication: str) -> tuple[str, StoreManifest] | None:
        with clear_errors(self.where):
            content = self.redis.get(self.names(pipeline).publication(publication))
        if content is None:
            return None
        document = json.loads(content)
        return document["build"], StoreManifest.from_json(document["manifest"], f"{self.where}: {publication}")

    def begin(self, manifest: StoreManifest) -> RedisWriter:
        names = self.names(manifest.pipeline)
        with clear_errors(self.where):
            self._check_policy()
            self._sweep(names)
            return RedisWriter(self, names, manifest, uuid.uuid4().hex)

    def _check_policy(self) -> None:
        policy = str(self.redis.info("memory").get("maxmemory_policy", "noeviction"))
        if policy.startswith("allkeys"):
            raise UsageError(
                f"{self.where} drops keys when it is full (maxmemory-policy {policy}), so entities would become "
                "unknown; set it to noeviction"
            )

    def _sweep(self, names: Names) -> None:
        """Delete what was built by processes that are no more, and builds whose publication has gone."""
        for raw in self.redis.smembers(names.builds):
            build = raw.decode()
            if not self.redis.exists(names.alive(build)):
                self.delete_build(names, build)

    def delete_build(self, names: Names, build: str) -> None:
        for start in range(0, BUCKETS, A_REQUEST):
            numbers = range(start, min(start + A_REQUEST, BUCKETS))
            self.redis.unlink(*(names.bucket(build, number) for number in numbers))
        self.redis.srem(names.builds, build)

    def activate(self, pipeline: str, publication: str) -> Pointer:
        def moved(before: Pointer | None) -> Pointer:
            if self.find(pipeline, publication) is None:
                raise DataError(f"{publication} of {pipeline} is not whole in {self.where}; publish again")
            return Pointer(current=publication) if before is None else before.moved_to(publication)

        pointer = self._move(pipeline, moved)
        with clear_errors(self.where):
            self.redis.sadd(f"{self._prefix}:pipelines", pipeline)
            self._expire_others(pipeline, pointer)
        return pointer

    def rollback(self, pipeline: str) -> Pointer:
        def moved(before: Pointer | None) -> Pointer:
            if before is None or before.previous is None or self.find(pipeline, before.previous) is None:
                raise UsageError(f"{pipeline}: {self.where} has no publication before the current one to go back to")
            return before.rolled_back()

        return self._move(pipeline, moved)

    def _move(self, pipeline: str, moved: Any) -> Pointer:
        """Move the pointer, if nobody else does at the same time; else look again."""
        names = self.names(pipeline)
        with clear_errors(self.where), self.redis.pipeline() as transaction:
            for _ in range(_TRIES):
                try:
                    transaction.watch(names.pointer)
                    content = transaction.get(names.pointer)
                    before = None if content is None else pointer_from_json(content, f"{self.where}: {names.pointer}")
                    pointer: Pointer = moved(before)
                    transaction.multi()
                    transaction.set(names.pointer, pointer.model_dump_json())
                    for kept in pointer.kept:  # one that was about to expire is wanted again
                        transaction.persist(names.publication(kept))
                    transaction.execute()
                    self._keep(names, pointer)
                    return pointer
                except client_library.WatchError:
                    continue
        raise ServiceError(f"{self.where}: the pointer of {pipeline} is being moved by somebody else all the time")

    def _keep(self, names: Names, pointer: Pointer) -> None:
        """Have the kept publications' values stay, if they were about to expire."""
        for name in pointer.kept:
            content = self.redis.get(names.publication(name))
            if content is not None:
                self._each_bucket(names, json.loads(content)["build"], "persist")

    def _expire_others(self, pipeline: str, pointer: Pointer) -> None:
        names = self.names(pipeline)
        start = names.publication("")
        for raw in self.redis.scan_iter(match=f"{start}*", count=A_REQUEST):
            name = raw.decode()
            if name.removeprefix(start) in pointer.kept or self.redis.ttl(name) >= 0:
                continue
            content = self.redis.get(name)
            if content is None:
                continue
            build = json.loads(content)["build"]
            # The note goes a little before the values: a reader that misses an id looks whether it is there still.
            self.redis.expire(name, _KEPT_SECONDS - 10)
            self._each_bucket(names, build, "expire", _KEPT_SECONDS)
            self.redis.delete(names.alive(build))
            self.redis.srem(names.builds, build)

    def _each_bucket(self, names: Names, build: str, command: str, *arguments: Any) -> None:
        for start in range(0, BUCKETS, A_REQUEST):
            with self.redis.pipeline(transaction=False) as requests:
                for number in range(start, min(start + A_REQUEST, BUCKETS)):
                    getattr(requests, command)(names.bucket(build, number), *arguments)
                requests.execute()

    def open(self, pipeline: str, publication: str | None = None) -> RedisStore:
        for _ in range(_TRIES):
            name = publication
            if name is None:
                pointer = self.pointer(pipeline)
                if pointer is None:
                    raise DataError(f"{pipeline} was never published to {self.where}; run it, or publish it")
                name = pointer.current
            found = self._found(pipeline, name)
            if found is not None:
                return RedisStore(self.redis, self.names(pipeline), *found, self.where)
            if publication is not None or self.pointer(pipeline) == pointer:
                break
        raise DataError(f"{name} of {pipeline} is not in {self.where}; publish again")
