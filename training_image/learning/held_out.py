"""Many rows: one model of the training rows of all hosts, calibrated and judged on rows held out."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from training_image.artefact import Feature
from training_image.evaluation.baselines import baselines
from training_image.evaluation.importance import drift, spread
from training_image.evaluation.judging import judge, learn_last_steps, outputs
from training_image.evaluation.metrics import metrics_of
from training_image.learning.boosting import Boosted
from training_image.learning.channels import needed
from training_image.learning.collective import Ring
from training_image.learning.configuration import Job
from training_image.learning.data import Data, Table
from training_image.learning.fitting import (
    Plan,
    Preparation,
    Task,
    fit_in_memory,
    fit_out_of_core,
    plan,
    prepare,
)
from training_image.learning.folds import all_columns
from training_image.learning.preparation import widen
from training_image.learning.progress import checkpoints_of, print_loss, silent
from training_image.learning.result import Evidence, Fitted, Result, coverage_of, importances_of
from training_image.learning.splitting import CALIBRATION, JUDGING, TRAINING
from training_image.preparing import NUMERIC_TYPES, Preparer, read_columns

SAMPLE_ALONE = 1_000_000
SAMPLE_TOGETHER = 200_000
"""Preparation parts are learned from so many training rows at most, on one host and, gathered, on several."""

TRAIN_METRIC_ROWS = 100_000


@dataclass(frozen=True)
class Fit:
    """A booster with what was learned before it. `rows`, `base_rate`: of the training rows of all hosts."""

    plan: Plan
    prepared: Preparation
    boosted: Boosted
    rows: int
    base_rate: float | None


def train_held_out(job: Job, task: Task, data: Data, ring: Ring, scratch: Path) -> Fit:
    """Learns from the training rows of all hosts; to be called on all of them. The booster is the same on each."""
    sample, complete = _sample(data, ring)
    prepared = prepare(task, sample)
    if not complete:
        prepared = replace(prepared, features=_with_ranges(prepared.features, data, ring))
    calibration = data.held.where(data.held_codes == CALIBRATION)
    rows, base_rate = _training_rows(task, data, ring)
    chosen = plan(task, prepared.matrix, sample.label, all_columns(prepared.matrix), rows, task.threads)
    watched = (prepared.training.preparer.prepare(calibration.table), calibration.label)
    checkpoints = checkpoints_of(job, data)
    report = print_loss("calibration", chosen.settings.loss) if ring.first else silent
    if data.rows.in_memory:
        matrix, label = prepared.matrix, sample.label
        if not complete or ring.size > 1:
            mine = data.whole().where(data.codes[data.keys.usable] == TRAINING)
            matrix, label = prepared.training.prepare(mine.table, mine.group), mine.label
        boosted = fit_in_memory(task, chosen, matrix, label, watched, ring, checkpoints, report)
    else:
        boosted = fit_out_of_core(
            task, chosen, prepared.training, data.rows, data.keys, data.codes, watched, scratch, ring, checkpoints,
            report,
        )  # fmt: skip
    return Fit(chosen, prepared, boosted, rows, base_rate)


def _training_rows(task: Task, data: Data, ring: Ring) -> tuple[int, float | None]:
    """How many training rows all hosts have, and the share of positive ones (binary)."""
    label = data.keys.label[data.keys.usable & (data.codes == TRAINING)]
    count, total = np.sum(ring.gather_json([float(len(label)), float(label.sum())]), axis=0)
    return int(count), float(total / count) if task.target.task == "binary" else None


def _sample(data: Data, ring: Ring) -> tuple[Table, bool]:
    """Training rows of all hosts, the same table on each, and whether it is all of them."""
    training = data.keys.usable & (data.codes == TRAINING)
    total = int(sum(ring.gather_json(int(training.sum()))))
    most = SAMPLE_ALONE if ring.size == 1 else SAMPLE_TOGETHER
    if total > most:
        random = np.random.default_rng([7, ring.rank]).random(len(training))
        training = training & (random < most / total)
    parts, start = [], 0
    for batch in data.rows.batches(needed(data.manifest)):
        chosen = training[start : start + batch.num_rows]
        if chosen.any():
            parts.append(batch if chosen.all() else batch.filter(pa.array(chosen)))
        start += batch.num_rows
    local = pa.concat_tables(parts) if parts else data.held.table.slice(0, 0)
    label = np.frombuffer(b"".join(ring.gather(data.keys.label[training].tobytes())), np.float64)
    group = np.frombuffer(b"".join(ring.gather(data.keys.group[training].tobytes())), np.uint64)
    return Table(ring.gather_table(local), label, group), total <= most


def _with_ranges(features: tuple[Feature, ...], data: Data, ring: Ring) -> tuple[Feature, ...]:
    """Minimum and maximum over all training rows, not the sample's only."""
    numeric = [feature for feature in features if feature.type in NUMERIC_TYPES]
    found: list[list[tuple[float | None, float | None]]] = [[] for _ in numeric]
    start = 0
    for batch in data.rows.batches([feature.name for feature in numeric]):
        chosen = data.codes[start : start + batch.num_rows] == TRAINING
        start += batch.num_rows
        for ranges, column in zip(found, read_columns(numeric, batch), strict=True):
            known = column[chosen & np.isfinite(column)]
            if len(known):
                ranges.append((float(known.min()), float(known.max())))
    gathered = ring.gather_json(found)
    by_name = {f.name: [pair for host in gathered for pair in host[i]] for i, f in enumerate(numeric)}
    return tuple(widen(feature, by_name.get(feature.name, [])) for feature in features)


