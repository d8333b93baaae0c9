"""Pieces of work side by side, each as soon as what it needs is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Cancelled(Exception):
    """The work was given up because another piece failed."""


@dataclass(frozen=True)
class Job(Generic[Result]):
    """A piece of work; `after` names those that must be done before. Names that nobody bears count as done."""

    name: str
    do: Callable[[], Result]
    after: tuple[str, ...] = ()


def run_side_by_side(jobs: Sequence[Job[Result]], cancelled: Event) -> dict[str, Result]:
    """What each job returned, by its name, in the order of `jobs`.

    The first error sets `cancelled`, on which running jobs are to give up; no other one is begun, and when all have
    ended it is raised.
    """
    names = {job.name for job in jobs}
    waiting = list(jobs)
    running: dict[Future[Result], str] = {}
    results: dict[str, Result] = {}
    failed: BaseException | None = None
    with ThreadPoolExecutor(max_workers=max(1, len(jobs))) as pool:
        try:
            while waiting or running:
                for job in [job for job in waiting if names.intersection(job.after) <= results.keys()]:
                    waiting.remove(job)
                    running[pool.submit(job.do)] = job.name
                if not running:
                    raise ValueError(f"{', '.join(job.name for job in waiting)} wait for each other")
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name, error = running.pop(future), future.exception()
                    if error is None:
                        results[name] = future.result()
                        continue
                    if failed is None or isinstance(failed, Cancelled):
                        failed = error
                    waiting.clear()
                    cancelled.set()
        except BaseException:
            cancelled.set()
            raise
    if failed is not None:
        raise failed
    return {job.name: results[job.name] for job in jobs}
