"""Real servers for tests: a Hive metastore, and HiveServer2 once a test asks for it. One pair for the whole run.

A conftest takes them with `from tests.fixtures_services import services`, and `# noqa: F401` after it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from featuremill.services.supervisor import endpoints, start_services, stop_services
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.sql import query

_KEY = pytest.StashKey["Services"]()


class Services:
    """The servers of a test run; each is started when it is first asked for."""

    def __init__(self, state: Path) -> None:
        self.state = state

    @property
    def metastore(self) -> tuple[str, int]:
        if "metastore" not in endpoints(self.state):
            start_services(self.state, only=["metastore"])
        return endpoints(self.state)["metastore"]

    @property
    def hiveserver(self) -> tuple[str, int]:
        if "hiveserver" not in endpoints(self.state):
            start_services(self.state, only=["metastore", "hiveserver"], memory="512m")
        return endpoints(self.state)["hiveserver"]

    @property
    def sagemaker(self) -> tuple[str, int]:
        if "sagemaker" not in endpoints(self.state):
            start_services(self.state, only=["sagemaker"])
        return endpoints(self.state)["sagemaker"]

    @property
    def catalog(self) -> HiveCatalog:
        return HiveCatalog(*self.metastore)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return query(*self.hiveserver, sql).fetch_all()

    def stop(self) -> None:
        stop_services(self.state)


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Services:
    """A space is in the path, as in the folders of many people."""
    stash = request.config.stash
    if _KEY not in stash:
        stash[_KEY] = Services(tmp_path_factory.mktemp("state of services"))
        request.config.add_cleanup(stash[_KEY].stop)
    return stash[_KEY]
