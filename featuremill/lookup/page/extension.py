"""Adds the page to a service: `/`, its files under `/page/`, and `GET /page/overview`.

`/page/overview` is made for the page and changes with it; programs ask `/v1`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featuremill.lookup.page.files import PageFiles
from featuremill.lookup.page.overview import FactsOfProject, examples, now, offers, summary
from featuremill.lookup.service import openapi
from featuremill.lookup.service.routes import Answer, Request, Route

if TYPE_CHECKING:
    from featuremill.lookup.service.app import Service
    from featuremill.lookup.service.served import Served


def extend(service: Service) -> None:
    """Add the page's routes. The files are open to everybody, for they hold no data; the overview needs a token."""
    page = Page(service)
    for route in (
        Route("GET", "/", page.index, page_operation, access="open"),
        Route("GET", "/page/overview", page.overview, overview_operation),
        Route("GET", "/page/{file}", page.file, access="open"),
    ):
        service.routes.add(route)


class Page:
    """The handlers, with what they keep."""

    def __init__(self, service: Service) -> None:
        self._files = PageFiles()
        self._facts = FactsOfProject(service.settings.project, service.settings.environment)

    async def index(self, service: Service, request: Request) -> Answer:
        """`GET /`: the page."""
        return self._files.answer("index.html")

    async def file(self, service: Service, request: Request) -> Answer:
        """`GET /page/{file}`: a script, a style sheet, the icon."""
        return self._files.answer(request.parameters["file"])

    async def overview(self, service: Service, request: Request) -> Answer:
        """`GET /page/overview`: the pipelines that the caller may see, and what this service can do."""
        current = service.shelf.current
        served = [current[name] for name in service.visible(request.caller)]
        # Before anything is waited for: a store may be closed soon after it was replaced.
        tried = [examples(one) for one in served]
        pipelines = []
        for one, some_ids in zip(served, tried, strict=True):
            facts = await service.run(self._facts.of, one.manifest)
            pipelines.append(summary(one, facts, some_ids))
        document = {"now": now(), "offers": offers(service), "pipelines": pipelines}
        return Answer.json(document, headers=(("cache-control", "no-store"),))


def page_operation(service: Service, served: Served | None) -> dict[str, Any]:
    answered = openapi.answer("the page", {"type": "string"}, "text/html")
    return {"summary": "The page for people", "responses": {"200": answered}}


def overview_operation(service: Service, served: Served | None) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["now", "offers", "pipelines"],
        "properties": {
            "now": {"type": "string", "format": "date-time"},
            "offers": {"type": "object", "additionalProperties": {"type": "boolean"}},
            "pipelines": {"type": "array", "items": {"type": "object", "properties": openapi.HEADER}},
        },
    }
    summary_text = "What the page shows of the pipelines: freshness, rows, quality, drift; changes with the page"
    return {"summary": summary_text, "responses": {"200": openapi.answer("overview", schema)}}
