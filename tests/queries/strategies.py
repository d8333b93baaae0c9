"""Random pipelines and random landed rows, small and nasty."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from featuremill.spec.models import Pipeline
from tests.queries.reference import Row

DAYS = [date(2020, 1, 1) + timedelta(days=n) for n in range(12)]
LANDINGS = ["2020-01-03", "2020-01-06", "2020-01-09"]
WINDOWS = ["1d", "2d", "5d", "12h", "90min", "30s"]
NUMBERS = [0.0, -0.0, 0.1, 1.5, -2.25, 3.0, 9.99, 1e-12, 1e15, -1e15, 1e150, 5e-324, 123456.789, 7.25]
CITIES = ["", "é", "日本", "a", "b c", "𝔘", "it's"]


@dataclass(frozen=True)
class Case:
    pipeline: Pipeline
    landings: dict[str, dict[str, list[Row]]]
    ds: str


def _column_types(kind: str) -> dict[str, Any]:
    return {
        "k": "bigint",
        "id": "bigint",
        "t": {"date": "date", "timestamp": "timestamp", "ms": "bigint"}[kind],
        "amount": "double",
        "n": "int",
        "city": "string",
        "cell": "string",
        "seen": "date",
    }


def source_spec(kind: str, **more: Any) -> dict[str, Any]:
    time: Any = {"column": "t", "unit": "ms"} if kind == "ms" else "t"
    connector = {"kind": "csv", "path": "{landing}/x/ds={ds}/*.csv"}
    return {"connector": connector, "key": "k", "time": time, "columns": _column_types(kind), **more}


def _times(kind: str) -> st.SearchStrategy[Any]:
    moments = st.builds(
        lambda day, micros: datetime(day.year, day.month, day.day) + timedelta(microseconds=micros),
        st.sampled_from(DAYS),
        st.sampled_from([0, 1, 30_000_000, 5_400_000_000, 43_200_000_000, 86_399_999_999]),
    )
    if kind == "date":
        return st.sampled_from(DAYS)
    if kind == "timestamp":
        return moments
    return moments.map(lambda t: int((t - datetime(1970, 1, 1)) / timedelta(milliseconds=1)))


def rows(kind: str) -> st.SearchStrategy[list[Row]]:
    row = st.fixed_dictionaries(
        {
            "k": st.integers(1, 12),
            "id": st.integers(1, 3),
            "t": _times(kind),
            "amount": st.none() | st.sampled_from(NUMBERS) | st.floats(-(2.0**99), 2.0**99, width=32),
            "n": st.none() | st.sampled_from([-(2**31), -1, 0, 1, 7, 2**31 - 1]),
            "city": st.none() | st.sampled_from(CITIES),
            "cell": st.none() | st.sampled_from(["x", "y"]),
            "seen": st.none() | st.sampled_from([*DAYS, date(1999, 12, 31), date(3021, 9, 18)]),
        }
    )
    return st.lists(row, max_size=8, unique_by=lambda r: r["k"])


def static_rows() -> st.SearchStrategy[list[Row]]:
    row = st.fixed_dictionaries(
        {"s": st.integers(1, 4), "id": st.integers(1, 4), "grade": st.none() | st.sampled_from(CITIES)}
    )
    return st.lists(row, max_size=4, unique_by=lambda r: r["s"])


@st.composite
def aggregates(draw: st.DrawFn) -> dict[str, Any]:
    kinds = {
        "count": ["*", "amount", "city"],
        "sum": ["amount", "n", "amount * 2", "coalesce(n, -1)"],
        "mean": ["amount", "n", "amount * 2"],
        "min": ["amount", "n", "city", "seen"],
        "max": ["amount", "n", "city", "seen"],
        "stddev": ["n", "amount"],
        "first": ["city", "n", "amount"],
        "last": ["city", "n", "seen"],
        "count_distinct": ["city", "n", "amount"],
        "set": ["city", "n", "seen"],
        "since_last": ["*", "amount"],
    }
    kind = draw(st.sampled_from(sorted(kinds)))
    spec: dict[str, Any] = {kind: draw(st.sampled_from(kinds[kind]))}
    if draw(st.booleans()):
        spec["where"] = draw(
            st.sampled_from(["n > 0", "city = 'é'", "amount is not null", "amount < 10 or city is null"])
        )
    windows = draw(st.none() | st.lists(st.sampled_from(WINDOWS), min_size=1, max_size=2, unique=True))
    if windows:
        spec["over"] = windows if len(windows) > 1 else windows[0]
    if draw(st.integers(0, 3)) == 0:
        after = draw(st.sampled_from(["10s", "6h", "1d"]))
        if windows is None or all(_micros(after) < _micros(window) for window in windows):
            spec["known_after"] = after
    return spec


def _micros(text: str) -> int:
    from featuremill.spec.types import parse_duration

    return parse_duration(text).micros


SELECTS = [
    "amount",
    "city",
    "coalesce(n, -1)",
    "if(seen <= as_of, 1, 0)",
    "datediff(as_of, seen)",
    "amount * 2",
    "seen",
]


@st.composite
def blocks(draw: st.DrawFn, source: str, number: int, by: str | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {"from": source}
    if by:
        block["by"] = by
    chosen = draw(st.lists(aggregates(), min_size=1, max_size=3))
    block["aggregate"] = {f"a{number}_{index}": spec for index, spec in enumerate(chosen)}
    if by is None:
        picked = draw(st.lists(st.sampled_from(SELECTS), max_size=3, unique=True))
        block["select"] = {f"s{number}_{index}": text for index, text in enumerate(picked)}
    return block


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A pipeline of one to three sources with rows of up to three landings, and a ds to run it for."""
    kind, other_kind = draw(st.sampled_from(["date", "timestamp", "ms"])), draw(st.sampled_from(["date", "timestamp"]))
    events = source_spec(kind)
    events["columns"]["status"] = {"type": "int", "outcome": True}
    if draw(st.booleans()):
        events["where"] = "amount is not null"
    sources: dict[str, Any] = {"events": events}
    features = [draw(blocks("events", 0))]
    if draw(st.booleans()):
        features.append(draw(blocks("events", 1, by="cell")))
    if draw(st.booleans()):
        sources["visits"] = source_spec(other_kind)
        features.append(draw(blocks("visits", 2)))
        if draw(st.booleans()):
            features.append(draw(blocks("visits", 3, by="cell")))
    if draw(st.booleans()):
        sources["people"] = {
            "connector": {"kind": "csv", "path": "{landing}/p/ds={ds}/*.csv"},
            "key": "s",
            "columns": {"s": "bigint", "id": "bigint", "grade": "string"},
        }
        features.append({"from": "people", "select": {"grade": "grade"}})
    label = {
        "from": "events",
        "column": "status",
        "task": "binary",
        "available_after": draw(st.sampled_from(["0d", "3d"])),
    }
    pipeline = Pipeline.model_validate(
        {
            "pipeline": "p",
            "entity": {"key": "id", "type": "bigint"},
            "sources": sources,
            "features": features,
            "label": label,
        }
    )
    landings: dict[str, dict[str, list[Row]]] = {}
    for name in sources:
        drawn = static_rows() if name == "people" else rows(kind if name == "events" else other_kind)
        landings[name] = {}
        for day in draw(st.lists(st.sampled_from(LANDINGS), min_size=1, max_size=3, unique=True)):
            landings[name][day] = draw(drawn)
            if name == "events":
                landings[name][day] = [
                    {**row, "status": draw(st.sampled_from([0, 1, None]))} for row in landings[name][day]
                ]
    return Case(pipeline, landings, draw(st.sampled_from([*LANDINGS, "2020-01-20"])))
