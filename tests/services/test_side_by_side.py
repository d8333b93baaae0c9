from __future__ import annotations

from threading import Barrier, Event

import pytest

from featuremill.services.side_by_side import Cancelled, Job, run_side_by_side


def test_jobs_run_at_the_same_time_and_after_what_they_need() -> None:
    both, order = Barrier(2, timeout=30), []

    def work(name: str, meets: bool) -> str:
        if meets:
            both.wait()
        order.append(name)
        return name.upper()

    jobs = [
        Job("last", lambda: work("last", False), after=("one", "two", "nobody")),
        Job("one", lambda: work("one", True)),
        Job("two", lambda: work("two", True)),
    ]
    assert run_side_by_side(jobs, Event()) == {"last": "LAST", "one": "ONE", "two": "TWO"}
    assert order[2] == "last"


def test_the_first_error_has_the_others_give_up_and_nothing_more_begins() -> None:
    cancelled, begun = Event(), []

    def waits() -> None:
        if cancelled.wait(30):
            raise Cancelled

    def fails() -> None:
        raise OSError("no such thing")

    jobs = [Job("waits", waits), Job("fails", fails), Job("later", lambda: begun.append(1), after=("waits",))]
    with pytest.raises(OSError, match="no such thing"):
        run_side_by_side(jobs, cancelled)
    assert begun == []


def test_jobs_that_wait_for_each_other_are_told() -> None:
    jobs = [Job("a", lambda: None, after=("b",)), Job("b", lambda: None, after=("a",))]
    with pytest.raises(ValueError, match="a, b wait for each other"):
        run_side_by_side(jobs, Event())


def test_nothing_to_do_is_done() -> None:
    assert run_side_by_side([], Event()) == {}
