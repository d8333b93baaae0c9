"""Columns of an answer to the bytes of its rows, without Python's looking at each number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from training_image.number_preparing import Floats


def woven(heads: Sequence[bytes], columns: Sequence[Sequence[bytes]], tails: Sequence[bytes]) -> bytes:
    """For each row, each column's text after its head, then the row's tail."""
    width = 2 * len(columns) + 1
    parts = [b""] * (width * len(tails))
    for position, (head, texts) in enumerate(zip(heads, columns, strict=True)):
        parts[2 * position :: width] = [head] * len(tails)
        parts[2 * position + 1 :: width] = texts
    parts[width - 1 :: width] = tails
    return b"".join(parts)


def json_texts(values: Floats | Sequence[Any], kind: pa.DataType) -> list[bytes]:
    """Each value as JSON; numbers shortest, so that they read back equal."""
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return [b"[" + text + b"]" for text in _dumped(values)[1:-1].split(b"],[")] if len(values) else []
    if _is_plain(kind):
        return _dumped(values).split(b",") if len(values) else []
    return _each(orjson.dumps, list(values), kind)


def csv_texts(values: Floats | Sequence[Any], kind: pa.DataType) -> list[bytes]:
    """Each value as a cell of CSV: numbers as in JSON, lists as JSON, quotes where RFC 4180 wants them."""
    if _is_plain(kind):
        return json_texts(values, kind)
    if isinstance(values, np.ndarray):
        return [_cell(text) for text in json_texts(values, kind)]
    return _each(lambda value: _cell(value.encode() if isinstance(value, str) else orjson.dumps(value)), values, kind)


def _is_plain(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _dumped(values: Floats | Sequence[Any]) -> bytes:
    """JSON of an array or a list, without the outer brackets."""
    return orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]


def _each(text: Callable[[Any], bytes], values: Sequence[Any], kind: pa.DataType) -> list[bytes]:
    """Labels are few: each distinct one is written once."""
    if not pa.types.is_string(kind):
        return [text(value) for value in values]
    known = {value: text(value) for value in set(values)}
    return [known[value] for value in values]


def _cell(text: bytes) -> bytes:
    if any(mark in text for mark in (b",", b'"', b"\n", b"\r")):
        return b'"' + text.replace(b'"', b'""') + b'"'
    return text
