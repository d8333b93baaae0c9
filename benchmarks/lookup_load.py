"""Time lookups by id: one worker, 50 features and a prediction an entity, keep-alive clients on this machine.

    .venv/bin/python benchmarks/lookup_load.py                        1,000,000 entities
    .venv/bin/python benchmarks/lookup_load.py --entities 10000000    and ten times as many

Random ids, asked for by wrk (Debian: apt-get install wrk). Tells what publishing takes, latencies and throughput with
1 and 16 clients, of batches of 100 ids, of a store that is not in the page cache, at a fixed rate (open-loop), and the
worker's memory. Everything else on the machine shows in the figures; run it twice.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from lookup_data import FIRST_ID, PIPELINE, STEP

from featuremill.lookup.loadtest import Load, lookup_paths, run

HERE = Path(__file__).resolve().parent
PORT = 18_749
WRK_SECONDS = 5
ROUNDS = 3
_TIMES = {"us": 1e-3, "ms": 1.0, "s": 1e3}

_ONE = """
local count = {count}
request = function()
  return wrk.format("GET", "/v1/{pipeline}/" .. string.format("%d", {first} + math.random(0, count - 1) * {step}))
end
init = function() math.randomseed(os.time()) end
"""
_MANY = """
local count = {count}
wrk.headers["content-type"] = "application/json"
request = function()
  local ids = {{}}
  for n = 1, 100 do ids[n] = string.format("%d", {first} + math.random(0, count - 1) * {step}) end
  return wrk.format("POST", "/v1/{pipeline}/lookup", nil, '{{"ids":[' .. table.concat(ids, ",") .. "]}}")
end
init = function() math.randomseed(os.time()) end
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to work; kept, with what is published")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed; apt-get install wrk")
    with contextlib.ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lookup-")))
        folder.mkdir(parents=True, exist_ok=True)
        measure(folder, given.entities)


def measure(folder: Path, count: int) -> None:
    """Publish, ask in every way, print."""
    print(f"{count:,} entities of 50 features and a prediction; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    publish(folder, count)
    with service(folder / "store") as worker:
        for name, script, clients in (("1 client", _ONE, 1), ("16 clients", _ONE, 16), ("100 ids, 1 client", _MANY, 1)):
            for _ in range(ROUNDS):
                print(f"{name:<20}{wrk(folder, script, clients, count)}   load {os.getloadavg()[0]:.1f}")
        ids = [FIRST_ID + random.Random(1).randrange(count) * STEP for _ in range(10_000)]
        print(run(Load("127.0.0.1", PORT, lookup_paths(PIPELINE, ids), rate=2_000, seconds=10, connections=4)).text())
        print(f"worker: {anonymous_megabytes(worker):.0f} MB beyond the page cache")
    # Last: until its pages are read again, a store that was cold is slow for everybody.
    cold(folder, count)


def publish(folder: Path, count: int) -> None:
    """Publish in a process of its own."""
    shutil.rmtree(folder / "store", ignore_errors=True)
    command = [sys.executable, str(HERE / "lookup_data.py"), str(folder), str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, megabytes, size = map(float, done.stdout.split())
    each = seconds / count * 1e6
    print(f"publish: {seconds:.1f} s, {each:.1f} us an entity, peak {megabytes:.0f} MB, store {size / 1e6:,.0f} MB")


@contextlib.contextmanager
def service(root: Path, *arguments: str) -> Iterator[int]:
    """One worker of the service, on PORT; gives the worker's process id."""
    command = [sys.executable, "-m", "featuremill.lookup", "--root", str(root), "--port", str(PORT), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait()
        children = psutil.Process(process.pid).children()
        yield next(child.pid for child in children if "resource_tracker" not in " ".join(child.cmdline()))
    finally:
        process.terminate()
        process.wait()


def wait() -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    sys.exit("the service did not come up")


def wrk(folder: Path, script: str, clients: int, count: int, port: int = PORT) -> str:
    """One run of wrk in words."""
    path = folder / "wrk.lua"
    path.write_text(script.format(count=count, first=FIRST_ID, step=STEP, pipeline=PIPELINE))
    url = f"http://127.0.0.1:{port}"
    command = ["wrk", "-t1", f"-c{clients}", f"-d{WRK_SECONDS}", "--latency", "-s", str(path), url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    wrong = " ".join(line.strip() for line in text.splitlines() if "Non-2xx" in line or "Socket errors" in line)
    if wrong and port == PORT:
        sys.exit(text)
    times = {p: float(n) * _TIMES[unit] for p, n, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", text)}
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0])
    return f"p50 {times['50']:7.3f} ms   p99 {times['99']:7.3f} ms   {rate:10,.0f} requests/s   {wrong}".rstrip()


def cold(folder: Path, count: int) -> None:
    """Latencies of a store that the page cache does not hold: each id touches pages for the first time."""
    for path in (folder / "store").rglob("data.mdb"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    picker = random.Random(2)
    with service(folder / "store"):
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        times = []
        for _ in range(2_000):
            began = time.perf_counter()
            connection.request("GET", f"/v1/{PIPELINE}/{FIRST_ID + picker.randrange(count) * STEP}")
            connection.getresponse().read()
            times.append(time.perf_counter() - began)
    times.sort()
    told = "   ".join(f"p{p} {times[len(times) * p // 100] * 1e3:.3f} ms" for p in (50, 90, 99))
    print(f"cold cache, 2,000 random ids (client in Python): {told}")


def anonymous_megabytes(process: int) -> float:
    """Resident memory that is no file's: neither the store's pages nor code."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
