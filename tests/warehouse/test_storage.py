from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from featuremill.errors import DataError, FeaturemillError, UsageError
from featuremill.warehouse.files import Store
from featuremill.warehouse.storage import Stage, Warehouse
from tests.warehouse.partitions import commit, fingerprint, loans, write_part

ONE = fingerprint("1")


@pytest.fixture(params=["renames folders", "copies files"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """On a local disk, where a folder is renamed, and on a file system without that, as object stores are."""
    if request.param == "renames folders":
        return Warehouse(tmp_path / "ware house")
    (tmp_path / "ware house").mkdir()
    return Warehouse("ware house", SubTreeFileSystem(str(tmp_path), LocalFileSystem()))


def _stage_with(warehouse: Warehouse, tmp_path: Path, parts: dict[str, pa.Table], version: str = "1") -> Stage:
    stage = warehouse.stage("risk", "loans", "2024-03-01", fingerprint(version))
    for name, table in parts.items():
        target = tmp_path / "ware house" / stage.data / name
        pq.write_table(table, target)
    return stage


def test_a_partition_is_there_with_its_manifest_and_nothing_else(warehouse: Warehouse, tmp_path: Path) -> None:
    stage = _stage_with(warehouse, tmp_path, {"data_0.parquet": loans(3), "data_1.parquet": loans(2)})
    assert warehouse.find("risk", "loans", "2024-03-01", ONE) is None

    manifest = warehouse.describe(
        stage, engine="duckdb", inputs={"loans": "abc"}, comments={"id": "who"}, details={"rows_in": 5}
    )
    committed = warehouse.commit(stage, manifest)

    assert not committed.reused
    assert warehouse.find("risk", "loans", "2024-03-01", ONE) == manifest
    day = tmp_path / "ware house" / "risk" / "loans" / "ds=2024-03-01"
    assert sorted(p.name for p in day.iterdir()) == [ONE]
    assert sorted(p.name for p in (day / ONE).iterdir()) == [
        "_manifest.json",
        "part-00000.parquet",
        "part-00001.parquet",
    ]
    assert manifest.rows == 5
    assert [file.rows for file in manifest.files] == [3, 2]
    assert [(c.name, c.type, c.comment) for c in manifest.columns] == [
        ("id", "bigint", "who"),
        ("value", "int", None),
        ("narrowing-diagnosis", "double", None),
        ("at", "timestamp", None),
    ]


def test_what_spark_leaves_behind_goes_and_parts_are_numbered_in_their_order(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    parts = {f"part-{n:05d}-9c1e-c000.snappy.parquet": loans(n + 1) for n in range(3)}
    parts["part-00003-9c1e-c000.snappy.parquet"] = loans(0)
    stage = _stage_with(warehouse, tmp_path, parts)
    data = tmp_path / "ware house" / stage.data
    (data / "_SUCCESS").touch()
    (data / ".part-00000-9c1e-c000.snappy.parquet.crc").write_bytes(b"crc")
    (data / "_temporary" / "0").mkdir(parents=True)

    manifest = warehouse.describe(stage, engine="spark")

    assert [(file.name, file.rows) for file in manifest.files] == [
        ("part-00000.parquet", 1),
        ("part-00001.parquet", 2),
        ("part-00002.parquet", 3),
    ]
    assert sorted(p.name for p in data.iterdir()) == [file.name for file in manifest.files]


def test_numbering_never_overwrites_a_part_whose_name_is_wanted(warehouse: Warehouse, tmp_path: Path) -> None:
    parts = {"a.parquet": loans(1), "part-00000.parquet": loans(2), "part-00001.parquet": loans(3)}
    stage = _stage_with(warehouse, tmp_path, parts)
    assert [file.rows for file in warehouse.describe(stage, engine="duckdb").files] == [1, 2, 3]


def test_parts_are_counted_not_spelled(warehouse: Warehouse, tmp_path: Path) -> None:
    stage = _stage_with(warehouse, tmp_path, {"data_10.parquet": loans(10), "data_2.parquet": loans(2)})
    assert [file.rows for file in warehouse.describe(stage, engine="duckdb").files] == [2, 10]


def test_a_partition_without_rows_keeps_one_file_for_its_columns(warehouse: Warehouse, tmp_path: Path) -> None:
    stage = _stage_with(warehouse, tmp_path, {"a.parquet": loans(0), "b.parquet": loans(0)})
    manifest = warehouse.describe(stage, engine="duckdb")
    assert [(file.name, file.rows) for file in manifest.files] == [("part-00000.parquet", 0)]
    assert not warehouse.commit(stage, manifest).reused


def test_whoever_comes_second_keeps_what_is_there(warehouse: Warehouse, tmp_path: Path) -> None:
    first, second = (_stage_with(warehouse, tmp_path, {"a.parquet": loans(n)}) for n in (3, 4))
    manifests = [warehouse.describe(stage, engine="duckdb") for stage in (first, second)]
    assert not warehouse.commit(first, manifests[0]).reused

    late = warehouse.commit(second, manifests[1])

    assert late.reused
    assert late.manifest == manifests[0] == warehouse.find("risk", "loans", "2024-03-01", ONE)
    assert not (tmp_path / "ware house" / second.folder).exists()


@pytest.mark.parametrize("damage", ["no manifest", "a part is gone", "a part too many", "a part was cut off"])
def test_a_broken_partition_is_not_there_and_is_replaced(warehouse: Warehouse, tmp_path: Path, damage: str) -> None:
    stage = _stage_with(warehouse, tmp_path, {"a.parquet": loans(3), "b.parquet": loans(3)})
    warehouse.commit(stage, warehouse.describe(stage, engine="duckdb"))
    folder = tmp_path / "ware house" / "risk" / "loans" / "ds=2024-03-01" / ONE
    part = folder / "part-00000.parquet"
    if damage == "no manifest":
        (folder / "_manifest.json").unlink()
    elif damage == "a part is gone":
        part.unlink()
    elif damage == "a part too many":
        (folder / "part-00009.parquet").write_bytes(part.read_bytes())
    else:
        part.write_bytes(part.read_bytes()[:-20])
    assert warehouse.find("risk", "loans", "2024-03-01", ONE) is None
    assert warehouse.manifests("risk", "loans") == []

    again = _stage_with(warehouse, tmp_path, {"a.parquet": loans(5)})
    committed = warehouse.commit(again, warehouse.describe(again, engine="duckdb"))

    assert not committed.reused
    assert warehouse.find("risk", "loans", "2024-03-01", ONE) == committed.manifest
    assert committed.manifest.rows == 5
    assert [p.name for p in folder.parent.iterdir()] == [ONE]


def test_parts_with_different_columns_are_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    other = loans(1).set_column(1, "value", pa.array(["x"]))
    stage = _stage_with(warehouse, tmp_path, {"a.parquet": loans(1), "b.parquet": other})
    with pytest.raises(DataError, match=r"b.parquet has other columns than a.parquet: it lacks value int"):
        warehouse.describe(stage, engine="duckdb")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "wrote no parquet file"),
        ({"rows.csv": b"a,b"}, "rows.csv is not a parquet file"),
        ({"rows.parquet": b"PAR1"}, "rows.parquet is not a whole parquet file"),
    ],
)
def test_what_is_no_partition_is_refused(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    warehouse = Warehouse(tmp_path)
    stage = warehouse.stage("risk", "loans", "2024-03-01", ONE)
    for name, content in files.items():
        (Path(stage.directory) / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        warehouse.describe(stage, engine="duckdb")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([1], pa.timestamp("us")), "adjusted to UTC"),
        (pa.array([1], pa.timestamp("ns", "UTC")), "adjusted to UTC"),
        (pa.array([1], pa.uint64()), "which Hive tables do not have"),
    ],
)
def test_a_type_that_hive_lacks_is_refused_by_name(tmp_path: Path, column: pa.Array, said: str) -> None:
    warehouse = Warehouse(tmp_path)
    stage = warehouse.stage("risk", "loans", "2024-03-01", ONE)
    write_part(stage, pa.table({"when": column}))
    with pytest.raises(DataError, match=f"column when .*{said}"):
        warehouse.describe(stage, engine="duckdb")


