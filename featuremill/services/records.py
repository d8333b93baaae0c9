"""What the state folder knows of the services: <state>/services/<name>.json, and the lock of those who change it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from featuremill.errors import ServiceError
from featuremill.services.launch import LOOPBACK
from featuremill.warehouse.owner import is_running

# Below the range from which Linux takes the ports of outgoing connections, so that none of those is in the way.
_FIRST_PORT, _PORTS = 20_000, 10_000


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


@contextmanager
def services_lock(state: Path, timeout: float = 300.0) -> Iterator[None]:
    """Only one process of a project starts or stops services at a time. Raises ServiceError after `timeout` seconds."""
    path = state / "services" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    with path.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServiceError(
                        f"another process has been starting or stopping the services for {timeout:.0f} s ({path}); "
                        "see what it waits for"
                    ) from None
                time.sleep(0.1)
        yield


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Java does: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose_port(state: Path, name: str, taken: set[int]) -> int:
    """A free port, mostly the same one for the same project, and another for another project."""
    start = int.from_bytes(hashlib.sha256(f"{state}\n{name}".encode()).digest()[:4], "big")
    for step in range(_PORTS):
        port = _FIRST_PORT + (start + step) % _PORTS
        if port not in taken and is_free(port):
            return port
    raise ServiceError(f"no free port between {_FIRST_PORT} and {_FIRST_PORT + _PORTS} on {LOOPBACK}")
