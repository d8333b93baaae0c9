"""A service that was killed leaves nothing running; what is not its own is left alone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from featuremill.services.leftovers import end_leftovers
from featuremill.services.records import Record

_SERVICE = """
import subprocess, sys, os
worker = subprocess.Popen(["sleep", "300"], process_group=0)
stranger = subprocess.Popen(["sleep", "300"], cwd="/")
print(worker.pid, stranger.pid, flush=True)
worker.wait()
"""


class Killed:
    """A service with a worker in a process group of its own, and a program that works elsewhere; killed alone."""

    def __init__(self, state: Path) -> None:
        service = subprocess.Popen(
            [sys.executable, "-c", _SERVICE], cwd=state, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert service.stdout is not None
        self.worker, self.stranger = (psutil.Process(int(pid)) for pid in service.stdout.readline().split())
        started = psutil.Process(service.pid).create_time()
        self.record = Record(
            name="spark", port=1, log=state / "log", pid=service.pid, started=started, host=socket.gethostname()
        )
        self.alive_before = end_leftovers(state, self.record), self.worker.is_running()
        os.kill(service.pid, signal.SIGKILL)
        service.wait()
        service.stdout.close()


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    made = Killed(tmp_path)
    yield made
    for process in (made.worker, made.stranger):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_workers_of_a_killed_service_end(tmp_path: Path, killed: Killed) -> None:
    assert killed.alive_before == (0, True), "nothing is left over of a service that runs"
    assert _lives(killed.worker) and _lives(killed.stranger)
    assert end_leftovers(tmp_path, killed.record) == 1
    assert not _lives(killed.worker)
    assert _lives(killed.stranger), "what works elsewhere is not the service's"
    assert end_leftovers(tmp_path, killed.record) == 0


def test_a_session_of_another_process_is_left_alone(tmp_path: Path, killed: Killed) -> None:
    """The same number, used again by somebody else: this very test's process."""
    others = killed.record.model_copy(update={"pid": os.getpid()})
    assert end_leftovers(tmp_path, others) == 0
    later = killed.record.model_copy(update={"started": (killed.record.started or 0) + 3600})
    assert end_leftovers(tmp_path, later) == 0
    assert _lives(killed.worker)


def test_a_record_of_another_machine_says_nothing_about_this_one(tmp_path: Path, killed: Killed) -> None:
    assert end_leftovers(tmp_path, killed.record.model_copy(update={"host": "elsewhere"})) == 0
    assert _lives(killed.worker)
