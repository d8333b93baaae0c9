"""The credit risk sample against the published figures of the data set that it stands in for."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from featuremill.errors import UsageError
from featuremill.samples import SAMPLES, sample
from featuremill.samples.credit_risk import SampleReport, generate
from featuremill.samples.loan_lines import COLUMNS

PUBLISHED_COLUMNS = (
    "loan_id,id,code_gender,flag_own_car,flag_own_realty,cnt_children,amt_income_total,name_income_type,"
    "name_education_type,name_family_status,name_housing_type,days_birth,days_employed,flag_mobil,flag_work_phone,"
    "flag_phone,flag_email,occupation_type,cnt_fam_members,status,birthday,job_start_date,loan_date,loan_amount"
)
SMALL = 5_000
GOLDEN = "204ae196fd1ed3cb5fd7bf22cff58d702b7ecdd28a74831d49ad9db8c7c2d29d"
"""SHA-256 of the sample of 1,000 loans."""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> SampleReport:
    """The sample at its published size."""
    return generate(out=tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def loans(full: SampleReport) -> Iterator[duckdb.DuckDBPyConnection]:
    """The full sample as the table `loans`, read by a CSV reader that is not ours."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE loans AS FROM read_csv('{full.files[0]}', header = true)")
    yield connection
    connection.close()


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row


def lines_of(report: SampleReport) -> Counter[str]:
    """All lines but the headers."""
    return Counter(line for file in report.files for line in file.read_text().splitlines()[1:])


class TestPublishedFigures:
    def test_columns_in_their_order(self, full: SampleReport) -> None:
        with full.files[0].open() as stream:
            assert stream.readline() == PUBLISHED_COLUMNS + "\n"
        assert ",".join(COLUMNS) == PUBLISHED_COLUMNS

    def test_rows_and_ids(self, loans: duckdb.DuckDBPyConnection) -> None:
        found = one(loans, "SELECT count(*), count(DISTINCT loan_id), count(DISTINCT id), min(id), max(id) FROM loans")
        assert found == (777_715, 777_715, 36_457, 5_008_804, 5_150_487)

    def test_loan_dates(self, loans: duckdb.DuckDBPyConnection) -> None:
        found = one(loans, "SELECT min(loan_date), max(loan_date), count(DISTINCT loan_date) FROM loans")
        assert found == (date(2019, 1, 1), date(2020, 12, 30), 730)

    def test_loan_amounts(self, loans: duckdb.DuckDBPyConnection) -> None:
        low, middle, mean, high = one(
            loans, "SELECT min(loan_amount), median(loan_amount), avg(loan_amount), max(loan_amount) FROM loans"
        )
        assert low == 100.0
        assert middle == pytest.approx(118.24, abs=0.3)
        assert mean == pytest.approx(129.53, abs=0.3)
        assert high == pytest.approx(819.87, rel=0.15)

    def test_share_of_bad_loans(self, full: SampleReport, loans: duckdb.DuckDBPyConnection) -> None:
        (share,) = one(loans, "SELECT avg(status) FROM loans")
        assert share == pytest.approx(0.01488, abs=0.0005)
        assert full.base_rate == pytest.approx(share, abs=1e-8)

    def test_pensioners(self, loans: duckdb.DuckDBPyConnection) -> None:
        marks = loans.execute(
            "SELECT DISTINCT name_income_type = 'Pensioner', days_employed = 365243, job_start_date = '3021-09-18' "
            "FROM loans"
        ).fetchall()
        assert sorted(marks) == [(False, False, False), (True, True, True)]
        (share,) = one(loans, "SELECT avg((days_employed = 365243)::int) FROM loans")
        assert share == pytest.approx(0.173, abs=0.015)

    def test_occupation_is_often_empty(self, loans: duckdb.DuckDBPyConnection) -> None:
        (share,) = one(loans, "SELECT avg((occupation_type IS NULL)::int) FROM loans")
        assert share == pytest.approx(0.29, abs=0.03)

    def test_rows_are_in_no_order(self, full: SampleReport) -> None:
        with full.files[0].open() as stream:
            stream.readline()
            rows = [stream.readline().split(",") for _ in range(2_000)]
        for column in (0, 1, 22):
            rising = sum(a[column] <= b[column] for a, b in zip(rows, rows[1:], strict=False))
            assert rising == pytest.approx(1_000, abs=120)

    def test_loans_of_one_id_on_the_same_day(self, loans: duckdb.DuckDBPyConnection) -> None:
        (same_day,) = one(loans, "SELECT count(*) - count(DISTINCT (id, loan_date)) FROM loans")
        assert isinstance(same_day, int) and same_day > 10_000


