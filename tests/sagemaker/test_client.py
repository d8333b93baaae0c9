"""The connection: never AWS where the local SageMaker is meant, and errors that say what to do."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from featuremill.errors import ServiceError
from featuremill.sagemaker.client import Clients, clear_errors, is_missing
from featuremill.spec.environment import SageMakerSettings

LOCAL = Clients(SageMakerSettings(endpoint="local", port=4566))


def _error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeSomething")


def test_the_users_credentials_are_not_sent_to_the_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    url = LOCAL.runtime.generate_presigned_url("invoke_endpoint", {"EndpointName": "e", "Body": b""})
    assert url.startswith("http://127.0.0.1:4566/") and "AKIAREAL" not in url and "real" not in url


@pytest.mark.parametrize(
    ("endpoint", "local", "url"),
    [
        ("local", True, "http://127.0.0.1:4566"),
        ("http://localhost:9000", True, "http://localhost:9000"),
        ("https://sagemaker.example.com", False, "https://sagemaker.example.com"),
        (None, False, None),
    ],
)
def test_where_requests_go(endpoint: str | None, local: bool, url: str | None) -> None:
    clients = Clients(SageMakerSettings(endpoint=endpoint, port=4566))
    assert (clients.is_local, clients.endpoint_url) == (local, url)


@pytest.mark.parametrize(
    ("code", "message", "missing"),
    [
        ("ValidationException", 'Could not find endpoint "heart".', True),
        ("ValidationException", "Requested resource not found.", True),
        ("ValidationException", "1 validation error detected: Value 'x_y' at 'endpointName'", False),
        ("NoSuchKey", "The specified key does not exist.", True),
        ("404", "Not Found", True),
        ("AccessDeniedException", "User is not authorized, or the resource does not exist", False),
        ("ThrottlingException", "Rate exceeded", False),
    ],
)
def test_what_is_not_there(code: str, message: str, missing: bool) -> None:
    assert is_missing(_error(code, message)) is missing


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (_error("AccessDeniedException", "no"), r"cannot try: AWS in us-east-1 says AccessDeniedException: no; check"),
        (_error("ResourceLimitExceeded", "0 instances"), "ask AWS for a higher quota"),
        (_error("ThrottlingException", "slow"), "wait a little"),
        (EndpointConnectionError(endpoint_url="https://x"), "does not answer; check the network"),
    ],
)
def test_errors_say_what_to_do(error: Exception, said: str) -> None:
    with pytest.raises(ServiceError, match=said), clear_errors(Clients(SageMakerSettings(endpoint=None)), "try"):
        raise error


def test_without_credentials_aws_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    clients = Clients(SageMakerSettings(endpoint=None))
    with pytest.raises(ServiceError, match="sign in"), clear_errors(clients, "list jobs"):
        clients.sagemaker.list_training_jobs()
