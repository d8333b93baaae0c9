"""What a pipeline is: the models that a pipeline file is read into.

The models hold what one section alone can tell (types, required keys, short forms). What needs several sections
(an unknown column in an expression, a label that does not exist) is checked by `featuremill.spec.rules`.
Short forms are expanded here, so the rest of the project sees one form only.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from featuremill.spec.accept import Accept
from featuremill.spec.types import (
    AGGREGATE_KINDS,
    AggregateKind,
    ColumnName,
    ColumnType,
    Duration,
    DurationField,
    Name,
    Share,
)
from training_image.parameters import Boosting, Hyperparameters, Interval, Preprocess, Split, Threshold

GENERATED_KEY = "row_key"
"""The key column of a source that names none: the MD5 of the row's raw fields, 32 hexadecimal digits, a string."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Entity(Model):
    """What a lookup asks for. `from` names the source whose rows are the training rows of a pipeline without label."""

    key: ColumnName
    type: ColumnType
    source: Name | None = Field(None, alias="from")


class Column(Model):
    """A column of a raw file. Short form: just the type."""

    type: ColumnType
    outcome: bool = Field(False, description="known only after the event: no `select` may read it")
    required: bool = Field(False, description="a row without it is quarantined")
    header: str | None = Field(None, description="what the file's header calls it, if not the column's own name")
    format: str | None = Field(None, description="date or timestamp pattern of this column, as in Spark")
    description: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value


class Derived(Model):
    """A column computed from the other columns of the row. Short form: just the expression."""

    expression: str
    outcome: bool = Field(False, description="known only after the event; so is all that reads an outcome column")
    description: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"expression": value} if isinstance(value, str) else value


class CsvConnector(Model):
    """CSV files that somebody puts into a landing folder, one folder a day.

    `path` is a glob with `{landing}` (the environment's landing root) and `{ds}` (the day, YYYY-MM-DD).
    """

    kind: Literal["csv"]
    path: str
    header: bool = Field(True, description="false: the columns are taken in the declared order")
    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', max_length=1, description="empty: nothing is quoted")
    escape: str | None = Field(None, max_length=1, description="left out: a quote is escaped by doubling it")
    encoding: str = "utf-8"
    null_values: tuple[str, ...] = Field(("",), description="texts that mean null, quoted or not")
    multiline: bool = Field(False, description="quoted fields may hold line breaks")
    date_format: str = Field("yyyy-MM-dd", description="Spark's datetime pattern")
    timestamp_format: str | None = Field(None, description="Spark's datetime pattern; left out: ISO 8601")
    missing: Literal["error", "allow"] = Field(
        "error", description="what a day without a file means, for a source with a time"
    )

    @field_validator("path")
    @classmethod
    def _has_ds(cls, value: str) -> str:
        if "{ds}" not in value:
            raise ValueError("the path needs {ds}, the day of the landing, like {landing}/loans/ds={ds}/*.csv")
        return value


class EventTime(Model):
    """When the event of a row happened, UTC. Short form: just the column (a date or a timestamp)."""

    column: ColumnName
    unit: Literal["s", "ms", "us"] | None = Field(None, description="for whole numbers since 1970-01-01T00:00Z")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value


class Expectation(Model):
    """One Great Expectations expectation: its own name and its own arguments."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and len(value) == 1 and "name" not in value:
            ((name, arguments),) = value.items()
            return {"name": name, "arguments": arguments or {}}
        if isinstance(value, dict) and set(value) <= {"name", "arguments"}:
            return value
        raise ValueError("write one expectation an item, like `- expect_column_values_to_not_be_null: {column: id}`")


class Tolerance(Model):
    quarantined: Share = Field(0.0, description="share of a landing's rows that may be quarantined")


class Source(Model):
    """Rows of one kind. Without `time` it is a static table; without `key` each row's key is the MD5 of its fields."""

    connector: CsvConnector
    key: ColumnName | None = None
    time: EventTime | None = None
    columns: dict[ColumnName, Column] = Field(min_length=1)
    derive: dict[ColumnName, Derived] = Field(default_factory=dict)
    where: str | None = Field(None, description="keep only these rows")
    expect: tuple[Expectation, ...] = ()
    tolerate: Tolerance = Tolerance()
    description: str | None = None

    @property
    def key_column(self) -> str:
        return self.key or GENERATED_KEY

    @property
    def is_static(self) -> bool:
        return self.time is None

    @property
    def parsed_columns(self) -> dict[str, Column]:
        """The columns as a reader of the file takes them: a time in whole numbers has its unit as `format`."""
        if self.time is None or self.time.unit is None:
            return dict(self.columns)
        timed = self.columns[self.time.column].model_copy(update={"format": self.time.unit})
        return {name: timed if name == self.time.column else column for name, column in self.columns.items()}


