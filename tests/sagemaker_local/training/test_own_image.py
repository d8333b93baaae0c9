"""The project's own image, run as on AWS: one host and two."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.sagemaker_local.core.shapes import checked
from tests.sagemaker_local.local_server import LocalServer
from tests.sagemaker_local.training.jobs import archive, channel, ended, request, until

pytestmark = pytest.mark.slow


def rows(seed: int) -> bytes:
    source = random.Random(seed)
    lines = []
    for _ in range(400):
        values = [source.gauss(0, 1) for _ in range(3)]
        lines.append(",".join([str(int(sum(values) > 0)), *(f"{value:.3f}" for value in values)]))
    return "\n".join(lines).encode()


@pytest.mark.parametrize(("hosts", "distribution"), [(1, "FullyReplicated"), (2, "ShardedByS3Key")])
def test_it_trains_on_one_host_and_on_two(server: LocalServer, hosts: int, distribution: str) -> None:
    sagemaker: Any = checked(server.client("sagemaker"))
    s3 = server.client("s3")
    s3.create_bucket(Bucket="own")
    for number in range(2):
        s3.put_object(Bucket="own", Key=f"train/{number}.csv", Body=rows(number))
    train = channel("train", "s3://own/train/", distribution) | {"ContentType": "text/csv"}
    parameters = {"task": "binary"}
    body = request(f"own-{hosts}", "any-image", hosts, InputDataConfig=[train], HyperParameters=parameters)
    body["OutputDataConfig"] = {"S3OutputPath": "s3://own/out"}
    sagemaker.create_training_job(**body)
    until(sagemaker, f"own-{hosts}", lambda job: job["TrainingJobStatus"] != "InProgress", seconds=180)
    job = ended(sagemaker, f"own-{hosts}")
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    (metric,) = job["FinalMetricDataList"]
    assert metric["MetricName"] == "validation:auc" and metric["Value"] > 0.9
    assert "model.json" in archive(s3, job["ModelArtifacts"]["S3ModelArtifacts"])
    assert "metrics.json" in archive(s3, f"s3://own/out/own-{hosts}/output/output.tar.gz")


def test_a_user_error_is_told_as_the_reason(server: LocalServer) -> None:
    sagemaker: Any = checked(server.client("sagemaker"))
    server.client("s3").create_bucket(Bucket="own")
    server.client("s3").put_object(Bucket="own", Key="bad/a.csv", Body=b"1,2\n0,3\n")
    train = channel("train", "s3://own/bad/") | {"ContentType": "text/csv"}
    parameters = {"task": "divination"}
    sagemaker.create_training_job(**request("own-bad", "any", InputDataConfig=[train], HyperParameters=parameters))
    reason = ended(sagemaker, "own-bad")["FailureReason"]
    assert reason.startswith("AlgorithmError: ") and "divination" in reason and reason.endswith("exit code: 1")
