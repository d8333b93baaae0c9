"""Timestamps from and to numbers, truncated, moved and counted in units. All of it in UTC."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from featuremill.queries.proven.casts import converted, seconds_of
from featuremill.queries.proven.catalogue import each, prove
from featuremill.queries.proven.dates import day
from featuremill.queries.proven.intervals import shifted
from featuremill.queries.proven.pieces import TIMES, NotProven, Piece, text_of
from featuremill.queries.proven.translation import Translator, guarded, handles, only, strict

_FAMILY = "timestamps"
_FAR = "a moment more than 290,000 years away"

UNIX_TIMESTAMP = prove(
    "unix_timestamp",
    _FAMILY,
    each(TIMES, to="bigint"),
    aliases=("to_unix_timestamp",),
    notes="seconds, rounded towards 1970",
)
UNIX_SECONDS = prove("unix_seconds", _FAMILY, {("timestamp",): "bigint"}, notes="rounded down")
UNIX_MILLIS = prove("unix_millis", _FAMILY, {("timestamp",): "bigint"}, notes="rounded down")
UNIX_MICROS = prove("unix_micros", _FAMILY, {("timestamp",): "bigint"})
SECONDS = prove("timestamp_seconds", _FAMILY, each(("int", "bigint"), to="timestamp"), refuses=_FAR)
MILLIS = prove("timestamp_millis", _FAMILY, each(("int", "bigint"), to="timestamp"), refuses=_FAR)
MICROS = prove("timestamp_micros", _FAMILY, each(("int", "bigint"), to="timestamp"), refuses=_FAR)
_UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
DATE_TRUNC = prove(
    "date_trunc", _FAMILY, each(TIMES, to="timestamp"), notes=f"{', '.join(_UNITS)}; weeks start on Monday"
)
DIFF = prove(
    "timestampdiff", _FAMILY, each(TIMES, TIMES, to="bigint"), notes=f"whole units passed: {', '.join(_UNITS)}"
)
ADD = prove(
    "timestampadd",
    _FAMILY,
    {("int", "timestamp"): "timestamp"},
    aliases=("dateadd(unit, n, t)", "date_add(unit, n, t)"),
    notes=f"the number written out: {', '.join(_UNITS)}",
    refuses=_FAR,
)


def moment(piece: Piece) -> Piece:
    """The timestamp of a date (its midnight) or timestamp."""
    return piece if piece.type == "timestamp" else converted(piece, "timestamp")


def _seconds(piece: Piece) -> Piece:
    return Piece(seconds_of(piece), "", atom=False)


strict(
    UNIX_TIMESTAMP,
    exp.StrToUnix,
    lambda piece: Piece(f"epoch_us({moment(piece).sql}) // 1000000", "", atom=False),
    flags=("format",),
)
strict(UNIX_SECONDS, exp.UnixSeconds, _seconds)
strict(
    UNIX_MILLIS,
    exp.UnixMillis,
    lambda piece: Piece(f"epoch_us(date_trunc('millisecond', {piece.sql})) // 1000", "", atom=False),
)
strict(UNIX_MICROS, exp.UnixMicros, lambda piece: f"epoch_us({piece.sql})")
for _entry, _name, _factor in (
    (SECONDS, "timestamp_seconds", " * 1000000"),
    (MILLIS, "timestamp_millis", " * 1000"),
    (MICROS, "timestamp_micros", ""),
):
    strict(
        _entry, _name, lambda piece, factor=_factor: f"make_timestamp(CAST({piece.sql} AS BIGINT){factor})", fails=True
    )


@handles(exp.TimestampTrunc)
def _date_trunc(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "unit"])
    unit = _unit(node, _SHORT)
    piece = translator.piece(node.this)
    result = translator.use(DATE_TRUNC, [piece.type], node)
    return Piece(f"date_trunc('{unit}', {moment(piece).sql})", result, fails=piece.fails)


_SHORT = {"yyyy": "year", "yy": "year", "mon": "month", "mm": "month", "dd": "day"}


def _unit(node: exp.Expr, short: Mapping[str, str] | None = None) -> str:
    unit = node.args.get("unit")
    name = unit.name.lower() if isinstance(unit, exp.Var | exp.Literal) else ""
    name = (short or {}).get(name, name)
    if name not in _UNITS:
        raise NotProven(text_of(node), f"the units proven are {', '.join(_UNITS)}")
    return name


_EXACT = {
    "week": 604_800_000_000,
    "day": 86_400_000_000,
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@handles(exp.TimestampDiff)
def _timestampdiff(translator: Translator, node: exp.Expr) -> Piece:
    """The parser puts the end first, Spark evaluates the start first."""
    only(node, ["this", "expression", "unit"])
    unit = _unit(node)
    start, end = translator.piece(node.expression), translator.piece(node.this)
    result = translator.use(DIFF, [start.type, end.type], node)
    if unit in _EXACT:
        first, last = moment(start).sql, moment(end).sql
        body = Piece(f"(epoch_us({last}) - epoch_us({first})) // {_EXACT[unit]}", result, atom=False)
    else:
        body = Piece(f"{_whole_months(start, end)} // {32 * _MONTHS[unit]}", result, atom=False)
    return guarded(body.but(fails=start.fails or end.fails), [start, end])


def _whole_months(start: Piece, end: Piece) -> str:
    """32 times the whole months between two times, as java.time.LocalDateTime.until counts them.

    A day that has begun but not passed does not count; nor does a month, by the day of the month.
    """
    first, last = day(start).sql, day(end).sql
    if "timestamp" in (start.type, end.type):
        begun, ended = f"CAST({moment(start).sql} AS TIME)", f"CAST({moment(end).sql} AS TIME)"
        back = f"WHEN {last} > {first} AND {ended} < {begun} THEN -1"
        forth = f"WHEN {last} < {first} AND {ended} > {begun} THEN 1"
        last = f"({last} + CASE {back} {forth} ELSE 0 END)"
    return f"(date_diff('month', {first}, {last}) * 32 + day({last}) - day({first}))"


@handles(exp.TimestampAdd)
def _timestampadd(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression", "unit"])
    unit = _unit(node)
    time, number = translator.piece(node.this), translator.piece(node.expression)
    if not isinstance(number.literal, int) or isinstance(number.literal, bool) or abs(number.literal) > 999_999:
        raise NotProven(text_of(node.expression), "the number has to be written out, at most 999999")
    result = translator.use(ADD, [number.type, time.type], node)
    factor = 3 if unit == "quarter" else 1
    return shifted(time, number.literal * factor, "month" if unit == "quarter" else unit, result)
