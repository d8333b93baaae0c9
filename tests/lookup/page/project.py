"""A project with six published days, hostile texts, and predictions of every kind."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from featuremill.lookup.publication import publish
from featuremill.monitoring.summary import DriftSummary
from featuremill.spec.loading import read_pipeline_file
from featuremill.spec.models import Pipeline
from featuremill.warehouse.storage import Warehouse
from tests.lookup.building import DAY, commit, pipeline_of, predictions_of, with_as_of
from tests.monitoring.tables import keep_drift

DAYS = [f"2024-01-{day}" for day in range(26, 32)]
VERSION = "credit_risk-2024-01-31-0a1b2c3d"
BIG = 2**53 + 1
MARKUP = '<img src=x onerror="document.title=1">'
STRANGE_IDS = ["a/b?c#d", "ünï 1", "<b>x</b>", "50%", "plain"]

PIPELINE = f"""
pipeline: credit_risk
description: The risk that a loan goes bad & {MARKUP}
owner: risk
schedule: "@daily"
entity: {{key: id, type: bigint}}
sources:
  loans:
    connector: {{kind: csv, path: "{{landing}}/loans/ds={{ds}}/*.csv"}}
    key: loan_id
    time: granted
    columns:
      {{loan_id: bigint, id: bigint, granted: date, amount: double, name: string, status: {{type: int, outcome: true}}}}
features:
  - from: loans
    aggregate:
      loans: {{count: "*", description: "Loans on earlier days."}}
      amount: {{sum: amount, description: "Total amount of earlier loans."}}
    select:
      name: {{expression: name, description: "What the customer is called."}}
label: {{from: loans, column: status, task: binary, available_after: 60d}}
training: {{}}
endpoint: {{}}
monitor: {{drift: {{psi: 0.3}}}}
"""


def make_project(folder: Path, sagemaker_url: str) -> Path:
    """The project's folder; its catalogue is `catalog.json` in it, its online store `data/state/online`."""
    (folder / "configuration" / "pipelines").mkdir(parents=True)
    (folder / "configuration" / "environments").mkdir()
    environment = folder / "configuration" / "environments" / "local.yaml"
    environment.write_text(f"sagemaker: {{endpoint: '{sagemaker_url}'}}\n")
    file = folder / "configuration" / "pipelines" / "credit_risk.yaml"
    file.write_text(PIPELINE)
    warehouse, root = Warehouse(folder / "data" / "warehouse"), folder / "data" / "state" / "online"
    locations = []
    for number, ds in enumerate(DAYS):
        as_of = datetime.fromisoformat(ds).replace(tzinfo=UTC) + timedelta(days=1)
        snapshot = with_as_of(_loans(number), as_of)
        scores = predictions_of(snapshot["id"], "id", [0.02 + 0.015 * number] * 48 + [0.7, 0.7], VERSION)
        first = commit(warehouse, "credit_risk", "snapshot", [snapshot], ds=ds)
        second = commit(warehouse, "credit_risk", "predictions", [with_as_of(scores, as_of)], ds=ds)
        publish(warehouse, read_pipeline_file(file).loaded(), first, second, root)
        locations += [
            ("credit_risk", table, ds, warehouse.location("credit_risk", table, ds, "f" * 16))
            for table in ("snapshot", "predictions")
        ]
    (folder / "catalog.json").write_text(json.dumps(locations))
    _publish_other_tasks(warehouse, root)
    _write_outcomes(folder / "data" / "state")
    _write_model(folder / "data" / "state")
    return folder


def _loans(number: int) -> pa.Table:
    ids = list(range(1, 51))
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "loans": pa.array([identity + number for identity in ids], pa.int64()),
            "amount": pa.array([None if number == 2 else 100.125 * (number + 1)] * 50, pa.float64()),
            "name": pa.array([MARKUP if identity == 1 else "Ada" for identity in ids], pa.string()),
            "account": pa.array([BIG] * 50, pa.int64()),
            "vip": pa.array([number > 3] * 50, pa.bool_()),
            "since": pa.array([date(2020, 1, 2)] * 50, pa.date32()),
            "tags": pa.array([["new", "blue"]] * 50, pa.list_(pa.string())),
            "occupation": pa.array([None] * 50, pa.string()),
        }
    )


