"""The population stability index of two counted distributions, and whether it could be chance."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np

from featuremill.monitoring.bins import Ints
from featuremill.sagemaker.scores import psi

SIGNIFICANCE = 0.001
"""A p-value from which a difference may be chance. In small tables the PSI alone is often large by chance."""


def index(reference: Ints, current: Ints) -> float | None:
    """PSI of two lists of counts over the same bins; None if one of them counts nothing."""
    if not reference.sum() or not current.sum():
        return None
    return psi(reference / reference.sum(), current / current.sum())


def p_value(reference: Ints, current: Ints) -> float:
    """The chance that two samples of one and the same distribution differ so much, by Pearson's chi-squared test.

    Its distribution function is Wilson and Hilferty's approximation (1931). Bins that are empty on both sides do not
    count. Rows are taken for independent draws; two snapshots share entities, so they differ less than that by chance.
    """
    used = (reference + current) > 0
    freedom = int(used.sum()) - 1
    if freedom < 1 or not reference.sum() or not current.sum():
        return 1.0
    one, other = reference[used].astype(np.float64), current[used].astype(np.float64)
    ratio = sqrt(other.sum() / one.sum())
    statistic = float(np.sum((ratio * one - other / ratio) ** 2 / (one + other)))
    spread = 2 / (9 * freedom)
    return 1 - NormalDist().cdf(((statistic / freedom) ** (1 / 3) - (1 - spread)) / sqrt(spread))
