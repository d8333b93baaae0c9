"""What Spark and DuckDB write differently. All other SQL of the project is the same text on both.

Inside a query a moment is a whole number of microseconds since 1970-01-01T00:00Z (`bigint`), so that window frames
are exact; it becomes a timestamp only where a user's expression or the result needs one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from featuremill.spec.models import EventTime
from featuremill.spec.types import MICROS_PER_DAY

_MICROS = {"s": 1_000_000, "ms": 1_000, "us": 1}


class Dialect(ABC):
    """The words of one engine. Arguments and results are SQL texts."""

    name: str

    @abstractmethod
    def quote(self, name: str) -> str:
        """A column name, quoted: hyphens and reserved words are allowed in it."""

    @abstractmethod
    def timestamp(self, micros: str) -> str:
        """Microseconds -> the timestamp that user expressions see."""

    @abstractmethod
    def timestamp_micros(self, value: str) -> str:
        """A timestamp column of a landed table -> microseconds."""

    @abstractmethod
    def landed(self, column: str, column_type: str) -> str:
        """A column of a landed table -> the same value as user expressions see it."""

    @abstractmethod
    def stored(self, value: str, column_type: str) -> str:
        """A value as expressions see it -> as it is written to parquet."""

    @abstractmethod
    def cast(self, value: str, column_type: str) -> str:
        """A cast to one of Spark's types, named as Spark names it."""

    @abstractmethod
    def struct_of(self, fields: Mapping[str, str]) -> str:
        """A struct of named values."""

    @abstractmethod
    def value_at_greatest(self, value: str, order: str) -> str: ...

    @abstractmethod
    def value_at_least(self, value: str, order: str) -> str: ...

    @abstractmethod
    def order_pair(self, first: str, second: str) -> str: ...

    @abstractmethod
    def aggregate(self, call: str, value: str, over: str) -> str:
        """A call that the engines name or spell differently: distinct values, sorted sets, sample deviation.

        `call` is count_distinct, set or stddev; `over` is empty or ` OVER window`. The value's nulls are skipped.
        """

    @abstractmethod
    def sum_integers(self, value: str, over: str, *, wide: bool) -> str:
        """The exact sum of whole numbers as a bigint; an error if it does not fit. `wide`: the values are bigints."""

    @abstractmethod
    def sum_bigints_as_double(self, value: str, over: str) -> str:
        """The exact sum of bigints of any size, rounded once to a double."""

    @abstractmethod
    def integer_sum_as_double(self, value: str, over: str) -> str:
        """The exact sum of bigints below 2^60 in magnitude, rounded once to a double."""

    @abstractmethod
    def truncate(self, value: str) -> str:
        """A double below 2^62 in magnitude, without its fraction, as a bigint."""

    def time_micros(self, time: EventTime, column_type: str) -> str:
        """The event time of a landed row in microseconds; null where the column is null."""
        column = self.quote(time.column)
        if column_type == "date":
            return f"CAST(datediff({self.days_since_epoch(column)}) AS BIGINT) * {MICROS_PER_DAY}"
        if column_type == "timestamp":
            return self.timestamp_micros(column)
        return f"CAST({column} AS BIGINT) * {_MICROS[time.unit or 'us']}"

    @abstractmethod
    def days_since_epoch(self, column: str) -> str:
        """The arguments of this engine's `datediff` that count days from 1970-01-01 to the date."""


