"""Writing parquet folders, and the paths and names that go into Spark."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pyspark.sql import DataFrame, SparkSession


def quoted(name: str) -> str:
    """A column name as SQL takes it: hyphens and reserved words are allowed."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text as a SQL string that means exactly that text."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def array_of(texts: Iterable[str]) -> str:
    """Texts as a SQL array."""
    return f"array({', '.join(map(literal, texts))})"


def glob_safe(location: str) -> str:
    """A path that means itself where Spark takes globs."""
    return re.sub(r"([*?\[\]{}\\])", r"\\\1", location)


LOOKUP_ROW_GROUP = 20_480
"""Rows a row group of a table that is read by id: a point read touches one."""


def write_parquet(spark: SparkSession, frame: DataFrame, folder: str, row_group: int | None = None) -> int:
    """Write a frame into an existing empty folder: part files and nothing else. Returns the rows, counted from the
    footers of what was written.

    The same rows in the same order give the same data pages. Footers list the encodings of a column in the order of a
    Java hash set, which differs from process to process; so do the file names. `row_group`: at most so many rows in
    each, instead of parquet's 128 MB.
    """
    writer = frame.write.mode("append").option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    if row_group is not None:
        writer = writer.option("parquet.block.row.count.limit", row_group)
    writer.option("compression", "zstd").parquet(folder)
    _drop_checksums(folder)
    return spark.read.schema(frame.schema).parquet(glob_safe(folder)).count()


def local_path(location: str) -> Path | None:
    """The path of a local folder given as a path or a file: URI; None for one that lies elsewhere."""
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in location else Path(location)


def _drop_checksums(folder: str) -> None:
    """Hadoop's local file system leaves a hidden .crc beside every file; other file systems leave none."""
    path = local_path(folder)
    if path is not None and path.is_dir():
        for checksum in path.glob(".*.crc"):
            checksum.unlink()
