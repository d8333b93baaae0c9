"""What a pipeline file may not say, rule by rule.

A rule is a function from a `Check` to problems. It looks at one thing, never raises, and keeps quiet about what
another rule already says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from featuremill.spec.problems import Problem, ordered
from featuremill.spec.rules import (
    aggregates,
    csv_files,
    expectations,
    expression_columns,
    expression_functions,
    expression_shape,
    labels,
    leakage,
    names,
    sources,
    spine,
    training,
)
from featuremill.spec.rules.check import Check

Rule = Callable[[Check], Iterator[Problem]]

RULES: tuple[Rule, ...] = (
    *names.RULES,
    *sources.RULES,
    *csv_files.RULES,
    *spine.RULES,
    *labels.RULES,
    *aggregates.RULES,
    *expression_shape.RULES,
    *expression_functions.RULES,
    *expression_columns.RULES,
    *leakage.RULES,
    *expectations.RULES,
    *training.RULES,
)


def broken_rules(check: Check) -> tuple[Problem, ...]:
    """All that the rules find, in the order of the file."""
    return ordered(problem for rule in RULES for problem in rule(check))
