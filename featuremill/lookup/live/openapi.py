"""`predict` in OpenAPI 3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featuremill.lookup.service import openapi

if TYPE_CHECKING:
    from featuremill.lookup.service.app import Service
    from featuremill.lookup.service.served import Served


def predict_operation(service: Service, served: Served | None) -> dict[str, Any]:
    """Of `POST /v1/{pipeline}/predict`."""
    assert served is not None
    manifest = served.manifest
    identity = openapi.id_parameter(manifest)["schema"]
    values = {
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        "description": "columns of the new event as a raw file would have them; all other features stay as stored",
    }
    body = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": identity, "values": values},
        "additionalProperties": False,
    }
    answered = {
        "type": "object",
        "required": ["pipeline", "ds", "as_of", "id", "features", "prediction", "live", "evaluated"],
        "properties": {
            "pipeline": {"const": manifest.pipeline},
            "id": identity,
            "features": openapi.ref(f"{manifest.pipeline}.features"),
            "prediction": {"type": "object"},
            "live": {"const": True},
            "evaluated": {"type": "array", "items": {"type": "string"}, "description": "features of the new event"},
            "flags": {"type": "array", "items": {"type": "string"}, "description": "values that the model never saw"},
            "explanation": {"type": ["object", "null"]},
        },
    }
    explain = {"name": "explain", "in": "query", "required": False, "schema": {"type": "boolean"}}
    return {
        "summary": f"The prediction for a new event of one {manifest.key}",
        "parameters": [explain],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": openapi.answer("the prediction", answered),
            "400": openapi.problem("the body is not JSON"),
            "404": openapi.problem("no such entity"),
            "408": openapi.problem("the body did not come in time"),
            "413": openapi.problem("the body is too large"),
            "415": openapi.problem("the body is not application/json"),
            "422": openapi.problem("malformed id or values, or an expression that cannot be evaluated"),
            "503": openapi.problem("the endpoint does not answer"),
        },
    }
