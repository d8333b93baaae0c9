"""Processes: their lines, their end, and the end of what they started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from featuremill.sagemaker_local.processes import start

ENV = {"PATH": os.environ["PATH"]}


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_lines_of_both_outputs_are_handed_out_and_logged(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "echo out; echo err >&2; printf '\\303(bad utf-8'; exit 7"
    process = start(["sh", "-c", script], ENV, tmp_path, tmp_path / "deep/log", lines.append)
    assert process.wait(10) == 7 and not process.running
    assert lines == ["out", "err", "\ufffd(bad utf-8"]
    assert (tmp_path / "deep/log").read_bytes() == b"out\nerr\n\xc3(bad utf-8\n"


def test_what_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "trap '' TERM; sleep 600 & echo $!; wait; sleep 600"
    process = start(["sh", "-c", script], ENV, tmp_path, tmp_path / "log", lines.append)
    while not lines:
        time.sleep(0.02)
    began = time.monotonic()
    assert process.terminate(0.3) == -9
    assert time.monotonic() - began < 5 and gone(int(lines[0]))


def test_children_end_with_the_program(tmp_path: Path) -> None:
    lines: list[str] = []
    process = start(["sh", "-c", "sleep 600 & echo $!"], ENV, tmp_path, tmp_path / "log", lines.append)
    assert process.wait(10) == 0
    assert gone(int(lines[0]))


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        start(["no-such-program"], ENV, tmp_path, tmp_path / "log")


def test_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = f"""
import os, sys, time
from pathlib import Path
from featuremill.sagemaker_local.processes import start
here = Path({str(tmp_path)!r})
start(["sh", "-c", "sleep 600 & echo $$ $! > pids; wait"], dict(os.environ), here, here / "log")
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", script])
    pids = tmp_path / "pids"
    while not pids.exists() or len(pids.read_text().split()) < 2:
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    assert all(gone(int(pid)) for pid in pids.read_text().split())
