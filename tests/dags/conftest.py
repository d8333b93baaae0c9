from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

# Before anything imports Airflow, which makes its folder when it is imported.
_home = tempfile.mkdtemp(prefix="featuremill-airflow-")
os.environ.setdefault("AIRFLOW_HOME", _home)
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{_home}/airflow.db")
sys.path.insert(0, str(REPOSITORY / "dags"))

pytest.importorskip("airflow", reason="Airflow is not installed")


@pytest.fixture(scope="session", autouse=True)
def _tidy() -> object:
    yield
    shutil.rmtree(_home, ignore_errors=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the pipelines and the DAG files of this repository."""
    folder = tmp_path / "a project"
    shutil.copytree(REPOSITORY / "configuration", folder / "configuration")
    shutil.copytree(REPOSITORY / "dags", folder / "dags")
    return folder
