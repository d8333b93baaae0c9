"""What the last checks of a pipeline's sources found, from the outcomes kept under `<state>/quality`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_OUTCOME = "outcome.json"
_FAILURES_SHOWN = 20


def quality(state: Path, pipeline: str) -> dict[str, Any] | None:
    """The newest outcome of each source; None if nothing was ever checked to its end.

    {"passed", "total": expectations of all sources, "sources": [{"source", "ds", "checked_at", "passed", "total",
    "failures": [{"expectation", "columns", "observed"}]}]}
    """
    sources = [found for folder in _folders(state / "quality" / pipeline) if (found := _newest(folder)) is not None]
    if not sources:
        return None
    return {
        "passed": sum(source["passed"] for source in sources),
        "total": sum(source["total"] for source in sources),
        "sources": sources,
    }


def _newest(folder: Path) -> dict[str, Any] | None:
    """The last outcome of the newest day that has one; those before are of rows or expectations that are no more."""
    for day in sorted(_folders(folder), reverse=True):
        outcomes = []
        for run in _folders(day):
            try:
                outcomes.append(((run / _OUTCOME).stat().st_mtime, run / _OUTCOME))
            except OSError:
                continue
        for written, path in sorted(outcomes, reverse=True):
            found = _outcome(path)
            if found is not None:
                checked = datetime.fromtimestamp(int(written), UTC).isoformat().replace("+00:00", "Z")
                return {"source": folder.name, "ds": day.name.removeprefix("ds="), "checked_at": checked} | found
    return None


def _outcome(path: Path) -> dict[str, Any] | None:
    try:
        outcomes = json.loads(path.read_bytes())["outcomes"]
        failed = [outcome for outcome in outcomes if not outcome["success"]]
        failures = [
            {
                "expectation": outcome["name"],
                "columns": _columns(outcome.get("arguments") or {}),
                "observed": outcome.get("observed"),
            }
            for outcome in failed[:_FAILURES_SHOWN]
        ]
        return {"passed": len(outcomes) - len(failed), "total": len(outcomes), "failures": failures}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _columns(arguments: dict[str, Any]) -> list[str]:
    columns = [arguments[key] for key in ("column", "column_A", "column_B") if key in arguments]
    return [str(column) for column in [*columns, *(arguments.get("column_list") or [])]]


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []
