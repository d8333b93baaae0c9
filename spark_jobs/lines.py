"""The records of raw files on Spark, each with its file and its physical line number.

`Records.frame`: file int (index in name order), line_number bigint (1-based, where the record starts, header counted),
text string (as it stands in the file; bytes that are not UTF-8 are still in it), without byte order mark, line
ending, header and blank lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession

from featuremill.errors import DataError
from featuremill.steps.jobs import RawFile
from spark_jobs.output import glob_safe, literal, local_path
from spark_jobs.tokens import Tokeniser

_BYTES_A_TASK = 16 * 1024 * 1024
_MIN_TASKS = "spark.sql.files.minPartitionNum"

IndexedFile = tuple[int, RawFile]


@dataclass(frozen=True)
class Records:
    """The records of some files, and how many there are."""

    frame: DataFrame
    count: int


@contextmanager
def steady_blocks(spark: SparkSession, files: Sequence[RawFile]) -> Iterator[None]:
    """Cut files into tasks by their size alone.

    By default the cut follows the cores that happen to be there; two scans of the same file could then disagree on
    what the numbers of its rows are.
    """
    before = spark.conf.get(_MIN_TASKS, None)
    total = sum(file.size for file in files)
    spark.conf.set(_MIN_TASKS, str(max(1, -(-total // _BYTES_A_TASK))))
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(_MIN_TASKS)
        else:
            spark.conf.set(_MIN_TASKS, before)


def read_records(spark: SparkSession, files: Sequence[IndexedFile], tokeniser: Tokeniser) -> Records:
    """The records of some files; to be called, and its result run, inside `steady_blocks`.

    Raises DataError for a file that Spark does not see.
    """
    indexed = {_spark_path(file.uri): (index, file) for index, file in files}
    text = spark.read.text([glob_safe(path) for path in indexed], wholetext=tokeniser.multiline, lineSep="\n")
    seen = {_given(path) for path in text.inputFiles()}
    for path, (_, file) in indexed.items():
        if path not in seen:
            raise DataError(
                f"Spark does not read {file.name}: it takes files whose names begin with _ or . for hidden; rename it"
            )
    return _spanning(spark, text, indexed, tokeniser) if tokeniser.multiline else _single_lines(spark, text, indexed)


def _single_lines(spark: SparkSession, text: DataFrame, files: dict[str, IndexedFile]) -> Records:
    """One record a physical line. A line's number is its rank in its block and the lines in the blocks before."""
    # The text source takes the byte order mark off by itself.
    scan = text.selectExpr(
        f"{_without_line_end('value')} AS text",
        "_metadata.file_path AS path",
        "_metadata.file_block_start AS block",
        "monotonically_increasing_id() AS id",
    )
    places, count, header_line = [], 0, 0
    for block in _blocks(scan):
        index, file = files[_given(block.path)]
        if block.lines_before == 0:
            header_line = 0
        if file.header and not header_line and block.first_filled is not None:
            header_line = block.first_filled - block.first_id + block.lines_before + 1
            count -= 1
        count += block.lines - block.blank
        values = (literal(block.path), f"{block.start}L", block.first_id, block.lines_before, header_line, index)
        places.append(f"({', '.join(map(str, values))})")
    if not count:
        return Records(_no_records(spark), 0)
    names = "path, block, first_id, lines_before, header_line, file"
    placed = spark.sql(f"SELECT * FROM VALUES {', '.join(places)} AS p({names})")
    numbered = scan.join(placed.hint("broadcast"), ["path", "block"]).selectExpr(
        "file", "header_line", "CAST(id - first_id + lines_before + 1 AS BIGINT) AS line_number", "text"
    )
    rows = numbered.where("line_number <> header_line AND text <> ''")
    return Records(rows.select("file", "line_number", "text"), count)


@dataclass(frozen=True)
class _Block:
    """A part of a file that one task reads; its lines have the ids first_id, first_id + 1, ...

    `first_filled` is the id of its first line that is not blank.
    """

    path: str
    start: int
    first_id: int
    first_filled: int | None
    lines: int
    blank: int
    lines_before: int


