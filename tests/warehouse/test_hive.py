"""Against a real Hive metastore."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pyarrow as pa
import pytest

from featuremill.errors import DataError, ServiceError
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.hive_objects import Column, TableDefinition
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import column_comments, table_definition
from featuremill.warehouse.views import refresh_latest
from tests.fixtures_services import Services
from tests.warehouse.partitions import commit, loans, publish
from tests.warehouse.pipelines import credit_risk

pytestmark = pytest.mark.slow


@pytest.fixture
def catalog(services: Services) -> HiveCatalog:
    return services.catalog


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "ware house")


def test_publishing_creates_moves_and_repeats(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    first = commit(warehouse, loans(3), pipeline="moves", version="1")
    second = commit(warehouse, loans(4), pipeline="moves", version="2")

    created = publish(catalog, warehouse, first)
    assert (created.previous, created.changed) == (None, True)
    again = publish(catalog, warehouse, first)
    assert not again.changed
    moved = publish(catalog, warehouse, second)
    assert moved.changed
    assert moved.previous is not None and moved.previous.endswith(first.manifest.fingerprint)
    back = publish(catalog, warehouse, first)
    assert back.previous is not None and back.previous.endswith(second.manifest.fingerprint)

    (partition,) = catalog.partitions("moves", "loans")
    assert (partition.ds, partition.fingerprint) == ("2024-03-01", first.manifest.fingerprint)
    assert partition.parameters["featuremill.rows"] == "3"
    assert catalog.partition("moves", "loans", "2024-03-01") == partition
    assert catalog.partition("moves", "loans", "2024-03-02") is None


def test_nothing_is_noted_from_which_a_count_could_be_answered(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    for version in ("1", "2"):
        publish(catalog, warehouse, commit(warehouse, loans(3), pipeline="counts", version=version))
    (partition,) = catalog.partitions("counts", "loans")
    assert not {"numRows", "totalSize", "rawDataSize", "numFiles", "COLUMN_STATS_ACCURATE"} & set(partition.parameters)


def test_tables_carry_the_comments_of_the_pipeline(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    pipeline = credit_risk(pipeline="commented")
    snapshot = pa.table({"id": pa.array([1], pa.int64()), "nb_loans_30d": pa.array([2], pa.int64())})
    comments = column_comments(pipeline, "snapshot")
    committed = commit(warehouse, snapshot, pipeline="commented", name="snapshot", comments=comments)
    catalog.publish(table_definition(pipeline, "snapshot", warehouse), committed.manifest, committed.location)
    assert catalog.columns("commented", "snapshot") == (
        Column("id", "bigint", "the entity: what a lookup asks for"),
        Column("nb_loans_30d", "bigint", "number of the loans of the same id in the 30 days before as_of"),
    )
    # A comment that changes is taken over without a new partition.
    changed = committed.manifest.model_copy(
        update={"columns": tuple(c.model_copy(update={"comment": "x" * 300}) for c in committed.manifest.columns)}
    )
    catalog.publish(table_definition(pipeline, "snapshot", warehouse), changed, committed.location)
    said = {column.comment for column in catalog.columns("commented", "snapshot")}
    assert said == {"x" * 253 + "..."}


def test_dropping_a_day_keeps_its_files(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    committed = commit(warehouse, loans(), pipeline="drops")
    publish(catalog, warehouse, committed)
    assert catalog.drop_partition("drops", "loans", "2024-03-01")
    assert not catalog.drop_partition("drops", "loans", "2024-03-01")
    assert catalog.drop_table("drops", "loans")
    assert not catalog.drop_table("drops", "loans")
    assert warehouse.find("drops", "loans", "2024-03-01", committed.manifest.fingerprint) == committed.manifest


def test_what_is_not_there_is_empty(catalog: HiveCatalog) -> None:
    assert catalog.partitions("nowhere", "loans") == []
    assert catalog.days("nowhere", "loans") == []
    assert catalog.columns("nowhere", "loans") == ()
    assert catalog.tables("nowhere") == []
    assert catalog.view_text("nowhere", "latest") is None
    assert not catalog.drop_partition("nowhere", "loans", "2024-03-01")


def test_columns_come_go_and_change(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    def day(ds: str, **columns: pa.Array) -> tuple[str, ...]:
        committed = commit(warehouse, pa.table(columns), pipeline="evolves", ds=ds, version=f"{ds}{columns}")
        return publish(catalog, warehouse, committed).withdrawn

    day("2024-01-01", a=pa.array([1], pa.int32()), b=pa.array([1.5]))
    day("2024-01-02", a=pa.array([2], pa.int64()), c=pa.array(["x"]))
    shown = {column.name: column.type for column in catalog.columns("evolves", "loans")}
    assert shown == {"a": "bigint", "b": "double", "c": "string"}
    assert list(shown) == ["a", "b", "c"]

    day("2024-01-01", a=pa.array([1], pa.int64()))
    day("2024-01-03", c=pa.array(["y"]), a=pa.array([3], pa.int64()))
    assert [column.name for column in catalog.columns("evolves", "loans")] == ["a", "c"]

    assert day("2024-01-04", c=pa.array([7], pa.int64())) == ("2024-01-02", "2024-01-03")
    assert catalog.days("evolves", "loans") == ["2024-01-01", "2024-01-04"]
    shown = {column.name: column.type for column in catalog.columns("evolves", "loans")}
    assert shown == {"a": "bigint", "c": "bigint"}


def test_a_table_whose_columns_may_not_be_altered_is_made_anew(
    catalog: HiveCatalog, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other people's metastores may forbid what ours allows; this one is made to answer as theirs do."""
    from hmsclient.genthrift.hive_metastore.ttypes import InvalidOperationException
    from hmsclient.hmsclient import HMSClient

    def forbidden(self: object, *arguments: object) -> None:
        raise InvalidOperationException("The following columns have types incompatible with the existing columns")

    first = commit(warehouse, pa.table({"a": [1], "b": ["x"]}), pipeline="forbids", ds="2024-01-01")
    second = commit(warehouse, pa.table({"b": ["y"]}), pipeline="forbids", ds="2024-01-02")
    third = commit(warehouse, pa.table({"a": ["text"]}), pipeline="forbids", ds="2024-01-03")
    publish(catalog, warehouse, first)
    publish(catalog, warehouse, second)
    monkeypatch.setattr(HMSClient, "alter_table", forbidden)
    assert publish(catalog, warehouse, third).withdrawn == ("2024-01-01",)
    assert catalog.days("forbids", "loans") == ["2024-01-02", "2024-01-03"]
    assert catalog.columns("forbids", "loans") == (Column("a", "string"), Column("b", "string"))


