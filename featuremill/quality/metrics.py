"""The metrics that Great Expectations judges by, answered in SQL: one query for all numbers of a suite.

Great Expectations says which metrics its expectations need (row counts, counts of unexpected values, statistics,
samples). Its own engines answer them with a query or job each; here all go into one SELECT, so that each column is
read once, and both engines of this project answer by the same SQL. Samples of unexpected values are further queries,
for the expectations that have any; so are the statistics that z-scores and outliers are measured by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from featuremill.quality.predicates import expected, is_known
from featuremill.quality.sql import PythonPredicate, SqlEngine, considered, is_in
from featuremill.spec.types import ColumnType

if TYPE_CHECKING:
    from great_expectations.validator.metric_configuration import MetricConfiguration

SAMPLE = 20
"""How many unexpected values are shown; Great Expectations' own default."""

_ROWS = "typed_rows"
_VALUE, _COUNT = "#value", "#rows"
"""Names of results that no column of a source can have."""
_ABOUT_REPEATS = ("column_values.unique", "compound_columns.unique")
_ABOUT_MISSING = ("column_values.nonnull", "column_values.null")
Answer = Callable[[tuple[Any, ...]], Any]


@dataclass
class Table:
    """What to check: a SELECT of typed rows, its columns in order, and the engine that runs it."""

    engine: SqlEngine
    select: str
    columns: Mapping[str, ColumnType]
    functions: dict[str, str] = field(default_factory=dict)
    """Columns that Python predicates add: their names, and what computes them."""
    known: dict[str, _Unexpected] = field(default_factory=dict)
    """What has been worked out already: a map metric is asked for its count and for a sample."""

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement about `typed_rows`."""
        added = "".join(f", {computed} AS {name}" for name, computed in self.functions.items())
        rows = f"SELECT *{added} FROM ({self.select})"
        return self.engine.rows(f"WITH {_ROWS} AS {self.engine.inlined} ({rows}) {statement}")

    def statistic(self, aggregate: str, where: str) -> float | None:
        ((value,),) = self.query(f"SELECT CAST({aggregate} AS DOUBLE) FROM {_ROWS} WHERE {where}")
        return value if value is None else float(value)

    def python(self, predicate: PythonPredicate, column: str) -> str:
        name = self.engine.function(predicate)
        self.functions[name] = f"{name}({self.engine.quote(column)})"
        return name


@dataclass
class _Query:
    """One SELECT that grows: an expression asked for twice is computed once."""

    expressions: dict[str, int] = field(default_factory=dict)

    def add(self, expression: str) -> int:
        return self.expressions.setdefault(expression, len(self.expressions))

    def first(self, expression: str) -> Answer:
        place = self.add(expression)
        return lambda row: row[place]

    def listed(self, expression: str) -> Answer:
        place = self.add(expression)
        return lambda row: list(row[place] or [])


def resolve(table: Table, wanted: Iterable[MetricConfiguration]) -> dict[Any, Any]:
    """The value of every metric, by its id. Raises KeyError for a metric that has no SQL here."""
    try:
        query = _Query()
        query.add("count(*)")
        answers: dict[Any, Answer] = {}
        samples = []
        for metric in wanted:
            if metric.metric_name.endswith(".unexpected_values"):
                unexpected = _Unexpected.of(metric, table)
                samples.append((metric, unexpected, query.add(unexpected.count)))
            else:
                answers[metric.id] = _answer(metric, query, table)
        (row,) = table.query(f"SELECT {', '.join(query.expressions)} FROM {_ROWS}")
        values = {key: answer(row) for key, answer in answers.items()}
        for metric, unexpected, place in samples:
            values[metric.id] = unexpected.sample(table) if row[place] else []
        return values
    finally:
        for name in table.functions:
            table.engine.drop_function(name)
        table.functions.clear()


def _answer(metric: MetricConfiguration, query: _Query, table: Table) -> Answer:
    """What the metric adds to the query, and how its value is read from the row."""
    name, domain = metric.metric_name, metric.metric_domain_kwargs
    where = considered(table.engine, domain)
    if name == "table.columns":
        return lambda row: list(table.columns)
    if name == "table.column_count":
        return lambda row: len(table.columns)
    if name == "table.row_count" or name.endswith(".filtered_row_count"):
        return query.first(f"count(*) FILTER (WHERE {where})")
    if name.endswith(".unexpected_count"):
        return query.first(_Unexpected.of(metric, table).count)
    return _column_answer(name, metric.metric_value_kwargs, domain["column"], where, query, table)


_STATISTICS = {
    "column.max": "max({})",
    "column.min": "min({})",
    "column.mean": "avg({})",
    "column.standard_deviation": "stddev_samp({})",
    "column.non_null_count": "count({})",
}


def _column_answer(
    name: str, values: Mapping[str, Any], column: str, where: str, query: _Query, table: Table
) -> Answer:
    engine, quoted = table.engine, table.engine.quote(column)
    only = f"FILTER (WHERE {where})"
    if name in _STATISTICS:
        return query.first(f"{_STATISTICS[name].format(quoted)} {only}")
    if name == "column.sum":
        exact = quoted if table.columns[column] == "double" else f"CAST({quoted} AS DECIMAL(38, 0))"
        return query.first(f"sum({exact}) {only}")
    if name == "column.median":
        return query.first(f"{engine.percentile(quoted, 0.5)} {only}")
    if name == "column.quantile_values":
        order = f"WITHIN GROUP (ORDER BY {quoted}) {only}"
        places = [query.add(f"percentile_disc({float(share)}) {order}") for share in values["quantiles"]]
        return lambda row: [row[place] for place in places]
    if name == "column.non_null_proportion":
        return _share(query, f"count({quoted}) {only}", f"count(*) {only}")
    return _distinct_answer(name, values, quoted, where, query, engine)


def _share(query: _Query, part: str, whole: str) -> Answer:
    of, all_of = query.add(part), query.add(whole)
    return lambda row: row[of] / row[all_of] if row[all_of] else 0


def _distinct_answer(
    name: str, values: Mapping[str, Any], column: str, where: str, query: _Query, engine: SqlEngine
) -> Answer:
    v, n = engine.quote(_VALUE), engine.quote(_COUNT)
    groups = f"SELECT {column} AS {v}, count(*) AS {n} FROM {_ROWS} WHERE {where} AND {column} IS NOT NULL"
    distinct = f"(SELECT count(*) FROM ({groups} GROUP BY {column}))"
    if name == "column.distinct_values.count":
        return query.first(distinct)
    if name == "column.unique_proportion":
        return _share(query, distinct, f"count({column}) FILTER (WHERE {where})")
    if name == "column.most_common_value":
        most = f"(SELECT max({n}) FROM ({groups} GROUP BY {column}))"
        return query.listed(f"(SELECT {engine.sorted_list(v)} FROM ({groups} GROUP BY {column}) WHERE {n} = {most})")
    inside = is_in(engine, column, values["value_set"])
    if name.startswith("column.distinct_values.not_in_set"):
        others = f"{groups} AND NOT ({inside}) GROUP BY {column}"
        if name.endswith(".count"):
            return query.first(f"(SELECT count(*) FROM ({others}))")
        return query.listed(f"(SELECT {engine.sorted_list(v)} FROM ({others} ORDER BY 1 LIMIT {SAMPLE}))")
    if name.startswith("column.distinct_values.missing_from_column"):
        wanted = list(dict.fromkeys(values["value_set"]))
        seen = query.listed(f"(SELECT {engine.sorted_list(v)} FROM ({groups} AND {inside} GROUP BY {column}))")
        if name.endswith(".count"):
            return lambda row: len(set(wanted) - set(seen(row)))
        return lambda row: [value for value in wanted if value not in seen(row)][:SAMPLE]
    raise KeyError(name)


@dataclass(frozen=True)
class _Unexpected:
    """The rows that a map metric finds unexpected: how many, and the first of them."""

    count: str
    columns: tuple[str, ...]
    statement: str
    as_records: bool

    @classmethod
    def of(cls, metric: MetricConfiguration, table: Table) -> _Unexpected:
        values = {key: value for key, value in metric.metric_value_kwargs.items() if key != "result_format"}
        name = str(metric.metric_name).rpartition(".")[0]
        key = repr((name, sorted(metric.metric_domain_kwargs.items(), key=str), sorted(values.items())))
        if key not in table.known:
            table.known[key] = cls._make(metric, table)
        return table.known[key]

    @classmethod
    def _make(cls, metric: MetricConfiguration, table: Table) -> _Unexpected:
        name, domain = str(metric.metric_name).rpartition(".")[0], metric.metric_domain_kwargs
        columns = _columns(domain)
        listed = ", ".join(map(table.engine.quote, columns))
        where = considered(table.engine, domain)
        if "column" in domain and name not in _ABOUT_MISSING:
            where += f" AND {listed} IS NOT NULL"
        if name in _ABOUT_REPEATS:
            n = table.engine.quote(_COUNT)
            groups = f"SELECT {listed}, count(*) AS {n} FROM {_ROWS} WHERE {where} GROUP BY {listed}"
            repeated = f"{groups} HAVING count(*) > 1"
            count = f"(SELECT coalesce(sum({n}), 0) FROM ({repeated}))"
            places = ", ".join(str(place + 1) for place in range(len(columns)))
            statement = f"SELECT {listed} FROM ({repeated}) ORDER BY {places}"
        elif is_known(name):
            unexpected = f"{where} AND NOT ({expected(name, domain, metric.metric_value_kwargs, table)})"
            count = f"count(*) FILTER (WHERE {unexpected})"
            statement = f"SELECT {listed} FROM {_ROWS} WHERE {unexpected}"
        else:
            raise KeyError(metric.metric_name)
        return cls(count, tuple(columns), f"{statement} LIMIT {SAMPLE}", "column_list" in domain)

    def sample(self, table: Table) -> list[Any]:
        """The first unexpected values, in the order of the files; of repeated values the smallest, once each."""
        rows = table.query(self.statement)
        if self.as_records:
            return [dict(zip(self.columns, row, strict=True)) for row in rows]
        return [row[0] if len(self.columns) == 1 else row for row in rows]


def _columns(domain: Mapping[str, Any]) -> list[str]:
    if "column" in domain:
        return [domain["column"]]
    return [domain["column_A"], domain["column_B"]] if "column_A" in domain else list(domain["column_list"])
