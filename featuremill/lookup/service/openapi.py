"""The service in OpenAPI 3.1: each published pipeline with its own features and their types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from featuremill.lookup.keys import MAX_ID_CHARACTERS
from featuremill.lookup.service.errors import PROBLEM_JSON
from featuremill.lookup.store.manifest import StoredColumn, StoreManifest

if TYPE_CHECKING:
    from featuremill.lookup.service.app import Service
    from featuremill.lookup.service.routes import Route
    from featuremill.lookup.service.served import Served

Schema = dict[str, Any]

_KEYS: dict[str, Schema] = {
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    "bigint": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "double": {"type": "number", "format": "double"},
    "string": {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
}
_WHOLE = {"tinyint": "int32", "smallint": "int32", "int": "int32", "bigint": "int64"}
_NOT_FINITE = {"enum": ["NaN", "Infinity", "-Infinity"]}


def document(service: Service, pipelines: Sequence[str]) -> dict[str, Any]:
    """The whole description, with the paths of these pipelines."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Schema] = {"Problem": _PROBLEM}
    for name in pipelines:
        schemas |= pipeline_schemas(service.shelf.current[name].manifest)
    for route in service.routes.routes:
        if route.operation is None:
            continue
        if "{pipeline}" not in route.path:
            _place(service, paths, route, route.path, None, route.operation(service, None))
            continue
        for name in pipelines:
            served = service.shelf.current[name]
            path = route.path.replace("{pipeline}", name)
            _place(service, paths, route, path, served, route.operation(service, served))
    components: dict[str, Any] = {"schemas": schemas}
    if service.tokens is not None:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Featuremill lookup", "version": "1", "description": _ABOUT},
        "paths": paths,
        "components": components,
    }


_ABOUT = (
    "Features and predictions by id. All times are UTC. Errors are application/problem+json. Doubles that JSON has no "
    'number for are the texts "NaN", "Infinity" and "-Infinity". Whole numbers may exceed 2^53.'
)


def _place(
    service: Service, paths: dict[str, Any], route: Route, path: str, served: Served | None, operation: dict[str, Any]
) -> None:
    entry = paths.setdefault(path, {})
    name = re.sub(r"[^a-z0-9]+", "_", path.strip("/").lower()).strip("_") or "page"
    full = {"operationId": f"{route.method.lower()}_{name}", **operation}
    if served is not None:
        full["tags"] = [served.manifest.pipeline]
    if service.tokens is not None and route.reach != "open":
        full["security"] = [{"token": []}]
        full["responses"] = {**full["responses"], "401": problem("no token, or an unknown one")}
        if served is not None:
            full["responses"]["403"] = problem("the token may not ask for this pipeline")
    entry[route.method.lower()] = full


def json_schema(kind: str) -> Schema:
    """The schema of a value of a Hive type; any may be null."""
    kind = kind.lower()
    if kind == "boolean":
        return {"type": ["boolean", "null"]}
    if kind in _WHOLE:
        return {"type": ["integer", "null"], "format": _WHOLE[kind]}
    if kind in ("double", "float"):
        return {"anyOf": [{"type": ["number", "null"], "format": "double"}, _NOT_FINITE]}
    if kind.startswith("decimal"):
        return {"type": ["number", "null"]}
    if kind == "date":
        return {"type": ["string", "null"], "format": "date"}
    if kind == "timestamp":
        return {"type": ["string", "null"], "format": "date-time"}
    if kind.startswith("array<"):
        return {"type": ["array", "null"], "items": json_schema(kind[len("array<") : -1])}
    return {"type": ["string", "null"]}


def column_schema(column: StoredColumn) -> Schema:
    """The schema of a column, with what it means."""
    schema = json_schema(column.type)
    return {**schema, "description": column.description} if column.description else schema


def pipeline_schemas(manifest: StoreManifest) -> dict[str, Schema]:
    """`<pipeline>.features`, `.prediction`, `.entity` (id and both) and `.header`, for references."""
    name = manifest.pipeline
    features = {column.name: column_schema(column) for column in manifest.features}
    scores = {column.name: column_schema(column) for column in manifest.prediction}
    scores["model_version"] = {"type": ["string", "null"], "description": "the model that made the prediction"}
    return {
        f"{name}.features": _object(features),
        f"{name}.prediction": _object(scores),
        f"{name}.entity": _object(
            {
                "id": _KEYS[manifest.key_type],
                "features": ref(f"{name}.features"),
                "prediction": {"anyOf": [ref(f"{name}.prediction"), {"type": "null"}]},
            }
        ),
        f"{name}.header": _object(HEADER, closed=False),
    }


HEADER: dict[str, Schema] = {
    "pipeline": {"type": "string"},
    "ds": {"type": "string", "format": "date", "description": "the day whose run made the values"},
    "as_of": {"type": "string", "format": "date-time", "description": "the moment that the values are of"},
    "model_version": {"type": ["string", "null"]},
    "fingerprints": {
        "type": "object",
        "properties": {"snapshot": {"type": ["string", "null"]}, "predictions": {"type": ["string", "null"]}},
    },
    "freshness_seconds": {"type": "integer", "description": "seconds since as_of"},
}


