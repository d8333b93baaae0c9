"""One service's process: started, waited for until it answers, asked, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from threading import Event

import psutil

from featuremill.errors import ServiceError
from featuremill.services.launch import Launch
from featuremill.services.records import Record, ServiceStatus, status_of, write_record
from featuremill.services.side_by_side import Cancelled
from featuremill.services.space import remark

_STOP_SECONDS = 20.0
_HUNG_SECONDS = 3.0
_LARGEST_LOG = 10 * 1024 * 1024
_TAIL_LINES = 15

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Services that this very process started: they must be waited for, or they stay as zombies after they end."""


def start_process(state: Path, launch: Launch, port: int, cancelled: Event) -> ServiceStatus:
    """Start a service and return when it answers. Its output goes to <state>/logs.

    Raises ServiceError, with the end of its log, if it ends or does not answer in time, and Cancelled if somebody gave
    up meanwhile. It does not run on after that.
    """
    log = state / "logs" / f"{launch.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    began = time.monotonic()
    with log.open("ab") as output:
        offset = output.tell()
        try:
            process = subprocess.Popen(
                launch.command,
                cwd=launch.folder,
                env=dict(launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ServiceError(f"{launch.title} cannot be started: {error}") from error
    _children[process.pid] = process
    record = Record(
        name=launch.name,
        port=port,
        log=log,
        pid=process.pid,
        started=psutil.Process(process.pid).create_time(),
        host=socket.gethostname(),
    )
    try:
        write_record(state, record)
        _wait_until_it_answers(launch, process, log, offset, cancelled)
    except BaseException:
        stop_process(record)
        write_record(state, Record(name=launch.name, port=port, log=log))
        raise
    return status_of(record, "running", seconds=time.monotonic() - began, started_now=True)


def _wait_until_it_answers(
    launch: Launch, process: subprocess.Popen[bytes], log: Path, offset: int, cancelled: Event
) -> None:
    deadline = time.monotonic() + launch.timeout
    while process.poll() is None:
        if answers(launch):
            return
        if time.monotonic() > deadline:
            said = f"did not answer within {launch.timeout:.0f} s"
            break
        if cancelled.wait(launch.pause):
            raise Cancelled
    else:
        said = f"ended at once (exit code {process.returncode})"
    raise ServiceError(f"{launch.title} {said}; the end of {log}:\n{_tail(log, offset)}{remark(log.parent)}")


def answers(launch: Launch) -> bool:
    try:
        launch.probe()
    except (ServiceError, OSError):
        return False
    return True


def _tail(log: Path, offset: int) -> str:
    with log.open("rb") as stream:
        stream.seek(max(offset, log.stat().st_size - 64 * 1024))
        lines = stream.read().decode(errors="replace").splitlines()
    telling = [line for line in lines if line.strip() and not line.startswith("\tat ")]
    return "\n".join(f"  {line}" for line in telling[-_TAIL_LINES:]) or "  (it is empty)"


def stop_process(record: Record, *, hung: bool = False) -> None:
    """End the service's process group: ask, wait (not long for a hung one), then insist.

    A process that is not the one recorded is left alone. Raises ServiceError if it does not end.
    """
    if record.pid is None or not record.runs:
        return
    for number, seconds in ((signal.SIGTERM, _HUNG_SECONDS if hung else _STOP_SECONDS), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(record.pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not record.runs:
                reap()
                return
            time.sleep(0.05)
    raise ServiceError(f"{record.name} (pid {record.pid}) does not end; see {record.log}")


def reap() -> None:
    """Wait for the services of this very process that ended."""
    for pid, process in list(_children.items()):
        if process.poll() is not None:
            _children.pop(pid, None)
