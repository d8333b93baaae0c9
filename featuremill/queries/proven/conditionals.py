"""and, or, not, is null, case, if, coalesce, nullif, nvl2, greatest, least. Branches not taken are not evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from featuremill.queries.proven.catalogue import Entry, Types, prove
from featuremill.queries.proven.coercion import common_type
from featuremill.queries.proven.comparisons import compare
from featuremill.queries.proven.pieces import DECIMAL, PLAIN, VOID, NotProven, Piece, duckdb_type, text_of
from featuremill.queries.proven.translation import Translator, handles, only

_LOGIC, _FAMILY = "logic", "conditionals"
_SAME: dict[Types, str] = {(kind,): kind for kind in PLAIN}
_NOTES = "branches are brought to one type: int, bigint, double; date, timestamp"

_CONNECTIVES: dict[type[exp.Expr], tuple[Entry, str, str]] = {
    exp.And: (prove("and", _LOGIC, {("boolean", "boolean"): "boolean"}), "AND", "FALSE"),
    exp.Or: (prove("or", _LOGIC, {("boolean", "boolean"): "boolean"}), "OR", "TRUE"),
}
NOT = prove("not", _LOGIC, {("boolean",): "boolean"}, aliases=("!",))
IS_NULL = prove(
    "is null", _LOGIC, {(kind,): "boolean" for kind in PLAIN}, aliases=("is not null", "isnull", "isnotnull")
)
IS_TRUE = prove("is true, is false", _LOGIC, {("boolean",): "boolean"})
CASE = prove("case when", _FAMILY, _SAME, variadic=True, aliases=("case x when",), notes=_NOTES)
IF = prove("if", _FAMILY, _SAME, variadic=True, notes=_NOTES)
COALESCE = prove("coalesce", _FAMILY, _SAME, variadic=True, aliases=("nvl", "ifnull"), notes=_NOTES)
NULLIF = prove("nullif", _FAMILY, _SAME, notes="the two compare as with =; the type is that of the first")
NVL2 = prove("nvl2", _FAMILY, _SAME, variadic=True, notes=_NOTES)
GREATEST = prove("greatest", _FAMILY, _SAME, variadic=True, notes="nulls are skipped; " + _NOTES)
LEAST = prove("least", _FAMILY, _SAME, variadic=True, notes="nulls are skipped; " + _NOTES)


def condition(translator: Translator, node: exp.Expr) -> Piece:
    """A part that has to be a boolean."""
    piece = translator.piece(node)
    if piece.type != "boolean":
        raise NotProven(text_of(node), f"a condition has to be boolean, not {piece.type}")
    return piece


@handles(exp.And, exp.Or)
def _connective(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression"])
    entry, word, decided = _CONNECTIVES[type(node)]
    left, right = condition(translator, node.this), condition(translator, node.expression)
    translator.use(entry, ["boolean", "boolean"], node)
    body = Piece(f"{left} {word} {right}", "boolean", atom=False, fails=left.fails or right.fails)
    if right.fails:
        # Spark leaves the right side alone once the left has decided; DuckDB may evaluate both.
        return body.but(sql=f"CASE WHEN {left} IS {decided} THEN {decided} ELSE {body.sql} END", atom=True)
    return body


@handles(exp.Not)
def _not(translator: Translator, node: exp.Expr) -> Piece:
    piece = condition(translator, node.this)
    translator.use(NOT, ["boolean"], node)
    return Piece(f"NOT {piece}", "boolean", atom=False, fails=piece.fails)


@handles(exp.Is)
def _is(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression"])
    word = node.expression
    if isinstance(word, exp.Null):
        return _null_test(translator, node.this, node, "IS NULL")
    if isinstance(word, exp.Boolean):
        piece = condition(translator, node.this)
        translator.use(IS_TRUE, ["boolean"], node)
        return Piece(f"{piece} IS {'TRUE' if word.this else 'FALSE'}", "boolean", atom=False, fails=piece.fails)
    raise NotProven(text_of(node), "after `is` null, true and false are proven")


@handles("isnull", "isnotnull")
def _is_null_function(translator: Translator, node: exp.Expr) -> Piece:
    if len(node.expressions) != 1:
        raise NotProven(text_of(node), "proven with one argument only")
    test = "IS NULL" if str(node.this).lower() == "isnull" else "IS NOT NULL"
    return _null_test(translator, node.expressions[0], node, test)


def _null_test(translator: Translator, inner: exp.Expr, node: exp.Expr, test: str) -> Piece:
    piece = translator.piece(inner)
    translator.use(IS_NULL, [piece.type], node)
    return Piece(f"{piece} {test}", "boolean", atom=False, fails=piece.fails)


def to_one_type(translator: Translator, pieces: Sequence[Piece], node: exp.Expr) -> list[Piece]:
    """The branches with Spark's implicit casts, nulls cast too, so that DuckDB has no choice of type."""
    kind = common_type(pieces, node)
    if kind == DECIMAL:
        raise NotProven(text_of(node), "decimal numbers only make a decimal; write them like 0.5D")
    nothing = Piece(f"CAST(NULL AS {duckdb_type(kind) if kind != DECIMAL else ''})", kind)
    return [nothing if piece.type == VOID else translator.coerce(piece, kind, node) for piece in pieces]


