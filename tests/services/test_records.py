from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from featuremill.errors import ServiceError
from featuremill.services.records import (
    Record,
    choose_port,
    is_free,
    read_record,
    record_path,
    services_lock,
    write_record,
)


def _record(**changes: object) -> Record:
    here = Record(
        name="metastore",
        port=20001,
        log=Path("metastore.log"),
        pid=os.getpid(),
        started=psutil.Process().create_time(),
        host=socket.gethostname(),
    )
    return here.model_copy(update=changes)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert read_record(tmp_path, "metastore") is None
    write_record(tmp_path, _record())
    assert read_record(tmp_path, "metastore") == _record()
    record_path(tmp_path, "metastore").write_text("{")
    with pytest.raises(ServiceError, match="metastore.json is damaged"):
        read_record(tmp_path, "metastore")


def test_only_the_very_process_counts_as_running() -> None:
    assert _record().runs
    assert not _record(pid=None).runs
    assert not _record(started=psutil.Process().create_time() - 3600).runs, "an earlier process of the same pid"
    assert not _record(host="another").runs


def test_a_process_that_ended_but_was_not_waited_for_does_not_run() -> None:
    process = subprocess.Popen(["true"])
    started = psutil.Process(process.pid).create_time()
    deadline = time.monotonic() + 10
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _record(pid=process.pid, started=started).runs
    process.wait()


def test_ports_differ_by_project_and_service_and_stay_the_same(tmp_path: Path) -> None:
    chosen = {choose_port(tmp_path / name, service, set()) for name in "ab" for service in ("metastore", "hiveserver")}
    assert len(chosen) == 4
    port = choose_port(tmp_path / "a", "metastore", set())
    assert port in chosen
    assert choose_port(tmp_path / "a", "metastore", {port}) == port + 1
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert not is_free(port)
        assert choose_port(tmp_path / "a", "metastore", set()) != port
    assert is_free(port)


def _hold(state: Path, taken: object, release: object) -> None:
    with services_lock(state):
        taken.set()  # type: ignore[attr-defined]
        release.wait(30)  # type: ignore[attr-defined]


def test_the_lock_is_for_one_process_and_goes_with_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    taken, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, taken, release))
    holder.start()
    assert taken.wait(30)
    with (
        pytest.raises(ServiceError, match="another process has been starting or stopping"),
        services_lock(tmp_path, 0.3),
    ):
        pass
    holder.kill()
    holder.join()
    with services_lock(tmp_path, 5):
        pass
