"""Training jobs: submit once, wait, fetch what came out.

A job's name says what it makes (pipeline, day, fingerprint), so a job that is running or done is never started again.
Interrupting the wait (Ctrl-C) leaves the job running: it may be hours in; the next run finds and adopts it. `stop`
stops one on purpose.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from featuremill.errors import DataError, FeaturemillError
from featuremill.sagemaker import buckets, names
from featuremill.sagemaker.client import Clients, clear_errors, described
from featuremill.sagemaker.records import ModelVersion
from featuremill.sagemaker.requests.training import (
    Hosts,
    TrainingJob,
    create_training_job,
    hyperparameter_texts,
    volume_gb,
)
from featuremill.sagemaker.staging import Staged
from training_image.artefact import METRICS
from training_image.parameters import Hyperparameters

FINGERPRINT = "FEATUREMILL_FINGERPRINT"
"""The environment variable of a job that tells its whole fingerprint: its name has room for eight digits of it."""

_GOES_ON = ("InProgress", "Stopping")
_ADVICE = {
    "MaxRuntimeExceeded": "; raise `max_runtime` under `sagemaker:` of the environment, or take a larger instance",
    "MaxWaitTimeExceeded": "; there was no spot capacity; try later, or set `spot: false` in the environment",
}


@dataclass(frozen=True)
class TrainingRequest:
    """What to train. `fingerprint`: hexadecimal digits of all that decides the model."""

    pipeline: str
    ds: str
    fingerprint: str
    data_fingerprint: str
    parameters: Hyperparameters
    staged: Staged
    hosts: Hosts
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Submitted:
    """A job that runs or has run. `adopted`: it was there before; `request` is what created it, or would have."""

    name: str
    adopted: bool
    request: dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How a job stands: SageMaker's status words, the newest metrics."""

    job: str
    status: str
    secondary: str
    message: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Trained:
    """A completed job: where its artefacts are, and its last metrics."""

    name: str
    artefact_uri: str
    output_uri: str
    metrics: Mapping[str, float]
    seconds: float | None


class TrainingFailed(FeaturemillError):
    """A job did not end well; the message has SageMaker's reason."""


def submit(clients: Clients, request: TrainingRequest) -> Submitted:
    """Start a job, or adopt the one that makes the same model and is running or completed with its artefact in place.

    A job that failed or was stopped stays as it is; the next attempt's name ends in -r2, -r3 ...
    Raises ServiceError where SageMaker refuses, UsageError after 99 attempts.
    """
    attempt = 1
    while True:
        name = names.job_name(request.pipeline, request.ds, request.fingerprint, attempt)
        body = create_training_job(_job(clients, request, name), clients.settings)
        with clear_errors(clients, f"start training job {name}"):
            there = described(clients.sagemaker.describe_training_job, TrainingJobName=name)
            if there is None:
                try:
                    clients.sagemaker.create_training_job(**body)
                    return Submitted(name, adopted=False, request=body)
                except ClientError as error:
                    if error.response["Error"]["Code"] != "ResourceInUse":
                        raise
                    continue  # another process was first: look at its job
        if _is_same(clients, request, there):
            return Submitted(name, adopted=True, request=body)
        attempt += 1


def _is_same(clients: Clients, request: TrainingRequest, job: Mapping[str, Any]) -> bool:
    """Whether a job makes or has made the model that is asked for."""
    if job.get("Environment", {}).get(FINGERPRINT) != request.fingerprint:
        return False
    if job["TrainingJobStatus"] == "InProgress":
        return True
    artefact = job.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    return job["TrainingJobStatus"] == "Completed" and artefact is not None and bool(buckets.size(clients, artefact))


def _job(clients: Clients, request: TrainingRequest, name: str) -> TrainingJob:
    hosts = replace(request.hosts, volume_gb=max(request.hosts.volume_gb, volume_gb(request.staged.bytes)))
    # One label value a submodel: every host learns some of them, from all rows.
    sharded = request.hosts.count > 1 and request.parameters.task != "one_vs_rest"
    labels = {
        "pipeline": request.pipeline,
        "ds": request.ds,
        "fingerprint": request.fingerprint,
        "data": request.data_fingerprint,
    }
    return TrainingJob(
        name=name,
        hyperparameters=hyperparameter_texts(request.parameters),
        channels=request.staged.channels(sharded),
        hosts=hosts,
        output_uri=buckets.uri(clients, request.pipeline, "models"),
        checkpoint_uri=buckets.uri(clients, request.pipeline, "checkpoints", name) + "/",
        environment={FINGERPRINT: request.fingerprint, **request.environment},
        labels=labels,
    )


