"""Buckets are directories: the object s3://BUCKET/KEY is the file <root>/BUCKET/KEY."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from featuremill.sagemaker_local.errors import ApiError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_KEY = 1024
_LONGEST_NAME = 255


class Buckets:
    """Paths of buckets and objects, and the listing of keys. `temporary` is on the same file system as `root`."""

    def __init__(self, root: Path, temporary: Path) -> None:
        self.root = root
        self._temporary = temporary
        root.mkdir(parents=True, exist_ok=True)
        # What a former run was writing when it was killed is of no use.
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)

    def parse(self, uri: str) -> tuple[str, str]:
        """Bucket and key of s3://BUCKET/KEY (the key may be empty). Raises a ValidationException."""
        scheme, _, rest = uri.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise ApiError("ValidationException", f"{uri!r} is not of the form s3://BUCKET/KEY")
        return bucket, key

    def uri(self, bucket: str, key: str) -> str:
        """s3://BUCKET/KEY."""
        return f"s3://{bucket}/{key}"

    def join(self, uri: str, *parts: str) -> str:
        """A URI below another: slashes between the parts, none twice."""
        return "/".join([uri.rstrip("/"), *(part.strip("/") for part in parts)])

    def path_of(self, uri: str) -> Path:
        """The file of an object (or the directory of a prefix that ends in "/"); it need not exist."""
        return self.path(*self.parse(uri))

    def bucket_path(self, bucket: str) -> Path:
        """The directory of a bucket. Raises InvalidBucketName."""
        if not _BUCKET.fullmatch(bucket) or ".." in bucket:
            raise ApiError("InvalidBucketName", f"{bucket!r} is not a valid bucket name (3 to 63 of a-z, 0-9, - and .)")
        return self.root / bucket

    def path(self, bucket: str, key: str) -> Path:
        """The file of a key. Raises InvalidArgument for keys that no file can have, or one outside of the bucket."""
        folder = self.bucket_path(bucket)
        if not key:
            return folder
        if len(key.encode()) > _LONGEST_KEY:
            raise ApiError("KeyTooLongError", f"a key has at most {_LONGEST_KEY} bytes")
        parts = key.removesuffix("/").split("/")
        if any(part in ("", ".", "..") or len(part.encode()) > _LONGEST_NAME for part in parts) or "\0" in key:
            raise ApiError(
                "InvalidArgument",
                f"the key {key!r} cannot be a file: local buckets are directories, so its parts between slashes must "
                f"be names of 1 to {_LONGEST_NAME} bytes other than . and ..",
            )
        return folder.joinpath(*parts)

    def exists(self, bucket: str) -> bool:
        """Whether there is such a bucket."""
        return self.bucket_path(bucket).is_dir()

    def create(self, bucket: str) -> bool:
        """Make a bucket; False if it was there."""
        path = self.bucket_path(bucket)
        if path.is_dir():
            return False
        path.mkdir(parents=True)
        return True

    def temporary_file(self) -> Path:
        """A new file to write an object into before it is put in its place."""
        handle, name = tempfile.mkstemp(dir=self._temporary)
        os.close(handle)
        os.chmod(name, 0o644)
        return Path(name)

    def temporary_folder(self) -> Path:
        """A new folder; the caller removes it."""
        return Path(tempfile.mkdtemp(dir=self._temporary))

    def place(self, source: Path, bucket: str, key: str) -> Path:
        """Move a temporary file to its key, at once. Raises NoSuchBucket, and InvalidArgument if a folder is there."""
        target = self.path(bucket, key)
        if not self.exists(bucket):
            raise no_such_bucket(bucket)
        while True:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, target)
                return target
            except FileNotFoundError:
                # A delete has just removed the empty folder: make it again.
                continue
            except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
                raise ApiError(
                    "InvalidArgument",
                    f"{key!r} cannot be stored: local buckets are directories, and a key cannot be a file and the "
                    "folder of other keys at once",
                ) from error

    def store(self, source: Path, uri: str) -> None:
        """Copy a file to an object. Makes the bucket if it is not there."""
        bucket, key = self.parse(uri)
        self.create(bucket)
        temporary = self.temporary_file()
        try:
            shutil.copyfile(source, temporary)
            self.place(temporary, bucket, key)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self, bucket: str, key: str) -> None:
        """Remove an object and the folders that it leaves empty; nothing if there is none."""
        path = self.path(bucket, key)
        folder = self.bucket_path(bucket)
        if not key.endswith("/"):
            if not path.is_file():
                return
            path.unlink(missing_ok=True)
            path = path.parent
        while path != folder:
            try:
                path.rmdir()
            except OSError:
                return
            path = path.parent

    def keys(self, bucket: str, prefix: str = "", after: str = "") -> Iterator[str]:
        """The keys that begin with `prefix` and are greater than `after`, in S3's order (by bytes of UTF-8).

        A folder with nothing in it is a key that ends in "/", which is what S3's clients make of a folder.
        """
        folder = self.bucket_path(bucket)
        start = prefix.rpartition("/")[0]
        try:
            top = self.path(bucket, f"{start}/") if start else folder
        except ApiError:
            return
        yield from _walk(top, f"{start}/" if start else "", prefix, after)


def _walk(folder: Path, path: str, prefix: str, after: str) -> Iterator[str]:
    try:
        entries = [(entry.name + "/" if entry.is_dir() else entry.name) for entry in os.scandir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return
    if not entries and path and path.startswith(prefix) and path > after:
        yield path
    for name in sorted(entries):
        key = path + name
        # A subtree that lies wholly before `after` or beside `prefix` is not entered.
        if not (key.startswith(prefix) or prefix.startswith(key)):
            continue
        if key <= after and not after.startswith(key):
            continue
        if name.endswith("/"):
            yield from _walk(folder / name, key, prefix, after)
        elif key.startswith(prefix) and key > after:
            yield key


def no_such_bucket(bucket: str) -> ApiError:
    """S3's answer for a bucket that is not there."""
    return ApiError("NoSuchBucket", f"The specified bucket does not exist: {bucket}", 404)
