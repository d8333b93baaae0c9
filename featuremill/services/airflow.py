"""Airflow on this machine: api-server, scheduler, dag-processor and triggerer, with SQLite and the LocalExecutor.

All it keeps is in <state>/airflow: the database, the secrets, and `passwords.json` with the generated password of
`admin`; the logs of tasks are in <state>/logs/airflow. Only the api-server listens, on the loopback address.
Connections are given to the processes from the environment's file; nothing is typed into the UI.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from featuremill.errors import ServiceError
from featuremill.services.airflow_connections import connections
from featuremill.services.airflow_secrets import PASSWORDS, airflow_secrets
from featuremill.services.airflow_settings import secrets_settings
from featuremill.services.airflow_sqlite import SETTINGS
from featuremill.services.java import Java
from featuremill.services.launch import LOOPBACK, Launch, java_environment
from featuremill.services.records import read_record
from featuremill.spec.environment import Environment

API_SERVER, SCHEDULER = "airflow_api", "airflow_scheduler"
DAG_PROCESSOR, TRIGGERER = "airflow_dag_processor", "airflow_triggerer"
AIRFLOW = (API_SERVER, SCHEDULER, DAG_PROCESSOR, TRIGGERER)
USER = "admin"

_PROGRAM = "featuremill.services.airflow_process"
_COMMANDS = {
    API_SERVER: ("api-server", "--workers", "1"),
    SCHEDULER: ("scheduler", "--skip-serve-logs"),
    DAG_PROCESSOR: ("dag-processor",),
    TRIGGERER: ("triggerer", "--skip-serve-logs", "--capacity", "100"),
}
_TITLES = {
    API_SERVER: "Airflow's UI and API",
    SCHEDULER: "Airflow's scheduler",
    DAG_PROCESSOR: "Airflow's DAG processor",
    TRIGGERER: "Airflow's triggerer",
}
_HEALTH = {SCHEDULER: "scheduler", DAG_PROCESSOR: "dag_processor", TRIGGERER: "triggerer"}
_JOBS = {SCHEDULER: "SchedulerJob", TRIGGERER: "TriggererJob"}
_POOLS = {
    "spark": {"slots": 2, "description": "Spark jobs at a time", "include_deferred": False},
    "training": {"slots": 2, "description": "training jobs at a time", "include_deferred": True},
}
_PARALLELISM = 4


@dataclass(frozen=True)
class AirflowPlace:
    """What Airflow is to work with: the project, its environment, and where the other services answer."""

    project: Path
    environment: Environment
    services: Mapping[str, tuple[str, int]]


def airflow_home(state: Path) -> Path:
    return state / "airflow"


def password_file(state: Path) -> Path:
    """JSON: user -> password. Readable by its owner only."""
    return airflow_home(state) / PASSWORDS


def task_logs(state: Path) -> Path:
    """Below it: dag_id=<dag>/run_id=<run>/task_id=<task>/attempt=<n>.log"""
    return state / "logs" / "airflow"


def is_installed() -> bool:
    return find_spec("airflow") is not None


def airflow_launch(state: Path, name: str, port: int, java: Java, place: AirflowPlace) -> Launch:
    """One of the four processes; `port` is the api-server's."""
    home = airflow_home(state)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    return Launch(
        name=name,
        title=_TITLES[name],
        command=(sys.executable, "-m", _PROGRAM, *_COMMANDS[name]),
        environment=airflow_environment(state, java, port, place),
        folder=home,
        probe=lambda: probe(state, port, name),
        pause=0.5,
    )


def prepare(state: Path, launch: Launch, say: Callable[[str], None]) -> None:
    """Make the database and the pools, or bring them up to date. Raises ServiceError where that fails."""
    from importlib.metadata import version

    done = launch.folder / "prepared.json"
    wanted = json.dumps({"airflow": version("apache-airflow"), "pools": _POOLS}, sort_keys=True)
    if done.exists() and done.read_text() == wanted and (launch.folder / "airflow.db").exists():
        return
    say("preparing Airflow's database")
    pools = launch.folder / "pools.json"
    pools.write_text(json.dumps(_POOLS))
    log = state / "logs" / "airflow_prepare.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    commands = ("db", "migrate", ",", "pools", "import", str(pools))
    with log.open("ab") as output:
        ended = subprocess.run(
            (sys.executable, "-m", _PROGRAM, *commands),
            env=dict(launch.environment),
            cwd=launch.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=600,
        )
    if ended.returncode != 0:
        raise ServiceError(f"preparing Airflow's database failed (exit code {ended.returncode}); see {log}")
    done.write_text(wanted)