class TestPeople:
    def test_a_person_is_the_same_in_all_loans(self, loans: duckdb.DuckDBPyConnection) -> None:
        described = ", ".join(c for c in COLUMNS if c not in ("loan_id", "status", "loan_date", "loan_amount"))
        (people,) = one(loans, f"SELECT count(*) FROM (SELECT DISTINCT {described} FROM loans)")
        assert people == 36_457

    def test_dates_are_days_from_one_reference_day(self, loans: duckdb.DuckDBPyConnection) -> None:
        found = loans.execute(
            "SELECT DISTINCT birthday - days_birth::int, job_start_date - days_employed::int FROM loans"
        )
        assert found.fetchall() == [(date(2021, 9, 17), date(2021, 9, 17))]

    def test_nobody_works_before_18_or_borrows_before_that(self, loans: duckdb.DuckDBPyConnection) -> None:
        job = one(loans, "SELECT min(job_start_date - birthday) FROM loans WHERE job_start_date < '3000-01-01'")
        assert job[0] >= 18 * 365
        assert one(loans, "SELECT min(loan_date - birthday) FROM loans")[0] >= 17 * 365

    def test_a_partner_counts_as_family(self, loans: duckdb.DuckDBPyConnection) -> None:
        (wrong,) = one(
            loans,
            "SELECT count(*) FROM loans WHERE cnt_fam_members - cnt_children != "
            "CASE WHEN name_family_status IN ('Married', 'Civil marriage') THEN 2 ELSE 1 END",
        )
        assert wrong == 0


class TestWhatCanBeLearnt:
    def test_truth_beside_the_data(self, full: SampleReport) -> None:
        truth = json.loads(full.truth.read_text())
        assert full.truth == full.folder / "_truth.json"
        assert (truth["rows"], truth["seed"]) == (777_715, full.seed)
        assert truth["best_auc"] == full.auc == pytest.approx(0.75, abs=0.005)
        assert truth["drawn_auc"] == pytest.approx(truth["best_auc"], abs=0.01)
        assert truth["loan_amount"]["median"] == pytest.approx(118.24, abs=0.3)
        assert truth["loan_date"] == {"first": "2019-01-01", "last": "2020-12-30", "days": 730}

    def test_known_bad_loans_show_in_the_data(self, loans: duckdb.DuckDBPyConnection) -> None:
        """Seen from the rows alone: who has a bad loan that was known already goes bad more often."""
        rates = loans.execute("""
            SELECT EXISTS (FROM loans AS b WHERE b.id = a.id AND b.status = 1
                           AND b.loan_date BETWEEN a.loan_date - 365 AND a.loan_date - 60) AS known_bad, avg(status)
            FROM loans AS a GROUP BY ALL ORDER BY ALL""").fetchall()
        assert rates[1][1] > 3 * rates[0][1]


class TestSameBytes:
    def test_same_seed_same_bytes_in_another_process(self, tmp_path: Path) -> None:
        mine = generate(SMALL, out=tmp_path / "a", seed=7)
        code = (
            "import sys; from pathlib import Path; from featuremill.samples.credit_risk import generate; "
            f"generate({SMALL}, out=Path(sys.argv[1]), seed=7)"
        )
        environment = {**os.environ, "PYTHONHASHSEED": "5", "OMP_NUM_THREADS": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "b")], check=True, env=environment)
        for file in (*mine.files, mine.truth):
            assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()

    def test_another_seed_is_another_sample(self, tmp_path: Path) -> None:
        one_seed, other = (lines_of(generate(SMALL, out=tmp_path / str(seed), seed=seed)) for seed in (1, 2))
        assert not one_seed & other

    def test_the_sample_is_what_it_was(self, tmp_path: Path) -> None:
        """A change of these bytes changes everybody's figures: do it on purpose, and say so."""
        report = generate(1_000, out=tmp_path)
        assert hashlib.sha256(report.files[0].read_bytes()).hexdigest() == GOLDEN

    @pytest.mark.parametrize("rows", [1, 2, 3, 21, 22, 43, 44, 100, 3_000])
    def test_any_size(self, rows: int, tmp_path: Path) -> None:
        report = generate(rows, out=tmp_path)
        fields = [line.split(",") for line in lines_of(report)]
        assert len(fields) == rows == report.rows
        assert {len(row) for row in fields} == {24}
        ids = {int(row[1]) for row in fields}
        assert min(ids) == 5_008_804
        assert len(ids) == report.ids == max(1, round(rows * 36_457 / 777_715))
        assert sorted(int(row[0]) for row in fields) == list(range(1, rows + 1))

    def test_no_rows_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="at least one"):
            generate(0, out=tmp_path)


