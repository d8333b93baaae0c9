"""What a `drift` partition found, as its manifest keeps it: enough for a run, a page or a message without its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import DRIFT, PREDICTIONS, SNAPSHOT


class DriftSummary(BaseModel):
    """`psi`: feature -> PSI, of those that could be compared; `prediction_psi` likewise of the predictions' column.

    `shifted` names the features beyond the limit, the furthest first. `reference_table` and `reference_ds` say what the
    snapshot was compared with, None if there was nothing. `model_fingerprint` tells the model that was live.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: float
    psi: dict[str, float]
    prediction_psi: dict[str, float] = {}
    shifted: tuple[str, ...] = ()
    prediction_shifted: bool = False
    reference_table: str | None = None
    reference_ds: str | None = None
    model_version: str | None = None
    model_fingerprint: str | None = None

    @property
    def alarms(self) -> frozenset[str]:
        """What is beyond the limit: names of features, and `predictions`."""
        return frozenset(self.shifted) | ({PREDICTIONS} if self.prediction_shifted else frozenset())

    def text(self) -> str:
        """`3 of 17 features shifted, most amount (PSI 0.41); the predictions too (0.3)`."""
        parts = []
        if self.psi:
            name, psi = max(self.psi.items(), key=lambda item: item[1])
            furthest = f", {'most' if self.shifted else 'at most'} {name} (PSI {psi:.2g})" if psi else ""
            parts.append(f"{len(self.shifted)} of {len(self.psi)} features shifted{furthest}")
        if self.prediction_shifted:
            also = "the predictions too" if self.shifted else "the predictions shifted"
            parts.append(f"{also} ({max(self.prediction_psi.values()):.2g})")
        return "; ".join(parts) or "nothing to compare with"


def summary_of(
    rows: Sequence[Mapping[str, Any]], limit: float, model_version: str | None, model_fingerprint: str | None
) -> DriftSummary:
    """Of the rows of a `drift` table."""
    compared = sorted((row for row in rows if row["psi"] is not None), key=lambda row: -row["psi"])
    reference = next((row for row in rows if row["of_table"] == SNAPSHOT), {})
    return DriftSummary(
        limit=limit,
        psi={row["feature"]: row["psi"] for row in compared if row["of_table"] == SNAPSHOT},
        prediction_psi={row["feature"]: row["psi"] for row in compared if row["of_table"] != SNAPSHOT},
        shifted=tuple(row["feature"] for row in compared if row["shifted"] and row["of_table"] == SNAPSHOT),
        prediction_shifted=any(row["shifted"] and row["of_table"] != SNAPSHOT for row in compared),
        reference_table=reference.get("reference_table"),
        reference_ds=reference.get("reference_ds"),
        model_version=model_version,
        model_fingerprint=model_fingerprint,
    )


def read_summary(manifest: Manifest) -> DriftSummary | None:
    """None for a partition that another version made."""
    try:
        return DriftSummary.model_validate(manifest.details)
    except ValidationError:
        return None


def summaries_of_day(warehouse: Warehouse, pipeline: str, ds: str) -> list[tuple[Manifest, DriftSummary]]:
    """What was measured for a day, the last measurement first."""
    manifests = warehouse.manifests_of_day(pipeline, DRIFT, ds)
    return [(one, found) for one in reversed(manifests) if (found := read_summary(one)) is not None]
