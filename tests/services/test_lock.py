from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from featuremill.errors import ServiceError
from featuremill.services.lock import services_lock


def _hold(state: Path, taken: object, release: object) -> None:
    with services_lock(state):
        taken.set()  # type: ignore[attr-defined]
        release.wait(30)  # type: ignore[attr-defined]


def test_the_lock_is_for_one_process_and_goes_with_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    taken, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, taken, release))
    holder.start()
    assert taken.wait(30)
    said: list[str] = []
    with (
        pytest.raises(ServiceError, match=rf"process {holder.pid} \(.*, since .* UTC\) has been starting or stopping"),
        services_lock(tmp_path, 0.3, said.append),
    ):
        pass
    assert said == [line for line in said if f"waiting for process {holder.pid}" in line] and len(said) == 1
    holder.kill()
    holder.join()
    with services_lock(tmp_path, 5):
        pass
