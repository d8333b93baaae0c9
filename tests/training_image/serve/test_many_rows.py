"""Many rows take other ways than few, by Arrow and NumPy: the values, the errors and the bytes must be the same."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.training_image.serve.artefacts import FEATURES, PREPARATION, rows
from tests.training_image.serve.bodies import csv_bytes, json_rows
from training_image.artefact import FeatureType, ModelManifest
from training_image.number_preparing import BLOCK
from training_image.preparing import Column, Preparer
from training_image.serving import csv_body
from training_image.serving.csv_body import CsvReader
from training_image.serving.errors import RequestError
from training_image.serving.fields import Field, fields_of
from training_image.serving.json_body import JsonReader
from training_image.serving.predictor import Predictor
from training_image.serving.ranges import Ranges
from training_image.serving.rows import Rows

COUNT = 30
GOOD: dict[FeatureType, str] = {
    "int": "30",
    "double": "10.5",
    "bigint": "7",
    "boolean": "true",
    "string": "Rochester",
    "date": "1980-01-31",
    "timestamp": "2001-01-01T00:00:00Z",
    "array<string>": "[]",
}
NUMBERS = ["", "0", "-0.0", "1e5", "5.", ".5", "+5", " 5", "5 ", "007", "1_0", "0x10", "nan", "NaN", "inf", "-Infinity"]
NUMBERS += ["1e999", "1e-999", "9007199254740993", "123456789012345678901234567890", "0.1234567890123456789", "١"]
OTHERS = ["true", "TRUE", "tRue", " true", "0", "1", "2", "2020-02-30", "2020-1-1", "2020-01-01 10:00:00+02:00", "null"]
OTHERS += ["[]", "[1]", "\ufeff", "ä", "\x00", "a\rb", "\r", "\x85", "\u2028", "x,y", ",", "'", "\\N", "NULL", "#N/A"]
CELLS = st.sampled_from(NUMBERS + OTHERS) | st.floats().map(repr) | st.integers().map(str) | st.text(max_size=4)
JSON_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 1, -1, 2.0, 2.5, 2**53 + 1, 2**63, 1e300, "", "x", "2020-01-31", [], ["red"], [1], {}]
)


@pytest.fixture(scope="module")
def fields(predictors: dict[str, Predictor]) -> tuple[Field, ...]:
    manifest: ModelManifest = predictors["binary"].model.manifest
    return fields_of(manifest)


def read(reader: Any, body: bytes) -> list[Any] | str:
    """The rows' values, row by row, or the error."""
    try:
        found: Rows = reader.read(body)
    except RequestError as error:
        return str(error)
    return [list(row) for row in zip(*(plain(column) for column in found.columns), strict=True)]


def plain(column: Column) -> list[Any]:
    if isinstance(column, np.ndarray):
        return [None if np.isnan(value) else repr(float(value)) for value in column]
    values: list[Any] = column.to_pylist()
    return values


@settings(max_examples=200, deadline=None)
@given(st.integers(0, COUNT - 1), st.integers(0, len(FEATURES) - 1), CELLS, st.sampled_from(["\n", "\r\n"]))
@example(3, 4, '"quoted"', "\n")
@example(0, 0, "age,income,account,member,town,born,seen,tags\n30", "\n")
def test_csv_is_read_by_arrow_as_by_python(
    fields: tuple[Field, ...], row: int, column: int, cell: str, end: str
) -> None:
    table = [[GOOD[feature.type] for feature in FEATURES] for _ in range(COUNT)]
    table[row][column] = cell
    body = "".join(",".join(cells) + end for cells in table).encode(errors="surrogatepass")
    reader = CsvReader(fields)
    fast = read(reader, body)
    before = csv_body.MANY
    csv_body.MANY = 1 << 30
    try:
        assert fast == read(reader, body)
    finally:
        csv_body.MANY = before


