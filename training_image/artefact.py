"""The files of a model: what `train` writes and `serve` reads. JSON and XGBoost's own format, nothing else.

    model.json          ModelManifest: features with types and ranges, the prepared columns, the heads
    model.ubj           the booster of a single head
    submodels/0007.ubj  one_vs_rest: a booster a label value, its head in 0007.json beside it
    metrics.json        validation metrics of the model and of the baselines
    report.html         the model report

A *head* is one booster with its calibration, threshold and interval. binary, multiclass and regression have one;
one_vs_rest has one a label value.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from training_image.parameters import Task

FORMAT: Literal[1] = 1
MANIFEST = "model.json"
METRICS = "metrics.json"
REPORT = "report.html"
BOOSTER = "model.ubj"
SUBMODELS = "submodels"

FeatureType = Literal["boolean", "int", "bigint", "double", "string", "date", "timestamp", "array<string>"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Numeric(Part):
    """A number, boolean (0, 1), date (days since 1970-01-01) or timestamp (seconds since then, UTC) as one column.

    In this order: clip, impute, scale `(x - offset) / factor`. The indicator (1 where missing) is a second column.
    `fill` None leaves a missing value missing (NaN).
    """

    kind: Literal["numeric"] = "numeric"
    feature: str
    clip: tuple[float, float] | None = None
    fill: float | None = None
    offset: float = 0.0
    factor: float = 1.0
    indicator: bool = False


class Categorical(Part):
    """A text: each known label has its numbers. One-hot, ordinal, frequency and target encoding are all such tables."""

    kind: Literal["categorical"] = "categorical"
    feature: str
    encoding: Literal["one_hot", "ordinal", "frequency", "target"]
    columns: tuple[str, ...]
    table: dict[str, tuple[float, ...]]
    unknown: tuple[float, ...]
    missing: tuple[float | None, ...]


class Tags(Part):
    """A set of texts: 1 for each known value that is in it, and how many values it has. Missing is the empty set."""

    kind: Literal["tags"] = "tags"
    feature: str
    values: tuple[str, ...]


Preparation = Annotated[Numeric | Categorical | Tags, Field(discriminator="kind")]


class Feature(Part):
    """A feature as the model expects it, in the order of the channel. Ranges and labels are those of the training rows.

    `minimum` and `maximum`: numbers as in Numeric. `labels`: of texts, None where there were more than 1,000.
    """

    name: str
    type: FeatureType
    description: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    labels: tuple[str, ...] | None = None


class Calibration(Part):
    """Beta calibration: logit(p) = a ln(s) - b ln(1 - s) + c for the booster's own probability s.

    Kull, Silva Filho, Flach: Beta calibration, AISTATS 2017. a = b = 1, c = 0 changes nothing.
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0


class Conformal(Part):
    """Split conformal interval: prediction +/- half_width, cut to [0, 1] for probabilities.

    Where rows were judged by folds, what is guaranteed is 1 - 2 (1 - coverage), though about `coverage` is usual.
    half_width is the ceil((n + 1) coverage) / n quantile of |outcome - prediction| on calibration rows that the booster
    did not learn from. `measured` is the share of other held-out rows whose outcome lay inside.
    Vovk, Gammerman, Shafer: Algorithmic Learning in a Random World, 2005.
    """

    coverage: float
    half_width: float
    measured: float | None = None
    rows: int = Field(description="calibration rows")


class Head(Part):
    """One booster's last steps. `columns` are the prepared columns it takes, by position, in its own order.

    `value`: the label value of a submodel. `threshold`: probabilities from it on are predicted positive (0.5 unless a
    rule was given); None for multiclass and regression. multiclass: the booster's softmax is the probability, and the
    interval is about the outcome "the predicted class is right".
    """

    booster: str
    columns: tuple[int, ...]
    value: str | None = None
    calibration: Calibration = Calibration()
    interval: Conformal
    threshold: float | None = None
    base_rate: float | None = None
    metrics: dict[str, float] = Field(default_factory=dict)


class ModelManifest(Part):
    """model.json. Nothing in it tells which job made the model: the same data and settings give the same bytes.

    `classes`: the label values in the booster's order (binary: negative, positive).

    `heads` is empty for one_vs_rest, whose heads are files of their own, so that each host can write its part;
    `values` are then all label values with a submodel, submodel i in submodels/<i>.ubj with i in four digits.
    """

    format: Literal[1] = FORMAT
    pipeline: str | None = None
    ds: str | None = None
    fingerprint: str | None = Field(None, description="of the training data")
    task: Task
    label: str
    label_type: FeatureType
    classes: tuple[str | int | float | bool, ...] = ()
    values: tuple[str, ...] = ()
    features: tuple[Feature, ...]
    preparation: tuple[Preparation, ...]
    prepared: tuple[str, ...] = Field(description="names of all prepared columns, before a head picks its own")
    heads: tuple[Head, ...] = ()
    rows: int
    xgboost: str


class ChannelFeature(Part):
    name: str
    type: FeatureType
    description: str | None = None


class ChannelManifest(Part):
    """`manifest.json` of the `manifest` channel: what the columns of the data channels are.

    Columns of the data beyond these are left alone. csv files have no header; theirs are `columns` in this order.
    `row` identifies a training row, `entity` groups rows for splits, `time` orders them.
    """

    format: Literal[1] = FORMAT
    pipeline: str | None = None
    ds: str | None = None
    fingerprint: str | None = None
    label: str
    label_type: FeatureType
    row: str | None = None
    entity: str | None = None
    time: str | None = None
    columns: tuple[str, ...] = Field((), description="all columns of csv files, in order")
    features: tuple[ChannelFeature, ...] = Field(min_length=1)


def submodel_files(index: int) -> tuple[str, str]:
    """The booster's and the head's file of submodel `index`, relative to the model's folder."""
    return f"{SUBMODELS}/{index:04d}.ubj", f"{SUBMODELS}/{index:04d}.json"


def dump(part: Part) -> bytes:
    """JSON with sorted, indented keys: the same model, the same bytes."""
    return (json.dumps(part.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_manifest(folder: Path) -> ModelManifest:
    """model.json of a folder. Raises FileNotFoundError, and pydantic's ValidationError for one of another format."""
    return ModelManifest.model_validate_json((folder / MANIFEST).read_bytes())


def read_heads(folder: Path, manifest: ModelManifest) -> tuple[Head, ...]:
    """All heads, those of submodels read from their files."""
    if manifest.task != "one_vs_rest":
        return manifest.heads
    files = [folder / submodel_files(index)[1] for index in range(len(manifest.values))]
    return tuple(Head.model_validate_json(file.read_bytes()) for file in files)
