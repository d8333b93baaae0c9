"""= <> < <= > >= <=>, between, in. NaN equals NaN and is the largest double, strings compare byte by byte, on both."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from featuremill.queries.proven.catalogue import Entry, Types, prove
from featuremill.queries.proven.coercion import common_type, date_from_text
from featuremill.queries.proven.pieces import DECIMAL, INTEGERS, NUMBERS, PLAIN, NotProven, Piece, text_of
from featuremill.queries.proven.translation import Translator, double_literal, guarded, handles, only

_FAMILY = "comparisons"


def _pairs() -> dict[Types, str]:
    same = {(kind, kind): "boolean" for kind in PLAIN}
    numbers = {(a, b): "boolean" for a in NUMBERS for b in NUMBERS}
    decimals = {pair: "boolean" for kind in NUMBERS for pair in ((kind, DECIMAL), (DECIMAL, kind))}
    times: dict[Types, str] = {("date", "timestamp"): "boolean", ("timestamp", "date"): "boolean"}
    return same | numbers | decimals | times


_NOTES = "a date in quotes beside a date or timestamp is read as one: loan_date >= '2024-01-01'"
_OPERATORS: dict[type[exp.Expr], tuple[Entry, str]] = {
    exp.EQ: (prove("=", _FAMILY, _pairs(), aliases=("==",), notes=_NOTES), "="),
    exp.NEQ: (prove("<>", _FAMILY, _pairs(), aliases=("!=",), notes=_NOTES), "<>"),
    exp.LT: (prove("<", _FAMILY, _pairs(), notes=_NOTES), "<"),
    exp.LTE: (prove("<=", _FAMILY, _pairs(), notes=_NOTES), "<="),
    exp.GT: (prove(">", _FAMILY, _pairs(), notes=_NOTES), ">"),
    exp.GTE: (prove(">=", _FAMILY, _pairs(), notes=_NOTES), ">="),
    exp.NullSafeEQ: (
        prove("<=>", _FAMILY, _pairs(), aliases=("is not distinct from",), notes=_NOTES),
        "IS NOT DISTINCT FROM",
    ),
    exp.NullSafeNEQ: (prove("is distinct from", _FAMILY, _pairs(), notes=_NOTES), "IS DISTINCT FROM"),
}
BETWEEN = prove(
    "between", _FAMILY, {(kind,): "boolean" for kind in PLAIN}, notes="each bound compares as with >= and <="
)
IN = prove(
    "in",
    _FAMILY,
    {(kind,): "boolean" for kind in PLAIN},
    notes="a list of values that cannot fail, brought to one type",
)


def compare(translator: Translator, kind: type[exp.Expr], left: Piece, right: Piece, node: exp.Expr) -> Piece:
    """`left <operator> right`, with the implicit casts of Spark. Raises NotProven."""
    entry, sign = _OPERATORS[kind]
    left, right = date_from_text(translator, left, right.type, node), date_from_text(translator, right, left.type, node)
    translator.use(entry, [left.type, right.type], node)
    body = Piece(f"{_exact(left, right)} {sign} {_exact(right, left)}", "boolean", atom=False)
    body = body.but(fails=left.fails or right.fails)
    null_safe = kind in (exp.NullSafeEQ, exp.NullSafeNEQ)
    return body if null_safe else guarded(body, [left, right])


def _exact(piece: Piece, other: Piece) -> str:
    """Spark compares whole numbers with a decimal literal as decimals, bigints with doubles as doubles."""
    if piece.type in INTEGERS and other.type == DECIMAL:
        places = max(0, -int(Decimal(str(other.literal)).as_tuple().exponent))
        return f"CAST({piece.sql} AS DECIMAL(38, {places}))"
    if piece.type == DECIMAL and other.type in INTEGERS:
        return (
            f"CAST('{piece.literal:f}' AS DECIMAL(38, {max(0, -int(Decimal(str(piece.literal)).as_tuple().exponent))}))"
        )
    if piece.type in INTEGERS and other.type == "double":
        if piece.is_literal:
            return double_literal(str(piece.literal)).sql
        return f"CAST({piece.sql} AS DOUBLE)"
    return str(piece)


def _comparison(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression"])
    return compare(translator, type(node), translator.piece(node.this), translator.piece(node.expression), node)


handles(*_OPERATORS)(_comparison)


@handles(exp.Between)
def _between(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "low", "high"])
    value = translator.piece(node.this)
    low, high = translator.piece(node.args["low"]), translator.piece(node.args["high"])
    if low.fails or high.fails:
        raise NotProven(text_of(node), "a bound that may fail is not proven in between; write >= and <=")
    translator.use(BETWEEN, [value.type], node)
    above = compare(translator, exp.GTE, value, low, node)
    below = compare(translator, exp.LTE, value, high, node)
    return Piece(f"{above} AND {below}", "boolean", atom=False, fails=value.fails)


@handles(exp.In)
def _in(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expressions"])
    value = translator.piece(node.this)
    items = [translator.piece(item) for item in node.expressions]
    for item, written in zip(items, node.expressions, strict=True):
        if item.fails:
            raise NotProven(text_of(written), "a value that may fail is not proven in a list")
    items = [date_from_text(translator, item, value.type, node) for item in items]
    kind = common_type([value, *items], node)
    translator.use(IN, [kind], node)
    value = translator.coerce(value, kind, node)
    listed = ", ".join(item.sql if item.type == "void" else translator.coerce(item, kind, node).sql for item in items)
    return Piece(f"{value} IN ({listed})", "boolean", atom=False, fails=value.fails)
