"""S3 as boto3 and pyarrow use it: a bucket is a directory, and an object a file."""

from __future__ import annotations

import hashlib
import io
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.fs
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.sagemaker_local.local_server import LocalServer


@pytest.fixture(scope="module")
def s3(server: LocalServer) -> Any:
    client = server.client("s3")
    client.create_bucket(Bucket="bucket")
    return client


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_an_object_is_a_file_and_comes_back_with_all_that_was_said_of_it(server: LocalServer, s3: Any) -> None:
    put = s3.put_object(
        Bucket="bucket",
        Key="a/b ü+%2F.txt",
        Body=b"hello",
        ContentType="text/plain",
        Metadata={"k": "v"},
        CacheControl="no",
    )
    assert (server.root / "buckets/bucket/a/b ü+%2F.txt").read_bytes() == b"hello"
    got = s3.get_object(Bucket="bucket", Key="a/b ü+%2F.txt")
    assert got["Body"].read() == b"hello"
    assert (got["ContentType"], got["Metadata"], got["CacheControl"]) == ("text/plain", {"k": "v"}, "no")
    assert got["ETag"] == put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert abs(got["LastModified"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert s3.head_object(Bucket="bucket", Key="a/b ü+%2F.txt")["ContentLength"] == 5


def test_a_file_that_something_else_wrote_is_an_object_too(server: LocalServer, s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="ours.bin", Body=b"first", ContentType="text/plain")
    (server.root / "buckets/bucket/ours.bin").write_bytes(b"second")
    (server.root / "buckets/bucket/theirs.bin").write_bytes(b"x")
    got = s3.get_object(Bucket="bucket", Key="ours.bin")
    assert got["Body"].read() == b"second" and got["ContentType"] == "binary/octet-stream"
    listed = {item["Key"]: item["ETag"] for item in s3.list_objects_v2(Bucket="bucket")["Contents"]}
    assert listed["theirs.bin"] == s3.head_object(Bucket="bucket", Key="theirs.bin")["ETag"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("bytes=2-4", b"234"),
        ("bytes=7-", b"789"),
        ("bytes=-3", b"789"),
        ("bytes=8-99", b"89"),
        ("lines=1-2", b"0123456789"),
    ],
)
def test_ranges(s3: Any, spec: str, expected: bytes) -> None:
    s3.put_object(Bucket="bucket", Key="range", Body=b"0123456789")
    assert s3.get_object(Bucket="bucket", Key="range", Range=spec)["Body"].read() == expected


def test_a_range_outside_of_the_object_is_refused(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="range", Body=b"0123456789")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="bucket", Key="range", Range="bytes=10-")
    assert code(caught) == "InvalidRange"


def test_conditions(s3: Any) -> None:
    etag = s3.put_object(Bucket="bucket", Key="c", Body=b"1")["ETag"]
    past, future = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    for condition in ({"IfNoneMatch": etag}, {"IfModifiedSince": future}):
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket="bucket", Key="c", **condition)
        assert code(caught) == "304"
    for condition in ({"IfMatch": '"other"'}, {"IfUnmodifiedSince": past}):
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket="bucket", Key="c", **condition)
        assert code(caught) == "PreconditionFailed"
    assert s3.get_object(Bucket="bucket", Key="c", IfMatch=etag, IfModifiedSince=past)["Body"].read() == b"1"
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="bucket", Key="c", Body=b"2", IfNoneMatch="*")
    assert code(caught) == "PreconditionFailed"
    s3.put_object(Bucket="bucket", Key="c-new", Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket="bucket", Key="c", Body=b"3", IfMatch=etag)


