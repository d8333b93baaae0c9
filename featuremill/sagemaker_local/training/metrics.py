"""Metric definitions: numbers read from the lines that the programs print."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any


class Metrics:
    """The newest value of each metric. `add` may be called from the threads of several hosts."""

    def __init__(self, definitions: list[dict[str, str]], clock: Callable[[], datetime]) -> None:
        self._patterns = [(definition["Name"], re.compile(definition["Regex"])) for definition in definitions]
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[str, dict[str, Any]] = {}

    def add(self, line: str) -> None:
        """Look for all metrics in a line. The first group is the value; what is not a finite number is left out."""
        for name, pattern in self._patterns:
            for match in pattern.finditer(line):
                value = _number(match.group(1))
                if value is not None:
                    with self._lock:
                        self._found[name] = {"MetricName": name, "Value": value, "Timestamp": self._clock()}

    def final(self) -> list[dict[str, Any]]:
        """FinalMetricDataList, in the order of the definitions."""
        with self._lock:
            names = dict.fromkeys(name for name, _ in self._patterns)
            return [self._found[name] for name in names if name in self._found]


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
