"""Objects: what is known of one (type, metadata, ETag), and the operations on it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from werkzeug import Request, Response
from werkzeug.http import http_date, parse_date

from featuremill.sagemaker_local.buckets import no_such_bucket
from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.s3.body import receive
from featuremill.sagemaker_local.s3.xml import document

KIND = "s3-object"
_BLOCK = 1024 * 1024
_DEFAULT_TYPE = "binary/octet-stream"
_KEPT = ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires")


@dataclass(frozen=True)
class Object:
    """An object as it lies on disk. `headers`: the response headers kept with it, user metadata among them."""

    path: Path
    size: int
    modified: datetime
    etag: str
    content_type: str = _DEFAULT_TYPE
    headers: dict[str, str] = field(default_factory=dict)


def find(context: Context, bucket: str, key: str) -> Object:
    """Raises NoSuchBucket or NoSuchKey.

    What was written with the object counts only while the file is the one that was written then: files may also be put
    into a bucket's directory by other programs. Those get an ETag of their time and size, marked as not being an MD5.
    """
    path = context.buckets.path(bucket, key)
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        stat = None
    if stat is None or path.is_dir() != key.endswith("/"):
        if not context.buckets.exists(bucket):
            raise no_such_bucket(bucket)
        raise ApiError("NoSuchKey", f"The specified key does not exist: {key}", 404)
    modified = datetime.fromtimestamp(stat.st_mtime_ns // 1_000_000_000, UTC)
    if key.endswith("/"):
        return Object(path, 0, modified, _md5(b""), "application/x-directory")
    known = context.store.get(KIND, f"{bucket}/{key}")
    if known is not None and (known["time"], known["size"]) == (stat.st_mtime_ns, stat.st_size):
        return Object(path, stat.st_size, modified, known["etag"], known["type"], known["headers"])
    etag = f"{_md5(f'{stat.st_mtime_ns} {stat.st_size}'.encode())}-1"
    return Object(path, stat.st_size, modified, etag)


def keep(context: Context, bucket: str, key: str, source: Path, etag: str, about: dict[str, Any]) -> None:
    """Move a temporary file to its key, with its ETag and `about`: {"type": ..., "headers": {...}}."""
    with context.store.lock:
        stat = context.buckets.place(source, bucket, key).stat()
        known = {"time": stat.st_mtime_ns, "size": stat.st_size, "etag": etag, **about}
        context.store.put(KIND, f"{bucket}/{key}", known)


def described(request: Request) -> dict[str, Any]:
    """The content type and headers of an upload that are kept with the object."""
    headers = {name: value for name in _KEPT if (value := request.headers.get(name))}
    encodings = [part.strip() for part in headers.pop("Content-Encoding", "").split(",")]
    if left := [part for part in encodings if part and part != "aws-chunked"]:
        headers["Content-Encoding"] = ",".join(left)
    headers |= {name.lower(): value for name, value in request.headers if name.lower().startswith("x-amz-meta-")}
    return {"type": request.headers.get("Content-Type") or _DEFAULT_TYPE, "headers": headers}


def put_object(context: Context, request: Request, bucket: str, key: str) -> Response:
    """PutObject; a key that ends in "/" makes a folder. If-None-Match: * and If-Match are honoured."""
    if not context.buckets.exists(bucket):
        raise no_such_bucket(bucket)
    upload = receive(request, context.buckets)
    try:
        with context.store.lock:
            _check_write(context, request, bucket, key)
            if key.endswith("/"):
                _make_folder(context, bucket, key, upload.size)
            else:
                keep(context, bucket, key, upload.path, upload.md5, described(request))
    finally:
        upload.path.unlink(missing_ok=True)
    return Response(status=200, headers={"ETag": f'"{upload.md5}"'})


def _make_folder(context: Context, bucket: str, key: str, size: int) -> None:
    if size:
        raise ApiError(
            "InvalidArgument", f"{key!r} ends in a slash: local buckets are directories, it cannot hold data"
        )
    try:
        context.buckets.path(bucket, key).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ApiError("InvalidArgument", f"{key!r} cannot be a folder: a part of it is an object") from error


def _check_write(context: Context, request: Request, bucket: str, key: str) -> None:
    none_match, match = request.headers.get("If-None-Match"), request.headers.get("If-Match")
    if none_match is None and match is None:
        return
    try:
        found = find(context, bucket, key)
    except ApiError as error:
        if error.code != "NoSuchKey" or match is not None:
            raise
        return
    if none_match == "*" or (match is not None and not _etag_in(match, found.etag)):
        raise ApiError("PreconditionFailed", "At least one of the preconditions you specified did not hold", 412)


def get_object(context: Context, request: Request, bucket: str, key: str) -> Response:
    """GetObject and HeadObject, with ranges and conditions."""
    found = find(context, bucket, key)
    headers = {
        "ETag": f'"{found.etag}"',
        "Last-Modified": http_date(found.modified),
        "Accept-Ranges": "bytes",
        **found.headers,
    }
    if _not_modified(request, found):
        return Response(status=304, headers=headers)
    start, end, status = 0, found.size, 200
    if "Range" in request.headers:
        start, end, status = _range(request.headers["Range"], found.size)
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.size}"
    overrides = {
        name.removeprefix("response-"): value for name, value in request.args.items() if name.startswith("response-")
    }
    content_type = overrides.pop("content-type", found.content_type)
    body = () if request.method == "HEAD" or found.path.is_dir() else _read(found.path.open("rb"), start, end)
    response = Response(body, status, headers, content_type=content_type, direct_passthrough=True)
    response.headers.update(overrides)
    response.headers["Content-Length"] = str(end - start)
    return response


def _not_modified(request: Request, found: Object) -> bool:
    match, none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    since = parse_date(request.headers.get("If-Modified-Since"))
    unmodified = parse_date(request.headers.get("If-Unmodified-Since"))
    failed = not _etag_in(match, found.etag) if match else unmodified is not None and found.modified > unmodified
    if failed:
        raise ApiError("PreconditionFailed", "At least one of the preconditions you specified did not hold", 412)
    return _etag_in(none_match, found.etag) if none_match else since is not None and found.modified <= since


def _etag_in(header: str | None, etag: str) -> bool:
    values = [value.strip().removeprefix("W/").strip('"') for value in (header or "").split(",")]
    return "*" in values or etag in values


def _range(header: str, size: int) -> tuple[int, int, int]:
    """Start, end (exclusive) and status. A header that is not one byte range is ignored, as RFC 9110 has it."""
    unit, _, spec = header.partition("=")
    first, dash, last = spec.strip().partition("-")
    if unit.strip() != "bytes" or not dash or not (first + last).isdigit() or not (first + last).isascii():
        return 0, size, 200
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return 0, size, 200
    else:
        start, end = max(0, size - int(last)), size
    if start >= end:
        raise ApiError("InvalidRange", f"the range {header} lies outside of the object's {size} bytes", 416)
    return start, end, 206


def _read(file: Any, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        left = end - start
        while left > 0 and (block := file.read(min(left, _BLOCK))):
            left -= len(block)
            yield block


def delete_object(context: Context, request: Request, bucket: str, key: str) -> Response:
    """DeleteObject: also of a key that is not there."""
    remove(context, bucket, key)
    return Response(status=204)


def remove(context: Context, bucket: str, key: str) -> None:
    """Remove an object. Raises NoSuchBucket."""
    if not context.buckets.exists(bucket):
        raise no_such_bucket(bucket)
    with context.store.lock:
        context.buckets.remove(bucket, key)
        context.store.delete(KIND, f"{bucket}/{key}")


def copy_source(context: Context, request: Request) -> Object:
    """The object that x-amz-copy-source names; its conditions are checked."""
    source = unquote(request.headers["x-amz-copy-source"].partition("?")[0]).lstrip("/")
    bucket, _, key = source.partition("/")
    found = find(context, bucket, key)
    match = request.headers.get("x-amz-copy-source-if-match")
    none_match = request.headers.get("x-amz-copy-source-if-none-match")
    if (match and not _etag_in(match, found.etag)) or (none_match and _etag_in(none_match, found.etag)):
        raise ApiError("PreconditionFailed", "At least one of the preconditions you specified did not hold", 412)
    return found


def copy_object(context: Context, request: Request, bucket: str, key: str) -> Response:
    """CopyObject; metadata is the source's unless x-amz-metadata-directive is REPLACE."""
    source = copy_source(context, request)
    if not context.buckets.exists(bucket):
        raise no_such_bucket(bucket)
    target = context.buckets.temporary_file()
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with target.open("wb") as copied:
            for block in _read(source.path.open("rb"), 0, source.size):
                digest.update(block)
                copied.write(block)
        replace = request.headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
        about = described(request) if replace else {"type": source.content_type, "headers": source.headers}
        keep(context, bucket, key, target, digest.hexdigest(), about)
    finally:
        target.unlink(missing_ok=True)
    modified = datetime.fromtimestamp(os.stat(context.buckets.path(bucket, key)).st_mtime, UTC)
    return document("CopyObjectResult", [("LastModified", iso(modified)), ("ETag", f'"{digest.hexdigest()}"')])


def iso(time: datetime) -> str:
    """A time as S3's XML has it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
