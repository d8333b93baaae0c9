"""What a run publishes can be looked up at once, and is what Hive's partitions hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from featuremill.cli.lookups import lookup
from featuremill.errors import DataError, UsageError
from featuremill.lookup.publication import open_store
from featuremill.lookup.records import RecordFormat
from tests.fixtures_services import Services
from tests.runs.learning import LearningShop
from tests.runs.shop import Shop

D1, D2 = "2024-01-01", "2024-01-02"


def ask(shop: Shop, identity: str, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    capsys.readouterr()
    lookup(shop.name, identity, as_json=True, project=shop.folder, **options)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_features_and_prediction_of_an_id(
    tmp_path: Path, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = LearningShop(tmp_path / "project", "lookup_learning", services)
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    (row,) = [row for row in shop.rows("snapshot", D2) if row["customer"] == 7]
    (predicted,) = [row for row in shop.rows("predictions", D2) if row["customer"] == 7]
    answer = ask(shop, "7", capsys)
    assert answer["features"] == {name: row[name] for name in row if name not in ("customer", "as_of")}
    assert answer["prediction"] == {name: predicted[name] for name in predicted if name not in ("customer", "as_of")}
    assert (answer["id"], answer["ds"], answer["as_of"]) == (7, D2, "2024-01-03T00:00:00Z")
    live = ask(shop, "7", capsys, live=True, explain=True)
    assert live["live"] is True and live["prediction"]["probability"] == pytest.approx(
        predicted["probability"], abs=1e-6
    )
    assert set(live["explanation"]["contributions"]) == set(answer["features"])
    shop.clients.sagemaker.delete_endpoint(EndpointName="lookup-learning")
    fallen_back = ask(shop, "7", capsys, live=True)
    assert fallen_back["live"] is False and fallen_back["prediction"] == answer["prediction"]


def test_without_a_model_there_are_features_only(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.land_days(D1, D2)
    shop.run(D2)
    assert ask(shop, "1", capsys)["prediction"] is None
    for wrong in ("77", "x", "1 or 1=1", "9" * 40, "-0"):
        with pytest.raises(UsageError):
            ask(shop, wrong, capsys)


def test_a_day_before_is_still_there(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.land_days(D1, D2)
    shop.run(D1)
    before = ask(shop, "1", capsys)
    shop.run(D2)
    assert ask(shop, "1", capsys)["ds"] == D2
    then = ask(shop, "1", capsys, as_of=D1)
    assert (then["features"], then["ds"], then["fingerprints"]) == (before["features"], D1, before["fingerprints"])


def test_every_id_of_the_snapshot_is_found_and_the_same_run_builds_nothing(shop: Shop) -> None:
    shop.land_days(D1, D2)
    shop.run(D2)
    store = open_store(shop.workspace.online_root, shop.name)
    records = RecordFormat(store.manifest)
    found = {records.decode(value)["id"] for _, value in store.items()}  # type: ignore[attr-defined]
    store.close()
    assert found == {row["customer"] for row in shop.rows("snapshot", D2)}
    folder = Path(shop.workspace.online_root) / shop.name
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    shop.run(D2)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_store_that_cannot_be_built_leaves_the_old_one(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.land_days(D1, D2)
    shop.run(D1)
    root = Path(shop.workspace.online_root)
    before = ask(shop, "1", capsys)
    folder = root / shop.name
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.write_text("in the way")
    with pytest.raises(DataError, match="cannot be written|online"):
        shop.run(D2)
    folder.unlink()
    aside.rename(folder)
    assert ask(shop, "1", capsys)["features"] == before["features"]
    shop.run(D2)
    assert ask(shop, "1", capsys)["ds"] == D2
