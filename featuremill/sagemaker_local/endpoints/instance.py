"""One instance: a `serve` process that is started, pinged, restarted when it dies or hangs, and stopped."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from featuremill.sagemaker_local import processes
from featuremill.sagemaker_local.models.container import Program

PING_EVERY = 5.0
PING_TIMEOUT = 2.0
PINGS_MISSED = 6
PINGS_MISSED_AT_WORK = 18
"""So many pings in a row without an answer make a running instance a hung one: half a minute when it has nothing to do,
else longer than a request may take, since a container of one thread cannot answer meanwhile."""
START_ATTEMPTS = 2
"""A new instance whose process ends so often before it ever answered is given up (the port might have been taken)."""
LONGEST_PAUSE = 5.0
STOP_GRACE = 30.0


class Unhealthy(Exception):
    """An instance never became healthy; the text says why."""


class Unreachable(Exception):
    """The process could not be asked, or went away before it had answered."""


class TookTooLong(Exception):
    """No answer within the time there is for one."""


@dataclass(frozen=True)
class Answer:
    """What a container answered. Names of headers are in lower case."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass
class Instance:
    """An instance of a variant. `folder` becomes its SAGEMAKER_BASE_DIR, with `model` linked to `model`.

    `changed` is the endpoint's lock and bell: `healthy`, `in_flight`, `failed` are read and written under it.
    `gives_up`: whether it stops trying when it cannot become healthy the first time (`failed` says why then).
    """

    id: str
    program: Program
    folder: Path
    model: Path
    changed: threading.Condition
    health_timeout: float
    on_line: Callable[[str], None]
    gives_up: bool = True
    healthy: bool = False
    in_flight: int = 0
    failed: str | None = None
    restarts: int = 0
    port: int = 0
    loaded: set[str] = field(default_factory=set)
    loading: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._process: processes.ManagedProcess | None = None
        self._pool: urllib3.HTTPConnectionPool | None = None
        self._last_line = ""
        self._ever_healthy = False
        self._thread = threading.Thread(target=self._run, name=f"instance-{self.id}", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, grace: float = STOP_GRACE) -> None:
        """SIGTERM, after `grace` seconds SIGKILL; returns when the process has ended."""
        self._stopping.set()
        self._become(healthy=False)
        process = self._process
        if process is not None:
            process.terminate(grace)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(grace + 5)

    def drain(self, timeout: float, grace: float = STOP_GRACE) -> None:
        """Stop once the requests it is answering are answered, at the latest after `timeout` seconds.

        The caller has taken it out of the traffic before.
        """
        with self.changed:
            self.changed.wait_for(lambda: self.in_flight == 0, timeout)
        self.stop(grace)

    def request(self, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float) -> Answer:
        """Ask the process over a kept connection. Raises Unreachable and TookTooLong."""
        pool = self._pool
        if pool is None:
            raise Unreachable(f"instance {self.id} has not started")
        try:
            response = pool.request(
                method,
                path,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(5.0, timeout), read=timeout),
                retries=False,
                redirect=False,
                decode_content=False,
            )
        except urllib3.exceptions.ReadTimeoutError as error:
            raise TookTooLong(f"no answer within {timeout:g} s") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(str(error)) from error
        return Answer(response.status, response.data, {name.lower(): value for name, value in response.headers.items()})

    def _run(self) -> None:
        attempts, pause = 0, 0.1
        while not self._stopping.is_set():
            problem = self._launch() or self._await_ping()
            if problem is None:
                attempts, pause = 0, 0.1
                self._guard()
            elif not self._stopping.is_set():
                attempts += 1
                if self.gives_up and not self._ever_healthy and self._hopeless(attempts):
                    self._give_up(problem)
                    return
            self._end_process()
            if self._stopping.wait(pause):
                return
            self.restarts += 1
            pause = min(pause * 2, LONGEST_PAUSE)

    def _launch(self) -> str | None:
        """Start the process; what went wrong, or None."""
        self.port = _free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        link = self.folder / "model"
        if not link.is_symlink():
            link.symlink_to(self.model, target_is_directory=True)
        with self.changed:
            self.loaded.clear()
        environment = {
            **self.program.environment,
            "SAGEMAKER_BASE_DIR": str(self.folder),
            "SAGEMAKER_BIND_TO_PORT": str(self.port),
        }
        try:
            process = processes.start(
                self.program.command, environment, self.folder, self.folder / "serve.log", self._line
            )
        except OSError as error:
            return f"{self.program.command[0]} cannot be started: {error}"
        self._process = process
        if self._stopping.is_set():
            # stop() may have looked before there was a process.
            process.terminate(1.0)
            return "stopped"
        self._pool = urllib3.HTTPConnectionPool("127.0.0.1", self.port, maxsize=128, block=False)
        return None

    def _line(self, line: str) -> None:
        if line.strip():
            self._last_line = line.strip()
        self.on_line(line)

    def _await_ping(self) -> str | None:
        """None once /ping answers 200, else why it will not."""
        process = self._process
        assert process is not None
        started = time.monotonic()
        while not self._stopping.is_set():
            left = started + self.health_timeout - time.monotonic()
            if not process.running:
                return f"the process ended with exit code {process.returncode} (last line: {self._last_line[:500]!r})"
            if left <= 0:
                return f"/ping did not answer 200 within {self.health_timeout:g} s"
            if self._ping(min(PING_TIMEOUT, left)):
                self._ever_healthy = True
                self._become(healthy=True)
                return None
            self._stopping.wait(0.05)
        return "stopped"

    def _ping(self, timeout: float) -> bool:
        try:
            return self.request("GET", "/ping", None, {}, timeout).status == 200
        except (Unreachable, TookTooLong):
            return False

    def _guard(self) -> None:
        """Returns when the process has ended, hangs, or is to stop."""
        process, missed, next_ping = self._process, 0, time.monotonic() + PING_EVERY
        assert process is not None
        while not self._stopping.is_set():
            if missed >= (PINGS_MISSED_AT_WORK if self.in_flight else PINGS_MISSED):
                break
            if process.wait(0.1) is not None:
                break
            if time.monotonic() >= next_ping:
                missed = 0 if self._ping(PING_TIMEOUT) else missed + 1
                next_ping = time.monotonic() + PING_EVERY
        self._become(healthy=False)

    def _hopeless(self, attempts: int) -> bool:
        process = self._process
        ended = process is None or not process.running
        return not ended or attempts >= START_ATTEMPTS

    def _give_up(self, problem: str) -> None:
        self._end_process()
        with self.changed:
            self.failed = problem
            self.changed.notify_all()

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.terminate(1.0)
        if self._pool is not None:
            with contextlib.suppress(Exception):
                self._pool.close()

    def _become(self, healthy: bool) -> None:
        with self.changed:
            self.healthy = healthy and not self._stopping.is_set()
            self.changed.notify_all()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
