"""The step `monitor`: what a day is compared with, and comparing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.errors import DataError
from featuremill.monitoring.measuring import Measured, measure
from featuremill.monitoring.reading import StoredTable
from featuremill.monitoring.report import render, report_path, write_report
from featuremill.monitoring.summary import DriftSummary, read_summary, summary_of
from featuremill.monitoring.table import drift_table
from featuremill.sagemaker.records import Registry
from featuremill.spec.columns import feature_columns
from featuremill.spec.models import Pipeline
from featuremill.steps.execution import Outcome, StepStatus, Workplace
from featuremill.steps.fingerprints import fingerprint, score_definition
from featuremill.steps.graph import Comparison, LiveModel, ModelUse, Reference, Step, TablePartition
from featuremill.steps.published import point
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import PREDICTIONS, SNAPSHOT, TRAINING, column_comments

_PART = "part-00000.parquet"


# What it is compared with


def find_reference(
    warehouse: Warehouse, pipeline: Pipeline, ds: str, model: ModelUse | None, shown: Mapping[str, str | None] | None
) -> Reference | None:
    """The live model's day; without a model the newest earlier snapshot; None where there is neither.

    `shown`: day -> fingerprint of the snapshots that Hive shows, None where it does not answer: then the newest of a
    day in the warehouse counts.
    """
    days = warehouse.days(pipeline.pipeline, SNAPSHOT)
    if model is not None and model.live is not None:
        return _of_model(warehouse, pipeline, ds, days, model.live)
    for day in reversed(days):
        if day < ds and (shown is None or day in shown):
            manifests = warehouse.manifests_of_day(pipeline.pipeline, SNAPSHOT, day)
            kept = [one for one in manifests if shown is None or one.fingerprint == shown[day]]
            if kept:
                return Reference(_partition(kept[-1]))
    return None


def _of_model(
    warehouse: Warehouse, pipeline: Pipeline, ds: str, days: Sequence[str], live: LiveModel
) -> Reference | None:
    """The snapshot of the live model's day with its predictions of it; where that is gone, of the first day after it.

    Its training rows would not do: they are events, each as of its own moment, and a snapshot's rows are entities as of
    one moment. Those two differ though nothing has changed.
    """
    name = pipeline.pipeline
    known = [model for model in Registry(warehouse, name).versions() if model.fingerprint == live.fingerprint]
    if not known:
        return None
    model = known[-1]
    for day in days:
        # Its own snapshot is no reference for a day that comes later than the model.
        may_be = day == model.ds or model.ds < day < ds
        snapshots = warehouse.manifests_of_day(name, SNAPSHOT, day) if may_be else []
        if snapshots:
            training = warehouse.find(name, TRAINING, model.ds, model.data_fingerprint)
            # Made of the very rows that the training table was made of; if all were made anew since, the newest.
            twins = [one for one in snapshots if training is not None and _same_origin(one, training)]
            snapshot = (twins or snapshots)[-1]
            return Reference(_partition(snapshot), _predictions(warehouse, pipeline, snapshot, live))
    return None


def _predictions(
    warehouse: Warehouse, pipeline: Pipeline, snapshot: Manifest, live: LiveModel
) -> TablePartition | None:
    inputs = {f"{SNAPSHOT}@{snapshot.ds}": snapshot.fingerprint, "model": live.fingerprint}
    made = fingerprint(score_definition(pipeline), inputs)
    found = warehouse.find(pipeline.pipeline, PREDICTIONS, snapshot.ds, made)
    return _partition(found) if found is not None else None


def _same_origin(snapshot: Manifest, training: Manifest) -> bool:
    same = snapshot.definition.get("features") == training.definition.get("features")
    return same and snapshot.inputs == training.inputs


def _partition(manifest: Manifest) -> TablePartition:
    return TablePartition(table=manifest.table, ds=manifest.ds, fingerprint=manifest.fingerprint)


# Comparing


@dataclass(frozen=True)
class Monitored:
    """What a monitor step found, and where its report is."""

    summary: DriftSummary
    report: Path
    rows: int

    def facts(self) -> dict[str, Any]:
        """Ready for JSON."""
        summary = self.summary
        return {
            "shifted": list(summary.shifted),
            "prediction_shifted": summary.prediction_shifted,
            "features": len(summary.psi),
            "limit": summary.limit,
            "psi": summary.psi,
            "prediction_psi": summary.prediction_psi,
            "reference_table": summary.reference_table,
            "reference_ds": summary.reference_ds,
            "model_version": summary.model_version,
            "text": summary.text(),
            "report": str(self.report),
        }


def monitor(place: Workplace, step: Step, catalog: HiveCatalog) -> tuple[StepStatus, Outcome]:
    """Measure a published day's drift, publish it, and write its report. Shifts are warnings; they fail nothing.

    Each of the three is done only where it is not there yet. Raises DataError where the day's tables are gone.
    """
    (output,) = step.outputs
    name = place.pipeline.pipeline
    manifest = place.warehouse.find(name, output.table, output.ds, output.fingerprint)
    is_new = manifest is None
    if manifest is None:
        manifest = _make(place, step)
    moved = point(catalog, place.warehouse, place.pipeline, output).changed
    found = monitored(place, manifest)
    summary = found.summary
    warnings: tuple[str, ...] = ()
    if is_new and summary.alarms:
        against = "" if summary.reference_ds is None else f" since {summary.reference_ds}"
        warnings = (f"{name} {step.ds}: {summary.text()}{against}; see {found.report}",)
    outcome = Outcome(found.rows, summary.text(), warnings, found.facts())
    return ("done" if is_new or moved else "up to date"), outcome


def monitored(place: Workplace, manifest: Manifest) -> Monitored:
    """What a `drift` partition holds; its report is written anew where it is not there."""
    summary = read_summary(manifest)
    where = place.warehouse.partition_dir(manifest.pipeline, manifest.table, manifest.ds, manifest.fingerprint)
    if summary is None:
        raise DataError(f"{where} was made by another version of featuremill; delete it and run again")
    path = report_path(place.state, manifest.pipeline, manifest.ds, manifest.fingerprint)
    if not path.is_file():
        rows = drift_rows(place.warehouse, manifest)
        write_report(path, render(manifest.pipeline, manifest.ds, rows, summary))
    return Monitored(summary, path, manifest.rows)


def drift_rows(warehouse: Warehouse, manifest: Manifest) -> list[dict[str, Any]]:
    """The rows of a `drift` partition."""
    stored = StoredTable(warehouse, manifest)
    return [row for batch in stored.batches(stored.schema().names) for row in batch.to_pylist()]


def _make(place: Workplace, step: Step) -> Manifest:
    """Commit the partition."""
    assert place.pipeline.monitor is not None
    name, limit = place.pipeline.pipeline, place.pipeline.monitor.drift.psi
    measured: dict[str, list[Measured]] = {}
    references: dict[str, tuple[str, str]] = {}
    version = None
    try:
        for pair in step.compared:
            current = _stored(place, pair.current)
            if pair.reference is not None:
                references[pair.current.table] = (pair.reference.table, pair.reference.ds)
            if pair.current.table == PREDICTIONS:
                version = current.manifest.details.get("model_version")
            measured[pair.current.table] = measure(_columns(place.pipeline, pair), current, _reference(place, pair))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} {step.ds}: its drift cannot be measured: {_first_line(error)}") from error
    table = drift_table(measured, limit, references, version)
    model = step.model.fingerprint if step.model is not None else None
    summary = summary_of(table.to_pylist(), limit, version, model)
    (output,) = step.outputs
    stage = place.warehouse.stage(name, output.table, output.ds, output.fingerprint)
    try:
        with place.warehouse.store.filesystem.open_output_stream(
            place.warehouse.store.inside(f"{stage.data}/{_PART}")
        ) as stream:
            pq.write_table(table, stream, compression="zstd")
        described = place.warehouse.describe(
            stage,
            engine="monitor",
            inputs=step.inputs,
            definition=step.definition,
            comments=column_comments(place.pipeline, output.table),
            details=summary.model_dump(mode="json"),
        )
        return place.warehouse.commit(stage, described).manifest
    finally:
        place.warehouse.discard(stage)


def _columns(pipeline: Pipeline, pair: Comparison) -> list[str]:
    """All features; of the predictions the one column that says it all."""
    if pair.current.table == SNAPSHOT:
        return [column.name for column in feature_columns(pipeline)]
    assert pipeline.label is not None
    return ["probability" if pipeline.label.task == "binary" else "predicted_label"]


def _stored(place: Workplace, partition: TablePartition) -> StoredTable:
    name = place.pipeline.pipeline
    manifest = place.warehouse.find(name, partition.table, partition.ds, partition.fingerprint)
    if manifest is None:
        raise DataError(f"{name}.{partition.table} ds={partition.ds} is gone; run the day again to make it anew")
    return StoredTable(place.warehouse, manifest)


def _reference(place: Workplace, pair: Comparison) -> StoredTable | None:
    return _stored(place, pair.reference) if pair.reference is not None else None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
