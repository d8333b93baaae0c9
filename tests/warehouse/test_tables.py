from __future__ import annotations

from pathlib import Path

import pytest

from featuremill.warehouse.hive_objects import Column
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import column_comments, table_definition, table_names
from featuremill.warehouse.views import current_view, inferred_type, latest_view
from tests.warehouse.pipelines import credit_risk


@pytest.mark.parametrize(
    ("feature", "meaning"),
    [
        ("nb_loans_1d", "number of the loans of the same id in the 1 day before as_of"),
        ("nb_loans_30d", "number of the loans of the same id in the 30 days before as_of"),
        ("mean_amount", "mean of amount over the loans of the same id in the 30 days before as_of"),
        ("bad", "number of the loans of the same id before as_of, where status = 1, each known 60 days after its time"),
        ("idle", "days since the last of the loans of the same id before as_of"),
        ("double_amount", "amount * 2, of the newest loans row of the same id"),
        ("as_of", "the moment the features are of: midnight at the end of ds, UTC"),
    ],
)
def test_a_feature_says_what_it_means(feature: str, meaning: str) -> None:
    assert column_comments(credit_risk(), "snapshot")[feature] == meaning


def test_training_rows_say_what_they_are() -> None:
    comments = column_comments(credit_risk(), "training")
    assert comments["status"] == "label, known 60 days after the event"
    assert comments["loan_id"] == "key of the loans row"
    assert comments["double_amount"] == "amount * 2, of this loans row"
    assert "status" not in column_comments(credit_risk(), "snapshot")


def test_source_columns_say_what_they_are() -> None:
    comments = column_comments(credit_risk(), "loans")
    assert comments["loan_id"] == "key: one row each, the newest landing wins"
    assert comments["granted"] == "event time in milliseconds since 1970, UTC"
    assert comments["status"] == "known only after the event"
    assert comments["narrowing-diagnosis"] == "what the doctor said"
    assert comments["size"] == "big or small"
    assert "MD5" in column_comments(credit_risk(), "rates")["row_key"]
    assert set(column_comments(credit_risk(), "rates_quarantine")) == {
        "raw_line",
        "kind",
        "reason",
        "file",
        "line_number",
    }


def test_the_tables_of_a_pipeline(tmp_path: Path) -> None:
    assert table_names(credit_risk()) == [
        "loans",
        "loans_quarantine",
        "rates",
        "rates_quarantine",
        "snapshot",
        "training",
    ]
    definition = table_definition(credit_risk(), "snapshot", Warehouse(tmp_path))
    assert definition.location == f"file://{tmp_path}/risk/snapshot"
    assert (definition.database_comment, definition.owner) == ("The risk that a loan goes bad", "risk-team")


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("cast(amount * 100 as bigint)", "bigint"),
        ("if(n > 3, 'big', 'small')", "string"),
        ("concat(n, ':', n)", "string"),
        ("n > 3", "boolean"),
        ("`narrowing-diagnosis`", "int"),
        ("to_date(at)", "date"),
        ("some_unknown(n)", "string"),
    ],
)
def test_the_type_of_a_derived_column_is_inferred(expression: str, kind: str) -> None:
    known = {"amount": "double", "n": "int", "narrowing-diagnosis": "int", "at": "timestamp"}
    assert inferred_type(expression, known) == kind


def test_latest_reads_one_day_only() -> None:
    view = latest_view(credit_risk(), "2024-03-01", [Column("id", "bigint"), Column("as_of", "timestamp")])
    assert view.sql == "SELECT `id`, `as_of`, `ds` FROM `risk`.snapshot WHERE `ds` = '2024-03-01'"
    assert [column.name for column in view.columns] == ["id", "as_of", "ds"]


def test_current_shows_stored_then_derived_columns_and_the_landing_day() -> None:
    stored = [Column("loan_id", "bigint"), Column("amount", "double"), Column("narrowing-diagnosis", "int")]
    view = current_view(credit_risk(), "loans", stored, {"size": "string"})
    assert [(column.name, column.type) for column in view.columns] == [
        ("loan_id", "bigint"),
        ("amount", "double"),
        ("narrowing-diagnosis", "int"),
        ("cents", "bigint"),
        ("size", "string"),
        ("ds", "string"),
    ]
    assert view.sql.endswith("WHERE `narrowing-diagnosis` >= 0")
