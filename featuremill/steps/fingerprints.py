"""Fingerprints: what a step's result depends on, as one short text.

A fingerprint hashes the step's definition (the parts of the pipeline file that it reads, and the version of the code
that gives them their meaning) and the fingerprints of its inputs. Raw files are fingerprinted by their content. The
engine is not part of it: both engines give the same table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from featuremill.spec.models import GENERATED_KEY, Pipeline, Source, Training, hyperparameters

INGEST_CODE = 1
"""Raise it when the same CSV and the same source would give other typed rows or other quarantined lines."""

FEATURES_CODE = 1
"""Raise it when the same typed rows and the same pipeline would give another snapshot or training table."""

CHECK_CODE = 1
"""Raise it when the same rows and expectations could have another outcome."""

TRAINING_CODE = 1
"""Raise it when the same training table and the same hyperparameters would give another model."""

ACCEPT_CODE = 1
"""Raise it when the same model could be judged otherwise."""

SCORING_CODE = 1
"""Raise it when the same snapshot and the same model would give other predictions."""

MONITOR_CODE = 1
"""Raise it when the same tables could be found to differ otherwise."""

_PARSING = (
    "header",
    "delimiter",
    "quote",
    "escape",
    "encoding",
    "null_values",
    "multiline",
    "date_format",
    "timestamp_format",
)
_FOR_PEOPLE = {"description"}


def fingerprint(definition: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """32 hexadecimal digits that change when, and only when, the definition or an input does."""
    text = json.dumps([definition, dict(inputs)], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def ingest_definition(pipeline: Pipeline, source_name: str) -> dict[str, Any]:
    """What decides how the raw files of a source become typed rows and quarantined lines."""
    source = pipeline.sources[source_name]
    connector = source.connector.model_dump(mode="json")
    return {
        "step": "ingest",
        "code": INGEST_CODE,
        "connector": {name: connector[name] for name in _PARSING},
        "columns": {
            name: {"type": column.type, "header": column.header, "format": column.format}
            for name, column in source.columns.items()
        },
        "key": source.key_column,
        "time": _plain(source.time),
        "required": list(required_columns(pipeline, source_name)),
    }


def required_columns(pipeline: Pipeline, source_name: str) -> tuple[str, ...]:
    """The columns without which a row is quarantined: key, entity, time, and those marked `required`."""
    source = pipeline.sources[source_name]
    names = [source.key_column, pipeline.entity.key, *([source.time.column] if source.time else [])]
    names += [name for name, column in source.columns.items() if column.required]
    return tuple(name for name in dict.fromkeys(names) if name in source.columns and name != GENERATED_KEY)


def check_definition(source: Source) -> dict[str, Any]:
    """What decides the outcome of a source's expectations on given rows."""
    return {"step": "check", "code": CHECK_CODE, "expect": [_plain(expectation) for expectation in source.expect]}


def table_definition(pipeline: Pipeline, table: str, ds: str) -> dict[str, Any]:
    """What decides a snapshot or training table, given the typed rows."""
    definition: dict[str, Any] = {
        "step": table,
        "code": FEATURES_CODE,
        "ds": ds,
        "entity": _plain(pipeline.entity),
        "spine": pipeline.spine,
        "sources": {name: _reading(pipeline.sources[name]) for name in sources_read(pipeline)},
        "features": [_plain(block) for block in pipeline.features],
    }
    if table == "training":
        definition["label"] = _plain(pipeline.label)
    return definition


def train_definition(pipeline: Pipeline, hosts: int) -> dict[str, Any]:
    """What decides a model, given the training table. The label's values over several hosts give the same models."""
    told = hyperparameters(pipeline)
    return {
        "step": "train",
        "code": TRAINING_CODE,
        "hyperparameters": told.model_dump(mode="json", by_alias=True),
        "hosts": 1 if told.task == "one_vs_rest" else hosts,
    }


def accept_definition(pipeline: Pipeline) -> dict[str, Any]:
    """What decides whether a model may go live."""
    training = pipeline.training or Training()
    return {"step": "accept", "code": ACCEPT_CODE, "accept": _plain(training.accept)}


def deploy_definition(pipeline: Pipeline) -> dict[str, Any]:
    """What the endpoint shall be like."""
    return {"step": "deploy", "endpoint": _plain(pipeline.endpoint)}


def score_definition(pipeline: Pipeline) -> dict[str, Any]:
    """What decides predictions, given the snapshot and the model."""
    return {"step": "score", "code": SCORING_CODE, "entity": pipeline.entity.key}


def monitor_definition(pipeline: Pipeline) -> dict[str, Any]:
    """What decides the drift of given tables. Whether drift trains does not."""
    assert pipeline.monitor is not None
    return {"step": "monitor", "code": MONITOR_CODE, "psi": pipeline.monitor.drift.psi}


def sources_read(pipeline: Pipeline) -> list[str]:
    """The sources that the feature tables read, in the order of the file."""
    read = {block.source for block in pipeline.features} | {pipeline.spine}
    return [name for name in pipeline.sources if name in read]


def _reading(source: Source) -> dict[str, Any]:
    return {
        "key": source.key_column,
        "time": _plain(source.time),
        "columns": {name: column.type for name, column in source.columns.items()},
        "derive": {name: derived.expression for name, derived in source.derive.items()},
        "where": source.where,
    }


def _plain(model: BaseModel | None) -> Any:
    """A model as JSON, without what is written for people only."""
    return None if model is None else _without(model.model_dump(mode="json", by_alias=True))


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key not in _FOR_PEOPLE}
    if isinstance(value, (list, tuple)):
        return [_without(item) for item in value]
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
