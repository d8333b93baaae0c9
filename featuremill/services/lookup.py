"""The lookup service: features and predictions by id."""

from __future__ import annotations

import os
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from featuremill.services.launch import LOOPBACK, Launch
from featuremill.spec.environment import LookupSettings

LOOKUP = "lookup"


@dataclass(frozen=True)
class LookupPlace:
    """Whose online store is served, and how."""

    project: Path
    settings: LookupSettings = LookupSettings()


def lookup_launch(state: Path, port: int, place: LookupPlace) -> Launch:
    """The service on the loopback address."""
    settings = place.settings
    options = {
        "--project": str(place.project),
        "--host": LOOPBACK,
        "--port": str(port),
        "--workers": str(settings.workers),
        "--request-log": settings.request_log,
    }
    if settings.tokens is not None:
        options["--tokens"] = settings.tokens
    if settings.root is not None:
        options["--root"] = settings.root
    return Launch(
        name=LOOKUP,
        title="lookup",
        command=(sys.executable, "-m", "featuremill.lookup", *(part for pair in options.items() for part in pair)),
        environment={**os.environ, "TZ": "UTC"},
        folder=state,
        probe=lambda: probe(state, port),
    )


def probe(state: Path, port: int) -> None:
    """Raises OSError unless a lookup answers."""
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/health", timeout=5) as answer:
        if b"ok" not in answer.read(1000):
            raise OSError(f"{LOOPBACK}:{port} is not the lookup")
