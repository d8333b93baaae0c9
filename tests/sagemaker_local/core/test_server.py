"""The server as a whole: dispatch, errors, tags, the services of moto, and its start."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.sagemaker_local.core.shapes import checked
from tests.sagemaker_local.local_server import LocalServer

ARN = "arn:aws:sagemaker:us-east-1:000000000000:training-job/any"


def raw(server: LocalServer, target: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    connection.request("POST", "/", body, {"X-Amz-Target": f"SageMaker.{target}", **headers})
    answer = connection.getresponse()
    status, text = answer.status, answer.read()
    connection.close()
    return status, json.loads(text)


def test_tags(server: LocalServer) -> None:
    sagemaker = checked(server.client("sagemaker"))
    sagemaker.add_tags(ResourceArn=ARN, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sagemaker.add_tags(ResourceArn=ARN, Tags=[{"Key": "a", "Value": "3"}])
    sagemaker.delete_tags(ResourceArn=ARN, TagKeys=["b", "c"])
    assert sagemaker.list_tags(ResourceArn=ARN)["Tags"] == [{"Key": "a", "Value": "3"}]
    with pytest.raises(ClientError, match="at most 50 tags"):
        sagemaker.add_tags(ResourceArn=ARN, Tags=[{"Key": str(number), "Value": ""} for number in range(50)])


@pytest.mark.parametrize(
    ("target", "body", "code", "message"),
    [
        ("DescribeTrainingJob", b"{", "SerializationException", "not JSON"),
        ("DescribeTrainingJob", b"[]", "SerializationException", "must be a JSON object"),
        ("DescribeTrainingJob", b"{}", "ValidationException", "TrainingJobName"),
        ("DescribeTrainingJob", b'{"TrainingJobName": 1}', "ValidationException", "TrainingJobName"),
        ("DescribeTrainingJob", b'{"TrainingJobName": "a", "X": 1}', "ValidationException", "unknown parameter X"),
        ("DescribeTrainingJob", b'{"TrainingJobName": "%s"}' % (b"a" * 64), "ValidationException", "equal to 63"),
        ("ListTrainingJobs", b'{"MaxResults": 101}', "ValidationException", "less than or equal to 100"),
        ("ListTrainingJobs", b'{"CreationTimeAfter": "soon"}', "SerializationException", "CreationTimeAfter"),
        ("ListTrainingJobs", b'{"SortBy": "Size"}', "ValidationException", "enum value set"),
        ("CreateCluster", b"{}", "UnknownOperationException", "is not available in the local SageMaker"),
        ("MakeCoffee", b"{}", "UnknownOperationException", "no operation MakeCoffee"),
    ],
)
def test_bad_requests_are_answered_with_what_is_wrong(
    server: LocalServer, target: str, body: bytes, code: str, message: str
) -> None:
    status, answer = raw(server, target, body)
    assert (status, answer["__type"]) == (400, code) and message in answer["message"]


def test_the_checker_is_run_on_answers(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.sagemaker_local.core.shapes.problems", lambda *_: ["made up"])
    with pytest.raises(AssertionError, match="made up"):
        checked(server.client("sagemaker")).list_training_jobs()


def test_a_connection_serves_many_requests_also_after_errors(server: LocalServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    for path in ("/_local/health", "/no-such-bucket/key", "/_local/health"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert not answer.will_close
    assert answer.status == 200
    connection.close()


def test_moto_answers_for_the_other_services(server: LocalServer) -> None:
    assert server.client("sts").get_caller_identity()["Account"] == "000000000000"
    iam = server.client("iam")
    iam.create_role(RoleName="role", AssumeRolePolicyDocument="{}")
    assert iam.get_role(RoleName="role")["Role"]["Arn"] == "arn:aws:iam::000000000000:role/role"
    cloudwatch = server.client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1.0}])
    assert [metric["MetricName"] for metric in cloudwatch.list_metrics(Namespace="N")["Metrics"]] == ["m"]
    logs = server.client("logs")
    logs.create_log_group(logGroupName="theirs")
    assert [group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePrefix="theirs")["logGroups"]]
    ecr = server.client("ecr")
    assert ecr.create_repository(repositoryName="image")["repository"]["repositoryName"] == "image"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "featuremill.sagemaker_local", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=30)


def test_a_folder_is_one_servers(server: LocalServer) -> None:
    done = command("--root", str(server.root), "--port", "0")
    assert done.returncode == 1 and "another local SageMaker" in done.stderr and str(server.root) in done.stderr


def test_a_taken_port_and_a_bad_images_file_are_told(server: LocalServer, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    done = command("--root", str(tmp_path / "a"), "--port", port)
    assert done.returncode == 1 and f"cannot listen on 127.0.0.1:{port}" in done.stderr
    (tmp_path / "images.json").write_text("[]")
    done = command("--root", str(tmp_path / "b"), "--images", str(tmp_path / "images.json"))
    assert done.returncode == 2 and "must hold an object" in done.stderr


def test_it_stops_at_once_when_asked(tmp_path: Path) -> None:
    running = LocalServer(tmp_path / "state").start()
    running.client("sagemaker").list_training_jobs()
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 8
