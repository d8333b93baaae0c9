"""Writes the submodels of one_vs_rest: each host its own files, the first host what is about all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training_image.artefact import MANIFEST, dump, submodel_files
from training_image.evaluation.importance import drift, spread
from training_image.evaluation.judging import Judged
from training_image.learning.collective import Ring
from training_image.learning.configuration import Job
from training_image.learning.data import Data
from training_image.learning.result import Evidence
from training_image.learning.submodels import Shared, Submodel
from training_image.learning.targets import Floats
from training_image.learning.writing import (
    metrics_document,
    model_manifest,
    print_metrics,
    write_evaluation,
    write_file,
    write_validation,
)
from training_image.prediction import lists
from training_image.report.page import render

REPORT_ROWS = 200_000


def write_submodels(job: Job, data: Data, shared: Shared, mine: Sequence[Submodel], ring: Ring) -> None:
    """To be called on all hosts. Submodels are numbered by value; after a stop, those that are done."""
    facts = [_facts(submodel) for submodel in mine]
    every = sorted((fact for host in ring.gather_json(facts) for fact in host), key=lambda fact: int(fact["index"]))
    if not every:
        print("Stopped before the first submodel was done: there is no model.", flush=True)
        return
    position = {fact["index"]: new for new, fact in enumerate(every)}
    model = job.folders.model
    for submodel in mine:
        booster, head = submodel_files(position[submodel.index])
        write_file(model / booster, submodel.booster)
        covered = float(submodel.judged.covered.mean())
        write_file(model / head, dump(submodel.fitted.head(booster, submodel.metrics, covered, submodel.value)))
    judged = _gather_judged(mine, shared.rows.rows, position, ring)
    if not ring.first:
        return
    target = replace(data.target, values=tuple(fact["value"] for fact in every))
    manifest = model_manifest(data.manifest, target, shared.preparer, (), shared.rows.rows)
    write_file(model / MANIFEST, dump(manifest))
    evidence = _evidence(job, data, shared, every)
    print_metrics(evidence)
    document = metrics_document(evidence) | {"submodels": {fact["value"]: fact["metrics"] for fact in every}}
    members = shared.members[:, [fact["index"] for fact in every]]
    report = render(
        manifest, document, job.parameters.model_dump(mode="json", exclude_none=True), _pooled(members, judged), []
    )
    write_evaluation(document, report, (model, job.folders.output))
    write_validation(shared.rows.table, _prediction_columns(target.values, judged), job.folders.output)


def _facts(submodel: Submodel) -> dict[str, Any]:
    return {
        "index": submodel.index,
        "value": submodel.value,
        "metrics": submodel.metrics,
        "baselines": submodel.baselines,
        "importance": submodel.importance,
        "covered": float(submodel.judged.covered.mean()),
    }


def _gather_judged(mine: Sequence[Submodel], rows: int, position: Mapping[int, int], ring: Ring) -> Floats:
    """[predicted, probability, lower, upper] of all submodels: [4, rows, values]."""
    own = np.empty((len(mine), 4, rows))
    for place, submodel in enumerate(mine):
        judged = submodel.judged
        assert judged.probability is not None
        own[place] = judged.predicted, judged.probability, judged.lower, judged.upper
    places = ring.gather_json([position[submodel.index] for submodel in mine])
    blocks = [np.frombuffer(data).reshape(-1, 4, rows) for data in ring.gather(own.tobytes())]
    whole = np.empty((4, rows, len(position)))
    for host, block in zip(places, blocks, strict=True):
        for place, values in zip(host, block, strict=True):
            whole[:, :, place] = values
    return whole


def _evidence(job: Job, data: Data, shared: Shared, every: Sequence[Mapping[str, Any]]) -> Evidence:
    """Metrics are means over the submodels (macro)."""
    first = shared.fold == 0
    coverage = float(np.mean([fact["covered"] for fact in every]))
    importance = _mean([fact["importance"] for fact in every])
    return Evidence(
        validation=_mean([fact["metrics"] for fact in every]),
        train={},
        baselines={name: _mean([fact["baselines"][name] for fact in every]) for name in ("majority", "logistic")},
        importance=dict(sorted(importance.items(), key=lambda pair: (-pair[1], pair[0]))),
        drift=drift(shared.preparer.features, shared.rows.where(~first).table, shared.rows.where(first).table),
        coverage={"stated": job.parameters.interval.coverage, "measured": coverage},
        rows={
            "train": shared.rows.rows,
            "calibration": shared.rows.rows,
            "validation": shared.rows.rows,
            "dropped_without_label": data.dropped,
            "held_out_unused": 0,
            "submodels": len(every),
            "split": "folds",
        },
    )


def _mean(every: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """By name, over those that have it."""
    names = sorted({name for each in every for name in each})
    return {name: float(np.mean([each[name] for each in every if name in each])) for name in names}


def _pooled(members: npt.NDArray[np.float32], judged: Floats) -> Judged:
    """All pairs of row and value as rows of one binary task, at most REPORT_ROWS of them."""
    some = spread(members.size, REPORT_ROWS)
    predicted, probability, lower, upper = (each.ravel()[some] for each in judged)
    return Judged(members.ravel()[some].astype(np.float64), predicted, probability, None, lower, upper)


def _prediction_columns(values: Sequence[str], judged: Floats) -> pa.Table:
    predicted, probability, lower, upper = judged
    names = np.array(values, object)
    return pa.table(
        {
            "labels": pa.array([list(values)] * len(predicted), pa.list_(pa.string())),
            "probabilities": lists(probability),
            "lower": lists(lower),
            "upper": lists(upper),
            "predicted_label": pa.array([names[row == 1].tolist() for row in predicted], pa.list_(pa.string())),
        }
    )
