from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from featuremill.errors import ServiceError
from featuremill.warehouse.gc import collect, find_garbage, published
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.owner import OWNER_NAME, Owner
from featuremill.warehouse.storage import Warehouse
from tests.fixtures_services import Services
from tests.warehouse.partitions import commit, fingerprint, loans, publish

pytestmark = pytest.mark.slow

LATER = datetime.now(UTC) + timedelta(hours=2)


@pytest.fixture
def catalog(services: Services) -> HiveCatalog:
    return services.catalog


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "ware house")


def _ages(warehouse: Warehouse, pipeline: str, versions: list[str], ds: str = "2024-03-01", **more: object) -> None:
    """Partitions of one day, an hour apart, the last one now."""
    for number, version in enumerate(versions):
        committed = commit(warehouse, loans(), pipeline=pipeline, ds=ds, version=version, **more)  # type: ignore[arg-type]
        path = Path(committed.directory) / "_manifest.json"
        manifest = json.loads(path.read_text())
        age = timedelta(hours=len(versions) - 1 - number)
        manifest["committed_at"] = (datetime.now(UTC) - age).isoformat()
        path.write_text(json.dumps(manifest))


def _garbage(warehouse: Warehouse, catalog: HiveCatalog, pipeline: str, **more: object) -> list[str]:
    found = find_garbage(warehouse, catalog, [pipeline], moment=LATER, **more)  # type: ignore[arg-type]
    return sorted(item.folder.rpartition("/")[2] for item in found)


def _publish(catalog: HiveCatalog, warehouse: Warehouse, pipeline: str, version: str, ds: str = "2024-03-01") -> None:
    publish(catalog, warehouse, commit(warehouse, loans(), pipeline=pipeline, ds=ds, version=version))


def test_the_published_partition_and_the_one_before_stay(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    _ages(warehouse, "gc_one", ["1", "2", "3", "4"])
    _publish(catalog, warehouse, "gc_one", "4")
    assert _garbage(warehouse, catalog, "gc_one") == sorted([fingerprint("1"), fingerprint("2")])
    assert _garbage(warehouse, catalog, "gc_one", keep_previous=0) == sorted(map(fingerprint, "123"))
    # Rolled back: what is pointed at stays, however old it is.
    _publish(catalog, warehouse, "gc_one", "1")
    assert _garbage(warehouse, catalog, "gc_one") == sorted(map(fingerprint, "23"))

    garbage = find_garbage(warehouse, catalog, ["gc_one"], moment=LATER)
    size = sum(item.bytes for item in garbage)
    on_disk = [p.stat().st_size for item in garbage for p in Path(warehouse.store.path(item.folder)).iterdir()]
    assert collect(warehouse, catalog, garbage) == size == sum(on_disk)
    left = {manifest.fingerprint for manifest in warehouse.manifests("gc_one", "loans")}
    assert left == {fingerprint("1"), fingerprint("4")}
    assert _garbage(warehouse, catalog, "gc_one") == []


def test_the_newest_stay_where_nothing_is_published(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    _ages(warehouse, "gc_two", ["1", "2", "3"])
    assert _garbage(warehouse, catalog, "gc_two") == [fingerprint("1")]


def test_the_young_stay(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    _ages(warehouse, "gc_young", ["1", "2", "3", "4", "5"])
    _publish(catalog, warehouse, "gc_young", "1")
    found = find_garbage(warehouse, catalog, ["gc_young"], younger_than=timedelta(hours=2, minutes=30))
    assert {Path(item.folder).name for item in found} == {fingerprint("2")}


def test_what_a_kept_partition_was_computed_from_stays(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    _ages(warehouse, "gc_inputs", ["1", "2", "3", "4"])
    _publish(catalog, warehouse, "gc_inputs", "4")
    made_from = {"loans/ds=2024-03-01": fingerprint("1")}
    snapshot = commit(warehouse, loans(), pipeline="gc_inputs", name="snapshot", inputs=made_from, version="s")
    publish(catalog, warehouse, snapshot)
    assert _garbage(warehouse, catalog, "gc_inputs") == [fingerprint("2")]


def test_only_abandoned_stages_go(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    mine = warehouse.stage("gc_stages", "loans", "2024-03-01", fingerprint("1"))
    script = (
        "import sys; from featuremill.warehouse.storage import Warehouse;"
        "print(Warehouse(sys.argv[1]).stage('gc_stages', 'loans', '2024-03-01', 'a' * 32).folder)"
    )
    root = warehouse.store.path("")
    dead = subprocess.run([sys.executable, "-c", script, root], capture_output=True, text=True, check=True)
    elsewhere = warehouse.stage("gc_stages", "loans", "2024-03-01", fingerprint("2"))
    recycled = warehouse.stage("gc_stages", "loans", "2024-03-01", fingerprint("3"))
    notes = {
        elsewhere.folder: Owner.here().model_copy(update={"host": "another-host"}),
        recycled.folder: Owner.here().model_copy(update={"started": 12.0}),
    }
    for folder, owner in notes.items():
        warehouse.store.write(f"{folder}/{OWNER_NAME}", owner.to_json())

    garbage = find_garbage(warehouse, catalog, ["gc_stages"], moment=LATER)
    assert {item.folder for item in garbage} == {dead.stdout.strip(), recycled.folder}
    assert {item.kind for item in garbage} == {"abandoned stage"}
    collect(warehouse, catalog, garbage)
    assert Path(mine.directory).is_dir() and Path(elsewhere.directory).is_dir()
    days_later = find_garbage(warehouse, catalog, ["gc_stages"], moment=LATER + timedelta(days=2))
    assert {item.folder for item in days_later} == {elsewhere.folder}


def test_half_a_partition_goes_when_it_is_old(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    committed = commit(warehouse, loans(), pipeline="gc_half")
    (Path(committed.directory) / "_manifest.json").unlink()
    assert find_garbage(warehouse, catalog, ["gc_half"]) == []
    (item,) = find_garbage(warehouse, catalog, ["gc_half"], moment=LATER)
    assert item.kind == "unfinished"
    collect(warehouse, catalog, [item])
    assert not Path(committed.directory).exists()


def test_what_was_published_meanwhile_is_not_deleted(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    _ages(warehouse, "gc_race", ["1", "2", "3"])
    garbage = find_garbage(warehouse, catalog, ["gc_race"], moment=LATER)
    assert [Path(item.folder).name for item in garbage] == [fingerprint("1")]
    _publish(catalog, warehouse, "gc_race", "1")
    assert collect(warehouse, catalog, garbage) == 0
    assert warehouse.find("gc_race", "loans", "2024-03-01", fingerprint("1")) is not None


def test_without_a_metastore_nothing_is_garbage(warehouse: Warehouse) -> None:
    _ages(warehouse, "gc_down", ["1", "2", "3"])
    with pytest.raises(ServiceError, match="does not answer"):
        find_garbage(warehouse, HiveCatalog("127.0.0.1", 9), moment=LATER)


def test_what_is_published_is_listed(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    for ds in ("2024-03-02", "2024-03-01"):
        _publish(catalog, warehouse, "gc_list", "1", ds)
    rows = published(catalog, "gc_list")
    assert [(row.table, row.ds, row.fingerprint, row.rows) for row in rows] == [
        ("loans", "2024-03-01", fingerprint("1"), 3),
        ("loans", "2024-03-02", fingerprint("1"), 3),
    ]
    assert all(row.committed_at is not None and row.bytes for row in rows)
    assert published(catalog, "gc_list", "loans") == rows
