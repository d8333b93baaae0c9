"""What Hive shows of a pipeline now, and moving it to what a run made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from featuremill.errors import DataError
from featuremill.spec.models import Pipeline
from featuremill.steps.graph import Graph, TablePartition
from featuremill.warehouse.hive import HiveCatalog, Publication
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import column_comments, table_definition
from featuremill.warehouse.views import refresh_current, refresh_latest


@dataclass(frozen=True)
class Published:
    """Table -> ds -> fingerprint of the partitions that Hive shows."""

    fingerprints: Mapping[str, Mapping[str, str | None]]

    def has(self, partition: TablePartition) -> bool:
        return self.fingerprints.get(partition.table, {}).get(partition.ds) == partition.fingerprint


def read_published(catalog: HiveCatalog, pipeline: Pipeline, tables: Iterable[str]) -> Published:
    """Ask the metastore. Raises ServiceError where it does not answer."""
    return Published(
        {
            table: {found.ds: found.fingerprint for found in catalog.partitions(pipeline.pipeline, table)}
            for table in dict.fromkeys(tables)
        }
    )


@dataclass(frozen=True)
class Moves:
    """What publishing did: how many partitions moved, and sentences about days that a table can no longer show."""

    moved: int
    warnings: tuple[str, ...]


def publish(catalog: HiveCatalog, warehouse: Warehouse, pipeline: Pipeline, graph: Graph) -> Moves:
    """Point Hive at every partition of a graph, sources first, then bring the views up to date.

    Each partition moves in one metastore call; what is published already is left alone, but for the newest partition
    of each table, which brings new descriptions of columns along.
    Raises DataError if a partition is not there whole: then it was deleted since it was made.
    """
    outputs = [output for step in graph.steps for output in step.outputs]
    shown = read_published(catalog, pipeline, (output.table for output in outputs))
    newest = {output.table: output for output in sorted(outputs, key=lambda output: output.ds)}
    moved = 0
    warnings: list[str] = []
    for output in outputs:
        if not shown.has(output) or newest[output.table] == output:
            publication = _point(catalog, warehouse, pipeline, output)
            moved += publication.changed
            coming = {other.ds for other in outputs if other.table == output.table}
            withdrawn = [day for day in publication.withdrawn if day not in coming]
            if withdrawn:
                days = ", ".join(withdrawn)
                warnings.append(
                    f"{pipeline.pipeline}.{output.table} has a column of another type now and no longer shows {days}; "
                    "run these days again to bring them back"
                )
    for source in pipeline.sources:
        refresh_current(catalog, pipeline, source)
    refresh_latest(catalog, pipeline)
    return Moves(moved, tuple(warnings))


def _point(catalog: HiveCatalog, warehouse: Warehouse, pipeline: Pipeline, output: TablePartition) -> Publication:
    name = pipeline.pipeline
    manifest = warehouse.find(name, output.table, output.ds, output.fingerprint)
    if manifest is None:
        folder = warehouse.partition_dir(name, output.table, output.ds, output.fingerprint)
        raise DataError(f"{name}.{output.table} ds={output.ds}: {folder} is gone; run again to make it anew")
    comments = column_comments(pipeline, output.table)
    columns = tuple(c.model_copy(update={"comment": comments.get(c.name, c.comment)}) for c in manifest.columns)
    manifest = manifest.model_copy(update={"columns": columns})
    location = warehouse.location(name, output.table, output.ds, output.fingerprint)
    return catalog.publish(table_definition(pipeline, output.table, warehouse), manifest, location)
