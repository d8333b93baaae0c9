"""Columns and literals."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from sqlglot import exp

from featuremill.queries.proven.catalogue import prove
from featuremill.queries.proven.pieces import DECIMAL, PLAIN, VOID, NotProven, Piece, quoted, text_of
from featuremill.queries.proven.translation import Translator, double_literal, handles, only

ARRAYS = tuple(f"array<{kind}>" for kind in PLAIN)

COLUMN = prove("column", "literals and columns", {(kind,): kind for kind in (*PLAIN, *ARRAYS)})
NUMBER = prove(
    "number",
    "literals and columns",
    {("int",): "int", ("bigint",): "bigint", (DECIMAL,): DECIMAL, ("double",): "double"},
    notes="3.7 is an exact decimal in Spark and is admitted only beside a double or in a comparison; "
    "write 3.7D or 37e-1 for a double",
)
TEXT = prove("string", "literals and columns", {("string",): "string"})
BOOLEAN = prove("true, false", "literals and columns", {("boolean",): "boolean"})
NULL = prove("null", "literals and columns", {(VOID,): VOID}, notes="where a conditional or a cast gives it a type")
TYPED = prove(
    "date'...', timestamp'...'",
    "literals and columns",
    {("date",): "date", ("timestamp",): "timestamp"},
    notes="date'2024-02-29'; timestamp'2024-02-29 10:30[:00[.123456]]', UTC unless it ends in Z or +02:00",
)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_SMALLEST = {"int": -(2**31), "bigint": -(2**63)}


@handles(exp.Column)
def _column(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this"], ["join_mark"])
    kind = translator.types.get(node.name.lower())
    if kind is None:
        raise NotProven(text_of(node), "there is no such column")
    translator.use(COLUMN, [kind], node)
    bound = {"int": 2.0**31, "bigint": 2.0**63}.get(kind)
    return Piece('"' + node.name.replace('"', '""') + '"', kind, bound=bound)


@handles(exp.Paren)
def _paren(translator: Translator, node: exp.Expr) -> Piece:
    return translator.piece(node.this)


@handles(exp.Null)
def _null(translator: Translator, node: exp.Expr) -> Piece:
    return Piece("NULL", translator.use(NULL, [VOID], node))


@handles(exp.Boolean)
def _boolean(translator: Translator, node: exp.Expr) -> Piece:
    translator.use(BOOLEAN, ["boolean"], node)
    return Piece("TRUE" if node.this else "FALSE", "boolean", literal=bool(node.this))


@handles(exp.Literal)
def _literal(translator: Translator, node: exp.Expr) -> Piece:
    if node.is_string:
        if "\0" in node.this:
            raise NotProven(text_of(node), "a string with a zero character is not proven")
        translator.use(TEXT, ["string"], node)
        return Piece(quoted(node.this), "string", literal=str(node.this))
    return number(translator, node, node.this)


def number(translator: Translator, node: exp.Expr, text: str) -> Piece:
    """A number as Spark reads it; `text` may carry a minus sign, which belongs to the literal."""
    if re.fullmatch(r"-?[0-9]+", text):
        value = int(text)
        kind = "int" if _SMALLEST["int"] <= value < -_SMALLEST["int"] else "bigint"
        if not _SMALLEST["bigint"] <= value < -_SMALLEST["bigint"]:
            raise NotProven(text, "it does not fit a bigint, and is a decimal in Spark")
        translator.use(NUMBER, [kind], node)
        if value == _SMALLEST[kind]:
            return Piece(
                f"CAST({value} AS {'INTEGER' if kind == 'int' else 'BIGINT'})", kind, bound=abs(value), literal=value
            )
        return Piece(str(value), kind, atom=value >= 0, bound=abs(value), literal=value)
    if re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)", text):
        digits = Decimal(text)
        if len(digits.as_tuple().digits) > 18 or -int(digits.as_tuple().exponent) > 15:
            raise NotProven(text, "it has more than 18 digits, or more than 15 behind the point; write it as a double")
        translator.use(NUMBER, [DECIMAL], node)
        # An exact decimal has no negative zero.
        return double_literal(format(abs(digits) if digits == 0 else digits, "f")).but(type=DECIMAL)
    if re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+", text) and abs(float(text)) < float("inf"):
        translator.use(NUMBER, ["double"], node)
        return double_literal(text)
    raise NotProven(text, "this number is not proven equal on both engines")


def time_literal(translator: Translator, node: exp.Expr, text: str, kind: str) -> Piece:
    """`date'...'` or `timestamp'...'`. Raises NotProven for a text that is not in the proven form, or no such day."""
    try:
        if kind == "date":
            if not _DATE.fullmatch(text):
                raise ValueError
            sql = f"DATE '{date.fromisoformat(text)}'"
        else:
            sql = f"TIMESTAMP '{_utc(text).isoformat(sep=' ')}'"
    except (ValueError, OverflowError):
        raise NotProven(text_of(node), f"{text!r} is not in the proven form: {TYPED.notes}") from None
    translator.use(TYPED, [kind], node)
    return Piece(sql, kind, literal=text)


def _utc(text: str) -> datetime:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day, hour, minute, second, fraction, zone = match.groups()
    offset = timedelta(0)
    if zone and zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 17 or minutes > 59:
            raise ValueError(text)
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    moment = datetime.fromisoformat(day).replace(
        hour=int(hour or 0),
        minute=int(minute or 0),
        second=int(second or 0),
        microsecond=int((fraction or "").ljust(6, "0")),
        tzinfo=timezone(offset),
    )
    return moment.astimezone(UTC).replace(tzinfo=None)
