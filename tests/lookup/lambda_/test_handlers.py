"""The Lambda handlers, invoked with API Gateway's events."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from featuremill.errors import UsageError
from featuremill.lookup.lambda_ import handlers
from featuremill.lookup.lambda_.events import read_event
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.settings import ServiceSettings
from tests.lookup.building import publish_simple
from tests.lookup.lambda_.gateway import http, rest
from tests.lookup.live.fake_sagemaker import FakeSageMaker
from tests.lookup.rsgi import call

Event = Callable[..., dict[str, Any]]
KINDS = pytest.mark.parametrize("event", [rest, http], ids=["rest", "http"])


@pytest.fixture
def started(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEATUREMILL_LOOKUP_ROOT", str(project / "online"))
    monkeypatch.setenv("FEATUREMILL_LOOKUP_PROJECT", str(project))
    monkeypatch.setenv("FEATUREMILL_LOOKUP_ENVIRONMENT", "local")
    monkeypatch.setenv("FEATUREMILL_LOOKUP_LIVE_TIMEOUT_MS", "5000")
    monkeypatch.setattr(handlers, "_function", None)


def document(answer: dict[str, Any]) -> Any:
    assert answer["isBase64Encoded"] is False
    return json.loads(answer["body"])


@KINDS
@pytest.mark.usefixtures("started")
def test_one_id_and_many(event: Event, project: Path) -> None:
    service = Service(ServiceSettings(root=str(project / "online")))
    expected = call(service, "/v1/credit_risk/1").json()
    service.shelf.close()  # LMDB does not open a file twice in a process
    answer = handlers.features(event("/v1/credit_risk/1"), None)
    assert (answer["statusCode"], answer["headers"]["content-type"]) == (200, "application/json")
    got = document(answer)
    assert got | {"freshness_seconds": 0} == expected | {"freshness_seconds": 0}
    assert (
        handlers.features(event("/v1/credit_risk/1", **{"If-None-Match": answer["headers"]["etag"]}))["statusCode"]
        == 304
    )
    for encoded in (False, True):
        asked = event("/v1/credit_risk/lookup", method="POST", document={"ids": [1, 99]}, encoded=encoded)
        assert document(handlers.features(asked))["found"] == 1


@KINDS
@pytest.mark.usefixtures("started")
def test_errors_are_those_of_the_service(event: Event) -> None:
    for path, query, status in (
        ("/v1/credit_risk/99", "", 404),
        ("/v1/credit_risk/one two%", "", 422),
        ("/v1/unknown/1", "", 404),
        ("/v1/credit_risk/1", "colour=red", 422),
        ("/v1/credit_risk/1", "as_of=x", 422),
        ("/v1/credit_risk/1", "as_of=2024-01-01&as_of=2024-01-02", 422),
        ("/nothing", "", 404),
    ):
        answer = handlers.features(event(path, query))
        assert answer["statusCode"] == status, (path, answer)
        assert answer["headers"]["content-type"] == "application/problem+json"
    assert handlers.features(event("/v1/credit_risk/1", method="DELETE"))["statusCode"] == 405
    assert handlers.features(event("/health"))["statusCode"] == 200


@KINDS
@pytest.mark.usefixtures("started")
def test_the_predictions_api_asks_the_endpoint(event: Event, sagemaker: FakeSageMaker) -> None:
    assert document(handlers.predictions(event("/v1/credit_risk/1")))["live"] is True
    plain = document(handlers.predictions(event("/v1/credit_risk/1", "live=false")))
    assert "live" not in plain
    explained = document(handlers.predictions(event("/v1/credit_risk/1", "explain=true")))
    assert explained["explanation"]["bias"] == 0.25
    many = event("/v1/credit_risk/lookup", method="POST", document={"ids": [1, 2]})
    assert [entity["live"] for entity in document(handlers.predictions(many))["entities"]] == [True, True]
    values = {"id": 1, "values": {"granted": "15.06.2024", "birthday": "01.01.2000"}}
    predicted = document(handlers.predictions(event("/v1/credit_risk/predict", method="POST", document=values)))
    assert predicted["features"]["age"] == 24
    assert handlers.predictions(event("/v1/credit_risk"))["statusCode"] == 200
    sagemaker.status = 500
    assert document(handlers.predictions(event("/v1/credit_risk/1")))["live"] is False


@KINDS
@pytest.mark.usefixtures("started")
def test_the_features_api_never_asks_the_endpoint(event: Event, sagemaker: FakeSageMaker) -> None:
    for path, query, method in (
        ("/v1/credit_risk/1", "live=true", "GET"),
        ("/v1/credit_risk/1", "explain=true", "GET"),
        ("/v1/credit_risk/predict", "", "POST"),
    ):
        answer = handlers.features(event(path, query, method, {"id": 1}))
        assert (answer["statusCode"], document(answer)["type"]) == (404, "urn:featuremill:problem:other-api")
    assert not sagemaker.requests


def test_a_new_publication_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "online"
    publish_simple(tmp_path, root, marker=1, ds="2024-01-31")
    function = handlers.Function({"FEATUREMILL_LOOKUP_ROOT": str(root), "FEATUREMILL_LOOKUP_RELOAD": "0.001"})
    assert document(function.answer(http("/v1/credit_risk/1"), asks_endpoint=False))["ds"] == "2024-01-31"
    publish_simple(tmp_path, root, marker=2, ds="2024-02-01")
    assert document(function.answer(http("/v1/credit_risk/1"), asks_endpoint=False))["ds"] == "2024-02-01"


def test_paths() -> None:
    assert read_event(http("/v1/people/a b/ü%2F", stage="prod"))[0].path == "/v1/people/a b/ü%2F"
    assert read_event(http("/v1/people/1"))[0].path == "/v1/people/1"
    assert read_event(rest("/lookup/v1/people/1"), "/lookup")[0].path == "/v1/people/1"
    assert read_event(rest("/v1/people/1", "a=1&a=2"))[0].query_string == "a=1&a=2"


@pytest.mark.usefixtures("started")
def test_what_is_no_event_and_what_is_no_setting() -> None:
    broken = http("/", document=1) | {"isBase64Encoded": True, "body": "%"}
    events: list[Any] = [None, [], {}, {"Records": []}, broken]
    for event in events:
        assert handlers.features(event)["statusCode"] == 400
    with pytest.raises(UsageError, match="FEATUREMILL_LOOKUP_ROOT"):
        handlers.settings_from({})
    with pytest.raises(UsageError, match="FEATUREMILL_LOOKUP_REQUEST_LOG"):
        handlers.settings_from({"FEATUREMILL_LOOKUP_ROOT": "/x", "FEATUREMILL_LOOKUP_REQUEST_LOG": "loud"})
