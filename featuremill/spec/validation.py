"""A document against its model: pydantic's errors as problems with positions, and a model in spite of them.

A wrong part is mended (the key or type that was probably meant, a placeholder, or nothing in its place) and the rest
is looked at again, so that all mistakes of a file are told at once. What was mended is remembered: rules that would
only complain about the mending keep quiet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from featuremill.spec.positions import Document, YamlPath
from featuremill.spec.problems import Problem, closest
from featuremill.spec.shapes import allowed_keys, choices_at, class_at, mistaken_kind, place_in
from featuremill.spec.wording import explain

M = TypeVar("M", bound=BaseModel)

Placeholders = Mapping[tuple[str, str], Any]
"""(model name, field) -> what stands in for a missing or wrong value that the model cannot do without."""

_ROUNDS = 50


@dataclass
class Validated(Generic[M]):
    """`model` is None where too little of the file was right. `mended`: the paths whose values are not the file's."""

    model: M | None
    problems: list[Problem] = field(default_factory=list)
    mended: set[YamlPath] = field(default_factory=set)


def validate(document: Document, model: type[M], placeholders: Placeholders, items: Mapping[str, Any]) -> Validated[M]:
    """Read a document's data into a model.

    `items`: what stands in for a wrong item of the list under that key; lists under other keys are dropped whole.
    """
    result: Validated[M] = Validated(None)
    mender = _Mender(document, model, placeholders, items, deepcopy(document.data))
    for _ in range(_ROUNDS):
        try:
            result.model = model.model_validate(mender.data)
        except ValidationError as error:
            problems = list(mender.mend(error.errors(include_url=False)))
            result.problems += problems
            if not mender.is_mending:
                break
        else:
            break
    result.mended = mender.mended
    return result


@dataclass
class _Mender:
    document: Document
    model: type[BaseModel]
    placeholders: Placeholders
    items: Mapping[str, Any]
    data: Any
    mended: set[YamlPath] = field(default_factory=set)
    is_mending: bool = True

    def mend(self, errors: list[ErrorDetails]) -> Iterator[Problem]:
        """The problems behind one round's errors; changes the data so that the next round gets further."""
        done: set[YamlPath] = set()
        misspelt_first = sorted(errors, key=lambda error: error["type"] != "extra_forbidden")
        for path, group in self._by_place(misspelt_first).items():
            if any(path[: len(other)] == other for other in done) or self._is_there(group[0]):
                continue
            done.add(path)
            if not self._is_consequence(group[0]):
                yield from self._problems(path, group)
            self._repair(path, group[0])

    def _by_place(self, errors: list[ErrorDetails]) -> dict[YamlPath, list[ErrorDetails]]:
        """A union gives an error a member: those at one place are one mistake. Missing and unknown keys stand alone."""
        places: dict[YamlPath, list[ErrorDetails]] = {}
        for error in errors:
            loc = _without_key_mark(error)
            path = loc if error["type"] == "missing" else self._known(loc)
            places.setdefault(path, []).append(error)
        return places

    def _known(self, loc: YamlPath) -> YamlPath:
        """The longest part of a location that the data has."""
        known = 0
        while known < len(loc) and self._exists(loc[: known + 1]):
            known += 1
        return loc[:known]

    def _place(self, error: ErrorDetails) -> YamlPath:
        """Where in the model an error is."""
        loc = _without_key_mark(error)
        return loc if error["type"] == "extra_forbidden" else place_in(self.model, loc)

    def _is_there(self, error: ErrorDetails) -> bool:
        """Whether what is missed is in the file: under a misspelt name, or as entries with errors of their own."""
        path = tuple(error["loc"])
        return error["type"] in ("missing", "too_short") and self._exists(path) and bool(self._at(path))

    def _is_consequence(self, error: ErrorDetails) -> bool:
        """Whether an earlier mending took away what is now missed."""
        loc = tuple(error["loc"])
        if error["type"] == "missing":
            return any(loc[: len(path)] == path for path in self.mended)
        return error["type"] == "too_short" and any(path[:-1] == loc for path in self.mended)

    def _problems(self, path: YamlPath, group: list[ErrorDetails]) -> Iterator[Problem]:
        told = explain(group, path, self.model, self._place(group[0]))
        at_key = told.at_key or _is_about_key(group[0])
        yield self.document.problem(path, told.message, told.suggestion, at_key=at_key)

    def _repair(self, path: YamlPath, error: ErrorDetails) -> None:
        """Put what was probably meant, or something harmless, in place of what is wrong."""
        loc = self._place(error)
        if path and not self._exists(path[:-1]):
            return  # another repair of this round took it away
        written = self._at(path) if self._exists(path) else None
        holder = class_at(self.model, loc[:-1]) if loc else None
        stand_in = (holder.__name__, str(loc[-1])) if holder else ("", "")
        if _is_about_key(error) and (name := _as_name(str(path[-1]))) not in self._at(path[:-1]):
            self._rename(path, name)
        elif error["type"] == "extra_forbidden" and (meant := self._meant_key(path, holder)):
            self._rename(path, meant)
        elif error["type"] == "literal_error" and (meant := closest(str(written), choices_at(self.model, loc))):
            self._put(path, meant)
        elif mistaken := mistaken_kind(class_at(self.model, loc), written):
            self._rename((*path, mistaken[0]), mistaken[1])
        elif stand_in in self.placeholders:
            self.mended.add(path)
            self._put(path, deepcopy(self.placeholders[stand_in]))
        else:
            self._drop(path)

    def _meant_key(self, path: YamlPath, holder: type[BaseModel] | None) -> str | None:
        meant = closest(str(path[-1]), allowed_keys(holder)) if holder else None
        return meant if meant not in self._at(path[:-1]) else None

    def _exists(self, path: YamlPath) -> bool:
        try:
            self._at(path)
        except (KeyError, IndexError, TypeError):
            return False
        return True

    def _at(self, path: YamlPath) -> Any:
        """The value at a path that the data has."""
        value = self.data
        for key in path:
            value = value[key]
        return value

    def _put(self, path: YamlPath, value: Any) -> None:
        if self._exists(path) or isinstance(self._at(path[:-1]), dict):
            self._at(path[:-1])[path[-1]] = value
        else:
            self._drop(path)

    def _rename(self, path: YamlPath, name: str) -> None:
        parent = self._at(path[:-1])
        parent[name] = parent.pop(path[-1])
        self.document.rename(path, name)

    def _drop(self, path: YamlPath) -> None:
        """Take the value away; where it cannot be missing, what holds it."""
        if not path:
            self.is_mending = False
            return
        self.mended.add(path)
        if not self._exists(path):
            self._drop(path[:-1])
        elif isinstance(path[-1], str):
            del self._at(path[:-1])[path[-1]]
        elif str(path[-2]) in self.items:
            self._at(path[:-1])[path[-1]] = deepcopy(self.items[str(path[-2])])
        else:
            self._drop(path[:-1])


def _without_key_mark(error: ErrorDetails) -> YamlPath:
    """Where an error is; pydantic marks errors of keys with a last part of its own."""
    loc = tuple(error["loc"])
    return loc[:-1] if loc[-1:] == ("[key]",) else loc


def _is_about_key(error: ErrorDetails) -> bool:
    return tuple(error["loc"])[-1:] == ("[key]",)


def _as_name(key: str) -> str:
    """A valid name near an invalid one."""
    name = re.sub("[^a-z0-9_]", "_", key.lower())
    return name if name[:1].isalpha() else f"_{name}"
