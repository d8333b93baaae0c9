"""The models that the project ships with, at full size: how good they are, and that all ways to ask them agree."""

from __future__ import annotations

import csv
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featuremill.cli.predicting import Kind, predict
from featuremill.cli.runs import run
from featuremill.cli.workspace import open_workspace
from featuremill.local_engine.engine import LocalEngine
from featuremill.local_engine.session import LocalSettings
from featuremill.sagemaker import payloads
from featuremill.sagemaker.batch import BatchRequest, batch_predict
from featuremill.sagemaker.names import endpoint_name
from featuremill.samples.credit_risk import generate
from featuremill.steps.jobs import ScoreJob, Scores
from featuremill.steps.modelling import SageMakerModels
from featuremill.steps.predicting import by_endpoint, json_bodies, predictions
from tests.fixtures_services import Services
from training_image.prediction import Model, arrow_type

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REPOSITORY = Path(__file__).resolve().parents[2]
DS = "2020-12-31"
TOLERANCE = 1e-6
NUMBERS = ("probability", "lower", "upper")


def project(folder: Path, services: Services, *pipelines: str) -> Path:
    """A project with some of the shipped pipelines, that uses the servers of the test run."""
    (folder / "configuration" / "environments").mkdir(parents=True)
    (folder / "configuration" / "pipelines").mkdir()
    for name in pipelines:
        file = Path("configuration", "pipelines", f"{name}.yaml")
        shutil.copy(REPOSITORY / file, folder / file)
    (_, metastore), (_, sagemaker) = services.metastore, services.sagemaker
    environment = f"metastore: {{port: {metastore}}}\nsagemaker: {{port: {sagemaker}}}\n"
    (folder / "configuration" / "environments" / "local.yaml").write_text(environment)
    return folder


@pytest.fixture(scope="module")
def credit_risk(tmp_path_factory: pytest.TempPathFactory, services: Services) -> Path:
    """Credit risk, run for one day from nothing."""
    folder = project(tmp_path_factory.mktemp("credit risk"), services, "credit_risk")
    generate(out=folder / "data" / "landing")
    run("credit_risk", DS, project=folder)
    return folder


@pytest.fixture(scope="module")
def models(credit_risk: Path) -> SageMakerModels:
    workspace = open_workspace(credit_risk)
    return workspace.models(workspace.pipeline("credit_risk"))


@pytest.fixture(scope="module")
def judged(models: SageMakerModels) -> pa.Table:
    """Every row that the model was judged on, with the predictions that training made for it."""
    version = models.live()
    assert version is not None
    return pq.read_table(models.output(version) / "validation.parquet")


@pytest.fixture(scope="module")
def model(models: SageMakerModels) -> Model:
    version = models.live()
    assert version is not None
    return models.loaded(version)


def test_credit_risk_is_as_good_as_it_can_be(credit_risk: Path, models: SageMakerModels) -> None:
    truth = json.loads(next(credit_risk.rglob("_truth.json")).read_text())
    version = models.live()
    assert version is not None
    assert abs(version.metrics["validation"]["auc"] - truth["best_auc"]) <= 0.03
    assert version.metrics["validation"]["auc"] > version.metrics["baselines"]["majority"]["auc"] + 0.2


def test_the_same_day_again_trains_nothing(credit_risk: Path, models: SageMakerModels) -> None:
    before = [job["TrainingJobName"] for job in _jobs(models)]
    run("credit_risk", DS, project=credit_risk)
    assert [job["TrainingJobName"] for job in _jobs(models)] == before


def _jobs(models: SageMakerModels) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = models.clients.sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    return found


def test_intervals_cover_as_stated(models: SageMakerModels, judged: pa.Table) -> None:
    """On the rows that taught neither the model nor the interval, more than 50,000 of them."""
    assert judged.num_rows > 50_000
    stated = 0.9
    outcome = judged["status"].to_numpy()
    inside = (judged["lower"].to_numpy() <= outcome) & (outcome <= judged["upper"].to_numpy())
    assert abs(inside.mean() - stated) <= 0.02
    version = models.live()
    assert version is not None
    assert version.metrics["coverage"]["measured"] == pytest.approx(inside.mean(), abs=1e-9)