@pytest.mark.parametrize("name", ["ds", "Loan"])
def test_a_column_name_that_hive_cannot_have_is_refused(tmp_path: Path, name: str) -> None:
    warehouse = Warehouse(tmp_path)
    stage = warehouse.stage("risk", "loans", "2024-03-01", ONE)
    write_part(stage, pa.table({name: [1]}))
    with pytest.raises(DataError, match=f"column {name} "):
        warehouse.describe(stage, engine="duckdb")


def test_manifests_come_by_day_and_then_by_age(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    for ds, version in [("2024-03-02", "1"), ("2024-03-01", "2"), ("2024-03-02", "3")]:
        commit(warehouse, loans(), ds=ds, version=version)
    found = warehouse.manifests("risk", "loans")
    assert [m.ds for m in found] == ["2024-03-01", "2024-03-02", "2024-03-02"]
    assert warehouse.days("risk", "loans") == ["2024-03-01", "2024-03-02"]
    assert (warehouse.pipelines(), warehouse.tables("risk")) == (["risk"], ["loans"])
    assert warehouse.manifests("risk", "nothing") == []


@pytest.mark.parametrize(
    ("pipeline", "table", "ds", "mark"),
    [
        ("..", "loans", "2024-03-01", ONE),
        ("risk", "../x", "2024-03-01", ONE),
        ("risk", "loans", "2024/03/01", ONE),
        ("risk", "loans", "2024-03-01", "../../../etc"),
    ],
)
def test_no_path_leads_out_of_the_warehouse(tmp_path: Path, pipeline: str, table: str, ds: str, mark: str) -> None:
    with pytest.raises(UsageError):
        Warehouse(tmp_path).stage(pipeline, table, ds, mark)


def test_local_paths_are_one_however_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = f"{tmp_path}/house/risk/loans/ds=2024-03-01/{ONE}"
    for root in ("house", tmp_path / "house", f"file://{tmp_path}/house/", f"file:{tmp_path}/house"):
        warehouse = Warehouse(root)
        assert warehouse.partition_dir("risk", "loans", "2024-03-01", ONE) == wanted
        assert warehouse.location("risk", "loans", "2024-03-01", ONE) == f"file://{wanted}"
    with pytest.raises(DataError, match="another host"):
        Store("file://elsewhere/house")


def test_an_s3_location_keeps_the_scheme_that_spark_wants() -> None:
    warehouse = Warehouse("s3a://bucket/house?region=eu-west-1")
    assert not warehouse.store.renames_folders


def test_a_full_disk_is_said_with_the_path(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    stage = warehouse.stage("risk", "loans", "2024-03-01", ONE)
    write_part(stage, loans())
    manifest = warehouse.describe(stage, engine="duckdb")
    (Path(stage.directory) / "_manifest.json").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"cannot write .*_manifest.json: no space left"):
        warehouse.commit(stage, manifest)
    assert warehouse.find("risk", "loans", "2024-03-01", ONE) is None


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Root may write everywhere: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_may_not_be_written_is_said_with_the_path() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        with _as_nobody(), pytest.raises(DataError, match=rf"cannot create {folder}.*permission denied"):
            Warehouse(folder).stage("risk", "loans", "2024-03-01", ONE)
        os.chmod(folder, 0o755)


def test_a_damaged_manifest_is_said_with_its_path(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    path = Path(commit(warehouse, loans()).directory) / "_manifest.json"
    content = path.read_text()
    path.write_text(content[:50])
    with pytest.raises(FeaturemillError, match="_manifest.json is not a manifest"):
        warehouse.find("risk", "loans", "2024-03-01", ONE)
    path.write_text(content.replace('"format_version": 1', '"format_version": 9'))
    with pytest.raises(FeaturemillError, match="has format version 9"):
        warehouse.find("risk", "loans", "2024-03-01", ONE)
