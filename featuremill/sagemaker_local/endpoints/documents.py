"""The document of an endpoint in the store, and what DescribeEndpoint shows of it.

Members of AWS's own names are shown as they are. Beside them:

    deployed   what the active fleet runs: {"config": ..., "containers": {variant: ContainerDefinition}, "fleet": id};
               a copy, as the config and the models may be deleted while the endpoint runs
    capacity   {variant: {"weight": float, "count": int}}: of the active fleet
    wanted     the same, while the fleet is brought to it
    pending    of an update that goes on: {"deployed": ..., "capacity": ..., "deployment": ..., "started": time}
"""

from __future__ import annotations

from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints.fleet import new_fleet_id
from featuremill.sagemaker_local.endpoints.live import LiveEndpoint
from featuremill.sagemaker_local.errors import validation_error
from featuremill.sagemaker_local.models.handlers import KIND as MODEL
from featuremill.sagemaker_local.models.handlers import container_of

KIND = "endpoint"
CONFIG_KIND = "endpoint-config"
Document = dict[str, Any]
Capacity = dict[str, dict[str, Any]]


def find_endpoint(context: Context, name: str) -> Document:
    """An endpoint's document. Raises a ValidationException if there is none."""
    document = context.store.get(KIND, name)
    if document is None:
        raise validation_error(f'Could not find endpoint "{context.arn("endpoint", name)}".')
    return document


def find_config(context: Context, name: str) -> Document:
    """An endpoint config's document. Raises a ValidationException if there is none."""
    document = context.store.get(CONFIG_KIND, name)
    if document is None:
        raise validation_error(f'Could not find endpoint configuration "{context.arn("endpoint-config", name)}".')
    return document


def deployed(context: Context, config_name: str) -> Document:
    """What a fleet of a config will run. Raises a ValidationException for a config or a model that is not there."""
    config = find_config(context, config_name)
    containers = {}
    for variant in config["ProductionVariants"]:
        model = context.store.get(MODEL, variant["ModelName"])
        if model is None:
            raise validation_error(
                f'Could not find model "{context.arn("model", variant["ModelName"])}" of variant '
                f"{variant['VariantName']}."
            )
        containers[variant["VariantName"]] = container_of(model)
    return {"config": config, "containers": containers, "fleet": new_fleet_id()}


def initial_capacity(what: Document) -> Capacity:
    """Weights and counts as the config says them."""
    return {
        variant["VariantName"]: {
            "weight": variant.get("InitialVariantWeight", 1.0),
            "count": variant.get("InitialInstanceCount", 1),
        }
        for variant in what["config"]["ProductionVariants"]
    }


def counts(capacity: Capacity) -> dict[str, int]:
    """Instances by variant."""
    return {name: values["count"] for name, values in capacity.items()}


def weights(capacity: Capacity) -> dict[str, float]:
    """Weights by variant."""
    return {name: values["weight"] for name, values in capacity.items()}


def described(document: Document, live: LiveEndpoint | None) -> Document:
    """DescribeEndpoint's answer."""
    own = ("deployed", "capacity", "wanted", "pending")
    answer = {key: value for key, value in document.items() if key not in own and value is not None}
    answer["EndpointConfigName"] = document["deployed"]["config"]["EndpointConfigName"]
    answer["ProductionVariants"] = _variants(document, live)
    capture = document["deployed"]["config"].get("DataCaptureConfig")
    if capture is not None:
        enabled = capture.get("EnableCapture", True)
        answer["DataCaptureConfig"] = {
            "EnableCapture": enabled,
            "CaptureStatus": "Started" if enabled else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    pending = document.get("pending")
    if pending is not None:
        answer["PendingDeploymentSummary"] = {
            "EndpointConfigName": pending["deployed"]["config"]["EndpointConfigName"],
            "ProductionVariants": _pending_variants(pending, live),
            "StartTime": pending["started"],
        }
    return answer


def _variants(document: Document, live: LiveEndpoint | None) -> list[Document]:
    found = []
    for variant in document["deployed"]["config"]["ProductionVariants"]:
        name = variant["VariantName"]
        wanted = (document.get("wanted") or document["capacity"])[name]
        fleet = live.active if live is not None else None
        weight = live.weights.get(name, 0.0) if live is not None and fleet is not None else 0.0
        found.append(
            {
                "VariantName": name,
                "DeployedImages": [_image(document["deployed"], name, document["CreationTime"])],
                "CurrentWeight": weight,
                "DesiredWeight": wanted["weight"],
                "CurrentInstanceCount": fleet.healthy(name) if fleet is not None and name in fleet.variants else 0,
                "DesiredInstanceCount": wanted["count"],
            }
        )
    return found


def _pending_variants(pending: Document, live: LiveEndpoint | None) -> list[Document]:
    fleet = live.incoming if live is not None else None
    share = live.share if live is not None else 0.0
    found = []
    for variant in pending["deployed"]["config"]["ProductionVariants"]:
        name = variant["VariantName"]
        wanted = pending["capacity"][name]
        healthy = fleet.healthy(name) if fleet is not None and name in fleet.variants else 0
        state = "Creating" if fleet is None or share == 0 else "ActivatingTraffic" if share < 1 else "Baking"
        found.append(
            {
                "VariantName": name,
                "DeployedImages": [_image(pending["deployed"], name, pending["started"])],
                "CurrentWeight": wanted["weight"] * share,
                "DesiredWeight": wanted["weight"],
                "CurrentInstanceCount": healthy,
                "DesiredInstanceCount": wanted["count"],
                "InstanceType": variant.get("InstanceType"),
                "VariantStatus": [{"Status": state, "StartTime": pending["started"]}],
            }
        )
    return found


def _image(what: Document, variant: str, time: Any) -> Document:
    image = what["containers"][variant]["Image"]
    return {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": time}
