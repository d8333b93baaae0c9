"""Taking in a landing with DuckDB, against the slow reference."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featuremill.errors import DataError
from featuremill.local_engine import ingest_blocks, ingest_grammar
from featuremill.local_engine.ingest import ingest
from featuremill.local_engine.session import LocalSettings
from featuremill.spec.models import Source
from featuremill.steps.jobs import IngestJob, IngestReport, RawFile
from tests import reference_csv
from tests.local_engine.nasty_csv import Landing, landings
from tests.reference_csv import ReferenceFile


@dataclass(frozen=True)
class Result:
    report: IngestReport
    typed: list[tuple[Any, ...]]
    quarantine: list[tuple[Any, ...]]
    typed_path: Path


def run(
    folder: Path, source: Source, required: tuple[str, ...], files: tuple[ReferenceFile, ...], threads: int = 2
) -> Result:
    for name in ("raw", "typed", "quarantine"):
        (folder / name).mkdir(parents=True)
    raw = []
    for file in files:
        path = folder / "raw" / file.name
        path.write_bytes(file.data)
        raw.append(
            RawFile(
                uri=str(path),
                name=file.name,
                size=len(file.data),
                content_hash=hashlib.md5(file.data).hexdigest(),
                fields=file.fields,
                header=file.header,
            )
        )
    job = IngestJob(
        pipeline="p",
        source_name="s",
        source=source,
        ds="2020-01-01",
        required=required,
        files=tuple(raw),
        typed_dir=str(folder / "typed"),
        quarantine_dir=str(folder / "quarantine"),
    )
    report = ingest(job, LocalSettings(folder / "scratch", memory_limit="1GB", threads=threads))
    (typed_path,) = (folder / "typed").iterdir()
    (quarantine_path,) = (folder / "quarantine").iterdir()
    assert not [path for path in (folder / "scratch").iterdir() if path.name != "duckdb"]
    return Result(report, rows(typed_path), rows(quarantine_path), typed_path)


def rows(path: Path) -> list[tuple[Any, ...]]:
    table = pq.read_table(path)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def check(landing: Landing, folder: Path) -> None:
    expected = reference_csv.ingest(landing.source, landing.required, list(landing.files))
    found = run(folder, landing.source, landing.required, landing.files)
    assert found.quarantine == expected.quarantine
    assert found.typed == expected.typed
    assert found.report.rows_typed == len(expected.typed)
    assert found.report.rows_quarantined == expected.count("malformed", "invalid", "missing")
    assert found.report.rows_duplicate == expected.count("duplicate")
    assert found.report.rows_in == len(expected.typed) + len(expected.quarantine)


@given(landings())
@settings(max_examples=60, deadline=None)
def test_equals_the_reference(landing: Landing) -> None:
    with TemporaryDirectory() as folder:
        check(landing, Path(folder))


@given(landings(), st.integers(1, 60), st.integers(8, 80))
@settings(max_examples=60, deadline=None)
def test_equals_the_reference_wherever_blocks_end(landing: Landing, block: int, longest: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest_blocks, "BLOCK_BYTES", block)
        patch.setattr(ingest_grammar, "MAX_LINE_BYTES", longest)
        patch.setattr(reference_csv, "MAX_LINE_BYTES", longest)
        check(landing, Path(folder))


# --- what a user meets, one by one -----------------------------------------------------------------------------------

COLUMNS = {"k": "bigint", "x": "double", "s": "string"}


def source(columns: dict[str, Any] | None = None, key: str | None = "k", **connector: Any) -> Source:
    return Source.model_validate(
        {
            "connector": {"kind": "csv", "path": "{landing}/{ds}/*.csv", **connector},
            "key": key,
            "columns": columns or COLUMNS,
        }
    )


def take_in(folder: Path, *data: bytes, spec: Source | None = None, **options: Any) -> Result:
    spec = spec or source()
    fields = tuple(spec.columns)
    files = tuple(
        ReferenceFile(f"{letter}.csv", content, fields, spec.connector.header)
        for letter, content in zip("abc", data, strict=False)
    )
    return run(folder, spec, ("k",) if spec.key else (), files, **options)


def kinds(result: Result) -> list[tuple[str, str, int]]:
    """Kind, reason and line number of the quarantined lines."""
    return [(row[1], row[2], row[4]) for row in result.quarantine]


def test_each_wrong_line_is_told_with_its_reason_and_number(tmp_path: Path) -> None:
    data = b'k,x,s\n1,1.5,a\n\n2,1\n3,abc,b\n4,"2,c\n,3,d\n5,4,\xff\n6,x,' + b"e" * 5 + b"\n1,7,last\n"
    result = take_in(tmp_path, data)
    assert result.typed == [(1, 7.0, "last")]
    assert result.quarantine == [
        ("1,1.5,a", "duplicate", "key 1 comes again in line 10 of a.csv", "a.csv", 2),
        ("2,1", "malformed", "2 fields, expected 3", "a.csv", 4),
        ("3,abc,b", "invalid", "x: 'abc' is not a double", "a.csv", 5),
        ('4,"2,c', "malformed", "bad quoting", "a.csv", 6),
        (",3,d", "missing", "k is missing", "a.csv", 7),
        ("5,4,\\xff", "malformed", "line is not valid UTF-8", "a.csv", 8),
        ("6,x,eeeee", "invalid", "x: 'x' is not a double", "a.csv", 9),
    ]
    report = result.report
    assert (report.rows_in, report.rows_typed, report.rows_quarantined, report.rows_duplicate) == (8, 1, 6, 1)
    assert report.reasons == {"duplicate": 1, "invalid": 2, "malformed": 3, "missing": 1}


def test_the_last_line_of_the_last_file_wins(tmp_path: Path) -> None:
    result = take_in(tmp_path, b"k,x,s\n1,1,a\n2,1,a\n1,2,a\n", b"k,x,s\n3,3,b\n1,3,b\n")
    assert result.typed == [(2, 1.0, "a"), (3, 3.0, "b"), (1, 3.0, "b")]
    assert kinds(result) == [
        ("duplicate", "key 1 comes again in line 3 of b.csv", 2),
        ("duplicate", "key 1 comes again in line 3 of b.csv", 4),
    ]


def test_a_key_whose_later_line_is_wrong_keeps_its_earlier_one(tmp_path: Path) -> None:
    result = take_in(tmp_path, b"k,x,s\n1,1,a\n1,oops,b\n")
    assert result.typed == [(1, 1.0, "a")]
    assert [kind for kind, _, _ in kinds(result)] == ["invalid"]


def test_rows_without_a_key_get_the_md5_of_their_fields(tmp_path: Path) -> None:
    result = take_in(tmp_path, b"k,x,s\n 7,1.50,\n,,b\n 7,1.50,\n", spec=source(key=None))
    keys = [hashlib.md5(b"\x1f".join(fields)).hexdigest() for fields in ([b"", b"", b"b"], [b" 7", b"1.50", b""])]
    assert result.typed == [(keys[0], None, None, "b"), (keys[1], 7, 1.5, None)]
    assert kinds(result) == [("duplicate", f"key {keys[1]} comes again in line 4 of a.csv", 2)]


@pytest.mark.parametrize(
    "data",
    [
        b"k,x,s\n1,2,a\n2,3,b\n",
        b"k,x,s\n1,2,a\n2,3,b",
        b"k,x,s\r\n1,2,a\r\n2,3,b\r\n",
        b"k,x,s\r\n1,2,a\r\n2,3,b",
        b"k,x,s\n1,2,a\r\n2,3,b\n",
        b"\xef\xbb\xbfk,x,s\r\n1,2,a\r\n2,3,b\r\n",
        b"\n\nk,x,s\n\n1,2,a\n\n\n2,3,b\n\n\n",
        b'"k","x","s"\n"1","2","a"\n"2","3","b"',
        gzip.compress(b"k,x,s\n1,2,a\n2,3,b\n"),
        gzip.compress(b"k,x,s\n1,2,a\n") + gzip.compress(b"2,3,b\n"),
    ],
)
def test_the_same_rows_in_many_dresses(tmp_path: Path, data: bytes) -> None:
    result = take_in(tmp_path, data)
    assert result.typed == [(1, 2.0, "a"), (2, 3.0, "b")]
    assert result.quarantine == []
    assert result.report.rows_in == 2


@pytest.mark.parametrize("data", [b"k,x,s\n", b"k,x,s", b"", b"k,x,s\n\n\n"])
def test_a_file_without_rows_gives_empty_tables(tmp_path: Path, data: bytes) -> None:
    result = take_in(tmp_path, data)
    assert (result.typed, result.quarantine, result.report.rows_in) == ([], [], 0)
    assert pq.read_schema(result.typed_path).names == ["k", "x", "s"]


def test_a_damaged_gzip_file_stops_the_landing_and_writes_nothing(tmp_path: Path) -> None:
    whole = gzip.compress(b"k,x,s\n" + b"".join(b"%d,2,a\n" % n for n in range(10_000)))
    for number, data in enumerate((whole[:-4], whole[:200], whole[:500] + b"?" + whole[501:])):
        with pytest.raises(DataError, match=r"b\.csv is a damaged gzip file"):
            take_in(tmp_path / str(number), b"k,x,s\n1,2,a\n", data)
        assert list((tmp_path / str(number) / "typed").iterdir()) == []


def test_over_long_lines_are_cut_and_their_neighbours_stay(tmp_path: Path) -> None:
    long = b"2,3," + b"y" * (10 << 20)
    just_right = b"4,5," + b"z" * ((1 << 20) - 4)
    result = take_in(
        tmp_path, b"k,x,s\n1,2,a\n" + long + b"\n3,4,b\n" + just_right + b"\n" + just_right + b"z\n6,7,c\n"
    )
    assert [row[0] for row in result.typed] == [1, 3, 4, 6]
    assert kinds(result) == [("malformed", reference_csv.TOO_LONG, line) for line in (3, 6)]
    assert result.quarantine[0][0] == long[: 1 << 20].decode()


def test_quoted_line_breaks_need_multiline(tmp_path: Path) -> None:
    data = b'k,x,s\n1,2,"a\nb"\n2,3,"c\r\n\nd"\n'
    several = take_in(tmp_path / "several", data, spec=source(multiline=True))
    assert several.typed == [(1, 2.0, "a\nb"), (2, 3.0, "c\r\n\nd")]
    single = take_in(tmp_path / "single", data)
    assert [(reason, line) for _, reason, line in kinds(single)] == [
        ("bad quoting", 2),
        ("1 fields, expected 3", 3),
        ("bad quoting", 4),
        ("1 fields, expected 3", 6),
    ]


def test_a_quote_that_is_never_closed_costs_one_line(tmp_path: Path) -> None:
    rows = b"".join(b'%d,1,"t\nt"\n' % n for n in range(2, 5000))
    result = take_in(tmp_path, b'k,x,s\n1,2,"oops\n' + rows, spec=source(multiline=True))
    assert kinds(result) == [("malformed", "bad quoting", 2)]
    assert len(result.typed) == 4998


def test_ranges_are_the_magnitudes_of_the_numeric_columns(tmp_path: Path) -> None:
    spec = source({"k": "bigint", "x": "double", "i": "int", "s": "string"})
    result = take_in(tmp_path, b"k,x,i,s\n-9223372036854775808,0.25,0,a\n2,-8,0,\n3,,,\n", spec=spec)
    shown = {name: (found.smallest, found.largest) for name, found in result.report.ranges.items()}
    assert shown == {"k": (2.0, 2.0**63), "x": (0.25, 8.0), "i": (None, None)}


def test_types_are_stored_as_hive_reads_them(tmp_path: Path) -> None:
    spec = source(
        {"k": "bigint", "t": "timestamp", "d": "date", "b": "boolean", "i": "int", "x": "double", "s": "string"}
    )
    result = take_in(tmp_path, b"k,t,d,b,i,x,s\n1,2020-01-01T10:00:00.5+02:00,2020-02-29,Yes,5,-0.0,a\n", spec=spec)
    schema = pq.read_schema(result.typed_path)
    assert schema.types == [
        pa.int64(),
        pa.timestamp("us", "UTC"),
        pa.date32(),
        pa.bool_(),
        pa.int32(),
        pa.float64(),
        pa.string(),
    ]
    ((_, time, day, flag, whole, real, _),) = result.typed
    assert (time, day) == (datetime(2020, 1, 1, 8, 0, 0, 500_000, tzinfo=UTC), date(2020, 2, 29))
    assert (flag, whole, repr(real)) == (True, 5, "0.0")


@pytest.fixture(scope="module")
def large() -> bytes:
    """60,000 rows, 6 MB: every 1000th wrong in some way, keys that come again, some quotes."""
    wrong = [b"%d,1", b"%d,x,s", b',"%d",s', b'%d,1,"s', b"%d,1,\xfe", b'%d,1,say "hi"']
    lines = [b"k,x,s"]
    for number in range(60_000):
        if number % 1000 == 999:
            lines.append(wrong[number // 1000 % len(wrong)] % number)
        else:
            lines.append(b'%d,%d.25,"%s"' % (number if number % 5000 else 5, number, b"text " * (number % 30)))
    return b"\n".join(lines) + b"\n"


def test_a_large_file_equals_the_reference(tmp_path: Path, large: bytes) -> None:
    file = ReferenceFile("a.csv", large, ("k", "x", "s"))
    check(Landing(source(), ("k",), (file,)), tmp_path)


def test_the_bytes_do_not_depend_on_the_threads(tmp_path: Path, large: bytes) -> None:
    clean = b"k,x,s\n" + b"".join(b"%d,%d.5,%s\n" % (n, n, b"abc" * (n % 40)) for n in range(250_000))
    for name, data in (("large", large), ("clean", clean)):
        digests = {
            hashlib.md5(take_in(tmp_path / f"{name}{n}", data, threads=n).typed_path.read_bytes()).hexdigest()
            for n in (1, 2, 4)
        }
        assert len(digests) == 1
