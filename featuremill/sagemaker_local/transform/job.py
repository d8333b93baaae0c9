"""Runs a transform job: objects -> payloads -> containers -> output objects `<key>.out`."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints.instance import Instance
from featuremill.sagemaker_local.endpoints.settings import Settings
from featuremill.sagemaker_local.models.container import Program
from featuremill.sagemaker_local.transform.container import Containers, Limits, ask, limits
from featuremill.sagemaker_local.transform.errors import AlgorithmError, ClientError
from featuremill.sagemaker_local.transform.processing import Processing, assemble, predictions
from featuremill.sagemaker_local.transform.splitting import Payload, split, whole

Document = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """An input object, and the URI of its output."""

    bucket: str
    key: str
    output: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def sources(context: Context, job: Document) -> list[Source]:
    """The input objects, sorted by key. Raises ClientError if there are none.

    An output's key is S3OutputPath, the input's key relative to the folder of S3Uri, and `.out`.
    """
    data = job["TransformInput"]["DataSource"]["S3DataSource"]
    uri, target = data["S3Uri"], job["TransformOutput"]["S3OutputPath"]
    bucket, key = context.buckets.parse(uri)
    if not context.buckets.exists(bucket):
        raise ClientError(f"The specified bucket does not exist: {bucket}")
    if data["S3DataType"] == "ManifestFile":
        found = [_source(context, each, target) for each in _manifest(context, uri)]
    else:
        base = key.rpartition("/")[0]
        keys = [each for each in context.buckets.keys(bucket, key) if not each.endswith("/")]
        cut = len(base) + 1 if base else 0
        found = [Source(bucket, each, context.buckets.join(target, f"{each[cut:]}.out")) for each in keys]
    if not found:
        raise ClientError(f"No S3 objects found under S3 URL {uri!r} given in input data source")
    return found


def _manifest(context: Context, uri: str) -> list[tuple[str, str]]:
    """(prefix, rest) of all objects in a manifest file: [{"prefix": "s3://bucket/folder/"}, "a.csv", "b.csv"]."""
    file = context.buckets.path_of(uri)
    try:
        document = json.loads(file.read_bytes())
        return [(document[0]["prefix"], str(rest)) for rest in document[1:]]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ClientError(f"the manifest {uri} cannot be read: {error!r}") from error


def _source(context: Context, part: tuple[str, str], target: str) -> Source:
    bucket, key = context.buckets.parse("".join(part))
    if not context.buckets.path(bucket, key).is_file():
        raise ClientError(f"the manifest names {''.join(part)}, which is not there")
    return Source(bucket, key, context.buckets.join(target, f"{part[1]}.out"))


def run(
    context: Context,
    settings: Settings,
    job: Document,
    program: Program,
    processing: Processing,
    check: Callable[[], None],
) -> None:
    """Do the whole job. `check` is called often and raises to end it.

    Raises ClientError, AlgorithmError, Unhealthy, BrokenModel, ApiError. Outputs that were finished stay.
    """
    inputs = sources(context, job)
    number = job["TransformResources"]["InstanceCount"]
    with Containers(context, settings, job["TransformJobName"], program, number) as containers:
        containers.start(check)
        limit = limits(job, containers.execution_parameters())
        failed = threading.Event()

        def checked() -> None:
            check()
            if failed.is_set():
                raise AlgorithmError("another instance of the job failed")

        def work(index: int) -> None:
            instance = containers.instances[index]
            try:
                with ThreadPoolExecutor(limit.concurrent, f"transform-{instance.id}") as pool:
                    for source in inputs[index::number]:
                        _Object(context, job, containers, instance, processing, limit, checked).transform(source, pool)
            except BaseException:
                failed.set()
                raise

        with ThreadPoolExecutor(number) as pool:
            errors = [future.exception() for future in [pool.submit(work, index) for index in range(number)]]
        found = [error for error in errors if error is not None]
        if found:
            # What the first to fail says, not the ones that ended because of it.
            raise next((each for each in found if "another instance" not in str(each)), found[0])


@dataclass(frozen=True)
class _Object:
    """How one object is transformed on one instance."""

    context: Context
    job: Document
    containers: Containers
    instance: Instance
    processing: Processing
    limit: Limits
    check: Callable[[], None]

    def transform(self, source: Source, pool: ThreadPoolExecutor) -> None:
        """Answers are written in the order of the records; the output appears when it is whole."""
        temporary = self.context.buckets.temporary_file()
        waiting: deque[Future[bytes]] = deque()
        try:
            with self._open(source) as stream, temporary.open("wb") as out:
                try:
                    for payload in self._payloads(stream):
                        while len(waiting) >= 2 * self.limit.concurrent:
                            out.write(waiting.popleft().result())
                        waiting.append(pool.submit(self._answer, payload))
                    while waiting:
                        out.write(waiting.popleft().result())
                finally:
                    for future in waiting:
                        future.cancel()
            bucket, key = self.context.buckets.parse(source.output)
            self.context.buckets.place(temporary, bucket, key)
        except (ClientError, AlgorithmError) as error:
            raise type(error)(f"{source.uri}: {error}") from error
        except (OSError, EOFError, zlib.error) as error:
            raise ClientError(f"{source.uri} cannot be read: {error}") from error
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _open(self, source: Source) -> Iterator[BinaryIO]:
        path = self.context.buckets.path(source.bucket, source.key)
        with path.open("rb") as raw:
            if self.job["TransformInput"].get("CompressionType", "None") == "Gzip":
                with gzip.open(raw) as unpacked:
                    yield unpacked  # type: ignore[misc]  # a GzipFile reads like any binary file
            else:
                yield raw

    def _payloads(self, stream: BinaryIO) -> Iterator[Payload]:
        if self.job["TransformInput"].get("SplitType", "None") == "None":
            yield from whole(stream, self.limit.most_bytes)
            return
        yield from split(stream, self.limit.strategy, self.limit.most_bytes, self.processing.sent)

    def _answer(self, payload: Payload) -> bytes:
        headers = {"Content-Type": self.job["TransformInput"].get("ContentType") or "application/octet-stream"}
        accept = self.job["TransformOutput"].get("Accept")
        if accept:
            headers["Accept"] = accept
        client = self.job.get("ModelClientConfig") or {}
        by_line = self.job["TransformOutput"].get("AssembleWith", "None") == "Line"
        try:
            answer = ask(self.containers, self.instance, payload.body, headers, client, self.check)
            if not self.processing.by_record:
                return assemble([answer.body], by_line)
            found = predictions(answer.body, len(payload.records), self.processing.kind)
            kept = [
                self.processing.kept(record.raw, prediction)
                for record, prediction in zip(payload.records, found, strict=True)
            ]
        except (ClientError, AlgorithmError) as error:
            last = payload.first + len(payload.records) - 1
            where = f"record {last}" if last == payload.first else f"records {payload.first} to {last}"
            raise type(error)(f"{where}: {error}") from error
        return assemble(kept, by_line)
