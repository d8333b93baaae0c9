"""Whether a request is one that AWS takes: botocore's own validator, and what its model says of texts besides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

_JAVA_CLASSES = {r"[\p{L}\p{Z}\p{N}_.:/=+\-@]": r"[\w\s.:/=+\-@]"}


def problems(service: str, operation: str, request: Mapping[str, Any]) -> list[str]:
    """All that is wrong with a request: names, types, required members, ranges, enums, patterns."""
    shape = _model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(dict(request), shape)
    return ([report.generate_report()] if report.has_errors() else []) + list(_broken(shape, request, ""))


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _broken(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for key, inner in value.items():
            if key in shape.members:
                yield from _broken(shape.members[key], inner, f"{path}.{key}")
    elif isinstance(shape, ListShape):
        for number, inner in enumerate(value):
            yield from _broken(shape.member, inner, f"{path}[{number}]")
    elif isinstance(shape, MapShape):
        for key, inner in value.items():
            yield from _broken(shape.key, key, f"{path}({key})")
            yield from _broken(shape.value, inner, f"{path}.{key}")
    yield from _beyond(shape, value, path)


def _beyond(shape: Shape, value: Any, path: str) -> Iterator[str]:
    rules = shape.metadata
    size = len(value) if isinstance(value, (str, list, dict)) else value
    if "max" in rules and isinstance(size, (int, float)) and size > rules["max"]:
        yield f"{path}: {value!r} is more than {rules['max']}"
    if isinstance(value, str):
        if rules.get("enum") and value not in rules["enum"]:
            yield f"{path}: {value!r} is none of {rules['enum']}"
        pattern = rules.get("pattern")
        for java, python in _JAVA_CLASSES.items():
            pattern = pattern.replace(java, python) if pattern else pattern
        if pattern and not _matches(pattern, value):
            yield f"{path}: {value!r} does not match {pattern}"


def _matches(pattern: str, value: str) -> bool:
    """A few of AWS's patterns are Java's alone (surrogate pairs): those are not looked at."""
    try:
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    except re.error:
        return True
