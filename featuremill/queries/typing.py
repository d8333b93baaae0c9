"""From the texts of a raw file to typed values: the SQL of both engines for the same rules.

The rules, for a text with spaces and tabs at its ends taken off (except for strings, which stay as they are):

- a text that is one of the connector's `null_values`, before or after that trimming, is null
- int, bigint: `[+-]?[0-9]+`, in range
- int, bigint that are a time since 1970-01-01 (their format is s, ms or us): in the years 1 to 9999
- double: `[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]+)?`, finite; -0.0 becomes 0.0
- boolean: true, t, yes, y, 1 and false, f, no, n, 0, in any case
- date: by its pattern, years 0001 to 9999, and only if the pattern writes it back as the same text
- timestamp: the same with its pattern; without one ISO 8601: `YYYY-MM-DD`, then perhaps `T` or a space and
  `hh:mm[:ss[.f]]` with up to six digits of a second, then perhaps `Z` or `±hh:mm` (up to 14:59). No offset means UTC.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Literal

from featuremill.queries.patterns import to_strptime
from featuremill.spec.models import Column, CsvConnector

DialectName = Literal["duckdb", "spark"]

REASON_TEXT_LENGTH = 60
"""Longer values are cut to this many characters, and `…`, in a reason."""

_DOUBLE = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_INTEGER = "[+-]?[0-9]+"
_OFFSET = "Z|[+-](0[0-9]|1[0-4]):[0-5][0-9]"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_TIMESTAMP = f"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{_TIME}({_OFFSET})?)?"
_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0")
_ISO_DATE = "yyyy-MM-dd"

_WORDS = {
    "boolean": "a boolean",
    "int": "an int",
    "bigint": "a bigint",
    "double": "a double",
    "string": "a string",
    "date": "a date",
    "timestamp": "a timestamp",
}


def field_typing(dialect: DialectName, connector: CsvConnector) -> FieldTyping:
    """The typing rules of a source, written for one engine."""
    return DuckdbTyping(connector) if dialect == "duckdb" else SparkTyping(connector)


class FieldTyping(ABC):
    """SQL texts over a field's text. `text` is SQL of string type; its NULL is read as the empty text.

    All results may use `text` several times: it should be a column, not a computation.
    """

    def __init__(self, connector: CsvConnector) -> None:
        self._connector = connector
        self._nulls = tuple(dict.fromkeys(connector.null_values))

    def value(self, text: str, column: Column) -> str:
        """The typed value; NULL for a text that means null and for one that is not of the column's type.

        Raises UsageError for a date or timestamp pattern that the engines do not read alike.
        """
        if column.type == "string":
            string = f"nullif({text}, '')" if "" in self._nulls else f"coalesce({text}, '')"
            return self._unless_null(text, string, typed=False)
        typed: dict[str, Callable[[str], str]] = {
            "boolean": self._boolean,
            "int": lambda text: _within_years(self._int(text), column.format),
            "bigint": lambda text: _within_years(self._bigint(text), column.format),
            "double": self._double,
            "date": lambda text: self._date(text, column.format or self._connector.date_format),
            "timestamp": lambda text: self._timestamp(text, column.format or self._connector.timestamp_format),
        }
        return self._unless_null(text, typed[column.type](text), typed=True)

    def is_null(self, text: str, column: Column) -> str:
        """Whether the text means null: true or false, never NULL."""
        text = f"coalesce({text}, '')"
        if not self._nulls:
            return "false"
        meant = self._is_one_of(text, self._nulls)
        if column.type != "string":
            meant = f"({meant} OR {self._is_one_of(self._trim(text), self._nulls)})"
        return meant

    def broken(self, text: str, value: str, column: Column) -> str:
        """Whether the text means a value and has none: true or false, never NULL. Cheap where `value` is not NULL."""
        if column.type == "string":
            return "false"
        known = f" AND {text} IS NOT NULL" if "" in self._nulls else ""
        return f"({value} IS NULL{known} AND NOT {self.is_null(text, column)})"

    def problem(self, name: str, text: str, value: str, column: Column, *, required: bool) -> str:
        """Why the field sends its row to the quarantine, or NULL: `loan_amount: 'abc' is not a double`.

        A field that is required and null reads `loan_id is missing`.
        """
        missing = self.literal(f"{name} is missing") if required else "NULL"
        if column.type == "string":
            return f"CASE WHEN {value} IS NULL THEN {missing} END"
        shown = f"coalesce({text}, '')"
        short = _shortened(shown)
        before, after = self.literal(f"{name}: '"), self.literal(f"' is not {self._expected(column)}")
        return (
            f"CASE WHEN {value} IS NOT NULL THEN NULL WHEN {self.is_null(text, column)} THEN {missing} "
            f"ELSE concat({before}, {short}, {after}) END"
        )

    def row_key(self, texts: Mapping[str, str], columns: Mapping[str, Column]) -> str:
        """The key of a row whose source names none: MD5, in hexadecimal, of its fields' texts joined by chr(31).

        `texts` has the SQL of the text of every declared column; null is written as the empty text.
        """
        raw = [
            f"CASE WHEN {self.is_null(texts[name], column)} THEN '' ELSE coalesce({texts[name]}, '') END"
            for name, column in columns.items()
        ]
        return f"md5(concat_ws(chr(31), {', '.join(raw)}))"

    def key_text(self, value: str, column_type: str) -> str:
        """A typed key as reasons show it."""
        text = f"cast({value} AS {self._string})"
        if column_type == "timestamp":
            text = self._format_timestamp(value)
        return _shortened(text)

    def _unless_null(self, text: str, value: str, *, typed: bool) -> str:
        """An empty text is of no type anyway; other null values may look like values, so they are sorted out first."""
        others = [null for null in self._nulls if null != ""]
        if not others:
            return value
        raw = f"coalesce({text}, '')"
        meant = f"{self._is_one_of(raw, others)}"
        if typed:
            meant += f" OR {self._is_one_of(self._trim(raw), others)}"
        return f"CASE WHEN {meant} THEN NULL ELSE {value} END"

    def _is_one_of(self, text: str, values: tuple[str, ...] | list[str]) -> str:
        return f"{text} IN ({', '.join(self.literal(value) for value in values)})"

    def _expected(self, column: Column) -> str:
        if column.type == "date":
            return f"a date ({column.format or self._connector.date_format})"
        if column.type == "timestamp":
            return f"a timestamp ({column.format or self._connector.timestamp_format or 'ISO 8601'})"
        if column.format is not None:
            return f"a time in {column.format} of the years 1 to 9999"
        return _WORDS[column.type]

    def _boolean(self, text: str) -> str:
        word = f"lower({self._trim(text)})"
        return f"CASE WHEN {self._is_one_of(word, _TRUE)} THEN true WHEN {self._is_one_of(word, _FALSE)} THEN false END"

    _string: str

    @abstractmethod
    def literal(self, text: str) -> str: ...

    @abstractmethod
    def _trim(self, text: str) -> str: ...

    @abstractmethod
    def _int(self, text: str) -> str: ...

    @abstractmethod
    def _bigint(self, text: str) -> str: ...

    @abstractmethod
    def _double(self, text: str) -> str: ...

    @abstractmethod
    def _date(self, text: str, pattern: str) -> str: ...

    @abstractmethod
    def _timestamp(self, text: str, pattern: str | None) -> str: ...

    @abstractmethod
    def _format_timestamp(self, value: str) -> str: ...


def _shortened(text: str) -> str:
    return (
        f"CASE WHEN length({text}) > {REASON_TEXT_LENGTH} "
        f"THEN concat(left({text}, {REASON_TEXT_LENGTH}), '…') ELSE {text} END"
    )


_FIRST_SECOND, _AFTER_LAST_SECOND = -62_135_596_800, 253_402_300_800
"""0001-01-01T00:00Z and 10000-01-01T00:00Z."""


def _within_years(value: str, unit: str | None) -> str:
    """A whole number of the unit since 1970-01-01T00:00Z, NULL outside the years that timestamps can have."""
    if unit is None:
        return value
    size = {"s": 1, "ms": 1_000, "us": 1_000_000}[unit]
    first, last = _FIRST_SECOND * size, _AFTER_LAST_SECOND * size - 1
    return f"CASE WHEN ({value}) BETWEEN {first} AND {last} THEN ({value}) END"


class DuckdbTyping(FieldTyping):
    """DuckDB's casts take more than the rules do (`1_000`, `1e3` as a whole number, `2020-1-1`, `epoch`).

    A whole number or ISO date that its cast writes back as the same text is right, and that costs little; all else is
    matched first.
    """

    _string = "VARCHAR"

    def literal(self, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def _trim(self, text: str) -> str:
        return f"trim({text}, ' \t')"

    def _whole(self, text: str, sql_type: str) -> str:
        cast, trimmed = f"try_cast({text} AS {sql_type})", self._trim(text)
        return (
            f"CASE WHEN cast({cast} AS VARCHAR) = {text} THEN {cast} "
            f"WHEN regexp_full_match({trimmed}, '{_INTEGER}') THEN try_cast({trimmed} AS {sql_type}) END"
        )

    def _int(self, text: str) -> str:
        return self._whole(text, "INTEGER")

    def _bigint(self, text: str) -> str:
        return self._whole(text, "BIGINT")

    def _double(self, text: str) -> str:
        # Room for spaces in the expression itself would make it four times as slow.
        trimmed = self._trim(text)
        return (
            f"CASE WHEN {self._is_double(text)} THEN {self._finite(text)} "
            f"WHEN {self._is_double(trimmed)} THEN {self._finite(trimmed)} END"
        )

    @staticmethod
    def _is_double(text: str) -> str:
        return f"regexp_full_match({text}, '{_DOUBLE}')"

    @staticmethod
    def _finite(text: str) -> str:
        value = f"try_cast({text} AS DOUBLE)"
        return f"CASE WHEN isfinite({value}) THEN {value} + 0.0::DOUBLE END"

    def _date(self, text: str, pattern: str) -> str:
        if pattern != _ISO_DATE:
            trimmed = self._trim(text)
            value, form = self._parsed(trimmed, pattern)
            value = f"cast({value} AS DATE)"
            return (
                f"CASE WHEN strftime({value}, {form}) = {trimmed} "
                f"AND {value} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {value} END"
            )
        return f"coalesce({self._iso_date(text)}, {self._iso_date(self._trim(text))})"

    @staticmethod
    def _iso_date(text: str) -> str:
        value = f"try_cast({text} AS DATE)"
        return (
            f"CASE WHEN cast({value} AS VARCHAR) = {text} AND {value} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' "
            f"THEN {value} END"
        )

    def _timestamp(self, text: str, pattern: str | None) -> str:
        trimmed = self._trim(text)
        if pattern is None:
            value = f"try_cast({trimmed} AS TIMESTAMPTZ)"
            right = f"regexp_full_match({trimmed}, '{_TIMESTAMP}')"
        else:
            parsed, form = self._parsed(trimmed, pattern)
            value = f"make_timestamptz(epoch_us({parsed}))"
            right = f"strftime({parsed}, {form}) = {trimmed}"
        return (
            f"CASE WHEN {right} AND {value} >= TIMESTAMPTZ '0001-01-01 00:00:00+00' "
            f"AND {value} < TIMESTAMPTZ '10000-01-01 00:00:00+00' THEN {value} END"
        )

    def _parsed(self, text: str, pattern: str) -> tuple[str, str]:
        """The timestamp that a pattern reads, and the pattern's strptime form, as SQL."""
        strptime = to_strptime(pattern)
        form = self.literal(strptime)
        value = f"try_strptime({text}, {form})"
        if "%y" in strptime:
            value = f"({value} + CASE WHEN year({value}) < 2000 THEN INTERVAL 100 YEAR ELSE INTERVAL 0 YEAR END)"
        return value, form

    def _format_timestamp(self, value: str) -> str:
        return f"strftime({value} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')"


