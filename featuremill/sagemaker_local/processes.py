"""Runs the programs of images as processes: a process group each, output to a log, none left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LONGEST_LINE = 64 * 1024


class ManagedProcess:
    """A process in a group of its own. Made by `start`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, on_line: Callable[[str], None] | None) -> None:
        self._process = process
        self._ended = threading.Event()
        self.pid = process.pid
        self.log = log
        self._reader = threading.Thread(target=self._read, args=(on_line,), name=f"output-{self.pid}", daemon=True)
        self._waiter = threading.Thread(target=self._await, name=f"wait-{self.pid}", daemon=True)
        self._reader.start()
        self._waiter.start()

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while the process or its output goes on."""
        return self._process.returncode if self._ended.is_set() else None

    @property
    def running(self) -> bool:
        """Whether the process goes on."""
        return not self._ended.is_set()

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code, once the process ended and all its lines were handed out; None if `timeout` seconds pass."""
        self._ended.wait(timeout)
        return self.returncode

    def signal(self, number: int) -> None:
        """Send a signal to the process itself; nothing if it has ended."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the whole group at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def terminate(self, grace: float) -> int:
        """SIGTERM, then after `grace` seconds SIGKILL to the group; returns the exit code."""
        self.signal(signal.SIGTERM)
        if self.wait(grace) is None:
            self.kill()
        code = self.wait()
        assert code is not None
        return code

    def _read(self, on_line: Callable[[str], None] | None) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output, self.log.open("ab", buffering=0) as log:
            while raw := output.readline(_LONGEST_LINE):
                log.write(raw if raw.endswith(b"\n") else raw + b"\n")
                if on_line is not None:
                    on_line(raw.decode(errors="replace").rstrip("\r\n"))

    def _await(self) -> None:
        self._process.wait()
        # Whatever the program started must not outlive it: it would hold the output, the port, the model's folder.
        self.kill()
        self._reader.join()
        _reaper.forget(self.pid)
        self._ended.set()


def start(
    command: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    on_line: Callable[[str], None] | None = None,
) -> ManagedProcess:
    """Start `command` with exactly the environment `env`, in `cwd`.

    Standard output and error go to the file `log` (appended) and, line by line, to `on_line`, which is called from a
    thread of its own. Raises OSError if the program cannot be started. The process ends with the server, at the latest
    some seconds after, even if the server is killed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    _reaper.ensure()
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    _reaper.watch(process.pid)
    return ManagedProcess(process, log, on_line)


def stop_all(processes: Sequence[ManagedProcess], grace: float) -> None:
    """Terminate several processes at the same time; returns when all have ended."""
    for process in processes:
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + grace
    for process in processes:
        if process.wait(max(0.0, deadline - time.monotonic())) is None:
            process.kill()
    for process in processes:
        process.wait()


class _Reaper:
    """The program that ends our processes if we are killed; see reaper.py."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()

    def ensure(self) -> None:
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                return
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__).with_name("reaper.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            for group in self._groups:
                self._tell(f"+{group}")

    def watch(self, group: int) -> None:
        with self._lock:
            self._groups.add(group)
            self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        with self._lock:
            self._groups.discard(group)
            self._tell(f"-{group}")

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()


_reaper = _Reaper()
