"""Rows of parquet as values of the online store, by the same SQL that publishing uses: the same bytes.

DuckDB is imported when the first row is rendered: plain lookups never need it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from featuremill.lookup.publication.json_sql import joined, json_text, quoted

if TYPE_CHECKING:
    import duckdb

_NUMBER = "__row"
_local = threading.local()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(config={"threads": 1, "memory_limit": "256MB", "autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def cursor() -> duckdb.DuckDBPyConnection:
    """This thread's own connection to a database in memory, in UTC, kept warm."""
    found: duckdb.DuckDBPyConnection | None = getattr(_local, "cursor", None)
    if found is None:
        with _lock:
            found = _local.cursor = _database().cursor()
        found.execute("SET TimeZone = 'UTC'")
    return found


_lock = threading.Lock()


def rendered(rows: pa.Table, columns: Sequence[str], kinds: Mapping[str, str]) -> list[bytes]:
    """The JSON texts of the columns of each row, with line feeds between them, in the rows' order.

    `kinds`: column -> Hive type. Raises DataError, naming the column, for a type that a lookup cannot answer with.
    """
    if not rows.num_rows:
        return []
    texts = joined([json_text(quoted(name), kinds[name], name) for name in columns])
    numbered = rows.select(list(columns)).append_column(_NUMBER, pa.array(range(rows.num_rows), pa.int32()))
    connection = cursor()
    connection.register("rows_to_render", numbered)
    try:
        found: list[Any] = connection.execute(f"SELECT {texts} FROM rows_to_render ORDER BY {_NUMBER}").fetchall()
    finally:
        connection.unregister("rows_to_render")
    return [row[0].encode() for row in found]
