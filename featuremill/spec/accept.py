"""The `accept` section of a pipeline file: what a model has to show before it goes live.

    accept: {auc: ">= 0.60", against_live: {auc: ">= -0.01", prediction_psi: "<= 0.2"}}

A bound of `accept` itself is about the metric on the rows that judged the model. A bound under `against_live` is about
the difference new minus live, both measured on those same rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.dataclasses import dataclass

Operator = Literal[">=", ">", "<=", "<"]

_BOUND = re.compile(r"\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")

CLASSIFICATION = ("auc", "pr_auc", "logloss", "brier", "accuracy", "precision", "recall", "f1", "ece")
METRICS_BY_TASK: dict[str, tuple[str, ...]] = {
    "binary": CLASSIFICATION,
    "multiclass": ("auc", "accuracy", "logloss", "ece"),
    "regression": ("rmse", "mae", "r2"),
    "one_vs_rest": CLASSIFICATION,
}
"""Task -> the metrics that its models have. one_vs_rest: the mean over the label values."""

LOWER_IS_BETTER = frozenset({"logloss", "brier", "ece", "rmse", "mae", "prediction_psi"})


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Bound:
    """A limit as it is written: `>= 0.60`."""

    operator: Operator
    value: float

    def __str__(self) -> str:
        return f"{self.operator} {self.value!r}"

    def holds(self, value: float) -> bool:
        """Whether a value keeps to the limit; NaN never does."""
        if self.operator == ">=":
            return value >= self.value
        if self.operator == ">":
            return value > self.value
        return value <= self.value if self.operator == "<=" else value < self.value


def parse_bound(text: str) -> Bound:
    """Read `>= 0.60`. Raises ValueError, saying the form wanted, for anything else."""
    match = _BOUND.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is not a bound; write >=, >, <= or < and a number, like ">= 0.60"')
    operator: Operator = next(known for known in get_args(Operator) if known == match[1])
    return Bound(operator, float(match[2]))


def _bound(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        raise ValueError(f'{value!r} does not say from which side; write ">= {value}" or "<= {value}"')
    return parse_bound(value) if isinstance(value, str) else value


BoundField = Annotated[
    Bound,
    BeforeValidator(_bound),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": rf"^{_BOUND.pattern}$", "description": "a bound, like >= 0.60"}),
]


class Bounds(BaseModel):
    """A bound for each metric that is to have one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    auc: BoundField | None = Field(
        None, description="area under the ROC curve; several classes: mean of one against the rest"
    )
    pr_auc: BoundField | None = Field(None, description="area under the precision-recall curve (average precision)")
    logloss: BoundField | None = Field(None, description="mean negative log-likelihood, natural logarithm")
    brier: BoundField | None = Field(None, description="mean squared error of the probability")
    accuracy: BoundField | None = Field(None, description="share of rows whose predicted label is right")
    precision: BoundField | None = Field(None, description="of the rows predicted positive, the share that is")
    recall: BoundField | None = Field(None, description="of the positive rows, the share predicted so")
    f1: BoundField | None = Field(None, description="harmonic mean of precision and recall")
    ece: BoundField | None = Field(None, description="expected calibration error")
    rmse: BoundField | None = Field(None, description="root mean squared error")
    mae: BoundField | None = Field(None, description="mean absolute error")
    r2: BoundField | None = Field(None, description="share of the variance that is explained")

    @field_validator("*")
    @classmethod
    def _right_side(cls, value: Any, info: ValidationInfo) -> Any:
        name = info.field_name
        if isinstance(value, Bound) and value.operator.startswith(">") is (name in LOWER_IS_BETTER):
            better, wanted = ("lower", "<=") if name in LOWER_IS_BETTER else ("higher", ">=")
            raise ValueError(
                f"{name} is the better the {better} it is: `{value}` would keep better models out; "
                f'write "{wanted} {value.value!r}"'
            )
        return value

    def bounds(self) -> Iterator[tuple[str, Bound]]:
        """(metric, bound) of those given, in the order of the fields."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Bound):
                yield name, value


class AgainstLive(Bounds):
    """Differences new minus live on the same rows: `auc: ">= -0.01"` lets a model be worse by 0.01 at most."""

    prediction_psi: BoundField | None = Field(
        None, description="population stability index between the predictions of the two models"
    )


class Accept(Bounds):
    """What a model has to show. An empty section accepts every model."""

    against_live: AgainstLive = AgainstLive()

    def check_task(self, task: str) -> None:
        """Raise ValueError, naming the known ones, if a bound is about a metric that models of the task do not have."""
        known = METRICS_BY_TASK[task]
        for section, bounds, more in (("accept", self, ()), ("against_live", self.against_live, ("prediction_psi",))):
            for name, _ in bounds.bounds():
                if name not in (*known, *more):
                    hint = get_close_matches(name, (*known, *more), n=1)
                    meant = f"did you mean {hint[0]}? " if hint else ""
                    names = ", ".join((*known, *more))
                    raise ValueError(f"{section}: {name} is no metric of a {task} model; {meant}known are {names}")
