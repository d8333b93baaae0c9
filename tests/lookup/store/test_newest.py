"""What Hive shows is what lookups answer: the newest day, its own predictions, the same values field by field."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featuremill.errors import DataError
from featuremill.lookup.publication import publish_newest
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.settings import ServiceSettings
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import table_definition
from featuremill.warehouse.views import refresh_latest
from tests.fixtures_services import Services
from tests.lookup.building import commit, pipeline_of, predictions_of, simple_rows, with_as_of
from tests.lookup.rsgi import call


def show(services: Services, warehouse: Warehouse, manifest: Manifest) -> None:
    """Have Hive show a partition."""
    place = warehouse.location(manifest.pipeline, manifest.table, manifest.ds, manifest.fingerprint)
    table = table_definition(pipeline_of(manifest.pipeline), manifest.table, warehouse)
    services.catalog.publish(table, manifest, place)


def test_the_newest_day_that_hive_shows_is_published(services: Services, tmp_path: Path) -> None:
    name, root = "newest_day", tmp_path / "store"
    warehouse, pipeline = Warehouse(tmp_path / "warehouse"), pipeline_of(name)
    assert publish_newest(services.catalog, warehouse, pipeline, root) is None
    snapshot, scores = simple_rows(10, marker=1)
    show(services, warehouse, commit(warehouse, name, "snapshot", [snapshot], ds="2024-01-30"))
    show(services, warehouse, commit(warehouse, name, "predictions", [scores], ds="2024-01-30"))
    first = publish_newest(services.catalog, warehouse, pipeline, root)
    assert first is not None and (first.manifest.ds, first.manifest.predicted_rows) == ("2024-01-30", 10)
    # The next day has no predictions: those of the day before are not mixed in.
    newer = commit(warehouse, name, "snapshot", [simple_rows(10, marker=2)[0]], ds="2024-01-31")
    show(services, warehouse, newer)
    second = publish_newest(services.catalog, warehouse, pipeline, root)
    assert second is not None and (second.manifest.ds, second.manifest.predicted_rows) == ("2024-01-31", 0)
    # A partition that Hive moved to, not the one that was there first, is what counts.
    other = commit(warehouse, name, "snapshot", [simple_rows(10, marker=3)[0]], ds="2024-01-31", fingerprint="3" * 16)
    show(services, warehouse, other)
    third = publish_newest(services.catalog, warehouse, pipeline, root)
    assert third is not None and third.changed and third.manifest.snapshot == "3" * 16
    # What is served goes on, even if its files are gone; what is not served yet cannot be built of files that are gone.
    warehouse.forget(warehouse.folder(name, "snapshot", "2024-01-31", "3" * 16))
    again = publish_newest(services.catalog, warehouse, pipeline, root)
    assert again is not None and not again.changed and again.manifest.publication == third.manifest.publication
    show(services, warehouse, newer)
    warehouse.forget(warehouse.folder(name, "snapshot", "2024-01-31", newer.fingerprint))
    with pytest.raises(DataError, match="is gone"):
        publish_newest(services.catalog, warehouse, pipeline, root)


_ROWS = 12_000
_ASKED = 10_000


@pytest.mark.slow
def test_service_hive_and_parquet_agree_on_ten_thousand_ids(services: Services, tmp_path: Path) -> None:
    name = "agreement"
    warehouse, pipeline = Warehouse(tmp_path / "warehouse"), pipeline_of(name)
    table = _table()
    snapshot = commit(warehouse, name, "snapshot", [with_as_of(table)], row_group=2_000)
    scores = predictions_of(table["id"].combine_chunks(), "id", [i / _ROWS for i in range(_ROWS)])
    predictions = commit(warehouse, name, "predictions", [with_as_of(scores)], row_group=2_000)
    for manifest in (snapshot, predictions):
        show(services, warehouse, manifest)
    refresh_latest(services.catalog, pipeline)
    publish_newest(services.catalog, warehouse, pipeline, tmp_path / "store")
    (part,) = (tmp_path / "warehouse" / name / "snapshot").rglob("*.parquet")
    stored = {row["id"]: row for row in pq.read_table(part).to_pylist()}
    features = [field for field in table.schema.names if field != "id"]
    names = [*features, "predicted_label", "probability", "lower", "upper", "model_version"]
    rows = services.query(f"SELECT id, {', '.join(names)} FROM {name}.latest")
    shown = {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}
    service = Service(ServiceSettings(root=str(tmp_path / "store")))
    assert set(shown) == set(stored)
    for identity in random.Random(1).sample(sorted(stored), _ASKED):
        answer = call(service, f"/v1/{name}/{identity}").json()
        for feature in features:
            in_parquet, in_hive = stored[identity][feature], shown[identity][feature]
            value = _value(answer["features"][feature], in_parquet)
            assert type(value) is type(in_parquet) and value == in_parquet, (identity, feature)
            assert value == in_hive, (identity, feature, value, in_hive)
        for column, value in answer["prediction"].items():
            assert value == shown[identity][column], (identity, column)
    service.shelf.close()


def _table() -> pa.Table:
    picker = random.Random(7)

    def some(value: Any) -> Any:
        return None if picker.random() < 0.1 else value

    moment = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [
        {
            "id": 5_000_000 + i * 3,
            "flag": some(picker.random() < 0.5),
            "whole": some(picker.randrange(-(2**31), 2**31)),
            "long": some(picker.randrange(-(2**63), 2**63)),
            "number": some(picker.gauss(0, 10 ** picker.randrange(-9, 9))),
            "text": some(picker.choice(["", "a b", 'say "no"', "é💸", "back\\slash", "tab\there"])),
            "day": some(date(1900, 1, 1) + timedelta(days=picker.randrange(80_000))),
            "moment": some(moment + timedelta(microseconds=picker.randrange(10**15))),
        }
        for i in range(_ROWS)
    ]
    kinds = [pa.bool_(), pa.int32(), pa.int64(), pa.float64(), pa.string(), pa.date32(), pa.timestamp("us", tz="UTC")]
    return pa.Table.from_pylist(rows, pa.schema([("id", pa.int64()), *zip(list(rows[0])[1:], kinds, strict=True)]))


def _value(given: Any, stored: Any) -> Any:
    """An answer's value in the type of the stored one; the text of a day or a time is read as what it is."""
    if isinstance(stored, datetime) and given is not None:
        return datetime.fromisoformat(given)
    return date.fromisoformat(given) if isinstance(stored, date) and given is not None else given
