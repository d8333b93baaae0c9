"""HiveServer2: Spark's Thrift server, through which beeline, JDBC, BI tools and Python query the tables."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from featuremill.services.java import Java
from featuremill.services.launch import LOOPBACK, Launch, java_environment, spark_home

HIVESERVER = "hiveserver"

READING_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "false",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    # Partitions come from the metastore at every query, so a moved partition is seen without REFRESH TABLE.
    "spark.sql.hive.manageFilesourcePartitions": "true",
    "spark.sql.hive.convertMetastoreParquet": "true",
    "spark.sql.hive.metastorePartitionPruning": "true",
    "spark.sql.hive.caseSensitiveInferenceMode": "NEVER_INFER",
    # Listings of folders are not kept: a folder replaced after a crash has the same path but other files.
    "spark.sql.hive.filesourcePartitionFileCacheSize": "0",
    # List up to this many partitions right here, not with a Spark job.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",
    # A count or sum is computed from the files, never taken from what the metastore noted.
    "spark.sql.statistics.fallBackToHdfs": "false",
    "spark.sql.optimizer.metadataOnly": "false",
}
"""What any Spark that reads the tables needs to see every published partition, and times as they are."""


def hiveserver_launch(
    state: Path, java: Java, port: int, metastore: tuple[str, int], master: str = "local[2]", memory: str = "1g"
) -> Launch:
    """The server on the loopback address, with all that it writes below <state>."""
    tmp, home = state / "tmp", state / "hiveserver"
    for folder in (tmp, home):
        folder.mkdir(parents=True, exist_ok=True)
    settings = {
        **READING_SETTINGS,
        "spark.hadoop.hive.metastore.uris": f"thrift://{metastore[0]}:{metastore[1]}",
        "spark.hadoop.hive.server2.thrift.bind.host": LOOPBACK,
        "spark.hadoop.hive.server2.thrift.port": str(port),
        "spark.hadoop.hive.server2.transport.mode": "binary",
        "spark.hadoop.hive.server2.authentication": "NONE",
        "spark.hadoop.hive.server2.enable.doAs": "false",
        "spark.hadoop.hive.server2.logging.operation.enabled": "false",
        "spark.hadoop.hive.exec.scratchdir": str(tmp / "hive"),
        "spark.hadoop.hive.exec.local.scratchdir": str(tmp / "hive-local"),
        "spark.hadoop.hive.downloaded.resources.dir": str(tmp / "hive-resources"),
        "spark.hadoop.hive.querylog.location": str(tmp / "hive-querylog"),
        "spark.driver.bindAddress": LOOPBACK,
        "spark.driver.host": LOOPBACK,
        "spark.local.dir": str(tmp),
        "spark.sql.warehouse.dir": f"file:{home / 'managed'}",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.shuffle.partitions": "2",
        "spark.scheduler.mode": "FAIR",
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": f"-Duser.timezone=UTC -Dderby.system.home={_quoted(home)} "
        f"-Djava.io.tmpdir={_quoted(tmp)} -XX:+UseSerialGC",
    }
    spark = spark_home()
    return Launch(
        name=HIVESERVER,
        title="HiveServer2 (Spark's Thrift server)",
        command=(
            str(spark / "bin" / "spark-submit"),
            *("--master", master, "--driver-memory", memory, "--name", "featuremill hiveserver"),
            *(part for name, value in settings.items() for part in ("--conf", f"{name}={value}")),
            *("--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "spark-internal"),
        ),
        environment=java_environment(java, SPARK_CONF_DIR=str(home), SPARK_LOG_DIR=str(state / "logs")),
        folder=home,
        probe=lambda: probe(state, port),
        timeout=float(os.environ.get("FEATUREMILL_HIVESERVER_TIMEOUT", "180")),
    )


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)


def probe(state: Path, port: int) -> None:
    """Raises unless a session can be opened."""
    with socket.create_connection((LOOPBACK, port), timeout=2):
        pass
    from featuremill.warehouse.sql import query

    query(LOOPBACK, port, "SELECT 1", timeout=30).fetch_all()
