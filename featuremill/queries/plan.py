"""What the snapshot and the training query share: the terms of each source, and the names inside a query.

Names that start with two underscores are the query's own: `__t` event time, `__m` the value rows are matched on,
`__row` the newest row as a struct, `__f<n>` the n-th feature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from featuremill.queries.aggregates import Place, Value, Values, aggregate_sql, aggregate_type
from featuremill.queries.dialects import Dialect
from featuremill.queries.expressions import Compiler
from featuremill.queries.rows import Ctes, cutoff_micros, visible_rows
from featuremill.queries.sums import Range
from featuremill.spec.columns import AggregateColumn, FeatureColumn, SelectColumn, feature_columns
from featuremill.spec.expressions import columns_of, parse_expression
from featuremill.spec.models import Pipeline, Source

RangesBySource = Mapping[str, Mapping[str, Range]]


@dataclass(frozen=True)
class Feature:
    """A feature with its place in the query."""

    column: FeatureColumn
    source: str
    by: str | None
    inner: str
    """Its name inside the query."""


@dataclass
class Terms:
    """The rows of a source with the value columns of its aggregates, as the relation `terms_<source>`."""

    name: str
    source: Source
    types: dict[str, str]
    values: dict[str, Value]
    """Feature name -> value column."""
    added: list[str]
    """The columns that were added to the rows: values and limbs."""


@dataclass
class Plan:
    """One query in the making."""

    pipeline: Pipeline
    ds: str
    dialect: Dialect
    compiler: Compiler
    one_row_a_key: Mapping[str, bool]
    ranges: RangesBySource
    ctes: Ctes = field(default_factory=Ctes)
    types: dict[str, str] = field(default_factory=dict)
    """Inner feature name -> Spark type, filled as features are compiled."""

    def __post_init__(self) -> None:
        blocks = self.pipeline.features
        self.features = [
            Feature(column, blocks[column.block].source, blocks[column.block].by, f"__f{number}")
            for number, column in enumerate(feature_columns(self.pipeline))
        ]
        self.cutoff = cutoff_micros(self.ds)
        self._terms: dict[str, Terms] = {}

    def q(self, name: str) -> str:
        return self.dialect.quote(name)

    def aggregates(self, source: str, by: str | None) -> list[Feature]:
        return [f for f in self._of(source, by) if isinstance(f.column, AggregateColumn)]

    def selects(self, source: str, by: str | None) -> list[Feature]:
        return [f for f in self._of(source, by) if isinstance(f.column, SelectColumn)]

    def _of(self, source: str, by: str | None) -> list[Feature]:
        return [feature for feature in self.features if feature.source == source and feature.by == by]

    def groups(self) -> list[tuple[str, str | None]]:
        """(source, by) of every feature block, once each, in the order of the file."""
        return list(dict.fromkeys((block.source, block.by) for block in self.pipeline.features))

    def terms(self, source_name: str) -> Terms:
        """Add the CTEs of a source's rows and values, once."""
        if source_name not in self._terms:
            self._terms[source_name] = self._add_terms(source_name)
        return self._terms[source_name]

    def _add_terms(self, source_name: str) -> Terms:
        types = visible_rows(
            self.pipeline,
            source_name,
            self.ds,
            one_row_a_key=self.one_row_a_key.get(source_name, False),
            dialect=self.dialect,
            compiler=self.compiler,
            ctes=self.ctes,
        )
        values = Values(self.dialect, self.compiler, types, self.ranges.get(source_name, {}))
        of_feature: dict[str, Value] = {}
        for feature in self.features:
            column = feature.column
            if feature.source == source_name and isinstance(column, AggregateColumn):
                value = values.value(column, feature.by)
                of_feature[column.name] = value
                self.types[feature.inner] = aggregate_type(column, value)
        name = f"rows_{source_name}"
        added: list[str] = []
        for depth, level in enumerate(values.levels()):
            columns = ",\n  ".join(f"{sql} AS {column}" for column, sql in level.items())
            name = self.ctes.add(f"terms_{source_name}_{depth}", f"SELECT *,\n  {columns}\nFROM {name}")
            added += level
        return Terms(name, self.pipeline.sources[source_name], types, of_feature, added)

    def aggregate(self, feature: Feature, terms: Terms, place: Place, key: str) -> str:
        """`call AS __f<n>` of an aggregate feature."""
        column = feature.column
        assert isinstance(column, AggregateColumn)
        call = aggregate_sql(column, terms.values[column.name], place, key, self.dialect)
        return f"{call} AS {feature.inner}"

    def select(self, feature: Feature, types: Mapping[str, str], *, only_if: str | None = None) -> str:
        """`expression AS __f<n>` of a select feature, over columns of the given types and `as_of`."""
        column = feature.column
        assert isinstance(column, SelectColumn)
        compiled = self.compiler.compile(column.select.expression, {**types, "as_of": "timestamp"})
        self.types[feature.inner] = compiled.type
        value = f"CASE WHEN {only_if} THEN {compiled.sql} END" if only_if else compiled.sql
        return f"{value} AS {feature.inner}"

    def columns_of_selects(self, features: Sequence[Feature], types: Mapping[str, str]) -> list[str]:
        """The columns that select features read, in the order of the rows' columns."""
        read: set[str] = set()
        for feature in features:
            assert isinstance(feature.column, SelectColumn)
            read |= columns_of(parse_expression(feature.column.select.expression))
        return [name for name in types if name in read]

    def row_struct(self, columns: Sequence[str]) -> str:
        """The struct that carries a newest row's columns; `__there` makes it non-empty."""
        return self.dialect.struct_of({"__there": "TRUE", **{name: self.q(name) for name in columns}})

    def unpacked(self, columns: Sequence[str]) -> list[str]:
        """`__row.column AS column` for the columns of the newest row."""
        return [f"__row.{self.q(name)} AS {self.q(name)}" for name in columns]

    def stored(self, feature: Feature, value: str) -> str:
        """A feature's value as the table has it; counting nothing gives 0, also where a join found no row."""
        column = feature.column
        if isinstance(column, AggregateColumn) and column.aggregate.kind == "count":
            value = f"coalesce({value}, 0)"
        return f"{self.dialect.stored(value, self.types[feature.inner])} AS {self.q(column.name)}"

    def as_of(self, micros: str) -> str:
        return self.dialect.timestamp(micros)


def listed(columns: Sequence[str]) -> str:
    """The columns of a SELECT, one a line."""
    return ",\n  ".join(columns)
