"""The checker itself: it must find what is wrong, or the tests that use it prove nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sagemaker_local.core.shapes import problems

GOOD = {
    "TrainingJobSummaries": [
        {
            "TrainingJobName": "a",
            "TrainingJobArn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/a",
            "CreationTime": 1.5,
            "TrainingJobStatus": "Completed",
        }
    ]
}


def test_a_good_answer_has_no_problems() -> None:
    assert problems("sagemaker", "ListTrainingJobs", GOOD) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TrainingJobStatus": "Done"}, "is not one of"),
        ({"CreationTime": "2026-01-01"}, "not a timestamp"),
        ({"TrainingJobName": None}, "not a string"),
        ({"TrainingJobName": "a b"}, "does not match"),
        ({"Extra": 1}, "is not in the shape"),
    ],
)
def test_a_wrong_member_is_found(change: dict[str, Any], message: str) -> None:
    answer = {"TrainingJobSummaries": [{**GOOD["TrainingJobSummaries"][0], **change}]}
    (problem,) = problems("sagemaker", "ListTrainingJobs", answer)
    assert message in problem


def test_a_missing_member_is_found() -> None:
    assert problems("sagemaker", "ListTrainingJobs", {}) == ["ListTrainingJobs.TrainingJobSummaries: is required"]
    assert problems("sagemaker", "StopTrainingJob", {"x": 1})
