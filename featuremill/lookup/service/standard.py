"""The routes of every service: lookups, the list of pipelines, health, readiness, figures, the description."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from featuremill.lookup.records import iso_time
from featuremill.lookup.service import openapi
from featuremill.lookup.service.errors import Problem
from featuremill.lookup.service.lookups import lookup_many, lookup_one
from featuremill.lookup.service.metrics import CONTENT_TYPE, label
from featuremill.lookup.service.routes import Answer, Request, Route
from featuremill.lookup.service.served import Served
from featuremill.lookup.store.manifest import to_plain

if TYPE_CHECKING:
    from featuremill.lookup.service.app import Service


def extend(service: Service) -> None:
    """Add these routes to a service."""
    for route in (
        Route("GET", "/v1/{pipeline}/{id}", lookup_one, openapi.one_operation),
        Route("POST", "/v1/{pipeline}/lookup", lookup_many, openapi.many_operation),
        Route("GET", "/v1", list_pipelines, openapi.list_operation),
        Route("GET", "/v1/{pipeline}", describe_pipeline, openapi.describe_operation),
        Route("GET", "/health", health, openapi.health_operation, access="open"),
        Route("GET", "/ready", ready, openapi.ready_operation, access="open"),
        Route("GET", "/metrics", metrics, openapi.metrics_operation),
        Route("GET", "/openapi.json", description, openapi.description_operation),
    ):
        service.routes.add(route)


async def list_pipelines(service: Service, request: Request) -> Answer:
    """`GET /v1`: the published pipelines with what is served of each."""
    names = service.visible(request.caller)
    return Answer.json({"pipelines": [_summary(service.shelf.current[name]) for name in names]})


async def describe_pipeline(service: Service, request: Request) -> Answer:
    """`GET /v1/{pipeline}`: what is served of a pipeline: its manifest with columns and what they mean."""
    served = request.publication
    known = {"freshness_seconds": served.format.freshness(time.time()), "publication": served.manifest.publication}
    return Answer.json(to_plain(served.manifest) | {"as_of": iso_time(served.manifest.as_of)} | known)


def _summary(served: Served) -> dict[str, Any]:
    manifest = served.manifest
    return served.format.header() | {
        "freshness_seconds": served.format.freshness(time.time()),
        "rows": manifest.rows,
        "predicted_rows": manifest.predicted_rows,
        "key": manifest.key,
        "key_type": manifest.key_type,
        "publication": manifest.publication,
    }


async def health(service: Service, request: Request) -> Answer:
    """`GET /health`: the process answers. Its checks tell what keeps it from answering with what is newest."""
    failing = sorted(name or "the online store" for name in service.shelf.failures)
    document = {"status": "degraded" if failing else "ok", "uptime_seconds": int(time.time() - service.started)}
    return Answer.json(document | {"failing": failing}, headers=(("cache-control", "no-store"),))


async def ready(service: Service, request: Request) -> Answer:
    """`GET /ready`: 200 once at least one pipeline is served and each published one is; 503 before."""
    missing = sorted(name for name in service.shelf.failures if name not in service.shelf.current)
    if missing or not service.shelf.current:
        detail = (
            f"{', '.join(n or 'the online store' for n in missing)} cannot be read"
            if missing
            else "nothing is published"
        )
        raise Problem(503, "not-ready", detail, headers=[("retry-after", "1")])
    return Answer.json({"status": "ready", "pipelines": len(service.shelf.current)})


async def metrics(service: Service, request: Request) -> Answer:
    """`GET /metrics`: Prometheus' text format."""
    now = time.time()
    gauges: list[tuple[str, str, str, float]] = []
    served = sorted(service.shelf.current.items())
    for name, what, value in (
        ("featuremill_lookup_freshness_seconds", "Since the moment that the served values are of.", _freshness),
        ("featuremill_lookup_entities", "Entities served.", lambda s, _: s.manifest.rows),
        ("featuremill_lookup_predicted_entities", "Entities served with a prediction.", _predicted),
    ):
        gauges += [(name, what, f'pipeline="{label(pipeline)}"', value(one, now)) for pipeline, one in served]
    failing = "featuremill_lookup_failing_pipelines"
    gauges.append((failing, "Pipelines whose newest publication cannot be opened.", "", len(service.shelf.failures)))
    return Answer(service.metrics.exposition(gauges), content_type=CONTENT_TYPE)


def _freshness(served: Served, now: float) -> float:
    return served.format.freshness(now)


def _predicted(served: Served, now: float) -> float:
    return served.manifest.predicted_rows


async def description(service: Service, request: Request) -> Answer:
    """`GET /openapi.json`: this service in OpenAPI 3.1, with the features of each pipeline that the caller may see."""
    return Answer.json(openapi.document(service, service.visible(request.caller)))
