"""Ports of the loopback address: mostly the same ones for the same project, and free ones."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from pathlib import Path

from featuremill.errors import ServiceError
from featuremill.services.launch import LOOPBACK
from featuremill.services.records import Record

# Below the range from which Linux takes the ports of outgoing connections, so that none of those is in the way.
_FIRST_PORT, _PORTS = 20_000, 10_000


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


def usable_port(
    state: Path, name: str, record: Record | None, fixed: int | None, taken: set[int], say: Callable[[str], None]
) -> int:
    """The port for a service that is to be started: the `fixed` one, the one it had, or a free one that is not `taken`.

    Raises ServiceError if the fixed one is another process's.
    """
    if fixed is not None:
        if not is_free(fixed):
            raise ServiceError(f"port {fixed} of {LOOPBACK}, set for {name}, is taken by another process; set another")
        return fixed
    if record is not None and record.port not in taken and is_free(record.port):
        return record.port
    port = choose_port(state, name, taken)
    if record is not None:
        say(f"port {record.port}, where {name} was, is taken by another process now; it moves to {port}")
    return port
