"""Taking in a landing with Spark, against the slow reference."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from featuremill.errors import DataError
from featuremill.spec.models import Source
from spark_jobs.ingest import ingest
from tests import reference_csv
from tests.local_engine.nasty_csv import Landing, landings
from tests.reference_csv import ReferenceFile
from tests.spark.landed import job_of, land, rows_in, sorted_rows, source_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ORDERS = source_of({"id": "bigint", "price": "double", "day": "date", "note": "string"}, key="id")
FIELDS = ("id", "price", "day", "note")
HEADER = b"id,price,day,note\n"
GOOD = b"1,2.5,2024-01-01,a\n"


def check(
    spark: SparkSession, folder: Path, source: Source, required: tuple[str, ...], *files: ReferenceFile
) -> reference_csv.Ingested:
    wanted = reference_csv.ingest(source, required, list(files))
    found = land(spark, folder, source, required, *files)
    assert sorted_rows(found.typed) == sorted_rows(wanted.typed)
    assert sorted_rows(found.quarantine) == sorted_rows(list(wanted.quarantine))
    kinds = {kind: wanted.count(kind) for kind in ("duplicate", "invalid", "malformed", "missing")}
    assert found.report.reasons == {kind: count for kind, count in kinds.items() if count}
    assert found.report.rows_in == len(wanted.typed) + len(wanted.quarantine)
    assert found.report.rows_typed == len(wanted.typed)
    assert found.report.rows_duplicate == kinds["duplicate"]
    assert found.report.rows_quarantined == len(wanted.quarantine) - kinds["duplicate"]
    return wanted


@contextmanager
def small_blocks(spark: SparkSession, size: int) -> Iterator[None]:
    """Spark cuts files into blocks of so many bytes."""
    names = ("spark.sql.files.maxPartitionBytes", "spark.sql.files.openCostInBytes")
    for name in names:
        spark.conf.set(name, str(size))
    yield
    for name in names:
        spark.conf.unset(name)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(landing=landings())
def test_random_landings_equal_the_reference(spark: SparkSession, landing: Landing) -> None:
    with TemporaryDirectory() as folder, small_blocks(spark, 40):
        check(spark, Path(folder), landing.source, landing.required, *landing.files)


def test_every_way_that_a_line_can_be_wrong(spark: SparkSession, tmp_path: Path) -> None:
    first = ReferenceFile(
        "a, b [1].csv",
        b"\xef\xbb\xbf"
        + HEADER
        + GOOD
        + b'2,"2.5",2024-01-01,"say ""hi"", all"\r\n'
        + b"\n\r\n"
        + b'3,1,2024-01-01,"open\n'
        + b'4,1,2024-01-01,"shut"x\n'
        + b"5,1,2024-01-01\n6,1,2024-01-01,a,b\n"
        + b"7,1,2024-01-01,\xffbad\xe2\x82\n"
        + b"8,1e400,2024-02-30,both wrong\n"
        + b",1,2024-01-01,no key\n"
        + b"9,1,2024-01-01,"
        + b"x" * 1_048_600
        + b"\n10,-0.0,0001-01-01,\xf0\x9f\x98\x80 \0 '\\'\n"
        + GOOD,
        FIELDS,
    )
    second = ReferenceFile(
        "b.csv",
        b"note;price;id;more;day\n".replace(b";", b",") + b"again,3,1,?,\n",
        ("note", "price", "id", None, "day"),
    )
    wanted = check(spark, tmp_path, ORDERS, ("id",), first, second)
    assert [(row[1], row[4]) for row in wanted.quarantine] == [
        ("duplicate", 2),
        ("malformed", 6),
        ("malformed", 7),
        ("malformed", 8),
        ("malformed", 9),
        ("malformed", 10),
        ("invalid", 11),
        ("missing", 12),
        ("malformed", 13),
        ("duplicate", 15),
    ]


def test_records_over_several_lines(spark: SparkSession, tmp_path: Path) -> None:
    source = source_of({"id": "int", "note": "string"}, key="id", multiline=True)
    too_long = b'7,"' + b"y" * 700_000 + b"\n" + b"z" * 700_000 + b'"\n'
    data = (
        b'id,note\n1,"two\nlines"\n\n2,"crlf\r\nin it"\r\n3,"bad" x\n4,"\xff\n\n"\n5,a"b\n'
        + too_long
        + b'8,"never closed\n9,x'
    )
    check(spark, tmp_path, source, ("id",), ReferenceFile("m.csv", data, ("id", "note")))


def test_a_landing_without_rows(spark: SparkSession, tmp_path: Path) -> None:
    found = land(
        spark, tmp_path, ORDERS, ("id",), ReferenceFile("a.csv", HEADER, FIELDS), ReferenceFile("b.csv", b"", FIELDS)
    )
    assert (found.report.rows_in, found.typed, found.quarantine) == (0, [], [])


def test_where_the_blocks_end_changes_no_byte(spark: SparkSession, tmp_path: Path) -> None:
    lines = b"".join(b"%d,%d.5,2024-01-01,%s\n" % (n % 300, n, b"n" * (n % 7)) for n in range(400))
    files = (ReferenceFile("a.csv", HEADER + lines, FIELDS), ReferenceFile("b.csv", HEADER + b"x\n" + lines, FIELDS))
    written = []
    for size in (1_777, 128 << 20):
        with small_blocks(spark, size):
            land(spark, tmp_path / str(size), ORDERS, ("id",), *files)
        folders = [tmp_path / str(size) / name for name in ("typed", "quarantine")]
        written.append([path.read_bytes() for folder in folders for path in sorted(folder.iterdir())])
    assert written[0] == written[1]
    assert len(rows_in(tmp_path / "1777" / "typed")) == 300


def test_gzip_files_are_read(spark: SparkSession, tmp_path: Path) -> None:
    packed = ReferenceFile("a.csv.gz", gzip.compress(b"\xef\xbb\xbf" + HEADER + GOOD + b"oops\n"), FIELDS)
    found = land(spark, tmp_path, ORDERS, ("id",), packed)
    assert len(found.typed) == 1
    assert found.quarantine == [("oops", "malformed", "1 fields, expected 4", "a.csv.gz", 3)]


def test_a_gzip_file_that_ends_too_early_is_named(spark: SparkSession, tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b"%d,1,2024-01-01,a\n" % n for n in range(50_000)))
    cut = ReferenceFile("cut.csv.gz", whole[: len(whole) // 2], FIELDS)
    with pytest.raises(
        DataError, match=r"shop.orders ds=2024-01-31: file /\S*/raw/cut.csv.gz (ends too early|cannot be)"
    ):
        land(spark, tmp_path, ORDERS, ("id",), cut)


def test_a_file_that_spark_would_pass_over_is_named(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="_orders.csv.*rename it"):
        land(spark, tmp_path, ORDERS, ("id",), ReferenceFile("_orders.csv", HEADER + GOOD, FIELDS))


def test_a_file_that_is_gone_is_named(spark: SparkSession, tmp_path: Path) -> None:
    job = job_of(tmp_path, ORDERS, ("id",), (ReferenceFile("gone.csv", HEADER, FIELDS),))
    (tmp_path / "raw" / "gone.csv").unlink()
    with pytest.raises(DataError, match=r"Path does not exist.*gone\.csv"):
        ingest(spark, job)


def test_magnitudes_of_numbers(spark: SparkSession, tmp_path: Path) -> None:
    source = source_of({"n": "bigint", "x": "double", "zero": "int", "s": "string"})
    data = b"n,x,zero,s\n-9223372036854775808,-0.25,0,a\n3,1e300,0,b\n0,0,0,c\n,,,d\n"
    report = land(spark, tmp_path, source, (), ReferenceFile("a.csv", data, ("n", "x", "zero", "s"))).report
    assert {name: (known.smallest, known.largest) for name, known in report.ranges.items()} == {
        "n": (3.0, float(2**63)),
        "x": (0.25, 1e300),
        "zero": (None, None),
    }


def test_settings_of_the_session_are_left_as_they_were(spark: SparkSession, tmp_path: Path) -> None:
    before = spark.conf.get("spark.sql.files.minPartitionNum", None)
    land(spark, tmp_path, ORDERS, ("id",), ReferenceFile("a.csv", HEADER + GOOD, FIELDS))
    assert spark.conf.get("spark.sql.files.minPartitionNum", None) == before