class Aggregate(Model):
    """A number (or set) over earlier rows. Written `{mean: loan_amount, over: 30d}`: the kind is a key."""

    kind: AggregateKind
    argument: str = Field(description="a Spark SQL expression, or * for whole rows")
    over: tuple[DurationField, ...] | None = Field(None, description="windows; left out: all history")
    named_by_window: bool = Field(False, description="`over` was a list: the window's length ends the feature's name")
    where: str | None = None
    known_after: DurationField = Duration("0d", 0)
    description: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "kind" in value:
            return value
        value = dict(value)
        kinds = [key for key in value if key in AGGREGATE_KINDS]
        if len(kinds) != 1:
            known = ", ".join(AGGREGATE_KINDS)
            said = "says " + " and ".join(map(str, kinds)) if kinds else "does not say what to compute"
            raise ValueError(f"an aggregate has one kind of: {known}; this one {said}")
        value["argument"] = value.pop(kinds[0])
        value["kind"] = kinds[0]
        if isinstance(value.get("over"), list):
            value["named_by_window"] = True
        elif value.get("over") is not None:
            value["over"] = [value["over"]]
        return value


class Select(Model):
    """A value of the row itself; `as_of` is the moment asked about, a timestamp. Short form: just the expression."""

    expression: str
    description: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"expression": value} if isinstance(value, str) else value


class FeatureBlock(Model):
    """Features from one source. `by` matches rows on a column other than the entity."""

    source: Name = Field(alias="from")
    by: ColumnName | None = None
    aggregate: dict[Name, Aggregate] = Field(default_factory=dict)
    select: dict[Name, Select] = Field(default_factory=dict)


class Label(Model):
    source: Name = Field(alias="from")
    column: ColumnName
    task: Literal["binary", "multiclass", "regression", "one_vs_rest"]
    available_after: DurationField = Duration("0d", 0)


class Instances(Model):
    type: str = "ml.m5.xlarge"
    count: int = Field(1, ge=1)


class Training(Model):
    """How the model is trained and when it may go live. All of it has defaults: `training: {}` trains a model."""

    schedule: str | None = None
    split: Split = Split()
    preprocess: Preprocess = Preprocess()
    xgboost: Boosting = Boosting()
    class_weight: Literal["none", "balanced"] = "none"
    threshold: Threshold | None = None
    interval: Interval = Interval()
    min_rows: int = Field(20, ge=1, description="one_vs_rest: a label value in fewer rows gets no submodel")
    out_of_core: Literal["auto", "always", "never"] = "auto"
    seed: int = 20200101
    accept: Accept = Accept()
    instances: Instances = Instances()


class EndpointInstances(Model):
    type: str = "ml.m5.large"
    min: int = Field(1, ge=0)
    max: int = Field(1, ge=1)


class Endpoint(Model):
    """Where the model answers requests. `endpoint: {}` is one small instance."""

    instances: EndpointInstances = EndpointInstances()
    traffic: Literal["all_at_once", "canary", "linear", "rolling"] = "all_at_once"
    capture: Share = 0.0


class Drift(Model):
    """When a column of a day's snapshot, or the predictions, count as shifted against the reference."""

    psi: float = Field(0.2, gt=0, description="population stability index from which a column counts as shifted")
    train: bool = Field(True, description="whether shifted columns make a model due")


class Monitor(Model):
    """What is measured once a day is published. `monitor: {}` measures drift with the defaults."""

    drift: Drift = Drift()


class Pipeline(Model):
    """One pipeline file."""

    pipeline: Name
    description: str | None = None
    owner: str | None = None
    schedule: str | None = None
    entity: Entity
    sources: dict[Name, Source] = Field(min_length=1)
    features: tuple[FeatureBlock, ...] = Field(min_length=1)
    label: Label | None = None
    training: Training | None = None
    endpoint: Endpoint | None = None
    monitor: Monitor | None = None

    @property
    def spine(self) -> str | None:
        """The source whose rows are the training rows: the label's, the entity's `from`, or the only one that can be.

        None where no source with a time carries the entity: then there is a snapshot, and no training table.
        """
        if self.label is not None:
            return self.label.source
        if self.entity.source is not None:
            return self.entity.source
        timed = [name for name, source in self.sources.items() if not source.is_static and has_entity(self, name)]
        return timed[0] if len(timed) == 1 else None


def hyperparameters(pipeline: Pipeline) -> Hyperparameters:
    """What the training job of a pipeline is told. The pipeline has a label; without `training` the defaults hold."""
    assert pipeline.label is not None, "a pipeline without label has no model"
    training = pipeline.training or Training()
    shared = {name: getattr(training, name) for name in Hyperparameters.model_fields if name != "task"}
    return Hyperparameters(task=pipeline.label.task, **shared)


def has_entity(pipeline: Pipeline, source: str) -> bool:
    """Whether the rows of a source say which entity they belong to."""
    spec = pipeline.sources[source]
    return pipeline.entity.key in spec.columns or pipeline.entity.key == spec.key_column
