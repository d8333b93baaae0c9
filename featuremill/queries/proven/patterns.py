"""like, rlike and split, with patterns that are written out. Java's regular expressions and RE2 share a safe subset."""

from __future__ import annotations

import re

from sqlglot import exp

from featuremill.queries.proven.catalogue import prove
from featuremill.queries.proven.pieces import NotProven, Piece, quoted, text_of
from featuremill.queries.proven.translation import Translator, handles, only

_FAMILY = "strings"

LIKE = prove(
    "like",
    _FAMILY,
    {("string", "string"): "boolean"},
    aliases=("not like",),
    notes=r"the pattern written out; escape \ or another",
)
RLIKE = prove(
    "rlike",
    _FAMILY,
    {("string", "string"): "boolean"},
    aliases=("regexp", "regexp_like"),
    notes=r"the pattern written out, of: letters, digits, . ^ $ | ( ) (?: ) [a-z] [^a-z] \d \w \s \. * + ? {2,3}",
)
SPLIT = prove(
    "split",
    _FAMILY,
    {("string", "string"): "array<string>"},
    notes="by a text written out, not by a pattern; without a limit",
)

# Java's . stops at these; RE2's stops at \n only.
_ANY = r"[^\n\r\x{85}\x{2028}\x{2029}]"
# Java's $ also stands before a line break that ends the text.
_END = r"(?:\r\n|[\n\r\x{85}\x{2028}\x{2029}])?\z"
_SPACE = r" \t\n\x0B\f\r"
_SPECIAL = set("\\.^$|()[]{}*+?")


def written(node: exp.Expr, entry: str) -> str:
    """The text of a pattern that is written out. Raises NotProven."""
    if isinstance(node, exp.RawString):
        return str(node.this)
    if not isinstance(node, exp.Literal) or not node.is_string:
        raise NotProven(text_of(node), f"the pattern of {entry} has to be written out")
    return str(node.this)


@handles(exp.Like)
def _like(translator: Translator, node: exp.Expr) -> Piece:
    return _liked(translator, node, "\\")


@handles(exp.Escape)
def _escape(translator: Translator, node: exp.Expr) -> Piece:
    escape = written(node.expression, LIKE.name)
    if not isinstance(node.this, exp.Like) or len(escape) != 1:
        raise NotProven(text_of(node), "escape is proven for like, with one character")
    return _liked(translator, node.this, escape)


def _liked(translator: Translator, node: exp.Expr, escape: str) -> Piece:
    only(node, ["this", "expression", "negate"])
    pattern = written(node.expression, LIKE.name)
    if re.search(re.escape(escape) + "(?![%_" + re.escape(escape) + "])", pattern.replace(escape * 2, "")):
        raise NotProven(text_of(node), f"in the pattern {escape} has to stand before %, _ or {escape}")
    piece = translator.piece(node.this)
    translator.use(LIKE, [piece.type, "string"], node)
    word = "NOT LIKE" if node.args.get("negate") else "LIKE"
    sql = f"{piece} {word} {quoted(pattern)} ESCAPE {quoted(escape)}"
    return Piece(sql, "boolean", atom=False, fails=piece.fails)


@handles(exp.RegexpLike)
def _rlike(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression"], ["full_match"])
    pattern = written(node.expression, RLIKE.name)
    piece = translator.piece(node.this)
    translator.use(RLIKE, [piece.type, "string"], node)
    try:
        safe = as_re2(pattern)
    except ValueError as error:
        raise NotProven(text_of(node), f"{error}; proven is {RLIKE.notes}") from None
    return Piece(f"regexp_matches({piece.sql}, {quoted(safe)})", "boolean", fails=piece.fails)


_TOKEN = re.compile(
    r"(?P<plain>[^\\.^$|()\[\]{}*+?])|(?P<class>\[\^?(?:\\[dws\\.\-\]\[/+*?(){}^$|]|[^\]\[\\&])+\])|(?P<group>\((?:\?:)?(?!\?))"
    r"|(?P<close>\))|(?P<repeat>(?:[*+?]|\{[0-9]{1,2}(?:,(?:[0-9]{1,2})?)?\})(?![*+?{]))|(?P<escape>\\[dws\\.\-\]\[/+*?(){}^$|])"
    r"|(?P<any>\.)|(?P<start>\^)|(?P<end>\$)|(?P<or>\|)"
)


def as_re2(pattern: str) -> str:
    """A Java pattern as an RE2 pattern that finds a match in the same texts. Raises ValueError outside the subset."""
    out, position, depth, last = "", 0, 0, "start"
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            raise ValueError(f"`{pattern[position : position + 4]}` in the pattern is not proven")
        kind, text = str(token.lastgroup), token[0]
        if kind == "repeat" and last in ("start", "group", "or", "end", "repeat"):
            raise ValueError(f"`{text}` in the pattern repeats nothing")
        if kind == "class" and _odd_class(text):
            raise ValueError(f"`{text}` in the pattern is not proven")
        depth += {"group": 1, "close": -1}.get(kind, 0)
        if depth < 0:
            raise ValueError("the pattern closes a group that is not open")
        out += {"any": _ANY, "end": _END, "start": r"\A"}.get(kind) or _spelt(text)
        last, position = kind, token.end()
    if depth:
        raise ValueError("the pattern leaves a group open")
    return out


def _odd_class(text: str) -> bool:
    inner = text.strip("[]").removeprefix("^")
    ranges = re.findall(r"(.)-(.)", re.sub(r"\\.", "", inner))
    return inner.startswith("-") or any(low > high or "\\" in (low, high) for low, high in ranges) or not inner


def _spelt(text: str) -> str:
    r"""Java's \s has the vertical tab, RE2's has not; \d and \w are ASCII in both."""
    if text == r"\s":
        return f"[{_SPACE}]"
    return text.replace(r"\s", _SPACE) if text.startswith("[") else text


@handles(exp.RegexpSplit)
def _split(translator: Translator, node: exp.Expr) -> Piece:
    only(node, ["this", "expression"])
    separator = written(node.expression, SPLIT.name)
    plain = re.sub(r"\\([\\.^$|()\[\]{}*+?])", r"\1", separator)
    if not separator or any(character in _SPECIAL for character in re.sub(r"\\[\\.^$|()\[\]{}*+?]", "", separator)):
        raise NotProven(text_of(node), f"split is proven {SPLIT.notes}; write '\\\\|' for a bar")
    piece = translator.piece(node.this)
    result = translator.use(SPLIT, [piece.type, "string"], node)
    return Piece(f"string_split({piece.sql}, {quoted(plain)})", result, fails=piece.fails)
