"""Aggregates have rows to aggregate."""

from __future__ import annotations

from collections.abc import Iterator

from featuremill.spec.models import Aggregate
from featuremill.spec.positions import YamlPath
from featuremill.spec.problems import Problem
from featuremill.spec.rules.check import Check

_OF_WHOLE_ROWS = ("count", "since_last")


def _aggregates(check: Check) -> Iterator[tuple[YamlPath, str, Aggregate]]:
    """(path, source, aggregate) of every aggregate."""
    for index, block in enumerate(check.pipeline.features):
        for name, aggregate in block.aggregate.items():
            yield ("features", index, "aggregate", name), block.source, aggregate


def aggregates_have_a_time(check: Check) -> Iterator[Problem]:
    """Rows of a static table are before nothing and after nothing."""
    for index, block in enumerate(check.pipeline.features):
        source, path = block.source, ("features", index, "aggregate")
        if block.aggregate and source in check.pipeline.sources and not check.may_be_timed(source):
            message = f"`{source}` has no time, so none of its rows is before another: it takes `select` only"
            yield check.document.problem(
                path, message, f"add `time: ...` to `{source}`, or `select` the value", at_key=True
            )


def stars_are_counted(check: Check) -> Iterator[Problem]:
    """Only count and since_last are about whole rows."""
    for path, _, aggregate in _aggregates(check):
        if aggregate.argument.strip() == "*" and aggregate.kind not in _OF_WHOLE_ROWS:
            message = f"`{aggregate.kind}` needs a column or an expression, not `*`"
            suggestion = "whole rows are for count and since_last"
            yield check.document.problem((*path, str(aggregate.kind)), message, suggestion)


def windows_hold_rows(check: Check) -> Iterator[Problem]:
    """Windows are there, positive, longer than what `known_after` hides, and each there once."""
    for path, _, aggregate in _aggregates(check):
        if aggregate.over == ():
            message = "`over` has no window"
            yield check.document.problem((*path, "over"), message, "leave it out for all history")
        seen: dict[int, str] = {}
        for index, window in enumerate(aggregate.over or ()):
            place = (*path, "over", index)
            if window.micros == 0:
                yield check.document.problem(place, f"the window {window} holds no rows", "write a time like 30d")
            elif window.micros <= aggregate.known_after.micros:
                message = f"the window {window} holds no rows: they are known only {aggregate.known_after} later"
                yield check.document.problem(place, message, "make `over` longer than `known_after`")
            elif window.micros in seen:
                other = seen[window.micros]
                same = "twice" if other == window.text else f"twice, as {other} and {window}"
                yield check.document.problem(place, f"the same window is there {same}")
            seen.setdefault(window.micros, window.text)


RULES = (aggregates_have_a_time, stars_are_counted, windows_hold_rows)
