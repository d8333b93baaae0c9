"""Loans as lines of a CSV file."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from featuremill.samples.applicants import (
    EDUCATIONS,
    FAMILIES,
    GENDERS,
    HOUSINGS,
    INCOME_TYPES,
    OCCUPATIONS,
    REFERENCE_DATE,
    Applicants,
)
from featuremill.samples.loans import DAYS, FIRST_DAY, Loans
from featuremill.samples.streams import Bools, Ints

COLUMNS = (
    "loan_id",
    "id",
    "code_gender",
    "flag_own_car",
    "flag_own_realty",
    "cnt_children",
    "amt_income_total",
    "name_income_type",
    "name_education_type",
    "name_family_status",
    "name_housing_type",
    "days_birth",
    "days_employed",
    "flag_mobil",
    "flag_work_phone",
    "flag_phone",
    "flag_email",
    "occupation_type",
    "cnt_fam_members",
    "status",
    "birthday",
    "job_start_date",
    "loan_date",
    "loan_amount",
)


class LoanLines:
    """Loans as lines of a CSV file. Nothing in them needs quoting."""

    def __init__(self, ids: Ints, people: Applicants, loans: Loans, loan_ids: Ints) -> None:
        self._before_status = _before_status(ids, people)
        self._after_status = _after_status(people)
        self._days = [str(FIRST_DAY + timedelta(days=day)) for day in range(DAYS)]
        self._loans = loans
        self._loan_ids = loan_ids

    def lines(self, row: Ints, wrong: Bools) -> str:
        """The lines of some loans; a wrong one has lost all but its amount's hundreds."""
        loans, before, after, days = self._loans, self._before_status, self._after_status, self._days
        cents = np.where(wrong, loans.cents[row] // 100_00 * 100_00, loans.cents[row])
        columns = zip(
            self._loan_ids[row].tolist(),
            loans.person[row].tolist(),
            loans.status[row].tolist(),
            loans.day[row].tolist(),
            (cents // 100).tolist(),
            (cents % 100).tolist(),
            strict=True,
        )
        return "".join(
            f"{loan_id},{before[person]},{status},{after[person]},{days[day]},{whole}.{part:02d}\n"
            for loan_id, person, status, day, whole, part in columns
        )


def _before_status(ids: Ints, people: Applicants) -> list[str]:
    """The columns id to cnt_fam_members of each person."""
    columns = zip(
        ids.tolist(),
        _named(people.gender, GENDERS),
        _named(people.owns_car, ("N", "Y")),
        _named(people.owns_realty, ("N", "Y")),
        people.children.tolist(),
        people.income.tolist(),
        _named(people.income_type, INCOME_TYPES),
        _named(people.education, EDUCATIONS),
        _named(people.family, FAMILIES),
        _named(people.housing, HOUSINGS),
        people.days_birth.tolist(),
        people.days_employed.tolist(),
        ["1"] * len(people),
        people.work_phone.tolist(),
        people.phone.tolist(),
        people.email.tolist(),
        _named(people.occupation, OCCUPATIONS),
        people.family_members.tolist(),
        strict=True,
    )
    return [",".join(map(str, values)) for values in columns]


def _after_status(people: Applicants) -> list[str]:
    """The columns birthday and job_start_date of each person, counted from the reference date."""
    dates: dict[int, str] = {}
    for days in {*people.days_birth.tolist(), *people.days_employed.tolist()}:
        dates[days] = str(REFERENCE_DATE + timedelta(days=days))
    pairs = zip(people.days_birth.tolist(), people.days_employed.tolist(), strict=True)
    return [f"{dates[birth]},{dates[job]}" for birth, job in pairs]


def _named(codes: Ints, names: tuple[str, ...]) -> list[str]:
    return [names[code] for code in codes.tolist()]
