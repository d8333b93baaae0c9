"""Request files: CSV and JSON to the same texts, and errors that name the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from featuremill.connectors.request_files import as_source_rows, has_columns, read_request_file, wrong_rows
from featuremill.errors import DataError, UsageError
from featuremill.spec.models import Source

SOURCE = Source.model_validate(
    {
        "connector": {"kind": "csv", "path": "{landing}/x/ds={ds}/*.csv"},
        "columns": {
            "age": "int",
            "is-smoker": "boolean",
            "town": {"type": "string", "header": "City Name"},
            "weight": "double",
        },
    }
)


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_csv_and_json_are_the_same_rows(tmp_path: Path) -> None:
    as_csv = write(tmp_path, "a.csv", 'AGE,is-smoker,City Name,weight,more\n54,true,"Ulm, Donau",70.5,x\n,,,,\n')
    as_json = write(
        tmp_path,
        "a.json",
        '[{"age": 54, "is-smoker": true, "city name": "Ulm, Donau", "weight": 70.5, "more": [1]},'
        ' {"age": null, "is-smoker": null, "city name": null, "weight": null}]',
    )
    first = as_source_rows(read_request_file(as_csv, "csv"), SOURCE)
    assert first[0] == {"age": "54", "is-smoker": "true", "town": "Ulm, Donau", "weight": "70.5"}
    other = as_source_rows(read_request_file(as_json, "json"), SOURCE)
    assert other[0] == first[0]
    assert {name: value or None for name, value in first[1].items()} == other[1]


@pytest.mark.parametrize("text", ['{"age": 1}', '{"instances": [{"age": 1}]}', '{"age": 1}\n', '[{"age": 1}]'])
def test_forms_of_json(tmp_path: Path, text: str) -> None:
    assert read_request_file(write(tmp_path, "a.json", text), "json").records == [{"age": 1}]


def test_an_object_a_line(tmp_path: Path) -> None:
    rows = read_request_file(write(tmp_path, "a.json", '{"age": 1}\n\n{"age": 2}\n'), "json")
    assert rows.records == [{"age": 1}, {"age": 2}]
    assert has_columns(rows, ["age"]) and not has_columns(rows, ["age", "town"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "has no rows"),
        ("a.csv", "age,town\n", "has no rows"),
        ("a.csv", "age,age\n1,2\n", "names a column more than once"),
        ("a.csv", "age,town\n1,Ulm\n2\n", "line 3 has 1 fields, the header has 2"),
        ("a.csv", 'age,town\n1,"Ulm\n', "is no CSV"),
        ("a.json", "{", "is no JSON"),
        ("a.json", '[{"age": NaN}]', "NaN is not a JSON number"),
        ("a.json", "[1]", "row 1 is not an object"),
        ("a.json", "3", "a list of objects is wanted"),
        ("a.json", '{"age": 1}\n{"age": \n', "line 2 is no JSON"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, text: str, message: str) -> None:
    kind = "csv" if name.endswith("csv") else "json"
    with pytest.raises(DataError, match=message) as caught:
        read_request_file(write(tmp_path, name, text), kind)  # type: ignore[arg-type]
    assert str(tmp_path / name) in str(caught.value)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_request_file(tmp_path / "none.csv", "csv")
    (tmp_path / "b.csv").write_bytes(b"age\n\xff\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_request_file(tmp_path / "b.csv", "csv")


def test_wrong_rows_are_named_by_their_lines(tmp_path: Path) -> None:
    rows = read_request_file(write(tmp_path, "a.csv", "age\n1\n\nx\n"), "csv")
    assert wrong_rows(tmp_path / "a.csv", rows, {1: "age: 'x' is not an int"}).endswith(
        "line 4: age: 'x' is not an int"
    )
