from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from featuremill.errors import DataError
from featuremill.quality.duckdb_batch import check_with_duckdb
from featuremill.spec.models import Expectation
from featuremill.steps.checks import failed_message
from featuremill.steps.jobs import QualityReport
from tests.quality.typed_rows import COLUMNS, Row, expect, make_job


def row(**values: Any) -> Row:
    return dict.fromkeys(COLUMNS) | values


LOANS = [row(n=n, x=100.0 + n, s="ab", d=date(2024, 1, 1 + n), t=datetime(2024, 1, 1, n)) for n in range(20)]


def check(folder: Path, data: list[Row], *expectations: Expectation) -> QualityReport:
    with duckdb.connect() as connection:
        return check_with_duckdb(connection, make_job(folder, data, expectations))


def test_outcomes_say_what_was_seen(tmp_path: Path) -> None:
    data = [*LOANS, row(n=20, x=-7.5), row(n=20, x=-1.0)]
    report = check(
        tmp_path,
        data,
        expect("expect_column_values_to_be_between", column="x", min_value=0),
        expect("expect_column_values_to_not_be_null", column="n"),
        expect("expect_column_values_to_be_unique", column="n"),
        expect("expect_column_max_to_be_between", column="t", max_value="2024-01-01T18:00:00Z"),
        expect("expect_column_values_to_be_null", column="m"),
        expect("expect_column_value_lengths_to_equal", column="r", value=3),
        expect("expect_column_distinct_values_to_equal_set", column="s", value_set=["ab", "cd"]),
        expect("expect_column_values_to_be_of_type", column="n", type_="LongType"),
    )
    assert [(one.success, one.observed, one.unexpected_count) for one in report.outcomes] == [
        (False, "2 of 22 values unexpected (9.09%), e.g. -7.5, -1", 2),
        (True, "0 of 22 values unexpected", 0),
        (False, "2 of 22 values unexpected (9.09%), e.g. 20", 2),
        (False, "observed 2024-01-01 19:00:00", None),
        (True, "0 of 22 values unexpected", 0),
        (True, "no values to check", 0),
        (False, "0 values outside the set; 1 values of the set absent, e.g. cd", 0),
        (True, "observed bigint (LongType)", None),
    ]
    assert not report.success


def test_the_error_names_expectation_column_what_was_seen_and_the_page(tmp_path: Path) -> None:
    below = expect("expect_column_values_to_be_between", column="x", max_value=110)
    report = check(tmp_path, LOANS, below, expect("expect_table_row_count_to_equal", value=20))
    message = failed_message(report)
    assert message.splitlines()[:2] == [
        "1 of 2 expectations failed:",
        "  expect_column_values_to_be_between (x): 9 of 20 values unexpected (45%), e.g. 111, 112, 113",
    ]
    assert f"{tmp_path}/results/index.html" in message


def test_dates_and_timestamps_given_as_text(tmp_path: Path) -> None:
    report = check(
        tmp_path,
        LOANS,
        expect("expect_column_values_to_be_between", column="d", min_value="2024-01-03", max_value="2024-01-19"),
        expect("expect_column_values_to_be_between", column="t", min_value="2024-01-01T02:00:00+01:00"),
        expect("expect_column_min_to_be_between", column="d", min_value="2024-01-02"),
        expect("expect_column_values_to_be_in_set", column="d", value_set=["2024-01-01"], mostly=0.05),
    )
    assert [(one.success, one.unexpected_count) for one in report.outcomes] == [
        (False, 3),
        (False, 1),
        (False, None),
        (True, 19),
    ]


def test_conditions_compare_as_the_columns_type(tmp_path: Path) -> None:
    condition = {
        "type": "and",
        "conditions": [
            {"type": "comparison", "column": {"name": "t"}, "operator": ">=", "parameter": "2024-01-01T10:00:00Z"},
            {"type": "comparison", "column": {"name": "n"}, "operator": "IN", "parameter": [11, 12, 3]},
        ],
    }
    asked = expect("expect_column_values_to_be_null", column="x", row_condition=condition)
    (outcome,) = check(tmp_path, LOANS, asked).outcomes
    assert outcome.unexpected_count == 2


