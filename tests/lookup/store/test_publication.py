"""Every value of every type comes out of a lookup as it is in the parquet files."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featuremill.errors import DataError, UsageError
from featuremill.lookup.publication import publish, rollback
from featuremill.lookup.publication.ranges import Group, boundaries, conditions
from featuremill.lookup.records import RecordFormat
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.settings import ServiceSettings
from featuremill.lookup.store import open_backend
from featuremill.spec.types import ColumnType
from featuremill.warehouse.storage import Warehouse
from tests.lookup.building import (
    AS_OF,
    DAY,
    MODEL,
    commit,
    pipeline_of,
    predictions_of,
    publish_simple,
    simple_rows,
    with_as_of,
)
from tests.lookup.rsgi import call

_UTC = pa.timestamp("us", tz="UTC")
_TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
_SCALARS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "flag": (pa.bool_(), st.booleans()),
    "whole": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "long": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "number": (pa.float64(), st.floats()),
    "text": (
        pa.string(),
        _TEXTS | st.sampled_from(["", "null", '"', "\\", "\n", "\x00", "\u2028", "a\x1fb", "%b", "%%"]),
    ),
    "day": (pa.date32(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "moment": (_UTC, _TIMES),
}


def _columns() -> dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]]:
    found = {name: (kind, st.none() | values) for name, (kind, values) in _SCALARS.items()}
    for name, (kind, values) in _SCALARS.items():
        found[f"{name}_list"] = (pa.list_(kind), st.none() | st.lists(st.none() | values, max_size=3))
    return found


def as_json(value: Any) -> Any:
    """What the answer must hold for a value read from parquet."""
    if isinstance(value, list):
        return [as_json(element) for element in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value.isoformat() if isinstance(value, date) else value


def parsed(value: Any, kind: pa.DataType) -> Any:
    """A value of an answer; times as moments, since they may be written in several ways."""
    if isinstance(value, list):
        return [parsed(element, kind.value_type) for element in value]
    if value is not None and pa.types.is_timestamp(kind):
        assert value.endswith("Z")
        return datetime.fromisoformat(value)
    return value


def same(one: Any, other: Any) -> bool:
    """Equal, of one type, and of one sign."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return type(one) is type(other) and bool(one == other)


def service_of(root: Path) -> Service:
    return Service(ServiceSettings(root=str(root)))


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_answers_equal_the_parquet_files(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("types")
    columns = _columns()
    ids = sorted(data.draw(st.sets(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6)))
    rows = [{n: data.draw(values) for n, (_, values) in columns.items()} for _ in ids]
    schema = pa.schema([("id", pa.int64()), *((name, kind) for name, (kind, _) in columns.items())])
    table = pa.Table.from_pylist([{"id": i} | row for i, row in zip(ids, rows, strict=True)], schema)
    warehouse = Warehouse(folder / "warehouse")
    snapshot = commit(warehouse, "credit_risk", "snapshot", [with_as_of(table)])
    publish(warehouse, pipeline_of(), snapshot, None, folder / "store")
    (part,) = (folder / "warehouse").rglob("*.parquet")
    service = service_of(folder / "store")
    many = call(service, "/v1/credit_risk/lookup", method="POST", document={"ids": ids}).json()["entities"]
    for stored, entity in zip(pq.read_table(part).to_pylist(), many, strict=True):
        answer = call(service, f"/v1/credit_risk/{stored['id']}").json()
        assert answer["features"] == entity["features"] and answer["id"] == stored["id"]
        for name, (kind, _) in columns.items():
            given_value = parsed(answer["features"][name], kind)
            assert same(given_value, as_json(stored[name])), (name, stored[name], answer["features"][name])
    service.shelf.close()


_KEYS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "boolean": _SCALARS["flag"],
    "int": _SCALARS["whole"],
    "bigint": _SCALARS["long"],
    "double": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)),
    "string": (pa.string(), st.text(st.characters(codec="utf-8"), min_size=1, max_size=600)),
    "date": _SCALARS["day"],
    "timestamp": (_UTC, _TIMES),
}


