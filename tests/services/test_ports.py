from __future__ import annotations

import socket
from pathlib import Path

import pytest

from featuremill.errors import ServiceError
from featuremill.services.ports import choose_port, is_free, usable_port
from featuremill.services.records import Record


def test_ports_differ_by_project_and_service_and_stay_the_same(tmp_path: Path) -> None:
    chosen = {choose_port(tmp_path / name, service, set()) for name in "ab" for service in ("metastore", "hiveserver")}
    assert len(chosen) == 4
    port = choose_port(tmp_path / "a", "metastore", set())
    assert port in chosen
    assert choose_port(tmp_path / "a", "metastore", {port}) == port + 1
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert not is_free(port)
        assert choose_port(tmp_path / "a", "metastore", set()) != port
    assert is_free(port)


def test_a_service_keeps_its_port_unless_somebody_else_has_it(tmp_path: Path) -> None:
    said: list[str] = []
    port = choose_port(tmp_path, "spark", set())
    record = Record(name="spark", port=port, log=tmp_path / "spark.log")
    assert usable_port(tmp_path, "spark", record, None, set(), said.append) == port
    assert said == []
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert usable_port(tmp_path, "spark", record, None, set(), said.append) != port
        assert f"port {port}, where spark was, is taken" in said[0]
        with pytest.raises(ServiceError, match=f"port {port} of 127.0.0.1, set for spark, is taken"):
            usable_port(tmp_path, "spark", record, port, set(), said.append)
    assert usable_port(tmp_path, "spark", record, None, {port}, said.append) != port, "another service is to have it"
