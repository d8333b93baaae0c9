"""Checks answers on the wire against botocore's output shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "blob": (str,),
}


def problems(service: str, operation: str, answer: Any) -> list[str]:
    """What in a JSON 1.1 answer, as it came over the wire, is not as the operation's output shape has it.

    Required members, unknown members, types, enums, lengths and patterns.
    """
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    if model.output_shape is None:
        return [] if answer in ({}, None) else [f"{operation} has no output, but answered {answer}"]
    return list(_problems(model.output_shape, answer, operation))


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        if not isinstance(value, dict):
            yield f"{path}: not an object: {value!r}"
            return
        for name in shape.required_members:
            if name not in value:
                yield f"{path}.{name}: is required"
        for name, item in value.items():
            if name not in shape.members:
                yield f"{path}.{name}: is not in the shape"
            else:
                yield from _problems(shape.members[name], item, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield f"{path}: not a list: {value!r}"
            return
        for index, item in enumerate(value):
            yield from _problems(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            yield f"{path}: not a map: {value!r}"
            return
        for key, item in value.items():
            yield from _problems(shape.value, item, f"{path}[{key}]")
    else:
        yield from _scalar(shape, value, path)


def _scalar(shape: Shape, value: Any, path: str) -> Iterator[str]:
    expected = _TYPES[shape.type_name]
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        yield f"{path}: not a {shape.type_name}: {value!r}"
        return
    values = shape.metadata.get("enum")
    if values and value not in values:
        yield f"{path}: {value!r} is not one of {', '.join(values)}"
    size = len(value) if isinstance(value, str) else value
    if not shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size):
        yield f"{path}: {value!r} is not within the shape's bounds {shape.metadata}"
    pattern = shape.metadata.get("pattern")
    if pattern and "\\p" not in str(pattern) and not re.fullmatch(str(pattern), str(value)):
        yield f"{path}: {value!r} does not match {pattern}"


def checked(client: Any) -> Any:
    """Make a boto3 client check each answer of a JSON service; a wrong one fails the call. Returns the client."""

    def check(http_response: Any = None, parsed: Any = None, model: Any = None, **_: Any) -> None:
        if http_response.status_code < 300 and model.service_model.metadata["protocol"] == "json":
            found = problems(model.service_model.service_name, model.name, json.loads(http_response.content))
            assert not found, "\n".join(found)

    client.meta.events.register("after-call.*.*", lambda **arguments: check(**arguments))
    return client
