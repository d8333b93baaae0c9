"""The calls that change a table of the metastore: its columns, its partitions. The client is an open one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from featuremill.warehouse.evolution import evolve, needs_partitions
from featuremill.warehouse.hive_objects import (
    Column,
    TableDefinition,
    fields,
    from_fields,
    merged_parameters,
    partition_object,
    partition_parameters,
    same_location,
    storage,
    table_object,
    without_statistics,
)
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.thrift_client import hive_types


@dataclass(frozen=True)
class Publication:
    """`previous`: where the partition pointed before, None if there was none. `changed`: it is new or points elsewhere
    now. `withdrawn`: days taken out of the table
    because their files hold a column in a type that the table no longer has.
    """

    location: str
    previous: str | None
    changed: bool
    withdrawn: tuple[str, ...] = ()


def create(call: Callable[[], object]) -> bool:
    """Create something that another process may be creating as well. False if it was there."""
    try:
        call()
    except hive_types().AlreadyExistsException:
        return False
    return True


def point_partition(
    client: Any,
    table: TableDefinition,
    columns: tuple[Column, ...],
    manifest: Manifest,
    location: str,
    withdrawn: tuple[str, ...],
) -> Publication | None:
    """Create or move the partition; None if another process was in between, to be tried again."""
    types = hive_types()
    database, name, ds = table.database, table.name, manifest.ds
    try:
        found = client.get_partition(database, name, [ds])
    except types.NoSuchObjectException:
        partition = partition_object(database, name, ds, columns, location, manifest)
        if create(lambda: client.add_partition_with_environment_context(partition, without_statistics())):
            return Publication(location, None, True, withdrawn)
        return None
    previous = str(found.sd.location)
    same = same_location(previous, location) and from_fields(found.sd.cols) == from_fields(fields(columns))
    if same and (found.parameters or {}).get("featuremill.fingerprint") == manifest.fingerprint:
        return Publication(location, previous, False, withdrawn)
    found.sd = storage(columns, location)
    found.parameters = merged_parameters(found.parameters, partition_parameters(manifest))
    try:
        client.alter_partition_with_environment_context(database, name, found, without_statistics())
    except types.InvalidOperationException:
        # It was dropped since it was read.
        return None
    return Publication(location, previous, not same_location(previous, location), withdrawn)


def adapt_table(
    client: Any, definition: TableDefinition, found: Any, columns: tuple[Column, ...], ds: str
) -> tuple[str, ...]:
    """Give an existing table the columns and comments of what is being published. Returns the days withdrawn."""
    present = from_fields(found.sd.cols)
    others: dict[str, tuple[Column, ...]] = {}
    if needs_partitions(present, columns):
        read = client.get_partitions(definition.database, definition.name, -1)
        others = {p.values[0]: from_fields(p.sd.cols) for p in read if p.values[0] != ds}
    change = evolve(present, columns, others)
    wanted_comment = definition.comment or (found.parameters or {}).get("comment")
    if (
        from_fields(fields(change.columns)) == present
        and not change.withdrawn
        and (found.parameters or {}).get("comment") == wanted_comment
        and same_location(found.sd.location, definition.location)
    ):
        return ()
    for day in change.withdrawn:
        drop_partition(client, definition.database, definition.name, day)
    _alter(client, definition, found, change.columns, wanted_comment)
    return change.withdrawn


def _alter(
    client: Any, definition: TableDefinition, found: Any, columns: tuple[Column, ...], comment: str | None
) -> None:
    types = hive_types()
    found.sd = storage(columns, definition.location)
    # Spark keeps its own copy of the columns in properties if it ever altered the table; ours are the truth now.
    kept = {k: v for k, v in (found.parameters or {}).items() if not k.startswith("spark.sql.sources.schema")}
    found.parameters = {**merged_parameters(kept, {}), **({"comment": comment} if comment else {})}
    try:
        client.alter_table(definition.database, definition.name, found)
    except types.InvalidOperationException:
        # A metastore that forbids to change a column's type or place. The table is external: its entry is made anew.
        partitions = client.get_partitions(definition.database, definition.name, -1)
        client.drop_table(definition.database, definition.name, False)
        create(lambda: client.create_table(table_object(definition, columns)))
        if partitions:
            client.add_partitions(partitions)


def drop_partition(client: Any, database: str, table: str, ds: str) -> bool:
    try:
        return bool(client.drop_partition(database, table, [ds], False))
    except hive_types().NoSuchObjectException:
        return False


def same_view(found: Any, view: Any) -> bool:
    ours = {name: value for name, value in view.parameters.items()}
    theirs = found.parameters or {}
    return (
        found.viewOriginalText == view.viewOriginalText
        and from_fields(found.sd.cols) == from_fields(view.sd.cols)
        and all(theirs.get(name) == value for name, value in ours.items())
    )
