"""Landings as the runner asks for them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from featuremill.connectors.csv_landing import Landings
from featuremill.errors import DataError
from featuremill.spec.models import Source


def landings(tmp_path: Path, **connector: str) -> Landings:
    source = Source.model_validate(
        {"connector": {"kind": "csv", "path": "{landing}/{ds}/*", **connector}, "columns": {"a": "int", "b": "string"}}
    )
    return Landings(source, "things", str(tmp_path / "landing"), tmp_path / "state")


def put(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / "landing" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_a_landing_is_known_by_the_content_of_its_files(tmp_path: Path) -> None:
    put(tmp_path, "2020-01-01/x.csv", b"a,b\n1,x\n")
    put(tmp_path, "2020-01-02/y.csv", b"a,b\n1,x\n")
    put(tmp_path, "2020-01-02/z.csv", b"a,b\n2,x\n")
    found = landings(tmp_path).find("2020-01-02")
    assert list(found) == ["2020-01-01", "2020-01-02"]
    assert found["2020-01-01"].hashes["x.csv"] == found["2020-01-02"].hashes["y.csv"]
    assert found["2020-01-02"].hashes["y.csv"] != found["2020-01-02"].hashes["z.csv"]


def test_raw_files_have_their_headers_matched(tmp_path: Path) -> None:
    put(tmp_path, "2020-01-01/x.csv", b"b,a,c\nx,1,y\n")
    put(tmp_path, "2020-01-01/y.csv.gz", gzip.compress(b"A,B\n1,x\n"))
    (first, second), warnings = landings(tmp_path).read("2020-01-01")
    assert (first.fields, second.fields) == (("b", "a", None), ("a", "b"))
    assert [Path(file.uri).name for file in (first, second)] == ["x.csv", "y.csv.gz"]
    (warning,) = warnings
    assert warning.startswith("things: ") and "x.csv has a field that is not declared and not taken in: c" in warning


def test_files_in_other_encodings_are_read_from_copies(tmp_path: Path) -> None:
    put(tmp_path, "2020-01-01/x.csv", "a,b\n1,é\n".encode("utf-16"))
    there = landings(tmp_path, encoding="utf-16")
    ((file,), _) = there.read("2020-01-01")
    assert Path(file.uri).read_text() == "a,b\n1,é\n"
    assert file.name == "x.csv"
    del there
    assert not Path(file.uri).exists()


def test_a_day_without_files_has_none(tmp_path: Path) -> None:
    assert landings(tmp_path).read("2020-01-01") == ([], [])
    assert landings(tmp_path).find("2020-01-01") == {}


def test_a_header_that_does_not_fit_stops_the_landing(tmp_path: Path) -> None:
    put(tmp_path, "2020-01-01/x.csv", b"a;b\n1;x\n")
    with pytest.raises(DataError, match="set `delimiter: ';'`"):
        landings(tmp_path).read("2020-01-01")
