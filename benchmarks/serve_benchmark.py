"""How fast the endpoint answers, beside a minimal Flask + gunicorn + pandas server around the same booster.

    python benchmarks/serve_benchmark.py [--seconds 1] [--rounds 5] [--rows 1,1000] [--clients 1,16] [--no-baseline]

One worker process each, a booster of 300 trees of depth 6 on 30 features, with as many threads as there are cores that
sleep while they wait, on both sides. Both servers are up; each round measures each case on one, then on the other.
Shown are medians of the rounds, the seconds of processor time a request took in the server, and the median of the
rounds' ratios. The clients are blocking or selected raw sockets in this process, kept alive.

What is sent is the same. What comes back is not: the endpoint answers with the predicted label, the probability and
its interval, after checking each value's type and range; the baseline with the probability (JSON: and the label).
The baseline needs `pip install flask gunicorn pandas`.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from serve_model import csv_body, json_body, make, rows

REPOSITORY = Path(__file__).resolve().parents[1]
BOOSTER = {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))), "OMP_WAIT_POLICY": "PASSIVE"}

Case: TypeAlias = tuple[str, int, int]
"""Content type, rows, clients."""


@dataclass(frozen=True)
class Measured:
    """`milliseconds`: of each request. `cpu`: milliseconds of processor time in the server, a request."""

    milliseconds: np.ndarray
    rows_per_second: float
    cpu: float


@dataclass(frozen=True)
class Running:
    """A server process, and its children, which are its process group."""

    port: int
    group: int

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        total = 0
        for folder in Path("/proc").iterdir():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split() if folder.name.isdigit() else []
            except OSError:
                continue
            if fields and int(fields[2]) == self.group:
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")


Results: TypeAlias = dict[str, dict[Case, list[Measured]]]
"""By server and case, a measurement a round."""


class Connection:
    """A kept-alive connection that sends one request over and over."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = request
        self.started = 0.0
        self._expected = 0
        self._got = bytearray()

    def send(self) -> None:
        self.started = time.perf_counter()
        self.socket.sendall(self.request)

    def receive(self) -> bool:
        """Takes what has come; true once the response is whole. Raises RuntimeError for any status but 200."""
        part = self.socket.recv(1 << 20)
        if not part:
            raise RuntimeError("the server closed the connection")
        self._got += part
        if not self._expected:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = bytes(self._got[:end]).lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(bytes(self._got).decode(errors="replace"))
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
            self._expected = end + 4 + int(length.split(b":")[1])
        if len(self._got) < self._expected:
            return False
        self._got.clear()
        self._expected = 0
        return True


def measure(running: Running, request: bytes, clients: int, seconds: float, rows_each: int) -> Measured:
    """`clients` connections, each sending its next request as soon as the last is answered."""
    connections = [Connection(running.port, request) for _ in range(clients)]
    for connection in connections:
        for _ in range(20 if rows_each == 1 else 2):
            connection.send()
            while not connection.receive():
                pass
    times: list[float] = []
    before = running.cpu()
    start = time.perf_counter()
    end = start + seconds
    if clients == 1:
        (connection,) = connections
        while time.perf_counter() < end:
            connection.send()
            while not connection.receive():
                pass
            times.append(time.perf_counter() - connection.started)
    else:
        _select(connections, end, times)
    elapsed = time.perf_counter() - start
    cpu = (running.cpu() - before) / len(times)
    for connection in connections:
        connection.socket.close()
    return Measured(np.array(times) * 1000, len(times) * rows_each / elapsed, cpu * 1000)


def _select(connections: list[Connection], end: float, times: list[float]) -> None:
    selector = selectors.DefaultSelector()
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send()
    running = len(connections)
    while running:
        for key, _ in selector.select():
            connection = key.data
            if connection.receive():
                now = time.perf_counter()
                times.append(now - connection.started)
                if now < end:
                    connection.send()
                else:
                    running -= 1
    selector.close()


def http_request(body: bytes, content_type: str) -> bytes:
    return (
        f"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@contextmanager
def server(command: list[str], port: int, environment: dict[str, str]) -> Iterator[Running]:
    """A server process, ready; ended at the end."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait(process, port)
            yield Running(port, process.pid)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(40)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                if connection.recv(100).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server on port {port} did not start (exit code {process.poll()})")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default="1,1000", help="of a body")
    parser.add_argument("--clients", default="1,16", help="at once")
    parser.add_argument("--no-baseline", action="store_true", help="the endpoint only")
    arguments = parser.parse_args()
    cases = [
        (kind, int(count), int(clients))
        for count in arguments.rows.split(",")
        for kind in ("text/csv", "application/json")
        for clients in arguments.clients.split(",")
    ]
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        model = make(Path(scratch) / "model")
        servers = {"endpoint": stack.enter_context(_endpoint(scratch))}
        if not arguments.no_baseline:
            servers["flask"] = stack.enter_context(_baseline(model))
        results = _all(servers, cases, arguments.rounds, arguments.seconds)
    _show(results)
    return 0


def _endpoint(scratch: str) -> AbstractContextManager[Running]:
    port = free_port()
    own = {
        "SAGEMAKER_BASE_DIR": scratch,
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        "SAGEMAKER_BIND_TO_PORT": str(port),
        **BOOSTER,
    }
    return server([sys.executable, "-m", "training_image.serve"], port, own)


def _baseline(model: Path) -> AbstractContextManager[Running]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-w", "1", "-b", f"127.0.0.1:{port}"]
    command += ["-k", "gthread", "--threads", "16", "--keep-alive", "75", "--chdir", "benchmarks", "serve_baseline:app"]
    return server(command, port, {"MODEL": str(model), **BOOSTER})


def _all(servers: Mapping[str, Running], cases: Sequence[Case], rounds: int, seconds: float) -> Results:
    results: Results = {name: {case: [] for case in cases} for name in servers}
    bodies = {}
    for count in {count for _, count, _ in cases}:
        table = rows(count, seed=9)
        bodies["text/csv", count], bodies["application/json", count] = csv_body(table), json_body(table)
    for _ in range(rounds):
        for case in cases:
            kind, count, clients = case
            for name, running in servers.items():
                request = http_request(bodies[kind, count], kind)
                results[name][case].append(measure(running, request, clients, seconds, count))
    return results


def _show(results: Results) -> None:
    print("| server | body | rows | clients | p50 ms | p99 ms | rows/s | CPU ms | times the baseline |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, found in results.items():
        for case, every in found.items():
            kind, count, clients = case
            p50, p99 = (np.median([np.percentile(each.milliseconds, q) for each in every]) for q in (50, 99))
            speed = np.median([each.rows_per_second for each in every])
            cpu = np.median([each.cpu for each in every])
            others = results.get("flask", {}).get(case, [])
            ratios = [a.rows_per_second / b.rows_per_second for a, b in zip(every, others, strict=False)]
            times = f"{np.median(ratios):.1f}" if ratios else ""
            figures = f"{p50:.3f} | {p99:.3f} | {speed:,.0f} | {cpu:.2f} | {times}"
            print(f"| {name} | {kind} | {count} | {clients} | {figures} |")
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()}))


if __name__ == "__main__":
    sys.exit(main())
