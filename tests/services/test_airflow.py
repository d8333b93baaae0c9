"""What Airflow's processes are told; that they start, answer and stop is in tests/dags/test_scheduler.py."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from featuremill.services.airflow import (
    AIRFLOW,
    AirflowPlace,
    airflow_launch,
    password_file,
    settings_digest,
)
from featuremill.services.airflow_connections import connections
from featuremill.services.java import find_java
from featuremill.spec.environment import Environment, SageMakerSettings, Service

SERVICES = {"metastore": ("127.0.0.1", 1), "hiveserver": ("127.0.0.1", 2), "sagemaker": ("127.0.0.1", 3)}


def _place(tmp_path: Path, port: int = 1) -> AirflowPlace:
    return AirflowPlace(tmp_path, Environment(), {**SERVICES, "metastore": ("127.0.0.1", port)})


def test_connections_come_from_the_environment_and_the_running_services() -> None:
    found = connections(Environment(), SERVICES)
    assert set(found) == {"spark_conn", "hive_conn", "hive_metastore", "aws"}
    assert found["spark_conn"]["host"] == "local[*]"
    assert found["hive_metastore"]["port"] == 1 and found["hive_conn"]["port"] == 2
    assert found["aws"]["extra"] == {"region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:3"}


def test_aws_itself_gets_no_made_up_credentials() -> None:
    environment = Environment(sagemaker=SageMakerSettings(endpoint=None, region="eu-west-1"))
    assert connections(environment, {})["aws"] == {"conn_type": "aws", "extra": {"region_name": "eu-west-1"}}


def test_a_fixed_address_is_used_where_nothing_of_the_project_runs() -> None:
    environment = Environment(metastore=Service(host="hive.example", port=9083))
    found = connections(environment, {})
    assert (found["hive_metastore"]["host"], found["hive_metastore"]["port"]) == ("hive.example", 9083)
    assert "hive_conn" not in found


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    java = find_java(tmp_path)
    first, second = (airflow_launch(tmp_path, AIRFLOW[0], 80, java, _place(tmp_path)) for _ in range(2))
    assert first.environment == second.environment
    for file in (password_file(tmp_path), tmp_path / "airflow" / "secrets.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "airflow").stat().st_mode) == 0o700
    assert first.environment["AIRFLOW__API__HOST"] == "127.0.0.1"


def test_another_port_of_another_service_is_another_setting(tmp_path: Path) -> None:
    java = find_java(tmp_path)
    digests = {settings_digest(airflow_launch(tmp_path, AIRFLOW[1], 80, java, _place(tmp_path, p))) for p in (1, 1, 2)}
    assert len(digests) == 2


def test_what_tasks_need_is_loaded_before_and_several_commands_run_in_one_process(tmp_path: Path) -> None:
    pytest.importorskip("airflow", reason="Airflow is not installed")
    program = (
        "import sys; from importlib.util import find_spec; from featuremill.services import airflow_process as process;"
        "names = {name for some in process.LOADED.values() for name in some};"
        "assert [name for name in names if find_spec(name) is None] == [];"
        "sys.argv = ['x', 'version', ',', 'config', 'get-value', 'core', 'load_examples']; process.main()"
    )
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "False"
