"""Room on the disk: what writes to a full one ends with messages that name everything but the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from featuremill.errors import ServiceError

START_BYTES = 500_000_000
_SCARCE_BYTES = 20_000_000


def require_space(folder: Path, needed: int = START_BYTES) -> None:
    """Raises ServiceError if the disk of a folder, which need not be there yet, has less than `needed` bytes free."""
    free = _free(folder)
    if free < needed:
        raise ServiceError(
            f"{free // 1_000_000:,} MB are free on the disk of {folder}, and the services need "
            f"{needed // 1_000_000:,} MB; free some, or set another `state` in configuration/environments/local.yaml"
        )


def remark(folder: Path) -> str:
    """What to add to an error if the disk may be its cause; else nothing."""
    return f"\nthe disk of {folder} is full; free some space and start again" if _free(folder) < _SCARCE_BYTES else ""


def _free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
