"""What a model's artefact says of it: how good it is, what it looks at, how its held-out rows differ."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}", re.ASCII)
_FOLDERS = ("model", "output")
DRIFT_LIMIT = 0.2
"""Of the PSI, where the pipeline file says nothing: from there on a distribution is commonly called shifted."""


def model_facts(state: Path, version: str | None) -> dict[str, Any] | None:
    """What is known of a model version; None if its artefact is not on this machine.

    {"version", "task", "label", "classes", "trained_ds", "rows", "threshold" (of the decision; binary only),
    "coverage" (of the interval, stated and measured), "validation", "logistic", "majority" (metric: value),
    "importance", "drift" (feature: number)}; what the artefact does not say is None or empty.
    """
    if version is None or not _VERSION.fullmatch(version):
        return None
    folder = state / "models" / version
    manifest, metrics = _read(folder, "model.json"), _read(folder, "metrics.json")
    if manifest is None and metrics is None:
        return None
    manifest, metrics = manifest or {}, metrics or {}
    baselines = _mapping(metrics.get("baselines"))
    heads = manifest.get("heads")
    head = heads[0] if isinstance(heads, list) and len(heads) == 1 and isinstance(heads[0], dict) else {}
    coverage = _numbers(metrics.get("coverage")) or {}
    return {
        "version": version,
        "task": manifest.get("task"),
        "label": manifest.get("label"),
        "classes": manifest.get("classes") or [],
        "trained_ds": manifest.get("ds"),
        "rows": manifest.get("rows"),
        "threshold": head.get("threshold"),
        "coverage": coverage or None,
        "validation": _numbers(metrics.get("validation")),
        "logistic": _numbers(baselines.get("logistic")),
        "majority": _numbers(baselines.get("majority")),
        "importance": _numbers(metrics.get("importance")),
        "drift": _numbers(metrics.get("drift")),
    }


def drift_summary(moved: dict[str, float], limit: float) -> dict[str, Any] | None:
    """How many features moved beyond the limit, the furthest first; None if nothing was measured."""
    if not moved:
        return None
    furthest = sorted(moved.items(), key=lambda entry: -entry[1])
    return {
        "limit": limit,
        "features": len(moved),
        "shifted": sum(psi >= limit for psi in moved.values()),
        "furthest": {"feature": furthest[0][0], "psi": furthest[0][1]},
    }


def _read(folder: Path, name: str) -> dict[str, Any] | None:
    for part in _FOLDERS:
        try:
            document = json.loads((folder / part / name).read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(document, dict):
            return document
    return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _numbers(value: Any) -> dict[str, float]:
    return {
        str(name): float(number)
        for name, number in _mapping(value).items()
        if isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
    }
