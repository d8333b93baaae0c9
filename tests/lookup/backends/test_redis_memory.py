"""A Redis without room, and one that would drop entities."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from featuremill.errors import DataError, UsageError
from featuremill.lookup.publication import open_store
from tests.lookup.building import publish_simple


def test_a_full_redis_leaves_the_old_one_serving(redis_port: int, tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{redis_port}/1?prefix=full"
    publish_simple(tmp_path, url, marker=1, ds="2024-01-31")
    server = redis.Redis(port=redis_port, db=1)
    keys = server.dbsize()
    server.config_set("maxmemory", int(server.info("memory")["used_memory"]) + 500_000)
    try:
        with pytest.raises(DataError, match="full"):
            publish_simple(tmp_path, url, count=50_000, marker=2, ds="2024-02-01")
        assert open_store(url, "credit_risk").manifest.ds == "2024-01-31"
    finally:
        server.config_set("maxmemory", 0)
    assert server.dbsize() == keys, "what was built is gone again"
    assert publish_simple(tmp_path, url, count=50_000, marker=2, ds="2024-02-01").changed


def test_a_redis_that_evicts_is_refused(redis_port: int, tmp_path: Path) -> None:
    server = redis.Redis(port=redis_port, db=1)
    server.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(UsageError, match="noeviction"):
            publish_simple(tmp_path, f"redis://127.0.0.1:{redis_port}/1?prefix=evicts")
    finally:
        server.config_set("maxmemory-policy", "noeviction")
