"""One `serve` process, without a server around it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from featuremill.sagemaker_local.endpoints.instance import Instance, TookTooLong, Unreachable
from featuremill.sagemaker_local.models.container import Program
from tests.sagemaker_local.inference.conftest import FAKE, eventually

Start = Callable[[str], Instance]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts an instance of a behaviour; all are stopped at the end."""
    started: list[Instance] = []

    def make(behaviour: str) -> Instance:
        instance = Instance(
            id=f"i-{len(started)}",
            program=Program((sys.executable, str(FAKE), behaviour), dict(os.environ), "fake", None, None),
            folder=tmp_path / f"i-{len(started)}",
            model=tmp_path / "model",
            changed=threading.Condition(threading.RLock()),
            health_timeout=5.0,
            on_line=lambda line: None,
        )
        started.append(instance)
        instance.start()
        return instance

    yield make
    for each in started:
        each.stop(1.0)


def ask(instance: Instance, body: bytes, timeout: float = 10.0) -> bytes:
    return instance.request("POST", "/invocations", body, {"Content-Type": "text/csv"}, timeout).body


def test_it_is_drained_before_it_is_stopped(start: Start) -> None:
    instance = start("slow")
    eventually(lambda: instance.healthy)
    with instance.changed:
        instance.in_flight += 1
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(ask, instance, b"1")
        draining = pool.submit(instance.drain, 30.0)
        assert answer.result(5) == b"none:1\n"
        assert not draining.done()
        with instance.changed:
            instance.in_flight -= 1
            instance.changed.notify_all()
        draining.result(10)
    assert not instance.healthy
    with pytest.raises(Unreachable):
        ask(instance, b"1")


def test_it_comes_up_again_after_a_crash(start: Start) -> None:
    instance = start("crashing")
    eventually(lambda: instance.healthy)
    with pytest.raises(Unreachable):
        ask(instance, b"crash")
    eventually(lambda: instance.restarts == 1 and instance.healthy)
    assert ask(instance, b"1") == b"none:1\n"


def test_an_answer_that_does_not_come_in_time(start: Start) -> None:
    instance = start("slow")
    eventually(lambda: instance.healthy)
    with pytest.raises(TookTooLong):
        ask(instance, b"1", timeout=0.05)


def test_it_gives_up_a_program_that_ends_at_once(start: Start) -> None:
    instance = start("dying")
    assert "exit code 4" in eventually(lambda: instance.failed)
    assert not instance.healthy
