"""Batch transform: what comes out for what goes in, and why a job fails."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sagemaker_local.inference.conftest import Local, eventually


@pytest.fixture(scope="module")
def batch(local: Local) -> Local:
    local.model("batch")
    local.model("batch-slow", "fake-slow")
    local.model("batch-dying", "fake-dying")
    local.model("batch-nonsense", "fake-nonsense")
    local.put("s3://results/.keep", b"")
    return local


def job(name: str, source: str, **changes: Any) -> dict[str, Any]:
    """A request: lines of csv, joined by nothing. Members of TransformInput and TransformOutput are changed flat."""
    inputs = {"ContentType": "text/csv", "SplitType": "Line"}
    outputs = {"S3OutputPath": f"s3://results/{name}", "AssembleWith": "Line"}
    for key in ("ContentType", "SplitType", "CompressionType"):
        if key in changes:
            inputs[key] = changes.pop(key)
    for key in ("S3OutputPath", "AssembleWith", "Accept"):
        if key in changes:
            outputs[key] = changes.pop(key)
    kind = changes.pop("S3DataType", "S3Prefix")
    return {
        "TransformJobName": name,
        "ModelName": changes.pop("ModelName", "batch"),
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": source}}, **inputs},
        "TransformOutput": outputs,
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": changes.pop("InstanceCount", 1)},
        **changes,
    }


def run(local: Local, name: str, source: str, **changes: Any) -> dict[str, Any]:
    """The description of a job that has ended."""
    sagemaker = local.sagemaker
    sagemaker.create_transform_job(**job(name, source, **changes))

    def ended() -> Any:
        described = sagemaker.describe_transform_job(TransformJobName=name)
        return described if described["TransformJobStatus"] not in ("InProgress", "Stopping") else None

    found: dict[str, Any] = eventually(ended, 30)
    return found


def output(local: Local, name: str, key: str) -> bytes:
    return local.path(f"s3://results/{name}/{key}.out").read_bytes()


def test_lines_of_several_objects_on_several_instances(batch: Local) -> None:
    for number in range(5):
        batch.put(f"s3://data/many/part-{number}.csv", b"".join(b"%d,%d\n" % (number, row) for row in range(1000)))
    described = run(batch, "many", "s3://data/many/", InstanceCount=2, Tags=[{"Key": "a", "Value": "b"}])
    assert described["TransformJobStatus"] == "Completed", described.get("FailureReason")
    assert described["TransformEndTime"] >= described["TransformStartTime"]
    for number in range(5):
        expected = b"".join(b"batch:%d;%d\n" % (number, row) for row in range(1000))
        assert output(batch, "many", f"part-{number}.csv") == expected
    assert batch.sagemaker.list_tags(ResourceArn=described["TransformJobArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert batch.processes() == []


def test_a_single_record_a_request_keeps_the_order(batch: Local) -> None:
    batch.put("s3://data/single.csv", b"".join(b"%d\r\n" % row for row in range(50)))
    described = run(batch, "single", "s3://data/single.csv", BatchStrategy="SingleRecord", MaxConcurrentTransforms=8)
    assert described["TransformJobStatus"] == "Completed"
    assert output(batch, "single", "single.csv") == b"".join(b"batch:%d\n" % row for row in range(50))


def test_a_gzipped_object(batch: Local) -> None:
    batch.put("s3://data/zipped.csv.gz", gzip.compress(b"1\n2\n"))
    described = run(batch, "zipped", "s3://data/zipped.csv.gz", CompressionType="Gzip")
    assert described["TransformJobStatus"] == "Completed"
    assert output(batch, "zipped", "zipped.csv.gz") == b"batch:1\nbatch:2\n"


def test_a_manifest_of_objects(batch: Local) -> None:
    batch.put("s3://data/listed/a/x.csv", b"1\n")
    batch.put("s3://data/listed/b/y.csv", b"2\n")
    batch.put("s3://data/listed/c/z.csv", b"3\n")
    batch.put("s3://data/list.manifest", json.dumps([{"prefix": "s3://data/listed/"}, "a/x.csv", "b/y.csv"]).encode())
    run(batch, "listed", "s3://data/list.manifest", S3DataType="ManifestFile")
    assert output(batch, "listed", "a/x.csv") == b"batch:1\n" and output(batch, "listed", "b/y.csv") == b"batch:2\n"
    assert not batch.path("s3://results/listed/c/z.csv.out").exists()


def test_input_joined_to_the_predictions_and_filtered(batch: Local) -> None:
    batch.put("s3://data/joined.csv", b'7,"a,b",1\n8,c,2\n')
    processing = {"JoinSource": "Input", "InputFilter": "$[2:]", "OutputFilter": "$[0,-1]"}
    described = run(batch, "joined", "s3://data/joined.csv", Accept="text/csv", DataProcessing=processing)
    assert described["TransformJobStatus"] == "Completed", described.get("FailureReason")
    assert output(batch, "joined", "joined.csv") == b"7,batch:1\n8,batch:2\n"
    assert described["DataProcessing"] == processing


def test_json_lines_joined(batch: Local) -> None:
    batch.put("s3://data/joined.jsonl", b'{"id": 7, "x": {"a": 1}}\n{"id": 8, "x": {"a": 2}}\n')
    run(
        batch,
        "jsonlines",
        "s3://data/joined.jsonl",
        ContentType="application/jsonlines",
        Accept="application/jsonlines",
        DataProcessing={"JoinSource": "Input", "InputFilter": "$.x"},
    )
    assert [json.loads(line) for line in output(batch, "jsonlines", "joined.jsonl").splitlines()] == [
        {"id": key, "x": {"a": value}, "SageMakerOutput": {"model": "batch", "got": {"a": value}}}
        for key, value in ((7, 1), (8, 2))
    ]


@pytest.mark.parametrize(
    ("name", "body", "changes", "reason"),
    [
        ("record", b"1\n2\nbad\n", {"BatchStrategy": "SingleRecord"}, "record 3: the container answered 400"),
        ("batch-of-records", b"1\nbad\n", {}, "records 1 to 2: the container answered 400"),
        ("server-error", b"boom\n", {"ModelClientConfig": {"InvocationsMaxRetries": 1}}, "AlgorithmError"),
        ("large-record", b"x" * 1_100_000, {}, "record 1 has 1,100,000 bytes, more than MaxPayloadInMB (1)"),
        ("large-object", b"1\n" * 600_000, {"SplitType": "None"}, "the object is larger than MaxPayloadInMB (1)"),
        ("no-gzip", b"1\n", {"CompressionType": "Gzip"}, "cannot be read"),
        (
            "nonsense",
            b"1\n2\n3\n",
            {"ModelName": "batch-nonsense", "DataProcessing": {"JoinSource": "Input"}},
            "3 records with 2 lines",
        ),
        ("dying", b"1\n", {"ModelName": "batch-dying"}, "did not pass the ping health check"),
    ],
)
def test_a_job_that_fails_says_why(batch: Local, name: str, body: bytes, changes: dict[str, Any], reason: str) -> None:
    batch.put(f"s3://data/{name}.csv", body)
    described = run(batch, f"fails-{name}", f"s3://data/{name}.csv", **changes)
    assert described["TransformJobStatus"] == "Failed"
    assert reason in described["FailureReason"]
    assert not batch.path(f"s3://results/fails-{name}/{name}.csv.out").exists()
    assert batch.processes() == []


def test_no_objects_fail_the_job(batch: Local) -> None:
    batch.put("s3://data/x", b"")
    described = run(batch, "nothing", "s3://data/nothing/")
    assert described["TransformJobStatus"] == "Failed" and "No S3 objects found" in described["FailureReason"]


def test_a_job_can_be_stopped(batch: Local) -> None:
    batch.put("s3://data/long.csv", b"1\n" * 500)
    sagemaker = batch.sagemaker
    sagemaker.create_transform_job(
        **job("stopped", "s3://data/long.csv", ModelName="batch-slow", BatchStrategy="SingleRecord")
    )
    sagemaker.stop_transform_job(TransformJobName="stopped")
    sagemaker.get_waiter("transform_job_completed_or_stopped").wait(
        TransformJobName="stopped", WaiterConfig={"Delay": 1}
    )
    assert sagemaker.describe_transform_job(TransformJobName="stopped")["TransformJobStatus"] == "Stopped"
    assert batch.processes() == []
    with pytest.raises(ClientError, match="in status Stopped"):
        sagemaker.stop_transform_job(TransformJobName="stopped")
    listed = sagemaker.list_transform_jobs(StatusEquals="Stopped")["TransformJobSummaries"]
    assert [each["TransformJobName"] for each in listed] == ["stopped"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"MaxConcurrentTransforms": 30, "MaxPayloadInMB": 6}, "must not exceed 100"),
        ({"SplitType": "RecordIO"}, "not RecordIO"),
        ({"DataProcessing": {"InputFilter": "$[["}}, "is not a JSONPath"),
        ({"DataProcessing": {"JoinSource": "Input"}, "AssembleWith": "None"}, "set AssembleWith to Line"),
        ({"DataProcessing": {"JoinSource": "Input"}, "SplitType": "None"}, "set SplitType to Line"),
        ({"DataProcessing": {"JoinSource": "Input"}, "Accept": "application/json"}, "Accept must be"),
        ({"ModelName": "absent"}, "Could not find model"),
    ],
)
def test_a_job_that_cannot_run_is_refused(batch: Local, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ClientError) as caught:
        batch.sagemaker.create_transform_job(**job("refused", "s3://data/x", **changes))
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert text in caught.value.response["Error"]["Message"]
