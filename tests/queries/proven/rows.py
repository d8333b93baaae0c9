"""The rows over which both engines are compared: every edge that is known to bite, then random values."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1_500
EPOCH = datetime(1970, 1, 1)

TYPES: dict[str, str] = {
    **dict.fromkeys(("b1", "b2"), "boolean"),
    **dict.fromkeys(("i1", "i2", "k1", "k2"), "int"),
    **dict.fromkeys(("n1", "n2", "m1", "m2"), "bigint"),
    **dict.fromkeys(("x1", "x2", "y1", "y2"), "double"),
    **dict.fromkeys(("s1", "s2", "numbers", "truths", "days"), "string"),
    **dict.fromkeys(("d1", "d2"), "date"),
    **dict.fromkeys(("t1", "t2"), "timestamp"),
    **{f"a_{kind}": f"array<{kind}>" for kind in ("boolean", "int", "bigint", "double", "string", "date", "timestamp")},
}
"""Column -> Spark type. i, n, x hold the extremes, k, m, y what people have; numbers, truths, days texts to cast."""

EDGES: dict[str, list[Any]] = {
    "boolean": [True, False],
    "int": [0, 1, -1, 2, 7, 31, 2**31 - 1, -(2**31), 2**31 - 2, 46341, 65536, 2020, 1970],
    "bigint": [0, 1, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63), 3_037_000_500, 1_600_000_000_000],
    "double": [
        0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 2.675, 1.005, 0.1, 1 / 3, 1e-7, 5e-324, -5e-324, 1e15, 1e15 + 0.5,
        -1e15 - 0.25, 9007199254740993.0, 9.223372036854775e18, 9.223372036854775807e18, -9.223372036854775808e18,
        2147483647.0, 2147483647.9, 2147483648.0, -2147483648.9, -2147483649.0, 1e23, 2e23, 1.7976931348623157e308,
        -1e308, float("inf"), float("-inf"), float("nan"), 1e-300, 3.7, -3.7, 0.49999999999999994, 709.0, 710.5,
    ],
    "string": [
        "", " ", "  a ", "a", "A", "ab", "abc", "a b c", "a,b,,c", ",", "a%b", "a_b", "a\\b", "100%", "ß", "é",
        "e\u0301", "İ", "ſ", "😀", "a😀b", "日本語", "\t", "a\n", "\na", "\u00a0x\u00a0", "it's", "|", "a|b", ".",
        "a.b", "Larceny", "2020-01-01", "null", "\u2028", "\uffff", "\ud7ff", "z" * 40, "a\r\nb", "\x0bx",
    ],
    "date": [
        date(1, 1, 1), date(1582, 10, 4), date(1582, 10, 15), date(1900, 2, 28), date(1900, 3, 1), date(1969, 12, 31),
        date(1970, 1, 1), date(2000, 2, 29), date(2020, 2, 29), date(2020, 2, 28), date(2021, 2, 28), date(2020, 1, 31),
        date(2020, 3, 31), date(2020, 4, 30), date(2020, 12, 31), date(2021, 1, 1), date(2021, 1, 3),
        date(9999, 12, 31),
        date(3021, 9, 18), date(2024, 5, 15),
    ],
    "timestamp": [
        datetime(1, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(1969, 12, 31, 23, 59, 58, 500000),
        datetime(1970, 1, 1), datetime(1970, 1, 1, 0, 0, 0, 1), datetime(2020, 2, 29, 12),
        datetime(2020, 1, 31, 23, 59, 59, 999999),
        datetime(2020, 2, 29), datetime(2020, 3, 31, 0, 0, 1), datetime(2020, 2, 28, 6, 30),
        datetime(9999, 12, 31, 23, 59, 59, 999999),
        datetime(2021, 2, 28), datetime(2020, 10, 25, 1, 30), datetime(1582, 10, 10, 3),
        datetime(2020, 12, 31, 23, 59, 59),
        datetime(2024, 5, 15, 8, 9, 10, 123456), datetime(2024, 5, 15, 8, 9, 10, 100000),
    ],
}  # fmt: skip

NUMBERS = [
    "0", "1", "-1", "+5", " 7 ", "\t8\n", "007", "2147483647", "2147483648", "-2147483648", "9223372036854775807",
    "9223372036854775808", "1.5", ".5", "5.", ".", "1e3", "1E-2", "1e400", "-1e400", "1e-400", "1d", "2.5F", "1L",
    "NaN", "nan", "-Infinity",
    "inf", "0x1p3", "0x10", "", " ", "abc", "1_000", "1,000", "--1", "+", "1 2", "\u00a01", "٣", "1e", "\x001", "3.7",
    "12345678901234567890",
    "0.1", "1.7976931348623159e308", "4.9e-324", "2.2250738585072011e-308", "1\x7f", "information", "nano",
]  # fmt: skip
TRUTHS = [
    "t",
    "T",
    "true",
    "TRUE",
    "tRue",
    "y",
    "yes",
    "1",
    "f",
    "false",
    "no",
    "n",
    "0",
    " true ",
    "\tno",
    "on",
    "off",
    "2",
    "",
    "yeſ",
    "truth",
    "01",
]
DAYS = [
    "2020-02-29", "2021-02-29", "2020-2-9", " 2020-01-05 ", "2020-01-05T10:00", "2020-01-05 whatever", "2020-01-05x",
    "0001-01-01", "9999-12-31",
    "2020", "2020-05", "2020-13-01", "2020-00-01", "2020-01-00", "2020-01-32", "+2020-01-01", "-0001-01-01",
    "12020-01-01", "20-01-01", "",
    "2020/01/01", "20200101", "2020-01-01\n", "2020-01-01 \n x", "2020-01-001", "0000-01-01", "abc", "infinity",
    "epoch", "2020-1-1 1", "٢٠٢٠-01-01", "2020-01-01 (BC)",
]  # fmt: skip

_ALPHABET = "aAbBcC xyz09.,-_%|'\"éßΣς😀日\t"


def _random_value(kind: str, rng: random.Random) -> Any:
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "int":
        return rng.randint(-(2 ** rng.randint(1, 31)), 2 ** rng.randint(1, 31) - 1)
    if kind == "bigint":
        return rng.randint(-(2 ** rng.randint(1, 63)), 2 ** rng.randint(1, 63) - 1)
    if kind == "double":
        return rng.choice(
            [
                rng.gauss(0, 1),
                rng.gauss(0, 1) * 10 ** rng.randint(-20, 20),
                round(rng.uniform(-1000, 1000), rng.randint(0, 4)),
            ]
        )
    if kind == "string":
        return "".join(rng.choice(_ALPHABET) for _ in range(rng.randint(0, 12)))
    if kind == "date":
        return (
            date(1, 1, 1) + timedelta(days=rng.randint(0, 3_652_058))
            if rng.random() < 0.2
            else date(1950, 1, 1) + timedelta(days=rng.randint(0, 40_000))
        )
    day = _random_value("date", rng)
    return datetime(day.year, day.month, day.day) + timedelta(
        microseconds=rng.choice([0, rng.randrange(86_400_000_000), rng.randrange(86_400) * 1_000_000])
    )


def _small(kind: str, rng: random.Random) -> Any:
    if kind == "int":
        return rng.choice([0, 1, -1, 2, 12, rng.randint(-50, 50)])
    if kind == "bigint":
        return rng.choice([0, 1, -1, 3, rng.randint(-100_000, 100_000)])
    return rng.choice([0.0, 1.0, -1.0, 0.5, round(rng.uniform(-100, 1000), 2), rng.uniform(0, 1)])


def _drawn(make: Callable[[], Any], edges: Sequence[Any], rng: random.Random, rows: int) -> list[Any]:
    values = [*edges, None]
    return [
        values[row] if row < len(values) else rng.choice(values) if rng.random() < 0.4 else make()
        for row in range(rows)
    ]


def _column(name: str, kind: str, rng: random.Random, rows: int) -> list[Any]:
    texts = {"numbers": NUMBERS, "truths": TRUTHS, "days": DAYS}
    if name in texts:
        return [rng.choice([*texts[name], None]) for _ in range(rows)]
    if kind.startswith("array<"):
        inner = kind[6:-1]

        def several() -> list[Any] | None:
            if rng.random() < 0.1:
                return None
            return [None if rng.random() < 0.2 else rng.choice(EDGES[inner]) for _ in range(rng.randint(0, 4))]

        return [several() for _ in range(rows)]
    if name[0] in "kmy":
        return [None if rng.random() < 0.1 else _small(kind, rng) for _ in range(rows)]
    values = _drawn(lambda: _random_value(kind, rng), EDGES[kind], rng, rows)
    if name.endswith("2"):
        # Equal neighbours, so that comparisons and whole months meet; then every edge beside every other.
        rng.shuffle(values)
    return values


_ARROW = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def _arrow(kind: str) -> pa.DataType:
    return pa.list_(_arrow(kind[6:-1])) if kind.startswith("array<") else _ARROW[kind]


def write_rows(path: Path, seed: int = 7, rows: int = ROWS) -> None:
    """Write the table `row, <columns of TYPES>` as one parquet file."""
    rng = random.Random(seed)
    columns = {name: _column(name, kind, rng, rows) for name, kind in TYPES.items()}
    for first, second in (("d1", "d2"), ("t1", "t2"), ("s1", "s2"), ("x1", "x2"), ("n1", "n2"), ("i1", "i2")):
        for row in range(0, rows, 9):
            columns[second][row] = columns[first][row]
    arrays = {name: pa.array(values, type=_arrow(TYPES[name])) for name, values in columns.items()}
    pq.write_table(pa.table({"row": pa.array(range(rows), type=pa.int64()), **arrays}), path)
