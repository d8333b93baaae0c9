"""What Hive shows of a pipeline now, and moving it to what a run made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from featuremill.errors import DataError
from featuremill.spec.models import Pipeline
from featuremill.steps.graph import Graph, TablePartition
from featuremill.warehouse.hive import HiveCatalog
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


def publish(catalog: HiveCatalog, warehouse: Warehouse, pipeline: Pipeline, graph: Graph) -> int:
    """Point Hive at every partition of a graph, sources first, then bring the views up to date.

    Each partition moves in one metastore call; what is published already is left alone, but for the newest partition
    of each table, which brings new descriptions of columns along. Returns how many moved.
    Raises DataError if a partition is not there whole: then it was deleted since it was made.
    """
    outputs = [output for step in graph.steps for output in step.outputs]
    shown = read_published(catalog, pipeline, (output.table for output in outputs))
    newest = {output.table: output for output in sorted(outputs, key=lambda output: output.ds)}
    moved = 0
    for output in outputs:
        if not shown.has(output) or newest[output.table] == output:
            moved += _point(catalog, warehouse, pipeline, output)
    for source in pipeline.sources:
        refresh_current(catalog, pipeline, source)
    refresh_latest(catalog, pipeline)
    return moved


def _point(catalog: HiveCatalog, warehouse: Warehouse, pipeline: Pipeline, output: TablePartition) -> bool:
    name = pipeline.pipeline
    manifest = warehouse.find(name, output.table, output.ds, output.fingerprint)
    if manifest is None:
        folder = warehouse.partition_dir(name, output.table, output.ds, output.fingerprint)
        raise DataError(f"{name}.{output.table} ds={output.ds}: {folder} is gone; run again to make it anew")
    comments = column_comments(pipeline, output.table)
    columns = tuple(c.model_copy(update={"comment": comments.get(c.name, c.comment)}) for c in manifest.columns)
    manifest = manifest.model_copy(update={"columns": columns})
    location = warehouse.location(name, output.table, output.ds, output.fingerprint)
    return catalog.publish(table_definition(pipeline, output.table, warehouse), manifest, location).changed
