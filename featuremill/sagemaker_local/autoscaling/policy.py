"""Target tracking: from the load of a variant to how many instances it should have. Pure.

Application Auto Scaling raises the count when the metric was above the target in each of the last 3 minutes, and lowers
it when it was below 90% of the target in each of the last 15; the new count is in proportion to the metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

HIGH_DATAPOINTS = 3
LOW_DATAPOINTS = 15
LOW_SHARE = 0.9


@dataclass(frozen=True)
class TargetTracking:
    """The policy's numbers. `target`: invocations a minute and instance. Cooldowns in seconds."""

    target: float
    scale_out_cooldown: float = 300.0
    scale_in_cooldown: float = 300.0
    disable_scale_in: bool = False


@dataclass(frozen=True)
class Capacity:
    """What a scalable target allows, and what there is. `suspended` parts do nothing."""

    current: int
    minimum: int
    maximum: int
    scale_out_suspended: bool = False
    scale_in_suspended: bool = False


def desired(
    policy: TargetTracking,
    capacity: Capacity,
    per_minute: Sequence[float],
    since_scale_out: float,
    since_scale_in: float,
) -> int:
    """How many instances there should be.

    `per_minute`: all invocations of the variant in each whole minute, oldest first. `since_…`: seconds since the last
    change in that direction (infinity if there was none). Bounds come before everything: a count outside of them is
    moved to the bound at once. A scale-in waits for both cooldowns, as a scale-out must have had its effect.
    """
    bounded = min(max(capacity.current, capacity.minimum), capacity.maximum)
    if bounded != capacity.current:
        return bounded
    instances = max(1, capacity.current)
    metric = [total / instances for total in per_minute]
    high, low = metric[-HIGH_DATAPOINTS:], metric[-LOW_DATAPOINTS:]
    if len(high) == HIGH_DATAPOINTS and min(high) > policy.target:
        if capacity.scale_out_suspended or since_scale_out < policy.scale_out_cooldown:
            return capacity.current
        wanted = ceil(round(instances * (sum(high) / len(high)) / policy.target, 9))
        return min(max(wanted, capacity.current), capacity.maximum)
    if len(low) == LOW_DATAPOINTS and max(low) < LOW_SHARE * policy.target:
        cooling = min(since_scale_in, since_scale_out) < policy.scale_in_cooldown
        if policy.disable_scale_in or capacity.scale_in_suspended or cooling:
            return capacity.current
        wanted = ceil(round(instances * max(low) / policy.target, 9))
        return max(min(wanted, capacity.current), capacity.minimum)
    return capacity.current
