from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.fixtures_services import Services, services  # noqa: F401
from tests.runs.shop import Shop

_numbers = itertools.count()


@pytest.fixture
def shop(tmp_path: Path, services: Services) -> Shop:  # noqa: F811
    """A project of its own, with a database of its own in the metastore that all tests share."""
    return Shop(tmp_path / "a project", f"shop_{next(_numbers)}", services)
