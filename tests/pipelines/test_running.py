"""The pipelines on their real files, against features recomputed row by row in plain Python."""

from __future__ import annotations

import csv
import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from featuremill.samples.credit_risk import generate
from featuremill.scaffold import scaffold
from tests.pipelines.running import Outcome, run
from tests.pipelines.test_pipeline_files import read
from tests.scaffold.test_scaffold import load

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def everything_is_fine(outcome: Outcome) -> bool:
    return outcome.quality.success and outcome.ingested.rows_in == outcome.ingested.rows_typed


class TestCrimes:
    @pytest.fixture(scope="class")
    def outcome(self, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
        file = shared_data / "rochester_crimes_2020-04-04.csv"
        return run(read("crimes"), file, "2020-04-04", tmp_path_factory.mktemp("crimes"))

    @pytest.fixture(scope="class")
    def raw(self, shared_data: Path) -> list[dict[str, str]]:
        with (shared_data / "rochester_crimes_2020-04-04.csv").open(newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if row["Statute_Text"] in ("Larceny", "Burglary")]
        return rows

    def test_rows(self, outcome: Outcome) -> None:
        assert everything_is_fine(outcome)
        assert Counter(row["is_burglary"] for row in outcome.training) == {0: 686, 1: 148}
        assert len(outcome.snapshot) == 834

    def test_crimes_of_the_cell(self, outcome: Outcome, raw: list[dict[str, str]]) -> None:
        """Counts and shares over earlier crimes of the same square, from the raw text."""

        def cell(row: dict[str, str]) -> tuple[int, int] | None:
            return (math.floor(float(row["x"]) * 200), math.floor(float(row["y"]) * 200)) if row["x"] else None

        found = {row["objectid"]: row for row in outcome.training}
        by_cell: dict[tuple[int, int] | None, list[dict[str, str]]] = {}
        for row in raw:
            by_cell.setdefault(cell(row), []).append(row)
        assert None in by_cell
        by_cell[None] = []
        for row in raw:
            now = int(row["Reported_Timestamp"])
            earlier = [other for other in by_cell[cell(row)] if int(other["Reported_Timestamp"]) < now]
            month = [other for other in earlier if int(other["Reported_Timestamp"]) >= now - 30 * 86_400_000]
            burglaries = [other for other in earlier if other["Statute_Text"] == "Burglary"]
            ours = found[int(row["OBJECTID"])]
            assert ours["as_of"] == EPOCH + timedelta(milliseconds=now)
            assert ours["cell_crimes_30d"] == len(month)
            assert ours["cell_burglaries_30d"] == sum(other["Statute_Text"] == "Burglary" for other in month)
            share = len(burglaries) / len(earlier) if earlier else None
            assert ours["cell_share_burglaries"] == (None if share is None else pytest.approx(share))

    def test_own_values(self, outcome: Outcome, raw: list[dict[str, str]]) -> None:
        found = {row["objectid"]: row for row in outcome.training}
        for row in raw:
            ours = found[int(row["OBJECTID"])]
            start, end = int(row["OccurredFrom_Timestamp"]), int(row["OccurredThrough_Timestamp"])
            assert ours["has_place"] == int(row["x"] != "")
            assert ours["hours_uncertain"] == pytest.approx((end - start) / 3_600_000)
            occurred = EPOCH + timedelta(milliseconds=start)
            assert ours["minute_of_day_occurred"] == occurred.hour * 60 + occurred.minute

    def test_statutes_lose_their_trailing_blanks(self, outcome: Outcome) -> None:
        statutes = {row["cell_last_statute"] for row in outcome.training} - {None}
        assert "Petit Larceny" in statutes
        assert all(statute == statute.strip() for statute in statutes)


@pytest.mark.parametrize(("file", "rows", "sick"), [("heart_train.csv", 242, 111), ("heart_test.csv", 61, 28)])
def test_heart(file: str, rows: int, sick: int, shared_data: Path, tmp_path: Path) -> None:
    outcome = run(read("heart"), shared_data / file, "2019-06-30", tmp_path)
    assert everything_is_fine(outcome)
    assert len(outcome.training) == len(outcome.snapshot) == rows
    assert sum(row["narrowing-diagnosis"] for row in outcome.training) == sick
    with (shared_data / file).open(newline="") as stream:
        unknown = sum(row["colored-vessels"] == "?" for row in csv.DictReader(stream))
    assert sum(row["colored_vessels"] is None for row in outcome.training) == unknown > 0


class TestCreditRisk:
    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("credit_risk")

    @pytest.fixture(scope="class")
    def sample(self, folder: Path) -> Path:
        return generate(3_000, out=folder / "landing").files[0]

    @pytest.fixture(scope="class")
    def outcome(self, sample: Path, folder: Path) -> Outcome:
        return run(read("credit_risk"), sample, "2020-12-31", folder / "run")

    def test_rows(self, outcome: Outcome) -> None:
        assert everything_is_fine(outcome)
        assert len(outcome.training) == 3_000
        assert len(outcome.snapshot) == round(3_000 * 36_457 / 777_715)

    def test_features_of_each_loan(self, outcome: Outcome, sample: Path) -> None:
        with sample.open(newline="") as stream:
            raw = list(csv.DictReader(stream))
        by_id: dict[str, list[dict[str, Any]]] = {}
        for row in raw:
            by_id.setdefault(row["id"], []).append({**row, "day": date.fromisoformat(row["loan_date"])})
        found = {row["loan_id"]: row for row in outcome.training}
        for loans in by_id.values():
            for loan in loans:
                ours = found[int(loan["loan_id"])]
                earlier = [other for other in loans if other["day"] < loan["day"]]
                assert ours["nb_previous_loans"] == len(earlier)
                amounts = [float(other["loan_amount"]) for other in earlier]
                mean = pytest.approx(sum(amounts) / len(amounts)) if amounts else None
                assert ours["avg_amount_loans_previous"] == mean
                ages = [((loan["day"] - other["day"]).days, other["status"]) for other in earlier]
                assert ours["loans_30d"] == sum(age <= 30 for age, _ in ages)
                assert ours["bad_loans_365d"] == sum(status == "1" and 60 <= age <= 365 for age, status in ages)

    def test_a_job_that_begins_later_is_not_known(self, outcome: Outcome) -> None:
        years = [row["years_on_the_job"] for row in outcome.training]
        assert None in years
        assert all(year >= 0 for year in years if year is not None)
        assert all(row["years_on_the_job"] is None for row in outcome.training if row["is_pensioner"])


@pytest.mark.parametrize(
    ("file", "ds"),
    [
        ("rochester_crimes_2020-04-04.csv", "2020-04-04"),
        ("heart_train.csv", "2019-06-30"),
        ("heart_test.csv", "2019-06-30"),
        ("applicants.csv", "2021-01-01"),
        ("onet_occupations.tsv", "2021-01-01"),
        ("onet_technology_skills.tsv", "2021-01-01"),
    ],
)
def test_scaffolds_run_as_they_are(file: str, ds: str, shared_data: Path, tmp_path: Path) -> None:
    """What `featuremill new` writes takes every row of the file that it was written from."""
    made = scaffold("real", shared_data / file)
    outcome = run(load(made.text, tmp_path), shared_data / file, made.ds or ds, tmp_path / "run")
    assert everything_is_fine(outcome)
    assert outcome.ingested.rows_typed == made.rows
    assert outcome.snapshot
