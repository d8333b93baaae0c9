"""Real processes: metastores of their own, and HiveServer2 once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from featuremill.errors import ServiceError
from featuremill.services.lookup import LookupPlace
from featuremill.services.records import ServiceStatus, read_record, write_record
from featuremill.services.status import memory_of, service_status
from featuremill.services.supervisor import endpoints, start_services, stop_services
from featuremill.services.watch import Watch
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.storage import Warehouse
from tests.fixtures_services import Services
from tests.warehouse.partitions import commit, loans, publish

pytestmark = pytest.mark.slow


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "project one" / "state"
    yield folder
    stop_services(folder)


class Told(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.started: list[str] = []
        self.answered: list[str] = []

    def says(self, text: str) -> None:
        self.said.append(text)

    def starts(self, name: str, title: str, address: str) -> None:
        self.started.append(name)

    def ready(self, status: ServiceStatus) -> None:
        self.answered.append(status.name)


def _pids(state: Path) -> dict[str, int | None]:
    return {status.name: status.pid for status in service_status(state)}


def _states(state: Path) -> dict[str, str]:
    return {status.name: status.state for status in service_status(state)}


def _kill(state: Path) -> None:
    """End the metastore without warning, and wait until it is gone."""
    record = read_record(state, "metastore")
    assert record is not None and record.pid is not None
    os.killpg(record.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while record.runs:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_start_stop_and_start_again(state: Path, tmp_path: Path) -> None:
    assert set(_states(state).values()) == {"stopped"}
    assert endpoints(state) == {}
    assert stop_services(state) == []

    (metastore,) = start_services(state, only=["metastore"])
    assert metastore.started_now and metastore.seconds is not None
    states = _states(state)
    assert states.pop("metastore") == "running"
    assert set(states.values()) == {"stopped"}
    warehouse = Warehouse(tmp_path / "house")
    publish(HiveCatalog(*endpoints(state)["metastore"]), warehouse, commit(warehouse, loans()))

    (again,) = start_services(state, only=["metastore"])
    assert (again.pid, again.port, again.started_now) == (metastore.pid, metastore.port, False)

    assert stop_services(state) == ["metastore"]
    assert metastore.pid is not None and not psutil.pid_exists(metastore.pid)
    assert endpoints(state) == {}
    assert stop_services(state) == []

    # Killed without warning, it comes back on its port with what it knew.
    (third,) = start_services(state, only=["metastore"])
    assert third.pid is not None and third.port == metastore.port
    _kill(state)
    assert _states(state)["metastore"] == "stopped"
    (fourth,) = start_services(state, only=["metastore"])
    assert fourth.port == metastore.port
    assert HiveCatalog(*endpoints(state)["metastore"]).days("risk", "loans") == ["2024-03-01"]


def test_two_projects_side_by_side_and_strangers_are_left_alone(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "project two" / "state"
    (one,) = start_services(state, only=["metastore"])
    try:
        (two,) = start_services(other, only=["metastore"])
        assert one.port != two.port and one.pid != two.pid
        assert stop_services(other) == ["metastore"]
        assert _pids(state)["metastore"] == one.pid
        # The record of another project's process under a start time that is not its own: a recycled pid.
        record = read_record(other, "metastore")
        assert record is not None
        stale = record.model_copy(update={"pid": one.pid, "started": 1.0, "host": socket.gethostname()})
        write_record(other, stale)
        assert stop_services(other) == []
        assert _states(state)["metastore"] == "running"
    finally:
        stop_services(other)


def test_two_starts_at_once_start_one(state: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from featuremill.services.supervisor import start_services;"
        "s, = start_services(Path(sys.argv[1]), only=['metastore']); print(s.pid, s.started_now)"
    )
    command = [sys.executable, "-c", script, str(state)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0][0] == said[1][0]
    assert sorted(line[1] for line in said) == ["False", "True"]
    # It outlives the process that started it, and listens for this machine only.
    pid = int(said[0][0])
    assert _states(state)["metastore"] == "running"
    listening = [c.laddr.ip for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening and all(address.endswith("127.0.0.1") for address in listening)


def test_a_port_taken_meanwhile_moves_and_a_fixed_one_is_refused(state: Path) -> None:
    (first,) = start_services(state, only=["metastore"])
    assert first.port is not None
    stop_services(state)
    told = Told()
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", first.port))
        stranger.listen()
        with pytest.raises(ServiceError, match=f"port {first.port} of 127.0.0.1, set for metastore, is taken"):
            start_services(state, only=["metastore"], ports={"metastore": first.port})
        (moved,) = start_services(state, only=["metastore"], watch=told)
    assert moved.port != first.port
    assert any(f"port {first.port}" in line for line in told.said)


def test_a_start_that_fails_shows_the_log_and_leaves_nothing(state: Path) -> None:
    (state / "metastore").mkdir(parents=True)
    (state / "metastore" / "db").write_text("not a database")
    with pytest.raises(ServiceError, match=r"(?s)Hive metastore .*the end of .*metastore.log:\n.*db") as caught:
        start_services(state, only=["metastore"])
    assert len(str(caught.value).splitlines()) <= 17
    assert endpoints(state) == {}


def test_a_server_that_hangs_is_seen_and_replaced(state: Path) -> None:
    (first,) = start_services(state, only=["metastore"])
    assert first.pid is not None
    os.kill(first.pid, signal.SIGSTOP)
    assert _states(state)["metastore"] == "not answering"
    (second,) = start_services(state, only=["metastore"])
    assert second.pid != first.pid and second.port == first.port
    assert _states(state)["metastore"] == "running"


def test_hiveserver_listens_here_only_and_litters_nothing(services: Services) -> None:
    before = set(os.listdir("."))
    services.query("SELECT 1")
    services.query("CREATE DATABASE IF NOT EXISTS litter")
    pid = {status.name: status.pid for status in service_status(services.state)}["hiveserver"]
    assert pid is not None
    listening = [c.laddr.ip for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening and all(address.endswith("127.0.0.1") for address in listening)
    made = {path.name for path in services.state.rglob("*")}
    assert "metastore_db" not in made and "spark-warehouse" not in made
    assert set(os.listdir(".")) == before


def test_the_local_sagemaker_and_the_lookup_are_services_too(state: Path) -> None:
    (state / "configuration").mkdir(parents=True)
    place = LookupPlace(state)
    began = start_services(state, only=["sagemaker", "lookup"], lookup=place)
    assert [service.name for service in began] == ["sagemaker", "lookup"]
    again = start_services(state, only=["sagemaker", "lookup"], lookup=place)
    assert [service.pid for service in again] == [service.pid for service in began]
    assert not any(service.started_now for service in again)
    states = _states(state)
    assert (states["sagemaker"], states["lookup"]) == ("running", "running")
    os.kill(began[0].pid or 0, signal.SIGKILL)
    healed = start_services(state, only=["sagemaker", "lookup"], lookup=place)
    assert healed[0].pid != began[0].pid and healed[0].port == began[0].port
    assert stop_services(state) == ["lookup", "sagemaker"]
    assert set(_states(state).values()) == {"stopped"}


def test_services_start_side_by_side_and_say_when_they_answer(state: Path) -> None:
    (state / "configuration").mkdir(parents=True)
    told = Told()
    start_services(state, only=["metastore", "sagemaker", "lookup"], lookup=LookupPlace(state), watch=told)
    assert sorted(told.started) == sorted(told.answered) == ["lookup", "metastore", "sagemaker"]
    for status in service_status(state):
        if status.state == "running":
            assert status.pid is not None and 10_000_000 < memory_of(status.pid) < 2_000_000_000
    again = Told()
    start_services(state, only=["metastore", "sagemaker", "lookup"], lookup=LookupPlace(state), watch=again)
    assert (again.started, len(again.answered)) == ([], 3)


def test_one_that_fails_ends_the_start_and_those_that_answer_stay(state: Path) -> None:
    (first,) = start_services(state, only=["sagemaker"])
    (state / "metastore").mkdir(parents=True)
    (state / "metastore" / "db").write_text("not a database")
    began = time.monotonic()
    with pytest.raises(ServiceError, match="Hive metastore"):
        start_services(state, only=["metastore", "hiveserver", "sagemaker"])
    assert time.monotonic() - began < 120
    assert endpoints(state) == {"sagemaker": ("127.0.0.1", first.port)}
