"""What SageMaker tells the container: folders, hyperparameters, channels, hosts.

Files under `/opt/ml` (or SAGEMAKER_BASE_DIR): input/config/{hyperparameters,inputdataconfig,resourceconfig}.json.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from training_image.learning.errors import UserError
from training_image.parameters import Hyperparameters

BASE = "/opt/ml"
TRACKER_PORT = 9099


@dataclass(frozen=True)
class Folders:
    """Where the container reads and writes, all under `base`."""

    base: Path

    @property
    def configuration(self) -> Path:
        return self.base / "input" / "config"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output(self) -> Path:
        return self.base / "output" / "data"

    @property
    def failure(self) -> Path:
        return self.base / "output" / "failure"

    @property
    def checkpoints(self) -> Path | None:
        """None where the job has no CheckpointConfig: SageMaker then makes no such folder."""
        folder = self.base / "checkpoints"
        return folder if folder.is_dir() else None

    def channel(self, name: str) -> Path:
        return self.base / "input" / "data" / name


@dataclass(frozen=True)
class Hosts:
    """The cluster: sorted names, which of them this is, and where the first one's tracker listens."""

    names: tuple[str, ...]
    current: str
    addresses: Mapping[str, str]
    tracker_port: int

    @property
    def index(self) -> int:
        return self.names.index(self.current)

    @property
    def count(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Job:
    folders: Folders
    parameters: Hyperparameters
    channels: Mapping[str, Mapping[str, Any]]
    hosts: Hosts
    threads: int


def read_job(environment: Mapping[str, str]) -> Job:
    """The job as the files and the environment tell it. Raises UserError naming the file or hyperparameter."""
    folders = Folders(Path(environment.get("SAGEMAKER_BASE_DIR") or BASE))
    parameters = parse_hyperparameters(_read(folders.configuration / "hyperparameters.json", required=True))
    channels = _read(folders.configuration / "inputdataconfig.json", required=False)
    resources = _read(folders.configuration / "resourceconfig.json", required=False)
    return Job(
        folders=folders,
        parameters=parameters,
        channels=channels,
        hosts=_hosts(resources, environment),
        threads=_threads(environment),
    )


def parse_hyperparameters(texts: Mapping[str, Any]) -> Hyperparameters:
    """Values are strings, nested ones JSON. Those that SageMaker's own tools add (`sagemaker_...`) are left out."""
    values = {name: _decode(value) for name, value in texts.items() if not name.startswith("sagemaker_")}
    try:
        return Hyperparameters.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "hyperparameters"
        if first["type"] == "missing":
            raise UserError(f"Hyperparameter {where} is missing; set it.") from None
        known = ", ".join(sorted(Hyperparameters.model_fields))
        if first["type"] == "extra_forbidden":
            top = f" Known hyperparameters: {known}." if len(first["loc"]) == 1 else ""
            raise UserError(f"Hyperparameter {where} is unknown; remove it or correct its name.{top}") from None
        raise UserError(f"Hyperparameter {where} is {first['input']!r}: {first['msg']}.") from None


def _decode(value: Any) -> Any:
    """JSON where it is JSON of an object, list, number or boolean, else the text itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _read(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes())
    except FileNotFoundError:
        if required:
            raise UserError(f"{file} is missing; is SAGEMAKER_BASE_DIR the folder of a training job?") from None
        return {}
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise UserError(f"{file} holds a {type(value).__name__}; it must be a JSON object.")
    return value


def _hosts(resources: Mapping[str, Any], environment: Mapping[str, str]) -> Hosts:
    """FEATUREMILL_HOST_ADDRESSES (JSON, name to address) stands in for a name service where hosts are processes."""
    names = tuple(sorted(resources.get("hosts") or ["algo-1"]))
    current = resources.get("current_host") or names[0]
    if current not in names:
        raise UserError(f"resourceconfig.json: current_host {current} is not one of hosts {', '.join(names)}.")
    try:
        addresses = json.loads(environment.get("FEATUREMILL_HOST_ADDRESSES") or "{}")
        port = int(environment.get("FEATUREMILL_TRACKER_PORT") or TRACKER_PORT)
    except ValueError as error:
        raise UserError(f"FEATUREMILL_HOST_ADDRESSES or FEATUREMILL_TRACKER_PORT: {error}.") from None
    return Hosts(names, current, addresses, port)


def _threads(environment: Mapping[str, str]) -> int:
    """OMP_NUM_THREADS where it is set, else all processors this process may use."""
    given = environment.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else len(os.sched_getaffinity(0))
