"""A project with published days, and a metastore in memory for tests that need no real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from featuremill.errors import ServiceError
from featuremill.lookup.publication import publish
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.settings import ServiceSettings
from featuremill.spec.models import Pipeline
from featuremill.warehouse.hive import PublishedPartition
from featuremill.warehouse.storage import Warehouse
from tests.lookup.building import commit


@dataclass
class MemoryCatalog:
    """The parts of `HiveCatalog` that reading needs. `down`: it does not answer."""

    locations: dict[tuple[str, str, str], str] = field(default_factory=dict)
    down: bool = False

    def days(self, database: str, table: str) -> list[str]:
        self._check()
        return sorted(ds for d, t, ds in self.locations if (d, t) == (database, table))

    def partition(self, database: str, table: str, ds: str) -> PublishedPartition | None:
        self._check()
        location = self.locations.get((database, table, ds))
        return None if location is None else PublishedPartition(ds, location, {})

    def _check(self) -> None:
        if self.down:
            raise ServiceError("the Hive metastore at 127.0.0.1:1 does not answer; start it with ./start.sh")


@dataclass
class Days:
    """A project's folder below `folder`, its warehouse, online store, and catalogue."""

    folder: Path
    pipeline: Pipeline
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)

    def __post_init__(self) -> None:
        (self.folder / "configuration").mkdir(parents=True, exist_ok=True)
        self.warehouse = Warehouse(self.folder / "data" / "warehouse")
        self.root = self.folder / "data" / "state" / "online"

    def publish(
        self,
        ds: str,
        snapshot: list[pa.Table],
        predictions: list[pa.Table] | None,
        fingerprint: str = "f" * 16,
        row_group: int = 1_000,
    ) -> None:
        """Commit partitions of these files, show them in Hive, and serve them."""
        name = self.pipeline.pipeline
        made = {"snapshot": snapshot} | ({"predictions": predictions} if predictions is not None else {})
        manifests: dict[str, Any] = {}
        for table, files in made.items():
            manifests[table] = commit(
                self.warehouse, name, table, files, ds=ds, fingerprint=fingerprint, row_group=row_group
            )
            self.catalog.locations[name, table, ds] = self.warehouse.location(name, table, ds, fingerprint)
        publish(self.warehouse, self.pipeline, manifests["snapshot"], manifests.get("predictions"), self.root)

    def service(self, monkeypatch: Any) -> Service:
        """The service of this project, asking the catalogue in memory."""
        monkeypatch.setattr("featuremill.lookup.project.ServedProject.catalog", lambda _: self.catalog)
        return Service(ServiceSettings(root=str(self.root), project=self.folder))
