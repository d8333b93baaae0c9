"""An unchanged source raises no alarm, a changed one does; and why training rows are no reference."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from featuremill.local_engine.engine import LocalEngine
from featuremill.local_engine.session import LocalSettings
from featuremill.monitoring.measuring import Measured, measure
from featuremill.monitoring.reading import StoredTable
from featuremill.samples.credit_risk import generate
from featuremill.spec.columns import feature_columns
from featuremill.steps.jobs import IngestJob, PartitionInput, SourceInput, TableJob
from featuremill.warehouse.storage import Warehouse
from tests.pipelines.running import raw_file
from tests.pipelines.test_pipeline_files import read
from tests.warehouse.partitions import fingerprint

LIMIT = 0.2
JUNE, NOVEMBER, DECEMBER = "2020-06-30", "2020-11-30", "2020-12-31"


class Loans:
    """The tables of the sample on several days, all from one file: a day sees only what came before its end."""

    def __init__(self, file: Path, folder: Path) -> None:
        pipeline = read("credit_risk")
        source = pipeline.sources["loans"].model_copy(update={"expect": ()})
        self.pipeline = pipeline.model_copy(update={"sources": {"loans": source}})
        self.engine = LocalEngine(LocalSettings(scratch=folder / "scratch", threads=1))
        self.warehouse = Warehouse(folder / "warehouse")
        typed = folder / "typed" / f"ds={JUNE}" / "0"
        quarantine = folder / "quarantine"
        for made in (typed, quarantine):
            made.mkdir(parents=True)
        job = IngestJob(
            pipeline="credit_risk",
            source_name="loans",
            source=source,
            ds=JUNE,
            required=("id", "loan_date", "loan_id"),
            files=(raw_file(self.pipeline, file),),
            typed_dir=str(typed),
            quarantine_dir=str(quarantine),
        )
        report = self.engine.ingest(job)
        landing = PartitionInput(ds=JUNE, location=str(typed), rows=report.rows_typed)
        self.loans = SourceInput(partitions=(landing,), ranges=report.ranges)

    def table(self, name: str, ds: str) -> StoredTable:
        stage = self.warehouse.stage("credit_risk", name, ds, fingerprint(f"{name} {ds}"))
        values = {"pipeline": self.pipeline, "table": name, "ds": ds, "inputs": {"loans": self.loans}}
        self.engine.build(TableJob.model_validate({**values, "target_dir": stage.directory}))
        described = self.warehouse.describe(stage, engine="local")
        return StoredTable(self.warehouse, self.warehouse.commit(stage, described).manifest)

    def shifted(self, today: StoredTable, reference: StoredTable) -> dict[str, Measured]:
        columns = [column.name for column in feature_columns(self.pipeline)]
        found = measure(columns, today, reference)
        assert len(found) == len(columns) and all(one.psi is not None for one in found)
        return {one.column: one for one in found if one.shifted(LIMIT)}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(30_000, out=tmp_path_factory.mktemp("sample")).files[0]


def test_an_unchanged_source_raises_no_alarm_in_half_a_year(sample: Path, tmp_path: Path) -> None:
    loans = Loans(sample, tmp_path)
    december = loans.table("snapshot", DECEMBER)
    for reference in (NOVEMBER, JUNE):
        assert loans.shifted(december, loans.table("snapshot", reference)) == {}


def test_training_rows_would_raise_one_on_their_own_day(sample: Path, tmp_path: Path) -> None:
    """They are loans, not customers: those who borrow often come often, and each as of its own day."""
    loans = Loans(sample, tmp_path)
    found = loans.shifted(loans.table("snapshot", DECEMBER), loans.table("training", DECEMBER))
    assert {"days_since_last_loan", "share_bad_loans_previous"} <= set(found)


def test_a_changed_source_does(sample: Path, tmp_path: Path) -> None:
    """In December loans are larger and half of the customers no longer say what they do."""
    changed = tmp_path / "loans.csv"
    with sample.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, row in enumerate(rows):
        if row["loan_date"] > NOVEMBER:
            row["loan_amount"] = str(float(row["loan_amount"]) * 2.5)
            row["occupation_type"] = "" if number % 2 else row["occupation_type"]
    with changed.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    loans = Loans(changed, tmp_path)
    found = loans.shifted(loans.table("snapshot", DECEMBER), loans.table("snapshot", NOVEMBER))
    assert {"amount_loans_30d", "last_amount_loan", "max_amount_loans_365d"} <= set(found)
    assert not {"age", "education", "income", "nb_previous_loans"} & set(found)
