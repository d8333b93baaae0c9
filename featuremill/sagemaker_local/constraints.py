"""Checks a request against botocore's shapes, as the service does: what is required, types, enums, lengths, patterns.

botocore's own validator (which clients run too) does the first two; enums, longest lengths and patterns are the
server's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

from featuremill.sagemaker_local.errors import ApiError

_validator = ParamValidator()


def check(shape: Shape, value: Any) -> None:
    """Raises a ValidationException that names every parameter which breaks a rule, and the rule."""
    report = _validator.validate(value, shape)
    if report.has_errors():
        raise ApiError("ValidationException", report.generate_report())
    broken = list(_broken(shape, value, ""))
    if broken:
        plural = "s" if len(broken) > 1 else ""
        raise ApiError("ValidationException", f"{len(broken)} validation error{plural} detected: " + "; ".join(broken))


def _broken(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for key, item in value.items():
            yield from _broken(shape.members[key], item, f"{path}.{key}" if path else key)
    elif isinstance(shape, ListShape):
        yield from _size(shape, len(value), path, f"a list of {len(value)}")
        for index, item in enumerate(value, 1):
            yield from _broken(shape.member, item, f"{path}.{index}.member")
    elif isinstance(shape, MapShape):
        yield from _size(shape, len(value), path, f"a map of {len(value)}")
        for key, item in value.items():
            yield from _broken(shape.key, key, f"{path} (key)")
            yield from _broken(shape.value, item, f"{path}.{key}")
    elif shape.type_name == "string":
        yield from _broken_text(shape, value, path)
    elif shape.type_name in ("integer", "long", "float", "double"):
        highest = shape.metadata.get("max")
        if highest is not None and value > highest:
            yield _message(value, path, f"have value less than or equal to {highest}")


def _broken_text(shape: Shape, value: str, path: str) -> Iterator[str]:
    values = shape.metadata.get("enum")
    if values and value not in values:
        yield _message(value, path, f"satisfy enum value set: [{', '.join(values)}]")
    yield from _size(shape, len(value), path, value)
    pattern = shape.metadata.get("pattern")
    compiled = _compiled(pattern) if pattern else None
    if compiled is not None and not compiled.fullmatch(value):
        yield _message(value, path, f"satisfy regular expression pattern: {pattern}")


def _size(shape: Shape, size: int, path: str, shown: str) -> Iterator[str]:
    highest = shape.metadata.get("max")
    if highest is not None and size > highest:
        yield _message(shown, path, f"have length less than or equal to {highest}")


def _message(value: object, path: str, rule: str) -> str:
    text = str(value)
    shown = text if len(text) <= 200 else f"{text[:200]}..."
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: Member must {rule}"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """None for patterns with Java's Unicode classes, which Python's `re` does not have: those are not checked."""
    try:
        return re.compile(pattern)
    except re.error:
        return None