def test_keys_are_listed_in_the_order_of_s3_in_pages_and_folders(s3: Any) -> None:
    s3.create_bucket(Bucket="listing")
    keys = ["a", "b/1", "b/2", "b-/x", "b.x", "b0", "c/d/e", "c/d/f", "c/g", "é", "z\U0001f600"]
    for key in reversed(keys):
        s3.put_object(Bucket="listing", Key=key, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="listing", PaginationConfig={"PageSize": 3})
    listed = [item["Key"] for page in pages for item in page["Contents"]]
    assert listed == sorted(keys, key=str.encode)
    assert [item["Key"] for item in s3.list_objects(Bucket="listing", Marker="c/d/e")["Contents"]][0] == "c/d/f"
    assert s3.list_objects_v2(Bucket="listing", StartAfter="b/1", MaxKeys=1)["Contents"][0]["Key"] == "b/2"
    assert s3.list_objects_v2(Bucket="listing", Prefix="c/d")["KeyCount"] == 2
    assert s3.list_objects_v2(Bucket="listing", Prefix="nothing")["KeyCount"] == 0
    prefixes, plain = [], []
    for page in s3.get_paginator("list_objects_v2").paginate(
        Bucket="listing", Delimiter="/", PaginationConfig={"PageSize": 1}
    ):
        prefixes += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
        plain += [item["Key"] for item in page.get("Contents", [])]
    assert prefixes == ["b-/", "b/", "c/"] and plain == ["a", "b.x", "b0", "z\U0001f600", "é"]
    inner = s3.list_objects_v2(Bucket="listing", Delimiter="/", Prefix="c/")
    assert [item["Prefix"] for item in inner["CommonPrefixes"]] == ["c/d/"]
    assert [item["Key"] for item in inner["Contents"]] == ["c/g"]


def test_large_objects_go_up_and_come_down_in_parts(s3: Any) -> None:
    body = bytes(range(256)) * 60_000
    config = TransferConfig(multipart_threshold=5_000_000, multipart_chunksize=5_000_000, max_concurrency=3)
    s3.upload_fileobj(io.BytesIO(body), "bucket", "large", ExtraArgs={"Metadata": {"k": "v"}}, Config=config)
    head = s3.head_object(Bucket="bucket", Key="large")
    assert head["ETag"].endswith('-3"') and head["Metadata"] == {"k": "v"}
    down = io.BytesIO()
    s3.download_fileobj("bucket", "large", down, Config=config)
    assert down.getvalue() == body
    s3.copy({"Bucket": "bucket", "Key": "large"}, "bucket", "copied", Config=config)
    assert s3.get_object(Bucket="bucket", Key="copied", Range="bytes=-1000")["Body"].read() == body[-1000:]


def test_an_upload_is_listed_and_aborted(server: LocalServer, s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket="bucket", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="bucket", Key="parts", UploadId=upload, PartNumber=2, Body=b"two")
    (listed,) = s3.list_parts(Bucket="bucket", Key="parts", UploadId=upload)["Parts"]
    assert (listed["PartNumber"], listed["Size"], listed["ETag"]) == (2, 3, part["ETag"])
    assert [item["UploadId"] for item in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]] == [upload]
    wrong = {"Parts": [{"PartNumber": 2, "ETag": '"00"'}]}
    with pytest.raises(ClientError) as caught:
        s3.complete_multipart_upload(Bucket="bucket", Key="parts", UploadId=upload, MultipartUpload=wrong)
    assert code(caught) == "InvalidPart"
    s3.abort_multipart_upload(Bucket="bucket", Key="parts", UploadId=upload)
    with pytest.raises(ClientError) as caught:
        s3.list_parts(Bucket="bucket", Key="parts", UploadId=upload)
    assert code(caught) == "NoSuchUpload"
    assert list((server.root / "uploads").iterdir()) == []


def test_copies_keep_or_replace_the_metadata(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="from", Body=b"1", Metadata={"k": "v"}, ContentType="text/csv")
    s3.copy_object(Bucket="bucket", Key="to", CopySource={"Bucket": "bucket", "Key": "from"})
    assert s3.head_object(Bucket="bucket", Key="to")["Metadata"] == {"k": "v"}
    source = {"Bucket": "bucket", "Key": "from"}
    s3.copy_object(Bucket="bucket", Key="to", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "w"})
    assert s3.head_object(Bucket="bucket", Key="to")["Metadata"] == {"n": "w"}


