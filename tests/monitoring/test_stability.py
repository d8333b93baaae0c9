"""Whether a difference could be chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from featuremill.monitoring.stability import index, p_value


@pytest.mark.parametrize(("bins", "rows", "other"), [(2, 100, 100), (11, 5_000, 300), (40, 2_000, 9_000)])
def test_the_p_value_is_that_of_the_chi_squared_test(bins: int, rows: int, other: int) -> None:
    draws = np.random.default_rng(7)
    shares = draws.dirichlet(np.ones(bins) * 5)
    for _ in range(20):
        one, two = draws.multinomial(rows, shares), draws.multinomial(other, shares)
        expected = stats.chi2_contingency(np.vstack([one, two]), correction=False).pvalue
        assert p_value(one, two) == pytest.approx(expected, abs=0.003 if expected < 0.05 else 0.06)


def test_an_empty_bin_on_both_sides_does_not_count() -> None:
    one, two = np.array([50, 0, 50]), np.array([30, 0, 70])
    assert p_value(one, two) == p_value(one[[0, 2]], two[[0, 2]]) < 0.01


def test_what_cannot_differ_is_chance() -> None:
    assert p_value(np.array([0, 9]), np.array([0, 9])) == 1.0
    assert p_value(np.array([3, 4]), np.array([0, 0])) == 1.0
    assert index(np.array([3, 4]), np.array([0, 0])) is None
