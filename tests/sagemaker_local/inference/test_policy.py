"""Target tracking, the meter's windows and the states of alarms: numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featuremill.sagemaker_local.autoscaling.policy import Capacity, TargetTracking, desired
from featuremill.sagemaker_local.endpoints.alarms import judge
from featuremill.sagemaker_local.endpoints.meter import Meter, Statistics

POLICY = TargetTracking(target=100, scale_out_cooldown=60, scale_in_cooldown=300)


def wanted(
    per_minute: Sequence[float], current: int = 2, out: float = inf, into: float = inf, policy: TargetTracking = POLICY
) -> int:
    return desired(policy, Capacity(current, 1, 10), per_minute, out, into)


def test_a_load_above_the_target_for_three_minutes_scales_out_in_proportion() -> None:
    assert wanted([700, 700, 700]) == 7
    assert wanted([150, 700, 700]) == 2  # one of the minutes was below
    assert wanted([700, 700]) == 2  # not long enough
    assert wanted([9000] * 3) == 10  # the most there may be
    assert wanted([700] * 3, out=59) == 2  # cooling down


def test_a_load_below_ninety_percent_for_fifteen_minutes_scales_in() -> None:
    assert wanted([50] * 15, current=5) == 1
    assert wanted([220] * 15, current=5) == 3
    assert wanted([50] * 14, current=5) == 5
    assert wanted([50] * 14 + [480], current=5) == 5
    assert wanted([0] * 15, current=5) == 1
    assert wanted([50] * 15, current=5, into=299) == 5
    assert wanted([50] * 15, current=5, out=299) == 5
    assert wanted([50] * 15, current=5, policy=TargetTracking(100, disable_scale_in=True)) == 5


def test_bounds_come_first_and_suspended_directions_stay() -> None:
    assert desired(POLICY, Capacity(1, 3, 5), [], 0, 0) == 3
    assert desired(POLICY, Capacity(8, 3, 5), [], 0, 0) == 5
    assert desired(POLICY, Capacity(2, 1, 9, scale_out_suspended=True), [900] * 3, inf, inf) == 2
    assert desired(POLICY, Capacity(2, 1, 9, scale_in_suspended=True), [0] * 15, inf, inf) == 2


@given(
    loads=st.lists(st.floats(0, 1e5), max_size=20),
    current=st.integers(1, 20),
    target=st.floats(0.1, 1e4),
)
def test_the_count_stays_within_the_bounds(loads: list[float], current: int, target: float) -> None:
    count = desired(TargetTracking(target), Capacity(current, 2, 8), loads, inf, inf)
    assert 2 <= count <= 8


def test_windows_are_whole_seconds_that_have_passed() -> None:
    now = [100.0]
    meter = Meter(lambda: now[0])
    for second in range(100, 106):
        now[0] = second + 0.5
        for _ in range(second - 99):
            meter.invocation(("e", "v"), 500 if second == 103 else 200, 0.002, 0.001, 2, True)
    now[0] = 106.0
    totals = [window and window.total for window in meter.windows([("e", "v")], "Invocations", 2, 4)]
    assert totals == [None, 1 + 2, 3 + 4, 5 + 6]
    (errors,) = meter.windows([("e", "v")], "Invocation5XXErrors", 6, 1)
    assert errors is not None and (errors.total, errors.count) == (4, 21)
    taken = meter.take_new()["e", "v"]
    assert taken["Invocations"].total == 21 and taken["ModelLatency"].most == pytest.approx(2000)
    assert meter.take_new() == {}


@pytest.mark.parametrize(
    ("values", "datapoints", "missing", "state"),
    [
        ([5.0, 5.0], 2, "missing", "ALARM"),
        ([5.0, 1.0], 2, "missing", "OK"),
        ([5.0, 1.0], 1, "missing", "ALARM"),
        ([None, None], 1, "missing", None),
        ([None, None], 1, "breaching", "ALARM"),
        ([None, None], 1, "notBreaching", "OK"),
        ([None, 5.0], 2, "notBreaching", "OK"),
    ],
)
def test_an_alarm_is_judged_by_its_data_points(
    values: list[float | None], datapoints: int, missing: str, state: str | None
) -> None:
    windows = [None if value is None else Statistics(1, value, value, value) for value in values]
    assert judge(windows, "Sum", "GreaterThanThreshold", 3.0, datapoints, missing) == state
