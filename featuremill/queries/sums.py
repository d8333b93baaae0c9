"""Sums of doubles that do not depend on the order of the rows.

Adding doubles in another order gives other last bits. Engines add in whatever order threads and shuffles deliver, and
a segment tree's nodes move when a row elsewhere is added; then the same input would not give the same bytes, and a row
after `as_of` would touch a feature before it. So each double is cut into whole numbers ("limbs") of 60 bits at fixed
binary places, the limbs are added as integers, exactly, and only the sums become doubles again:

    value = high * 2^60 + ones + fraction * 2^-60 + tail * 2^-120 + rest

`rest` is zero unless a value is 2^120 or larger, not finite, or has bits below 2^-120. The sum is the fold from the
largest limb to the smallest, so limbs that are zero everywhere change no bit of it, and those that the range of the
data rules out are left away. The error is at most about one unit in the last place of the largest limb sum: better than
adding the doubles one by one. The idea is Kulisch's long accumulator (U. Kulisch, Computer Arithmetic and Validity,
2013) with four limbs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from featuremill.queries.dialects import Dialect

LIMB = float(2**60)
_HUGE = float(2**120)
_FULL_PRECISION = 2.0**-8
"""A double of at least this size has no bit below 2^-60 (52 bits of fraction follow its leading bit)."""
_FULL_TAIL = 2.0**-68


@dataclass(frozen=True)
class Range:
    """What is known of the magnitudes of a column's values, zeros left out: None where nothing is known."""

    smallest: float | None = None
    largest: float | None = None


@dataclass(frozen=True)
class Limb:
    """One addend of an exact sum: the column that holds it, and the place it stands at."""

    column: str
    scale: float | None
    """None for `rest`, which is a double already."""


@dataclass(frozen=True)
class ExactSum:
    """How the sum of one double column is computed: columns to add to the rows, level by level, and their limbs."""

    levels: tuple[dict[str, str], ...]
    limbs: tuple[Limb, ...]

    def total(self, dialect: Dialect, over: str, framed: Callable[[str], str]) -> str:
        """The sum as a double; null over no values. `over` is empty or ` OVER window`; `framed` picks the rows."""
        terms = [_term(limb, dialect, over, framed(limb.column)) for limb in self.limbs]
        text = terms[0]
        for term in terms[1:]:
            text = f"({text} + {term})"
        return text


def _term(limb: Limb, dialect: Dialect, over: str, column: str) -> str:
    if limb.scale is None:
        return f"sum({column}){over}"
    total = dialect.integer_sum_as_double(column, over)
    return total if limb.scale == 1.0 else f"{total} * {_literal(limb.scale)}"


def _literal(number: float) -> str:
    """A double literal of both engines: an exponent makes it a double, not a decimal."""
    text = repr(number)
    return text if "e" in text else f"{text}e0"


def exact_sum(value: str, known: Range, dialect: Dialect) -> ExactSum:
    """Plan the exact sum of the double column `value` (a plain column name)."""
    needs_high = known.largest is None or known.largest >= LIMB
    needs_tail = known.smallest is None or known.smallest < _FULL_PRECISION
    needs_rest = (
        known.largest is None or known.largest >= _HUGE or known.smallest is None or known.smallest < _FULL_TAIL
    )

    def part(name: str) -> str:
        return f"{value}_{name}"

    levels: list[dict[str, str]] = []
    limbs: list[Limb] = []
    left = value
    limb = _literal(LIMB)
    if needs_rest:
        # NaN is greater than every number on both engines, so it goes the way of the huge ones.
        levels.append({part("odd"): f"CASE WHEN abs({value}) >= {_literal(_HUGE)} THEN {value} END"})
        levels.append({part("plain"): f"CASE WHEN {part('odd')} IS NULL THEN {value} ELSE 0e0 END"})
        left = part("plain")
    if needs_high:
        levels.append({part("high"): dialect.truncate(f"{left} / {limb}")})
        levels.append({part("low"): f"{left} - {part('high')} * {limb}"})
        limbs.append(Limb(part("high"), LIMB))
        left = part("low")
    levels.append({part("ones"): dialect.truncate(left)})
    fraction = f"({left} - {part('ones')}) * {limb}"
    levels.append({part("fraction"): dialect.truncate(fraction)})
    limbs += [Limb(part("ones"), 1.0), Limb(part("fraction"), 1.0 / LIMB)]
    tail = f"({fraction} - {part('fraction')}) * {limb}"
    if needs_tail or needs_rest:
        levels.append({part("tail"): dialect.truncate(tail)})
        limbs.append(Limb(part("tail"), 1.0 / LIMB / LIMB))
    if needs_rest:
        tiny = f"({tail} - {part('tail')}) * {_literal(1.0 / LIMB / LIMB)}"
        levels.append({part("rest"): f"coalesce({part('odd')}, {tiny})"})
        limbs.append(Limb(part("rest"), None))
    return ExactSum(tuple(levels), tuple(limbs))
