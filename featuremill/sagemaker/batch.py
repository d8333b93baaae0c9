"""Batch transform: predictions for many rows without an endpoint.

The rows go to the bucket as JSON lines, in files of at most 50,000 rows or 32 MB; SageMaker splits them by line, so
that no file is limited to one payload. Answers come back line by line in the same order.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from featuremill.errors import DataError, FeaturemillError
from featuremill.sagemaker import buckets, endpoints, names, payloads
from featuremill.sagemaker.client import Clients, clear_errors, described
from featuremill.sagemaker.deployments import plan
from featuremill.sagemaker.records import ModelVersion
from featuremill.sagemaker.requests.training import Hosts
from featuremill.sagemaker.requests.transform import TransformJob, create_transform_job
from featuremill.spec.models import Endpoint

ROWS_PER_FILE = 50_000
BYTES_PER_FILE = 32 * 1024 * 1024
_MARKER = "_staged.json"


class TransformFailed(FeaturemillError):
    """A transform job did not end well; the message has SageMaker's reason."""


@dataclass(frozen=True)
class BatchRequest:
    """What to predict. `fingerprint`: of the rows; with the model's version it names the job.

    `label_type`: of `predicted_label`. `values`: for a one_vs_rest model, the label values to answer for.
    """

    model: ModelVersion
    ds: str
    fingerprint: str
    features: Sequence[str]
    label: str
    label_type: pa.DataType
    hosts: Hosts
    values: Sequence[str] = ()


def batch_predict(
    clients: Clients,
    request: BatchRequest,
    rows: Iterable[pa.RecordBatch],
    on_status: Callable[[str], None] | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> pa.Table:
    """Predictions for all rows, in their order: the columns of `payloads.answer_table`.

    The same rows and model are transformed once; a job that runs or is done is taken over, one that failed is tried
    anew. Raises TransformFailed with the reason, DataError if an answer does not fit the rows.
    """
    base = buckets.uri(clients, request.model.pipeline, "transform", f"{request.ds}-{_content(request, 16)}")
    files = _staged(clients, base, request, rows)
    model = plan(clients, request.model, Endpoint()).model_request
    sagemaker = clients.sagemaker
    endpoints.ensure(clients, sagemaker.describe_model, sagemaker.create_model, "ModelName", model)
    output = _run(clients, base, request, model["ModelName"], on_status, sleep)
    return _collected(clients, output, request, files)


def _content(request: BatchRequest, digits: int) -> str:
    what = {
        "rows": request.fingerprint,
        "features": list(request.features),
        "label": request.label,
        "values": list(request.values),
    }
    return names.content_hash(what, digits)


def _staged(clients: Clients, base: str, request: BatchRequest, rows: Iterable[pa.RecordBatch]) -> dict[str, int]:
    """File -> its rows, of the input below `<base>/input`; written unless it is there."""
    note = buckets.read(clients, f"{base}/{_MARKER}")
    if note is not None:
        return buckets.counts(note)
    buckets.ensure_bucket(clients)
    buckets.delete_below(clients, f"{base}/input")
    values = {request.label: list(request.values)} if request.values else None
    records = (
        record
        for batch in rows
        for record in payloads.records(pa.Table.from_batches([batch]), request.features, values)
    )
    files: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="featuremill-batch-") as folder:
        file = Path(folder) / "part.jsonl"
        for number, count in enumerate(_written(file, records)):
            name = f"part-{number:05d}.jsonl"
            buckets.upload(clients, file, f"{base}/input/{name}")
            files[name] = count
    if not files:
        raise DataError(f"{request.model.pipeline} ds={request.ds}: there are no rows to predict for")
    buckets.write(clients, f"{base}/{_MARKER}", buckets.marker(files))
    return files


def _written(file: Path, records: Iterator[Any]) -> Iterator[int]:
    """Write one file after another at the same place; after each the number of its rows."""
    count = size = 0
    out = file.open("wb")
    try:
        for record in records:
            text = payloads.line(record)
            if count and (count >= ROWS_PER_FILE or size + len(text) > BYTES_PER_FILE):
                out.close()
                yield count
                out = file.open("wb")
                count = size = 0
            out.write(text)
            count, size = count + 1, size + len(text)
    finally:
        out.close()
    if count:
        yield count


def _run(
    clients: Clients,
    base: str,
    request: BatchRequest,
    model: str,
    on_status: Callable[[str], None] | None,
    sleep: Callable[[float], None],
) -> str:
    """Have the job run, or find it done; where its output is."""
    for attempt in range(1, names.MOST_ATTEMPTS + 1):
        name = names.by_content(request.model.version, {"base": base, "model": model, "attempt": attempt})
        job = TransformJob(
            name=name,
            model=model,
            input_uri=f"{base}/input/",
            output_uri=f"{base}/output/{name}",
            content_type=payloads.JSON_LINES,
            accept=payloads.JSON_LINES,
            hosts=request.hosts,
            labels={"pipeline": request.model.pipeline, "version": request.model.version, "ds": request.ds},
        )
        with clear_errors(clients, f"start transform job {name}"):
            there = described(clients.sagemaker.describe_transform_job, TransformJobName=name)
            if there is None:
                clients.sagemaker.create_transform_job(**create_transform_job(job, clients.settings))
        if there is not None and there["TransformJobStatus"] not in ("Completed", "InProgress"):
            continue
        _wait(clients, name, on_status, sleep)
        return job.output_uri
    raise TransformFailed(
        f"{request.model.version}: batch transform was tried {names.MOST_ATTEMPTS} times with the same rows"
    )


def _wait(clients: Clients, name: str, on_status: Callable[[str], None] | None, sleep: Callable[[float], None]) -> None:
    last = None
    while True:
        with clear_errors(clients, f"look at transform job {name}"):
            job: Mapping[str, Any] = clients.sagemaker.describe_transform_job(TransformJobName=name)
        status = job["TransformJobStatus"]
        if on_status is not None and status != last:
            on_status(status)
        last = status
        if status == "Completed":
            return
        if status in ("Failed", "Stopped"):
            reason = " ".join(str(job.get("FailureReason") or "no reason given").split())
            raise TransformFailed(
                f"transform job {name} {status.lower()}: {reason}; its log is in /aws/sagemaker/TransformJobs"
            )
        sleep(0.5 if clients.is_local else 15.0)


def _collected(clients: Clients, output: str, request: BatchRequest, files: Mapping[str, int]) -> pa.Table:
    tables = []
    for name, count in sorted(files.items()):
        address = f"{output}/{name}.out"
        body = buckets.read(clients, address)
        if body is None:
            raise DataError(f"{address} is not there, though the transform job completed; run again with other rows")
        found = payloads.read_lines(body, address)
        if len(found) != count:
            raise DataError(f"{address} has {len(found)} predictions for {count} rows")
        tables.append(payloads.answer_table(request.model.task, request.label, found, request.label_type))
    return pa.concat_tables(tables).combine_chunks()
