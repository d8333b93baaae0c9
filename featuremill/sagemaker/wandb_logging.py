"""Weights & Biases: each training as a run, for teams that look at models there.

Nothing is needed for it and nothing happens without it: it is used if WANDB_API_KEY is set, or WANDB_MODE is `offline`,
and the package `wandb` is installed. A failure of theirs is a warning, never a failure of a run.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from featuremill.sagemaker.gate import Verdict
from featuremill.sagemaker.metric_tables import measured
from featuremill.sagemaker.records import ModelVersion

PROJECT = "WANDB_PROJECT"


def is_wanted(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the user asked for it."""
    variables = os.environ if environment is None else environment
    mode = variables.get("WANDB_MODE", "")
    return mode != "disabled" and (bool(variables.get("WANDB_API_KEY")) or mode == "offline")


def log_model(
    model: ModelVersion, verdict: Verdict | None, report: Path | None = None, folder: Path | None = None
) -> str | None:
    """Log a model's settings, metrics, verdict and report; the run's name, or None if nothing was logged.

    The run is named as the model is, so logging a model twice updates one run. `folder`: for the files of offline runs.
    Warns if it is asked for and cannot be done.
    """
    if not is_wanted():
        return None
    try:
        wandb = importlib.import_module("wandb")
    except ImportError:
        warnings.warn(
            "WANDB_API_KEY or WANDB_MODE=offline is set but the package wandb is not installed, so nothing is logged "
            "there; pip install wandb, or unset the variable",
            stacklevel=2,
        )
        return None
    try:
        return _log(wandb, model, verdict, report, folder)
    except Exception as error:  # any failure of a service that only looks on
        warnings.warn(f"{model.version} was not logged to Weights & Biases: {error}", stacklevel=2)
        return None


def _log(wandb: Any, model: ModelVersion, verdict: Verdict | None, report: Path | None, folder: Path | None) -> str:
    run = wandb.init(
        project=os.environ.get(PROJECT, "featuremill"),
        id=model.version,
        name=model.version,
        group=model.pipeline,
        job_type="train",
        resume="allow",
        dir=str(folder) if folder else None,
        config={
            "pipeline": model.pipeline,
            "ds": model.ds,
            "task": model.task,
            "fingerprint": model.fingerprint,
            "data_fingerprint": model.data_fingerprint,
            "hyperparameters": model.request.get("HyperParameters", {}),
        },
        settings=wandb.Settings(silent=True, console="off"),
    )
    try:
        run.log({f"{dataset}/{metric}": value for dataset, metric, value in measured(model.metrics)})
        if verdict is not None:
            run.summary["accepted"] = verdict.passed
            run.summary["verdict"] = verdict.summary
        if report is not None and report.is_file():
            run.log({"report": wandb.Html(report.read_text(encoding="utf-8"), inject=False)})
    finally:
        run.finish()
    return model.version
