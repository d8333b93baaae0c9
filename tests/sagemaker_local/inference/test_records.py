"""Records of a batch: split, filtered, joined, put together."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featuremill.sagemaker_local.transform.container import limits
from featuremill.sagemaker_local.transform.errors import ClientError
from featuremill.sagemaker_local.transform.processing import Path, assemble, predictions, processing
from featuremill.sagemaker_local.transform.splitting import split, whole

LINES = st.lists(st.text("abc,1", max_size=8), max_size=30)


@given(lines=LINES, most=st.integers(8, 40))
def test_payloads_hold_all_records_in_order_and_fit(lines: list[str], most: int) -> None:
    text = "\n".join(lines).encode()
    payloads = list(split(io.BytesIO(text), "MultiRecord", most, lambda record: record))
    records = [record.raw.decode() for payload in payloads for record in payload.records]
    assert records == [line for line in lines if line]
    assert all(len(payload.body) <= most for payload in payloads)
    position = 1
    for payload in payloads:
        assert payload.first == position
        position += len(payload.records)
    for one, two in zip(payloads, payloads[1:], strict=False):
        assert len(one.body) + 1 + len(two.records[0].sent) > most


@given(lines=LINES)
def test_single_records_are_a_payload_each(lines: list[str]) -> None:
    payloads = list(split(io.BytesIO("\r\n".join(lines).encode()), "SingleRecord", None, lambda record: record))
    assert [(payload.first, payload.body.decode()) for payload in payloads] == list(
        enumerate([line for line in lines if line], start=1)
    )


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ClientError, match="record 2 has 20 bytes"):
        list(split(io.BytesIO(b"a\n" + b"b" * 20), "MultiRecord", 10, lambda record: record))
    with pytest.raises(ClientError, match="larger than MaxPayloadInMB"):
        list(whole(io.BytesIO(b"a" * 11), 10))
    assert next(whole(io.BytesIO(b"a\nb"), 3)).body == b"a\nb"


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("$", [1, 2], [1, 2]),
        ("$[1:]", [1, 2, 3], [2, 3]),
        ("$[:-1]", [1, 2, 3], [1, 2]),
        ("$[0,-1]", [1, 2, 3], [1, 3]),
        ("$[-1]", [1, 2, 3], 3),
        ("$[5:]", [1], []),
        ("$.a", {"a": [1]}, [1]),
        ("$.a.b", {"a": {"b": 2}}, 2),
        ("$['a','b']", {"a": 1, "b": 2}, [1, 2]),
        ("$.a[1:]", {"a": [1, 2]}, [2]),
    ],
)
def test_paths(path: str, value: object, found: object) -> None:
    assert Path(path).of(value) == found


def test_a_path_to_nothing_is_told() -> None:
    with pytest.raises(ClientError, match=r"nothing is at '\$.b'"):
        Path("$.b").of({"a": 1})


CELLS = st.lists(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6), min_size=1, max_size=5
)


@given(record=CELLS, prediction=CELLS)
def test_csv_is_joined_column_after_column(record: list[str], prediction: list[str]) -> None:
    made = processing({"JoinSource": "Input"}, "text/csv", "text/csv")
    dump = processing({}, "text/csv", None)._dump
    assert made.kept(dump(record), dump(prediction)) == dump(record + prediction)


def test_json_that_is_no_object_is_joined_under_two_names() -> None:
    made = processing({"JoinSource": "Input"}, "application/jsonlines", "application/jsonlines")
    assert json.loads(made.kept(b"[1, 2]", b'{"p": 3}')) == {"SageMakerInput": [1, 2], "SageMakerOutput": {"p": 3}}
    assert json.loads(made.kept(b'{"a": 1}', b"3")) == {"a": 1, "SageMakerOutput": 3}
    with pytest.raises(ClientError, match="not valid json"):
        made.kept(b"{", b"1")


def test_answers_are_taken_apart_and_put_together() -> None:
    assert predictions(b"1,2\r\n3,4\n", 2, "csv") == [b"1,2", b"3,4"]
    assert predictions(b'{\n "a": 1\n}\n', 1, "json") == [b'{\n "a": 1\n}']
    with pytest.raises(ClientError, match="2 records with 1 lines"):
        predictions(b"1\n", 2, "csv")
    assert assemble([b"a", b"b\n"], by_line=True) == b"a\nb\n"
    assert assemble([b"a", b"b"], by_line=False) == b"ab"


def test_limits_come_from_the_job_then_the_container_then_aws() -> None:
    assert limits({}, {}).most_bytes == 6 * 1024 * 1024
    told = {"MaxConcurrentTransforms": 4, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 2}
    found = limits({}, told)
    assert (found.concurrent, found.strategy, found.most_bytes) == (4, "SingleRecord", 2 * 1024 * 1024)
    found = limits({"MaxConcurrentTransforms": 1, "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 0}, told)
    assert (found.concurrent, found.strategy, found.most_bytes) == (1, "MultiRecord", None)
    with pytest.raises(ClientError, match="exceeds 100"):
        limits({"MaxPayloadInMB": 50}, told)
