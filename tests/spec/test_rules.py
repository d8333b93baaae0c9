"""Every rule with a file that breaks it: the exact message and its place (tests/spec/files/mistakes.yaml)."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from featuremill.spec.loading import parse_pipeline
from tests.spec.example import FILES, problems

MISTAKES: dict[str, list[dict[str, Any]]] = yaml.safe_load((FILES / "mistakes.yaml").read_text(encoding="utf-8"))
CASES = [
    pytest.param(case, id=f"{section}-{number}")
    for section in MISTAKES
    for number, case in enumerate(MISTAKES[section])
]


@pytest.mark.parametrize("case", CASES)
def test_mistake(case: dict[str, Any]) -> None:
    assert problems((case["replace"], case["with"])) == case["problems"]


def test_the_example_has_no_mistakes() -> None:
    assert problems() == []


def test_mistakes_of_all_kinds_are_told_together_in_the_order_of_the_file() -> None:
    found = problems(
        ("customer: bigint\n", "customer: bigintt\n"),
        ("required: true", "requird: true"),
        ("{column: customer}", "{column: custommer}"),
        ("mean: amount", "meen: amuont"),
        ("over: 365d", "over: a year"),
        ("floor(months_between(as_of, birthday) / 12)", "flor(months_between(now(), birthdy))"),
        ("task: binary", "task: binry"),
    )
    assert found == [
        "11:17: unknown type `bigintt`, did you mean `bigint`?",
        "13:28: unknown key `requird` in `sources.orders.columns.shop`, did you mean `required`?",
        "23:55: unknown column `custommer`, did you mean `customer`?",
        "34:20: unknown key `meen` in `features[1].aggregate.mean_amount`, did you mean `mean`?",
        "34:27: unknown column `amuont` in `mean: amuont`, did you mean `amount`?",
        "35:40: 'a year' is not a duration; write a whole number and d, h, min or s, like 30d or 15min",
        "37:12: unknown function `flor` in `age: flor(months_between(now(), birthdy))`, did you mean `floor`?",
        "37:32: `now` depends on when it runs, in `age: flor(months_between(now(), birthdy))`; "
        "for the moment asked about, a `select` reads as_of",
        "37:39: unknown column `birthdy` in `age: flor(months_between(now(), birthdy))`, did you mean `birthday`?",
        "47:47: unknown task `binry`, did you mean `binary`?",
    ]


def test_a_column_that_could_not_be_read_is_not_called_unknown() -> None:
    assert problems(("amount: double", "amount: 5")) == [
        "14:15: `sources.orders.columns.amount` should be text or a mapping, not `5`; "
        "write it like bigint, or {type: bigint, required: true}"
    ]


def test_a_source_that_could_not_be_read_is_not_called_unknown() -> None:
    assert problems(("columns: {shop: string, size: int}", "columns: {}")) == [
        "29:14: `sources.shops.columns` is empty; it needs at least one entry"
    ]


def test_a_hyphen_is_told_also_where_a_column_has_the_name_of_one_piece() -> None:
    text = """\
pipeline: heart
entity: {key: id, type: bigint}
sources:
  patients:
    connector: {kind: csv, path: "{ds}.csv"}
    time: day
    columns: {id: bigint, day: date, diagnosis: int, narrowing-diagnosis: int}
features:
  - from: patients
    select:
      narrow: narrowing-diagnosis + diagnosis
"""
    assert [str(problem) for problem in parse_pipeline(text, "heart.yaml").problems] == [
        "heart.yaml:11:15: `narrowing-diagnosis` reads as a subtraction in `narrow: narrowing-diagnosis + diagnosis`; "
        "write it in backticks: `` `narrowing-diagnosis` ``"
    ]
