"""A source's key, time and entity column are there and fit."""

from __future__ import annotations

from collections.abc import Iterator

from featuremill.spec.models import GENERATED_KEY
from featuremill.spec.problems import Problem, a, did_you_mean
from featuremill.spec.rules.check import Check

_MOMENTS = ("date", "timestamp")
_WHOLE_NUMBERS = ("int", "bigint")


def keys_are_columns(check: Check) -> Iterator[Problem]:
    """The key is one of the file's columns."""
    for name, source in check.pipeline.sources.items():
        if source.key is None or source.key in source.columns or check.is_open(name) or check.is_lost(source.key):
            continue
        path = ("sources", name, "key")
        if source.key in source.derive:
            message = f"the key `{source.key}` of `{name}` is derived; a key is a column of the file"
            yield check.document.problem(path, message)
            continue
        suggestion = did_you_mean(source.key, source.columns)
        if source.key == GENERATED_KEY:
            suggestion = "leave `key` out, and each row gets a key made of its fields"
        message = f"the key `{source.key}` of `{name}` is not one of its columns"
        yield check.document.problem(path, message, suggestion)


def times_are_moments(check: Check) -> Iterator[Problem]:
    """The event time is a date, a timestamp, or a whole number with its unit."""
    for name, source in check.pipeline.sources.items():
        if source.time is None:
            continue
        column, unit = source.time.column, source.time.unit
        path = ("sources", name, "time", "column")
        if column not in source.columns:
            if not (check.is_open(name) or check.is_lost(column)):
                what = (
                    "derived; event times are columns of the file"
                    if column in source.derive
                    else "not one of its columns"
                )
                message = f"the time `{column}` of `{name}` is {what}"
                yield check.document.problem(path, message, did_you_mean(column, source.columns))
            continue
        kind = check.type_of(name, column)
        if kind is None:
            continue
        if kind in _WHOLE_NUMBERS and unit is None:
            message = f"the time `{column}` of `{name}` is a whole number ({kind}) of no known unit"
            yield check.document.problem(path, message, f"write `time: {{column: {column}, unit: ms}}` (or s, us)")
        elif kind in _MOMENTS and unit is not None:
            message = f"the time `{column}` of `{name}` is {a(kind)}, which has no unit"
            yield check.document.problem(("sources", name, "time", "unit"), message, f"write `time: {column}`")
        elif kind not in (*_MOMENTS, *_WHOLE_NUMBERS):
            message = f"the time `{column}` of `{name}` is {a(kind)}; a time is a date, a timestamp or a whole number"
            yield check.document.problem(path, message, "declare the column as a date or timestamp, with its `format`")


def entities_have_one_type(check: Check) -> Iterator[Problem]:
    """The entity's column has the declared type in every source."""
    entity = check.pipeline.entity
    if check.is_mended("entity", "type"):
        return
    for name in check.pipeline.sources:
        kind = check.type_of(name, entity.key)
        if kind is None or kind == entity.type:
            continue
        if entity.key == GENERATED_KEY:
            message = f"the entity is {a(entity.type)}, and the key made for `{name}` a string"
            yield check.document.problem(("entity", "type"), message, "write `type: string`")
            continue
        message = f"`{entity.key}` is {a(kind)} in `{name}`, and {a(entity.type)} in `entity`"
        path = ("sources", name, "columns", entity.key, "type")
        yield check.document.problem(path, message, f"write {entity.type}, or change the entity's type")


def identity_is_no_outcome(check: Check) -> Iterator[Problem]:
    """Key, time and entity of a row are known when the row is."""
    for name, source in check.pipeline.sources.items():
        time = source.time.column if source.time else None
        for role, column in (("key", source.key), ("time", time), ("entity", check.pipeline.entity.key)):
            if column in source.columns and source.columns[column].outcome:
                message = f"`{column}` is the {role} of `{name}` and cannot be an outcome"
                path = ("sources", name, "columns", column, "outcome")
                yield check.document.problem(path, message, "leave `outcome` out")
                break


def feature_sources_exist(check: Check) -> Iterator[Problem]:
    """Every feature block reads a source of the pipeline."""
    for index, block in enumerate(check.pipeline.features):
        is_lost = check.is_lost(block.source) or check.is_mended("features", index)
        if block.source not in check.pipeline.sources and not is_lost:
            message = f"unknown source `{block.source}`"
            suggestion = did_you_mean(block.source, check.pipeline.sources)
            yield check.document.problem(("features", index, "from"), message, suggestion)


def feature_blocks_have_features(check: Check) -> Iterator[Problem]:
    """A block that computes nothing is a mistake."""
    for index, block in enumerate(check.pipeline.features):
        if not block.aggregate and not block.select and not _had_features(check, index):
            message = "this block has no features"
            yield check.document.problem(("features", index), message, "add `aggregate` or `select`, or drop the block")


def _had_features(check: Check, index: int) -> bool:
    return check.is_mended("features", index) or any(
        mended[:2] == ("features", index) and mended[2:3] in (("aggregate",), ("select",)) for mended in check.mended
    )


RULES = (
    keys_are_columns,
    times_are_moments,
    entities_have_one_type,
    identity_is_no_outcome,
    feature_sources_exist,
    feature_blocks_have_features,
)
