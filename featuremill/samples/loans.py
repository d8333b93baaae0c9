"""Loans of the credit risk sample, and how likely each is to go bad.

The chance of a bad loan is a logistic function of what is known the day before it is granted: earlier loans of the
person, which loans of 60 days ago and more had gone bad, the person's age, job, home and income. Nothing later enters,
nor does the amount of the loan itself. So a model can learn it, and none can predict better than the chance itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from featuremill.samples.applicants import (
    OCCUPATION_RISK,
    PENSIONER_DAYS_EMPLOYED,
    REFERENCE_DATE,
    RENTED,
    WITH_PARENTS,
    Applicants,
)
from featuremill.samples.streams import Floats, Ints, Stream, pick

FIRST_DAY = date(2019, 1, 1)
DAYS = 730
"""Loans are granted on any of the 730 days from 2019-01-01 to 2020-12-30."""

BAD_KNOWN_AFTER_DAYS = 60
BAD_REMEMBERED_DAYS = 365
LEAST_CENTS = 100_00
MEAN_EXTRA_CENTS = 29_53.0
_MOST_LOANS = 61.0

INTERCEPT = -4.612
"""Sets the mean chance of a bad loan to 1.488%."""
STRENGTH = 0.98
"""Sets the AUC of the chance itself to 0.75."""

_KEY_DAYS = 4_096
_PEOPLE_AT_ONCE = 16_384


@dataclass(frozen=True)
class Loans:
    """One loan an index, ordered by person and day.

    `person` is an index into the applicants, `day` counts from 2019-01-01, `cents` is the amount, `chance` the
    probability that `status` (0 or 1) was drawn with.
    """

    person: NDArray[np.int32]
    day: NDArray[np.int16]
    cents: NDArray[np.int32]
    chance: Floats
    status: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True)
class Draws:
    """What is random about loans: the day, the amount, and a uniform number that decides whether it goes bad."""

    person: Ints
    day: Ints
    cents: Ints
    luck: Floats


def draw_loans(people: Applicants, rows: int, seed: int) -> Loans:
    """`rows` loans, at least one a person. Memory is 23 bytes a loan, and work space for 16,384 people at a time."""
    counts = _loans_a_person(len(people), rows, seed)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    days, amounts, luck = Stream(seed, "loan days"), Stream(seed, "loan amounts"), Stream(seed, "loan outcomes")
    result = Loans(
        person=np.empty(rows, dtype=np.int32),
        day=np.empty(rows, dtype=np.int16),
        cents=np.empty(rows, dtype=np.int32),
        chance=np.empty(rows, dtype=np.float64),
        status=np.empty(rows, dtype=np.int8),
    )
    for first in range(0, len(people), _PEOPLE_AT_ONCE):
        last = min(first + _PEOPLE_AT_ONCE, len(people))
        some = slice(int(bounds[first]), int(bounds[last]))
        part = people.part(first, last)
        person = np.repeat(np.arange(last - first), counts[first:last])
        n = len(person)
        key = np.sort(person * _KEY_DAYS + pick(days.uniform(n), (1.0,) * DAYS))
        extra = np.rint(amounts.exponential(n) * part.loan_scale[person] * MEAN_EXTRA_CENTS).astype(np.int64)
        draws = Draws(person=person, day=key % _KEY_DAYS, cents=LEAST_CENTS + extra, luck=luck.uniform(n))
        chance, status = draw_status(part, draws)
        result.person[some] = person + first
        result.day[some] = draws.day
        result.cents[some] = draws.cents
        result.chance[some] = chance
        result.status[some] = status
    return result


def draw_status(people: Applicants, draws: Draws) -> tuple[Floats, Ints]:
    """The chance of each loan to go bad, and whether it does. `draws` is ordered by person and day.

    A person's loans are drawn in the order of their days; the first loans of all people together, then the second ones.
    """
    key = draws.person * _KEY_DAYS + draws.day
    begin = np.searchsorted(key, draws.person * _KEY_DAYS)
    logit = INTERCEPT + STRENGTH * (_person_risk(people, draws) + _history_risk(draws, key, begin))
    oldest = np.maximum(begin, np.searchsorted(key, key - BAD_REMEMBERED_DAYS))
    newest = np.maximum(begin, np.searchsorted(key, key - BAD_KNOWN_AFTER_DAYS, side="right"))

    n = len(key)
    rank = np.arange(n) - begin
    by_rank = np.argsort(rank, kind="stable")
    rank_bounds = np.searchsorted(rank[by_rank], np.arange(int(rank.max(initial=0)) + 2))
    chance, status = np.empty(n), np.zeros(n, dtype=np.int64)
    bad_before = np.zeros(n + len(people), dtype=np.int64)  # for each person: before every loan, and after the last
    for start, stop in zip(rank_bounds[:-1], rank_bounds[1:], strict=True):
        now = by_rank[start:stop]
        person = draws.person[now]
        known_bad = bad_before[newest[now] + person] - bad_before[oldest[now] + person]
        chance[now] = _logistic(logit[now] + STRENGTH * _bad_loans_risk(known_bad))
        status[now] = draws.luck[now] < chance[now]
        bad_before[now + person + 1] = bad_before[now + person] + status[now]
    return chance, status


def _person_risk(people: Applicants, draws: Draws) -> Floats:
    """Log odds from the person, on the day of the loan. A job that begins later is not known yet."""
    until_reference = (REFERENCE_DATE - FIRST_DAY).days - draws.day
    age = (-people.days_birth[draws.person] - until_reference) / 365.25
    employed = people.days_employed[draws.person]
    years_on_the_job = (-employed - until_reference) / 365.25
    has_job = (employed != PENSIONER_DAYS_EMPLOYED) & (years_on_the_job >= 0)
    job = np.where(has_job, 0.35 - 0.08 * np.clip(years_on_the_job, 0, 12), 0.0)
    income = np.log(people.income / 175_000)[draws.person]
    home = np.isin(people.housing, (RENTED, WITH_PARENTS))[draws.person]
    risk = -0.022 * (age - 43) + job - 0.45 * income + 0.3 * home + OCCUPATION_RISK[people.occupation][draws.person]
    return np.asarray(risk, dtype=np.float64)


def _history_risk(draws: Draws, key: Ints, begin: Ints) -> Floats:
    """Log odds from the person's loans on earlier days: how many, how many of late, and how large."""
    today = np.searchsorted(key, key)  # the first loan of the same person and day
    earlier = today - begin
    recent = today - np.maximum(begin, np.searchsorted(key, key - 30))
    total = np.concatenate([[0], np.cumsum(draws.cents)])
    mean_extra = (total[today] - total[begin]) / np.maximum(earlier, 1) / 100 - 129.53
    size = np.where(earlier > 0, 0.015 * np.clip(mean_extra, -30, 60), 0.0)
    return np.asarray(0.45 * recent - 0.30 * np.log1p(earlier) + size, dtype=np.float64)


