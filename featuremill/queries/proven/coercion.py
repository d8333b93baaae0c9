"""The implicit casts of Spark in ANSI mode that are proven, and the common type of several branches."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from featuremill.queries.proven.catalogue import prove
from featuremill.queries.proven.literals import time_literal
from featuremill.queries.proven.pieces import DECIMAL, NUMBERS, TIMES, VOID, NotProven, Piece, text_of
from featuremill.queries.proven.translation import Translator

IMPLICIT = prove(
    "implicit cast",
    "casts",
    {
        ("int", "bigint"): "bigint",
        ("int", "double"): "double",
        ("bigint", "double"): "double",
        (DECIMAL, "double"): "double",
        ("date", "timestamp"): "timestamp",
        ("string", "date"): "date",
        ("string", "timestamp"): "timestamp",
        ("int", "string"): "string",
        ("bigint", "string"): "string",
        ("boolean", "string"): "string",
    },
    notes="where Spark puts one: branches of a conditional, comparisons, concat; string to date or timestamp only for "
    "a text that is written out, to string only in concat",
)


def common_type(pieces: Sequence[Piece], node: exp.Expr) -> str:
    """The type that Spark brings branches to. Bare nulls take the type of the others. Raises NotProven."""
    kinds = {piece.type for piece in pieces if piece.type != VOID}
    if not kinds:
        raise NotProven(text_of(node), "all of it is null and has no type; write cast(null as ...)")
    if len(kinds) == 1:
        return kinds.pop()
    if kinds <= {*NUMBERS, DECIMAL}:
        if "double" in kinds:
            return "double"
        if DECIMAL not in kinds:
            return "bigint"
        raise NotProven(text_of(node), "whole numbers beside a decimal make a decimal; write the number like 0.5D")
    if kinds == set(TIMES):
        return "timestamp"
    raise NotProven(
        text_of(node), f"{' and '.join(sorted(kinds))} have no common type that is proven; cast one of them"
    )


def date_from_text(translator: Translator, piece: Piece, beside: str, node: exp.Expr) -> Piece:
    """A text written out beside a date or timestamp is read as one; anything else stays as it is."""
    if piece.type == "string" and isinstance(piece.literal, str) and beside in TIMES:
        translator.use(IMPLICIT, ["string", beside], node)
        return time_literal(translator, node, piece.literal, beside)
    return piece
