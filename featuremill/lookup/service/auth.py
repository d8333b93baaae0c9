"""Bearer tokens with the pipelines that they may ask for.

The file is JSON; it holds SHA-256 hashes only, so that reading it gives no token away:

    {"tokens": [{"name": "risk-team", "sha256": "<64 hex digits>", "pipelines": ["credit_risk"]},
                {"name": "monitoring", "sha256": "...", "pipelines": []},
                {"name": "admin", "sha256": "...", "pipelines": "*"}]}

A token is any text of 16 to 200 characters; `python -c 'import secrets; print(secrets.token_urlsafe(32))'` makes a good
one, `printf %s "$TOKEN" | sha256sum` its hash. The file is read again when it changes.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from featuremill.errors import UsageError
from featuremill.lookup.service.errors import Problem

_CHALLENGE = ("www-authenticate", 'Bearer realm="featuremill"')


class _Token(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    pipelines: tuple[str, ...] | Literal["*"]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: tuple[_Token, ...]


@dataclass(frozen=True)
class Caller:
    """Who asks: the token's name, and what it may ask for; None for all pipelines."""

    name: str
    pipelines: frozenset[str] | None

    def may_ask(self, pipeline: str) -> bool:
        return self.pipelines is None or pipeline in self.pipelines


class Tokens:
    """The tokens of a file. Raises UsageError if it cannot be read at first; later the last good ones stay."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: object = None
        self._callers: dict[bytes, Caller] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the file again if it changed. Raises UsageError, and keeps what it had, if it is not of the form."""
        try:
            status = os.stat(self._path)
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            file = _File.model_validate_json(self._path.read_bytes())
        except OSError as error:
            raise UsageError(f"the tokens file {self._path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            at = ".".join(map(str, problem["loc"])) or "the file"
            raise UsageError(f"the tokens file {self._path}: {at}: {problem['msg']}") from error
        self._callers = {
            bytes.fromhex(token.sha256): Caller(
                token.name, None if token.pipelines == "*" else frozenset(token.pipelines)
            )
            for token in file.tokens
        }

    def caller(self, header: str | None) -> Caller:
        """Who sent this Authorization header. Raises Problem 401."""
        if not header:
            raise Problem(401, "no-token", "send a token: Authorization: Bearer ...", headers=[_CHALLENGE])
        scheme, _, token = header.partition(" ")
        # Looking a hash up tells nothing through its time: who does not know the token cannot steer its hash.
        caller = self._callers.get(hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest())
        if scheme.lower() != "bearer" or caller is None:
            raise Problem(401, "unknown-token", "the token is not known", headers=[_CHALLENGE])
        return caller


def refuse(caller: Caller, pipeline: str) -> Problem:
    return Problem(
        403, "not-allowed", f"the token {caller.name!r} may not ask for {pipeline[:80]}", pipeline=pipeline[:80]
    )