def _bad_loans_risk(known_bad: Ints) -> Floats:
    return np.asarray(1.4 * np.log1p(np.minimum(known_bad, 4)), dtype=np.float64)


def _logistic(x: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=np.float64)


def _loans_a_person(people: int, rows: int, seed: int) -> Ints:
    """How many loans each person takes: at least one; some take few, some about sixty."""
    counts = Stream(seed, "loans a person")
    u = counts.uniform(people)
    weights = 1.0 - np.sqrt(1.0 - u)  # a triangle: many small, few large
    more = np.bincount(counts.pick(rows - people, weights * _MOST_LOANS), minlength=people)
    return 1 + more.astype(np.int64)


def best_auc(chance: Floats) -> float:
    """The AUC to expect from ranking loans by their chance; no model can do better on average.

    It is the chance that a bad loan ranks above a good one, both drawn by `chance`, ties counting half.
    """
    order = np.sort(chance)
    good_below = np.concatenate([[0.0], np.cumsum(1.0 - order)])
    first = np.searchsorted(order, order, side="left")
    last = np.searchsorted(order, order, side="right")
    won = order * (good_below[first] + good_below[last]) / 2
    pairs = order.sum() * (1.0 - order).sum()
    return float(won.sum() / pairs) if pairs > 0 else 0.5


def drawn_auc(chance: Floats, status: Ints | NDArray[np.int8]) -> float:
    """The AUC of `chance` against what was drawn (Mann and Whitney, ties counting half); 0.5 with one class only."""
    order = np.sort(chance)
    bad = chance[status == 1]
    n_bad, n_good = len(bad), len(chance) - len(bad)
    if not n_bad or not n_good:
        return 0.5
    middle = (np.searchsorted(order, bad, side="left") + np.searchsorted(order, bad, side="right") + 1) / 2
    return float((middle.sum() - n_bad * (n_bad + 1) / 2) / (n_bad * n_good))
