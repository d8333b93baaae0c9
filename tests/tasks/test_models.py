"""The calls that operators send are the library's own, and it goes on from what they did."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from featuremill.errors import UsageError
from featuremill.tasks.day import Day, ModelOptions
from featuremill.tasks.models import Choice, deploy_choice, deployment_call, training_call
from featuremill.tasks.spark_jobs import OneEngine
from tests.fixtures_services import Services
from tests.runs.learning import LearningShop

pytestmark = pytest.mark.slow

DAY, LATER = "2024-05-01", "2024-05-03"
TRAINS = ModelOptions(trains=True)
_numbers = itertools.count()


@pytest.fixture
def shop(tmp_path: Path, services: Services) -> LearningShop:
    made = LearningShop(tmp_path / "a project", f"asked_shop_{next(_numbers)}", services)
    for day in (DAY, LATER):
        made.land_orders(day, seed=int(day[-1]))
    return made


def _send(shop: LearningShop, call: Any) -> None:
    getattr(shop.clients.sagemaker, call.operation)(**call.request)


def _day_until_training(shop: LearningShop) -> Day:
    day = Day.open(shop.folder, shop.name, LATER)
    engine = OneEngine(shop.workspace._local_engine())
    for stage in ("ingest", "snapshot", "training"):
        day.do(stage, engine, options=TRAINS)
    return day


def test_operators_send_what_the_library_asks_for_and_it_verifies(shop: LearningShop) -> None:
    day = _day_until_training(shop)
    job = training_call(day, TRAINS)
    assert job is not None and job.operation == "create_training_job"
    assert training_call(day, TRAINS) == job, "asking sends nothing"
    _send(shop, job)
    assert day.do("train", options=TRAINS)["done"] == 1
    assert training_call(day, TRAINS) is None
    day.do("accept", options=TRAINS)

    sent = []
    for operations in (("create_model",), ("create_endpoint_config",), ("create_endpoint", "update_endpoint")):
        call = deployment_call(day, TRAINS, *operations)
        assert call is not None
        _send(shop, call)
        sent.append(call.operation)
    assert sent == ["create_model", "create_endpoint_config", "create_endpoint"]
    done = day.do("deploy", options=TRAINS)
    assert "finished, tested" in done["what"][0]["remark"], "what the operators moved is adopted, not made anew"
    assert shop.live == job.request["TrainingJobName"]
    assert [event for event, _ in shop.events].count("deploying") == 1
    assert deployment_call(day, TRAINS, "create_model", "create_endpoint_config", "update_endpoint") is None

    by_tasks = shop.live
    shop.run(LATER)
    assert shop.live == by_tasks, "featuremill run makes the very same model"
    again = deploy_choice(day, Choice("deploy"))
    assert (again["version"], again["outcome"]) == (by_tasks, "unchanged")
    with pytest.raises(UsageError, match="first model"):
        deploy_choice(day, Choice("rollback"))
