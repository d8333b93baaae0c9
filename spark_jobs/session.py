"""One way to get a Spark session, wherever Spark runs: in this process, on a cluster, or behind Spark Connect."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pyspark.sql import SparkSession

from featuremill.errors import ServiceError
from featuremill.services.java import find_java
from spark_jobs.failures import first_useful_line

_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
_CONNECT_PORT = 15002
_CONNECT_PATIENCE = 10.0
_SCRATCH = Path(tempfile.gettempdir()) / f"featuremill-spark-{os.getuid()}"

RUNTIME_CONF: dict[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "false",
    "spark.sql.parquet.compression.codec": "zstd",
    # The JVM does not compile methods of more than 8,000 bytes; above that Spark's way without fused code is faster.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}
"""What results (and their speed) rest on; set on every session, also on one that a server keeps."""


class SparkSettings(BaseModel):
    """Where Spark runs. `remote` (sc://host:port) is a Spark Connect server and goes before `master`.

    `driver_memory` counts where this process starts the driver (local and standalone masters).
    `conf` is passed on as it is and wins over what is set here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    master: str = "local[*]"
    remote: str | None = None
    driver_memory: str = "2g"
    conf: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _remote_is_an_address(self) -> SparkSettings:
        if self.remote is not None and not self.remote.startswith("sc://"):
            raise ValueError(f"spark remote {self.remote!r}: write a Spark Connect address, like sc://localhost:15002")
        return self


def build_session(settings: SparkSettings | None = None, app_name: str = "featuremill") -> SparkSession:
    """Start (or connect to) Spark.

    Under spark-submit the master and the memory are those of the command: what it has set is left alone.
    Raises ServiceError where Spark cannot be reached, or where there is no Java to start it with.
    """
    settings = settings or SparkSettings()
    return _connect(settings) if settings.remote else _start(settings, app_name)


def apply_runtime_conf(spark: SparkSession, overrides: dict[str, str] | None = None) -> None:
    """Set what the results rest on; for sessions that were made elsewhere."""
    for name, value in {**RUNTIME_CONF, **(overrides or {})}.items():
        spark.conf.set(name, value)


def _connect(settings: SparkSettings) -> SparkSession:
    address = urlsplit(str(settings.remote))
    try:
        # The client itself would try again for ten minutes.
        socket.create_connection((address.hostname or "", address.port or _CONNECT_PORT), _CONNECT_PATIENCE).close()
        spark = SparkSession.builder.remote(str(settings.remote)).create()
        apply_runtime_conf(spark, settings.conf)
    except Exception as error:
        reason = first_useful_line(error)
        raise ServiceError(
            f"no Spark Connect server answers at {settings.remote} ({reason}); start it, or take `remote` out of "
            "the environment's `spark` section to run Spark in this process"
        ) from error
    return spark


def _start(settings: SparkSettings, app_name: str) -> SparkSession:
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    local = settings.master.startswith("local")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    conf = dict(RUNTIME_CONF)
    if not submitted:
        _find_java(_SCRATCH)
        conf |= _driver_conf(settings, local)
    if local:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.Builder().appName(app_name)
    for name, value in {**conf, **settings.conf}.items():
        builder = builder.config(name, value)
    try:
        spark: SparkSession = builder.getOrCreate()
    except Exception as error:
        reason = first_useful_line(error)
        raise ServiceError(f"Spark did not start on {settings.master}: {reason}") from error
    return spark


def _driver_conf(settings: SparkSettings, local: bool) -> dict[str, str]:
    conf = {
        "spark.master": settings.master,
        "spark.driver.memory": settings.driver_memory,
        "spark.sql.catalogImplementation": "in-memory",
        "spark.ui.showConsoleProgress": "false",
        # Never in the folder that somebody happens to stand in.
        "spark.sql.warehouse.dir": (_SCRATCH / "warehouse").as_uri(),
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}"
        f" -Dderby.system.home={_SCRATCH / 'derby'}",
    }
    if local:
        cores = _local_cores(settings.master)
        conf |= {
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            # The adaptive planner joins small partitions; this is only how finely it may cut.
            "spark.sql.shuffle.partitions": str(max(4, 2 * cores)),
        }
    return conf


def _local_cores(master: str) -> int:
    """The cores of `local`, `local[4]`, `local[*]` or `local[4,2]`."""
    inside = master.partition("[")[2].rstrip("]").partition(",")[0]
    if inside == "*":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(inside) if inside.isdigit() else 1


def _find_java(scratch: Path) -> None:
    """Leave JAVA_HOME where it is good; else point it at the Java that the services use too."""
    os.environ["JAVA_HOME"] = str(find_java(scratch).home)
