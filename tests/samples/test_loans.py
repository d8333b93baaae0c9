"""How the chance of a bad loan depends on the past, and on nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featuremill.samples.applicants import draw_applicants
from featuremill.samples.loans import DAYS, Draws, best_auc, draw_loans, draw_status, drawn_auc

PEOPLE = draw_applicants(6, seed=3)
GOES_BAD, STAYS_GOOD = 0.0, 1.0


@st.composite
def some_draws(draw: st.DrawFn) -> Draws:
    """Loans of six people, ordered by person and day, with many on the same day."""
    keys = sorted(draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), min_size=1, max_size=40)))
    n = len(keys)
    luck = draw(st.lists(st.sampled_from([GOES_BAD, 0.01, 0.05, STAYS_GOOD]), min_size=n, max_size=n))
    cents = draw(st.lists(st.integers(10_000, 40_000), min_size=n, max_size=n))
    person, day = np.array(keys, dtype=np.int64).T
    return Draws(person=person, day=day * 15, cents=np.array(cents), luck=np.array(luck))


def picked(draws: Draws, keep: np.ndarray) -> Draws:
    return Draws(**{field.name: getattr(draws, field.name)[keep] for field in dataclasses.fields(draws)})


@given(draws=some_draws(), cut=st.integers(0, 600))
@settings(max_examples=150, deadline=None)
def test_the_future_is_not_in_it(draws: Draws, cut: int) -> None:
    """Loans at or after a day can be taken away, made bad or made larger: no earlier chance changes."""
    before = draws.day < cut
    chance, status = draw_status(PEOPLE, draws)
    alone = draw_status(PEOPLE, picked(draws, before))
    assert np.array_equal(alone[0], chance[before])
    assert np.array_equal(alone[1], status[before])
    changed = dataclasses.replace(
        draws, luck=np.where(before, draws.luck, GOES_BAD), cents=np.where(before, draws.cents, 99_999)
    )
    assert np.array_equal(draw_status(PEOPLE, changed)[0][before], chance[before])


@given(draws=some_draws())
@settings(max_examples=100, deadline=None)
def test_loans_of_the_same_day_have_the_same_chance(draws: Draws) -> None:
    chance, _ = draw_status(PEOPLE, draws)
    for i in range(1, len(chance)):
        if draws.person[i] == draws.person[i - 1] and draws.day[i] == draws.day[i - 1]:
            assert chance[i] == chance[i - 1]


@given(draws=some_draws())
@settings(max_examples=100, deadline=None)
def test_people_do_not_matter_to_each_other(draws: Draws) -> None:
    chance, _ = draw_status(PEOPLE, draws)
    for person in range(6):
        own = draws.person == person
        assert np.array_equal(draw_status(PEOPLE, picked(draws, own))[0], chance[own])


@pytest.mark.parametrize(
    ("days_later", "seen"), [(0, False), (1, False), (59, False), (60, True), (365, True), (366, False), (500, False)]
)
def test_a_bad_loan_counts_from_60_to_365_days_later(days_later: int, seen: bool) -> None:
    def chance_after(luck: float) -> float:
        person, day = np.zeros(2, dtype=np.int64), np.array([100, 100 + days_later])
        cents, lucks = np.array([12_000, 12_000]), np.array([luck, STAYS_GOOD])
        return float(draw_status(PEOPLE, Draws(person, day, cents, lucks))[0][1])

    assert (chance_after(GOES_BAD) > chance_after(STAYS_GOOD)) is seen


def test_loans_are_those_of_their_chance() -> None:
    people = draw_applicants(3_000, seed=5)
    loans = draw_loans(people, 64_000, seed=5)
    assert loans.status.mean() == pytest.approx(loans.chance.mean(), rel=0.1)
    assert loans.day.min() == 0 and loans.day.max() == DAYS - 1
    key = loans.person.astype(np.int64) * 4_096 + loans.day
    assert np.all(np.diff(key) >= 0)


@given(
    chance=st.lists(st.sampled_from([0.01, 0.02, 0.02, 0.3, 0.7, 0.99]), min_size=2, max_size=25),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_auc_is_the_share_of_pairs_ranked_rightly(chance: list[float], data: st.DataObject) -> None:
    n = len(chance)
    status = data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    better = [[1.0 if a > b else 0.5 if a == b else 0.0 for b in chance] for a in chance]
    expected = sum(better[i][j] * chance[i] * (1 - chance[j]) for i in range(n) for j in range(n))
    weight = sum(chance[i] * (1 - chance[j]) for i in range(n) for j in range(n))
    assert best_auc(np.array(chance)) == pytest.approx(expected / weight)
    pairs = [better[i][j] for i in range(n) for j in range(n) if status[i] == 1 and status[j] == 0]
    if pairs:
        assert drawn_auc(np.array(chance), np.array(status)) == pytest.approx(sum(pairs) / len(pairs))
    else:
        assert drawn_auc(np.array(chance), np.array(status)) == 0.5
