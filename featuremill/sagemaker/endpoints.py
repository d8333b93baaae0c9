"""An endpoint's life on SageMaker, call by call: look at it, create, update, wait, scale, delete.

Each function does one thing and leaves the endpoint in a state that the next run understands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from featuremill.errors import FeaturemillError, ServiceError
from featuremill.sagemaker.client import Clients, clear_errors, described, is_missing
from featuremill.sagemaker.requests import autoscaling
from featuremill.sagemaker.requests.serving import Traffic, create_endpoint, update_endpoint
from featuremill.spec.models import EndpointInstances

BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
SERVES = ("InService", "UpdateRollbackFailed")

_LONGEST_LOCAL_WAIT = 1_800.0
_LONGEST_WAIT = 9 * 3_600.0


class EndpointFailed(FeaturemillError):
    """An endpoint did not come to run what it should."""


@dataclass(frozen=True)
class EndpointState:
    """What an endpoint is: its status, the configuration that it runs, why it failed if it did."""

    status: str
    config: str | None
    reason: str


def look(clients: Clients, endpoint: str) -> EndpointState | None:
    """The endpoint as it is now; None if there is none."""
    with clear_errors(clients, f"look at endpoint {endpoint}"):
        found = described(clients.sagemaker.describe_endpoint, EndpointName=endpoint)
    if found is None:
        return None
    reason = " ".join(str(found.get("FailureReason") or "").split())
    return EndpointState(found["EndpointStatus"], found.get("EndpointConfigName"), reason)


def settled(
    clients: Clients,
    endpoint: str,
    on_status: Callable[[str], None] | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> EndpointState | None:
    """Wait until nothing is under way; the endpoint as it is then, None if it is gone.

    Raises ServiceError if that takes longer than AWS lets an update take (9 h; 30 minutes locally).
    """
    pause, longest = (0.25, _LONGEST_LOCAL_WAIT) if clients.is_local else (10.0, _LONGEST_WAIT)
    started = time.monotonic()
    last = None
    while True:
        state = look(clients, endpoint)
        if state is not None and on_status is not None and state.status != last:
            on_status(state.status)
        last = state.status if state is not None else None
        if state is None or state.status not in BUSY:
            return state
        if time.monotonic() - started > longest:
            raise ServiceError(
                f"endpoint {endpoint} is {state.status} for {longest / 3600:g} h already; look at it, then run again"
            )
        sleep(pause)


def create(clients: Clients, endpoint: str, config: str, labels: Mapping[str, str]) -> None:
    with clear_errors(clients, f"create endpoint {endpoint}"):
        clients.sagemaker.create_endpoint(**create_endpoint(endpoint, config, labels))


def update(clients: Clients, endpoint: str, config: str, traffic: Traffic, keep_instances: bool) -> None:
    request = update_endpoint(endpoint, config, clients.settings, traffic, keep_instances=keep_instances)
    with clear_errors(clients, f"update endpoint {endpoint}"):
        clients.sagemaker.update_endpoint(**request)


def delete(clients: Clients, endpoint: str) -> None:
    """Delete the endpoint and wait until it is gone; nothing happens if there is none."""
    with clear_errors(clients, f"delete endpoint {endpoint}"):
        try:
            clients.sagemaker.delete_endpoint(EndpointName=endpoint)
        except ClientError as error:
            if not is_missing(error):
                raise
    settled(clients, endpoint)


def ensure(clients: Clients, describe: Any, create_it: Any, key: str, request: Mapping[str, Any]) -> None:
    """Make a model or endpoint configuration unless there is one of that name; the name stands for the content."""
    name = request[key]
    with clear_errors(clients, f"create {name}"):
        if described(describe, **{key: name}) is None:
            try:
                create_it(**request)
            except ClientError:
                if described(describe, **{key: name}) is None:  # else another process was first
                    raise


def remove(clients: Clients, delete_it: Any, key: str, name: str) -> None:
    """Delete a model or endpoint configuration; nothing happens if there is none."""
    with clear_errors(clients, f"delete {name}"):
        try:
            delete_it(**{key: name})
        except ClientError as error:
            if not is_missing(error):
                raise


def config_instance_type(clients: Clients, config: str) -> str | None:
    """The instance type of a configuration; None if the configuration is gone."""
    with clear_errors(clients, f"look at {config}"):
        found = described(clients.sagemaker.describe_endpoint_config, EndpointConfigName=config)
    return found["ProductionVariants"][0].get("InstanceType") if found else None


def scale(clients: Clients, endpoint: str, instances: EndpointInstances) -> bool:
    """Let SageMaker choose the number of instances between min and max; fixed if they are the same.

    Real-time endpoints keep one instance at least, so a minimum of 0 counts as 1. True if something was changed.
    """
    least = max(1, instances.min)
    if instances.max <= least:
        return unscale(clients, endpoint)
    target, policy = autoscaling.register(endpoint, least, instances.max), autoscaling.scaling_policy(endpoint)
    with clear_errors(clients, f"set the autoscaling of endpoint {endpoint}"):
        there = _target(clients, endpoint)
        changed = there is None or any(there[key] != target[key] for key in ("MinCapacity", "MaxCapacity"))
        if changed:
            clients.autoscaling.register_scalable_target(**target)
        described_policies = clients.autoscaling.describe_scaling_policies(**autoscaling.describe_policies(endpoint))
        if changed or not _has_policy(described_policies, policy):
            clients.autoscaling.put_scaling_policy(**policy)
            changed = True
    return changed


def unscale(clients: Clients, endpoint: str) -> bool:
    """Take autoscaling away: AWS refuses to change the instance type of a variant that is scaled. True if there was."""
    with clear_errors(clients, f"take away the autoscaling of endpoint {endpoint}"):
        if _target(clients, endpoint) is None:
            return False
        clients.autoscaling.deregister_scalable_target(**autoscaling.scalable_target(endpoint))
    return True


def is_scaled(clients: Clients, endpoint: str) -> bool:
    """Whether the number of instances is SageMaker's choice."""
    with clear_errors(clients, f"look at the autoscaling of endpoint {endpoint}"):
        return _target(clients, endpoint) is not None


def _target(clients: Clients, endpoint: str) -> dict[str, Any] | None:
    found = clients.autoscaling.describe_scalable_targets(**autoscaling.describe_targets(endpoint))["ScalableTargets"]
    return dict(found[0]) if found else None


def _has_policy(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    key = "TargetTrackingScalingPolicyConfiguration"
    for policy in found.get("ScalingPolicies", ()):
        if policy["PolicyName"] == wanted["PolicyName"]:
            there = policy.get(key, {})
            return all(there.get(name) == value for name, value in wanted[key].items())
    return False
