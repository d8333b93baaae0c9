"""An entity's features as a row for the endpoint, and the endpoint's prediction in the columns of stored ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_PER_VALUE = {"probability": "probabilities", "lower": "lower", "upper": "upper"}
_MISSING, _INFINITE = "NaN", ("Infinity", "-Infinity")


class CannotSend(Exception):
    """The row cannot be sent to the endpoint; the message says why."""


@dataclass(frozen=True)
class Predicted:
    """`prediction`: columns as stored ones have them. `contributions`, `bias`: only if asked for."""

    prediction: dict[str, Any]
    flags: list[str] = field(default_factory=list)
    explanation: dict[str, Any] | None = None


def as_row(
    features: Mapping[str, Any], doubles: frozenset[str], names: Sequence[str] | None, asked: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The features by name; `names`: only these. `doubles` are the columns of floating point.

    A stored NaN is sent as missing, as XGBoost takes it. `asked`: of one_vs_rest, {label column: values}.
    Raises CannotSend for an infinite number, and for a feature that the endpoint wants and the store has not.
    """
    absent = [name for name in names or () if name not in features and name not in (asked or ())]
    if absent:
        raise CannotSend(f"the model wants {', '.join(absent[:5])}, which the store does not have")
    row = {name: value for name, value in features.items() if names is None or name in names}
    for name in doubles & row.keys():
        if row[name] == _MISSING:
            row[name] = None
        elif row[name] in _INFINITE:
            raise CannotSend(f"{name} is {row[name]}, which is no number that can be sent")
    return row | dict(asked or {})


def as_predicted(answer: Mapping[str, Any], label: str | None) -> Predicted:
    """`answer`: one of the endpoint's predictions. `label`: of one_vs_rest the label column, else None."""
    flags = [str(flag) for flag in answer.get("flags", [])]
    if label is not None and isinstance(answer.get(label), dict):
        return _per_value(answer[label], flags)
    prediction = {name: value for name, value in answer.items() if name not in ("flags", "contributions", "bias")}
    explanation = None
    if "contributions" in answer:
        explanation = {"contributions": answer["contributions"], "bias": answer.get("bias")}
    return Predicted(prediction, flags, explanation)


def _per_value(found: Mapping[str, Mapping[str, Any] | None], flags: list[str]) -> Predicted:
    """{value: {"probability": ..}} -> lists in the order of the values, as predictions are stored."""
    known = {value: one for value, one in sorted(found.items()) if one is not None}
    prediction: dict[str, Any] = {"labels": list(known)}
    for name, column in _PER_VALUE.items():
        prediction[column] = [one.get(name) for one in known.values()]
    prediction["predicted_label"] = [value for value, one in known.items() if one.get("predicted_label")]
    explanation = None
    if any("contributions" in one for one in known.values()):
        explanation = {
            "contributions": {value: one.get("contributions") for value, one in known.items()},
            "bias": {value: one.get("bias") for value, one in known.items()},
        }
    return Predicted(prediction, flags, explanation)
