"""Aggregates over earlier rows, for window frames (training) and for one cutoff (snapshot) alike.

Both ways an aggregate is a call over a value column `__v<n>` that is null where the row does not count. In a window
the frame picks the rows; at a cutoff a condition on `__t` does. The calls are otherwise the same text, so the two
tables cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from featuremill.errors import DataError
from featuremill.queries.dialects import Dialect
from featuremill.queries.expressions import Compiler
from featuremill.queries.sums import ExactSum, Range, exact_sum
from featuremill.spec.columns import AggregateColumn
from featuremill.spec.expressions import parse_expression
from featuremill.spec.types import MICROS_PER_DAY

_WHOLE = ("int", "bigint")


@dataclass(frozen=True)
class Value:
    """A value column of a source: null where its `where` does not hold; `total` is there for sums of doubles."""

    column: str
    type: str
    sql: str
    total: ExactSum | None


@dataclass(frozen=True)
class Frame:
    """Which rows an aggregate sees: `as_of - over <= time`, `time < as_of` and `time <= as_of - known_after`."""

    over: int | None
    known_after: int

    @property
    def end(self) -> int:
        """Whole microseconds between the newest row that may be seen and `as_of`."""
        return max(self.known_after, 1)

    def window(self, partition: str) -> str:
        start = "UNBOUNDED" if self.over is None else str(self.over)
        return f"(PARTITION BY {partition} ORDER BY __t RANGE BETWEEN {start} PRECEDING AND {self.end} PRECEDING)"

    def at(self, cutoff: int, value: str) -> str:
        """The value where the row is in the frame before `cutoff`, else null. All rows are before the cutoff."""
        conditions = [] if self.over is None else [f"__t >= {cutoff - self.over}"]
        if self.known_after > 1:
            conditions.append(f"__t <= {cutoff - self.known_after}")
        return f"CASE WHEN {' AND '.join(conditions)} THEN {value} END" if conditions else value


def frame_of(column: AggregateColumn) -> Frame:
    return Frame(None if column.over is None else column.over.micros, column.aggregate.known_after.micros)


@dataclass
class Values:
    """The value columns of one source's rows, each computed once however many aggregates use it."""

    dialect: Dialect
    compiler: Compiler
    types: Mapping[str, str]
    ranges: Mapping[str, Range]
    known: dict[tuple[str, str | None, str | None, bool], Value] = field(default_factory=dict)

    def value(self, column: AggregateColumn, by: str | None) -> Value:
        """The value column of an aggregate; rows whose `by` is null match nothing, so their value is null."""
        aggregate = column.aggregate
        summed = aggregate.kind in ("sum", "mean")
        key = (aggregate.argument, aggregate.where, by, summed)
        if key not in self.known:
            self.known[key] = self._new(column, by, summed)
        return self.known[key]

    def _new(self, column: AggregateColumn, by: str | None, summed: bool) -> Value:
        aggregate = column.aggregate
        name = f"__v{len(self.known)}"
        if aggregate.argument == "*":
            sql, kind = "1", "int"
        else:
            compiled = self.compiler.compile(aggregate.argument, self.types)
            sql, kind = compiled.sql, compiled.type
        if summed and kind not in (*_WHOLE, "double"):
            raise DataError(
                f"feature {column.name}: {aggregate.kind} needs numbers, but `{aggregate.argument}` is {kind}"
            )
        if kind == "double":
            # Adding zero makes -0.0 a plain 0.0, so that equal values are equal bytes.
            sql = f"({sql}) + 0e0"
        conditions = [f"({self.compiler.compile(aggregate.where, self.types).sql})"] if aggregate.where else []
        if by is not None:
            conditions.append(f"{self.dialect.quote(by)} IS NOT NULL")
        if conditions:
            sql = f"CASE WHEN {' AND '.join(conditions)} THEN {sql} END"
        total = exact_sum(name, self._range(aggregate.argument), self.dialect) if summed and kind == "double" else None
        return Value(name, kind, sql, total)

    def _range(self, argument: str) -> Range:
        expression = parse_expression(argument)
        return self.ranges.get(expression.name, Range()) if expression.key == "column" else Range()

    def levels(self) -> list[dict[str, str]]:
        """The columns to add to the rows: first the values, then the limbs of their sums, one level on the other."""
        values = [{value.column: value.sql for value in self.known.values()}]
        totals = [value.total for value in self.known.values() if value.total is not None]
        depth = max((len(total.levels) for total in totals), default=0)
        for level in range(depth):
            values.append(
                {n: s for total in totals if level < len(total.levels) for n, s in total.levels[level].items()}
            )
        return [level for level in values if level]


@dataclass(frozen=True)
class Place:
    """Where an aggregate is computed: over a named window, or over a group before a fixed cutoff."""

    over: str
    as_of: str
    cutoff: int | None


def aggregate_sql(column: AggregateColumn, value: Value, place: Place, key: str, dialect: Dialect) -> str:
    """The call that computes one aggregate. `key`, the quoted source key column, breaks ties of first and last."""
    frame = frame_of(column)

    def framed(sql: str) -> str:
        return sql if place.cutoff is None else frame.at(place.cutoff, sql)

    seen, over, kind = framed(value.column), place.over, column.aggregate.kind
    if kind == "count":
        return f"count({seen}){over}"
    if kind in ("min", "max"):
        return f"{kind}({seen}){over}"
    if kind in ("first", "last"):
        order = framed(f"CASE WHEN {value.column} IS NOT NULL THEN {dialect.order_pair('__t', key)} END")
        pick = dialect.value_at_greatest if kind == "last" else dialect.value_at_least
        return f"{pick(value.column, order)}{over}"
    if kind == "since_last":
        last = f"max({framed(f'CASE WHEN {value.column} IS NOT NULL THEN __t END')}){over}"
        return f"CAST({place.as_of} - {last} AS DOUBLE) / {MICROS_PER_DAY}e0"
    if kind == "stddev":
        if value.type not in (*_WHOLE, "double"):
            raise DataError(f"feature {column.name}: stddev needs numbers, but its argument is {value.type}")
        return dialect.aggregate("stddev", f"CAST({seen} AS DOUBLE)", over)
    if kind in ("count_distinct", "set"):
        return dialect.aggregate(kind, seen, over)
    total = _sum(value, framed, over, dialect, as_double=kind == "mean")
    return total if kind == "sum" else f"{total} / nullif(count({seen}){over}, 0)"


def _sum(value: Value, framed: Callable[[str], str], over: str, dialect: Dialect, *, as_double: bool) -> str:
    if value.total is not None:
        return value.total.total(dialect, over, framed)
    seen = framed(value.column)
    if as_double:
        return dialect.sum_bigints_as_double(seen, over)
    return dialect.sum_integers(seen, over, wide=value.type == "bigint")


def aggregate_type(column: AggregateColumn, value: Value) -> str:
    """The Spark type of an aggregate's result."""
    kind = column.aggregate.kind
    if kind in ("count", "count_distinct"):
        return "bigint"
    if kind in ("mean", "stddev", "since_last"):
        return "double"
    if kind == "sum":
        return "double" if value.type == "double" else "bigint"
    return f"array<{value.type}>" if kind == "set" else value.type