def wait(
    clients: Clients,
    name: str,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    poll: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Trained:
    """Wait until a job has ended; `on_progress` hears of every change.

    Looks every half second at a local SageMaker, every 15 seconds at AWS. Raises TrainingFailed with the reason if the
    job did not complete, ServiceError if there is no such job or SageMaker does not answer.
    """
    pause = poll if poll is not None else 0.5 if clients.is_local else 15.0
    last: Progress | None = None
    while True:
        with clear_errors(clients, f"look at training job {name}"):
            job: dict[str, Any] = clients.sagemaker.describe_training_job(TrainingJobName=name)
        progress = _progress(name, job)
        if on_progress is not None and progress != last:
            on_progress(progress)
        last = progress
        if job["TrainingJobStatus"] not in _GOES_ON:
            return _ended(name, job, progress)
        sleep(pause)


def _progress(name: str, job: Mapping[str, Any]) -> Progress:
    transitions = job.get("SecondaryStatusTransitions") or [{}]
    return Progress(
        job=name,
        status=job["TrainingJobStatus"],
        secondary=job.get("SecondaryStatus", ""),
        message=transitions[-1].get("StatusMessage", ""),
        metrics={metric["MetricName"]: metric["Value"] for metric in job.get("FinalMetricDataList", ())},
    )


def _ended(name: str, job: Mapping[str, Any], progress: Progress) -> Trained:
    if job["TrainingJobStatus"] != "Completed":
        reason = " ".join(str(job.get("FailureReason") or progress.message or "no reason given").split())
        advice = _ADVICE.get(progress.secondary, "")
        what = f"{progress.status.lower()}" + (f" ({progress.secondary})" if advice else "")
        raise TrainingFailed(f"training job {name} {what}: {reason}{advice}; its log is in /aws/sagemaker/TrainingJobs")
    artefact = job["ModelArtifacts"]["S3ModelArtifacts"]
    output = artefact.rpartition("/")[0] + "/output.tar.gz"
    begin, end = job.get("TrainingStartTime"), job.get("TrainingEndTime")
    seconds = (end - begin).total_seconds() if begin and end else None
    return Trained(name, artefact, output, progress.metrics, seconds)


def stop(clients: Clients, name: str) -> None:
    """Ask a running job to stop. Its model so far is kept, but it is not adopted by later runs."""
    with clear_errors(clients, f"stop training job {name}"):
        clients.sagemaker.stop_training_job(TrainingJobName=name)


def fetch_model(clients: Clients, trained: Trained, folder: Path) -> Path:
    """The unpacked artefact (model.json, boosters) in `<folder>/<job>/model`; fetched once."""
    return buckets.unpack(clients, trained.artefact_uri, folder / trained.name / "model")


def fetch_output(clients: Clients, trained: Trained, folder: Path) -> Path:
    """The other results (validation.parquet, metrics.json, report.html) in `<folder>/<job>/output`; fetched once."""
    return buckets.unpack(clients, trained.output_uri, folder / trained.name / "output")


def model_version(
    request: TrainingRequest, submitted: Submitted, trained: Trained, metrics: Mapping[str, Any], created: datetime
) -> ModelVersion:
    """The record of a completed job, for the registry. `metrics`: metrics.json; `created`: UTC."""
    return ModelVersion(
        version=trained.name,
        pipeline=request.pipeline,
        ds=request.ds,
        task=request.parameters.task,
        fingerprint=request.fingerprint,
        data_fingerprint=request.data_fingerprint,
        artefact_uri=trained.artefact_uri,
        output_uri=trained.output_uri,
        request=submitted.request,
        metrics=dict(metrics),
        created=created,
    )


def read_metrics(output: Path) -> dict[str, Any]:
    """metrics.json of a fetched output. Raises DataError if it is not there or is no JSON."""
    file = output / METRICS
    try:
        metrics: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{file} is not there: the training program wrote no metrics; train again") from error
    except ValueError as error:
        raise DataError(f"{file} is not JSON: {error}; delete its folder to fetch it anew") from error
    return metrics
