"""text/csv bodies to rows: UTF-8, no header (one that equals the field names is passed over), the fields in order.

An empty cell is a missing value; quotes and line breaks inside them as in RFC 4180; a list<string> cell holds JSON. An
empty line is an error, as answers are matched to rows by their position.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from training_image.artefact import FeatureType
from training_image.number_preparing import Floats
from training_image.preparing import Column
from training_image.serving.errors import RequestError, bad
from training_image.serving.fields import Field
from training_image.serving.rows import Rows, column_of, convert_column, one_row

# From so many rows on, Arrow's parser is faster than Python's.
MANY = 24

LEAST_BLOCK = 128 * 1024
"""Bytes that are worth a thread of their own."""

_NUMBERS: frozenset[FeatureType] = frozenset({"int", "bigint", "double"})
_LINE_END = ord("\n")
_TEXT = pa.dictionary(pa.int32(), pa.string())


def _arrow_type(kind: FeatureType) -> pa.DataType:
    """What Arrow's parser makes of a cell; of texts, and of what is converted from text, the distinct ones once."""
    if kind == "boolean":
        return pa.bool_()
    return pa.float64() if kind in _NUMBERS else _TEXT


class CsvReader:
    """Reads CSV rows of a model with these fields."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        self._names = [field.name for field in fields]
        self._header = ",".join(self._names).encode()
        self._converters = tuple(field.from_text for field in fields)
        self._numbers = [position for position, field in enumerate(fields) if field.type in _NUMBERS]
        self._whole = [row for row, position in enumerate(self._numbers) if fields[position].type != "double"]
        self._others = [(position, field) for position, field in enumerate(fields) if field.type not in _NUMBERS]
        self._parse = pyarrow.csv.ParseOptions(quote_char=False, ignore_empty_lines=True)
        self._convert = pyarrow.csv.ConvertOptions(
            column_types={field.name: _arrow_type(field.type) for field in fields},
            null_values=[""],
            strings_can_be_null=True,
            true_values=["true", "True", "TRUE", "1"],
            false_values=["false", "False", "FALSE", "0"],
        )

    def read(self, body: bytes) -> Rows:
        """Rows of a body. Raises RequestError 400 naming row, column and value."""
        body = body.removeprefix(codecs.BOM_UTF8)
        first = body.find(b"\n") + 1
        if first and first * MANY <= len(body) and len(self._fields) > 1 and b'"' not in body:
            fast = self._with_arrow(body, first)
            if fast is not None:
                return fast
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise bad(f"the body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}") from None
        text = text.rstrip("\r\n") if len(self._fields) > 1 else _one_line_end_off(text)
        if '"' in text or "\r" in text.replace("\r\n", ""):
            return self._rows(self._quoted(text))
        return self._rows([line.removesuffix("\r").split(",") for line in text.split("\n")])

    def _quoted(self, text: str) -> list[list[str]]:
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            # The reader gives [] for an empty line, which is one empty cell.
            return [row or [""] for row in reader]
        except csv.Error as error:
            raise bad(f"line {reader.line_num} is no CSV: {error}") from None

    def _rows(self, rows: list[list[str]]) -> Rows:
        if rows and rows[0] == self._names:
            rows = rows[1:]
        width = len(self._names)
        for number, row in enumerate(rows, start=1):
            if len(row) != width:
                raise bad(
                    f"row {number} has {len(row)} column{'s' * (len(row) != 1)}, the model takes {width}: "
                    + ", ".join(self._names)
                )
        if len(rows) == 1:
            return one_row(self._fields, self._converters, rows[0])
        columns = list(zip(*rows, strict=True)) if rows else [()] * width
        converted = [convert_column(f, f.from_text, c) for f, c in zip(self._fields, columns, strict=True)]
        return Rows(len(rows), columns=converted)

    def _with_arrow(self, body: bytes, first: int) -> Rows | None:
        """The rows parsed by Arrow, or None if anything is odd: Python's way then tells what.

        `first`: the first line's length.
        """
        if b"\r" in body and body.count(b"\r") != body.count(b"\r\n"):
            return None
        start = first if body[:first].rstrip(b"\r\n") == self._header else 0
        try:
            # A block a core. Each has a line's end, else Arrow gives up.
            block = max(LEAST_BLOCK, -(-len(body) // pa.cpu_count()))
            options = pyarrow.csv.ReadOptions(
                column_names=self._names, use_threads=block < len(body), block_size=block + first
            )
            table = pyarrow.csv.read_csv(
                pa.BufferReader(pa.py_buffer(body).slice(start)), options, self._parse, self._convert
            )
        except pa.ArrowInvalid:
            return None
        # Arrow passes over empty lines.
        ends = np.count_nonzero(np.frombuffer(body, np.uint8, offset=start) == _LINE_END)
        if table.num_rows != ends + (not body.endswith(b"\n")):
            return None
        (batch,) = table.combine_chunks().to_batches()
        columns: list[Any] = [None] * len(self._fields)
        if self._numbers:
            numbers = self._plain_numbers(batch.select(self._numbers))
            if numbers is None:
                return None
            for position, column in zip(self._numbers, numbers, strict=True):
                columns[position] = column
        for position, field in self._others:
            columns[position] = _column(field, batch.column(position))
            if columns[position] is None:
                return None
        return Rows(table.num_rows, columns=columns)

    def _plain_numbers(self, batch: pa.RecordBatch) -> Floats | None:
        """[columns, rows], NaN where a cell is empty; None if one says NaN or infinity, or is no whole number."""
        numbers: Floats = batch.to_tensor(null_to_nan=True, row_major=False).to_numpy().T
        odd = numbers.size - np.count_nonzero(np.isfinite(numbers))
        if odd and odd != sum(column.null_count for column in batch.columns):
            return None
        for row in self._whole:
            column = numbers[row]
            if (np.trunc(column) != column)[~np.isnan(column)].any():
                return None
        return numbers


def _column(field: Field, values: pa.Array) -> Column | None:
    """A column that does not hold plain numbers; None if a value is odd."""
    if field.type == "boolean":
        numbers: Column = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return numbers
    if field.type == "string":
        return values
    distinct = values.dictionary.to_pylist()
    if values.null_count:
        distinct.append("")
    try:
        converted = column_of(field, [field.from_text(text) for text in distinct])
    except (ValueError, RequestError):
        return None
    places = values.indices.fill_null(len(distinct) - 1)
    return converted[places.to_numpy()] if isinstance(converted, np.ndarray) else converted.take(places)


def _one_line_end_off(text: str) -> str:
    """Of a one-column body an empty line is a row, so only the last line's end is cut."""
    return text.removesuffix("\n").removesuffix("\r")
