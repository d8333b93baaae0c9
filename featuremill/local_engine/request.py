"""Raw rows of a request, as texts, to the features that the model wants; with the rules of ingest and training."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from featuremill.local_engine.engine import clear_errors
from featuremill.local_engine.session import LocalSettings, connect
from featuremill.local_engine.tables import DuckDBCompiler
from featuremill.queries.request import PROBLEM, ROW_NUMBER, request_query
from featuremill.spec.models import Pipeline


@dataclass(frozen=True)
class RequestFeatures:
    """`table`: the features of the good rows, in order. `rows`: their numbers, from 0. `problems`: number -> reason."""

    table: pa.Table
    rows: tuple[int, ...]
    problems: dict[int, str]


def features_of_rows(
    pipeline: Pipeline, records: Sequence[Mapping[str, str | None]], settings: LocalSettings
) -> RequestFeatures:
    """Each record maps columns of the spine source to their texts, as a CSV file would hold them.

    Raises DataError for a value that breaks an expression (a division by zero), UsageError where the pipeline's
    features need more than the rows themselves, and NotProven for an expression that only Spark may evaluate.
    """
    given = list(dict.fromkeys(name for record in records for name in record))
    query = request_query(pipeline, given, time.time_ns() // 1000, DuckDBCompiler())
    texts = {name: pa.array([record.get(name) for record in records], pa.string()) for name in given}
    numbers = pa.array(range(len(records)), pa.int64())
    with clear_errors(f"rows for {pipeline.pipeline}", settings), connect(settings) as connection:
        connection.register("request_texts", pa.table({ROW_NUMBER: numbers, **texts}))
        result: pa.Table = connection.sql(query.sql).to_arrow_table()
    reasons = dict(zip(result[ROW_NUMBER].to_pylist(), result[PROBLEM].to_pylist(), strict=True))
    good = result.filter(pc.is_null(result[PROBLEM])).drop_columns([PROBLEM])
    return RequestFeatures(
        table=good.drop_columns([ROW_NUMBER]),
        rows=tuple(good[ROW_NUMBER].to_pylist()),
        problems={number: reason for number, reason in reasons.items() if reason is not None},
    )