@pytest.mark.parametrize("kind", list(_KEYS))
@given(data=st.data())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_id_of_the_snapshot_is_found(
    tmp_path_factory: pytest.TempPathFactory, kind: ColumnType, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    arrow, values = _KEYS[kind]
    ids = sorted(
        data.draw(st.sets(values, min_size=1, max_size=20)), key=lambda v: v.encode() if isinstance(v, str) else v
    )
    table = pa.table({"id": pa.array(ids, arrow), "row": pa.array(range(len(ids)), pa.int64())})
    warehouse = Warehouse(folder / "warehouse")
    snapshot = commit(warehouse, "credit_risk", "snapshot", [with_as_of(table)])
    publish(warehouse, pipeline_of(kind=kind), snapshot, None, folder / "store")
    service = service_of(folder / "store")
    for row, identity in enumerate(ids):
        text = json.dumps(identity) if isinstance(identity, (bool, int, float)) else None
        if text is None:
            text = identity if isinstance(identity, str) else identity.isoformat()
        answer = call(service, f"/v1/credit_risk/{text}")
        assert answer.status == 200, (identity, answer.body)
        assert answer.json()["features"] == {"row": row}
    service.shelf.close()


def test_predictions_are_joined_by_key_and_may_be_missing(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    snapshot, _ = simple_rows(10)
    scores = with_as_of(predictions_of(pa.array([2, 4, 99], pa.int64()), "id", [0.25, 0.75, 0.5]))
    first = commit(warehouse, "credit_risk", "snapshot", [snapshot])
    second = commit(warehouse, "credit_risk", "predictions", [scores])
    published = publish(warehouse, pipeline_of(), first, second, tmp_path / "store")
    assert (published.manifest.rows, published.manifest.predicted_rows) == (10, 2)
    assert published.manifest.model_version == MODEL
    service = service_of(tmp_path / "store")
    assert call(service, "/v1/credit_risk/1").json()["prediction"] is None
    assert call(service, "/v1/credit_risk/4").json()["prediction"] == {
        "predicted_label": 1,
        "probability": 0.75,
        "lower": 0.375,
        "upper": 0.875,
        "model_version": MODEL,
    }
    assert call(service, "/v1/credit_risk/99").status == 404
    service.shelf.close()


@pytest.mark.parametrize("is_sorted", [True, False])
def test_many_files_of_many_groups_are_joined_in_key_order(tmp_path: Path, is_sorted: bool, monkeypatch: Any) -> None:
    monkeypatch.setattr("featuremill.lookup.publication.reading._RANGE_ROWS", 700)
    warehouse = Warehouse(tmp_path / "warehouse")
    snapshot, scores = simple_rows(10_000, marker=7)
    if not is_sorted:
        order = pa.array([(i * 7919) % 10_000 for i in range(10_000)])
        snapshot, scores = snapshot.take(order), scores.take(order)
    parts = [snapshot.filter(pa.array([i % 3 == n for i in range(10_000)])) for n in range(3)]
    halves = [scores.slice(0, 5_000), scores.slice(5_000)]
    first = commit(warehouse, "credit_risk", "snapshot", parts, row_group=500)
    second = commit(warehouse, "credit_risk", "predictions", halves, row_group=900)
    published = publish(warehouse, pipeline_of(), first, second, tmp_path / "store")
    assert (published.manifest.rows, published.manifest.predicted_rows) == (10_000, 10_000)
    store = open_backend(tmp_path / "store").open("credit_risk")
    records = RecordFormat(store.manifest)
    found = [records.decode(value) for _, value in store.items()]  # type: ignore[attr-defined]
    assert [entity["id"] for entity in found] == list(range(1, 10_001))
    assert all(entity["features"] == {"loans": 7, "amount": entity["id"] + 0.5} for entity in found)
    store.close()


def test_publishing_again_does_nothing(tmp_path: Path) -> None:
    assert publish_simple(tmp_path, tmp_path / "store").changed
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*") if path.is_file()}
    again = publish_simple(tmp_path, tmp_path / "store")
    assert not again.changed and again.manifest.rows == 100
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*") if path.is_file()}


def test_a_rollback_holds_until_something_else_is_published(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish_simple(tmp_path, root, marker=1, ds="2024-01-30")
    publish_simple(tmp_path, root, marker=2, ds="2024-01-31")
    assert rollback("credit_risk", root).ds == "2024-01-30"
    again = publish_simple(tmp_path, root, marker=2, ds="2024-01-31")
    assert not again.changed and "rolled back" in again.remark
    assert open_backend(root).open("credit_risk").manifest.ds == "2024-01-30"
    assert publish_simple(tmp_path, root, marker=3, ds="2024-02-01").changed


def test_a_broken_publication_is_built_again(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish_simple(tmp_path, root)
    (data,) = root.rglob("data.mdb")
    data.unlink()
    assert publish_simple(tmp_path, root).changed
    assert data.is_file()
    assert not [path for path in (root / "credit_risk").iterdir() if path.name.startswith(".")]


def test_what_cannot_be_published_says_why(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    snapshot, scores = simple_rows(10)
    first = commit(warehouse, "credit_risk", "snapshot", [snapshot])
    late = commit(warehouse, "credit_risk", "predictions", [scores], ds="2024-02-01")
    with pytest.raises(UsageError, match="cannot be mixed"):
        publish(warehouse, pipeline_of(), first, late, tmp_path / "store")
    other = scores.set_column(1, "as_of", pa.array([datetime(2024, 1, 31, tzinfo=UTC)] * 10, _UTC))
    second = commit(warehouse, "credit_risk", "predictions", [other])
    with pytest.raises(DataError, match="score it again"):
        publish(warehouse, pipeline_of(), first, second, tmp_path / "store")
    twice = commit(warehouse, "credit_risk", "snapshot", [snapshot, snapshot], fingerprint="2" * 16)
    with pytest.raises(DataError, match="two rows"):
        publish(warehouse, pipeline_of(), twice, None, tmp_path / "store")
    keyless = snapshot.set_column(0, "id", pa.array([None, *range(9)], pa.int64()))
    third = commit(warehouse, "credit_risk", "snapshot", [keyless], fingerprint="3" * 16)
    with pytest.raises(DataError, match="no id"):
        publish(warehouse, pipeline_of(), third, None, tmp_path / "store")
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


def test_a_snapshot_of_no_rows_is_published(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    first = commit(warehouse, "credit_risk", "snapshot", [simple_rows(3)[0].slice(0, 0)])
    published = publish(warehouse, pipeline_of(), first, None, tmp_path / "store")
    assert published.manifest.rows == 0 and published.manifest.as_of == AS_OF and published.manifest.ds == DAY
    service = service_of(tmp_path / "store")
    assert call(service, "/v1/credit_risk/1").status == 404
    service.shelf.close()


@given(st.lists(st.integers(0, 1000), max_size=300), st.integers(1, 50))
def test_ranges_cover_every_key_once(keys: list[int], rows: int) -> None:
    keys.sort()
    groups = [Group(len(part), part[0], part[-1]) for part in (keys[i : i + 7] for i in range(0, len(keys), 7))]
    starts = boundaries([groups], rows, lambda: keys)
    assert starts == sorted(set(starts))
    assert len(conditions("id", starts)) == len(starts) + 1
    limits = [-1, *starts, 1001]
    sizes = [sum(low <= key < high for key in keys) for low, high in zip(limits, limits[1:], strict=False)]
    assert sum(sizes) == len(keys)
