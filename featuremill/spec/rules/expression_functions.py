"""Expressions call functions that Spark has, as it wants them, and get the same answer every time."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot.tokenizer_core import TokenType

from featuremill.spec.expressions import ExpressionError, tokens_of
from featuremill.spec.functions import (
    UNREPEATABLE,
    WITHOUT_BRACKETS,
    Call,
    Function,
    calls_of,
    miscounted,
    spark_functions,
)
from featuremill.spec.problems import Problem, did_you_mean
from featuremill.spec.rules.check import Check, Use
from featuremill.spec.types import AGGREGATE_KINDS

_SPECIAL_MOMENTS = frozenset({"now", "today", "tomorrow", "yesterday"})
_MOMENT_TYPES = frozenset({"date", "timestamp", "timestamp_ntz", "timestamp_ltz"})
_ASK_AS_OF = "for the moment asked about, a `select` reads as_of"


def functions_are_known(check: Check) -> Iterator[Problem]:
    """Functions exist, take one row, and get the arguments they want."""
    for use, call in _calls(check):
        function = spark_functions().get(call.key)
        if function is None:
            message = f"unknown function `{call.name}` in {use.shown}"
            yield check.document.problem(
                use.path, message, did_you_mean(call.name, spark_functions()), offset=call.start
            )
        elif function.kind not in ("scalar", "random"):
            message = f"`{call.name}` works on many rows, an expression on one, in {use.shown}"
            yield check.document.problem(use.path, message, _instead(call), offset=call.start)
        elif miscounted(call):
            message = f"`{call.name}` takes {_counts(function)}, not {call.arguments}, in {use.shown}"
            yield check.document.problem(use.path, message, offset=call.start)


def expressions_are_repeatable(check: Check) -> Iterator[Problem]:
    """No function depends on the clock, on chance, or on who runs it."""
    for use, call in _calls(check):
        function = spark_functions().get(call.key)
        if call.reads_clock:
            message = f"`{call.name}` depends on when it runs, in {use.shown}"
            yield check.document.problem(use.path, message, _ASK_AS_OF, offset=call.start)
        elif call.key in UNREPEATABLE or (function is not None and function.kind == "random"):
            message = f"`{call.name}` does not give the same value every time, in {use.shown}"
            suggestion = "features are computed again and again and have to come out the same"
            yield check.document.problem(use.path, message, suggestion, offset=call.start)
    for use in check.uses:
        for offset, text in _special_moments(use.text):
            message = f"{text} depends on when it runs, in {use.shown}"
            yield check.document.problem(use.path, message, _ASK_AS_OF, offset=offset)


def _calls(check: Check) -> Iterator[tuple[Use, Call]]:
    """The calls in expressions, also in those that do not parse.

    A column may have the name of a function that needs no brackets.
    """
    for use in check.uses:
        try:
            calls = calls_of(use.text)
        except ExpressionError:
            continue
        for call in calls:
            is_column = call.arguments is None and call.key in WITHOUT_BRACKETS and call.key in use.columns
            if not is_column:
                yield use, call


def _instead(call: Call) -> str:
    kind = {"avg": "mean", "collect_set": "set", "std": "stddev", "stddev_samp": "stddev"}.get(call.key, call.key)
    if kind in AGGREGATE_KINDS:
        return f"write it as an aggregate, like `{{{kind}: ...}}`"
    return f"an aggregate is one of {', '.join(AGGREGATE_KINDS)}"


def _counts(function: Function) -> str:
    counts = [count for count in function.arguments or () if count is not None]
    plural = "" if counts == [1] else "s"
    if function.arguments and function.arguments[-1] is None:
        return f"at least {counts[0]} argument{plural}"
    words = [str(count) for count in counts]
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]])) + f" argument{plural}"


def _special_moments(text: str) -> Iterator[tuple[int, str]]:
    """Literals like `date 'today'`, which Spark reads by the clock."""
    try:
        tokens = tokens_of(text)
    except ExpressionError:
        return
    for word, literal in zip(tokens, tokens[1:], strict=False):
        moment = literal.text.strip().lower()
        if literal.token_type == TokenType.STRING and word.text.lower() in _MOMENT_TYPES and moment in _SPECIAL_MOMENTS:
            yield word.start, f"`{word.text} '{literal.text}'`"


RULES = (functions_are_known, expressions_are_repeatable)
