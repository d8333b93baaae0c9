"""What a partition says of itself: `_manifest.json`, written last into its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSystem
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from featuremill.errors import DataError

MANIFEST_NAME = "_manifest.json"
FORMAT_VERSION = 1
PARTITION_COLUMN = "ds"

_PLAIN: dict[pa.DataType, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.large_string(): "string",
    pa.binary(): "binary",
    pa.large_binary(): "binary",
    pa.date32(): "date",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ManifestColumn(_Part):
    """A column: its name, its Hive type, what it means."""

    name: str
    type: str
    comment: str | None = None


class ManifestFile(_Part):
    """A parquet file of the partition."""

    name: str
    rows: int
    bytes: int


class Manifest(_Part):
    """A whole partition. `inputs` names what it was computed from: step or table reference -> fingerprint.

    `definition` is the step's definition as JSON, `details` what the step wants to keep (counts, ranges, outcomes).
    `committed_at` is when it was finished; it is no part of the fingerprint.
    """

    format_version: int = FORMAT_VERSION
    pipeline: str
    table: str
    ds: str
    fingerprint: str
    engine: str
    inputs: dict[str, str] = Field(default_factory=dict)
    definition: dict[str, Any] = Field(default_factory=dict)
    columns: tuple[ManifestColumn, ...]
    files: tuple[ManifestFile, ...]
    rows: int
    details: dict[str, Any] = Field(default_factory=dict)
    committed_at: datetime

    @property
    def total_bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    def to_json(self) -> bytes:
        return (self.model_dump_json(indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes, where: str) -> Manifest:
        """Read a manifest; raises DataError, naming the file, if it is not one that this version understands."""
        try:
            manifest = cls.model_validate_json(content)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            at = ".".join(map(str, problem["loc"])) or "the file"
            raise DataError(
                f"{where} is not a manifest: {at}: {problem['msg']}; delete its folder to recompute it"
            ) from error
        if manifest.format_version != FORMAT_VERSION:
            raise DataError(
                f"{where} has format version {manifest.format_version}, this featuremill reads {FORMAT_VERSION}; "
                "use the featuremill that wrote it, or delete its folder to recompute it"
            )
        return manifest


def now() -> datetime:
    """This moment, UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def hive_type(arrow: pa.DataType, column: str) -> str:
    """The Hive type of an arrow type. Raises DataError, naming the column, for one that Hive readers cannot take."""
    if arrow in _PLAIN:
        return _PLAIN[arrow]
    if pa.types.is_timestamp(arrow):
        if arrow.tz is None or arrow.unit not in ("us", "ms"):
            raise DataError(
                f"column {column} is written as {arrow}; timestamps are written as microseconds adjusted to UTC "
                "(arrow timestamp[us, tz=UTC])"
            )
        return "timestamp"
    if pa.types.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return f"array<{hive_type(arrow.value_type, column)}>"
    if pa.types.is_map(arrow):
        return f"map<{hive_type(arrow.key_type, column)},{hive_type(arrow.item_type, column)}>"
    if pa.types.is_struct(arrow):
        fields = (f"{field.name}:{hive_type(field.type, column)}" for field in arrow.fields)
        return f"struct<{','.join(fields)}>"
    if pa.types.is_dictionary(arrow):
        return hive_type(arrow.value_type, column)
    raise DataError(f"column {column} is written as {arrow}, which Hive tables do not have")


def read_part(filesystem: FileSystem, path: str, shown: str) -> tuple[tuple[tuple[str, str], ...], int]:
    """Columns (name, Hive type) and number of rows of a parquet file, from its footer."""
    try:
        with filesystem.open_input_file(path) as stream:
            parquet = pq.ParquetFile(stream)
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{shown} is not a whole parquet file: {str(error).splitlines()[0]}") from error
    columns = tuple((field.name, hive_type(field.type, field.name)) for field in schema)
    check_names([name for name, _ in columns], shown)
    return columns, rows


def check_names(names: list[str], shown: str) -> None:
    """Hive knows no upper case, and a partitioned table cannot have its partition column in the files too."""
    for name in names:
        if name != name.lower():
            raise DataError(f"{shown}: column {name} has upper case letters, which Hive does not tell apart")
        if name == PARTITION_COLUMN:
            raise DataError(f"{shown}: column {name} is the name of the partition; call it something else")
    if len(set(names)) < len(names):
        raise DataError(f"{shown}: a column name comes twice")


def with_comments(
    columns: tuple[tuple[str, str], ...], comments: Mapping[str, str | None]
) -> tuple[ManifestColumn, ...]:
    return tuple(ManifestColumn(name=name, type=kind, comment=comments.get(name)) for name, kind in columns)


def natural_order(name: str) -> list[tuple[int, str]]:
    """Sort key under which data_2 comes before data_10."""
    return [(int(text), "") if text.isdigit() else (-1, text) for text in re.split(r"(\d+)", name)]
