"""Encodings and compression of raw files."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featuremill.connectors import csv_text
from featuremill.connectors.csv_paths import LandedFile
from featuremill.connectors.csv_text import readable_uri
from featuremill.errors import DataError


def landed(path: Path, data: bytes) -> LandedFile:
    path.write_bytes(data)
    return LandedFile(str(path), path.name, "2020-01-01", len(data))


def test_plain_utf8_and_gzip_are_read_where_they_lie(tmp_path: Path) -> None:
    plain = landed(tmp_path / "a.csv", b"a")
    packed = landed(tmp_path / "a.csv.gz", gzip.compress(b"a"))
    for encoding in ("utf-8", "UTF8", "ascii"):
        assert readable_uri(plain, encoding, "h", tmp_path / "scratch") == plain.uri
        assert readable_uri(packed, encoding, "h", tmp_path / "scratch") == packed.uri


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "latin-1", "cp1252", "shift_jis"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_other_encodings_are_written_as_utf8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, name: str
) -> None:
    monkeypatch.setattr(csv_text, "_BLOCK", 3)
    text = "größe,x\r\n" * 5 if encoding != "shift_jis" else "値段,x\r\n" * 5
    data = text.encode(encoding)
    file = landed(tmp_path / name, gzip.compress(data) if name.endswith("gz") else data)
    uri = readable_uri(file, encoding, "h", tmp_path / "scratch")
    assert Path(uri).read_bytes().decode("utf-8-sig") == text
    assert readable_uri(file, encoding, "h", tmp_path / "scratch") == uri
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == [Path(uri).name]


def test_a_gzip_file_of_another_name_is_unpacked(tmp_path: Path) -> None:
    file = landed(tmp_path / "a.csv", gzip.compress(b"a,b\n"))
    assert Path(readable_uri(file, "utf-8", "h", tmp_path / "scratch")).read_bytes() == b"a,b\n"


@pytest.mark.parametrize("block", [1, 2, 7, 1 << 20])
def test_bytes_of_another_encoding_are_told_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(csv_text, "_BLOCK", block)
    data = "ab\ncd\n".encode("utf-16-le") + b"e\x00\x00\xdcf\x00"
    file = landed(tmp_path / "a.csv", data)
    with pytest.raises(DataError, match=r"is not utf-16-?le: byte 14 \(00 dc\) in line 3"):
        readable_uri(file, "utf-16-le", "h", tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_damaged_gzip_file_is_an_error(tmp_path: Path) -> None:
    file = landed(tmp_path / "a.csv.gz", gzip.compress("größe\n".encode("latin-1") * 1000)[:-9])
    with pytest.raises(DataError, match="damaged gzip"):
        readable_uri(file, "latin-1", "h", tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []


@given(st.text(), st.integers(1, 5))
def test_any_text_survives(text: str, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as name:
        folder = Path(name)
        patch.setattr(csv_text, "_BLOCK", block)
        file = landed(folder / "a.csv", text.encode("utf-16-le"))
        assert Path(readable_uri(file, "utf-16-le", "h", folder / "s")).read_bytes() == text.encode()
