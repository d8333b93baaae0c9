"""Time `./start.sh` in a fresh clone without anything in the package caches, and once more after `./stop.sh`.

    .venv/bin/python benchmarks/start.py                 clones this repository's last commit below /tmp

Memory: what all processes with files or arguments below the clone hold together (PSS: shared pages once), looked at
every two seconds. Downloads are part of the first figure.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Memory(threading.Thread):
    """Watches the most that the processes of a folder hold, in bytes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.most, self.stopping = str(folder), 0, threading.Event()

    def run(self) -> None:
        while not self.stopping.wait(2):
            self.most = max(self.most, sum(self._held(process) for process in Path("/proc").glob("[0-9]*")))

    def _held(self, process: Path) -> int:
        with suppress(OSError):
            about = (process / "cmdline").read_text(errors="replace") + os.readlink(process / "cwd")
            if self.folder in about:
                found = re.search(r"^Pss:\s+(\d+) kB", (process / "smaps_rollup").read_text(), re.MULTILINE)
                return int(found[1]) * 1024 if found else 0
        return 0


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory(prefix="start-") as scratch:
        clone = Path(scratch) / "featuremill"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        caches = {name: f"{scratch}/cache" for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME")}
        memory = Memory(clone)
        memory.start()
        try:
            for name in ("first", "next"):
                load = os.getloadavg()[0]
                print(f"{name}: {timed('./start.sh', clone, caches):.0f} s at load {load:.1f}", flush=True)
                timed("./stop.sh", clone, caches)
        finally:
            subprocess.run(["./stop.sh"], cwd=clone, check=False, stdout=subprocess.DEVNULL)
            memory.stopping.set()
    print(f"at most {memory.most / 1e9:.1f} GB; {os.cpu_count()} cores")


def timed(command: str, folder: Path, environment: dict[str, str]) -> float:
    """Seconds of a command that has to succeed."""
    began = time.monotonic()
    done = subprocess.run([command], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - began


if __name__ == "__main__":
    main()
