"""Airflow's four processes as jobs of a start. Those that were told of other ports or settings are started again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from featuremill.errors import ServiceError
from featuremill.services.airflow import (
    AIRFLOW,
    API_SERVER,
    AirflowPlace,
    airflow_launch,
    forget_killed,
    is_installed,
    prepare,
    settings_digest,
)
from featuremill.services.airflow_shell import write_shell_settings
from featuremill.services.java import Java
from featuremill.services.launch import Launch
from featuremill.services.processes import stop_process
from featuremill.services.records import ServiceStatus, read_record
from featuremill.services.side_by_side import Job
from featuremill.services.watch import Watch

_PREPARED = "airflow_prepare"

Ensure = Callable[[Launch, int, Callable[[], None]], ServiceStatus]
"""(launch, port, before): has the service run and answer; `before` is called before it is started."""


def airflow_jobs(
    state: Path, port: int, java: Java, place: AirflowPlace, ensure: Ensure, watch: Watch
) -> list[Job[ServiceStatus | None]]:
    """All four at once, after the database. What goes on running is asked after the api-server, which knows its health.

    Raises ServiceError where Airflow is not installed.
    """
    if not is_installed():
        raise ServiceError("Airflow is not installed in this environment; pip install -r requirements-airflow.txt")
    launches = {name: airflow_launch(state, name, port, java, place) for name in AIRFLOW}
    write_shell_settings(launches[API_SERVER])
    kept = {name for name, launch in launches.items() if _goes_on(state, launch)}

    def prepared() -> None:
        for name in reversed(AIRFLOW):
            record = read_record(state, name)
            if name not in kept and record is not None and record.runs:
                watch.says(f"{launches[name].title} runs (pid {record.pid}) with other settings; starting it again")
                stop_process(record)
        prepare(state, launches[API_SERVER], watch.says)

    def started(name: str) -> ServiceStatus:
        _told(state, name).write_text(settings_digest(launches[name]))
        return ensure(launches[name], port, lambda: forget_killed(state, name))

    jobs: list[Job[ServiceStatus | None]] = []
    if len(kept) < len(AIRFLOW):
        jobs.append(Job(_PREPARED, prepared))
    for name in AIRFLOW:
        first = (API_SERVER,) if name in kept and name != API_SERVER else ()
        jobs.append(Job(name, lambda name=name: started(name), (_PREPARED, *first)))  # type: ignore[misc]
    return jobs


def _told(state: Path, name: str) -> Path:
    return state / "services" / f"{name}.settings"


def _goes_on(state: Path, launch: Launch) -> bool:
    record = read_record(state, launch.name)
    told = _told(state, launch.name)
    if record is None or not record.runs or not told.is_file():
        return False
    return told.read_text() == settings_digest(launch)
