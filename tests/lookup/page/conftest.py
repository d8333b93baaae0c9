"""One service and one browser for all tests of the page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lookup.live.fake_sagemaker import FakeSageMaker, fake_sagemaker
from tests.lookup.page.browser import Browser, start
from tests.lookup.page.project import make_project
from tests.lookup.page.worker import CATALOG_VARIABLE
from tests.lookup.serving import Running, _wait, free_port


@contextmanager
def serving(project: Path, log: Path, port: int | None = None) -> Iterator[Running]:
    """The service of a project with a catalogue in a file."""
    port = port or free_port()
    command = [sys.executable, "-m", "tests.lookup.page.worker", "--project", str(project), "--port", str(port)]
    environment = {**os.environ, CATALOG_VARIABLE: str(project / "catalog.json")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    service = Running(port, process, log)
    try:
        _wait(service)
        yield service
    finally:
        process.terminate()
        process.wait(40)


@pytest.fixture(scope="session")
def sagemaker() -> Iterator[FakeSageMaker]:
    with fake_sagemaker() as told:
        yield told


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, sagemaker: FakeSageMaker) -> Path:
    return make_project(tmp_path_factory.mktemp("page") / "project", sagemaker.url)


@pytest.fixture(scope="session")
def service(project: Path) -> Iterator[Running]:
    with serving(project, project / "log") as found:
        yield found


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    found = start(tmp_path_factory.mktemp("chromium"))
    yield found
    found.quit()


@pytest.fixture
def page(driver: Any, service: Running) -> Iterator[Browser]:
    """The page at its start, on a wide screen in light colours; its console must stay silent."""
    browser = Browser(driver, f"http://127.0.0.1:{service.port}")
    browser.width(1280)
    browser.media(prefers_color_scheme="light")
    browser.complaints()
    browser.open()
    yield browser
    browser.run("localStorage.clear(); sessionStorage.clear()")
    assert browser.complaints() == []
