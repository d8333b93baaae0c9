"""A host's folder, which stands for /opt/ml of a container, and what the contract puts into it."""

from __future__ import annotations

import json
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import validation_error
from featuremill.sagemaker_local.training.job import Document, hosts_of

CONTAINER_BASE = PurePosixPath("/opt/ml")
_INHERITED = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV",
    "OMP_NUM_THREADS", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
_INTERFACE = "lo"


def inside(path: str) -> PurePosixPath:
    """A container's path relative to /opt/ml. Raises a ValidationException for one elsewhere: only that is mapped."""
    pure = PurePosixPath(path)
    if not pure.is_relative_to(CONTAINER_BASE) or ".." in pure.parts:
        raise validation_error(f"the local path {path} must lie below {CONTAINER_BASE} in the local SageMaker")
    return pure.relative_to(CONTAINER_BASE)


@dataclass(frozen=True)
class HostFolder:
    """The folder of one host. `base` is what the program gets as SAGEMAKER_BASE_DIR."""

    name: str
    base: Path
    checkpoints: Path

    @property
    def model(self) -> Path:
        """model/, which becomes the model artefact."""
        return self.base / "model"

    @property
    def output(self) -> Path:
        """output/data/, which becomes output.tar.gz."""
        return self.base / "output" / "data"

    @property
    def failure(self) -> Path:
        """The file that says why the program failed."""
        return self.base / "output" / "failure"

    def channel(self, name: str) -> Path:
        """The folder of a channel."""
        return self.base / "input" / "data" / name


def job_folder(context: Context, name: str) -> Path:
    """The folder of a job while it runs."""
    return context.root / "training" / name


def make_folders(context: Context, request: Document) -> list[HostFolder]:
    """Fresh, empty folders of all hosts, in the order of their names' numbers."""
    top = job_folder(context, request["TrainingJobName"])
    shutil.rmtree(top, ignore_errors=True)
    local = request.get("CheckpointConfig", {}).get("LocalPath", "/opt/ml/checkpoints")
    folders = []
    for host in hosts_of(request):
        base = top / host / "ml"
        folder = HostFolder(host, base, base / inside(local))
        for path in (base / "input" / "config", folder.model, folder.output, folder.checkpoints):
            path.mkdir(parents=True, exist_ok=True)
        for channel in request.get("InputDataConfig", []):
            folder.channel(channel["ChannelName"]).mkdir(parents=True)
        folders.append(folder)
    return folders


def write_configuration(request: Document, folder: HostFolder) -> None:
    """input/config/: hyperparameters.json, inputdataconfig.json, resourceconfig.json."""
    config = folder.base / "input" / "config"
    for name, document in (
        ("hyperparameters", request.get("HyperParameters", {})),
        ("inputdataconfig", _channels(request)),
        ("resourceconfig", _resources(request, folder)),
    ):
        (config / f"{name}.json").write_text(json.dumps(document))


def _channels(request: Document) -> Document:
    mode = request["AlgorithmSpecification"]["TrainingInputMode"]
    channels = {}
    for channel in request.get("InputDataConfig", []):
        source = channel["DataSource"]["S3DataSource"]
        described = {
            "TrainingInputMode": channel.get("InputMode", mode),
            "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        }
        if "ContentType" in channel:
            described["ContentType"] = channel["ContentType"]
        channels[channel["ChannelName"]] = described
    return channels


def _resources(request: Document, folder: HostFolder) -> Document:
    hosts, kind = hosts_of(request), request["ResourceConfig"]["InstanceType"]
    return {
        "current_host": folder.name,
        "current_instance_type": kind,
        "current_group_name": "homogeneousCluster",
        "hosts": hosts,
        "instance_groups": [{"instance_group_name": "homogeneousCluster", "instance_type": kind, "hosts": hosts}],
        "network_interface_name": _INTERFACE,
    }


def environment(context: Context, request: Document, folder: HostFolder, image: dict[str, str], port: int) -> Document:
    """The environment of a host's program.

    Beyond AWS's: where its folder is, where the local services are, the addresses of the other hosts (all of them are
    this machine) and a free `port` for the first host to coordinate on. The SM_ variables are those that AWS's training
    toolkit sets.
    """
    hosts = hosts_of(request)
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {
        **inherited,
        # Hosts, endpoints and all else share this machine's cores: OpenMP threads that wait must not spin on them.
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONUNBUFFERED": "1",
        "AWS_REGION": context.region,
        "AWS_DEFAULT_REGION": context.region,
        "AWS_ENDPOINT_URL": context.url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        **image,
        "SAGEMAKER_BASE_DIR": str(folder.base),
        "TRAINING_JOB_NAME": request["TrainingJobName"],
        "TRAINING_JOB_ARN": context.arn("training-job", request["TrainingJobName"]),
        "FEATUREMILL_HOST_ADDRESSES": json.dumps(dict.fromkeys(hosts, "127.0.0.1")),
        "FEATUREMILL_TRACKER_PORT": str(port),
        **_toolkit(request, folder, hosts),
        **request.get("Environment", {}),
    }


def _toolkit(request: Document, folder: HostFolder, hosts: list[str]) -> dict[str, str]:
    channels = _channels(request)
    hyperparameters = request.get("HyperParameters", {})
    values: dict[str, Any] = {
        "MODEL_DIR": str(folder.model),
        "OUTPUT_DIR": str(folder.base / "output"),
        "OUTPUT_DATA_DIR": str(folder.output),
        "INPUT_DIR": str(folder.base / "input"),
        "INPUT_CONFIG_DIR": str(folder.base / "input" / "config"),
        "CHANNELS": sorted(channels),
        "HPS": hyperparameters,
        "HOSTS": hosts,
        "CURRENT_HOST": folder.name,
        "NUM_CPUS": os.cpu_count() or 1,
        "NUM_GPUS": 0,
        "NETWORK_INTERFACE_NAME": _INTERFACE,
        "CURRENT_INSTANCE_TYPE": request["ResourceConfig"]["InstanceType"],
        "RESOURCE_CONFIG": _resources(request, folder),
        "INPUT_DATA_CONFIG": channels,
        **{f"CHANNEL_{name.upper()}": str(folder.channel(name)) for name in channels},
        **{f"HP_{name.upper()}": value for name, value in hyperparameters.items()},
    }
    return {f"SM_{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
