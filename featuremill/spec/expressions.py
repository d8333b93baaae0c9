"""Reading the Spark SQL expressions of a pipeline file."""

from __future__ import annotations

import re
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from featuremill.errors import UsageError

_SPARK = sqlglot.Dialect.get_or_raise("spark")
_DEEPEST = 250
"""Brackets, and the tree that comes of an expression, may be this deep: parser and engines call themselves for each."""
_LONGEST = 20_000
_QUOTED = re.compile(
    r"""(?s)
    '(?:[^'\\]|\\.)*(?P<single>')? | "(?:[^"\\]|\\.)*(?P<double>")? | `[^`]*(?P<backtick>`)?
    | --[^\n]*(?P<line>) | /\*.*?(?:(?P<block>\*/)|\Z)""",
    re.VERBOSE,
)


class ExpressionError(UsageError):
    """A text that is not one Spark SQL expression. `offset` is where, in characters from its start."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@lru_cache(maxsize=4096)
def tokens_of(text: str) -> tuple[Token, ...]:
    """The tokens of an expression; each knows its `start` and `end` in the text. Raises ExpressionError."""
    try:
        return tuple(_SPARK.tokenize(text))
    except TokenError:
        raise ExpressionError("a quote, backtick or comment is not closed", _opening(text)) from None


def _opening(text: str) -> int:
    """Where the quote, backtick or comment begins that has no end."""
    place = 0
    while match := _QUOTED.search(text, place):
        if match.lastgroup is None:
            return match.start()
        place = match.end()
    return 0


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> exp.Expression:
    """The tree of one Spark SQL expression.

    The tree is shared between callers: copy it before changing it. Raises ExpressionError for a text that is not
    exactly one expression.
    """
    if len(text) > _LONGEST:
        raise ExpressionError(f"the expression is longer than {_LONGEST} characters")
    tokens = tokens_of(text)
    if not tokens:
        raise ExpressionError("the expression is empty")
    _check_tokens(tokens)
    try:
        trees = _SPARK.parser().parse_into(exp.Condition, list(tokens), text)
    except ParseError as error:
        raise _explained(error, text) from None
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Expression):
        raise ExpressionError("this is not an expression")
    if _depth(tree) > _DEEPEST:
        raise ExpressionError("the expression is nested too deeply; split it into derived columns")
    return tree


def _depth(tree: exp.Expression) -> int:
    """How many levels the tree has."""
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in node.iter_expressions()]
    return deepest


def columns_of(expression: exp.Expression) -> set[str]:
    """The names of the columns that an expression reads, as they are written; `as_of` is among them if it is read."""
    return {column.parts[0].name for column in expression.find_all(exp.Column)}


def _check_tokens(tokens: tuple[Token, ...]) -> None:
    """Refuse what the parser would let pass, and Spark would not."""
    depth = 0
    for token, following in zip(tokens, (*tokens[1:], None), strict=True):
        kind = token.token_type
        if kind == TokenType.SEMICOLON:
            raise ExpressionError("an expression has no `;`", token.start)
        if kind == TokenType.COMMA and (following is None or following.token_type == TokenType.R_PAREN):
            raise ExpressionError("something is missing after `,`", token.start)
        if kind in (TokenType.L_PAREN, TokenType.L_BRACKET):
            depth += 1
            if depth > _DEEPEST:
                raise ExpressionError("the expression is nested too deeply", token.start)
        elif kind in (TokenType.R_PAREN, TokenType.R_BRACKET):
            depth -= 1


def _explained(error: ParseError, text: str) -> ExpressionError:
    """The parser's first error in plain words, with its place."""
    first = error.errors[0] if error.errors else {}
    highlight, description = str(first.get("highlight") or ""), str(first.get("description") or "")
    lines = text.split("\n")
    line, end = int(first.get("line") or 1), int(first.get("col") or 0)
    offset = sum(len(earlier) + 1 for earlier in lines[: line - 1]) + max(end - len(highlight), 0)
    if description.startswith("Required keyword"):
        message = f"something is missing beside `{highlight}`"
    elif description.startswith("Expecting"):
        message = f"expected `{description.removeprefix('Expecting').strip()}` after `{highlight}`"
    elif highlight:
        message = f"`{highlight}` is not expected here"
    else:
        message = "this is not a Spark SQL expression"
    return ExpressionError(message, min(offset, len(text)))
