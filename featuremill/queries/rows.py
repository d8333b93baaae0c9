"""The rows of a source that a run may see, with the columns that its features read.

The relation `landed_<source>` is the engine's: every typed partition of the source, with its landing day as `ds`
(string). What comes out is the relation `rows_<source>`:

    the columns read, derived ones included     as expressions see them
    __t    bigint    event time in microseconds, null in a static table
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from featuremill.queries.dialects import Dialect
from featuremill.queries.expressions import Compiler
from featuremill.spec.expressions import columns_of, parse_expression
from featuremill.spec.models import GENERATED_KEY, Pipeline, Source
from featuremill.spec.types import MICROS_PER_DAY

EPOCH = date(1970, 1, 1)


def cutoff_micros(ds: str) -> int:
    """Midnight at the end of `ds` (YYYY-MM-DD, UTC), in microseconds since 1970-01-01T00:00Z."""
    return ((date.fromisoformat(ds) + timedelta(days=1)) - EPOCH).days * MICROS_PER_DAY


@dataclass
class Ctes:
    """The common table expressions of a query, in order."""

    parts: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, sql: str) -> str:
        self.parts[name] = sql
        return name

    def render(self, final: str) -> str:
        """The whole query, one CTE after the other, readable as it stands."""
        if not self.parts:
            return final
        body = ",\n".join(f"{name} AS (\n{_indent(sql)}\n)" for name, sql in self.parts.items())
        return f"WITH {body}\n{final}"


def _indent(sql: str) -> str:
    return "\n".join(f"  {line}" for line in sql.splitlines())


def source_types(source: Source) -> dict[str, str]:
    """Column -> Spark type of a source's typed table."""
    types = {name: str(column.type) for name, column in source.columns.items()}
    if source.key is None:
        types[GENERATED_KEY] = "string"
    return types


def expressions_on(pipeline: Pipeline, source_name: str) -> list[str]:
    """Every expression of the pipeline that reads this source's rows, derived columns left out."""
    source = pipeline.sources[source_name]
    texts = [source.where] if source.where else []
    for block in pipeline.features:
        if block.source != source_name:
            continue
        for aggregate in block.aggregate.values():
            texts += [text for text in (aggregate.argument, aggregate.where) if text and text != "*"]
        texts += [select.expression for select in block.select.values()]
    return texts


def columns_read(pipeline: Pipeline, source_name: str) -> set[str]:
    """The columns (typed and derived) of a source that the pipeline's tables need."""
    source = pipeline.sources[source_name]
    names = {source.key_column}
    if source.time:
        names.add(source.time.column)
    if pipeline.label and pipeline.label.source == source_name:
        names.add(pipeline.label.column)
    names |= {block.by for block in pipeline.features if block.by}
    names.add(pipeline.entity.key)
    for text in expressions_on(pipeline, source_name):
        names |= columns_of(parse_expression(text))
    for name, derived in reversed(source.derive.items()):
        if name in names:
            names |= columns_of(parse_expression(derived.expression))
    return names & (set(source_types(source)) | set(source.derive))


def visible_rows(
    pipeline: Pipeline,
    source_name: str,
    ds: str,
    *,
    one_row_a_key: bool,
    dialect: Dialect,
    compiler: Compiler,
    ctes: Ctes,
) -> dict[str, str]:
    """Add the CTEs that end in `rows_<source>`; returns the Spark type of each of its columns.

    Order of the rules: landed on or before `ds`; event time before the cutoff; newest landing of each key; then the
    derived columns and the source's own `where`.
    """
    source = pipeline.sources[source_name]
    wanted = columns_read(pipeline, source_name)
    stored = source_types(source)
    types = {name: stored[name] for name in stored if name in wanted}
    q = dialect.quote
    columns = [f"{dialect.landed(name, kind)} AS {q(name)}" for name, kind in types.items()]
    time = (
        "CAST(NULL AS BIGINT)" if source.time is None else dialect.time_micros(source.time, stored[source.time.column])
    )
    listed = ",\n  ".join([*columns, f"{time} AS __t", "ds AS __ds"])
    seen = f"SELECT\n  {listed}\nFROM landed_{source_name}\nWHERE ds <= '{ds}'"
    if source.time is not None:
        seen += f"\n  AND {time} < {cutoff_micros(ds)}"
    last = ctes.add(f"seen_{source_name}", seen)
    if not one_row_a_key:
        rank = f"row_number() OVER (PARTITION BY {q(source.key_column)} ORDER BY __ds DESC)"
        ranked = f"SELECT *, {rank} AS __rank\nFROM {last}"
        last = ctes.add(f"newest_{source_name}", f"SELECT *\nFROM (\n{_indent(ranked)}\n)\nWHERE __rank = 1")
    for name, derived in source.derive.items():
        if name in wanted:
            compiled = compiler.compile(derived.expression, types)
            last = ctes.add(f"with_{_plain(name)}_{source_name}", f"SELECT *, {compiled.sql} AS {q(name)}\nFROM {last}")
            types[name] = compiled.type
    kept = f"\nWHERE {compiler.compile(source.where, types).sql}" if source.where else ""
    ctes.add(f"rows_{source_name}", f"SELECT *\nFROM {last}{kept}")
    return types


def _plain(name: str) -> str:
    return name.replace("-", "_")
