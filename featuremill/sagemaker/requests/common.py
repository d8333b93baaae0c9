"""What several requests have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from featuremill.spec.environment import SageMakerSettings

TAG_PREFIX = "featuremill:"


def tags(labels: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags `featuremill:<label>`, by name; values are cut to the 256 characters that AWS takes."""
    return [{"Key": f"{TAG_PREFIX}{key}", "Value": value[:256]} for key, value in sorted(labels.items())]


def network(settings: SageMakerSettings) -> dict[str, Any]:
    """VpcConfig, if the environment names subnets and security groups."""
    if not settings.subnets or not settings.security_groups:
        return {}
    return {"VpcConfig": {"SecurityGroupIds": list(settings.security_groups), "Subnets": list(settings.subnets)}}


def encryption(settings: SageMakerSettings, key: str = "KmsKeyId") -> dict[str, str]:
    """The KMS key under the name that a request has for it, if the environment gives one."""
    return {key: settings.kms_key} if settings.kms_key else {}
