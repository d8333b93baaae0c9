"""+ - * / % div, unary minus, pmod. Whole numbers overflow with an error, a divisor of zero is an error, on both."""

from __future__ import annotations

from sqlglot import exp

from featuremill.queries.proven.catalogue import Types, each, prove
from featuremill.queries.proven.intervals import shift_by_interval
from featuremill.queries.proven.literals import number
from featuremill.queries.proven.pieces import DECIMAL, INTEGERS, NUMBERS, NotProven, Piece, text_of
from featuremill.queries.proven.translation import Translator, guarded, handles, only, strict

_FAMILY = "arithmetic"
_REFUSES_DAYS = "a day more than five million years away"


def wider(first: str, second: str) -> str:
    """The type of a sum of two numbers: int < bigint < double; a decimal literal beside a double is a double."""
    for kind in ("double", "bigint", "int"):
        if kind in (first, second):
            return kind
    return DECIMAL


def _number_pairs() -> dict[Types, str]:
    pairs: dict[Types, str] = {(a, b): wider(a, b) for a in NUMBERS for b in NUMBERS}
    return pairs | {("double", DECIMAL): "double", (DECIMAL, "double"): "double"}


PLUS = prove(
    "+",
    _FAMILY,
    _number_pairs(),
    notes="a decimal literal only beside a double",
)
MINUS = prove(
    "-",
    _FAMILY,
    _number_pairs(),
    notes="a decimal literal only beside a double; for days between two dates write datediff(a, b)",
)
PLUS_DAYS = prove(
    "date + days",
    "date arithmetic",
    {("date", "int"): "date", ("int", "date"): "date"},
    refuses=_REFUSES_DAYS,
)
MINUS_DAYS = prove("date - days", "date arithmetic", {("date", "int"): "date"}, refuses=_REFUSES_DAYS)
TIMES_SIGN = prove("*", _FAMILY, _number_pairs(), notes="a decimal literal only beside a double")
DIVIDE = prove(
    "/",
    _FAMILY,
    each(NUMBERS, NUMBERS, to="double") | {("double", DECIMAL): "double", (DECIMAL, "double"): "double"},
    notes="always a double; a decimal literal only beside a double",
)
DIV = prove("div", _FAMILY, each(INTEGERS, INTEGERS, to="bigint"), notes="whole numbers; the fraction is cut off")
REMAINDER = prove(
    "%",
    _FAMILY,
    _number_pairs(),
    aliases=("mod",),
    notes="has the sign of the left side",
    refuses="the smallest int or bigint % -1",
    refuses_for=tuple(each(INTEGERS, INTEGERS, to="bigint")),
)
NEGATE = prove("unary -", _FAMILY, {(kind,): kind for kind in NUMBERS})
PMOD = prove(
    "pmod",
    _FAMILY,
    each(INTEGERS, "int", to="same"),
    notes="by a whole number above zero, written out",
)


def _operator(sign: str, *, bounded: bool = False) -> object:
    def render(left: Piece, right: Piece) -> Piece:
        whole = left.type in INTEGERS and right.type in INTEGERS
        bound = left.bound + right.bound if bounded and left.bound is not None and right.bound is not None else None
        days = "date" in (left.type, right.type)
        return Piece(f"{left} {sign} {right}", "", atom=False, fails=whole or days, bound=None if days else bound)

    return render


@handles(exp.Add)
def _add(translator: Translator, node: exp.Expr) -> Piece:
    return _plus_or_minus(translator, node, "+")


@handles(exp.Sub)
def _subtract(translator: Translator, node: exp.Expr) -> Piece:
    return _plus_or_minus(translator, node, "-")


def _plus_or_minus(translator: Translator, node: exp.Expr, sign: str) -> Piece:
    only(node, ["this", "expression"])
    if isinstance(node.expression, exp.Interval) or isinstance(node.this, exp.Interval):
        return shift_by_interval(translator, node, sign)
    left, right = translator.piece(node.this), translator.piece(node.expression)
    entry = PLUS if sign == "+" else MINUS
    if {left.type, right.type} == {"date", "int"}:
        entry = PLUS_DAYS if sign == "+" else MINUS_DAYS
    result = translator.use(entry, [left.type, right.type], node)
    body: Piece = _operator(sign, bounded=True)(left, right)  # type: ignore[operator]
    return guarded(body.but(type=result, fails=body.fails or left.fails or right.fails), [left, right])


def divisor_is_safe(piece: Piece) -> bool:
    return piece.is_literal and piece.literal != 0


def _divide(left: Piece, right: Piece) -> Piece:
    if divisor_is_safe(right):
        smaller = left.bound / abs(float(right.literal)) if left.bound is not None else None  # type: ignore[arg-type]
        return Piece(f"{left} / {right}", "", atom=False, bound=smaller)
    # DuckDB's / gives infinity or null for a divisor of zero; its // raises.
    return Piece(f"CASE WHEN {right} = 0 THEN CAST({left} AS DOUBLE) // 0e0 ELSE {left} / {right} END", "", fails=True)


def _remainder(left: Piece, right: Piece) -> Piece:
    if divisor_is_safe(right) and right.literal != -1:
        return Piece(f"{left} % {right}", "", atom=False)
    return Piece(f"CASE WHEN {right} = 0 THEN {left} // {right} ELSE {left} % {right} END", "", fails=True)


def _whole_division(left: Piece, right: Piece) -> Piece:
    fails = not (divisor_is_safe(right) and right.literal != -1)
    return Piece(f"CAST({left} AS BIGINT) // {right}", "", atom=False, fails=fails)


def _pmod(left: Piece, right: Piece) -> Piece:
    if not isinstance(right.literal, int) or right.literal <= 0:
        raise ValueError(f"pmod is proven {PMOD.notes} only")
    kind = "INTEGER" if left.type == "int" else "BIGINT"
    body = f"(CAST({left} % {right} AS BIGINT) + {right}) % {right}"
    return Piece(f"CAST({body} AS {kind})", "")


_BOTH = ("this", "expression")
strict(TIMES_SIGN, exp.Mul, _operator("*"), arguments=_BOTH)  # type: ignore[arg-type]
strict(DIVIDE, exp.Div, _divide, arguments=_BOTH, flags=("typed", "safe"), right_first=True)
strict(REMAINDER, exp.Mod, _remainder, arguments=_BOTH, right_first=True)
strict(DIV, exp.IntDiv, _whole_division, arguments=_BOTH, right_first=True)
strict(PMOD, "pmod", _pmod, arguments=_BOTH, literals=(1,))


@handles(exp.Neg)
def _negate(translator: Translator, node: exp.Expr) -> Piece:
    inner = node.this
    if isinstance(inner, exp.Literal) and not inner.is_string:
        return number(translator, node, f"-{inner.this}")
    piece = translator.piece(inner)
    if piece.type not in NUMBERS:
        raise NotProven(text_of(node), f"minus is proven for {', '.join(NUMBERS)}, not for {piece.type}")
    translator.use(NEGATE, [piece.type], node)
    if piece.type == "double":
        return Piece(f"-{piece}", "double", atom=False, fails=piece.fails, bound=piece.bound)
    # DuckDB's minus lets the smallest int become a larger type; a difference overflows as Spark's minus does.
    return Piece(f"0 - {piece}", piece.type, atom=False, fails=True, bound=piece.bound)
