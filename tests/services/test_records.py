from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from featuremill.errors import ServiceError
from featuremill.services.records import Record, read_record, record_path, write_record


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
