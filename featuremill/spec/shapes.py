"""What the models allow at a place of a file: which keys, which words."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from featuremill.spec.models import Aggregate, Expectation
from featuremill.spec.positions import YamlPath
from featuremill.spec.problems import closest
from featuremill.spec.types import AGGREGATE_KINDS

_INTERNAL = {"kind", "argument", "named_by_window"}
"""Keys of an aggregate's long form: a file has the kind itself as the key."""


def class_at(model: type[BaseModel], path: YamlPath) -> type[BaseModel] | None:
    """The model that a place is read into; None where it is a plain value, list or mapping of models."""
    for annotation in _annotations_at(model, path):
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return annotation
    return None


def place_in(model: type[BaseModel], loc: YamlPath) -> YamlPath:
    """A pydantic location without the parts at its end that are not of the file: the members of a union."""
    while loc and not _annotations_at(model, loc):
        loc = loc[:-1]
    return loc


def choices_at(model: type[BaseModel], path: YamlPath) -> tuple[str, ...]:
    """The words a place may hold, where it takes only some."""
    choices = [word for annotation in _annotations_at(model, path) for word in _words(annotation)]
    return tuple(choices)


def allowed_keys(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a mapping as one writes them."""
    if model is Expectation:
        return ()
    names = [info.alias or name for name, info in model.model_fields.items()]
    if model is Aggregate:
        return (*AGGREGATE_KINDS, *(name for name in names if name not in _INTERNAL))
    return tuple(names)


def mistaken_kind(model: type[BaseModel] | None, value: Any) -> tuple[str, str] | None:
    """(key as written, aggregate kind that was meant) of an aggregate whose kind is misspelt."""
    if model is not Aggregate or not isinstance(value, dict) or any(kind in value for kind in AGGREGATE_KINDS):
        return None
    for key in value:
        if key not in Aggregate.model_fields and (meant := closest(key, AGGREGATE_KINDS)):
            return key, meant
    return None


def _annotations_at(model: type[BaseModel], path: YamlPath) -> list[Any]:
    annotations: list[Any] = [model]
    for key in path:
        annotations = [inner for annotation in annotations for inner in _step(annotation, key)]
    return annotations


def _step(annotation: Any, key: str | int) -> Iterator[Any]:
    """What the value under a key of something of this annotation may be."""
    arguments = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, info in annotation.model_fields.items():
            if key in (info.alias or name, name):
                yield from _members(info.annotation)
                return
    elif get_origin(annotation) is dict:
        yield from _members(arguments[1])
    elif get_origin(annotation) is tuple and isinstance(key, int):
        yield from _members(arguments[0])


def _members(annotation: Any) -> Iterator[Any]:
    """The annotation without Annotated, Optional and Union around it."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _words(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(word for word in get_args(annotation) if isinstance(word, str))
    return ()
