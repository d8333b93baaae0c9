"""Multi-model endpoints: a target model is fetched and loaded at its first request to an instance."""

from __future__ import annotations

import json
import shutil
import time
from hashlib import sha256

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints.instance import Instance, TookTooLong, Unreachable
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.models.artefacts import BrokenModel, exists, fetch
from featuremill.sagemaker_local.models.container import ModelData

LEAST_SECONDS = 1.0


def is_multi_model(instance: Instance) -> bool:
    """Whether the instance's container is in MultiModel mode."""
    return instance.program.models is not None


def model_name(uri: str, changed: int) -> str:
    """The name under which the container knows a model: another one once the object has changed."""
    return sha256(f"{uri} {changed}".encode()).hexdigest()


def ensure_loaded(context: Context, instance: Instance, target: str, timeout: float) -> str:
    """Load a target model (a tar.gz below the model's prefix) into an instance, if it is not; its name there.

    When the container has no memory left (507), all models but this one are unloaded. Raises ApiError for a target that
    is not there, cannot be unpacked or loaded, or whose name leads elsewhere.
    """
    prefix = instance.program.models
    assert prefix is not None
    uri = f"{prefix}{target.lstrip('/')}"
    data = ModelData(uri, "archive")
    if not exists(context.buckets, data):
        raise ApiError("ValidationError", f"Failed to download model data (TargetModel {target}): nothing is at {uri}")
    name = model_name(uri, context.buckets.path_of(uri).stat().st_mtime_ns)
    with instance.loading:
        if name in instance.loaded:
            return name
        folder = instance.folder / "models" / name
        try:
            fetch(context.buckets, data, folder)
        except BrokenModel as error:
            raise ApiError("ValidationError", str(error)) from error
        _load(instance, name, str(folder), target, time.monotonic() + max(timeout, LEAST_SECONDS))
        instance.loaded.add(name)
    return name


def forget(instance: Instance, name: str) -> None:
    """The container does not have the model any more."""
    with instance.loading:
        instance.loaded.discard(name)


def _load(instance: Instance, name: str, folder: str, target: str, deadline: float) -> None:
    body = json.dumps({"model_name": name, "url": folder}).encode()
    headers = {"Content-Type": "application/json"}
    for again in (False, True):
        try:
            answer = instance.request("POST", "/models", body, headers, _left(deadline))
        except TookTooLong as error:
            raise ApiError("ModelNotReadyException", f"model {target} is not loaded yet: {error}", 429) from error
        if answer.status in (200, 409):
            return
        if answer.status == 507 and not again:
            _unload_all(instance, deadline)
            continue
        text = answer.body[:1000].decode("utf-8", errors="replace")
        raise ApiError("ValidationError", f"model {target} cannot be loaded: {answer.status} {text}")
    raise Unreachable("not reached")


def _unload_all(instance: Instance, deadline: float) -> None:
    for name in sorted(instance.loaded):
        instance.request("DELETE", f"/models/{name}", None, {}, _left(deadline))
        instance.loaded.discard(name)
        shutil.rmtree(instance.folder / "models" / name, ignore_errors=True)


def _left(deadline: float) -> float:
    return max(LEAST_SECONDS, deadline - time.monotonic())
