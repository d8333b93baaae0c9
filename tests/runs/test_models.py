"""A run trains, judges, deploys and predicts; what goes wrong on the way leaves the live model alone."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from featuremill.cli.modelling import deploy, rollback, train
from featuremill.cli.predicting import Kind, Scorer, batch_predict, predict
from featuremill.errors import DataError, FeaturemillError, UsageError
from featuremill.sagemaker import buckets, payloads
from featuremill.sagemaker.names import endpoint_name
from featuremill.tasks.day import Day
from tests.fixtures_services import Services
from tests.runs.learning import MODEL, LearningShop

_counter = itertools.count()
D1, D2, D3 = "2024-01-01", "2024-01-02", "2024-01-03"


@pytest.fixture
def shop(tmp_path: Path, services: Services) -> Iterator[LearningShop]:
    name = f"learn_{next(_counter)}"
    made = LearningShop(tmp_path / "project", name, services)
    yield made
    made.clients.sagemaker.delete_endpoint(EndpointName=endpoint_name(name)) if made.live else None


def train_by_hand(shop: LearningShop, ds: str) -> None:
    train(shop.name, ds, None, None, False, None, shop.folder)


def test_a_run_ends_with_a_live_model_and_predictions(shop: LearningShop) -> None:
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    version = shop.live
    assert version is not None and version.startswith(shop.name.replace("_", "-") + f"-{D2}-")
    assert [event for event, _ in shop.events] == ["trained", "accepted", "deploying", "deployed"]
    predictions, snapshot = shop.rows("predictions", D2), shop.rows("snapshot", D2)
    assert [row["customer"] for row in predictions] == [row["customer"] for row in snapshot]
    assert {row["model_version"] for row in predictions} == {version}
    assert all(0 <= row["lower"] <= row["probability"] <= row["upper"] <= 1 for row in predictions)
    metrics = {(row["dataset"], row["metric"]): row["value"] for row in shop.rows("model_metrics", D2)}
    assert metrics["validation", "auc"] > 0.6 and ("baseline_majority", "accuracy") in metrics
    latest = shop.services.catalog.view_text(shop.name, "latest")
    assert latest is not None and "predictions" in latest


def test_the_same_day_again_does_nothing(shop: LearningShop) -> None:
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    before, jobs = shop.files(), shop.clients.sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    shop.run(D2)
    assert shop.files() == before
    assert shop.clients.sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"] == jobs


@pytest.mark.parametrize("moment", ["training job", "accept@", "endpoint Creating", "score@"])
def test_a_killed_run_is_gone_on_with(shop: LearningShop, moment: str) -> None:
    """Whenever it is killed, the next run trains no second model and ends as if nothing had been."""
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    process = shop.start(D2)
    assert process.stdout is not None
    for text in process.stdout:
        if moment in text:
            break
    process.kill()
    process.wait()
    process.stdout.close()
    shop.run(D2)
    name = shop.name.replace("_", "-")
    jobs = shop.clients.sagemaker.list_training_jobs(NameContains=name, MaxResults=100)["TrainingJobSummaries"]
    assert len(jobs) == 1
    assert shop.live == jobs[0]["TrainingJobName"]
    assert shop.endpoint_config.startswith(str(shop.live))
    assert {row["model_version"] for row in shop.rows("predictions", D2)} == {shop.live}


def test_a_later_day_predicts_with_the_model_there_is(shop: LearningShop) -> None:
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    shop.land_orders(D3, orders=10, seed=3)
    shop.run(D3)
    assert [event for event, _ in shop.events].count("trained") == 1
    assert {row["model_version"] for row in shop.rows("predictions", D3)} == {shop.live}


def test_an_old_day_never_hears_of_a_later_model(shop: LearningShop) -> None:
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    shop.run(D1)
    assert ("predictions", D1) not in shop.published()
    assert ("snapshot", D1) in shop.published()


def test_requests_go_on_while_the_model_is_replaced(shop: LearningShop) -> None:
    """A client at 50 requests a second sees no failure, and in the end the new model's numbers."""
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    first = shop.live
    shop.land_orders(D3, orders=300, seed=3, noise=0.3)
    rows = shop.rows("training", D2)[:1]
    features = [f.name for f in shop.models.loaded(shop.models.registry.version(str(first))).manifest.features]
    body = payloads.instances([{name: rows[0][name] for name in features}])
    runtime, answers, failures, stop = shop.clients.runtime, [], [], threading.Event()

    def ask() -> None:
        try:
            got = runtime.invoke_endpoint(
                EndpointName=endpoint_name(shop.name), Body=body, ContentType="application/json", Accept="text/csv"
            )
            answers.append(got["Body"].read())
        except Exception as error:
            failures.append(error)

    def client() -> None:
        due = time.monotonic()
        threads = []
        while not stop.is_set():
            threads.append(threading.Thread(target=ask))
            threads[-1].start()
            due += 0.02
            time.sleep(max(0.0, due - time.monotonic()))
        for thread in threads:
            thread.join()

    load = threading.Thread(target=client)
    load.start()
    try:
        train_by_hand(shop, D3)
        time.sleep(0.5)
    finally:
        stop.set()
        load.join()
    assert shop.live != first
    assert failures == []
    assert len(answers) > 50
    assert len(set(answers)) == 2, "answers of the old model, then of the new one"
    assert answers[0] != answers[-1]


