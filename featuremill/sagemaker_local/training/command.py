"""The command of a host: the image's train program, or the entry point that the request gives."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from featuremill.sagemaker_local.training.directories import CONTAINER_BASE

_BIND = """
set -e
base="$1"; shift
if [ ! -d /opt/ml ]; then
  mkdir -p "$base/../opt"
  mount --rbind /opt "$base/../opt"
  mount -t tmpfs none /opt
  for old in "$base/../opt"/*; do
    if [ -d "$old" ]; then mkdir "/opt/${old##*/}"; mount --rbind "$old" "/opt/${old##*/}"; fi
  done
  mkdir /opt/ml
fi
mount --bind "$base" /opt/ml
cd /opt/ml
exec "$@"
"""
"""Makes the first argument /opt/ml, where /opt may lack it and cannot be written to, and runs the other arguments."""


def container_command(algorithm: dict[str, Any], train: tuple[str, ...], base: Path) -> list[str]:
    """The command that stands for the container's.

    ContainerArguments replace the word `train`; our programs take it as said already. An entry point of the request's
    own expects /opt/ml: it runs in a mount namespace where that is the host's folder, if the system allows that;
    otherwise /opt/ml is replaced in its texts by the folder's path.
    """
    arguments = algorithm.get("ContainerArguments", [])
    entrypoint = algorithm.get("ContainerEntrypoint")
    if entrypoint is None:
        return [*train, *arguments]
    command = [*entrypoint, *arguments]
    if _namespaces():
        return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _BIND, "sh", str(base), *command]
    return [part.replace(str(CONTAINER_BASE), str(base)) for part in command]


@cache
def _namespaces() -> bool:
    """Whether a process may have mounts of its own here (Linux with user namespaces)."""
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/opt"]
    try:
        return subprocess.run(probe, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
