"""`live` and `explain`: the endpoint's answers, and what happens when it gives none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from featuremill.lookup.service.app import Service
from tests.lookup.live.fake_sagemaker import FakeSageMaker
from tests.lookup.rsgi import Protocol, Scope, call

Make = Callable[..., Service]


def test_the_stored_features_go_to_the_endpoint(service_of: Make, sagemaker: FakeSageMaker) -> None:
    service = service_of(timeout_ms=3_000)
    answer = call(service, "/v1/credit_risk/1", query="live=true").json()
    assert answer["live"] is True
    assert answer["prediction"] == {
        "predicted_label": 0,
        "probability": 0.125,
        "lower": 0.0,
        "upper": 1.0,
        "model_version": sagemaker.version,
    }
    rows, attributes = sagemaker.requests[0]
    assert rows == [{"loans": 3, "age": 40, "head": 0.125, "has_car": 1, "granted_day": "2022-01-08", "code": 5}]
    assert attributes == "output=predicted_label,probability,lower,upper"
    plain = call(service, "/v1/credit_risk/1").json()
    assert list(answer["prediction"]) == list(plain["prediction"])
    assert {n: answer[n] for n in ("ds", "as_of", "features", "id")} == {
        n: plain[n] for n in ("ds", "as_of", "features", "id")
    }


def test_nan_is_sent_as_missing_and_infinity_not_at_all(service_of: Make, sagemaker: FakeSageMaker) -> None:
    service = service_of(timeout_ms=3_000)
    second = call(service, "/v1/credit_risk/2", query="live=true").json()
    assert second["live"] is True
    assert second["flags"] == ["something is missing"]
    assert sagemaker.requests[0][0][0]["head"] is None
    third = call(service, "/v1/credit_risk/3", query="live=true").json()
    assert (third["live"], third["live_reason"], third["prediction"]) == (False, "not-sent", None)


def test_explain(service_of: Make, sagemaker: FakeSageMaker) -> None:
    service = service_of(timeout_ms=3_000)
    answer = call(service, "/v1/credit_risk/1", query="explain=true").json()
    assert answer["explanation"]["contributions"]["age"] == 40
    assert answer["explanation"]["bias"] == 0.25
    assert answer["explanation"]["model_version"] == sagemaker.version
    assert answer["prediction"]["probability"] == 0.1, "the stored one"
    both = call(service, "/v1/credit_risk/1", query="explain=true&live=true").json()
    assert both["prediction"]["probability"] == 0.125
    assert both["explanation"]["bias"] == 0.25
    assert len(sagemaker.requests) == 2, "one request for both"
    assert call(service, "/v1/credit_risk/1", query="live=false&explain=0").json()["ds"]
    assert len(sagemaker.requests) == 2


def test_many_ids_are_one_request(service_of: Make, sagemaker: FakeSageMaker) -> None:
    service = service_of(timeout_ms=3_000)
    document = {"ids": [2, 99, 1]}
    answer = call(service, "/v1/credit_risk/lookup", query="live=true", method="POST", document=document).json()
    assert [entity.get("live") for entity in answer["entities"]] == [True, None, True]
    assert len(sagemaker.requests) == 1
    assert call(service, "/v1/credit_risk/lookup", query="live=1", method="POST", document={"ids": [99]}).status == 200


def test_a_slow_endpoint_gives_the_stored_prediction_in_time(service_of: Make, sagemaker: FakeSageMaker) -> None:
    service = service_of(timeout_ms=200, failures=100)
    call(service, "/v1/credit_risk/1", query="live=true")
    sagemaker.seconds = 2.0
    began = time.monotonic()
    answer = call(service, "/v1/credit_risk/1", query="live=true&explain=true").json()
    assert time.monotonic() - began < 1.0
    assert (answer["live"], answer["live_reason"]) == (False, "slow")
    assert (answer["explanation"], answer["explanation_reason"]) == (None, "slow")
    assert answer["prediction"]["probability"] == 0.1


def test_a_broken_endpoint_is_left_alone_for_a_while(service_of: Make, sagemaker: FakeSageMaker) -> None:
    service = service_of(timeout_ms=3_000, failures=2, rest_seconds=0.5)
    sagemaker.status = 500
    reasons = [call(service, "/v1/credit_risk/1", query="live=true").json()["live_reason"] for _ in range(4)]
    assert reasons == ["failed", "failed", "resting", "resting"]
    sagemaker.status = 200
    time.sleep(0.6)
    assert call(service, "/v1/credit_risk/1", query="live=true").json()["live"] is True
    assert call(service, "/v1/credit_risk/1", query="live=true").json()["live"] is True


def test_no_endpoint_at_all(service_of: Make, project: Path) -> None:
    (project / "configuration/environments/local.yaml").write_text("sagemaker: {endpoint: 'http://127.0.0.1:9'}\n")
    answer = call(service_of(), "/v1/credit_risk/1", query="live=true").json()
    assert (answer["live"], answer["live_reason"]) == (False, "unavailable")
    (project / "configuration/environments/local.yaml").write_text("{}\n")
    answer = call(service_of(), "/v1/credit_risk/1", query="live=true").json()
    assert (answer["live"], answer["live_reason"]) == (False, "unavailable")
    assert "start.sh" in answer["live_detail"]


def test_a_model_of_fewer_features(service_of: Make, sagemaker: FakeSageMaker) -> None:
    service = service_of(timeout_ms=3_000)
    sagemaker.features = ("head", "loans")
    for _ in range(2):
        assert call(service, "/v1/credit_risk/1", query="live=true").json()["live"] is True
    assert len(sagemaker.requests) == 3, "refused once, then it is known what it takes"
    sagemaker.features = ("age", "head", "loans")
    assert call(service, "/v1/credit_risk/1", query="live=true").json()["live"] is True
    sagemaker.features = ("age", "gone")
    answer = call(service, "/v1/credit_risk/1", query="live=true").json()
    assert (answer["live"], answer["live_reason"]) == (False, "refused")
    assert "gone" in answer["live_detail"]


def test_while_the_endpoint_changes_no_version_is_claimed(service_of: Make, sagemaker: FakeSageMaker) -> None:
    sagemaker.endpoint_status = "Updating"
    answer = call(service_of(timeout_ms=3_000), "/v1/credit_risk/1", query="live=true").json()
    assert answer["live"] is True
    assert answer["prediction"]["model_version"] is None


def test_hanging_live_requests_hold_up_nobody(service_of: Make, sagemaker: FakeSageMaker) -> None:
    service = service_of(timeout_ms=1_000, threads=2, queue=3, failures=1_000)
    call(service, "/v1/credit_risk/1", query="live=true")
    sagemaker.seconds = 5.0

    async def ask(query: str) -> tuple[float, Protocol]:
        protocol = Protocol()
        began = time.monotonic()
        await service.__rsgi__(Scope("/v1/credit_risk/1", query_string=query), protocol)
        return time.monotonic() - began, protocol

    async def all_at_once() -> None:
        hanging = [asyncio.ensure_future(ask("live=true")) for _ in range(20)]
        await asyncio.sleep(0.05)
        plain = [await ask("") for _ in range(200)]
        assert max(seconds for seconds, _ in plain) < 0.3
        assert {protocol.status for _, protocol in plain} == {200}
        answered = [(await one)[1].json() for one in hanging]
        reasons = [answer["live_reason"] for answer in answered]
        assert reasons.count("busy") == 15
        assert reasons.count("slow") == 5

    began = time.monotonic()
    asyncio.run(all_at_once())
    assert time.monotonic() - began < 3.0


def test_settings(service_of: Make) -> None:
    from featuremill.errors import UsageError

    with pytest.raises(UsageError, match="FEATUREMILL_LOOKUP_LIVE_TIMEOUT_MS"):
        service_of(timeout_ms="soon")
