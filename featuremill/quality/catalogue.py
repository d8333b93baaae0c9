"""The catalogue of expectations that a pipeline file may name, made from Great Expectations' own classes.

`python -m featuremill.quality.catalogue` prints it; `... FILE` writes it. The loader of pipeline files reads the
written catalogue, so that it can check names and arguments without importing Great Expectations.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence, Set
from datetime import date
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from featuremill.quality import gx
from featuremill.quality.support import NOT_ARGUMENTS, REFUSED, SUPPORTED

JsonType = Literal["string", "number", "boolean", "list", "object", "null"]

_MAY_BE_OBJECT = frozenset({"meta", "json_schema", "quantile_ranges", "row_condition"})
"""Elsewhere an object would be a suite parameter, which a pipeline file has no way to fill."""

_JSON_TYPE_OF: tuple[tuple[type | tuple[type, ...], JsonType], ...] = (
    (bool, "boolean"),
    ((int, float), "number"),
    ((str, date), "string"),
    ((Sequence, Set), "list"),
)


class Argument(BaseModel):
    types: tuple[JsonType, ...]
    required: bool


class CatalogueEntry(BaseModel):
    description: str
    arguments: dict[str, Argument]


class Catalogue(BaseModel):
    """`refused`: expectations that Great Expectations has and a pipeline cannot ask for, with the reason."""

    version: str
    expectations: dict[str, CatalogueEntry]
    refused: dict[str, str]


def _types(annotation: Any, argument: str) -> set[JsonType]:
    """The JSON types that a field's annotation admits."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _types(inside[0], argument)
    if origin in (Union, UnionType):
        return set().union(*(_types(member, argument) for member in inside))
    plain = origin or annotation
    if plain is Literal:
        return {"string"}
    if plain is NoneType:
        return {"null"}
    for classes, name in _JSON_TYPE_OF:
        if isinstance(plain, type) and issubclass(plain, classes):
            return {name}
    return {"object"} if argument in _MAY_BE_OBJECT else set()


def _argument(field: Any) -> Argument:
    found = _types(field.outer_type_, field.name)
    if field.name == "row_condition":
        found |= {"string", "object"}
    if field.allow_none:
        found.add("null")
    order = get_args(JsonType)
    return Argument(types=tuple(sorted(found, key=order.index)), required=bool(field.required))


def make_catalogue() -> Catalogue:
    """Read the classes of the installed Great Expectations.

    Raises RuntimeError where it lacks an expectation that this project supports.
    """
    module = gx.load()
    from great_expectations.expectations import registry

    entries: dict[str, CatalogueEntry] = {}
    for name in sorted(SUPPORTED):
        if name not in registry.list_registered_expectation_implementations():
            raise RuntimeError(f"Great Expectations {module.__version__} has no {name}")
        model = registry.get_expectation_impl(name)
        fields = {key: field for key, field in model.__fields__.items() if key not in NOT_ARGUMENTS}
        entries[name] = CatalogueEntry(
            description=" ".join((model.__doc__ or "").strip().split("\n\n")[0].split()),
            arguments={key: _argument(field) for key, field in sorted(fields.items())},
        )
    return Catalogue(version=module.__version__, expectations=entries, refused=dict(sorted(REFUSED.items())))


def main(arguments: list[str]) -> None:
    text = json.dumps(make_catalogue().model_dump(), indent=1, ensure_ascii=False) + "\n"
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
