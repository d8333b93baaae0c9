"""Equality of tables as the semantics mean it, with failures that show the cells that differ."""

from __future__ import annotations

import math
from typing import Any

from tests.queries.reference import Row

CANCELLED = 2e-14
"""What a sum may be off where whole numbers and fractions cancel: some units in the last place of 1."""


def assert_same(got: list[Row], wanted: list[Row]) -> None:
    """Same rows in the same order, same nulls, floats equal to 1e-9 relative."""
    assert len(got) == len(wanted), f"{len(got)} rows, wanted {len(wanted)}\ngot    {got}\nwanted {wanted}"
    differences = []
    for index, (row, other) in enumerate(zip(got, wanted, strict=True)):
        assert list(row) == list(other), f"columns {list(row)}, wanted {list(other)}"
        differences += [
            f"row {index} {name}: got {row[name]!r}, wanted {other[name]!r}"
            for name in row
            if not same(row[name], other[name])
        ]
    assert not differences, "\n".join(differences[:20])


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=CANCELLED)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and bool(a == b)
