"""Predictions for the rows of a file: by the endpoint, or in this process by the very code of the endpoint."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError

from featuremill.errors import DataError
from featuremill.sagemaker import payloads
from featuremill.sagemaker.client import Clients, clear_errors

ROWS_PER_REQUEST = 1_000
BYTES_PER_REQUEST = 4 * 1024 * 1024
"""AWS takes 6 MB; serverless endpoints 4."""

CSV, JSON = "text/csv", "application/json"


@dataclass(frozen=True)
class Body:
    """One request: its bytes, their content type, and the number of the first row in the file, from 0."""

    content: bytes
    content_type: str
    first: int


class Predicts(Protocol):
    def __call__(self, body: Body, explain: bool) -> bytes:
        """The answer as JSON. Raises DataError with the reason for rows that the model does not take."""
        ...


def csv_bodies(rows: Sequence[Sequence[Any]]) -> Iterator[Body]:
    """Rows of texts as CSV without header."""
    for first, chunk in _chunks([_csv_line(row) for row in rows]):
        yield Body(b"".join(chunk), CSV, first)


def json_bodies(records: Sequence[Any]) -> Iterator[Body]:
    """Records as `{"instances": [...]}`."""
    for first, chunk in _chunks([json.dumps(record, ensure_ascii=False).encode() for record in records]):
        yield Body(b'{"instances":[' + b",".join(chunk) + b"]}", JSON, first)


def _csv_line(row: Sequence[Any]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(row)
    return out.getvalue().encode()


def _chunks(texts: Sequence[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    chunk: list[bytes] = []
    size = 0
    for number, text in enumerate(texts):
        if chunk and (len(chunk) == ROWS_PER_REQUEST or size + len(text) > BYTES_PER_REQUEST):
            yield number - len(chunk), chunk
            chunk, size = [], 0
        chunk.append(text)
        size += len(text) + 1
    if chunk:
        yield len(texts) - len(chunk), chunk


def by_endpoint(clients: Clients, endpoint: str) -> Predicts:
    """Ask a SageMaker endpoint."""

    def predict(body: Body, explain: bool) -> bytes:
        more = {"CustomAttributes": "explain=true"} if explain else {}
        with clear_errors(clients, f"ask endpoint {endpoint}"):
            try:
                answer = clients.runtime.invoke_endpoint(
                    EndpointName=endpoint, Body=body.content, ContentType=body.content_type, Accept=JSON, **more
                )
            except ClientError as error:
                if error.response["Error"]["Code"] == "ModelError":
                    raise DataError(_refused(error.response)) from error
                raise
            content: bytes = answer["Body"].read()
            return content

    return predict


def _refused(response: Any) -> str:
    """What the model itself said."""
    said = str(response.get("OriginalMessage") or response["Error"].get("Message", ""))
    try:
        return str(json.loads(said)["error"])
    except (ValueError, KeyError, TypeError):
        return said


def in_process(model: Any) -> Predicts:
    """Ask a loaded model (`training_image.prediction.Model`) in this process."""
    from training_image.serving.predictor import Predictor

    predictor = Predictor(model, max_body=10 * BYTES_PER_REQUEST)

    def predict(body: Body, explain: bool) -> bytes:
        found = predictor.respond(body.content, body.content_type, JSON, "explain=true" if explain else None)
        if found.status != 200:
            raise DataError(str(json.loads(found.body)["error"]) if found.body else "the request is empty")
        return found.body

    return predict


def predictions(bodies: Iterator[Body], predicts: Predicts, explain: bool = False) -> Iterator[dict[str, Any]]:
    """One answer a row, in order. Raises DataError naming the rows of a request that is refused."""
    for body in bodies:
        try:
            answer = predicts(body, explain)
        except DataError as error:
            raise DataError(f"rows from {body.first + 1} on: {error}") from error
        yield from payloads.read_answer(answer, "the model")
