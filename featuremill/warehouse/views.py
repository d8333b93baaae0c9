"""The views of a pipeline, as Spark SQL text, and when they are made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from featuremill.spec.models import Pipeline
from featuremill.warehouse.comments import source_comments
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.hive_objects import Column
from featuremill.warehouse.manifest import PARTITION_COLUMN
from featuremill.warehouse.tables import LATEST, PREDICTIONS, SNAPSHOT, current_name

_DS = Column(PARTITION_COLUMN, "string", "day of the landing, UTC")
_RANK = "__rank"


@dataclass(frozen=True)
class View:
    """A view's name, text and columns, in the text's order."""

    database: str
    name: str
    sql: str
    columns: tuple[Column, ...]
    comment: str | None = None
    owner: str | None = None


def current_view(
    pipeline: Pipeline, source_name: str, stored: Sequence[Column], derived_types: Mapping[str, str] | None = None
) -> View:
    """`<source>_current`: the newest landing of each key, with the derived columns, of the rows that `where` keeps.

    The order is the one of the features: newest row first, then the derived columns, then `where`; so a key whose
    newest row is filtered out is gone, not replaced by an older row. `stored` are the table's columns in Hive.
    `derived_types`: derived column -> Hive type; where it is not given it is inferred.
    """
    source = pipeline.sources[source_name]
    comments = source_comments(source)
    names = [column.name for column in stored] + [PARTITION_COLUMN]
    rank = f"row_number() OVER (PARTITION BY {_quote(source.key_column)} ORDER BY {_quote(PARTITION_COLUMN)} DESC)"
    table = f"{_quote(pipeline.pipeline)}.{_quote(source_name)}"
    sql = f"SELECT *, {rank} AS {_quote(_RANK)} FROM {table}"
    sql = f"SELECT {_list(names)} FROM ({sql}) WHERE {_quote(_RANK)} = 1"
    columns = [*stored, replace(_DS)]
    known = {column.name: column.type for column in columns}
    for name, derived in source.derive.items():
        # One query a column, since a derived column may read those before it.
        sql = f"SELECT *, {derived.expression} AS {_quote(name)} FROM ({sql})"
        kind = (derived_types or {}).get(name) or inferred_type(derived.expression, known)
        known[name] = kind
        columns.append(Column(name, kind, comments.get(name)))
    # Declared columns, derived ones, the landing day last.
    columns = [column for column in columns if column.name != PARTITION_COLUMN] + [_DS]
    kept = f" WHERE {source.where}" if source.where else ""
    sql = f"SELECT {_list([column.name for column in columns])} FROM ({sql}){kept}"
    said = f"newest landing of each {source.key_column} of {source_name}"
    return View(pipeline.pipeline, current_name(source_name), sql, tuple(columns), said, pipeline.owner)


def latest_view(
    pipeline: Pipeline,
    ds: str,
    snapshot: Sequence[Column],
    predictions_ds: str | None = None,
    predictions: Sequence[Column] = (),
) -> View:
    """`latest`: the snapshot of `ds`, and the predictions of `predictions_ds` where there are any.

    The days are literals, so that a query reads these partitions only.
    """
    key = pipeline.entity.key
    day = Column(PARTITION_COLUMN, "string", "day of the snapshot, UTC")
    columns = [*snapshot, day]
    database = _quote(pipeline.pipeline)
    comment = f"features of every {key} as of the end of {ds}"
    if predictions_ds is None:
        listed_columns = _list([column.name for column in columns])
        sql = f"SELECT {listed_columns} FROM {database}.{SNAPSHOT} WHERE {_equals(PARTITION_COLUMN, ds)}"
        return View(pipeline.pipeline, LATEST, sql, tuple(columns), comment, pipeline.owner)
    had = {column.name for column in columns}
    added = [column for column in predictions if column.name not in had]
    listed = [f"f.{_quote(c.name)}" for c in columns] + [f"p.{_quote(c.name)}" for c in added]
    sql = (
        f"SELECT {', '.join(listed)}"
        f" FROM (SELECT * FROM {database}.{SNAPSHOT} WHERE {_equals(PARTITION_COLUMN, ds)}) f"
        f" LEFT JOIN (SELECT * FROM {database}.{PREDICTIONS} WHERE {_equals(PARTITION_COLUMN, predictions_ds)}) p"
        f" ON f.{_quote(key)} = p.{_quote(key)}"
    )
    comment += f", and their predictions of {predictions_ds}"
    return View(pipeline.pipeline, LATEST, sql, (*columns, *added), comment, pipeline.owner)


def refresh_current(
    catalog: HiveCatalog, pipeline: Pipeline, source_name: str, derived_types: Mapping[str, str] | None = None
) -> bool:
    """Make `<source>_current` if it is not as it should be. False if nothing changed or the source has no table yet."""
    stored = catalog.columns(pipeline.pipeline, source_name)
    if not stored:
        return False
    return _make(catalog, current_view(pipeline, source_name, stored, derived_types))


def refresh_latest(catalog: HiveCatalog, pipeline: Pipeline) -> str | None:
    """Have `latest` show the newest published snapshot; returns its day, None while there is none.

    Two processes may publish two days at once: after writing, the newest day is read again, and the view is written
    again if it is a newer one. So the last one to write has always looked after its writing, and never leaves an
    older day behind.
    """
    database = pipeline.pipeline
    while True:
        newest = _newest(catalog, database)
        if newest[0] is None:
            return None
        columns = catalog.columns(database, SNAPSHOT)
        predictions = catalog.columns(database, PREDICTIONS) if newest[1] else ()
        _make(catalog, latest_view(pipeline, newest[0], columns, newest[1], predictions))
        if _newest(catalog, database) == newest:
            return newest[0]


def _newest(catalog: HiveCatalog, database: str) -> tuple[str | None, str | None]:
    days = (catalog.days(database, SNAPSHOT), catalog.days(database, PREDICTIONS))
    return days[0][-1] if days[0] else None, days[1][-1] if days[1] else None


def _make(catalog: HiveCatalog, view: View) -> bool:
    return catalog.create_or_replace_view(view.database, view.name, view.sql, view.columns, view.comment, view.owner)


def inferred_type(expression: str, known: Mapping[str, str]) -> str:
    """The Hive type of a Spark SQL expression over columns of these types, `string` where it cannot be told."""
    from sqlglot import exp, parse_one
    from sqlglot.optimizer.annotate_types import annotate_types

    def typed(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name in known:
            return exp.cast(exp.Null(), exp.DataType.build(known[node.name], dialect="spark"))
        return node

    kind = annotate_types(parse_one(expression, dialect="spark").transform(typed), dialect="spark").type
    if kind is None or kind.this in (exp.DataType.Type.UNKNOWN, exp.DataType.Type.NULL):
        return "string"
    text = kind.sql(dialect="hive").lower()
    return {"integer": "int", "varchar": "string", "text": "string", "timestamptz": "timestamp"}.get(text, text)


def _quote(name: str) -> str:
    return f"`{name}`"


def _list(names: Sequence[str]) -> str:
    return ", ".join(_quote(name) for name in names)


def _equals(column: str, value: str) -> str:
    return f"{_quote(column)} = '{value}'"
