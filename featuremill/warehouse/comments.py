"""What the columns of a pipeline's tables mean, in a sentence each: the comments that Hive shows."""

from __future__ import annotations

import re

from featuremill.spec.columns import AggregateColumn, SelectColumn, feature_columns
from featuremill.spec.models import GENERATED_KEY, Aggregate, Pipeline, Source

_UNITS = {"d": "day", "h": "hour", "min": "minute", "s": "second"}
_PHRASES = {
    "count": "number of {rows} with {x}",
    "sum": "sum of {x} over {rows}",
    "mean": "mean of {x} over {rows}",
    "min": "smallest {x} of {rows}",
    "max": "largest {x} of {rows}",
    "stddev": "sample standard deviation of {x} over {rows}",
    "first": "{x} of the first of {rows}",
    "last": "{x} of the last of {rows}",
    "count_distinct": "number of distinct {x} over {rows}",
    "set": "distinct {x}, sorted, over {rows}",
    "since_last": "days since the last of {rows}",
}
_TIME_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds"}


def source_comments(source: Source) -> dict[str, str]:
    """Of a typed source table: the descriptions of the pipeline file, and what key and time are."""
    comments = {}
    for name, column in source.columns.items():
        said = [column.description] if column.description else []
        if name == source.key:
            said.append("key: one row each, the newest landing wins")
        if source.time is not None and name == source.time.column:
            unit = f" in {_TIME_UNITS[source.time.unit]} since 1970" if source.time.unit else ""
            said.append(f"event time{unit}, UTC")
        if column.outcome:
            said.append("known only after the event")
        if said:
            comments[name] = "; ".join(said)
    for name, derived in source.derive.items():
        comments[name] = derived.description or f"derived: {derived.expression}"
    if source.key is None:
        comments[GENERATED_KEY] = "key: MD5 of the row's fields as they were in the file"
    return comments


QUARANTINE_COMMENTS = {
    "raw_line": "the line as it was in the file",
    "kind": "malformed, invalid, missing or duplicate",
    "reason": "what is wrong with it",
    "file": "the file it was in",
    "line_number": "line of the file where the record begins, the first is 1",
}


MODEL_TABLE_COMMENTS = {
    "predictions": {
        "as_of": "the moment the features are of: midnight at the end of ds, UTC",
        "predicted_label": "what the model expects",
        "probability": "calibrated probability of the positive class, or of the predicted one of several",
        "probabilities": "calibrated probability of each class or label value",
        "labels": "the label values that `probabilities`, `lower` and `upper` are about, in their order",
        "lower": "lower end of the conformal interval",
        "upper": "upper end of the conformal interval",
        "model_version": "the training job that made the model",
    },
    "model_metrics": {
        "version": "the training job that made the model",
        "task": "binary, multiclass, regression or one_vs_rest",
        "dataset": "the rows that were measured",
        "metric": "its name, as in the report",
        "value": "what was measured",
    },
    "model_events": {
        "time": "when it happened, UTC",
        "event": "trained, accepted, rejected, deploying, deployed, rolled_back, retired or failed",
        "version": "the model it happened to",
        "reason": "why, in words",
        "who": "the user who ran the command",
    },
    "drift": {
        "feature": "the column that was compared",
        "of_table": "its table: snapshot or predictions",
        "kind": "how it was compared: numeric, date, timestamp, categorical or set",
        "psi": "population stability index against the reference; null where the two cannot be compared",
        "psi_limit": "the pipeline file's limit",
        "p_value": "the chance of such a difference between two samples of one distribution",
        "shifted": "whether psi is at or beyond the limit and p_value below 0.001",
        "missing_share": "share of the rows without a value",
        "missing_share_reference": "the same in the reference",
        "row_count": "rows of the day",
        "row_count_reference": "rows of the reference",
        "reference_table": "what the day was compared with: a table",
        "reference_ds": "and its day",
        "model_version": "the model that was live",
        "remark": "why psi is null",
        "bins": "what was counted: ranges of numbers, texts, members of sets",
        "shares": "share of each bin on the day",
        "shares_reference": "the same in the reference",
    },
}
"""Table -> column -> what it means, of the tables about models."""


def table_comments(pipeline: Pipeline, table: str) -> dict[str, str]:
    """Of `snapshot` or `training`: key, as_of, features, label."""
    entity = pipeline.entity.key
    comments = {entity: "the entity: what a lookup asks for"}
    spine = pipeline.sources[pipeline.spine] if pipeline.spine else None
    if table == "training" and spine is not None and spine.key_column != entity:
        comments[spine.key_column] = f"key of the {pipeline.spine} row"
    comments["as_of"] = (
        "the moment the features are of: midnight at the end of ds, UTC"
        if table == "snapshot"
        else "the moment the features are of: the row's event time, UTC"
    )
    if pipeline.label is not None and table == "training":
        after = pipeline.label.available_after
        known = f", known {_length(after.text)} after the event" if after.micros else ""
        comments[pipeline.label.column] = f"label{known}"
    for column in feature_columns(pipeline):
        comments[column.name] = (
            _aggregate(pipeline, column) if isinstance(column, AggregateColumn) else _select(pipeline, column, table)
        )
    return comments


def _aggregate(pipeline: Pipeline, column: AggregateColumn) -> str:
    aggregate = column.aggregate
    if aggregate.description:
        return aggregate.description + (f" ({_length(column.over.text)})" if column.over else "")
    block = pipeline.features[column.block]
    matched = block.by or pipeline.entity.key
    rows = f"the {block.source} of the same {matched}"
    rows += f" in the {_length(column.over.text)} before as_of" if column.over else " before as_of"
    return _sentence(aggregate, rows) + _conditions(aggregate)


def _sentence(aggregate: Aggregate, rows: str) -> str:
    if aggregate.argument == "*" and aggregate.kind == "count":
        return f"number of {rows}"
    return _PHRASES[aggregate.kind].format(x=aggregate.argument, rows=rows)


def _conditions(aggregate: Aggregate) -> str:
    where = f", where {aggregate.where}" if aggregate.where else ""
    hidden = aggregate.known_after
    return where + (f", each known {_length(hidden.text)} after its time" if hidden.micros else "")


def _select(pipeline: Pipeline, column: SelectColumn, table: str) -> str:
    if column.select.description:
        return column.select.description
    block = pipeline.features[column.block]
    matched = block.by or pipeline.entity.key
    if pipeline.sources[block.source].is_static:
        row = f"the {block.source} row of the same {matched}"
    elif table == "training" and block.source == pipeline.spine:
        row = f"this {block.source} row"
    else:
        row = f"the newest {block.source} row of the same {matched}"
    return f"{column.select.expression}, of {row}"


def _length(text: str) -> str:
    match = re.fullmatch(r"(\d+)(d|h|min|s)", text)
    if match is None:
        return text
    number, unit = int(match[1]), _UNITS[match[2]]
    return f"{number} {unit}" + ("" if number == 1 else "s")
