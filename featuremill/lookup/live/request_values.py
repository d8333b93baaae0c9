"""Columns of a new event, merged over an entity's stored features.

Of the pipeline's features only the `select` expressions of the spine source say something of a new event. Those whose
columns the request gives are evaluated as in training, on DuckDB, by the same typing rules as a landing's; all other
features keep their stored values. `as_of` is the event's time if the request gives it, else now.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from featuremill.lookup.history.rendering import cursor, rendered
from featuremill.lookup.records import SEPARATOR
from featuremill.lookup.service.errors import Problem
from featuremill.queries.request import PROBLEM, ROW_NUMBER, RequestQuery, request_query
from featuremill.spec.columns import SelectColumn, feature_columns
from featuremill.spec.expressions import columns_of, parse_expression
from featuremill.spec.models import FeatureBlock, Pipeline, Select, Source

_NOW = 8_640_123_456_789_017
"""Stands for the present time in cached queries: microseconds that no user's text is likely to hold."""
_MOST_QUERIES = 256
_TEXTS = "request_texts"


@dataclass(frozen=True)
class Evaluated:
    """`features`: the features that were evaluated, as JSON texts."""

    features: dict[str, bytes]


class RequestValues:
    """Evaluates the selects of new events. Queries are made once for each set of columns; used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries: dict[object, RequestQuery | None] = {}

    def evaluate(self, pipeline: Pipeline, stamp: object, key: str, values: Mapping[str, Any]) -> Evaluated:
        """`key`: the entity's id as text, known without being given. `stamp` differs when the pipeline file changed.

        Raises Problem 422: for a column that is not the source's, an outcome, a value that is not of its column's type,
        an expression that needs more columns than are given, and one that only Spark may evaluate.
        """
        if pipeline.spine is None:
            raise _cannot(pipeline, "the pipeline has no source of events")
        source = pipeline.sources[pipeline.spine]
        texts = _texts(pipeline, source, values)
        implied = {pipeline.entity.key: key} if pipeline.entity.key in source.columns else {}
        query = self._query(pipeline, stamp, source, frozenset(texts), frozenset(implied))
        if query is None:
            return Evaluated({})
        return self._run(pipeline, query, {**implied, **texts})

    def _query(
        self, pipeline: Pipeline, stamp: object, source: Source, given: frozenset[str], implied: frozenset[str]
    ) -> RequestQuery | None:
        identity = (pipeline.pipeline, stamp, given)
        with self._lock:
            if identity in self._queries:
                return self._queries[identity]
        made = _made_query(pipeline, source, given, implied)
        with self._lock:
            if len(self._queries) >= _MOST_QUERIES:
                self._queries.clear()
            self._queries[identity] = made
        return made

    def _run(self, pipeline: Pipeline, query: RequestQuery, texts: Mapping[str, str | None]) -> Evaluated:
        import duckdb

        columns = {name: pa.array([text], pa.string()) for name, text in texts.items()}
        sql = query.sql.replace(str(_NOW), str(time.time_ns() // 1000))
        connection = cursor()
        connection.register(_TEXTS, pa.table({ROW_NUMBER: pa.array([0], pa.int64()), **columns}))
        try:
            row: pa.Table = connection.sql(sql).to_arrow_table()
        except duckdb.Error as error:
            # An overflow or a division by zero: in training such a value stops the run.
            raise _cannot(pipeline, f"the values break an expression: {str(error).splitlines()[0]}") from error
        finally:
            connection.unregister(_TEXTS)
        problem = row.column(PROBLEM)[0].as_py()
        if problem is not None:
            raise Problem(422, "malformed-values", f"{pipeline.pipeline}.{pipeline.spine}: {problem}")
        names = list(query.types)
        (value,) = rendered(row, names, query.types)
        return Evaluated(dict(zip(names, value.split(SEPARATOR), strict=True)))


def _made_query(
    pipeline: Pipeline, source: Source, given: Collection[str], implied: Collection[str]
) -> RequestQuery | None:
    """The query for these columns; None if no expression reads them."""
    # Imported here: plain lookups need neither the translation of expressions nor DuckDB.
    from featuremill.local_engine.tables import DuckDBCompiler
    from featuremill.queries.proven import NotProven

    assert pipeline.spine is not None
    chosen: dict[str, Select] = {}
    for column in feature_columns(pipeline):
        if not isinstance(column, SelectColumn) or pipeline.features[column.block].source != pipeline.spine:
            continue
        reads = _raw_columns(source, column.select.expression)
        missing = [name for name in source.columns if name in reads and name not in given and name not in implied]
        if missing and not reads.isdisjoint(given):
            wants = ", ".join(missing)
            partly = ", ".join(name for name in source.columns if name in reads and name in given)
            raise _cannot(
                pipeline,
                f"{column.name} ({column.select.expression}) reads {partly}, which is given, and {wants}, "
                "which is not; give both or neither",
                feature=column.name,
                missing=missing,
            )
        if not missing:
            chosen[column.name] = column.select
    if not chosen:
        return None
    block = FeatureBlock.model_validate({"from": pipeline.spine, "select": chosen})
    narrowed = pipeline.model_copy(update={"features": (block,)})
    try:
        return request_query(narrowed, {*given, *implied}, _NOW, DuckDBCompiler())
    except NotProven as error:
        raise _cannot(pipeline, f"only Spark may evaluate this: {error}") from error


def _raw_columns(source: Source, expression: str) -> set[str]:
    """The columns of the raw file that an expression reads, derived ones followed back; `as_of` is none."""
    names = columns_of(parse_expression(expression))
    for name, derived in reversed(source.derive.items()):
        if name in names:
            names = (names - {name}) | columns_of(parse_expression(derived.expression))
    return names & set(source.columns)


def _texts(pipeline: Pipeline, source: Source, values: Mapping[str, Any]) -> dict[str, str | None]:
    """The values as the texts that a raw file would hold. Raises Problem 422."""
    spine = f"{pipeline.pipeline}.{pipeline.spine}"
    texts: dict[str, str | None] = {}
    for name, value in values.items():
        column = source.columns.get(name)
        if column is None:
            known = ", ".join(n for n, c in source.columns.items() if not c.outcome)
            raise Problem(
                422, "unknown-column", f"{spine} has no column {name[:80]!r}; it has {known}", column=name[:80]
            )
        if column.outcome:
            raise Problem(
                422, "outcome-column", f"{spine}.{name} is known only after the event; leave it out", column=name
            )
        texts[name] = _text(spine, name, value, column.type)
    return texts


def _text(spine: str, name: str, value: Any, kind: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and kind in ("int", "bigint") and abs(value) < 2**63:
        return str(int(value))
    if isinstance(value, (int, float)):
        return repr(value)
    shown = "an object" if isinstance(value, dict) else "a list"
    raise Problem(422, "malformed-values", f"{spine}.{name}: {shown} is no value of a column", column=name)


def _cannot(pipeline: Pipeline, why: str, **more: Any) -> Problem:
    return Problem(422, "cannot-evaluate", f"{pipeline.pipeline}: {why}", pipeline=pipeline.pipeline, **more)
