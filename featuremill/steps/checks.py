"""The outcomes of expectations, kept by the fingerprint of the rows and the expectations they belong to."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from featuremill.steps.graph import Step
from featuremill.steps.jobs import QualityReport

_OUTCOME = "outcome.json"


def results_folder(state: Path, pipeline: str, step: Step) -> Path:
    """Where the results and the Data Docs of one check are kept."""
    return state / "quality" / pipeline / str(step.source) / f"ds={step.ds}" / str(step.fingerprint)


def find_outcome(state: Path, pipeline: str, step: Step) -> QualityReport | None:
    """The outcome of a check, None if it was never made to its end."""
    try:
        return QualityReport.model_validate_json((results_folder(state, pipeline, step) / _OUTCOME).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def keep_outcome(state: Path, pipeline: str, step: Step, report: QualityReport) -> None:
    """Write the outcome down, last: what has an outcome was checked to its end."""
    folder = results_folder(state, pipeline, step)
    unfinished = folder / f".{_OUTCOME}"
    unfinished.write_text(report.model_dump_json(indent=1) + "\n")
    unfinished.replace(folder / _OUTCOME)
