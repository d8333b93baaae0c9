"""Matching headers to declared columns."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from featuremill.connectors.csv_header import Header, inspect_header
from featuremill.connectors.csv_paths import LandedFile
from featuremill.errors import DataError, UsageError
from featuremill.spec.models import Source


def inspect(tmp_path: Path, data: bytes, columns: dict[str, Any] | None = None, **connector: Any) -> Header:
    path = tmp_path / "loans.csv"
    path.write_bytes(data)
    source = Source.model_validate(
        {
            "connector": {"kind": "csv", "path": "{landing}/{ds}/*.csv", **connector},
            "columns": columns or {"loan_id": "bigint", "amount": "double"},
        }
    )
    return inspect_header(LandedFile(str(path), path.name, "2020-01-01", len(data)), source)


@pytest.mark.parametrize(
    "data",
    [
        b"loan_id,amount\n1,2\n",
        b"loan_id,amount",
        b"\xef\xbb\xbfloan_id,amount\r\n1,2\r\n",
        b'"loan_id","amount"\n',
        b"\n\r\nloan_id,amount\n",
        b" Loan_ID ,AMOUNT\n",
        gzip.compress(b"loan_id,amount\n1,2\n"),
        b"loan_id,amount\n\xff\xff\n",
    ],
)
def test_a_header_in_many_dresses(tmp_path: Path, data: bytes) -> None:
    assert inspect(tmp_path, data) == Header(("loan_id", "amount"))


def test_fields_may_come_in_any_order_and_extra_ones_are_told(tmp_path: Path) -> None:
    header = inspect(tmp_path, b"amount,note,loan_id,\n")
    assert header.fields == ("amount", None, "loan_id", None)
    (warning,) = header.warnings
    assert "loans.csv has 2 fields that are not declared and not taken in: note, ''" in warning


def test_the_exact_name_goes_before_one_in_another_case(tmp_path: Path) -> None:
    assert inspect(tmp_path, b"AMOUNT,amount,loan_id\n").fields == (None, "amount", "loan_id")


def test_a_column_may_be_called_otherwise_in_the_file(tmp_path: Path) -> None:
    columns = {"loan_id": "int", "amount": {"type": "double", "header": "Betrag, EUR"}}
    assert inspect(tmp_path, b'"Betrag, EUR",loan_id\n', columns).fields == ("amount", "loan_id")


@pytest.mark.parametrize(("delimiter", "written"), [(";", "';'"), ("\t", '"\\t"'), ("|", "'|'")])
def test_another_delimiter_is_named(tmp_path: Path, delimiter: str, written: str) -> None:
    with pytest.raises(DataError) as error:
        inspect(tmp_path, f"loan_id{delimiter}amount\n".encode())
    assert "loans.csv has no columns loan_id, amount" in str(error.value)
    assert f"set `delimiter: {written}`" in str(error.value)


def test_a_misspelt_name_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        inspect(tmp_path, b"loan_id,ammount,other\n")
    assert "has no column amount; header: loan_id, ammount, other. for amount did you mean 'ammount'?" in str(
        error.value
    )
    assert "`header: ammount`" in str(error.value)


def test_a_first_line_of_values_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="If the file has no header line, set `header: false`"):
        inspect(tmp_path, b"1,2.5\n2,3.5\n")


def test_a_name_that_comes_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the header names amount more than once"):
        inspect(tmp_path, b"loan_id,amount,amount\n")
    with pytest.raises(DataError, match="Amount, AMOUNT could all be 'amount'"):
        inspect(tmp_path, b"loan_id,Amount,AMOUNT\n")


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b"")])
def test_an_empty_file_is_an_error_if_a_header_is_expected(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match="is empty: a header line was expected"):
        inspect(tmp_path, data)
    assert inspect(tmp_path, data, header=False).fields == ("loan_id", "amount")


def test_files_that_are_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="zip archive"):
        inspect(tmp_path, b"PK\x03\x04rest")
    with pytest.raises(DataError, match="damaged gzip"):
        inspect(tmp_path, gzip.compress(b"loan_id,amount\n" * 1000)[:20])
    with pytest.raises(DataError, match=r"not UTF-8 \(byte 0: 80\)"):
        inspect(tmp_path, bytes(range(128, 256)) * 100)
    with pytest.raises(DataError, match="UTF-16: set `encoding: utf-16`"):
        inspect(tmp_path, "loan_id,amount\n".encode("utf-16"))
    with pytest.raises(DataError, match="no header in the first megabyte"):
        inspect(tmp_path, b"x" * (2 << 20))


def test_a_quote_that_is_not_closed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no CSV header"):
        inspect(tmp_path, b'"loan_id,amount\n1,2\n')


def test_a_quoted_name_may_span_lines_only_in_multiline_files(tmp_path: Path) -> None:
    columns = {"loan_id": "int", "amount": {"type": "double", "header": "amount\n(EUR)"}}
    data = b'loan_id,"amount\n(EUR)"\n'
    assert inspect(tmp_path, data, columns, multiline=True).fields == ("loan_id", "amount")
    with pytest.raises(DataError):
        inspect(tmp_path, data, columns)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "cp1252", "utf-8-sig"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    columns = {"loan_id": "int", "amount": {"type": "double", "header": "größe"}}
    data = "größe,loan_id\r\n1,2\r\n".encode(encoding)
    assert inspect(tmp_path, data, columns, encoding=encoding).fields == ("amount", "loan_id")


def test_an_unknown_encoding_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="encoding: 'utf-9' is not known"):
        inspect(tmp_path, b"loan_id,amount\n", encoding="utf-9")
