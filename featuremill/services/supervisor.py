"""Start, stop and look after the services of a project: the Hive metastore, HiveServer2, the local SageMaker, the
lookup, Spark Connect, Airflow.

They run on their own and outlive the command that started them. What they are is written to <state>/services, their
output to <state>/logs. Starting starts only what is missing, all of it at once; stopping stops only what was
started from here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property, partial
from pathlib import Path
from threading import Event

from featuremill.services.airflow import AIRFLOW, API_SERVER, AirflowPlace
from featuremill.services.airflow_starting import airflow_jobs
from featuremill.services.hiveserver import HIVESERVER, hiveserver_launch
from featuremill.services.java import Java, find_java
from featuremill.services.launch import LOOPBACK, Launch
from featuremill.services.leftovers import end_leftovers
from featuremill.services.lock import services_lock
from featuremill.services.lookup import LOOKUP, LookupPlace, lookup_launch
from featuremill.services.metastore import METASTORE, metastore_launch
from featuremill.services.ports import usable_port
from featuremill.services.processes import answers, reap, start_process, stop_process
from featuremill.services.records import ServiceStatus, read_record, status_of, write_record
from featuremill.services.sagemaker import SAGEMAKER, sagemaker_launch
from featuremill.services.side_by_side import Job, run_side_by_side
from featuremill.services.space import require_space
from featuremill.services.spark_connect import SPARK, spark_launch
from featuremill.services.status import ALL_SERVICES, SERVICES
from featuremill.services.watch import Watch
from featuremill.spec.environment import Environment

_STOPPED_IN_TURN = (AIRFLOW, (HIVESERVER, SAGEMAKER, LOOKUP, SPARK), (METASTORE,))
"""The tasks go first, then what they use; the metastore's database is closed when nobody asks it any more."""


def start_services(
    state: Path,
    *,
    only: Collection[str] = SERVICES,
    ports: Mapping[str, int] | None = None,
    master: str = "local[2]",
    memory: str = "1g",
    lookup: LookupPlace | None = None,
    airflow: tuple[Path, Environment] | None = None,
    watch: Watch | None = None,
) -> list[ServiceStatus]:
    """Start what does not run yet, side by side, and return when all of it answers.

    HiveServer2 brings the metastore along. `ports` fixes the port of a service; otherwise the first start chooses a
    free one and later starts take it again. `master` and `memory` are HiveServer2's Spark. `lookup`: whose online store
    to serve; without it there is no lookup. `airflow`: start Airflow too, for a project with its environment, and Spark
    Connect where that says that Spark is on this machine; those of its processes that were told of other ports or
    settings are started again. Raises ServiceError, with the end of the log, if a service does not come up; nothing is
    left half started.
    """
    state, watch = state.absolute(), watch or Watch()
    require_space(state)
    with services_lock(state, say=watch.says):
        reap()
        for name in ALL_SERVICES:
            if (record := read_record(state, name)) is not None:
                end_leftovers(state, record)
        start = _Start(state, dict(ports or {}), watch)
        jobs: list[Job[ServiceStatus | None]] = []
        if METASTORE in only or HIVESERVER in only:
            jobs.append(start.job(METASTORE, lambda port: metastore_launch(state, start.java, port)))
        if HIVESERVER in only:
            hive = (LOOPBACK, start.port(METASTORE))

            def launch(port: int) -> Launch:
                return hiveserver_launch(state, start.java, port, hive, master, memory)

            # Its Spark asks the metastore as soon as it is up, and ends if there is none.
            jobs.append(start.job(HIVESERVER, launch, after=(METASTORE,)))
        if SAGEMAKER in only:
            jobs.append(start.job(SAGEMAKER, partial(sagemaker_launch, state)))
        if lookup is not None and LOOKUP in only:
            jobs.append(start.job(LOOKUP, partial(lookup_launch, state, place=lookup)))
        if airflow is not None:
            project, environment = airflow
            spark = environment.spark
            if spark.remote is None and spark.master.startswith("local"):
                jobs.append(start.job(SPARK, lambda port: spark_launch(state, port, java=start.java, settings=spark)))
            api = start.port(API_SERVER)
            place = AirflowPlace(project.absolute(), environment, endpoints(state) | start.addresses)
            jobs += airflow_jobs(state, api, start.java, place, start.ensure, watch)
        done = run_side_by_side(jobs, start.cancelled)
        return [status for status in done.values() if status is not None]


