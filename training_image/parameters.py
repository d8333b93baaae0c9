"""What a training job can be told: the hyperparameters, typed, with their defaults.

SageMaker hands hyperparameters over as strings; nested ones are JSON (`split`, `preprocess`, `xgboost` ...). The same
models validate the `training` section of a pipeline file, so that a mistake is an error with a line before anything is
started. This module needs pydantic only.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Task = Literal["binary", "multiclass", "regression", "one_vs_rest"]


class Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _share(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            raise ValueError(f"{value!r} is not a share; write 20% or 0.2") from None
    return value


def _short(key: str) -> Any:
    """A validator that takes the one thing a section is mostly about for the whole section."""

    def expand(value: Any) -> Any:
        return value if isinstance(value, (dict, BaseModel)) else {key: value}

    return model_validator(mode="before")(expand)


Share = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)]
"""A part of a whole, 0 to 1; `20%` is 0.2."""


class Split(Parameters):
    """Which rows judge the model.

    `time`: the newest rows; needs a time in the data. `entity`: whole entities, drawn at random. `folds`: every row is
    judged by a model that did not see its entity (grouped k-fold), and the final model learns from all rows.
    `auto`: folds up to 5,000 rows, else by time where there is a time, else by entity.
    """

    by: Literal["auto", "time", "entity", "folds"] = "auto"
    validation: Share = 0.2
    folds: int = Field(5, ge=2, le=50)


class Impute(Parameters):
    """What stands in for a missing number; `none`: XGBoost's own handling. The indicator is a column of 0 and 1.

    Short form: just the strategy. rare_labels, encode and scale have one as well.
    """

    _short_form = _short("strategy")
    strategy: Literal["none", "median", "mean", "most_frequent", "constant"] = "none"
    value: float = Field(0.0, description="of `constant`")
    missing_indicator: bool = False


class RareLabels(Parameters):
    """Labels of a text feature rarer than this share of the rows become one label, as unknown ones do."""

    _short_form = _short("below")
    below: Share = 0.0


class Encode(Parameters):
    """How text becomes numbers. `target`: the smoothed mean of the label, learned out of fold on the training rows."""

    _short_form = _short("kind")
    kind: Literal["one_hot", "ordinal", "frequency", "target"] = "one_hot"
    max_labels: int = Field(200, ge=1, description="the most frequent labels are kept; the others count as rare")
    smoothing: float = Field(20.0, ge=0, description="of `target`: how many rows the overall mean weighs")
    folds: int = Field(5, ge=2, description="of `target`")


class Clip(Parameters):
    """Outliers are moved to the bound: `quantiles` of the rows, or `iqr` quartile ranges beyond the quartiles."""

    quantiles: tuple[Share, Share] | None = None
    iqr: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_bound(self) -> Clip:
        if self.quantiles is not None and self.iqr is not None:
            raise ValueError("give quantiles or iqr, not both")
        if self.quantiles is not None and self.quantiles[0] >= self.quantiles[1]:
            raise ValueError("the first of the quantiles must be less than the second")
        return self


class Scale(Parameters):
    """standard: mean 0, deviation 1; min_max: 0 to 1; robust: median 0, quartile range 1. Trees do not need it."""

    _short_form = _short("kind")
    kind: Literal["none", "standard", "min_max", "robust"] = "none"


class SelectFeatures(Parameters):
    """Which prepared columns the model gets. Filters come first, then `embedded`: the best by gain of a first model."""

    drop_constant: bool = True
    drop_correlated: float | None = Field(
        None, gt=0, le=1, description="drop the later of two columns more alike than this"
    )
    best: int | None = Field(None, ge=1, description="keep so many columns by mutual information with the label")
    embedded: int | None = Field(None, ge=1, description="keep so many columns by gain")


class ColumnPreprocess(Parameters):
    """What one feature gets instead of the common setting."""

    impute: Impute | None = None
    rare_labels: RareLabels | None = None
    encode: Encode | None = None
    clip: Clip | None = None
    scale: Scale | None = None


class Preprocess(Parameters):
    """Learned on the training rows only, kept in the model as JSON, applied by the same code when serving."""

    impute: Impute = Impute()
    rare_labels: RareLabels = RareLabels()
    encode: Encode = Encode()
    clip: Clip = Clip()
    scale: Scale = Scale()
    select: SelectFeatures = SelectFeatures()
    columns: dict[str, ColumnPreprocess] = Field(default_factory=dict, description="by feature name")


class Threshold(Parameters):
    """From which probability a row counts as positive: recall at least this on validation, then the best precision."""

    recall_at_least: Share
    maximise: Literal["precision"] = "precision"


class Interval(Parameters):
    """A conformal interval: of the rows to come, this share has its outcome inside."""

    coverage: Share = Field(0.9, gt=0, lt=1)


class Boosting(Parameters):
    """XGBoost's own parameters; `rounds` is num_boost_round. None: a default by the number of rows.

    Any other tree parameter of XGBoost (`gamma`, `max_bin`, `grow_policy` ...) is taken as it is.
    """

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    rounds: int | None = Field(None, ge=1, le=100_000)
    early_stopping_rounds: int | None = Field(None, ge=1)
    max_depth: int | None = Field(None, ge=1, le=30)
    eta: float | None = Field(None, gt=0, le=1)
    subsample: float | None = Field(None, gt=0, le=1)
    colsample_bytree: float | None = Field(None, gt=0, le=1)
    min_child_weight: float | None = Field(None, ge=0)
    reg_lambda: float | None = Field(None, alias="lambda", ge=0)
    reg_alpha: float | None = Field(None, alias="alpha", ge=0)


class Hyperparameters(Parameters):
    """All a training job is told."""

    task: Task
    split: Split = Split()
    preprocess: Preprocess = Preprocess()
    xgboost: Boosting = Boosting()
    class_weight: Literal["none", "balanced"] = "none"
    threshold: Threshold | None = None
    interval: Interval = Interval()
    min_rows: int = Field(20, ge=1, description="one_vs_rest: a label value in fewer rows gets no submodel")
    out_of_core: Literal["auto", "always", "never"] = "auto"
    seed: int = 20200101
