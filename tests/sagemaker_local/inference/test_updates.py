"""What a user relies on while an endpoint is updated: no request fails, and a bad update leaves the old one serving."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from typing import Any

import pytest

from tests.sagemaker_local.inference.conftest import Local, eventually


def blue_green(kind: str, wait: int = 50, **size: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait, **size}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


DEPLOYMENTS = {
    "all_at_once": blue_green("ALL_AT_ONCE"),
    "canary": blue_green("CANARY", CanarySize=percent(25)),
    "linear": blue_green("LINEAR", wait=30, LinearStepSize=percent(50)),
    "rolling": {"RollingUpdatePolicy": {"MaximumBatchSize": percent(50), "WaitIntervalInSeconds": 50}},
}


class Traffic:
    """Sends 50 requests a second from a pool of clients; collects answers and errors."""

    def __init__(
        self,
        local: Local,
        endpoint: str,
        rate: float = 50.0,
        clients: int = 10,
        body: bytes = b"1",
        content_type: str = "text/csv",
    ) -> None:
        self._request = {"EndpointName": endpoint, "Body": body, "ContentType": content_type}
        self.answers: list[str] = []
        self.errors: list[Exception] = []
        self._stop = threading.Event()
        self._pause = clients / rate
        self._runtime = local.runtime
        self._threads = [threading.Thread(target=self._send) for _ in range(clients)]

    def _send(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            try:
                answer = self._runtime.invoke_endpoint(**self._request)
                self.answers.append(answer["Body"].read().decode().split(":")[0])
            except Exception as error:
                self.errors.append(error)
            due += self._pause
            self._stop.wait(max(0.0, due - time.monotonic()))

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("policy", DEPLOYMENTS)
def test_no_request_fails_during_an_update_at_50_a_second(local: Local, policy: str) -> None:
    name = policy.replace("_", "-")
    for version in ("old", "new"):
        local.model(f"{name}-{version}", "fake-slow" if policy == "canary" and version == "old" else "fake-ok")
        local.config(f"{name}-{version}", {"ModelName": f"{name}-{version}", "InitialInstanceCount": 2})
    local.endpoint(name, f"{name}-old")
    with Traffic(local, name) as traffic:
        time.sleep(0.5)
        local.sagemaker.update_endpoint(
            EndpointName=name, EndpointConfigName=f"{name}-new", DeploymentConfig=DEPLOYMENTS[policy]
        )
        described = local.settled(name)
        time.sleep(0.5)
    assert traffic.errors == []
    assert described["EndpointConfigName"] == f"{name}-new"
    assert described["EndpointStatus"] == "InService" and "FailureReason" not in described
    assert described["LastDeploymentConfig"] == DEPLOYMENTS[policy]
    assert set(traffic.answers) == {f"{name}-old", f"{name}-new"}
    assert set(traffic.answers[-10:]) == {f"{name}-new"}
    assert len(traffic.answers) > 40
    local.sagemaker.delete_endpoint(EndpointName=name)


def test_a_canary_gets_its_share_while_it_bakes(local: Local) -> None:
    for version in ("share-old", "share-new"):
        local.model(version)
        local.config(version)
    local.endpoint("share", "share-old")
    config = blue_green("CANARY", wait=200, CanarySize=percent(25))
    local.sagemaker.update_endpoint(EndpointName="share", EndpointConfigName="share-new", DeploymentConfig=config)

    def baking() -> bool:
        described = local.sagemaker.describe_endpoint(EndpointName="share")
        assert described["EndpointConfigName"] == "share-old"
        pending = described["PendingDeploymentSummary"]
        assert pending["EndpointConfigName"] == "share-new"
        return bool(pending["ProductionVariants"][0]["CurrentWeight"] == 0.25)

    eventually(baking)
    answers = Counter(local.ask("share", b"1").split(":")[0] for _ in range(40))
    assert answers == {"share-old": 30, "share-new": 10}
    assert local.settled("share")["EndpointConfigName"] == "share-new"


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("fake-dying", "exit code 4 (last line: 'no model here: giving up')"),
        ("fake-mute", "/ping did not answer 200 within 4 s"),
    ],
)
@pytest.mark.parametrize("policy", ["all_at_once", "rolling"])
def test_a_container_that_never_gets_healthy_leaves_the_old_one_serving(
    local: Local, image: str, reason: str, policy: str
) -> None:
    name = f"{image}-{policy}".replace("_", "-")
    local.model(f"{name}-old")
    local.config(f"{name}-old", {"ModelName": f"{name}-old", "InitialInstanceCount": 2})
    local.model(f"{name}-new", image)
    local.config(f"{name}-new", {"ModelName": f"{name}-new", "InitialInstanceCount": 2})
    local.endpoint(name, f"{name}-old")
    before = len(local.processes())
    with Traffic(local, name) as traffic:
        local.sagemaker.update_endpoint(
            EndpointName=name, EndpointConfigName=f"{name}-new", DeploymentConfig=DEPLOYMENTS[policy]
        )
        described = local.settled(name)
    assert traffic.errors == [] and set(traffic.answers) == {f"{name}-old"}
    assert described["EndpointStatus"] == "InService" and described["EndpointConfigName"] == f"{name}-old"
    assert "did not pass the ping health check" in described["FailureReason"] and reason in described["FailureReason"]
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert "PendingDeploymentSummary" not in described
    eventually(lambda: len(local.processes()) == before)
    local.sagemaker.delete_endpoint(EndpointName=name)


def test_a_broken_artefact_leaves_the_old_one_serving(local: Local) -> None:
    local.model("sound")
    local.config("sound")
    local.model("broken", ModelDataUrl=local.put("s3://models/broken.tar.gz", b"no archive"))
    local.config("broken")
    local.endpoint("artefact", "sound")
    local.sagemaker.update_endpoint(EndpointName="artefact", EndpointConfigName="broken")
    described = local.settled("artefact")
    assert described["EndpointConfigName"] == "sound"
    assert "s3://models/broken.tar.gz" in described["FailureReason"]
    assert local.ask("artefact") == "sound:1;2\n"


@pytest.mark.parametrize("policy", ["canary", "rolling"])
def test_an_alarm_rolls_back(local: Local, policy: str) -> None:
    names = [f"alarm-{policy}-{version}" for version in ("old", "new")]
    for each in names:
        local.model(each)
        local.config(each, {"ModelName": each, "InitialInstanceCount": 2})
    endpoint = f"alarm-{policy}"
    local.endpoint(endpoint, names[0])
    cloudwatch = local.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=endpoint,
        Namespace="Custom",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    waits = {"canary": blue_green("CANARY", 400, CanarySize=percent(50)), "rolling": DEPLOYMENTS["rolling"]}
    waits["rolling"] = {"RollingUpdatePolicy": {"MaximumBatchSize": percent(50), "WaitIntervalInSeconds": 400}}
    alarms = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": endpoint}]}}
    with Traffic(local, endpoint) as traffic:
        local.sagemaker.update_endpoint(
            EndpointName=endpoint, EndpointConfigName=names[1], DeploymentConfig={**waits[policy], **alarms}
        )
        eventually(lambda: names[1] in traffic.answers)
        cloudwatch.set_alarm_state(AlarmName=endpoint, StateValue="ALARM", StateReason="a test")
        described = local.settled(endpoint)
    assert traffic.errors == []
    assert described["EndpointConfigName"] == names[0]
    assert f"ALARM state: [{endpoint}]" in described["FailureReason"]
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert local.ask(endpoint, b"1") == f"{names[0]}:1\n"
    local.sagemaker.delete_endpoint(EndpointName=endpoint)


def test_errors_of_the_new_model_ring_an_alarm_on_the_endpoints_own_metrics(local: Local) -> None:
    for each in ("ring-old", "ring-new"):
        local.model(each)
        local.config(each)
    local.endpoint("ring", "ring-old")
    local.client("cloudwatch").put_metric_alarm(
        AlarmName="ring",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": "ring"}, {"Name": "VariantName", "Value": "all"}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0.5,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    config = {
        **blue_green("ALL_AT_ONCE", 3000),
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "ring"}]},
    }
    local.sagemaker.update_endpoint(EndpointName="ring", EndpointConfigName="ring-new", DeploymentConfig=config)

    def rolled_back() -> bool:
        with contextlib.suppress(local.runtime.exceptions.ModelError):
            local.ask("ring", b"boom")
        described = local.sagemaker.describe_endpoint(EndpointName="ring")
        return "ALARM state: [ring]" in described.get("FailureReason", "")

    eventually(rolled_back)
    assert local.settled("ring")["EndpointConfigName"] == "ring-old"


def test_an_update_that_cannot_be_is_refused(local: Local) -> None:
    local.model("refusal")
    local.config("refusal")
    local.endpoint("refusal", "refusal")
    sagemaker = local.sagemaker

    def refused(**request: Any) -> str:
        with pytest.raises(sagemaker.exceptions.ClientError) as caught:
            sagemaker.update_endpoint(EndpointName="refusal", **{"EndpointConfigName": "refusal", **request})
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        return str(caught.value.response["Error"]["Message"])

    assert "Could not find endpoint configuration" in refused(EndpointConfigName="nowhere")
    assert "CanarySize is 60%" in refused(DeploymentConfig=blue_green("CANARY", CanarySize=percent(60)))
    assert "needs LinearStepSize" in refused(DeploymentConfig=blue_green("LINEAR"))
    assert "[silent]" in refused(
        DeploymentConfig={
            **blue_green("ALL_AT_ONCE"),
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "silent"}]},
        }
    )
    sagemaker.update_endpoint(
        EndpointName="refusal", EndpointConfigName="refusal", DeploymentConfig=blue_green("ALL_AT_ONCE", 100)
    )
    assert "in-progress" in refused()
    local.settled("refusal")


@pytest.mark.parametrize("instances", [1, 2])
def test_a_killed_process_is_replaced_and_no_request_fails(local: Local, instances: int) -> None:
    name = f"killed-{instances}"
    local.model(name, "fake-slow")
    local.config(name, {"ModelName": name, "InitialInstanceCount": instances})
    before = set(local.processes())
    local.endpoint(name, name)
    victim = next(iter(set(local.processes()) - before))
    with Traffic(local, name) as traffic:
        time.sleep(0.5)
        os.kill(victim, signal.SIGKILL)  # with requests in it: an answer takes 0.3 s
        time.sleep(1.5)
    assert traffic.errors == []
    eventually(lambda: len(set(local.processes()) - before) == instances)
    assert victim not in local.processes()
    assert local.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
    local.sagemaker.delete_endpoint(EndpointName=name)