def forget_killed(state: Path, name: str) -> None:
    """Have a starting scheduler or triggerer take up at once what the one before it, if it was killed, had in hand.

    There is only one of each. By itself Airflow waits until the other's heartbeat has been missing for half a minute.
    """
    database = airflow_home(state) / "airflow.db"
    if name not in _JOBS or not database.exists():
        return
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.execute("UPDATE job SET state = 'failed' WHERE job_type = ? AND state = 'running'", (_JOBS[name],))


def settings_digest(launch: Launch) -> str:
    """Of all that a running process was told and has loaded: when it changes, the process has to be started again."""
    told = {name: text for name, text in launch.environment.items() if name.startswith(("AIRFLOW_", "FEATUREMILL_"))}
    told["command"] = " ".join(launch.command)
    packages = [Path(__file__).parents[2] / name for name in ("featuremill", "spark_jobs", "training_image")]
    told["code"] = str(max(file.stat().st_mtime_ns for package in packages for file in package.rglob("*.py")))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def airflow_environment(state: Path, java: Java, port: int, place: AirflowPlace) -> dict[str, str]:
    """What the processes are told; with it, Airflow's own command line works on the project's Airflow too."""
    home = airflow_home(state)
    kept = airflow_secrets(home, USER)
    settings = home / "config" / "airflow_local_settings.py"
    if not settings.is_file() or settings.read_text() != SETTINGS:
        settings.parent.mkdir(exist_ok=True)
        settings.write_text(SETTINGS)
    url = f"http://{LOOPBACK}:{port}"
    own = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(place.project / "dags"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(_PARALLELISM),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "utc",
        "AIRFLOW__CORE__FERNET_KEY": kept["fernet"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(password_file(state)),
        "AIRFLOW__API_AUTH__JWT_SECRET": kept["jwt"],
        "AIRFLOW__API__SECRET_KEY": kept["api"],
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        # Four processes write: each waits its turn instead of failing with "database is locked".
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?isolation_level=IMMEDIATE&timeout=60",
        # Hundreds of lines about its own decorators would hide what a task says.
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "great_expectations=WARNING",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(task_logs(state)),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(task_logs(state) / "dag_processor"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "20",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # A task that ended is followed by the next after this long at most.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        # A busy machine answers late.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        # A killed worker's task is tried again after this long; a killed scheduler's at once (see `forget_killed`).
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "60",
        # Providers register metrics and lineage that nobody here collects.
        "AIRFLOW__OPENLINEAGE__DISABLED": "True",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
    }
    own |= secrets_settings(place.environment)
    for name, connection in connections(place.environment, place.services).items():
        own[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection, sort_keys=True)
    foreign = {"SPARK_HOME"}  # spark-submit of this environment finds its own
    return {name: text for name, text in java_environment(java, **own).items() if name not in foreign}


def probe(state: Path, port: int, name: str) -> None:
    """Raises OSError unless the api-server answers and, of the others, this very process has a heartbeat."""
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/api/v2/monitor/health", timeout=5) as answer:
        try:
            found = json.loads(answer.read(100_000))
            part = _HEALTH.get(name)
            status = found["metadatabase"]["status"] if part is None else found[part]["status"]
            beat = found[part][f"latest_{part}_heartbeat"] if part is not None and status == "healthy" else None
            heard = datetime.fromisoformat(beat).timestamp() if beat is not None else None
        except (ValueError, KeyError, TypeError):
            status, heard = "not Airflow's", None
    record = read_record(state, name)
    if heard is not None and record is not None and record.started is not None and heard < record.started:
        status = "starting"  # the heartbeat is that of the process before
    if status != "healthy":
        raise OSError(f"{name} is {status}")
