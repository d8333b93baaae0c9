"""Which day's landing folder each loan lies in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from featuremill.errors import UsageError
from featuremill.samples.loans import DAYS, FIRST_DAY
from featuremill.samples.streams import Bools, Ints

LAST_LANDING = date(2020, 12, 31)
"""The day of the extract: the last landing of every sample."""

_MOST_DAYS_LATE = 5


@dataclass(frozen=True)
class Placement:
    """Lines to write, ordered by landing and then by place in the file.

    `bounds[i]` to `bounds[i + 1]` are the lines of `days[i]`; `row` is the loan of a line, `wrong` marks a line that a
    later landing corrects.
    """

    days: tuple[date, ...]
    bounds: Ints
    row: Ints
    wrong: Bools


def landing_days(landings: str | int) -> tuple[date, ...]:
    """The last day that each landing takes in: `daily`, `monthly`, or a number of equal spans of time.

    The last is 2020-12-31 for all but `daily`, whose last is 2020-12-30. Raises UsageError for anything else.
    """
    text = str(landings).strip().lower()
    if text == "daily":
        return tuple(FIRST_DAY + timedelta(days=day) for day in range(DAYS))
    if text == "monthly":
        firsts = [date(2019 + month // 12, month % 12 + 1, 1) for month in range(1, 25)]
        return tuple(first - timedelta(days=1) for first in firsts)
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= DAYS:
        raise UsageError(f"landings {landings!r}: write daily, monthly, or how many landings, 1 to {DAYS}")
    number = int(text)
    ends = [FIRST_DAY + timedelta(days=DAYS * part // number - 1) for part in range(1, number)]
    return (*ends, LAST_LANDING)


def place(order: Ints, day: Ints, landings: str | int, luck: Ints, late: float, corrected: float) -> Placement:
    """Put loans into landings.

    `order` is the order of the n loans in the files, `day` their day counted from 2019-01-01, `luck` are n numbers from
    0 to 2^30 - 1, not needed where no loan is late or corrected. A share `late` of the loans lands up to 5 landings
    late; of the others a share `corrected` lands twice: first with a wrong amount, then, at most 5 landings later,
    right. A loan of the last landing has no later one, so it is neither.
    """
    days = landing_days(landings)
    ends = np.array([(end - FIRST_DAY).days for end in days], dtype=np.int64)
    landing = np.searchsorted(ends, day[order])
    if not late and not corrected:
        return _sorted(days, landing, order, np.zeros(len(order), dtype=np.bool_))
    share = luck[order] / 2.0**30
    delayed = np.minimum(landing + 1 + luck[order] % _MOST_DAYS_LATE, len(days) - 1)
    again = (share >= late) & (share < late + corrected) & (delayed > landing)
    moved = (share < late) | again
    right = np.where(moved, delayed, landing)
    return _sorted(
        days,
        np.concatenate([right, landing[again]]),
        np.concatenate([order, order[again]]),
        np.concatenate([np.zeros(len(order), dtype=np.bool_), np.ones(int(again.sum()), dtype=np.bool_)]),
    )


def _sorted(days: tuple[date, ...], landing: Ints, row: Ints, wrong: Bools) -> Placement:
    by_landing = np.argsort(landing, kind="stable")
    bounds = np.searchsorted(landing[by_landing], np.arange(len(days) + 1))
    return Placement(days, bounds.astype(np.int64), row[by_landing], wrong[by_landing])
