"""Jobs that are refused, and jobs that fail: each says why."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sagemaker_local.training.jobs import archive, channel, ended, request


def test_the_reason_is_the_failure_file_cut_to_1024_characters(sagemaker: Any, s3: Any) -> None:
    sagemaker.create_training_job(**request("reason", "failing", hosts=2))
    job = ended(sagemaker, "reason")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith("AlgorithmError: the column 'age' is missing!!!")
    assert job["FailureReason"].endswith(", exit code: 3") and len(job["FailureReason"]) == 1024
    assert archive(s3, "s3://models/out/reason/output/output.tar.gz") == {"partial.txt": b"so far"}
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="models", Key="out/reason/output/model.tar.gz")


def test_a_program_that_is_killed_is_a_failure_with_its_last_line(sagemaker: Any) -> None:
    sagemaker.create_training_job(**request("killed", "dying"))
    assert ended(sagemaker, "killed")["FailureReason"] == (
        "AlgorithmError: the program wrote no failure file; its last line was: about to die, exit code: -9"
    )


@pytest.mark.parametrize(
    ("name", "uri", "kind", "reason"),
    [
        ("no-object", "s3://data/nothing/", "S3Prefix", "no object of S3 begins with s3://data/nothing/"),
        ("no-bucket", "s3://no-such/x", "S3Prefix", "no object of S3 begins with s3://no-such/x"),
        ("no-manifest", "s3://data/one.csv", "ManifestFile", "the manifest s3://data/one.csv cannot be read"),
    ],
)
def test_missing_input_fails_the_job(sagemaker: Any, name: str, uri: str, kind: str, reason: str) -> None:
    sagemaker.create_training_job(**request(name, "good", InputDataConfig=[channel("train", uri, kind=kind)]))
    failure = ended(sagemaker, name)["FailureReason"]
    assert failure.startswith("ClientError: Data download failed") and reason in failure


def changed(path: str, value: Any) -> dict[str, Any]:
    body = request("refused", "good", InputDataConfig=[channel("train", "s3://data/one.csv")])
    part: Any = body
    *parents, last = path.split(".")
    for key in parents:
        part = part[int(key) if key.isdigit() else key]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return body


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("TrainingJobName", "a_b", "regular expression pattern"),
        ("ResourceConfig.InstanceType", "ml.none.large", "enum value set"),
        ("ResourceConfig.InstanceCount", None, "InstanceType and InstanceCount"),
        ("AlgorithmSpecification.TrainingImage", "serving-only", "has no train program"),
        ("AlgorithmSpecification.TrainingImage", None, "needs TrainingImage"),
        ("AlgorithmSpecification.TrainingInputMode", "Pipe", "input mode Pipe"),
        ("AlgorithmSpecification.MetricDefinitions", [{"Name": "a", "Regex": "a:("}], "metric a is not valid"),
        ("AlgorithmSpecification.MetricDefinitions", [{"Name": "a", "Regex": "a:"}], "metric a needs a group"),
        ("InputDataConfig.0.DataSource.S3DataSource.S3DataType", "AugmentedManifestFile", "not available"),
        ("InputDataConfig.0.CompressionType", "Gzip", "goes with the input mode Pipe"),
        ("InputDataConfig", [channel("a", "s3://data/x"), channel("a", "s3://data/x")], "more than once"),
        ("EnableManagedSpotTraining", True, "Invalid MaxWaitTimeInSeconds"),
        ("CheckpointConfig", {"S3Uri": "s3://data/x", "LocalPath": "/var/lib"}, "must lie below /opt/ml"),
        ("OutputDataConfig.S3OutputPath", "s3://models/../x", "cannot be a file"),
        ("HyperParameters", {"a": "x" * 2501}, "length less than or equal to 2500"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(sagemaker: Any, path: str, value: Any, message: str) -> None:
    with pytest.raises(ClientError) as caught:
        sagemaker.create_training_job(**changed(path, value))
    assert message in str(caught.value)
    assert sagemaker.list_training_jobs(NameContains="refused")["TrainingJobSummaries"] == []


def test_names_are_used_once(sagemaker: Any) -> None:
    sagemaker.create_training_job(**request("once", "good"))
    with pytest.raises(ClientError) as caught:
        sagemaker.create_training_job(**request("once", "good"))
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"
    ended(sagemaker, "once")
    with pytest.raises(ClientError, match="status Completed"):
        sagemaker.stop_training_job(TrainingJobName="once")
