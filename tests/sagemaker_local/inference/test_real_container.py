"""The project's own container behind the local SageMaker: endpoint, batch transform and in-process numbers agree."""

from __future__ import annotations

import datetime
import io
import json
import signal
import tarfile
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from tests.sagemaker_local.inference.conftest import Local, eventually
from tests.sagemaker_local.inference.test_transform import job
from tests.sagemaker_local.inference.test_updates import Traffic
from tests.training_image.serve.artefacts import make_model, rows
from training_image.prediction import Model

pytestmark = pytest.mark.slow
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/featuremill:1"
COLUMNS = ("predicted_label", "probability", "lower", "upper")
TABLE = rows(200, seed=5)


def packed(folder: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for file in sorted(folder.rglob("*")):
            tar.add(file, file.relative_to(folder), recursive=False)
    return out.getvalue()


def text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.date | datetime.datetime) else value


def json_lines(table: pa.Table) -> bytes:
    records = [{name: text(value) for name, value in row.items()} for row in table.to_pylist()]
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("artefact") / "model")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Any:
    """A server with an endpoint `real` of two instances of the real container, and a second config `real-again`."""
    local = Local(tmp_path_factory.mktemp("sagemaker"), {"SAGEMAKER_LOCAL_HEALTH_TIMEOUT_SECONDS": "60"})
    local.start()
    local.put("s3://models/real/model.tar.gz", packed(folder))
    local.put("s3://results/.keep", b"")
    for name in ("real", "real-again"):
        one = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}
        local.model(name, IMAGE, ModelDataUrl="s3://models/real/model.tar.gz", Environment=one)
        local.config(name, {"ModelName": name, "InitialInstanceCount": 2})
    described = local.endpoint("real", "real")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    yield local
    local.stop()


def test_the_endpoint_and_batch_transform_give_the_numbers_of_the_model_in_process(real: Local, folder: Path) -> None:
    expected = Model.load(folder).predict(TABLE).select(COLUMNS).to_pylist()
    kind = "application/jsonlines"
    body = json_lines(TABLE)
    answered = [json.loads(line) for line in real.ask("real", body, ContentType=kind, Accept=kind).splitlines()]
    real.put("s3://data/rows.jsonl", body)
    real.sagemaker.create_transform_job(
        **job(
            "real",
            "s3://data/rows.jsonl",
            ModelName="real",
            ContentType=kind,
            Accept=kind,
            MaxPayloadInMB=1,
            DataProcessing={"JoinSource": "Input"},
        )
    )
    real.sagemaker.get_waiter("transform_job_completed_or_stopped").wait(
        TransformJobName="real", WaiterConfig={"Delay": 1}
    )
    lines = real.path("s3://results/real/rows.jsonl.out").read_bytes().splitlines()
    batched = [json.loads(line)["SageMakerOutput"] for line in lines]
    assert len(answered) == len(batched) == len(expected) == 200
    for row, one, two in zip(expected, answered, batched, strict=True):
        for name in COLUMNS:
            assert one[name] == two[name] == pytest.approx(row[name], abs=1e-6)


def test_a_mistake_in_a_request_is_told_by_the_container(real: Local) -> None:
    runtime = real.runtime
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(EndpointName="real", Body=b'{"age": 3}', ContentType="application/json")
    assert caught.value.response["OriginalStatusCode"] == 400
    assert "income" in caught.value.response["OriginalMessage"]


def test_a_refresh_and_a_killed_process_fail_no_request_at_50_a_second(real: Local) -> None:
    record = json_lines(TABLE.slice(0, 1)).strip()
    assert real.process is not None
    with Traffic(real, "real", body=record, content_type="application/json") as traffic:
        time.sleep(0.3)
        real.sagemaker.update_endpoint(EndpointName="real", EndpointConfigName="real-again")
        assert real.settled("real", 60)["EndpointConfigName"] == "real-again"
        serving = [
            child
            for child in psutil.Process(real.process.pid).children()
            # A server may give itself another name; what is not the reaper is a container.
            if "reaper" not in " ".join(child.cmdline())
        ]
        assert len(serving) == 2
        serving[0].send_signal(signal.SIGKILL)
        time.sleep(1)
    assert traffic.errors == []
    assert len(traffic.answers) > 50
    eventually(
        lambda: real.settled("real")["ProductionVariants"][0]["CurrentInstanceCount"] == 2,
        60,
    )


def test_a_model_that_is_none_never_gets_the_traffic(real: Local) -> None:
    real.model("wrong", IMAGE)
    real.config("wrong")
    before = real.sagemaker.describe_endpoint(EndpointName="real")["EndpointConfigName"]
    real.sagemaker.update_endpoint(EndpointName="real", EndpointConfigName="wrong")
    described = real.settled("real", 60)
    assert described["EndpointConfigName"] == before
    assert "did not pass the ping health check" in described["FailureReason"]
    assert "model.json" in described["FailureReason"]


def test_the_multi_model_api_of_the_container(real: Local, folder: Path, tmp_path: Path) -> None:
    other = make_model(tmp_path / "regression", "regression", label_type="double")
    real.put("s3://models/many/binary.tar.gz", packed(folder))
    real.put("s3://models/many/regression.tar.gz", packed(other))
    two = {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
    real.model("many", IMAGE, ModelDataUrl="s3://models/many/", Mode="MultiModel", Environment=two)
    real.config("many")
    described = real.endpoint("many", "many")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    body = json_lines(TABLE.slice(0, 3))
    kind = "application/jsonlines"
    for _ in range(3):
        for name, model in (("binary", folder), ("regression", other)):
            answer = real.ask("many", body, ContentType=kind, Accept=kind, TargetModel=f"{name}.tar.gz")
            labels = [json.loads(line)["predicted_label"] for line in answer.splitlines()]
            expected = Model.load(model).predict(TABLE.slice(0, 3)).column("predicted_label").to_pylist()
            assert labels == pytest.approx(expected, abs=1e-6)
    real.sagemaker.delete_endpoint(EndpointName="many")
