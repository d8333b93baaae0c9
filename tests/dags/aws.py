"""AWS as the tasks see it: boto3's own addresses, with the local SageMaker answering below botocore's validator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import botocore.handlers
import urllib3
from aiobotocore.awsrequest import AioAWSResponse
from botocore.awsrequest import AWSResponse

from tests.sagemaker.checking import problems

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}


class Aws:
    """Answers requests that were meant for AWS; `sent` notes the operations of SageMaker with their parameters."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager()
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.hosts: set[str] = set()

    def changes(self) -> list[str]:
        """What was asked for but descriptions, lists and tags."""
        return [name for name, _ in self.sent if name.startswith(("Create", "Update", "Delete"))]

    def validated(self, model: Any, params: Any, **_: Any) -> None:
        """Called after botocore has validated a request, and before it is sent."""
        if model.service_model.service_name == "sagemaker":
            request = json.loads(params["body"])
            assert problems("sagemaker", model.name, request) == [], "nor is it wrong in what botocore does not look at"
            self.sent.append((model.name, request))

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        url = urlsplit(request.url)
        assert url.hostname is not None and url.hostname.endswith(".amazonaws.com"), "no endpoint is overridden"
        self.hosts.add(url.hostname)
        bucket, _, service = url.hostname.partition(".s3.")
        path = f"/{bucket}{url.path}" if service else url.path
        query = f"?{url.query}" if url.query else ""
        headers = {name: text.decode() if isinstance(text, bytes) else text for name, text in request.headers.items()}
        body = request.body.read() if hasattr(request.body, "read") else request.body
        found = self._pool.request(
            request.method, self._url + path + query, headers=headers, body=body, preload_content=False
        )
        kind = AioAWSResponse if _is_async() else AWSResponse
        return kind(request.url, found.status, found.headers, _Read(found) if _is_async() else found)


class _Read:
    """A body for aiobotocore."""

    def __init__(self, found: Any) -> None:
        self._found = found

    async def read(self) -> bytes:
        return bytes(self._found.read())


def _is_async() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def aws(url: str) -> Iterator[Aws]:
    """Every botocore session that is made in this context asks `url`, whatever address it would ask."""
    answering = Aws(url)
    before = botocore.handlers.BUILTIN_HANDLERS
    botocore.handlers.BUILTIN_HANDLERS = [
        *before,
        ("before-call", answering.validated),
        ("before-send", answering.answer),
    ]
    try:
        yield answering
    finally:
        botocore.handlers.BUILTIN_HANDLERS = before
