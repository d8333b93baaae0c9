"""Great Expectations' expectations, as far as a pipeline file may name them.

`expectation_catalogue.json` is made from Great Expectations' own classes by `python -m featuremill.quality.catalogue`,
so that a file is checked without importing them.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel

JsonType = Literal["string", "number", "boolean", "list", "object", "null"]


class Argument(BaseModel):
    types: tuple[JsonType, ...]
    required: bool

    def takes(self, value: Any) -> bool:
        return json_type(value) in self.types


class KnownExpectation(BaseModel):
    description: str
    arguments: dict[str, Argument]


class ExpectationCatalogue(BaseModel):
    """`refused`: what Great Expectations has and a pipeline cannot ask for, with the reason."""

    version: str
    expectations: dict[str, KnownExpectation]
    refused: dict[str, str]


@cache
def expectation_catalogue() -> ExpectationCatalogue:
    text = resources.files("featuremill.spec").joinpath("expectation_catalogue.json").read_text(encoding="utf-8")
    return ExpectationCatalogue.model_validate_json(text)


def json_type(value: Any) -> JsonType:
    """What a value of a YAML file is called in JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "list"
