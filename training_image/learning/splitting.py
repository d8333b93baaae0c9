"""Which rows a model learns from, which calibrate it, which judge it. No reported number comes from rows it learned.

A held-out split parts the held-out rows by entity: half for early stopping, calibration, threshold and interval, half
for every reported number. Folds: each row is judged by a model, and calibrated by numbers, of the other folds.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training_image.learning.channels import Rows
from training_image.learning.collective import Ring
from training_image.learning.errors import UserError
from training_image.learning.targets import Bools, Floats, Target
from training_image.parameters import Split

TRAINING, CALIBRATION, JUDGING, UNUSED = 0, 1, 2, 3
FOLDS_UP_TO = 5_000
MAX_HELD_OUT = 1_000_000
"""Held-out rows beyond it are drawn from at random: they are kept in memory."""

Codes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
Strategy = Literal["time", "entity", "folds", "channel"]


@dataclass(frozen=True)
class Keys:
    """A number a row, for all rows of a host in the order of Rows.batches.

    `label` as Target.numbers gives it. `group`: equal for rows of one entity. `time`: None where there is none.
    """

    label: Floats
    group: Hashes
    time: npt.NDArray[np.int64] | None

    @property
    def usable(self) -> Bools:
        """Rows that have a label."""
        return np.asarray(~np.isnan(self.label), np.bool_)


def read_keys(rows: Rows, target: Target, seed: int, ring: Ring) -> Keys:
    """Reads label, entity (else row number) and time columns only."""
    manifest = rows.manifest
    wanted = list(dict.fromkeys(n for n in (manifest.label, manifest.entity, manifest.time) if n is not None))
    labels: list[Floats] = [np.empty(0)]
    groups: list[Hashes] = [np.empty(0, np.uint64)]
    times: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    offset = ring.rank << 40
    for batch in rows.batches(wanted):
        labels.append(target.numbers(batch[manifest.label]))
        if manifest.entity is None:
            numbers = np.arange(offset, offset + batch.num_rows, dtype=np.uint64)
            groups.append(_mix(numbers, seed))
        else:
            groups.append(hash_column(batch[manifest.entity], seed))
        if manifest.time is not None:
            times.append(_times(batch[manifest.time], manifest.time))
        offset += batch.num_rows
    time = np.concatenate(times) if manifest.time is not None else None
    return Keys(np.concatenate(labels), np.concatenate(groups), time)


def hash_column(column: pa.ChunkedArray, seed: int) -> Hashes:
    """64 bits a row, from the text of its value: the same on every machine; equal values, equal hashes."""
    encoded = column.combine_chunks().dictionary_encode()
    names = encoded.dictionary.cast(pa.string()).to_pylist()
    hashes = np.array([zlib.crc32(name.encode()) for name in names] + [0], np.uint64)
    codes = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    return _mix(hashes[codes], seed)


def _mix(numbers: Hashes, seed: int) -> Hashes:
    """splitmix64 of number + seed. Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014."""
    with np.errstate(over="ignore"):
        z = numbers + np.uint64(seed % (1 << 63)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: Hashes = z ^ (z >> np.uint64(31))
    return mixed


def _times(column: pa.ChunkedArray, name: str) -> npt.NDArray[np.int64]:
    """Whole numbers in the order of time; null is before all."""
    kind = column.type
    if pa.types.is_string(kind):
        try:
            column = column.cast(pa.timestamp("us"))
        except pa.ArrowInvalid as error:
            raise UserError(f"Column {name} orders the rows by time but is not one: {error}.") from None
    elif pa.types.is_date(kind):
        column = column.cast(pa.date32()).cast(pa.int32())
    elif not (pa.types.is_timestamp(kind) or pa.types.is_integer(kind)):
        raise UserError(f"Column {name} orders the rows by time but is {kind}; it must be a date or a timestamp.")
    return np.asarray(column.cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy(), np.int64)


def choose_strategy(split: Split, total: int, has_time: bool, in_memory: bool) -> Strategy:
    """What `auto` means for so many rows. Raises UserError for a split that the data does not allow."""
    if split.by == "time" and not has_time:
        raise UserError("split.by is time, but the manifest names no time column; name one, or split by entity.")
    if split.by == "folds" and not in_memory:
        raise UserError("split.by is folds, which needs all rows in memory; set out_of_core to never or split by time.")
    if split.by != "auto":
        return split.by
    if total <= FOLDS_UP_TO and in_memory:
        return "folds"
    return "time" if has_time else "entity"


def hold_out(keys: Keys, split: Split, strategy: Strategy, ring: Ring, seed: int) -> Codes:
    """TRAINING, CALIBRATION, JUDGING or UNUSED for each row. `channel`: all rows are held out."""
    usable = keys.usable
    if strategy == "channel":
        held = usable
    elif strategy == "time":
        held = usable & _newest(keys, split.validation, ring)
    else:
        held = usable & (_unit(keys.group) < split.validation)
    second = _unit(_mix(keys.group, seed + 1)) < 0.5
    codes = np.where(held, np.where(second, JUDGING, CALIBRATION), TRAINING).astype(np.uint8)
    counts = _counts(codes, usable, ring)
    if min(counts[CALIBRATION], counts[JUDGING]) < 0.2 * (counts[CALIBRATION] + counts[JUDGING]):
        # Too few entities to part by: rows alternate, as a time split's entities are in the training rows anyway.
        alternate = np.cumsum(held) % 2 == 0
        codes = np.where(held, np.where(alternate, JUDGING, CALIBRATION), TRAINING).astype(np.uint8)
        counts = _counts(codes, usable, ring)
    if not counts[CALIBRATION] or not counts[JUDGING] or (strategy != "channel" and not counts[TRAINING]):
        raise UserError(
            f"The split by {strategy} leaves {counts[TRAINING]} rows to learn from, {counts[CALIBRATION]} to calibrate "
            f"and {counts[JUDGING]} to judge; give more rows or another split."
        )
    codes[~usable] = UNUSED
    held_out = counts[CALIBRATION] + counts[JUDGING]
    if held_out > MAX_HELD_OUT:
        random = np.random.default_rng([seed, ring.rank]).random(len(codes))
        codes[held & (random >= MAX_HELD_OUT / held_out)] = UNUSED
    return codes


def _unit(hashes: Hashes) -> Floats:
    return hashes.astype(np.float64) / 2.0**64


def _counts(codes: Codes, usable: Bools, ring: Ring) -> list[int]:
    local = np.bincount(codes[usable], minlength=4)
    return [int(count) for count in np.sum(ring.gather_json(local), axis=0)]


def _newest(keys: Keys, share: float, ring: Ring) -> Bools:
    """The newest share of the rows, as near as whole moments allow: rows of one moment stay together."""
    assert keys.time is not None
    moments, counts = np.unique(keys.time[keys.usable], return_counts=True)
    parts = [np.frombuffer(data, np.int64) for data in ring.gather(np.concatenate([moments, counts]).tobytes())]
    all_moments = np.concatenate([part[: len(part) // 2] for part in parts])
    weights = np.concatenate([part[len(part) // 2 :] for part in parts])
    moments, inverse = np.unique(all_moments, return_inverse=True)
    if len(moments) < 2:
        raise UserError("split.by is time, but all rows have the same time; split by entity instead.")
    counts = np.bincount(inverse, weights)
    newer = np.cumsum(counts[::-1])[::-1] / counts.sum()
    cut = moments[1:][np.argmin(np.abs(newer[1:] - share))]
    return np.asarray(keys.time >= cut, np.bool_)


def assign_folds(keys: Keys, target: Target, folds: int) -> npt.NDArray[np.int64]:
    """Fold of each row: whole groups, dealt out in random order, label by label so that folds are alike.

    Raises UserError if there are fewer groups than folds.
    """
    groups, index, inverse = np.unique(keys.group, return_index=True, return_inverse=True)
    if len(groups) < folds:
        raise UserError(f"There are {len(groups)} entities for {folds} folds; set split.folds to at most that.")
    classes = keys.label[index] if target.task in ("binary", "multiclass") else np.zeros(len(groups))
    order = np.lexsort((groups, classes))
    fold = np.empty(len(groups), np.int64)
    fold[order] = np.arange(len(groups)) % folds
    return fold[inverse]