class _Start:
    """One start: its ports are chosen before anything runs, so that nobody has to wait to be told another's."""

    def __init__(self, state: Path, fixed: Mapping[str, int], watch: Watch) -> None:
        self._state, self._fixed, self._watch = state, fixed, watch
        self._ports: dict[str, int] = {}
        self.cancelled = Event()

    @cached_property
    def java(self) -> Java:
        return find_java(self._state)

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        return {name: (LOOPBACK, port) for name, port in self._ports.items() if name != API_SERVER}

    def port(self, name: str) -> int:
        if name not in self._ports:
            record = read_record(self._state, name)
            if record is not None and record.runs:
                self._ports[name] = record.port
            else:
                # Airflow's processes are all known by the api-server's port.
                others = [n for n in ALL_SERVICES if n != name and n not in AIRFLOW]
                recorded = {other.port for n in others if (other := read_record(self._state, n)) is not None}
                taken = recorded | set(self._ports.values())
                fixed = self._fixed.get(name)
                self._ports[name] = usable_port(self._state, name, record, fixed, taken, self._watch.says)
        return self._ports[name]

    def job(self, name: str, make: Callable[[int], Launch], after: tuple[str, ...] = ()) -> Job[ServiceStatus | None]:
        port = self.port(name)
        return Job(name, lambda: self.ensure(make(port), port), after)

    def ensure(self, launch: Launch, port: int, before: Callable[[], None] = lambda: None) -> ServiceStatus:
        """Have a service run and answer; `before` is called before it is started."""
        record = read_record(self._state, launch.name)
        if record is not None and record.runs:
            if answers(launch):
                status = status_of(record, "running")
                self._watch.ready(status)
                return status
            self._watch.says(f"{launch.title} runs (pid {record.pid}) but does not answer; starting it again")
            stop_process(record, hung=True)
        if record is not None:
            end_leftovers(self._state, record)
        before()
        self._watch.starts(launch.name, launch.title, f"{LOOPBACK}:{port}")
        status = start_process(self._state, launch, port, self.cancelled)
        self._watch.ready(status)
        return status


def stop_services(
    state: Path, names: tuple[str, ...] = ALL_SERVICES, say: Callable[[str], None] = lambda text: None
) -> list[str]:
    """Stop the services that were started from this state folder; returns the names of those that ran."""
    state = state.absolute()
    stopped: set[str] = set()

    def stop(name: str) -> None:
        record = read_record(state, name)
        if record is None:
            return
        if record.runs:
            stop_process(record)
            stopped.add(name)
        end_leftovers(state, record)
        write_record(state, record.model_copy(update={"pid": None, "started": None, "host": None}))

    with services_lock(state, say=say):
        for together in _STOPPED_IN_TURN:
            wanted = [Job(name, partial(stop, name)) for name in together if name in names]
            run_side_by_side(wanted, Event())
    return [name for name in reversed(ALL_SERVICES) if name in stopped]


def endpoints(state: Path) -> dict[str, tuple[str, int]]:
    """Host and port of each service that runs, by name (metastore, hiveserver, sagemaker, spark, airflow_api).

    Reads files only.
    """
    state = state.absolute()
    records = (read_record(state, name) for name in (*SERVICES, SPARK, API_SERVER))
    return {record.name: (LOOPBACK, record.port) for record in records if record is not None and record.runs}
