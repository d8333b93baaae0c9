"""CreateModel, CreateEndpointConfig, CreateEndpoint, UpdateEndpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from featuremill.sagemaker.requests.common import encryption, network, tags
from featuremill.spec.environment import SageMakerSettings

VARIANT = "live"
"""The name of the only variant of an endpoint of ours."""

Traffic = Literal["all_at_once", "canary", "linear", "rolling"]

CANARY_PERCENT = 10
LINEAR_PERCENT = 25
ROLLING_PERCENT = 50
"""AWS allows a canary of at most 50% of the capacity, linear steps of 10 to 50%, rolling batches of 5 to 50%."""

_SHORTEST_TIMEOUT = 1_800
_LONGEST_TIMEOUT = 28_800


@dataclass(frozen=True)
class Variant:
    """A model behind an endpoint: on what, how many, with which share of the traffic."""

    model: str
    instance_type: str
    instances: int = 1
    name: str = VARIANT
    weight: float = 1.0
    startup_timeout: int = 600


def create_model(
    name: str,
    artefact_uri: str,
    settings: SageMakerSettings,
    *,
    environment: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A model: the image and the artefact (`model.tar.gz`) that it serves."""
    container = {"Image": settings.image, "Mode": "SingleModel", "ModelDataUrl": artefact_uri}
    return {
        "ModelName": name,
        "PrimaryContainer": container | {"Environment": dict(environment or {})},
        "ExecutionRoleArn": settings.role,
        "Tags": tags(labels or {}),
        **network(settings),
    }


def create_endpoint_config(
    name: str,
    variants: Sequence[Variant],
    settings: SageMakerSettings,
    *,
    capture: float = 0.0,
    capture_uri: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An endpoint configuration. `capture`: the share of requests whose input and output are kept at `capture_uri`."""
    request: dict[str, Any] = {
        "EndpointConfigName": name,
        "ProductionVariants": [_variant(variant) for variant in variants],
        "Tags": tags(labels or {}),
        **encryption(settings),
    }
    if capture > 0 and capture_uri is not None:
        request["DataCaptureConfig"] = {
            "EnableCapture": True,
            "InitialSamplingPercentage": ceil(capture * 100 - 1e-9),
            "DestinationS3Uri": capture_uri,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json", "application/jsonlines"],
            },
            **encryption(settings),
        }
    return request


def _variant(variant: Variant) -> dict[str, Any]:
    return {
        "VariantName": variant.name,
        "ModelName": variant.model,
        "InitialInstanceCount": variant.instances,
        "InstanceType": variant.instance_type,
        "InitialVariantWeight": variant.weight,
        "ContainerStartupHealthCheckTimeoutInSeconds": variant.startup_timeout,
    }


def create_endpoint(name: str, config: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A new endpoint. There is no traffic to move yet, so it has no deployment policy."""
    return {"EndpointName": name, "EndpointConfigName": config, "Tags": tags(labels or {})}


def update_endpoint(
    name: str,
    config: str,
    settings: SageMakerSettings,
    traffic: Traffic = "all_at_once",
    *,
    keep_instances: bool = False,
) -> dict[str, Any]:
    """Move an endpoint to another configuration.

    `keep_instances`: as many instances as autoscaling has brought it to now, not the configuration's number; weight
    and capture are always the configuration's.
    """
    request: dict[str, Any] = {
        "EndpointName": name,
        "EndpointConfigName": config,
        "RetainAllVariantProperties": keep_instances,
        "RetainDeploymentConfig": False,
        "DeploymentConfig": deployment(settings, traffic),
    }
    if keep_instances:
        kinds = ("DesiredWeight", "DataCaptureConfig")
        request["ExcludeRetainedVariantProperties"] = [{"VariantPropertyType": kind} for kind in kinds]
    return request


def deployment(settings: SageMakerSettings, traffic: Traffic) -> dict[str, Any]:
    """How traffic moves to the new instances, and which alarms bring it back.

    `bake_seconds` is how long each step is watched, and how long the old instances stay after the last one.
    """
    bake = settings.bake_seconds
    steps = {"linear": ceil(100 / LINEAR_PERCENT), "rolling": ceil(100 / ROLLING_PERCENT)}.get(traffic, 2)
    timeout = min(max(_SHORTEST_TIMEOUT, _SHORTEST_TIMEOUT + (steps + 1) * bake), _LONGEST_TIMEOUT)
    policy: dict[str, Any]
    if traffic == "rolling":
        policy = {
            "RollingUpdatePolicy": {
                "MaximumBatchSize": _percent(ROLLING_PERCENT),
                "WaitIntervalInSeconds": bake,
                "MaximumExecutionTimeoutInSeconds": timeout,
            }
        }
    else:
        policy = {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": _routing(traffic, bake),
                "TerminationWaitInSeconds": bake,
                "MaximumExecutionTimeoutInSeconds": timeout,
            }
        }
    if settings.alarms:
        policy["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": alarm} for alarm in settings.alarms]}
    return policy


def _routing(traffic: Traffic, bake: int) -> dict[str, Any]:
    routing: dict[str, Any] = {"Type": traffic.upper(), "WaitIntervalInSeconds": bake}
    if traffic == "canary":
        routing["CanarySize"] = _percent(CANARY_PERCENT)
    elif traffic == "linear":
        routing["LinearStepSize"] = _percent(LINEAR_PERCENT)
    return routing


def _percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}
