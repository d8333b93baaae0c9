"""What Hive shows of a pipeline now, and moving it to what a run made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


class Shown:
    """What Hive shows, for a process that publishes one day after the other.

    A table is read whole once; after that only the day at hand is asked for, since reading all days for each day would
    take the square of their number. The days in between are known from what this process published itself.
    """

    def __init__(self, catalog: HiveCatalog, pipeline: Pipeline) -> None:
        self._catalog, self._pipeline = catalog, pipeline.pipeline
        self._tables: dict[str, dict[str, str | None]] = {}

    def read(self, tables: Iterable[str], ds: str) -> Published:
        """What Hive shows of the tables now. Raises ServiceError where the metastore does not answer."""
        for table in dict.fromkeys(tables):
            if table not in self._tables:
                found = self._catalog.partitions(self._pipeline, table)
                self._tables[table] = {partition.ds: partition.fingerprint for partition in found}
            else:
                self._read_day(table, ds)
        return Published(self._tables)

    def _read_day(self, table: str, ds: str) -> None:
        partition = self._catalog.partition(self._pipeline, table, ds)
        if partition is None:
            self._tables[table].pop(ds, None)
        else:
            self._tables[table][ds] = partition.fingerprint

    def moved(self, partition: TablePartition, withdrawn: Iterable[str]) -> None:
        """Take notice of a partition that was published, and of days that were taken out of its table for it."""
        table = self._tables.setdefault(partition.table, {})
        table[partition.ds] = partition.fingerprint
        for day in withdrawn:
            table.pop(day, None)


@dataclass(frozen=True)
class Moves:
    """What publishing did: how many partitions moved, and sentences about days that a table can no longer show."""

    moved: int
    warnings: tuple[str, ...]


def publish(
    catalog: HiveCatalog, warehouse: Warehouse, pipeline: Pipeline, graph: Graph, shown: Shown | None = None
) -> Moves:
    """Point Hive at every partition of a graph, sources first, then bring the views up to date.

    Each partition moves in one metastore call; what is published already is left alone, but for the newest partition
    of each table, which brings new descriptions of columns along. `shown`: what the days before found out about Hive.
    Raises DataError if a partition is not there whole: then it was deleted since it was made.
    """
    # What is measured of a published day comes after it.
    outputs = [output for step in graph.steps if step.kind != "monitor" for output in step.outputs]
    shown = shown or Shown(catalog, pipeline)
    published = shown.read((output.table for output in outputs), graph.ds)
    newest = {output.table: output for output in sorted(outputs, key=lambda output: output.ds)}
    moved = 0
    withdrawn: dict[str, set[str]] = {}
    for output in outputs:
        if not published.has(output) or newest[output.table] == output:
            publication = point(catalog, warehouse, pipeline, output)
            shown.moved(output, publication.withdrawn)
            moved += publication.changed
            if publication.withdrawn:
                withdrawn.setdefault(output.table, set()).update(publication.withdrawn)
    for source in pipeline.sources:
        refresh_current(catalog, pipeline, source)
    refresh_latest(catalog, pipeline)
    gone = {table: sorted(days - published.fingerprints[table].keys()) for table, days in withdrawn.items()}
    return Moves(moved, tuple(_withdrawal(f"{pipeline.pipeline}.{t}", days) for t, days in gone.items() if days))


def _withdrawal(table: str, days: Sequence[str]) -> str:
    named = ", ".join(days) if len(days) <= 5 else f"{', '.join(days[:3])} ... {days[-1]} ({len(days)} days)"
    return (
        f"{table} has a column of another type now and no longer shows {named}; run these days again to bring them "
        f"back: --ds {days[0]}..{days[-1]} --reprocess"
    )


def point(catalog: HiveCatalog, warehouse: Warehouse, pipeline: Pipeline, output: TablePartition) -> Publication:
    """Point Hive at one partition. Raises DataError if it is not there whole."""
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
