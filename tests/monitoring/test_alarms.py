"""Drift trains once: not again for the same drift, never because of a later day or another model."""

from __future__ import annotations

from pathlib import Path

import pytest

from featuremill.monitoring.alarms import drift_reason
from featuremill.monitoring.summary import DriftSummary
from featuremill.warehouse.storage import Warehouse
from tests.monitoring.tables import keep_drift

LIVE = ("2024-01-01", "a" * 32)
D2, D3, D4, D5, D6 = (f"2024-01-0{day}" for day in range(2, 7))


def drift(*shifted: str, model: str = LIVE[1], predictions: bool = False) -> DriftSummary:
    psi = {name: 0.5 if name in shifted else 0.01 for name in ("x", "y", "z")}
    return DriftSummary(
        limit=0.2,
        psi=psi,
        prediction_psi={"probability": 0.3 if predictions else 0.0},
        shifted=shifted,
        prediction_shifted=predictions,
        reference_table="snapshot",
        reference_ds=LIVE[0],
        model_fingerprint=model,
    )


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def why(warehouse: Warehouse, ds: str, *trained: str, live: tuple[str, str] | None = LIVE) -> str | None:
    return drift_reason(warehouse, "risk", ds, live, [LIVE[0], *trained])


def test_the_run_after_the_shift_trains(warehouse: Warehouse) -> None:
    keep_drift(warehouse, D2, drift())
    keep_drift(warehouse, D3, drift("x", "z"))
    assert why(warehouse, D3) is None
    assert why(warehouse, D4) == f"drift on {D3}: 2 of 3 features shifted, most x (PSI 0.5)"


def test_shifted_predictions_are_reason_enough(warehouse: Warehouse) -> None:
    keep_drift(warehouse, D2, drift(predictions=True))
    said = why(warehouse, D3)
    assert said is not None and "0 of 3 features shifted" in said and "the predictions shifted (0.3)" in said


def test_drift_in_words() -> None:
    same = DriftSummary(limit=0.2, psi={"x": 0.0, "y": 0.0})
    assert same.text() == "0 of 2 features shifted"
    assert drift().text() == "0 of 3 features shifted, at most x (PSI 0.01)"
    assert drift("y", predictions=True).text() == (
        "1 of 3 features shifted, most y (PSI 0.5); the predictions too (0.3)"
    )


def test_drift_that_is_over_does_not(warehouse: Warehouse) -> None:
    keep_drift(warehouse, D2, drift("x"))
    keep_drift(warehouse, D3, drift())
    assert why(warehouse, D4) is None


def test_the_last_measurement_of_a_day_counts(warehouse: Warehouse) -> None:
    keep_drift(warehouse, D2, drift(model="b" * 32))
    keep_drift(warehouse, D2, drift("x"))
    assert why(warehouse, D3) is not None


def test_the_drift_of_another_model_does_not_count(warehouse: Warehouse) -> None:
    keep_drift(warehouse, D2, drift("x", model="b" * 32))
    assert why(warehouse, D3) is None
    assert why(warehouse, D3, live=None) is None


def test_a_model_that_was_not_accepted_is_not_trained_again_for_the_same_drift(warehouse: Warehouse) -> None:
    keep_drift(warehouse, D2, drift("x", "y"))
    assert why(warehouse, D3) is not None
    keep_drift(warehouse, D3, drift("x"))
    keep_drift(warehouse, D4, drift("x", "y"))
    assert [why(warehouse, day, D3) for day in (D4, D5, D6)] == [None, None, None]


def test_but_once_more_where_something_else_shifts(warehouse: Warehouse) -> None:
    keep_drift(warehouse, D2, drift("x"))
    keep_drift(warehouse, D3, drift("x", "y"))
    said = why(warehouse, D4, D3)
    assert said is not None and D3 in said
    keep_drift(warehouse, D4, drift("y"))
    assert why(warehouse, D5, D3, D4) is None, "x and y were known when the model of the fourth was trained"


def test_an_old_day_knows_nothing_of_later_drift(warehouse: Warehouse) -> None:
    keep_drift(warehouse, D5, drift("x"))
    assert [why(warehouse, day) for day in (LIVE[0], D2, D5)] == [None, None, None]
    assert why(warehouse, D6) is not None


def test_a_partition_of_another_version_is_passed_over(warehouse: Warehouse) -> None:
    keep_drift(warehouse, D2, drift("x"))
    (folder,) = (entry.name for entry in warehouse.store.entries(f"risk/drift/ds={D2}") if not entry.hidden)
    path = f"risk/drift/ds={D2}/{folder}/_manifest.json"
    content = (warehouse.store.read(path) or b"").replace(b'"shifted"', b'"moved"')
    warehouse.store.write(path, content)
    assert why(warehouse, D3) is None