@handles(exp.Case)
def _case(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "ifs", "default"])
    subject = translator.piece(node.this) if node.this is not None else None
    tests, branches = [], []
    for branch in node.args["ifs"]:
        if subject is None:
            tests.append(condition(translator, branch.this))
        else:
            tests.append(compare(translator, exp.EQ, subject, translator.piece(branch.this), node))
        branches.append(translator.piece(branch.args["true"]))
    default = node.args.get("default")
    branches.append(Piece("NULL", VOID) if default is None else translator.piece(default))
    branches = to_one_type(translator, branches, node)
    kind = translator.use(CASE, [branches[0].type], node)
    whens = " ".join(f"WHEN {test.sql} THEN {branch.sql}" for test, branch in zip(tests, branches, strict=False))
    fails = any(piece.fails for piece in (*tests, *branches))
    return Piece(f"CASE {whens} ELSE {branches[-1].sql} END", kind, fails=fails)


@handles(exp.If)
def _if(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "true", "false"])
    if node.args.get("false") is None:
        raise NotProven(text_of(node), "if is proven with three arguments")
    test = condition(translator, node.this)
    return _choice(translator, IF.name, test, node)


@handles(exp.Nvl2)
def _nvl2(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "true", "false"])
    return _choice(translator, NVL2.name, _null_test(translator, node.this, node, "IS NOT NULL"), node)


def _choice(translator: Translator, name: str, test: Piece, node: exp.Expr) -> Piece:
    branches = [translator.piece(node.args["true"]), translator.piece(node.args["false"])]
    yes, no = to_one_type(translator, branches, node)
    kind = translator.use(name, [yes.type], node)
    sql = f"CASE WHEN {test.sql} THEN {yes.sql} ELSE {no.sql} END"
    return Piece(sql, kind, fails=test.fails or yes.fails or no.fails)


_OF_MANY: dict[type[exp.Expr], Entry] = {exp.Coalesce: COALESCE, exp.Greatest: GREATEST, exp.Least: LEAST}


@handles(exp.Coalesce, exp.Greatest, exp.Least)
def _of_many(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expressions"], ["ignore_nulls"])
    entry = _OF_MANY[type(node)]
    if not node.expressions:
        raise NotProven(text_of(node), f"{entry.name} needs two arguments")
    pieces = to_one_type(translator, [translator.piece(item) for item in (node.this, *node.expressions)], node)
    kind = translator.use(entry, [pieces[0].type], node)
    fails = any(piece.fails for piece in pieces)
    if entry is COALESCE and any(piece.fails for piece in pieces[1:]):
        # In a CASE, and only there, DuckDB never computes a branch beforehand for several columns at once.
        whens = " ".join(f"WHEN {piece} IS NOT NULL THEN {piece.sql}" for piece in pieces[:-1])
        return Piece(f"CASE {whens} ELSE {pieces[-1].sql} END", kind, fails=fails)
    return Piece(f"{entry.name}({', '.join(piece.sql for piece in pieces)})", kind, fails=fails)


@handles(exp.Nullif)
def _nullif(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression"])
    first, second = translator.piece(node.this), translator.piece(node.expression)
    kind = translator.use(NULLIF, [first.type], node)
    same = compare(translator, exp.EQ, first, second, node)
    return Piece(f"CASE WHEN {same.sql} THEN NULL ELSE {first.sql} END", kind, fails=same.fails)
