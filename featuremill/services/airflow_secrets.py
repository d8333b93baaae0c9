"""What Airflow's processes share and nobody else may read."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

PASSWORDS = "passwords.json"


def airflow_secrets(home: Path, user: str) -> dict[str, str]:
    """Keys that are made once; and, in `passwords.json`, the password of the UI's user."""
    home.mkdir(parents=True, exist_ok=True)
    kept = _private(
        home / "secrets.json",
        lambda: {
            "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "jwt": secrets.token_hex(32),
            "api": secrets.token_hex(32),
        },
    )
    _private(home / PASSWORDS, lambda: {user: secrets.token_urlsafe(12)})
    return kept


def _private(path: Path, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """A JSON file that only its owner may read, made if it is not there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        found: dict[str, str] = json.loads(path.read_bytes())
        return found
    made: dict[str, str] = make()
    with os.fdopen(descriptor, "w") as file:
        json.dump(made, file)
    return made
