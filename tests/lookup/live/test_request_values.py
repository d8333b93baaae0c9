"""`POST .../predict`: columns of a new event over the stored features."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from featuremill.local_engine.request import features_of_rows
from featuremill.local_engine.session import LocalSettings
from featuremill.lookup.live.request_values import RequestValues
from featuremill.lookup.service.app import Service
from featuremill.spec.loading import read_pipeline_file
from tests.lookup.live.fake_sagemaker import FakeSageMaker
from tests.lookup.rsgi import Protocol, call

Make = Callable[..., Service]


@pytest.fixture
def service(service_of: Make) -> Service:
    return service_of(timeout_ms=3_000)


def predict(service: Service, identity: Any = 1, query: str = "", **values: Any) -> Protocol:
    document = {"id": identity, "values": values}
    return call(service, "/v1/credit_risk/predict", method="POST", document=document, query=query)


def test_selects_whose_columns_are_given_are_evaluated(service: Service, sagemaker: FakeSageMaker) -> None:
    answer = predict(service, granted="15.06.2024", birthday="01.01.2000", income=1_000, family=4)
    assert answer.status == 200, answer.body
    found = answer.json()
    expected = {"loans": 3, "age": 24, "head": 250.0, "has_car": 1, "granted_day": "2024-06-15", "code": 5}
    assert found["features"] == expected
    assert found["evaluated"] == ["age", "head", "granted_day"]
    assert sagemaker.requests[0][0] == [expected]
    assert found["prediction"]["model_version"] == sagemaker.version
    assert found["live"] is True


def test_as_of_is_now_without_an_event_time(service: Service) -> None:
    found = predict(service, birthday="01.01.2000").json()
    assert found["features"]["age"] == time.gmtime().tm_year - 2000
    assert found["evaluated"] == ["age"]


def test_nulls_and_the_texts_that_mean_null(service: Service) -> None:
    for value in (None, "", "NA"):
        assert predict(service, birthday=value).json()["features"]["age"] is None
    assert predict(service, income=10.5, family=0).json()["features"]["head"] is None
    assert predict(service, income="10.5", family="2").json()["features"]["head"] == 5.25
    assert predict(service, income=10.5, family=2.0).json()["features"]["head"] == 5.25


def test_no_values_predict_the_stored_features(service: Service) -> None:
    found = call(service, "/v1/credit_risk/predict", method="POST", document={"id": "1"}).json()
    assert (found["evaluated"], found["features"]["age"]) == ([], 40)


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ({"income": 5.0}, "cannot-evaluate", ["head", "per_head", "income", "family", "give both or neither"]),
        ({"car": "Y"}, "cannot-evaluate", ["only Spark", "hash"]),
        ({"wages": 5.0}, "unknown-column", ["wages", "income"]),
        ({"status": 1}, "outcome-column", ["status"]),
        ({"birthday": "2000-01-01"}, "malformed-values", ["birthday", "2000-01-01", "dd.MM.yyyy"]),
        ({"birthday": [1]}, "malformed-values", ["birthday", "list"]),
        ({"income": "a lot", "family": 1}, "malformed-values", ["income", "a lot"]),
    ],
)
def test_what_cannot_be_is_refused(service: Service, values: dict[str, Any], kind: str, words: list[str]) -> None:
    answer = predict(service, **values)
    assert answer.status == 422, answer.body
    problem = answer.json()
    assert problem["type"].endswith(kind), problem
    for word in words:
        assert word in problem["detail"], problem


def test_ids_and_bodies(service: Service) -> None:
    assert predict(service, 99).status == 404
    assert predict(service, "x").status == 422
    documents: list[Any] = [[], {"values": {}}, {"id": 1, "values": []}, {"id": 1, "more": 1}]
    for document in documents:
        assert call(service, "/v1/credit_risk/predict", method="POST", document=document).status == 422
    assert predict(service, query="live=true").status == 422
    assert predict(service, query="explain=maybe").status == 422


def test_explained(service: Service) -> None:
    found = predict(service, query="explain=true", birthday="01.01.2000").json()
    assert found["explanation"]["bias"] == 0.25


def test_without_an_endpoint_there_is_no_answer(service: Service, sagemaker: FakeSageMaker) -> None:
    sagemaker.status = 500
    answer = predict(service, birthday="01.01.2000")
    assert (answer.status, answer.json()["reason"]) == (503, "failed")


def test_a_changed_pipeline_file_counts_at_once(service: Service, project: Path) -> None:
    assert predict(service, birthday="01.01.2000").json()["features"]["age"] < 1_000
    file = project / "configuration" / "pipelines" / "credit_risk.yaml"
    file.write_text(file.read_text().replace("floor(months_between(as_of, birthday) / 12)", "year(birthday)"))
    assert predict(service, birthday="01.01.2000").json()["features"]["age"] == 2000
    file.write_text("pipeline: [")
    assert predict(service, birthday="01.01.2000").status == 503


def test_it_takes_milliseconds(service: Service) -> None:
    values = {"granted": "15.06.2024", "birthday": "01.01.2000"}
    predict(service, **values)
    seconds = []
    for _ in range(30):
        began = time.perf_counter()
        predict(service, **values)
        seconds.append(time.perf_counter() - began)
    assert sorted(seconds)[15] < 0.2, seconds


def test_the_values_are_those_of_the_local_engine(service: Service, project: Path, tmp_path: Path) -> None:
    """Which evaluates the same rows as training does, where all features are selects."""
    pipeline = read_pipeline_file(project / "configuration/pipelines/credit_risk.yaml").loaded()
    proven = {name: select for name, select in pipeline.features[0].select.items() if name != "code"}
    block = pipeline.features[0].model_copy(update={"aggregate": {}, "select": proven})
    narrowed = pipeline.model_copy(update={"features": (block,)})
    rows: list[dict[str, str | None]] = [
        {"granted": "29.02.2024", "birthday": "28.02.1999", "income": "1e3", "family": "3", "car": "Y"},
        {"granted": "01.01.2020", "birthday": "NA", "income": " 7 ", "family": "0", "car": ""},
        {"granted": "31.12.1999", "birthday": "31.12.1899", "income": "-0.5", "family": None, "car": "N"},
    ]
    expected = features_of_rows(narrowed, rows, LocalSettings(tmp_path)).table.to_pylist()
    values = RequestValues()
    for row, features in zip(rows, expected, strict=True):
        found = values.evaluate(narrowed, 1, "1", row).features
        texts = {name: None if value is None else str(value) for name, value in features.items()}
        assert {n: None if t == b"null" else t.decode().strip('"') for n, t in found.items()} == texts
