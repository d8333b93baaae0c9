"""Uploads in parts. A part is a file below the bucket server's folder of uploads until the upload is completed."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from werkzeug import Request, Response

from featuremill.sagemaker_local.buckets import no_such_bucket
from featuremill.sagemaker_local.context import Context, new_id
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.s3.body import receive
from featuremill.sagemaker_local.s3.listing import parse_xml
from featuremill.sagemaker_local.s3.objects import copy_source, described, iso, keep
from featuremill.sagemaker_local.s3.xml import Element, document

_KIND = "s3-upload"
_MOST_PARTS = 10_000


def create_upload(context: Context, request: Request, bucket: str, key: str) -> Response:
    """CreateMultipartUpload."""
    if not context.buckets.exists(bucket):
        raise no_such_bucket(bucket)
    context.buckets.path(bucket, key)
    upload = new_id()
    _folder(context, upload).mkdir(parents=True)
    started = {"id": upload, "bucket": bucket, "key": key, "parts": {}, "time": context.clock(), **described(request)}
    context.store.put(_KIND, upload, started)
    return document("InitiateMultipartUploadResult", [("Bucket", bucket), ("Key", key), ("UploadId", upload)])


def upload_part(context: Context, request: Request, bucket: str, key: str) -> Response:
    """UploadPart."""
    upload, number = _upload(context, request, bucket, key)["id"], _number(request)
    received = receive(request, context.buckets)
    _keep_part(context, upload, number, received.path, received.md5, received.size)
    return Response(status=200, headers={"ETag": f'"{received.md5}"'})


def copy_part(context: Context, request: Request, bucket: str, key: str) -> Response:
    """UploadPartCopy."""
    upload, number = _upload(context, request, bucket, key)["id"], _number(request)
    source = copy_source(context, request)
    start, end = 0, source.size
    if wanted := request.headers.get("x-amz-copy-source-range"):
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < source.size):
            raise ApiError("InvalidArgument", f"x-amz-copy-source-range {wanted} does not fit {source.size} bytes")
        start, end = int(first), int(last) + 1
    temporary = context.buckets.temporary_file()
    md5 = hashlib.md5(usedforsecurity=False)
    with source.path.open("rb") as reading, temporary.open("wb") as writing:
        reading.seek(start)
        left = end - start
        while left and (block := reading.read(min(left, 1024 * 1024))):
            md5.update(block)
            writing.write(block)
            left -= len(block)
    _keep_part(context, upload, number, temporary, md5.hexdigest(), end - start)
    return document("CopyPartResult", [("LastModified", iso(context.clock())), ("ETag", f'"{md5.hexdigest()}"')])


def list_parts(context: Context, request: Request, bucket: str, key: str) -> Response:
    """ListParts; all at once."""
    upload = _upload(context, request, bucket, key)
    parts: list[Element] = [
        ("Part", [("PartNumber", int(number)), ("ETag", f'"{part["etag"]}"'), ("Size", part["size"])])
        for number, part in sorted(upload["parts"].items(), key=lambda item: int(item[0]))
    ]
    head: list[Element] = [("Bucket", bucket), ("Key", key), ("UploadId", upload["id"]), ("IsTruncated", False)]
    return document("ListPartsResult", [*head, *parts])


def list_uploads(context: Context, request: Request, bucket: str) -> Response:
    """ListMultipartUploads; all at once."""
    prefix = request.args.get("prefix", "")
    uploads = [
        item for item in context.store.list(_KIND) if item["bucket"] == bucket and item["key"].startswith(prefix)
    ]
    shown: list[Element] = [
        ("Upload", [("Key", item["key"]), ("UploadId", item["id"]), ("Initiated", iso(item["time"]))])
        for item in sorted(uploads, key=lambda item: (item["key"], item["time"]))
    ]
    return document("ListMultipartUploadsResult", [("Bucket", bucket), ("IsTruncated", False), *shown])


def abort_upload(context: Context, request: Request, bucket: str, key: str) -> Response:
    """AbortMultipartUpload."""
    upload = _upload(context, request, bucket, key)["id"]
    context.store.delete(_KIND, upload)
    shutil.rmtree(_folder(context, upload), ignore_errors=True)
    return Response(status=204)


def complete_upload(context: Context, request: Request, bucket: str, key: str) -> Response:
    """CompleteMultipartUpload: the parts that the request lists, in order; the ETag is AWS's MD5 of the parts' MD5s."""
    root = parse_xml(request.get_data())
    with context.store.lock:
        upload = _upload(context, request, bucket, key)
        folder = _folder(context, upload["id"])
        chosen = _chosen(root, upload)
        target = context.buckets.temporary_file()
        try:
            with target.open("wb") as whole:
                for number, _ in chosen:
                    with (folder / number).open("rb") as part:
                        shutil.copyfileobj(part, whole, 1024 * 1024)
            digests = b"".join(bytes.fromhex(etag) for _, etag in chosen)
            etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(chosen)}"
            keep(context, bucket, key, target, etag, {"type": upload["type"], "headers": upload["headers"]})
        finally:
            target.unlink(missing_ok=True)
        context.store.delete(_KIND, upload["id"])
    shutil.rmtree(folder, ignore_errors=True)
    location = f"{request.host_url.rstrip('/')}/{bucket}/{key}"
    return document(
        "CompleteMultipartUploadResult",
        [("Location", location), ("Bucket", bucket), ("Key", key), ("ETag", f'"{etag}"')],
    )


def _chosen(root: Any, upload: dict[str, Any]) -> list[tuple[str, str]]:
    """(number, MD5) of the parts to join. Raises InvalidPart, InvalidPartOrder, MalformedXML."""
    chosen: list[tuple[str, str]] = []
    for item in root.iterfind("{*}Part"):
        number = (item.findtext("{*}PartNumber") or "").strip()
        etag = (item.findtext("{*}ETag") or "").strip().strip('"')
        part = upload["parts"].get(number)
        if part is None or part["etag"] != etag:
            raise ApiError("InvalidPart", f"part {number} with ETag {etag!r} was not uploaded")
        if chosen and int(number) <= int(chosen[-1][0]):
            raise ApiError("InvalidPartOrder", "the parts must be listed in ascending order")
        chosen.append((number, etag))
    if not chosen:
        raise ApiError("MalformedXML", "an upload is completed with at least one part")
    return chosen


def _keep_part(context: Context, upload: str, number: int, source: Path, md5: str, size: int) -> None:
    with context.store.lock:
        try:
            os.replace(source, _folder(context, upload) / str(number))
            context.store.update(
                _KIND, upload, lambda item: item["parts"].update({str(number): {"etag": md5, "size": size}})
            )
        except (FileNotFoundError, KeyError) as error:
            source.unlink(missing_ok=True)
            raise _no_such_upload(upload) from error


def _upload(context: Context, request: Request, bucket: str, key: str) -> dict[str, Any]:
    name = request.args.get("uploadId", "")
    upload = context.store.get(_KIND, name)
    if upload is None or (upload["bucket"], upload["key"]) != (bucket, key):
        raise _no_such_upload(name)
    return upload


def _no_such_upload(name: str) -> ApiError:
    return ApiError("NoSuchUpload", f"the upload {name!r} does not exist; it may have been completed or aborted", 404)


def _number(request: Request) -> int:
    text = request.args.get("partNumber", "")
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_PARTS:
        raise ApiError("InvalidArgument", f"partNumber must be 1 to {_MOST_PARTS}, not {text!r}")
    return int(text)


def _folder(context: Context, upload: str) -> Path:
    return context.root / "uploads" / upload
