"""The operations on endpoints: create, update, weights and capacities, delete, describe, list."""

from __future__ import annotations

from typing import Any

from featuremill.sagemaker_local.autoscaling.targets import forget_endpoint, registered
from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints import alarms, recovery, work
from featuremill.sagemaker_local.endpoints.capacity import change_capacity, in_service
from featuremill.sagemaker_local.endpoints.deployment import BadDeployment, plan
from featuremill.sagemaker_local.endpoints.documents import (
    KIND,
    Capacity,
    counts,
    deployed,
    described,
    find_endpoint,
    initial_capacity,
)
from featuremill.sagemaker_local.endpoints.service import service
from featuremill.sagemaker_local.errors import validation_error
from featuremill.sagemaker_local.paging import filtered, ordered, page
from featuremill.sagemaker_local.protocol import on_start, operation

Document = dict[str, Any]


@operation("CreateEndpoint")
def create_endpoint(context: Context, request: Document) -> Document:
    """CreateEndpoint: answers at once; the endpoint is Creating, then InService or Failed."""
    name, arn = request["EndpointName"], context.arn("endpoint", request["EndpointName"])
    with context.store.lock:
        if context.store.get(KIND, name) is not None:
            raise validation_error(f'Cannot create already existing endpoint "{arn}".')
        what = deployed(context, request["EndpointConfigName"])
        capacity, deployment = initial_capacity(what), request.get("DeploymentConfig")
        _check_deployment(context, deployment, capacity, {})
        now = context.clock()
        document = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
            "deployed": what,
            "capacity": capacity,
            **({"LastDeploymentConfig": deployment} if deployment else {}),
        }
        context.store.put(KIND, name, document)
        context.tags.add(arn, request.get("Tags", []))
    running = service(context)
    running.begin(name, "create", lambda job: work.create(running, name, job))
    return {"EndpointArn": arn}


@operation("UpdateEndpoint")
def update_endpoint(context: Context, request: Document) -> Document:
    """UpdateEndpoint: answers at once; the endpoint is Updating, then InService with the new config or the old one."""
    name = request["EndpointName"]
    with context.store.lock:
        document = in_service(context, name)
        what = deployed(context, request["EndpointConfigName"])
        capacity = initial_capacity(what)
        if request.get("RetainAllVariantProperties"):
            excluded = {each["VariantPropertyType"] for each in request.get("ExcludeRetainedVariantProperties", [])}
            _retain(document, what, capacity, excluded)
        _check_targets(context, document, what)
        deployment = request.get("DeploymentConfig")
        if deployment is None and request.get("RetainDeploymentConfig"):
            deployment = document.get("LastDeploymentConfig")
        _check_deployment(context, deployment, capacity, document["capacity"])
        document["pending"] = {
            "deployed": what,
            "capacity": capacity,
            "deployment": deployment,
            "started": context.clock(),
        }
        document["EndpointStatus"] = "Updating"
        document["LastModifiedTime"] = context.clock()
        document.pop("FailureReason", None)
        context.store.put(KIND, name, document)
    running = service(context)
    running.begin(name, "update", lambda job: work.update(running, name, job))
    return {"EndpointArn": document["EndpointArn"]}


def _retain(document: Document, what: Document, capacity: Capacity, excluded: set[str]) -> None:
    """Counts and weights of variants that stay, and data capture, as they are now and not as the new config says."""
    for name in set(capacity) & set(document["capacity"]):
        if "DesiredInstanceCount" not in excluded:
            capacity[name]["count"] = document["capacity"][name]["count"]
        if "DesiredWeight" not in excluded:
            capacity[name]["weight"] = document["capacity"][name]["weight"]
    if "DataCaptureConfig" not in excluded:
        former = document["deployed"]["config"].get("DataCaptureConfig")
        if former is not None:
            what["config"]["DataCaptureConfig"] = former
        else:
            what["config"].pop("DataCaptureConfig", None)


def _check_targets(context: Context, document: Document, what: Document) -> None:
    """AWS refuses to remove, or to change the instance type of, a variant that is a scalable target."""
    new = {variant["VariantName"]: variant for variant in what["config"]["ProductionVariants"]}
    for variant in document["deployed"]["config"]["ProductionVariants"]:
        name = variant["VariantName"]
        changed = name not in new or new[name]["InstanceType"] != variant["InstanceType"]
        if changed and registered(context, document["EndpointName"], name):
            raise validation_error(
                f"The variant {name} is registered as a scalable target: deregister it before changing its instance "
                "type or removing it."
            )


def _check_deployment(context: Context, config: Document | None, new: Capacity, old: Capacity) -> None:
    try:
        moves = plan(config, counts(new), counts(old))
    except BadDeployment as error:
        raise validation_error(str(error)) from error
    if moves.alarms:
        missing = [name for name, state in alarms.states(context, moves.alarms).items() if state is None]
        if missing:
            raise validation_error(f"The alarm(s) [{', '.join(missing)}] of AutoRollbackConfiguration do not exist.")


@operation("UpdateEndpointWeightsAndCapacities")
def update_endpoint_weights_and_capacities(context: Context, request: Document) -> Document:
    """UpdateEndpointWeightsAndCapacities: starts or stops instances, then sets the weights."""
    document = change_capacity(context, request["EndpointName"], request["DesiredWeightsAndCapacities"])
    return {"EndpointArn": document["EndpointArn"]}


@operation("DeleteEndpoint")
def delete_endpoint(context: Context, request: Document) -> Document:
    """DeleteEndpoint: in every state; work that goes on is ended."""
    name = request["EndpointName"]
    with context.store.lock:
        document = find_endpoint(context, name)
        if document["EndpointStatus"] == "Deleting":
            raise validation_error(f'Endpoint "{document["EndpointArn"]}" is being deleted already.')
        document["EndpointStatus"] = "Deleting"
        document["LastModifiedTime"] = context.clock()
        context.store.put(KIND, name, document)
        forget_endpoint(context, name)
    running = service(context)
    context.workers.spawn(f"delete-{name}", lambda _: work.delete(running, name))
    return {}


@operation("DescribeEndpoint")
def describe_endpoint(context: Context, request: Document) -> Document:
    """DescribeEndpoint."""
    name = request["EndpointName"]
    return described(find_endpoint(context, name), service(context).live(name))


@operation("ListEndpoints")
def list_endpoints(context: Context, request: Document) -> Document:
    """ListEndpoints."""
    endpoints = filtered(context.store.list(KIND), request, "EndpointName", "EndpointStatus")
    keys = {"CreationTime": "CreationTime", "Name": "EndpointName", "Status": "EndpointStatus"}
    endpoints = ordered(endpoints, request, keys)
    members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
    return page([{key: endpoint[key] for key in members} for endpoint in endpoints], request, "Endpoints")


@on_start
def take_up(context: Context) -> None:
    """After a start of the server: endpoints come up again, work that was interrupted is done."""
    running = service(context)
    for document in context.store.list(KIND):
        recovery.resume(running, document)
