"""The table `drift`: one row a column that was compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from featuremill.monitoring.measuring import Measured

SCHEMA = pa.schema(
    [
        ("feature", pa.string()),
        ("of_table", pa.string()),
        ("kind", pa.string()),
        ("psi", pa.float64()),
        ("psi_limit", pa.float64()),
        ("p_value", pa.float64()),
        ("shifted", pa.bool_()),
        ("missing_share", pa.float64()),
        ("missing_share_reference", pa.float64()),
        ("row_count", pa.int64()),
        ("row_count_reference", pa.int64()),
        ("reference_table", pa.string()),
        ("reference_ds", pa.string()),
        ("model_version", pa.string()),
        ("remark", pa.string()),
        ("bins", pa.list_(pa.string())),
        ("shares", pa.list_(pa.float64())),
        ("shares_reference", pa.list_(pa.float64())),
    ]
)
"""`limit` and `rows` are words of SQL, and `ds` is the partition: columns are not called so."""


def drift_table(
    measured: Mapping[str, Iterable[Measured]],
    limit: float,
    references: Mapping[str, tuple[str, str]],
    model_version: str | None,
) -> pa.Table:
    """Rows by table, the features first, and within it the furthest first.

    `measured`: table -> its columns. `references`: table -> the table and day that it was compared with.
    """
    rows = []
    for table, columns in measured.items():
        reference = references.get(table, (None, None))
        for one in sorted(columns, key=_furthest):
            rows.append(_row(table, one, limit, reference, model_version))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _furthest(one: Measured) -> tuple[bool, float, str]:
    return one.psi is None, -(one.psi or 0.0), one.column


def _row(
    table: str, one: Measured, limit: float, reference: tuple[str | None, str | None], model_version: str | None
) -> dict[str, Any]:
    return {
        "feature": one.column,
        "of_table": table,
        "kind": one.kind,
        "psi": one.psi,
        "psi_limit": limit,
        "p_value": one.p_value,
        "shifted": one.shifted(limit),
        "missing_share": one.missing,
        "missing_share_reference": one.missing_reference,
        "row_count": one.rows,
        "row_count_reference": one.rows_reference,
        "reference_table": reference[0],
        "reference_ds": reference[1],
        "model_version": model_version,
        "remark": one.remark or None,
        "bins": list(one.bins),
        "shares": list(one.shares),
        "shares_reference": list(one.shares_reference) or None,
    }
