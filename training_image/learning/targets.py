"""The label: which values it has, checked for the task, and each row's as a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training_image.artefact import FeatureType
from training_image.learning.collective import Ring
from training_image.learning.errors import UserError
from training_image.parameters import Task

MAX_CLASSES = 1_000

Label = str | int | float | bool
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Target:
    """What is learned. `classes` (binary, multiclass) sorted: the booster's order; `values` (one_vs_rest) sorted."""

    task: Task
    label: str
    type: FeatureType
    classes: tuple[Label, ...] = ()
    values: tuple[str, ...] = ()

    def numbers(self, column: pa.ChunkedArray) -> Floats:
        """binary: 0, 1; multiclass: the class's position; regression: the number; NaN where the label is null.

        one_vs_rest has no single number: 0 where the label is there.
        """
        known = present(column)
        if self.task == "one_vs_rest":
            return np.where(known, 0.0, np.nan)
        if self.task == "regression":
            plain = column.cast(pa.float64()).fill_null(np.nan)
            return np.asarray(plain.to_numpy(), np.float64)
        positions = pc.index_in(column, pa.array(self.classes, column.type)).fill_null(-1).to_numpy()
        return np.where(known, positions.astype(np.float64), np.nan)

    def membership(self, column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
        """one_vs_rest: [rows, values], 1 where the row's set has the value."""
        sets = column.combine_chunks()
        rows, codes = _pairs(sets, self.values)
        out = np.zeros((len(sets), len(self.values)), np.float32)
        out[rows, codes] = 1.0
        return out


def present(column: pa.ChunkedArray) -> Bools:
    valid = column.is_valid()
    if pa.types.is_floating(column.type):
        valid = pc.and_(valid, pc.invert(pc.is_nan(column).fill_null(False)))
    return np.asarray(valid.to_numpy(), np.bool_)


def _pairs(sets: pa.ListArray, values: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(row, position in `values`) of each value that is in a row's set and among `values`."""
    lengths = pc.list_value_length(sets).fill_null(0).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(len(sets)), lengths)
    codes = pc.index_in(sets.flatten(), pa.array(values, pa.string())).fill_null(-1).to_numpy(zero_copy_only=False)
    return rows[codes >= 0], codes[codes >= 0].astype(np.int64)


def learn_target(
    task: Task, label: str, kind: FeatureType, columns: Sequence[pa.ChunkedArray], min_rows: int, ring: Ring
) -> Target:
    """The label of all hosts' rows. `columns`: this host's, in batches. Raises UserError if the task has no use for it.

    one_vs_rest: the values that are in at least `min_rows` rows.
    """
    with ring.together():
        _check_type(task, label, kind)
    if task == "one_vs_rest":
        return Target(task, label, kind, values=_frequent_values(columns, label, min_rows))
    if task == "regression":
        with ring.together():
            _check_finite(label, columns)
        return Target(task, label, kind)
    seen = {value.as_py() for column in columns for value in column.unique()}
    seen = {value for value in seen if value is not None and value == value}
    gathered = {value for each in ring.gather_json(sorted(seen)[: MAX_CLASSES + 1]) for value in each}
    classes = tuple(sorted(gathered))
    _check_classes(task, label, classes)
    return Target(task, label, kind, classes=classes)


def _check_type(task: Task, label: str, kind: FeatureType) -> None:
    allowed: dict[Task, tuple[FeatureType, ...]] = {
        "binary": ("boolean", "int", "bigint", "double", "string"),
        "multiclass": ("boolean", "int", "bigint", "double", "string"),
        "regression": ("int", "bigint", "double"),
        "one_vs_rest": ("array<string>",),
    }
    if kind not in allowed[task]:
        raise UserError(f"Label {label} is {kind}; task {task} needs one of: {', '.join(allowed[task])}.")


def _check_finite(label: str, columns: Sequence[pa.ChunkedArray]) -> None:
    for column in columns:
        if pa.types.is_floating(column.type) and pc.any(pc.is_inf(column)).as_py():
            raise UserError(f"Label {label} holds infinity; correct or drop these rows.")


def _check_classes(task: Task, label: str, classes: tuple[Label, ...]) -> None:
    shown = ", ".join(repr(each) for each in classes[:5]) + (" ..." if len(classes) > 5 else "")
    if len(classes) < 2:
        only = f"only the value {shown}" if classes else "no value at all"
        raise UserError(f"Label {label} has {only}; there is nothing to tell apart.")
    if task == "binary" and len(classes) > 2:
        raise UserError(
            f"Label {label} has {len(classes)} values ({shown}); task binary needs 2. Is it multiclass or regression?"
        )
    if len(classes) > MAX_CLASSES:
        raise UserError(f"Label {label} has more than {MAX_CLASSES} values ({shown}); is the task regression?")


def _frequent_values(columns: Sequence[pa.ChunkedArray], label: str, min_rows: int) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for column in columns:
        sets = column.combine_chunks()
        names = pc.unique(sets.flatten().drop_null())
        rows, codes = _pairs(sets, names.to_pylist())
        pairs = np.unique(rows * max(len(names), 1) + codes)
        found = np.bincount(pairs % max(len(names), 1), minlength=len(names))
        for name, count in zip(names.to_pylist(), found.tolist(), strict=True):
            counts[name] = counts.get(name, 0) + count
    values = tuple(sorted(name for name, count in counts.items() if count >= min_rows))
    if not values:
        raise UserError(
            f"No value of label {label} is in at least {min_rows} rows (hyperparameter min_rows): no submodel to train."
        )
    return values
