"""A ContainerDefinition -> the command, the environment and the model data of a `serve` process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import featuremill
from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import validation_error

_PROJECT = Path(featuremill.__file__).resolve().parents[1]


@dataclass(frozen=True)
class ModelData:
    """Where the model is. `archive`: one tar.gz; `object`: one file; `prefix`: all objects below, as they are."""

    uri: str
    kind: Literal["archive", "object", "prefix"]


@dataclass(frozen=True)
class Program:
    """What to run. `models`: of a multi-model container, the prefix that target models are loaded from."""

    command: tuple[str, ...]
    environment: dict[str, str]
    image: str
    data: ModelData | None
    models: str | None


def data_of(container: dict[str, Any]) -> ModelData | None:
    """The model data of a ContainerDefinition; None for one without, and for a multi-model container."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if container.get("Mode") == "MultiModel":
        return None
    if source is not None:
        if source["CompressionType"] == "Gzip":
            return ModelData(source["S3Uri"], "archive")
        return ModelData(source["S3Uri"], "prefix" if source["S3DataType"] == "S3Prefix" else "object")
    return ModelData(container["ModelDataUrl"], "archive") if container.get("ModelDataUrl") else None


def program_of(context: Context, container: dict[str, Any], extra: dict[str, str] | None = None) -> Program:
    """How to start a container. `extra` environment (of a transform job) wins over the container's own.

    The processes see the environment of the server, too: they need its PATH, and are as trusted as itself. Raises a
    ValidationException for an image without a `serve` program.
    """
    image = context.images.find(container["Image"])
    if not image.serve:
        raise validation_error(f"the image {container['Image']} has no `serve` program in the images file")
    many = container.get("Mode") == "MultiModel"
    search = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(search),
        "PYTHONUNBUFFERED": "1",
        "AWS_REGION": context.region,
        "AWS_DEFAULT_REGION": context.region,
        "SAGEMAKER_REGION": context.region,
        **({"SAGEMAKER_MULTI_MODEL": "true"} if many else {}),
        **image.environment,
        **container.get("Environment", {}),
        **(extra or {}),
    }
    return Program(
        command=image.serve,
        environment=environment,
        image=container["Image"],
        data=data_of(container),
        models=container["ModelDataUrl"] if many else None,
    )
