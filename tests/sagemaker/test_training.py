"""Training jobs on a real (local) SageMaker: started once, adopted, tried anew after a failure."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from featuremill.errors import DataError, ServiceError
from featuremill.sagemaker import buckets
from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.names import content_hash
from featuremill.sagemaker.requests.training import Hosts
from featuremill.sagemaker.staging import Staged, channel_manifest, stage
from featuremill.sagemaker.training import (
    Progress,
    TrainingFailed,
    TrainingRequest,
    fetch_model,
    fetch_output,
    read_metrics,
    stop,
    submit,
    wait,
)
from featuremill.spec.environment import SageMakerSettings
from featuremill.warehouse.storage import Warehouse
from tests.sagemaker.tables import DS, PIPELINE, partition
from training_image.parameters import Hyperparameters


class Told(Hyperparameters):
    """The small image takes a behaviour."""

    behaviour: str = ""


@pytest.fixture
def staged(clients: Clients, warehouse: Warehouse) -> Staged:
    manifest = partition(warehouse, [30])
    return stage(clients, warehouse, manifest, channel_manifest(PIPELINE, manifest))


def _request(staged: Staged, name: str, behaviour: str = "", hosts: int = 1) -> TrainingRequest:
    return TrainingRequest(
        pipeline="small",
        ds=DS,
        fingerprint=content_hash([name, behaviour]),
        data_fingerprint="0" * 32,
        parameters=Told(task="binary", behaviour=behaviour),
        staged=staged,
        hosts=Hosts("ml.m5.large", hosts),
    )


def test_a_job_is_started_once_and_its_results_are_fetched(clients: Clients, staged: Staged, tmp_path: Path) -> None:
    request = _request(staged, "once")
    submitted = submit(clients, request)
    assert not submitted.adopted and submitted.name == f"small-{DS}-{request.fingerprint[:8]}"
    heard: list[Progress] = []
    trained = wait(clients, submitted.name, heard.append, poll=0.1)
    assert heard[-1].status == "Completed" and trained.metrics["validation-auc"] == 0.75

    again = submit(clients, request)
    assert again.adopted and again.name == submitted.name
    assert wait(clients, again.name) == trained

    model = fetch_model(clients, trained, tmp_path)
    assert json.loads((model / "model.json").read_bytes())["mean"] == pytest.approx(1.45)
    output = fetch_output(clients, trained, tmp_path)
    assert read_metrics(output)["rows"] == {"train": 30}
    assert fetch_model(clients, trained, tmp_path) == model


def test_a_running_job_is_adopted(clients: Clients, staged: Staged) -> None:
    request = _request(staged, "running", "hang")
    first = submit(clients, request)
    second = submit(clients, request)
    assert second.adopted and second.name == first.name
    stop(clients, first.name)
    with pytest.raises(TrainingFailed, match="stopped"):
        wait(clients, first.name, poll=0.1)


def test_two_that_start_at_once_start_one_job(clients: Clients, staged: Staged) -> None:
    request = _request(staged, "race")
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(submit(clients, request).name)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 4 and len(set(names)) == 1


def test_a_failure_has_its_reason_and_the_next_attempt_another_name(clients: Clients, staged: Staged) -> None:
    request = _request(staged, "failing", "fail")
    first = submit(clients, request)
    with pytest.raises(TrainingFailed, match=f"{first.name} failed: .*the label has one value only: 0"):
        wait(clients, first.name, poll=0.1)
    second = submit(clients, request)
    assert not second.adopted and second.name == f"{first.name}-r2"
    with pytest.raises(TrainingFailed):
        wait(clients, second.name, poll=0.1)
    assert submit(clients, request).name == f"{first.name}-r3"


def test_a_job_whose_artefact_was_deleted_is_run_again(clients: Clients, staged: Staged) -> None:
    request = _request(staged, "deleted")
    trained = wait(clients, submit(clients, request).name, poll=0.1)
    bucket, key = buckets.split(trained.artefact_uri)
    clients.s3.delete_object(Bucket=bucket, Key=key)
    again = submit(clients, request)
    assert not again.adopted and again.name.endswith("-r2")
    assert buckets.size(clients, wait(clients, again.name, poll=0.1).artefact_uri)


def test_another_fingerprint_with_the_same_beginning_is_another_job(clients: Clients, staged: Staged) -> None:
    request = _request(staged, "collision")
    first = submit(clients, request)
    other = TrainingRequest(**{**request.__dict__, "fingerprint": request.fingerprint[:8] + "0" * 24})
    second = submit(clients, other)
    assert not second.adopted and second.name == f"{first.name}-r2"


def test_hosts_get_their_parts(clients: Clients, warehouse: Warehouse, tmp_path: Path) -> None:
    manifest = partition(warehouse, [30])
    two = stage(clients, warehouse, manifest, channel_manifest(PIPELINE, manifest), 2)
    trained = wait(clients, submit(clients, _request(two, "hosts", hosts=2)).name, poll=0.1)
    model = fetch_model(clients, trained, tmp_path)
    assert {file.name: file.read_text() for file in model.glob("rows-*")} == {"rows-algo-1": "15", "rows-algo-2": "15"}


def test_interrupting_the_wait_leaves_the_job_running(clients: Clients, staged: Staged) -> None:
    name = submit(clients, _request(staged, "interrupted", "hang")).name
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        wait(clients, name, poll=0.05)
    time.sleep(0.3)
    assert clients.sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "InProgress"
    stop(clients, name)


def test_an_artefact_that_is_not_there_or_broken_is_an_error(clients: Clients, tmp_path: Path) -> None:
    address = buckets.uri(clients, "broken", "model.tar.gz")
    buckets.ensure_bucket(clients)
    with pytest.raises(DataError, match="is not there"):
        buckets.unpack(clients, address, tmp_path / "a")
    buckets.write(clients, address, b"no archive")
    with pytest.raises(DataError, match="is not a whole .tar.gz archive"):
        buckets.unpack(clients, address, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_answers_the_error_says_where_and_what_to_do() -> None:
    nowhere = Clients(SageMakerSettings(endpoint="local", host="127.0.0.1", port=1))
    with pytest.raises(ServiceError, match=r"cannot look at training job x: SageMaker at http://127.0.0.1:1 does not"):
        wait(nowhere, "x")
    with pytest.raises(ServiceError, match="port is not chosen; start it"):
        wait(Clients(SageMakerSettings(endpoint="local", port="auto")), "x")
    assert Clients(SageMakerSettings(endpoint="local", port="auto"), port=4566).endpoint_url == "http://127.0.0.1:4566"
