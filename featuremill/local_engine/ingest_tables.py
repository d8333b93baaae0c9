"""The typed table of a landing, as DuckDB writes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from featuremill.local_engine.ingest_screen import ScreenedFile
from featuremill.local_engine.sql import sql_name, sql_text
from featuremill.queries.typing import field_typing
from featuremill.spec.models import GENERATED_KEY
from featuremill.steps.jobs import IngestJob, NumberRange, RawFile

if TYPE_CHECKING:
    import duckdb

_PARQUET = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
_NUMERIC = ("int", "bigint", "double")
_BATCH_ROWS = 100_000
_MENDED_LINE_BYTES = 8 << 20


@dataclass(frozen=True)
class ReadableFile:
    """A raw file and what looking through it gave."""

    raw: RawFile
    screened: ScreenedFile


@dataclass(frozen=True)
class Rejected:
    """Good records (numbered from 0 over all files of the landing) whose values are not."""

    record: int
    invalid: bool
    reason: str


@dataclass(frozen=True)
class Repeated:
    """Typed rows (numbered from 0) whose key comes again: the row, and the last one of the key."""

    row: int
    last_row: int
    key: str


@dataclass(frozen=True)
class Summary:
    repeated_keys: bool
    ranges: dict[str, NumberRange]


class TypedTable:
    """Columns: `row_key` (string) if the source names no key, then the declared ones in their order and types."""

    def __init__(self, job: IngestJob, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._source = job.source
        self._connection = connection
        self._path = path
        self._typing = field_typing("duckdb", job.source.connector)
        self._columns = list(job.source.columns)
        self._parsed = job.source.parsed_columns
        declared = {name for name, column in job.source.columns.items() if column.required}
        self._required = declared.union(job.required)
        self._texts = {name: f"t{index}" for index, name in enumerate(self._columns)}
        self._values = {name: f"v{index}" for index, name in enumerate(self._columns)}
        self._records = ""
        self._written = f"read_parquet({sql_text(str(path))}, hive_partitioning = false)"

    def write(self, files: list[ReadableFile]) -> int:
        """Type the records of the files, in their order, and write those that are valid. Returns their number."""
        self._records = self._typed_records(files)
        columns = [f"{self._values[name]} AS {sql_name(name)}" for name in self._columns]
        if self._source.key is None:
            columns.insert(0, f"{self._typing.row_key(self._texts, self._parsed)} AS {GENERATED_KEY}")
        # Pushed below the typing, the filter would type every value a second time.
        self._connection.execute("SET disabled_optimizers = 'filter_pushdown'")
        (rows,) = self._connection.execute(
            f"COPY (SELECT {', '.join(columns)} FROM {self._records} WHERE NOT ({self._rejects()})) "
            f"TO {sql_text(str(self._path))} {_PARQUET}"
        ).fetchall()[0]
        return int(rows)

    def rejected(self) -> Iterator[list[Rejected]]:
        """The records that `write` left out, in their order, in batches."""
        problems = [
            self._typing.problem(name, self._texts[name], self._values[name], column, required=name in self._required)
            for name, column in self._parsed.items()
        ]
        result = self._connection.execute(
            f"SELECT record, {self._broken()}, concat_ws('; ', {', '.join(problems)}) "
            f"FROM (SELECT row_number() OVER () - 1 AS record, * FROM {self._records}) WHERE {self._rejects()}"
        )
        while batch := result.fetchmany(_BATCH_ROWS):
            yield [Rejected(*row) for row in batch]

    def summary(self) -> Summary:
        """What the written rows hold: whether a key comes twice, and the magnitudes of the numeric columns."""
        numeric = [name for name in self._columns if self._parsed[name].type in _NUMERIC]
        key = sql_name(self._source.key_column)
        aggregates = [f"count(*) > count(DISTINCT {key})"]
        for name in numeric:
            size = f"nullif(abs(cast({sql_name(name)} AS DOUBLE)), 0)"
            aggregates += [f"min({size})", f"max({size})"]
        row = self._connection.execute(f"SELECT {', '.join(aggregates)} FROM {self._written}").fetchall()[0]
        ranges = {
            name: NumberRange(smallest=row[1 + 2 * index], largest=row[2 + 2 * index])
            for index, name in enumerate(numeric)
        }
        return Summary(bool(row[0]), ranges)

    def repeated(self) -> Iterator[list[Repeated]]:
        """The written rows that are not the last of their key, in their order, in batches."""
        key = sql_name(self._source.key_column)
        column = self._parsed.get(self._source.key_column)
        text = self._typing.key_text(key, column.type if column else "string")
        result = self._connection.execute(
            f"SELECT row, last_row, {text} FROM (SELECT {key}, file_row_number AS row, "
            f"max(file_row_number) OVER (PARTITION BY {key}) AS last_row FROM {self._numbered()}) "
            "WHERE row < last_row ORDER BY row"
        )
        while batch := result.fetchmany(_BATCH_ROWS):
            yield [Repeated(*row) for row in batch]

    def drop_earlier_rows(self, scratch: Path) -> None:
        """Write the table again with only the last row of each key. The order of the others stays."""
        key = sql_name(self._source.key_column)
        self._connection.execute(
            f"COPY (SELECT * EXCLUDE (file_row_number) FROM {self._numbered()} WHERE file_row_number IN "
            f"(SELECT max(file_row_number) FROM {self._numbered()} GROUP BY {key}) ORDER BY file_row_number) "
            f"TO {sql_text(str(scratch))} {_PARQUET}"
        )
        scratch.replace(self._path)

    def _numbered(self) -> str:
        return f"read_parquet({sql_text(str(self._path))}, file_row_number = true, hive_partitioning = false)"

    def _broken(self) -> str:
        """Whether a record has a text that is not of its column's type."""
        checks = [
            self._typing.broken(self._texts[name], self._values[name], column)
            for name, column in self._parsed.items()
            if column.type != "string"
        ]
        return " OR ".join(checks) or "false"

    def _rejects(self) -> str:
        missing = [f"{self._values[name]} IS NULL" for name in self._columns if name in self._required]
        return " OR ".join([*missing, self._broken()])

    def _typed_records(self, files: list[ReadableFile]) -> str:
        values = [
            f"{self._typing.value(self._texts[name], column)} AS {self._values[name]}"
            for name, column in self._parsed.items()
        ]
        runs = [self._read(list(run)) for _, run in groupby(files, key=_reading)] or [self._nothing()]
        return f"(SELECT *, {', '.join(values)} FROM ({' UNION ALL '.join(runs)}))"

    def _nothing(self) -> str:
        texts = [f"cast(NULL AS VARCHAR) AS {text}" for text in self._texts.values()]
        return f"SELECT {', '.join(texts)} WHERE false"

    def _read(self, files: list[ReadableFile]) -> str:
        """The texts of files that are read alike, as t0, t1 ... in the order of the declared columns."""
        fields = files[0].raw.fields
        texts = [f"f{fields.index(name)} AS {text}" for name, text in self._texts.items()]
        paths = ", ".join(sql_text(str(file.screened.path)) for file in files)
        names = ", ".join(f"'f{index}': 'VARCHAR'" for index in range(len(fields)))
        options = ", ".join(f"{name} = {value}" for name, value in _reading(files[0])[1])
        return f"SELECT {', '.join(texts)} FROM read_csv([{paths}], columns = {{{names}}}, {options})"


def _reading(file: ReadableFile) -> tuple[tuple[str | None, ...], tuple[tuple[str, str], ...]]:
    """What files must have in common to be read by one call: their fields and DuckDB's options for them."""
    screened = file.screened
    quote = screened.written_as.quote.decode() if screened.has_quotes else ""
    options = {
        "auto_detect": "false",
        "header": "false",
        "skip": str(screened.skip),
        "delim": sql_text(screened.written_as.delimiter.decode()),
        "quote": sql_text(quote),
        "escape": sql_text(quote),
        "new_line": r"'\r\n'" if screened.newline == b"\r\n" else r"'\n'",
        "compression": "'none'",
        "nullstr": "['']",
    }
    if screened.path != screened.raw:
        options["max_line_size"] = str(_MENDED_LINE_BYTES)
    if screened.multiline:
        options["parallel"] = "false"
    return file.raw.fields, tuple(options.items())
