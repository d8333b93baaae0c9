"""What an online store promises, on Redis and DynamoDB."""

from __future__ import annotations

import pickle
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from featuremill.errors import DataError, ServiceError, UsageError
from featuremill.lookup.keys import KeyCodec
from featuremill.lookup.publication import open_store, publish, rollback
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.settings import ServiceSettings
from featuremill.lookup.store import open_backend
from featuremill.warehouse.storage import Warehouse
from tests.lookup.building import commit, pipeline_of, publish_simple, simple_rows
from tests.lookup.rsgi import call

DAYS = ("2024-01-31", "2024-02-01", "2024-02-02")


def test_what_is_published_is_found_and_equals_the_local_store(url: str, tmp_path: Path) -> None:
    published = publish_simple(tmp_path, url, count=2_500, marker=3)
    publish_simple(tmp_path / "other", tmp_path / "local", count=2_500, marker=3)
    assert (published.changed, published.manifest.rows, published.manifest.predicted_rows) == (True, 2_500, 2_500)
    keys = [KeyCodec("bigint").from_text(str(n)) for n in (1, 2_500, 7, 2_501, 7, 1_000)]
    local, remote = open_store(tmp_path / "local", "credit_risk"), open_store(url, "credit_risk")
    assert remote.get_many(keys) == local.get_many(keys)
    assert [remote.get(key) for key in keys] == local.get_many(keys)
    assert remote.get_many([]) == []
    every = [KeyCodec("bigint").from_text(str(n)) for n in range(1, 2_501)]
    assert remote.get_many(every) == local.get_many(every)
    assert not publish_simple(tmp_path, url, count=2_500, marker=3).changed


def test_the_service_answers_from_it(url: str, tmp_path: Path) -> None:
    publish_simple(tmp_path, url, count=50, marker=4)
    service = Service(ServiceSettings(root=url))
    assert call(service, "/v1/credit_risk/50").json()["features"] == {"loans": 4, "amount": 50.5}
    assert call(service, "/v1/credit_risk/51").status == 404
    document = {"ids": [1, 51]}
    assert call(service, "/v1/credit_risk/lookup", method="POST", document=document).json()["found"] == 1


def test_readers_stay_with_what_they_opened(url: str, tmp_path: Path) -> None:
    key = KeyCodec("bigint").from_text("1")
    backend = open_backend(url)
    assert backend.stamp("credit_risk") is None
    assert backend.pipelines() == []
    stamps, stores = [], []
    for marker, ds in enumerate(DAYS[:2]):
        publish_simple(tmp_path, url, marker=marker, ds=ds)
        stamps.append(backend.stamp("credit_risk"))
        stores.append(backend.open("credit_risk"))
    assert stamps[0] != stamps[1]
    assert backend.pipelines() == ["credit_risk"]
    for marker, store in enumerate(stores):
        value = store.get(key)
        assert value is not None and value.split(b"\n")[1] == str(marker).encode()
        assert store.manifest.ds == DAYS[marker]


def test_rollback_and_the_third_publication(url: str, tmp_path: Path) -> None:
    for marker, ds in enumerate(DAYS[:2]):
        publish_simple(tmp_path, url, marker=marker, ds=ds)
    assert rollback("credit_risk", url).ds == DAYS[0]
    assert open_store(url, "credit_risk").manifest.ds == DAYS[0]
    again = publish_simple(tmp_path, url, marker=1, ds=DAYS[1])
    assert not again.changed and "rolled back" in again.remark
    publish_simple(tmp_path, url, marker=2, ds=DAYS[2])
    backend = open_backend(url)
    pointer = backend.pointer("credit_risk")
    assert pointer is not None and pointer.current.startswith(DAYS[2])
    assert rollback("credit_risk", url).ds == DAYS[0]
    with pytest.raises(UsageError, match="no publication before"):
        rollback("unknown_pipeline", url)


def test_a_build_that_fails_leaves_the_old_one_serving(url: str, tmp_path: Path) -> None:
    publish_simple(tmp_path, url, marker=1, ds=DAYS[0])
    warehouse = Warehouse(tmp_path / "warehouse")
    snapshot, scores = simple_rows(100, 2)
    twice = pa.concat_tables([snapshot, snapshot.slice(40, 1)]).sort_by("id")
    first = commit(warehouse, "credit_risk", "snapshot", [twice], ds=DAYS[1], fingerprint="2" * 16)
    with pytest.raises(DataError, match="key"):
        publish(warehouse, pipeline_of(), first, None, url)
    assert open_store(url, "credit_risk").manifest.ds == DAYS[0]
    publish_simple(tmp_path, url, marker=3, ds=DAYS[2])
    assert open_store(url, "credit_risk").manifest.ds == DAYS[2]


