"""Other counts and weights for the variants of an endpoint that runs."""

from __future__ import annotations

from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints import work
from featuremill.sagemaker_local.endpoints.documents import KIND, Capacity, find_endpoint
from featuremill.sagemaker_local.endpoints.service import service
from featuremill.sagemaker_local.errors import validation_error

Document = dict[str, Any]


def in_service(context: Context, name: str) -> Document:
    """An endpoint's document. Raises a ValidationException if there is none, or it cannot be changed now."""
    document = find_endpoint(context, name)
    status = document["EndpointStatus"]
    if status == "Failed":
        raise validation_error(f'Endpoint "{document["EndpointArn"]}" has failed; it can only be deleted.')
    if status != "InService":
        raise validation_error(f'Cannot update in-progress endpoint "{document["EndpointArn"]}" (it is {status}).')
    return document


def change_capacity(context: Context, name: str, wishes: list[Document]) -> Document:
    """Begin to bring variants to other counts and weights (also what autoscaling calls); the endpoint's document.

    Raises a ValidationException for an endpoint that is not InService and for unknown variants.
    """
    with context.store.lock:
        document = in_service(context, name)
        wanted: Capacity = {variant: dict(values) for variant, values in document["capacity"].items()}
        for wish in wishes:
            variant = wish["VariantName"]
            if variant not in wanted:
                raise validation_error(f'The variant "{variant}" does not exist in endpoint "{name}".')
            if wish.get("ServerlessUpdateConfig"):
                raise validation_error("the local SageMaker has no serverless variants (ServerlessUpdateConfig)")
            count = int(wish.get("DesiredInstanceCount") or wanted[variant]["count"])
            if count < 1 or wish.get("DesiredInstanceCount") == 0:
                raise validation_error(f"DesiredInstanceCount of variant {variant} must be at least 1")
            wanted[variant] = {"weight": wish.get("DesiredWeight", wanted[variant]["weight"]), "count": count}
        if not sum(values["weight"] for values in wanted.values()):
            raise validation_error("the weights of all variants would be 0: no variant would get a request")
        document["wanted"] = wanted
        document["EndpointStatus"] = "Updating"
        document["LastModifiedTime"] = context.clock()
        context.store.put(KIND, name, document)
    running = service(context)
    running.begin(name, "scale", lambda job: work.rescale(running, name, wanted, job))
    return document
