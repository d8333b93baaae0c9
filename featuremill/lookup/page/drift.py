"""How far the day that is served has shifted, as the monitor measured it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featuremill.errors import FeaturemillError
from featuremill.lookup.store.manifest import StoreManifest

if TYPE_CHECKING:
    from featuremill.monitoring.summary import DriftSummary


def measured_drift(root: str, served: StoreManifest) -> DriftSummary | None:
    """What was measured of the very tables that are served; None if nothing was, or the warehouse cannot be read.

    Reads manifests only.
    """
    # The warehouse's libraries are loaded once the page is asked for: plain lookups do without.
    from featuremill.monitoring.summary import summaries_of_day
    from featuremill.warehouse.storage import Warehouse

    wanted = {f"snapshot@{served.ds}": served.snapshot}
    if served.predictions is not None:
        wanted[f"predictions@{served.ds}"] = served.predictions
    try:
        found = summaries_of_day(Warehouse(root), served.pipeline, served.ds)
    except FeaturemillError:
        return None
    return next((drift for manifest, drift in found if wanted.items() <= manifest.inputs.items() and drift.psi), None)


def drift_document(drift: DriftSummary) -> dict[str, Any]:
    """How many features shifted, the furthest, and what they were compared with."""
    name, psi = max(drift.psi.items(), key=lambda entry: entry[1])
    return {
        "limit": drift.limit,
        "features": len(drift.psi),
        "shifted": len(drift.shifted),
        "furthest": {"feature": name, "psi": psi},
        "predictions": max(drift.prediction_psi.values(), default=None),
        "predictions_shifted": drift.prediction_shifted,
        "reference": {"table": drift.reference_table, "ds": drift.reference_ds},
    }
