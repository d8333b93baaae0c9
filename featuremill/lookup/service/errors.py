"""Errors as answers: application/problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import orjson

PROBLEM_JSON = "application/problem+json"


class Problem(Exception):
    """An error that becomes an answer. `kind` is the last part of its type URI; `more` are further members."""

    def __init__(
        self, status: int, kind: str, detail: str, headers: Iterable[tuple[str, str]] = (), **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.headers, self.more = list(headers), more

    def body(self) -> bytes:
        document = {
            "type": f"urn:featuremill:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        return orjson.dumps(document | self.more, option=orjson.OPT_NON_STR_KEYS)


def unknown_pipeline(name: str, known: Iterable[str]) -> Problem:
    listed = sorted(known)
    said = f"published are {', '.join(listed)}" if listed else "nothing is published yet; run a pipeline first"
    return Problem(404, "unknown-pipeline", f"no pipeline {shortened(name)!r} is published; {said}", pipelines=listed)


def unknown_id(pipeline: str, ds: str, text: str) -> Problem:
    detail = f"{pipeline} has no entity {shortened(text)!r} on {ds}"
    return Problem(404, "unknown-id", detail, pipeline=pipeline, ds=ds, id=shortened(text))


def malformed_id(pipeline: str, text: str, wanted: str, **more: Any) -> Problem:
    detail = f"{shortened(text)!r} is not an id of {pipeline}; write {wanted}"
    return Problem(422, "malformed-id", detail, pipeline=pipeline, id=shortened(text), **more)


def unknown_path(path: str) -> Problem:
    return Problem(404, "unknown-path", f"there is nothing at {shortened(path)!r}; /openapi.json lists what there is")


def shortened(text: str) -> str:
    """A text that may be printed and encoded, of at most 80 characters."""
    safe = text.encode("utf-8", "backslashreplace").decode()
    return safe if len(safe) <= 80 else f"{safe[:77]}..."
