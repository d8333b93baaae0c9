"""The JSON Schema of pipeline files, for editors: short forms as one writes them, every key with its description.

`python -m featuremill.spec.json_schema` prints it; `... FILE` writes it. A file names it in its first line:
`# yaml-language-server: $schema=../pipeline.schema.json`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from featuremill.spec.expectation_catalogue import Argument, expectation_catalogue
from featuremill.spec.models import Pipeline
from featuremill.spec.types import AGGREGATE_KINDS

Schema = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NAME = "^[a-z_][a-z0-9_]*$"
_COLUMN_NAME = "^[a-z_][a-z0-9_-]*$"
_SHARE: Schema = {
    "description": "a share: 1% or 0.01",
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "string", "pattern": r"^\s*[0-9.]+\s*%\s*$"},
    ],
}
_DURATION: Schema = {
    "description": "a length of time: 30d, 12h, 15min or 90s",
    "type": "string",
    "pattern": r"^\s*[0-9]+(d|h|min|s)\s*$",
}
_SHARES = {
    "Tolerance": ("quarantined",),
    "Split": ("validation",),
    "Threshold": ("recall_at_least",),
    "Interval": ("coverage",),
    "RareLabels": ("below",),
    "Endpoint": ("capture",),
}
_COLUMN_NAMES = {
    "Entity": ("key",),
    "Source": ("key",),
    "EventTime": ("column",),
    "FeatureBlock": ("by",),
    "Label": ("column",),
}
_NAMED_BY_COLUMN = {"Source": ("columns", "derive")}
_NAMED = {"FeatureBlock": ("aggregate", "select")}

_AGGREGATE_KINDS = {
    "count": 'how many rows: "*", or an expression whose nulls are not counted',
    "sum": "the sum of an expression",
    "mean": "the mean of an expression",
    "min": "the smallest value",
    "max": "the greatest value",
    "stddev": "the sample standard deviation",
    "first": "the value of the earliest row",
    "last": "the value of the latest row",
    "count_distinct": "how many different values, counted exactly",
    "set": "the different values, sorted",
    "since_last": 'days since the last row: "*", or an expression that is not null in the rows that count',
}


def pipeline_schema() -> Schema:
    """The schema (draft 2020-12) of a pipeline file."""
    schema = Pipeline.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    definitions["Duration"] = _DURATION
    definitions["Share"] = _SHARE
    for names, reference in ((_SHARES, "Share"), (_COLUMN_NAMES, "ColumnName")):
        for model, keys in names.items():
            for key in keys:
                _refer(definitions[model]["properties"], key, reference)
    definitions["ColumnName"] = {"type": "string", "pattern": _COLUMN_NAME}
    for model, sections in (_NAMED_BY_COLUMN | _NAMED).items():
        pattern = _COLUMN_NAME if model in _NAMED_BY_COLUMN else _NAME
        for section in sections:
            definitions[model]["properties"][section]["propertyNames"] = {"pattern": pattern}
    schema["properties"]["sources"]["propertyNames"] = {"pattern": _NAME}
    schema["properties"]["pipeline"]["pattern"] = _NAME
    shorts: dict[str, Schema] = {"Column": _types(definitions), "Derived": _TEXT, "Select": _TEXT, "EventTime": _TEXT}
    for model, key in (("Impute", "strategy"), ("RareLabels", "below"), ("Encode", "kind"), ("Scale", "kind")):
        shorts[model] = definitions[model]["properties"][key]
    for model, short in shorts.items():
        definitions[model] = {"anyOf": [short, definitions[model]], "description": definitions[model]["description"]}
    definitions["Label"]["properties"]["available_after"]["default"] = "0d"
    definitions["Aggregate"] = _aggregate(definitions["Aggregate"])
    definitions["Expectation"] = _expectation()
    schema["description"] = "A Featuremill pipeline: from raw CSV to point-in-time features."
    for part in _parts(schema):
        part.pop("title", None)
    return {"$schema": _DRAFT, "title": "Featuremill pipeline", **schema}


_TEXT: Schema = {"type": "string"}


def _refer(properties: Schema, key: str, definition: str) -> None:
    """Let a property be what a definition says, keeping its description, and null if it may be left out as null."""
    old = properties[key]
    reference: Schema = {"$ref": f"#/$defs/{definition}"}
    may_be_null = any(option.get("type") == "null" for option in old.get("anyOf", ()))
    new = {"anyOf": [reference, {"type": "null"}]} if may_be_null else reference
    properties[key] = new | {word: old[word] for word in ("description", "default") if word in old}


def _types(definitions: Schema) -> Schema:
    return {"enum": definitions["Column"]["properties"]["type"]["enum"]}


def _aggregate(long_form: Schema) -> Schema:
    """An aggregate with its kind as a key: exactly one of them."""
    shared = long_form["properties"]
    windows = {"type": "array", "items": {"$ref": "#/$defs/Duration"}, "minItems": 1, "uniqueItems": True}
    properties: Schema = {kind: {"type": "string", "description": _AGGREGATE_KINDS[kind]} for kind in AGGREGATE_KINDS}
    properties["over"] = {
        "description": "the window before as_of; several in a list, each a feature of its own; left out: all history",
        "anyOf": [{"$ref": "#/$defs/Duration"}, windows, {"type": "null"}],
    }
    properties["where"] = shared["where"] | {"description": "only these rows"}
    properties["known_after"] = {
        "$ref": "#/$defs/Duration",
        "description": "a row counts only from this long after its time on",
    }
    properties["description"] = shared["description"]
    return {
        "description": long_form["description"],
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "oneOf": [{"required": [kind]} for kind in AGGREGATE_KINDS],
    }


def _expectation() -> Schema:
    """One of Great Expectations' expectations, its name as the key; or its name alone, if it needs no arguments."""
    known = expectation_catalogue().expectations
    without_arguments = [
        name for name, what in known.items() if not any(argument.required for argument in what.arguments.values())
    ]
    properties = {
        name: {
            "description": what.description,
            "type": ["object"] if name not in without_arguments else ["object", "null"],
            "properties": {key: _argument(argument) for key, argument in what.arguments.items()},
            "required": [key for key, argument in what.arguments.items() if argument.required],
            "additionalProperties": False,
        }
        for name, what in known.items()
    }
    one = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"description": "An expectation of Great Expectations.", "anyOf": [{"enum": without_arguments}, one]}


def _argument(argument: Argument) -> Schema:
    names = {"list": "array"}
    return {"type": [names.get(kind, kind) for kind in argument.types]}


def _parts(schema: Any) -> Iterator[Schema]:
    """The schema and all schemas in it; names of properties are not among them."""
    if isinstance(schema, list):
        for item in schema:
            yield from _parts(item)
    elif isinstance(schema, dict):
        yield schema
        for key, value in schema.items():
            if key in ("properties", "$defs"):
                for inner in value.values():
                    yield from _parts(inner)
            elif key not in ("default", "enum", "required"):
                yield from _parts(value)


def schema_text() -> str:
    """The schema as it is committed."""
    return json.dumps(pipeline_schema(), indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> None:
    if arguments:
        Path(arguments[0]).write_text(schema_text(), encoding="utf-8")
    else:
        sys.stdout.write(schema_text())


if __name__ == "__main__":
    main(sys.argv[1:])
