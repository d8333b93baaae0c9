"""`live` and `predict` through the real server, with several workers."""

from __future__ import annotations

from pathlib import Path

from tests.lookup.live.fake_sagemaker import FakeSageMaker
from tests.lookup.serving import running


def test_through_the_server(project: Path, tmp_path: Path, sagemaker: FakeSageMaker) -> None:
    arguments = ("--project", str(project), "--workers", "2")
    environment = {"FEATUREMILL_LOOKUP_LIVE_TIMEOUT_MS": "5000"}
    with running(project / "online", tmp_path / "log", *arguments, environment=environment) as service:
        for _ in range(6):
            assert service.get("/v1/credit_risk/1?live=true")["live"] is True
        body = {"id": 1, "values": {"granted": "15.06.2024", "birthday": "01.01.2000"}}
        answer = service.post("/v1/credit_risk/predict?explain=true", body)
        assert answer.status == 200, answer.body
        assert answer.json()["features"]["age"] == 24
        described = service.get("/openapi.json")["paths"]
        assert "post" in described["/v1/credit_risk/predict"]
        assert "get" in described["/v1/credit_risk/{id}/history"]
        sagemaker.status = 500
        assert service.get("/v1/credit_risk/1?live=true")["live"] is False
        assert service.get("/v1/credit_risk/1")["prediction"]["probability"] == 0.1
        assert service.get("/v1/credit_risk/1?as_of=2024-01-31", 503)["type"].endswith("warehouse-unavailable")
    assert "Traceback" not in (tmp_path / "log").read_text()
