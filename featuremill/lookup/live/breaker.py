"""A circuit breaker: what did not answer several times in a row is left alone for a while.

M. Nygard (2007), Release It!, section 5.2.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Breaker:
    """Closed, requests pass. Open, none does for `rest_seconds`. Then one may try: its outcome closes or opens it."""

    def __init__(self, failures: int, rest_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._rest, self._clock = failures, rest_seconds, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened: float | None = None

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    def may_pass(self) -> bool:
        """Whether to ask now. Who was let through tells the outcome by `succeeded` or `failed`."""
        with self._lock:
            if self._opened is None:
                return True
            now = self._clock()
            if now - self._opened < self._rest:
                return False
            # This one tries; if it never tells, another may after the same time.
            self._opened = now
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures, self._opened = 0, None

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._opened is not None or self._failures >= self._most:
                self._opened = self._clock()
