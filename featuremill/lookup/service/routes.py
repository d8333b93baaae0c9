"""What the service answers: routes, and options of lookups. Others add theirs in a file of their own.

An extension is a module with `def extend(service: Service) -> None`, listed in `EXTENSIONS`; a module that is not
there is passed over. In it:

    service.routes.add(Route("GET", "/v1/{pipeline}/{id}/history", answer_history, operation=describe_history))
    service.routes.add_option(Option("as_of", schema={"type": "string", "format": "date"}, parse=..., source=...))
    service.on_start(coroutine_function)      # awaited in each worker before it serves; likewise on_stop

**Routes.** The path has literal parts and `{names}`; `{id}` takes the rest of the path up to what follows it, so an id
may hold slashes. A handler is `async def handle(service, request) -> Answer`; it raises `Problem` for errors. It runs
on the event loop that serves everybody: whatever waits or computes for more than a millisecond belongs into
`await service.run(function, ...)`, which runs it in a thread. A route for `{pipeline}` is reached only with a published
pipeline (`request.served`) and a token for it.

**Options** are query parameters of `GET /v1/{pipeline}/{id}` and `POST /v1/{pipeline}/lookup`: `as_of`, `live`,
`explain`. Without any, answers come straight from the online store. With some, a `Lookup` is made and

1. the option with a `source`, if one is given, fills it: sets `header` (see `RecordFormat.header`, and
   `freshness_seconds`) and `entities`, one a key: {"id", "features", "prediction"} or None if there is no such entity;
   else the online store does;
2. every option with `enrich` that is given changes `header` and `entities` in place, in order of `order`.
   Whether `live` or `explain` were asked for is in `lookup.options`.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import orjson

from featuremill.lookup.service.auth import Caller
from featuremill.lookup.service.errors import Problem, unknown_path
from featuremill.lookup.service.served import Served

if TYPE_CHECKING:
    from featuremill.lookup.service.app import Service

EXTENSIONS = (
    "featuremill.lookup.history.extension",
    "featuremill.lookup.live.extension",
    "featuremill.lookup.page.extension",
)

Access = Literal["open", "token", "pipeline"]
JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """What is sent back. `etag`, if given, answers conditional requests."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    etag: str | None = None

    @classmethod
    def json(cls, document: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
        return cls(orjson.dumps(document), status, JSON, headers)


@dataclass
class Request:
    """A request. `parameters`: the path's; `query`: the query's, each name once; `caller`: whose token it is."""

    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Any
    client: str
    read_body: Callable[[], Awaitable[bytes]]
    caller: Caller | None = None
    served: Served | None = None

    @property
    def publication(self) -> Served:
        """The open publication of the path's pipeline."""
        assert self.served is not None, "only routes with {pipeline} have one"
        return self.served

    async def json(self) -> Any:
        """The body as JSON. Raises Problem: 415 for another content type, 400 for what is not JSON, 413, 408."""
        content_type = (self.headers.get("content-type") or JSON).partition(";")[0].strip().lower()
        if content_type != JSON:
            raise Problem(415, "unsupported-media-type", f"send {JSON}, not {content_type[:80]!r}")
        try:
            return orjson.loads(await self.read_body())
        except orjson.JSONDecodeError as error:
            raise Problem(400, "malformed-body", f"the body is not JSON: {error}") from error


Handler = Callable[["Service", Request], Awaitable[Answer]]
Operation = Callable[["Service", Served | None], dict[str, Any]]


@dataclass(frozen=True)
class Route:
    """`access`: open to everybody, to any valid token, or to tokens for the path's pipeline; left out, the last if the
    path has a {pipeline}, else the second. `operation` describes it in OpenAPI: called for each published pipeline if
    the path has a {pipeline}, else with None.
    """

    method: str
    path: str
    handle: Handler
    operation: Operation | None = None
    access: Access | None = None

    @property
    def reach(self) -> Access:
        return self.access or ("pipeline" if "{pipeline}" in self.path else "token")


@dataclass
class Lookup:
    """Entities being looked up. `ids` are JSON values as they were asked for, `keys` those of the online store."""

    request: Request
    served: Served
    ids: list[Any]
    keys: list[bytes]
    options: dict[str, Any]
    header: dict[str, Any] = field(default_factory=dict)
    entities: list[dict[str, Any] | None] = field(default_factory=list)


Step = Callable[["Service", Lookup, Any], Awaitable[None]]


@dataclass(frozen=True)
class Option:
    """A query parameter of lookups. `parse` makes its value of the text and raises ValueError saying what is wrong.

    A value of None or False counts as not given. `schema` and `description` are its OpenAPI.
    """

    name: str
    parse: Callable[[str], Any]
    schema: dict[str, Any]
    description: str
    source: Step | None = None
    enrich: Step | None = None
    order: int = 100


def parse_flag(text: str) -> bool:
    """The value of an option that is true or false."""
    if text in ("true", "1", ""):
        return True
    if text in ("false", "0"):
        return False
    raise ValueError("write true or false")


class Routes:
    """All routes and options of a service."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.options: dict[str, Option] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        self._by_path: dict[str, dict[str, Route]] = {}

    def add(self, route: Route) -> None:
        """Raises ValueError if the same method of the same path is there."""
        methods = self._by_path.setdefault(route.path, {})
        if route.method in methods:
            raise ValueError(f"{route.method} {route.path} is routed twice")
        if not methods:
            self._patterns.append((_pattern(route.path), methods))
            # The more of a path is literal, the earlier it is tried: /{id}/history before /{id}.
            self._patterns.sort(key=lambda entry: -len(re.sub(r"\(\?P.*?\)", "", entry[0].pattern)))
        methods[route.method] = route
        self.routes.append(route)

    def add_option(self, option: Option) -> None:
        if option.name in self.options:
            raise ValueError(f"the option {option.name} is there twice")
        self.options[option.name] = option

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a request and the parameters of its path. HEAD is answered like GET.

        Of paths that fit, the one of most literal parts counts: /v1/x/lookup is not an id. Raises Problem: 404 for no
        such path, 405 for a method that it does not take.
        """
        found, methods = next(((m, r) for p, r in self._patterns if (m := p.fullmatch(path))), (None, {}))
        if found is None:
            raise unknown_path(path)
        route = methods.get("GET" if method == "HEAD" else method)
        if route is not None:
            return route, found.groupdict()
        listed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
        detail = f"{path[:80]} takes {listed}, not {method[:20]}"
        raise Problem(405, "method-not-allowed", detail, headers=[("allow", listed)])


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\})", path)
    text = "".join(
        f"(?P<{part[1:-1]}>{'.+' if part == '{id}' else '[^/]+'})" if part.startswith("{") else re.escape(part)
        for part in parts
    )
    return re.compile(text, re.DOTALL)


def load_extensions(service: Service, names: tuple[str, ...] = EXTENSIONS) -> list[str]:
    """Have each extension that is there add its part; their names. What is wrong inside one is raised."""
    loaded = []
    for name in names:
        package = name.rpartition(".")[0]
        if importlib.util.find_spec(package) is not None and importlib.util.find_spec(name) is not None:
            importlib.import_module(name).extend(service)
            loaded.append(name)
    return loaded
