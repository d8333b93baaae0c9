"""A Spark Connect server on this machine: the Spark that is up already, for tasks that last seconds."""

from __future__ import annotations

import socket
from pathlib import Path

from featuremill.services.java import Java
from featuremill.services.launch import LOOPBACK, Launch, java_environment, spark_home
from featuremill.spec.environment import SparkSettings

SPARK = "spark"


def spark_launch(state: Path, port: int, *, java: Java, settings: SparkSettings) -> Launch:
    """The server on the loopback address, with the master, memory and settings of the environment."""
    home, tmp = state / "spark", state / "tmp"
    for folder in (home, tmp):
        folder.mkdir(parents=True, exist_ok=True)
    own = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in settings.conf.items()}
    conf = {
        "spark.connect.grpc.binding.address": LOOPBACK,
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.local.dir": str(tmp),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": f"file:{home / 'warehouse'}",
        "spark.sql.shuffle.partitions": "4",
        "spark.scheduler.mode": "FAIR",
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -XX:+UseSerialGC",
        **own,
    }
    return Launch(
        name=SPARK,
        title="Spark Connect",
        command=(
            str(spark_home() / "bin" / "spark-submit"),
            *("--master", settings.master, "--driver-memory", settings.driver_memory or "1g"),
            *("--name", "featuremill spark"),
            *(part for name, value in conf.items() for part in ("--conf", f"{name}={value}")),
            *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"),
        ),
        environment=java_environment(java, SPARK_CONF_DIR=str(home), SPARK_LOG_DIR=str(state / "logs")),
        folder=home,
        probe=lambda: probe(state, port),
    )


def probe(state: Path, port: int) -> None:
    """Raises OSError unless something listens; a session of its own would cost more than it tells."""
    socket.create_connection((LOOPBACK, port), timeout=2).close()
