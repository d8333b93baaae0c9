"""The feature tables against the slow reference, on random pipelines and rows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

from featuremill.local_engine.tables import build
from featuremill.queries.features import tables_of
from tests.queries import reference
from tests.queries.comparing import assert_same
from tests.queries.engines import table_of
from tests.queries.strategies import Case, cases

WANTED = {"snapshot": reference.snapshot, "training": reference.training}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def duckdb_table(
    connection: duckdb.DuckDBPyConnection, case: Case, table: str, *, manifests: bool
) -> list[reference.Row]:
    with tempfile.TemporaryDirectory() as folder:
        return table_of(case, table, Path(folder), lambda job: build(connection, job), manifests=manifests)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_duckdb_gives_what_the_semantics_say(connection: duckdb.DuckDBPyConnection, case: Case) -> None:
    for table in tables_of(case.pipeline):
        got = duckdb_table(connection, case, table, manifests=False)
        assert_same(got, WANTED[table](case.pipeline, case.landings, case.ds))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_what_manifests_tell_saves_work_and_changes_no_bit(connection: duckdb.DuckDBPyConnection, case: Case) -> None:
    for table in tables_of(case.pipeline):
        assert duckdb_table(connection, case, table, manifests=True) == duckdb_table(
            connection, case, table, manifests=False
        )
