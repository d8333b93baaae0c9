"""The promotion gate: whether a model may go live.

A model has to keep to the bounds of `accept` on the rows that judged it, and to those of `against_live` in comparison
with the live model on the very same rows. `champion.champion` makes that fair where rows were judged by folds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from featuremill.sagemaker.scores import Predictions, measure, prediction_psi
from featuremill.spec.accept import METRICS_BY_TASK, Accept, Bound

Scorer = Callable[[pa.Table], Predictions]
"""A model: rows with its features in, its predictions for each row, in order, out."""


class Check(BaseModel):
    """One bound. `value` is None where it could not be measured; then it did not pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float | None
    bound: str
    passed: bool
    text: str


class Verdict(BaseModel):
    """All checks of a model. No checks: accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checks: tuple[Check, ...] = ()
    live: str | None = None

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def summary(self) -> str:
        """One sentence: what failed, or that nothing did."""
        if not self.checks:
            return "nothing is asked of the model"
        failed = [check.text for check in self.checks if not check.passed]
        return "; ".join(failed) if failed else "; ".join(check.text for check in self.checks)


def judge(
    accept: Accept,
    task: str,
    metrics: Mapping[str, float],
    *,
    rows: pa.Table | None = None,
    label: str = "",
    challenger: Predictions | None = None,
    champion: Scorer | None = None,
    live: str | None = None,
) -> Verdict:
    """Hold a model against `accept`. Raises nothing: what cannot be measured did not pass, and the check says why.

    `metrics`: the new model's metrics on the rows that judged it. `rows`: those rows, features and label;
    `challenger`: the new model's predictions for them; `champion`: the live model, `live` its version. Without a live
    model there is nothing to compare with, and those checks pass.
    """
    checks = [_absolute(name, bound, metrics) for name, bound in accept.bounds()]
    relative = list(accept.against_live.bounds())
    if relative and champion is None:
        checks += [_no_live(name, bound) for name, bound in relative]
    elif relative and champion is not None:
        checks += _against(relative, task, rows, label, challenger, champion, live)
    return Verdict(checks=tuple(checks), live=live)


def _absolute(name: str, bound: Bound, metrics: Mapping[str, float]) -> Check:
    value = metrics.get(name)
    if value is None:
        known = ", ".join(sorted(metrics)) or "none"
        return _failed(name, bound, f"{name} was not measured in training; measured were: {known}")
    return _checked(name, bound, float(value), name)


def _no_live(name: str, bound: Bound) -> Check:
    text = f"against_live.{name}: there is no live model to compare with"
    return Check(name=f"against_live.{name}", value=None, bound=str(bound), passed=True, text=text)


def _against(
    relative: list[tuple[str, Bound]],
    task: str,
    rows: pa.Table | None,
    label: str,
    challenger: Predictions | None,
    champion: Scorer,
    live: str | None,
) -> Iterator[Check]:
    name_of_live = f"the live model {live}" if live else "the live model"
    try:
        if rows is None or challenger is None:
            raise ValueError("the rows that judged the new model are not there")
        scored = champion(rows)
        new, old = (measure(task, rows.column(label), model) for model in (challenger, scored))
        psi = prediction_psi(task, scored, challenger)
    except Exception as error:  # whatever it is, the model must not go live unseen
        reason = " ".join(str(error).split()) or type(error).__name__
        for name, bound in relative:
            yield _failed(
                f"against_live.{name}", bound, f"{name_of_live} cannot be compared on the same rows: {reason}"
            )
        return
    for name, bound in relative:
        if name == "prediction_psi":
            yield _checked(
                f"against_live.{name}", bound, psi, f"PSI between the predictions and those of {name_of_live}"
            )
        elif name not in METRICS_BY_TASK[task]:
            yield _failed(f"against_live.{name}", bound, f"{name} is no metric of a {task} model")
        else:
            meaning = f"{name} {new[name]:.6g} against {old[name]:.6g} of {name_of_live} on the same rows"
            yield _checked(f"against_live.{name}", bound, new[name] - old[name], meaning)


def _checked(name: str, bound: Bound, value: float, meaning: str) -> Check:
    if not isfinite(value):
        return _failed(name, bound, f"{meaning}: it is {value}, not a number that can be compared")
    passed = bound.holds(value)
    difference = name.startswith("against_live.") and not name.endswith("prediction_psi")
    shown = f"difference {value:.6g}" if difference else f"{value:.6g}"
    text = f"{meaning}: {shown} {'is' if passed else 'is not'} {bound}"
    return Check(name=name, value=value, bound=str(bound), passed=passed, text=text)


def _failed(name: str, bound: Bound, text: str) -> Check:
    return Check(name=name, value=None, bound=str(bound), passed=False, text=text)
