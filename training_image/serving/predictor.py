"""One loaded model as an HTTP resource: a body and its headers in, a status, a content type and a body out."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pyarrow as pa

from training_image.prediction import Model
from training_image.serving.answers import answer, write
from training_image.serving.arrow_body import UNFOLDS, ArrowReader
from training_image.serving.csv_body import CsvReader
from training_image.serving.errors import RequestError, bad
from training_image.serving.fields import fields_of
from training_image.serving.json_body import JsonReader
from training_image.serving.negotiation import CONTENT_TYPES, Format, answer_format, body_format
from training_image.serving.ranges import Ranges
from training_image.serving.rows import Rows
from training_image.serving.selection import Selection, checked, select
from training_image.serving.value_answers import answer_values, asked_of, write_values

ALL: frozenset[Format] = frozenset({"csv", "json", "jsonlines", "parquet", "arrow"})
# A cell a row cannot hold what one_vs_rest answers: values differ from row to row.
NESTED: frozenset[Format] = ALL - {"csv"}

EXPLAINED_AT_MOST = 10_000
"""Rows whose contributions one request may ask for: TreeSHAP takes a thousand times as long as a prediction."""


@dataclass(frozen=True, slots=True)
class Response:
    """`allow`: of status 405, the methods there are."""

    status: int
    content_type: str
    body: bytes
    allow: str = ""


class Predictor:
    """Answers requests with a model.

    `output`: fields of an answer, empty for the task's default. `max_body`: the size limit of bodies, in bytes, from
    which the limit of what they may unfold to follows. `default_accept`: of requests without Accept; None: the format
    that the request is in.
    """

    def __init__(
        self, model: Model, output: tuple[str, ...] = (), max_body: int = 20 << 20, default_accept: Format | None = None
    ) -> None:
        """Raises RequestError for an output that the model's task does not have."""
        self.model = model
        self._task = model.manifest.task
        self._output = checked(self._task, list(output)) if output else ()
        self._default_accept = default_accept
        fields = fields_of(model.manifest)
        self._json = JsonReader(fields)
        self._csv = CsvReader(fields)
        self._arrow = ArrowReader(fields, UNFOLDS * max_body)
        self._ranges = Ranges(model.manifest.features)
        self._offered = NESTED if self._task == "one_vs_rest" else ALL

    def respond(self, body: bytes, content_type: str | None, accept: str | None, attributes: str | None) -> Response:
        """The answer to an invocation; errors of the request are answers too (204, 400, 406, 413, 415)."""
        if not body:
            return Response(204, "text/plain", b"")
        try:
            kind = body_format(content_type)
            wanted = answer_format(accept, self._default(kind), self._offered)
            selection = select(self._task, self._output, attributes)
            found = self._answer(self._read(kind, body), wanted, selection)
        except RequestError as error:
            return failure(error)
        except pa.ArrowMemoryError:
            return failure(RequestError(413, "the table does not fit into memory; send fewer rows"))
        return Response(200, CONTENT_TYPES[wanted], found)

    def _default(self, kind: Format) -> Format:
        wanted = self._default_accept or kind
        return wanted if wanted in self._offered else "json"

    def _read(self, kind: Format, body: bytes) -> Rows:
        if kind == "json":
            return self._json.read(body)
        if kind == "csv":
            return self._csv.read(body)
        if kind == "jsonlines":
            return self._json.read_lines(body)
        return self._arrow.read_parquet(body) if kind == "parquet" else self._arrow.read_stream(body)

    def _answer(self, rows: Rows, wanted: Format, selection: Selection) -> bytes:
        model = self.model
        if selection.explain and rows.count > EXPLAINED_AT_MOST:
            raise bad(f"explain is for at most {EXPLAINED_AT_MOST} rows a request, this one has {rows.count}")
        if rows.single is not None:
            matrix = model.preparer.prepare_row(rows.single)
            found = self._ranges.of_row(rows.single)
            flags = {0: found} if found else {}
        else:
            matrix = model.preparer.prepare_columns(rows.columns, rows.count)
            flags = self._ranges.of_columns(rows.columns)
        if self._task == "one_vs_rest":
            single = None if rows.single is None else rows.single[-1]
            asked = [single] if isinstance(single, list) else asked_of(rows.columns[-1])
            return write_values(answer_values(model, matrix, asked, selection, flags), wanted, selection)
        shap = model.contributions_of(matrix) if selection.explain else None
        return write(answer(model, model.submodels[0].scores(matrix), selection, flags, shap), wanted)


def failure(error: RequestError) -> Response:
    """An error as a response: {"error": "..."}."""
    return Response(error.status, "application/json", orjson.dumps({"error": str(error)}))
