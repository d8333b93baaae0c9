"""Only one process of a project starts or stops services at a time; the others are told which."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from featuremill.errors import ServiceError

_WAIT_SECONDS = 600.0


@contextmanager
def services_lock(
    state: Path, timeout: float = _WAIT_SECONDS, say: Callable[[str], None] = lambda text: None
) -> Iterator[None]:
    """Hold the lock, which ends with the process. Raises ServiceError, naming the holder, after `timeout` seconds."""
    path = state / "services" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    told = False
    with path.open("a+") as file:
        while not _taken(file):
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{_holder(path)} has been starting or stopping the services for {timeout:.0f} s ({path}); "
                    "see what it waits for"
                )
            if not told:
                say(f"waiting for {_holder(path)}, which starts or stops the services")
                told = True
            time.sleep(0.1)
        _write(file, {"pid": os.getpid(), "command": _command(), "since": f"{datetime.now(UTC):%H:%M:%S} UTC"})
        try:
            yield
        finally:
            _write(file, None)


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: IO[str], holder: dict[str, object] | None) -> None:
    file.truncate(0)
    if holder is not None:
        file.write(json.dumps(holder))
        file.flush()


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:120]


def _holder(path: Path) -> str:
    try:
        said = json.loads(path.read_text())
        return f"process {said['pid']} ({said['command']}, since {said['since']})"
    except (OSError, ValueError, TypeError, KeyError):
        return "another process"
