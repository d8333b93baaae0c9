"""CreateModel, DescribeModel, ListModels, DeleteModel."""

from __future__ import annotations

from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import validation_error
from featuremill.sagemaker_local.models.artefacts import exists
from featuremill.sagemaker_local.models.container import data_of
from featuremill.sagemaker_local.paging import filtered, ordered, page
from featuremill.sagemaker_local.protocol import operation

KIND = "model"
Document = dict[str, Any]


def find(context: Context, name: str) -> Document:
    """A model's document. Raises a ValidationException if there is none."""
    document = context.store.get(KIND, name)
    if document is None:
        raise validation_error(f'Could not find model "{context.arn("model", name)}".')
    return document


@operation("CreateModel")
def create_model(context: Context, request: Document) -> Document:
    """CreateModel: one container (PrimaryContainer, or Containers of one), whose image and data must be there."""
    request = dict(request)
    name, tags = request["ModelName"], request.pop("Tags", [])
    container = _container(request)
    context.images.find(container["Image"])
    data = data_of(container)
    if data is not None and not exists(context.buckets, data):
        raise validation_error(f"Could not find model data at {data.uri}.")
    arn = context.arn("model", name)
    with context.store.lock:
        if context.store.get(KIND, name) is not None:
            raise validation_error(f'Cannot create already existing model "{arn}".')
        document = {**request, "ModelArn": arn, "CreationTime": context.clock()}
        context.store.put(KIND, name, document)
        context.tags.add(arn, tags)
    return {"ModelArn": arn}


def _container(request: Document) -> Document:
    """The only container of a request or of a model's document, checked."""
    containers = request.get("Containers") or []
    if len(containers) > 1:
        raise validation_error(
            f"the local SageMaker runs models of one container, not inference pipelines of {len(containers)}"
        )
    if ("PrimaryContainer" in request) == bool(containers):
        raise validation_error("give either PrimaryContainer or Containers")
    container: Document = request.get("PrimaryContainer") or containers[0]
    if "ModelPackageName" in container:
        raise validation_error("the local SageMaker has no model packages; give Image and ModelDataUrl")
    if "Image" not in container:
        raise validation_error("the container has no Image")
    if container.get("AdditionalModelDataSources"):
        raise validation_error("the local SageMaker does not know AdditionalModelDataSources")
    if container.get("Mode") == "MultiModel" and not container.get("ModelDataUrl", "").endswith("/"):
        raise validation_error("a MultiModel container needs as ModelDataUrl the prefix of its models, ending in /")
    return container


def container_of(document: Document) -> Document:
    """The container of a model's document."""
    return _container(document)


@operation("DescribeModel")
def describe_model(context: Context, request: Document) -> Document:
    """DescribeModel."""
    return find(context, request["ModelName"])


@operation("ListModels")
def list_models(context: Context, request: Document) -> Document:
    """ListModels."""
    models = filtered(context.store.list(KIND), request, "ModelName")
    models = ordered(models, request, {"CreationTime": "CreationTime", "Name": "ModelName"})
    members = ("ModelName", "ModelArn", "CreationTime")
    return page([{key: model[key] for key in members} for model in models], request, "Models")


@operation("DeleteModel")
def delete_model(context: Context, request: Document) -> Document:
    """DeleteModel. Endpoints that run the model keep running: they have their own copy."""
    find(context, request["ModelName"])
    context.store.delete(KIND, request["ModelName"])
    context.tags.forget(context.arn("model", request["ModelName"]))
    return {}
