"""The operations on training jobs."""

from __future__ import annotations

import re
from typing import Any

from werkzeug import Request, Response

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import ApiError, validation_error
from featuremill.sagemaker_local.paging import filtered, ordered, page
from featuremill.sagemaker_local.protocol import json_response, operation, route, service_model
from featuremill.sagemaker_local.training.directories import inside
from featuremill.sagemaker_local.training.job import ENDED, KIND, Document, change, enter, find, new_record
from featuremill.sagemaker_local.training.runner import launch

_SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingEndTime",
    "LastModifiedTime",
    "TrainingJobStatus",
    "SecondaryStatus",
)
_LONGEST_RUN = 86_400


@operation("CreateTrainingJob")
def create_training_job(context: Context, request: Document) -> Document:
    """CreateTrainingJob: the job is recorded, then runs in the background."""
    tags = request.pop("Tags", [])
    request.setdefault("StoppingCondition", {}).setdefault("MaxRuntimeInSeconds", _LONGEST_RUN)
    _check_algorithm(context, request["AlgorithmSpecification"])
    _check_resources(request)
    _check_channels(context, request)
    _check_outputs(context, request)
    name = request["TrainingJobName"]
    with context.store.lock:
        if context.store.get(KIND, name) is not None:
            raise ApiError(
                "ResourceInUse",
                f"Training job names must be unique within an AWS account and region, and {name} is taken "
                f"({context.arn(KIND, name)})",
            )
        record = new_record(context, request)
        context.store.put(KIND, name, record)
        if tags:
            context.tags.add(record["TrainingJobArn"], tags)
    launch(context, name)
    return {"TrainingJobArn": record["TrainingJobArn"]}


def _check_algorithm(context: Context, algorithm: Document) -> None:
    if "TrainingImage" not in algorithm:
        raise validation_error("AlgorithmSpecification needs TrainingImage: algorithms by AlgorithmName are not here")
    image = context.images.find(algorithm["TrainingImage"])
    if not image.train and "ContainerEntrypoint" not in algorithm:
        raise validation_error(f"the image {algorithm['TrainingImage']} has no train program in the images file")
    for definition in algorithm.get("MetricDefinitions", []):
        try:
            groups = re.compile(definition["Regex"]).groups
        except re.error as error:
            raise validation_error(f"the regex of metric {definition['Name']} is not valid: {error}") from error
        if groups < 1:
            raise validation_error(f"the regex of metric {definition['Name']} needs a group that is the value")


def _check_resources(request: Document) -> None:
    resources = request.get("ResourceConfig", {})
    if "InstanceType" not in resources or "InstanceCount" not in resources:
        raise validation_error("ResourceConfig needs InstanceType and InstanceCount: nothing else of it is run here")
    stopping = request["StoppingCondition"]
    if request.get("EnableManagedSpotTraining"):
        wait = stopping.get("MaxWaitTimeInSeconds")
        if wait is None or wait < stopping["MaxRuntimeInSeconds"]:
            raise validation_error(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
            )
    elif "MaxWaitTimeInSeconds" in stopping:
        raise validation_error("MaxWaitTimeInSeconds goes with EnableManagedSpotTraining only")


def _check_channels(context: Context, request: Document) -> None:
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise validation_error(f"the channel {twice[0]} is there more than once")
    for channel in request.get("InputDataConfig", []):
        where = f"channel {channel['ChannelName']}"
        source = channel["DataSource"].get("S3DataSource")
        if source is None:
            raise validation_error(f"{where}: only S3DataSource is available in the local SageMaker")
        if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
            raise validation_error(
                f"{where}: S3DataType {source['S3DataType']} is not available in the local SageMaker"
            )
        mode = channel.get("InputMode", request["AlgorithmSpecification"]["TrainingInputMode"])
        if mode == "Pipe":
            raise validation_error(
                f"{where}: the input mode Pipe is not available in the local SageMaker; use FastFile"
            )
        if channel.get("CompressionType", "None") != "None":
            raise validation_error(f"{where}: CompressionType goes with the input mode Pipe only; leave it out")
        context.buckets.parse(source["S3Uri"])