@pytest.mark.parametrize("failing", [True, False])
def test_results_and_a_page_are_written_whatever_the_outcome(tmp_path: Path, failing: bool) -> None:
    highest = 3 if failing else 99
    report = check(tmp_path, LOANS, expect("expect_column_values_to_be_between", column="n", max_value=highest))
    assert report.results is not None and report.docs is not None
    written = json.loads(Path(report.results).read_text(encoding="utf-8"))
    assert written["success"] is not failing and written["meta"]["active_batch_definition"]["batch_identifiers"]
    page = Path(report.docs).read_text(encoding="utf-8")
    assert ("Failed" if failing else "Succeeded") in page
    assert "loans, landing of 2024-01-31" in page


def test_the_page_fetches_nothing_and_shows_raw_values_as_text(tmp_path: Path) -> None:
    data = [row(s="<script>alert(1)</script>"), row(s="<img src=http://example.org/x>")]
    report = check(tmp_path, data, expect("expect_column_values_to_be_in_set", column="s", value_set=["<b>", "ok"]))
    page = Path(str(report.docs)).read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script>alert" not in page
    assert not re.search(r"""<[^>]*\b(?:src|href)\s*=\s*["']?(?:https?:)?//|url\(|@import|<img""", page)


def test_results_can_go_to_a_uri(tmp_path: Path) -> None:
    job = make_job(tmp_path, LOANS, [expect("expect_column_to_exist", column="n")])
    job = job.model_copy(update={"results_dir": (tmp_path / "elsewhere").as_uri()})
    with duckdb.connect() as connection:
        report = check_with_duckdb(connection, job)
    assert report.docs == f"{(tmp_path / 'elsewhere').as_uri()}/index.html"
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["index.html", "validation.json"]


def test_the_connection_is_left_as_it_was(tmp_path: Path) -> None:
    asked = expect("expect_column_values_to_match_regex", column="s", regex="^(?=a)")
    with duckdb.connect() as connection:
        connection.execute("BEGIN")
        for _ in range(2):
            assert check_with_duckdb(connection, make_job(tmp_path, LOANS, [asked])).success
        functions = "SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE 'expectation%'"
        assert connection.execute(functions).fetchall() == [(0,)]


@pytest.mark.parametrize("column", ["rows", "typed_rows", "value", "select", "a-b"])
def test_any_column_name_will_do(tmp_path: Path, column: str) -> None:
    folder = tmp_path / "typed [1]"
    folder.mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"""COPY (SELECT unnest([7, 7, 8]) AS "{column}") TO '{folder}/part-0.parquet'""")
        asked = [
            expect("expect_column_values_to_be_unique", column=column),
            expect("expect_column_most_common_value_to_be_in_set", column=column, value_set=[7]),
            expect("expect_column_values_to_be_between", column=column, min_value=8),
        ]
        job = make_job(tmp_path, [], asked).model_copy(update={"typed_dir": str(folder)})
        outcomes = check_with_duckdb(connection, job).outcomes
    assert [(one.success, one.unexpected_count) for one in outcomes] == [(False, 2), (True, None), (False, 2)]


def test_a_folder_without_rows_to_check_is_an_error(tmp_path: Path) -> None:
    job = make_job(tmp_path, LOANS, []).model_copy(update={"typed_dir": str(tmp_path / "absent")})
    with duckdb.connect() as connection, pytest.raises(DataError, match="no typed rows to check in .*absent"):
        check_with_duckdb(connection, job)


def test_nothing_is_left_in_the_working_directory_or_the_home(tmp_path: Path) -> None:
    """And SciPy's statistics and Altair, half of the time to import, are not imported."""
    script = (
        "import logging, sys; from featuremill.quality import gx; gx.preload().join(); "
        "from featuremill.quality.suite import build_suite; from featuremill.spec.models import Expectation; "
        "build_suite('s', [Expectation(name='expect_column_to_exist', arguments={'column': 'a'})], {'a': 'int'}); "
        "assert not {'scipy.stats._stats_py', 'altair.vegalite'} & set(sys.modules); "
        "assert logging._warnings_showwarning is None; import scipy.stats; scipy.stats.entropy([1, 2])"
    )
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "PYTHONPATH": os.getcwd()}
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=tmp_path / "work", env=environment, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
