"""one_vs_rest: a submodel a label value. Value i is trained by host i mod n; each host sees all rows.

A submodel's numbers do not depend on which host trains it, nor on the others, so that two hosts write the files that
one would. They are judged by folds. A Tags feature's column of the submodel's own value is left out, and its count of
values too: with all other values known it would tell whether the own one is in the set.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xgboost

from training_image.artefact import Categorical, Tags
from training_image.evaluation.baselines import baselines
from training_image.evaluation.importance import importances
from training_image.evaluation.judging import Judged, cross_judge, learn_last_steps, outputs
from training_image.evaluation.metrics import metrics_of
from training_image.learning.boosting import Boosted, Checkpoints, StopSignal, cut
from training_image.learning.configuration import Job
from training_image.learning.data import Data, Table
from training_image.learning.errors import UserError
from training_image.learning.fitting import Plan, Preparation, Task, fit_in_memory, plan, prepare
from training_image.learning.result import Fitted
from training_image.learning.selection import Columns
from training_image.learning.splitting import assign_folds
from training_image.learning.targets import Floats
from training_image.learning.writing import booster_bytes
from training_image.preparing import Matrix, Preparer, prepared_names

Folds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Submodel:
    """`judged`: all rows, each by a model of the other folds."""

    index: int
    value: str
    fitted: Fitted
    booster: bytes
    metrics: dict[str, float]
    judged: Judged
    baselines: dict[str, dict[str, float]]
    importance: dict[str, float]


@dataclass(frozen=True)
class Shared:
    """What all submodels of a job have in common: rows, memberships, folds, and what was prepared of each fold."""

    rows: Table
    members: npt.NDArray[np.float32]
    fold: Folds
    of_folds: tuple[Preparation, ...]
    held: tuple[Matrix, ...]
    final: Preparation

    @property
    def preparer(self) -> Preparer:
        return self.final.training.preparer


def check_hosts(job: Job) -> None:
    """Raises UserError if a host would see a part of the rows only."""
    kind = job.channels.get("train", {}).get("S3DistributionType", "FullyReplicated")
    if job.hosts.count > 1 and kind != "FullyReplicated":
        raise UserError(
            f"Task one_vs_rest on {job.hosts.count} hosts needs all rows on each of them, but channel train is {kind}; "
            "set its S3DataDistributionType to FullyReplicated."
        )


def share(task: Task, data: Data, job: Job) -> Shared:
    rows = data.whole()
    keys = replace(data.keys, label=rows.label, group=rows.group)
    fold = assign_folds(keys, task.target, job.parameters.split.folds)
    prepared = [prepare(task, rows.where(fold != number)) for number in range(job.parameters.split.folds)]
    held = [each.training.preparer.prepare(rows.where(fold == n).table) for n, each in enumerate(prepared)]
    members = task.target.membership(rows.table[task.target.label])
    return Shared(rows, members, fold, tuple(prepared), tuple(held), prepare(task, rows))


def train_submodels(job: Job, task: Task, shared: Shared, checkpoints: Checkpoints) -> list[Submodel]:
    """This host's submodels, by index. After a stop signal only those that were done, each of them whole."""
    mine = [i for i in range(len(task.target.values)) if i % job.hosts.count == job.hosts.index]
    single = replace(task, threads=1)

    def train(index: int) -> Submodel | None:
        return None if task.stop.set else _train_one(job, single, shared, index, checkpoints)

    # Small boosters gain nothing from threads of their own: one thread a submodel, several submodels at a time.
    with ThreadPoolExecutor(max(task.threads, 1)) as pool:
        return [each for each in pool.map(train, mine) if each is not None]


