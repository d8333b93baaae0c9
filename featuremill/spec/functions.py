"""The functions an expression calls, and what is known of Spark's built-in ones.

`spark_functions.json` is made from Spark itself by scripts/generate_spark_functions.py.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from sqlglot.tokenizer_core import Token, TokenType

from featuremill.spec.expressions import tokens_of

FunctionKind = Literal["scalar", "aggregate", "window", "generator", "random"]

CLOCK = frozenset(
    [
        "now",
        "curdate",
        "current_date",
        "current_time",
        "current_timestamp",
        "localtimestamp",
        "unix_timestamp",
        "to_unix_timestamp",
        "current_timezone",
    ]
)
"""Functions whose value depends on when they run."""

UNREPEATABLE = frozenset(
    [
        "current_catalog",
        "current_database",
        "current_schema",
        "current_user",
        "session_user",
        "user",
        "version",
        "aes_encrypt",
    ]
)
"""Functions whose value depends on who runs them and where, or that draw a random number without saying so."""

WITHOUT_BRACKETS = frozenset(
    ["current_date", "current_time", "current_timestamp", "current_user", "session_user", "user"]
)
"""What Spark reads as a call even without brackets, where no column has the name."""

_CLOCK_WITH_ARGUMENTS = frozenset({"unix_timestamp", "to_unix_timestamp", "localtimestamp"})
"""With arguments these read them and not the clock."""

_SYNTAX = frozenset(["try_cast", "timestampadd", "timestampdiff"])
"""Calls that are Spark's grammar and not in its registry."""

_FREE_FORM = frozenset(
    [
        "cast",
        "try_cast",
        "extract",
        "position",
        "trim",
        "overlay",
        "substring",
        "substr",
        "struct",
        "timestampadd",
        "timestampdiff",
        "dateadd",
        "date_add",
        "datediff",
        "date_diff",
        "time_diff",
        "count",
        "listagg",
        "string_agg",
    ]
)
"""Calls with a grammar of their own (`trim(both 'x' from a)`): their arguments are not counted."""

_NOT_CALLS = frozenset(
    [
        "in",
        "and",
        "or",
        "not",
        "when",
        "then",
        "else",
        "case",
        "end",
        "between",
        "like",
        "ilike",
        "rlike",
        "regexp",
        "is",
        "distinct",
        "from",
        "as",
        "div",
        "over",
        "all",
        "interval",
        "escape",
        "for",
        "by",
        "order",
        "partition",
        "using",
        "collate",
        "within",
        "group",
        "select",
        "where",
        "union",
        "values",
        "on",
        "with",
        "having",
        "limit",
        "table",
    ]
)
"""Keywords that may stand before a bracket."""

_TYPES_WITH_BRACKETS = frozenset(["decimal", "dec", "numeric", "varchar", "char", "character"])
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Call:
    """A call in an expression: the name as written, where it starts, and how many arguments it has, if that counts."""

    name: str
    start: int
    arguments: int | None

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def reads_clock(self) -> bool:
        return self.key in CLOCK and not (self.key in _CLOCK_WITH_ARGUMENTS and self.arguments)


@dataclass(frozen=True)
class Function:
    """A built-in function. `arguments`: the numbers it takes; None at the end means any greater number."""

    kind: FunctionKind
    arguments: tuple[int | None, ...] | None = None

    def takes(self, count: int) -> bool:
        if self.arguments is None or count in self.arguments:
            return True
        fewest = self.arguments[0]
        return self.arguments[-1] is None and fewest is not None and count >= fewest


@cache
def spark_functions() -> dict[str, Function]:
    """Spark's built-in functions by their lower-case name."""
    text = resources.files("featuremill.spec").joinpath("spark_functions.json").read_text(encoding="utf-8")
    functions = {
        name: Function(kind=entry["kind"], arguments=tuple(entry["arguments"]) if "arguments" in entry else None)
        for name, entry in json.loads(text)["functions"].items()
    }
    return functions | {name: Function(kind="scalar") for name in _SYNTAX}


def miscounted(call: Call) -> bool:
    """Whether a built-in function is called with a number of arguments that it does not take."""
    function = spark_functions().get(call.key)
    return function is not None and call.arguments is not None and not function.takes(call.arguments)


def calls_of(text: str) -> list[Call]:
    """The function calls of an expression, from left to right. Raises ExpressionError where it has no tokens."""
    tokens = tokens_of(text)
    calls = []
    for index, token in enumerate(tokens):
        name = token.text
        opens = index + 1 < len(tokens) and tokens[index + 1].token_type == TokenType.L_PAREN
        before = tokens[index - 1].token_type if index else None
        if token.token_type == TokenType.STRING or not _WORD.fullmatch(name):
            continue
        if not opens:
            quoted = token.token_type == TokenType.IDENTIFIER
            if name.lower() in WITHOUT_BRACKETS and not quoted and before != TokenType.DOT:
                calls.append(Call(name, token.start, None))
            continue
        if name.lower() in _NOT_CALLS or _is_quantifier(tokens, index) or _is_type(tokens, index):
            continue
        count = None if name.lower() in _FREE_FORM else _count_arguments(tokens, index + 1)
        calls.append(Call(name, token.start, count))
    return calls


def _is_quantifier(tokens: tuple[Token, ...], index: int) -> bool:
    """Whether this is the `any` or `some` of `x like any ('a%', 'b%')`."""
    return (
        tokens[index].text.lower() in {"any", "some"}
        and index > 0
        and tokens[index - 1].text.lower() in {"like", "ilike", "rlike"}
    )


def _is_type(tokens: tuple[Token, ...], index: int) -> bool:
    """Whether this is the type of a cast, `decimal(10, 2)`, and not the function of that name."""
    before = tokens[index - 1].text.lower() if index else ""
    return tokens[index].text.lower() in _TYPES_WITH_BRACKETS and before in {"as", "::", "<", ",", ":"}


def _count_arguments(tokens: tuple[Token, ...], opening: int) -> int | None:
    """The arguments between the bracket at `opening` and its partner; None where it has none."""
    depth, commas, empty = 0, 0, True
    for token in tokens[opening:]:
        kind = token.token_type
        if kind in (TokenType.L_PAREN, TokenType.L_BRACKET):
            depth += 1
            empty = empty and depth == 1
            continue
        if kind in (TokenType.R_PAREN, TokenType.R_BRACKET):
            depth -= 1
            if depth == 0:
                return 0 if empty else commas + 1
            continue
        empty = False
        commas += kind == TokenType.COMMA and depth == 1
    return None
