"""Which services there are, how each is, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil

from featuremill.errors import ServiceError
from featuremill.services import airflow, hiveserver, lookup, metastore, sagemaker, spark_connect
from featuremill.services.airflow import AIRFLOW
from featuremill.services.hiveserver import HIVESERVER
from featuremill.services.launch import LOOPBACK
from featuremill.services.lookup import LOOKUP
from featuremill.services.metastore import METASTORE
from featuremill.services.processes import reap
from featuremill.services.records import ServiceStatus, read_record, status_of
from featuremill.services.sagemaker import SAGEMAKER
from featuremill.services.spark_connect import SPARK

SERVICES = (METASTORE, HIVESERVER, SAGEMAKER, LOOKUP)
ALL_SERVICES = (*SERVICES, SPARK, *AIRFLOW)
_LATER = (SPARK, *AIRFLOW)

_PROBES: dict[str, Callable[[Path, int], object]] = {
    METASTORE: metastore.probe,
    HIVESERVER: hiveserver.probe,
    SAGEMAKER: sagemaker.probe,
    LOOKUP: lookup.probe,
    SPARK: spark_connect.probe,
    **{name: partial(airflow.probe, name=name) for name in AIRFLOW},
}


def service_status(state: Path) -> list[ServiceStatus]:
    """How each service is now; asks those that run, changes nothing. Airflow is among them once it was started."""
    state = state.absolute()
    reap()

    def status(name: str) -> ServiceStatus | None:
        record = read_record(state, name)
        if record is None and name in _LATER:
            return None
        if record is None or not record.runs:
            port, log = (record.port, record.log) if record else (None, None)
            return ServiceStatus(name, "stopped", LOOPBACK, port, None, log)
        try:
            _PROBES[name](state, record.port)
        except (ServiceError, OSError):
            return status_of(record, "not answering")
        return status_of(record, "running")

    with ThreadPoolExecutor(len(ALL_SERVICES)) as pool:
        return [found for found in pool.map(status, ALL_SERVICES) if found is not None]


def memory_of(pid: int) -> int:
    """Bytes of a process and all that it started (PSS: memory that several share is divided among them)."""
    total = 0
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in tree:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total
