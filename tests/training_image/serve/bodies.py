"""The same rows as every kind of body, and answers read back to lists of columns."""

from __future__ import annotations

import csv
import datetime
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, datetime.date) else value


def json_rows(table: pa.Table) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()]


def csv_bytes(table: pa.Table) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in json_rows(table):
        writer.writerow([_cell(value) for value in row.values()])
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, list) else str(value)


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def arrow_bytes(table: pa.Table, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def all_bodies(table: pa.Table) -> dict[str, bytes]:
    """By Content-Type."""
    rows = json_rows(table)
    return {
        "text/csv": csv_bytes(table),
        "application/json": json.dumps({"instances": rows}).encode(),
        "application/jsonlines": "".join(json.dumps(row) + "\n" for row in rows).encode(),
        "application/vnd.apache.parquet": parquet_bytes(table),
        "application/vnd.apache.arrow.stream": arrow_bytes(table),
    }
