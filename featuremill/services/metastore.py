"""The Hive metastore: what tables, partitions and views there are. It keeps them in a Derby database on disk."""

from __future__ import annotations

import socket
from pathlib import Path

from featuremill.services.java import Java
from featuremill.services.launch import LOOPBACK, Launch, java_environment, spark_home

METASTORE = "metastore"
_SOURCE = Path(__file__).with_name("LoopbackMetastore.java")


def metastore_launch(state: Path, java: Java, port: int) -> Launch:
    """The metastore on the loopback address, with its database in <state>/metastore."""
    home = state / "metastore"
    home.mkdir(parents=True, exist_ok=True)
    settings = {
        "derby.system.home": str(home),
        "derby.stream.error.file": str(state / "logs" / "derby.log"),
        "java.io.tmpdir": str(_folder(state / "tmp")),
        "javax.jdo.option.ConnectionURL": "jdbc:derby:;databaseName=db;create=true",
        "javax.jdo.option.ConnectionDriverName": "org.apache.derby.jdbc.EmbeddedDriver",
        "datanucleus.schema.autoCreateAll": "true",
        "hive.metastore.schema.verification": "false",
        "hive.metastore.warehouse.dir": f"file:{home / 'managed'}",
        # A definition that changes a column's type is altered in place; else the table would vanish for a moment.
        "hive.metastore.disallow.incompatible.col.type.changes": "false",
        "hive.stats.autogather": "false",
        # A database that cannot be opened is told within a second, not after ten tries of two seconds each.
        "hive.hmshandler.retry.attempts": "2",
        "hive.hmshandler.retry.interval": "500ms",
        # Otherwise it looks for a class (disruptor) that pyspark does not carry, and dies.
        "hive.async.log.enabled": "false",
        "user.timezone": "UTC",
    }
    return Launch(
        name=METASTORE,
        title="Hive metastore",
        command=(
            str(java.executable),
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            *(f"-D{name}={value}" for name, value in settings.items()),
            "-cp",
            str(spark_home() / "jars" / "*"),
            "org.codehaus.janino.SimpleCompiler",
            str(_SOURCE),
            "LoopbackMetastore",
            LOOPBACK,
            str(port),
        ),
        environment=java_environment(java),
        folder=home,
        probe=lambda: probe(state, port),
    )


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def probe(state: Path, port: int) -> None:
    """Raises unless the metastore answers a call; an open port alone may be somebody else's."""
    with socket.create_connection((LOOPBACK, port), timeout=2):
        pass
    from featuremill.warehouse.thrift_client import metastore_client

    with metastore_client(LOOPBACK, port, timeout=5) as client:
        client.get_database("default")
