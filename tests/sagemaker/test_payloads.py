"""Rows out and predictions in."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from featuremill.errors import DataError
from featuremill.sagemaker import payloads
from featuremill.sagemaker.smoke import first_difference

ROWS = pa.table(
    {
        "flag": pa.array([True, None]),
        "count": pa.array([1, None], pa.int32()),
        "amount": pa.array([0.1, 1e-300], pa.float64()),
        "text": pa.array(['a "quoted"\nline', ""]),
        "day": pa.array([date(2024, 2, 29), None], pa.date32()),
        "at": pa.array([datetime(2024, 2, 29, 23, 59, 59, 999999, UTC), None], pa.timestamp("us", "UTC")),
        "plain_at": pa.array([datetime(2024, 2, 29, 12), None], pa.timestamp("us")),
        "tags": pa.array([["b", "a"], None], pa.list_(pa.string())),
    }
)


def test_every_type_goes_out_as_json() -> None:
    first, second = payloads.records(ROWS, ROWS.column_names)
    assert first == {
        "flag": True,
        "count": 1,
        "amount": 0.1,
        "text": 'a "quoted"\nline',
        "day": "2024-02-29",
        "at": "2024-02-29T23:59:59.999999Z",
        "plain_at": "2024-02-29T12:00:00Z",
        "tags": ["b", "a"],
    }
    assert second == {name: None for name in ROWS.column_names} | {"amount": 1e-300, "text": ""}
    assert json.loads(payloads.instances([first])) == {"instances": [first]}
    assert payloads.line(first).count(b"\n") == 1


def test_only_the_features_go_out_in_their_order() -> None:
    (record, _) = payloads.records(ROWS, ["text", "flag"], {"skills": ["sql"]})
    assert list(record) == ["text", "flag", "skills"]


def test_what_cannot_be_sent_is_named() -> None:
    with pytest.raises(DataError, match="no column income"):
        list(payloads.records(ROWS, ["flag", "income"]))
    with pytest.raises(DataError, match="column x has nan"):
        list(payloads.records(pa.table({"x": [float("nan")]}), ["x"]))


def test_answers_become_columns() -> None:
    body = b'{"predictions":[{"predicted_label":1,"probability":0.7,"lower":0.2,"upper":1,"flags":["x"]}]}'
    table = payloads.answer_table("binary", "y", payloads.read_answer(body, "e"), pa.int32())
    assert table.schema.field("predicted_label").type == pa.int32()
    assert table.to_pylist() == [{"predicted_label": 1, "probability": 0.7, "lower": 0.2, "upper": 1.0}]


def test_answers_by_value_become_lists() -> None:
    numbers = {"probability": 0.7, "lower": 0.2, "upper": 1.0}
    found = [{"skills": {"sql": numbers, "go": numbers, "cobol": None}, "flags": ["unknown"]}]
    table = payloads.answer_table("one_vs_rest", "skills", found, pa.list_(pa.string()))
    assert table.to_pylist() == [
        {"labels": ["go", "sql"], "probabilities": [0.7, 0.7], "lower": [0.2, 0.2], "upper": [1.0, 1.0]}
    ]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"predictions": 1}', b'{"predictions": [1]}'])
def test_what_is_no_answer_is_quoted(body: bytes) -> None:
    with pytest.raises(DataError, match="endpoint e answered something else"):
        payloads.read_answer(body, "endpoint e")


def test_lines_may_hold_one_or_several_predictions_and_blank_lines() -> None:
    body = b'{"a":1}\n\n{"predictions":[{"a":2},{"a":3}]}\n{"a":4}'
    assert [one["a"] for one in payloads.read_lines(body, "f")] == [1, 2, 3, 4]
    with pytest.raises(DataError, match="f, line 2 is not JSON"):
        payloads.read_lines(b'{"a":1}\nerror', "f")


def test_a_prediction_that_lacks_something_is_an_error() -> None:
    with pytest.raises(DataError, match="has no probability"):
        payloads.answer_table("binary", "y", [{"predicted_label": 1}], pa.int32())
    with pytest.raises(DataError, match="wrong type"):
        payloads.answer_table("regression", "y", [{"predicted_label": "x", "lower": 0, "upper": 0}], pa.float64())


def _binary(probability: float, label: object = 1) -> pa.Table:
    return pa.table({"predicted_label": [label], "probability": [probability], "lower": [0.0], "upper": [1.0]})


def test_differences_are_found_and_told() -> None:
    assert first_difference("binary", _binary(0.5), _binary(0.5 + 9e-7)) is None
    assert (
        first_difference("binary", _binary(0.5), _binary(0.5 + 2e-6)) == "row 0, probability: 0.5 instead of 0.500002"
    )
    assert (
        first_difference("binary", _binary(0.5, "a"), _binary(0.5, "b")) == "row 0, predicted_label: 'a' instead of 'b'"
    )
    assert first_difference("binary", _binary(0.5, True), _binary(0.5, False)) is not None
    assert first_difference("binary", _binary(float("nan")), _binary(0.5)) is not None
