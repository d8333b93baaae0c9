"""CreateTrainingJob."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from featuremill.errors import UsageError
from featuremill.sagemaker.requests.common import encryption, network, tags
from featuremill.spec.environment import SageMakerSettings
from training_image.parameters import Hyperparameters

LONGEST_VALUE = 2_500
"""Characters that SageMaker takes for one hyperparameter."""

_WAIT_FOR_SPOT = 3_600
_GIGABYTE = 1 << 30

_MEASURED = ("auc", "pr_auc", "logloss", "brier", "accuracy", "precision", "recall", "f1", "ece", "rmse", "mae", "r2")
METRICS: tuple[str, ...] = (
    *(f"{dataset}-{metric}" for dataset in ("validation", "train", "baseline") for metric in _MEASURED),
    "validation-coverage",
)
"""The lines `<name>:<value>` of the training program that become metrics of the job; SageMaker takes at most 40."""


@dataclass(frozen=True)
class Channel:
    """An input: all objects below `uri`. `sharded`: each host gets its part of the objects."""

    name: str
    uri: str
    content_type: str
    sharded: bool = False
    mode: Literal["File", "FastFile"] = "File"


@dataclass(frozen=True)
class Hosts:
    """On what a job runs. `volume_gb`: the disk of each host."""

    type: str
    count: int = 1
    volume_gb: int = 30


@dataclass(frozen=True)
class TrainingJob:
    """All that a training job is. `labels` become tags, `environment` variables of the program."""

    name: str
    hyperparameters: Mapping[str, str]
    channels: Sequence[Channel]
    hosts: Hosts
    output_uri: str
    checkpoint_uri: str
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def hyperparameter_texts(parameters: Hyperparameters) -> dict[str, str]:
    """Each field as SageMaker wants it, a text; nested ones as JSON. What is null is left out.

    Raises UsageError, naming the field, for one of more than 2,500 characters.
    """
    plain = parameters.model_dump(mode="json", by_alias=True, exclude_none=True)
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
        for name, value in plain.items()
    }
    for name, text in texts.items():
        if len(text) > LONGEST_VALUE:
            raise UsageError(
                f"training.{name} is {len(text)} characters long as JSON, SageMaker takes {LONGEST_VALUE}; "
                "say less of it: what every column shares need not be repeated for each"
            )
    return texts


def volume_gb(channel_bytes: int) -> int:
    """A disk for a channel: three times its size for checkpoints and out-of-core caches, and 30 GB at least."""
    return max(30, 3 * -(-channel_bytes // _GIGABYTE) + 10)


def create_training_job(job: TrainingJob, settings: SageMakerSettings) -> dict[str, Any]:
    """The request. Checkpoints are always kept: a job that is interrupted or stopped goes on from them."""
    stopping = {"MaxRuntimeInSeconds": settings.max_runtime}
    if settings.spot:
        stopping["MaxWaitTimeInSeconds"] = settings.max_runtime + _WAIT_FOR_SPOT
    return {
        "TrainingJobName": job.name,
        "AlgorithmSpecification": {
            "TrainingImage": settings.image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": name, "Regex": rf"(?:^|\s){name}:(\S+)"} for name in METRICS],
            "EnableSageMakerMetricsTimeSeries": True,
        },
        "RoleArn": settings.role,
        "HyperParameters": dict(job.hyperparameters),
        "InputDataConfig": [_channel(channel) for channel in job.channels],
        "OutputDataConfig": {"S3OutputPath": job.output_uri} | encryption(settings),
        "ResourceConfig": {
            "InstanceType": job.hosts.type,
            "InstanceCount": job.hosts.count,
            "VolumeSizeInGB": job.hosts.volume_gb,
            **encryption(settings, "VolumeKmsKeyId"),
        },
        "StoppingCondition": stopping,
        "CheckpointConfig": {"S3Uri": job.checkpoint_uri},
        "EnableManagedSpotTraining": settings.spot,
        "Environment": dict(job.environment),
        "Tags": tags(job.labels),
        **network(settings),
    }


def _channel(channel: Channel) -> dict[str, Any]:
    distribution = "ShardedByS3Key" if channel.sharded else "FullyReplicated"
    source = {"S3DataType": "S3Prefix", "S3Uri": channel.uri, "S3DataDistributionType": distribution}
    return {
        "ChannelName": channel.name,
        "DataSource": {"S3DataSource": source},
        "ContentType": channel.content_type,
        "CompressionType": "None",
        "RecordWrapperType": "None",
        "InputMode": channel.mode,
    }
