"""Scores to the fields of an answer, and those to a body: JSON, JSON lines, CSV, parquet or Arrow IPC."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from training_image.prediction import Contributions, Model, Scores
from training_image.serving.negotiation import Format
from training_image.serving.selection import Selection


@dataclass(frozen=True, slots=True)
class Answer:
    """`columns`: the selected fields, each a list of `count` values, with their Arrow types.

    `flags`: sentences by row, of the rows that have any. `contributions`: of JSON an object a row, else columns.
    """

    count: int
    columns: Mapping[str, Sequence[Any]]
    types: Mapping[str, pa.DataType]
    flags: Mapping[int, list[str]] = field(default_factory=dict)
    contributions: Contributions | None = None


def answer(
    model: Model, scores: Scores, selection: Selection, flags: Mapping[int, list[str]], shap: Contributions | None
) -> Answer:
    """The answer of a model with one head."""
    count = len(scores.lower)
    classes = list(model.manifest.classes)
    double = pa.float64()
    columns: dict[str, Sequence[Any]] = {}
    types: dict[str, pa.DataType] = {}
    for name in selection.fields:
        types[name] = pa.list_(double) if name in ("probabilities", "raw_scores") else double
        if name == "predicted_label":
            columns[name] = _labels(scores, classes)
            types[name] = model.label_type if classes else double
        elif name == "flags":
            columns[name] = [flags.get(row, []) for row in range(count)]
            types[name] = pa.list_(pa.string())
        elif name == "labels":
            columns[name] = [classes] * count
            types[name] = pa.list_(model.label_type)
        else:
            columns[name] = _numbers(scores, name)
    return Answer(count, columns, types, flags, shap)


def _labels(scores: Scores, classes: list[Any]) -> list[Any]:
    predicted: list[Any] = scores.predicted.tolist()
    return [classes[index] for index in predicted] if classes else predicted


def _numbers(scores: Scores, name: str) -> list[Any]:
    raw = scores.raw
    if name == "probability":
        assert scores.probability is not None
        found = scores.probability
    elif name == "probabilities":
        found = _both(scores) if scores.probabilities is None else scores.probabilities
    elif name == "raw_score":
        found = raw if raw.ndim == 1 else raw[np.arange(len(raw)), scores.predicted.astype(np.intp)]
    elif name == "raw_scores":
        found = np.stack([-raw, raw], axis=1) if raw.ndim == 1 else raw
    else:
        found = scores.lower if name == "lower" else scores.upper
    values: list[Any] = found.tolist()
    return values


def _both(scores: Scores) -> np.ndarray[Any, np.dtype[np.float64]]:
    assert scores.probability is not None
    return np.stack([1.0 - scores.probability, scores.probability], axis=1)


def write(answered: Answer, kind: Format) -> bytes:
    """The body of an answer."""
    if kind == "json":
        return orjson.dumps({"predictions": rows(answered)})
    if kind == "jsonlines":
        return b"".join(orjson.dumps(row) + b"\n" for row in rows(answered))
    if kind == "csv":
        return _csv(answered)
    return table_bytes(_table(answered), kind)


def rows(answered: Answer) -> list[dict[str, Any]]:
    """An object a row; `flags` only where there are any, `contributions` and `bias` where asked for."""
    names = list(answered.columns)
    found = [dict(zip(names, values, strict=True)) for values in zip(*answered.columns.values(), strict=True)]
    for row, flags in answered.flags.items():
        found[row]["flags"] = flags
    if answered.contributions is not None:
        for own, explained in zip(found, explanations(answered.contributions), strict=True):
            own.update(explained)
    return found


def explanations(shap: Contributions) -> list[dict[str, Any]]:
    """`contributions` by feature and `bias` of each row; of several outputs an object an output."""
    if len(shap.outputs) == 1:
        values, bias = shap.values[:, 0, :].tolist(), shap.bias[:, 0].tolist()
        return [
            {"contributions": dict(zip(shap.features, row, strict=True)), "bias": own}
            for row, own in zip(values, bias, strict=True)
        ]
    found = []
    for values, bias in zip(shap.values.tolist(), shap.bias.tolist(), strict=True):
        by_output = {
            output: dict(zip(shap.features, row, strict=True)) for output, row in zip(shap.outputs, values, strict=True)
        }
        found.append({"contributions": by_output, "bias": dict(zip(shap.outputs, bias, strict=True))})
    return found


def _flat(answered: Answer) -> dict[str, tuple[Sequence[Any], pa.DataType]]:
    """The columns with those of the contributions: `contributions` in the features' order (by output), `bias`."""
    columns = {name: (values, answered.types[name]) for name, values in answered.columns.items()}
    shap = answered.contributions
    if shap is not None:
        single = len(shap.outputs) == 1
        kind = pa.list_(pa.float64())
        columns["contributions"] = (
            (shap.values[:, 0] if single else shap.values).tolist(),
            kind if single else pa.list_(kind),
        )
        columns["bias"] = ((shap.bias[:, 0] if single else shap.bias).tolist(), pa.float64() if single else kind)
    return columns


def _csv(answered: Answer) -> bytes:
    texts = [_cells(values, kind) for values, kind in _flat(answered).values()]
    return "".join(",".join(row) + "\n" for row in zip(*texts, strict=True)).encode()


def _cells(values: Sequence[Any], kind: pa.DataType) -> list[str]:
    """Numbers and booleans as in JSON, shortest, so that they read back equal; texts and lists by `_cell`."""
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return orjson.dumps(values)[1:-1].decode().split(",") if values else []
    return [_cell(value) for value in values]


def _cell(value: Any) -> str:
    """A text, or a list as JSON; quotes where RFC 4180 wants them."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _table(answered: Answer) -> pa.Table:
    return pa.table({name: pa.array(values, kind) for name, (values, kind) in _flat(answered).items()})


def table_bytes(table: pa.Table, kind: Format) -> bytes:
    """A table as a parquet file or an Arrow IPC stream."""
    sink = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, sink)
    else:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()