def _blocks(scan: DataFrame) -> list[_Block]:
    """All blocks that hold lines, file by file, in the order of the file."""
    filled = "CASE WHEN text <> '' THEN id END"
    lines = scan.selectExpr("path", "block", "id", f"{filled} AS filled", f"{filled} AS filled_too")
    aggregates = {"id": "min", "block": "count", "filled": "min", "filled_too": "count"}
    rows = lines.groupBy("path", "block").agg(aggregates).collect()
    blocks: list[_Block] = []
    for row in sorted(rows, key=lambda row: (row["path"], row["block"])):
        last = blocks[-1] if blocks and blocks[-1].path == row["path"] else None
        count = row["count(block)"]
        blocks.append(
            _Block(
                path=row["path"],
                start=row["block"],
                first_id=row["min(id)"],
                first_filled=row["min(filled)"],
                lines=count,
                blank=count - row["count(filled_too)"],
                lines_before=last.lines_before + last.lines if last else 0,
            )
        )
    return blocks


def _no_records(spark: SparkSession) -> DataFrame:
    return spark.sql("SELECT 0 AS file, 0L AS line_number, '' AS text WHERE false")


def _spanning(spark: SparkSession, text: DataFrame, files: dict[str, IndexedFile], tokeniser: Tokeniser) -> Records:
    """Records may span lines: a file is one text, cut into records by the grammar. A file has to fit in memory."""
    paths = [row["path"] for row in text.selectExpr("_metadata.file_path AS path").collect()]
    if not paths:
        return Records(_no_records(spark), 0)
    indexed = [(literal(path), *files[_given(path)]) for path in paths]
    known = ", ".join(f"({path}, {index}, {str(file.header).lower()})" for path, index, file in indexed)
    named = spark.sql(f"SELECT * FROM VALUES {known} AS p(path, file, headed)")
    whole = text.selectExpr("CAST(value AS BINARY) AS bytes", "_metadata.file_path AS path").join(
        named.hint("broadcast"), "path"
    )
    bare = (
        "CASE WHEN hex(substring(bytes, 1, 3)) = 'EFBBBF' THEN substring(bytes, 4, octet_length(bytes)) ELSE bytes END"
    )
    cut = whole.selectExpr("file", "headed", f"{bare} AS whole").selectExpr(
        "file", "headed", f"posexplode({tokeniser.records('whole')}) AS (place, record)"
    )
    before = "PARTITION BY file ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    breaks = "octet_length(record) - octet_length(replace(record, '\\n', ''))"
    numbered = cut.selectExpr(
        "file",
        "headed",
        f"1 + coalesce(sum({breaks}) OVER ({before}), 0) AS line_number",
        f"{_without_line_end('record')} AS text",
    )
    filled = numbered.where("text <> ''")
    ranked = filled.selectExpr("*", "row_number() OVER (PARTITION BY file ORDER BY line_number) AS place")
    rows = ranked.where("NOT (headed AND place = 1)").select("file", "line_number", "text")
    return Records(rows, rows.count())


def _without_line_end(text: str) -> str:
    """A line without \\n or \\r\\n at its end. Works on bytes: `length` counts wrongly where they are not UTF-8."""
    cut = "CAST(substring(CAST({0} AS BINARY), 1, octet_length({0}) - {1}) AS STRING)"
    return (
        f"CASE WHEN endswith({text}, '\\r\\n') THEN {cut.format(text, 2)} "
        f"WHEN endswith({text}, '\\n') OR endswith({text}, '\\r') THEN {cut.format(text, 1)} ELSE {text} END"
    )


def _spark_path(uri: str) -> str:
    """A location as Hadoop's Path takes it: a local one without scheme and percent signs."""
    path = local_path(uri)
    return uri if path is None else str(path)


def _given(path: str) -> str:
    """A path as Spark gives it back (a URI), as it was asked for."""
    return re.sub(r"^file:/+", "/", unquote(path))
