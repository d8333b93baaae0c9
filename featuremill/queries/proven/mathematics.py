"""abs, rounding, roots, powers, logarithms, angles. Where Java and C differ (null, NaN, saturation), Java's way."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from featuremill.queries.proven.catalogue import Entry, Types, each, prove
from featuremill.queries.proven.pieces import DECIMAL, INTEGERS, NUMBERS, NotProven, Piece, text_of
from featuremill.queries.proven.translation import Translator, double_literal, guarded, handles, only, strict

_FAMILY = "mathematics"
_REAL: Types = ("int", "bigint", "double", DECIMAL)

ABS = prove("abs", _FAMILY, {(kind,): kind for kind in NUMBERS})
FLOOR = prove("floor", _FAMILY, each(NUMBERS, to="bigint"), notes="without a number of decimals")
CEIL = prove("ceil", _FAMILY, each(NUMBERS, to="bigint"), aliases=("ceiling",), notes="without a number of decimals")
ROUND = prove(
    "round",
    _FAMILY,
    {("double",): "double", ("double", "int"): "double"} | {(kind,): kind for kind in INTEGERS},
    notes="half up, as the number is written in decimal; 0 to 15 decimals, written out",
)
SIGN = prove("sign", _FAMILY, each(NUMBERS, to="double"), aliases=("signum",))
POW = prove("pow", _FAMILY, each(_REAL, _REAL, to="double"), aliases=("power",))
IS_NAN = prove("isnan", _FAMILY, {("double",): "boolean"}, notes="false for null")
NANVL = prove("nanvl", _FAMILY, {("double", "double"): "double"})
PI = prove("pi", _FAMILY, {(): "double"})


def _abs(piece: Piece) -> Piece:
    return Piece(f"abs({piece.sql})", "", fails=piece.type in INTEGERS, bound=piece.bound)


def _to_whole(function: str) -> Callable[[Piece], Piece]:
    def render(piece: Piece) -> Piece:
        if piece.type in INTEGERS:
            return Piece(f"CAST({piece.sql} AS BIGINT)", "", bound=piece.bound)
        if piece.bound is not None and piece.bound < 2**53:
            return Piece(f"CAST({function}({piece.sql}) AS BIGINT)", "", bound=piece.bound + 1)
        # Java stops at the largest and smallest long and makes NaN zero.
        beyond = (
            f"CASE WHEN isnan({piece.sql}) THEN 0 WHEN {piece} > 0 THEN 9223372036854775807"
            f" WHEN {piece} < 0 THEN CAST(-9223372036854775808 AS BIGINT) END"
        )
        return Piece(f"coalesce(TRY_CAST({function}({piece.sql}) AS BIGINT), {beyond})", "")

    return render


strict(ABS, exp.Abs, _abs)
strict(FLOOR, exp.Floor, _to_whole("floor"))
strict(CEIL, exp.Ceil, _to_whole("ceil"))


@handles(exp.Round)
def _round(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "decimals"])
    piece = translator.piece(node.this)
    given = node.args.get("decimals")
    if given is None:
        kind = translator.use(ROUND, [piece.type], node)
        return _rounded(piece, 0) if kind == "double" else piece
    places = translator.piece(given)
    if not isinstance(places.literal, int) or not 0 <= places.literal <= 15:
        raise NotProven(text_of(node), f"round is proven {ROUND.notes}")
    translator.use(ROUND, [piece.type, places.type], node)
    return _rounded(piece, places.literal)


def _rounded(piece: Piece, places: int) -> Piece:
    """Spark rounds the shortest decimal text of the double, half up.

    Away from a tie, and where doubles are dense, rounding the scaled double gives the same and takes a hundredth of
    the time. Above 1e15 a double has at most one decimal left.
    """
    size = f"abs({piece.sql})"
    clear = f"{size} < 1e{12 - places} AND abs({size} * 1e{places} % 1e0 - 5e-1) > 1e-3"
    quick = f"round({piece} * 1e{places}) / 1e{places} + 0e0"
    exact = f"CAST(CAST(CAST({piece.sql} AS VARCHAR) AS DECIMAL(38, {places})) AS DOUBLE)"
    sql = f"CASE WHEN {clear} THEN {quick} WHEN {size} < 1e15 THEN {exact} ELSE {piece} END"
    return Piece(sql, "double", fails=piece.fails)


def _sign(piece: Piece) -> Piece:
    # DuckDB holds NaN for larger than zero. A zero keeps its sign.
    nan = f"WHEN isnan({piece.sql}) THEN {piece} " if piece.type == "double" else ""
    one = f"WHEN {piece} > 0 THEN 1e0 WHEN {piece} < 0 THEN -1e0 ELSE CAST({piece.sql} AS DOUBLE)"
    return Piece(f"CASE {nan}{one} END", "", bound=1.0 if piece.type != "double" else None)


def _power(base: Piece, exponent: Piece) -> Piece:
    plain = f"pow({base.sql}, {exponent.sql})"
    if base.type in INTEGERS or exponent.type in INTEGERS:
        plain = f"pow({_real(base)}, {_real(exponent)})"
    if exponent.type in INTEGERS or (exponent.is_literal and float(str(exponent.literal)).is_integer()):
        return Piece(plain, "")
    # Java has NaN for a fractional power of a negative number, where DuckDB raises, and for pow(1, NaN) and
    # pow(-1, infinity), where C has 1.
    odd = f"{base} < 0 AND isfinite({_real(base)}) AND floor({exponent.sql}) <> {exponent}"
    if exponent.type == "double":
        odd = f"isnan({exponent.sql}) OR (abs({_real(base)}) = 1 AND isinf({exponent.sql})) OR ({odd})"
    return Piece(f"CASE WHEN {base} IS NULL THEN NULL WHEN {odd} THEN CAST('nan' AS DOUBLE) ELSE {plain} END", "")


def _real(piece: Piece) -> str:
    if piece.type not in INTEGERS:
        return piece.sql
    return double_literal(str(piece.literal)).sql if piece.is_literal else f"CAST({piece.sql} AS DOUBLE)"


strict(SIGN, exp.Sign, _sign)
strict(POW, exp.Pow, _power, arguments=("this", "expression"))


def _real_function(name: str, node: type[exp.Expr] | str, function: str, notes: str = "") -> Entry:
    entry = prove(name, _FAMILY, each(_REAL, to="double"), notes=notes)
    strict(entry, node, lambda piece: f"{function}({_real(piece)})")
    return entry


_real_function("exp", exp.Exp, "exp")
_real_function("cbrt", exp.Cbrt, "cbrt")
_real_function("sin", exp.Sin, "sin")
_real_function("cos", exp.Cos, "cos")
_real_function("tan", exp.Tan, "tan")
_real_function("atan", exp.Atan, "atan")
_real_function("radians", exp.Radians, "radians")
_real_function("degrees", exp.Degrees, "degrees")
ATAN2 = prove("atan2", _FAMILY, each(_REAL, _REAL, to="double"))
# As Spark does, so that a negative zero counts as zero.
strict(
    ATAN2,
    exp.Atan2,
    lambda y, x: f"atan2({_real(y)} + 0e0, {_real(x)} + 0e0)",
    arguments=("this", "expression"),
)
SQRT = prove("sqrt", _FAMILY, each(_REAL, to="double"), notes="NaN below zero")
strict(SQRT, exp.Sqrt, lambda piece: f"sqrt({_real(piece)})")

_LOGARITHM = "null at zero and below"
LN = prove("ln", _FAMILY, each(_REAL, to="double"), aliases=("log(x)",), notes=_LOGARITHM)
LOG10 = prove("log10", _FAMILY, each(_REAL, to="double"), notes=_LOGARITHM)
LOG2 = prove("log2", _FAMILY, each(_REAL, to="double"), notes=_LOGARITHM)


def _positive(piece: Piece) -> str:
    real = _real(piece)
    return real if piece.is_literal and float(piece.literal or 0) > 0 else f"CASE WHEN {piece} > 0 THEN {real} END"


strict(LN, exp.Ln, lambda piece: f"ln({_positive(piece)})")


@handles(exp.Log)
def _logarithm(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression"])
    base = node.this.this if isinstance(node.this, exp.Literal) else ""
    entry = {"10": LOG10, "2": LOG2}.get(base)
    if entry is None:
        raise NotProven(text_of(node), "log is proven with one argument; for other bases write ln(x) / ln(base)")
    piece = translator.piece(node.expression)
    result = translator.use(entry, [piece.type], node)
    return guarded(Piece(f"log{base}({_positive(piece)})", result, fails=piece.fails), [piece])


@handles(exp.IsNan)
def _is_nan(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this"])
    piece = translator.piece(node.this)
    return Piece(f"coalesce(isnan({piece.sql}), FALSE)", translator.use(IS_NAN, [piece.type], node), fails=piece.fails)


@handles(exp.Nanvl)
def _nanvl(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression"])
    piece, other = translator.piece(node.this), translator.piece(node.expression)
    if other.type == DECIMAL:
        other = translator.coerce(other, "double", node)
    result = translator.use(NANVL, [piece.type, other.type], node)
    sql = f"CASE WHEN isnan({piece.sql}) THEN {other} ELSE {piece} END"
    return Piece(sql, result, fails=piece.fails or other.fails)


@handles(exp.Pi)
def _pi(translator: Translator, node: exp.Expr) -> Piece:
    return Piece("pi()", translator.use(PI, [], node), bound=4.0)
