"""A running endpoint: its fleets, and which instance answers the next request."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from featuremill.sagemaker_local.endpoints.capture import Recorder
from featuremill.sagemaker_local.endpoints.fleet import Fleet, Variant
from featuremill.sagemaker_local.endpoints.instance import Instance
from featuremill.sagemaker_local.endpoints.routing import WeightedRoundRobin


class NoInstance(Exception):
    """No instance can take the request within the time there is."""


@dataclass(frozen=True)
class Lease:
    """An instance that counts a request as its own, until it is released."""

    variant: str
    instance: Instance


class LiveEndpoint:
    """Traffic of an endpoint. During an update there are two fleets: `active` (old) and `incoming` (new).

    `share` of the traffic, 0 to 1, goes to the incoming one; in a rolling update (`by_capacity`) each variant's traffic
    is parted by the numbers of instances instead. `weights` are the variants' current weights in the active fleet.
    All members are read and changed under `changed`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.changed = threading.Condition(threading.RLock())
        self.active: Fleet | None = None
        self.incoming: Fleet | None = None
        self.share = 0.0
        self.by_capacity = False
        self.weights: dict[str, float] = {}
        self.incoming_weights: dict[str, float] = {}
        self.recorder: Recorder | None = None
        self.closed = False
        self._choice: WeightedRoundRobin[tuple[bool, str]] = WeightedRoundRobin()

    def variants(self) -> list[str]:
        """Names that a request may ask for."""
        with self.changed:
            fleets = [fleet for fleet in (self.active, self.incoming) if fleet is not None]
            return list(dict.fromkeys(name for fleet in fleets for name in fleet.variants))

    @contextmanager
    def lease(self, target: str | None, tried: set[str], timeout: float) -> Iterator[Lease]:
        """An instance for one request; waits up to `timeout` seconds for one that is healthy.

        `target` is the variant asked for, if any. Instances in `tried` (ids) are taken only if there is no other.
        Raises NoInstance.
        """
        lease = self._acquire(target, tried, timeout)
        try:
            yield lease
        finally:
            with self.changed:
                lease.instance.in_flight -= 1
                self.changed.notify_all()

    def _acquire(self, target: str | None, tried: set[str], timeout: float) -> Lease:
        deadline = time.monotonic() + timeout
        with self.changed:
            while not self.closed:
                lease = self._choose(target, tried) or self._choose(target, set())
                if lease is not None:
                    lease.instance.in_flight += 1
                    return lease
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self.changed.wait(left)
        raise NoInstance(f"no instance of endpoint {self.name} is healthy")

    def _choose(self, target: str | None, tried: set[str]) -> Lease | None:
        ready: dict[tuple[bool, str], tuple[Variant, list[Instance]]] = {}
        weights: dict[tuple[bool, str], float] = {}
        for incoming, fleet in ((False, self.active), (True, self.incoming)):
            if fleet is None:
                continue
            for name, variant in fleet.variants.items():
                able = [each for each in variant.instances if each.healthy and each.id not in tried]
                if able and target in (None, name):
                    ready[incoming, name] = variant, able
                    weights[incoming, name] = self._weight(incoming, name, target is not None)
        key = self._choice.choose(weights)
        if key is None:
            # A fleet with a share of 0 stands in for one that has nobody left: better than no answer.
            key = next(iter(ready), None) if self.incoming is not None or target is not None else None
        if key is None:
            return None
        variant, able = ready[key]
        instance = variant.turns.choose(able, variant.least_busy)
        return None if instance is None else Lease(variant.name, instance)

    def _weight(self, incoming: bool, variant: str, targeted: bool) -> float:
        weights = self.incoming_weights if incoming else self.weights
        total = sum(weights.values())
        # A variant that is asked for by name gets the request whatever its weight is.
        own = 1.0 if targeted else (weights.get(variant, 0.0) / total if total else 0.0)
        return own * self._part(incoming, variant)

    def _part(self, incoming: bool, variant: str) -> float:
        if self.incoming is None or self.active is None:
            return 1.0
        if not self.by_capacity:
            return self.share if incoming else 1 - self.share
        old, new = (
            len(fleet.variants[variant].instances) if variant in fleet.variants else 0
            for fleet in (self.active, self.incoming)
        )
        return (new if incoming else old) / max(1, old + new)
