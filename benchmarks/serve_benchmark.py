"""How fast the endpoint answers, beside a minimal Flask + gunicorn + pandas server around the same booster.

    python benchmarks/serve_benchmark.py [--seconds 3] [--no-baseline]

One worker process each, a booster of 300 trees of depth 6 on 30 features. The clients are blocking or selected raw
sockets in this process, kept alive. The baseline needs `pip install flask gunicorn pandas`.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from serve_model import csv_body, json_body, make, rows

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Measured:
    """`milliseconds`: of each request."""

    milliseconds: np.ndarray
    rows_per_second: float


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


def measure(port: int, request: bytes, clients: int, seconds: float, rows_each: int) -> Measured:
    """`clients` connections, each sending its next request as soon as the last is answered."""
    connections = [Connection(port, request) for _ in range(clients)]
    for connection in connections:
        for _ in range(20 if rows_each == 1 else 2):
            connection.send()
            while not connection.receive():
                pass
    times: list[float] = []
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
    for connection in connections:
        connection.socket.close()
    return Measured(np.array(times) * 1000, len(times) * rows_each / elapsed)


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
def server(command: list[str], port: int, environment: dict[str, str]) -> Iterator[int]:
    """A server process, ready; ended at the end."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait(process, port)
            yield port
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
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--no-baseline", action="store_true", help="the endpoint only")
    arguments = parser.parse_args()
    results: dict[str, dict[tuple[str, int, int], Measured]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        model = make(Path(scratch) / "model")
        ours = [sys.executable, "-m", "training_image.serve"]
        own = {"SAGEMAKER_BASE_DIR": scratch, "SAGEMAKER_MODEL_SERVER_WORKERS": "1"}
        port = free_port()
        servers = [("endpoint", ours, port, own | {"SAGEMAKER_BIND_TO_PORT": str(port)})]
        if not arguments.no_baseline:
            other = free_port()
            gunicorn = [sys.executable, "-m", "gunicorn", "-w", "1", "-b", f"127.0.0.1:{other}"]
            gunicorn += [
                "-k",
                "gthread",
                "--threads",
                "16",
                "--keep-alive",
                "75",
                "--chdir",
                "benchmarks",
                "serve_baseline:app",
            ]
            servers.append(("flask", gunicorn, other, {"MODEL": str(model), "OMP_NUM_THREADS": "1"}))
        for name, command, used, environment in servers:
            with server(command, used, environment):
                results[name] = _all(used, arguments.seconds)
    _show(results)
    return 0


def _all(port: int, seconds: float) -> dict[tuple[str, int, int], Measured]:
    found = {}
    for count in (1, 1000):
        table = rows(count, seed=9)
        for kind, body in (("text/csv", csv_body(table)), ("application/json", json_body(table))):
            for clients in (1, 16):
                request = http_request(body, kind)
                found[kind, count, clients] = measure(port, request, clients, seconds, count)
    return found


def _show(results: dict[str, dict[tuple[str, int, int], Measured]]) -> None:
    print("| server | body | rows | clients | p50 ms | p99 ms | rows/s | times the baseline |")
    print("|---|---|---|---|---|---|---|---|")
    for name, found in results.items():
        for (kind, count, clients), measured in found.items():
            p50, p99 = np.percentile(measured.milliseconds, [50, 99])
            other = results.get("flask", {}).get((kind, count, clients))
            times = f"{measured.rows_per_second / other.rows_per_second:.1f}" if other else ""
            speed = f"{p50:.3f} | {p99:.3f} | {measured.rows_per_second:,.0f}"
            print(f"| {name} | {kind} | {count} | {clients} | {speed} | {times} |")
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()}))


if __name__ == "__main__":
    sys.exit(main())
