"""Listings of buckets and of keys (both versions of the call), and the deletion of many keys."""

from __future__ import annotations

import base64
import binascii
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from urllib.parse import quote

from werkzeug import Request, Response

from featuremill.sagemaker_local.buckets import no_such_bucket
from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.s3.objects import find, iso, remove
from featuremill.sagemaker_local.s3.xml import Element, document

_MOST = 1000
_AFTER_ALL = "\U0010ffff"
_OWNER: Element = ("Owner", [("ID", "local"), ("DisplayName", "local")])


def list_buckets(context: Context, request: Request) -> Response:
    """ListBuckets."""
    folders = sorted(path for path in context.buckets.root.iterdir() if path.is_dir())
    buckets: list[Element] = [
        ("Bucket", [("Name", folder.name), ("CreationDate", iso(datetime.fromtimestamp(folder.stat().st_ctime, UTC)))])
        for folder in folders
    ]
    return document("ListAllMyBucketsResult", [_OWNER, ("Buckets", buckets)])


def create_bucket(context: Context, request: Request, bucket: str) -> Response:
    """CreateBucket. One that is there is answered as AWS does: with success in us-east-1, else an error."""
    if not context.buckets.create(bucket) and context.region != "us-east-1":
        raise ApiError("BucketAlreadyOwnedByYou", f"the bucket {bucket} is there and is yours", 409)
    return Response(status=200, headers={"Location": f"/{bucket}"})


def head_bucket(context: Context, request: Request, bucket: str) -> Response:
    """HeadBucket."""
    if not context.buckets.exists(bucket):
        raise no_such_bucket(bucket)
    return Response(status=200, headers={"x-amz-bucket-region": context.region})


def delete_bucket(context: Context, request: Request, bucket: str) -> Response:
    """DeleteBucket: of an empty one."""
    if not context.buckets.exists(bucket):
        raise no_such_bucket(bucket)
    if next(context.buckets.keys(bucket), None) is not None:
        raise ApiError("BucketNotEmpty", f"the bucket {bucket} is not empty", 409)
    shutil.rmtree(context.buckets.bucket_path(bucket))
    return Response(status=204)


def list_objects(context: Context, request: Request, bucket: str) -> Response:
    """ListObjects and ListObjectsV2."""
    if not context.buckets.exists(bucket):
        raise no_such_bucket(bucket)
    arguments = request.args
    second = arguments.get("list-type") == "2"
    prefix, delimiter = arguments.get("prefix", ""), arguments.get("delimiter", "")
    most = _most(arguments.get("max-keys"))
    token = arguments.get("continuation-token")
    after = _decode(token) if token else arguments.get("start-after" if second else "marker", "")
    found = list(islice(_entries(context, bucket, prefix, delimiter, after), most + 1))
    shown, more = found[:most], len(found) > most and most > 0
    encode = quote if arguments.get("encoding-type") == "url" else str
    head: list[Element] = [
        ("Name", bucket),
        ("Prefix", encode(prefix)),
        ("Delimiter", encode(delimiter) or None),
        ("MaxKeys", most),
        ("EncodingType", arguments.get("encoding-type")),
        ("IsTruncated", more),
    ]
    last = shown[-1][0] if more else ""
    if second:
        head += [("KeyCount", len(shown)), ("ContinuationToken", token), ("StartAfter", arguments.get("start-after"))]
        head += [("NextContinuationToken", _encode(last) if more else None)]
    else:
        head += [("Marker", encode(after)), ("NextMarker", encode(last) if more else None)]
    contents = [_contents(context, bucket, key, encode(key)) for key, is_prefix in shown if not is_prefix]
    prefixes: list[Element] = [("CommonPrefixes", [("Prefix", encode(key))]) for key, is_prefix in shown if is_prefix]
    return document("ListBucketResult", [*head, *(each for each in contents if each is not None), *prefixes])


def _entries(context: Context, bucket: str, prefix: str, delimiter: str, after: str) -> Iterator[tuple[str, bool]]:
    """(key, False) and, with a delimiter, (common prefix, True), in order.

    After a common prefix the walk goes on behind all keys that begin with it, so folders are not walked for one line.
    """
    position = after
    if delimiter and after.startswith(prefix) and after.endswith(delimiter) and len(after) > len(prefix):
        position = after + _AFTER_ALL
    while True:
        for key in context.buckets.keys(bucket, prefix, position):
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                yield key, False
                continue
            common = key[: cut + len(delimiter)]
            if common != after:
                yield common, True
            position = common + _AFTER_ALL
            break
        else:
            return


def _contents(context: Context, bucket: str, key: str, shown: str) -> Element | None:
    try:
        found = find(context, bucket, key)
    except ApiError:
        return None  # deleted since it was listed
    return (
        "Contents",
        [
            ("Key", shown),
            ("LastModified", iso(found.modified)),
            ("ETag", f'"{found.etag}"'),
            ("Size", found.size),
            ("StorageClass", "STANDARD"),
        ],
    )


def _most(text: str | None) -> int:
    if text is None:
        return _MOST
    if not text.isdecimal():
        raise ApiError("InvalidArgument", f"max-keys must be a number, not {text!r}")
    return min(int(text), _MOST)


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decode(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (ValueError, binascii.Error) as error:
        raise ApiError("InvalidArgument", "the continuation token is not one of this server's") from error


def delete_objects(context: Context, request: Request, bucket: str) -> Response:
    """DeleteObjects: what could not be deleted is told in the answer."""
    if not context.buckets.exists(bucket):
        raise no_such_bucket(bucket)
    root = parse_xml(request.get_data())
    quiet = (root.findtext("{*}Quiet") or "false").strip() == "true"
    results: list[Element] = []
    for item in root.iterfind("{*}Object"):
        key = item.findtext("{*}Key") or ""
        try:
            remove(context, bucket, key)
        except ApiError as error:
            results.append(("Error", [("Key", key), ("Code", error.code), ("Message", error.message)]))
        else:
            results += [] if quiet else [("Deleted", [("Key", key)])]
    return document("DeleteResult", results)


def parse_xml(body: bytes) -> ElementTree.Element:
    """The root of a request's XML. Raises MalformedXML, also for documents with a DTD (entities are not expanded)."""
    try:
        if b"<!DOCTYPE" in body:
            raise ApiError("MalformedXML", "a request must not have a document type")
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise ApiError("MalformedXML", f"the body is not well-formed XML: {error}") from error
