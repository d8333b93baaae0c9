"""Start, stop and look after the services of a project: the Hive metastore, HiveServer2, the local SageMaker, Airflow.

They run on their own and outlive the command that started them. What they are is written to <state>/services, their
output to <state>/logs. Starting starts only what is missing; stopping stops only what was started from here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import psutil

from featuremill.errors import ServiceError
from featuremill.services.airflow import (
    AIRFLOW,
    API_SERVER,
    AirflowPlace,
    airflow_launch,
    is_installed,
    prepare,
    settings_digest,
)
from featuremill.services.hiveserver import HIVESERVER, hiveserver_launch
from featuremill.services.java import find_java
from featuremill.services.launch import LOOPBACK, Launch
from featuremill.services.lookup import LOOKUP, LookupPlace, lookup_launch
from featuremill.services.metastore import METASTORE, metastore_launch
from featuremill.services.records import Record, choose_port, is_free, read_record, services_lock, write_record
from featuremill.services.sagemaker import SAGEMAKER, sagemaker_launch
from featuremill.services.spark_connect import SPARK, spark_launch
from featuremill.spec.environment import Environment, SparkSettings

SERVICES = (METASTORE, HIVESERVER, SAGEMAKER, LOOKUP)
ALL_SERVICES = (*SERVICES, SPARK, *AIRFLOW)
_LATER = (SPARK, *AIRFLOW)
_STOP_SECONDS = 20.0
_HUNG_SECONDS = 3.0
_LARGEST_LOG = 10 * 1024 * 1024
_TAIL_LINES = 15

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Services that this very process started: they must be waited for, or they stay as zombies after they end."""


@dataclass(frozen=True)
class ServiceStatus:
    """How a service is. `seconds`: how long it took to start, if it was started now."""

    name: str
    state: Literal["running", "not answering", "stopped"]
    host: str
    port: int | None
    pid: int | None
    log: Path | None
    seconds: float | None = None
    started_now: bool = False


