"""The records as tables, for people who ask in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from featuremill.sagemaker.records import Event, ModelVersion

_DATASETS = ("train", "validation", "calibration")
METRICS_SCHEMA = pa.schema(
    [
        pa.field("version", pa.string(), metadata={"comment": "the model: its training job's name"}),
        pa.field("trained_ds", pa.string(), metadata={"comment": "the day whose training table it learned from"}),
        pa.field("task", pa.string()),
        pa.field("dataset", pa.string(), metadata={"comment": "validation, train, baseline_majority ..."}),
        pa.field("metric", pa.string()),
        pa.field("value", pa.float64()),
    ]
)
EVENTS_SCHEMA = pa.schema(
    [
        pa.field("time", pa.timestamp("us", "UTC")),
        pa.field("version", pa.string(), metadata={"comment": "the model: its training job's name"}),
        pa.field("event", pa.string(), metadata={"comment": "trained, accepted, rejected, deployed, rolled_back ..."}),
        pa.field("reason", pa.string()),
        pa.field("who", pa.string(), metadata={"comment": "the user whose process did it"}),
        pa.field("config", pa.string(), metadata={"comment": "the endpoint configuration it is about"}),
    ]
)
"""The day is `trained_ds`: `ds` is the partition of a Hive table and cannot be in its files as well."""


def model_metrics(models: Iterable[ModelVersion]) -> pa.Table:
    """One row a model, data set and metric: version, trained_ds, task, dataset, metric (strings), value (double).

    Data sets: validation, train, calibration (its rows only), baseline_<kind>, and all for what is counted over all
    rows. Sorted.
    """
    rows = [
        {"version": m.version, "trained_ds": m.ds, "task": m.task, "dataset": dataset, "metric": name, "value": value}
        for m in models
        for dataset, name, value in measured(m.metrics)
    ]
    rows.sort(key=lambda row: (row["version"], row["dataset"], row["metric"]))
    return pa.Table.from_pylist(rows, schema=METRICS_SCHEMA)


def model_events(events: Iterable[Event]) -> pa.Table:
    """One row an event, in order: time (UTC), version, event, reason, who, config (null where none is meant)."""
    rows = [
        {
            "time": event.time,
            "version": event.version,
            "event": event.event,
            "reason": event.reason,
            "who": event.who,
            "config": event.details.get("config"),
        }
        for event in events
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS_SCHEMA)


def measured(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """(data set, metric, value) of what metrics.json holds."""
    for dataset in _DATASETS:
        for name, value in _numbers(metrics.get(dataset)):
            yield dataset, name, value
    for kind, measured in (metrics.get("baselines") or {}).items():
        for name, value in _numbers(measured):
            yield f"baseline_{kind}", name, value
    for name, value in _numbers(metrics.get("rows")):
        yield (name, "rows", value) if name in _DATASETS else ("all", name, value)
    for name, value in _numbers(metrics.get("coverage")):
        yield "validation", f"coverage_{name}", value


def _numbers(section: Any) -> Iterator[tuple[str, float]]:
    """The numbers of a section; what is no number (a text, a list, null) has no place in the table."""
    if isinstance(section, Mapping):
        for name, value in section.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield name, float(value)
