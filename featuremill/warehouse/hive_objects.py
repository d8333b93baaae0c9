"""The metastore's objects for external parquet tables, partitions and views, built from plain values."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from featuremill.warehouse.manifest import PARTITION_COLUMN, Manifest, ManifestColumn
from featuremill.warehouse.thrift_client import hive_types

OWNER = "featuremill"
_PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
_PARQUET_INPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
_PARQUET_OUTPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
_TEXT_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
_LONGEST_COMMENT = 256
"""The metastore's own limit for a column's comment."""

_VIEW_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
}


@dataclass(frozen=True)
class Column:
    """A column of a Hive table or view."""

    name: str
    type: str
    comment: str | None = None


@dataclass(frozen=True)
class TableDefinition:
    """An external, partitioned parquet table. `location` is the folder above its partitions, a URI."""

    database: str
    name: str
    location: str
    comment: str | None = None
    database_comment: str | None = None
    owner: str | None = None


def columns_of(manifest: Manifest) -> tuple[Column, ...]:
    return tuple(Column(column.name, column.type, column.comment) for column in manifest.columns)


def from_fields(fields: Sequence[Any]) -> tuple[Column, ...]:
    return tuple(Column(field.name, field.type, field.comment) for field in fields)


def fields(columns: Sequence[Column | ManifestColumn]) -> list[Any]:
    types = hive_types()
    return [types.FieldSchema(c.name, c.type, _shortened(c.comment)) for c in columns]


def _shortened(comment: str | None) -> str | None:
    if not comment:
        return None
    return comment if len(comment) <= _LONGEST_COMMENT else comment[: _LONGEST_COMMENT - 3] + "..."


def database_object(definition: TableDefinition) -> Any:
    """A database without a place of its own: all its tables are external and say where they lie."""
    types = hive_types()
    return types.Database(
        name=definition.database,
        description=definition.database_comment,
        parameters={},
        ownerName=definition.owner or OWNER,
        ownerType=types.PrincipalType.USER,
    )


def storage(columns: Sequence[Column], location: str) -> Any:
    types = hive_types()
    return types.StorageDescriptor(
        cols=fields(columns),
        location=location,
        inputFormat=_PARQUET_INPUT,
        outputFormat=_PARQUET_OUTPUT,
        compressed=False,
        numBuckets=-1,
        serdeInfo=types.SerDeInfo(name=None, serializationLib=_PARQUET_SERDE, parameters={"serialization.format": "1"}),
        bucketCols=[],
        sortCols=[],
        parameters={},
        skewedInfo=types.SkewedInfo([], [], {}),
        storedAsSubDirectories=False,
    )


def table_object(definition: TableDefinition, columns: Sequence[Column]) -> Any:
    """`external.table.purge` off: dropping the table never deletes data."""
    types = hive_types()
    parameters = {"EXTERNAL": "TRUE", "external.table.purge": "false", "created_by": OWNER}
    if definition.comment:
        parameters["comment"] = definition.comment
    return types.Table(
        tableName=definition.name,
        dbName=definition.database,
        owner=definition.owner or OWNER,
        createTime=int(time.time()),
        lastAccessTime=0,
        retention=0,
        sd=storage(columns, definition.location),
        partitionKeys=[types.FieldSchema(PARTITION_COLUMN, "string", "day of the run or landing, UTC, YYYY-MM-DD")],
        parameters=parameters,
        tableType="EXTERNAL_TABLE",
    )


def partition_object(
    database: str, table: str, ds: str, columns: Sequence[Column], location: str, manifest: Manifest
) -> Any:
    types = hive_types()
    return types.Partition(
        values=[ds],
        dbName=database,
        tableName=table,
        createTime=int(time.time()),
        lastAccessTime=0,
        sd=storage(columns, location),
        parameters=partition_parameters(manifest),
    )


def partition_parameters(manifest: Manifest) -> dict[str, str]:
    """What is written at a partition. Under names of our own, never numRows or COLUMN_STATS_ACCURATE: an engine may
    answer a count from those, and `totalSize` may choose a join; both would be wrong after a partition was moved by
    another tool.
    """
    return {
        "featuremill.fingerprint": manifest.fingerprint,
        "featuremill.rows": str(manifest.rows),
        "featuremill.bytes": str(manifest.total_bytes),
        "featuremill.committed_at": manifest.committed_at.isoformat(),
    }


def view_object(
    database: str, name: str, sql: str, columns: Sequence[Column], comment: str | None, owner: str | None
) -> Any:
    """A view as Spark writes them, so that Spark evaluates it under UTC and ANSI rules whatever the reader's session
    says; Hive itself reads the same text.
    """
    types = hive_types()
    parameters: dict[str, str] = {
        "view.catalogAndNamespace.numParts": "2",
        "view.catalogAndNamespace.part.0": "spark_catalog",
        "view.catalogAndNamespace.part.1": database,
        "view.query.out.numCols": str(len(columns)),
        **{f"view.query.out.col.{number}": column.name for number, column in enumerate(columns)},
        **{f"view.sqlConfig.{setting}": value for setting, value in _VIEW_SETTINGS.items()},
        # A column whose type became wider is cast to the type noted here, until the view is made again.
        "view.schemaMode": "COMPENSATION",
        "created_by": OWNER,
    }
    if comment:
        parameters["comment"] = comment
    return types.Table(
        tableName=name,
        dbName=database,
        owner=owner or OWNER,
        createTime=int(time.time()),
        lastAccessTime=0,
        retention=0,
        sd=types.StorageDescriptor(
            cols=fields(columns),
            location=None,
            inputFormat="org.apache.hadoop.mapred.SequenceFileInputFormat",
            outputFormat="org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
            compressed=False,
            numBuckets=-1,
            serdeInfo=types.SerDeInfo(name=None, serializationLib=_TEXT_SERDE, parameters={}),
            bucketCols=[],
            sortCols=[],
            parameters={},
        ),
        partitionKeys=[],
        parameters=parameters,
        viewOriginalText=sql,
        viewExpandedText=sql,
        tableType="VIRTUAL_VIEW",
    )


def without_statistics() -> Any:
    """Asks the metastore not to list the folder and note sizes: slow on an object store, and stale sooner or later."""
    return hive_types().EnvironmentContext({"DO_NOT_UPDATE_STATS": "true"})


def same_location(one: str, other: str) -> bool:
    return _plain_location(one) == _plain_location(other)


def _plain_location(location: str) -> str:
    """file:/x, file:///x and file://localhost/x are one place; s3 and s3a are one store."""
    text = location.rstrip("/")
    if text.startswith("file:"):
        text = "file:/" + text.removeprefix("file:").removeprefix("//localhost").lstrip("/")
    return "s3a" + text[2:] if text.startswith("s3:") else text


def merged_parameters(old: Mapping[str, str] | None, new: Mapping[str, str]) -> dict[str, str]:
    """New ones over old ones; statistics that other tools computed for what was there before are dropped."""
    stale = ("numRows", "totalSize", "rawDataSize", "numFiles", "COLUMN_STATS_ACCURATE", "STATS_GENERATED")
    kept = {k: v for k, v in (old or {}).items() if k not in stale and not k.startswith("spark.sql.statistics.")}
    return {**kept, **new}
