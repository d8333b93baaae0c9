"""Typed rows to check expectations on: one column a type, with nulls and repeats, as parquet and as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from featuremill.spec.models import Expectation
from featuremill.spec.types import ColumnType
from featuremill.steps.jobs import ExpectJob

SCHEMA = pa.schema(
    [
        ("n", pa.int64()),
        ("m", pa.int32()),
        ("x", pa.float64()),
        ("s", pa.string()),
        ("r", pa.string()),
        ("d", pa.date32()),
        ("t", pa.timestamp("us", tz="UTC")),
        ("f", pa.bool_()),
    ]
)
COLUMNS: dict[str, ColumnType] = {
    "n": "bigint",
    "m": "int",
    "x": "double",
    "s": "string",
    "r": "string",
    "d": "date",
    "t": "timestamp",
    "f": "boolean",
}
TEXTS = ["", "a", "ab", "Ab1", "x-9", "[1]", "nöt", "12", '{"k": 1}', "2024-02-30", "2024-02-29"]
Row = dict[str, Any]

_values = {
    "n": st.integers(-3, 6),
    "m": st.integers(-3, 6),
    "x": st.sampled_from([-2.5, -1.0, 0.0, 0.5, 1.0, 3.25, 1e6]),
    "s": st.sampled_from(TEXTS),
    "r": st.sampled_from(TEXTS[:4]),
    "d": st.dates(date(2024, 1, 1), date(2024, 1, 9)),
    "t": st.datetimes(datetime(2024, 1, 1), datetime(2024, 1, 3)).map(lambda t: t.replace(minute=0, second=0)),
    "f": st.booleans(),
}
rows = st.lists(
    st.fixed_dictionaries({name: st.none() | values | values for name, values in _values.items()}),
    min_size=1,
    max_size=12,
)


def expect(name: str, **arguments: Any) -> Expectation:
    return Expectation(name=name, arguments=arguments)


def write_rows(folder: Path, data: Sequence[Row]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    columns = {name: [row[name] for row in data] for name in SCHEMA.names}
    pq.write_table(pa.table(columns, schema=SCHEMA), folder / "part-0.parquet")
    return str(folder)


def make_job(folder: Path, data: Sequence[Row], expectations: Sequence[Expectation]) -> ExpectJob:
    return ExpectJob(
        pipeline="credit_risk",
        source_name="loans",
        ds="2024-01-31",
        expectations=tuple(expectations),
        typed_dir=write_rows(folder / "typed", data),
        results_dir=str(folder / "results"),
    )