def start_services(
    state: Path,
    *,
    only: Collection[str] = SERVICES,
    ports: Mapping[str, int] | None = None,
    master: str = "local[2]",
    memory: str = "1g",
    lookup: LookupPlace | None = None,
    airflow: tuple[Path, Environment] | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> list[ServiceStatus]:
    """Start what does not run yet, and return when all of it answers.

    HiveServer2 brings the metastore along. `ports` fixes the port of a service; otherwise the first start chooses a
    free one and later starts take it again. `master` and `memory` are HiveServer2's Spark. `lookup`: whose online store
    to serve; without it there is no lookup. `airflow`: start Airflow too, for a project with its environment, and Spark
    Connect where that says that Spark is on this machine; those of its processes that were told of other ports or
    settings are started again. Raises ServiceError, with the end of the log, if a service does not come up; nothing is
    left half started.
    """
    state = state.absolute()
    wanted = dict(ports or {})
    with services_lock(state):
        _reap()
        found = []
        if METASTORE in only or HIVESERVER in only:
            found.append(_ensure(state, METASTORE, wanted.get(METASTORE), None, progress))
        if HIVESERVER in only:
            metastore = (LOOPBACK, _port(found[0]))

            def launch(java_state: Path, port: int) -> Launch:
                return hiveserver_launch(java_state, find_java(state), port, metastore, master, memory)

            found.append(_ensure(state, HIVESERVER, wanted.get(HIVESERVER), launch, progress))
        if SAGEMAKER in only:
            found.append(_ensure(state, SAGEMAKER, wanted.get(SAGEMAKER), sagemaker_launch, progress))
        if lookup is not None and LOOKUP in only:
            make = partial(lookup_launch, place=lookup)
            found.append(_ensure(state, LOOKUP, wanted.get(LOOKUP), make, progress))
        if airflow is not None:
            spark = airflow[1].spark
            if spark.remote is None and spark.master.startswith("local"):
                server = partial(spark_launch, java=find_java(state), settings=spark)
                found.append(_ensure(state, SPARK, wanted.get(SPARK), server, progress))
            place = AirflowPlace(airflow[0].absolute(), airflow[1], endpoints(state))
            found += _ensure_airflow(state, place, wanted.get(API_SERVER), progress)
        return found


def stop_services(state: Path, names: tuple[str, ...] = ALL_SERVICES) -> list[str]:
    """Stop the services that were started from this state folder, the last one first; returns their names."""
    state = state.absolute()
    stopped = []
    with services_lock(state):
        for name in reversed(ALL_SERVICES):
            record = read_record(state, name)
            if record is None or name not in names:
                continue
            if record.runs:
                _stop(record)
                stopped.append(name)
            write_record(state, record.model_copy(update={"pid": None, "started": None, "host": None}))
    return stopped


def service_status(state: Path) -> list[ServiceStatus]:
    """How each service is now; asks those that run, changes nothing. Airflow is among them once it was started."""
    state = state.absolute()
    _reap()
    found = []
    for name in ALL_SERVICES:
        record = read_record(state, name)
        if record is None and name in _LATER:
            continue
        if record is None or not record.runs:
            port, log = (record.port, record.log) if record else (None, None)
            found.append(ServiceStatus(name, "stopped", LOOPBACK, port, None, log))
            continue
        answers = _answers(_launch(state, name, record.port, None))
        found.append(_status(record, "running" if answers else "not answering"))
    return found


def endpoints(state: Path) -> dict[str, tuple[str, int]]:
    """Host and port of each service that runs, by name (metastore, hiveserver, sagemaker, spark, airflow_api).

    Reads files only.
    """
    state = state.absolute()
    records = (read_record(state, name) for name in (*SERVICES, SPARK, API_SERVER))
    return {record.name: (LOOPBACK, record.port) for record in records if record is not None and record.runs}


def _launch(state: Path, name: str, port: int, make: Callable[[Path, int], Launch] | None) -> Launch:
    if make is not None:
        return make(state, port)
    if name == SAGEMAKER:
        return sagemaker_launch(state, port)
    if name == LOOKUP:
        return lookup_launch(state, port)
    java = find_java(state)
    if name == SPARK:
        return spark_launch(state, port, java=java, settings=SparkSettings())
    if name in AIRFLOW:
        return airflow_launch(state, name, port, java, None)
    if name == METASTORE:
        return metastore_launch(state, java, port)
    metastore = read_record(state, METASTORE)
    return hiveserver_launch(state, java, port, (LOOPBACK, metastore.port if metastore else 0))


def _ensure(
    state: Path,
    name: str,
    fixed_port: int | None,
    make: Callable[[Path, int], Launch] | None,
    progress: Callable[[str], None],
) -> ServiceStatus:
    record = read_record(state, name)
    if record is not None and record.runs:
        launch = _launch(state, name, record.port, make)
        if _answers(launch):
            return _status(record, "running")
        progress(f"{launch.title} runs (pid {record.pid}) but does not answer; starting it again")
        _stop(record, patience=_HUNG_SECONDS)
    port = _usable_port(state, name, record, fixed_port, progress)
    launch = _launch(state, name, port, make)
    progress(f"starting {launch.title} on {LOOPBACK}:{port}")
    return _start(state, launch, port)


def _ensure_airflow(
    state: Path, place: AirflowPlace, fixed_port: int | None, progress: Callable[[str], None]
) -> list[ServiceStatus]:
    """The api-server first: the others' health is asked of it, and tasks report to it."""
    if not is_installed():
        raise ServiceError("Airflow is not installed in this environment; pip install -r requirements.txt")
    java = find_java(state)
    found: list[ServiceStatus] = []
    for name in AIRFLOW:
        record = read_record(state, name)
        if name != API_SERVER:
            port = _port(found[0])
        elif record is not None and record.runs:
            port = record.port
        else:
            port = _usable_port(state, name, record, fixed_port, progress)
        launch = airflow_launch(state, name, port, java, place)
        told = state / "services" / f"{name}.settings"
        if record is not None and record.runs:
            same = told.is_file() and told.read_text() == settings_digest(launch)
            if same and _answers(launch):
                found.append(_status(record, "running"))
                continue
            why = "does not answer" if same else "was told of other settings"
            progress(f"{launch.title} runs (pid {record.pid}) but {why}; starting it again")
            _stop(record)
        if name == API_SERVER:
            progress("preparing Airflow's database")
            prepare(state, launch)
        told.write_text(settings_digest(launch))
        progress(f"starting {launch.title}" + (f" on {LOOPBACK}:{port}" if name == API_SERVER else ""))
        found.append(_start(state, launch, port))
    return found


def _usable_port(
    state: Path, name: str, record: Record | None, fixed: int | None, progress: Callable[[str], None]
) -> int:
    others = {other.port for n in SERVICES if n != name and (other := read_record(state, n)) is not None}
    if fixed is not None:
        if not is_free(fixed):
            raise ServiceError(f"port {fixed} of {LOOPBACK}, set for {name}, is taken by another process; set another")
        return fixed
    if record is not None and is_free(record.port):
        return record.port
    port = choose_port(state, name, others)
    if record is not None:
        progress(f"port {record.port}, where {name} was, is taken by another process now; it moves to {port}")
    return port


def _start(state: Path, launch: Launch, port: int) -> ServiceStatus:
    log = state / "logs" / f"{launch.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    began = time.monotonic()
    with log.open("ab") as output:
        offset = output.tell()
        process = subprocess.Popen(
            launch.command,
            cwd=launch.folder,
            env=dict(launch.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[process.pid] = process
    record = Record(
        name=launch.name,
        port=port,
        log=log,
        pid=process.pid,
        started=psutil.Process(process.pid).create_time(),
        host=socket.gethostname(),
    )
    write_record(state, record)
    try:
        _wait_until_it_answers(launch, process, log, offset)
    except BaseException:
        _stop(record)
        write_record(state, Record(name=launch.name, port=port, log=log))
        raise
    return _status(record, "running", seconds=time.monotonic() - began, started_now=True)


def _wait_until_it_answers(launch: Launch, process: subprocess.Popen[bytes], log: Path, offset: int) -> None:
    deadline = time.monotonic() + launch.timeout
    while process.poll() is None:
        if _answers(launch):
            return
        if time.monotonic() > deadline:
            raise ServiceError(
                f"{launch.title} did not answer within {launch.timeout:.0f} s; the end of {log}:\n{_tail(log, offset)}"
            )
        time.sleep(0.1)
    raise ServiceError(
        f"{launch.title} ended at once (exit code {process.returncode}); the end of {log}:\n{_tail(log, offset)}"
    )


def _answers(launch: Launch) -> bool:
    try:
        launch.probe()
    except (ServiceError, OSError):
        return False
    return True


def _tail(log: Path, offset: int) -> str:
    with log.open("rb") as stream:
        stream.seek(max(offset, log.stat().st_size - 64 * 1024))
        lines = stream.read().decode(errors="replace").splitlines()
    telling = [line for line in lines if line.strip() and not line.startswith("\tat ")]
    return "\n".join(f"  {line}" for line in telling[-_TAIL_LINES:]) or "  (it is empty)"


def _stop(record: Record, patience: float = _STOP_SECONDS) -> None:
    """End the service's process group: ask, wait, then insist. A process that is not the one recorded is left alone."""
    if record.pid is None or not record.runs:
        return
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(record.pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not record.runs:
                _reap()
                return
            time.sleep(0.05)
    raise ServiceError(f"{record.name} (pid {record.pid}) does not end; see {record.log}")


def _reap() -> None:
    for pid, process in list(_children.items()):
        if process.poll() is not None:
            del _children[pid]


def _port(status: ServiceStatus) -> int:
    assert status.port is not None
    return status.port


def _status(
    record: Record,
    state: Literal["running", "not answering"],
    seconds: float | None = None,
    started_now: bool = False,
) -> ServiceStatus:
    return ServiceStatus(record.name, state, LOOPBACK, record.port, record.pid, record.log, seconds, started_now)
