"""Every request that is built is one that AWS takes, whatever the settings."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any, get_args

import pytest

from featuremill.errors import UsageError
from featuremill.sagemaker.requests import autoscaling
from featuremill.sagemaker.requests.serving import (
    Traffic,
    Variant,
    create_endpoint,
    create_endpoint_config,
    create_model,
    update_endpoint,
)
from featuremill.sagemaker.requests.training import (
    METRICS,
    Channel,
    Hosts,
    TrainingJob,
    create_training_job,
    hyperparameter_texts,
    volume_gb,
)
from featuremill.sagemaker.requests.transform import TransformJob, create_transform_job
from featuremill.spec.environment import SageMakerSettings
from tests.sagemaker.checking import problems
from training_image.parameters import Hyperparameters

PLAIN = SageMakerSettings()
RICH = SageMakerSettings(
    endpoint=None,
    role="arn:aws:iam::123456789012:role/service-role/trainer",
    bucket="models",
    prefix="team/a",
    image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/featuremill:1.0",
    subnets=("subnet-0a1b2c3d",),
    security_groups=("sg-0a1b2c3d",),
    kms_key="arn:aws:kms:eu-west-1:123456789012:key/abc",
    alarms=("errors", "latency"),
    bake_seconds=300,
    max_runtime=3600,
    spot=True,
)
SETTINGS = [PLAIN, RICH]
MODEL = "s3://models/heart/model.tar.gz"


def _is_valid(operation: str, request: dict[str, Any], service: str = "sagemaker") -> None:
    assert problems(service, operation, request) == []


def _training(settings: SageMakerSettings, parameters: Hyperparameters, hosts: int) -> dict[str, Any]:
    job = TrainingJob(
        name="heart-2024-01-01-01234567",
        hyperparameters=hyperparameter_texts(parameters),
        channels=(
            Channel("train", "s3://b/train/", "application/x-parquet", sharded=hosts > 1),
            Channel("manifest", "s3://b/manifest/", "application/json", mode="FastFile"),
        ),
        hosts=Hosts("ml.m5.xlarge", hosts),
        output_uri="s3://b/models",
        checkpoint_uri="s3://b/checkpoints/x/",
        environment={"FEATUREMILL_FINGERPRINT": "0123456789"},
        labels={"pipeline": "heart", "fingerprint": "f" * 300},
    )
    return create_training_job(job, settings)


@pytest.mark.parametrize(
    ("settings", "task", "hosts"),
    list(product(SETTINGS, ("binary", "multiclass", "regression", "one_vs_rest"), (1, 3))),
)
def test_training_jobs(settings: SageMakerSettings, task: Any, hosts: int) -> None:
    request = _training(settings, Hyperparameters(task=task), hosts)
    _is_valid("CreateTrainingJob", request)
    channels = {c["ChannelName"]: c["DataSource"]["S3DataSource"] for c in request["InputDataConfig"]}
    assert channels["train"]["S3DataDistributionType"] == ("ShardedByS3Key" if hosts > 1 else "FullyReplicated")
    assert channels["manifest"]["S3DataDistributionType"] == "FullyReplicated"
    stopping = request["StoppingCondition"]
    assert request["EnableManagedSpotTraining"] is settings.spot
    assert ("MaxWaitTimeInSeconds" in stopping) is settings.spot
    if settings.spot:
        assert stopping["MaxWaitTimeInSeconds"] >= stopping["MaxRuntimeInSeconds"]


def test_metric_definitions_find_the_lines_and_no_others() -> None:
    definitions = _training(PLAIN, Hyperparameters(task="binary"), 1)["AlgorithmSpecification"]["MetricDefinitions"]
    assert 0 < len(definitions) == len(METRICS) <= 40
    found = {d["Name"]: re.search(d["Regex"], "validation-auc:0.8123") for d in definitions}
    assert {name: match[1] for name, match in found.items() if match} == {"validation-auc": "0.8123"}


def test_hyperparameters_come_back_as_they_were() -> None:
    parameters = Hyperparameters.model_validate(
        {
            "task": "binary",
            "split": {"by": "time", "validation": "20%"},
            "xgboost": {"max_depth": 6, "lambda": 2.0, "gamma": 0.5},
            "threshold": {"recall_at_least": 0.6},
            "preprocess": {"clip": {"quantiles": [0.001, 0.999]}, "columns": {"a": {"scale": {"kind": "robust"}}}},
        }
    )
    texts = hyperparameter_texts(parameters)
    assert all(isinstance(value, str) for value in texts.values())
    assert texts["task"] == "binary" and json.loads(texts["xgboost"])["lambda"] == 2.0

    def read(text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            return text

    assert Hyperparameters.model_validate({name: read(text) for name, text in texts.items()}) == parameters


def test_a_hyperparameter_that_is_too_long_is_named() -> None:
    columns = {f"feature_{number}": {"scale": {"kind": "robust"}} for number in range(200)}
    with pytest.raises(UsageError, match=r"training.preprocess is \d+ characters .* takes 2500"):
        hyperparameter_texts(Hyperparameters.model_validate({"task": "binary", "preprocess": {"columns": columns}}))


def test_the_disk_grows_with_the_data() -> None:
    assert volume_gb(10) == 30
    assert volume_gb(100 << 30) >= 300


@pytest.mark.parametrize("settings", SETTINGS)
def test_models(settings: SageMakerSettings) -> None:
    request = create_model("m", MODEL, settings, environment={"A": "1"}, labels={"version": "v"})
    _is_valid("CreateModel", request)
    assert ("VpcConfig" in request) is bool(settings.subnets)


@pytest.mark.parametrize(("settings", "capture"), list(product(SETTINGS, (0.0, 0.001, 0.1, 1.0))))
def test_endpoint_configs(settings: SageMakerSettings, capture: float) -> None:
    variants = [Variant("m", "ml.m5.large", 2), Variant("n", "ml.m5.large", 1, name="other", weight=0.1)]
    request = create_endpoint_config(
        "c", variants, settings, capture=capture, capture_uri="s3://b/c", labels={"a": "b"}
    )
    _is_valid("CreateEndpointConfig", request)
    if capture:
        assert request["DataCaptureConfig"]["InitialSamplingPercentage"] == max(1, round(capture * 100))
    else:
        assert "DataCaptureConfig" not in request


@pytest.mark.parametrize(("settings", "traffic", "keep"), list(product(SETTINGS, get_args(Traffic), (True, False))))
def test_endpoints(settings: SageMakerSettings, traffic: Traffic, keep: bool) -> None:
    _is_valid("CreateEndpoint", create_endpoint("e", "c", {"pipeline": "heart"}))
    request = update_endpoint("e", "c", settings, traffic, keep_instances=keep)
    _is_valid("UpdateEndpoint", request)
    policy = request["DeploymentConfig"]
    assert ("AutoRollbackConfiguration" in policy) is bool(settings.alarms)
    if traffic == "rolling":
        assert 5 <= policy["RollingUpdatePolicy"]["MaximumBatchSize"]["Value"] <= 50
        return
    routing = policy["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["Type"] == traffic.upper()
    assert ("CanarySize" in routing) is (traffic == "canary")
    assert ("LinearStepSize" in routing) is (traffic == "linear")
    if traffic == "canary":
        assert routing["CanarySize"]["Value"] <= 50
    if traffic == "linear":
        assert 10 <= routing["LinearStepSize"]["Value"] <= 50


def test_the_longest_bake_time_leaves_the_timeout_within_aws_limits() -> None:
    for traffic in get_args(Traffic):
        settings = RICH.model_copy(update={"bake_seconds": 3600})
        _is_valid("UpdateEndpoint", update_endpoint("e", "c", settings, traffic))


def _transform(**changes: Any) -> TransformJob:
    given: dict[str, Any] = {
        "name": "t",
        "model": "m",
        "input_uri": "s3://b/in/",
        "output_uri": "s3://b/out",
        "content_type": "application/jsonlines",
        "accept": "application/jsonlines",
        "hosts": Hosts("ml.m5.large", 2),
        "labels": {"ds": "2024-01-01"},
    }
    return TransformJob(**(given | changes))


@pytest.mark.parametrize(
    ("settings", "strategy", "join", "concurrent"),
    list(product(SETTINGS, ("MultiRecord", "SingleRecord"), (True, False), (None, 4))),
)
def test_transform_jobs(settings: SageMakerSettings, strategy: Any, join: bool, concurrent: int | None) -> None:
    job = _transform(strategy=strategy, join=join, concurrent=concurrent)
    _is_valid("CreateTransformJob", create_transform_job(job, settings))


def test_payloads_beyond_the_limit_are_refused() -> None:
    with pytest.raises(UsageError, match="more than the 100 MB"):
        create_transform_job(_transform(payload_mb=60, concurrent=2), PLAIN)


def test_autoscaling() -> None:
    service = "application-autoscaling"
    _is_valid("RegisterScalableTarget", autoscaling.register("e", 1, 4), service)
    _is_valid("PutScalingPolicy", autoscaling.scaling_policy("e"), service)
    _is_valid("DeregisterScalableTarget", autoscaling.scalable_target("e"), service)
    _is_valid("DescribeScalableTargets", autoscaling.describe_targets("e"), service)
    _is_valid("DescribeScalingPolicies", autoscaling.describe_policies("e"), service)


def test_the_checker_of_these_tests_finds_mistakes() -> None:
    good = update_endpoint("e", "c", PLAIN, "canary")
    assert problems("sagemaker", "UpdateEndpoint", good | {"EndpointName": "a_b"})
    assert problems("sagemaker", "UpdateEndpoint", good | {"Nonsense": 1})
    policy = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "SOME", "WaitIntervalInSeconds": 0}}}
    assert problems("sagemaker", "UpdateEndpoint", good | {"DeploymentConfig": policy})
    policy = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "CANARY"}}}
    assert problems("sagemaker", "UpdateEndpoint", good | {"DeploymentConfig": policy})
