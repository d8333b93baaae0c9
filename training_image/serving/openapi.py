"""The server's own description, OpenAPI 3.1: the model's features are in it as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training_image.artefact import FeatureType, ModelManifest
from training_image.prediction import Model
from training_image.serving.fields import fields_of
from training_image.serving.negotiation import CONTENT_TYPES
from training_image.serving.selection import OFFERED
from training_image.serving.settings import Settings

Json = dict[str, Any]

_TYPES: Mapping[FeatureType, Json] = {
    "boolean": {"type": ["boolean", "null"]},
    "int": {"type": ["integer", "null"]},
    "bigint": {"type": ["integer", "null"]},
    "double": {"type": ["number", "null"]},
    "string": {"type": ["string", "null"]},
    "date": {"type": ["string", "null"], "format": "date"},
    "timestamp": {"type": ["string", "null"], "format": "date-time"},
    "array<string>": {"type": ["array", "null"], "items": {"type": "string"}},
}
_ERROR: Json = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_REASONS = {
    400: "The body does not fit the model: the message names row, column and value.",
    404: "There is no such model or path.",
    405: "Another method is expected.",
    406: "No format of Accept can be given.",
    408: "The body came too slowly.",
    409: "The model is loaded already.",
    413: "The body is too large.",
    415: "The Content-Type is not served.",
    500: "A model cannot be loaded any more.",
    503: "Too many large bodies at once.",
    507: "There is no room for another model.",
}


def document(settings: Settings, model: Model | None) -> Json:
    """`model` None: of a multi-model server, whose rows can be anything."""
    paths: Json = {
        "/ping": {"get": _operation("Ready to predict", {"description": "Ready."}, [])},
        "/execution-parameters": {"get": _operation("How batch transform is to call", _object_answer(), [])},
        "/openapi.json": {"get": _operation("This document", _object_answer(), [])},
        "/invocations": {"post": _invocation(None if model is None else model.manifest)},
    }
    if settings.multi_model:
        paths |= _model_paths()
        paths["/invocations"]["post"]["parameters"].append(
            {
                "name": "X-Amzn-SageMaker-Target-Model",
                "in": "header",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
            }
        )
    title = "Predictions" if model is None else f"Predictions of {model.manifest.pipeline or model.manifest.label}"
    version = "1" if model is None else (model.manifest.fingerprint or "1")
    return {"openapi": "3.1.0", "info": {"title": title, "version": version}, "paths": paths}


def row_schema(manifest: ModelManifest) -> Json:
    """A row as an object: every feature, null where it is not known."""
    described = {feature.name: feature.description for feature in manifest.features}
    properties: Json = {}
    for field in fields_of(manifest):
        schema: Json = {"type": "array", "items": {"type": "string"}} if field.required else dict(_TYPES[field.type])
        description = described.get(field.name)
        if description:
            schema["description"] = description
        properties[field.name] = schema
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _invocation(manifest: ModelManifest | None) -> Json:
    row: Json = {} if manifest is None else row_schema(manifest)
    json_body: Json = {} if manifest is None else {"oneOf": [_instances(row), row, {"type": "array", "items": row}]}
    opaque: Json = {"type": "string", "format": "binary"}
    answers: Json = {
        kind.split(";")[0]: {"schema": {} if "json" in kind else {"type": "string"}} for kind in CONTENT_TYPES.values()
    }
    answers["application/json"] = {
        "schema": {"type": "object", "properties": {"predictions": {"type": "array"}}, "required": ["predictions"]}
    }
    ok = {"description": "A prediction a row, in the rows' order.", "content": answers}
    fields = sorted(
        {field for offered in OFFERED.values() for field in offered} if manifest is None else OFFERED[manifest.task]
    )
    operation = _operation("Predict", ok, [400, 404, 406, 408, 413, 415, 500, 503])
    operation["responses"]["204"] = {"description": "The body is empty."}
    operation["parameters"] = [
        {
            "name": "X-Amzn-SageMaker-Custom-Attributes",
            "in": "header",
            "required": False,
            "description": f"output=FIELD,...;explain=true with fields of {', '.join(fields)}",
            "schema": {"type": "string"},
        }
    ]
    operation["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {"schema": json_body},
            "application/jsonlines": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": opaque},
            "application/x-parquet": {"schema": opaque},
            "application/vnd.apache.arrow.stream": {"schema": opaque},
        },
    }
    return operation


def _instances(row: Json) -> Json:
    return {
        "type": "object",
        "properties": {"instances": {"type": "array", "items": row}},
        "required": ["instances"],
        "additionalProperties": False,
    }


def _model_paths() -> Json:
    model: Json = {
        "type": "object",
        "properties": {"modelName": {"type": "string"}, "modelUrl": {"type": "string"}},
        "required": ["modelName"],
    }
    asked = {
        "type": "object",
        "properties": {
            "model_name": {"type": "string", "minLength": 1},
            "url": {"type": "string", "minLength": 1, "description": "the folder of the model"},
        },
        "required": ["model_name", "url"],
    }
    shown = {"description": "The model.", "content": {"application/json": {"schema": model}}}
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    load = _operation("Load a model", shown, [400, 408, 409, 413, 503, 507])
    load["requestBody"] = {"required": True, "content": {"application/json": {"schema": asked}}}
    listing = _operation("The loaded models", _object_answer(), [400])
    listing["parameters"] = [
        {"name": key, "in": "query", "required": False, "schema": {"type": "integer", "minimum": 0, "maximum": 999999}}
        for key in ("limit", "next_page_token")
    ]
    invoke = _invocation(None)
    return {
        "/models": {"get": listing, "post": load},
        "/models/{name}": {
            "parameters": [name],
            "get": _operation("A loaded model", shown, [404]),
            "delete": _operation("Unload a model", shown, [404]),
        },
        "/models/{name}/invoke": {"parameters": [name], "post": invoke},
    }


def _operation(summary: str, ok: Json, statuses: list[int]) -> Json:
    errors = {
        str(status): {"description": _REASONS[status], "content": {"application/json": {"schema": _ERROR}}}
        for status in statuses
    }
    return {"summary": summary, "responses": {"200": ok, **errors}}


def _object_answer() -> Json:
    return {"description": "JSON.", "content": {"application/json": {"schema": {"type": "object"}}}}
