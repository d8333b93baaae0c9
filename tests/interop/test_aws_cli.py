"""The AWS CLI, unmodified: S3, a training job, a model, an endpoint, logs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import IMAGE, Run

pytestmark = pytest.mark.slow
ROLE = "arn:aws:iam::000000000000:role/interop"


def test_s3(run: Run, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"0123456789" * 2_000_000)
    run("aws", "s3", "mb", "s3://cli-bucket")
    run("aws", "s3", "cp", str(tmp_path / "big"), "s3://cli-bucket/in/big")
    run("aws", "s3", "cp", "s3://cli-bucket/in/big", "s3://cli-bucket/in/copy")
    run("aws", "s3", "sync", "s3://cli-bucket/in", str(tmp_path / "out"))
    assert (tmp_path / "out/copy").read_bytes() == (tmp_path / "big").read_bytes()
    assert "20000000 in/copy" in run("aws", "s3", "ls", "--recursive", "s3://cli-bucket")
    run("aws", "s3", "rb", "--force", "s3://cli-bucket")


def test_train_deploy_and_invoke(run: Run, tmp_path: Path) -> None:
    def sagemaker(operation: str, *arguments: str, **members: Any) -> Any:
        given = ["--cli-input-json", json.dumps(members)] if members else []
        output = run("aws", "sagemaker", operation, *arguments, *given)
        return json.loads(output) if output.strip() else {}

    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://interop/train/"}}
    sagemaker(
        "create-training-job",
        TrainingJobName="cli",
        RoleArn=ROLE,
        HyperParameters={"task": "binary"},
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "validation:auc", "Regex": r"validation-auc:(\S+)"}],
        },
        InputDataConfig=[{"ChannelName": "train", "ContentType": "text/csv", "DataSource": source}],
        OutputDataConfig={"S3OutputPath": "s3://interop/cli"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 300},
    )
    name = ("--training-job-name", "cli")
    deadline = time.monotonic() + 120
    while (job := sagemaker("describe-training-job", *name))["TrainingJobStatus"] == "InProgress":
        assert time.monotonic() < deadline, job
        time.sleep(1)
    sagemaker("wait", "training-job-completed-or-stopped", *name)
    assert job["TrainingJobStatus"] == "Completed", job
    assert job["FinalMetricDataList"][0]["Value"] > 0.85

    container = {"Image": IMAGE, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
    sagemaker("create-model", ModelName="cli", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {"VariantName": "all", "ModelName": "cli", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker("create-endpoint-config", EndpointConfigName="cli", ProductionVariants=[variant])
    sagemaker("create-endpoint", EndpointName="cli", EndpointConfigName="cli")
    sagemaker("wait", "endpoint-in-service", "--endpoint-name", "cli")
    (tmp_path / "body").write_text("2,2,0,0\n-2,-2,0,0\n")
    answer = tmp_path / "answer"
    body = ("--content-type", "text/csv", "--accept", "application/json", "--body", f"fileb://{tmp_path / 'body'}")
    run("aws", "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "cli", *body, str(answer))
    assert [row["predicted_label"] for row in json.loads(answer.read_text())["predictions"]] == [1, 0]
    assert [item["EndpointName"] for item in sagemaker("list-endpoints")["Endpoints"]] == ["cli"]
    run("aws", "sagemaker", "delete-endpoint", "--endpoint-name", "cli")
    events = json.loads(run("aws", "logs", "filter-log-events", "--log-group-name", "/aws/sagemaker/TrainingJobs"))
    assert any("validation-auc:" in event["message"] for event in events["events"])
