"""text/csv bodies to rows: UTF-8, no header (one that equals the field names is passed over), the fields in order.

An empty cell is a missing value; quotes and line breaks inside them as in RFC 4180; a list<string> cell holds JSON. An
empty line is an error, as answers are matched to rows by their position.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv

from training_image.artefact import FeatureType
from training_image.preparing import Column
from training_image.serving.errors import bad
from training_image.serving.fields import Field
from training_image.serving.rows import Rows, convert_column, one_row

# From so many rows on, Arrow's parser is faster than Python's.
MANY = 24

_ARROW: dict[FeatureType, pa.DataType] = {
    "boolean": pa.bool_(),
    "int": pa.float64(),
    "bigint": pa.float64(),
    "double": pa.float64(),
}


class CsvReader:
    """Reads CSV rows of a model with these fields."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        self._names = [field.name for field in fields]
        self._header = ",".join(self._names).encode()
        self._converters = tuple(field.from_text for field in fields)
        self._convert = pyarrow.csv.ConvertOptions(
            column_types={field.name: _ARROW.get(field.type, pa.string()) for field in fields},
            null_values=[""],
            strings_can_be_null=True,
            true_values=["true", "True", "TRUE", "1"],
            false_values=["false", "False", "FALSE", "0"],
        )

    def read(self, body: bytes) -> Rows:
        """Rows of a body. Raises RequestError 400 naming row, column and value."""
        body = body.removeprefix(codecs.BOM_UTF8)
        if b'"' not in body and body.count(b"\n", 0, 1 << 16) >= MANY and len(self._fields) > 1:
            fast = self._with_arrow(body)
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

    def _with_arrow(self, body: bytes) -> Rows | None:
        """The rows parsed by Arrow, or None if anything is odd: Python's way then tells what."""
        first = body.index(b"\n") + 1
        start = first if body[:first].rstrip(b"\r\n") == self._header else 0
        count = body.count(b"\n", start) + (not body.endswith(b"\n"))
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(pa.py_buffer(body).slice(start)),
                read_options=pyarrow.csv.ReadOptions(
                    column_names=self._names, use_threads=False, block_size=len(body) + 1
                ),
                parse_options=pyarrow.csv.ParseOptions(quote_char=False, ignore_empty_lines=True),
                convert_options=self._convert,
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows != count:
            return None
        columns = [self._column(field, table.column(i)) for i, field in enumerate(self._fields)]
        whole = [column for column in columns if column is not None]
        return Rows(count, columns=whole) if len(whole) == len(columns) else None

    def _column(self, field: Field, values: pa.ChunkedArray) -> Column | None:
        array = values.combine_chunks()
        if field.type == "string":
            return array
        if field.type not in _ARROW:
            return convert_column(field, field.from_text, ["" if v is None else v for v in array.to_pylist()])
        if field.type == "boolean":
            array = array.cast(pa.int8())
        missing = array.is_null().to_numpy(zero_copy_only=False)
        numbers: Column = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
        if not np.isfinite(numbers).all():
            return None
        if field.type in ("int", "bigint") and (numbers != np.trunc(numbers)).any():
            return None
        numbers[missing] = np.nan
        return numbers


def _one_line_end_off(text: str) -> str:
    """Of a one-column body an empty line is a row, so only the last line's end is cut."""
    return text.removesuffix("\n").removesuffix("\r")
