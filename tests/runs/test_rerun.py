"""Running again: nothing is done twice, and exactly what depends on a change is done anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from featuremill.errors import DataError
from featuremill.steps.planning import plan
from tests.runs.shop import HEADER, Shop, line

D1, D2, D3 = "2020-01-01", "2020-01-02", "2020-01-03"


def to_do(shop: Shop, day: str) -> dict[str, str]:
    workspace = shop.workspace
    pipeline = workspace.pipeline(shop.name)
    landed = workspace.landed(pipeline, day)
    graph = workspace.graph(pipeline, day, landed=landed)
    shown = landed.published([output.table for step in graph.steps for output in step.outputs], day)
    planned = plan(pipeline, graph, workspace.warehouse, workspace.state, shown)
    return {one.step.id: one.reason for one in planned if one.status == "to do"}


def test_a_second_run_writes_nothing(shop: Shop) -> None:
    shop.land_days(D1, D2)
    shop.run(f"{D1}..{D2}")
    before, published = shop.files(), shop.published()
    assert to_do(shop, D1) == {} and to_do(shop, D2) == {}
    shop.run(f"{D1}..{D2}")
    assert shop.files() == before
    assert shop.published() == published
    assert {(table, ds) for table, ds in published} == {
        (table, ds) for table in ("orders", "orders_quarantine", "snapshot", "training") for ds in (D1, D2)
    }


def test_changing_one_csv_recomputes_what_depends_on_it_and_nothing_else(shop: Shop) -> None:
    shop.land_days(D1, D2, D3)
    shop.run(f"{D1}..{D3}")
    before = shop.published()
    shop.land(D2, HEADER + line(2, 1, D2, 99.0))
    assert to_do(shop, D1) == {}
    assert to_do(shop, D3) == {
        f"ingest:orders@{D2}": "changed orders/orders.csv",
        f"check:orders@{D2}": "not checked yet",
        f"snapshot@{D3}": f"changed orders@{D2}",
        f"training@{D3}": f"changed orders@{D2}",
        f"publish@{D3}": "4 partitions of orders, orders_quarantine, snapshot, training are not published",
    }
    shop.run(f"{D1}..{D3}")
    after = shop.published()
    moved = {key for key in after if after[key] != before[key]}
    assert moved == {(table, D2) for table in ("orders", "orders_quarantine")} | {
        (table, ds) for table in ("snapshot", "training") for ds in (D2, D3)
    }
    assert [row["mean_amount"] for row in shop.rows("snapshot", D2) if row["customer"] == 1] == [(10.0 + 99.0) / 2]


def test_an_old_day_gives_the_same_bytes_after_newer_landings(shop: Shop) -> None:
    shop.land_days(D1, D2)
    shop.run(D1)
    shop.run(D2)
    before = {table: shop.part(table, D1) for table in ("orders", "snapshot", "training")}
    shop.land(D3, HEADER + line(0, 1, D1, 555.0, "corrected"))
    shop.run(D3)
    shutil.rmtree(shop.folder / "data" / "warehouse")
    shop.run(D1)
    assert {table: shop.part(table, D1) for table in before} == before


def test_a_changed_definition_recomputes_tables_and_not_the_ingest(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    text = shop.pipeline_file.read_text()
    shop.pipeline_file.write_text(text.replace("orders: {count", "all_orders: {count"))
    reasons = to_do(shop, D1)
    assert set(reasons) == {f"snapshot@{D1}", f"training@{D1}", f"publish@{D1}"}
    assert reasons[f"snapshot@{D1}"].startswith("changed definition: features[0].aggregate.orders")
    shop.run(D1)
    assert "all_orders" in shop.rows("snapshot", D1)[0]


def test_a_description_changes_the_comment_and_no_table(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    before = shop.files()
    text = shop.pipeline_file.read_text()
    shop.pipeline_file.write_text(
        text.replace('orders: {count: "*"}', 'orders: {count: "*", description: Orders so far.}')
    )
    assert to_do(shop, D1) == {}
    shop.run(D1)
    assert shop.files() == before
    comments = {column.name: column.comment for column in shop.services.catalog.columns(shop.name, "snapshot")}
    assert comments["orders"] is not None and "Orders so far." in comments["orders"]


def test_a_correction_in_a_later_landing_wins_from_then_on(shop: Shop) -> None:
    shop.land(D1, HEADER + line(1, 1, D1, 10.0))
    shop.land(D2, HEADER + line(1, 1, D1, 20.0))
    shop.run(f"{D1}..{D2}")
    assert [row["mean_amount"] for row in shop.rows("snapshot", D1)] == [10.0]
    assert [(row["orders"], row["mean_amount"]) for row in shop.rows("snapshot", D2)] == [(1, 20.0)]


def test_raw_files_may_be_archived_once_they_are_ingested(shop: Shop) -> None:
    shop.land_days(D1, D2)
    shop.run(D1)
    shutil.rmtree(shop.folder / "data" / "landing" / "orders" / f"ds={D1}")
    shop.run(D2)
    assert [row["orders"] for row in shop.rows("snapshot", D2)] == [2, 2]
    assert to_do(shop, D1) == {}


def test_a_day_without_a_landing_is_an_error_unless_it_is_allowed(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    with pytest.raises(DataError, match=f"ds={D2}.*the newest landing is ds={D1}.*missing: allow"):
        shop.run(D2)
    assert ("snapshot", D2) not in shop.published()
    text = shop.pipeline_file.read_text()
    shop.pipeline_file.write_text(text.replace("kind: csv,", "kind: csv, missing: allow,"))
    shop.run(D2)
    assert len(shop.rows("snapshot", D2)) == 2


def test_the_graph_can_be_printed_and_read_back(shop: Shop) -> None:
    from featuremill.steps.graph import Graph

    shop.land_days(D1, D2)
    workspace = shop.workspace
    graph = workspace.graph(workspace.pipeline(shop.name), D2)
    assert Graph.model_validate(json.loads(graph.model_dump_json())) == graph
    done: set[str] = set()
    for step in graph.steps:
        assert set(step.after) <= done
        done.add(step.id)


def test_until_stops_there_and_publishes_nothing(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1, until="snapshot")
    assert shop.published() == {}
    assert list((shop.folder / "data" / "warehouse" / shop.name).glob("training*")) == []
    assert len(list(Path(shop.folder, "data", "warehouse", shop.name, "snapshot").rglob("part-*.parquet"))) == 1


def test_a_column_that_archived_landings_lack_is_null_there(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    shutil.rmtree(shop.folder / "data" / "landing" / "orders" / f"ds={D1}")
    text = shop.pipeline_file.read_text()
    text = text.replace("city: string,", "city: string, shop: string,").replace(
        "city: city", "city: city\n      shop: shop"
    )
    shop.pipeline_file.write_text(text)
    shop.land(D2, "shop," + HEADER + "north," + line(7, 1, D2))
    shop.run(D2)
    assert {row["customer"]: row["shop"] for row in shop.rows("snapshot", D2)} == {1: "north", 2: None}


def test_a_landing_that_failed_its_check_and_was_removed_never_was(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    bad = shop.land(D2, HEADER + line(7, 1, D2, -5.0))
    with pytest.raises(DataError, match="expectations failed"):
        shop.run(D2)
    bad.unlink()
    shop.land(D3, HEADER + line(8, 1, D3))
    shop.run(D3)
    assert {row["customer"]: row["orders"] for row in shop.rows("snapshot", D3)} == {1: 2, 2: 1}
