"""Keys sort like the values, differ where the values differ, and nothing else can be asked for."""

from __future__ import annotations

import contextlib
import struct
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featuremill.lookup.keys import BadId, KeyCodec, text_key
from featuremill.lookup.publication.key_columns import column_keys
from featuremill.lookup.records import iso_time
from featuremill.spec.types import COLUMN_TYPES, ColumnType

_TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
_VALUES: dict[str, tuple[st.SearchStrategy[Any], pa.DataType]] = {
    "boolean": (st.booleans(), pa.bool_()),
    "int": (st.integers(-(2**31), 2**31 - 1), pa.int32()),
    "bigint": (st.integers(-(2**63), 2**63 - 1), pa.int64()),
    "double": (st.floats(allow_nan=False, allow_infinity=False), pa.float64()),
    "string": (st.text(max_size=700), pa.string()),
    "date": (st.dates(date(1, 1, 1), date(9999, 12, 31)), pa.date32()),
    "timestamp": (_TIMES, pa.timestamp("us", tz="UTC")),
}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return iso_time(value)
    return value.isoformat() if isinstance(value, date) else str(value)


@pytest.mark.parametrize("kind", COLUMN_TYPES)
@given(data=st.data())
def test_text_json_column_and_value_give_one_key(kind: ColumnType, data: st.DataObject) -> None:
    strategy, arrow = _VALUES[kind]
    values = data.draw(st.lists(strategy, min_size=1, max_size=5))
    codec = KeyCodec(kind)
    keys = column_keys(pa.array(values, arrow), kind)
    assert keys == [codec.from_value(value) for value in values]
    assert keys == [codec.from_text(_text(value)) for value in values]
    written = [_text(v) if isinstance(v, date) else v for v in values]
    assert keys == [codec.from_json(value) for value in written]


@pytest.mark.parametrize("kind", [kind for kind in COLUMN_TYPES if kind != "string"])
@given(data=st.data())
def test_keys_sort_like_values(kind: ColumnType, data: st.DataObject) -> None:
    strategy, _ = _VALUES[kind]
    one, other = data.draw(strategy), data.draw(strategy)
    codec = KeyCodec(kind)
    first, second = codec.from_value(one), codec.from_value(other)
    assert (first < second) == (one < other)
    assert (first == second) == (one == other)


@given(st.text(max_size=300), st.text(max_size=300))
def test_text_keys_sort_like_utf8_while_short(one: str, other: str) -> None:
    if max(len(one.encode()), len(other.encode())) <= 480:
        assert (text_key(one) < text_key(other)) == (one.encode() < other.encode())


@given(st.text(min_size=1, max_size=4), st.integers(0, 3), st.text(max_size=4))
def test_long_texts_keep_apart_and_fit(unit: str, more: int, end: str) -> None:
    stem = unit * 600
    keys = {text_key(text) for text in (stem, stem + end + "x", stem + "x" * more + "y")}
    assert len(keys) == len({stem, stem + end + "x", stem + "x" * more + "y"})
    assert all(len(key) <= 511 for key in keys)


@pytest.mark.parametrize("kind", COLUMN_TYPES)
@given(text=st.text(max_size=60))
def test_any_text_is_a_key_or_a_bad_id(kind: ColumnType, text: str) -> None:
    try:
        assert isinstance(KeyCodec(kind).from_text(text), bytes)
    except BadId as error:
        assert str(error).encode()


@pytest.mark.parametrize("kind", COLUMN_TYPES)
@given(
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.lists(st.integers())
    | st.just({})
)
def test_any_json_is_a_key_or_a_bad_id(kind: ColumnType, value: Any) -> None:
    with contextlib.suppress(BadId):
        assert isinstance(KeyCodec(kind).from_json(value), bytes)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("bigint", "9223372036854775808"),
        ("bigint", "-9223372036854775809"),
        ("bigint", "007"),
        ("bigint", "+7"),
        ("bigint", "-0"),
        ("bigint", "1e3"),
        ("bigint", "1_000"),
        ("bigint", "\u0661\u0662"),
        ("bigint", "9" * 100_000),
        ("bigint", ""),
        ("int", "2147483648"),
        ("double", "nan"),
        ("double", "inf"),
        ("double", "1_0"),
        ("boolean", "True"),
        ("date", "2024-02-30"),
        ("date", "20240201"),
        ("timestamp", "2024-02-01"),
        ("timestamp", "0001-01-01T00:00:00+23:59x"),
        ("string", "x" * 5_000),
        ("string", "\ud800"),
    ],
)
def test_what_is_no_id_is_refused(kind: ColumnType, text: str) -> None:
    with pytest.raises(BadId):
        KeyCodec(kind).from_text(text)


def test_whole_keys_are_eight_bytes_big_endian() -> None:
    assert KeyCodec("bigint").from_text("-1") == struct.pack(">Q", 2**63 - 1)


def test_whole_numbers_may_be_written_as_floats_while_these_are_exact() -> None:
    codec = KeyCodec("bigint")
    assert codec.from_json(7.0) == codec.from_json(7)
    for value in (7.5, 2.0**53 + 2, -(2.0**63), float("nan"), float("inf")):
        with pytest.raises(BadId):
            codec.from_json(value)


def test_both_zeros_are_one_id() -> None:
    assert KeyCodec("double").from_text("-0.0") == KeyCodec("double").from_text("0")
