"""SQL for what expectations compare: columns, values, row conditions; written once for two engines.

Great Expectations' engines differ in places on nulls; what stands here is what its Spark engine does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

PythonPredicate = Callable[[str], bool]
"""Whether a text is as expected; called for texts that are not null."""


class SqlEngine(Protocol):
    """What differs between DuckDB and Spark, as far as expectations go.

    `inlined` is the keyword that keeps a WITH query from being stored before it is used.
    """

    inlined: str

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a query; numbers as int or float, dates and timestamps (UTC, without zone) as Python's."""

    def quote(self, column: str) -> str: ...

    def text(self, value: str) -> str:
        """A string literal."""

    def timestamp(self, value: datetime) -> str:
        """A literal of a timestamp without zone."""

    def matches(self, column: str, pattern: str) -> str | None:
        """Whether a regular expression is found in a column; None where the engine cannot read the pattern."""

    def function(self, predicate: PythonPredicate) -> str:
        """The name of a new SQL function over texts that calls the predicate and is null for null."""

    def drop_function(self, name: str) -> None: ...

    def sorted_list(self, value: str) -> str:
        """An aggregate: all values of a group in order, without nulls."""

    def percentile(self, value: str, share: float) -> str:
        """An aggregate: the percentile, interpolated between neighbours."""


def literal(engine: SqlEngine, value: Any) -> str:
    """A value as a SQL literal of its own type. Raises TypeError for a value no column can have."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    if isinstance(value, str):
        return engine.text(value)
    if isinstance(value, datetime):
        return engine.timestamp(value)
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    raise TypeError(f"no SQL literal for {value!r}")


def is_in(engine: SqlEngine, column: str, values: Sequence[Any]) -> str:
    return f"{column} IN ({', '.join(literal(engine, value) for value in values)})"


def between(engine: SqlEngine, value: str, arguments: Mapping[str, Any]) -> str:
    """`min_value <= value <= max_value`, either end strict or open."""
    parts = []
    for bound, strict, operator in (("min_value", "strict_min", ">"), ("max_value", "strict_max", "<")):
        if arguments.get(bound) is not None:
            comparison = operator if arguments.get(strict) else f"{operator}="
            parts.append(f"{value} {comparison} {literal(engine, arguments[bound])}")
    return " AND ".join(parts)


_COMPARISONS = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def row_condition(engine: SqlEngine, condition: Mapping[str, Any] | None) -> str:
    """Great Expectations' condition object (as a dict) as SQL; a row where it is null does not count."""
    if condition is None:
        return "true"
    kind = condition["type"]
    if kind in ("and", "or"):
        return "(" + f" {kind.upper()} ".join(row_condition(engine, part) for part in condition["conditions"]) + ")"
    column = engine.quote(condition["column"]["name"])
    if kind == "nullity":
        return f"{column} IS {'' if condition['is_null'] else 'NOT '}NULL"
    operator, parameter = str(condition["operator"]), condition["parameter"]
    if operator in ("IN", "NOT_IN"):
        return ("NOT " if operator == "NOT_IN" else "") + f"({is_in(engine, column, parameter)})"
    return f"{column} {_COMPARISONS[operator]} {literal(engine, parameter)}"


def considered(engine: SqlEngine, domain: Mapping[str, Any]) -> str:
    """The rows that an expectation's domain leaves in: its row condition, and `ignore_row_if`."""
    parts = [row_condition(engine, domain.get("row_condition"))]
    ignore = domain.get("ignore_row_if")
    columns = [engine.quote(domain[key]) for key in ("column_A", "column_B") if key in domain]
    columns += [engine.quote(column) for column in domain.get("column_list") or ()]
    if ignore in ("both_values_are_missing", "all_values_are_missing"):
        parts.append("NOT (" + " AND ".join(f"{column} IS NULL" for column in columns) + ")")
    elif ignore in ("either_value_is_missing", "any_value_is_missing"):
        parts.append(" AND ".join(f"{column} IS NOT NULL" for column in columns))
    return " AND ".join(part for part in parts if part != "true") or "true"
