"""Jobs that are stopped, run out of time, are interrupted, or outlive their server."""

from __future__ import annotations

import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.sagemaker_local.core.shapes import checked
from tests.sagemaker_local.local_server import LocalServer
from tests.sagemaker_local.training.jobs import archive, ended, request, statuses, until
from tests.sagemaker_local.training.programs import programs


def begun(sagemaker: Any, server: LocalServer, name: str, text: str) -> str:
    """Wait until the job printed `text`; returns all it printed."""
    until(sagemaker, name, lambda job: text in printed(server, name))
    return printed(server, name)


def printed(server: LocalServer, name: str) -> str:
    files = sorted((server.root / "logs").glob(f"*TrainingJobs/{name}%2F*.log"), key=lambda file: file.stat().st_mtime)
    return "".join(file.read_text() for file in files)


def interrupt(server: LocalServer, name: str) -> None:
    call = urllib.request.Request(f"{server.url}/_local/training-jobs/{name}/interrupt", method="POST")
    urllib.request.urlopen(call, timeout=10).close()


def test_a_stopped_job_keeps_the_model_it_saved(trainer: LocalServer, sagemaker: Any, s3: Any) -> None:
    sagemaker.create_training_job(**request("stop", "long", hosts=2))
    begun(sagemaker, trainer, "stop", "begun")
    sagemaker.stop_training_job(TrainingJobName="stop")
    assert sagemaker.describe_training_job(TrainingJobName="stop")["TrainingJobStatus"] in ("Stopping", "Stopped")
    job = ended(sagemaker, "stop")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert statuses(job) == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]
    assert archive(s3, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"model.json": b"saved when asked to stop"}


def test_the_longest_runtime_ends_a_job_with_its_model(sagemaker: Any, s3: Any) -> None:
    sagemaker.create_training_job(**request("late", "long", StoppingCondition={"MaxRuntimeInSeconds": 1}))
    job = ended(sagemaker, "late")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert archive(s3, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"model.json": b"saved when asked to stop"}


def spot(name: str, rounds: int, wait: int = 600) -> dict[str, Any]:
    return request(
        name,
        "counting",
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": min(wait, 600), "MaxWaitTimeInSeconds": wait},
        CheckpointConfig={"S3Uri": f"s3://models/checkpoints/{name}"},
        HyperParameters={"rounds": str(rounds)},
    )


def test_a_spot_job_goes_on_from_its_checkpoint(trainer: LocalServer, sagemaker: Any, s3: Any) -> None:
    sagemaker.create_training_job(**spot("spot", 30))
    begun(sagemaker, trainer, "spot", "begins at 0")
    time.sleep(0.5)
    interrupt(trainer, "spot")
    job = ended(sagemaker, "spot")
    assert job["TrainingJobStatus"] == "Completed"
    assert statuses(job) == [
        "Starting", "Downloading", "Training", "Interrupted", "Restarting", "Downloading", "Training", "Uploading",
        "Completed",
    ]  # fmt: skip
    first, last = archive(s3, job["ModelArtifacts"]["S3ModelArtifacts"])["model.json"].split()
    assert int(first) > 0 and last == b"30"
    assert s3.get_object(Bucket="models", Key="checkpoints/spot/round.txt")["Body"].read() == b"30"


def test_waiting_too_long_stops_a_spot_job(sagemaker: Any) -> None:
    body = spot("wait", 600, wait=2) | {"StoppingCondition": {"MaxRuntimeInSeconds": 2, "MaxWaitTimeInSeconds": 2}}
    sagemaker.create_training_job(**body)
    job = ended(sagemaker, "wait")
    assert job["TrainingJobStatus"] == "Stopped"
    assert job["SecondaryStatus"] in ("MaxWaitTimeExceeded", "MaxRuntimeExceeded")


def test_only_spot_jobs_are_interrupted(trainer: LocalServer, sagemaker: Any) -> None:
    sagemaker.create_training_job(**request("no-spot", "good"))
    with pytest.raises(urllib.error.HTTPError, match="400"):
        interrupt(trainer, "no-spot")


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[LocalServer]:
    """A server to be killed."""
    running = LocalServer(tmp_path / "state", programs(tmp_path / "programs")).start()
    yield running
    running.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_goes_on_after_the_server_was_ended(fragile: LocalServer, number: int) -> None:
    sagemaker = checked(fragile.client("sagemaker"))
    sagemaker.create_training_job(**spot("resumed", 40) | {"Tags": [{"Key": "a", "Value": "b"}]})
    sagemaker.create_training_job(**request("done", "good"))
    begun(sagemaker, fragile, "resumed", "begins at 0")
    ended(sagemaker, "done")
    checkpoint = fragile.root / "buckets/models/checkpoints/resumed/round.txt"
    while not checkpoint.exists():
        time.sleep(0.05)
    fragile.stop(number)
    fragile.start()
    sagemaker = checked(fragile.client("sagemaker"))
    job = ended(sagemaker, "resumed")
    assert job["TrainingJobStatus"] == "Completed" and "Restarting" in statuses(job)
    first, last = archive(fragile.client("s3"), job["ModelArtifacts"]["S3ModelArtifacts"])["model.json"].split()
    assert int(first) > 0 and last == b"40"
    assert sagemaker.describe_training_job(TrainingJobName="done")["FinalMetricDataList"][0]["Value"] == 0.8
    assert sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    logs = fragile.client("logs")
    found = logs.filter_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="resumed/")["events"]
    assert "begins at 0" in [event["message"] for event in found]


def test_no_process_outlives_a_killed_server(fragile: LocalServer) -> None:
    sagemaker = fragile.client("sagemaker")
    sagemaker.create_training_job(**request("orphan", "stubborn"))
    words = begun(sagemaker, fragile, "orphan", "pids").split("pids ")[1].split()[:2]
    fragile.stop(signal.SIGKILL)
    deadline = time.monotonic() + 15
    while any(psutil.pid_exists(int(word)) for word in words):
        assert time.monotonic() < deadline, "a training process outlived its server"
        time.sleep(0.1)
