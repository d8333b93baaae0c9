"""The outcomes of expectations, kept by the fingerprint of the rows and the expectations they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from featuremill.steps.graph import Step
from featuremill.steps.jobs import QualityReport

OUTCOME = "outcome.json"


def results_folder(state: Path, pipeline: str, step: Step) -> Path:
    """Where the results and the Data Docs of one check are kept."""
    return state / "quality" / pipeline / str(step.source) / f"ds={step.ds}" / str(step.fingerprint)


def find_outcome(state: Path, pipeline: str, step: Step) -> QualityReport | None:
    """The outcome of a check, None if it was never made to its end."""
    try:
        return QualityReport.model_validate_json((results_folder(state, pipeline, step) / OUTCOME).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def keep_outcome(state: Path, pipeline: str, step: Step, report: QualityReport) -> None:
    """Write the outcome down, last: what has an outcome was checked to its end."""
    folder = results_folder(state, pipeline, step)
    unfinished = folder / f".{OUTCOME}"
    unfinished.write_text(report.model_dump_json(indent=1) + "\n")
    unfinished.replace(folder / OUTCOME)


def failed_message(report: QualityReport) -> str:
    """Which expectations failed, on which columns, what was seen, and where the page with the details is."""
    failed = [outcome for outcome in report.outcomes if not outcome.success]
    lines = [f"{len(failed)} of {len(report.outcomes)} expectations failed:"]
    lines += [f"  {outcome.name}{_about(outcome.arguments)}: {outcome.observed}" for outcome in failed]
    lines.append(f"Nothing was published. Mend the files or the expectations and run again; details: {report.docs}")
    return "\n".join(lines)


def _about(arguments: dict[str, Any]) -> str:
    columns = [arguments[key] for key in ("column", "column_A", "column_B") if key in arguments]
    columns += arguments.get("column_list") or []
    return f" ({', '.join(map(str, columns))})" if columns else ""
