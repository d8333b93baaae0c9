"""`?as_of=DATE` of lookups, and `GET /v1/{pipeline}/{id}/history?limit=30`.

Offered where the service knows its project (`--project`), whose metastore says what was published.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import orjson

from featuremill.errors import DataError, FeaturemillError
from featuremill.lookup.keys import BadId
from featuremill.lookup.project import ServedProject, unavailable
from featuremill.lookup.records import SEPARATOR
from featuremill.lookup.service import openapi
from featuremill.lookup.service.errors import Problem, malformed_id
from featuremill.lookup.service.routes import Answer, Lookup, Option, Request, Route
from featuremill.lookup.service.served import Served
from featuremill.lookup.waiting_room import Full, WaitingRoom

if TYPE_CHECKING:
    from featuremill.lookup.history.past import Day, Past
    from featuremill.lookup.service.app import Service

P = ParamSpec("P")
T = TypeVar("T")

MOST_DAYS = 400
_DAYS = 30
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_THREADS, _PLACES = 2, 64
_HISTORY = "/v1/{pipeline}/{id}/history"


def extend(service: Service) -> None:
    """Add the option and the route, if the service has a project."""
    if service.settings.project is None:
        return
    reader = Rewinder(ServedProject(service.settings.project, service.settings.environment))
    service.routes.add_option(
        Option(
            "as_of",
            parse=parse_day,
            schema={"type": "string", "format": "date"},
            description="the published day whose answer is wanted, read from the warehouse",
            source=reader.fill,
        )
    )
    service.routes.add(Route("GET", _HISTORY, reader.answer_history, operation=_operation))
    service.on_start(reader.warm)
    service.on_stop(reader.close)


def parse_day(text: str) -> str:
    """The value of `as_of`. Raises ValueError."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise ValueError("write a day, like 2024-01-31")