def test_blocks_of_a_large_body_are_one_table(fields: tuple[Field, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsed in parallel; texts of each block have a dictionary of their own."""
    table = rows(900, seed=13)
    plain_towns = pa.array([f"town {number}" for number in range(900)])
    table = table.set_column(4, "town", plain_towns).set_column(7, "tags", pa.nulls(900, pa.list_(pa.string())))
    body = csv_bytes(table)
    whole = read(CsvReader(fields), body)
    monkeypatch.setattr(csv_body, "LEAST_BLOCK", 1)
    assert read(CsvReader(fields), body) == whole
    monkeypatch.setattr(csv_body, "MANY", 1 << 30)
    assert read(CsvReader(fields), body) == whole
    assert len(whole) == 900


def test_arrow_does_read_csv(fields: tuple[Field, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test above would compare Python's way with itself."""
    monkeypatch.setattr(CsvReader, "_rows", None)
    body = (",".join(GOOD[feature.type] for feature in FEATURES) + "\n").encode() * COUNT
    missing = b"," * (len(FEATURES) - 1) + b"\n"
    found = CsvReader(fields).read(body + missing)
    assert found.count == COUNT + 1
    assert [plain(column)[-1] for column in found.columns] == [None] * len(FEATURES)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, COUNT - 1), st.integers(0, len(FEATURES) - 1), JSON_VALUES, st.booleans())
def test_json_rows_are_read_together_as_alone(
    fields: tuple[Field, ...], row: int, column: int, value: Any, objects: bool
) -> None:
    good: list[Any] = [30, 10.5, 7, True, "Rochester", "1980-01-31", "2001-01-01T00:00:00Z", ["red"]]
    odd = [*good[:column], value, *good[column + 1 :]]
    many = [good] * row + [odd] + [good] * (COUNT - row)
    names = [feature.name for feature in FEATURES]
    body: Any = [dict(zip(names, each, strict=True)) for each in many] if objects else many
    reader = JsonReader(fields)
    together = read(reader, orjson.dumps(body))
    try:
        single = reader.read(orjson.dumps([body[row]])).single
    except RequestError as error:
        assert together == str(error).replace("row 1:", f"row {row + 1}:")
        return
    assert isinstance(together, list) and single is not None
    assert together[row] == [repr(each) if type(each) is float else each for each in single]


def test_blocks_of_rows_are_prepared_and_flagged_as_rows_alone(predictors: dict[str, Predictor]) -> None:
    table = rows(BLOCK + 300, seed=11)
    preparer, ranges = Preparer(FEATURES, PREPARATION), Ranges(FEATURES)
    whole = preparer.prepare(table)
    for start in (0, 100, BLOCK - 50, BLOCK, BLOCK + 200):
        np.testing.assert_array_equal(preparer.prepare(table.slice(start, 90)), whole[start : start + 90])
    reader = JsonReader(fields_of(predictors["binary"].model.manifest))
    flags = ranges.of_columns(reader.read(orjson.dumps(json_rows(table))).columns)
    some = [0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 299]
    for row, alone in zip(some, json_rows(table.take(pa.array(some))), strict=True):
        single = reader.read(orjson.dumps(alone)).single
        assert single is not None and flags.get(row, []) == ranges.of_row(single)
    assert any(row >= BLOCK for row in flags)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("attributes", [None, "output=predicted_label,raw_score,flags", "explain=true"])
def test_answers_are_written_as_a_json_library_writes_them(
    predictors: dict[str, Predictor], task: str, attributes: str | None
) -> None:
    predictor = predictors[task]
    body = csv_bytes(rows(60, seed=12))
    found = predictor.respond(body, "text/csv", "application/json", attributes).body
    assert orjson.dumps(orjson.loads(found)) == found
    lines = predictor.respond(body, "text/csv", "application/jsonlines", attributes).body.splitlines()
    assert [json.loads(line) for line in lines] == json.loads(found)["predictions"]
    assert len(lines) == 60
