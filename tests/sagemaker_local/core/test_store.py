"""Documents survive, come back as they were, and are changed by one at a time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from featuremill.sagemaker_local.store import Store


def test_documents_come_back_from_the_file(tmp_path: Path) -> None:
    document = {"time": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), "list": [1, 2.5, None, {"a": "ü"}]}
    store = Store(tmp_path / "state.sqlite")
    store.put("job", "b", document)
    store.put("job", "a", {})
    store.put("other", "c", {"x": 1})
    again = Store(tmp_path / "state.sqlite")
    assert again.get("job", "b") == document
    assert again.list("job") == [{}, document] and again.names("job") == ["a", "b"]
    assert again.delete("job", "a") and not again.delete("job", "a")
    assert again.get("job", "a") is None


def test_updates_do_not_lose_each_other(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")
    store.put("counter", "n", {"n": 0})

    def add() -> None:
        for _ in range(100):
            store.update("counter", "n", lambda document: document.update(n=document["n"] + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("counter", "n") == {"n": 400}


def test_what_is_not_there_cannot_be_updated(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no job named x"):
        Store(tmp_path / "state.sqlite").update("job", "x", lambda document: None)
