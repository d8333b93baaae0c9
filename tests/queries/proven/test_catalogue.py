"""The list of what is proven can be read by programs and people."""

from __future__ import annotations

from pathlib import Path

import sqlglot

from featuremill.queries.proven import proven_functions, render_markdown, translate
from featuremill.queries.proven.catalogue import Use

PAGE = Path(__file__).resolve().parents[3] / "docs" / "functions.md"


def test_the_page_is_current() -> None:
    current = PAGE.read_text(encoding="utf-8") == render_markdown()
    assert current, "run: python -m featuremill.queries.proven docs/functions.md"


def test_entries_are_introspectable() -> None:
    by_name = {entry.name: entry for entry in proven_functions()}
    assert by_name["months_between"].signatures[("timestamp", "date")] == "double"
    assert "(int, int) -> int" in by_name["+"].lines()
    assert by_name["pow"].aliases == ("power",)
    assert all(entry.signatures and entry.family for entry in by_name.values())


def test_a_translation_tells_what_it_rests_on() -> None:
    made = translate(
        sqlglot.parse_one("floor(months_between(as_of, birthday) / 12)", read="spark"),
        {"as_of": "timestamp", "birthday": "date"},
    )
    assert made.type == "bigint"
    assert made.uses >= {
        Use("floor", ("double",)),
        Use("months_between", ("timestamp", "date")),
        Use("/", ("double", "int")),
    }


def test_names_are_quoted_and_found_in_any_case() -> None:
    expression = sqlglot.parse_one("`narrowing-diagnosis` = 1 and Age > 3", read="spark")
    made = translate(expression, {"narrowing-diagnosis": "int", "age": "int"})
    assert made.sql == '("narrowing-diagnosis" = 1) AND ("Age" > 3)'
