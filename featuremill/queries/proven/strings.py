"""Strings: code points are counted and cut, spaces trimmed, as Spark does. Letter case is in `letter_case`."""

from __future__ import annotations

from sqlglot import exp

from featuremill.queries.proven.casts import as_text
from featuremill.queries.proven.catalogue import Types, prove
from featuremill.queries.proven.pieces import NotProven, Piece, quoted, text_of
from featuremill.queries.proven.translation import Translator, guarded, handles, only, strict

_FAMILY = "strings"
_TEXT: dict[Types, str] = {("string",): "string"}
_TWO: dict[Types, str] = {("string", "string"): "boolean"}

LENGTH = prove(
    "length", _FAMILY, {("string",): "int"}, aliases=("len", "char_length", "character_length"), notes="code points"
)
TRIM = prove("trim", _FAMILY, _TEXT, aliases=("ltrim", "rtrim"), notes="spaces only, as in Spark")
SUBSTRING = prove(
    "substring",
    _FAMILY,
    {("string", "int"): "string", ("string", "int", "int"): "string"},
    aliases=("substr",),
    notes="position 0 is the first character, a negative one counts from the end; both numbers written out",
)
LEFT = prove("left", _FAMILY, {("string", "int"): "string"})
RIGHT = prove("right", _FAMILY, {("string", "int"): "string"})
CONCAT = prove(
    "concat",
    _FAMILY,
    {("string",): "string"},
    variadic=True,
    aliases=("||",),
    notes="whole numbers and booleans are cast",
)
CONCAT_WS = prove(
    "concat_ws", _FAMILY, {("string",): "string"}, variadic=True, notes="nulls are skipped; separator written out"
)
REPLACE = prove(
    "replace",
    _FAMILY,
    {("string", "string"): "string", ("string", "string", "string"): "string"},
    notes="what is replaced has to be written out",
)
STARTS = prove("startswith", _FAMILY, _TWO)
ENDS = prove("endswith", _FAMILY, _TWO)
CONTAINS = prove("contains", _FAMILY, _TWO)
POSITION = prove(
    "instr", _FAMILY, {("string", "string"): "int"}, aliases=("locate", "position"), notes="0 if it is not there"
)
LPAD = prove("lpad", _FAMILY, {("string", "int", "string"): "string"}, notes="length and filling written out")
RPAD = prove("rpad", _FAMILY, {("string", "int", "string"): "string"}, notes="length and filling written out")
REPEAT = prove("repeat", _FAMILY, {("string", "int"): "string"}, notes="number written out, up to 1000")
MD5 = prove("md5", _FAMILY, _TEXT)
SHA2 = prove("sha2", _FAMILY, {("string", "int"): "string"}, notes="256 bits")

_BOTH = ("this", "expression")
strict(LENGTH, exp.Length, lambda text: Piece(f"CAST(length({text.sql}) AS INTEGER)", "", bound=2.0**31))
strict(STARTS, exp.StartsWith, lambda text, part: f"starts_with({text.sql}, {part.sql})", arguments=_BOTH)
strict(ENDS, exp.EndsWith, lambda text, part: f"ends_with({text.sql}, {part.sql})", arguments=_BOTH)
strict(CONTAINS, exp.Contains, lambda text, part: f"contains({text.sql}, {part.sql})", arguments=_BOTH)
strict(
    POSITION,
    exp.StrPosition,
    lambda text, part: Piece(f"CAST(instr({text.sql}, {part.sql}) AS INTEGER)", "", bound=2.0**31),
    arguments=("this", "substr"),
)
strict(MD5, exp.MD5, lambda text: f"md5({text.sql})")


def _at_least_zero(number: Piece) -> str:
    if isinstance(number.literal, int):
        return str(max(number.literal, 0))
    return f"greatest({number.sql}, 0)"


def _left(text: Piece, number: Piece) -> str:
    return f"left({text.sql}, {_null_or(number)})"


def _right(text: Piece, number: Piece) -> str:
    return f"right({text.sql}, {_null_or(number)})"


def _null_or(number: Piece) -> str:
    # greatest skips nulls, a null length makes null.
    if number.is_literal:
        return _at_least_zero(number)
    return f"CASE WHEN {number} < 0 THEN 0 ELSE {number} END"


strict(LEFT, exp.Left, _left, arguments=_BOTH)
strict(RIGHT, exp.Right, _right, arguments=_BOTH)


