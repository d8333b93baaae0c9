"""Pydantic's errors in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from featuremill.spec.positions import YamlPath
from featuremill.spec.problems import closest, listing, shortened
from featuremill.spec.shapes import allowed_keys, choices_at, class_at, mistaken_kind

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
_ALSO_TEXT = ("Column", "Derived", "Select", "EventTime")
"""Models that have a short form that is a text."""
_EXAMPLES = {
    "Column": "bigint, or {type: bigint, required: true}",
    "Derived": "amount * 2",
    "Select": "floor(amount)",
    "EventTime": "loan_date, or {column: loan_date, unit: ms}",
    "Aggregate": '{count: "*"}',
    "Entity": "{key: id, type: bigint}",
    "CsvConnector": '{kind: csv, path: "{landing}/loans/ds={ds}/*.csv"}',
    "Label": "{from: loans, column: status, task: binary}",
    "Tolerance": "{quarantined: 1%}",
}


@dataclass(frozen=True)
class Told:
    """What to say of a mistake; `at_key`: it is about the key and not about the value."""

    message: str
    suggestion: str | None = None
    at_key: bool = False


def dotted(path: YamlPath) -> str:
    """`sources.loans.expect[2]`; `the file` for its root."""
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path)
    return f"`{text.lstrip('.')}`" if path else "the file"


def explain(errors: Sequence[ErrorDetails], path: YamlPath, model: type[BaseModel], loc: YamlPath) -> Told:
    """The words for the errors at one place. `path`: what the file has of `loc`, the place in the model."""
    error = errors[0]
    kind, context, value = error["type"], error.get("ctx", {}), error.get("input")
    wanted = list(dict.fromkeys(_WANTED[one["type"]] for one in errors if one["type"] in _WANTED))
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), path[:-1], class_at(model, loc[:-1]))
    if kind == "missing":
        return Told(f"`{loc[-1]}` is missing in {dotted(loc[:-1])}", at_key=True)
    if kind == "literal_error":
        return _unknown_word(str(loc[-1]), value, choices_at(model, loc))
    if kind == "value_error":
        if mistaken := mistaken_kind(class_at(model, loc), value):
            return Told(f"unknown key `{mistaken[0]}` in {dotted(path)}", f"did you mean `{mistaken[1]}`?")
        return Told(str(context.get("error", error["msg"])))
    if kind == "dataclass_type":
        return Told(f"{dotted(path)} should be a time like 30d, 12h or 15min, not {_shown(value)}")
    if wanted:
        return _wrong_type(wanted, path, value, class_at(model, loc))
    return Told(_bound(kind, context, path, value) or f"{dotted(path)}: {error['msg']}")


def _unknown_key(key: str, within: YamlPath, model: type[BaseModel] | None) -> Told:
    known = allowed_keys(model) if model else ()
    meant = closest(key, known)
    suggestion = f"did you mean `{meant}`?" if meant else f"known are {listing(known, most=20)}" if known else None
    return Told(f"unknown key `{key}` in {dotted(within)}", suggestion, at_key=True)


def _unknown_word(name: str, value: Any, choices: tuple[str, ...]) -> Told:
    meant = closest(value, choices) if isinstance(value, str) else None
    suggestion = f"did you mean `{meant}`?" if meant else f"it is one of {listing(choices, most=20)}"
    return Told(f"unknown {name} {_shown(value)}", suggestion)


def _wrong_type(wanted: list[str], path: YamlPath, value: Any, model: type[BaseModel] | None) -> Told:
    if model is not None and model.__name__ in _ALSO_TEXT:
        wanted = ["text", *wanted]
    text = " or ".join(filter(None, [", ".join(wanted[:-1]), wanted[-1]]))
    example = _EXAMPLES.get(model.__name__) if model else None
    suggestion = f"write it like {example}" if example else None
    return Told(f"{dotted(path)} should be {text}, not {_shown(value)}", suggestion)


def _bound(kind: str, context: dict[str, Any], path: YamlPath, value: Any) -> str | None:
    name = dotted(path)
    match kind:
        case "too_short":
            return f"{name} is empty; it needs at least one entry"
        case "string_too_short" | "string_too_long":
            length = context.get("max_length") or context.get("min_length")
            return f"{name} should be {length} character{'' if length == 1 else 's'}, not {_shown(value)}"
        case "greater_than_equal":
            return f"{name} should be at least {context['ge']}, not {_shown(value)}"
        case "greater_than":
            return f"{name} should be more than {context['gt']}, not {_shown(value)}"
        case "less_than_equal":
            return f"{name} should be at most {context['le']}, not {_shown(value)}"
    return None


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"`{shortened(str(value))}`"
