"""report.html: one self-contained page about a model, its data and its numbers. Equal models give equal bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from training_image.artefact import ModelManifest
from training_image.evaluation.judging import Judged

MAX_CLASSES_SHOWN = 40
HIGHER_IS_BETTER = ("auc", "pr_auc", "accuracy", "precision", "recall", "f1", "r2")
NAMES = {
    "auc": "ROC AUC",
    "pr_auc": "average precision",
    "logloss": "log loss",
    "brier": "Brier score",
    "ece": "expected calibration error",
    "f1": "F1",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "r2": "R²",
}


@dataclass(frozen=True)
class Row:
    """A metric: the model's on held-out and on training rows, the baselines', and whether the model is the best."""

    name: str
    validation: float | None
    train: float | None
    logistic: float | None
    majority: float | None
    best: bool | None


@dataclass(frozen=True)
class Picture:
    title: str
    note: str
    svg: Markup


def render(
    manifest: ModelManifest,
    document: Mapping[str, Any],
    parameters: Mapping[str, Any],
    judged: Judged,
    losses: Sequence[float],
) -> str:
    """The page. `document`: metrics.json; `parameters`: the hyperparameters; `losses`: by round, may be empty."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape(), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = number
    template = environment.get_template("page.html")
    return template.render(
        manifest=manifest,
        document=document,
        metrics=_rows(document),
        pictures=_pictures(manifest, document, judged, losses),
        parameters=_flat(parameters),
        features=_features(manifest, document),
        head=manifest.heads[0] if manifest.heads else None,
        submodels=document.get("submodels", {}),
    )


def number(value: float | None) -> str:
    """Four significant digits; whole numbers with separators; a dash for none."""
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"


def _rows(document: Mapping[str, Any]) -> list[Row]:
    linear = document["baselines"].get("logistic", {})
    constant = document["baselines"].get("majority", {})
    rows = []
    for name, value in document["validation"].items():
        others = [each[name] for each in (linear, constant) if name in each]
        sign = 1 if name in HIGHER_IS_BETTER else -1
        best = all(sign * value > sign * other for other in others) if others else None
        train = document["train"].get(name)
        rows.append(Row(NAMES.get(name, name), value, train, linear.get(name), constant.get(name), best))
    return rows


def _features(manifest: ModelManifest, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """By importance."""
    importance, shift = document["importance"], document["drift"]
    found = []
    for feature in manifest.features:
        if feature.minimum is not None and feature.maximum is not None:
            values = f"{number(feature.minimum)} to {number(feature.maximum)}"
        elif feature.labels:
            values = ", ".join(feature.labels[:6]) + (f" … ({len(feature.labels)})" if len(feature.labels) > 6 else "")
        else:
            values = (
                "–" if feature.labels == () or feature.type not in ("string", "array<string>") else "over 1,000 labels"
            )
        found.append(
            {
                "name": feature.name,
                "type": feature.type,
                "description": feature.description or "",
                "values": values,
                "importance": importance.get(feature.name, 0.0),
                "drift": shift.get(feature.name, 0.0),
            }
        )
    return sorted(found, key=lambda each: (-each["importance"], each["name"]))


def _flat(parameters: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Nested settings as dotted names; empty ones are left out."""
    found: list[tuple[str, str]] = []
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{name}.")
        elif value is not None:
            found.append((before + name, str(value)))
    return found


def _pictures(
    manifest: ModelManifest, document: Mapping[str, Any], judged: Judged, losses: Sequence[float]
) -> list[Picture]:
    from training_image.report import figures

    found: list[Picture] = []

    def add(title: str, note: str, svg: str) -> None:
        found.append(Picture(title, note, Markup(svg)))

    threshold = manifest.heads[0].threshold if manifest.heads else None
    pooled = " All pairs of row and label value together." if manifest.task == "one_vs_rest" else ""
    both = 0 < float((judged.outcome == 1).sum()) < len(judged.outcome)
    if manifest.task in ("binary", "one_vs_rest"):
        if both:
            add("ROC", "How many positives are found at what cost of false alarms." + pooled,
                figures.roc(judged, threshold))  # fmt: skip
            add("Precision and recall", "How many of the alarms are right." + pooled,
                figures.precision_recall(judged, threshold))  # fmt: skip
        classes = [str(each) for each in manifest.classes] or ["without", "with"]
        add("Confusion at the threshold", "Rows by what came and what was predicted." + pooled,
            figures.confusion(judged, classes))  # fmt: skip
    if manifest.task == "multiclass" and len(manifest.classes) <= MAX_CLASSES_SHOWN:
        add("Confusion", "Rows by what came and what was predicted.",
            figures.confusion(judged, [str(each) for each in manifest.classes]))  # fmt: skip
    if judged.probability is not None:
        add(
            "Calibration",
            "Whether what is said to come with 10% comes in one case of ten.",
            figures.calibration(judged),
        )
    else:
        add(
            "Predicted and came",
            "On the dotted line the prediction was right.",
            figures.predicted_against_outcome(judged),
        )
        add("Errors", "What the prediction missed.", figures.residuals(judged))
    if losses:
        add("Learning", "The loss on rows the booster did not learn from.",
            figures.loss_by_round(losses, int(np.argmin(losses)) + 1))  # fmt: skip
    if document["importance"]:
        add("What the model goes by", "Mean absolute TreeSHAP contribution of each feature.",
            figures.bars(document["importance"], "mean |contribution|"))  # fmt: skip
    if document["drift"]:
        add("Drift", "Population stability index, held-out against training rows; beyond 0.25 much has changed.",
            figures.bars(document["drift"], "PSI", limits=(0.1, 0.25)))  # fmt: skip
    return found
