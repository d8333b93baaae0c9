"""CreateEndpointConfig, DescribeEndpointConfig, ListEndpointConfigs, DeleteEndpointConfig."""

from __future__ import annotations

from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints.documents import CONFIG_KIND, find_config
from featuremill.sagemaker_local.errors import validation_error
from featuremill.sagemaker_local.models.handlers import find as find_model
from featuremill.sagemaker_local.paging import filtered, ordered, page
from featuremill.sagemaker_local.protocol import operation

Document = dict[str, Any]
_REFUSED = {
    "ShadowProductionVariants": "shadow variants",
    "AsyncInferenceConfig": "asynchronous inference",
    "ExplainerConfig": "Clarify explanations (ask the container itself: explain=true)",
    "CrossRegionTrafficConfig": "cross-region traffic",
}
_REFUSED_OF_VARIANT = {
    "ServerlessConfig": "serverless variants",
    "InstancePools": "instance pools",
    "ManagedInstanceScaling": "managed instance scaling (register a scalable target instead)",
    "AcceleratorPartitionLayouts": "accelerators",
}


@operation("CreateEndpointConfig")
def create_endpoint_config(context: Context, request: Document) -> Document:
    """CreateEndpointConfig. Raises a ValidationException for what cannot be run here, naming it."""
    request = dict(request)
    name, tags = request["EndpointConfigName"], request.pop("Tags", [])
    _refuse(request, _REFUSED)
    names = [variant["VariantName"] for variant in request["ProductionVariants"]]
    if len(set(names)) < len(names):
        raise validation_error(f"Variant names must be unique within an endpoint configuration: {', '.join(names)}")
    request["ProductionVariants"] = [_variant(context, variant) for variant in request["ProductionVariants"]]
    if not sum(variant["InitialVariantWeight"] for variant in request["ProductionVariants"]):
        raise validation_error("the weights of all variants are 0: no variant would get a request")
    capture = request.get("DataCaptureConfig")
    if capture is not None:
        context.buckets.parse(capture["DestinationS3Uri"])
    arn = context.arn("endpoint-config", name)
    with context.store.lock:
        if context.store.get(CONFIG_KIND, name) is not None:
            raise validation_error(f'Cannot create already existing endpoint configuration "{arn}".')
        document = {**request, "EndpointConfigArn": arn, "CreationTime": context.clock()}
        context.store.put(CONFIG_KIND, name, document)
        context.tags.add(arn, tags)
    return {"EndpointConfigArn": arn}


def _variant(context: Context, variant: Document) -> Document:
    """A variant with AWS's defaults; its model must be there."""
    where = f"variant {variant['VariantName']}"
    _refuse(variant, _REFUSED_OF_VARIANT)
    for key in ("ModelName", "InstanceType", "InitialInstanceCount"):
        if key not in variant:
            raise validation_error(f"{where} has no {key}")
    strategy = (variant.get("RoutingConfig") or {}).get("RoutingStrategy", "RANDOM")
    if strategy not in ("RANDOM", "LEAST_OUTSTANDING_REQUESTS"):
        raise validation_error(f"{where}: the local SageMaker does not route by {strategy}")
    find_model(context, variant["ModelName"])
    return {"InitialVariantWeight": 1.0, **variant}


def _refuse(request: Document, refused: dict[str, str]) -> None:
    for key, what in refused.items():
        if request.get(key):
            raise validation_error(f"the local SageMaker has no {what} ({key})")


@operation("DescribeEndpointConfig")
def describe_endpoint_config(context: Context, request: Document) -> Document:
    """DescribeEndpointConfig."""
    return find_config(context, request["EndpointConfigName"])


@operation("ListEndpointConfigs")
def list_endpoint_configs(context: Context, request: Document) -> Document:
    """ListEndpointConfigs."""
    configs = filtered(context.store.list(CONFIG_KIND), request, "EndpointConfigName")
    configs = ordered(configs, request, {"CreationTime": "CreationTime", "Name": "EndpointConfigName"})
    members = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
    return page([{key: config[key] for key in members} for config in configs], request, "EndpointConfigs")


@operation("DeleteEndpointConfig")
def delete_endpoint_config(context: Context, request: Document) -> Document:
    """DeleteEndpointConfig. Endpoints that run it keep running: they have their own copy."""
    name = request["EndpointConfigName"]
    find_config(context, name)
    context.store.delete(CONFIG_KIND, name)
    context.tags.forget(context.arn("endpoint-config", name))
    return {}
