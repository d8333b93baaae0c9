"""What the page's endpoint says, and what it makes of missing and broken files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from featuremill.lookup.page.drift import measured_drift
from featuremill.lookup.page.model import drift_summary, model_facts
from featuremill.lookup.page.overview import FactsOfProject
from featuremill.lookup.page.quality import quality
from featuremill.lookup.store.manifest import StoreManifest
from tests.lookup.building import AS_OF
from tests.lookup.page.project import VERSION, outcome
from tests.lookup.serving import Running


def keep(state: Path, source: str, ds: str, run: str, successes: list[bool], written: int) -> None:
    folder = state / "quality" / "loans" / source / f"ds={ds}" / run
    folder.mkdir(parents=True)
    outcomes = [outcome("expect_column_values_to_not_be_null", good, column="id") for good in successes]
    (folder / "outcome.json").write_text(json.dumps({"outcomes": outcomes}))
    os.utime(folder / "outcome.json", (written, written))


def test_the_last_outcome_of_the_newest_day_counts(tmp_path: Path) -> None:
    keep(tmp_path, "a", "2024-01-01", "x", [False], 300)
    keep(tmp_path, "a", "2024-01-02", "y", [False, False], 100)
    keep(tmp_path, "a", "2024-01-02", "z", [True, False], 200)
    keep(tmp_path, "b", "2024-01-01", "x", [True], 0)
    found = quality(tmp_path, "loans")
    assert found is not None
    assert (found["passed"], found["total"]) == (2, 3)
    first, second = found["sources"]
    assert (first["source"], first["ds"], first["checked_at"]) == ("a", "2024-01-02", "1970-01-01T00:03:20Z")
    assert first["failures"] == [
        {
            "expectation": "expect_column_values_to_not_be_null",
            "columns": ["id"],
            "observed": "4 of 50 values unexpected",
        }
    ]
    assert (second["source"], second["passed"], second["failures"]) == ("b", 1, [])


def test_a_check_that_did_not_end_is_passed_over(tmp_path: Path) -> None:
    keep(tmp_path, "a", "2024-01-01", "x", [True], 0)
    (tmp_path / "quality" / "loans" / "a" / "ds=2024-01-02" / "y").mkdir(parents=True)
    broken = tmp_path / "quality" / "loans" / "a" / "ds=2024-01-03" / "z"
    broken.mkdir(parents=True)
    (broken / "outcome.json").write_text('{"outcomes": [{"name": 1}]}')
    found = quality(tmp_path, "loans")
    assert found is not None and found["sources"][0]["ds"] == "2024-01-01"


def test_without_outcomes_there_is_no_quality(tmp_path: Path) -> None:
    assert quality(tmp_path, "loans") is None


@pytest.mark.parametrize("version", [None, "", "../../etc", "a/b", ".", "x" * 300, "absent"])
def test_versions_without_an_artefact_have_no_facts(tmp_path: Path, version: str | None) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "etc").mkdir()
    assert model_facts(tmp_path, version) is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"heads": 3, "drift": [1]}', '{"drift": {"a": "NaN", "b": true}}'])
def test_broken_artefacts_are_no_error(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "models" / "v" / "model"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(content)
    (folder / "metrics.json").write_text(content)
    found = model_facts(tmp_path, "v")
    assert found is None or (found["drift"] == {} and found["threshold"] is None)


def test_a_feature_at_the_limit_counts_as_shifted() -> None:
    assert drift_summary({"a": 0.1, "b": 0.2, "c": 0.7}, 0.2) == {
        "limit": 0.2, "features": 3, "shifted": 2, "furthest": {"feature": "c", "psi": 0.7},
    }  # fmt: skip
    assert drift_summary({}, 0.2) is None


def test_a_project_that_does_not_load_leaves_the_facts_out(tmp_path: Path) -> None:
    served = StoreManifest(
        pipeline="loans", ds="2024-01-31", as_of=AS_OF, key="id", key_type="bigint", snapshot="f", features=(),
        published_at=AS_OF,
    )  # fmt: skip
    facts = FactsOfProject(tmp_path / "nowhere", "local").of(served)
    assert (facts.pipeline, facts.quality, facts.model, facts.drift) == (None, None, None, None)
    assert measured_drift(str(tmp_path / "nowhere"), served) is None


def test_the_overview_holds_what_is_served(service: Running) -> None:
    document = service.get("/page/overview")
    assert document["offers"] == {"history": True, "as_of": True, "live": True, "explain": True}
    found = {pipeline["pipeline"]: pipeline for pipeline in document["pipelines"]}
    risk, houses = found["credit_risk"], found["houses"]
    assert (risk["rows"], risk["predicted_rows"], risk["key"], risk["key_type"]) == (50, 50, "id", "bigint")
    assert (risk["ds"], risk["as_of"], risk["late"]) == ("2024-01-31", "2024-02-01T00:00:00Z", True)
    assert risk["examples"] == [1, 2, 3, 4, 5]
    assert risk["model"]["version"] == VERSION and risk["model"]["threshold"] == 0.25
    assert risk["drift"] == {"limit": 0.3, "features": 2, "shifted": 1, "furthest": {"feature": "loans", "psi": 0.41}}
    loans = risk["features"][0]
    assert (loans["name"], loans["type"], loans["importance"], loans["psi"]) == ("loans", "bigint", 0.5, 0.41)
    assert loans["description"].startswith("Loans on earlier days.")
    assert (houses["description"], houses["quality"], houses["model"], houses["late"]) == (None, None, None, None)
    assert houses["drift"] == {
        "limit": 0.2,
        "features": 1,
        "shifted": 1,
        "furthest": {"feature": "loans", "psi": 0.35},
        "predictions": 0.1,
        "predictions_shifted": False,
        "reference": {"table": "snapshot", "ds": "2024-01-01"},
    }, "measured of the very tables that are served"
    assert houses["features"][0]["psi"] == 0.35
    described = service.get("/openapi.json")["paths"]
    assert "/" in described and "/page/overview" in described
