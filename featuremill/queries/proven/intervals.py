"""Dates and timestamps plus or minus an interval that is written out: `as_of - interval 30 days`."""

from __future__ import annotations

import re

from sqlglot import exp

from featuremill.queries.proven.catalogue import Types, prove
from featuremill.queries.proven.pieces import NotProven, Piece, text_of
from featuremill.queries.proven.translation import Translator, only

_MONTHS = {"year": 12, "month": 1}
_DAYS = {"week": 7, "day": 1}
_MICROS = {"hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000}


def _signatures() -> dict[Types, str]:
    whole: dict[Types, str] = {("date", f"interval {unit}"): "date" for unit in (*_MONTHS, *_DAYS)}
    clock: dict[Types, str] = {("date", f"interval {unit}"): "timestamp" for unit in _MICROS}
    exact: dict[Types, str] = {("timestamp", f"interval {unit}"): "timestamp" for unit in (*_MONTHS, *_DAYS, *_MICROS)}
    return whole | clock | exact


_NOTES = "one unit, a whole number written out: interval 30 days, interval '1' month"
_REFUSES = "a result more than 290,000 years away"
PLUS = prove("+ interval", "date arithmetic", _signatures(), notes=_NOTES, refuses=_REFUSES)
MINUS = prove("- interval", "date arithmetic", _signatures(), notes=_NOTES, refuses=_REFUSES)


def shift_by_interval(translator: Translator, node: exp.Expr, sign: str) -> Piece:
    """`time + interval`, `interval + time` or `time - interval`. Raises NotProven."""
    first, second = node.this, node.expression
    if isinstance(first, exp.Interval):
        if sign == "-":
            raise NotProven(text_of(node), "an interval minus something is not proven")
        first, second = second, first
    number, unit = _read(second)
    piece = translator.piece(first)
    result = translator.use(PLUS if sign == "+" else MINUS, [piece.type, f"interval {unit}"], node)
    return shifted(piece, number if sign == "+" else -number, unit, result)


def shifted(piece: Piece, number: int, unit: str, result: str) -> Piece:
    """A date or timestamp moved by a number of units. Days and less are exact; months end at the month's last day."""
    if unit in _DAYS and result == "date":
        return Piece(f"{piece} + ({number * _DAYS[unit]})", result, atom=False, fails=True)
    if unit in _MONTHS:
        sql = f"{piece} + to_months({number * _MONTHS[unit]})"
        return Piece(f"CAST({sql} AS DATE)" if result == "date" else sql, result, atom=result == "date", fails=True)
    # Never as an interval: DuckDB holds 30 days and 1 month for equal, and may compute one for the other.
    micros = number * (_DAYS[unit] * _MICROS["hour"] * 24 if unit in _DAYS else _MICROS[unit])
    return Piece(f"make_timestamp(epoch_us({piece.sql}) + ({micros}))", result, fails=True)


def _read(node: exp.Expr) -> tuple[int, str]:
    if not isinstance(node, exp.Interval):
        raise NotProven(text_of(node), "the other side of an interval has to be a date or a timestamp")
    only(node, ["this", "unit"])
    number, unit = node.this, node.args.get("unit")
    text = number.this if isinstance(number, exp.Literal) else ""
    name = unit.name.lower().removesuffix("s") if isinstance(unit, exp.Var) else ""
    if not re.fullmatch(r"-?[0-9]{1,6}", text) or name not in {**_MONTHS, **_DAYS, **_MICROS}:
        raise NotProven(text_of(node), f"proven is {_NOTES}")
    return int(text), name
