"""Objects in S3: addresses, small documents, files."""

from __future__ import annotations

import gzip
import json
import shutil
import tarfile
import uuid
import zlib
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from featuremill.errors import DataError, UsageError
from featuremill.sagemaker.client import Clients, clear_errors, is_missing


def uri(clients: Clients, *parts: str) -> str:
    """`s3://<bucket>/<prefix>/<parts>`."""
    settings = clients.settings
    key = "/".join(part.strip("/") for part in (settings.prefix, *parts) if part.strip("/"))
    return f"s3://{settings.bucket}/{key}"


def split(address: str) -> tuple[str, str]:
    """Bucket and key. Raises UsageError for what is not an S3 address."""
    scheme, found, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    if not found or scheme not in ("s3", "s3a") or not bucket:
        raise UsageError(f"{address!r} is not an S3 address; write s3://bucket/key")
    return bucket, key


def ensure_bucket(clients: Clients) -> None:
    """Make the bucket of a local SageMaker if it is not there; on AWS it has to be. Raises ServiceError."""
    bucket = clients.settings.bucket
    with clear_errors(clients, f"use the bucket {bucket}"):
        try:
            clients.s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            if not is_missing(error) or not clients.is_local:
                raise
            clients.s3.create_bucket(Bucket=bucket)


def size(clients: Clients, address: str) -> int | None:
    """Bytes of an object; None if there is none."""
    bucket, key = split(address)
    with clear_errors(clients, f"look at {address}"):
        try:
            return int(clients.s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
        except ClientError as error:
            if is_missing(error):
                return None
            raise


def read(clients: Clients, address: str) -> bytes | None:
    """The bytes of a small object; None if there is none."""
    bucket, key = split(address)
    with clear_errors(clients, f"read {address}"):
        try:
            return bytes(clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            if is_missing(error):
                return None
            raise


def write(clients: Clients, address: str, content: bytes) -> None:
    bucket, key = split(address)
    with clear_errors(clients, f"write {address}"):
        clients.s3.put_object(Bucket=bucket, Key=key, Body=content)


def upload(clients: Clients, file: Path, address: str) -> None:
    bucket, key = split(address)
    with clear_errors(clients, f"write {address}"):
        clients.s3.upload_file(str(file), bucket, key)


def download(clients: Clients, address: str, file: Path) -> None:
    """Raises DataError if there is no such object."""
    bucket, key = split(address)
    file.parent.mkdir(parents=True, exist_ok=True)
    with clear_errors(clients, f"read {address}"):
        try:
            clients.s3.download_file(bucket, key, str(file))
        except ClientError as error:
            if is_missing(error):
                raise DataError(f"{address} is not there; was it deleted? train again to make it anew") from error
            raise


def names(clients: Clients, address: str) -> list[str]:
    """Keys below an address, relative to it, sorted."""
    bucket, key = split(address.rstrip("/") + "/")
    found: list[str] = []
    with clear_errors(clients, f"list {address}"):
        for page in clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            found += [item["Key"].removeprefix(key) for item in page.get("Contents", ())]
    return sorted(found)


def delete_below(clients: Clients, address: str) -> None:
    """Delete all objects below an address."""
    bucket, key = split(address.rstrip("/") + "/")
    keys = [f"{key}{name}" for name in names(clients, address)]
    with clear_errors(clients, f"delete {address}"):
        for start in range(0, len(keys), 1000):
            objects = [{"Key": one} for one in keys[start : start + 1000]]
            clients.s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})


def marker(content: Any) -> bytes:
    """A small JSON document with sorted keys."""
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def unpack(clients: Clients, address: str, folder: Path) -> Path:
    """Have the contents of a .tar.gz object in a folder, whole or not at all; nothing happens if it is there.

    Raises DataError if there is no such object or it is not a whole archive.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.parent / f".{folder.name}-{uuid.uuid4().hex}"
    archive = beside.with_name(beside.name + ".tar.gz")
    try:
        download(clients, address, archive)
        try:
            with tarfile.open(archive, "r:gz") as tar:
                tar.extractall(beside, filter="data")
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(
                f"{address} is not a whole .tar.gz archive ({error}); train again to make it anew"
            ) from error
        beside.mkdir(exist_ok=True)
        try:
            beside.rename(folder)
        except OSError:
            if not folder.is_dir():  # somebody else may have been first: the same contents
                raise
    finally:
        archive.unlink(missing_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def counts(content: bytes) -> dict[str, int]:
    """A marker that tells numbers by name."""
    return {str(name): int(number) for name, number in json.loads(content).items()}
