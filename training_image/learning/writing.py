"""What a job leaves: the model's files, metrics, the rows it was judged on, printed lines for metric definitions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost

from training_image.artefact import BOOSTER, MANIFEST, METRICS, REPORT, Head, ModelManifest, dump
from training_image.artefact import ChannelManifest as Channel
from training_image.evaluation.judging import Judged
from training_image.learning.result import Evidence, Result
from training_image.learning.targets import Target
from training_image.prediction import arrow_type, lists
from training_image.preparing import Preparer
from training_image.report.page import render

VALIDATION = "validation.parquet"


def metrics_document(evidence: Evidence) -> dict[str, Any]:
    """metrics.json: {"validation", "train", "baselines": {"majority", "logistic"}, "importance", "drift", ...}."""
    return {
        "validation": dict(evidence.validation),
        "train": dict(evidence.train),
        "baselines": {name: dict(found) for name, found in evidence.baselines.items()},
        "importance": dict(evidence.importance),
        "drift": dict(evidence.drift),
        "rows": dict(evidence.rows),
        "coverage": dict(evidence.coverage),
    }


def print_metrics(evidence: Evidence) -> None:
    """Lines like `validation-auc:0.8123`, and `baseline-auc:` of the linear baseline."""
    sets: dict[str, Mapping[str, float]] = {"validation": evidence.validation, "train": evidence.train}
    sets |= {"baseline": evidence.baselines.get("logistic", {}), "majority": evidence.baselines.get("majority", {})}
    for name, metrics in sets.items():
        for metric, value in metrics.items():
            print(f"{name}-{metric}:{value:.6f}", flush=True)
    if "measured" in evidence.coverage:
        print(f"validation-coverage:{evidence.coverage['measured']:.6f}", flush=True)


def model_manifest(
    channel: Channel, target: Target, preparer: Preparer, heads: tuple[Head, ...], rows: int
) -> ModelManifest:
    return ModelManifest(
        pipeline=channel.pipeline,
        ds=channel.ds,
        fingerprint=channel.fingerprint,
        task=target.task,
        label=target.label,
        label_type=target.type,
        classes=target.classes,
        values=target.values,
        features=preparer.features,
        preparation=preparer.preparation,
        prepared=preparer.names,
        heads=heads,
        rows=rows,
        xgboost=xgboost.__version__,
    )


def booster_bytes(booster: xgboost.Booster) -> bytes:
    """XGBoost's binary JSON, without the notes that depend on how training went."""
    for name in booster.attributes():
        booster.set_attr(**{name: None})
    return bytes(booster.save_raw("ubj"))


def write_result(result: Result, channel: Channel, parameters: Mapping[str, Any], model: Path, output: Path) -> None:
    """A model with one head: model.json, model.ubj, metrics.json, report.html; the latter two in `output` as well."""
    head = result.fitted.head(BOOSTER, result.evidence.validation, result.evidence.coverage["measured"])
    manifest = model_manifest(channel, result.target, result.preparer, (head,), result.rows)
    write_file(model / BOOSTER, booster_bytes(result.fitted.booster))
    write_file(model / MANIFEST, dump(manifest))
    document = metrics_document(result.evidence)
    report = render(manifest, document, parameters, result.judged, result.losses)
    write_evaluation(document, report, (model, output))
    predicted = prediction_columns(result.target, result.judged)
    write_validation(result.judged_rows, predicted, output)


def write_evaluation(document: Mapping[str, Any], report: str, folders: tuple[Path, ...]) -> None:
    for folder in folders:
        write_file(folder / METRICS, orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        write_file(folder / REPORT, report.encode())


def prediction_columns(target: Target, judged: Judged) -> pa.Table:
    """The columns that prediction.Model.predict gives, of the judged rows."""
    if target.task == "regression":
        columns: dict[str, Any] = {"predicted_label": pa.array(judged.predicted, pa.float64())}
    else:
        classes = pa.array(list(target.classes), arrow_type(target.type))
        columns = {
            "predicted_label": classes.take(pa.array(judged.predicted.astype(np.int64))),
            "probability": judged.probability,
        }
    if judged.probabilities is not None:
        columns["probabilities"] = lists(judged.probabilities)
    return pa.table({**columns, "lower": judged.lower, "upper": judged.upper})


def write_validation(rows: pa.Table, predicted: pa.Table, folder: Path) -> None:
    """Row, entity, time, features, label, then predictions. A column named like one of these becomes `input.<name>`."""
    names = [f"input.{name}" if name in predicted.column_names else name for name in rows.column_names]
    table = rows.rename_columns(names)
    for name in predicted.column_names:
        table = table.append_column(name, predicted[name])
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / VALIDATION, compression="zstd")


def write_file(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
