"""Endpoints and invoke_endpoint, as boto3 sees them."""

from __future__ import annotations

import base64
import datetime
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sagemaker_local.inference.conftest import ROLE, Local, archive, eventually


def error_of(call: Any, **request: Any) -> tuple[str, str]:
    """Code and text of the error that a call gets."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def plain(local: Local) -> str:
    """An endpoint with one instance of a model that answers."""
    local.model("plain")
    local.config("plain")
    assert local.endpoint("plain", "plain")["EndpointStatus"] == "InService"
    return "plain"


def test_an_endpoint_lives_from_create_to_delete_by_the_waiters(local: Local) -> None:
    sagemaker = local.sagemaker
    local.model("life")
    local.config("life")
    before = len(local.processes())
    arn = sagemaker.create_endpoint(EndpointName="life", EndpointConfigName="life", Tags=[{"Key": "a", "Value": "b"}])
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="life", WaiterConfig={"Delay": 1})
    assert sagemaker.list_tags(ResourceArn=arn["EndpointArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert "already existing" in error_of(sagemaker.create_endpoint, EndpointName="life", EndpointConfigName="life")[1]
    listed = sagemaker.list_endpoints(NameContains="life", StatusEquals="InService")["Endpoints"]
    assert [endpoint["EndpointName"] for endpoint in listed] == ["life"]
    # What an endpoint runs is its own: the model and the config may go.
    sagemaker.delete_model(ModelName="life")
    sagemaker.delete_endpoint_config(EndpointConfigName="life")
    assert local.ask("life") == "life:1;2\n"
    sagemaker.delete_endpoint(EndpointName="life")
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="life", WaiterConfig={"Delay": 1})
    assert len(local.processes()) == before
    assert error_of(local.runtime.invoke_endpoint, EndpointName="life", Body=b"1")[0] == "ValidationError"


@pytest.mark.parametrize(
    ("image", "reason"),
    [("fake-dying", "exit code 4"), ("fake-mute", "/ping did not answer 200 within 4 s")],
)
def test_an_endpoint_that_never_gets_healthy_fails_with_the_reason(local: Local, image: str, reason: str) -> None:
    name = f"{image}-create"
    local.model(name, image)
    local.config(name)
    before = len(local.processes())
    described = local.endpoint(name, name)
    assert described["EndpointStatus"] == "Failed"
    assert reason in described["FailureReason"]
    assert len(local.processes()) == before
    code, text = error_of(local.runtime.invoke_endpoint, EndpointName=name, Body=b"1")
    assert code == "ValidationError" and "Failed" in text
    code, text = error_of(local.sagemaker.update_endpoint, EndpointName=name, EndpointConfigName=name)
    assert code == "ValidationException" and "only be deleted" in text
    local.sagemaker.delete_endpoint(EndpointName=name)


def test_an_endpoint_that_never_comes_up_can_be_deleted_meanwhile(local: Local) -> None:
    local.model("hasty", "fake-mute")
    local.config("hasty")
    local.sagemaker.create_endpoint(EndpointName="hasty", EndpointConfigName="hasty")
    local.sagemaker.delete_endpoint(EndpointName="hasty")
    local.sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="hasty", WaiterConfig={"Delay": 1})


def test_an_answer_carries_what_the_container_said(local: Local, plain: str) -> None:
    answer = local.runtime.invoke_endpoint(
        EndpointName=plain, Body=b'{"x": 1}', ContentType="application/json", Accept="a/b", CustomAttributes="k=v"
    )
    assert json.loads(answer["Body"].read()) == {"model": "plain", "got": {"x": 1}}
    assert answer["ContentType"] == "a/b"
    assert answer["InvokedProductionVariant"] == "all"
    assert answer["CustomAttributes"] == "seen:k=v"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [(b"bad", 400, '{"error": "row 1: bad is no number"}'), (b"boom", 500, "the model broke")],
)
def test_errors_of_the_container_are_model_errors(
    local: Local, plain: str, body: bytes, status: int, message: str
) -> None:
    runtime = local.runtime
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(EndpointName=plain, Body=body)
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == status
    assert response["OriginalMessage"] == message
    assert response["LogStreamArn"].startswith(
        "arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/plain:log-stream:all/i-"
    )


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"EndpointName": "nowhere"}, "not found"),
        ({"TargetVariant": "other"}, "Variant other does not exist"),
        ({"TargetModel": "a.tar.gz"}, "multi-model"),
        ({"Body": b"x" * (6 * 1024 * 1024 + 1)}, "6,291,457 bytes"),
    ],
)
def test_mistakes_of_the_caller_are_validation_errors(
    local: Local, plain: str, request_: dict[str, Any], text: str
) -> None:
    code, message = error_of(local.runtime.invoke_endpoint, **{"EndpointName": plain, "Body": b"1", **request_})
    assert code == "ValidationError" and text in message


def test_a_body_of_six_megabytes_is_answered(local: Local, plain: str) -> None:
    body = b"x" * (6 * 1024 * 1024)
    assert len(local.ask(plain, body)) == len(body) + len("plain:\n")


def test_variants_get_their_weights_and_instances_their_turns(local: Local) -> None:
    local.model("left")
    local.model("right", "fake-ok")
    local.config(
        "weighted",
        {"VariantName": "left", "ModelName": "left", "InitialVariantWeight": 3.0, "InitialInstanceCount": 2},
        {"VariantName": "right", "ModelName": "right", "InitialVariantWeight": 1.0},
    )
    before = set(local.processes())
    local.endpoint("weighted", "weighted")
    assert len(set(local.processes()) - before) == 3
    with ThreadPoolExecutor(4) as pool:
        answers = Counter(pool.map(lambda _: local.ask("weighted", b"1"), range(40)))
    assert answers == {"left:1\n": 30, "right:1\n": 10}
    assert {local.ask("weighted", b"1", TargetVariant="right") for _ in range(5)} == {"right:1\n"}
    local.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="weighted",
        DesiredWeightsAndCapacities=[
            {"VariantName": "left", "DesiredWeight": 0.0, "DesiredInstanceCount": 1},
            {"VariantName": "right", "DesiredWeight": 1.0, "DesiredInstanceCount": 2},
        ],
    )
    described = local.settled("weighted")
    assert {local.ask("weighted", b"1") for _ in range(5)} == {"right:1\n"}
    shown = {
        each["VariantName"]: (each["CurrentWeight"], each["CurrentInstanceCount"])
        for each in described["ProductionVariants"]
    }
    assert shown == {"left": (0.0, 1), "right": (1.0, 2)}
    local.sagemaker.delete_endpoint(EndpointName="weighted")


def test_each_instance_writes_to_its_log_stream(local: Local) -> None:
    local.model("logged")
    local.config("logged")
    local.endpoint("logged", "logged")
    local.ask("logged", b"1")
    logs, group = local.client("logs"), "/aws/sagemaker/Endpoints/logged"

    def lines() -> list[str]:
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"])["events"]
        return [event["message"] for event in events]

    assert "answering 1 bytes" in eventually(lines)


def test_a_models_environment_reaches_the_container(local: Local) -> None:
    local.model("environment", Environment={"COLOUR": "green", "SAGEMAKER_INFERENCE_OUTPUT": "probability"})
    local.config("environment")
    local.endpoint("environment", "environment")
    seen = json.loads(local.ask("environment", b"environment"))
    assert seen["COLOUR"] == "green" and seen["SAGEMAKER_INFERENCE_OUTPUT"] == "probability"
    assert seen["AWS_REGION"] == "us-east-1" and "SAGEMAKER_BATCH" not in seen


def test_model_data_may_be_a_prefix_of_files(local: Local) -> None:
    local.put("s3://models/loose/name.txt", b"loose")
    source = {"S3DataSource": {"S3Uri": "s3://models/loose/", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    local.sagemaker.create_model(
        ModelName="loose", PrimaryContainer={"Image": "fake-ok", "ModelDataSource": source}, ExecutionRoleArn=ROLE
    )
    local.config("loose")
    local.endpoint("loose", "loose")
    assert local.ask("loose", b"1") == "loose:1\n"


def test_a_multi_model_endpoint_loads_its_models_when_they_are_asked_for(local: Local) -> None:
    for name in ("a", "b", "c"):
        local.put(f"s3://models/many/{name}.tar.gz", archive(name))
    container = {"Image": "fake-multi", "Mode": "MultiModel", "ModelDataUrl": "s3://models/many/"}
    local.sagemaker.create_model(ModelName="many", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    local.config("many")
    local.endpoint("many", "many")
    # The container has memory for two: the third makes it unload.
    for name in ("a", "b", "a", "c", "b", "c"):
        assert local.ask("many", b"1", TargetModel=f"{name}.tar.gz") == f"{name}:1\n"
    local.put("s3://models/many/a.tar.gz", archive("a2"))
    assert local.ask("many", b"1", TargetModel="a.tar.gz") == "a2:1\n"
    invoke = local.runtime.invoke_endpoint
    assert "needs TargetModel" in error_of(invoke, EndpointName="many", Body=b"1")[1]
    code, text = error_of(invoke, EndpointName="many", Body=b"1", TargetModel="d.tar.gz")
    assert code == "ValidationError" and "s3://models/many/d.tar.gz" in text
    assert "cannot be" in error_of(invoke, EndpointName="many", Body=b"1", TargetModel="../loose/name.txt")[1]


def test_requests_and_answers_are_captured_as_aws_does(local: Local) -> None:
    local.model("captured")
    local.config(
        "captured",
        {"ModelName": "captured"},
        DataCaptureConfig={
            "EnableCapture": True,
            "InitialSamplingPercentage": 50,
            "DestinationS3Uri": "s3://captures/all",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
        },
    )
    described = local.endpoint("captured", "captured")
    assert described["DataCaptureConfig"]["CaptureStatus"] == "Started"
    for number in range(10):
        local.ask("captured", f"{number}".encode(), InferenceId=f"id-{number}", Accept="x/y")
    folder = local.path("s3://captures/all/captured/all")

    def records() -> list[dict[str, Any]]:
        files = folder.glob("*/*/*/*/*.jsonl")
        found = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return found if len(found) == 5 else []

    record = eventually(records)[0]
    assert record["eventVersion"] == "0"
    source, target = record["captureData"]["endpointInput"], record["captureData"]["endpointOutput"]
    number = record["eventMetadata"]["inferenceId"].removeprefix("id-")
    assert source == {"observedContentType": "text/csv", "mode": "INPUT", "data": number, "encoding": "CSV"}
    assert target["encoding"] == "BASE64" and target["observedContentType"] == "x/y"
    assert base64.b64decode(target["data"]) == f"captured:{number}\n".encode()


def test_cloudwatch_knows_invocations_and_errors(local: Local) -> None:
    local.model("measured")
    local.config("measured")
    local.endpoint("measured", "measured")
    for _ in range(4):
        local.ask("measured")
    error_of(local.runtime.invoke_endpoint, EndpointName="measured", Body=b"boom")
    cloudwatch = local.client("cloudwatch")

    def total(metric: str) -> float:
        now = datetime.datetime.now(datetime.UTC)
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[{"Name": "EndpointName", "Value": "measured"}, {"Name": "VariantName", "Value": "all"}],
            StartTime=now - datetime.timedelta(minutes=5),
            EndTime=now + datetime.timedelta(minutes=5),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    eventually(lambda: total("Invocations") == 5)
    assert total("Invocation5XXErrors") == 1 and total("Invocation4XXErrors") == 0
    assert total("ModelLatency") > 0
