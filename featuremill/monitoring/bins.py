"""What a column is cut into before two of its distributions are compared.

The bins come from samples and are then counted over all rows, so a poor sample costs a little sharpness and never
makes a count wrong. The last bin is always for what is missing (null, or NaN).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Kind = Literal["numeric", "date", "timestamp", "categorical", "set"]

BINS = 10
ROWS_A_BIN = 5
"""Fewer rows than this in a bin say nothing, so a small table is cut into fewer bins."""
RARE_SHARE = 0.005
MISSING, OTHER, NO_MEMBER = "missing", "other values", "no member"

_EPOCH = date(1970, 1, 1)


class Bins(Protocol):
    """The bins of a column. `names` are for people, in order."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def count(self, values: pa.Array) -> Ints:
        """How many of the values fall into each bin."""
        ...


def kind_of(arrow: pa.DataType) -> Kind | None:
    """How a column of this type is compared; None if it cannot be."""
    if pa.types.is_dictionary(arrow):
        return kind_of(arrow.value_type)
    if pa.types.is_integer(arrow) or pa.types.is_floating(arrow) or pa.types.is_decimal(arrow):
        return "numeric"
    if pa.types.is_date(arrow):
        return "date"
    if pa.types.is_timestamp(arrow):
        return "timestamp"
    if pa.types.is_boolean(arrow) or pa.types.is_string(arrow) or pa.types.is_large_string(arrow):
        return "categorical"
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return "set" if kind_of(arrow.value_type) not in (None, "set") else None
    return None


def make_bins(kind: Kind, reference: pa.Array, current: pa.Array) -> Bins:
    """The bins for two samples of a column of this kind."""
    if kind in ("categorical", "set"):
        return label_bins(reference, current, is_set=kind == "set")
    return number_bins(as_numbers(reference), as_numbers(current), _SHOWN[kind])


# Numbers


@dataclass(frozen=True)
class NumberBins:
    """Bin i holds the numbers above cut i - 1 up to and with cut i."""

    cuts: Floats
    shown: Callable[[float], str]

    @property
    def names(self) -> tuple[str, ...]:
        if not len(self.cuts):
            return ("any value", MISSING)
        ends = [self.shown(cut) for cut in self.cuts]
        first = f"up to {ends[0]}"
        if len(self.cuts) > 1 and self._is_one_value(1):
            first = f"below {ends[1]}"
        between = [
            ends[number] if self._is_one_value(number) else f"{ends[number - 1]} to {ends[number]}"
            for number in range(1, len(ends))
        ]
        return (first, *between, f"above {ends[-1]}", MISSING)

    def _is_one_value(self, number: int) -> bool:
        """Whether a bin holds a single number: its lower cut is the next number below its upper one."""
        return bool(np.nextafter(self.cuts[number], -np.inf) == self.cuts[number - 1])

    def count(self, values: pa.Array) -> Ints:
        numbers = as_numbers(values)
        places = np.searchsorted(self.cuts, numbers, side="left")
        places[np.isnan(numbers)] = len(self.cuts) + 1
        return np.bincount(places, minlength=len(self.cuts) + 2)


def number_bins(reference: Floats, current: Floats, shown: Callable[[float], str] | None = None) -> NumberBins:
    """Tenths of the reference. A number that makes up a tenth by itself has a bin of its own, so that a column that is
    mostly 0, or always the same, is seen to move to either side.
    """
    known = np.sort(reference[~np.isnan(reference)])
    wanted = min(BINS, min(len(known), int(np.sum(~np.isnan(current)))) // ROWS_A_BIN)
    shown = shown or _number
    if wanted < 2:
        return NumberBins(np.empty(0), shown)
    tenths = np.quantile(known, np.arange(1, wanted) / wanted, method="inverted_cdf")
    values, counts = np.unique(known, return_counts=True)
    often = values[counts * wanted >= len(known)]
    return NumberBins(np.unique(np.concatenate([tenths, often, np.nextafter(often, -np.inf)])), shown)


def as_numbers(values: pa.Array) -> Floats:
    """The numbers of a column; dates in days, timestamps in seconds since 1970; what is missing is NaN."""
    kind = values.type
    if pa.types.is_timestamp(kind):
        seconds = pc.divide(pc.cast(pc.cast(values, pa.timestamp("us", kind.tz)), pa.int64()).cast(pa.float64()), 1e6)
        return _float64(seconds)
    if pa.types.is_date(kind):
        return _float64(pc.cast(pc.cast(pc.cast(values, pa.date32()), pa.int32()), pa.float64()))
    return _float64(pc.cast(values, pa.float64(), safe=False))


def _float64(values: pa.Array) -> Floats:
    # A copy, for what is missing is written into it elsewhere.
    return np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _number(value: float) -> str:
    return f"{value:.6g}"


def _day(value: float) -> str:
    try:
        return (_EPOCH + timedelta(days=value)).isoformat()
    except OverflowError:
        return _number(value)


def _moment(value: float) -> str:
    try:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return _number(value)


_SHOWN: dict[str, Callable[[float], str]] = {"numeric": _number, "date": _day, "timestamp": _moment}


# Texts and sets


@dataclass(frozen=True)
class LabelBins:
    """One bin a label, the rarer ones together. Of sets each member counts by itself, and an empty set counts once."""

    labels: tuple[str, ...]
    is_set: bool

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.labels, OTHER, *([NO_MEMBER] if self.is_set else []), MISSING)

    def count(self, values: pa.Array) -> Ints:
        texts = _texts(values)
        known = pc.index_in(texts.drop_null(), value_set=pa.array(self.labels, pa.string()))
        places = known.fill_null(len(self.labels)).to_numpy(zero_copy_only=False)
        counted = np.bincount(places, minlength=len(self.labels) + 1).astype(np.int64)
        if not self.is_set:
            return np.append(counted, texts.null_count)
        empty = int(pc.sum(pc.equal(pc.list_value_length(values), 0)).as_py() or 0)
        return np.append(counted, [empty, values.null_count])


def label_bins(reference: pa.Array, current: pa.Array, *, is_set: bool = False) -> LabelBins:
    """The labels that are not rare on one of the sides, the most frequent of the reference first. A label that is new
    and frequent therefore has a bin of its own.
    """
    counts = [_counted(side) for side in (reference, current)]
    least = [max(ROWS_A_BIN, RARE_SHARE * sum(side.values())) for side in counts]
    kept = {label for side, few in zip(counts, least, strict=True) for label, count in side.items() if count >= few}
    order = sorted(kept, key=lambda label: (-counts[0].get(label, 0), -counts[1].get(label, 0), label))
    return LabelBins(tuple(order), is_set)


def _counted(values: pa.Array) -> dict[str, int]:
    found: list[dict[str, Any]] = pc.value_counts(_texts(values).drop_null()).to_pylist()
    return {one["values"]: one["counts"] for one in found}


def _texts(values: pa.Array) -> pa.Array:
    """The values as texts; of sets all members one after the other."""
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        values = values.flatten()
    return pc.cast(values, pa.string())
