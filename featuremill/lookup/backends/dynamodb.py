"""Publications in DynamoDB.

    TABLE                                   on demand; `pk` (string) is the pipeline, `sk` (string) is one of
        pointer                             which publication is served: JSON in `body`, moved by a conditional write
        publication#<name>                  {"build", "manifest"} in `body`: a publication that is there whole
        build#<build>                       `alive`: when its builder was last heard of, in seconds since 1970
    TABLE and a pipeline of the name "*", sk <pipeline>: the pipelines that have a pointer
    TABLE-<pipeline>-<build>                on demand; `k` (binary) -> `v` (binary): the values of one publication

A table a publication: deleting one costs nothing, while deleting items costs as much as writing them did. Tables are
made as they are needed, so who publishes may create, describe and delete tables of these names; who reads only reads.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.exceptions import ClientError

from featuremill.errors import DataError, ServiceError, UsageError
from featuremill.lookup.backends.dynamodb_client import (
    ALL,
    BUILD,
    POINTER,
    PUBLICATION,
    TRIES,
    checked,
    clear_errors,
    code,
    key_of,
    make_client,
)
from featuremill.lookup.backends.dynamodb_values import DynamoStore, DynamoWriter
from featuremill.lookup.store.manifest import Pointer, StoreManifest, pointer_from_json

_ALIVE_SECONDS = 1_800
_TABLE = re.compile(r"[a-zA-Z0-9_.-]{3,100}")


def open_backend(url: str) -> DynamoBackend:
    """The backend of an URL. Raises UsageError for one that cannot be."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    endpoint = options.pop("endpoint", None)
    table = parts.path.strip("/")
    if options or not parts.netloc or not _TABLE.fullmatch(table):
        raise UsageError(
            f"{url}: write it like dynamodb://eu-west-1/featuremill, perhaps with ?endpoint=http://127.0.0.1:8000"
        )
    return DynamoBackend(make_client(parts.netloc, endpoint), table, url)


