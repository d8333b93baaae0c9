"""Scalable targets and policies in the store. Only endpoint variants can be targets."""

from __future__ import annotations

import re
from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import validation_error

TARGET = "scalable-target"
POLICY = "scaling-policy"
ACTIVITY = "scaling-activity"
NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_RESOURCE = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
Document = dict[str, Any]


def resource_id(endpoint: str, variant: str) -> str:
    """endpoint/{endpoint}/variant/{variant}."""
    return f"endpoint/{endpoint}/variant/{variant}"


def endpoint_and_variant(resource: str) -> tuple[str, str]:
    """The parts of a ResourceId. Raises a ValidationException."""
    found = _RESOURCE.fullmatch(resource)
    if found is None:
        raise validation_error(f"ResourceId {resource!r} is not of the form endpoint/ENDPOINT/variant/VARIANT")
    return found.group(1), found.group(2)


def check(request: Document) -> None:
    """Raises a ValidationException for what is not an endpoint variant."""
    if request.get("ServiceNamespace", NAMESPACE) != NAMESPACE:
        raise validation_error(
            f"the local SageMaker scales endpoint variants only (ServiceNamespace sagemaker), not "
            f"{request['ServiceNamespace']}"
        )
    if request.get("ScalableDimension", DIMENSION) != DIMENSION:
        raise validation_error(f"ScalableDimension must be {DIMENSION}, not {request['ScalableDimension']}")


def registered(context: Context, endpoint: str, variant: str) -> bool:
    """Whether a variant is a scalable target."""
    return context.store.get(TARGET, resource_id(endpoint, variant)) is not None


def policies_of(context: Context, resource: str) -> list[Document]:
    """The policies of a target."""
    return [policy for policy in context.store.list(POLICY) if policy["ResourceId"] == resource]


def forget_target(context: Context, resource: str) -> bool:
    """Remove a target with its policies; whether there was one."""
    for policy in policies_of(context, resource):
        context.store.delete(POLICY, policy_key(resource, policy["PolicyName"]))
    target = context.store.get(TARGET, resource)
    if target is not None:
        context.tags.forget(target["ScalableTargetARN"])
    return context.store.delete(TARGET, resource)


def forget_endpoint(context: Context, endpoint: str) -> None:
    """Remove the targets of a deleted endpoint."""
    for target in context.store.list(TARGET):
        if endpoint_and_variant(target["ResourceId"])[0] == endpoint:
            forget_target(context, target["ResourceId"])


def policy_key(resource: str, name: str) -> str:
    """The name of a policy in the store."""
    return f"{resource}/{name}"
