"""Rows as the endpoint takes them, and its answers as tables.

Texts go out as JSON: it tells null from an empty text, holds sets, and Python writes a float so that reading it gives
the same float back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from featuremill.errors import DataError

JSON = "application/json"
JSON_LINES = "application/jsonlines"

COLUMNS: dict[str, tuple[str, ...]] = {
    "binary": ("predicted_label", "probability", "lower", "upper"),
    "multiclass": ("predicted_label", "probability", "lower", "upper"),
    "regression": ("predicted_label", "lower", "upper"),
    "one_vs_rest": ("labels", "probabilities", "lower", "upper"),
}
"""Task -> the columns that an endpoint's answer has unless others are asked for."""

_PER_VALUE = {"probability": "probabilities", "lower": "lower", "upper": "upper"}


def records(rows: pa.Table, columns: Sequence[str], values: Mapping[str, Sequence[str]] | None = None) -> Iterator[Any]:
    """Each row as a JSON object of the given columns. Raises DataError if one is not there.

    `values`: for a one_vs_rest model, {label column: the values to answer for}, put into every row.
    """
    missing = [name for name in columns if name not in rows.column_names]
    if missing:
        raise DataError(f"the rows have no column {', '.join(missing)}; they have {', '.join(rows.column_names)}")
    more = {name: list(asked) for name, asked in (values or {}).items()}
    for batch in rows.select(list(columns)).to_batches(max_chunksize=8_192):
        for row in batch.to_pylist():
            yield {name: _plain(name, value) for name, value in row.items()} | more


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"column {name} has {value}, which is no number that can be sent; make it null")
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def instances(found: Iterable[Any]) -> bytes:
    """One request body for all the records."""
    return _dumped({"instances": list(found)})


def line(record: Any) -> bytes:
    """One line of a jsonlines body."""
    return _dumped(record) + b"\n"


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def read_answer(body: bytes, where: str) -> list[dict[str, Any]]:
    """The predictions of a JSON answer. Raises DataError, quoting its beginning, if it is none."""
    try:
        found = json.loads(body)["predictions"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{where} answered something else than predictions: {body[:200]!r}") from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DataError(f"{where} answered something else than a list of predictions: {body[:200]!r}")
    return found


def read_lines(body: bytes, where: str) -> list[dict[str, Any]]:
    """The predictions of a jsonlines answer; each line is one, or an object with `predictions` of several."""
    found: list[dict[str, Any]] = []
    for number, text in enumerate(body.split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except ValueError as error:
            raise DataError(f"{where}, line {number} is not JSON: {text[:200]!r}") from error
        found += value["predictions"] if set(value) == {"predictions"} else [value]
    return found


def answer_table(task: str, label: str, predictions: Sequence[Mapping[str, Any]], label_type: pa.DataType) -> pa.Table:
    """Predictions as columns, a row each, in order.

    binary, regression, multiclass: `predicted_label` of the label's type, the others double. one_vs_rest: `labels`
    list<string>, and `probabilities`, `lower`, `upper` list<double>, in the order of the labels; values that the model
    does not know are left out. Raises DataError if a prediction has not what it must have.
    """
    if task == "one_vs_rest":
        predictions = [_per_value(label, one) for one in predictions]
        types: dict[str, pa.DataType] = {"labels": pa.list_(pa.string())}
        types |= {name: pa.list_(pa.float64()) for name in _PER_VALUE.values()}
    else:
        types = {name: pa.float64() for name in COLUMNS[task]}
        if task != "regression":
            types["predicted_label"] = label_type
    try:
        columns = {name: pa.array([one[name] for one in predictions], kind) for name, kind in types.items()}
    except KeyError as error:
        raise DataError(
            f"a prediction has no {error.args[0]}; a {task} model must answer {', '.join(types)}"
        ) from error
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"a prediction is of the wrong type: {error}") from error
    return pa.table(columns)


def _per_value(label: str, prediction: Mapping[str, Any]) -> dict[str, Any]:
    """`{"<label>": {"<value>": {"probability": ..}}}` -> lists."""
    answered = {value: one for value, one in sorted(prediction[label].items()) if one is not None}
    lists: dict[str, Any] = {"labels": list(answered)}
    for name, column in _PER_VALUE.items():
        lists[column] = [one[name] for one in answered.values()]
    return lists
