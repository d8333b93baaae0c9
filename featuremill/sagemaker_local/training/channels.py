"""Brings the objects of channels to the hosts: whole, or each host its share."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.training.directories import HostFolder


class DownloadError(Exception):
    """The input cannot be brought to the hosts; the message is the job's failure reason."""


@dataclass(frozen=True, order=True)
class Item:
    """An object of a channel and the file it becomes in the channel's folder."""

    bucket: str
    key: str
    file: str


def download(context: Context, channel: dict[str, Any], hosts: list[HostFolder]) -> None:
    """Copy a channel's objects to the hosts' folders.

    FullyReplicated: all to each. ShardedByS3Key: object i of the sorted keys to host i mod n, so a host may get none.
    Raises DownloadError for a source without objects or a manifest that is not one.
    """
    source = channel["DataSource"]["S3DataSource"]
    uri = source["S3Uri"]
    items = list(_manifest(context, uri) if source["S3DataType"] == "ManifestFile" else _prefix(context, uri))
    if not items:
        raise DownloadError(f"ClientError: Data download failed: no object of S3 begins with {uri}")
    shards = source.get("S3DataDistributionType", "FullyReplicated") == "ShardedByS3Key"
    if shards and "ShuffleConfig" in channel:
        random.Random(channel["ShuffleConfig"]["Seed"]).shuffle(items)
    for index, item in enumerate(items):
        for host in [hosts[index % len(hosts)]] if shards else hosts:
            _copy(context, item, host, channel["ChannelName"])


def _copy(context: Context, item: Item, host: HostFolder, channel: str) -> None:
    target = host.channel(channel) / item.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(context.buckets.path(item.bucket, item.key), target)
    except (OSError, ApiError) as error:
        uri = context.buckets.uri(item.bucket, item.key)
        raise DownloadError(f"ClientError: Data download failed: {uri} cannot be read: {error}") from error


def _prefix(context: Context, uri: str) -> Iterator[Item]:
    """The objects whose keys begin with the URI's; folders are left out. Names are relative to the prefix's folder."""
    bucket, prefix = context.buckets.parse(uri)
    try:
        keys = sorted(key for key in context.buckets.keys(bucket, prefix) if not key.endswith("/"))
    except ApiError as error:
        raise DownloadError(f"ClientError: Data download failed: {error.message}") from error
    for key in keys:
        rest = key.removeprefix(prefix)
        inner = prefix if prefix.endswith("/") or rest.startswith("/") else prefix.rpartition("/")[0]
        yield Item(bucket, key, key.removeprefix(inner).lstrip("/"))


def _manifest(context: Context, uri: str) -> Iterator[Item]:
    """A manifest: [{"prefix": "s3://bucket/folder/"}, "a.parquet", "b/c.parquet", ...]."""
    try:
        entries = json.loads(context.buckets.path_of(uri).read_bytes())
        head = entries[0]["prefix"]
        names = entries[1:]
        if not isinstance(head, str) or not all(isinstance(name, str) for name in names):
            raise TypeError("the prefix and the names after it must be texts")
    except (OSError, ValueError, LookupError, TypeError, ApiError) as error:
        raise DownloadError(
            f"ClientError: Data download failed: the manifest {uri} cannot be read: {type(error).__name__}: {error}; "
            'it must be [{"prefix": "s3://BUCKET/FOLDER/"}, "NAME", ...]'
        ) from error
    bucket, prefix = context.buckets.parse(head)
    for name in sorted(names):
        if ".." in name.split("/") or name.startswith("/"):
            raise DownloadError(f"ClientError: Data download failed: the manifest {uri} names {name!r}")
        yield Item(bucket, prefix + name, name)
