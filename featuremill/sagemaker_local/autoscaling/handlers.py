"""Application Auto Scaling's operations: scalable targets, target tracking policies, activities."""

from __future__ import annotations

from typing import Any

from featuremill.sagemaker_local.autoscaling.targets import (
    ACTIVITY,
    DIMENSION,
    NAMESPACE,
    POLICY,
    TARGET,
    check,
    endpoint_and_variant,
    forget_target,
    policy_key,
)
from featuremill.sagemaker_local.context import Context, new_id
from featuremill.sagemaker_local.endpoints.documents import find_endpoint
from featuremill.sagemaker_local.errors import ApiError, validation_error
from featuremill.sagemaker_local.paging import page
from featuremill.sagemaker_local.protocol import operation

SERVICE = "application-autoscaling"
METRIC = "SageMakerVariantInvocationsPerInstance"
Document = dict[str, Any]


@operation("RegisterScalableTarget", SERVICE)
def register_scalable_target(context: Context, request: Document) -> Document:
    """RegisterScalableTarget: of an endpoint variant; again to change its bounds or what is suspended."""
    check(request)
    resource = request["ResourceId"]
    endpoint, variant = endpoint_and_variant(resource)
    with context.store.lock:
        if variant not in find_endpoint(context, endpoint)["capacity"]:
            raise validation_error(f"endpoint {endpoint} has no variant {variant}")
        former = context.store.get(TARGET, resource)
        least = request.get("MinCapacity", (former or {}).get("MinCapacity"))
        most = request.get("MaxCapacity", (former or {}).get("MaxCapacity"))
        if least is None or most is None:
            raise validation_error("MinCapacity and MaxCapacity are required to register a new scalable target")
        if not 1 <= least <= most:
            raise validation_error(f"capacities must be 1 <= MinCapacity ({least}) <= MaxCapacity ({most})")
        document = {
            "ServiceNamespace": NAMESPACE,
            "ResourceId": resource,
            "ScalableDimension": DIMENSION,
            "MinCapacity": least,
            "MaxCapacity": most,
            "RoleARN": request.get("RoleARN") or _role(context),
            "CreationTime": former["CreationTime"] if former else context.clock(),
            "SuspendedState": {
                "DynamicScalingInSuspended": False,
                "DynamicScalingOutSuspended": False,
                "ScheduledScalingSuspended": False,
                **(former or {}).get("SuspendedState", {}),
                **request.get("SuspendedState", {}),
            },
            "ScalableTargetARN": former["ScalableTargetARN"]
            if former
            else context.arn("scalable-target", new_id(), SERVICE),
        }
        context.store.put(TARGET, resource, document)
        context.tags.add(document["ScalableTargetARN"], _pairs(request.get("Tags", {})))
    return {"ScalableTargetARN": document["ScalableTargetARN"]}


def _pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _role(context: Context) -> str:
    name = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    path = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com"
    return f"arn:aws:iam::{context.account}:role/{path}/{name}"


@operation("DescribeScalableTargets", SERVICE)
def describe_scalable_targets(context: Context, request: Document) -> Document:
    """DescribeScalableTargets."""
    check(request)
    wanted = request.get("ResourceIds")
    targets = [each for each in context.store.list(TARGET) if wanted is None or each["ResourceId"] in wanted]
    return page(targets, request, "ScalableTargets", 50)


@operation("DeregisterScalableTarget", SERVICE)
def deregister_scalable_target(context: Context, request: Document) -> Document:
    """DeregisterScalableTarget: with its policies. The variant keeps the instances it has."""
    check(request)
    with context.store.lock:
        if not forget_target(context, request["ResourceId"]):
            raise _no_target(request["ResourceId"])
    return {}


def _no_target(resource: str) -> ApiError:
    return ApiError(
        "ObjectNotFoundException",
        f"No scalable target found for service namespace: {NAMESPACE}, resource ID: {resource}, "
        f"scalable dimension: {DIMENSION}",
    )


