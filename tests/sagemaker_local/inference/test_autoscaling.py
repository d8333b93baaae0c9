"""Autoscaling: targets and policies as boto3 sees them, and processes that really come and go."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sagemaker_local.inference.conftest import Local, eventually
from tests.sagemaker_local.inference.test_updates import Traffic

DIMENSION = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
POLICY = {
    "TargetValue": 300.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    "ScaleOutCooldown": 100,
    "ScaleInCooldown": 100,
}


def put_policy(scaling: Any, target: dict[str, Any], **changes: Any) -> None:
    scaling.put_scaling_policy(
        **{
            "PolicyName": "load",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": POLICY,
            **target,
            **changes,
        }
    )


def test_instances_follow_the_load(local: Local) -> None:
    local.model("scaled")
    local.config("scaled")
    before = len(local.processes())
    local.endpoint("scaled", "scaled")
    scaling = local.client("application-autoscaling")
    target = {"ResourceId": "endpoint/scaled/variant/all", **DIMENSION}
    scaling.register_scalable_target(MinCapacity=1, MaxCapacity=3, **target)
    put_policy(scaling, target)

    def running() -> int:
        return len(local.processes()) - before

    # 30 a second are 1,800 a minute: more than three instances at a target of 300, but three are the most.
    with Traffic(local, "scaled", rate=30) as traffic:
        eventually(lambda: running() == 3)
        eventually(lambda: local.settled("scaled")["ProductionVariants"][0]["CurrentInstanceCount"] == 3)
    assert traffic.errors == []
    (activity, *_) = scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]
    assert activity["Description"] == "Setting desired instance count to 3."
    eventually(lambda: running() == 1, 40)
    scaling.register_scalable_target(MinCapacity=2, **target)
    eventually(lambda: running() == 2)
    local.sagemaker.delete_endpoint(EndpointName="scaled")
    eventually(lambda: scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == [])


def test_targets_and_policies_are_kept_and_removed(local: Local) -> None:
    local.model("kept")
    local.config("kept")
    local.config("kept-larger", {"ModelName": "kept", "InstanceType": "ml.m5.xlarge"})
    local.endpoint("kept", "kept")
    scaling = local.client("application-autoscaling")
    target = {"ResourceId": "endpoint/kept/variant/all", **DIMENSION}
    arn = scaling.register_scalable_target(MinCapacity=1, MaxCapacity=2, Tags={"a": "b"}, **target)
    scaling.tag_resource(ResourceARN=arn["ScalableTargetARN"], Tags={"c": "d"})
    assert scaling.list_tags_for_resource(ResourceARN=arn["ScalableTargetARN"])["Tags"] == {"a": "b", "c": "d"}
    put_policy(scaling, target)
    (found,) = scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=["endpoint/kept/variant/all"]
    )["ScalableTargets"]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 2)
    (policy,) = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"] == POLICY
    with pytest.raises(ClientError, match="deregister it before"):
        local.sagemaker.update_endpoint(EndpointName="kept", EndpointConfigName="kept-larger")
    scaling.delete_scaling_policy(PolicyName="load", **target)
    assert scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"] == []
    scaling.deregister_scalable_target(**target)
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.deregister_scalable_target(**target)
    local.sagemaker.update_endpoint(EndpointName="kept", EndpointConfigName="kept-larger")
    assert local.settled("kept")["EndpointConfigName"] == "kept-larger"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"PolicyType": "StepScaling"}, "not by StepScaling"),
        ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1.0}}, "only, not None"),
        ({"ResourceId": "endpoint/nowhere/variant/all"}, "No scalable target"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused(local: Local, changes: dict[str, Any], text: str) -> None:
    target = {"ResourceId": "endpoint/other/variant/all", **DIMENSION}
    with pytest.raises(ClientError, match=text):
        put_policy(local.client("application-autoscaling"), target, **changes)


def test_scheduled_actions_are_refused_rather_than_ignored(local: Local) -> None:
    scaling = local.client("application-autoscaling")
    target = {"ResourceId": "endpoint/other/variant/all", **DIMENSION}
    with pytest.raises(ClientError, match="no scheduled actions"):
        scaling.put_scheduled_action(ScheduledActionName="night", Schedule="rate(1 day)", **target)


def test_a_target_that_is_no_variant_is_refused(local: Local) -> None:
    scaling = local.client("application-autoscaling")
    with pytest.raises(ClientError, match="Could not find endpoint"):
        scaling.register_scalable_target(
            ResourceId="endpoint/nowhere/variant/all", MinCapacity=1, MaxCapacity=2, **DIMENSION
        )
    with pytest.raises(ClientError, match="endpoint variants only"):
        scaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId="service/a/b",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=1,
            MaxCapacity=2,
        )
