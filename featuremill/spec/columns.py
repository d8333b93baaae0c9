"""The feature columns that a pipeline's tables have, in their order."""

from __future__ import annotations

from dataclasses import dataclass

from featuremill.spec.models import Aggregate, FeatureBlock, Pipeline, Select
from featuremill.spec.types import Duration


@dataclass(frozen=True)
class AggregateColumn:
    """One aggregate over one window; `over` is None for all history."""

    name: str
    block: int
    aggregate: Aggregate
    over: Duration | None


@dataclass(frozen=True)
class SelectColumn:
    """One expression over the row itself."""

    name: str
    block: int
    select: Select


FeatureColumn = AggregateColumn | SelectColumn


def block_columns(index: int, block: FeatureBlock) -> list[FeatureColumn]:
    """The columns of one feature block: its aggregates, window by window, then its selects."""
    columns: list[FeatureColumn] = []
    for name, aggregate in block.aggregate.items():
        for over in aggregate.over or (None,):
            full_name = f"{name}_{over}" if aggregate.named_by_window else name
            columns.append(AggregateColumn(full_name, index, aggregate, over))
    columns.extend(SelectColumn(name, index, select) for name, select in block.select.items())
    return columns


def feature_columns(pipeline: Pipeline) -> list[FeatureColumn]:
    """All feature columns of a pipeline, block by block; snapshot and training tables have them in this order."""
    return [column for index, block in enumerate(pipeline.features) for column in block_columns(index, block)]
