"""The two lookups: one id, many ids. What they share with `as_of`, `live` and `explain` is in `routes`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from featuremill.lookup.keys import BadId
from featuremill.lookup.service.errors import Problem, malformed_id, unknown_id
from featuremill.lookup.service.routes import Answer, Lookup, Request
from featuremill.lookup.service.served import Served

if TYPE_CHECKING:
    from featuremill.lookup.service.app import Service


async def lookup_one(service: Service, request: Request) -> Answer:
    """`GET /v1/{pipeline}/{id}`. Without options, and where the store answers at once, `Service` does it faster."""
    served, text = request.publication, request.parameters["id"]
    options = read_options(service, request)
    try:
        key = served.key_of(text)
    except BadId as error:
        raise malformed_id(served.manifest.pipeline, text, error.wanted) from error
    if not options:
        value = await service.run(served.get, key) if served.blocking else served.get(key)
        if value is None:
            raise unknown_id(served.manifest.pipeline, served.manifest.ds, text)
        return Answer(served.one(value, time.time()), headers=(("cache-control", "no-cache"),), etag=served.etag)
    lookup = Lookup(request, served, [text], [key], options)
    await fill(service, lookup)
    entity = lookup.entities[0]
    if entity is None:
        raise unknown_id(served.manifest.pipeline, str(lookup.header.get("ds")), text)
    return Answer.json(lookup.header | entity, headers=(("cache-control", "no-store"),))


async def lookup_many(service: Service, request: Request) -> Answer:
    """`POST /v1/{pipeline}/lookup` with {"ids": [...]}: one answer an id, in their order, all of one publication."""
    options = read_options(service, request)
    ids = read_ids(service, await request.json())
    # The publication is taken only now: while the body came, a newer one may have been published.
    served = service.shelf.current[request.publication.manifest.pipeline]
    keys = keys_of(served, ids)
    if not options:
        values = await service.run(served.store.get_many, keys) if served.blocking else served.store.get_many(keys)
        return Answer(served.format.many(map(orjson.dumps, ids), values, time.time()))
    lookup = Lookup(request, served, ids, keys, options)
    await fill(service, lookup)
    found = [
        {"found": False, "id": identity} if entity is None else {"found": True} | entity
        for identity, entity in zip(ids, lookup.entities, strict=True)
    ]
    known = sum(entity is not None for entity in lookup.entities)
    return Answer.json(lookup.header | {"found": known, "entities": found}, headers=(("cache-control", "no-store"),))


def read_options(service: Service, request: Request) -> dict[str, Any]:
    """The options of a lookup by name, parsed. Raises Problem 422 for one that is unknown or malformed."""
    options = {}
    for name, text in request.query.items():
        option = service.routes.options.get(name)
        if option is None:
            known = ", ".join(service.routes.options) or "none"
            raise Problem(422, "unknown-option", f"there is no option {name[:80]!r}; known are {known}")
        try:
            value = option.parse(text)
        except ValueError as error:
            raise Problem(422, "malformed-option", f"{name}={text[:80]!r}: {error}", option=name) from error
        if value is not None and value is not False:
            options[name] = value
    return options


def read_ids(service: Service, body: Any) -> list[Any]:
    """The ids of a body. Raises Problem 422 if it is not of that form or has too many."""
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list):
        raise Problem(422, "malformed-body", 'send an object with the ids: {"ids": [5008804, 5008805]}')
    unknown = [str(name) for name in body if name != "ids"]
    if unknown:
        raise Problem(422, "malformed-body", f"the body has an unknown member {unknown[0][:80]!r}; it takes ids only")
    if len(ids) > service.settings.max_ids:
        most = service.settings.max_ids
        raise Problem(422, "too-many-ids", f"{len(ids):,} ids; ask for at most {most:,} at a time", max_ids=most)
    return ids


def keys_of(served: Served, ids: list[Any]) -> list[bytes]:
    """The keys of ids. Raises Problem 422, naming the first one that cannot be and where it is."""
    key_of = served.codec.from_json
    keys = []
    try:
        for identity in ids:
            keys.append(key_of(identity))
    except BadId as error:
        raise malformed_id(served.manifest.pipeline, error.id, error.wanted, position=len(keys)) from error
    return keys


async def fill(service: Service, lookup: Lookup) -> None:
    """Get the entities from where the options say, and have the options change them."""
    given = [service.routes.options[name] for name in lookup.options]
    sources = [option for option in given if option.source is not None]
    if len(sources) > 1:
        names = " and ".join(option.name for option in sources)
        raise Problem(422, "malformed-option", f"{names} cannot be asked for at once")
    if sources and sources[0].source is not None:
        await sources[0].source(service, lookup, lookup.options[sources[0].name])
    else:
        await from_store(service, lookup)
    for option in sorted(given, key=lambda option: option.order):
        if option.enrich is not None:
            await option.enrich(service, lookup, lookup.options[option.name])


async def from_store(service: Service, lookup: Lookup) -> None:
    """Fill a lookup from the online store."""
    served = lookup.served
    get = served.store.get_many
    values = await service.run(get, lookup.keys) if served.blocking else get(lookup.keys)
    lookup.header = served.format.header() | {"freshness_seconds": served.format.freshness(time.time())}
    lookup.entities = [None if value is None else served.format.decode(value) for value in values]
