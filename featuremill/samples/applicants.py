"""People who apply for credit: the demographic half of the credit risk sample.

The shares are round numbers near those of the public credit card applicants. What hangs together in life hangs
together here: pensioners are old and have no job, income goes with gender, education and kind of income, children with
the family, the job with gender.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date

import numpy as np

from featuremill.samples.streams import Bools, Floats, Ints, Stream, pick

REFERENCE_DATE = date(2021, 9, 17)
"""The day that days_birth and days_employed count from; 365,243 days later is 3021-09-18."""

PENSIONER_DAYS_EMPLOYED = 365_243

GENDERS = ("F", "M")
INCOME_TYPES = ("Working", "Commercial associate", "Pensioner", "State servant", "Student")
EDUCATIONS = (
    "Secondary / secondary special",
    "Higher education",
    "Incomplete higher",
    "Lower secondary",
    "Academic degree",
)
FAMILIES = ("Married", "Single / not married", "Civil marriage", "Separated", "Widow")
HOUSINGS = (
    "House / apartment",
    "With parents",
    "Municipal apartment",
    "Rented apartment",
    "Office apartment",
    "Co-op apartment",
)
PENSIONER = INCOME_TYPES.index("Pensioner")
STUDENT = INCOME_TYPES.index("Student")
WITH_PARENTS = HOUSINGS.index("With parents")
RENTED = HOUSINGS.index("Rented apartment")

# occupation, weight among women, weight among men, log odds of a bad loan
_OCCUPATIONS: tuple[tuple[str, float, float, float], ...] = (
    ("", 14.5, 15.0, 0.15),
    ("Laborers", 14.0, 33.0, 0.30),
    ("Core staff", 15.5, 8.0, -0.15),
    ("Sales staff", 18.0, 5.0, 0.20),
    ("Managers", 9.5, 12.5, -0.35),
    ("Drivers", 0.4, 21.5, 0.25),
    ("High skill tech staff", 6.5, 4.2, -0.40),
    ("Medicine staff", 6.6, 0.6, -0.30),
    ("Accountants", 5.2, 0.2, -0.50),
    ("Cooking staff", 4.3, 0.8, 0.20),
    ("Security staff", 1.3, 3.9, 0.25),
    ("Cleaning staff", 2.3, 0.5, 0.25),
    ("Private service staff", 1.8, 0.1, 0.00),
    ("Secretaries", 0.6, 0.1, -0.20),
    ("Waiters/barmen staff", 0.6, 0.1, 0.45),
    ("IT staff", 0.1, 0.8, -0.10),
    ("Low-skill Laborers", 0.1, 0.9, 0.80),
    ("Realty agents", 0.5, 0.1, 0.10),
    ("HR staff", 0.4, 0.1, -0.20),
)
OCCUPATIONS = tuple(name for name, _, _, _ in _OCCUPATIONS)
OCCUPATION_RISK = np.array([risk for _, _, _, risk in _OCCUPATIONS])

_INCOME_TYPE_WEIGHTS = (50.2, 25.0, 17.3, 7.4, 0.1)
_INCOME_TYPE_EFFECT = np.array([-0.04, 0.16, -0.21, 0.10, -0.02])
_EDUCATION_WEIGHTS = (69.3, 25.3, 4.0, 1.3, 0.1)
_EDUCATION_EFFECT = np.array([-0.06, 0.18, 0.12, -0.12, 0.20])
_HOUSING_WEIGHTS = (89.6, 4.7, 3.2, 1.8, 0.5, 0.2)
_LOG_INCOME = 12.02
_LOG_INCOME_SPREAD = 0.44
_INCOME_STEP = 4_500

# Quantiles 0, 1/8, ... 1, of age in years and of days with the present employer.
_EIGHTHS = np.linspace(0.0, 1.0, 9)
_AGE_OF_WORKERS = np.array([20.6, 29.6, 33.4, 36.8, 40.2, 43.8, 47.6, 52.2, 66.0])
_AGE_OF_PENSIONERS = np.array([42.0, 55.2, 57.3, 59.0, 60.4, 61.8, 63.2, 65.0, 68.8])
_DAYS_WITH_EMPLOYER = np.array([17.0, 480.0, 994.0, 1_490.0, 2_030.0, 2_760.0, 3_650.0, 5_250.0, 15_600.0])
_DAYS_A_YEAR = 365.25
_LOAN_SCALE_SPREAD = 0.433
_LOAN_SCALE_RANGE = (-3.0, 2.2)
_LOAN_SCALE_MEAN = 1.09195
"""The mean of exp(0.433 z) for a standard normal z kept within the range."""
_WORK_FROM_AGE = 18.0


@dataclass(frozen=True)
class Applicants:
    """One person an index. Names are codes into the tuples of this module; income is in whole units a year."""

    gender: Ints
    owns_car: Ints
    owns_realty: Ints
    children: Ints
    income: Ints
    income_type: Ints
    education: Ints
    family: Ints
    housing: Ints
    days_birth: Ints
    days_employed: Ints
    work_phone: Ints
    phone: Ints
    email: Ints
    occupation: Ints
    family_members: Ints
    loan_scale: Floats
    """How large this person's loans are, 1 on average."""

    def __len__(self) -> int:
        return len(self.gender)

    def part(self, start: int, stop: int) -> Applicants:
        """The people start to stop - 1."""
        return Applicants(**{field.name: getattr(self, field.name)[start:stop] for field in fields(self)})