class DuckDB(Dialect):
    name = "duckdb"

    _TYPES = {"boolean": "BOOLEAN", "int": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE", "string": "VARCHAR"}

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def timestamp(self, micros: str) -> str:
        return f"make_timestamp({micros})"

    def timestamp_micros(self, value: str) -> str:
        return f"epoch_us({value})"

    def landed(self, column: str, column_type: str) -> str:
        quoted = self.quote(column)
        return f"make_timestamp(epoch_us({quoted}))" if column_type == "timestamp" else quoted

    def stored(self, value: str, column_type: str) -> str:
        # A parquet file says of a zoned column that it is UTC, as Spark's readers expect of a timestamp.
        if column_type == "timestamp":
            return f"CAST({value} AS TIMESTAMPTZ)"
        return f"CAST({value} AS TIMESTAMPTZ[])" if column_type == "array<timestamp>" else value

    def cast(self, value: str, column_type: str) -> str:
        return f"CAST({value} AS {self._TYPES.get(column_type, column_type.upper())})"

    def struct_of(self, fields: Mapping[str, str]) -> str:
        return "{" + ", ".join(f"{self.quote(name)}: {value}" for name, value in fields.items()) + "}"

    def value_at_greatest(self, value: str, order: str) -> str:
        return f"arg_max({value}, {order})"

    def value_at_least(self, value: str, order: str) -> str:
        return f"arg_min({value}, {order})"

    def order_pair(self, first: str, second: str) -> str:
        return f"ROW({first}, {second})"

    def aggregate(self, call: str, value: str, over: str) -> str:
        not_null = f"FILTER (WHERE {value} IS NOT NULL)"
        if call == "count_distinct":
            return f"nullif(count(DISTINCT {value}){over}, 0)"
        if call == "set":
            return f"list_sort(list(DISTINCT {value}) {not_null}{over})"
        return f"list_aggregate(list_sort(list({value}) {not_null}{over}), 'stddev_samp')"

    def sum_integers(self, value: str, over: str, *, wide: bool) -> str:
        return f"CAST(sum({value}){over} AS BIGINT)"

    def sum_bigints_as_double(self, value: str, over: str) -> str:
        return f"CAST(sum({value}){over} AS DOUBLE)"

    def integer_sum_as_double(self, value: str, over: str) -> str:
        return self.sum_bigints_as_double(value, over)

    def truncate(self, value: str) -> str:
        return f"CAST(trunc({value}) AS BIGINT)"

    def days_since_epoch(self, column: str) -> str:
        return f"'day', DATE '1970-01-01', {column}"


class Spark(Dialect):
    name = "spark"

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def timestamp(self, micros: str) -> str:
        return f"timestamp_micros({micros})"

    def timestamp_micros(self, value: str) -> str:
        return f"unix_micros({value})"

    def landed(self, column: str, column_type: str) -> str:
        return self.quote(column)

    def stored(self, value: str, column_type: str) -> str:
        return value

    def cast(self, value: str, column_type: str) -> str:
        return f"CAST({value} AS {column_type.upper()})"

    def struct_of(self, fields: Mapping[str, str]) -> str:
        return "struct(" + ", ".join(f"{value} AS {self.quote(name)}" for name, value in fields.items()) + ")"

    def value_at_greatest(self, value: str, order: str) -> str:
        return f"max_by({value}, {order})"

    def value_at_least(self, value: str, order: str) -> str:
        return f"min_by({value}, {order})"

    def order_pair(self, first: str, second: str) -> str:
        return f"struct({first}, {second})"

    def aggregate(self, call: str, value: str, over: str) -> str:
        # Spark has no DISTINCT in windows; collect_set is exact and skips nulls.
        if call == "count_distinct":
            return f"nullif(CAST(size(collect_set({value}){over}) AS BIGINT), 0)"
        if call == "set":
            # An empty set is null; sort_array keeps an array's order by value.
            return f"nullif(sort_array(collect_set({value}){over}), array())"
        return _SPARK_STDDEV.format(values=f"sort_array(collect_list({value}){over})")

    def sum_integers(self, value: str, over: str, *, wide: bool) -> str:
        if wide:
            return f"CAST(sum(CAST({value} AS DECIMAL(20, 0))){over} AS BIGINT)"
        return f"sum({value}){over}"

    def sum_bigints_as_double(self, value: str, over: str) -> str:
        return f"CAST(sum(CAST({value} AS DECIMAL(20, 0))){over} AS DOUBLE)"

    def integer_sum_as_double(self, value: str, over: str) -> str:
        # Two sums of 30 bits each stay bigints (a decimal sum is ten times slower) and meet exactly in a decimal.
        high = f"CAST(sum(shiftright({value}, 30)){over} AS DECIMAL(38, 0))"
        return f"CAST({high} * 1073741824 + sum({value} & 1073741823){over} AS DOUBLE)"

    def truncate(self, value: str) -> str:
        return f"CAST({value} AS BIGINT)"

    def days_since_epoch(self, column: str) -> str:
        return f"{column}, DATE '1970-01-01'"


# Welford's recurrence over the sorted values: a function of the values alone, whatever order they came in.
# B. P. Welford (1962), Note on a Method for Calculating Corrected Sums of Squares and Products, Technometrics 4(3).
_SPARK_STDDEV = (
    "aggregate({values}, "
    "named_struct('n', CAST(0 AS DOUBLE), 'mean', CAST(0 AS DOUBLE), 'm2', CAST(0 AS DOUBLE)), "
    "(s, v) -> named_struct('n', s.n + 1, 'mean', s.mean + (v - s.mean) / (s.n + 1), "
    "'m2', s.m2 + (v - s.mean) * (v - (s.mean + (v - s.mean) / (s.n + 1)))), "
    "s -> CASE WHEN s.n > 1 THEN sqrt(s.m2 / (s.n - 1)) END)"
)


DIALECTS: dict[str, Dialect] = {"duckdb": DuckDB(), "spark": Spark()}