def test_the_endpoint_answers_as_training_did(models: SageMakerModels, model: Model, judged: pa.Table) -> None:
    features = [feature.name for feature in model.manifest.features]
    records = list(payloads.records(judged, features))
    ask = by_endpoint(models.clients, endpoint_name("credit_risk"))
    answers = list(predictions(json_bodies(records), ask))
    assert len(answers) == judged.num_rows
    _assert_numbers({name: np.array([answer[name] for answer in answers]) for name in NUMBERS}, judged)
    assert [answer["predicted_label"] for answer in answers] == judged["predicted_label"].to_pylist()


def test_this_process_answers_as_training_did(model: Model, judged: pa.Table) -> None:
    _assert_table(model.predict(judged), judged)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "spark"])
def test_scoring_answers_as_training_did(
    engine: str, spark: SparkSession, models: SageMakerModels, judged: pa.Table, tmp_path: Path
) -> None:
    from spark_jobs.scoring import score as score_on_spark

    class Spark:
        name = "spark"

        def score(self, job: ScoreJob) -> Any:
            return score_on_spark(spark, job)

    scorer: Scores = LocalEngine(LocalSettings(scratch=tmp_path / "scratch")) if engine == "local" else Spark()
    version = models.live()
    assert version is not None
    rows, target = tmp_path / "rows", tmp_path / "predictions"
    rows.mkdir()
    target.mkdir()
    # loan_id, the key of a row, stands where a snapshot has its entity.
    pq.write_table(judged.drop_columns([*NUMBERS, "predicted_label"]), rows / "part-00000.parquet")
    job = ScoreJob(
        pipeline="credit_risk",
        entity="loan_id",
        ds=DS,
        snapshot_dir=str(rows),
        snapshot_fingerprint="0" * 32,
        model_dir=str(models.unpacked(version)),
        version=version.version,
        rows=judged.num_rows,
        target_dir=str(target),
    )
    assert scorer.score(job).rows == judged.num_rows
    scored = pq.read_table(target, partitioning=None).sort_by("loan_id")
    _assert_table(scored, judged.sort_by("loan_id"))
    assert set(scored["model_version"].to_pylist()) == {version.version}


@pytest.mark.slow
def test_batch_transform_answers_as_training_did(models: SageMakerModels, model: Model, judged: pa.Table) -> None:
    version = models.live()
    assert version is not None
    manifest = model.manifest
    request = BatchRequest(
        model=version,
        ds=DS,
        fingerprint=f"{time.time_ns():032x}",
        features=[feature.name for feature in manifest.features],
        label=manifest.label,
        label_type=arrow_type(manifest.label_type),
        hosts=models.hosts,
    )
    _assert_table(batch_predict(models.clients, request, judged.to_batches(max_chunksize=50_000)), judged)


def _assert_table(found: pa.Table, judged: pa.Table) -> None:
    assert found.num_rows == judged.num_rows
    _assert_numbers({name: found[name].to_numpy() for name in NUMBERS}, judged)
    assert found["predicted_label"].combine_chunks().equals(judged["predicted_label"].combine_chunks())


def _assert_numbers(found: dict[str, Any], judged: pa.Table) -> None:
    for name, numbers in found.items():
        np.testing.assert_allclose(numbers, judged[name].to_numpy(), rtol=0, atol=TOLERANCE, err_msg=name)


def test_heart_without_a_word_of_machine_learning(tmp_path: Path, services: Services, shared_data: Path) -> None:
    """Trained on the public train file, asked for the rows of the public test file, as CSV and as JSON."""
    from sklearn.metrics import accuracy_score, roc_auc_score

    folder = project(tmp_path / "heart", services, "heart")
    landing = folder / "data" / "landing" / "heart" / "ds=2026-01-01"
    landing.mkdir(parents=True)
    shutil.copy(shared_data / "heart_train.csv", landing)
    run("heart", "2026-01-01", project=folder)
    as_csv, as_json = tmp_path / "answers.csv", tmp_path / "answers.json"
    predict("heart", shared_data / "heart_test.csv", Kind.csv, output=as_csv, project=folder)
    predict("heart", shared_data / "heart_test.json", Kind.json, output=as_json, project=folder)
    with as_csv.open() as lines:
        answers = list(csv.DictReader(lines))
    with (shared_data / "heart_test.csv").open() as lines:
        outcome = [int(row["narrowing-diagnosis"]) for row in csv.DictReader(lines)]
    probability = [float(answer["probability"]) for answer in answers]
    assert roc_auc_score(outcome, probability) >= 0.90
    assert accuracy_score(outcome, [int(answer["predicted_label"]) for answer in answers]) >= 0.82
    assert [answer["probability"] for answer in json.loads(as_json.read_text())] == probability
