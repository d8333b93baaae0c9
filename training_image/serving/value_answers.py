"""Answers of one_vs_rest: for each row, what the submodels say about the values that the row asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from training_image.prediction import Model
from training_image.preparing import Matrix
from training_image.serving.answers import table_bytes
from training_image.serving.errors import shown
from training_image.serving.negotiation import Format
from training_image.serving.selection import Selection


@dataclass(frozen=True, slots=True)
class ValueAnswer:
    """`asked`: each row's values. `found`: by row and value the fields, None for a value without a submodel."""

    label: str
    asked: Sequence[list[str]]
    found: Sequence[dict[str, dict[str, Any] | None]]
    flags: Mapping[int, list[str]]


def answer_values(
    model: Model, matrix: Matrix, asked: Sequence[list[str]], selection: Selection, flags: Mapping[int, list[str]]
) -> ValueAnswer:
    """Each submodel runs once, on the rows that ask for its value."""
    positions = {value: position for position, value in enumerate(model.manifest.values)}
    rows_of: dict[int, list[int]] = {}
    all_flags = {row: list(sentences) for row, sentences in flags.items()}
    found: list[dict[str, dict[str, Any] | None]] = []
    label = model.manifest.label
    for row, values in enumerate(asked):
        found.append(dict.fromkeys(values))
        for value in found[row]:
            position = positions.get(value)
            if position is None:
                all_flags.setdefault(row, []).append(f"{label}: the model knows nothing of {shown(value)}")
            else:
                rows_of.setdefault(position, []).append(row)
    for position, rows in rows_of.items():
        value = model.manifest.values[position]
        for row, fields in zip(rows, _fields(model, position, matrix[rows], selection), strict=True):
            found[row][value] = fields
    return ValueAnswer(label, asked, found, all_flags)


def _fields(model: Model, position: int, matrix: Matrix, selection: Selection) -> list[dict[str, Any]]:
    submodel = model.submodels[position]
    scores = submodel.scores(matrix)
    assert scores.probability is not None
    columns: dict[str, list[Any]] = {
        "predicted_label": (scores.predicted == 1).tolist(),
        "probability": scores.probability.tolist(),
        "raw_score": scores.raw.tolist(),
        "lower": scores.lower.tolist(),
        "upper": scores.upper.tolist(),
    }
    names = [name for name in selection.fields if name != "flags"]
    if selection.explain:
        features = [feature.name for feature in model.manifest.features]
        values, bias = submodel.contributions(matrix, model.preparer.feature_of, len(features))
        columns["contributions"] = [dict(zip(features, row, strict=True)) for row in values[:, 0].tolist()]
        columns["bias"] = bias[:, 0].tolist()
        names += ["contributions", "bias"]
    return [{name: columns[name][row] for name in names} for row in range(len(matrix))]


def write_values(answered: ValueAnswer, kind: Format, selection: Selection) -> bytes:
    """The body. JSON: {label: {value: fields or null}} a row; parquet, Arrow: lists, named as Model.predict does."""
    if kind in ("parquet", "arrow"):
        return table_bytes(_table(answered, selection), kind)
    rows: list[dict[str, Any]] = [{answered.label: found} for found in answered.found]
    for row, flags in answered.flags.items():
        rows[row]["flags"] = flags
    if kind == "json":
        return orjson.dumps({"predictions": rows})
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def _table(answered: ValueAnswer, selection: Selection) -> pa.Table:
    renamed = {"probability": "probabilities", "raw_score": "raw_scores"}
    columns: dict[str, pa.Array] = {
        "labels": pa.array([list(found) for found in answered.found], pa.list_(pa.string())),
    }
    for name in selection.fields:
        if name == "flags":
            continue
        cells = [[None if f is None else f[name] for f in found.values()] for found in answered.found]
        kind = pa.bool_() if name == "predicted_label" else pa.float64()
        columns[renamed.get(name, name)] = pa.array(cells, pa.list_(kind))
    if "flags" in selection.fields:
        flags = [answered.flags.get(row, []) for row in range(len(answered.found))]
        columns["flags"] = pa.array(flags, pa.list_(pa.string()))
    return pa.table(columns)


def asked_of(column: Any) -> list[list[str]]:
    """The asked values of each row, from an Arrow list array; nulls among them are passed over."""
    if isinstance(column, np.ndarray):
        raise TypeError("the asked values are texts")
    return [[value for value in values if value is not None] for values in column.to_pylist()]
