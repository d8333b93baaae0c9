"""Requests of training jobs, and waiting for them."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable
from typing import Any

ROLE = "arn:aws:iam::000000000000:role/any"


def request(name: str, image: str, hosts: int = 1, **members: Any) -> dict[str, Any]:
    """CreateTrainingJob's members for a small job."""
    metrics = [{"Name": "validation:auc", "Regex": r"validation-auc:(\S+)"}, {"Name": "never", "Regex": "never:(.+)"}]
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": metrics,
        },
        "OutputDataConfig": {"S3OutputPath": "s3://models/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": hosts, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        **members,
    }


def channel(name: str, uri: str, distribution: str = "FullyReplicated", kind: str = "S3Prefix") -> dict[str, Any]:
    """One entry of InputDataConfig."""
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": distribution}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def until(client: Any, name: str, what: Callable[[dict[str, Any]], bool], seconds: float = 30.0) -> dict[str, Any]:
    """Describe the job until `what` holds."""
    deadline = time.monotonic() + seconds
    while True:
        described: dict[str, Any] = client.describe_training_job(TrainingJobName=name)
        if what(described):
            return described
        assert time.monotonic() < deadline, described
        time.sleep(0.05)


def ended(client: Any, name: str) -> dict[str, Any]:
    """The description of the job once it ended."""
    return until(client, name, lambda job: job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"))


def statuses(job: dict[str, Any]) -> list[str]:
    """The secondary statuses in the order they came."""
    return [transition["Status"] for transition in job["SecondaryStatusTransitions"]]


def archive(s3: Any, uri: str) -> dict[str, bytes]:
    """The files of a tar.gz in S3."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as members:
        return {item.name: members.extractfile(item).read() for item in members}  # type: ignore[union-attr]
