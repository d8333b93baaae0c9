"""Few rows: each is judged by a model of other folds, and the model delivered learns from all of them. On one host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xgboost

from training_image.evaluation.baselines import baselines
from training_image.evaluation.importance import drift
from training_image.evaluation.judging import Judged, cross_judge, judge, learn_last_steps, outputs
from training_image.evaluation.metrics import metrics_of
from training_image.learning.boosting import Boosted, Checkpoints, StopSignal, cut
from training_image.learning.configuration import Job
from training_image.learning.data import Data, Table
from training_image.learning.fitting import Plan, Preparation, Task, fit_in_memory, max_bin, plan, prepare
from training_image.learning.matrices import in_memory_matrix
from training_image.learning.progress import checkpoints_of, print_loss
from training_image.learning.result import Evidence, Fitted, Result, coverage_of, importances_of
from training_image.learning.splitting import assign_folds
from training_image.learning.targets import Bools, Floats
from training_image.preparing import Matrix

Folds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FoldFit:
    """What was learned without a fold: `label` of the rows learned from; `held`: the fold's own rows, prepared."""

    plan: Plan
    prepared: Preparation
    boosted: Boosted
    label: Floats
    held: Matrix
    held_label: Floats


def train_folds(job: Job, task: Task, data: Data, everything: Table) -> Result:
    """Metrics, calibration, threshold and interval from out-of-fold predictions; the booster from all rows.

    After a stop signal the folds that are done judge, and the final booster is trained all the same: rows are few.
    """
    kind, parameters = task.target.task, job.parameters
    keys = replace(data.keys, label=everything.label, group=everything.group)
    fold = assign_folds(keys, task.target, parameters.split.folds)
    fits: list[FoldFit] = []
    for number in range(parameters.split.folds):
        if task.stop.set and fits:
            break
        fits.append(_fit_fold(task, everything, fold == number, checkpoints_of(job, data), number))
    best = [fit.boosted.rounds for fit in fits]
    done = fold < len(fits)
    output, outcome = _out_of_fold(task, fold, fits, best)[done], everything.label[done]
    judged = cross_judge(kind, output, outcome, _pairs(fold[done], len(fits)), parameters)
    steps = learn_last_steps(kind, output, outcome, parameters)
    prepared, chosen, boosted = _fit_all(task, everything, rounds_of(best))
    base_rate = float(everything.label.mean()) if kind == "binary" else None
    fitted = Fitted(boosted.booster, tuple(chosen.columns.tolist()), steps, chosen.settings, base_rate)
    matrix = chosen.take(prepared.training.preparer.prepare(everything.table))
    evidence = _evidence(job, task, data, everything, fold, fits, judged, fitted, prepared, matrix)
    return Result(
        target=task.target,
        preparer=prepared.training.preparer,
        fitted=fitted,
        evidence=evidence,
        judged_rows=everything.where(done).table,
        judged=judged,
        losses=fits[0].boosted.losses,
        rows=everything.rows,
    )


def rounds_of(best: Sequence[int]) -> int:
    return max(1, round(float(np.median(best))))


def _pairs(fold: Folds, count: int) -> list[tuple[Bools, Bools]]:
    """(rows to learn last steps from, rows to judge) for each fold. A single fold, after a stop, has no others."""
    if count == 1:
        return [(fold == 0, fold == 0)]
    return [(fold != number, fold == number) for number in range(count)]


def _fit_fold(task: Task, everything: Table, mine: Bools, checkpoints: Checkpoints, number: int) -> FoldFit:
    sample, held = everything.where(~mine), everything.where(mine)
    prepared = prepare(task, sample)
    chosen = plan(task, prepared.matrix, sample.label, all_columns(prepared.matrix), sample.rows, task.threads)
    held_matrix = prepared.training.preparer.prepare(held.table)
    boosted = fit_in_memory(
        task,
        chosen,
        prepared.matrix,
        sample.label,
        (held_matrix, held.label),
        checkpoints=replace(checkpoints, name=f"fold-{number}"),
        report=print_loss(f"fold-{number}", chosen.settings.loss),
    )
    return FoldFit(chosen, prepared, boosted, sample.label, held_matrix, held.label)


def _out_of_fold(task: Task, fold: Folds, fits: Sequence[FoldFit], best: Sequence[int]) -> Floats:
    """Each row by its fold's booster, with as many rounds as the *other* folds found best: its own would flatter."""
    kind = task.target.task
    width = (len(task.target.classes),) if kind == "multiclass" else ()
    found = np.zeros((len(fold), *width))
    for number, fit in enumerate(fits):
        others = [rounds for index, rounds in enumerate(best) if index != number] or best
        booster = cut(_with_rounds(task, fit, rounds_of(others)), rounds_of(others))
        found[fold == number] = outputs(booster, fit.plan.take(fit.held), kind)
    return found


def _with_rounds(task: Task, fit: FoldFit, rounds: int) -> xgboost.Booster:
    """The fold's booster, trained on where it ended before so many rounds."""
    booster, settings = fit.boosted.whole, fit.plan.settings
    more = rounds - booster.num_boosted_rounds()
    if more <= 0:
        return booster
    training = in_memory_matrix(fit.plan.batch(fit.prepared.matrix, fit.label), max_bin(fit.plan), task.threads)
    return xgboost.train(dict(settings.parameters), training, more, xgb_model=booster)


def _fit_all(task: Task, everything: Table, rounds: int) -> tuple[Preparation, Plan, Boosted]:
    prepared = prepare(task, everything)
    columns = all_columns(prepared.matrix)
    chosen = plan(task, prepared.matrix, everything.label, columns, everything.rows, task.threads)
    chosen = replace(chosen, settings=replace(chosen.settings, rounds=rounds))
    unstopped = replace(task, stop=StopSignal())
    return prepared, chosen, fit_in_memory(unstopped, chosen, prepared.matrix, everything.label, None)


def all_columns(matrix: Matrix) -> npt.NDArray[np.int64]:
    return np.arange(matrix.shape[1], dtype=np.int64)


def _evidence(
    job: Job,
    task: Task,
    data: Data,
    everything: Table,
    fold: Folds,
    fits: Sequence[FoldFit],
    judged: Judged,
    fitted: Fitted,
    prepared: Preparation,
    matrix: Matrix,
) -> Evidence:
    """`drift` is that of the first fold against the others: there are no later rows."""
    kind, classes = task.target.task, len(task.target.classes)
    known = judge(kind, outputs(fitted.booster, matrix, kind), everything.label, fitted.steps)
    parts = [(fit.plan.take(fit.prepared.matrix), fit.label, fit.plan.take(fit.held), fit.held_label) for fit in fits]
    first = fold == 0
    return Evidence(
        validation=metrics_of(kind, judged, classes),
        train=metrics_of(kind, known, classes),
        baselines=baselines(kind, parts, classes, job.parameters.seed),
        importance=importances_of(fitted, matrix, prepared.training.preparer, task.threads),
        drift=drift(prepared.features, everything.where(~first).table, everything.where(first).table),
        coverage=coverage_of(judged, job.parameters.interval.coverage),
        rows={
            "train": everything.rows,
            "calibration": len(judged.outcome),
            "validation": len(judged.outcome),
            "dropped_without_label": data.dropped,
            "held_out_unused": 0,
            "split": "folds",
        },
    )
