from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.fixtures_services import Services, services  # noqa: F401
from tests.runs.shop import Shop

_numbers = itertools.count()


@pytest.fixture
def shop(tmp_path: Path, services: Services) -> Shop:  # noqa: F811
    return Shop(tmp_path / "a project", f"task_shop_{next(_numbers)}", services)