class TestLandings:
    @pytest.fixture(scope="class")
    def whole(self, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
        return lines_of(generate(SMALL, out=tmp_path_factory.mktemp("whole")))

    @pytest.mark.parametrize(("landings", "files"), [("daily", 730), ("monthly", 24), (1, 1), (7, 7), ("3", 3)])
    def test_split_or_not_the_same_loans(
        self, landings: str | int, files: int, whole: Counter[str], tmp_path: Path
    ) -> None:
        report = generate(SMALL, out=tmp_path, landings=landings)
        assert len(report.files) == files
        assert lines_of(report) == whole
        for file in report.files:
            landed = file.parent.name.removeprefix("ds=")
            assert all(line.split(",")[22] <= landed for line in file.read_text().splitlines()[1:])

    def test_folders(self, tmp_path: Path) -> None:
        report = generate(SMALL, out=tmp_path)
        assert [str(file.relative_to(tmp_path)) for file in report.files] == [
            "credit_risk/loans/ds=2020-12-31/loans.csv"
        ]

    def test_daily_is_the_day_of_the_loan(self, tmp_path: Path) -> None:
        for file in generate(SMALL, out=tmp_path, landings="daily").files:
            assert {line.split(",")[22] for line in file.read_text().splitlines()[1:]} <= {file.parent.name[3:]}

    def test_months_end_where_they_end(self, tmp_path: Path) -> None:
        days = [file.parent.name[3:] for file in generate(SMALL, out=tmp_path, landings="monthly").files]
        assert days[:3] == ["2019-01-31", "2019-02-28", "2019-03-31"]
        assert days[-1] == "2020-12-31"
        assert all((date.fromisoformat(day) + timedelta(days=1)).day == 1 for day in days)

    def test_corrected_and_late_loans(self, whole: Counter[str], tmp_path: Path) -> None:
        report = generate(SMALL, out=tmp_path, landings="monthly", late=0.05, corrected=0.05)
        newest: dict[str, str] = {}
        late = twice = 0
        for file in report.files:
            month = file.parent.name[3:10]
            for line in file.read_text().splitlines()[1:]:
                loan_id = line.split(",")[0]
                twice += loan_id in newest
                late += loan_id not in newest and line.split(",")[22][:7] < month
                newest[loan_id] = line
        assert Counter(newest.values()) == whole
        assert twice == pytest.approx(0.05 * SMALL, rel=0.3)
        assert late == pytest.approx(0.05 * SMALL, rel=0.3)
        assert report.lines == SMALL + twice

    @pytest.mark.parametrize("landings", ["weekly", 0, -1, 731, "1.5", ""])
    def test_what_landings_cannot_be(self, landings: str | int, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="daily, monthly"):
            generate(10, out=tmp_path, landings=landings)

    def test_landings_of_another_sample_are_not_mixed_in(self, tmp_path: Path) -> None:
        generate(SMALL, out=tmp_path, landings="monthly")
        with pytest.raises(UsageError, match="ds=2019-01-31"):
            generate(SMALL, out=tmp_path)
        report = generate(SMALL, out=tmp_path, replace=True)
        assert [path.name for path in report.folder.glob("ds=*")] == ["ds=2020-12-31"]

    def test_progress_reaches_its_end(self, tmp_path: Path) -> None:
        seen: list[tuple[int, int]] = []
        generate(200_000, out=tmp_path, progress=lambda done, total: seen.append((done, total)))
        assert len(seen) > 2
        assert seen == sorted(seen)
        assert seen[-1] == (200_000, 200_000)


class TestRegistry:
    def test_every_sample_generates(self, tmp_path: Path) -> None:
        for name in SAMPLES:
            assert sample(name).generate(100, out=tmp_path).rows == 100

    def test_unknown_sample(self) -> None:
        with pytest.raises(UsageError, match="credit_risk"):
            sample("credit")
