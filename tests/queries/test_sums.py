"""Sums of doubles: right, and the same bits in whatever order the rows come."""

from __future__ import annotations

import math
import random

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featuremill.queries.dialects import DIALECTS
from featuremill.queries.sums import Range, exact_sum


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def total(connection: duckdb.DuckDBPyConnection, values: list[float], known: Range) -> float:
    plan = exact_sum("v", known, DIALECTS["duckdb"])
    relation = "(SELECT unnest($values::DOUBLE[]) AS v)"
    for level in plan.levels:
        relation = f"(SELECT *, {', '.join(f'{sql} AS {name}' for name, sql in level.items())} FROM {relation})"
    sql = f"SELECT {plan.total(DIALECTS['duckdb'], '', lambda column: column)} FROM {relation}"
    row = connection.execute(sql, {"values": values}).fetchone()
    assert row is not None
    return float(row[0])


ordinary = st.floats(-1e15, 1e15, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-15 else 0.0)
anything = st.floats(-1e200, 1e200)


@settings(max_examples=200, deadline=None)
@given(values=st.lists(anything, min_size=1, max_size=30), seed=st.integers())
def test_the_order_of_the_rows_changes_no_bit(
    connection: duckdb.DuckDBPyConnection, values: list[float], seed: int
) -> None:
    values = [value for value in values if abs(value) < 2.0**120 and (value == 0 or abs(value) > 2.0**-60)] or [1.0]
    shuffled = random.Random(seed).sample(values, len(values))
    assert total(connection, values, Range()) == total(connection, shuffled, Range())


@settings(max_examples=200, deadline=None)
@given(values=st.lists(ordinary, min_size=1, max_size=30))
def test_a_sum_is_right_to_a_unit_in_the_last_place_of_one(
    connection: duckdb.DuckDBPyConnection, values: list[float]
) -> None:
    assert math.isclose(
        total(connection, values, Range()), math.fsum(values), rel_tol=1e-15, abs_tol=1e-15 * len(values)
    )


@settings(max_examples=200, deadline=None)
@given(values=st.lists(anything, min_size=1, max_size=30))
def test_leaving_away_limbs_that_the_data_cannot_touch_changes_no_bit(
    connection: duckdb.DuckDBPyConnection, values: list[float]
) -> None:
    sizes = [abs(value) for value in values if value]
    known = Range(min(sizes), max(sizes)) if sizes else Range()
    assert total(connection, values, known) == total(connection, values, Range())


def test_what_cancels_leaves_the_small_value(connection: duckdb.DuckDBPyConnection) -> None:
    assert total(connection, [1e15, 0.1, -1e15], Range()) == 0.1
    assert total(connection, [2.0**100, 3.5, -(2.0**100)], Range()) == 3.5


def test_values_beyond_the_limbs_are_still_added(connection: duckdb.DuckDBPyConnection) -> None:
    assert total(connection, [1e150, 1e150], Range()) == 2e150
    assert total(connection, [5e-324, 5e-324], Range()) == 1e-323
    assert total(connection, [math.inf, 1.0], Range()) == math.inf
    assert math.isnan(total(connection, [math.nan, 1.0], Range()))