def _check_outputs(context: Context, request: Document) -> None:
    context.buckets.path_of(request["OutputDataConfig"]["S3OutputPath"])
    checkpoints = request.get("CheckpointConfig")
    if checkpoints is not None:
        context.buckets.path_of(checkpoints["S3Uri"])
        inside(checkpoints.get("LocalPath", "/opt/ml/checkpoints"))


@operation("DescribeTrainingJob")
def describe_training_job(context: Context, request: Document) -> Document:
    """DescribeTrainingJob."""
    record = find(context, request["TrainingJobName"])
    output = service_model("sagemaker").operation_model("DescribeTrainingJob").output_shape
    response = {key: value for key, value in record["request"].items() if key in output.members}
    response |= {key: value for key, value in record.items() if key in output.members}
    if "TrainingStartTime" in record:
        seconds = round(record["seconds"])
        response |= {"TrainingTimeInSeconds": max(1, seconds), "BillableTimeInSeconds": max(1, seconds)}
    return response


@operation("ListTrainingJobs")
def list_training_jobs(context: Context, request: Document) -> Document:
    """ListTrainingJobs."""
    if "WarmPoolStatusEquals" in request or "TrainingPlanArnEquals" in request:
        return {"TrainingJobSummaries": []}
    jobs = filtered(context.store.list(KIND), request, "TrainingJobName", "TrainingJobStatus")
    keys = {"CreationTime": "CreationTime", "Name": "TrainingJobName", "Status": "TrainingJobStatus"}
    summaries = [{key: job[key] for key in _SUMMARY if key in job} for job in ordered(jobs, request, keys)]
    return page(summaries, request, "TrainingJobSummaries")


@operation("StopTrainingJob")
def stop_training_job(context: Context, request: Document) -> None:
    """StopTrainingJob: the hosts get SIGTERM and 120 s, then the model is uploaded."""
    with context.store.lock:
        record = find(context, request["TrainingJobName"])
        if record["TrainingJobStatus"] in ENDED:
            raise validation_error(
                "The request was rejected because the training job is in status " + record["TrainingJobStatus"]
            )
        enter(context, request["TrainingJobName"], "Stopping", stop=True, TrainingJobStatus="Stopping")


@operation("DeleteTrainingJob")
def delete_training_job(context: Context, request: Document) -> None:
    """DeleteTrainingJob: of a job that has ended."""
    with context.store.lock:
        record = find(context, request["TrainingJobName"])
        if record["TrainingJobStatus"] not in ENDED:
            raise validation_error(
                "The request was rejected because the training job is in status " + record["TrainingJobStatus"]
            )
        context.store.delete(KIND, request["TrainingJobName"])
        context.tags.forget(record["TrainingJobArn"])


@operation("UpdateTrainingJob")
def update_training_job(context: Context, request: Document) -> Document:
    """UpdateTrainingJob: kept and described; profiler, warm pool and remote debugging do nothing here."""
    name = request.pop("TrainingJobName")
    with context.store.lock:
        record = find(context, name)
        if record["TrainingJobStatus"] != "InProgress":
            raise validation_error(f"a training job in status {record['TrainingJobStatus']} cannot be updated")

        def merge(record: Document, now: object) -> None:
            for key, value in request.items():
                old = record["request"].get(key)
                record["request"][key] = {**old, **value} if isinstance(old, dict) else value

        change(context, name, merge)
    return {"TrainingJobArn": record["TrainingJobArn"]}


@route("POST", "/_local/training-jobs/<name>/interrupt")
def interrupt(context: Context, request: Request, name: str) -> Response:
    """Take the hosts of a spot job away, as AWS may at any time: SIGTERM, then the job starts again. For tests."""
    with context.store.lock:
        record = find(context, name)
        if not record["request"].get("EnableManagedSpotTraining"):
            raise validation_error(f"the training job {name} is not interrupted: it has no EnableManagedSpotTraining")
        if record["TrainingJobStatus"] != "InProgress":
            raise validation_error(f"the training job {name} is in status {record['TrainingJobStatus']}")

        def count(record: dict[str, Any], now: object) -> None:
            record["interruptions"] += 1

        changed = change(context, name, count)
    return json_response({"interruptions": changed["interruptions"]})
