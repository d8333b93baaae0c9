"""Names: legal on SageMaker, and two things never meet under one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featuremill.errors import UsageError
from featuremill.sagemaker import names

LEGAL = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
PIPELINES = st.from_regex(r"[a-z_][a-z0-9_]{0,100}", fullmatch=True)


def test_a_job_is_named_by_what_it_makes() -> None:
    assert names.job_name("credit_risk", "2024-06-30", "1f0c3a9bffff") == "credit-risk-2024-06-30-1f0c3a9b"
    assert names.job_name("credit_risk", "2024-06-30", "1f0c3a9bffff", 2) == "credit-risk-2024-06-30-1f0c3a9b-r2"
    assert names.endpoint_name("credit_risk") == "credit-risk"


@given(pipeline=PIPELINES, attempt=st.integers(1, names.MOST_ATTEMPTS))
def test_all_names_are_legal(pipeline: str, attempt: int) -> None:
    job = names.job_name(pipeline, "2024-06-30", "0123456789abcdef", attempt)
    for name in (job, names.endpoint_name(pipeline), names.by_content(job, {"a": 1})):
        assert LEGAL.fullmatch(name), name


@given(one=PIPELINES, other=PIPELINES)
def test_two_pipelines_have_two_names(one: str, other: str) -> None:
    assert (names.legal(one) == names.legal(other)) == (one == other)


def test_names_that_a_cut_or_an_underscore_would_make_alike_differ() -> None:
    alike = ["a" * 40, "a" * 41, "_x", "x", "x_", "__x", "_", "__", "x__y", "x_y"]
    assert len({names.legal(name) for name in alike}) == len(alike)


def test_content_gives_the_name() -> None:
    version = "heart-2024-01-01-00000000"
    assert names.by_content(version, {"a": 1, "b": 2}) == names.by_content(version, {"b": 2, "a": 1})
    assert names.by_content(version, {"a": 1}) != names.by_content(version, {"a": 2})


@pytest.mark.parametrize(
    ("ds", "fingerprint", "attempt", "said"),
    [
        ("2024-6-30", "0123456789", 1, "is not a day"),
        ("2024-06-30", "xyz", 1, "is not a fingerprint"),
        ("2024-06-30", "0123456789", 100, "tried 99 times"),
    ],
)
def test_what_is_no_name_is_refused(ds: str, fingerprint: str, attempt: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        names.job_name("heart", ds, fingerprint, attempt)
