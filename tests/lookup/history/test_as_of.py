"""`?as_of=DATE` gives what was served on that date, byte by byte."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lookup.building import pipeline_of, predictions_of, simple_rows, with_as_of
from tests.lookup.history.published_days import Days
from tests.lookup.rsgi import call

FIRST, SECOND = "2024-01-31", "2024-02-01"


def without_freshness(body: bytes) -> bytes:
    return re.sub(rb'"freshness_seconds":\d+', b'"freshness_seconds":0', body)


@pytest.fixture
def days(tmp_path: Path) -> Days:
    return Days(tmp_path, pipeline_of())


def test_the_answers_of_earlier_days_come_again(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["1", "57", "2500", "5000"]
    recorded: dict[str, list[bytes]] = {}
    for marker, ds in enumerate((FIRST, SECOND)):
        snapshot, scores = simple_rows(5_000, marker)
        days.publish(ds, [snapshot], [scores], fingerprint=f"{marker:016d}")
        service = days.service(monkeypatch)
        recorded[ds] = [call(service, f"/v1/credit_risk/{identity}").body for identity in asked]
    for ds, answers in recorded.items():
        for identity, body in zip(asked, answers, strict=True):
            again = call(service, f"/v1/credit_risk/{identity}", query=f"as_of={ds}")
            assert again.status == 200
            assert without_freshness(again.body) == without_freshness(body)


def test_many_ids_of_an_earlier_day(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, scores = simple_rows(3_000, 1)
    days.publish(FIRST, [snapshot], [scores], fingerprint="1" * 16)
    ids = {"ids": [3_000, 1, 9_999, 1_500, 1]}
    service = days.service(monkeypatch)
    before = call(service, "/v1/credit_risk/lookup", method="POST", document=ids)
    snapshot, scores = simple_rows(3_000, 2)
    days.publish(SECOND, [snapshot], [scores], fingerprint="2" * 16)
    service = days.service(monkeypatch)
    after = call(service, "/v1/credit_risk/lookup", query=f"as_of={FIRST}", method="POST", document=ids)
    assert without_freshness(after.body) == without_freshness(before.body)
    assert [entity["found"] for entity in after.json()["entities"]] == [True, True, False, True, True]


def test_several_parts_spread_by_hash(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, scores = simple_rows(2_000, 3)
    parts = [snapshot.take(list(range(start, 2_000, 4))) for start in range(4)]
    days.publish(FIRST, parts, [scores.take(list(range(start, 1_000, 3))) for start in range(3)], row_group=100)
    service = days.service(monkeypatch)
    for identity in (1, 2, 3, 4, 999, 1_000, 1_001, 2_000):
        plain = call(service, f"/v1/credit_risk/{identity}")
        rewound = call(service, f"/v1/credit_risk/{identity}", query=f"as_of={FIRST}")
        assert without_freshness(plain.body) == without_freshness(rewound.body)
    assert call(service, "/v1/credit_risk/1500").json()["prediction"] is None


def test_a_day_without_predictions(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    days.publish(FIRST, [simple_rows(100)[0]], None)
    service = days.service(monkeypatch)
    plain = call(service, "/v1/credit_risk/7")
    assert without_freshness(call(service, "/v1/credit_risk/7", query=f"as_of={FIRST}").body) == without_freshness(
        plain.body
    )


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
                "number": st.none() | st.floats(),
                "word": st.none() | st.text(),
                "yes": st.none() | st.booleans(),
                "day": st.none() | st.dates(date(1, 1, 1), date(9999, 12, 31)),
                "moment": st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
                "words": st.none() | st.lists(st.none() | st.text(), max_size=3),
                "numbers": st.none() | st.lists(st.none() | st.floats(), max_size=3),
            }
        ),
        min_size=1,
        max_size=8,
    ),
    st.data(),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_type_byte_by_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    folder = tmp_path / "made"
    shutil.rmtree(folder, ignore_errors=True)
    days = Days(folder, pipeline_of(kind="string"))
    keys = data.draw(st.lists(st.text(min_size=1), min_size=len(rows), max_size=len(rows), unique=True))
    schema = {
        "whole": pa.int64(),
        "number": pa.float64(),
        "word": pa.string(),
        "yes": pa.bool_(),
        "day": pa.date32(),
        "moment": pa.timestamp("us", tz="UTC"),
        "words": pa.list_(pa.string()),
        "numbers": pa.list_(pa.float64()),
    }
    table = pa.table(
        {"id": pa.array(keys, pa.string())}
        | {name: pa.array([_zoned(row[name]) for row in rows], kind) for name, kind in schema.items()}
    ).sort_by("id")
    scored = table.column("id").slice(0, max(1, len(rows) // 2))
    scores = predictions_of(scored, "id", [0.1 * n for n in range(len(scored))])
    days.publish(FIRST, [with_as_of(table)], [with_as_of(scores)], row_group=3)
    service = days.service(monkeypatch)
    ids = {"ids": keys}
    plain = call(service, "/v1/credit_risk/lookup", method="POST", document=ids)
    rewound = call(service, "/v1/credit_risk/lookup", query=f"as_of={FIRST}", method="POST", document=ids)
    assert plain.status == 200, plain.body
    assert plain.json()["found"] == len(keys)
    assert without_freshness(rewound.body) == without_freshness(plain.body)


def _zoned(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def test_days_that_are_not_there_and_days_that_are_none(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, scores = simple_rows(10)
    days.publish(FIRST, [snapshot], [scores])
    service = days.service(monkeypatch)
    unknown = call(service, "/v1/credit_risk/1", query="as_of=2023-01-01")
    assert (unknown.status, unknown.json()["days"]) == (404, [FIRST])
    for text in ("2024-1-31", "2024-02-30", "yesterday", "20240131", "", "2024-01-31T00:00", "²024-01-31"):
        assert call(service, "/v1/credit_risk/1", query=f"as_of={text}").status == 422
    assert call(service, "/v1/credit_risk/11", query=f"as_of={FIRST}").status == 404


def test_the_metastore_away(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, scores = simple_rows(10)
    days.publish(FIRST, [snapshot], [scores])
    monkeypatch.setattr("featuremill.lookup.history.past._NOTED_SECONDS", 0.0)
    service = days.service(monkeypatch)
    days.catalog.down = True
    answer = call(service, "/v1/credit_risk/1", query=f"as_of={FIRST}")
    assert answer.status == 503
    assert "metastore" in answer.json()["detail"]
    assert call(service, "/v1/credit_risk/1").status == 200
    days.catalog.down = False
    assert call(service, "/v1/credit_risk/1", query=f"as_of={FIRST}").status == 200
    days.catalog.down = True
    assert call(service, "/v1/credit_risk/1", query=f"as_of={FIRST}").status == 200, "what it said before holds"


def test_a_day_that_is_published_anew_is_read_anew(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("featuremill.lookup.history.past._NOTED_SECONDS", 0.0)
    for marker in (1, 2):
        snapshot, scores = simple_rows(10, marker)
        days.publish(FIRST, [snapshot], [scores], fingerprint=f"{marker:016d}")
        if marker == 1:
            service = days.service(monkeypatch)
        found = call(service, "/v1/credit_risk/1", query=f"as_of={FIRST}").json()
        assert found["features"]["loans"] == marker
        assert found["fingerprints"]["snapshot"] == f"{marker:016d}"


def test_a_partition_that_is_gone_says_so(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, scores = simple_rows(10)
    days.publish(FIRST, [snapshot], [scores])
    service = days.service(monkeypatch)
    shutil.rmtree(days.folder / "data" / "warehouse" / "credit_risk" / "snapshot")
    answer = call(service, "/v1/credit_risk/1", query=f"as_of={FIRST}")
    assert answer.status == 503
    assert "is gone" in answer.json()["detail"]
    assert call(service, "/v1/credit_risk/1").status == 200


def test_history(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 6):
        first = 1 if number > 1 else 5  # the first day does not have id 1
        snapshot, scores = simple_rows(10, number, first=first)
        days.publish(f"2024-02-0{number}", [snapshot], [scores], fingerprint=f"{number:016d}")
    service = days.service(monkeypatch)
    found = call(service, "/v1/credit_risk/1/history").json()
    assert found["id"] == 1
    assert found["published_days"] == 5
    assert [entry["ds"] for entry in found["days"]] == [f"2024-02-0{n}" for n in range(1, 6)]
    assert [entry["found"] for entry in found["days"]] == [False, True, True, True, True]
    assert [entry["features"]["loans"] for entry in found["days"][1:]] == [2, 3, 4, 5]
    few = call(service, "/v1/credit_risk/1/history", query="limit=2&as_of=2024-02-04").json()
    assert [entry["ds"] for entry in few["days"]] == ["2024-02-03", "2024-02-04"]
    assert call(service, "/v1/credit_risk/99/history").status == 404
    assert call(service, "/v1/credit_risk/x/history").status == 422
    for query in ("limit=0", "limit=401", "limit=x", "limit=1&more=1", "as_of=no"):
        assert call(service, "/v1/credit_risk/1/history", query=query).status == 422
