"""The Hive metastore: databases, external parquet tables, partitions, views.

Publishing a partition is one call that moves its LOCATION, so a reader sees the old folder or the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from featuremill.errors import DataError, ServiceError
from featuremill.warehouse.hive_changes import (
    Publication,
    adapt_table,
    create,
    drop_partition,
    point_partition,
    same_view,
)
from featuremill.warehouse.hive_objects import (
    Column,
    TableDefinition,
    columns_of,
    database_object,
    from_fields,
    table_object,
    view_object,
)
from featuremill.warehouse.manifest import PARTITION_COLUMN, Manifest
from featuremill.warehouse.thrift_client import hive_types, metastore_client

__all__ = ["HiveCatalog", "Publication", "PublishedPartition"]

_TRIES = 5


@dataclass(frozen=True)
class PublishedPartition:
    """A partition of a Hive table: `parameters` are the metastore's notes on it."""

    ds: str
    location: str
    parameters: dict[str, str]

    @property
    def fingerprint(self) -> str | None:
        return self.parameters.get("featuremill.fingerprint")


class HiveCatalog:
    """A metastore at host:port. Every method opens a connection of its own, so it may be used from several threads.

    All methods raise ServiceError, naming host and port, where the metastore fails.
    """

    def __init__(self, host: str, port: int, timeout: float = 60.0) -> None:
        self.host, self.port, self.timeout = host, port, timeout

    def _client(self) -> Any:
        return metastore_client(self.host, self.port, self.timeout)

    # Tables and partitions

    def publish(self, table: TableDefinition, manifest: Manifest, location: str) -> Publication:
        """Have the table's partition `manifest.ds` point at `location`; creates or widens the table where needed.

        Doing it again changes nothing. The caller makes sure that the folder is whole (`Warehouse.find`).
        """
        columns = columns_of(manifest)
        with self._client() as client:
            withdrawn = self._ensure_table(client, table, columns, manifest.ds)
            for _ in range(_TRIES):
                publication = point_partition(client, table, columns, manifest, location, withdrawn)
                if publication is not None:
                    return publication
        raise ServiceError(
            f"{table.database}.{table.name} ds={manifest.ds}: the metastore at {self.host}:{self.port} keeps changing "
            "the partition while it is published; see who else publishes it"
        )

    def _ensure_table(
        self, client: Any, definition: TableDefinition, columns: tuple[Column, ...], ds: str
    ) -> tuple[str, ...]:
        types = hive_types()
        for _ in range(_TRIES):
            try:
                found = client.get_table(definition.database, definition.name)
            except types.NoSuchObjectException:
                create(lambda: client.create_database(database_object(definition)))
                create(lambda: client.create_table(table_object(definition, columns)))
                continue
            if found.tableType == "VIRTUAL_VIEW":
                raise DataError(f"{definition.database}.{definition.name} is a view; rename the source of that name")
            return adapt_table(client, definition, found, columns, ds)
        raise ServiceError(f"{definition.database}.{definition.name} cannot be created at {self.host}:{self.port}")

    def partitions(self, database: str, table: str) -> list[PublishedPartition]:
        """The published partitions, oldest day first; none if there is no such table."""
        types = hive_types()
        with self._client() as client:
            try:
                found = client.get_partitions(database, table, -1)
            except types.NoSuchObjectException:
                return []
        published = [PublishedPartition(p.values[0], p.sd.location, dict(p.parameters or {})) for p in found]
        return sorted(published, key=lambda partition: partition.ds)

    def partition(self, database: str, table: str, ds: str) -> PublishedPartition | None:
        types = hive_types()
        with self._client() as client:
            try:
                found = client.get_partition(database, table, [ds])
            except types.NoSuchObjectException:
                return None
        return PublishedPartition(ds, found.sd.location, dict(found.parameters or {}))

    def days(self, database: str, table: str) -> list[str]:
        """The published days, oldest first; cheaper than `partitions`."""
        types = hive_types()
        with self._client() as client:
            try:
                # Asked for the partitions of a table that is not there, it would answer with an internal error.
                client.get_table(database, table)
                names = client.get_partition_names(database, table, -1)
            except types.NoSuchObjectException:
                return []
        return sorted(str(name).removeprefix(f"{PARTITION_COLUMN}=") for name in names)

    def drop_partition(self, database: str, table: str, ds: str) -> bool:
        """Take a day out of the table; its files stay. False if it was not in it."""
        with self._client() as client:
            return drop_partition(client, database, table, ds)

    def columns(self, database: str, table: str) -> tuple[Column, ...]:
        """The columns of a table or view without the partition's; empty if there is none."""
        types = hive_types()
        with self._client() as client:
            try:
                return from_fields(client.get_table(database, table).sd.cols)
            except types.NoSuchObjectException:
                return ()

    def tables(self, database: str) -> list[str]:
        """Names of the tables and views of a database; none if there is no such database."""
        types = hive_types()
        with self._client() as client:
            try:
                return sorted(client.get_all_tables(database))
            except (types.NoSuchObjectException, types.MetaException):
                return []

    def databases(self) -> list[str]:
        with self._client() as client:
            return sorted(client.get_all_databases())

    # Views

    def create_or_replace_view(
        self,
        database: str,
        name: str,
        sql: str,
        columns: Sequence[Column],
        comment: str | None = None,
        owner: str | None = None,
    ) -> bool:
        """Have a view of this text; replaced in one step. `columns` are those of the query, in its order.

        False if it was like this before. Raises DataError if a table has the name.
        """
        types = hive_types()
        view = view_object(database, name, sql, columns, comment, owner)
        with self._client() as client:
            for _ in range(_TRIES):
                try:
                    found = client.get_table(database, name)
                except types.NoSuchObjectException:
                    create(lambda: client.create_database(types.Database(name=database, parameters={})))
                    if create(lambda: client.create_table(view)):
                        return True
                    continue
                if found.tableType != "VIRTUAL_VIEW":
                    raise DataError(f"{database}.{name} is a table; the view of that name cannot be made")
                if same_view(found, view):
                    return False
                view.createTime = found.createTime
                client.alter_table(database, name, view)
                return True
        raise ServiceError(f"the view {database}.{name} cannot be created at {self.host}:{self.port}")

    def view_text(self, database: str, name: str) -> str | None:
        types = hive_types()
        with self._client() as client:
            try:
                text = client.get_table(database, name).viewOriginalText
            except types.NoSuchObjectException:
                return None
        return str(text) if text else None

    def drop_table(self, database: str, name: str) -> bool:
        """Drop a table's or view's entry; files stay. False if there is none."""
        types = hive_types()
        with self._client() as client:
            try:
                client.drop_table(database, name, False)
            except types.NoSuchObjectException:
                return False
        return True
