"""What the state folder knows of the services: <state>/services/<name>.json."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from featuremill.errors import ServiceError
from featuremill.services.launch import LOOPBACK
from featuremill.warehouse.owner import is_running


class Record(BaseModel):
    """A service of this project. `pid` is None while it is stopped; the port stays the same.

    `started`: the process's start in seconds since 1970, so that a later process with its pid is never taken for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    port: int
    log: Path
    pid: int | None = None
    started: float | None = None
    host: str | None = None

    @property
    def runs(self) -> bool:
        if self.pid is None or self.started is None or self.host != socket.gethostname():
            return False
        return is_running(self.pid, self.started)


def record_path(state: Path, name: str) -> Path:
    return state / "services" / f"{name}.json"


def read_record(state: Path, name: str) -> Record | None:
    """The record, or None if the service was never started. Raises ServiceError if the file is damaged."""
    path = record_path(state, name)
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ServiceError(f"{path} is damaged; stop the service by hand if it runs, and delete the file") from error


def write_record(state: Path, record: Record) -> None:
    path = record_path(state, record.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(f".{os.getpid()}")
    written.write_text(record.model_dump_json(indent=1) + "\n")
    written.replace(path)


@dataclass(frozen=True)
class ServiceStatus:
    """How a service is. `seconds`: how long it took to start, if it was started now."""

    name: str
    state: Literal["running", "not answering", "stopped"]
    host: str
    port: int | None
    pid: int | None
    log: Path | None
    seconds: float | None = None
    started_now: bool = False


def status_of(
    record: Record,
    state: Literal["running", "not answering"],
    seconds: float | None = None,
    started_now: bool = False,
) -> ServiceStatus:
    return ServiceStatus(record.name, state, LOOPBACK, record.port, record.pid, record.log, seconds, started_now)
