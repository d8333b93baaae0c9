"""The CSV grammar as Spark SQL: a record's text -> its fields, or what is wrong with it.

Spark's own CSV parser is not used: it takes blanks after a closing quote and quotes that are never closed, where
this project's grammar is strict, and it does not say what was wrong. A record without quotes is split at the
delimiter; only one with quotes meets the regular expressions. Those are possessive throughout, so that no field is
long enough to exhaust the stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from featuremill.spec.models import CsvConnector
from spark_jobs.output import literal

MAX_LINE_BYTES = 1 << 20
"""A record of more bytes, its line end not counted, is malformed; so much of it is kept."""

TOO_LONG = "line is longer than 1 MiB; its first 1 MiB is kept here"
NOT_UTF8 = "line is not valid UTF-8"
BAD_QUOTING = "bad quoting"


@dataclass(frozen=True)
class Tokeniser:
    """SQL expressions over the text (SQL) of a record. An empty quote: nothing is quoted; no escape: quotes double."""

    delimiter: str
    quote: str
    escape: str | None
    multiline: bool

    @classmethod
    def of(cls, connector: CsvConnector) -> Tokeniser:
        quote = connector.quote
        escape = connector.escape if quote and connector.escape != quote else None
        return cls(connector.delimiter, quote, escape, connector.multiline and bool(quote))

    def problem(self, text: str) -> str:
        """Why a record is malformed, the number of its fields aside; NULL if it is not."""
        cases = [
            (f"octet_length({text}) > {MAX_LINE_BYTES}", TOO_LONG),
            (f"NOT is_valid_utf8({text})", NOT_UTF8),
        ]
        if self.quote:
            well_quoted = f"{text} RLIKE {literal(self._record(self._field()))}"
            cases.append((f"contains({text}, {literal(self.quote)}) AND NOT {well_quoted}", BAD_QUOTING))
        return "CASE " + " ".join(f"WHEN {test} THEN {literal(reason)}" for test, reason in cases) + " END"

    def fields(self, text: str) -> str:
        """The fields of a record without problem: array<string>, nothing trimmed, quotes taken off."""
        plain = f"split({text}, {literal(re.escape(self.delimiter))})"
        if not self.quote:
            return plain
        # With a delimiter put before it every field is a match that is not empty.
        matches = f"{re.escape(self.delimiter)}({self._field()})"
        found = f"regexp_extract_all(concat({literal(self.delimiter)}, {text}), {literal(matches)}, 1)"
        unquoted = f"transform({found}, f -> {self._unquoted('f')})"
        return f"CASE WHEN contains({text}, {literal(self.quote)}) THEN {unquoted} ELSE {plain} END"

    def records(self, text: str) -> str:
        """The records of a whole file with their line ends: array<string>. What is no record of several lines, or one
        of more than MAX_LINE_BYTES, ends with its first line.

        Works on bytes, each as a character of Latin-1: a regular expression would replace what is not UTF-8.
        """
        escape = _as_latin(self.escape) if self.escape else None
        latin = Tokeniser(_as_latin(self.delimiter), _as_latin(self.quote), escape, True)
        field = latin._field(ends_with_line=True)
        record = rf"{field}(?:{re.escape(latin.delimiter)}{field})*+(?=\r?(?:\n|\z))"
        short = rf"(?<=\G(?s:.){{0,{MAX_LINE_BYTES}}})"
        pattern = rf"(?:{record}{short}|[^\n]*+)\r?(?:\n|\z)"
        found = f"regexp_extract_all(decode(CAST({text} AS BINARY), 'ISO-8859-1'), {literal(pattern)}, 0)"
        return f"transform({found}, r -> CAST(encode(r, 'ISO-8859-1') AS STRING))"

    def _field(self, *, ends_with_line: bool = False) -> str:
        """The regular expression of one field; `ends_with_line`: an unquoted one does."""
        delimiter, quote = re.escape(self.delimiter), re.escape(self.quote)
        plain = _none_of(self.delimiter, *("\n" if ends_with_line else ""))
        if not self.quote:
            return plain
        if self.escape:
            escape = re.escape(self.escape)
            # An escape before anything else stands for itself.
            escaped = f"{escape}(?:{quote}|{escape})?+"
        else:
            escaped = quote + quote
        ordinary = _none_of(self.quote, self.escape or self.quote)
        closed = rf"{quote}{ordinary}(?:{escaped}{ordinary})*+{quote}(?={delimiter}|\r?(?:\n|\z))"
        return f"(?:{closed}|(?!{quote}){plain})"

    def _record(self, field: str) -> str:
        return rf"\A{field}(?:{re.escape(self.delimiter)}{field})*+\z"

    def _unquoted(self, field: str) -> str:
        inside = f"substring({field}, 2, length({field}) - 2)"
        if self.escape:
            escaped = f"{re.escape(self.escape)}({re.escape(self.quote)}|{re.escape(self.escape)})"
            bare = f"regexp_replace({inside}, {literal(escaped)}, '$1')"
        else:
            bare = f"replace({inside}, {literal(self.quote * 2)}, {literal(self.quote)})"
        return f"CASE WHEN startswith({field}, {literal(self.quote)}) THEN {bare} ELSE {field} END"


def _as_latin(sign: str) -> str:
    return sign.encode().decode("latin-1")


def _none_of(*signs: str) -> str:
    """As many characters as come before the first of these."""
    different = list(dict.fromkeys(signs))
    if all(len(sign) == 1 for sign in different):
        return "[^" + "".join(re.escape(sign) for sign in different) + "]*+"
    return "(?:(?!" + "|".join(re.escape(sign) for sign in different) + ")(?s:.))*+"


_UTF8_SEQUENCES = (
    "[0-7].",
    "(?:C[2-9A-F]|D.)[89AB].",
    "(?:E0[AB].|E[1-9A-CEF][89AB].|ED[89].)[89AB].",
    "(?:F0[9AB].|F[1-3][89AB].|F48.)[89AB].[89AB].",
    "..",
)


def shown_line(text: str) -> str:
    r"""A raw line as the quarantine keeps it: bytes that are not UTF-8 as `\xff`; MAX_LINE_BYTES at most.

    The hexadecimal digits are cut into UTF-8 sequences (The Unicode Standard 15.0, table 3-7); the rest are bytes.
    """
    raw = f"substring(CAST({text} AS BINARY), 1, {MAX_LINE_BYTES})"
    pieces = f"regexp_extract_all(hex({raw}), {literal('(' + '|'.join(_UTF8_SEQUENCES) + ')')}, 1)"
    alone = "length(s) = 2 AND s >= '80'"
    piece = rf"CASE WHEN {alone} THEN concat('\\x', lower(s)) ELSE CAST(unhex(s) AS STRING) END"
    plain = f"octet_length({text}) <= {MAX_LINE_BYTES} AND is_valid_utf8({text})"
    return f"CASE WHEN {plain} THEN {text} ELSE array_join(transform({pieces}, s -> {piece}), '') END"
