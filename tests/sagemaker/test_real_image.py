"""The whole way with the project's own image: staged, trained, judged, deployed, asked, transformed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featuremill.sagemaker import endpoints
from featuremill.sagemaker.batch import BatchRequest, batch_predict
from featuremill.sagemaker.champion import champion
from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.gate import judge
from featuremill.sagemaker.names import content_hash, endpoint_name
from featuremill.sagemaker.records import Registry
from featuremill.sagemaker.refresh import deploy
from featuremill.sagemaker.requests.training import Hosts
from featuremill.sagemaker.scores import Predictions, measure
from featuremill.sagemaker.smoke import Probe, first_difference
from featuremill.sagemaker.staging import channel_manifest, stage
from featuremill.sagemaker.training import (
    TrainingRequest,
    fetch_model,
    fetch_output,
    model_version,
    read_metrics,
    submit,
    wait,
)
from featuremill.spec.accept import Accept
from featuremill.spec.models import Endpoint, Pipeline
from featuremill.warehouse.storage import Warehouse
from tests.sagemaker.tables import DS, PIPELINE, START
from training_image.parameters import Hyperparameters
from training_image.prediction import Model

SKILLS = ("go", "java", "python", "sql")
ROWS = 800


def _table(task: str) -> pa.Table:
    random = np.random.default_rng(3)
    x = random.normal(size=ROWS)
    kind = random.integers(0, 3, ROWS)
    table = {
        "id": pa.array(np.arange(ROWS) // 2, pa.int64()),
        "event_id": pa.array(np.arange(ROWS), pa.int64()),
        "as_of": pa.array([START + timedelta(hours=i) for i in range(ROWS)], pa.timestamp("us", "UTC")),
        "x": pa.array([None if i % 11 == 0 else value for i, value in enumerate(x)], pa.float64()),
        "kind": pa.array([None if i % 13 == 0 else f"k{k}" for i, k in enumerate(kind)]),
        "day": pa.array([(START + timedelta(days=int(k))).date() for k in kind * 30], pa.date32()),
        "seen": pa.array([START + timedelta(seconds=float(v)) for v in x * 1e6], pa.timestamp("us", "UTC")),
    }
    signal = x + kind + random.normal(size=ROWS)
    if task == "binary":
        table["y"] = pa.array((signal > 1).astype(int), pa.int32())
    elif task == "multiclass":
        table["y"] = pa.array(["low" if s < 0 else "mid" if s < 2 else "high" for s in signal])
    elif task == "regression":
        table["y"] = pa.array(signal, pa.float64())
    else:
        chosen = [
            [skill for place, skill in enumerate(SKILLS) if s > place - 1 + r] for s, r in zip(signal, x, strict=True)
        ]
        table["y"] = pa.array(chosen, pa.list_(pa.string()))
    return pa.table(table)


def _pipeline(task: str) -> Pipeline:
    name = f"real_{task}"
    label = PIPELINE.label
    assert label is not None
    return PIPELINE.model_copy(update={"pipeline": name, "label": label.model_copy(update={"task": task})})


@pytest.fixture
def own_image(clients: Clients) -> Iterator[Clients]:
    own = Clients(clients.settings.model_copy(update={"image": "featuremill-training:latest"}))
    yield own
    for task in ("binary", "multiclass", "regression", "one_vs_rest"):
        endpoints.delete(own, endpoint_name(f"real_{task}"))


@pytest.mark.parametrize(
    "task",
    [
        "binary",
        "one_vs_rest",
        pytest.param("multiclass", marks=pytest.mark.slow),
        pytest.param("regression", marks=pytest.mark.slow),
    ],
)
def test_endpoint_batch_transform_and_process_agree(
    own_image: Clients, warehouse: Warehouse, tmp_path: Path, task: Any
) -> None:
    clients, pipeline, table = own_image, _pipeline(task), _table(task)
    label = pipeline.label
    assert label is not None
    stage_ = warehouse.stage(pipeline.pipeline, "training", DS, content_hash(task))
    pq.write_table(table, Path(stage_.directory) / "part.parquet")
    partition = warehouse.commit(stage_, warehouse.describe(stage_, engine="duckdb")).manifest

    channel = channel_manifest(pipeline, partition)
    staged = stage(clients, warehouse, partition, channel)
    parameters = Hyperparameters.model_validate({"task": task, "xgboost": {"rounds": 20}, "split": {"by": "time"}})
    request = TrainingRequest(
        pipeline=pipeline.pipeline,
        ds=DS,
        fingerprint=content_hash([partition.fingerprint, parameters.model_dump(mode="json")]),
        data_fingerprint=partition.fingerprint,
        parameters=parameters,
        staged=staged,
        hosts=Hosts("ml.m5.large"),
    )
    submitted = submit(clients, request)
    trained = wait(clients, submitted.name)
    folder = fetch_model(clients, trained, tmp_path)
    output = fetch_output(clients, trained, tmp_path)
    metrics = read_metrics(output)
    model = Model.load(folder)
    assert model.manifest.fingerprint == partition.fingerprint

    def score(rows: pa.Table) -> pa.Table:
        return model.predict(rows)

    judged = pq.read_table(output / "validation.parquet")
    columns = [name for name in judged.column_names if name not in table.column_names]
    challenger = Predictions(judged.select(columns), tuple(model.manifest.classes))
    rows = judged.select([name for name in table.column_names if name in judged.column_names])
    if task != "one_vs_rest":  # that one is judged by folds
        assert first_difference(task, judged.select(columns), score(rows)) is None
    live = champion(lambda rows: Predictions(score(rows), tuple(model.manifest.classes)), judged, "event_id")
    accept = Accept.model_validate({"against_live": {"prediction_psi": "<= 0"}})
    verdict = judge(accept, task, {}, rows=rows, label="y", challenger=challenger, champion=live)
    assert verdict.passed, verdict.summary
    ours, theirs = measure(task, rows.column("y"), challenger), metrics["validation"]
    shared = {name for name in ours if name in theirs}
    assert shared
    for name in shared if task != "one_vs_rest" else ():
        assert ours[name] == pytest.approx(theirs[name], abs=1e-6), name

    registry = Registry(warehouse, pipeline.pipeline)
    record = model_version(request, submitted, trained, metrics, datetime(2024, 1, 1, tzinfo=UTC))
    registry.add(record, "tests")
    features = [feature.name for feature in channel.features]
    asked = table.slice(0, 25)
    if task == "one_vs_rest":
        every = pa.array([list(model.manifest.values)] * 25, pa.list_(pa.string()))
        asked = asked.set_column(asked.column_names.index("y"), "y", every)
    probe = Probe(task, "y", features, asked, score)
    assert deploy(clients, registry, record, Endpoint(), probe, reason="tests").outcome == "created"

    found = batch_predict(
        clients,
        BatchRequest(
            model=record,
            ds=DS,
            fingerprint="b" * 32,
            features=features,
            label="y",
            label_type=score(table.slice(0, 1)).schema.field("predicted_label").type,
            hosts=Hosts("ml.m5.large"),
            values=model.manifest.values,
        ),
        table.to_batches(),
    )
    assert found.num_rows == ROWS
    assert first_difference(task, found, score(table)) is None
