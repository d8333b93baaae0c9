"""Which format a body is in, and in which one the answer goes out (RFC 9110, sections 8.3 and 12.5.1)."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from training_image.serving.errors import RequestError

Format = Literal["csv", "json", "jsonlines", "parquet", "arrow"]

FORMATS: dict[str, Format] = {
    "text/csv": "csv",
    "application/json": "json",
    "application/jsonlines": "jsonlines",
    "application/x-jsonlines": "jsonlines",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
}
CONTENT_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonlines": "application/jsonlines",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


@lru_cache(maxsize=256)
def body_format(content_type: str | None) -> Format:
    """The format of a Content-Type. Raises RequestError 415 for an unknown one, and for another charset than UTF-8."""
    if content_type is None:
        raise RequestError(415, f"there is no Content-Type; send one of {_listed()}")
    media, parameters = _parsed(content_type)
    found = FORMATS.get(media)
    if found is None:
        raise RequestError(415, f"Content-Type {content_type[:80]!r} is not served; send one of {_listed()}")
    charset = parameters.get("charset", "utf-8").lower()
    if found in ("csv", "json", "jsonlines") and charset not in _CHARSETS:
        raise RequestError(415, f"charset {charset[:40]!r} is not served; send UTF-8")
    return found


@lru_cache(maxsize=256)
def answer_format(accept: str | None, default: Format, offered: frozenset[Format]) -> Format:
    """The format that an Accept header likes best of those offered; equal q-values: the first named.

    Without one, and for `*/*`: `default`. Raises RequestError 406 if it likes none.
    """
    if accept is None or not accept.strip():
        return default
    best: Format | None = None
    best_q = 0.0
    refused = _refused(accept)
    for part in accept.split(","):
        media, parameters = _parsed(part)
        q = _q(parameters)
        if q > best_q:
            found = _match(media, default, offered - refused)
            if found is not None:
                best, best_q = found, q
    if best is None:
        served = ", ".join(CONTENT_TYPES[found].split(";")[0] for found in sorted(offered))
        raise RequestError(406, f"Accept {accept[:80]!r} cannot be answered; this model answers with {served}")
    return best


def _match(media: str, default: Format, offered: frozenset[Format]) -> Format | None:
    if media in FORMATS:
        return FORMATS[media] if FORMATS[media] in offered else None
    preferred: tuple[Format, ...] = (default, "json", "csv", "jsonlines", "parquet", "arrow")
    for found in preferred:
        kind = CONTENT_TYPES[found].split("/")[0]
        if found in offered and media in ("*/*", "*", f"{kind}/*"):
            return found
    return None


def _refused(accept: str) -> frozenset[Format]:
    """Formats with q=0."""
    parts = [_parsed(part) for part in accept.split(",")]
    return frozenset(FORMATS[media] for media, parameters in parts if media in FORMATS and _q(parameters) == 0)


def _q(parameters: dict[str, str]) -> float:
    try:
        return min(max(float(parameters.get("q", "1")), 0.0), 1.0)
    except ValueError:
        return 0.0


def _parsed(header: str) -> tuple[str, dict[str, str]]:
    media, *rest = header.split(";")
    pairs = [part.partition("=") for part in rest]
    return media.strip().lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def _listed() -> str:
    return ", ".join(FORMATS)