class SparkTyping(FieldTyping):
    """For Spark 4 in ANSI mode with the session time zone UTC."""

    _string = "STRING"

    def literal(self, text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def _trim(self, text: str) -> str:
        return f"trim(BOTH ' \t' FROM {text})"

    def _matches(self, text: str, pattern: str) -> str:
        whole = self.literal(rf"\A(?:{pattern})\z")
        return f"{text} RLIKE {whole}"

    def _whole(self, text: str, sql_type: str) -> str:
        trimmed = self._trim(text)
        return f"CASE WHEN {self._matches(trimmed, _INTEGER)} THEN try_cast({trimmed} AS {sql_type}) END"

    def _int(self, text: str) -> str:
        return self._whole(text, "INT")

    def _bigint(self, text: str) -> str:
        return self._whole(text, "BIGINT")

    def _double(self, text: str) -> str:
        trimmed = self._trim(text)
        value = f"try_cast({trimmed} AS DOUBLE)"
        return (
            f"CASE WHEN {self._matches(trimmed, _DOUBLE)} AND abs({value}) < double('Infinity') THEN {value} + 0.0D END"
        )

    def _date(self, text: str, pattern: str) -> str:
        trimmed = self._trim(text)
        if pattern == _ISO_DATE:
            value = f"try_cast({trimmed} AS DATE)"
            right = self._matches(trimmed, "[0-9]{4}-[0-9]{2}-[0-9]{2}")
        else:
            value, right = self._parsed(trimmed, pattern, "DATE")
        return f"CASE WHEN {right} AND {value} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {value} END"

    def _timestamp(self, text: str, pattern: str | None) -> str:
        trimmed = self._trim(text)
        if pattern is None:
            # Spark reads an offset only after seconds.
            with_seconds = (
                f"regexp_replace({trimmed}, {self.literal(f'([T ][0-9]{{2}}:[0-9]{{2}})({_OFFSET})')}, '$1:00$2')"
            )
            value = f"try_cast({with_seconds} AS TIMESTAMP)"
            right = self._matches(trimmed, _TIMESTAMP)
        else:
            value, right = self._parsed(trimmed, pattern, "TIMESTAMP")
        return (
            f"CASE WHEN {right} AND {value} >= TIMESTAMP '0001-01-01 00:00:00Z' "
            f"AND {value} <= TIMESTAMP '9999-12-31 23:59:59.999999Z' THEN {value} END"
        )

    def _parsed(self, text: str, pattern: str, sql_type: str) -> tuple[str, str]:
        """The value that a pattern reads, and whether the pattern writes it back as the same text."""
        to_strptime(pattern)
        form = self.literal(pattern)
        value = f"cast(try_to_timestamp({text}, {form}) AS {sql_type})"
        return value, f"date_format({value}, {form}) = {text}"

    def _format_timestamp(self, value: str) -> str:
        return f"date_format({value}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')"
