"""Counts and times of requests, in Prometheus' text format, over all worker processes.

Each worker keeps its own and leaves them as JSON in the runtime folder now and then; `/metrics` of any worker adds all
of them up, those of workers that have died too, so that counters never go down while the service runs.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (
    0.00005,
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)

Key = tuple[str, str, int]
"""Route, pipeline (empty where there is none), status."""


class Metrics:
    """The figures of one worker. Names of pipelines are only those published, so that there are few."""

    def __init__(self, folder: Path | None = None) -> None:
        self._path = folder / f"worker-{os.getpid()}.json" if folder is not None else None
        self._counts: dict[Key, list[int]] = {}
        self._seconds: dict[Key, float] = {}
        self._written = -1

    def observe(self, route: str, pipeline: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (route, pipeline, status)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = [0] * (len(BUCKETS) + 1)
            self._seconds[key] = 0.0
        counts[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[key] += seconds

    def flush(self) -> None:
        """Leave the figures for the other workers if they changed."""
        if self._path is None:
            return
        # Flushed in another thread than requests are counted in: iterate over copies.
        total = sum(map(sum, list(self._counts.values())))
        if total == self._written:
            return
        self._written = total
        rows = [[*key, counts, self._seconds[key]] for key, counts in list(self._counts.items())]
        fresh = self._path.with_suffix(".tmp")
        fresh.write_text(json.dumps(rows))
        fresh.replace(self._path)

    def exposition(self, gauges: Iterable[tuple[str, str, str, float]]) -> bytes:
        """All workers' figures. `gauges`: name, what it is, labels as text, value; same names together."""
        counts, seconds = self._of_all_workers()
        lines = [
            "# HELP featuremill_lookup_requests_total Requests answered.",
            "# TYPE featuremill_lookup_requests_total counter",
        ]
        for key in sorted(counts):
            lines.append(f"featuremill_lookup_requests_total{{{_labels(key)}}} {sum(counts[key])}")
        lines.append("# HELP featuremill_lookup_request_seconds From the request's head to its answer.")
        lines.append("# TYPE featuremill_lookup_request_seconds histogram")
        for key in sorted(counts):
            lines.extend(_histogram(_labels(key), counts[key], seconds[key]))
        said = ""
        for name, what, labels, value in gauges:
            if name != said:
                lines += [f"# HELP {name} {what}", f"# TYPE {name} gauge"]
                said = name
            lines.append(f"{name}{{{labels}}} {value:g}" if labels else f"{name} {value:g}")
        return ("\n".join(lines) + "\n").encode()

    def _of_all_workers(self) -> tuple[dict[Key, list[int]], dict[Key, float]]:
        self.flush()
        counts = {key: list(own) for key, own in list(self._counts.items())}
        seconds = dict(self._seconds)
        others = self._path.parent.glob("worker-*.json") if self._path is not None else ()
        for path in others:
            if path == self._path:
                continue
            for route, pipeline, status, own, spent in json.loads(path.read_text()):
                key = (route, pipeline, status)
                counts[key] = [a + b for a, b in zip(counts.get(key, [0] * len(own)), own, strict=True)]
                seconds[key] = seconds.get(key, 0.0) + spent
        return counts, seconds


def _labels(key: Key) -> str:
    route, pipeline, status = key
    return f'route="{label(route)}",pipeline="{label(pipeline)}",status="{status}"'


def label(text: str) -> str:
    """A text as the value of a label."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _histogram(labels: str, counts: list[int], seconds: float) -> list[str]:
    lines, below = [], 0
    for limit, count in zip((*BUCKETS, "+Inf"), counts, strict=True):
        below += count
        lines.append(f'featuremill_lookup_request_seconds_bucket{{{labels},le="{limit}"}} {below}')
    lines.append(f"featuremill_lookup_request_seconds_sum{{{labels}}} {seconds:.6f}")
    lines.append(f"featuremill_lookup_request_seconds_count{{{labels}}} {below}")
    return lines
