"""What a training job sees, and what it leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sagemaker_local.local_server import LocalServer
from tests.sagemaker_local.training.jobs import archive, channel, ended, request, statuses, until


def output(s3: Any, name: str) -> dict[str, Any]:
    files = archive(s3, f"s3://models/out/{name}/output/output.tar.gz")
    return {file: json.loads(text) for file, text in files.items()}


def test_a_job_goes_through_its_statuses_and_leaves_model_output_metrics_and_logs(
    trainer: LocalServer, sagemaker: Any, s3: Any
) -> None:
    body = request(
        "whole",
        "good",
        HyperParameters={"max_depth": "6", "split": '{"by": "time"}'},
        InputDataConfig=[channel("train", "s3://data/train/") | {"ContentType": "text/csv"}],
        Environment={"MINE": "1"},
        Tags=[{"Key": "team", "Value": "risk"}],
    )
    arn = sagemaker.create_training_job(**body)["TrainingJobArn"]
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName="whole", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    job = sagemaker.describe_training_job(TrainingJobName="whole")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert statuses(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all(step["StartTime"] <= step["EndTime"] for step in job["SecondaryStatusTransitions"])
    (metric,) = job["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("validation:auc", 0.8)
    assert job["HyperParameters"] == body["HyperParameters"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "risk"}]

    assert archive(s3, job["ModelArtifacts"]["S3ModelArtifacts"]) == {
        "algo-1.json": b"algo-1",
        "model.json": b"the model",
    }
    seen = output(s3, "whole")["algo-1.json"]
    assert seen["channels"] == {"train": ["deep/part-9.csv", *(f"part-{number}.csv" for number in range(5))]}
    assert seen["hyperparameters"] == body["HyperParameters"]
    assert seen["inputs"]["train"] == {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
        "ContentType": "text/csv",
    }
    assert seen["resources"]["hosts"] == ["algo-1"]
    environment = seen["environment"]
    assert environment["TRAINING_JOB_NAME"] == "whole" and environment["TRAINING_JOB_ARN"] == arn
    assert (environment["MINE"], environment["FROM_IMAGE"]) == ("1", "good")
    assert environment["SM_CHANNEL_TRAIN"].endswith("/input/data/train") and environment["SM_HP_MAX_DEPTH"] == "6"

    logs = trainer.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="whole/")["logStreams"]
    assert stream["logStreamName"].startswith("whole/algo-1-")
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    assert sorted(event["message"] for event in events) == [
        "[1] train-loss:0.9 validation-auc:0.6",
        "[2] train-loss:0.5 validation-auc:0.8",
    ]
    assert not (trainer.root / "training" / "whole").exists()


def test_the_same_job_twice_leaves_the_same_bytes(sagemaker: Any, s3: Any) -> None:
    bodies = []
    for name in ("twin-a", "twin-b"):
        sagemaker.create_training_job(**request(name, "good"))
        uri = ended(sagemaker, name)["ModelArtifacts"]["S3ModelArtifacts"]
        bodies.append(s3.get_object(Bucket="models", Key=uri.removeprefix("s3://models/"))["Body"].read())
    assert bodies[0] == bodies[1]


def test_hosts_share_objects_or_get_all_of_them(sagemaker: Any, s3: Any) -> None:
    channels = [
        channel("shards", "s3://data/train/part", "ShardedByS3Key"),
        channel("few", "s3://data/one.csv", "ShardedByS3Key"),
        channel("all", "s3://data/one.manifest", kind="ManifestFile"),
    ]
    sagemaker.create_training_job(**request("hosts", "good", hosts=3, InputDataConfig=channels))
    assert ended(sagemaker, "hosts")["TrainingJobStatus"] == "Completed"
    seen = output(s3, "hosts")
    assert [seen[f"algo-{number}.json"]["channels"]["shards"] for number in (1, 2, 3)] == [
        ["part-0.csv", "part-3.csv"],
        ["part-1.csv", "part-4.csv"],
        ["part-2.csv"],
    ]
    assert [seen[f"algo-{number}.json"]["channels"]["few"] for number in (1, 2, 3)] == [["one.csv"], [], []]
    assert all(host["channels"]["all"] == ["deep/part-9.csv", "part-3.csv"] for host in seen.values())
    resources = seen["algo-2.json"]["resources"]
    assert (resources["current_host"], resources["hosts"]) == ("algo-2", ["algo-1", "algo-2", "algo-3"])
    addresses = json.loads(seen["algo-2.json"]["environment"]["FEATUREMILL_HOST_ADDRESSES"])
    assert addresses == dict.fromkeys(resources["hosts"], "127.0.0.1")
    assert len({host["environment"]["FEATUREMILL_TRACKER_PORT"] for host in seen.values()}) == 1
    model = archive(s3, "s3://models/out/hosts/output/model.tar.gz")
    assert sorted(model) == ["algo-1.json", "algo-2.json", "algo-3.json", "model.json"]


def test_output_may_be_left_uncompressed(sagemaker: Any, s3: Any) -> None:
    config = {"S3OutputPath": "s3://models/out/", "CompressionType": "NONE"}
    sagemaker.create_training_job(**request("plain", "good", OutputDataConfig=config))
    assert ended(sagemaker, "plain")["ModelArtifacts"]["S3ModelArtifacts"] == "s3://models/out/plain/output/model/"
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="models", Prefix="out/plain/")["Contents"]]
    assert keys == [
        f"out/plain/output/{file}" for file in ("data/algo-1.json", "model/algo-1.json", "model/model.json")
    ]


def test_an_entry_point_of_the_request_finds_its_files_below_opt_ml(sagemaker: Any, s3: Any) -> None:
    algorithm = {
        "TrainingImage": "good",
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/bash", "-c"],
        "ContainerArguments": [
            "cp /opt/ml/input/data/train/one.csv /opt/ml/model/copied && cat /opt/ml/input/config/*"
        ],
    }
    body = request("own", "good", InputDataConfig=[channel("train", "s3://data/one.csv")])
    sagemaker.create_training_job(**body | {"AlgorithmSpecification": algorithm})
    job = ended(sagemaker, "own")
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert archive(s3, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"copied": b"1"}


def test_arguments_go_to_the_images_program(sagemaker: Any, s3: Any) -> None:
    body = request("arguments", "good")
    body["AlgorithmSpecification"]["ContainerArguments"] = ["--fast", "yes"]
    sagemaker.create_training_job(**body)
    ended(sagemaker, "arguments")
    assert output(s3, "arguments")["algo-1.json"]["arguments"] == ["--fast", "yes"]


def test_jobs_are_listed_by_name_status_and_time_in_pages(sagemaker: Any) -> None:
    for number in range(4):
        sagemaker.create_training_job(**request(f"list-{number}", "good"))
    for number in range(4):
        ended(sagemaker, f"list-{number}")
    pages = list(
        sagemaker.get_paginator("list_training_jobs").paginate(
            NameContains="LIST-", SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 3}
        )
    )
    assert [[job["TrainingJobName"] for job in page["TrainingJobSummaries"]] for page in pages] == [
        ["list-0", "list-1", "list-2"],
        ["list-3"],
    ]
    third = sagemaker.describe_training_job(TrainingJobName="list-2")["CreationTime"]
    newer = sagemaker.list_training_jobs(NameContains="list-", CreationTimeAfter=third)["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in newer] == ["list-3", "list-2"]
    assert sagemaker.list_training_jobs(NameContains="list-", StatusEquals="Failed")["TrainingJobSummaries"] == []
    with pytest.raises(ClientError, match="pagination token"):
        sagemaker.list_training_jobs(NextToken="nonsense")


def test_a_job_is_deleted_once_it_ended(sagemaker: Any) -> None:
    sagemaker.create_training_job(**request("gone", "long"))
    until(sagemaker, "gone", lambda job: job["SecondaryStatus"] == "Training")
    with pytest.raises(ClientError, match="status InProgress"):
        sagemaker.delete_training_job(TrainingJobName="gone")
    sagemaker.stop_training_job(TrainingJobName="gone")
    ended(sagemaker, "gone")
    sagemaker.delete_training_job(TrainingJobName="gone")
    with pytest.raises(ClientError, match="ValidationException.*Requested resource not found"):
        sagemaker.describe_training_job(TrainingJobName="gone")
