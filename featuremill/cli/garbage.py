"""All that `featuremill gc` finds in a project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from featuremill.cli.workspace import Workspace
from featuremill.errors import ServiceError
from featuremill.sagemaker.client import Clients
from featuremill.steps.leftovers import Leftover, Places, collect_leftovers, find_models, find_results
from featuremill.warehouse.gc import Garbage, collect, find_garbage
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.storage import Warehouse


@dataclass(frozen=True)
class ProjectGarbage:
    """`partitions` lie in the warehouse, `leftovers` in the state folder and the bucket. `notes`: what was not looked
    at, and why.
    """

    warehouse: Warehouse
    catalog: HiveCatalog
    clients: Clients
    partitions: Sequence[Garbage]
    leftovers: Sequence[Leftover]
    notes: Sequence[str]

    @classmethod
    def find(cls, workspace: Workspace, keep: int) -> ProjectGarbage:
        """`keep`: earlier versions to keep of each day. Raises ServiceError if the metastore does not answer."""
        catalog, clients = workspace.catalog(), workspace.clients()
        places = Places.now(workspace.warehouse, catalog, workspace.state, clients)
        partitions = find_garbage(workspace.warehouse, catalog, keep_previous=keep)
        leftovers = find_results(places, workspace.project.pipelines.values(), partitions)
        notes = []
        try:
            leftovers += find_models(places)
        except ServiceError as error:
            notes.append(f"models and training data were not looked at: {error}")
        return cls(workspace.warehouse, catalog, clients, partitions, leftovers, notes)

    def rows(self) -> list[tuple[str, str, int]]:
        """Where, why, and how many bytes."""
        found = [(item.folder, str(item.kind), item.bytes) for item in self.partitions]
        return found + [(item.where, str(item.kind), item.bytes) for item in self.leftovers]

    def delete(self) -> int:
        """Delete it all; returns the bytes freed."""
        return collect(self.warehouse, self.catalog, self.partitions) + collect_leftovers(self.clients, self.leftovers)
