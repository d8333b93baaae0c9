"""When a model is due."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from featuremill.errors import UsageError

_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_LONGEST_LOOK = 366 * 5


@dataclass(frozen=True)
class Due:
    """Whether a model is trained for a `ds`, and why (not), in words."""

    is_due: bool
    reason: str


def due(
    schedule: str | None,
    ds: str,
    trained: Iterable[str],
    *,
    has_model: bool = True,
    drift: str | None = None,
    by_hand: bool = False,
) -> Due:
    """Whether a model is due for `ds`.

    `trained`: the days for which models were trained. `has_model`: one of them was accepted. `drift`: in words, if
    the features moved too far. Without schedule a model is trained once. A run for an earlier day than the last
    training trains nothing, unless by hand. A day that has its model has it when it is run again: training that model
    anew is for its fingerprint to decide.
    """
    days = sorted(set(trained))
    if by_hand:
        return Due(True, "asked for")
    if not days:
        return Due(True, "there is no model yet")
    last = days[-1]
    if ds in days:
        return Due(True, f"the model of {ds} is this run's")
    if ds < last:
        return Due(False, f"a model was trained for {last} already")
    if drift is not None:
        return Due(True, drift)
    if not has_model:
        return Due(True, "no model was accepted yet")
    if schedule is None or schedule == "@once":
        return Due(False, f"trained for {last}, and no schedule asks for another")
    if fires_between(schedule, date.fromisoformat(last), date.fromisoformat(ds)):
        return Due(True, f"schedule {schedule}, last trained for {last}")
    return Due(False, f"schedule {schedule} asks for none since {last}")


def fires_between(schedule: str, last: date, ds: date) -> bool:
    """Whether a schedule fires after the end of day `last`, up to and with the end of day `ds` (both midnights, UTC).

    Raises UsageError for a schedule that is neither a preset nor five fields of cron.
    """
    fields = _fields(schedule)
    start, end = last + timedelta(days=1), ds + timedelta(days=1)
    if end <= start:
        return False
    start = max(start, end - timedelta(days=_LONGEST_LOOK))
    day = start
    while day < end:
        # Midnight of the first day itself belongs to the last training.
        if fields.fires_on(day) and (day > start or fields.times != {(0, 0)}):
            return True
        day += timedelta(days=1)
    return fields.fires_on(end) and (0, 0) in fields.times


@dataclass(frozen=True)
class _Fields:
    times: set[tuple[int, int]]
    days: set[int]
    months: set[int]
    weekdays: set[int]
    either_day: bool

    def fires_on(self, day: date) -> bool:
        """As cron has it: if day of month and weekday are both given, one of them is enough."""
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        fits = of_month or of_week if self.either_day else of_month and of_week
        return fits and day.month in self.months


def _fields(schedule: str) -> _Fields:
    texts = _PRESETS.get(schedule, schedule).lower().split()
    if len(texts) != 5:
        raise UsageError(f"{schedule!r} is not a schedule; write @daily, or five fields of cron like 0 6 * * *")
    minute, hour, day, month, weekday = texts
    minutes, hours = _values(schedule, minute, 0, 59), _values(schedule, hour, 0, 23)
    weekdays = {number % 7 for number in _values(schedule, weekday, 0, 7, _WEEKDAYS)}
    either = not day.startswith(("*", "?")) and not weekday.startswith(("*", "?"))
    return _Fields(
        times={(one, other) for one in hours for other in minutes},
        days=_values(schedule, day, 1, 31),
        months=_values(schedule, month, 1, 12, _MONTHS),
        weekdays=weekdays,
        either_day=either,
    )


def _values(schedule: str, text: str, least: int, most: int, names: dict[str, int] | None = None) -> set[int]:
    """The numbers of one field: `*`, `3`, `1-5`, `*/15`, `1-31/2`, lists of them, names of months and weekdays."""

    def number(word: str) -> int:
        value = (names or {}).get(word, int(word) if word.isdigit() else -1)
        if not least <= value <= most:
            raise UsageError(f"schedule {schedule!r}: {word!r} is not a number from {least} to {most}")
        return value

    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            low, high = least, most
        elif dash:
            low, high = number(first), number(last)
        else:
            low = number(first)
            high = most if step else low
        if step and (not step.isdigit() or int(step) < 1):
            raise UsageError(f"schedule {schedule!r}: {step!r} is not a step; write a whole number like */15")
        found |= set(range(low, high + 1, int(step or 1)))
    if not found:
        raise UsageError(f"schedule {schedule!r}: {text!r} names no time at all")
    return found
