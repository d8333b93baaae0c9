"""Whether drift makes a model due.

Drift trains once. If the live model's features or predictions were beyond the limit on an earlier day, the next run
trains. The new model brings a new reference, so the drift is gone. If the new model is not accepted, the old one stays
live and its drift stays too; training on it again would give much the same model, every day. So after a training that
did not replace the live model, drift trains again only once something shifted that had not shifted before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from featuremill.monitoring.summary import DriftSummary, summaries_of_day
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import DRIFT


def drift_reason(
    warehouse: Warehouse, pipeline: str, ds: str, live: tuple[str, str] | None, trained: Iterable[str]
) -> str | None:
    """Why drift makes a model due for `ds`, in words; None if it does not. Looks at earlier days only.

    `live`: day and fingerprint of the live model. `trained`: the days for which models were trained.
    """
    if live is None or live[0] >= ds:
        return None
    found = next(measurements(warehouse, pipeline, live, before=ds), None)
    if found is None or not found[1].alarms:
        return None
    day, drift = found
    attempts = [attempt for attempt in trained if live[0] < attempt < ds]
    if attempts:
        known: set[str] = set()
        for _, earlier in measurements(warehouse, pipeline, live, before=max(attempts)):
            known |= earlier.alarms
        if drift.alarms <= known:
            return None
    return f"drift on {day}: {drift.text()}"


def measurements(
    warehouse: Warehouse, pipeline: str, live: tuple[str, str], *, before: str
) -> Iterator[tuple[str, DriftSummary]]:
    """What was measured of a model on the days after its own and before another, the newest first, one a day."""
    for day in reversed(warehouse.days(pipeline, DRIFT)):
        if live[0] < day < before:
            of_day = (drift for _, drift in summaries_of_day(warehouse, pipeline, day))
            drift = next((one for one in of_day if one.model_fingerprint == live[1]), None)
            if drift is not None:
                yield day, drift