@handles(exp.Trim)
def _trim(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "position"])
    function = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or ""), "trim")
    piece = translator.piece(node.this)
    return Piece(f"{function}({piece.sql}, ' ')", translator.use(TRIM, [piece.type], node), fails=piece.fails)


def _substring(text: Piece, position: Piece, length: Piece | None = None) -> str:
    start, size = position.literal, None if length is None else length.literal
    assert isinstance(start, int) and (size is None or isinstance(size, int))
    size = None if size is None else max(size, 0)
    if start >= 0:
        start = max(start, 1)
        return f"substring({text.sql}, {start})" if size is None else f"substring({text.sql}, {start}, {size})"
    first = f"greatest(length({text.sql}) - {-start}, 0) + 1"
    if size is None:
        return f"substring({text.sql}, {first})"
    # What lies before the start of the text still counts to the length.
    return f"substring({text.sql}, {first}, greatest({size} + least(length({text.sql}) - {-start}, 0), 0))"


strict(SUBSTRING, exp.Substring, _substring, arguments=("this", "start", "length"), literals=(1, 2))


def _replace(text: Piece, old: Piece, new: Piece | None = None) -> str:
    return f"replace({text.sql}, {old.sql}, {new.sql if new else quoted('')})"


strict(REPLACE, exp.Replace, _replace, arguments=("this", "expression", "replacement"), literals=(1,))


@handles(exp.Concat, exp.DPipe)
def _concat(translator: Translator, node: exp.Expr) -> Piece:
    if isinstance(node, exp.Concat) and node.args.get("safe") is None:
        raise NotProven(text_of(node), "a quote inside a string is written \"it's\", not 'it''s'")
    parts = [node.this, node.expression] if isinstance(node, exp.DPipe) else node.expressions
    pieces = [as_text(translator, translator.piece(part), part) for part in parts]
    result = translator.use(CONCAT, ["string"], node)
    # DuckDB's concat skips nulls; its || does not.
    body = Piece(" || ".join(str(piece) for piece in pieces), result, atom=False, fails=any(p.fails for p in pieces))
    return guarded(body, pieces)


@handles(exp.ConcatWs)
def _concat_ws(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["expressions"], ["safe", "coalesce", "flatten"])
    separator, *pieces = [translator.piece(part) for part in node.expressions]
    if not isinstance(separator.literal, str):
        raise NotProven(text_of(node.expressions[0]), "the separator has to be written out")
    pieces = [as_text(translator, piece, part) for piece, part in zip(pieces, node.expressions[1:], strict=True)]
    if not pieces:
        raise NotProven(text_of(node), "concat_ws needs something to join")
    result = translator.use(CONCAT_WS, ["string"], node)
    listed = ", ".join(piece.sql for piece in (separator, *pieces))
    return Piece(f"concat_ws({listed})", result, fails=any(piece.fails for piece in pieces))


@handles(exp.Pad)
def _pad(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression", "fill_pattern", "is_left"])
    entry = LPAD if node.args.get("is_left") else RPAD
    text, size = translator.piece(node.this), translator.piece(node.expression)
    filling = node.args.get("fill_pattern")
    fill = translator.piece(filling) if filling is not None else Piece("' '", "string", literal=" ")
    if not isinstance(size.literal, int) or not isinstance(fill.literal, str) or not fill.literal:
        raise NotProven(text_of(node), f"{entry.name} is proven with {entry.notes}, the filling not empty")
    result = translator.use(entry, [text.type, size.type, fill.type], node)
    return Piece(f"{entry.name}({text.sql}, {max(size.literal, 0)}, {fill.sql})", result, fails=text.fails)


@handles(exp.Repeat)
def _repeat(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "times"])
    text, times = translator.piece(node.this), translator.piece(node.args["times"])
    if not isinstance(times.literal, int) or times.literal > 1000:
        raise NotProven(text_of(node), f"repeat is proven with its {REPEAT.notes}")
    result = translator.use(REPEAT, [text.type, times.type], node)
    return Piece(f"repeat({text.sql}, {max(times.literal, 0)})", result, fails=text.fails)


@handles(exp.SHA2)
def _sha2(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "length"])
    text, bits = translator.piece(node.this), translator.piece(node.args["length"])
    if bits.literal != 256:
        raise NotProven(text_of(node), "sha2 is proven for 256 bits")
    return Piece(f"sha256({text.sql})", translator.use(SHA2, [text.type, bits.type], node), fails=text.fails)
