"""The semantics of features, written as slowly and plainly as can be: the judge of both engines.

Rows are dicts of typed values; dates are `date`, timestamps naive UTC `datetime`. Expressions are looked up in
`EXPRESSIONS`, so no SQL is interpreted here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from featuremill.spec.columns import AggregateColumn, feature_columns
from featuremill.spec.models import EventTime, FeatureBlock, Pipeline, Source

Row = dict[str, Any]
EPOCH = datetime(1970, 1, 1)

EXPRESSIONS: dict[str, Callable[[Row], Any]] = {
    "amount": lambda r: r["amount"],
    "n": lambda r: r["n"],
    "city": lambda r: r["city"],
    "cell": lambda r: r["cell"],
    "seen": lambda r: r["seen"],
    "amount * 2": lambda r: None if r["amount"] is None else r["amount"] * 2,
    "n > 0": lambda r: None if r["n"] is None else r["n"] > 0,
    "city = 'é'": lambda r: None if r["city"] is None else r["city"] == "é",
    "amount is not null": lambda r: r["amount"] is not None,
    "amount < 10 or city is null": lambda r: (
        True if r["city"] is None else r["amount"] is not None and r["amount"] < 10
    ),
    "coalesce(n, -1)": lambda r: -1 if r["n"] is None else r["n"],
    "if(seen <= as_of, 1, 0)": lambda r: 1 if r["seen"] is not None and as_datetime(r["seen"]) <= r["as_of"] else 0,
    "datediff(as_of, seen)": lambda r: None if r["seen"] is None else (r["as_of"].date() - r["seen"]).days,
    "grade": lambda r: r["grade"],
}
"""Every expression that random feature sets are made of. In `where`, null is not true."""


def as_datetime(value: date | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)


def event_time(time: EventTime, row: Row) -> datetime:
    value = row[time.column]
    if time.unit is not None:
        return EPOCH + timedelta(microseconds=value * {"s": 1_000_000, "ms": 1_000, "us": 1}[time.unit])
    return as_datetime(value)


def cutoff(ds: str) -> datetime:
    return as_datetime(date.fromisoformat(ds)) + timedelta(days=1)


def visible(source: Source, landings: dict[str, list[Row]], ds: str) -> list[Row]:
    """Rows landed on or before ds, with event time before the cutoff, the newest landing of each key."""
    newest: dict[Any, Row] = {}
    for landing in sorted(landings):
        if landing > ds:
            continue
        for row in landings[landing]:
            if source.time is None or event_time(source.time, row) < cutoff(ds):
                newest[row[source.key_column]] = row
    rows = []
    for row in newest.values():
        row = dict(row)
        for name, derived in source.derive.items():
            row[name] = EXPRESSIONS[derived.expression](row)
        if source.time is not None:
            row["__time"] = event_time(source.time, row)
        if source.where is None or EXPRESSIONS[source.where](row) is True:
            rows.append(row)
    return rows


def training(pipeline: Pipeline, landings: dict[str, dict[str, list[Row]]], ds: str) -> list[Row]:
    rows = {name: visible(source, landings[name], ds) for name, source in pipeline.sources.items()}
    assert pipeline.spine is not None
    key = pipeline.sources[pipeline.spine].key_column
    table = []
    for event in rows[pipeline.spine]:
        as_of = event["__time"]
        row = {pipeline.entity.key: event[pipeline.entity.key], key: event[key], "as_of": as_of}
        row.update(features(pipeline, rows, event, event[pipeline.entity.key], as_of))
        if pipeline.label is not None:
            available = timedelta(microseconds=pipeline.label.available_after.micros)
            row[pipeline.label.column] = event[pipeline.label.column] if as_of + available <= cutoff(ds) else None
        table.append(row)
    return sorted(table, key=lambda r: (r[pipeline.entity.key], r["as_of"], r[key]))


def snapshot(pipeline: Pipeline, landings: dict[str, dict[str, list[Row]]], ds: str) -> list[Row]:
    rows = {name: visible(source, landings[name], ds) for name, source in pipeline.sources.items()}
    entity = pipeline.entity.key
    used = {block.source for block in pipeline.features if block.by is None} | {pipeline.spine}
    entities = {row[entity] for name in used if name for row in rows[name] if entity in row}
    table = []
    for value in sorted(entities):
        own = [row for row in rows[pipeline.spine] if row[entity] == value] if pipeline.spine else []
        key = pipeline.sources[pipeline.spine].key_column if pipeline.spine else ""
        newest = max(own, key=lambda r: (r["__time"], r[key]), default=None)
        row = {entity: value, "as_of": cutoff(ds)}
        row.update(features(pipeline, rows, newest, value, cutoff(ds)))
        table.append(row)
    return table


def features(
    pipeline: Pipeline, rows: dict[str, list[Row]], own: Row | None, entity: Any, as_of: datetime
) -> dict[str, Any]:
    """All features of one row: `own` is the spine's row that it is about, None where the entity has none."""
    result: dict[str, Any] = {}
    for column in feature_columns(pipeline):
        block = pipeline.features[column.block]
        source = pipeline.sources[block.source]
        matched = _matched(pipeline, block, rows[block.source], own, entity)
        if isinstance(column, AggregateColumn):
            result[column.name] = aggregate(column, source, matched, as_of)
        elif block.source == pipeline.spine:
            result[column.name] = select(column.select.expression, own, as_of)
        else:
            before = [row for row in matched if source.is_static or row["__time"] < as_of]
            newest = max(before, key=lambda r: (r.get("__time", EPOCH), r[source.key_column]), default=None)
            result[column.name] = select(column.select.expression, newest, as_of)
    return result


def _matched(pipeline: Pipeline, block: FeatureBlock, rows: list[Row], own: Row | None, entity: Any) -> list[Row]:
    if block.by is None:
        return [row for row in rows if row[pipeline.entity.key] == entity]
    if own is None or own[block.by] is None:
        return []
    return [row for row in rows if row[block.by] == own[block.by]]


def select(expression: str, row: Row | None, as_of: datetime) -> Any:
    return None if row is None else EXPRESSIONS[expression]({**row, "as_of": as_of})


def aggregate(column: AggregateColumn, source: Source, rows: list[Row], as_of: datetime) -> Any:
    spec = column.aggregate
    seen = []
    for row in rows:
        time = row["__time"]
        if not time < as_of or time + timedelta(microseconds=spec.known_after.micros) > as_of:
            continue
        if column.over is not None and time < as_of - timedelta(microseconds=column.over.micros):
            continue
        if spec.where is not None and EXPRESSIONS[spec.where](row) is not True:
            continue
        value = 1 if spec.argument == "*" else EXPRESSIONS[spec.argument](row)
        if value is not None:
            seen.append((time, row[source.key_column], value))
    values = [value for _, _, value in sorted(seen, key=lambda s: (s[0], s[1]))]
    if spec.kind == "count":
        return len(values)
    if not values:
        return None
    return _KINDS[spec.kind](values) if spec.kind in _KINDS else (as_of - max(s[0] for s in seen)) / timedelta(days=1)


def _sum(values: list[Any]) -> Any:
    return math.fsum(values) if isinstance(values[0], float) else sum(values)


def _stddev(values: list[Any]) -> float | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


_KINDS: dict[str, Callable[[list[Any]], Any]] = {
    "sum": _sum,
    "mean": lambda values: _sum(values) / len(values),
    "min": min,
    "max": max,
    "stddev": _stddev,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "count_distinct": lambda values: len(set(values)),
    "set": lambda values: sorted(set(values)),
}
