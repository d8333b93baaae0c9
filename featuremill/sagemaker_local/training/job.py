"""A training job's record: what was asked, its statuses and their history, what came out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import ApiError, validation_error

KIND = "training-job"
_BEFORE_END = ("Downloading", "Training", "Interrupted", "Restarting")
"""What a job that is being stopped does not enter any more."""

ENDED = ("Completed", "Failed", "Stopped")
_LONGEST_REASON = 1024
Document = dict[str, Any]

_MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "Interrupted": "Training job interrupted",
    "Restarting": "Restarting the training job",
    "MaxRuntimeExceeded": "The training job ran longer than MaxRuntimeInSeconds",
    "MaxWaitTimeExceeded": "The training job waited longer than MaxWaitTimeInSeconds",
}


def new_record(context: Context, request: Document) -> Document:
    """The record of a job that begins now. `request` is CreateTrainingJob's, without its tags."""
    now = context.clock()
    name = request["TrainingJobName"]
    record: Document = {
        "TrainingJobName": name,
        "TrainingJobArn": context.arn(KIND, name),
        "TrainingJobStatus": "InProgress",
        "SecondaryStatusTransitions": [],
        "CreationTime": now,
        "LastModifiedTime": now,
        "ModelArtifacts": {"S3ModelArtifacts": model_uri(context, request)},
        "FinalMetricDataList": [],
        "seconds": 0.0,
        "stop": False,
        "interruptions": 0,
        "request": request,
    }
    _enter(record, "Starting", now)
    return record


def find(context: Context, name: str) -> Document:
    """The record of a job. Raises AWS's error for one that is not there, by which clients tell that it is not."""
    record = context.store.get(KIND, name)
    if record is None:
        raise validation_error("Requested resource not found.")
    return record


def enter(context: Context, name: str, secondary: str, **members: Any) -> Document:
    """Begin a secondary status, and set members of the record with it."""
    return change(context, name, lambda record, now: _enter(record, secondary, now), **members)


def finish(context: Context, name: str, status: str, secondary: str, reason: str | None = None, **members: Any) -> None:
    """End the job. `reason` is cut to the 1,024 characters that AWS allows."""

    def end(record: Document, now: datetime) -> None:
        _enter(record, secondary, now)
        record["SecondaryStatusTransitions"][-1]["EndTime"] = now
        record["TrainingEndTime"] = now
        record["TrainingJobStatus"] = status
        if reason is not None:
            record["FailureReason"] = reason[:_LONGEST_REASON]
            record["SecondaryStatusTransitions"][-1]["StatusMessage"] = reason[:_LONGEST_REASON]

    change(context, name, end, **members)


def change(context: Context, name: str, do: Callable[[Document, datetime], None], **members: Any) -> Document:
    """Change the record in one step; LastModifiedTime follows. Raises ApiError if the job was deleted."""
    now = context.clock()

    def apply(record: Document) -> None:
        do(record, now)
        record.update(members)
        record["LastModifiedTime"] = now

    try:
        return context.store.update(KIND, name, apply)
    except KeyError as error:
        raise ApiError("ResourceNotFound", f"the training job {name} is not there any more") from error


def _enter(record: Document, secondary: str, now: datetime) -> None:
    transitions: list[Document] = record["SecondaryStatusTransitions"]
    if transitions and transitions[-1]["Status"] == secondary:
        return
    if record["stop"] and secondary in _BEFORE_END:
        return
    if transitions:
        transitions[-1].setdefault("EndTime", now)
    transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": _MESSAGES[secondary]})
    record["SecondaryStatus"] = secondary


def output_uri(context: Context, request: Document) -> str:
    """Where everything that the job makes goes: <S3OutputPath>/<job>/output."""
    return context.buckets.join(request["OutputDataConfig"]["S3OutputPath"], request["TrainingJobName"], "output")


def is_compressed(request: Document) -> bool:
    """Whether the job's output is uploaded as tar.gz files rather than file by file."""
    return bool(request["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP")


def model_uri(context: Context, request: Document) -> str:
    """The model artefact's place: model.tar.gz, or with compression NONE a prefix."""
    return f"{output_uri(context, request)}/{'model.tar.gz' if is_compressed(request) else 'model/'}"


def hosts_of(request: Document) -> list[str]:
    """algo-1, algo-2, ... as many as InstanceCount says."""
    return [f"algo-{number}" for number in range(1, request["ResourceConfig"]["InstanceCount"] + 1)]
