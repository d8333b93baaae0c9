"""Entity ids as keys of the online store: what a request may ask for, and the bytes that it is found under.

A key is a string of bytes that sorts like the entity column does, so that a store built in key order is appended to.

    boolean, int, bigint, date (days), timestamp (microseconds)   8 bytes, big endian, sign bit flipped
    double                                                        8 bytes, IEEE 754 made sortable
    string                                                        0x01 and the UTF-8 bytes; beyond 480 bytes the
                                                                  first 470 of them and their SHA-256
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from featuremill.spec.types import ColumnType

MAX_ID_CHARACTERS = 4_096
_RAW_BYTES = 480
_PREFIX_BYTES = 470
_SIGN = 1 << 63
_EPOCH_DAY = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_pack = struct.Struct(">Q").pack

_RANGES = {"int": 31, "bigint": 63}
_FORMS = {
    "boolean": "true or false",
    "int": "a whole number of 32 bits, like 5008804, without leading zeros",
    "bigint": "a whole number of 64 bits, like 5008804, without leading zeros",
    "double": "a number, like 12.5",
    "string": "text",
    "date": "a day, like 2024-01-31",
    "timestamp": "a time in UTC, like 2024-01-31T12:00:00Z",
}


class BadId(ValueError):
    """An id that cannot be one of the pipeline's entities: `id` as it came (shortened), `wanted` the form."""

    def __init__(self, given: Any, wanted: str) -> None:
        text = given if isinstance(given, str) else repr(given)
        self.id = text if len(text) <= 80 else f"{text[:77]}..."
        self.wanted = wanted
        super().__init__(f"{self.id!r} is not an id of this pipeline; write {wanted}")


class KeyCodec:
    """Keys of one entity type."""

    def __init__(self, kind: ColumnType) -> None:
        self.kind: ColumnType = kind
        self.wanted = _FORMS[kind]
        self._parse: Callable[[str], bytes] = getattr(self, f"_parse_{_FAMILIES[kind]}")

    def from_text(self, text: str) -> bytes:
        """The key of an id as it stands in an URL. Raises BadId."""
        return self._parse(text)

    def from_json(self, value: Any) -> bytes:
        """The key of an id in a JSON body: its text, or for numbers and booleans the value itself. Raises BadId."""
        if isinstance(value, str):
            return self._parse(value)
        if isinstance(value, bool):
            if self.kind == "boolean":
                return whole_key(int(value))
        elif isinstance(value, int) and self.kind in ("int", "bigint", "double"):
            return self._parse(str(value))
        elif isinstance(value, float):
            if self.kind == "double":
                return self._parse(repr(value))
            # JSON does not tell 7.0 from 7; but beyond 2^53 it may be a whole number that lost its last digits.
            if value.is_integer() and abs(value) <= 2**53:
                return self.from_json(int(value))
        raise BadId(value, self.wanted)

    def from_value(self, value: Any) -> bytes:
        """The key of a value as parquet readers give it: bool, int, float, str, date or datetime (UTC)."""
        if isinstance(value, str):
            return text_key(value)
        if isinstance(value, datetime):
            return whole_key(_micros(value))
        if isinstance(value, date):
            return whole_key((value - _EPOCH_DAY).days)
        return double_key(value) if isinstance(value, float) else whole_key(int(value))

    def _parse_whole(self, text: str) -> bytes:
        if _WHOLE.fullmatch(text):
            value = int(text)
            limit = 1 << _RANGES[self.kind]
            if -limit <= value < limit:
                return _pack(value + _SIGN)
        raise BadId(text, self.wanted)

    def _parse_boolean(self, text: str) -> bytes:
        if text in ("true", "false"):
            return whole_key(int(text == "true"))
        raise BadId(text, self.wanted)

    def _parse_double(self, text: str) -> bytes:
        try:
            value = float(text) if len(text) <= 40 and text.isascii() and "_" not in text else math.nan
        except ValueError:
            raise BadId(text, self.wanted) from None
        if not math.isfinite(value):
            raise BadId(text, self.wanted)
        return double_key(value)

    def _parse_text(self, text: str) -> bytes:
        if len(text) > MAX_ID_CHARACTERS:
            raise BadId(text, f"text of at most {MAX_ID_CHARACTERS:,} characters")
        try:
            return text_key(text)
        except UnicodeEncodeError:
            raise BadId(ascii(text), "text that is valid Unicode") from None

    def _parse_date(self, text: str) -> bytes:
        try:
            day = date.fromisoformat(text) if len(text) == 10 and text.isascii() else None
        except ValueError:
            day = None
        if day is None:
            raise BadId(text, self.wanted)
        return whole_key((day - _EPOCH_DAY).days)

    def _parse_timestamp(self, text: str) -> bytes:
        try:
            moment = datetime.fromisoformat(text) if 19 <= len(text) <= 32 and text.isascii() else None
            if moment is not None:
                return whole_key(_micros(moment))
        except (ValueError, OverflowError):
            pass
        raise BadId(text, self.wanted)


_FAMILIES = {
    "boolean": "boolean",
    "int": "whole",
    "bigint": "whole",
    "double": "double",
    "string": "text",
    "date": "date",
    "timestamp": "timestamp",
}


def whole_key(value: int) -> bytes:
    """The key of a whole number of 64 bits."""
    return _pack(value + _SIGN)


def double_key(value: float) -> bytes:
    """The key of a double; 0.0 and -0.0 are the same id."""
    bits: int = struct.unpack(">Q", struct.pack(">d", value + 0.0))[0]
    return _pack(bits ^ (2 * _SIGN - 1) if bits & _SIGN else bits | _SIGN)


def text_key(text: str) -> bytes:
    """The key of a text."""
    raw = text.encode()
    if len(raw) <= _RAW_BYTES:
        return b"\x01" + raw
    return b"\x01" + raw[:_PREFIX_BYTES] + hashlib.sha256(raw).digest()


def _micros(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
