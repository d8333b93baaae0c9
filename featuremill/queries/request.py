"""Features of rows that a request brings: a source's raw fields in, the model's features out.

Only what a row says of itself can be computed here: the selects of the spine source. A pipeline with aggregates, or
with features from other sources, needs the entity's history, which a file of rows does not have.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from featuremill.errors import UsageError
from featuremill.queries.dialects import DuckDB
from featuremill.queries.expressions import Compiler
from featuremill.queries.rows import Ctes
from featuremill.queries.typing import field_typing
from featuremill.spec.columns import AggregateColumn, SelectColumn, feature_columns
from featuremill.spec.expressions import columns_of, parse_expression
from featuremill.spec.models import Pipeline, Source

ROW_NUMBER = "__row"
PROBLEM = "__problem"


@dataclass(frozen=True)
class RequestQuery:
    """`reads`: the columns of the source that are looked at. The relation `request_texts` has the given ones as texts,
    and `__row` (bigint). `sql` gives `__row`, `__problem` (string, null where the row is fine) and the features."""

    sql: str
    reads: tuple[str, ...]
    types: dict[str, str]


def needs_history(pipeline: Pipeline) -> list[str]:
    """The features that rows of the spine source cannot give by themselves, in the order of the pipeline."""
    return [
        column.name
        for column in feature_columns(pipeline)
        if isinstance(column, AggregateColumn) or pipeline.features[column.block].source != pipeline.spine
    ]


def request_query(pipeline: Pipeline, given: Collection[str], now_micros: int, compiler: Compiler) -> RequestQuery:
    """The DuckDB query for rows with the columns `given`; `as_of` is a row's event time, or `now_micros` without one.

    Raises UsageError for features that need history and for columns that are read and not given, and what the compiler
    raises for expressions that are not proven equal.
    """
    history = needs_history(pipeline)
    if history:
        few = ", ".join(history[:3]) + (f" and {len(history) - 3} more" if len(history) > 3 else "")
        raise UsageError(
            f"{pipeline.pipeline}: {few} come from the history of an entity, which a file of raw rows has not; give a "
            f"file with the features as columns (`featuremill export {pipeline.pipeline}.snapshot` writes one)"
        )
    assert pipeline.spine is not None
    source = pipeline.sources[pipeline.spine]
    selects = [column for column in feature_columns(pipeline) if isinstance(column, SelectColumn)]
    reads = _columns_read(source, selects)
    missing = [name for name in reads if name not in given]
    if missing:
        raise UsageError(f"{pipeline.pipeline}.{pipeline.spine}: the rows have no column {', '.join(missing)}")
    return _query(source, selects, reads, set(given), now_micros, compiler)


def _query(
    source: Source,
    selects: list[SelectColumn],
    reads: list[str],
    given: set[str],
    now_micros: int,
    compiler: Compiler,
) -> RequestQuery:
    dialect = DuckDB()
    typing = field_typing("duckdb", source.connector)
    timed = source.time is not None and source.time.column in given
    typed = [*reads, *([source.time.column] if timed and source.time and source.time.column not in reads else [])]
    ctes = Ctes()
    values = [f"{typing.value(dialect.quote(name), source.columns[name])} AS {_v(name)}" for name in typed]
    last = ctes.add("typed", f"SELECT *, {', '.join(values) or '1 AS __nothing'}\nFROM request_texts")
    problems = [
        typing.problem(name, dialect.quote(name), _v(name), source.columns[name], required=False) for name in typed
    ]
    problem = f"nullif(concat_ws('; ', {', '.join(problems)}), '')" if problems else "NULL"
    parts = ", ".join([ROW_NUMBER, f"{problem} AS {PROBLEM}", *(f"{_v(n)} AS {dialect.quote(n)}" for n in typed)])
    last = ctes.add("named", f"SELECT {parts}\nFROM {last}")
    as_of = str(now_micros)
    if timed and source.time is not None:
        kind = source.columns[source.time.column].type
        as_of = f"coalesce({dialect.time_micros(source.time, kind)}, {now_micros})"
    types = {name: str(source.columns[name].type) for name in typed}
    columns = [f"{dialect.landed(name, types[name])} AS {dialect.quote(name)}" for name in typed]
    parts = ", ".join([ROW_NUMBER, PROBLEM, *columns, f"{dialect.timestamp(as_of)} AS as_of"])
    last = ctes.add("rows", f"SELECT {parts}\nFROM {last}")
    for name, derived in source.derive.items():
        if columns_of(parse_expression(derived.expression)) <= set(types):
            compiled = compiler.compile(derived.expression, types)
            types[name] = compiled.type
            derived_value = f"CASE WHEN {PROBLEM} IS NULL THEN {compiled.sql} END AS {dialect.quote(name)}"
            last = ctes.add(f"derived_{name}", f"SELECT *, {derived_value}\nFROM {last}")
    made, feature_types = [], {}
    for column in selects:
        compiled = compiler.compile(column.select.expression, {**types, "as_of": "timestamp"})
        feature_types[column.name] = compiled.type
        # A row with a problem has nulls where its values are wrong: its features are not looked at.
        value = dialect.stored(compiled.sql, compiled.type)
        made.append(f"CASE WHEN {PROBLEM} IS NULL THEN {value} END AS {dialect.quote(column.name)}")
    final = f"SELECT {', '.join([ROW_NUMBER, PROBLEM, *made])}\nFROM {last}\nORDER BY {ROW_NUMBER}"
    return RequestQuery(ctes.render(final), tuple(reads), feature_types)


def _columns_read(source: Source, selects: list[SelectColumn]) -> list[str]:
    """The columns of the raw file that the selects need, derived columns followed back."""
    names: set[str] = set()
    for column in selects:
        names |= columns_of(parse_expression(column.select.expression))
    for name, derived in reversed(source.derive.items()):
        if name in names:
            names |= columns_of(parse_expression(derived.expression))
    return [name for name in source.columns if name in names]


def _v(name: str) -> str:
    return DuckDB().quote(f"__v_{name}")
