"""PSI against a slow reference, and what happens to columns that are hard to compare."""

from __future__ import annotations

import math
import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featuremill.monitoring import measuring, reading
from featuremill.monitoring.measuring import measure
from featuremill.sagemaker.scores import psi
from featuremill.warehouse.storage import Warehouse
from tests.monitoring.reference import psi_of_numbers, psi_of_sets, psi_of_texts
from tests.monitoring.tables import compared, stored

FLOATS = st.one_of(st.none(), st.sampled_from([0.0, 0.0, 0.0, 1.0, -2.5]), st.floats(-1e6, 1e6, allow_subnormal=False))
TEXTS = st.one_of(st.none(), st.sampled_from(["a", "a", "b", "ü", ""]), st.text("xyz", max_size=3))
SETS = st.one_of(st.none(), st.lists(st.sampled_from(["red", "blue", "x", "y"]), unique=True, max_size=3))


def sides(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[list[Any], list[Any]]]:
    one = st.lists(values, min_size=1, max_size=120)
    return st.tuples(one, one)


def found_psi(given_sides: tuple[list[Any], list[Any]], arrow: pa.DataType) -> float:
    with tempfile.TemporaryDirectory() as folder:
        found = compared(Path(folder), *(pa.array(side, arrow) for side in given_sides))
    assert found.psi is not None
    assert sum(found.shares) == pytest.approx(1) and sum(found.shares_reference) == pytest.approx(1)
    return found.psi


@settings(max_examples=40, deadline=None)
@given(sides(FLOATS))
def test_numbers_are_compared_as_the_reference_does_it(values: tuple[list[Any], list[Any]]) -> None:
    assert found_psi(values, pa.float64()) == pytest.approx(psi_of_numbers(*values), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(sides(TEXTS))
def test_texts_are_compared_as_the_reference_does_it(values: tuple[list[Any], list[Any]]) -> None:
    assert found_psi(values, pa.string()) == pytest.approx(psi_of_texts(*values), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(sides(SETS))
def test_sets_are_compared_as_the_reference_does_it(values: tuple[list[Any], list[Any]]) -> None:
    assert found_psi(values, pa.list_(pa.string())) == pytest.approx(psi_of_sets(*values), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(sides(FLOATS))
def test_a_column_is_not_shifted_from_itself(values: tuple[list[Any], list[Any]]) -> None:
    assert found_psi((values[0], list(reversed(values[0]))), pa.float64()) == 0


def numbers(count: int, mean: float = 0.0, seed: int = 1) -> list[float]:
    return [float(number) for number in np.random.default_rng(seed).normal(mean, 1, count)]


def test_a_moved_mean_is_seen_and_another_sample_is_not(tmp_path: Path) -> None:
    same = compared(tmp_path / "a", numbers(5_000), numbers(5_000, seed=2))
    moved = compared(tmp_path / "b", numbers(5_000), numbers(5_000, mean=0.6, seed=2))
    assert same.psi is not None and same.psi < 0.02 and not same.shifted(0.2)
    assert moved.psi is not None and moved.psi > 0.2 and moved.shifted(0.2)
    assert len(moved.bins) == 11 and moved.bins[-1] == "missing"


@pytest.mark.parametrize("rows", [10, 20, 50])
def test_tiny_tables_raise_no_false_alarms(tmp_path: Path, rows: int) -> None:
    """Their PSI is often far beyond 0.2 by chance."""
    warehouse = Warehouse(tmp_path)
    draws = np.random.default_rng(3)
    names = [f"x{number}" for number in range(300)]
    old, new = (stored(warehouse, pa.table({name: draws.normal(size=rows) for name in names})) for _ in range(2))
    found = measure(names, new, old)
    assert sum(one.shifted(0.2) for one in found) <= 3
    assert sum((one.psi or 0) >= 0.2 for one in found) > 20


def test_a_tiny_table_that_is_wholly_other_does(tmp_path: Path) -> None:
    found = compared(tmp_path, numbers(20), numbers(20, mean=50))
    assert found.shifted(0.2)


@pytest.mark.parametrize("after", [6.0, 4.0])
def test_a_constant_that_becomes_another_is_seen(tmp_path: Path, after: float) -> None:
    assert compared(tmp_path / "a", [5.0] * 100, [5.0] * 80).psi == 0
    assert compared(tmp_path / "b", [5.0] * 100, [after] * 80).shifted(0.2)


def test_a_column_that_is_mostly_one_value(tmp_path: Path) -> None:
    """The tail above it counts, though all tenths are that value."""
    before = [0] * 950 + [1] * 50
    assert compared(tmp_path, before, [0] * 600 + [1] * 400).shifted(0.2)


def test_values_that_go_missing_are_seen(tmp_path: Path) -> None:
    gone = compared(tmp_path / "a", numbers(200), pa.array([None] * 200, pa.float64()))
    assert gone.shifted(0.2) and (gone.missing, gone.missing_reference) == (1.0, 0.0)
    back = compared(tmp_path / "b", pa.array([None] * 200, pa.string()), ["a"] * 200)
    assert back.shifted(0.2) and (back.missing, back.missing_reference) == (0.0, 1.0)
    never = compared(tmp_path / "c", pa.array([None] * 200, pa.float64()), pa.array([None] * 90, pa.float64()))
    assert never.psi == 0 and never.missing == 1.0


def test_not_a_number_is_missing(tmp_path: Path) -> None:
    found = compared(tmp_path, numbers(100), [math.nan] * 100)
    assert found.missing == 1.0 and found.shifted(0.2)


def test_a_new_category_has_a_bin_of_its_own(tmp_path: Path) -> None:
    found = compared(tmp_path, ["a", "b"] * 500, ["a", "b", "new", "new"] * 250)
    assert found.bins == ("a", "b", "new", "other values", "missing")
    assert found.shifted(0.2) and found.shares[2] == 0.5 and found.shares_reference[2] == 0


def test_texts_that_are_all_different_do_not_shift(tmp_path: Path) -> None:
    found = compared(tmp_path, [f"name {n}" for n in range(3_000)], [f"other {n}" for n in range(3_000)])
    assert found.bins == ("other values", "missing") and found.psi == 0


def test_dates_and_times_are_shown_as_such(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=n % 40) for n in range(200)]
    found = compared(tmp_path / "a", pa.array(days, pa.date32()), pa.array(days, pa.date32()))
    assert found.kind == "date" and found.bins[0].startswith("up to 2024-01-0")
    moments = pa.array([datetime(2024, 1, 1, n % 24, tzinfo=UTC) for n in range(240)], pa.timestamp("us", "UTC"))
    found = compared(tmp_path / "b", moments, moments)
    assert found.kind == "timestamp" and "2024-01-01 02:00" in found.bins[0] and found.psi == 0


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([1, 2] * 50, pa.int32()), "numeric"),
        (pa.array([2**62, -(2**62)] * 50, pa.int64()), "numeric"),
        (pa.array([Decimal("1.50"), Decimal("2.50")] * 50, pa.decimal128(5, 2)), "numeric"),
        (pa.array([math.inf, -math.inf, 1.0] * 50), "numeric"),
        (pa.array([True, False] * 50), "categorical"),
        (pa.array(["a", "b"] * 50).dictionary_encode(), "categorical"),
        (pa.array([[1], [2]] * 50, pa.list_(pa.int64())), "set"),
    ],
)
def test_every_type_of_a_feature_is_compared(tmp_path: Path, values: pa.Array, kind: str) -> None:
    found = compared(tmp_path, values, values)
    assert (found.kind, found.psi, found.remark) == (kind, 0.0, "")


