"""How far each column of a table is from the same column of a reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from featuremill.monitoring.bins import Bins, Ints, Kind, kind_of, make_bins
from featuremill.monitoring.reading import StoredTable
from featuremill.monitoring.stability import SIGNIFICANCE, index, p_value

COLUMNS_AT_ONCE = 32
"""A table with many columns is read in several goes, so that its sample fits into memory."""
NO_REFERENCE = "there is nothing to compare with"


@dataclass(frozen=True)
class Measured:
    """A column today and in the reference.

    `psi` is None where the two cannot be compared, and `remark` says why. `p_value`: the chance of such a difference
    without a change. `bins` are names, `shares` of the column's counts; `missing` are shares of its rows.
    """

    column: str
    kind: Kind | None
    rows: int
    psi: float | None = None
    p_value: float | None = None
    missing: float | None = None
    rows_reference: int | None = None
    missing_reference: float | None = None
    bins: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    shares_reference: tuple[float, ...] = ()
    remark: str = ""

    def shifted(self, limit: float) -> bool:
        """Whether the shift is at or beyond the limit, and more than chance."""
        return self.psi is not None and self.psi >= limit and self.p_value is not None and self.p_value < SIGNIFICANCE


def measure(columns: Sequence[str], current: StoredTable, reference: StoredTable | None) -> list[Measured]:
    """One result a column of `columns` that the current table has, in their order.

    Both tables are read twice, a few columns at a time: once for samples that the bins are made of, once to count.
    """
    there = set(current.schema().names)
    wanted = [name for name in columns if name in there]
    found: list[Measured] = []
    for first in range(0, len(wanted), COLUMNS_AT_ONCE):
        found += _measure(wanted[first : first + COLUMNS_AT_ONCE], current, reference)
    return found


def _measure(columns: Sequence[str], current: StoredTable, reference: StoredTable | None) -> Iterator[Measured]:
    rows = current.manifest.rows
    kinds = {field.name: (kind_of(field.type), field.type) for field in current.schema()}
    remarks = {name: _incomparable(name, kinds[name], reference) for name in columns}
    readable = [name for name in columns if kinds[name][0] is not None]
    shared = [name for name in readable if not remarks[name]]
    sample = current.sample(readable)
    before = sample if reference is None or _is_same(current, reference) else reference.sample(shared)
    bins = {name: make_bins(_kind(kinds[name]), before.get(name, sample[name]), sample[name]) for name in readable}
    counts = _count(current, bins)
    old: Mapping[str, Ints] = {}
    if reference is not None:
        old = counts if _is_same(current, reference) else _count(reference, {name: bins[name] for name in shared})
    for name in columns:
        kind = kinds[name][0]
        if kind is None:
            yield Measured(name, None, rows, remark=remarks[name])
            continue
        now, then = counts[name], old.get(name) if name in shared else None
        result = Measured(
            column=name,
            kind=kind,
            rows=rows,
            missing=_missing(now, rows),
            bins=bins[name].names,
            shares=_shares(now),
            remark=remarks[name],
        )
        yield result if then is None or reference is None else _compared(result, then, now, reference.manifest.rows)


def _compared(result: Measured, then: Ints, now: Ints, rows: int) -> Measured:
    found = index(then, now)
    return Measured(
        **{
            **vars(result),
            "psi": found,
            "p_value": p_value(then, now) if found is not None else None,
            "rows_reference": rows,
            "missing_reference": _missing(then, rows),
            "shares_reference": _shares(then),
            "remark": "" if found is not None else "one of the two tables has no row",
        }
    )


def _incomparable(name: str, of: tuple[Kind | None, pa.DataType], reference: StoredTable | None) -> str:
    """Why a column cannot be compared, in words; empty if it can be."""
    kind, arrow = of
    if kind is None:
        return f"a column of {arrow} is not compared"
    if reference is None:
        return NO_REFERENCE
    schema = reference.schema()
    if name not in schema.names:
        return f"{reference.manifest.table} of {reference.manifest.ds} has no such column"
    before = schema.field(name).type
    if kind_of(before) != kind:
        return f"it was {before} in {reference.manifest.table} of {reference.manifest.ds}, and is {arrow} now"
    return ""


def _kind(of: tuple[Kind | None, pa.DataType]) -> Kind:
    assert of[0] is not None
    return of[0]


def _is_same(current: StoredTable, reference: StoredTable) -> bool:
    """Whether a table is compared with itself: the day that the live model learned from."""
    one, other = current.manifest, reference.manifest
    return (one.table, one.ds, one.fingerprint) == (other.table, other.ds, other.fingerprint)


def _count(table: StoredTable, bins: Mapping[str, Bins]) -> dict[str, Ints]:
    counted: dict[str, Ints] = {name: np.zeros(len(of.names), dtype=np.int64) for name, of in bins.items()}
    if bins:
        for batch in table.batches(list(bins)):
            for name, of in bins.items():
                counted[name] += of.count(batch.column(name))
    return counted


def _missing(counts: Ints, rows: int) -> float:
    return float(counts[-1]) / rows if rows else 0.0


def _shares(counts: Ints) -> tuple[float, ...]:
    total = int(counts.sum())
    return tuple((counts / total).tolist()) if total else tuple(0.0 for _ in counts)
