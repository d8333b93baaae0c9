"""What DuckDB computes is judged as Great Expectations judges its own pandas engine's metrics."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featuremill.quality import gx
from featuremill.quality.duckdb_batch import typed_table
from featuremill.quality.judging import judge
from featuremill.quality.metrics import resolve
from featuremill.quality.suite import build_suite
from featuremill.spec.models import Expectation
from tests.quality import battery
from tests.quality.typed_rows import COLUMNS, Row, rows, write_rows


def pandas_frame(data: list[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(data, dtype=object)
    return frame.astype({"n": "float64", "m": "float64", "x": "float64", "t": "datetime64[ns]"})


def judge_with_pandas(data: list[Row], expectations: list[Expectation]) -> list[Any]:
    """Great Expectations on its own: its metrics, its pandas engine, its graph."""
    gx.load()
    from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    engine = PandasExecutionEngine(batch_data_dict={"rows": pandas_frame(data)})
    runtime = {"result_format": {"result_format": "BASIC", "partial_unexpected_count": 20}}
    results = []
    for expectation in build_suite("reference", expectations, COLUMNS).expectations:
        needed = expectation.get_validation_dependencies(engine, runtime).get_metric_configurations()
        values, failures = MetricsCalculator(engine).compute_metrics(list(needed))
        assert not failures, failures
        results.append(expectation.metrics_validate(values, dict(runtime), engine))
    return results


def judge_with_duckdb(folder: Path, data: list[Row], expectations: list[Expectation]) -> list[Any]:
    with duckdb.connect() as connection:
        table = typed_table(connection, write_rows(folder, data))
        suite = build_suite("ours", expectations, table.columns)
        return list(judge(suite, table.columns, lambda wanted: resolve(table, wanted), {}).results)


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) or isinstance(theirs, float):
        if ours is None or theirs is None:
            return (theirs if ours is None else ours) is None or math.isnan(theirs if ours is None else ours)
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(ours, datetime) or isinstance(theirs, datetime):
        return bool(pd.isna(theirs) if ours is None else pd.Timestamp(ours) == pd.Timestamp(theirs))
    return bool(ours == theirs) or (ours is None and pd.isna(theirs))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=rows, expectations=st.lists(battery.expectations, min_size=1, max_size=6))
def test_same_judgement_as_pandas(tmp_path: Path, data: list[Row], expectations: list[Expectation]) -> None:
    ours = judge_with_duckdb(tmp_path, data, expectations)
    theirs = judge_with_pandas(data, expectations)
    for expectation, mine, reference in zip(expectations, ours, theirs, strict=True):
        if mine.result.get("observed_value", 0) is None and expectation.name == "expect_column_sum_to_be_between":
            continue  # the sum of no values is 0 in pandas, and null in SQL
        assert bool(mine.success) == bool(reference.success), (expectation, mine.result, reference.result)
        for key in ("element_count", "unexpected_count", "missing_count"):
            assert mine.result.get(key) == reference.result.get(key), (expectation, mine.result, reference.result)
        seen, wanted = mine.result.get("observed_value"), reference.result.get("observed_value")
        if not isinstance(wanted, (list, dict)):
            assert same(seen, wanted), (expectation, seen, wanted)


@pytest.mark.parametrize("column", ["n", "x"])
def test_quantiles_are_values_of_the_column(tmp_path: Path, column: str) -> None:
    """pandas takes the nearest value, Spark and DuckDB the first whose share reaches the quantile."""
    data: list[Row] = [dict.fromkeys(COLUMNS) | {"n": n, "x": n / 2} for n in [5, 1, 4, 2, 3]]
    ranges = {"quantiles": [0, 0.2, 0.5, 0.75, 1], "value_ranges": [[None, 9]] * 5}
    asked = Expectation(
        name="expect_column_quantile_values_to_be_between", arguments={"column": column, "quantile_ranges": ranges}
    )
    (result,) = judge_with_duckdb(tmp_path, data, [asked])
    scale = 1 if column == "n" else 2
    assert [value * scale for value in result.result["observed_value"]["values"]] == [1, 1, 3, 4, 5]
