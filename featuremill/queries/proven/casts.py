"""cast, try_cast, and the casts that are written as functions: int(x), date(x), to_date(x), to_timestamp(x)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from sqlglot import exp

from featuremill.queries.proven.catalogue import Types, prove
from featuremill.queries.proven.coercion import IMPLICIT
from featuremill.queries.proven.literals import time_literal
from featuremill.queries.proven.pieces import DECIMAL, PLAIN, VOID, NotProven, Piece, duckdb_type, quoted, text_of
from featuremill.queries.proven.translation import Translator, handles, only

_BLANK = r"[\x00-\x20\x7f]*"
"""What Spark trims from a text before it reads a number, a date or a boolean in it."""

WHOLE_NUMBER = f"^{_BLANK}([+-]?[0-9]+){_BLANK}$"
REAL_NUMBER = r"^[\x00-\x20]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?[\x00-\x20]*$"
ODD_NUMBER = r"(?i)^[\x00-\x20]*[+-]?(?:nan|inf|infinity|0x[0-9a-f.]*p[+-]?[0-9]+)[fd]?[\x00-\x20]*$"
DAY = f"(?s)^{_BLANK}([0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}})(?:[ T].*)?{_BLANK}$"
_ODD_YEAR = "(?:[+-][0-9]{4}|[+-]?[0-9]{5,7})-[0-9]{1,2}-[0-9]{1,2}.*"
ODD_DAY = f"(?s)^{_BLANK}(?:[+-]?[0-9]{{4,7}}(?:-[0-9]{{1,2}})?|{_ODD_YEAR}){_BLANK}$"
YES = f"^{_BLANK}([tT]|[tT][rR][uU][eE]|[yY]|[yY][eE][sS]|1){_BLANK}$"
NO = f"^{_BLANK}([fF]|[fF][aA][lL][sS][eE]|[nN]|[nN][oO]|0){_BLANK}$"

FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"


def _pairs() -> dict[Types, str]:
    listed = {
        "boolean": ("int", "bigint", "double", "string"),
        "int": ("bigint", "double", "string", "boolean", "timestamp"),
        "bigint": ("int", "double", "string", "boolean", "timestamp"),
        "double": ("int", "bigint"),
        DECIMAL: ("int", "bigint", "double"),
        "string": ("int", "bigint", "double", "boolean", "date"),
        "date": ("timestamp", "string"),
        "timestamp": ("date", "string", "bigint", "double"),
    }
    pairs: dict[Types, str] = {(a, b): b for a, others in listed.items() for b in others}
    same: dict[Types, str] = {(kind, kind): kind for kind in PLAIN}
    return pairs | same | {(VOID, kind): kind for kind in PLAIN}


_REFUSES = (
    "a text like NaN, Infinity or 0x1p3 to a double; a text that is a date without day, or with a sign or a year of "
    "more than four digits, to a date; a date outside the years 0001 to 9999 to a string; a number of seconds that is "
    "290,000 years away to a timestamp"
)
_REFUSING = (
    ("string", "double"), ("string", "date"), ("date", "string"), ("timestamp", "string"),
    ("int", "timestamp"), ("bigint", "timestamp"),
)  # fmt: skip
CAST = prove(
    "cast",
    "casts",
    _pairs(),
    aliases=(
        "x :: type",
        "int(x)",
        "double(x)",
        "string(x)",
        "boolean(x)",
        "date(x)",
        "timestamp(x)",
        "to_timestamp(x)",
    ),
    notes="double to whole number cuts off the fraction; a number to a timestamp counts seconds",
    refuses=_REFUSES,
    refuses_for=_REFUSING,
)
TRY_CAST = prove(
    "try_cast", "casts", _pairs(), notes="null where cast would fail", refuses=_REFUSES, refuses_for=_REFUSING
)
TO_DATE = prove(
    "to_date",
    "casts",
    {(kind,): "date" for kind in ("date", "timestamp", "string")},
    notes="without a format",
    refuses="a text that is a date without day, or with a sign or a year of more than four digits",
    refuses_for=(("string",),),
)

_NAMES = {
    exp.DType.BOOLEAN: "boolean",
    exp.DType.INT: "int",
    exp.DType.BIGINT: "bigint",
    exp.DType.DOUBLE: "double",
    exp.DType.TEXT: "string",
    exp.DType.DATE: "date",
    exp.DType.TIMESTAMP: "timestamp",
    exp.DType.TIMESTAMPTZ: "timestamp",
}


@handles(exp.Cast, exp.TryCast)
def _cast(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "to"], ["safe", "_type"])
    kind = node.args["to"]
    target = _NAMES.get(kind.this) if isinstance(kind, exp.DataType) and not kind.expressions else None
    if target is None:
        raise NotProven(text_of(node), f"a cast to {kind.sql(dialect='spark').lower()} is not proven")
    inner = node.this
    if isinstance(inner, exp.Literal) and inner.is_string and target in ("date", "timestamp"):
        return time_literal(translator, node, inner.this, target)
    piece = translator.piece(inner)
    _not_written(piece, target, node)
    is_try = bool(node.args.get("safe"))
    translator.use(TRY_CAST if is_try else CAST, [piece.type, target], node)
    return converted(piece, target, "TRY_CAST" if is_try else "CAST")


@handles("bigint")
def _bigint(translator: Translator, node: exp.Expr) -> Piece:
    if len(node.expressions) != 1:
        raise NotProven(text_of(node), "proven with one argument only")
    piece = translator.piece(node.expressions[0])
    translator.use(CAST, [piece.type, "bigint"], node)
    return converted(piece, "bigint", "CAST")


@handles(exp.TsOrDsToDate)
def _to_date(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this"], ["safe"])
    piece = translator.piece(node.this)
    if not node.args.get("safe"):
        # The parser's own mark around the arguments of year, datediff and others; not written by the user.
        return piece
    translator.use(TO_DATE, [piece.type], node)
    if isinstance(piece.literal, str) and piece.type == "string":
        return time_literal(translator, node, piece.literal, "date")
    return converted(piece, "date", "CAST")


def _not_written(piece: Piece, target: str, node: exp.Expr) -> None:
    # DuckDB computes it before the query runs, and fails even where Spark never comes to evaluate it.
    if piece.type == "string" and piece.is_literal and target != "string":
        raise NotProven(text_of(node), f"a text that is written out is not cast; write the {target} itself")


def converted(piece: Piece, target: str, word: str = "CAST") -> Piece:
    """An explicit cast from a listed type; `word` is CAST or TRY_CAST."""
    if piece.type == target:
        return piece.but(literal=None)
    if piece.type == VOID:
        return Piece(f"CAST(NULL AS {duckdb_type(target)})", target)
    if isinstance(piece.literal, Decimal) and piece.type == DECIMAL:
        return _from_decimal(piece, target)
    made = _CONVERSIONS.get((piece.type, target))
    if made is None:
        body = Piece(f"{word}({piece.sql} AS {duckdb_type(target)})", target, bound=piece.bound)
    else:
        body = Piece(made(piece, word), target, bound=piece.bound if target in ("date", "timestamp") else None)
    may_fail = (piece.type, target) in _MAY_FAIL
    return body.but(fails=piece.fails or may_fail, bound=None if piece.type == "string" else body.bound)


def _from_decimal(piece: Piece, target: str) -> Piece:
    if target == "double":
        return piece.but(type="double")
    value = int(piece.literal)  # type: ignore[arg-type]
    limit = 2**31 if target == "int" else 2**63
    if not -limit < value < limit:
        raise NotProven(piece.sql, f"it does not fit the type {target}")
    return Piece(f"CAST({value} AS {duckdb_type(target)})", target, bound=abs(value))


def _truncated(piece: Piece, word: str) -> str:
    return f"{word}(trunc({piece.sql}) AS INTEGER)"


def _truncated_long(piece: Piece, word: str) -> str:
    cut = f"{word}(trunc({piece.sql}) AS BIGINT)"
    if piece.bound is not None and piece.bound < 2**63:
        return cut
    # Java takes 2^63, which a double cannot tell from the largest long, for the largest long.
    return f"CASE WHEN {piece} = 9223372036854775808e0 THEN 9223372036854775807 ELSE {cut} END"


def _extracted(pattern: str, kind: str, odd: str | None = None) -> Callable[[Piece, str], str]:
    def render(piece: Piece, word: str) -> str:
        # A text that does not match gives '', which is no number and no date: an error, or null for TRY_CAST.
        read = f"{word}(regexp_extract({piece.sql}, {quoted(pattern)}, 1) AS {kind})"
        if odd is None or word == "CAST":
            return read
        refusal = f"CAST(error('try_cast: only Spark reads a text like ' || {piece}) AS {kind})"
        return f"CASE WHEN regexp_matches({piece.sql}, {quoted(odd)}) THEN {refusal} ELSE {read} END"

    return render


def _boolean(piece: Piece, word: str) -> str:
    yes, no = (
        f"WHEN regexp_matches({piece.sql}, {quoted(pattern)}) THEN {value}"
        for pattern, value in ((YES, "'true'"), (NO, "'false'"))
    )
    return f"{word}(CASE {yes} {no} ELSE '?' || {piece} END AS BOOLEAN)"


def _written(piece: Piece, word: str) -> str:
    text = f"CAST({piece.sql} AS VARCHAR)"
    if piece.bound is not None:
        return text
    inside = f"{piece} >= DATE '{FIRST_DAY}' AND {piece} < DATE '{LAST_DAY}' + 1"
    refusal = "CAST(error('cast to string: only Spark writes years outside 0001 to 9999') AS VARCHAR)"
    return f"CASE WHEN {inside} THEN {text} WHEN {piece} IS NOT NULL THEN {refusal} END"


def seconds_of(piece: Piece) -> str:
    """Whole seconds since 1970, rounded down, as BIGINT."""
    return f"epoch_us(date_trunc('second', {piece.sql})) // 1000000"


_CONVERSIONS: dict[tuple[str, str], Callable[[Piece, str], str]] = {
    ("double", "int"): _truncated,
    ("double", "bigint"): _truncated_long,
    ("int", "boolean"): lambda piece, _: f"({piece} <> 0)",
    ("bigint", "boolean"): lambda piece, _: f"({piece} <> 0)",
    ("int", "timestamp"): lambda piece, _: f"make_timestamp(CAST({piece.sql} AS BIGINT) * 1000000)",
    ("bigint", "timestamp"): lambda piece, _: f"make_timestamp({piece} * 1000000)",
    ("string", "int"): _extracted(WHOLE_NUMBER, "INTEGER"),
    ("string", "bigint"): _extracted(WHOLE_NUMBER, "BIGINT"),
    ("string", "double"): _extracted(REAL_NUMBER, "DOUBLE", ODD_NUMBER),
    ("string", "date"): _extracted(DAY, "DATE", ODD_DAY),
    ("string", "boolean"): _boolean,
    ("date", "string"): _written,
    ("timestamp", "string"): _written,
    ("timestamp", "bigint"): lambda piece, _: f"({seconds_of(piece)})",
    ("timestamp", "double"): lambda piece, _: f"(epoch_us({piece.sql}) / 1e6)",
}
_MAY_FAIL = {
    ("double", "int"), ("double", "bigint"), ("bigint", "int"), ("bigint", "timestamp"), ("date", "string"),
    ("timestamp", "string"), *((("string"), kind) for kind in ("int", "bigint", "double", "date", "boolean")),
}  # fmt: skip


def as_text(translator: Translator, piece: Piece, node: exp.Expr) -> Piece:
    """The implicit cast to string around arguments of concat. Raises NotProven for doubles and times."""
    if piece.type == "string":
        return piece
    translator.use(IMPLICIT, [piece.type, "string"], node)
    return converted(piece, "string")
