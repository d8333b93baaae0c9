"""Where a partition lies on this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit


def local_folder(location: str) -> Path:
    """The folder of a path or a file: URI."""
    is_uri = "://" in location or location.startswith("file:")
    return Path(unquote(urlsplit(location).path)) if is_uri else Path(location)
