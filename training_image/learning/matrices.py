"""Training rows as a booster's matrix, in memory or out of core, prepared with the parts learned from them.

Target-encoded columns of a training row come from parts learned without its fold, so that no row sees its own label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xgboost

from training_image.artefact import Feature
from training_image.learning.errors import UserError
from training_image.learning.preparation import Learned, relearn_targets, settings_of
from training_image.learning.splitting import Hashes
from training_image.learning.targets import Bools, Floats
from training_image.parameters import Preprocess
from training_image.preparing import Column, InputError, Matrix, Preparer, read_columns

Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrainingPreparer:
    """The Preparer, and one a fold where target encoding needs it."""

    preparer: Preparer
    folds: tuple[Preparer, ...] = ()

    def prepare(self, table: pa.Table, groups: Hashes) -> Matrix:
        """Rows that the model learns from. Raises UserError for columns of another type."""
        try:
            columns = read_columns(self.preparer.features, table)
        except InputError as error:
            raise UserError(f"The data does not fit the manifest: {error}.") from None
        return self.prepare_columns(columns, groups)

    def prepare_columns(self, columns: Sequence[Column], groups: Hashes) -> Matrix:
        """The same of columns as `read_columns` gives them."""
        if not self.folds:
            return self.preparer.prepare_columns(columns, len(groups))
        out: Matrix = np.empty((len(groups), len(self.preparer.names)), np.float32)
        fold = fold_of(groups, len(self.folds))
        for number, preparer in enumerate(self.folds):
            chosen = np.flatnonzero(fold == number)
            out[chosen] = preparer.prepare_columns([_take(column, chosen) for column in columns], len(chosen))
        return out


def fold_of(groups: Hashes, folds: int) -> npt.NDArray[np.int64]:
    return ((groups >> np.uint64(17)) % np.uint64(folds)).astype(np.int64)


def _take(column: Column, rows: npt.NDArray[np.int64]) -> Column:
    return column[rows] if isinstance(column, np.ndarray) else column.take(pa.array(rows))


def training_preparer(
    features: Sequence[Feature],
    learned: Learned,
    columns: Sequence[Column],
    groups: Hashes,
    preprocess: Preprocess,
    outcome: Floats,
    names: Sequence[str],
) -> TrainingPreparer:
    """From the rows that `learned` was learned from: `columns` by feature, their groups and outcomes."""
    preparer = Preparer(features, learned.parts)
    encoded = learned.target_encoded
    if not encoded:
        return TrainingPreparer(preparer)
    folds = max(settings_of(preprocess, name).encode.folds for name in encoded)
    fold = fold_of(groups, folds)
    by_name: Mapping[str, Column] = {
        feature.name: column for feature, column in zip(features, columns, strict=True) if feature.name in encoded
    }
    preparers = []
    for number in range(folds):
        others = np.flatnonzero(fold != number)
        rest = {name: _take(column, others) for name, column in by_name.items()}
        preparers.append(Preparer(features, relearn_targets(learned, rest, preprocess, outcome[others], names)))
    return TrainingPreparer(preparer, tuple(preparers))


@dataclass(frozen=True)
class Batch:
    """Some training rows, prepared and cut to the head's columns."""

    matrix: Matrix
    label: Floats32
    weight: Floats32 | None


class BatchIterator(xgboost.DataIter):
    """Hands batches to XGBoost, which reads them several times: `batches` starts anew each time."""

    def __init__(self, batches: Callable[[], Iterator[Batch]], cache: Path) -> None:
        self._start = batches
        self._batches = batches()
        super().__init__(cache_prefix=str(cache))

    def next(self, input_data: Callable[..., None]) -> bool:
        batch = next(self._batches, None)
        if batch is None:
            return False
        input_data(data=batch.matrix, label=batch.label, weight=batch.weight)
        return True

    def reset(self) -> None:
        self._batches = self._start()


def in_memory_matrix(batch: Batch, max_bin: int | None, threads: int) -> xgboost.QuantileDMatrix:
    return xgboost.QuantileDMatrix(
        batch.matrix, batch.label, weight=batch.weight, missing=np.nan, nthread=threads, **_bins(max_bin)
    )


def out_of_core_matrix(
    batches: Callable[[], Iterator[Batch]], cache: Path, max_bin: int | None, threads: int
) -> xgboost.ExtMemQuantileDMatrix:
    """A matrix whose pages XGBoost keeps in files that begin with `cache`; memory holds a batch at a time."""
    iterator = BatchIterator(batches, cache)
    return xgboost.ExtMemQuantileDMatrix(iterator, missing=np.nan, nthread=threads, **_bins(max_bin))


def _bins(max_bin: int | None) -> dict[str, int]:
    return {} if max_bin is None else {"max_bin": max_bin}


def select_rows(table: pa.Table, chosen: Bools) -> pa.Table:
    return table if chosen.all() else table.filter(pa.array(chosen))
