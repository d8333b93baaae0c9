"""Parquet and Arrow IPC stream bodies to rows, with a limit to what a small body may unfold to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training_image.preparing import Floats, InputError, read_column
from training_image.serving.errors import RequestError, bad
from training_image.serving.fields import Field
from training_image.serving.rows import Rows, missing_value

UNFOLDS = 16
"""A body may be this many times its size limit in memory."""

# What Arrow raises on damaged files: its own exceptions, and those of names and texts that are no UTF-8.
_DAMAGED = (pa.ArrowException, OSError, ValueError, IndexError, KeyError)


class ArrowReader:
    """Reads tables of a model with these fields. `limit`: bytes that a table may have in memory."""

    def __init__(self, fields: Sequence[Field], limit: int) -> None:
        self._fields = tuple(fields)
        self._limit = limit

    def read_parquet(self, body: bytes) -> Rows:
        """Rows of a parquet file. Raises RequestError 400, and 413 for one that unfolds to too much."""
        try:
            # Texts stay dictionaries: a short one may stand for millions of rows.
            names = pq.read_schema(pa.BufferReader(body)).names
            self._check_names(names)
            file = pq.ParquetFile(
                pa.BufferReader(body), read_dictionary=[f.name for f in self._fields if f.type == "string"]
            )
            declared = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
            self._check_size(max(declared, file.metadata.num_rows * 8 * len(names)))
            batches: list[pa.RecordBatch] = []
            size = 0
            for batch in file.iter_batches(batch_size=4096, use_threads=False):
                size += batch.nbytes
                self._check_size(size)
                batches.append(batch)
            table = pa.Table.from_batches(batches, schema=None if batches else file.schema_arrow)
        except _DAMAGED as error:
            raise bad(f"the body is no parquet file: {_first_line(error)}") from None
        return self._rows(table)

    def read_stream(self, body: bytes) -> Rows:
        """Rows of an Arrow IPC stream. Raises RequestError 400, and 413 for one that unfolds to too much."""
        try:
            if _compressed(body):
                raise bad("the Arrow stream is compressed; send it without compression, or parquet")
            with pa.ipc.open_stream(pa.BufferReader(body)) as reader:
                self._check_names(reader.schema.names)
                table = reader.read_all()
        except _DAMAGED as error:
            raise bad(f"the body is no Arrow IPC stream: {_first_line(error)}") from None
        return self._rows(table)

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise RequestError(413, f"the table is {size} bytes in memory, more than {self._limit}; send fewer rows")

    def _check_names(self, names: list[str]) -> None:
        expected = [field.name for field in self._fields]
        missing = [name for name in expected if name not in names]
        if missing:
            raise bad(f"the table lacks {', '.join(missing)}")
        unknown = sorted({name for name in names if name not in expected})
        if unknown:
            raise bad(f"the table has unknown columns: {', '.join(unknown[:5])}; expected {', '.join(expected)}")
        if len(names) != len(expected):
            raise bad("the table has a column more than once")

    def _rows(self, table: pa.Table) -> Rows:
        columns = []
        try:
            for field in self._fields:
                column = read_column(field.name, field.type, table.column(field.name).combine_chunks())
                if isinstance(column, np.ndarray):
                    _check_finite(field, table.column(field.name), column)
                    columns.append(column)
                    continue
                _validate(column)
                if field.required and column.null_count:
                    raise missing_value(int(np.flatnonzero(column.is_null())[0]) + 1, field)
                columns.append(column)
        except (InputError, *_DAMAGED) as error:
            raise bad(_first_line(error)) from None
        return Rows(table.num_rows, columns=columns)


def _validate(column: pa.Array) -> None:
    """Texts that are no UTF-8, or offsets beyond the buffers, are found here rather than later in the midst."""
    column.validate(full=True)
    if pa.types.is_dictionary(column.type):
        column.dictionary.validate(full=True)


def _check_finite(field: Field, values: pa.ChunkedArray, numbers: Floats) -> None:
    """A null is a missing value, NaN and infinity are none."""
    wrong = ~np.isfinite(numbers)
    if values.null_count:
        wrong &= values.is_valid().to_numpy()
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise bad(f"row {rows[0] + 1}: {field.name} is {numbers[rows[0]]}; expected a finite number or null")


def _compressed(body: bytes) -> bool:
    """Whether a record batch of the stream is compressed: its size in memory could then be anything."""
    for message in pa.ipc.MessageReader.open_stream(pa.BufferReader(body)):
        if message.type in ("record batch", "dictionary") and _has_compression(message.metadata.to_pybytes()):
            return True
    return False


def _has_compression(metadata: bytes) -> bool:
    """The `compression` field of the RecordBatch table in a Message flatbuffer (format/Message.fbs)."""

    def field(table: int, index: int) -> int:
        """Where the table's field lies, 0 if it has none."""
        vtable = table - int.from_bytes(metadata[table : table + 4], "little", signed=True)
        if 4 + 2 * index >= int.from_bytes(metadata[vtable : vtable + 2], "little"):
            return 0
        offset = int.from_bytes(metadata[vtable + 4 + 2 * index : vtable + 6 + 2 * index], "little")
        return table + offset if offset else 0

    def follow(place: int) -> int:
        return place + int.from_bytes(metadata[place : place + 4], "little")

    message = follow(0)
    kind = metadata[field(message, 1)]
    batch = follow(field(message, 2))
    if kind == 2:  # DictionaryBatch: its field 1 is the RecordBatch
        batch = follow(field(batch, 1))
    return field(batch, 3) != 0


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
