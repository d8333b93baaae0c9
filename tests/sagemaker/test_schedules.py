"""When a model is due: never twice for a day, always when the schedule passed."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featuremill.errors import UsageError
from featuremill.sagemaker.schedules import due, fires_between


@pytest.mark.parametrize(
    ("schedule", "last", "ds", "fires"),
    [
        ("@daily", "2024-01-01", "2024-01-02", True),
        ("@daily", "2024-01-01", "2024-01-01", False),
        ("@hourly", "2024-01-01", "2024-01-02", True),
        ("@weekly", "2024-01-01", "2024-01-05", False),  # a Monday; weeks begin on Sunday, the 7th, at 00:00
        ("@weekly", "2024-01-01", "2024-01-06", True),  # the 6th ends at that midnight
        ("@weekly", "2024-01-06", "2024-01-12", False),
        ("@weekly", "2024-01-06", "2024-01-13", True),
        ("@monthly", "2024-01-31", "2024-02-28", False),
        ("@monthly", "2024-01-31", "2024-02-29", True),
        ("@quarterly", "2024-01-01", "2024-03-30", False),
        ("@quarterly", "2024-01-01", "2024-03-31", True),
        ("@yearly", "2024-01-01", "2024-12-30", False),
        ("@yearly", "2024-01-01", "2024-12-31", True),
        ("0 6 * * *", "2024-01-01", "2024-01-02", True),
        ("30 6 * * mon", "2024-01-01", "2024-01-07", False),
        ("30 6 * * mon", "2024-01-01", "2024-01-08", True),
        ("0 0 13 * fri", "2024-01-01", "2024-01-04", True),  # either the 13th or a Friday
        ("0 0 1-7 jan,jul *", "2024-01-10", "2024-06-29", False),
        ("0 0 1-7 jan,jul *", "2024-01-10", "2024-06-30", True),
        ("0 0 */10 * *", "2024-01-01", "2024-01-10", True),
        ("0 0 */10 * *", "2024-01-01", "2024-01-09", False),
        ("0 0 31 2 *", "2024-01-01", "2027-01-01", False),
    ],
)
def test_schedules(schedule: str, last: str, ds: str, fires: bool) -> None:
    assert fires_between(schedule, date.fromisoformat(last), date.fromisoformat(ds)) is fires


@given(
    last=st.dates(date(2024, 1, 1), date(2024, 12, 31)),
    days=st.integers(0, 40),
    hour=st.integers(0, 23),
    day=st.one_of(st.none(), st.integers(1, 31)),
    weekday=st.one_of(st.none(), st.integers(0, 7)),
)
def test_schedules_agree_with_looking_at_every_hour(
    last: date, days: int, hour: int, day: int | None, weekday: int | None
) -> None:
    ds = last + timedelta(days=days)
    text = f"0 {hour} {'*' if day is None else day} * {'*' if weekday is None else weekday}"
    moment = datetime(last.year, last.month, last.day) + timedelta(days=1, hours=1)
    end = datetime(ds.year, ds.month, ds.day) + timedelta(days=1)
    fires = False
    while moment <= end:
        of_month = day is None or moment.day == day
        of_week = weekday is None or moment.isoweekday() % 7 == weekday % 7
        fits = of_month or of_week if day is not None and weekday is not None else of_month and of_week
        fires = fires or (moment.hour == hour and fits)
        moment += timedelta(hours=1)
    assert fires_between(text, last, ds) is fires


@pytest.mark.parametrize("schedule", ["daily", "0 0 * *", "61 0 * * *", "0 0 * foo *", "*/0 0 * * *", "5-3 0 * * *"])
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(UsageError, match="schedule"):
        fires_between(schedule, date(2024, 1, 1), date(2024, 1, 2))


@pytest.mark.parametrize(
    ("schedule", "ds", "trained", "more", "is_due", "said"),
    [
        (None, "2024-01-02", [], {}, True, "no model yet"),
        (None, "2024-01-02", ["2024-01-01"], {}, False, "no schedule asks"),
        ("@once", "2024-01-02", ["2024-01-01"], {}, False, "no schedule asks"),
        ("@daily", "2024-01-02", ["2024-01-01"], {}, True, "@daily"),
        ("@monthly", "2024-01-02", ["2024-01-01"], {}, False, "asks for none since 2024-01-01"),
        ("@monthly", "2024-01-02", ["2024-01-01"], {"drift": "PSI of income 0.4"}, True, "PSI of income"),
        ("@monthly", "2024-01-02", ["2024-01-01"], {"has_model": False}, True, "no model was accepted"),
        ("@monthly", "2024-01-02", ["2024-01-01"], {"by_hand": True}, True, "asked for"),
        ("@daily", "2023-12-30", ["2024-01-01"], {}, False, "trained for 2024-01-01 already"),
        (None, "2024-01-01", ["2024-01-01"], {}, True, "this run's"),
    ],
)
def test_when_a_model_is_due(
    schedule: str | None, ds: str, trained: list[str], more: dict[str, object], is_due: bool, said: str
) -> None:
    found = due(schedule, ds, trained, **more)  # type: ignore[arg-type]
    assert found.is_due is is_due
    assert said in found.reason
