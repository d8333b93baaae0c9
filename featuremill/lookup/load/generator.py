"""Sends HTTP requests at fixed times over keep-alive connections, one request a connection at a time.

One thread over epoll, without a framework: the generator must be faster than what it measures. It waits busily for the
last millisecond before a request is due, since timers are not finer than that.
"""

from __future__ import annotations

import collections
import select
import socket
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from featuremill.errors import ServiceError

_BUSY_SECONDS = 0.0015
_LONGEST_WAIT = 0.1
_HEAD_END = b"\r\n\r\n"


@dataclass
class Done:
    """What was counted: latencies in seconds, in the order of answers."""

    latencies: array[float] = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class Connection:
    """A keep-alive connection. `due`: when its request was due; None while it is free."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self.due: float | None = None
        self._received = b""
        self._needed = -1
        self.socket = self._connect()

    def _connect(self) -> socket.socket:
        made = socket.create_connection(self._address, timeout=5)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def reconnect(self) -> None:
        self.socket.close()
        self.due, self._received, self._needed = None, b"", -1
        self.socket = self._connect()

    def send(self, message: bytes, due: float) -> None:
        self.due, self._received, self._needed = due, b"", -1
        self.socket.sendall(message)

    def receive(self) -> int | None:
        """The answer's status once all of it is there, None before. Raises OSError if the connection broke."""
        part = self.socket.recv(262_144)
        if not part:
            raise ConnectionResetError("closed by the service")
        self._received = self._received + part if self._received else part
        if self._needed < 0:
            end = self._received.find(_HEAD_END)
            if end < 0:
                return None
            self._needed = end + len(_HEAD_END) + _content_length(self._received[:end])
        return int(self._received[9:12]) if len(self._received) >= self._needed else None


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ConnectionError("an answer without content-length")


def generate(
    host: str,
    port: int,
    messages: Sequence[bytes],
    *,
    rate: float,
    warm_up: float,
    seconds: float,
    connections: int,
    timeout: float,
) -> Done:
    """Send `messages` in turn, `rate` a second. Raises ServiceError if nothing listens at first."""
    try:
        pool = [Connection(host, port) for _ in range(connections)]
    except OSError as error:
        raise ServiceError(f"nothing answers at {host}:{port}; start the service, or give its address") from error
    sender = _Sender(pool, messages, rate, warm_up, seconds, timeout)
    try:
        return sender.run()
    finally:
        for connection in pool:
            connection.socket.close()


class _Sender:
    def __init__(
        self,
        pool: list[Connection],
        messages: Sequence[bytes],
        rate: float,
        warm_up: float,
        seconds: float,
        timeout: float,
    ) -> None:
        self._messages, self._rate, self._timeout = messages, rate, timeout
        self._total = int((warm_up + seconds) * rate)
        self._free = collections.deque(pool)
        self._by_number = {connection.socket.fileno(): connection for connection in pool}
        self._poll = select.epoll()
        for number in self._by_number:
            self._poll.register(number, select.EPOLLIN)
        self._done = Done()
        self._begin = time.perf_counter() + 0.01
        self._counted_from = self._begin + warm_up
        self._waiting: collections.deque[int] = collections.deque()
        self._last = self._begin

    def run(self) -> Done:
        following, finished = 0, 0
        checked = self._begin
        while finished < self._total:
            now = time.perf_counter()
            while following < self._total and self._due(following) <= now:
                self._waiting.append(following)
                following += 1
            finished += self._send_waiting()
            until = self._due(following) - time.perf_counter() if following < self._total else _LONGEST_WAIT
            finished += self._receive(0.0 if until < _BUSY_SECONDS else min(until - 0.001, _LONGEST_WAIT))
            if now - checked > 0.5:
                checked = now
                finished += self._give_up(now)
        self._done.seconds = max(self._last - self._counted_from, 0.0)
        self._poll.close()
        return self._done

    def _due(self, index: int) -> float:
        return self._begin + index / self._rate

    def _send_waiting(self) -> int:
        failed = 0
        while self._waiting and self._free:
            index = self._waiting.popleft()
            connection = self._free.popleft()
            try:
                connection.send(self._messages[index % len(self._messages)], self._due(index))
            except OSError as error:
                connection.due = self._due(index)
                failed += self._fail(connection, error)
        return failed

    def _receive(self, wait: float) -> int:
        finished = 0
        for number, _ in self._poll.poll(wait):
            connection = self._by_number.get(number)
            if connection is None:
                continue
            try:
                status = connection.receive()
            except (OSError, ValueError) as error:
                finished += self._fail(connection, error)
                continue
            if status is not None:
                finished += self._answered(connection, status)
        return finished

    def _answered(self, connection: Connection, status: int) -> int:
        assert connection.due is not None
        now = time.perf_counter()
        if connection.due >= self._counted_from:
            self._done.latencies.append(now - connection.due)
            self._done.statuses[status] += 1
        self._last = now
        connection.due = None
        self._free.append(connection)
        return 1

    def _fail(self, connection: Connection, error: Exception) -> int:
        """Count the failure of a connection's request, if it had one, and connect anew. How many requests it ends."""
        ended = 0
        if connection.due is not None:
            ended = 1
            self._last = time.perf_counter()
            if connection.due >= self._counted_from:
                self._done.failures[type(error).__name__] += 1
        else:
            self._free.remove(connection)
        del self._by_number[connection.socket.fileno()]
        try:
            connection.reconnect()
        except OSError:
            time.sleep(0.05)
            try:
                connection.reconnect()
            except OSError as again:
                raise ServiceError(f"the service went away: {again}") from again
        self._by_number[connection.socket.fileno()] = connection
        self._poll.register(connection.socket.fileno(), select.EPOLLIN)
        self._free.append(connection)
        return ended

    def _give_up(self, now: float) -> int:
        late = [c for c in self._by_number.values() if c.due is not None and now - c.due > self._timeout]
        return sum(self._fail(connection, TimeoutError("no answer")) for connection in late)
