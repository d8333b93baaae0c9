"""Counts what the endpoints do: CloudWatch's metrics of SageMaker, and the load that autoscaling looks at."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

NAMESPACE = "AWS/SageMaker"
KEPT_SECONDS = 3600
UNITS = {
    "Invocations": "None",
    "Invocation4XXErrors": "None",
    "Invocation5XXErrors": "None",
    "InvocationModelErrors": "None",
    "InvocationsPerInstance": "None",
    "ModelLatency": "Microseconds",
    "OverheadLatency": "Microseconds",
}


@dataclass
class Statistics:
    """Of the values of one metric in one second, or in several added up."""

    count: int = 0
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)

    def merge(self, other: Statistics) -> None:
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)


@dataclass(frozen=True)
class Second:
    """What happened in one second at one variant: statistics by metric name. `second` counts on the meter's clock."""

    second: int
    metrics: dict[str, Statistics]


Key = tuple[str, str]
"""Endpoint and variant."""


class Meter:
    """Values by endpoint, variant and second; the last hour is kept. `clock` counts seconds, never backwards."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: dict[Key, deque[Second]] = {}
        self._new: dict[Key, dict[str, Statistics]] = {}

    def invocation(self, key: Key, status: int, model: float, overhead: float, instances: int, by_model: bool) -> None:
        """One request: the status the caller got, seconds spent in the model and beside it.

        `by_model`: the container answered, so that an error was the model's own. Errors are counted as 0 and 1 at
        every request: their average is the error rate, as on AWS.
        """
        client, server = 400 <= status < 500, status >= 500
        self._add(
            key,
            {
                "Invocations": 1.0,
                "Invocation4XXErrors": float(client),
                "Invocation5XXErrors": float(server),
                "InvocationModelErrors": float(by_model and (client or server)),
                "InvocationsPerInstance": 1.0 / max(1, instances),
                "ModelLatency": model * 1e6,
                "OverheadLatency": overhead * 1e6,
            },
        )

    def _add(self, key: Key, values: dict[str, float]) -> None:
        second = int(self._clock())
        with self._lock:
            seconds = self._seconds.setdefault(key, deque())
            if not seconds or seconds[-1].second != second:
                seconds.append(Second(second, {}))
                while seconds[0].second < second - KEPT_SECONDS:
                    seconds.popleft()
            for metrics in (seconds[-1].metrics, self._new.setdefault(key, {})):
                for name, value in values.items():
                    metrics.setdefault(name, Statistics()).add(value)

    def take_new(self) -> dict[Key, dict[str, Statistics]]:
        """What came since the last call, to be handed to CloudWatch."""
        with self._lock:
            taken, self._new = self._new, {}
            return taken

    def forget(self, endpoint: str) -> None:
        """Drop what is known of a deleted endpoint."""
        with self._lock:
            for key in [key for key in self._seconds if key[0] == endpoint]:
                del self._seconds[key]

    def windows(self, keys: Iterable[Key], metric: str, length: float, number: int) -> list[Statistics | None]:
        """The last `number` windows of `length` seconds (at least 1), oldest first; None for one without a value.

        The running second is left out: it is not whole.
        """
        width = max(1, round(length))
        end = int(self._clock())
        found: list[Statistics | None] = [None] * number
        with self._lock:
            for key in keys:
                for second in reversed(self._seconds.get(key, ())):
                    back = (end - 1 - second.second) // width
                    if second.second >= end or metric not in second.metrics:
                        continue
                    if back >= number:
                        break
                    window = found[number - 1 - back]
                    if window is None:
                        window = found[number - 1 - back] = Statistics()
                    window.merge(second.metrics[metric])
        return found

    def keys(self, endpoint: str, variant: str | None = None) -> list[Key]:
        """What is counted apart for an endpoint."""
        with self._lock:
            return [key for key in self._seconds if key[0] == endpoint and variant in (None, key[1])]
