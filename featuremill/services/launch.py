"""What a service process is made of, and the parts that the metastore and HiveServer2 share."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from featuremill.errors import ServiceError
from featuremill.services.java import Java

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Launch:
    """How to start a service: its command, environment and working folder; `probe` raises until it answers.

    It is asked every `pause` seconds, for at most `timeout` seconds.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    probe: Callable[[], object]
    timeout: float = 180.0
    pause: float = 0.2
    title: str = field(default="")


def spark_home() -> Path:
    """The folder of pip's pyspark, which carries the Hive jars. Found without importing it."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError("pyspark is not installed in this environment; pip install -r requirements.txt")
    home = Path(spec.submodule_search_locations[0])
    if not (home / "jars").is_dir():
        raise ServiceError(f"{home} has no jars: pyspark-client alone is not enough; pip install pyspark")
    return home


def java_environment(java: Java, **more: str) -> dict[str, str]:
    """This process's environment with Java, UTC and loopback set, without the settings of other Spark installations."""
    kept = {name: value for name, value in os.environ.items() if name not in ("SPARK_CONF_DIR", "HADOOP_CONF_DIR")}
    return {
        **kept,
        "JAVA_HOME": str(java.home),
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": LOOPBACK,
        "PYSPARK_PYTHON": sys.executable,
        "TZ": "UTC",
        **more,
    }
