"""A training row tells nothing of rows at or after `as_of`; a snapshot is what an event at the cutoff would see."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from featuremill.local_engine.tables import build
from featuremill.spec.columns import feature_columns
from tests.queries.engines import table_of
from tests.queries.reference import Row, cutoff, event_time
from tests.queries.strategies import Case, cases

TINY = timedelta(milliseconds=1)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def rows_of(connection: duckdb.DuckDBPyConnection, case: Case, table: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return table_of(case, table, Path(folder), lambda job: build(connection, job))


def stored_time(case: Case, source: str, moment: datetime) -> Any:
    """A moment as the source's time column holds it; None where that column cannot hold it."""
    time = case.pipeline.sources[source].time
    assert time is not None
    kind = case.pipeline.sources[source].columns[time.column].type
    if time.unit == "ms":
        return int((moment - datetime(1970, 1, 1)) / TINY) if moment.microsecond % 1000 == 0 else None
    if kind == "date":
        return moment.date() if moment.time() == datetime.min.time() else None
    return moment


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases(), data=st.data())
def test_rows_at_or_after_as_of_leave_a_training_row_alone(
    connection: duckdb.DuckDBPyConnection, case: Case, data: st.DataObject
) -> None:
    before = rows_of(connection, case, "training")
    assume(before)
    chosen = data.draw(st.sampled_from(before))
    as_of = chosen["as_of"]
    changed: dict[str, dict[str, list[Row]]] = {}
    for name, landings in case.landings.items():
        source = case.pipeline.sources[name]
        if source.time is None:
            changed[name] = landings
            continue
        time = source.time
        # A key that is there before as_of as well: touching its later version would be a correction of the past.
        past = {r["k"] for rows in landings.values() for r in rows if event_time(time, r) < as_of}
        changed[name] = {}
        for day, rows in landings.items():
            kept = []
            for row in rows:
                late = event_time(time, row) >= as_of and row["k"] not in past
                own = name == "events" and row["k"] == chosen["k"]
                if not late or own:
                    kept.append(row)
                elif data.draw(st.booleans()):
                    kept.append({**row, "amount": 77.25, "n": 3, "city": "changed", "cell": "x"})
            for number, delay in enumerate(data.draw(st.lists(st.sampled_from([0, 1, 86_400_000]), max_size=2))):
                when = stored_time(case, name, as_of + delay * TINY)
                if when is not None:
                    new = {"k": 1000 + number, "id": chosen["id"], "t": when, "amount": 1e6, "n": 9, "city": "new"}
                    kept.append(
                        {**new, "cell": "x", "seen": date(2020, 1, 1), "status": 1}
                        if name == "events"
                        else {**new, "cell": "x", "seen": None}
                    )
            changed[name][day] = kept
    after = rows_of(connection, replace(case, landings=changed), "training")
    (same,) = [row for row in after if row["k"] == chosen["k"]]
    label = case.pipeline.label
    assert label is not None
    assert {**same, label.column: None} == {**chosen, label.column: None}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_a_snapshot_is_the_training_row_of_an_event_at_the_cutoff(
    connection: duckdb.DuckDBPyConnection, case: Case
) -> None:
    """Put one more event a entity exactly at T, a copy of its newest row, and look from a day later."""
    snapshot = rows_of(connection, case, "snapshot")
    moment = cutoff(case.ds)
    spine = case.pipeline.sources["events"]
    assert spine.time is not None
    seen: dict[Any, Row] = {}
    for day in sorted(case.landings["events"]):
        for row in case.landings["events"][day] if day <= case.ds else []:
            if event_time(spine.time, row) < moment:
                seen[row["k"]] = row
    kept = [row for row in seen.values() if spine.where is None or row["amount"] is not None]
    newest: dict[Any, Row] = {}
    time = spine.time
    for row in sorted(kept, key=lambda r: (event_time(time, r), r["k"])):
        newest[row["id"]] = row
    extra = [{**row, "k": 5000 + entity, "t": stored_time(case, "events", moment)} for entity, row in newest.items()]
    # Landed on ds itself, so that nothing of later landings comes into sight; the run is for a day later.
    upto = {
        name: {day: rows for day, rows in landings.items() if day <= case.ds}
        for name, landings in case.landings.items()
    }
    upto = {
        name: {d: [r for r in rows if _before(case, name, r, moment)] for d, rows in of.items()}
        for name, of in upto.items()
    }
    upto["events"][case.ds] = [*upto["events"].get(case.ds, []), *extra]
    later = (date.fromisoformat(case.ds) + timedelta(days=1)).isoformat()
    training = rows_of(connection, replace(case, landings=upto, ds=later), "training")
    at_cutoff = {row["id"]: row for row in training if row["k"] >= 5000}
    columns = feature_columns(case.pipeline)
    for row in snapshot:
        if row["id"] not in newest:
            continue
        event = at_cutoff[row["id"]]
        for column in columns:
            assert row[column.name] == event[column.name], column.name


def _before(case: Case, name: str, row: Row, moment: datetime) -> bool:
    time = case.pipeline.sources[name].time
    return time is None or event_time(time, row) < moment