def test_a_model_that_is_not_good_enough_does_not_go_live(shop: LearningShop) -> None:
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    live, config, published = shop.live, shop.endpoint_config, shop.published()
    shop.pipeline_file.write_text(shop.pipeline_file.read_text().replace('">= 0.6"', '">= 0.999"'))
    shop.land_orders(D3, orders=400, seed=3)
    with pytest.raises(DataError, match=r"not accepted: auc: 0\.\d+ is not >= 0\.999") as caught:
        train_by_hand(shop, D3)
    assert caught.value.exit_code == 1 and str(live) in str(caught.value)
    assert (shop.live, shop.endpoint_config) == (live, config)
    assert shop.events[-1][0] == "rejected"
    assert shop.published()["snapshot", D2] == published["snapshot", D2] and ("snapshot", D3) not in shop.published()
    assert "rejected" in {row["event"] for row in shop.rows("model_events", _today())}


def test_a_broken_artefact_does_not_go_live(shop: LearningShop) -> None:
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    live, config = shop.live, shop.endpoint_config
    shop.land_orders(D3, orders=400, seed=3)
    train(shop.name, D3, None, None, True, None, shop.folder)
    made = shop.models.registry.versions()[-1]
    assert made.version != live and shop.live == live
    content = buckets.read(shop.clients, made.artefact_uri)
    assert content is not None
    buckets.write(shop.clients, made.artefact_uri, content[: len(content) // 2])
    with pytest.raises(FeaturemillError):
        deploy(shop.name, made.version, True, shop.folder)
    assert (shop.live, shop.endpoint_config) == (live, config)


def test_a_failed_training_says_why(shop: LearningShop) -> None:
    shop.land_days(D1, D2)
    with pytest.raises(FeaturemillError, match=r"training job \S+ failed: ") as caught:
        shop.run(D2)
    assert caught.value.exit_code == 1
    assert shop.live is None and ("predictions", D2) not in shop.published()


def test_back_to_the_model_before(shop: LearningShop) -> None:
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    first, config = shop.live, shop.endpoint_config
    shop.land_orders(D3, orders=300, seed=3)
    train_by_hand(shop, D3)
    second = shop.live
    assert second != first
    rollback(shop.name, None, shop.folder)
    assert (shop.live, shop.endpoint_config) == (first, config)
    shop.run(D3)  # a run does not put back what people took away
    assert shop.live == first
    assert {row["model_version"] for row in shop.rows("predictions", D3)} == {first}
    deploy(shop.name, second, False, shop.folder)
    assert shop.live == second


def test_deploy_refuses_what_was_not_accepted(shop: LearningShop) -> None:
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    train(shop.name, D2, None, None, True, None, shop.folder)
    made = shop.models.registry.versions()[-1]
    with pytest.raises(UsageError, match="was not accepted"):
        deploy(shop.name, made.version, False, shop.folder)
    with pytest.raises(UsageError, match="has no model 'other'"):
        deploy(shop.name, "other", False, shop.folder)


def test_every_way_to_predict_gives_the_same_numbers(shop: LearningShop, tmp_path: Path) -> None:
    """The rows of the validation split: endpoint (csv and json) and in process; snapshot: local, Spark, transform."""
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    version = shop.models.registry.version(str(shop.live))
    judged = pq.read_table(shop.models.output(version) / "validation.parquet")
    features = [f.name for f in shop.models.loaded(version).manifest.features]
    rows = judged.select(features).to_pylist()
    as_json, as_csv = tmp_path / "rows.json", tmp_path / "rows.csv"
    as_json.write_bytes(payloads.instances(rows))
    lines = [",".join(features)] + [",".join("" if v is None else str(v) for v in row.values()) for row in rows]
    as_csv.write_text("\n".join(lines) + "\n")
    found = []
    for file, kind in ((as_json, Kind.json), (as_csv, Kind.csv)):
        for local in (False, True):
            answer = tmp_path / f"answer-{kind}-{local}.csv"
            predict(shop.name, file, kind, local, False, None, answer, shop.folder)
            found.append(_numbers(answer))
    expected = [(row["probability"], row["lower"], row["upper"]) for row in judged.to_pylist()]
    for answers in found:
        assert len(answers) == len(expected)
        assert all(a == pytest.approx(b, abs=1e-6) for a, b in zip(answers, expected, strict=True))
    tables = []
    for scorer in Scorer:
        file = tmp_path / f"{scorer}.parquet"
        batch_predict(shop.name, D2, scorer, file, shop.folder)
        tables.append(pq.read_table(file))
    for table in tables[1:]:
        assert table.column_names == tables[0].column_names
        for name in ("probability", "lower", "upper"):
            pairs = zip(table[name].to_pylist(), tables[0][name].to_pylist(), strict=True)
            assert all(abs(one - other) <= 1e-6 for one, other in pairs)
        assert table["customer"].equals(tables[0]["customer"])
        assert table["predicted_label"].equals(tables[0]["predicted_label"])


def _numbers(answer: Path) -> list[tuple[float, ...]]:
    import csv
    import json

    text = answer.read_text()
    rows = json.loads(text) if text.startswith("[") else list(csv.DictReader(text.splitlines()))
    return [tuple(float(row[name]) for name in ("probability", "lower", "upper")) for row in rows]


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def test_without_an_endpoint_the_accepted_model_predicts(tmp_path: Path, services: Services) -> None:
    shop = LearningShop(tmp_path / "project", "learn_without", services, MODEL.replace("endpoint: {{}}\n", ""))
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    assert shop.live is not None
    assert [event for event, _ in shop.events] == ["trained", "accepted"]
    assert {row["model_version"] for row in shop.rows("predictions", D2)} == {shop.live}
    with pytest.raises(UsageError, match="has no endpoint"):
        rollback(shop.name, None, shop.folder)


def test_a_model_that_was_trained_by_hand_predicts_in_later_runs(tmp_path: Path, services: Services) -> None:
    """The pipeline has a label and no `training` section: nothing is trained by itself."""
    shop = LearningShop(tmp_path / "project", f"learn_by_hand_{next(_counter)}", services, model="")
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.land_orders(D3, orders=10, seed=3)
    shop.run(D2)
    assert shop.live is None and ("predictions", D2) not in shop.published()
    train_by_hand(shop, D2)
    shop.run(D3)
    assert {row["model_version"] for row in shop.rows("predictions", D3)} == {shop.live}
    assert [event for event, _ in shop.events] == ["trained", "accepted"]
    assert len(shop.rows("training", D3)) == 520, "it is there to be looked at, as before"
    day = Day.open(shop.folder, shop.name, D3, lambda text: None)
    assert [day.do(stage)["done"] for stage in ("ingest", "training", "score", "publish")] == [0, 0, 0, 0]
