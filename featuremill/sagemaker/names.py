"""Names on SageMaker: at most 63 characters, letters, digits and hyphens, unique in the account and region.

    endpoint    credit-risk
    job         credit-risk-2024-06-30-1f0c3a9b          and -r2, -r3 ... for another attempt
    model       credit-risk-2024-06-30-1f0c3a9b-4be1d2   the last part: a hash of the request
    config      credit-risk-2024-06-30-1f0c3a9b-90aa17

The version of a model is its training job's name. Models and endpoint configurations are named by their content, so
that making one twice is making it once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from featuremill.errors import UsageError

LONGEST = 63
_LONGEST_PIPELINE = 31
_DS = re.compile(r"\d{4}-\d{2}-\d{2}")
_HEX = re.compile(r"[0-9a-f]{8,}")
_LEGAL = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
MOST_ATTEMPTS = 99


def content_hash(content: Any, digits: int = 32) -> str:
    """Hexadecimal digits of the SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def legal(name: str) -> str:
    """A pipeline's name as SageMaker takes it: hyphens for underscores.

    What is longer than 31 characters or begins or ends with an underscore is cut and gets a hash of the whole name, so
    that two pipelines do not meet.
    """
    plain = name.replace("_", "-").strip("-")
    if plain == name.replace("_", "-") and len(plain) <= _LONGEST_PIPELINE:
        return plain
    return f"{plain[: _LONGEST_PIPELINE - 9].rstrip('-') or 'pipeline'}-{content_hash(name, 8)}"


def endpoint_name(pipeline: str) -> str:
    return legal(pipeline)


def job_name(pipeline: str, ds: str, fingerprint: str, attempt: int = 1) -> str:
    """`<pipeline>-<ds>-<first 8 digits of the fingerprint>`, the attempt after it from the second on.

    Raises UsageError for a day or fingerprint that is none, or after 99 attempts.
    """
    if not _DS.fullmatch(ds):
        raise UsageError(f"{ds!r} is not a day; write YYYY-MM-DD")
    if not _HEX.fullmatch(fingerprint):
        raise UsageError(f"{fingerprint!r} is not a fingerprint: 8 or more hexadecimal digits")
    if not 1 <= attempt <= MOST_ATTEMPTS:
        raise UsageError(
            f"{pipeline} ds={ds}: training was tried {MOST_ATTEMPTS} times with the same data and settings; "
            "change something before the next attempt"
        )
    return f"{legal(pipeline)}-{ds}-{fingerprint[:8]}" + (f"-r{attempt}" if attempt > 1 else "")


def by_content(version: str, request: Mapping[str, Any]) -> str:
    """The name of a model or endpoint configuration: its model version and a hash of all that it is."""
    check(version)
    return f"{version[: LONGEST - 7].rstrip('-')}-{content_hash(request, 6)}"


def check(name: str) -> None:
    """Raise UsageError for a name that SageMaker would refuse."""
    if not _LEGAL.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a name for SageMaker: at most {LONGEST} letters, digits and hyphens, "
            "beginning and ending with a letter or digit"
        )
