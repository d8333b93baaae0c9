"""CreateTransformJob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from featuremill.errors import UsageError
from featuremill.sagemaker.requests.common import encryption, tags
from featuremill.sagemaker.requests.training import Hosts
from featuremill.spec.environment import SageMakerSettings

LARGEST_PAYLOAD_MB = 100
"""AWS's limit for MaxPayloadInMB, and for its product with MaxConcurrentTransforms."""


@dataclass(frozen=True)
class TransformJob:
    """Predictions for all lines of all objects below `input_uri`; `<key>.out` below `output_uri` for each.

    `strategy`: how many lines are sent at a time: as many as fit into `payload_mb`, or one. `join`: each line of the
    output is its input line with the prediction.
    """

    name: str
    model: str
    input_uri: str
    output_uri: str
    content_type: str
    accept: str
    hosts: Hosts
    strategy: Literal["MultiRecord", "SingleRecord"] = "MultiRecord"
    payload_mb: int = 6
    concurrent: int | None = None
    join: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def create_transform_job(job: TransformJob, settings: SageMakerSettings) -> dict[str, Any]:
    """The request. Objects are split by line, so that none is limited to one payload.

    Raises UsageError for payloads that SageMaker does not take.
    """
    if not 1 <= job.payload_mb * (job.concurrent or 1) <= LARGEST_PAYLOAD_MB:
        raise UsageError(
            f"{job.payload_mb} MB a request and {job.concurrent or 1} requests at a time are more than the "
            f"{LARGEST_PAYLOAD_MB} MB that batch transform takes"
        )
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": job.input_uri}}
    request: dict[str, Any] = {
        "TransformJobName": job.name,
        "ModelName": job.model,
        "BatchStrategy": job.strategy,
        "MaxPayloadInMB": job.payload_mb,
        "Environment": dict(job.environment),
        "TransformInput": {
            "DataSource": source,
            "ContentType": job.content_type,
            "CompressionType": "None",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": job.output_uri,
            "Accept": job.accept,
            "AssembleWith": "Line",
            **encryption(settings),
        },
        "TransformResources": {
            "InstanceType": job.hosts.type,
            "InstanceCount": job.hosts.count,
            **encryption(settings, "VolumeKmsKeyId"),
        },
        "Tags": tags(job.labels),
    }
    if job.concurrent is not None:
        request["MaxConcurrentTransforms"] = job.concurrent
    if job.join:
        request["DataProcessing"] = {"JoinSource": "Input"}
    return request
