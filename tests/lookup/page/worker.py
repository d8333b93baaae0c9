"""The service with a metastore that is a file, for pages with a history: `python -m tests.lookup.page.worker`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from featuremill.lookup.project import ServedProject
from featuremill.lookup.service import server
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.worker import application as real_application
from featuremill.warehouse.hive import PublishedPartition

CATALOG_VARIABLE = "FEATUREMILL_TEST_CATALOG"


class FileCatalog:
    """The parts of `HiveCatalog` that reading needs, from [[pipeline, table, ds, location], ...]."""

    def __init__(self, path: Path) -> None:
        self._locations = {(p, table, ds): location for p, table, ds, location in json.loads(path.read_text())}

    def days(self, database: str, table: str) -> list[str]:
        return sorted(ds for d, t, ds in self._locations if (d, t) == (database, table))

    def partition(self, database: str, table: str, ds: str) -> PublishedPartition | None:
        location = self._locations.get((database, table, ds))
        return None if location is None else PublishedPartition(ds, location, {})


def application() -> Service:
    """What granian loads in the worker."""
    catalog: Any = FileCatalog(Path(os.environ[CATALOG_VARIABLE]))
    ServedProject.catalog = lambda self: catalog  # type: ignore[method-assign]
    return real_application()


if __name__ == "__main__":
    from featuremill.lookup.__main__ import main

    server._TARGET = "tests.lookup.page.worker:application"
    sys.exit(main())
