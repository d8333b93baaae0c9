"""The tasks about a model, executed one by one against AWS's addresses, with the waits in the real triggers."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from airflow_dags import pipeline_dags
from botocore.exceptions import ParamValidationError

from featuremill.services.airflow_connections import connections
from featuremill.spec.environment import load_environment
from featuremill.tasks import models as calls
from featuremill.tasks.asked import Call
from featuremill.tasks.day import Day, ModelOptions
from featuremill.tasks.spark_jobs import OneEngine
from tests.dags.aws import CREDENTIALS, Aws, aws
from tests.fixtures_services import Services, services  # noqa: F401
from tests.runs.learning import LearningShop

pytestmark = pytest.mark.slow

EARLIER, DAY, LATER = "2024-05-01", "2024-05-03", "2024-05-05"
AFTER = datetime(2024, 5, 7, tzinfo=UTC)
TRAINS = ModelOptions(trains=True, by_hand=True)
TRAINING = {"by_hand": True, "instance_type": None, "instance_count": None, "stop_after_training": False}
_numbers = itertools.count()
_AWS = 'sagemaker: {endpoint: null, region: us-east-1, role: "arn:aws:iam::123456789012:role/mill"}\n'


class Tasks:
    """The tasks of a pipeline's DAGs, executed as the task runner would."""

    def __init__(self, shop: LearningShop) -> None:
        self.shop = shop
        self.dags = pipeline_dags(shop.name, str(shop.folder / "dags" / f"{shop.name}.py"))

    def execute(self, dag: str, task: str, **params: Any) -> tuple[Any, list[str]]:
        """What a task returns, and the triggers that it waited in."""
        operator: Any = self.dags[f"{self.shop.name}__{dag}"].get_task(task)
        run = SimpleNamespace(run_type="manual", logical_date=None, data_interval_end=None, run_after=AFTER)
        context = {"params": params, "dag_run": run, "run_id": "manual__1", "task": operator}
        waited: list[str] = []
        method: str = "execute"
        given: dict[str, Any] = {}
        while True:
            try:
                return getattr(operator, method)(context, **given), waited
            except TaskDeferred as deferred:
                assert deferred.timeout is not None
                event = asyncio.run(_fired(deferred.trigger))
                waited.append(f"{type(deferred.trigger).__name__} {event['status']}")
                method, given = deferred.method_name, {"event": event}

    def training_table(self, ds: str) -> Day:
        day = Day.open(self.shop.folder, self.shop.name, ds)
        for stage in ("ingest", "training"):
            day.do(stage, OneEngine(self.shop.workspace._local_engine()), options=TRAINS)
        return day

    def train(self, ds: str) -> list[str]:
        """Everything of the training DAG but what Spark does; returns the triggers that it waited in."""
        self.training_table(ds)
        tasks = ("train.job", "train.record", "accept", "deploy.model", "deploy.config", "deploy.endpoint")
        return [
            name for task in (*tasks, "deploy.verify") for name in self.execute("train", task, ds=ds, **TRAINING)[1]
        ]


async def _fired(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload


@pytest.fixture
def shop(
    tmp_path: Path,
    services: Services,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> LearningShop:
    made = LearningShop(tmp_path / "a project", f"aws_shop_{next(_numbers)}", services)
    file = made.folder / "configuration" / "environments" / "local.yaml"
    file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n" + _AWS)
    environment = load_environment(made.folder)
    assert connections(environment, {})["aws"] == {"conn_type": "aws", "extra": {"region_name": "us-east-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS", json.dumps(connections(environment, {})["aws"]))
    for name, text in CREDENTIALS.items():
        monkeypatch.setenv(name, text)
    for number, day in enumerate((EARLIER, DAY, LATER)):
        made.land_orders(day, seed=number + 1)
    return made


@pytest.fixture
def answering(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:  # noqa: F811
    monkeypatch.setattr("airflow_dags.sagemaker._AWS_POLL", 1)
    host, port = services.sagemaker
    url = f"http://{host}:{port}"
    given = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    boto3.session.Session(**given).client("s3", endpoint_url=url).create_bucket(Bucket="featuremill")
    with aws(url) as found:
        yield found


def test_a_model_is_trained_deployed_and_refreshed_on_aws(shop: LearningShop, answering: Aws) -> None:
    tasks = Tasks(shop)
    assert tasks.train(DAY) == ["SageMakerTrigger success"] * 2, "for the job, and for the endpoint"
    assert answering.changes() == ["CreateTrainingJob", "CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    first = shop.live
    assert tasks.train(LATER) == ["SageMakerTrigger success"] * 2
    assert answering.changes()[4:] == ["CreateTrainingJob", "CreateModel", "CreateEndpointConfig", "UpdateEndpoint"]
    assert first is not None and shop.live != first
    (job, *_) = [request for name, request in answering.sent if name == "CreateTrainingJob"]
    assert job["RoleArn"] == "arn:aws:iam::123456789012:role/mill"
    asked = {name for name, _ in answering.sent}
    assert asked >= {"DescribeTrainingJob", "DescribeModel", "DescribeEndpointConfig", "DescribeEndpoint"}
    assert "api.sagemaker.us-east-1.amazonaws.com" in answering.hosts

    with pytest.raises(AirflowSkipException, match="has it already"):
        tasks.execute("train", "train.job", ds=LATER, **TRAINING)
    choice = {"action": "rollback", "version": None, "force": False}
    for task in ("deploy.model", "deploy.config"):
        with pytest.raises(AirflowSkipException, match="has it already"):
            tasks.execute("deploy", task, **choice)
    assert len(answering.changes()) == 8, "asking what to do changes nothing"
    assert tasks.execute("deploy", "deploy.endpoint", **choice)[1] == ["SageMakerTrigger success"]
    assert tasks.execute("deploy", "deploy.verify", **choice)[0]["version"] == first == shop.live


def test_a_wrong_parameter_is_refused_before_anything_is_sent(
    shop: LearningShop, answering: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Call("create_training_job", {"TrainingJobName": "job", "Instances": 1})
    monkeypatch.setattr(calls, "training_call", lambda *_: wrong)
    with pytest.raises(ParamValidationError, match='Unknown parameter in input: "Instances"'):
        Tasks(shop).execute("train", "train.job", ds=DAY, **TRAINING)
    assert answering.changes() == []


def test_a_failed_job_fails_for_good_with_its_reason_and_a_running_one_is_waited_for(
    shop: LearningShop, answering: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = Tasks(shop)
    asked = calls.training_call(tasks.training_table(DAY), TRAINS)
    assert asked is not None
    parameters = asked.request["HyperParameters"]
    wrong = {**asked.request, "TrainingJobName": f"{asked.request['TrainingJobName']}-wrong"}
    wrong["HyperParameters"] = {**parameters, "objective": "nonsense"}
    monkeypatch.setattr(calls, "training_call", lambda *_: Call("create_training_job", wrong))
    with pytest.raises(AirflowFailException, match="objective is unknown"):
        tasks.execute("train", "train.job", ds=DAY, **TRAINING)

    right = asked.request
    boto3.session.Session(region_name="us-east-1").client("sagemaker").create_training_job(**right)
    describe = Call("describe_training_job", {"TrainingJobName": right["TrainingJobName"]})
    found = iter([describe, None])
    monkeypatch.setattr(calls, "training_call", lambda *_: next(found))
    with pytest.raises(AirflowSkipException, match="has it already"):
        tasks.execute("train", "train.job", ds=DAY, **TRAINING)
    assert next(found, "both were asked for") == "both were asked for"