def test_a_publication_that_is_no_more_is_an_error_not_an_unknown_id(url: str, tmp_path: Path) -> None:
    for marker, ds in enumerate(DAYS[:2]):
        publish_simple(tmp_path, url, marker=marker, ds=ds)
    backend = open_backend(url)
    old = backend.open("credit_risk", open_backend(url).pointer("credit_risk").previous)  # type: ignore[union-attr]
    publish_simple(tmp_path, url, marker=2, ds=DAYS[2])
    key = KeyCodec("bigint").from_text("1")
    with suppress(ServiceError):
        assert old.get(key) is not None, "kept for a while"
    with pytest.raises(DataError, match="publish again"):
        backend.open("credit_risk", "2020-01-01-0123456789abcdef")


def test_loaders_of_other_processes(url: str, tmp_path: Path) -> None:
    """As Spark does it: pickled, in any order, one task twice."""
    publish_simple(tmp_path / "reference", tmp_path / "local", count=300, marker=5)
    local = open_store(tmp_path / "local", "credit_risk")
    items = [(key, local.get(key) or b"") for key in (KeyCodec("bigint").from_text(str(n)) for n in range(1, 301))]
    backend = open_backend(url)
    writer = backend.begin(local.manifest)
    load = pickle.loads(pickle.dumps(writer.loader()))  # type: ignore[attr-defined]
    for part in (items[200:], items[:100], items[100:200], items[:100]):
        load(iter([(bytearray(key), bytearray(value)) for key, value in part]))
    manifest = writer.finish(predicted_rows=300)
    assert manifest.rows == 300
    backend.activate("credit_risk", manifest.publication)
    remote = backend.open("credit_risk")
    assert remote.get_many([key for key, _ in items]) == [value for _, value in items]


def test_the_arrow_loader_renders_as_publishing_does(url: str, tmp_path: Path) -> None:
    publish_simple(tmp_path / "reference", tmp_path / "local", count=300, marker=5)
    local = open_store(tmp_path / "local", "credit_risk")
    snapshot, scores = simple_rows(300, 5)
    joined = snapshot.drop_columns(["as_of"])
    for name in ("predicted_label", "probability", "lower", "upper"):
        joined = joined.append_column(name, scores.column(name))
    joined = joined.append_column("scored", pa.array([True] * 300))
    backend = open_backend(url)
    writer = backend.begin(local.manifest)
    load: Any = pickle.loads(pickle.dumps(writer.arrow_loader()))  # type: ignore[attr-defined]
    counted = [batch.to_pylist() for batch in load(iter(joined.to_batches(max_chunksize=70)))]
    assert counted == [[{"rows": 300, "predicted": 300}]]
    backend.activate("credit_risk", writer.finish(300).publication)
    keys = [KeyCodec("bigint").from_text(str(n)) for n in range(1, 301)]
    assert backend.open("credit_risk").get_many(keys) == local.get_many(keys)


def test_publishing_under_load_never_mixes(url: str, tmp_path: Path) -> None:
    publish_simple(tmp_path, url, marker=0, ds=DAYS[0])
    service = Service(ServiceSettings(root=url))
    stop = threading.Event()
    wrong: list[Any] = []
    seen: set[int] = set()

    def ask() -> None:
        document = {"ids": list(range(1, 101))}
        while not stop.is_set():
            answer = call(service, "/v1/credit_risk/lookup", method="POST", document=document)
            if answer.status != 200:
                wrong.append(answer.body)
                return
            found = answer.json()
            markers = {entity["features"]["loans"] for entity in found["entities"]}
            markers |= {round(entity["prediction"]["probability"] * 1000) for entity in found["entities"]}
            if len(markers) != 1 or DAYS[markers.copy().pop()] != found["ds"]:
                wrong.append((markers, found["ds"]))
            seen.update(markers)

    asking = threading.Thread(target=ask)
    asking.start()
    for marker in (1, 2):
        publish_simple(tmp_path, url, marker=marker, ds=DAYS[marker])
        service.shelf.look()
    stop.set()
    asking.join()
    assert not wrong, wrong[:3]
    assert call(service, "/v1/credit_risk/1").json()["ds"] == DAYS[2]


def test_urls() -> None:
    for bad in ("redis://127.0.0.1:x", "redis://h/0?colour=red", "dynamodb://eu-west-1", "dynamodb://eu-west-1/t?x=1"):
        with pytest.raises(UsageError):
            open_backend(bad)
    assert "secret" not in open_backend("redis://user:secret@127.0.0.1:1/0").where
    with pytest.raises(ServiceError, match="127.0.0.1:1"):
        open_backend("redis://user:secret@127.0.0.1:1/0").pointer("credit_risk")
    with pytest.raises(ServiceError, match="dynamodb://"):
        open_backend("dynamodb://eu-west-1/table?endpoint=http://127.0.0.1:9").pointer("credit_risk")
