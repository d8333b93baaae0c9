"""The connection to SageMaker: AWS, or the local one on loopback.

Credentials are found by boto3's own ways on AWS. The local SageMaker checks none, so it gets made-up ones: a request
meant for it can never be charged to anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from featuremill.errors import FeaturemillError, ServiceError, UsageError
from featuremill.spec.environment import SageMakerSettings

LOCAL = "local"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MISSING = re.compile(r"could not find|cannot find|does ?n[o']t exist|not found", re.IGNORECASE)
_UNANSWERED = (EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError, ConnectionClosedError)


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one environment, made when first used. `port` goes before that of the settings."""

    settings: SageMakerSettings
    port: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a SageMaker on this machine. Its waits are short and its credentials are made up."""
        return self.settings.endpoint == LOCAL or (
            self.settings.endpoint is not None and urlsplit(self.settings.endpoint).hostname in _LOOPBACK
        )

    @cached_property
    def endpoint_url(self) -> str | None:
        """Where to send requests; None for AWS. Raises ServiceError if the local SageMaker's port is not known."""
        if self.settings.endpoint is None:
            return None
        if self.settings.endpoint != LOCAL:
            return self.settings.endpoint
        port = self.port if self.port is not None else self.settings.port
        if not isinstance(port, int):
            raise ServiceError("the local SageMaker was not started yet, its port is not chosen; start it: ./start.sh")
        return f"http://{self.settings.host}:{port}"

    @cached_property
    def sagemaker(self) -> Any:
        return self._client("sagemaker")

    @cached_property
    def runtime(self) -> Any:
        return self._client("sagemaker-runtime")

    @cached_property
    def s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def autoscaling(self) -> Any:
        return self._client("application-autoscaling")

    def _client(self, service: str) -> Any:
        options: dict[str, Any] = {"region_name": self.settings.region, "config": self._config(service)}
        if self.is_local:
            options |= {"aws_access_key_id": "local", "aws_secret_access_key": "local", "aws_session_token": None}
        try:
            return _session().client(service, endpoint_url=self.endpoint_url, **options)
        except (BotoCoreError, ValueError) as error:
            raise UsageError(
                f"cannot reach {self.where}: {error}; see `sagemaker:` of the environment's file"
            ) from error

    def _config(self, service: str) -> Config:
        # A prediction that is made twice costs nothing, a refused connection passes when a server restarts.
        retries = {"mode": "standard", "max_attempts": 3 if self.is_local else 8}
        local: dict[str, Any] = {"proxies": {}} if self.is_local else {}
        timeout = 70 if service == "sagemaker-runtime" else 60
        style = {"addressing_style": "path"} if self.endpoint_url is not None else {"addressing_style": "auto"}
        return Config(connect_timeout=5, read_timeout=timeout, retries=retries, s3=style, **local)

    @property
    def where(self) -> str:
        """What is asked, for messages."""
        return f"SageMaker at {self.endpoint_url}" if self.endpoint_url else f"AWS in {self.settings.region}"


def _session() -> Any:
    return boto3.session.Session()


@contextmanager
def clear_errors(clients: Clients, doing: str) -> Iterator[None]:
    """Turn what boto3 raises into an error that says what was tried, where, and what to do."""
    try:
        yield
    except FeaturemillError:
        raise
    except _UNANSWERED as error:
        todo = "start it: ./start.sh" if clients.is_local else "check the network and the endpoint's URL"
        raise ServiceError(f"cannot {doing}: {clients.where} does not answer; {todo}") from error
    except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
        raise ServiceError(
            f"cannot {doing}: {clients.where}: {error}; sign in (aws configure, aws sso login) or set AWS_PROFILE"
        ) from error
    except ClientError as error:
        raise ServiceError(f"cannot {doing}: {clients.where} says {said(error)}{_advice(error)}") from error
    except BotoCoreError as error:
        raise ServiceError(f"cannot {doing}: {clients.where}: {error}") from error


def said(error: ClientError) -> str:
    """Code and message of an AWS error in one line."""
    details = error.response.get("Error", {})
    return f"{details.get('Code', 'an error')}: {' '.join(str(details.get('Message', error)).split())}"


def _advice(error: ClientError) -> str:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if "AccessDenied" in code or code in ("UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException"):
        return "; check the credentials and what they and the role may do"
    if code == "ResourceLimitExceeded":
        return "; ask AWS for a higher quota, or take another instance type"
    return "; wait a little and run again" if "Throttling" in code else ""


def is_missing(error: ClientError) -> bool:
    """Whether an error means that what was asked for is not there. SageMaker says so by ValidationException."""
    details = error.response.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    if code in ("404", "NoSuchKey", "NoSuchBucket", "NotFound", "ResourceNotFound", "ObjectNotFoundException"):
        return True
    return code == "ValidationException" and _MISSING.search(message) is not None


def described(operation: Any, **names: str) -> dict[str, Any] | None:
    """What a Describe call answers; None if there is no such thing."""
    try:
        answer: dict[str, Any] = operation(**names)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return answer
