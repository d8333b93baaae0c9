"""Which operation of S3 a request is: told by its method, by bucket and key, and by query arguments."""

from __future__ import annotations

import logging
from collections.abc import Callable

from werkzeug import Request, Response

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.s3 import listing, multipart, objects
from featuremill.sagemaker_local.s3.xml import document, error_document

_log = logging.getLogger(__name__)
BucketOperation = Callable[[Context, Request, str], Response]
ObjectOperation = Callable[[Context, Request, str, str], Response]

_NOT_HERE = {
    "acl", "analytics", "cors", "encryption", "inventory", "lifecycle", "logging", "metrics", "notification",
    "object-lock", "ownershipControls", "policy", "publicAccessBlock", "replication", "requestPayment", "tagging",
    "torrent", "versions", "versionId", "website", "legal-hold", "retention", "restore", "select", "attributes",
}  # fmt: skip


def serve(context: Context, request: Request) -> Response:
    """Answer a request of S3's REST API, path style (http://host/BUCKET/KEY) or with the bucket before the host."""
    try:
        return _serve(context, request)
    except ApiError as error:
        return error_document(error, request.path, request.method != "HEAD")
    except OSError as error:
        _log.exception("%s %s failed", request.method, request.path)
        failure = ApiError("InternalError", f"the local S3 failed: {error}; the server's log has more", 500)
        return error_document(failure, request.path, request.method != "HEAD")


def _serve(context: Context, request: Request) -> Response:
    bucket, _, key = request.path.lstrip("/").partition("/")
    before, dot, _ = request.host.partition(".localhost")
    if dot and before:
        bucket, key = before, request.path.removeprefix("/")
    if unsupported := sorted(_NOT_HERE & set(request.args)):
        raise ApiError("NotImplemented", f"?{unsupported[0]} is not available in the local S3", 501)
    if not bucket:
        if request.method != "GET":
            raise _not_allowed(request)
        return listing.list_buckets(context, request)
    if not key:
        return _bucket_operation(request)(context, request, bucket)
    return _object_operation(request)(context, request, bucket, key)


def _bucket_operation(request: Request) -> BucketOperation:
    if request.method == "GET":
        if "location" in request.args:
            return _location
        if "versioning" in request.args:
            return _versioning
        return multipart.list_uploads if "uploads" in request.args else listing.list_objects
    if request.method == "POST" and "delete" in request.args:
        return listing.delete_objects
    operations = {"HEAD": listing.head_bucket, "PUT": listing.create_bucket, "DELETE": listing.delete_bucket}
    if request.method not in operations or "versioning" in request.args:
        raise _not_allowed(request)
    return operations[request.method]


def _object_operation(request: Request) -> ObjectOperation:
    copies = "x-amz-copy-source" in request.headers
    if "uploadId" in request.args:
        put = multipart.copy_part if copies else multipart.upload_part
        operations: dict[str, ObjectOperation] = {
            "PUT": put,
            "GET": multipart.list_parts,
            "POST": multipart.complete_upload,
            "DELETE": multipart.abort_upload,
        }
    elif request.method == "POST" and "uploads" in request.args:
        return multipart.create_upload
    else:
        operations = {
            "GET": objects.get_object,
            "HEAD": objects.get_object,
            "PUT": objects.copy_object if copies else objects.put_object,
            "DELETE": objects.delete_object,
        }
    if request.method not in operations:
        raise _not_allowed(request)
    return operations[request.method]


def _location(context: Context, request: Request, bucket: str) -> Response:
    listing.head_bucket(context, request, bucket)
    region = None if context.region == "us-east-1" else context.region
    response = document("LocationConstraint", [])
    if region is not None:
        response.set_data(
            response.get_data().replace(b"></LocationConstraint>", f">{region}</LocationConstraint>".encode())
        )
    return response


def _versioning(context: Context, request: Request, bucket: str) -> Response:
    listing.head_bucket(context, request, bucket)
    return document("VersioningConfiguration", [])


def _not_allowed(request: Request) -> ApiError:
    return ApiError("MethodNotAllowed", f"{request.method} is not available here in the local S3", 405)
