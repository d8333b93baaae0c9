"""The page's files, read once, with the headers that a browser needs to show them and to refuse anything else."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from featuremill.lookup.service.errors import unknown_path
from featuremill.lookup.service.routes import Answer

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}

# Nothing inline, nothing from elsewhere, no text that becomes markup: ids and descriptions are shown as they are.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

_HEADERS = (
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    # Asked for each time, answered with 304: a new version of the service never meets old scripts.
    ("cache-control", "no-cache"),
)


class PageFiles:
    """The files of the folder `web`, by name."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        for file in files(__package__).joinpath("web").iterdir():
            kind = _TYPES.get(file.name[file.name.rfind(".") :])
            if kind is not None:
                content = file.read_bytes()
                etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
                self._answers[file.name] = Answer(content, 200, kind, _HEADERS, etag)

    @property
    def names(self) -> list[str]:
        return sorted(self._answers)

    def answer(self, name: str) -> Answer:
        """Raises Problem 404 for a file that is not there."""
        found = self._answers.get(name)
        if found is None:
            raise unknown_path(f"/page/{name}")
        return found
