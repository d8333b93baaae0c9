"""What a killed service leaves running: Airflow's workers and the programs that their tasks started, for example."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from featuremill.errors import ServiceError
from featuremill.services.records import Record

_PATIENCE = 10.0
_SAME = 2.0
"""Start times of one process may be read this many seconds apart."""


def end_leftovers(state: Path, record: Record) -> int:
    """Kill what lives on of a service whose own process is gone; how many processes that were.

    They are those of the session that the service had to itself, and work below the state folder. Raises ServiceError
    if one does not end.
    """
    if record.pid is None or record.started is None or record.host != socket.gethostname() or record.runs:
        return 0
    if _is_taken(record.pid, record.started):
        return 0
    found = list(_members(state, record.pid, record.started))
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    until = time.monotonic() + _PATIENCE
    while alive := [process for process in found if _lives(process)]:
        if time.monotonic() > until:
            pids = ", ".join(str(process.pid) for process in alive)
            raise ServiceError(f"processes that {record.name} left behind do not end: {pids}; end them by hand")
        time.sleep(0.05)
    return len(found)


def _is_taken(pid: int, started: float) -> bool:
    """Whether the pid is another process's by now, and with it the session of that name."""
    try:
        return abs(psutil.Process(pid).create_time() - started) >= _SAME
    except psutil.NoSuchProcess:
        return False


def _members(state: Path, session: int, since: float) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # it ended meanwhile, or is somebody else's
            if os.getsid(process.pid) != session or process.create_time() < since - _SAME:
                continue
            if _lives(process) and Path(process.cwd()).is_relative_to(state):
                yield process


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
