"""The rejected lines of a landing, collected in any order and written in the order of the files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from featuremill.local_engine.sql import sql_text

if TYPE_CHECKING:
    import duckdb
    import pyarrow.parquet

Kind = Literal["malformed", "invalid", "missing", "duplicate"]

_BATCH_BYTES = 8 << 20


class Quarantine:
    """Rejected lines on their way to the quarantine table.

    They wait in a parquet file in `scratch`, so that a landing of nothing but bad lines does not fill the memory.
    """

    def __init__(self, scratch: Path, file_names: tuple[str, ...]) -> None:
        self._waiting = scratch / "rejected.parquet"
        self._names = file_names
        self._rows: list[tuple[int, int, str, str, str]] = []
        self._bytes = 0
        self._writer: pyarrow.parquet.ParquetWriter | None = None
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, file: int, line_number: int, raw_line: str, kind: Kind, reason: str) -> None:
        self.counts[kind] += 1
        self._rows.append((file, line_number, raw_line, kind, reason))
        self._bytes += 200 + len(raw_line)
        if self._bytes > _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema(
            [
                ("position", pa.int64()),
                ("line_number", pa.int64()),
                ("raw_line", pa.string()),
                ("kind", pa.string()),
                ("reason", pa.string()),
                ("file", pa.string()),
            ]
        )
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._waiting, schema)
        columns: list[list[Any]] = [list(column) for column in zip(*self._rows, strict=True)] or [[] for _ in range(5)]
        columns.append([self._names[file] for file in columns[0]])
        self._writer.write_table(pa.table(columns, schema=schema))
        self._rows, self._bytes = [], 0

    def write(self, connection: duckdb.DuckDBPyConnection, target: Path) -> None:
        """Write the table `raw_line, kind, reason, file, line_number`, in the order of files and lines."""
        self._flush()
        assert self._writer is not None
        self._writer.close()
        connection.execute(
            "COPY (SELECT raw_line, kind, reason, file, line_number "
            f"FROM read_parquet({sql_text(str(self._waiting))}, hive_partitioning = false) "
            "ORDER BY position, line_number) "
            f"TO {sql_text(str(target))} (FORMAT parquet, COMPRESSION zstd)"
        )
        self._waiting.unlink()
