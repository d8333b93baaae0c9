"""The connection to DynamoDB, and how items of the pointers' table are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from featuremill.errors import ServiceError, UsageError

ALL = "*"
POINTER, PUBLICATION, BUILD = "pointer", "publication#", "build#"
THREADS = 8
TRIES = 100
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PIPELINE = re.compile(r"[a-z_][a-z0-9_]*")


def make_client(region: str, endpoint: str | None) -> Any:
    config = Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 6},
        max_pool_connections=THREADS * 2,
        tcp_keepalive=True,
    )
    options: dict[str, Any] = {"region_name": region, "config": config}
    if endpoint is not None and urlsplit(endpoint).hostname in _LOOPBACK:
        # A DynamoDB on this machine checks no credentials, and must never be sent anybody's real ones.
        options |= {"aws_access_key_id": "local", "aws_secret_access_key": "local", "aws_session_token": None}
    try:
        return boto3.session.Session().client("dynamodb", endpoint_url=endpoint, **options)
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"dynamodb://{region}: {error}") from error


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def clear_errors(where: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {}).get("Message", "")
        raise ServiceError(f"the online store {where} says {code(error)}: {said}") from error
    except BotoCoreError as error:
        raise ServiceError(f"the online store {where} does not answer: {error}") from error


def checked(pipeline: str) -> str:
    if not _PIPELINE.fullmatch(pipeline):
        raise UsageError(f"{pipeline!r} is not the name of a pipeline")
    return pipeline


def key_of(pipeline: str, name: str) -> dict[str, Any]:
    return {"pk": {"S": pipeline}, "sk": {"S": name}}
