"""Expressions are parsed, and their columns and calls found."""

from __future__ import annotations

import pytest

from featuremill.spec.expressions import ExpressionError, columns_of, parse_expression
from featuremill.spec.functions import calls_of, spark_functions


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("floor(months_between(as_of, birthday) / 12)", {"as_of", "birthday"}),
        ("`narrowing-diagnosis` = 1", {"narrowing-diagnosis"}),
        ("filter(split(names, ','), x -> x <> skipped)", {"names", "skipped"}),
        ("timestampdiff(MONTH, a, b)", {"a", "b"}),
        ("extract(year from day)", {"day"}),
        ("case when a then b else 'c' end", {"a", "b"}),
        ("d + interval 3 days", {"d"}),
        ("point.x", {"point"}),
        ("Amount", {"Amount"}),
        ("1 + 1", set()),
    ],
)
def test_columns(text: str, columns: set[str]) -> None:
    assert columns_of(parse_expression(text)) == columns


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("", "the expression is empty", 0),
        ("-- a comment", "the expression is empty", 0),
        ("a +", "something is missing beside `+`", 2),
        ("a b", "`b` is not expected here", 2),
        ("a as b", "`as` is not expected here", 2),
        ("a, b", "`,` is not expected here", 1),
        ("f(a,)", "something is missing after `,`", 3),
        ("f(a", "expected `)` after `a`", 2),
        ("a; b", "an expression has no `;`", 1),
        ("select a", "`select` is not expected here", 0),
        ("a || 'it''s' || 'open", "a quote, backtick or comment is not closed", 16),
        ("a /* open", "a quote, backtick or comment is not closed", 2),
        ("a and\n b c", "`c` is not expected here", 9),
        ("(" * 300 + "a" + ")" * 300, "the expression is nested too deeply", 250),
        ("not " * 2000 + "a", "the expression is nested too deeply", 0),
        ("1" + " + 1" * 400, "the expression is nested too deeply; split it into derived columns", 0),
        ("a" * 20_001, "the expression is longer than 20000 characters", 0),
    ],
)
def test_what_is_no_expression(text: str, message: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse_expression(text)
    assert (raised.value.message, raised.value.offset) == (message, offset)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("floor(months_between(as_of, birthday) / 12)", [("floor", 0, 1), ("months_between", 6, 2)]),
        ("coalesce(f(), g(h(1, 2), 3))", [("coalesce", 0, 2), ("f", 9, 0), ("g", 14, 2), ("h", 16, 2)]),
        ("a in (1, 2) and (b or not (c))", []),
        ("x like any ('a%', 'b%')", []),
        ("cast(a as decimal(10, 2))", [("cast", 0, None)]),
        ("trim(both 'x' from a)", [("trim", 0, None)]),
        ("element_at(map('f(', 1)['f('], 1)", [("element_at", 0, 2), ("map", 11, 2)]),
        ("a < current_date", [("current_date", 4, None)]),
        ("`current_date` + s.user", []),
    ],
)
def test_calls(text: str, calls: list[tuple[str, int, int | None]]) -> None:
    assert [(call.name, call.start, call.arguments) for call in calls_of(text)] == calls


def test_argument_counts() -> None:
    functions = spark_functions()
    assert [count for count in range(9) if functions["make_timestamp"].takes(count)] == [1, 2, 3, 6, 7]
    assert [count for count in range(4) if functions["concat"].takes(count)] == [0, 1, 2, 3]
    assert not functions["greatest"].takes(1) and functions["greatest"].takes(50)
