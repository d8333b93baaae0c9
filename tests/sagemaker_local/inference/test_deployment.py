"""The steps of a DeploymentConfig."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featuremill.sagemaker_local.endpoints.deployment import BadDeployment, plan

FOUR = {"all": 4}


def size(value: int, kind: str = "CAPACITY_PERCENT") -> dict[str, Any]:
    return {"Type": kind, "Value": value}


def blue_green(kind: str, **more: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": 60, **more}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 120}}


def rolling(batch: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": 60, **more}}


@pytest.mark.parametrize(
    ("config", "shares"),
    [
        (None, [1.0]),
        (blue_green("ALL_AT_ONCE"), [1.0]),
        (blue_green("CANARY", CanarySize=size(10)), [0.1, 1.0]),
        (blue_green("CANARY", CanarySize=size(1, "INSTANCE_COUNT")), [0.25, 1.0]),
        (blue_green("LINEAR", LinearStepSize=size(25)), [0.25, 0.5, 0.75, 1.0]),
        (blue_green("LINEAR", LinearStepSize=size(40)), [0.4, 0.8, 1.0]),
    ],
)
def test_blue_green_moves_traffic_between_whole_fleets(config: dict[str, Any] | None, shares: list[float]) -> None:
    made = plan(config, FOUR, {"all": 2})
    assert [step.share for step in made.steps] == pytest.approx(shares)
    assert all(step.new == FOUR and step.old == {"all": 2} for step in made.steps)
    assert [step.wait for step in made.steps] == [60.0 if config else 0.0] * len(shares)
    assert made.termination_wait == (120.0 if config else 0.0)


def test_rolling_replaces_batch_by_batch_across_variants() -> None:
    made = plan(rolling(size(50), RollbackMaximumBatchSize=size(100)), {"a": 3, "b": 1}, {"a": 3, "b": 1})
    assert [(step.new, step.old) for step in made.steps] == [
        ({"a": 2, "b": 0}, {"a": 1, "b": 1}),
        ({"a": 3, "b": 1}, {"a": 0, "b": 0}),
    ]
    assert made.rollback == (4,)


@given(
    new=st.dictionaries(st.sampled_from("abc"), st.integers(1, 5), min_size=1),
    old=st.dictionaries(st.sampled_from("bcd"), st.integers(1, 5), min_size=1),
    percentage=st.integers(5, 50),
)
def test_rolling_never_has_less_capacity_than_the_smaller_fleet(
    new: dict[str, int], old: dict[str, int], percentage: int
) -> None:
    made = plan(rolling(size(percentage)), new, old)
    for step in made.steps:
        assert sum(step.new.values()) + sum(step.old.values()) >= min(sum(new.values()), sum(old.values()))
        assert all(step.old[variant] <= count for variant, count in old.items())
    assert made.steps[-1].new == new and made.steps[-1].share == 1
    assert not any(made.steps[-1].old.values())
    shares = [step.share for step in made.steps]
    assert shares == sorted(set(shares))


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (blue_green("CANARY", CanarySize=size(51)), "CanarySize is 51%"),
        (blue_green("CANARY", CanarySize=size(3, "INSTANCE_COUNT")), "CanarySize is 75%"),
        (blue_green("CANARY", CanarySize=size(5, "INSTANCE_COUNT")), "more than the 4"),
        (blue_green("CANARY"), "needs CanarySize"),
        (blue_green("ALL_AT_ONCE", CanarySize=size(10)), "does not take CanarySize"),
        (blue_green("LINEAR", LinearStepSize=size(5)), "LinearStepSize is 5%"),
        (rolling(size(60)), "MaximumBatchSize is 60%"),
        ({**rolling(size(10)), **blue_green("ALL_AT_ONCE")}, "not both"),
    ],
)
def test_sizes_beyond_awss_limits_are_refused(config: dict[str, Any], text: str) -> None:
    with pytest.raises(BadDeployment, match=text):
        plan(config, FOUR, FOUR)


def test_alarms_are_named() -> None:
    config = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}, {"AlarmName": "b"}]}}
    assert plan(config, FOUR, FOUR).alarms == ("a", "b")
