"""Expressions parse, and are about one row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from featuremill.spec.expressions import ExpressionError, parse_expression, tokens_of
from featuremill.spec.functions import calls_of, miscounted
from featuremill.spec.problems import Problem
from featuremill.spec.rules.check import Check

_QUERIES = (exp.Query, exp.Values, exp.Table, exp.DDL, exp.DML, exp.Command)
_QUERY_WORDS = frozenset({"select", "values", "table", "with", "from"})
_PARAMETERS = (exp.Placeholder, exp.Parameter, exp.SessionParameter)
_FOREIGN = {
    TokenType.DARROW: "->>",
    TokenType.HASH_ARROW: "#>",
    TokenType.DHASH_ARROW: "#>>",
    TokenType.AT_GT: "@>",
    TokenType.LT_AT: "<@",
    TokenType.PLACEHOLDER: "?",
    TokenType.QDCOLON: "?::",
    TokenType.DOTCOLON: ".:",
}


def expressions_parse(check: Check) -> Iterator[Problem]:
    """Each expression is one Spark SQL expression."""
    for use in check.uses:
        try:
            parse_expression(use.text)
        except ExpressionError as error:
            if _is_miscounted(use.text):
                continue  # the parser stumbles over the missing argument; the functions' rule says which it is
            message = f"{error.message}, in {use.shown}" if use.text.strip() else error.message
            yield check.document.problem(use.path, message, offset=error.offset)


def _is_miscounted(text: str) -> bool:
    try:
        return any(map(miscounted, calls_of(text)))
    except ExpressionError:
        return False


def expressions_are_about_one_row(check: Check) -> Iterator[Problem]:
    """No queries, windows, parameters and stars; one value."""
    for use in check.uses:
        try:
            tree = parse_expression(use.text)
        except ExpressionError:
            continue
        for message, suggestion, offset in _misfits(tree, use.text):
            yield check.document.problem(use.path, f"{message}, in {use.shown}", suggestion, offset=offset)
            break


def _misfits(tree: exp.Expression, text: str) -> Iterator[tuple[str, str | None, int]]:
    """(what is wrong, suggestion, where) for each thing that is not a single row's single value."""
    if tree.find(*_QUERIES):
        yield "an expression cannot hold a query", None, _first_word(text, _QUERY_WORDS)
    if tree.find(exp.Window):
        yield "an expression is about one row, without `over`", None, _first_word(text, {"over"})
    for token in tokens_of(text):
        if token.token_type in _FOREIGN:
            yield f"Spark has no operator `{_FOREIGN[token.token_type]}`", None, token.start
    if tree.find(*_PARAMETERS):
        yield "an expression has no parameters", "write the value itself", 0
    if tree.find(exp.Star):
        yield "`*` stands for whole rows", 'only `count: "*"` and `since_last: "*"` take it', text.find("*")
    arrows = [token for token in tokens_of(text) if token.token_type == TokenType.ARROW]
    if len(arrows) > len(list(tree.find_all(exp.Lambda))):
        yield "`->` belongs to functions such as filter and transform", None, arrows[0].start
    if isinstance(tree, (exp.Tuple, exp.Alias, exp.Aliases)):
        yield "an expression is one value", None, 0


def _first_word(text: str, words: set[str] | frozenset[str]) -> int:
    return next((token.start for token in tokens_of(text) if token.text.lower() in words), 0)


RULES = (expressions_parse, expressions_are_about_one_row)
