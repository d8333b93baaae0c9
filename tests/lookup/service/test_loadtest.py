"""The load test tells what users would see."""

from __future__ import annotations

import socket
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from featuremill.errors import ServiceError, UsageError
from featuremill.lookup.loadtest import Load, Report, lookup_bodies, lookup_paths, run
from tests.lookup.serving import Running, free_port


def test_every_request_is_answered_and_counted(service: Running) -> None:
    paths = lookup_paths("credit_risk", range(1, 101))
    report = run(Load("127.0.0.1", service.port, paths, rate=500, seconds=2, connections=4, warm_up=0.5))
    assert report.requests == 1_000 and report.errors == 0 and report.statuses == {200: 1_000}
    assert 0 < (report.percentile(50) or 0) <= (report.percentile(99) or 0) <= report.latencies[-1]
    assert report.percentile(99.9) is None and report.to_json()["latency_seconds"]["p99.9"] is None
    assert "too few requests to tell (it takes 10,000)" in report.text()


def test_batches_are_sent_as_posts(service: Running) -> None:
    bodies = lookup_bodies(range(1, 101), size=10, count=5)
    load = Load("127.0.0.1", service.port, ["/v1/credit_risk/lookup"], rate=100, seconds=1, bodies=bodies, warm_up=0.0)
    assert run(load).statuses == {200: 100}


@contextmanager
def stalling(stall: float) -> Iterator[int]:
    """A server that answers at once, but for one stall of so many seconds, half a second after its first request."""
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))
    stalled_from: list[float] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            while connection.recv(10_000):
                now = time.monotonic()
                if not stalled_from:
                    stalled_from.append(now + 0.5)
                over = stalled_from[0] + stall
                if stalled_from[0] <= now < over:
                    time.sleep(over - now)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield port
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_a_stall_makes_all_requests_due_in_it_late() -> None:
    with stalling(1.0) as port:
        report = run(Load("127.0.0.1", port, ["/"], rate=200, seconds=2, connections=2, warm_up=0.0))
    # Of 400 requests, the 200 that were due in the stall waited for its end: half a second in the middle. A client that
    # waits for answers before it asks again would have seen two slow ones.
    late = [latency for latency in report.latencies if latency > 0.25]
    assert 120 <= len(late) <= 180
    assert report.latencies[-1] == pytest.approx(1.0, abs=0.2)


def test_nothing_listening_and_loads_that_cannot_be() -> None:
    with pytest.raises(ServiceError, match="nothing answers"):
        run(Load("127.0.0.1", free_port(), ["/"], rate=10, seconds=1))
    with pytest.raises(UsageError):
        run(Load("127.0.0.1", 1, [], rate=10, seconds=1))


def test_connections_that_break_are_failures_and_made_anew(service: Running) -> None:
    # A request without a host is refused by closing; the others go on.
    load = Load(
        "127.0.0.1", service.port, ["/health"], rate=50, seconds=1, warm_up=0.0, headers={"connection": "close"}
    )
    report = run(load)
    assert report.requests == 50 and report.statuses[200] >= 40


def test_percentiles_take_enough_requests() -> None:
    report = Report(10, 10, 1, 1, array("d", (i / 1000 for i in range(1000))), {200: 1000}, {})
    assert report.percentile(50) == 0.5 and report.percentile(99) == 0.99 and report.percentile(99.9) is None