def _publish_from_elsewhere(host: str, port: int, root: str, manifest: Manifest) -> None:
    warehouse, catalog = Warehouse(root), HiveCatalog(host, port)
    definition = TableDefinition(manifest.pipeline, manifest.table, warehouse.table_location("crowd", "loans"))
    place = warehouse.location(manifest.pipeline, manifest.table, manifest.ds, manifest.fingerprint)
    catalog.publish(definition, manifest, place)
    refresh_latest(catalog, credit_risk(pipeline="crowd"))


def test_processes_that_create_the_same_at_once_do_not_fail(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    context = multiprocessing.get_context("fork")
    days = ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]
    manifests = [commit(warehouse, loans(), pipeline="crowd", name="snapshot", ds=ds).manifest for ds in days]
    root = warehouse.store.path("")
    crowd = [
        context.Process(target=_publish_from_elsewhere, args=(catalog.host, catalog.port, root, manifest))
        for manifest in manifests
    ]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join(60)
    assert [process.exitcode for process in crowd] == [0] * len(crowd)
    assert catalog.days("crowd", "snapshot") == sorted(set(days))
    assert "2024-01-05" in (catalog.view_text("crowd", "latest") or "")


def test_views_are_made_once_and_replaced(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    publish(catalog, warehouse, commit(warehouse, loans(), pipeline="viewed"))
    columns = [Column("id", "bigint", "who")]
    text = "SELECT `id` FROM `viewed`.`loans`"
    assert catalog.create_or_replace_view("viewed", "ids", text, columns)
    assert not catalog.create_or_replace_view("viewed", "ids", text, columns)
    assert catalog.create_or_replace_view("viewed", "ids", f"{text} WHERE `id` = 1", columns)
    assert catalog.view_text("viewed", "ids") == f"{text} WHERE `id` = 1"
    assert catalog.columns("viewed", "ids") == tuple(columns)
    with pytest.raises(DataError, match="viewed.loans is a table"):
        catalog.create_or_replace_view("viewed", "loans", text, columns)
    other = commit(warehouse, loans(), pipeline="viewed", name="ids")
    with pytest.raises(DataError, match="viewed.ids is a view"):
        publish(catalog, warehouse, other)


def test_latest_never_goes_back(catalog: HiveCatalog, warehouse: Warehouse) -> None:
    pipeline = credit_risk(pipeline="latest_one")
    assert refresh_latest(catalog, pipeline) is None
    for ds, newest in [("2024-01-02", "2024-01-02"), ("2024-01-05", "2024-01-05"), ("2024-01-03", "2024-01-05")]:
        publish(catalog, warehouse, commit(warehouse, loans(), pipeline="latest_one", name="snapshot", ds=ds))
        assert refresh_latest(catalog, pipeline) == newest
        assert f"`ds` = '{newest}'" in (catalog.view_text("latest_one", "latest") or "")


def test_a_metastore_that_is_down_is_named_with_what_to_do() -> None:
    began = time.monotonic()
    with pytest.raises(ServiceError, match=r"metastore at 127.0.0.1:9 does not answer; start it with ./start.sh"):
        HiveCatalog("127.0.0.1", 9).partitions("risk", "loans")
    assert time.monotonic() - began < 5
