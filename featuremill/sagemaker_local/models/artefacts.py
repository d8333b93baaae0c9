"""Model data of a bucket -> the folder `model/` of a container."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import Path

from featuremill.sagemaker_local.buckets import Buckets
from featuremill.sagemaker_local.models.container import ModelData


class BrokenModel(Exception):
    """The model data cannot be had; the text says which and why."""


def exists(buckets: Buckets, data: ModelData) -> bool:
    """Whether there is such an object, or any below the prefix."""
    bucket, key = buckets.parse(data.uri)
    if not buckets.exists(bucket):
        return False
    if data.kind == "prefix":
        return next(buckets.keys(bucket, key), None) is not None
    return bool(key) and buckets.path(bucket, key).is_file()


def fetch(buckets: Buckets, data: ModelData | None, folder: Path) -> None:
    """Fill `folder` (made, and emptied if it is there) with the model. Raises BrokenModel.

    An archive's links and names that lead out of the folder are refused.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if data is None:
        return
    if not exists(buckets, data):
        raise BrokenModel(f"Failed to download model data: there is nothing at {data.uri}")
    bucket, key = buckets.parse(data.uri)
    if data.kind == "archive":
        _extract(buckets.path(bucket, key), data.uri, folder)
    elif data.kind == "object":
        _place(buckets.path(bucket, key), folder / key.rpartition("/")[2])
    else:
        base = key if key.endswith("/") or not key else key.rpartition("/")[0] + "/"
        for found in buckets.keys(bucket, key):
            if not found.endswith("/"):
                _place(buckets.path(bucket, found), folder / found[len(base.lstrip("/")) :])


def _extract(archive: Path, uri: str, folder: Path) -> None:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise BrokenModel(
            f"Failed to extract model data from {uri}: it is no sound tar.gz archive ({error})"
        ) from error


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
