"""Doing one step: the engine writes into a stage, and the warehouse makes the stage a partition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from featuremill.errors import DataError
from featuremill.spec.models import Pipeline
from featuremill.steps.checks import failed_message, keep_outcome, results_folder
from featuremill.steps.fingerprints import required_columns, sources_read
from featuremill.steps.graph import Graph, LiveModel, Step
from featuremill.steps.jobs import (
    Engine,
    ExpectJob,
    IngestJob,
    IngestReport,
    Named,
    NumberRange,
    PartitionInput,
    QualityReport,
    RawFile,
    ScoreJob,
    Scores,
    SourceInput,
    TableJob,
)
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Stage, Warehouse
from featuremill.warehouse.tables import column_comments

RawFiles = Callable[[str, str], tuple[Sequence[RawFile], Sequence[str]]]
"""(source, day) -> its files with their headers matched, and warnings for people."""


@dataclass(frozen=True)
class Outcome:
    """What a step did, for people: rows written, a short remark, and warnings. `facts` are for programs, as JSON."""

    rows: int | None = None
    remark: str = ""
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


StepStatus = Literal["done", "up to date"]


@dataclass(frozen=True)
class StoredPartition:
    """A partition as it lies in the warehouse."""

    manifest: Manifest
    location: str


@dataclass(frozen=True)
class Artefact:
    """A model's unpacked artefact on this machine. `version` is the very job that made it."""

    version: str
    folder: Path


class ModelWork(Protocol):
    """Trains, judges and deploys models. Each method says whether it did something or found it done."""

    def train(self, step: Step, training: StoredPartition) -> tuple[StepStatus, Outcome]:
        """Raises DataError with the training job's own reason where it fails."""
        ...

    def accept(self, step: Step) -> tuple[StepStatus, Outcome]:
        """Raises DataError, naming each bound that was not kept, for a model that may not go live."""
        ...

    def deploy(self, step: Step) -> tuple[StepStatus, Outcome]:
        """Raises ServiceError if the endpoint does not take the model; what served before serves on."""
        ...

    def artefact(self, model: LiveModel) -> Artefact:
        """Raises DataError where the model is not there any more."""
        ...

    def reason_to_do(self, step: Step) -> str | None:
        """Why a step about a model is still to do, in words; None where it is done. Changes nothing."""
        ...


@dataclass(frozen=True)
class Workplace:
    """What steps work with. `models` may be None only for graphs without a step about a model."""

    pipeline: Pipeline
    warehouse: Warehouse
    state: Path
    raw_files: RawFiles
    models: ModelWork | None = None
    online: Callable[[], str] | None = None
    """Brings the online store up to date with what Hive shows; says what it did, or nothing."""


def ingest(place: Workplace, step: Step, engine: Engine) -> Outcome:
    """Make the typed and the quarantine partition of one landing.

    The quarantine is committed first and in any case, so that rejected lines are kept even where too many of them stop
    the run. Raises DataError if more of the landing is quarantined than the source tolerates.
    """
    assert step.source is not None
    source = place.pipeline.sources[step.source]
    files, warnings = place.raw_files(step.source, step.ds)
    with ExitStack() as cleanup:
        typed, quarantine = (_stage(place, step, number, cleanup) for number in range(2))
        job = IngestJob(
            pipeline=place.pipeline.pipeline,
            source_name=step.source,
            source=source,
            ds=step.ds,
            required=required_columns(place.pipeline, step.source),
            files=tuple(files),
            typed_dir=typed.directory,
            quarantine_dir=quarantine.directory,
        )
        report = engine.ingest(job)
        rejected = _commit(place, step, quarantine, engine, report.model_dump(mode="json"))
        share = report.rows_quarantined / report.rows_in if report.rows_in else 0.0
        if share > source.tolerate.quarantined:
            raise DataError(_too_many(place, step, report, rejected))
        _commit(place, step, typed, engine, report.model_dump(mode="json"))
    return Outcome(report.rows_typed, _ingest_remark(report), tuple(warnings))


def _too_many(place: Workplace, step: Step, report: IngestReport, rejected: str) -> str:
    """The message of a run that stops because too much of a landing is quarantined."""
    tolerated = place.pipeline.sources[str(step.source)].tolerate.quarantined
    share = report.rows_quarantined / report.rows_in
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.reasons.items()))
    return (
        f"{place.pipeline.pipeline}.{step.source} ds={step.ds}: {report.rows_quarantined:,} of {report.rows_in:,} rows "
        f"({share:.2%}) do not parse, {tolerated:.2%} are tolerated; nothing was published. Their lines and reasons "
        f"are in {rejected}. By kind: {kinds}. Mend the files, or raise `tolerate`, and run again."
    )


def _ingest_remark(report: IngestReport) -> str:
    parts = [f"{report.rows_in:,} rows in"]
    if report.rows_quarantined:
        parts.append(f"{report.rows_quarantined:,} quarantined")
    if report.rows_duplicate:
        parts.append(f"{report.rows_duplicate:,} duplicates")
    return ", ".join(parts)


def check(place: Workplace, graph: Graph, step: Step, engine: Engine) -> Outcome:
    """Check the expectations of a landing's typed rows. Raises DataError if one is not met."""
    assert step.source is not None
    typed = graph.step(step.after[0]).outputs[0]
    folder = results_folder(place.state, place.pipeline.pipeline, step)
    folder.mkdir(parents=True, exist_ok=True)
    report: QualityReport = engine.expect(
        ExpectJob(
            pipeline=place.pipeline.pipeline,
            source_name=step.source,
            ds=step.ds,
            expectations=place.pipeline.sources[step.source].expect,
            typed_dir=place.warehouse.partition_dir(place.pipeline.pipeline, typed.table, typed.ds, typed.fingerprint),
            results_dir=str(folder),
        )
    )
    keep_outcome(place.state, place.pipeline.pipeline, step, report)
    if not report.success:
        where = f"{place.pipeline.pipeline}.{step.source} ds={step.ds}"
        raise DataError(f"{where}: {failed_message(report)}")
    return Outcome(remark=f"{len(report.outcomes)} expectations met")


