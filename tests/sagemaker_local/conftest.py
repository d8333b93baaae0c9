from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sagemaker_local.local_server import LocalServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server for the tests of a module, with the project's own image."""
    running = LocalServer(tmp_path_factory.mktemp("sagemaker") / "state").start()
    yield running
    running.stop()
