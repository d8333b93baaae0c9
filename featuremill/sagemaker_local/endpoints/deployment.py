"""DeploymentConfig -> the steps by which traffic moves from the old fleet of an endpoint to the new one. Pure.

A *fleet* is all instances of one endpoint config. Blue/green starts the whole new fleet and then moves traffic; rolling
starts it batch by batch while the old one shrinks. The limits of sizes are AWS's own (canary at most 50%, linear 10 to
50%, rolling 5 to 50% of the instances).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

Counts = dict[str, int]
"""Instances by variant name."""


class BadDeployment(ValueError):
    """A DeploymentConfig that AWS would refuse; the text says which part and why."""


@dataclass(frozen=True)
class Step:
    """Bring both fleets to these sizes, send `share` (0 to 1) of the traffic to the new one, watch `wait` seconds."""

    share: float
    new: Counts
    old: Counts
    wait: float


@dataclass(frozen=True)
class Plan:
    """`steps` end with all traffic on the new fleet. Then the old one stays, unused, for `termination_wait` seconds."""

    steps: tuple[Step, ...]
    rollback: tuple[int, ...]
    termination_wait: float
    timeout: float
    alarms: tuple[str, ...]
    rolling: bool


def plan(config: dict[str, Any] | None, new: Counts, old: Counts) -> Plan:
    """The steps of a DeploymentConfig (AWS's structure) for a new fleet of `new` and an old fleet of `old` instances.

    Without a config, or without a policy, all traffic moves at once and no alarm is watched. Raises BadDeployment.
    """
    config = config or {}
    blue_green, rolling = config.get("BlueGreenUpdatePolicy"), config.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise BadDeployment("DeploymentConfig takes BlueGreenUpdatePolicy or RollingUpdatePolicy, not both")
    alarms = tuple(
        str(alarm["AlarmName"])
        for alarm in (config.get("AutoRollbackConfiguration") or {}).get("Alarms", [])
        if alarm.get("AlarmName")
    )
    if rolling:
        return _rolling(rolling, new, old, alarms)
    return _blue_green(blue_green or {}, new, old, alarms)


def _blue_green(policy: dict[str, Any], new: Counts, old: Counts, alarms: tuple[str, ...]) -> Plan:
    routing = policy.get("TrafficRoutingConfiguration") or {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    kind, wait = routing["Type"], float(routing.get("WaitIntervalInSeconds", 0))
    for name, owner in (("CanarySize", "CANARY"), ("LinearStepSize", "LINEAR")):
        if (name in routing) != (kind == owner):
            problem = f"needs {name}" if kind == owner else f"does not take {name}"
            raise BadDeployment(f"TrafficRoutingConfiguration of type {kind} {problem}")
    total = sum(new.values())
    if kind == "CANARY":
        shares = [_share(routing["CanarySize"], total, "CanarySize", 0.0, 0.5), 1.0]
    elif kind == "LINEAR":
        step = _share(routing["LinearStepSize"], total, "LinearStepSize", 0.1, 0.5)
        shares = [min(1.0, step * (index + 1)) for index in range(ceil(round(1 / step, 9)))]
    else:
        shares = [1.0]
    return Plan(
        steps=tuple(Step(share, dict(new), dict(old), wait) for share in shares),
        rollback=(),
        termination_wait=float(policy.get("TerminationWaitInSeconds", 0)),
        timeout=float(policy.get("MaximumExecutionTimeoutInSeconds", 28_800)),
        alarms=alarms,
        rolling=False,
    )


def _rolling(policy: dict[str, Any], new: Counts, old: Counts, alarms: tuple[str, ...]) -> Plan:
    """Each batch replaces that many instances, variants in the order of the config. Traffic follows the capacity."""
    total = max(1, sum(new.values()))
    batch = ceil(round(_share(policy["MaximumBatchSize"], total, "MaximumBatchSize", 0.05, 0.5) * total, 9))
    back = policy.get("RollbackMaximumBatchSize")
    rollback = ceil(round(_share(back, total, "RollbackMaximumBatchSize", 0.05, 1.0) * total, 9)) if back else total
    wait = float(policy.get("WaitIntervalInSeconds", 0))
    done, steps = 0, []
    while done < total:
        done = min(total, done + batch)
        steps.append(
            Step(
                share=done / total,
                new=_first(new, done),
                old=_last(old, ceil(round(sum(old.values()) * (1 - done / total), 9))),
                wait=wait,
            )
        )
    return Plan(
        steps=tuple(steps),
        rollback=(rollback,),
        termination_wait=0.0,
        timeout=float(policy.get("MaximumExecutionTimeoutInSeconds", 28_800)),
        alarms=alarms,
        rolling=True,
    )


def _share(size: dict[str, Any], total: int, name: str, least: float, most: float) -> float:
    """A CapacitySize as a share of `total` instances, within AWS's limits.

    One instance of a fleet too small to be parted is always allowed: rolling a single instance replaces it.
    """
    value = float(size["Value"])
    if size["Type"] == "CAPACITY_PERCENT":
        share = value / 100
    elif value > total:
        raise BadDeployment(f"{name} of {value:g} instances is more than the {total} of the new fleet")
    else:
        share = value / max(1, total)
        if value == 1 and name != "LinearStepSize":
            return share
    if not least <= share <= most or share <= 0:
        raise BadDeployment(f"{name} is {share:.0%} of the fleet; it must be from {least:.0%} to {most:.0%}")
    return share


def _first(counts: Counts, number: int) -> Counts:
    """The first `number` instances, filling the variants in their order."""
    taken: Counts = {}
    for variant, count in counts.items():
        taken[variant] = min(count, number)
        number -= taken[variant]
    return taken


def _last(counts: Counts, number: int) -> Counts:
    """The last `number` instances: what is left while `_first` of the other fleet grows."""
    taken: Counts = {}
    for variant, count in reversed(counts.items()):
        taken[variant] = min(count, number)
        number -= taken[variant]
    return {variant: taken[variant] for variant in counts}