def _train_one(job: Job, task: Task, shared: Shared, index: int, checkpoints: Checkpoints) -> Submodel:
    value = task.target.values[index]
    outcome = shared.members[:, index].astype(np.float64)
    chosen = _plan(task, shared.final, outcome, value)
    kept = replace(checkpoints, name=f"submodel-{index:04d}")
    raw, numbers = kept.load()
    if raw:
        booster, output = xgboost.Booster(params={"nthread": 1}, model_file=bytearray(raw)), np.array(numbers)
    else:
        output, rounds = _by_folds(task, shared, outcome, value)
        settings = replace(chosen.settings, rounds=rounds)
        # A submodel that was begun is finished: the stop signal counts between submodels.
        unstopped = replace(task, stop=StopSignal())
        final = replace(chosen, settings=settings)
        booster = fit_in_memory(unstopped, final, shared.final.matrix, outcome, None).booster
        kept.save(booster, output.tolist())
    pairs = [(shared.fold != number, shared.fold == number) for number in range(len(shared.held))]
    judged = cross_judge("binary", output, outcome, pairs, job.parameters)
    steps = learn_last_steps("binary", output, outcome, job.parameters)
    metrics = metrics_of("binary", judged)
    fitted = Fitted(booster, tuple(chosen.columns.tolist()), steps, chosen.settings, float(outcome.mean()))
    shown = " ".join(f"{name}={metrics[name]:.4f}" for name in ("auc", "logloss") if name in metrics)
    print(f"submodel {index} {value}: {shown}", flush=True)
    return Submodel(
        index=index,
        value=value,
        fitted=fitted,
        booster=booster_bytes(booster),
        metrics=metrics,
        judged=judged,
        baselines=_baselines(job, task, shared, outcome, value),
        importance=importances(
            booster,
            chosen.take(shared.final.matrix),
            shared.preparer.feature_of[chosen.columns],
            [feature.name for feature in shared.preparer.features],
            1,
        ),
    )


def _by_folds(task: Task, shared: Shared, outcome: Floats, value: str) -> tuple[Floats, int]:
    """Margins of all rows, each by a booster of the other folds, and the rounds that a final booster should have."""
    unstopped = replace(task, stop=StopSignal())
    fits: list[tuple[Plan, Boosted]] = []
    for number, prepared in enumerate(shared.of_folds):
        learned, held = outcome[shared.fold != number], outcome[shared.fold == number]
        chosen = _plan(task, prepared, learned, value)
        watched = (shared.held[number], held)
        fits.append((chosen, fit_in_memory(unstopped, chosen, prepared.matrix, learned, watched)))
    best = [boosted.rounds for _, boosted in fits]
    output = np.zeros(len(outcome))
    for number, (chosen, boosted) in enumerate(fits):
        others = best[:number] + best[number + 1 :]
        rounds = min(max(1, round(float(np.median(others)))), boosted.whole.num_boosted_rounds())
        matrix = chosen.take(shared.held[number])
        output[shared.fold == number] = outputs(cut(boosted.whole, rounds), matrix, "binary")
    return output, max(1, round(float(np.median(best))))


def _plan(task: Task, prepared: Preparation, outcome: Floats, value: str) -> Plan:
    candidates = own_columns(prepared.training.preparer, value)
    return plan(task, prepared.matrix, outcome, candidates, len(outcome), 1)


def own_columns(preparer: Preparer, value: str) -> Columns:
    """The prepared columns that the submodel of `value` may see.

    Not: the value's own column and the count of Tags features, and the target encoding of other values.
    """
    found: list[int] = []
    start = 0
    for part in preparer.preparation:
        names = prepared_names(part)
        for position, name in enumerate(names):
            if isinstance(part, Tags):
                kept = position < len(part.values) and part.values[position] != value
            elif isinstance(part, Categorical) and part.encoding == "target":
                kept = name in (f"{part.feature} target {value}", f"{part.feature} is missing")
            else:
                kept = True
            if kept:
                found.append(start + position)
        start += len(names)
    return np.array(found, np.int64)


def _baselines(job: Job, task: Task, shared: Shared, outcome: Floats, value: str) -> dict[str, dict[str, float]]:
    """On the first fold alone: a linear model a fold and value would take longer than the boosters."""
    prepared = shared.of_folds[0]
    columns = own_columns(prepared.training.preparer, value)
    training, held = outcome[shared.fold != 0], outcome[shared.fold == 0]
    part = (prepared.matrix[:, columns], training, shared.held[0][:, columns], held)
    return baselines("binary", [part], 2, job.parameters.seed)
