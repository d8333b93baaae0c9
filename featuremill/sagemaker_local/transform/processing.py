"""DataProcessing: what of a record is sent (InputFilter), how input and prediction are joined, what is kept.

Records and predictions are both csv or both JSON. A csv record is an array of texts to JSONPath; joined, the
prediction's columns follow the input's. A JSON object gets the prediction as `SageMakerOutput`; any other JSON value
becomes {"SageMakerInput": value, "SageMakerOutput": prediction}.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from jsonpath_ng.jsonpath import Child, Fields, Index, JSONPath, Root, Slice
from jsonpath_ng.parser import parse

from featuremill.sagemaker_local.transform.errors import ClientError

Kind = Literal["csv", "json", "other"]
KINDS: dict[str, Kind] = {
    "text/csv": "csv",
    "application/json": "json",
    "application/jsonlines": "json",
    "application/x-jsonlines": "json",
}


def kind_of(content_type: str | None) -> Kind:
    """csv, json (also of JSON lines) or other."""
    return KINDS.get((content_type or "").split(";")[0].strip().lower(), "other")


@dataclass(frozen=True)
class Path:
    """A JSONPath as batch transform takes it: names, positions (also negative) and slices. `$` is everything."""

    text: str

    def __post_init__(self) -> None:
        _ = self._parsed

    @cached_property
    def _parsed(self) -> JSONPath:
        try:
            return parse(self.text)
        except Exception as error:
            raise ClientError(f"{self.text!r} is not a JSONPath: {error}") from error

    def of(self, value: Any) -> Any:
        """The value a path of names and single positions leads to; a list for all other paths. Raises ClientError."""
        if self.text == "$":
            return value
        found = [match.value for match in self._parsed.find(value)]
        if not _single(self._parsed):
            return found
        if not found:
            raise ClientError(f"nothing is at {self.text!r} in {json.dumps(value)[:200]}")
        return found[0]


def _single(path: JSONPath) -> bool:
    if isinstance(path, Child):
        return _single(path.left) and _single(path.right)
    if isinstance(path, Fields):
        return len(path.fields) == 1 and path.fields[0] != "*"
    if isinstance(path, Index):
        return len(path.indices) == 1
    if isinstance(path, Slice):
        return False
    return isinstance(path, Root)


@dataclass(frozen=True)
class Processing:
    """DataProcessing of a job, checked. `joins`: predictions are matched to records one to one."""

    kind: Kind
    input_filter: Path
    output_filter: Path
    joins: bool

    @property
    def by_record(self) -> bool:
        """Whether answers have to be taken apart into the predictions of single records."""
        return self.joins or self.output_filter.text != "$"

    def sent(self, record: bytes) -> bytes:
        """The record as the container gets it."""
        if self.input_filter.text == "$":
            return record
        return self._dump(self.input_filter.of(self._load(record, "the input record")))

    def kept(self, record: bytes, prediction: bytes) -> bytes:
        """The line of the output for a record and the container's prediction for it."""
        answer = self._load(prediction, "the prediction")
        if self.joins:
            answer = self._join(self._load(record, "the input record"), answer)
        return self._dump(self.output_filter.of(answer))

    def _join(self, value: Any, answer: Any) -> Any:
        if self.kind == "csv":
            return [*value, *answer]
        if isinstance(value, dict):
            return {**value, "SageMakerOutput": answer}
        return {"SageMakerInput": value, "SageMakerOutput": answer}

    def _load(self, record: bytes, what: str) -> Any:
        try:
            text = record.decode("utf-8")
            if self.kind == "json":
                return json.loads(text)
            return next(csv.reader([text], strict=True), [])
        except (ValueError, csv.Error) as error:
            raise ClientError(f"{what} is not valid {self.kind}: {error}: {record[:200]!r}") from error

    def _dump(self, value: Any) -> bytes:
        if self.kind == "json":
            return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow(value if isinstance(value, list) else [value])
        return out.getvalue().encode()


def processing(config: dict[str, Any] | None, content_type: str | None, accept: str | None) -> Processing:
    """From the job's DataProcessing, ContentType and Accept. Raises ClientError for what AWS would refuse."""
    config = config or {}
    made = Processing(
        kind=kind_of(content_type),
        input_filter=Path(config.get("InputFilter") or "$"),
        output_filter=Path(config.get("OutputFilter") or "$"),
        joins=config.get("JoinSource", "None") == "Input",
    )
    if made.by_record or made.input_filter.text != "$":
        if made.kind == "other":
            raise ClientError(
                f"DataProcessing needs ContentType text/csv, application/json or application/jsonlines, not "
                f"{content_type!r}"
            )
        if made.by_record and accept is not None and kind_of(accept) != made.kind:
            raise ClientError(
                f"to join or filter predictions Accept must be of the kind of {content_type}, not {accept!r}"
            )
    return made


def predictions(answer: bytes, records: int, kind: Kind) -> list[bytes]:
    """An answer taken apart: one prediction a record. Raises ClientError if the numbers differ.

    A single record's whole answer is its prediction, when it is one JSON value; several have one line each.
    """
    if records == 1 and kind == "json":
        return [answer.strip()]
    found = [line.rstrip(b"\r") for line in answer.split(b"\n")]
    while found and not found[-1]:
        found.pop()
    if len(found) != records:
        raise ClientError(
            f"the container answered {records} records with {len(found)} lines; joining and filtering need one line a "
            "record (for JSON ask for application/jsonlines, or use BatchStrategy SingleRecord)"
        )
    return found


def assemble(answers: list[bytes], by_line: bool) -> bytes:
    """The output of one payload after another. AssembleWith Line ends each with a line end; None adds nothing."""
    if not by_line:
        return b"".join(answers)
    return b"".join(answer if answer.endswith(b"\n") else answer + b"\n" for answer in answers)
