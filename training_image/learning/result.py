"""What training one model hands over to be written and reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import xgboost

from training_image.artefact import Conformal, Head
from training_image.evaluation.importance import importances
from training_image.evaluation.judging import Judged, LastSteps
from training_image.learning.objective import BoosterSettings
from training_image.learning.targets import Target
from training_image.preparing import Matrix, Preparer


@dataclass(frozen=True)
class Fitted:
    """A booster and the last steps. `columns`: the prepared columns it takes."""

    booster: xgboost.Booster
    columns: tuple[int, ...]
    steps: LastSteps
    settings: BoosterSettings
    base_rate: float | None

    def head(self, file: str, metrics: Mapping[str, float], measured: float | None, value: str | None = None) -> Head:
        interval = Conformal(**{**self.steps.interval.model_dump(), "measured": measured})
        return Head(
            booster=file,
            columns=self.columns,
            value=value,
            calibration=self.steps.calibration,
            interval=interval,
            threshold=self.steps.threshold,
            base_rate=self.base_rate,
            metrics=dict(metrics),
        )


@dataclass(frozen=True)
class Evidence:
    """The numbers of metrics.json besides `rows` and `coverage`."""

    validation: Mapping[str, float]
    train: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    importance: Mapping[str, float]
    drift: Mapping[str, float]
    coverage: Mapping[str, float]
    rows: Mapping[str, int | str]


@dataclass(frozen=True)
class Result:
    """One model. `judged_rows`: the rows it was judged on, `judged` beside them; `losses`: by round, of the watched."""

    target: Target
    preparer: Preparer
    fitted: Fitted
    evidence: Evidence
    judged_rows: pa.Table
    judged: Judged
    losses: list[float]
    rows: int


def importances_of(fitted: Fitted, matrix: Matrix, preparer: Preparer, threads: int) -> dict[str, float]:
    """By feature, the greatest first; `matrix`: rows with the booster's own columns."""
    names = [feature.name for feature in preparer.features]
    return importances(fitted.booster, matrix, preparer.feature_of[list(fitted.columns)], names, threads)


def coverage_of(judged: Judged, stated: float) -> dict[str, float]:
    return {"stated": stated, "measured": float(judged.covered.mean())}