def judge_held_out(job: Job, task: Task, data: Data, fit: Fit) -> Result:
    """Last steps from the calibration rows, every number from the judging rows. For the first host alone."""
    kind, classes = task.target.task, len(task.target.classes)
    preparer = Preparer(fit.prepared.features, fit.prepared.training.preparer.preparation)
    matrix = fit.plan.take(preparer.prepare(data.held.table))
    output = outputs(fit.boosted.booster, matrix, kind)
    calibrating, judging = data.held_codes == CALIBRATION, data.held_codes == JUDGING
    steps = learn_last_steps(kind, output[calibrating], data.held.label[calibrating], job.parameters)
    judged = judge(kind, output[judging], data.held.label[judging], steps)
    fitted = Fitted(fit.boosted.booster, tuple(fit.plan.columns.tolist()), steps, fit.plan.settings, fit.base_rate)
    sample = fit.prepared.sample
    some = spread(sample.rows, TRAIN_METRIC_ROWS)
    learned = fit.plan.take(preparer.prepare(sample.table.take(pa.array(some))))
    known = judge(kind, outputs(fitted.booster, learned, kind), sample.label[some], steps)
    judged_rows, judged_matrix = data.held.where(judging).table, matrix[judging]
    with ThreadPoolExecutor(1) as beside:
        # XGBoost computes outside of Python's lock; what follows has no other use for the booster.
        importance = beside.submit(importances_of, fitted, judged_matrix, preparer, task.threads)
        parts = [(learned, sample.label[some], judged_matrix, judged.outcome)]
        linear = baselines(kind, parts, classes, job.parameters.seed)
        shift = drift(fit.prepared.features, sample.table, judged_rows)
        validation, train = metrics_of(kind, judged, classes), metrics_of(kind, known, classes)
        # The report's figures need it a moment later.
        importlib.import_module("training_image.report.figures")
    evidence = Evidence(
        validation=validation,
        train=train,
        baselines=linear,
        importance=importance.result(),
        drift=shift,
        coverage=coverage_of(judged, job.parameters.interval.coverage),
        rows={
            "train": fit.rows,
            "calibration": int(calibrating.sum()),
            "validation": int(judging.sum()),
            "dropped_without_label": data.dropped,
            "held_out_unused": data.unused,
            "split": data.strategy,
        },
    )
    return Result(task.target, preparer, fitted, evidence, judged_rows, judged, fit.boosted.losses, fit.rows)


def all_rows(data: Data, ring: Ring) -> Table:
    """The labelled rows of all hosts, the same table on each."""
    mine = data.whole()
    label = np.frombuffer(b"".join(ring.gather(mine.label.tobytes())), np.float64)
    group = np.frombuffer(b"".join(ring.gather(mine.group.tobytes())), np.uint64)
    return Table(ring.gather_table(mine.table), label, group)
