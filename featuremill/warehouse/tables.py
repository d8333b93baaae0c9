"""The tables of a pipeline in Hive: their names, places and comments.

- `<source>`: typed rows, one partition a landing
- `<source>_quarantine`: rejected lines
- `snapshot`: one row an entity, every ds
- `training`: the training set as of ds, made when a model is due
- `predictions`: one row an entity, by the model that was live
- `model_metrics`, `model_events`: what models showed, and what became of them
- `drift`: one row a column, how far the day is from a reference
- views, in `featuremill.warehouse.views`: `<source>_current`, the newest row a key, and `latest`, the newest snapshot
"""

from __future__ import annotations

from featuremill.spec.models import Pipeline
from featuremill.warehouse.comments import (
    MODEL_TABLE_COMMENTS,
    QUARANTINE_COMMENTS,
    source_comments,
    table_comments,
)
from featuremill.warehouse.hive_objects import TableDefinition
from featuremill.warehouse.storage import Warehouse

SNAPSHOT = "snapshot"
TRAINING = "training"
PREDICTIONS = "predictions"
MODEL_METRICS = "model_metrics"
MODEL_EVENTS = "model_events"
DRIFT = "drift"
LATEST = "latest"


def quarantine_name(source: str) -> str:
    return f"{source}_quarantine"


def current_name(source: str) -> str:
    return f"{source}_current"


def table_names(pipeline: Pipeline) -> list[str]:
    """The stored tables that the pipeline's steps write, in the order in which they come about."""
    names = [name for source in pipeline.sources for name in (source, quarantine_name(source))]
    return [*names, SNAPSHOT, *([TRAINING] if pipeline.spine else [])]


def table_definition(pipeline: Pipeline, table: str, warehouse: Warehouse) -> TableDefinition:
    """The Hive table of that name, with the database's comment and owner from the pipeline file."""
    return TableDefinition(
        database=pipeline.pipeline,
        name=table,
        location=warehouse.table_location(pipeline.pipeline, table),
        comment=_table_comment(pipeline, table),
        database_comment=pipeline.description,
        owner=pipeline.owner,
    )


def column_comments(pipeline: Pipeline, table: str) -> dict[str, str]:
    """Column -> what it means, for `Warehouse.describe`. Empty for a table that the pipeline file does not know."""
    if table in pipeline.sources:
        return source_comments(pipeline.sources[table])
    if any(table == quarantine_name(source) for source in pipeline.sources):
        return QUARANTINE_COMMENTS
    if table in MODEL_TABLE_COMMENTS:
        return {pipeline.entity.key: "the entity: what a lookup asks for"} | MODEL_TABLE_COMMENTS[table]
    return table_comments(pipeline, table) if table in (SNAPSHOT, TRAINING) else {}


def _table_comment(pipeline: Pipeline, table: str) -> str | None:
    if table in pipeline.sources:
        source = pipeline.sources[table]
        return source.description or f"typed rows of the source {table}, one partition a landing"
    for source_name in pipeline.sources:
        if table == quarantine_name(source_name):
            return f"lines of {source_name} that were rejected, and why"
    if table == SNAPSHOT:
        return f"features of every {pipeline.entity.key} as of the end of each ds"
    if table == TRAINING:
        return f"features of every {pipeline.spine} row as of its event time, as known at the end of each ds"
    return {
        PREDICTIONS: f"what the model says of every {pipeline.entity.key} as of the end of each ds",
        MODEL_METRICS: "what each model showed on the rows that judged it, and its baselines",
        MODEL_EVENTS: "what became of each model, when, why and by whom",
        DRIFT: "how far the features and predictions of each ds are from those of a reference",
    }.get(table)