def test_deleting_leaves_no_empty_folders(server: LocalServer, s3: Any) -> None:
    for key in ("deep/er/1", "deep/er/2", "deep/3"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
    s3.delete_object(Bucket="bucket", Key="deep/not-there")
    answer = s3.delete_objects(
        Bucket="bucket", Delete={"Objects": [{"Key": "deep/er/1"}, {"Key": "deep/er/2"}, {"Key": "../x"}]}
    )
    assert [item["Key"] for item in answer["Deleted"]] == ["deep/er/1", "deep/er/2"]
    assert [item["Key"] for item in answer["Errors"]] == ["../x"]
    assert [path.name for path in (server.root / "buckets/bucket/deep").iterdir()] == ["3"]


@pytest.mark.parametrize("key", ["../escape", "a/../../escape", "a//b", "./a", "a/.", "x" * 256, "nul\0"])
def test_keys_that_would_leave_the_bucket_or_cannot_be_files_are_refused(
    s3: Any, server: LocalServer, key: str
) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
    assert code(caught) == "InvalidArgument"
    assert not list(server.root.rglob("escape"))


def test_a_key_is_not_a_file_and_a_folder_at_once(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="file", Body=b"")
    with pytest.raises(ClientError, match="folder of other keys"):
        s3.put_object(Bucket="bucket", Key="file/below", Body=b"")
    s3.put_object(Bucket="bucket", Key="folder/below", Body=b"")
    with pytest.raises(ClientError, match="folder of other keys"):
        s3.put_object(Bucket="bucket", Key="folder", Body=b"")


def test_a_wrong_checksum_is_refused_and_nothing_is_stored(s3: Any) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="bucket", Key="bad", Body=b"1", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    assert code(caught) == "BadDigest"
    with pytest.raises(ClientError) as caught:
        s3.put_object(
            Bucket="bucket", Key="bad", Body=b"1", ChecksumSHA256="47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        )
    assert code(caught) == "BadDigest"
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="bucket", Key="bad")


def test_buckets(s3: Any) -> None:
    s3.create_bucket(Bucket="short-lived")
    assert "short-lived" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket="short-lived")
    assert s3.get_bucket_location(Bucket="short-lived")["LocationConstraint"] is None
    s3.put_object(Bucket="short-lived", Key="x", Body=b"")
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        s3.delete_bucket(Bucket="short-lived")
    s3.delete_object(Bucket="short-lived", Key="x")
    s3.delete_bucket(Bucket="short-lived")
    for call in (s3.head_bucket, s3.list_objects_v2, s3.delete_bucket):
        with pytest.raises(ClientError, match="404|NoSuchBucket"):
            call(Bucket="short-lived")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.put_object(Bucket="short-lived", Key="x", Body=b"")
    with pytest.raises(ClientError, match="InvalidBucketName"):
        s3.create_bucket(Bucket="A_b")
    with pytest.raises(ClientError, match="not available in the local S3"):
        s3.get_bucket_policy(Bucket="bucket")


def test_presigned_urls(s3: Any) -> None:
    put = s3.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "signed"})
    urllib.request.urlopen(urllib.request.Request(put, data=b"by url", method="PUT"), timeout=10).close()
    get = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "signed"})
    with urllib.request.urlopen(get, timeout=10) as answer:
        assert answer.read() == b"by url"


def test_pyarrows_filesystem(server: LocalServer, s3: Any) -> None:
    files = pyarrow.fs.S3FileSystem(
        endpoint_override=server.url.removeprefix("http://"),
        scheme="http",
        access_key="a",
        secret_key="b",
        region="us-east-1",
    )
    files.create_dir("bucket/arrow/empty")
    with files.open_output_stream("bucket/arrow/data.bin") as stream:
        stream.write(b"z" * 12_000_000)
    found = files.get_file_info(pyarrow.fs.FileSelector("bucket/arrow", recursive=True))
    kinds = {info.path: (info.type, info.size) for info in found}
    assert kinds["bucket/arrow/data.bin"] == (pyarrow.fs.FileType.File, 12_000_000)
    assert kinds["bucket/arrow/empty"][0] == pyarrow.fs.FileType.Directory
    with files.open_input_file("bucket/arrow/data.bin") as file:
        file.seek(11_999_998)
        assert file.read() == b"zz"
    files.move("bucket/arrow/data.bin", "bucket/arrow/moved.bin")
    files.delete_dir("bucket/arrow")
    assert files.get_file_info("bucket/arrow").type == pyarrow.fs.FileType.NotFound
