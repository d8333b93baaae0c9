"""A load test that tells the latency that users see: open-loop, at a fixed rate.

Requests are due at times fixed beforehand, and a latency counts from when its request was due, not from when it could
be sent: a service that stalls for a second makes every request due in that second late, as it does for users. (A
client that waits for an answer before it asks again would see one slow request only: coordinated omission.)

    report = run(Load("127.0.0.1", 8008, paths, rate=2_000, seconds=30, connections=16))
    print(report.text())
"""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from featuremill.errors import UsageError
from featuremill.lookup.load.generator import generate

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)
_BEYOND = 10
"""A percentile is told only if at least so many requests were slower: fewer than that are chance."""


@dataclass(frozen=True)
class Load:
    """What to ask. `paths` are asked for in turn, with `body` as POST if given. `rate`: requests a second.

    Requests of the first `warm_up` seconds are sent and not counted. `timeout`: seconds after which a request that has
    no answer counts as failed.
    """

    host: str
    port: int
    paths: Sequence[str]
    rate: float
    seconds: float
    connections: int = 16
    bodies: Sequence[bytes] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    warm_up: float = 1.0
    timeout: float = 10.0


@dataclass(frozen=True)
class Report:
    """What came of it. `latencies` are seconds, ascending, of the requests that were answered and counted.

    `statuses`: HTTP status -> how many; `failures`: what went wrong without an answer -> how many.
    `rate` is what was reached: answers a second.
    """

    asked_rate: float
    rate: float
    seconds: float
    connections: int
    latencies: array[float]
    statuses: Mapping[int, int]
    failures: Mapping[str, int]

    @property
    def requests(self) -> int:
        return sum(self.statuses.values()) + sum(self.failures.values())

    @property
    def errors(self) -> int:
        """Requests without an answer, or with one of 500 and above."""
        return sum(self.failures.values()) + sum(n for status, n in self.statuses.items() if status >= 500)

    def percentile(self, percent: float) -> float | None:
        """Seconds within which so many percent of the requests were answered; None if too few were sent to tell."""
        count = len(self.latencies)
        if round(count * (100 - percent) / 100, 6) < _BEYOND:
            return None
        return self.latencies[min(count - 1, int(count * percent / 100))]

    def to_json(self) -> dict[str, Any]:
        return {
            "asked_rate": self.asked_rate,
            "rate": round(self.rate, 1),
            "seconds": round(self.seconds, 3),
            "connections": self.connections,
            "requests": self.requests,
            "errors": self.errors,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "failures": dict(self.failures),
            "latency_seconds": {f"p{p:g}": self.percentile(p) for p in PERCENTILES}
            | {"max": self.latencies[-1] if self.latencies else None},
        }

    def text(self) -> str:
        """For people, in milliseconds."""
        lines = [
            f"{self.requests:,} requests in {self.seconds:.1f} s over {self.connections} connections: "
            f"{self.rate:,.0f} a second of {self.asked_rate:,.0f} asked for, {self.errors:,} errors"
        ]
        for percent in PERCENTILES:
            seconds = self.percentile(percent)
            needed = round(_BEYOND * 100 / (100 - percent))
            told = (
                f"{seconds * 1e3:9.3f} ms"
                if seconds is not None
                else f"     too few requests to tell (it takes {needed:,})"
            )
            lines.append(f"  p{percent:<6g}{told}")
        if self.latencies:
            lines.append(f"  max    {self.latencies[-1] * 1e3:9.3f} ms")
        lines += [f"  status {status}: {count:,}" for status, count in sorted(self.statuses.items())]
        lines += [f"  {what}: {count:,}" for what, count in sorted(self.failures.items())]
        if self.rate < 0.98 * self.asked_rate:
            lines.append("  the rate was not reached: the latencies are those of an overloaded service")
        return "\n".join(lines)


def run(load: Load) -> Report:
    """Send the load from this process. Raises UsageError for a load that cannot be, ServiceError if nothing listens."""
    if load.rate <= 0 or load.seconds <= 0 or load.connections < 1 or not load.paths:
        raise UsageError("a load test needs a rate, seconds and connections above zero, and something to ask for")
    messages = [_message(load, index) for index in range(max(len(load.paths), len(load.bodies)))]
    done = generate(
        load.host,
        load.port,
        messages,
        rate=load.rate,
        warm_up=load.warm_up,
        seconds=load.seconds,
        connections=load.connections,
        timeout=load.timeout,
    )
    return Report(
        asked_rate=load.rate,
        rate=len(done.latencies) / done.seconds if done.seconds else 0.0,
        seconds=done.seconds,
        connections=load.connections,
        latencies=array("d", sorted(done.latencies)),
        statuses=Counter(done.statuses),
        failures=Counter(done.failures),
    )


def _message(load: Load, index: int) -> bytes:
    path = load.paths[index % len(load.paths)]
    body = load.bodies[index % len(load.bodies)] if load.bodies else b""
    lines = [f"{'POST' if load.bodies else 'GET'} {path} HTTP/1.1", f"host: {load.host}:{load.port}"]
    lines += [f"{name}: {value}" for name, value in load.headers.items()]
    if load.bodies:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def lookup_paths(pipeline: str, ids: Sequence[Any]) -> list[str]:
    """The URLs of lookups of one id each."""
    return [f"/v1/{pipeline}/{quote(str(identity), safe='')}" for identity in ids]


def lookup_bodies(ids: Sequence[Any], size: int, count: int, seed: int = 1) -> list[bytes]:
    """`count` bodies for `POST /v1/{pipeline}/lookup`, each of `size` ids picked at random."""
    picker = random.Random(seed)
    return [orjson.dumps({"ids": picker.choices(list(ids), k=size)}) for _ in range(count)]