@operation("PutScalingPolicy", SERVICE)
def put_scaling_policy(context: Context, request: Document) -> Document:
    """PutScalingPolicy: target tracking on SageMakerVariantInvocationsPerInstance, nothing else."""
    check(request)
    resource, name = request["ResourceId"], request["PolicyName"]
    kind = request.get("PolicyType", "TargetTrackingScaling")
    if kind != "TargetTrackingScaling":
        raise validation_error(f"the local SageMaker scales by TargetTrackingScaling, not by {kind}")
    config = request.get("TargetTrackingScalingPolicyConfiguration")
    if config is None:
        raise validation_error("a TargetTrackingScaling policy needs TargetTrackingScalingPolicyConfiguration")
    metric = (config.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType")
    if metric != METRIC:
        raise validation_error(f"the local SageMaker tracks the predefined metric {METRIC} only, not {metric}")
    if config["TargetValue"] <= 0:
        raise validation_error(f"TargetValue must be above 0, it is {config['TargetValue']}")
    with context.store.lock:
        if context.store.get(TARGET, resource) is None:
            raise _no_target(resource)
        former = context.store.get(POLICY, policy_key(resource, name))
        document = {
            "PolicyARN": former["PolicyARN"]
            if former
            else f"arn:aws:autoscaling:{context.region}:{context.account}:scalingPolicy:{new_id()}:resource/sagemaker/"
            f"{resource}:policyName/{name}",
            "PolicyName": name,
            "ServiceNamespace": NAMESPACE,
            "ResourceId": resource,
            "ScalableDimension": DIMENSION,
            "PolicyType": kind,
            "TargetTrackingScalingPolicyConfiguration": config,
            "Alarms": [],
            "CreationTime": former["CreationTime"] if former else context.clock(),
        }
        context.store.put(POLICY, policy_key(resource, name), document)
    return {"PolicyARN": document["PolicyARN"], "Alarms": []}


@operation("DescribeScalingPolicies", SERVICE)
def describe_scaling_policies(context: Context, request: Document) -> Document:
    """DescribeScalingPolicies."""
    check(request)
    names, resource = request.get("PolicyNames"), request.get("ResourceId")
    policies = [
        policy
        for policy in context.store.list(POLICY)
        if (names is None or policy["PolicyName"] in names) and resource in (None, policy["ResourceId"])
    ]
    return page(policies, request, "ScalingPolicies", 50)


@operation("DeleteScalingPolicy", SERVICE)
def delete_scaling_policy(context: Context, request: Document) -> Document:
    """DeleteScalingPolicy."""
    check(request)
    resource, name = request["ResourceId"], request["PolicyName"]
    if not context.store.delete(POLICY, policy_key(resource, name)):
        raise ApiError("ObjectNotFoundException", f"No scaling policy {name} found for resource ID: {resource}")
    return {}


@operation("DescribeScalingActivities", SERVICE)
def describe_scaling_activities(context: Context, request: Document) -> Document:
    """DescribeScalingActivities: the newest first."""
    check(request)
    resource = request.get("ResourceId")
    found = [each for each in context.store.list(ACTIVITY) if resource in (None, each["ResourceId"])]
    found.sort(key=lambda each: each["StartTime"], reverse=True)
    return page(found, request, "ScalingActivities", 50)


@operation("TagResource", SERVICE)
def tag_resource(context: Context, request: Document) -> Document:
    """TagResource: of a scalable target."""
    _target_of(context, request["ResourceARN"])
    context.tags.add(request["ResourceARN"], _pairs(request["Tags"]))
    return {}


@operation("UntagResource", SERVICE)
def untag_resource(context: Context, request: Document) -> Document:
    """UntagResource: of a scalable target."""
    _target_of(context, request["ResourceARN"])
    context.tags.remove(request["ResourceARN"], request["TagKeys"])
    return {}


@operation("ListTagsForResource", SERVICE)
def list_tags_for_resource(context: Context, request: Document) -> Document:
    """ListTagsForResource: of a scalable target."""
    _target_of(context, request["ResourceARN"])
    return {"Tags": {tag["Key"]: tag["Value"] for tag in context.tags.of(request["ResourceARN"])}}


def _target_of(context: Context, arn: str) -> Document:
    for target in context.store.list(TARGET):
        if target["ScalableTargetARN"] == arn:
            return target
    raise ApiError("ResourceNotFoundException", f"No scalable target has the ARN {arn}")


@operation("PutScheduledAction", SERVICE)
def put_scheduled_action(context: Context, request: Document) -> Document:
    """PutScheduledAction: refused, as nothing would happen."""
    raise validation_error("the local SageMaker scales by target tracking only; it has no scheduled actions")


@operation("DescribeScheduledActions", SERVICE)
def describe_scheduled_actions(context: Context, request: Document) -> Document:
    """DescribeScheduledActions: there are none."""
    return {"ScheduledActions": []}