class DynamoBackend:
    """Publications in the tables of one name."""

    def __init__(self, client: Any, table: str, url: str) -> None:
        self.client, self.table = client, table
        self.where = self.url = url

    # Documents

    def get_document(self, pipeline: str, name: str) -> str | None:
        try:
            found = self.client.get_item(TableName=self.table, Key=key_of(pipeline, name), ConsistentRead=True)
        except ClientError as error:
            if code(error) == "ResourceNotFoundException":
                return None
            raise
        return found["Item"]["body"]["S"] if "Item" in found else None

    def put_document(self, pipeline: str, name: str, body: str, **more: Any) -> None:
        item = key_of(pipeline, name) | {"body": {"S": body}}
        self.client.put_item(TableName=self.table, Item=item, **more)

    def documents(self, pipeline: str, start: str) -> dict[str, str]:
        """Names that begin so -> bodies."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
            ExpressionAttributeValues={":p": {"S": pipeline}, ":s": {"S": start}},
        )
        return {item["sk"]["S"]: item["body"]["S"] for page in pages for item in page["Items"]}

    def delete_document(self, pipeline: str, name: str) -> None:
        self.client.delete_item(TableName=self.table, Key=key_of(pipeline, name))

    # The store

    def pipelines(self) -> list[str]:
        with clear_errors(self.where):
            try:
                pages = self.client.get_paginator("query").paginate(
                    TableName=self.table,
                    ConsistentRead=True,
                    KeyConditionExpression="pk = :p",
                    ExpressionAttributeValues={":p": {"S": ALL}},
                )
                return sorted(item["sk"]["S"] for page in pages for item in page["Items"])
            except ClientError as error:
                if code(error) == "ResourceNotFoundException":
                    return []
                raise

    def stamp(self, pipeline: str) -> str | None:
        with clear_errors(self.where):
            return self.get_document(checked(pipeline), POINTER)

    def pointer(self, pipeline: str) -> Pointer | None:
        content = self.stamp(pipeline)
        return None if content is None else pointer_from_json(content, f"{self.where}: the pointer of {pipeline}")

    def find(self, pipeline: str, publication: str) -> StoreManifest | None:
        found = self._found(pipeline, publication)
        return None if found is None else found[1]

    def _found(self, pipeline: str, publication: str) -> tuple[str, StoreManifest] | None:
        with clear_errors(self.where):
            content = self.get_document(checked(pipeline), PUBLICATION + publication)
        if content is None:
            return None
        document = json.loads(content)
        return document["build"], StoreManifest.from_json(document["manifest"], f"{self.where}: {publication}")

    def values_table(self, pipeline: str, build: str) -> str:
        return f"{self.table}-{pipeline}-{build}"

    def begin(self, manifest: StoreManifest) -> DynamoWriter:
        pipeline = checked(manifest.pipeline)
        with clear_errors(self.where):
            self._make_table(self.table, [("pk", "S", "HASH"), ("sk", "S", "RANGE")])
            self._sweep(pipeline)
            build = uuid.uuid4().hex
            self.heard_of(pipeline, build)
            self._make_table(self.values_table(pipeline, build), [("k", "B", "HASH")])
        return DynamoWriter(self, manifest, build)

    def heard_of(self, pipeline: str, build: str) -> None:
        self.put_document(pipeline, BUILD + build, str(int(time.time())))

    def _make_table(self, name: str, keys: list[tuple[str, str, str]]) -> None:
        """Have a table, and wait until it can be used."""
        try:
            self.client.create_table(
                TableName=name,
                AttributeDefinitions=[{"AttributeName": n, "AttributeType": kind} for n, kind, _ in keys],
                KeySchema=[{"AttributeName": n, "KeyType": role} for n, _, role in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        except ClientError as error:
            if code(error) != "ResourceInUseException":
                raise
        else:
            self.client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 300})

    def _sweep(self, pipeline: str) -> None:
        """Delete what was built by processes that were not heard of for half an hour."""
        for name, alive in self.documents(pipeline, BUILD).items():
            if time.time() - int(alive) > _ALIVE_SECONDS:
                self.delete_build(pipeline, name.removeprefix(BUILD))

    def delete_build(self, pipeline: str, build: str) -> None:
        try:
            self.client.delete_table(TableName=self.values_table(pipeline, build))
        except ClientError as error:
            if code(error) != "ResourceNotFoundException":
                raise
        self.delete_document(pipeline, BUILD + build)

    def activate(self, pipeline: str, publication: str) -> Pointer:
        def moved(before: Pointer | None) -> Pointer:
            if self.find(pipeline, publication) is None:
                raise DataError(f"{publication} of {pipeline} is not whole in {self.where}; publish again")
            return Pointer(current=publication) if before is None else before.moved_to(publication)

        pointer = self._move(pipeline, moved)
        with clear_errors(self.where):
            self.put_document(ALL, pipeline, "")
            for name, body in self.documents(pipeline, PUBLICATION).items():
                if name.removeprefix(PUBLICATION) not in pointer.kept:
                    # The note goes first: what has one is whole.
                    self.delete_document(pipeline, name)
                    self.delete_build(pipeline, json.loads(body)["build"])
        return pointer

    def rollback(self, pipeline: str) -> Pointer:
        def moved(before: Pointer | None) -> Pointer:
            if before is None or before.previous is None or self.find(pipeline, before.previous) is None:
                raise UsageError(f"{pipeline}: {self.where} has no publication before the current one to go back to")
            return before.rolled_back()

        return self._move(checked(pipeline), moved)

    def _move(self, pipeline: str, moved: Callable[[Pointer | None], Pointer]) -> Pointer:
        """Move the pointer, if nobody else does at the same time; else look again."""
        with clear_errors(self.where):
            for _ in range(TRIES):
                content = self.get_document(checked(pipeline), POINTER)
                before = None if content is None else pointer_from_json(content, f"{self.where}: pointer of {pipeline}")
                pointer = moved(before)
                condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
                if content is not None:
                    condition = {
                        "ConditionExpression": "body = :b",
                        "ExpressionAttributeValues": {":b": {"S": content}},
                    }
                try:
                    self.put_document(pipeline, POINTER, pointer.model_dump_json(), **condition)
                    return pointer
                except ClientError as error:
                    if code(error) != "ConditionalCheckFailedException":
                        raise
        raise ServiceError(f"{self.where}: the pointer of {pipeline} is being moved by somebody else all the time")

    def open(self, pipeline: str, publication: str | None = None) -> DynamoStore:
        for _ in range(TRIES):
            pointer = self.pointer(pipeline) if publication is None else None
            if publication is None and pointer is None:
                raise DataError(f"{pipeline} was never published to {self.where}; run it, or publish it")
            name = publication if pointer is None else pointer.current
            assert name is not None
            found = self._found(pipeline, name)
            if found is not None:
                return DynamoStore(self, self.values_table(pipeline, found[0]), found[1])
            if publication is not None or self.pointer(pipeline) == pointer:
                break
        raise DataError(f"{name} of {pipeline} is not in {self.where}; publish again")