def build(place: Workplace, graph: Graph, step: Step, engine: Engine) -> Outcome:
    """Make a snapshot or training partition from the typed partitions it reads."""
    (output,) = step.outputs
    with ExitStack() as cleanup:
        stage = _stage(place, step, 0, cleanup)
        job = TableJob.model_validate(
            {
                "pipeline": place.pipeline,
                "table": output.table,
                "ds": step.ds,
                "inputs": table_inputs(place, graph),
                "target_dir": stage.directory,
            }
        )
        report = engine.build(job)
        _commit(place, step, stage, engine, {})
    return Outcome(report.rows)


def training_partition(place: Workplace, graph: Graph) -> StoredPartition:
    """The training table of a graph. Raises DataError where it is gone."""
    return _stored(place, next(step for step in graph.steps if step.kind == "training"))


def score(place: Workplace, graph: Graph, step: Step, engine: Scores) -> Outcome:
    """Make the predictions of a snapshot with the step's model."""
    with ExitStack() as cleanup:
        stage = _stage(place, step, 0, cleanup)
        job = score_job(place, graph, step, stage.directory)
        report = engine.score(job)
        _commit(place, step, stage, engine, {"model_version": job.version})
    return Outcome(report.rows, f"by {job.version}")


def score_job(place: Workplace, graph: Graph, step: Step, target_dir: str) -> ScoreJob:
    """What an engine is asked to predict. Raises DataError where the snapshot or the model is gone."""
    assert place.models is not None and step.model is not None
    snapshot = _stored(place, next(s for s in graph.steps if s.kind == "snapshot"))
    artefact = place.models.artefact(step.model)
    return ScoreJob(
        pipeline=place.pipeline.pipeline,
        entity=place.pipeline.entity.key,
        ds=step.ds,
        snapshot_dir=snapshot.location,
        snapshot_fingerprint=snapshot.manifest.fingerprint,
        model_dir=str(artefact.folder),
        version=artefact.version,
        rows=snapshot.manifest.rows,
        target_dir=target_dir,
    )


def _stored(place: Workplace, step: Step) -> StoredPartition:
    (output,) = step.outputs
    name = place.pipeline.pipeline
    manifest = place.warehouse.find(name, output.table, output.ds, output.fingerprint)
    if manifest is None:
        raise DataError(f"{name}.{output.table} ds={output.ds} is gone; run again to make it anew")
    return StoredPartition(manifest, place.warehouse.partition_dir(name, output.table, output.ds, output.fingerprint))


def table_inputs(place: Workplace, graph: Graph) -> dict[str, SourceInput]:
    """Source -> the typed partitions that a table of the graph reads, with what their manifests know."""
    inputs = {}
    for source in sources_read(place.pipeline):
        steps = [s for s in graph.steps if s.kind == "ingest" and s.source == source]
        inputs[source] = _source_input(place, source, steps)
    return inputs


def _source_input(place: Workplace, source: str, steps: Sequence[Step]) -> SourceInput:
    manifests = [_typed_manifest(place, step) for step in steps]
    name = place.pipeline.pipeline
    return SourceInput(
        partitions=tuple(
            PartitionInput(
                ds=m.ds, location=place.warehouse.partition_dir(name, source, m.ds, m.fingerprint), rows=m.rows
            )
            for m in manifests
        ),
        # Within a landing a key is there once; a second landing with rows may bring it again.
        one_row_a_key=sum(manifest.rows > 0 for manifest in manifests) <= 1,
        ranges=_joined_ranges([manifest.details.get("ranges", {}) for manifest in manifests]),
    )


def _typed_manifest(place: Workplace, step: Step) -> Manifest:
    output = step.outputs[0]
    manifest = place.warehouse.find(place.pipeline.pipeline, output.table, output.ds, output.fingerprint)
    if manifest is None:
        raise DataError(f"{place.pipeline.pipeline}.{output.table} ds={output.ds} is gone; run again to make it anew")
    return manifest


def _joined_ranges(ranges: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, NumberRange]:
    """Of several landings: a column's range is known only if each of them knows it."""
    columns = set().union(*(set(of_landing) for of_landing in ranges)) if ranges else set()
    joined = {}
    for column in sorted(columns):
        known = [NumberRange.model_validate(of_landing[column]) for of_landing in ranges if column in of_landing]
        smallest = [r.smallest for r in known if r.smallest is not None]
        largest = [r.largest for r in known if r.largest is not None]
        if len(known) == len(ranges) and smallest and largest:
            joined[column] = NumberRange(smallest=min(smallest), largest=max(largest))
    return joined


def _stage(place: Workplace, step: Step, number: int, cleanup: ExitStack) -> Stage:
    output = step.outputs[number]
    stage = place.warehouse.stage(place.pipeline.pipeline, output.table, output.ds, output.fingerprint)
    cleanup.callback(place.warehouse.discard, stage)
    return stage


def _commit(place: Workplace, step: Step, stage: Stage, engine: Named, details: Mapping[str, Any]) -> str:
    manifest = place.warehouse.describe(
        stage,
        engine=engine.name,
        inputs=step.inputs,
        definition=step.definition,
        comments=column_comments(place.pipeline, stage.table),
        details=details,
    )
    return place.warehouse.commit(stage, manifest).directory