class Rewinder:
    """Answers from the warehouse, in threads of its own: few at a time, since they read and decode whole row groups."""

    def __init__(self, project: ServedProject) -> None:
        self._project = project
        self._loading = threading.Lock()
        self._opened: Past | None = None
        self._room = WaitingRoom("history", _THREADS, _PLACES)

    @property
    def _past(self) -> Past:
        """Made at the first use: reading parquet takes libraries that plain lookups do without."""
        with self._loading:  # the metastore's client breaks if two threads import it at the same time
            if self._opened is None:
                from featuremill.lookup.history.past import Past
                from featuremill.lookup.history.rendering import cursor
                from featuremill.warehouse.thrift_client import hive_types

                hive_types()
                cursor()
                self._opened = Past(self._project)
            return self._opened

    async def warm(self) -> None:
        """Load what reading takes, while nobody waits for it: else the first answer would take a second more."""
        self._room.begin(self._load)

    def _load(self) -> None:
        with suppress(FeaturemillError):  # a broken project is told of when somebody asks
            self._past.warm()

    async def close(self) -> None:
        self._room.close()

    async def fill(self, service: Service, lookup: Lookup, ds: str) -> None:
        """Fill a lookup with what was served on a day. Values stay texts unless `live` or `explain` need them."""
        day, values = await self._wait(self._read, lookup.served, ds, lookup.keys)
        lookup.header = day.format.header() | {"freshness_seconds": day.format.freshness(time.time())}
        verbatim = not (lookup.options.keys() & {"live", "explain"})
        show = _verbatim if verbatim else _decoded
        lookup.entities = [None if value is None else show(day, value) for value in values]

    def _read(self, served: Served, ds: str, keys: list[bytes]) -> tuple[Day, list[bytes | None]]:
        manifest = served.manifest
        day = self._past.day(manifest.pipeline, ds, manifest.key, served.codec)
        if day is None:
            newest = self._past.days(manifest.pipeline)[-10:]
            said = f"the newest published days are {', '.join(newest)}" if newest else "no day is published in Hive"
            raise Problem(
                404,
                "unknown-date",
                f"{manifest.pipeline} was not published for {ds}; {said}",
                pipeline=manifest.pipeline,
                days=newest,
            )
        try:
            return day, day.values(keys)
        except (OSError, DataError) as error:
            # Kept open, its files may have been deleted since: what Hive shows now is looked up anew next time.
            self._past.forget()
            raise DataError(f"{day.snapshot.shown} cannot be read: {error}; run {ds} again to make it anew") from error

    async def answer_history(self, service: Service, request: Request) -> Answer:
        """`GET /v1/{pipeline}/{id}/history`: the id on the newest published days, oldest first."""
        served, text = request.publication, request.parameters["id"]
        limit, before = _limit(request), _before(request)
        try:
            key = served.key_of(text)
        except BadId as error:
            raise malformed_id(served.manifest.pipeline, text, error.wanted) from error
        manifest = served.manifest
        days = await self._wait(self._days, manifest.pipeline)
        chosen = [ds for ds in days if before is None or ds <= before][-limit:]
        entries, identity = [], None
        for ds in chosen:
            entry = await self._wait(self._entry, served, ds, key)
            identity = entry.pop("id", None) or identity
            entries.append(entry)
        if identity is None:
            raise Problem(
                404,
                "unknown-id",
                f"{manifest.pipeline} has no entity {text[:80]!r} on its {len(chosen)} newest published days",
                pipeline=manifest.pipeline,
            )
        head = {"pipeline": manifest.pipeline, "id": identity, "published_days": len(days)}
        return Answer.json(head | {"days": entries}, headers=(("cache-control", "no-store"),))

    def _days(self, pipeline: str) -> list[str]:
        return self._past.days(pipeline)

    def _entry(self, served: Served, ds: str, key: bytes) -> dict[str, Any]:
        """A day of a history. A day that cannot be read says so and leaves the others be."""
        try:
            day, (value,) = self._read(served, ds, [key])
        except Problem as problem:
            return {"ds": ds, "found": False, "problem": problem.detail}
        except DataError as error:
            return {"ds": ds, "found": False, "problem": str(error)}
        header = {name: said for name, said in day.format.header().items() if name != "pipeline"}
        if value is None:
            return header | {"found": False}
        return header | {"found": True} | _verbatim(day, value)

    async def _wait(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._room.run(None, function, *args, **kwargs)
        except Full:
            detail = "too many requests read the warehouse already; ask again in a moment"
            raise Problem(503, "busy", detail, headers=[("retry-after", "1")]) from None
        except FeaturemillError as error:
            raise unavailable(error, "warehouse-unavailable") from error


def _decoded(day: Day, value: bytes) -> dict[str, Any]:
    return day.format.decode(value)


def _verbatim(day: Day, value: bytes) -> dict[str, Any]:
    """The entity with every JSON text as it is in the value, byte by byte as in the answers of that day."""
    texts = [orjson.Fragment(text) for text in value.split(SEPARATOR)]
    manifest = day.manifest
    count = 1 + len(manifest.features)
    prediction = None
    if not day.format.one(value, 0.0).endswith(b'"prediction":null}'):
        scores = zip((c.name for c in manifest.prediction), texts[count:], strict=True)
        prediction = {**dict(scores), "model_version": manifest.model_version}
    features = dict(zip((c.name for c in manifest.features), texts[1:count], strict=True))
    return {"id": texts[0], "features": features, "prediction": prediction}


def _limit(request: Request) -> int:
    _check_names(request)
    text = request.query.get("limit", str(_DAYS))
    if re.fullmatch(r"[1-9][0-9]{0,3}", text, re.ASCII) and int(text) <= MOST_DAYS:
        return int(text)
    raise Problem(422, "malformed-option", f"limit={text[:80]!r}: write a number from 1 to {MOST_DAYS}", option="limit")


def _before(request: Request) -> str | None:
    text = request.query.get("as_of")
    try:
        return None if text is None else parse_day(text)
    except ValueError as error:
        raise Problem(422, "malformed-option", f"as_of={text!r:.90}: {error}", option="as_of") from error


def _check_names(request: Request) -> None:
    unknown = [name for name in request.query if name not in ("limit", "as_of")]
    if unknown:
        raise Problem(422, "unknown-option", f"there is no option {unknown[0][:80]!r}; known are limit, as_of")


def _operation(service: Service, served: Served | None) -> dict[str, Any]:
    assert served is not None
    name = served.manifest.pipeline
    most = {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": _DAYS}
    day = {"type": "string", "format": "date"}
    said = {"type": "string", "description": "why this day cannot be read"}
    members: dict[str, Any] = {"ds": day, "found": {"type": "boolean"}, "features": {"type": "object"}, "problem": said}
    members["prediction"] = {"type": ["object", "null"]}
    entry = {"type": "object", "required": ["ds", "found"], "properties": members}
    schema = {
        "type": "object",
        "required": ["pipeline", "id", "published_days", "days"],
        "properties": {
            "pipeline": {"const": name},
            "id": {},
            "published_days": {"type": "integer"},
            "days": {"type": "array", "items": entry},
        },
    }
    return {
        "summary": f"One {served.manifest.key} on the newest published days, oldest first",
        "parameters": [
            openapi.id_parameter(served.manifest),
            {"name": "limit", "in": "query", "required": False, "schema": most},
            {
                "name": "as_of",
                "in": "query",
                "required": False,
                "schema": day,
                "description": "no later days than this",
            },
        ],
        "responses": {
            "200": openapi.answer("the days", schema),
            "404": openapi.problem("no such entity on these days"),
            "422": openapi.problem("malformed id or option"),
            "503": openapi.problem("the metastore or the warehouse does not answer"),
        },
    }
