"""Scores to the fields of an answer, and those to a body: JSON, JSON lines, CSV, parquet or Arrow IPC."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from training_image.number_preparing import Floats
from training_image.prediction import Contributions, Model, Scores, lists
from training_image.serving.bytes_of_rows import csv_texts, json_texts, woven
from training_image.serving.negotiation import Format
from training_image.serving.selection import Selection

Values: TypeAlias = Floats | Sequence[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """`columns`: the selected fields, each `count` values in an array or a list, with their Arrow types.

    `flags`: sentences by row, of the rows that have any. `contributions`: of JSON an object a row, else columns.
    """

    count: int
    columns: Mapping[str, Values]
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
    columns: dict[str, Values] = {}
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


def _labels(scores: Scores, classes: list[Any]) -> Values:
    if not classes:
        return np.asarray(scores.predicted, dtype=np.float64)
    return [classes[index] for index in scores.predicted.tolist()]


def _numbers(scores: Scores, name: str) -> Floats:
    """[rows], or [rows, classes]."""
    raw = scores.raw
    if name == "probability":
        assert scores.probability is not None
        return scores.probability
    if name == "probabilities":
        return _both(scores) if scores.probabilities is None else scores.probabilities
    if name == "raw_score":
        return raw if raw.ndim == 1 else raw[np.arange(len(raw)), scores.predicted.astype(np.intp)]
    if name == "raw_scores":
        return np.stack([-raw, raw], axis=1) if raw.ndim == 1 else raw
    return scores.lower if name == "lower" else scores.upper


def _both(scores: Scores) -> Floats:
    assert scores.probability is not None
    return np.stack([1.0 - scores.probability, scores.probability], axis=1)


def write(answered: Answer, kind: Format) -> bytes:
    """The body of an answer."""
    if kind == "json":
        return b'{"predictions":[' + _objects(answered, b"},")[:-1] + b"]}"
    if kind == "jsonlines":
        return _objects(answered, b"}\n")
    if kind == "csv":
        columns = [csv_texts(*column) for column in _flat(answered).values()]
        return woven([b"", *[b","] * (len(columns) - 1)], columns, [b"\n"] * answered.count)
    return table_bytes(_table(answered), kind)


def _objects(answered: Answer, end: bytes) -> bytes:
    """An object a row, each ending in `end`; `flags` where there are any, `contributions` and `bias` if asked for."""
    heads = [orjson.dumps(name) + b":" for name in answered.columns]
    texts = [json_texts(values, answered.types[name]) for name, values in answered.columns.items()]
    tails = [end] * answered.count
    if answered.contributions is not None:
        tails = [b"," + orjson.dumps(own)[1:-1] + end for own in explanations(answered.contributions)]
    if "flags" not in answered.columns:
        for row, flags in answered.flags.items():
            tails[row] = b',"flags":' + orjson.dumps(flags) + tails[row]
    return woven([b"{" + heads[0], *(b"," + head for head in heads[1:])], texts, tails)


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


def _flat(answered: Answer) -> dict[str, tuple[Values, pa.DataType]]:
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


def _table(answered: Answer) -> pa.Table:
    return pa.table({name: _array(values, kind) for name, (values, kind) in _flat(answered).items()})


def _array(values: Values, kind: pa.DataType) -> pa.Array:
    return lists(values) if isinstance(values, np.ndarray) and values.ndim == 2 else pa.array(values, kind)


def table_bytes(table: pa.Table, kind: Format) -> bytes:
    """A table as a parquet file or an Arrow IPC stream."""
    sink = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, sink)
    else:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()
