"""Parts of dates, days and months added and counted, truncation. Timestamps are UTC."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from featuremill.queries.proven.casts import converted
from featuremill.queries.proven.catalogue import Entry, each, prove
from featuremill.queries.proven.pieces import TIMES, NotProven, Piece, text_of
from featuremill.queries.proven.translation import Translator, handles, only, strict

_PARTS, _FAMILY = "parts of dates", "date arithmetic"
_FAR = "a day more than 290,000 years away"


def day(piece: Piece) -> Piece:
    """The date of a date or timestamp."""
    return piece if piece.type == "date" else converted(piece, "date")


PART_NAMES: dict[str, Entry] = {}


def _part(
    name: str, node: type[exp.Expr] | str, sql: str, *, kinds: tuple[str, ...] = TIMES, bound: float = 1e7
) -> None:
    entry = prove(name, _PARTS, each(kinds, to="int"), aliases=("dayofmonth",) if name == "day" else ())
    PART_NAMES[name] = entry
    render = _rendered(sql, bound)
    _RENDERERS[name] = render
    strict(entry, node, render)


def _rendered(sql: str, bound: float) -> Callable[[Piece], Piece]:
    return lambda piece: Piece(f"CAST({sql.format(piece.sql)} AS INTEGER)", "", bound=bound)


_RENDERERS: dict[str, Callable[[Piece], Piece]] = {}
_part("year", exp.Year, "year({})")
_part("quarter", exp.Quarter, "quarter({})", bound=4)
_part("month", exp.Month, "month({})", bound=12)
_part("day", exp.Day, "day({})", bound=31)
_part("dayofweek", exp.DayOfWeek, "dayofweek({}) + 1", bound=7)
_part("weekday", "weekday", "isodow({}) - 1", bound=6)
_part("dayofyear", exp.DayOfYear, "dayofyear({})", bound=366)
_part("weekofyear", exp.WeekOfYear, "weekofyear({})", bound=53)
_part("hour", exp.Hour, "hour({})", kinds=("timestamp",), bound=23)
_part("minute", exp.Minute, "minute({})", kinds=("timestamp",), bound=59)
_part("second", exp.Second, "second({})", kinds=("timestamp",), bound=59)
strict(PART_NAMES["day"], exp.DayOfMonth, _RENDERERS["day"])

_EXTRACTED = {"dow": "dayofweek", "doy": "dayofyear", "week": "weekofyear"} | {
    name: name for name in ("year", "quarter", "month", "day", "hour", "minute")
}
EXTRACT = prove(
    "extract",
    _PARTS,
    {("date",): "int", ("timestamp",): "int"},
    notes=f"of {', '.join(sorted(_EXTRACTED))}; hour and minute of timestamps only",
)


@handles(exp.Extract)
def _extract(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression"])
    name = _EXTRACTED.get(node.this.name.lower())
    if name is None:
        raise NotProven(text_of(node), f"extract is proven {EXTRACT.notes}")
    piece = translator.piece(node.expression)
    result = translator.use(EXTRACT, [piece.type], node)
    translator.use(PART_NAMES[name], [piece.type], node)
    return _RENDERERS[name](piece).but(type=result, fails=piece.fails)


DATE_ADD = prove("date_add", _FAMILY, each(TIMES, "int", to="date"), aliases=("dateadd",), refuses=_FAR)
DATE_SUB = prove("date_sub", _FAMILY, each(TIMES, "int", to="date"), refuses=_FAR)
DATEDIFF = prove("datediff", _FAMILY, each(TIMES, TIMES, to="int"), aliases=("date_diff",), notes="days: end, start")
ADD_MONTHS = prove("add_months", _FAMILY, each(TIMES, "int", to="date"), refuses=_FAR)
LAST_DAY = prove("last_day", _FAMILY, each(TIMES, to="date"))
MAKE_DATE = prove("make_date", _FAMILY, {("int", "int", "int"): "date"}, refuses="a year more than 5,000,000 away")
FROM_UNIX_DATE = prove("date_from_unix_date", _FAMILY, {("int",): "date"}, refuses="a day five million years away")
MONTHS_BETWEEN = prove(
    "months_between",
    _FAMILY,
    each(TIMES, TIMES, to="double") | each(TIMES, TIMES, "boolean", to="double"),
    notes="as Spark counts: months of 31 days, whole months from last day to last day, rounded to 8 decimals unless "
    "false is written as third argument",
)
TRUNC = prove(
    "trunc", _FAMILY, each(TIMES, "string", to="date"), notes="year, yyyy, yy, quarter, month, mon, mm, week (Monday)"
)


@handles(exp.TsOrDsAdd)
def _date_add(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression", "unit"])
    unit, number = node.args.get("unit"), node.expression
    if not isinstance(unit, exp.Var) or unit.name != "DAY":
        raise NotProven(text_of(node), "date_add is proven for days")
    # The parser writes date_sub(d, n) as date_add(d, n * -1).
    minus = isinstance(number, exp.Mul) and isinstance(number.expression, exp.Neg)
    if minus and number.expression.this == exp.Literal.number(1):
        number = number.this
    else:
        minus = False
    piece, days = translator.piece(node.this), translator.piece(number)
    if days.fails:
        raise NotProven(text_of(number), "a number of days that may fail is not proven")
    translator.use(DATE_SUB if minus else DATE_ADD, [piece.type, days.type], node)
    return Piece(f"{day(piece)} {'-' if minus else '+'} {days}", "date", atom=False, fails=True)


strict(
    DATEDIFF,
    exp.DateDiff,
    lambda end, start: Piece(f"CAST({day(end)} - {day(start)} AS INTEGER)", "", bound=2.0**31),
    arguments=("this", "expression"),
)
strict(
    ADD_MONTHS,
    exp.AddMonths,
    lambda start, months: f"CAST({day(start)} + to_months({months.sql}) AS DATE)",
    arguments=("this", "expression"),
    fails=True,
)
strict(LAST_DAY, exp.LastDay, lambda piece: Piece(f"last_day({piece.sql})", "", bound=piece.bound))
strict(
    MAKE_DATE,
    "make_date",
    lambda year, month, day_: f"make_date({year.sql}, {month.sql}, {day_.sql})",
    arguments=("year", "month", "day"),
    fails=True,
)
strict(
    FROM_UNIX_DATE,
    exp.DateFromUnixDate,
    lambda days: Piece(f"DATE '1970-01-01' + {days}", "", atom=False, fails=True),
)


def _months_between(end: Piece, start: Piece, rounded: Piece | None = None) -> Piece:
    """org.apache.spark.sql.catalyst.util.DateTimeUtils.monthsBetween, in whole seconds."""
    last, first = day(end).sql, day(start).sql
    months = f"date_diff('month', {first}, {last})"
    whole = f"day({last}) = day({first}) OR ({last} = last_day({last}) AND {first} = last_day({first}))"
    seconds = f"(day({last}) - day({first})) * 86400{_clock(end, '+')}{_clock(start, '-')}"
    exact = f"{months} + ({seconds}) / 2678400e0"
    if rounded is None or rounded.literal is True:
        exact = f"floor(({exact}) * 1e8 + 5e-1) / 1e8"
    return Piece(f"CASE WHEN {whole} THEN CAST({months} AS DOUBLE) ELSE {exact} END", "", bound=2e8)


def _clock(piece: Piece, sign: str) -> str:
    return "" if piece.type == "date" else f" {sign} date_diff('second', CAST({piece.sql} AS DATE), {piece.sql})"


strict(
    MONTHS_BETWEEN,
    exp.MonthsBetween,
    _months_between,
    arguments=("this", "expression", "roundoff"),
    literals=(2,),
)

_TRUNC_UNITS = {
    **dict.fromkeys(("year", "yyyy", "yy"), "year"),
    "quarter": "quarter",
    **dict.fromkeys(("month", "mon", "mm"), "month"),
    "week": "week",
}


def _trunc(piece: Piece, unit: Piece) -> str:
    name = _TRUNC_UNITS.get(str(unit.literal).lower())
    if name is None:
        raise ValueError(f"trunc is proven for {TRUNC.notes}")
    return f"CAST(date_trunc('{name}', {day(piece).sql}) AS DATE)"


strict(TRUNC, exp.DateTrunc, _trunc, arguments=("this", "unit"), literals=(1,))