def _object(properties: dict[str, Schema], closed: bool = True) -> Schema:
    # Options add members (explain adds contributions), so what is not listed is allowed all the same in a prediction.
    return {"type": "object", "properties": properties, **({"required": list(properties)} if closed else {})}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def problem(description: str) -> dict[str, Any]:
    """An error answer."""
    return {"description": description, "content": {PROBLEM_JSON: {"schema": ref("Problem")}}}


def answer(description: str, schema: Schema, content_type: str = "application/json") -> dict[str, Any]:
    """An answer of a schema."""
    return {"description": description, "content": {content_type: {"schema": schema}}}


def id_parameter(manifest: StoreManifest) -> dict[str, Any]:
    """The parameter {id} of a pipeline's paths."""
    return {"name": "id", "in": "path", "required": True, "schema": _KEYS[manifest.key_type]}


def option_parameters(service: Service) -> list[dict[str, Any]]:
    """The options of lookups as parameters."""
    return [
        {
            "name": option.name,
            "in": "query",
            "required": False,
            "schema": option.schema,
            "description": option.description,
        }
        for option in service.routes.options.values()
    ]


def one_operation(service: Service, served: Served | None) -> dict[str, Any]:
    assert served is not None
    name = served.manifest.pipeline
    condition = {"name": "if-none-match", "in": "header", "required": False, "schema": {"type": "string"}}
    return {
        "summary": f"Features and prediction of one {served.manifest.key}",
        "parameters": [id_parameter(served.manifest), *option_parameters(service), condition],
        "responses": {
            "200": answer("known", {"allOf": [ref(f"{name}.header"), ref(f"{name}.entity")]}),
            "304": {"description": "as in the answer with the entity tag given"},
            "404": problem("no such entity"),
            "422": problem("malformed id or option"),
            "503": problem("the store or the warehouse does not answer"),
        },
    }


def many_operation(service: Service, served: Served | None) -> dict[str, Any]:
    assert served is not None
    manifest = served.manifest
    name = manifest.pipeline
    item = {name: value for name, value in _KEYS[manifest.key_type].items() if name != "minLength"}
    ids = {"type": "array", "items": item, "maxItems": service.settings.max_ids}
    body = {"type": "object", "required": ["ids"], "properties": {"ids": ids}, "additionalProperties": False}
    unknown = _object({"found": {"const": False}, "id": {}})
    known = {"allOf": [_object({"found": {"const": True}}), ref(f"{name}.entity")]}
    many = _object({"found": {"type": "integer"}, "entities": {"type": "array", "items": {"anyOf": [known, unknown]}}})
    return {
        "summary": f"Features and predictions of up to {service.settings.max_ids:,} at a time, in the order asked",
        "parameters": option_parameters(service),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": answer("one element an id", {"allOf": [ref(f"{name}.header"), many]}),
            "400": problem("the body is not JSON"),
            "404": problem("no such date, or pipeline"),
            "408": problem("the body did not come in time"),
            "413": problem("the body is too large"),
            "415": problem("the body is not application/json"),
            "422": problem("malformed ids or options"),
            "503": problem("the store or the warehouse does not answer"),
        },
    }


def list_operation(service: Service, served: Served | None) -> dict[str, Any]:
    schema = _object({"pipelines": {"type": "array", "items": _object(HEADER)}})
    return {"summary": "The published pipelines", "responses": {"200": answer("pipelines", schema)}}


def describe_operation(service: Service, served: Served | None) -> dict[str, Any]:
    assert served is not None
    summary = f"What is served of {served.manifest.pipeline}: columns, day, fingerprints"
    return {"summary": summary, "responses": {"200": answer("the manifest", {"type": "object"})}}


def health_operation(service: Service, served: Served | None) -> dict[str, Any]:
    schema = _object(
        {"status": {"enum": ["ok", "degraded"]}, "uptime_seconds": {"type": "integer"}, "failing": {"type": "array"}}
    )
    return {"summary": "Whether the process answers", "responses": {"200": answer("it does", schema)}}


def ready_operation(service: Service, served: Served | None) -> dict[str, Any]:
    schema = _object({"status": {"const": "ready"}, "pipelines": {"type": "integer"}})
    responses = {"200": answer("ready", schema), "503": problem("nothing is published, or it cannot be read")}
    return {"summary": "Whether lookups can be answered", "responses": responses}


def metrics_operation(service: Service, served: Served | None) -> dict[str, Any]:
    answered = answer("Prometheus' text format", {"type": "string"}, "text/plain")
    return {"summary": "Figures for Prometheus", "responses": {"200": answered}}


def description_operation(service: Service, served: Served | None) -> dict[str, Any]:
    return {"summary": "This description", "responses": {"200": answer("OpenAPI 3.1", {"type": "object"})}}