def draw_applicants(n: int, seed: int) -> Applicants:
    """`n` people, the same for the same seed; the first people of a larger `n` are other people."""
    people = Stream(seed, "applicants")
    gender = people.pick(n, (66.7, 33.3))
    income_type = people.pick(n, _INCOME_TYPE_WEIGHTS)
    pensioner = income_type == PENSIONER
    education = people.pick(n, _EDUCATION_WEIGHTS)
    age = _draw_age(people, income_type)
    family, children, members = _draw_family(people, age)
    days_employed = _draw_employment(people, age, pensioner)
    income_z = people.normal(n)
    return Applicants(
        gender=gender,
        owns_car=_flag(people, np.where(gender == 1, 0.62, 0.32) * np.where(pensioner, 0.6, 1.06)),
        owns_realty=_flag(people, np.full(n, 0.698)),
        children=children,
        income=_income(income_z, people.uniform(n), gender, income_type, education),
        income_type=income_type,
        education=education,
        family=family,
        housing=_draw_housing(people, age),
        days_birth=-np.floor(age * _DAYS_A_YEAR).astype(np.int64),
        days_employed=days_employed,
        work_phone=_flag(people, np.where(pensioner, 0.01, 0.218)),
        phone=_flag(people, np.full(n, 0.296)),
        email=_flag(people, np.full(n, 0.116)),
        occupation=_draw_occupation(people, gender, pensioner),
        family_members=members,
        loan_scale=_loan_scale(income_z, people.normal(n)),
    )


def _flag(people: Stream, share: Floats) -> Ints:
    return (people.uniform(len(share)) < share).astype(np.int64)


def _draw_age(people: Stream, income_type: Ints) -> Floats:
    u = people.uniform(len(income_type))
    workers = np.interp(u, _EIGHTHS, _AGE_OF_WORKERS)
    pensioners = np.interp(u, _EIGHTHS, _AGE_OF_PENSIONERS)
    students = 20.6 + 9.0 * u
    ages = np.select([income_type == PENSIONER, income_type == STUDENT], [pensioners, students], workers)
    return np.asarray(ages, dtype=np.float64)


def _draw_employment(people: Stream, age: Floats, pensioner: Bools) -> Ints:
    """Days since the present job began, negative; pensioners have the data set's own odd mark."""
    u = people.uniform(len(age))
    days = np.minimum(np.interp(u, _EIGHTHS, _DAYS_WITH_EMPLOYER), (age - _WORK_FROM_AGE) * _DAYS_A_YEAR)
    return np.where(pensioner, PENSIONER_DAYS_EMPLOYED, -np.floor(days).astype(np.int64))


def _draw_family(people: Stream, age: Floats) -> tuple[Ints, Ints, Ints]:
    """Family status, children and members of the family; a partner counts as a member."""
    n = len(age)
    u, v = people.uniform(n), people.uniform(n)
    young = pick(u, (60.0, 24.0, 11.0, 4.9, 0.1))
    middle = pick(u, (75.0, 8.5, 8.0, 7.2, 1.3))
    old = pick(u, (69.0, 6.5, 5.0, 6.5, 13.0))
    family = np.select([age < 30, age < 55], [young, middle], old)
    partner = (family == 0) | (family == 2)
    with_partner = pick(v, (54.5, 29.5, 13.3, 2.5, 0.2))
    alone = pick(v, (75.0, 20.0, 4.5, 0.5, 0.0))
    late = pick(v, (95.0, 4.0, 0.9, 0.1, 0.0))
    children = np.select([age >= 55, partner], [late, with_partner], alone)
    return family, children, children + 1 + partner


def _draw_housing(people: Stream, age: Floats) -> Ints:
    housing = people.pick(len(age), _HOUSING_WEIGHTS)
    moves_back = people.uniform(len(age)) < 0.12
    at_home = np.where((housing == WITH_PARENTS) & (age > 45), 0, housing)
    return np.where((housing == 0) & (age < 30) & moves_back, WITH_PARENTS, at_home)


def _draw_occupation(people: Stream, gender: Ints, pensioner: Bools) -> Ints:
    u = people.uniform(len(gender))
    women = pick(u, [weight for _, weight, _, _ in _OCCUPATIONS])
    men = pick(u, [weight for _, _, weight, _ in _OCCUPATIONS])
    return np.where(pensioner, 0, np.where(gender == 1, men, women))


def _income(z: Floats, u: Floats, gender: Ints, income_type: Ints, education: Ints) -> Ints:
    """Yearly income: lognormal, mostly rounded to 22,500, else to 4,500."""
    effect = _INCOME_TYPE_EFFECT[income_type] + _EDUCATION_EFFECT[education] + np.where(gender == 1, 0.15, -0.07)
    income = np.exp(np.clip(_LOG_INCOME + effect + _LOG_INCOME_SPREAD * z, 10.4, 14.2))
    step = np.where(u < 0.75, 5 * _INCOME_STEP, _INCOME_STEP)
    return np.asarray(np.maximum(np.rint(income / step), 1.0) * step, dtype=np.int64)


def _loan_scale(income_z: Floats, own_z: Floats) -> Floats:
    """A factor on loan amounts, of mean 1; larger for people who earn more than their like.

    One exponential for everybody would have a median of 120.47; the published median of 118.24 and maximum of 819.87
    are those of a mixture of exponentials whose means differ by this much.
    """
    z = np.clip(0.6 * income_z + 0.8 * own_z, *_LOAN_SCALE_RANGE)
    return np.asarray(np.exp(_LOAN_SCALE_SPREAD * z) / _LOAN_SCALE_MEAN, dtype=np.float64)
