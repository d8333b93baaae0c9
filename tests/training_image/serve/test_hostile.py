"""Requests that mean harm, or that nobody thought of: clear 4xx, and the server answers the next one."""

from __future__ import annotations

import json
import random
import resource
import socket
import time
from typing import Any

import pytest

from tests.training_image.serve.artefacts import rows
from tests.training_image.serve.bodies import all_bodies, csv_bytes
from tests.training_image.serve.conftest import Server

KINDS = (
    "text/csv",
    "application/json",
    "application/jsonlines",
    "application/x-parquet",
    "application/vnd.apache.arrow.stream",
)


@pytest.fixture(autouse=True)
def still_answers(server: Server) -> object:
    """After each test the same process answers as before it."""
    yield
    assert server.process.poll() is None
    started = time.perf_counter()
    assert server.request("/invocations", csv_bytes(rows(1)), content_type="text/csv").status == 200
    assert time.perf_counter() - started < 2
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        b"\xff\xfe\x00",
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'"' * 100_001,
        b"," * 1_000_000,
        b"\n" * 1_000_000,
        b'[{"age": NaN}]',
        b"PAR1" + bytes(100) + b"PAR1",
        b"\xff\xff\xff\xff\x10\x00\x00\x00" + bytes(200),
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"9" * 400_000,
        b"-1e-" + b"9" * 1000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_bodies_that_are_nothing(server: Server, kind: str, body: bytes) -> None:
    reply = server.request("/invocations", body, content_type=kind)
    assert 400 <= reply.status < 500
    assert isinstance(reply.json["error"], str) and len(reply.json["error"]) < 2000


@pytest.mark.parametrize("kind", ["application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"])
def test_damaged_tables(server: Server, kind: str) -> None:
    """Whole files with a few bytes changed: an answer or a 400, never the end of the process."""
    body = all_bodies(rows(50))[kind]
    choose = random.Random(7)
    for _ in range(150):
        damaged = bytearray(body)
        for _ in range(choose.randint(1, 6)):
            damaged[choose.randrange(len(damaged))] = choose.randrange(256)
        cut = choose.randrange(1, len(damaged)) if choose.random() < 0.2 else len(damaged)
        assert server.request("/invocations", bytes(damaged[:cut]), content_type=kind).status in (200, 400, 413)


@pytest.mark.parametrize("kind", ["text/csv", "application/json", "application/jsonlines"])
def test_damaged_texts(server: Server, kind: str) -> None:
    body = all_bodies(rows(30))[kind]
    choose = random.Random(11)
    for _ in range(150):
        damaged = bytearray(body)
        for _ in range(choose.randint(1, 4)):
            damaged[choose.randrange(len(damaged))] = choose.choice(b'",\n\r[]{}\x00\xff0Ne-')
        assert server.request("/invocations", bytes(damaged), content_type=kind).status in (200, 400)


@pytest.mark.parametrize("kind", ["text/csv", "application/json"])
def test_ten_megabytes(server: Server, kind: str) -> None:
    one = all_bodies(rows(200))[kind]
    if kind == "text/csv":
        body = one * (10_000_000 // len(one))
    else:
        instances = json.loads(one)["instances"]
        body = json.dumps({"instances": instances * (10_000_000 // len(one))}).encode()
    reply = server.request("/invocations", body, content_type=kind, accept="text/csv", timeout=60)
    assert reply.status == 200 and reply.body.count(b"\n") > 10_000


def test_too_large(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 20971521\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")
    with server.connect() as connection:
        connection.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        part = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        try:
            for _ in range(40):
                connection.sendall(part)
        except OSError:
            pass
        else:
            assert connection.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 50\r\n\r\n1"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_lines_that_are_no_http(server: Server) -> None:
    for line in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"\r\n" * 500,
    ):
        with server.connect() as connection:
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass


def test_odd_headers(server: Server) -> None:
    body = csv_bytes(rows(1))
    headers: dict[str, Any]
    for headers in (
        {"accept": ";;,q=;/"},
        {"accept": "a" * 5000},
        {"accept": "text/csv;q=banana"},
        {"content_type": "text/csv;" * 500},
        {"content_type": ";"},
        {"content_type": 'text/csv; charset="'},
        {"X_Amzn_SageMaker_Custom_Attributes": "output"},
        {"X_Amzn_SageMaker_Custom_Attributes": ";=;explain==;"},
    ):
        sent: dict[str, Any] = {"content_type": "text/csv"} | headers
        reply = server.request("/invocations", body, **sent)
        assert reply.status in (200, 400, 406, 415)


def test_a_thousand_slow_clients(server: Server) -> None:
    """They hold their connections, some within the headers and some within the body; others are answered meanwhile."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard > 0 else 4096, hard))
    slow = []
    try:
        for number in range(1000):
            connection = server.connect()
            slow.append(connection)
            head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 90\r\n"
            connection.sendall(head + (b"\r\n30," if number % 2 else b"X-"))
        for _ in range(20):
            started = time.perf_counter()
            assert server.request("/invocations", csv_bytes(rows(1)), content_type="text/csv").status == 200
            assert server.request("/ping").status == 200
            assert time.perf_counter() - started < 2
    finally:
        for connection in slow:
            connection.close()


def test_ping_while_a_large_body_is_answered(server: Server) -> None:
    body = csv_bytes(rows(500)) * 200
    with server.connect() as connection:
        head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.settimeout(60)
        connection.sendall(head.encode() + body)
        for _ in range(5):
            started = time.perf_counter()
            assert server.request("/ping").status == 200
            assert time.perf_counter() - started < 2
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
