"""A range of days costs what its days cost: looking at what is done does not grow with the square of their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest

from featuremill.connectors.content_hash import ContentHashes
from featuremill.connectors.csv_landing import Landings
from featuremill.steps import graph
from featuremill.warehouse.files import Store
from featuremill.warehouse.hive import HiveCatalog
from tests.runs.shop import Shop

FIRST = date(2020, 1, 1)
LOOKS = (
    (Store, "read"),
    (Store, "entries"),
    (Landings, "listed"),
    (ContentHashes, "hash_of"),
    (HiveCatalog, "_client"),
    (HiveCatalog, "partitions"),
    (graph, "ingest_definition"),
)
"""What is done for each landing, or costs as much as there are days."""


def days(number: int) -> list[str]:
    return [(FIRST + timedelta(days=n)).isoformat() for n in range(number)]


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    calls: Counter[str] = Counter()

    def counting(name: str, original: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            calls[name] += 1
            return original(*args, **named)

        return call

    with monkeypatch.context() as patched:
        for owner, name in LOOKS:
            patched.setattr(owner, name, counting(name, getattr(owner, name)))
        yield calls


def test_twice_the_days_take_twice_the_looks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    many = days(12)
    shop.land_days(*many)
    shop.run(f"{many[0]}..{many[-1]}")
    found = []
    for number in (6, 12):
        with counted(monkeypatch) as calls:
            shop.run(f"{many[0]}..{many[number - 1]}")
        found.append(calls)
    six, twelve = found
    assert set(twelve) == {name for _, name in LOOKS}
    for name in twelve:
        assert twelve[name] <= 2 * six[name], f"{name}: {six[name]} calls for 6 days, {twelve[name]} for 12"
    assert twelve["listed"] == 1 and twelve["partitions"] == six["partitions"]


def test_days_that_are_made_look_at_each_landing_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    many = days(8)
    shop.land_days(*many)
    with counted(monkeypatch) as calls:
        shop.run(f"{many[0]}..{many[-1]}")
    assert calls["ingest_definition"] == 8
    assert calls["hash_of"] == 16, "once to know the day's fingerprint, once when its rows are read"
