"""Airflow's settings for a shell: with them its own command line (`airflow backfill create`) works on the project's."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from featuremill.services.launch import Launch

_NAMES = ("AIRFLOW", "FEATUREMILL_", "JAVA_HOME", "PYSPARK_PYTHON", "SPARK_")


def shell_settings(home: Path) -> Path:
    """To be read with `. <file>`. It holds Airflow's keys: its owner alone may read it."""
    return home / "environment.sh"


def write_shell_settings(launch: Launch) -> None:
    """Write what one of Airflow's processes is told; `launch.folder` is Airflow's home."""
    told = sorted((name, text) for name, text in launch.environment.items() if name.startswith(_NAMES))
    lines = [f"export {name}={shlex.quote(text)}" for name, text in told]
    lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
    path = shell_settings(launch.folder)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text("\n".join(lines) + "\n")
    unfinished.replace(path)
