"""Threads for what waits or computes, with a bounded queue: whoever finds it full is told so at once.

The service's event loop and its other requests are never held up by these.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Full(Exception):
    """All threads are busy and the queue has no place."""


class TooLate(Exception):
    """The call did not come back in time. Its thread goes on until it ends by itself."""


class WaitingRoom:
    """`threads` calls run at a time, `places` more may wait."""

    def __init__(self, name: str, threads: int, places: int) -> None:
        self._pool = ThreadPoolExecutor(threads, name)
        self._free = threading.BoundedSemaphore(threads + places)

    async def run(self, seconds: float | None, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call gives or raises. Raises Full at once, TooLate after `seconds`, if they are given."""
        if not self._free.acquire(blocking=False):
            raise Full
        try:
            future: Future[T] = self._pool.submit(function, *args, **kwargs)
        except BaseException:
            self._free.release()
            raise
        future.add_done_callback(lambda _: self._free.release())
        waiting = asyncio.wrap_future(future)
        # What is given up must not be logged as an exception that nobody saw.
        waiting.add_done_callback(lambda done: None if done.cancelled() else done.exception() and None)
        done, _ = await asyncio.wait({waiting}, timeout=seconds)
        if not done:
            waiting.cancel()  # takes it off the queue, if it has not begun
            raise TooLate
        return waiting.result()

    def begin(self, function: Callable[[], object]) -> None:
        """Have something done without waiting for it."""
        self._pool.submit(function)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
