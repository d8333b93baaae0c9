from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.dags.stack import Stack
from tests.tasks.receivers import mail_server, webhook

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


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running Airflow for all tests that need one."""
    folder = tmp_path_factory.mktemp("airflow") / "a project"
    with webhook() as hook, mail_server() as mail:
        made = Stack(folder, hook, mail)
        try:
            made.start()
            for shop in (made.shop, made.plain):
                made.api.unpause(shop.name)
            yield made
        finally:
            made.stop()
