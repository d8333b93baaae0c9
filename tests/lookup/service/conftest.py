"""One running service for the tests that only ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lookup.building import publish_simple
from tests.lookup.serving import Running, running


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`credit_risk` with ids 1 to 100, marker 7, on one worker."""
    folder: Path = tmp_path_factory.mktemp("lookup")
    publish_simple(folder, folder / "store", marker=7)
    with running(folder / "store", folder / "log") as found:
        yield found
