from __future__ import annotations

import json
from importlib import resources

from featuremill.quality.catalogue import make_catalogue
from featuremill.quality.support import REFUSED, SUPPORTED


def test_the_committed_catalogue_is_the_one_made_from_great_expectations() -> None:
    """If not: python -m featuremill.quality.catalogue featuremill/spec/expectation_catalogue.json"""
    written = resources.files("featuremill.spec").joinpath("expectation_catalogue.json").read_text(encoding="utf-8")
    assert json.loads(written) == make_catalogue().model_dump(mode="json")


def test_every_core_expectation_is_either_supported_or_refused_with_a_reason() -> None:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    known = set(list_registered_expectation_implementations())
    assert known <= set(SUPPORTED) | set(REFUSED)
    assert not set(SUPPORTED) & set(REFUSED)
    assert set(SUPPORTED) <= known


def test_arguments_have_types_and_say_whether_they_are_required() -> None:
    between = make_catalogue().expectations["expect_column_values_to_be_between"].arguments
    assert between["column"].required and between["column"].types == ("string",)
    assert not between["min_value"].required and between["min_value"].types == ("string", "number", "null")
    assert between["mostly"].types == ("number",)
    assert all(
        argument.types for entry in make_catalogue().expectations.values() for argument in entry.arguments.values()
    )
