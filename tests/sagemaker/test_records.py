"""The registry: what was written is there, in order, whoever wrote it and whenever it was cut off."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from featuremill.errors import DataError, UsageError
from featuremill.sagemaker.gate import Check, Verdict
from featuremill.sagemaker.metric_tables import EVENTS_SCHEMA, METRICS_SCHEMA, model_events, model_metrics
from featuremill.sagemaker.records import ModelVersion, Registry
from featuremill.warehouse.storage import Warehouse

MOMENT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def model(number: int, ds: str = "2024-01-01") -> ModelVersion:
    return ModelVersion(
        version=f"heart-{ds}-0000000{number}",
        pipeline="heart",
        ds=ds,
        task="binary",
        fingerprint="0" * 31 + str(number),
        data_fingerprint="f" * 32,
        artefact_uri=f"s3://b/{number}/model.tar.gz",
        metrics={
            "validation": {"auc": 0.8, "note": "text", "n": None},
            "train": {"auc": 0.9},
            "baselines": {"majority": {"auc": 0.5}, "logistic": {"auc": 0.7}},
            "rows": {"train": 80, "validation": 20, "dropped_without_label": 3, "split": "time"},
            "coverage": {"stated": 0.9, "measured": 0.91},
            "importance": {"age": 1.0},
        },
        created=MOMENT.replace(minute=number),
    )


def verdict(passed: bool) -> Verdict:
    return Verdict(checks=(Check(name="auc", value=0.8, bound=">= 0.6", passed=passed, text="auc: 0.8"),))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


@pytest.fixture
def registry(warehouse: Warehouse) -> Registry:
    return Registry(warehouse, "heart", who="ada", clock=lambda: MOMENT)


def test_an_empty_registry_knows_nothing(registry: Registry) -> None:
    assert registry.history() == [] and registry.current() is None
    with pytest.raises(UsageError, match="heart has no model 'x'; the newest are: none yet"):
        registry.version("x")


def test_the_story_of_two_models(registry: Registry, warehouse: Warehouse) -> None:
    registry.add(model(1), "no model yet")
    registry.judged(model(1).version, verdict(True))
    registry.log("deployed", model(1).version, "accepted", {"config": "c1"})
    registry.add(model(2), "schedule @daily")
    registry.judged(model(2).version, verdict(False))

    again = Registry(warehouse, "heart")
    newest, oldest = again.history()
    assert [event.event for event in oldest.events] == ["trained", "accepted", "deployed"]
    assert oldest.live and oldest.state == "deployed" and oldest.verdict == verdict(True)
    assert newest.state == "rejected" and not newest.live and newest.verdict == verdict(False)
    live = again.current()
    assert live is not None and (live.version, live.config) == (model(1).version, "c1")
    assert {event.who for event in again.events()} == {"ada"}
    assert again.version(model(2).version) == model(2)
    with pytest.raises(UsageError, match=model(1).version):
        again.version("other")


def test_recording_twice_is_recording_once(registry: Registry) -> None:
    for _ in range(2):
        registry.add(model(1), "no model yet")
        registry.judged(model(1).version, verdict(True))
    assert [event.event for event in registry.events()] == ["trained", "accepted"]
    registry.judged(model(1).version, verdict(False))
    assert [event.event for event in registry.events()] == ["trained", "accepted", "rejected"]


def test_a_run_cut_off_between_model_and_event_is_made_whole(registry: Registry, tmp_path: Path) -> None:
    registry.add(model(1), "no model yet")
    for file in (tmp_path / "heart" / "_models" / "events").iterdir():
        file.unlink()
    registry.add(model(1), "no model yet")
    assert [event.event for event in registry.events()] == ["trained"]


def test_events_keep_their_order_when_the_clock_stands_still_or_goes_back(warehouse: Warehouse) -> None:
    registry = Registry(warehouse, "heart", clock=lambda: MOMENT)
    for number in range(5):
        registry.log("failed", "heart-1", str(number))
    Registry(warehouse, "heart", clock=lambda: datetime(2020, 1, 1, tzinfo=UTC)).log("failed", "heart-1", "5")
    events = registry.events()
    assert [event.reason for event in events] == ["0", "1", "2", "3", "4", "5"]
    assert len({event.time for event in events}) == 6


def test_half_a_document_is_never_read(registry: Registry, tmp_path: Path) -> None:
    registry.add(model(1), "no model yet")
    folder = tmp_path / "heart" / "_models" / "events"
    (folder / ".20240102T030405.000001Z-failed-x.json-abc").write_text('{"time"')
    assert len(registry.events()) == 1


def test_a_document_that_is_none_is_named(registry: Registry, tmp_path: Path) -> None:
    registry.add(model(1), "no model yet")
    file = tmp_path / "heart" / "_models" / "versions" / f"{model(1).version}.json"
    file.write_text("{}")
    with pytest.raises(DataError, match=rf"{model(1).version}.json is not a record .* version: Field required"):
        registry.versions()


def test_many_at_once_lose_nothing(warehouse: Warehouse) -> None:
    def write(name: str) -> None:
        registry = Registry(warehouse, "heart", who=name)
        for number in range(10):
            registry.log("failed", "heart-1", f"{name}-{number}")

    threads = [threading.Thread(target=write, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = Registry(warehouse, "heart").events()
    assert len(events) == 40
    for name in ("t0", "t3"):
        assert [e.reason for e in events if e.who == name] == [f"{name}-{number}" for number in range(10)]


def test_a_version_that_could_leave_the_folder_is_refused(registry: Registry) -> None:
    with pytest.raises(UsageError, match="is not a name"):
        registry.add(model(1).model_copy(update={"version": "../x"}), "")


def test_the_records_are_no_table_of_the_warehouse(registry: Registry, warehouse: Warehouse) -> None:
    registry.add(model(1), "no model yet")
    assert warehouse.manifests("heart", "_models") == []


def test_metrics_as_a_table() -> None:
    table = model_metrics([model(2), model(1)])
    assert table.schema.equals(METRICS_SCHEMA)
    rows = {(r["version"], r["dataset"], r["metric"]): r["value"] for r in table.to_pylist()}
    version = model(1).version
    assert {key[1:]: value for key, value in rows.items() if key[0] == version} == {
        ("validation", "auc"): 0.8,
        ("train", "auc"): 0.9,
        ("baseline_majority", "auc"): 0.5,
        ("baseline_logistic", "auc"): 0.7,
        ("train", "rows"): 80.0,
        ("validation", "rows"): 20.0,
        ("all", "dropped_without_label"): 3.0,
        ("validation", "coverage_stated"): 0.9,
        ("validation", "coverage_measured"): 0.91,
    }
    assert table.equals(model_metrics([model(1), model(2)]))
    assert model_metrics([]).num_rows == 0


def test_events_as_a_table(registry: Registry) -> None:
    registry.add(model(1), "no model yet")
    registry.log("deployed", model(1).version, "accepted", {"config": "c1"})
    table = model_events(registry.events())
    assert table.schema.equals(EVENTS_SCHEMA)
    assert table.column("event").to_pylist() == ["trained", "deployed"]
    assert table.column("config").to_pylist() == [None, "c1"]
