"""Which fields an answer has: by task, by the endpoint's environment, by the request's custom attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from training_image.parameters import Task
from training_image.serving.errors import bad

# As in AWS's XGBoost container, and the interval. `labels`: the classes, as `probabilities` and `raw_scores` go.
OFFERED: Mapping[Task, tuple[str, ...]] = {
    "binary": (
        "predicted_label",
        "probability",
        "probabilities",
        "raw_score",
        "raw_scores",
        "labels",
        "lower",
        "upper",
        "flags",
    ),
    "multiclass": (
        "predicted_label",
        "probability",
        "probabilities",
        "raw_score",
        "raw_scores",
        "labels",
        "lower",
        "upper",
        "flags",
    ),
    "regression": ("predicted_label", "raw_score", "lower", "upper", "flags"),
    "one_vs_rest": ("predicted_label", "probability", "raw_score", "lower", "upper", "flags"),
}
# The columns of Model.predict.
DEFAULTS: Mapping[Task, tuple[str, ...]] = {
    "binary": ("predicted_label", "probability", "lower", "upper"),
    "multiclass": ("predicted_label", "probability", "probabilities", "lower", "upper"),
    "regression": ("predicted_label", "lower", "upper"),
    "one_vs_rest": ("probability", "lower", "upper"),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """`fields` of the answer in order, and whether contributions are added."""

    fields: tuple[str, ...]
    explain: bool = False


@lru_cache(maxsize=256)
def select(task: Task, environment: tuple[str, ...], attributes: str | None) -> Selection:
    """The selection for a request.

    `environment`: the endpoint's own choice, empty for the task's default. `attributes`: the request's
    X-Amzn-SageMaker-Custom-Attributes, such as `output=probability,lower;explain=true`; parts with another name are
    somebody else's and left alone. Raises RequestError 400 for a field that the task does not have.
    """
    fields = environment or DEFAULTS[task]
    explain = False
    for part in (attributes or "").split(";"):
        name, separator, value = part.partition("=")
        name, value = name.strip().lower(), value.strip()
        if name == "output" and separator:
            fields = checked(task, [field.strip() for field in value.split(",") if field.strip()])
        elif name == "explain" and separator:
            if value.lower() not in ("true", "false"):
                raise bad(f"explain={value[:40]}; expected true or false")
            explain = value.lower() == "true"
    return Selection(fields, explain)


def checked(task: Task, fields: list[str]) -> tuple[str, ...]:
    """The fields, if the task has them all. Raises RequestError 400."""
    wrong = [field for field in fields if field not in OFFERED[task]]
    if wrong or not fields:
        named = f"{wrong[0][:40]!r} is no output of task {task}" if wrong else "no output is named"
        raise bad(f"{named}; choose from {', '.join(OFFERED[task])}")
    return tuple(dict.fromkeys(fields))
