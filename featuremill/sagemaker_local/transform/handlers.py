"""CreateTransformJob, DescribeTransformJob, ListTransformJobs, StopTransformJob."""

from __future__ import annotations

import logging
import threading
from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints.instance import Unhealthy
from featuremill.sagemaker_local.endpoints.service import service
from featuremill.sagemaker_local.errors import ApiError, validation_error
from featuremill.sagemaker_local.models.artefacts import BrokenModel
from featuremill.sagemaker_local.models.container import program_of
from featuremill.sagemaker_local.models.handlers import container_of
from featuremill.sagemaker_local.models.handlers import find as find_model
from featuremill.sagemaker_local.paging import filtered, ordered, page
from featuremill.sagemaker_local.protocol import on_start, operation
from featuremill.sagemaker_local.transform.container import LARGEST_PRODUCT
from featuremill.sagemaker_local.transform.errors import AlgorithmError, ClientError
from featuremill.sagemaker_local.transform.job import run
from featuremill.sagemaker_local.transform.processing import processing

KIND = "transform-job"
LONGEST_REASON = 1024
Document = dict[str, Any]
_log = logging.getLogger(__name__)


class _Stopped(Exception):
    """StopTransformJob was called."""


class _Interrupted(Exception):
    """The server stops: the job is done anew when it starts again."""


def _find(context: Context, name: str) -> Document:
    document = context.store.get(KIND, name)
    if document is None:
        raise validation_error(f'Could not find requested job with name: "{name}".')
    return document


@operation("CreateTransformJob")
def create_transform_job(context: Context, request: Document) -> Document:
    """CreateTransformJob: answers at once; the job is InProgress, then Completed, Failed or Stopped."""
    request = dict(request)
    name, tags = request["TransformJobName"], request.pop("Tags", [])
    container = container_of(find_model(context, request["ModelName"]))
    _check(context, request, container)
    arn = context.arn("transform-job", name)
    with context.store.lock:
        if context.store.get(KIND, name) is not None:
            raise ApiError("ResourceInUse", f"Job name must be unique within an AWS account; {arn} exists already.")
        now = context.clock()
        document = {
            **request,
            "TransformJobArn": arn,
            "TransformJobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
            "container": container,
        }
        context.store.put(KIND, name, document)
        context.tags.add(arn, tags)
    _start(context, name)
    return {"TransformJobArn": arn}


def _check(context: Context, request: Document, container: Document) -> None:
    """Raises a ValidationException for what cannot be run."""
    if container.get("Mode") == "MultiModel":
        raise validation_error("batch transform does not take multi-model containers")
    if request.get("DataCaptureConfig"):
        raise validation_error("the local SageMaker has no data capture of batch transform jobs (DataCaptureConfig)")
    source = request["TransformInput"]
    split = source.get("SplitType", "None")
    if split not in ("None", "Line"):
        raise validation_error(f"the local SageMaker splits by None or Line, not {split}")
    kind = source["DataSource"]["S3DataSource"]["S3DataType"]
    if kind not in ("S3Prefix", "ManifestFile"):
        raise validation_error(f"the local SageMaker reads S3Prefix or ManifestFile, not {kind}")
    concurrent, megabytes = request.get("MaxConcurrentTransforms", 0), request.get("MaxPayloadInMB", 0)
    if max(megabytes, concurrent * megabytes) > LARGEST_PRODUCT:
        raise validation_error(
            f"MaxPayloadInMB ({megabytes}), and its product with MaxConcurrentTransforms ({concurrent}), must not "
            f"exceed {LARGEST_PRODUCT}"
        )
    try:
        made = processing(
            request.get("DataProcessing"), source.get("ContentType"), request["TransformOutput"].get("Accept")
        )
    except ClientError as error:
        raise validation_error(str(error)) from error
    if split == "None" and (made.by_record or made.input_filter.text != "$"):
        raise validation_error("DataProcessing needs records: set SplitType to Line")
    if made.by_record and request["TransformOutput"].get("AssembleWith", "None") != "Line":
        raise validation_error("joined or filtered output has a line a record: set AssembleWith to Line")
    context.buckets.parse(request["TransformOutput"]["S3OutputPath"])
    context.buckets.parse(source["DataSource"]["S3DataSource"]["S3Uri"])