def test_columns_that_cannot_be_compared_say_why(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    struct = pa.array([{"a": 1}] * 30)
    old = stored(warehouse, pa.table({"kept": [1] * 30, "retyped": [1] * 30, "odd": struct}), ds="2024-02-01")
    new = stored(warehouse, pa.table({"kept": [1] * 30, "retyped": ["1"] * 30, "fresh": [1.5] * 30, "odd": struct}))
    found = {one.column: one for one in measure(["kept", "retyped", "fresh", "odd", "absent"], new, old)}
    assert list(found) == ["kept", "retyped", "fresh", "odd"]
    assert found["kept"].psi == 0 and found["kept"].remark == ""
    assert found["retyped"].remark == "it was int64 in snapshot of 2024-02-01, and is string now"
    assert found["fresh"].remark == "snapshot of 2024-02-01 has no such column"
    assert "is not compared" in found["odd"].remark
    assert [one.psi for one in found.values()] == [0, None, None, None]
    assert found["fresh"].missing == 0 and sum(found["fresh"].shares) == 1


def test_without_a_reference_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    (found,) = measure(["x"], stored(Warehouse(tmp_path), pa.table({"x": [1.0, None]})), None)
    assert (found.psi, found.remark, found.missing) == (None, "there is nothing to compare with", 0.5)
    assert not found.shifted(0.2)


def test_tables_without_rows(tmp_path: Path) -> None:
    empty = pa.array([], pa.float64())
    assert compared(tmp_path / "a", empty, numbers(10)).remark == "one of the two tables has no row"
    assert compared(tmp_path / "b", numbers(10), empty).psi is None
    assert compared(tmp_path / "c", empty, empty).psi is None


def test_samples_and_columns_are_taken_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are of all rows, whatever the bins were made of, and over all files."""
    monkeypatch.setattr(reading, "SAMPLE_ROWS", 700)
    monkeypatch.setattr(measuring, "COLUMNS_AT_ONCE", 2)
    warehouse = Warehouse(tmp_path)
    draws = np.random.default_rng(5)
    columns = {f"x{number}": draws.normal(size=5_000) for number in range(5)}
    text = pa.array(["rare" if number == 4_999 else "often" for number in range(5_000)])
    table = pa.table({**columns, "text": text})
    old = stored(warehouse, table.slice(0, 1_500), table.slice(1_500), ds="2024-02-01")
    new = stored(warehouse, table.slice(0, 4_000))
    found = {one.column: one for one in measure(table.column_names, new, old)}
    assert len(old.sample(["x0"])["x0"]) <= 700
    for name, values in columns.items():
        assert (found[name].rows, found[name].rows_reference) == (4_000, 5_000)
        assert found[name].psi == pytest.approx(_exact(values, values[:4_000], found[name].bins), abs=1e-4)
    assert found["text"].shares_reference == pytest.approx((4_999 / 5_000, 1 / 5_000, 0))


def _exact(before: Any, after: Any, bins: tuple[str, ...]) -> float:
    """From the cuts in the names, which have six digits."""
    cuts = [float(name.rpartition(" ")[2]) for name in bins[:-2]]
    shares = [np.bincount(np.searchsorted(cuts, side), minlength=len(cuts) + 1) / len(side) for side in (before, after)]
    return psi(shares[0], shares[1])
