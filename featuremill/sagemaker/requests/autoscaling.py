"""Autoscaling of an endpoint's instances: RegisterScalableTarget, PutScalingPolicy, DeregisterScalableTarget."""

from __future__ import annotations

from typing import Any

from featuremill.sagemaker.requests.serving import VARIANT

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_NAMESPACE = "sagemaker"
INVOCATIONS_PER_MINUTE = 6_000
"""Requests a minute and instance that are aimed at; one instance answers ten times as many single rows."""


def resource_id(endpoint: str, variant: str = VARIANT) -> str:
    return f"endpoint/{endpoint}/variant/{variant}"


def policy_name(endpoint: str) -> str:
    return f"{endpoint}-invocations"


def scalable_target(endpoint: str) -> dict[str, Any]:
    """What names the target in every request."""
    return {
        "ServiceNamespace": _NAMESPACE,
        "ResourceId": resource_id(endpoint),
        "ScalableDimension": DIMENSION,
    }


def register(endpoint: str, minimum: int, maximum: int) -> dict[str, Any]:
    return scalable_target(endpoint) | {"MinCapacity": minimum, "MaxCapacity": maximum}


def scaling_policy(endpoint: str, invocations: float = INVOCATIONS_PER_MINUTE) -> dict[str, Any]:
    """Target tracking: as many instances as keep each at `invocations` a minute. Out after 1 minute, in after 5."""
    return scalable_target(endpoint) | {
        "PolicyName": policy_name(endpoint),
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": invocations,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 300,
        },
    }


def describe_targets(endpoint: str) -> dict[str, Any]:
    return {"ServiceNamespace": _NAMESPACE, "ResourceIds": [resource_id(endpoint)], "ScalableDimension": DIMENSION}


def describe_policies(endpoint: str) -> dict[str, Any]:
    return scalable_target(endpoint)
