"""What an engine is asked to do, and what it answers. All of it can be written as JSON and sent to another process."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from featuremill.spec.models import Expectation, Pipeline, Source


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class RawFile(_Message):
    """One file of a landing, its header already matched to the declared columns.

    `fields[i]` is the declared column that the file's field `i` holds, or None where the file has more than was
    declared. `uri` is a path or URI that both engines can read; its text is UTF-8, whatever the file's encoding was.
    """

    uri: str
    name: str
    size: int
    content_hash: str
    fields: tuple[str | None, ...]
    header: bool


class IngestJob(_Message):
    """Turn the files of one landing into typed rows and quarantined lines.

    Writes parquet files, and nothing else, into the two folders, which exist and are empty.
    """

    pipeline: str
    source_name: str
    source: Source
    ds: str
    required: tuple[str, ...]
    files: tuple[RawFile, ...]
    typed_dir: str
    quarantine_dir: str


class NumberRange(_Message):
    """What exact sums need to know of a numeric column: its smallest magnitude above zero and its largest."""

    smallest: float | None = None
    largest: float | None = None


class IngestReport(_Message):
    """rows_in = rows_typed + rows_quarantined + rows_duplicate. Duplicates are earlier lines of a key that comes again
    in the same landing; they lie in the quarantine table too, with kind `duplicate`, but do not count as quarantined.
    """

    rows_in: int
    rows_typed: int
    rows_quarantined: int
    rows_duplicate: int
    reasons: dict[str, int] = {}
    ranges: dict[str, NumberRange] = {}


class ExpectJob(_Message):
    """Check expectations on the typed rows of one landing, before they are committed."""

    pipeline: str
    source_name: str
    ds: str
    expectations: tuple[Expectation, ...]
    typed_dir: str
    results_dir: str


class ExpectationOutcome(_Message):
    name: str
    arguments: dict[str, Any]
    success: bool
    observed: str
    unexpected_count: int | None = None


class QualityReport(_Message):
    """The outcome of every expectation; `docs` is the page for people (Data Docs), `results` the JSON."""

    success: bool
    outcomes: tuple[ExpectationOutcome, ...]
    results: str | None = None
    docs: str | None = None


class PartitionInput(_Message):
    ds: str
    location: str
    rows: int


class SourceInput(_Message):
    """The visible partitions of a source. `one_row_a_key`: no key is in two of them, so none needs to be dropped."""

    partitions: tuple[PartitionInput, ...]
    one_row_a_key: bool = False
    ranges: dict[str, NumberRange] = {}


class TableJob(_Message):
    """Compute a snapshot or training table into an existing empty folder."""

    pipeline: Pipeline
    table: Literal["snapshot", "training"]
    ds: str
    inputs: dict[str, SourceInput]
    target_dir: str


class TableReport(_Message):
    rows: int


class ScoreJob(_Message):
    """Predict for every row of a snapshot partition, into an existing empty folder.

    `model_dir`: the model's unpacked artefact on this machine. Columns written: the entity, `as_of`, what the model
    puts out (`predicted_label`, `probability`, `lower`, `upper` ...), and `model_version`.
    """

    pipeline: str
    entity: str
    ds: str
    snapshot_dir: str
    snapshot_fingerprint: str
    model_dir: str
    version: str
    rows: int
    target_dir: str


class Named(Protocol):
    """What makes a partition, by the name that the manifest gives it."""

    name: str


class Scores(Named, Protocol):
    """Makes predictions: an engine, or SageMaker's batch transform."""

    def score(self, job: ScoreJob) -> TableReport: ...


class Engine(Scores, Protocol):
    """Spark or DuckDB. Every method raises `featuremill.errors.FeaturemillError` for what a user can mend."""

    def ingest(self, job: IngestJob) -> IngestReport: ...

    def expect(self, job: ExpectJob) -> QualityReport: ...

    def build(self, job: TableJob) -> TableReport: ...

    def close(self) -> None: ...
