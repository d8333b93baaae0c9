"""Expressions read columns that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from featuremill.spec.columns import feature_columns
from featuremill.spec.expressions import ExpressionError, parse_expression
from featuremill.spec.functions import WITHOUT_BRACKETS
from featuremill.spec.problems import Problem, did_you_mean
from featuremill.spec.rules.check import AS_OF, Check, Use

Found = tuple[str, str | None]
"""What is wrong with a name, and what to do."""


def columns_are_known(check: Check) -> Iterator[Problem]:
    """Every name in an expression is a column it may read; `as_of` is read by a `select` alone."""
    for use in check.uses:
        told: set[str] = set()
        for name, offset, qualified in _names(use.text):
            if name in use.columns and not qualified or name == AS_OF and use.reads_as_of:
                continue
            message, suggestion = _explain(check, use, name, offset, qualified) or ("", None)
            if message and message not in told:
                told.add(message)
                where = "" if use.shown in message else f" in {use.shown}"
                yield check.document.problem(use.path, message + where, suggestion, offset=offset)


def _names(text: str) -> Iterator[tuple[str, int, bool]]:
    """(first part of the name, where it starts, whether more parts follow) of the columns in an expression."""
    try:
        tree = parse_expression(text)
    except ExpressionError:
        return
    names = []
    for column in tree.find_all(exp.Column):
        first = column.parts[0]
        names.append((first.name, int(first.meta.get("start", 0)), len(column.parts) > 1))
    yield from sorted(names, key=lambda name: name[1])


def _explain(check: Check, use: Use, name: str, offset: int, qualified: bool) -> Found | None:
    """Why a name cannot be read; None if that is only because something else in the file is wrong."""
    if name.lower() in WITHOUT_BRACKETS and not qualified:
        return None  # a call, and told as one
    if name in use.columns:
        return None  # a field of a struct
    if name.lower() == AS_OF:
        return f"`{name}` can be read in a `select` only, not", _WITHOUT_AS_OF[use.role]
    if name in use.later:
        return _later(use, name)
    if check.is_open(use.source) or check.is_lost(name):
        return None
    if qualified and name in (*check.pipeline.sources, use.source):
        return f"a column is written without its source, not `{name}.`", None
    if hyphened := _hyphened(use, offset):
        return f"`{hyphened}` reads as a subtraction", f"write it in backticks: `` `{hyphened}` ``"
    return f"unknown column `{name}`", _suggestion(check, use, name)


def _later(use: Use, name: str) -> Found:
    if name == use.key:
        return f"derived column `{name}` reads itself", "give the new column another name"
    return f"derived column `{name}` comes later than what reads it", f"move `{name}` above `{use.key}`"


def _hyphened(use: Use, offset: int) -> str | None:
    """The column with a hyphen in its name that the text at this place was meant to be."""
    for column in sorted(use.columns | use.later, key=len, reverse=True):
        if "-" not in column:
            continue
        for match in re.finditer(rf"(?<![\w`]){re.escape(column)}(?![\w`])", use.text, re.IGNORECASE):
            if match.start() <= offset < match.end():
                return column
    return None


def _suggestion(check: Check, use: Use, name: str) -> str | None:
    readable = [*sorted(use.columns), *([AS_OF] if use.reads_as_of else [])]
    if near := did_you_mean(name, readable):
        return near
    if name in {feature.name for feature in feature_columns(check.pipeline)}:
        return f"`{name}` is a feature, and features read columns; for steps in between, `derive` a column"
    for other in check.pipeline.sources:
        if other != use.source and name in check.all_columns(other):
            return f"`{name}` is a column of `{other}`, and this reads `{use.source}`"
    return None


_WITHOUT_AS_OF = {
    "derive": "a derived column is about its own row, whoever asks and when",
    "rows": "a source's rows are the same for whoever asks and when",
    "argument": "the rows of an aggregate are all before as_of; how long before is said by `over`",
    "condition": "the rows of an aggregate are all before as_of; how long before is said by `over`",
    "select": f"write {AS_OF}",
}


RULES = (columns_are_known,)