def _start(context: Context, name: str) -> None:
    context.workers.spawn(f"transform-{name}", lambda stopping: _work(context, name, stopping))


def _work(context: Context, name: str, stopping: threading.Event) -> None:
    job = _find(context, name)

    def check() -> None:
        if stopping.is_set():
            raise _Interrupted
        if _find(context, name)["TransformJobStatus"] == "Stopping":
            raise _Stopped

    def end(status: str, reason: str | None = None) -> None:
        _set(context, name, status, TransformEndTime=context.clock(), FailureReason=reason)

    source, target = job["TransformInput"], job["TransformOutput"]
    _set(context, name, None, TransformStartTime=context.clock())
    try:
        check()
        made = processing(job.get("DataProcessing"), source.get("ContentType"), target.get("Accept"))
        program = program_of(context, job["container"], _environment(job))
        run(context, service(context).settings, job, program, made, check)
        end("Completed")
    except _Interrupted:
        return
    except _Stopped:
        end("Stopped")
    except (ClientError, BrokenModel) as error:
        end("Failed", f"ClientError: {error}")
    except ApiError as error:
        end("Failed", f"ClientError: {error.message}")
    except (AlgorithmError, Unhealthy) as error:
        end("Failed", f"AlgorithmError: {error}")
    except Exception as error:
        _log.exception("transform job %s failed", name)
        end("Failed", f"InternalServerError: {type(error).__name__}: {error}")


def _environment(job: Document) -> dict[str, str]:
    """What AWS sets for the containers of a job, and the job's own variables."""
    strategies = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}
    told = {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": job.get("MaxPayloadInMB"),
        "SAGEMAKER_BATCH_STRATEGY": strategies.get(job.get("BatchStrategy", "")),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": job.get("MaxConcurrentTransforms"),
    }
    own: dict[str, str] = job.get("Environment", {})
    return {name: str(value) for name, value in told.items() if value is not None} | own


def _set(context: Context, name: str, status: str | None, **changes: object) -> None:
    def change(document: Document) -> None:
        if status is not None:
            document["TransformJobStatus"] = status
        for key, value in changes.items():
            if value is not None:
                document[key] = value[:LONGEST_REASON] if isinstance(value, str) else value
        document["LastModifiedTime"] = context.clock()

    context.store.update(KIND, name, change)


@operation("DescribeTransformJob")
def describe_transform_job(context: Context, request: Document) -> Document:
    """DescribeTransformJob."""
    hidden = ("container", "LastModifiedTime")
    return {key: value for key, value in _find(context, request["TransformJobName"]).items() if key not in hidden}


@operation("ListTransformJobs")
def list_transform_jobs(context: Context, request: Document) -> Document:
    """ListTransformJobs."""
    jobs = filtered(context.store.list(KIND), request, "TransformJobName", "TransformJobStatus")
    keys = {"CreationTime": "CreationTime", "Name": "TransformJobName", "Status": "TransformJobStatus"}
    optional = ("FailureReason", "TransformEndTime")
    members = (
        "TransformJobName",
        "TransformJobArn",
        "CreationTime",
        "LastModifiedTime",
        "TransformJobStatus",
        *optional,
    )
    shown = [{key: job[key] for key in members if key in job} for job in ordered(jobs, request, keys)]
    return page(shown, request, "TransformJobSummaries")


@operation("StopTransformJob")
def stop_transform_job(context: Context, request: Document) -> Document:
    """StopTransformJob: Stopping, then Stopped; outputs that were finished stay."""
    name = request["TransformJobName"]
    with context.store.lock:
        status = _find(context, name)["TransformJobStatus"]
        if status == "InProgress":
            _set(context, name, "Stopping")
        elif status != "Stopping":
            raise validation_error(f"The request was rejected because the transform job is in status {status}.")
    return {}


@on_start
def take_up(context: Context) -> None:
    """After a start of the server: jobs that were in progress are done anew."""
    for job in context.store.list(KIND):
        if job["TransformJobStatus"] in ("InProgress", "Stopping"):
            _start(context, job["TransformJobName"])
