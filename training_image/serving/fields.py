"""One value of a request, as JSON or as CSV text, to the form the Preparer takes: float, str, list of str, or None.

A converter raises ValueError with what a value should have been; who calls adds row and column.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from training_image.artefact import FeatureType, ModelManifest
from training_image.preparing import Value

EPOCH = datetime.datetime(1970, 1, 1)
EPOCH_DAY = EPOCH.date().toordinal()
MICROSECOND = datetime.timedelta(microseconds=1)

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_TEXT_BOOLEANS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}

EXPECTED: dict[FeatureType, str] = {
    "boolean": "true or false",
    "int": "a whole number",
    "bigint": "a whole number",
    "double": "a number",
    "string": "a text",
    "date": "a date such as 2020-01-31",
    "timestamp": "a time such as 2020-01-31T12:00:00Z",
    "array<string>": "a list of texts",
}

Converter = Callable[[Any], Value]


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a request. `required`: it may not be null."""

    name: str
    type: FeatureType
    from_json: Converter
    from_text: Converter
    required: bool = False


def fields_of(manifest: ModelManifest) -> tuple[Field, ...]:
    """The columns of a request, in order: the features, and of one_vs_rest the label, which says what is asked for."""
    fields = [Field(f.name, f.type, JSON[f.type], TEXT[f.type]) for f in manifest.features]
    if manifest.task == "one_vs_rest":
        kind: FeatureType = "array<string>"
        fields.append(Field(manifest.label, kind, JSON[kind], TEXT[kind], required=True))
    return tuple(fields)


def _double(value: Any) -> Value:
    if type(value) is float or type(value) is int:
        number = float(value)
        if math.isfinite(number):
            return number
    elif value is None:
        return None
    raise ValueError(EXPECTED["double"])


def _whole(value: Any) -> Value:
    """A float is taken if it is whole: clients that know missing numbers as NaN only write 3.0 for 3."""
    if type(value) is int:
        return float(value)
    if value is None:
        return None
    if type(value) is float and value.is_integer():
        return value
    raise ValueError(EXPECTED["int"])


def _boolean(value: Any) -> Value:
    if value is True:
        return 1.0
    if value is False:
        return 0.0
    if value is None:
        return None
    raise ValueError(EXPECTED["boolean"])


def _string(value: Any) -> Value:
    if type(value) is str or value is None:
        return value
    raise ValueError(EXPECTED["string"])


def _date(value: Any) -> Value:
    if value is None:
        return None
    if type(value) is str and _DATE.fullmatch(value):
        try:
            return float(datetime.date.fromisoformat(value).toordinal() - EPOCH_DAY)
        except ValueError:
            pass
    raise ValueError(EXPECTED["date"])


def _timestamp(value: Any) -> Value:
    """Seconds since 1970-01-01 UTC, as the microseconds' float64 divided by a million: what Arrow columns give too."""
    if value is None:
        return None
    if type(value) is str and _TIME.fullmatch(value):
        try:
            time = datetime.datetime.fromisoformat(value)
            offset = time.utcoffset() or datetime.timedelta()
            return float((time.replace(tzinfo=None) - EPOCH - offset) // MICROSECOND) / 1e6
        except (ValueError, OverflowError):
            pass
    raise ValueError(EXPECTED["timestamp"])


def _texts(value: Any) -> Value:
    if type(value) is list and all(type(item) is str for item in value):
        return value
    if value is None:
        return None
    raise ValueError(EXPECTED["array<string>"])


def _number_text(text: str) -> Value:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    # Python's float() takes 1_000 too.
    if math.isfinite(number) and "_" not in text:
        return number
    raise ValueError(EXPECTED["double"])


def _whole_text(text: str) -> Value:
    try:
        return _whole(_number_text(text))
    except ValueError:
        raise ValueError(EXPECTED["int"]) from None


def _boolean_text(text: str) -> Value:
    if not text:
        return None
    value = _TEXT_BOOLEANS.get(text.strip().lower())
    if value is None:
        raise ValueError(EXPECTED["boolean"])
    return value


def _texts_text(text: str) -> Value:
    """A cell of CSV holds the list as JSON."""
    if not text:
        return None
    try:
        return _texts(orjson.loads(text))
    except ValueError:
        raise ValueError('a list of texts in JSON such as ["a","b"]') from None


JSON: dict[FeatureType, Converter] = {
    "boolean": _boolean,
    "int": _whole,
    "bigint": _whole,
    "double": _double,
    "string": _string,
    "date": _date,
    "timestamp": _timestamp,
    "array<string>": _texts,
}
TEXT: dict[FeatureType, Converter] = {
    "boolean": _boolean_text,
    "int": _whole_text,
    "bigint": _whole_text,
    "double": _number_text,
    "string": lambda text: text or None,
    "date": lambda text: _date(text or None),
    "timestamp": lambda text: _timestamp(text or None),
    "array<string>": _texts_text,
}
