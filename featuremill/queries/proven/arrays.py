"""Arrays: size, array_contains, element_at, x[0], sort_array."""

from __future__ import annotations

from sqlglot import exp

from featuremill.queries.proven.catalogue import prove
from featuremill.queries.proven.literals import ARRAYS
from featuremill.queries.proven.pieces import NotProven, Piece, duckdb_type, element_type, text_of
from featuremill.queries.proven.translation import Translator, guarded, handles, only, strict

_FAMILY = "arrays"

SIZE = prove("size", _FAMILY, {(kind,): "int" for kind in ARRAYS}, aliases=("array_size", "cardinality"))
CONTAINS = prove(
    "array_contains",
    _FAMILY,
    {(kind, str(element_type(kind))): "boolean" for kind in ARRAYS},
    notes="null if only a null could be it",
)
ELEMENT = prove(
    "element_at",
    _FAMILY,
    {(kind, "int"): str(element_type(kind)) for kind in ARRAYS},
    aliases=("x[0]",),
    notes="the position written out; an error where the array is too short",
)
SORT = prove("sort_array", _FAMILY, {(kind,): kind for kind in ARRAYS}, notes="ascending, nulls first")

strict(SIZE, exp.ArraySize, lambda array: Piece(f"CAST(len({array.sql}) AS INTEGER)", "", bound=2.0**31))
strict(SIZE, "cardinality", lambda array: Piece(f"CAST(len({array.sql}) AS INTEGER)", "", bound=2.0**31))


def _contains(array: Piece, value: Piece) -> str:
    found = f"list_contains({array.sql}, {value.sql})"
    # Not found in an array that has a null: unknown, so null.
    unknown = f"len(list_filter({array.sql}, lambda e: e IS NULL)) > 0"
    return (
        f"CASE WHEN {value} IS NULL OR {array} IS NULL THEN NULL WHEN {found} THEN TRUE"
        f" WHEN {unknown} THEN NULL ELSE FALSE END"
    )


strict(CONTAINS, exp.ArrayContains, _contains, arguments=("this", "expression"), flags=("ensure_variant", "check_null"))


@handles(exp.Bracket)
def _element(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expressions", "offset", "safe"])
    array, index = translator.piece(node.this), translator.piece(node.expressions[0])
    if len(node.expressions) != 1 or not isinstance(index.literal, int) or isinstance(index.literal, bool):
        raise NotProven(text_of(node), "the position in an array has to be written out")
    result = translator.use(ELEMENT, [array.type, index.type], node)
    position, from_one = index.literal, node.args.get("offset") == 1
    if (from_one and position == 0) or (not from_one and position < 0):
        raise NotProven(text_of(node), "there is no such position")
    position = position if from_one else position + 1
    short = f"CAST(error('the array has fewer than {abs(position)} elements') AS {duckdb_type(result)})"
    sql = f"CASE WHEN len({array.sql}) < {abs(position)} THEN {short} ELSE {array}[{position}] END"
    return guarded(Piece(sql, result, fails=True), [array])


@handles(exp.ArraySort)
def _sorted(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this"], ["nulls_first"])
    array = translator.piece(node.this)
    result = translator.use(SORT, [array.type], node)
    return Piece(f"list_sort({array.sql}, 'ASC', 'NULLS FIRST')", result, fails=array.fails)
