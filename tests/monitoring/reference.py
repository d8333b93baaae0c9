"""A slow, obvious PSI in plain Python, over lists of values; None is missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

FLOOR = 0.0001
BINS = 10


def psi_of_labels(before: Sequence[Hashable], after: Sequence[Hashable], label: Callable[[Any], Hashable]) -> float:
    """Each value goes into the bin that `label` names."""
    bins = {label(value) for value in (*before, *after)}
    total = 0.0
    for one in bins:
        p = max(sum(label(value) == one for value in before) / len(before), FLOOR)
        q = max(sum(label(value) == one for value in after) / len(after), FLOOR)
        total += (q - p) * math.log(q / p)
    return total


def psi_of_numbers(before: Sequence[float | None], after: Sequence[float | None]) -> float:
    """Tenths of the earlier numbers, fewer for fewer than fifty; a number that makes up a tenth is alone in its bin."""
    known = sorted(value for value in before if value is not None)
    wanted = min(BINS, len(known) // 5, sum(value is not None for value in after) // 5)
    if wanted < 2:
        return psi_of_labels(before, after, lambda value: value is None)
    tenths = {known[math.ceil(len(known) * part / wanted) - 1] for part in range(1, wanted)}
    often = {value for value, count in Counter(known).items() if count * wanted >= len(known)}

    def bin_of(value: float | None) -> Hashable:
        if value is None:
            return "missing"
        if value in often:
            return ("is", value)
        above = [tenth for tenth in tenths if tenth >= value]
        upper = min(above) if above else math.inf
        # A frequent number cuts the range in which it lies.
        return ("range", upper, sum(one < value for one in often))

    return psi_of_labels(before, after, bin_of)


def psi_of_texts(before: Sequence[str | None], after: Sequence[str | None]) -> float:
    """A bin a text that one of the sides has at least five times, and in 0.5% of its values; one for the others."""
    kept = set()
    for side in (before, after):
        counted = Counter(value for value in side if value is not None)
        least = max(5, 0.005 * sum(counted.values()))
        kept |= {value for value, count in counted.items() if count >= least}
    return psi_of_labels(before, after, lambda value: value if value is None or value in kept else "the others")


def psi_of_sets(before: Sequence[list[str] | None], after: Sequence[list[str] | None]) -> float:
    """Of the members, one by one; an empty set counts once, a missing one too."""
    flat: list[list[str | None]] = []
    for side in (before, after):
        members: list[str | None] = []
        for values in side:
            members += [None] if values is None else [f"member {value}" for value in values] or ["no member"] * 1
        flat.append(members)
    kept = set()
    for members in flat:
        counted = Counter(one for one in members if one is not None and one != "no member")
        least = max(5, 0.005 * sum(counted.values()))
        kept |= {value for value, count in counted.items() if count >= least}
    special = (None, "no member")
    return psi_of_labels(flat[0], flat[1], lambda value: value if value in special or value in kept else "the others")