def _publish_other_tasks(warehouse: Warehouse, root: Path) -> None:
    """`houses`: regression, with text ids; `animals`: multiclass; `skills`: one_vs_rest; `bare`: no predictions."""
    one = pa.array([1], pa.int64())
    version = pa.array(["v-1"], pa.string())
    interval = {"lower": pa.array([0.25], pa.float64()), "upper": pa.array([0.75], pa.float64())}
    lists = {"lower": pa.array([[0.1, 0.0]]), "upper": pa.array([[0.9, 0.4]])}
    texts = pa.array(sorted(STRANGE_IDS), pa.string())
    count = len(STRANGE_IDS)
    houses = {
        "name": texts,
        "predicted_label": pa.array([250_000.5] * count, pa.float64()),
        "lower": pa.array([200_000.0] * count, pa.float64()),
        "upper": pa.array([300_000.0] * count, pa.float64()),
        "model_version": pa.array(["v-1"] * count, pa.string()),
    }
    animals = {
        "id": one,
        "predicted_label": pa.array(["cat"]),
        "probability": pa.array([0.6], pa.float64()),
        "probabilities": pa.array([[0.6, 0.3, 0.1]]),
        **interval,
        "model_version": version,
    }
    skills = {
        "id": one,
        "predicted_label": pa.array([["python"]]),
        "labels": pa.array([["python", "welding"]]),
        "probabilities": pa.array([[0.8, 0.05]]),
        **lists,
        "model_version": version,
    }
    for pipeline, keys, scores in (
        (pipeline_of("houses", "name", "string"), texts, houses),
        (pipeline_of("animals"), one, animals),
        (pipeline_of("skills"), one, skills),
        (pipeline_of("bare"), one, None),
    ):
        _publish_one(warehouse, root, pipeline, keys, scores)


def _publish_one(
    warehouse: Warehouse, root: Path, pipeline: Pipeline, keys: pa.Array, scores: dict[str, pa.Array] | None
) -> None:
    name, key = pipeline.pipeline, pipeline.entity.key
    features = with_as_of(pa.table({key: keys, "loans": pa.array([3] * len(keys), pa.int64())}))
    snapshot = commit(warehouse, name, "snapshot", [features])
    predictions = None
    if scores is not None:
        predictions = commit(warehouse, name, "predictions", [with_as_of(pa.table(scores))])
    if name == "houses":
        _measure_drift(warehouse, snapshot.fingerprint)
    publish(warehouse, pipeline, snapshot, predictions, root)


def _measure_drift(warehouse: Warehouse, snapshot: str) -> None:
    """What was measured of the tables that are served, and later of others."""
    of_served = {f"{table}@{DAY}": snapshot for table in ("snapshot", "predictions")}
    found = DriftSummary(
        limit=0.2,
        psi={"loans": 0.35},
        prediction_psi={"predicted_label": 0.1},
        shifted=("loans",),
        reference_table="snapshot",
        reference_ds="2024-01-01",
    )
    keep_drift(warehouse, DAY, found, of_served, "houses")
    other = found.model_copy(update={"psi": {"loans": 9.0}})
    keep_drift(warehouse, DAY, other, {f"snapshot@{DAY}": "0" * 16}, "houses")


def outcome(name: str, success: bool, **arguments: object) -> dict[str, object]:
    observed = "0 of 50 values unexpected" if success else "4 of 50 values unexpected"
    return {"name": name, "arguments": arguments, "success": success, "observed": observed}


def _write_outcomes(state: Path) -> None:
    day = state / "quality" / "credit_risk" / "loans" / "ds=2024-01-31" / "abc"
    day.mkdir(parents=True)
    outcomes = [
        outcome("expect_column_values_to_not_be_null", True, column="id"),
        outcome("expect_column_values_to_be_between", False, column="amount", min_value=0),
    ]
    (day / "outcome.json").write_text(json.dumps({"success": False, "outcomes": outcomes}))


def _write_model(state: Path) -> None:
    folder = state / "models" / VERSION / "model"
    folder.mkdir(parents=True)
    head = {"booster": "model.ubj", "threshold": 0.25}
    manifest = {"task": "binary", "label": "status", "classes": [0, 1], "ds": "2024-01-31", "rows": 50, "heads": [head]}
    (folder / "model.json").write_text(json.dumps(manifest))
    metrics = {
        "validation": {"auc": 0.81, "logloss": 0.4},
        "baselines": {"majority": {"auc": 0.5}, "logistic": {"auc": 0.77}},
        "importance": {"loans": 0.5, "amount": 0.1},
        "drift": {"loans": 0.41, "amount": 0.05},
        "coverage": {"stated": 0.9, "measured": 0.89},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
