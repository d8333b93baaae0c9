"""Which variant, and which of its instances, gets the next request. Pure, without locks: the caller holds one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, Protocol, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Busy(Protocol):
    """What can be chosen: it tells how many requests it is answering."""

    in_flight: int


Candidate = TypeVar("Candidate", bound=Busy)


class WeightedRoundRobin(Generic[Key]):
    """Smooth weighted round robin: of n choices each key gets its share of n, to within one, and evenly spread.

    The method of nginx's upstream balancer: every choice raises each key's credit by its weight; the richest is chosen
    and pays the sum of the weights.
    """

    def __init__(self) -> None:
        self._credit: dict[Key, float] = {}

    def choose(self, weights: dict[Key, float]) -> Key | None:
        """A key of weight above 0, or None if there is none. Keys that left are forgotten, new ones start even."""
        weights = {key: weight for key, weight in weights.items() if weight > 0}
        if not weights:
            return None
        credit = {key: self._credit.get(key, 0.0) + weight for key, weight in weights.items()}
        chosen = max(credit, key=lambda key: credit[key])
        credit[chosen] -= sum(weights.values())
        self._credit = credit
        return chosen


class Turns:
    """Takes turns among the instances of a variant, or chooses the least busy one (LEAST_OUTSTANDING_REQUESTS)."""

    def __init__(self) -> None:
        self._next = 0

    def choose(self, candidates: Sequence[Candidate], least_busy: bool = False) -> Candidate | None:
        """None if there are no candidates."""
        if not candidates:
            return None
        self._next += 1
        turn = self._next % len(candidates)
        if least_busy:
            return min([*candidates[turn:], *candidates[:turn]], key=lambda candidate: candidate.in_flight)
        return candidates[turn]
